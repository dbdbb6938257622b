/* SPDX-License-Identifier: MIT
 *
 * Target: the texts that make a server, held to a second reading of them, and the server that comes of them on the
 * simulated kernel. The first byte is a fault of script/faults.def that the next such call has, '.' for none; then
 * lines, as in a config file:
 *
 *   name=value          an option                   @ENDPOINT,LINE    a listener; tcp:, udp: and unix: need no @
 *   ?ADDRESS RANGE      whether the one is in the other, and what kind of address it is
 *   !frame=u8 max=9     a decoder
 *
 * What must hold: accepted or refused, code, column, sentence; every limit; how much memory, and that its parts do not
 * lie in each other; that the server opens, or fails with a fault and leaves nothing open; that it listens on exactly
 * what was asked, with the socket options that were asked and the defaults; that a failed call is said.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "again_config.h"
#include "again_plan.h"
#include "codec_arena.h"
#include "config_model.h"
#include "found.h"
#include "judge.h"
#include "server/server.h"
#include "sys_sim.h"
#include "target.h"

JUDGE_BEGIN

enum { TEXT_MAX = 4096, TEXTS_MAX = 70, MEM_MAX = 256 << 20 };

static struct again_config want;
static struct again line;
static uint64_t digest;
static uint8_t *mem;
static const char *listens[TEXTS_MAX], *options[TEXTS_MAX];
static struct sb_config config;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

static void note(uint64_t v)
{
	digest = (digest ^ v) * UINT64_C(0x100000001b3);
}

static bool is_same(const struct sb_addr *a, const struct again_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, 16) == 0 && a->scope == b->scope;
}

/* ---- what it listens on ---- */

struct opts {
	struct sim_opt v[64];
	uint32_t n;
};

static bool has(const struct opts *o, int level, int name)
{
	for (uint32_t i = 0; i < o->n; i++)
		if (o->v[i].level == level && o->v[i].name == name)
			return true;
	return false;
}

static void must(struct opts *o, int level, int name, int value)
{
	if (!has(o, level, name) && o->n < 64)
		o->v[o->n++] = (struct sim_opt){level, name, value};
}

static struct sb_opt_place place_of(const struct again_endpoint *e, unsigned when)
{
	return (struct sb_opt_place){.who = SB_OPT_OPERATOR,
				     .when = when,
				     .strict = want.is_strict,
				     .is_tcp = e->on == SB_ON_TCP,
				     .is_udp = e->on == SB_ON_UDP,
				     .is_ipv4 = e->addr.family == 4,
				     .is_ipv6 = e->addr.family == 6};
}

/* One that was asked for: 0, or why it is refused, and at which column. */
static int ask(struct opts *o, const struct again_endpoint *e, const char *name, const struct again_text *value,
	       uint32_t col, uint32_t value_col, uint32_t *at)
{
	struct sb_slice word = sb_slice_cstr(name);
	const struct sb_sockopt *row = sb_sockopt_named(word);
	struct sb_opt_place place = place_of(e, SB_OPT_LISTENER);
	struct sb_opt_ask found;
	struct sb_fault fault;
	bool is_conn = row && row->when == SB_OPT_CONNECTION && e->on != SB_ON_UDP;
	int r;

	if (is_conn)
		place.when = SB_OPT_CONNECTION;
	r = sb_sockopt_find(&found, word, sb_slice(value->p, value->n), place, &fault);
	*at = r < 0 && fault.col == 2 ? value_col : col;
	if (r < 0)
		return r;
	if (has(o, found.row->level, found.row->optname))
		return SB_E_DUPLICATE;
	if (!is_conn)
		must(o, found.row->level, found.row->optname, (int)found.value);
	return 0;
}

static int ask_buf(struct opts *o, const struct again_endpoint *e, int key, const char *name, uint32_t *at)
{
	struct again_value *v = &line.v[key];

	if (!v->set)
		return 0;
	v->text.n = (size_t)snprintf((char *)v->text.p, 32, "%llu", (unsigned long long)v->num);
	return ask(o, e, name, &v->text, v->key_col, v->col, at);
}

