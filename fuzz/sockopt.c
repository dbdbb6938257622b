/* SPDX-License-Identifier: MIT
 *
 * Target: socket options, from a name and a value to what reaches the kernel, held to the policy written a second time
 * from the threat model ("Client-settable option policy", "Denied for ever", facts m6 and m7).
 *
 *   byte 0   low three bits the socket: tcp4 tcp6 udp4 udp6 unix (the rest: tcp4); 8 strict; 16 a client asks;
 *            32 of a connection; 64 setsockopt fails; 128 getsockopt fails
 *   byte 1   with which errno; 0x80: getsockopt gives another size
 *   NAME=VALUE; or a byte from 0x80 up, the number of a row, and the value;
 *            or '#' ROW and up to eight bytes of a number: past sb_sockopt_find(), as a mistake of ours would be
 *
 * What must hold: who may set what, where and in which range; the sentence of a refusal; that what is refused asks the
 * kernel nothing; that what is not gets there with its level, number and size, once, and is read back; that what the
 * kernel made of it, or its errno, is what comes out.
 */
#include "sockopt/sockopt.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "codec_arena.h"
#include "found.h"
#include "judge.h"
#include "naive.h"
#include "sockopt/help.h"
#include "target.h"

JUDGE_BEGIN

enum { FD = 9, T = 1, U = 2, X = 4, NAMES_MAX = 128 };
enum { NEVER = -1 };

/* The kernel: one socket, one option. */
struct sb_sys {
	int fail_set, fail_get, sets, gets, level, name;
	bool is_odd; /* getsockopt gives another size */
	size_t n;
	struct linger linger;
	int value;
};

