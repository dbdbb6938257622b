/* SPDX-License-Identifier: MIT
 *
 * Target: starting a server and ending it, first on a simulated kernel that refuses things, then by streambed.h alone
 * on one that does not. The input is lines of text; what is no line of another kind is a listener:
 *
 *   tcp://127.0.0.1:0,ECHO     a listener
 *   -io=poll                   an option
 *   !k                         the first such call fails: the row of failures[] with letter k
 *   %N.M                       the Nth call that can fail does, with the Mth errno that faults.def has for it
 *   @w                         a row of wishes[]: little memory, somebody else's socket files, how it ends
 *
 * Judged: sizes and errors are the same whoever asks, with a fault and without; what fails is what was made to fail;
 * nothing stays open; and what failed for once works when it is tried again.
 */
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core/limits.h"
#include "found.h"
#include "server/server.h"
#include "sys_sim.h"
#include "target.h"

enum {
	TEXT_MAX = 4096,
	LISTENS_MAX = 80,
	OPTIONS_MAX = 48,
	FAILS_MAX = 4,
	SIZE_MAX_RUN = 4 << 20, /* larger ones are only asked for their size */
	TURNS_MAX = 64,
};

static const struct failure {
	char letter;
	enum sim_call call;
	int err;
	bool is_borne; /* the server starts all the same */
} failures[] = {
	{'a', SIM_CALL_RANDOM, -ENOSYS, false},
	{'b', SIM_CALL_EPOLL_OPEN, -EMFILE, true},
	{'c', SIM_CALL_WAKE_OPEN, -EMFILE, false},
	{'d', SIM_CALL_EPOLL_ADD, -ENOMEM, false},
	{'e', SIM_CALL_SOCKET, -EMFILE, false},
	{'f', SIM_CALL_SOCKET, -EAFNOSUPPORT, true},
	{'g', SIM_CALL_SETOPT, -EPERM, false},
	{'h', SIM_CALL_GETOPT, -ENOPROTOOPT, false},
	{'i', SIM_CALL_BIND, -EADDRINUSE, true},
	{'j', SIM_CALL_BIND, -EACCES, false},
	{'k', SIM_CALL_BIND, -EADDRNOTAVAIL, true},
	{'l', SIM_CALL_LISTEN, -EADDRINUSE, false},
	{'m', SIM_CALL_SOCKNAME, -ENOBUFS, false},
	{'n', SIM_CALL_SPARE, -EMFILE, true},
	{'o', SIM_CALL_WANT_DST, -ENOPROTOOPT, false},
	{'p', SIM_CALL_UNLINK, -EACCES, true},
	{'q', SIM_CALL_LOG, -EPIPE, true},
	{'r', SIM_CALL_LOG, -EAGAIN, true},
	{'s', SIM_CALL_LOG, -EINTR, true},
	{'t', SIM_CALL_WAIT, -ENOMEM, true},
	{'u', SIM_CALL_WAIT, -EINTR, true},
	{'v', SIM_CALL_WAKE_CLEAR, -EINTR, true},
};

static const struct {
	char letter;
	uint16_t bit;
} wishes[] = {
	{'s', 1},  /* the memory is a byte too small */
	{'m', 2},  /* it is not aligned */
	{'l', 4},  /* there are socket files left over */
	{'a', 8},  /* there are some that answer */
	{'k', 16}, /* told to stop twice */
	{'f', 32}, /* not told at all: the end comes while it runs */
	{'c', 64}, /* a client comes first */
};

enum { SMALL = 1, MISALIGNED = 2, LEFT_OVER = 4, ANSWERS = 8, KILL = 16, FINI = 32, CLIENT = 64 };

/* An input, read. */
struct start {
	char text[TEXT_MAX];
	const char *listens[LISTENS_MAX], *options[OPTIONS_MAX];
	struct sb_config c;
	const struct failure *fails[FAILS_MAX];
	uint32_t fails_n, nth, nth_err;
	unsigned wishes;
	size_t longest; /* listener */
	bool is_plain;  /* no options of its own */
	bool has_file;
};

static struct start now;
static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

