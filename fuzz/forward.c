/* SPDX-License-Identifier: MIT
 *
 * Target: the whole server as a FORWARD, once with each backend. A script plays both ends: \0 to \3 are clients, \4 to
 * \7 the servers behind them, once they are connected to. \ocX chooses the line, \ozX how the servers answer.
 * What must hold: oracle_forward.h. One thing happens at a time, and the server runs after each.
 *
 *   replay_forward -v FILE    tells what happens
 *   replay_forward -s FILE    makes every call fail that can, with each of its errnos
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "found.h"
#include "hang.h"
#include "oracle.h"
#include "oracle_forward.h"
#include "script/script.h"
#include "target.h"

enum { SLOTS = 4, TURNS_MAX = 5000, SCRIPT_MAX = 16 * 1024, SITES_MAX = 256, ERRNOS_MAX = 16 };

#define TO "FORWARD to=tcp://10.1.1.1:80"

static const struct {
	const char *endpoint, *line, *options[4];
} rows[] = {
	{"tcp://127.0.0.1:0", TO, {""}},
	{"tcp://127.0.0.1:0", TO " up.frag=2 up.gate=read down.cut=1,4,5 down.gate=ack down.gap=15ms", {""}},
	{"tcp://127.0.0.1:0", TO " frame=line max=48 up.frag=3 down.join=2", {""}},
	{"unix:/sim", "FORWARD seed=7 to=unix:/up up.frag=random down.frag=random", {""}},
	{"tcp://127.0.0.1:0", "FORWARD to=tcp://behind:80 up.limit=10 up.close=rst down.limit=20", {""}},
	{"tcp://127.0.0.1:0",
	 TO " up.limit=8 up.close=half down.close=stall",
	 {"idle-timeout=1s", "log-level=warning"}},
	{"tcp://127.0.0.1:0", TO " up.recv=3 up.stopread=50ms@4 down.delay=20ms", {"idle-timeout=200ms"}},
	{"tcp://127.0.0.1:0", TO, {"connect-timeout=50ms", "first-byte-timeout=100ms", "max-conns=5"}},
	{"tcp://127.0.0.1:0",
	 "FORWARD seed=9 to=tcp://10.1.1.1:80 up.flip=0 up.maxlife=300ms down.frag=random down.flip=3 "
	 "down.close=abrupt",
	 {""}},
	{"tcp://[::1]:0", "FORWARD frame=u8 to=tcp://[2001:db8::1]:80 up.join=2 down.frag=1", {"idle-timeout=1s"}},
	{"unix:/sim", "FORWARD to=unix:/up up.frag=1 up.gate=read down.frag=1 down.gate=read", {""}},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

struct play {
	struct fw_run *r;
	struct fw_pair *slot[SLOTS];
	uint32_t current;
	bool is_over;
};

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* ---- the server ---- */

static struct {
	uint8_t *mem;
	size_t size;
} memory;

static void set(struct fuzz_config *f, int row, const char *backend)
{
	static char listen[200], io[16];
	static const char *const always[] = {"max-conns=24", "max-ports=1", "max-held=1M", "udp-held=128k",
					     "log-level=info"};

	*f = (struct fuzz_config){.c = {.listens = f->listens, .options = f->options, .log_fd = SIM_LOG_FD}};
	f->c.listens = f->listens;
	f->c.options = f->options;
	snprintf(listen, sizeof(listen), "%s,%s", rows[row].endpoint, rows[row].line);
	snprintf(io, sizeof(io), "io=%s", backend);
	f->listens[f->c.listens_n++] = listen;
	fuzz_config_set(f, io);
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		fuzz_config_set(f, always[i]);
	for (size_t i = 0; i < 4 && rows[row].options[i] && rows[row].options[i][0]; i++)
		fuzz_config_set(f, rows[row].options[i]);
}

/* Before main: made when it is needed, it would be what makes two runs of an input differ. */
__attribute__((constructor)) static void make_memory(void)
{
	static struct fuzz_config f;

	for (int row = 0; row < ROWS; row++) {
		struct sb_fault fault = {0};
		long size;

		set(&f, row, "poll");
		size = sb_server_size(&f.c, &fault);
		if (size < 0)
			sb_found("forward: row %d: %s", row, fault.text);
		memory.size = (size_t)size > memory.size ? (size_t)size : memory.size;
	}
	memory.mem = calloc(1, memory.size);
	if (!memory.mem)
		abort();
}