/* The policy. strict_max NEVER: not there at all. on: T tcp, U udp, X unix; ip: 4 or 6 or 0 for any. */
static const struct policy {
	const char *name;
	int level, optname;
	char kind; /* b 0 or 1, n a number, s a size, l linger */
	int64_t min, max, strict_min, strict_max;
	int on, ip;
	bool is_listener, is_connection, is_client;
} policy[] = {
	{"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 'b', 0, 1, 0, 1, T, 0, 1, 1, 1},
	{"TCP_CORK", IPPROTO_TCP, TCP_CORK, 'b', 0, 1, 0, 1, T, 0, 1, 1, 1},
	{"TCP_QUICKACK", IPPROTO_TCP, TCP_QUICKACK, 'b', 0, 1, 0, 1, T, 0, 0, 1, 1},
	{"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 's', 0, INT_MAX, 1, 65536, T, 0, 1, 1, 1},
	{"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 's', 1, INT_MAX / 2, 4096, 262144, T | U | X, 0, 1, 1, 1},
	{"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 's', 1, INT_MAX / 2, 4096, 262144, T | U | X, 0, 1, 1, 1},
	{"TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG, 'n', 88, 32767, 536, 32767, T, 0, 1, 0, 1},
	{"TCP_WINDOW_CLAMP", IPPROTO_TCP, TCP_WINDOW_CLAMP, 's', 1, INT_MAX, 4096, INT_MAX, T, 0, 1, 1, 1},
	{"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 'b', 0, 1, 0, 1, T, 0, 1, 1, 1},
	{"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 'n', 1, 32767, 1, 600, T, 0, 1, 1, 1},
	{"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 'n', 1, 32767, 1, 60, T, 0, 1, 1, 1},
	{"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 'n', 1, 127, 1, 10, T, 0, 1, 1, 1},
	{"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 'n', 0, INT_MAX, 1000, 300000, T, 0, 1, 1, 1},
	{"SO_LINGER", SOL_SOCKET, SO_LINGER, 'l', 0, 60, 0, 0, T, 0, 1, 1, 1},
	{"IP_TTL", IPPROTO_IP, IP_TTL, 'n', 1, 255, 1, NEVER, T | U, 4, 1, 1, 1},
	{"IPV6_UNICAST_HOPS", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 'n', 1, 255, 1, NEVER, T | U, 6, 1, 1, 1},
	{"IP_TOS", IPPROTO_IP, IP_TOS, 'n', 0, 255, 0, 255, T | U, 4, 1, 1, 0},
	{"IPV6_TCLASS", IPPROTO_IPV6, IPV6_TCLASS, 'n', 0, 255, 0, 255, T | U, 6, 1, 1, 0},
	{"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 'b', 0, 1, 0, 1, T, 0, 1, 1, 0},
	{"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 'b', 0, 1, 0, 1, T, 0, 1, 0, 0},
	{"SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, 'b', 0, 1, 0, 1, T, 0, 1, 0, 0},
	{"IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, 'b', 0, 1, 0, 1, T | U, 6, 1, 0, 0},
};

enum { ALLOWED = sizeof(policy) / sizeof(policy[0]) };

/* For ever, and with them all that is like them. */
static const char *const denied[] = {
	"SO_RCVLOWAT",
	"SO_SNDBUFFORCE",
	"SO_RCVBUFFORCE",
	"SO_MARK",
	"SO_BINDTODEVICE",
	"SO_DEBUG",
	"SO_PRIORITY",
	"SO_BUSY_POLL",
	"SO_ATTACH_FILTER",
	"SO_ATTACH_BPF",
	"SO_ATTACH_REUSEPORT_CBPF",
	"SO_ATTACH_REUSEPORT_EBPF",
	"SO_BROADCAST",
	"SO_RCVTIMEO",
	"SO_SNDTIMEO",
	"SO_ZEROCOPY",
	"SO_TXTIME",
	"SO_TIMESTAMPING",
	"IP_TRANSPARENT",
	"IP_HDRINCL",
	"IP_OPTIONS",
	"IP_ADD_MEMBERSHIP",
	"TCP_REPAIR",
	"TCP_ULP",
	"TCP_MD5SIG",
	"TCP_FASTOPEN",
	"TCP_FASTOPEN_CONNECT",
	"TCP_FASTOPEN_KEY",
	"TCP_FASTOPEN_NO_COOKIE",
	"TCP_SAVE_SYN",
	"TCP_CONGESTION",
	"TCP_DEFER_ACCEPT",
	"TCP_LINGER2",
};

static struct arena arena;
static uint64_t digest;
static const char *names[NAMES_MAX];
static size_t names_n;

/* What is asked, and what should come of it. */
struct ask {
	struct sb_opt_place place;
	int on, ip;
	const uint8_t *name, *value;
	size_t name_n, value_n;
};

struct want {
	const struct policy *p;
	int code;
	uint32_t col; /* 1 the name, 2 the value */
	int64_t value, min, max;
};

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* ---- the kernel ---- */

int sb_sys_setopt(struct sb_sys *k, int fd, int level, int name, const void *value, size_t n)
{
	if (fd != FD)
		sb_found("sockopt: descriptor %d", fd);
	k->sets++;
	if (k->fail_set)
		return k->fail_set;
	k->level = level;
	k->name = name;
	k->n = n;
	if (n == sizeof(k->linger))
		memcpy(&k->linger, value, n);
	else if (n == sizeof(k->value))
		memcpy(&k->value, value, n);
	return 0;
}

/* Buffers are doubled, and have a least size (m6); a clamp has one as well (m7). */
static int effective(const struct sb_sys *k)
{
	if (k->level == SOL_SOCKET && k->name == SO_RCVBUF)
		return k->value < 1152 ? 2304 : 2 * k->value;
	if (k->level == SOL_SOCKET && k->name == SO_SNDBUF)
		return k->value < 2304 ? 4608 : 2 * k->value;
	if (k->level == IPPROTO_TCP && k->name == TCP_WINDOW_CLAMP)
		return k->value < 1152 ? 1152 : k->value;
	return k->value;
}

int sb_sys_getopt(struct sb_sys *k, int fd, int level, int name, void *value, size_t *n)
{
	int v = effective(k);

	if (fd != FD || level != k->level || name != k->name || *n != k->n)
		sb_found("sockopt: set was %d, %d with %zu bytes; read is %d, %d with %zu", k->level, k->name, k->n,
			 level, name, *n);
	k->gets++;
	if (k->fail_get)
		return k->fail_get;
	if (*n == sizeof(k->linger))
		memcpy(value, &k->linger, *n);
	else
		memcpy(value, &v, *n);
	if (k->is_odd)
		*n = 1;
	return 0;
}

/* ---- the policy ---- */

static bool is_in(const char *const *list, size_t n, const uint8_t *p, size_t p_n)
{
	for (size_t i = 0; i < n; i++)
		if (naive_is(p, p_n, list[i]))
			return true;
	return false;
}

static void refuse(struct want *w, int code, uint32_t col)
{
	w->code = code;
	w->col = col;
}

static bool may(const struct ask *a, const struct policy *p)
{
	bool is_client = a->place.who == SB_OPT_CLIENT, is_conn = a->place.when == SB_OPT_CONNECTION;

	return (p->is_client || !is_client) && (is_conn ? p->is_connection : p->is_listener) && (p->on & a->on) &&
	       (p->ip == 0 || p->ip == a->ip) && !(a->place.strict && p->strict_max == NEVER);
}

static void want_value(struct want *w, const struct ask *a)
{
	const struct policy *p = w->p;
	uint64_t v = 0;
	int r;

	w->min = a->place.strict ? p->strict_min : p->min;
	w->max = a->place.strict ? p->strict_max : p->max;
	if (p->kind == 'l' && a->place.who == SB_OPT_CLIENT)
		w->max = 0; /* with seconds, close() would hold up the loop */
	if (p->kind == 'l' && naive_is(a->value, a->value_n, "off")) {
		w->value = -1;
		return;
	}
	r = p->kind == 's' ? naive_size(a->value, a->value_n, &v) : naive_count(a->value, a->value_n, &v);
	if (r == 0 && (v < (uint64_t)w->min || v > (uint64_t)w->max))
		r = SB_E_RANGE;
	w->value = (int64_t)v;
	if (r < 0)
		refuse(w, r, 2);
}

static struct want want_of(const struct ask *a)
{
	struct want w = {.code = 0};

	for (size_t i = 0; i < ALLOWED; i++)
		if (naive_is(a->name, a->name_n, policy[i].name))
			w.p = &policy[i];
	if (!w.p)
		refuse(&w, is_in(names, names_n, a->name, a->name_n) ? SB_E_DENIED : SB_E_UNKNOWN, 1);
	else if (!may(a, w.p))
		refuse(&w, SB_E_PLACE, 1);
	else
		want_value(&w, a);
	return w;
}

/* ---- what came of it ---- */

static void check_refusal(const struct ask *a, const struct want *w, const struct sb_fault *fault)
{
	char min[32], max[32], range[160];

	naive_fault("sockopt", fault, w->code, w->col);
	if (w->code == SB_E_UNKNOWN)
		naive_says_nearest("sockopt", fault, naive_nearest(a->name, a->name_n, names, names_n));
	if (w->code == SB_E_PLACE || w->col == 2)
		naive_says("sockopt", fault, w->p->name);
	if (w->code == SB_E_DENIED)
		naive_says("sockopt", fault, "never");
	if (w->code != SB_E_RANGE)
		return;
	snprintf(min, sizeof(min), "%lld", (long long)w->min);
	snprintf(max, sizeof(max), "%lld", (long long)w->max);
	if (w->p->kind == 's') {
		naive_size_text(min, (uint64_t)w->min);
		naive_size_text(max, (uint64_t)w->max);
	}
	snprintf(range, sizeof(range), " is %s%s%s%s, not ", w->p->kind == 'l' ? "off or " : "", min,
		 w->min == w->max    ? ""
		 : w->p->kind == 'b' ? " or "
				     : " to ",
		 w->min == w->max ? "" : max);
	naive_says("sockopt", fault, range);
}

/* Sets it and looks at what got to the kernel. */
static void check_set(struct sb_sys *k, const struct want *w, struct sb_opt_ask ask)
{
	int64_t got = 77777;
	int r = sb_sockopt_set(k, FD, ask, &got);
	int want = k->fail_set ? k->fail_set : k->fail_get ? k->fail_get : k->is_odd ? -EPROTO : 0;

	if (r != want)
		sb_found("sockopt: %s is set with %d, it should be %d", w->p->name, r, want);
	if (k->sets != 1 || k->gets != (k->fail_set ? 0 : 1))
		sb_found("sockopt: %s was set %d times and read %d times", w->p->name, k->sets, k->gets);
	digest = digest * 31 + (uint64_t)got;
	if (k->fail_set)
		return;
	if (k->level != w->p->level || k->name != w->p->optname)
		sb_found("sockopt: %s is %d, %d; set was %d, %d", w->p->name, w->p->level, w->p->optname, k->level,
			 k->name);
	if (k->n != (w->p->kind == 'l' ? sizeof(struct linger) : sizeof(int)))
		sb_found("sockopt: %s is set with %zu bytes", w->p->name, k->n);
	if (w->p->kind == 'l'
		    ? k->linger.l_onoff != (w->value >= 0) || k->linger.l_linger != (w->value < 0 ? 0 : w->value)
		    : k->value != w->value)
		sb_found("sockopt: %s=%lld is set to something else", w->p->name, (long long)w->value);
	if (r == 0 && got != (w->p->kind == 'l' ? w->value : effective(k)))
		sb_found("sockopt: %s=%lld is %lld now, it says", w->p->name, (long long)w->value, (long long)got);
	if (r < 0 && got != 77777)
		sb_found("sockopt: %s failed, and is %lld now", w->p->name, (long long)got);
}

/* To look for the nearest name costs more than all the rest: for one in eight of those that there are not. */
static bool is_passed_over(const struct ask *a)
{
	unsigned sum = 0;

	for (size_t i = 0; i < a->name_n; i++)
		sum += a->name[i];
	return sum % 8 != 0;
}

static void check_ask(struct sb_sys *k, const struct ask *a)
{
	struct want w = want_of(a);
	struct sb_opt_ask ask = {.row = NULL, .value = 4242};
	struct sb_fault fault = {.code = 1};
	int r;

	if ((sb_sockopt_named(sb_slice(a->name, a->name_n)) == NULL) != (w.code == SB_E_UNKNOWN))
		sb_found("sockopt: there is no such option, or there is, and it says the other");
	if (w.code == SB_E_UNKNOWN && is_passed_over(a))
		return;
	r = sb_sockopt_find(&ask, sb_slice(a->name, a->name_n), sb_slice(a->value, a->value_n), a->place, &fault);
	digest = digest * 31 + (uint64_t)-r;
	if (r != w.code)
		sb_found("sockopt: it is %s (%s), it should be %s", r < 0 ? sb_errname(r) : "good",
			 r < 0 ? fault.text : "", w.code < 0 ? sb_errname(w.code) : "good");
	if (w.code != SB_E_UNKNOWN &&
	    sb_sockopt_find(&ask, sb_slice(a->name, a->name_n), sb_slice(a->value, a->value_n), a->place, NULL) != r)
		sb_found("sockopt: without a fault to fill it says something else");
	if (r < 0) {
		if (ask.row || ask.value != 4242 || k->sets)
			sb_found("sockopt: it is refused, and something is filled in");
		check_refusal(a, &w, &fault);
		return;
	}
	if (strcmp(ask.row->name, w.p->name) != 0 || ask.value != w.value || fault.code != 1)
		sb_found("sockopt: it is %s=%lld, it should be %s=%lld", ask.row->name, (long long)ask.value, w.p->name,
			 (long long)w.value);
	check_set(k, &w, ask);
}

/* Our own mistake: a row and any number. What is not allowed on loopback does not get to the kernel. */
static void check_raw(struct sb_sys *k, const uint8_t *p, size_t n)
{
	struct sb_opt_ask ask = {.row = sb_sockopt_at(n ? p[0] % names_n : 0)};
	struct want w = {.p = NULL};
	uint64_t v = n > 1 && p[1] & 128 ? UINT64_MAX : 0;
	int64_t got = 0;
	int want = SB_E_DENIED, r;

	for (size_t i = 1; i < n && i < 9; i++)
		v = v << 8 | p[i];
	w.value = ask.value = (int64_t)v;
	for (size_t i = 0; i < ALLOWED; i++)
		if (strcmp(policy[i].name, ask.row->name) == 0)
			w.p = &policy[i];
	if (w.p)
		want = ask.value < (w.p->kind == 'l' ? -1 : w.p->min) || ask.value > w.p->max ? SB_E_RANGE : 0;
	if (want == 0) {
		check_set(k, &w, ask);
		return;
	}
	r = sb_sockopt_set(k, FD, ask, &got);
	if (r != want || k->sets || k->gets)
		sb_found("sockopt: %s=%lld is %s, it should be %s", ask.row->name, (long long)ask.value,
			 r < 0 ? sb_errname(r) : "set", sb_errname(want));
}

/* ---- the tables, once ---- */

static void check_help(void)
{
	static char all[16384];
	struct sb_text t = sb_text_in(all, sizeof(all));
	size_t from = 0;

	sb_sockopts_help(&t);
	for (size_t i = 0; i < names_n; i++)
		if (!memmem(all, t.n, names[i], strlen(names[i])))
			sb_found("help: it lacks %s", names[i]);
	for (size_t i = 0; i < t.n; i++) {
		if (all[i] != '\n')
			continue;
		if (i - from > 100)
			sb_found("help: a line of %zu characters", i - from);
		from = i + 1;
	}
	if (t.lost || !memmem(all, t.n, "\nnever:\n", 8))
		sb_found("help: it is not whole");
}

/* Before main: in the first run it would be what makes that one differ. */
__attribute__((constructor)) static void read_names(void)
{
	const struct sb_sockopt *row;

	for (names_n = 0; names_n < NAMES_MAX && (row = sb_sockopt_at(names_n)); names_n++)
		names[names_n] = row->name;
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		row = sb_sockopt_named(sb_slice_cstr(denied[i]));
		if (!row || row->kind != SB_OPT_DENIED || row->who != SB_OPT_NOBODY || !row->help[0])
			sb_found("sockopt: %s is not denied", denied[i]);
	}
	for (size_t i = 0; i < names_n; i++) {
		bool is_known = false;

		row = sb_sockopt_at(i);
		for (size_t k = 0; k < ALLOWED; k++)
			is_known = is_known || strcmp(policy[k].name, row->name) == 0;
		if (row->kind != SB_OPT_DENIED && !is_known)
			sb_found("sockopt: %s can be set, and the policy does not know it", row->name);
	}
	check_help();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct {
		int on, ip;
	} kinds[8] = {{T, 4}, {T, 6}, {U, 4}, {U, 6}, {X, 0}, {T, 4}, {T, 4}, {T, 4}};
	static const int errnos[] = {EINVAL, EPERM, ENOPROTOOPT, EDOM, ENOBUFS, EBADF, EOPNOTSUPP, EBUSY};
	uint8_t how = n ? data[0] : 0, more = n > 1 ? data[1] : 0;
	struct sb_sys k = {.is_odd = more & 128};
	struct ask a = {.on = kinds[how & 7].on, .ip = kinds[how & 7].ip};
	size_t eq = 2;
	uint8_t *copy;

	digest = n;
	k.fail_set = how & 64 ? -errnos[more & 7] : 0;
	k.fail_get = how & 128 ? -errnos[more & 7] : 0;
	a.place = (struct sb_opt_place){.who = how & 16 ? SB_OPT_CLIENT : SB_OPT_OPERATOR,
					.when = how & 32 ? SB_OPT_CONNECTION : SB_OPT_LISTENER,
					.strict = how & 8,
					.is_tcp = a.on == T,
					.is_udp = a.on == U,
					.is_ipv4 = a.ip == 4,
					.is_ipv6 = a.ip == 6};
	n = n > 512 ? 512 : n;
	copy = arena_copy(&arena, data, n);
	while (eq < n && copy[eq] != '=')
		eq++;
	a.name = copy + 2;
	a.name_n = n > 2 ? eq - 2 : 0;
	a.value = copy + eq + 1;
	a.value_n = eq < n ? n - eq - 1 : 0;
	if (n > 2 && copy[2] & 128) { /* by its number, so that the engine need not spell it */
		a.name = (const uint8_t *)names[copy[2] % names_n];
		a.name_n = strlen(names[copy[2] % names_n]);
		a.value = copy + 3;
		a.value_n = n - 3;
	}
	if (n > 2 && copy[2] == '#')
		check_raw(&k, copy + 3, n - 3);
	else
		check_ask(&k, &a);
	arena_close(copy, n);
	return 0;
}

JUDGE_END