static void note(uint64_t v)
{
	digest = (digest ^ v) * UINT64_C(0x100000001b3);
}

/* ---- reading ---- */

static void read_failure(struct start *s, const char *line)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (line[1] == failures[i].letter && s->fails_n < FAILS_MAX)
			s->fails[s->fails_n++] = &failures[i];
}

static void read_wish(struct start *s, const char *line)
{
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		if (line[1] == wishes[i].letter)
			s->wishes |= wishes[i].bit;
}

static void read_nth(struct start *s, const char *line)
{
	char *end;

	s->nth = (uint32_t)strtoul(line, &end, 10);
	s->nth_err = *end == '.' ? (uint32_t)strtoul(end + 1, NULL, 10) : 0;
}

static void read_line(struct start *s, const char *line)
{
	size_t n = strlen(line);

	if (line[0] == '!') {
		read_failure(s, line);
	} else if (line[0] == '%') {
		read_nth(s, line + 1);
	} else if (line[0] == '@') {
		read_wish(s, line);
	} else if (line[0] == '-' && s->c.options_n < OPTIONS_MAX) {
		s->options[s->c.options_n++] = line + 1;
	} else if (line[0] != '-' && n > 0 && s->c.listens_n < LISTENS_MAX) {
		s->listens[s->c.listens_n++] = line;
		s->has_file = s->has_file || strstr(line, "file=");
		s->longest = n > s->longest ? n : s->longest;
	}
}

static bool has_option(const struct start *s, const char *option)
{
	return fuzz_option_at(s->options, s->c.options_n, option) < s->c.options_n;
}

/* As little memory as will do, and all of the log, unless the input has something to say about it. */
static void read_input(struct start *s, const uint8_t *data, size_t n)
{
	static const char *const always[] = {"max-conns=4", "max-ports=8", "max-held=256k", "log-level=debug"};
	size_t from = 0;

	n = n < TEXT_MAX - 1 ? n : TEXT_MAX - 1;
	*s = (struct start){.c = {.listens = s->listens, .options = s->options, .log_fd = SIM_LOG_FD}};
	sb_copy(s->text, data, n);
	for (size_t i = 0; i <= n; i++) {
		if (i < n && s->text[i] != '\n')
			continue;
		s->text[i] = '\0';
		read_line(s, s->text + from);
		from = i + 1;
	}
	s->is_plain = s->c.options_n == 0;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (s->c.options_n < OPTIONS_MAX && !has_option(s, always[i]))
			s->options[s->c.options_n++] = always[i];
}

/* ---- the kernel ---- */

static struct sb_sys *kernel;
static bool is_first; /* only then anything fails */

static void prepare(struct sb_sys *k)
{
	k->file = now.wishes & ANSWERS ? SIM_FILE_LIVE : now.wishes & LEFT_OVER ? SIM_FILE_LEFT : SIM_FILE_NONE;
	k->sweep_at = now.nth;
	k->sweep_nth = now.nth_err;
	for (uint32_t i = 0; i < now.fails_n; i++)
		k->fail[now.fails[i]->call] = now.fails[i]->err;
}

/* Whether something was made to fail with this errno. */
static bool has_failed(int err)
{
	if (is_first && kernel->sweep_hit != SIM_CALLS)
		return true;
	for (uint32_t i = 0; i < now.fails_n && is_first; i++)
		if (now.fails[i]->err == err && kernel->fail[now.fails[i]->call] == 0)
			return true;
	return false;
}

/* ---- judging ---- */

static void check_fault(const struct sb_fault *fault, int r, const char *who)
{
	size_t n = strnlen(fault->text, sizeof(fault->text));

	if (fault->code != r)
		sb_found("%s returns %s, its fault says %s", who, sb_errname(r), sb_errname(fault->code));
	if (n == 0 || n == sizeof(fault->text))
		sb_found("%s returns %s, and its fault has no text", who, sb_errname(r));
	for (size_t i = 0; i < n; i++)
		if (fault->text[i] < ' ' || fault->text[i] > '~')
			sb_found("%s: its fault has byte %02x at %zu", who, (uint8_t)fault->text[i], i);
	if (fault->col > now.longest + 1)
		sb_found("%s: its fault is about column %u of %zu", who, fault->col, now.longest);
	note(fault->col);
}