static int row_of(const uint8_t *script, size_t n)
{
	struct sbs_event e;
	size_t at = 0;

	while (sbs_next(script, n, &at, &e))
		if (e.kind == SBS_KNOB && e.arg[0] == 'c')
			return e.arg[1] >= '0' ? (e.arg[1] - '0') % ROWS : 0;
	return 0;
}

static bool open_server(struct fw_run *r, int row)
{
	static const int receipts_fd = SIM_RECEIPTS_FD;
	static struct fuzz_config f;
	static const struct sb_name name = {.name = {(const uint8_t *)"behind", 6},
					    .addr = {.family = SB_IPV4, .ip = {10, 1, 1, 1}}};
	struct sb_server_env env = {.sys = r->k, .receipts_fd = &receipts_fd, .names = &name, .names_n = 1};
	struct sb_fault fault = {0};
	int err;

	set(&f, row, r->backend);
	fw_open(r, rows[row].line);
	r->k->user = r;
	err = sb_server_open(&r->srv, memory.mem, memory.size, &f.c, &env, &fault);
	if (err < 0 && r->k->faults == 0)
		sb_found("forward: row %d: %s", row, fault.text);
	if (err < 0 && r->k->fds)
		sb_found("forward: it could not be opened, and leaves %u descriptors", r->k->fds);
	if (err < 0)
		return false;
	r->connect_timeout = env.read.options.limits.v[SB_LIMIT_CONNECT];
	r->idle_timeout = env.read.options.limits.v[SB_LIMIT_IDLE];
	r->k->lent = r->srv->io.buf;
	r->k->lent_n = SB_IO_HEADROOM + SB_IO_BUF_SIZE;
	fw_listen(r);
	return true;
}

/* ---- running ---- */

static void run(struct play *p)
{
	struct sb_sys *k = p->r->k;
	uint64_t now = k->now;
	int turns = 0;

	for (uint32_t i = 0; i < k->conns; i++)
		if (!k->conn[i].is_closed && k->conn[i].sent_n > k->conn[i].in_n)
			sim_cut(k, &k->conn[i]);
	sim_progress(k);
	k->is_idle = false;
	while (!p->is_over && !k->is_idle) {
		int r = sb_server_step(p->r->srv, -1);

		if (r < 0)
			sb_found("%s: the server cannot go on: %s", p->r->backend, sb_errname(r));
		p->is_over = r == 0;
		turns = k->now == now ? turns + 1 : 0;
		now = k->now;
		if (turns > TURNS_MAX)
			sb_found("%s: no rest after %d turns", p->r->backend, turns);
	}
	if (!p->is_over)
		fw_rest(p->r);
}

static void wait(struct play *p, uint64_t ns)
{
	p->r->k->until = p->r->k->now + ns;
	run(p);
	if (p->r->k->now < p->r->k->until)
		p->r->k->now = p->r->k->until;
}

/* ---- peers ---- */

static void open_pair(struct play *p, uint32_t slot)
{
	struct fw_run *r = p->r;
	const struct sb_listener *l = &r->srv->listeners[0];
	struct sb_addr from = {.family = l->endpoint.addr.family};
	struct fw_pair *pair = &r->pair[r->pairs];

	p->slot[slot] = NULL;
	if (from.family == SB_IPV4)
		memcpy(from.ip, (uint8_t[]){127, 0, 0, 1}, 4);
	else if (from.family == SB_IPV6)
		from.ip[15] = 1;
	if (l->endpoint.on == SB_ON_UNIX)
		from.family = SB_UNIX;
	else
		from.port = (uint16_t)(50000 + r->pairs);
	if (r->k->conns + 2 > SIM_CONNS || r->pairs == FW_PAIRS)
		return;
	memset(pair, 0, sizeof(*pair));
	for (int way = 0; way < SB_WAYS; way++)
		pair->way[way].plan = r->plan[way];
	pair->client = sim_connect(r->k, l->fd, &from);
	if (!pair->client)
		return;
	r->pairs++;
	p->slot[slot] = pair;
	sb_tell("pair %u: client %u", r->pairs - 1, slot);
}

static struct sim_conn *selected(const struct play *p)
{
	const struct fw_pair *pair = p->slot[p->current % SLOTS];

	return !pair ? NULL : p->current < SLOTS ? pair->client : pair->up;
}

/* A client who is not there yet comes. */
static struct sim_conn *current(struct play *p)
{
	if (!p->slot[p->current % SLOTS] && p->current < SLOTS)
		open_pair(p, p->current);
	return selected(p);
}