/* All options of a listener whose line has been read, or why there is none. */
static int opts_of(struct opts *o, const struct again_endpoint *e, uint32_t *at)
{
	bool is_ip = e->on != SB_ON_UNIX;
	int r = ask_buf(o, e, SB_KEY_RCVBUF, "SO_RCVBUF", at);

	if (r == 0)
		r = ask_buf(o, e, SB_KEY_SNDBUF, "SO_SNDBUF", at);
	if (r == 0)
		r = ask_buf(o, e, SB_KEY_MSS, "TCP_MAXSEG", at);
	for (size_t i = 0; i < line.opts_n && r == 0; i++) {
		line.opts[i].name.p[line.opts[i].name.n] = '\0';
		r = ask(o, e, (const char *)line.opts[i].name.p, &line.opts[i].value, line.opts[i].col,
			line.opts[i].value_col, at);
	}
	if (e->on == SB_ON_TCP) {
		must(o, SOL_SOCKET, SO_REUSEADDR, 1);
		must(o, IPPROTO_TCP, TCP_NODELAY, 1);
	}
	if (e->addr.family == 6)
		must(o, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (want.is_strict && is_ip) {
		must(o, SOL_SOCKET, SO_RCVBUF, 65536);
		must(o, SOL_SOCKET, SO_SNDBUF, 65536);
	}
	if (want.is_strict && e->on == SB_ON_TCP)
		must(o, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384);
	return r;
}

/* The simulated kernel doubles buffers and keeps the first eight options. */
static void check_opts(const struct sim_fd *f, const struct opts *o, size_t i)
{
	for (uint32_t k = 0; k < o->n && k < 8; k++) {
		const struct sim_opt *w = &o->v[k];
		int v = w->value;

		if (w->level == SOL_SOCKET && w->name == SO_RCVBUF)
			v = v > 1152 ? 2 * v : 2304;
		if (w->level == SOL_SOCKET && w->name == SO_SNDBUF)
			v = v > 2304 ? 2 * v : 4608;
		if (k >= f->opts_n || f->opts[k].level != w->level || f->opts[k].name != w->name)
			sb_found("config: listener %zu lacks option %d, %d", i, w->level, w->name);
		if (f->opts[k].value != v && !(w->level == SOL_SOCKET && w->name == SO_LINGER))
			sb_found("config: listener %zu has %d as option %d, %d; it should be %d", i, f->opts[k].value,
				 w->level, w->name, v);
	}
	if (f->opts_n != (o->n < 8 ? o->n : 8))
		sb_found("config: listener %zu has %u options, it should have %u", i, f->opts_n, o->n);
}

static void check_listener(struct sb_sys *k, const struct sb_server *srv, size_t i, const char *text)
{
	const struct again_endpoint *e = &want.endpoint[i];
	int fd = sim_endpoint(k, (uint32_t)i);
	const struct sim_fd *f = fd < 0 ? NULL : sim_get(k, fd, "look");
	size_t comma = strcspn(text, ",");
	struct opts o = {.n = 0};
	uint32_t at;

	if (!f || srv->listeners[i].fd != fd || f->type != (e->on == SB_ON_UDP ? SIM_DGRAM : SIM_LISTENER))
		sb_found("config: listener %zu is not there", i);
	if (f->family != e->addr.family || memcmp(f->addr.ip, e->addr.ip, 16) != 0 ||
	    (e->addr.port && f->addr.port != e->addr.port) || f->addr.scope != e->addr.scope)
		sb_found("config: listener %zu is bound to another address, port %u", i, f->addr.port);
	if (sb_server_port(srv, i) != (e->on == SB_ON_UNIX ? srv->listeners[i].endpoint.addr.port : f->addr.port))
		sb_found("config: listener %zu has port %d, it says", i, sb_server_port(srv, i));
	if (f->has_dst != (e->on == SB_ON_UDP && !again_is_loopback(&e->addr)))
		sb_found("config: listener %zu is %s to which address a datagram was sent", i,
			 f->has_dst ? "told" : "not told");
	if (e->on == SB_ON_UNIX && strcmp(srv->listeners[i].endpoint.path, e->path) != 0)
		sb_found("config: listener %zu has the path %s", i, srv->listeners[i].endpoint.path);
	again_read(&line, text[comma] ? (const uint8_t *)text + comma + 1 : (const uint8_t *)"ECHO",
		   text[comma] ? strlen(text) - comma - 1 : 4);
	opts_of(&o, e, &at);
	check_opts(f, &o, i);
}

/* By itself, with nothing behind it, it is the same. */
static void check_alone(const char *text)
{
	static struct arena arena;
	size_t n = strcspn(text, ",");
	uint8_t *p = arena_copy(&arena, (const uint8_t *)text, n);
	struct again_endpoint w;
	struct sb_endpoint e;
	struct sb_fault fault = {.code = 1};
	uint32_t col = 0;
	int code = again_endpoint(&w, p, n, &col), r = sb_endpoint_parse(&e, sb_slice(p, n), &fault);

	if (r != code)
		sb_found("config: the endpoint of \"%s\" is %s, it should be %s", text, r < 0 ? sb_errname(r) : "good",
			 code < 0 ? sb_errname(code) : "good");
	if (r < 0)
		naive_fault("config: endpoint", &fault, code, col);
	arena_close(p, n);
}

/* Written it is one word, and read again it is the same. */
static void check_endpoint(const char *text)
{
	struct sb_endpoint e, back;
	struct sb_fault fault;
	char room[3 * SB_PATH_MAX + 16];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (sb_endpoint_parse(&e, sb_slice(text, strcspn(text, ",")), &fault) < 0)
		sb_found("config: the endpoint of %s is not good any more", text);
	sb_text_endpoint(&t, &e);
	for (size_t i = 0; i < t.n; i++)
		if (room[i] <= ' ' || room[i] > '~' || room[i] == ',')
			sb_found("config: an endpoint is written with byte %02x", (uint8_t)room[i]);
	if (t.lost || sb_endpoint_parse(&back, sb_slice(room, t.n), &fault) < 0 || back.on != e.on ||
	    !sb_addr_eq(&back.addr, &e.addr) || back.addr.scope != e.addr.scope || strcmp(back.path, e.path) != 0)
		sb_found("config: an endpoint is written %.*s, and that is another", (int)t.n, room);
}

/* ---- the server ---- */

/* The simulated kernel gives ports in order to those who ask for any. */
static uint16_t port_of(size_t i)
{
	uint32_t port = SIM_PORT_FIRST;

	for (size_t j = 0; j < i; j++)
		port += want.endpoint[j].on != SB_ON_UNIX && want.endpoint[j].addr.port == 0;
	return want.endpoint[i].addr.port ? want.endpoint[i].addr.port : (uint16_t)port;
}

/* Its unix socket is another's before it, or its address, which is not any port's. */
static bool is_taken(size_t i)
{
	const struct again_endpoint *e = &want.endpoint[i];

	for (size_t j = 0; j < i; j++) {
		const struct again_endpoint *f = &want.endpoint[j];

		if (e->on == SB_ON_UNIX && f->on == SB_ON_UNIX && strcmp(e->path, f->path) == 0)
			return true;
		if (e->on == SB_ON_TCP && f->on == SB_ON_TCP && e->addr.port && e->addr.port == port_of(j) &&
		    e->addr.family == f->addr.family && memcmp(e->addr.ip, f->addr.ip, 16) == 0)
			return true;
	}
	return false;
}

/* preamble=on is for services that wait, and hash=on then for the line that comes. */
static int door_of(const struct again *a, uint32_t *col)
{
	const struct again_value *preamble = &a->v[SB_KEY_PREAMBLE], *hash = &a->v[SB_KEY_HASH];
	bool waits = naive_is(a->verb.p, a->verb.n, "ECHO") || naive_is(a->verb.p, a->verb.n, "DISCARD");

	if (!preamble->set || preamble->num == 0 || (waits && (!hash->set || hash->num == 0)))
		return 0;
	*col = waits ? hash->key_col : preamble->key_col;
	return SB_E_PLACE;
}

/* What the first listener that cannot be says: 0 when all can. */
static int want_open(uint32_t *col)
{
	struct sb_limits limits = {.is_set = {false}};

	memcpy(limits.v, want.v, sizeof(limits.v));
	for (size_t i = 0; i < config.listens_n; i++) {
		const char *text = config.listens[i];
		size_t comma = strcspn(text, ",");
		uint32_t offset = text[comma] ? (uint32_t)comma + 1 : 0;
		struct opts o = {.n = 0};
		int r;

		if (!text[comma])
			again_read(&line, (const uint8_t *)"ECHO", 4);
		else
			again_read(&line, (const uint8_t *)text + comma + 1, strlen(text) - comma - 1);
		r = again_plan_code(&line, want.endpoint[i].on, want.is_strict, &limits, col);
		if (r == 0 && again_is_refused_anywhere(&line, &want.endpoint[i].addr)) {
			*col = line.v[SB_KEY_REPLY].key_col;
			r = SB_E_PLACE;
		}
		if (r == 0)
			r = again_step_opts(&line, place_of(&want.endpoint[i], SB_OPT_CONNECTION), col);
		if (r == 0)
			r = door_of(&line, col);
		if (r == 0)
			r = opts_of(&o, &want.endpoint[i], col);
		want.failed = i + 1;
		*col = r < 0 && *col ? *col + offset : 0;
		if (r == 0 && is_taken(i))
			r = -EADDRINUSE;
		if (r < 0)
			return r;
	}
	want.failed = 0;
	return 0;
}

/* Which call the letter makes fail. */
static enum sim_call call_of(const struct sb_sys *k)
{
	for (int i = 0; i < SIM_CALLS; i++)
		if (k->fail[i])
			return (enum sim_call)i;
	return SIM_CALLS;
}

/* A call that failed on the way: the server says so, but for those it can do without. */
static int after_fault(const struct sb_sys *k, enum sim_call call, int err)
{
	if (call == SIM_CALLS || k->fail[call] || call == SIM_CALL_SPARE || call == SIM_CALL_LOG)
		return 0;
	if (call == SIM_CALL_EPOLL_OPEN && !want.io)
		return 0; /* poll will do */
	return err;
}

static void check_open(struct sb_sys *k, const struct sb_server *srv, size_t size)
{
	size_t n = config.listens_n ? config.listens_n : 4;

	config_model_parts(&want, srv, size);
	if (srv->is_strict != want.is_strict || srv->log.is_json != want.is_json || (int)srv->log.level != want.level)
		sb_found("config: strict %d, json %d, level %d", srv->is_strict, srv->log.is_json, (int)srv->log.level);
	if (want.io && strcmp(srv->io.backend->name, want.io) != 0)
		sb_found("config: the backend is %s", srv->io.backend->name);
	if (srv->listeners_n != n || sb_server_port(srv, n) >= 0 || sim_endpoint(k, (uint32_t)n) >= 0)
		sb_found("config: %u listeners, it should be %zu", srv->listeners_n, n);
	for (size_t i = 0; i < config.listens_n; i++)
		check_listener(k, srv, i, config.listens[i]);
}

static void check_server(uint8_t fault_letter, long size)
{
	struct sb_sys *k = sim_open(0);
	struct sb_server_env env = {.sys = k};
	struct sb_fault fault = {.code = 1};
	struct sb_server *srv = NULL;
	uint32_t col = 0;
	int r, code = want_open(&col), err = 0, failed;
	enum sim_call call;

	if (fault_letter != '.')
		sim_fail(k, NULL, fault_letter);
	call = call_of(k);
	err = call == SIM_CALLS ? 0 : k->fail[call];
	if (call == SIM_CALLS)
		r = sb_server_init(&srv, mem, (size_t)size, &config, &fault);
	else
		r = sb_server_open(&srv, mem, (size_t)size, &config, &env, &fault);
	note((uint64_t)-r);
	failed = after_fault(k, call, err);
	if (failed == -EADDRINUSE && call == SIM_CALL_BIND && r == 0)
		failed = 0; /* a leftover of a unix socket, which went */
	/* Which port is whose is the kernel's to say. */
	if (r == SB_E_PLACE && code == 0 && strstr(fault.text, "listener of this server itself") && k->fds == 0)
		return;
	if (r != (failed ? failed : code) && !(config.listens_n > 40 && r == -EMFILE))
		sb_found("config: it opens with %d (%s), it should be %d or %d", r, r < 0 ? fault.text : "", failed,
			 code);
	if (r < 0) {
		naive_fault("config: server", &fault, r, failed || r == -EMFILE ? fault.col : col);
		if (srv || k->fds)
			sb_found("config: it failed, and %u descriptors are open", k->fds);
		if (call != SIM_CALLS && code < 0 && !failed && env.read.failed != want.failed)
			sb_found("config: listener %zu is at fault, it says; it is %zu", env.read.failed, want.failed);
		return;
	}
	check_open(k, srv, (size_t)size);
	sb_server_fini(srv);
	if (k->fds)
		sb_found("config: %u descriptors are open after the end", k->fds);
}

static void check_refusal(const struct sb_fault *fault, const struct sb_config_read *read)
{
	const char *option = want.option;
	char room[96];

	naive_fault("config", fault, want.code, want.col);
	if (read->failed != want.failed)
		sb_found("config: listener %zu is at fault, it says; it is %zu", read->failed, want.failed);
	if (!option)
		return;
	if (want.code == SB_E_UNKNOWN && strncmp(option, "io=", 3) != 0 && strncmp(option, "log=", 4) != 0 &&
	    strncmp(option, "log-level=", 10) != 0)
		naive_says_nearest("config", fault, again_option_meant(option));
	if (want.code == SB_E_RANGE && strncmp(option, "allow=", 6) != 0 && strncmp(option, "forward-to=", 11) != 0)
		naive_says("config", fault, again_limit_range(option, room));
}

static void check_config(uint8_t fault_letter)
{
	struct sb_fault fault = {.code = 1};
	struct sb_config_read read;
	int r = sb_config_read(&read, &config, &fault);
	long size = sb_server_size(&config, NULL);

	for (size_t i = 0; i < config.listens_n; i++)
		check_alone(config.listens[i]);
	again_config(&want, config.listens, config.listens_n, config.options, config.options_n, &line);
	note((uint64_t)-r);
	if (r != want.code)
		sb_found("config: it is %s (%s), it should be %s", r < 0 ? sb_errname(r) : "good",
			 r < 0 ? fault.text : "", want.code < 0 ? sb_errname(want.code) : "good");
	if (r < 0) {
		if (size != r)
			sb_found("config: it is refused, and its size is %ld", size);
		check_refusal(&fault, &read);
		return;
	}
	for (int i = 0; i < SB_LIMIT_COUNT; i++)
		if (read.options.limits.v[i] != want.v[i])
			sb_found("config: %s is %llu, it should be %llu", sb_limit_rows[i].name,
				 (unsigned long long)read.options.limits.v[i], (unsigned long long)want.v[i]);
	for (size_t i = 0; i < want.allow_n; i++)
		if (!is_same(&read.options.allow[i].base, &want.allow[i].base) ||
		    read.options.allow[i].bits != want.allow[i].bits)
			sb_found("config: allow %zu is another range", i);
	if (read.options.allow_n != want.allow_n || read.is_strict != want.is_strict || read.failed)
		sb_found("config: %zu ranges, %s", read.options.allow_n, read.is_strict ? "strict" : "loopback");
	config_model_size(&want, size);
	for (size_t i = 0; i < config.listens_n; i++)
		check_endpoint(config.listens[i]);
	if (size > MEM_MAX)
		return;
	check_server(fault_letter, size);
	madvise(mem, (size_t)size, MADV_DONTNEED);
}

/* The help of limits has all of them. */
static void check_help(void)
{
	static char all[8192];
	struct sb_text t = sb_text_in(all, sizeof(all));

	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		const struct sb_limit_row *row = &sb_limit_rows[i];

		t.n = 0;
		sb_text_limit(&t, (enum sb_limit)i, 0);
		if (strcmp(sb_text_end(&t), row->min == 0 ? "none" : row->unit == SB_UNIT_TIME ? "0s" : "0") != 0)
			sb_found("help: no %s is written %s", row->name, all);
	}
	t.n = 0;
	sb_limits_help(&t);
	for (int i = 0; i < SB_LIMIT_COUNT; i++)
		if (!memmem(all, t.n, sb_limit_rows[i].name, strlen(sb_limit_rows[i].name)) || t.lost)
			sb_found("help: it lacks %s", sb_limit_rows[i].name);
	for (size_t i = 0; sb_switch_at(i); i++)
		if (!sb_switch_at(i)->help[0])
			sb_found("help: %s has none", sb_switch_at(i)->name);
}