/* Whether the kernel may have kept it from starting in this way. */
static void check_refusal(int r)
{
	bool is_taken = kernel->file != SIM_FILE_NONE, is_full = now.c.listens_n + 3 > SIM_FDS;
	bool has_two = now.c.listens_n > 1;

	if (has_failed(r) || (r == -EMFILE && is_full) || (r == -EADDRINUSE && (is_taken || has_two)))
		return;
	sb_found("init returns %s, and nothing failed so", sb_errname(r));
}

/* What nobody can do without has not failed. Several rows of one call: only the last was hung. */
static void check_start(void)
{
	const struct failure *f = now.fails_n ? now.fails[now.fails_n - 1] : NULL;

	if (is_first && f && !f->is_borne && kernel->fail[f->call] == 0)
		sb_found("init returns 0, though %s failed", sim_call_name(f->call));
}

/* Of the defaults, those on [::1] are the second and the last: without its address the server goes on. */
static bool may_miss(size_t i)
{
	return now.c.listens_n == 0 && i % 2 == 1 && kernel->faults > 0;
}

static void check_ports(const struct sb_server *srv)
{
	size_t n = now.c.listens_n ? now.c.listens_n : 4;

	for (size_t i = 0; i < n; i++) {
		bool is_unix = now.c.listens_n && strncmp(now.listens[i], "unix:", 5) == 0;
		int port = sb_server_port(srv, i);

		if (is_unix ? port != 0 : (port < 1 || port > 65535) && !may_miss(i))
			sb_found("listener %zu has port %d", i + 1, port);
		note((uint64_t)port);
	}
	if (sb_server_port(srv, n) >= 0)
		sb_found("there is a listener %zu", n + 1);
}

static void check_counters(const struct sb_server *srv)
{
	const char *name;
	uint64_t v = 0;
	size_t n = 0;

	for (; (name = sb_server_counter(srv, n, &v)); n++) {
		if (name[0] == '\0')
			sb_found("counter %zu has no name", n);
		note(v);
	}
	if (n == 0)
		sb_found("there are no counters");
}

/* ---- running ---- */

static void welcome(struct sb_server *srv)
{
	struct sb_addr from = {.family = SB_IPV4, .port = 50000, .ip = {127, 0, 0, 1}};
	int fd = sim_endpoint(kernel, 0);
	struct sim_conn *c = fd >= 0 ? sim_connect(kernel, fd, &from) : NULL;

	if (!c)
		return;
	sim_send(kernel, c, (const uint8_t *)"hello", 5);
	sim_cut(kernel, c);
	for (int i = 0; i < 4; i++)
		note((uint64_t)sb_server_step(srv, 0));
}

static void turn(struct sb_server *srv)
{
	int r = sb_server_step(srv, 0), turns = 0;

	if (r > 0 && now.wishes & CLIENT)
		welcome(srv);
	if (!(now.wishes & FINI)) {
		sb_server_stop(srv);
		if (now.wishes & KILL)
			sb_server_stop(srv);
	}
	/* Ten virtual minutes are enough for a client that does not leave. */
	kernel->until = kernel->now + 600 * SB_S;
	while (r > 0 && !(now.wishes & FINI) && ++turns < TURNS_MAX)
		r = sb_server_step(srv, turns % 2 ? (int64_t)SB_S : -1);
	if (r > 0 && !(now.wishes & FINI))
		sb_found("told to stop, and does not");
	if (r < 0 && !has_failed(r))
		sb_found("a step returns %s, and nothing failed so", sb_errname(r));
	note((uint64_t)r);
}