static void select_peer(struct play *p, uint32_t which)
{
	p->current = which % (2 * SLOTS);
	if (p->current < SLOTS && (!p->slot[p->current] || !sim_can_send(p->slot[p->current]->client)))
		open_pair(p, p->current);
}

/* ---- events ---- */

static void knob(struct play *p, const struct sbs_event *e)
{
	struct sb_sys *k = p->r->k;
	struct sim_conn *c = selected(p);

	switch (e->arg[0]) {
	case 'z':
		k->is_dial_quick = e->v == 1;
		k->is_black_hole = e->v == 2;
		break;
	case 'H':
		k->is_foreign = e->v & 1;
		break;
	case 'o':
		k->is_reversed = e->v & 1;
		break;
	case 'N':
		k->sweep_at = k->calls + 1 + e->v;
		break;
	case 'E':
		k->fds_max = k->fds + e->v < SIM_FDS ? k->fds + e->v : SIM_FDS;
		p->r->is_hurt = true;
		break;
	case 'X':
		p->r->is_stopped = true;
		sb_server_stop(p->r->srv);
		wait(p, SIM_TICK);
		break;
	case 'j':
		if (c)
			c->is_joined = e->v & 1;
		break;
	case 'w':
		if (c && e->v < c->window) {
			c->window = e->v;
			c->wants_room = true;
		}
		break;
	case 'g':
		if (c)
			c->is_reader_slow = e->v & 1;
		if (c && e->v == 2)
			sim_leave(k, c);
		break;
	case 'h':
		if (c)
			c->is_net_slow = e->v & 1;
		break;
	default:
		break;
	}
}

static void payload(struct play *p, const struct sbs_event *e)
{
	static uint8_t room[SIM_SENT_MAX];
	struct sim_conn *c = current(p);
	struct sbs_event some = *e;

	if (some.n > sizeof(room))
		some.n = sizeof(room);
	if (c && !c->is_dialing)
		sim_send(p->r->k, c, room, sbs_unescape(&some, room));
}

static void hang(struct play *p, const struct sbs_event *e)
{
	struct sim_conn *c = current(p);

	if (c && !c->is_dialing)
		fuzz_hang(p->r->k, c, e);
}

static void act(struct play *p, const struct sbs_event *e)
{
	struct sim_conn *c;

	switch (e->kind) {
	case SBS_BYTES:
		payload(p, e);
		break;
	case SBS_SELECT:
		select_peer(p, e->v);
		break;
	case SBS_CUT:
		c = current(p);
		if (c)
			sim_cut(p->r->k, c);
		break;
	case SBS_FAIL:
		sim_fail(p->r->k, selected(p), e->arg[0]);
		break;
	case SBS_KNOB:
		knob(p, e);
		break;
	case SBS_TICKS:
		wait(p, e->v * SIM_TICK);
		return;
	default:
		hang(p, e);
		break;
	}
	run(p);
}

/* ---- the end ---- */

/* One after the other: who is first is no promise. */
static void each(struct play *p, void (*what)(struct sb_sys *k, struct sim_conn *c))
{
	for (uint32_t i = 0; i < p->r->k->conns; i++) {
		what(p->r->k, &p->r->k->conn[i]);
		if (!p->is_over)
			run(p);
	}
}

static void open_window(struct sb_sys *k, struct sim_conn *c)
{
	sim_drain(k, c, SIM_OUT_MAX);
}

static void finish(struct play *p)
{
	sim_calm(p->r->k);
	p->r->k->is_black_hole = false;
	each(p, open_window);
	each(p, sim_fin);
	wait(p, 61 * SB_S);
	each(p, sim_leave);
	each(p, open_window);
	wait(p, 2 * SB_H);
}

/* A client comes who has done nothing wrong, and reaches his server. */
static void probe(struct play *p)
{
	struct fw_pair *pair;

	p->r->k->is_spared = true;
	p->current = 0;
	open_pair(p, 0);
	pair = p->slot[0];
	if (!pair)
		return;
	sim_send(p->r->k, pair->client, (const uint8_t *)"\1\n", 2);
	wait(p, SB_S / 20);
	if (!pair->up || (pair->up->out_n == 0 && pair->way[SB_WAY_UP].plan.shape.join == 0))
		sb_found("%s: after all this, a new client does not reach his server", p->r->backend);
	finish(p);
}

/* ---- a run ---- */

struct ask {
	unsigned which;
	const char *backend;
	const uint8_t *script;
	size_t n;
	uint32_t sweep_at, sweep_nth;
	struct sim_seen *seen;
};