/* Before main: in the first run it would be what makes that one differ. */
__attribute__((constructor)) static void get_ready(void)
{
	mem = mmap(NULL, MEM_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED)
		abort();
	check_help();
}

static void take_line(char *text)
{
	bool is_listen = text[0] == '@' || strncmp(text, "tcp:", 4) == 0 || strncmp(text, "udp:", 4) == 0 ||
			 strncmp(text, "unix:", 5) == 0;

	if (text[0] == '?')
		note(again_check_range(text + 1));
	else if (text[0] == '!')
		note(again_check_decoder(text + 1));
	else if (is_listen && config.listens_n < TEXTS_MAX)
		listens[config.listens_n++] = text + (text[0] == '@');
	else if (text[0] && config.options_n < TEXTS_MAX)
		options[config.options_n++] = text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char text[TEXT_MAX + 1];
	uint8_t letter = n && strchr(".4567890123NmnojkyzABl", data[0]) && data[0] ? data[0] : '.';
	char *from = text;

	digest = n;
	n = n ? n - 1 : 0;
	n = n < TEXT_MAX ? n : TEXT_MAX;
	memcpy(text, data + 1, n);
	text[n] = '\0';
	config = (struct sb_config){.listens = listens, .options = options, .log_fd = SIM_LOG_FD};
	for (size_t i = 0; i <= n; i++)
		if (text[i] == '\n' || i == n) {
			text[i] = '\0';
			take_line(from);
			from = text + i + 1;
		}
	check_config(letter);
	return 0;
}

JUDGE_END