/* 0: it has started, and ended. */
static int start(uint8_t *mem, size_t size)
{
	struct sb_fault fault = {0};
	struct sb_server *srv = NULL;
	static const struct sb_file files[] = {
		{{(const uint8_t *)"a", 1}, {(const uint8_t *)"all of it", 9}},
		{{(const uint8_t *)"none", 4}, {(const uint8_t *)"", 0}},
	};
	struct sb_server_env env = {.sys = sim_open(0), .files = files, .files_n = 2};
	int r;

	prepare(env.sys);
	r = is_first ? sb_server_open(&srv, mem, size, &now.c, &env, &fault)
		     : sb_server_init(&srv, mem, size, &now.c, &fault);
	note((uint64_t)r);
	if (r < 0) {
		check_fault(&fault, r, "init");
		if (srv)
			sb_found("init returns %s and a server", sb_errname(r));
	}
	if (r == 0) {
		check_start();
		check_ports(srv);
		turn(srv);
		check_counters(srv);
		sb_server_fini(srv);
	}
	if (kernel->fds)
		sb_found("%u descriptors are open after the end (%s)", kernel->fds, sb_errname(r));
	if (kernel->files_n > 0 && !has_failed(-EACCES))
		sb_found("the file of a socket is left after the end (%s)", sb_errname(r));
	return r;
}

static void check_memory(size_t size)
{
	struct sb_fault fault = {0};
	struct sb_server *srv = NULL;
	unsigned off = now.wishes & MISALIGNED ? 1 : 0;
	/* Nothing of it may be touched. */
	uint8_t *mem = malloc(1);
	int r = sb_server_init(&srv, mem + off, now.wishes & SMALL ? size - 1 : size, &now.c, &fault);

	if (r != SB_E_NO_SPACE)
		sb_found("init with %s memory returns %s", off ? "misaligned" : "little", sb_errname(r));
	check_fault(&fault, r, "init");
	if (sb_server_init(&srv, mem + off, now.wishes & SMALL ? size - 1 : size, &now.c, NULL) != r)
		sb_found("init without a fault returns something else than %s", sb_errname(r));
	free(mem);
}

static void check_config_error(int r)
{
	struct sb_fault fault = {0};
	struct sb_server *srv = NULL;
	alignas(max_align_t) uint8_t mem[16];

	if (sb_server_init(&srv, mem, sizeof(mem), &now.c, &fault) != r)
		sb_found("init and size do not agree about %s", sb_errname(r));
	check_fault(&fault, r, "init");
	if (srv)
		sb_found("init with a config that is wrong returns a server");
}

static bool is_of_config(int r)
{
	return r < -4095;
}

/* What failed for once must go well now, or fail for a reason that stays. */
static void again(uint8_t *mem, size_t size, int before)
{
	struct sb_server *srv = NULL;
	int r;

	is_first = false;
	memset(mem, 0, size);
	r = start(mem, size);
	/* It has no files now. */
	if (is_of_config(before) && r != before && !now.has_file)
		sb_found("after %s, the same config returns %s", sb_errname(before), sb_errname(r));
	if (r == 0)
		return;
	if (!is_of_config(r))
		check_refusal(r);
	memset(mem, 0, size);
	if (sb_server_init(&srv, mem, size, &now.c, NULL) != r || srv || kernel->fds)
		sb_found("init without a fault does not do the same: %s", sb_errname(r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sb_fault fault = {0};
	uint8_t *mem;
	long size;
	int r;

	digest = 0;
	kernel = sim_open(0);
	is_first = true;
	read_input(&now, data, n);
	size = sb_server_size(&now.c, &fault);
	if (sb_server_size(&now.c, NULL) != size)
		sb_found("size without a fault is something else than %ld", size);
	note((uint64_t)size);
	if (size < 0 && now.longest == 0 && now.is_plain)
		sb_found("the defaults are refused: %s", fault.text);
	if (size < 0) {
		check_fault(&fault, (int)size, "size");
		check_config_error((int)size);
		return 0;
	}
	if (now.wishes & (SMALL | MISALIGNED))
		check_memory((size_t)size);
	if (size > SIZE_MAX_RUN)
		return 0;
	mem = calloc(1, (size_t)size);
	if (!mem)
		abort();
	r = start(mem, (size_t)size);
	if (r < 0 && !is_of_config(r))
		check_refusal(r);
	again(mem, (size_t)size, r);
	free(mem);
	return 0;
}