static void close_server(struct play *p)
{
	static struct run leaks;
	struct fw_run *r = p->r;

	leaks.backend = r->backend;
	leaks.k = r->k;
	leaks.srv = r->srv;
	fw_end(r);
	if (!r->is_stopped) {
		probe(p);
		fw_end(r);
		oracle_leaks(&leaks);
	}
	r->is_stopped = true;
	sb_server_fini(r->srv);
	fw_over(r);
}

static bool run_once(struct fw_run *r, const struct ask *ask)
{
	size_t at = 0, n = ask->n < SCRIPT_MAX ? ask->n : SCRIPT_MAX;
	struct play p = {.r = r};
	struct arena arena = {.mem = memory.mem, .size = memory.size};
	struct sbs_event e;
	bool is_open;

	r->backend = ask->backend;
	r->k = sim_open(ask->which);
	r->k->sweep_at = ask->sweep_at;
	r->k->sweep_nth = ask->sweep_nth;
	r->k->seen = ask->seen;
	is_open = open_server(r, row_of(ask->script, n));
	while (is_open && !p.is_over && sbs_next(ask->script, n, &at, &e))
		act(&p, &e);
	if (is_open) {
		finish(&p);
		close_server(&p);
	}
	if (r->k->lent)
		sim_lend(r->k, r->k->lent, r->k->lent_n);
	r->k->lent = NULL;
	arena_clean(&arena);
	return is_open;
}

static struct fw_run polled, edged;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ask ask = {.which = 0, .backend = "poll", .script = data, .n = n};

	run_once(&polled, &ask);
	ask.which = 1;
	ask.backend = "epoll";
	run_once(&edged, &ask);
	fw_compare(&polled, &edged);
	digest = fw_digest(&polled) * 31 + fw_digest(&edged);
	return 0;
}

/* ---- each call fails ---- */

static struct site {
	const void *site;
	uint8_t call;
} sites[SITES_MAX];

static uint32_t sites_n;
static uint64_t runs_n;
static bool has[SIM_CALLS][ERRNOS_MAX];

static void note_site(const struct sim_seen *s)
{
	uint32_t i = 0;

	while (i < sites_n && (sites[i].site != s->site || sites[i].call != s->call))
		i++;
	if (i == SITES_MAX)
		sb_found("sweep: more than %d places", SITES_MAX);
	if (i == sites_n)
		sites[sites_n++] = (struct site){.site = s->site, .call = s->call};
}

void sb_fuzz_sweep(const uint8_t *data, size_t n)
{
	static struct sim_seen seen[SIM_CALLS_SEEN];
	struct ask ask = {.script = data, .n = n};

	for (unsigned i = 0; i < 2; i++) {
		uint32_t calls;

		ask.which = i;
		ask.backend = i ? "epoll" : "poll";
		ask.sweep_at = 0;
		ask.seen = seen;
		run_once(&polled, &ask);
		calls = polled.k->calls < SIM_CALLS_SEEN ? polled.k->calls : SIM_CALLS_SEEN;
		ask.seen = NULL;
		for (uint32_t at = 0; at < calls; at++) {
			note_site(&seen[at]);
			for (ask.sweep_nth = 0; sim_fault_at(seen[at].call, ask.sweep_nth); ask.sweep_nth++) {
				ask.sweep_at = at + 1;
				run_once(&edged, &ask);
				has[seen[at].call][ask.sweep_nth] = true;
				runs_n++;
			}
		}
	}
}

int sb_fuzz_sweep_end(void)
{
	static const enum sim_call must[] = {SIM_CALL_DIAL,      SIM_CALL_DIALED, SIM_CALL_SOCKET,
					     SIM_CALL_RECV,      SIM_CALL_SEND,   SIM_CALL_SHUTDOWN,
					     SIM_CALL_EPOLL_ADD, SIM_CALL_SETOPT, SIM_CALL_PEERS};
	int missing = 0;

	for (size_t i = 0; i < sizeof(must) / sizeof(must[0]); i++)
		for (uint32_t nth = 0; sim_fault_at(must[i], nth); nth++)
			if (!has[must[i]][nth]) {
				printf("never: %s fails with %s\n", sim_call_name(must[i]),
				       sb_errname(sim_fault_at(must[i], nth)));
				missing++;
			}
	printf("sweep: %llu runs at %u places\n", (unsigned long long)runs_n, sites_n);
	return missing ? 1 : 0;
}
