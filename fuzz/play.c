/* SPDX-License-Identifier: MIT
 * Playing a script: events, and running the server. */
#include "play.h"

#include <errno.h>

#include "found.h"
#include "hang.h"

enum { TURNS_MAX = 5000 }; /* while the clock stands still */

/* ---- running ---- */

void play_on_wait(struct sb_sys *k)
{
	struct run *r = k->user;

	oracle_wait(r);
	if (!r->stop_at_wait)
		return;
	r->stop_at_wait = false;
	oracle_stop(r);
	sb_server_stop(r->srv);
}

static void deliver(struct play *p)
{
	struct sb_sys *k = p->r->k;

	for (uint32_t i = 0; i < k->conns; i++) {
		struct sim_conn *c = &k->conn[i];

		if (!c->is_closed && c->sent_n > (c->is_dgram ? c->dgram_from : c->in_n))
			sim_cut(k, c);
	}
}

static void turn(struct play *p)
{
	int r = sb_server_step(p->r->srv, -1);

	if (r < 0)
		sb_found("%s: the server cannot go on: %s", p->r->backend, sb_errname(r));
	p->is_over = r == 0;
	oracle_turn(p->r);
}

void play_run(struct play *p)
{
	struct sb_sys *k = p->r->k;
	uint64_t now = k->now;
	int turns = 0;

	deliver(p);
	/* That we come again and again is not the server's doing. */
	sim_progress(k);
	k->is_idle = false;
	while (!p->is_over && !k->is_idle) {
		turn(p);
		if (k->now != now)
			turns = 0;
		now = k->now;
		if (++turns > TURNS_MAX)
			sb_found("%s: no rest after %d turns", p->r->backend, turns);
	}
	if (!p->is_over)
		oracle_rest(p->r);
	else if (k->now < k->until)
		k->now = k->until;
}

void play_wait(struct play *p, uint64_t ns)
{
	p->r->k->until = p->r->k->now + ns;
	play_run(p);
}

/* ---- peers ---- */

static const struct {
	uint8_t ip[4];
} addresses[] = {{{127, 0, 0, 1}}, {{127, 0, 0, 2}}, {{10, 0, 0, 1}}, {{10, 0, 0, 2}},
		 {{192, 0, 2, 1}}, {{224, 0, 0, 1}}, {{0, 0, 0, 0}},  {{255, 255, 255, 255}}};

static uint16_t port_of(const struct play *p)
{
	static const uint16_t odd[] = {0, 53, 1023, 1024, 1900, 5353, 11211};
	static const uint16_t rest[] = {2049, 3283, 3702, 5351, 5683, 10001, 27015, 27960, 37810, 1025};

	if (!p->has_port)
		return (uint16_t)(50000 + p->r->k->conns);
	if (p->port < sizeof(odd) / sizeof(odd[0]))
		return odd[p->port];
	if (p->port >= 8 && p->port < 8 + sizeof(rest) / sizeof(rest[0]))
		return rest[p->port - 8];
	if (p->port == 7 && p->r->srv->own_ports_n > 0)
		return p->r->srv->own_ports[p->r->srv->own_ports_n - 1];
	return (uint16_t)(50000 + p->port % 8);
}

static struct sb_addr address_of(const struct play *p, const struct sb_listener *l)
{
	struct sb_addr a = {.family = l->endpoint.addr.family};

	if (l->endpoint.on == SB_ON_UNIX)
		return a;
	a.port = port_of(p);
	if (a.family == SB_IPV4)
		memcpy(a.ip, addresses[p->address % (sizeof(addresses) / sizeof(addresses[0]))].ip, 4);
	/* Many of one kind: their places in a table collide. */
	if (a.family == SB_IPV4 && p->address >= sizeof(addresses) / sizeof(addresses[0])) {
		memcpy(a.ip, addresses[0].ip, 4);
		a.ip[2] = (uint8_t)p->address;
	}
	if (a.family == SB_IPV6)
		a.ip[15] = 1;
	if (a.family == SB_IPV6 && p->address % 8)
		a.ip[0] = (uint8_t)(0x20 + p->address % 8);
	return a;
}

/* Two connections to one listener have not the same address and port. */
static bool is_taken(const struct play *p, const struct sb_addr *from, uint32_t listener)
{
	const struct sb_sys *k = p->r->k;

	for (uint32_t i = 0; i < k->conns; i++) {
		const struct sim_conn *c = &k->conn[i];

		if (!c->is_dgram && !c->is_closed && p->r->peer[i].listener == listener && sb_addr_eq(&c->addr, from))
			return true;
	}
	return false;
}

static void open_slot(struct play *p)
{
	struct sb_server *srv = p->r->srv;
	uint32_t i = (p->has_listener ? p->listener : p->current) % srv->listeners_n;
	struct sb_addr from = address_of(p, &srv->listeners[i]);
	struct sim_conn *c;

	while (from.family != SB_UNIX && is_taken(p, &from, i))
		from.port++;
	if (i >= p->r->doors)
		line_port(p->r, i);
	c = sim_connect(p->r->k, srv->listeners[i].fd, &from);
	p->slot[p->current] = c;
	if (!c)
		return;
	p->r->peer[c - p->r->k->conn] =
		(struct peer){.listener = i, .event = p->events, .begin = i < p->r->doors ? PEER_NEW : PEER_OF_PORT};
	cut_open(p->r, c);
	sb_tell("connection %u: peer %u to listener %u", (unsigned)(c - p->r->k->conn), p->current, i + 1);
}

static struct sim_conn *current(struct play *p)
{
	if (!p->slot[p->current])
		open_slot(p);
	return p->slot[p->current];
}

/* ---- memory ---- */

static void give_memory(struct play *p)
{
	struct sb_server *srv = p->r->srv;

	for (int i = 0; i < SB_BUF_CLASSES; i++)
		while (p->blocks.n[i] > 0)
			sb_pool_put(&srv->bufs[i], p->blocks.block[i][--p->blocks.n[i]]);
	srv->io.is_held = sb_pool_left(&srv->bufs[SB_BUF_CLASSES - 1]) == 0;
}

/* As if other connections held it: all of the smaller classes, and the largest but for so many. */
static void take_memory(struct play *p, uint32_t left)
{
	struct sb_server *srv = p->r->srv;

	/* Who gets the last of it is a race; so one at a time, and nobody is under way. */
	play_run(p);
	give_memory(p);
	p->r->has_lacked_memory = p->r->is_alone = true;
	for (int i = 0; i < SB_BUF_CLASSES; i++)
		while (sb_pool_left(&srv->bufs[i]) > (i == SB_BUF_CLASSES - 1 ? left : 0))
			p->blocks.block[i][p->blocks.n[i]++] = sb_pool_get(&srv->bufs[i]);
	srv->io.is_held = sb_pool_left(&srv->bufs[SB_BUF_CLASSES - 1]) == 0;
}

/* ---- events ---- */

/* From another thread, while it waits: see on_wait(). */
void play_stop(struct play *p)
{
	p->r->has_stopped = true;
	p->r->stop_at_wait = !p->is_over;
}

static void knob_of_conn(struct sb_sys *k, struct sim_conn *c, const struct sbs_event *e)
{
	switch (e->arg[0]) {
	case 'j':
		c->is_joined = e->v & 1;
		break;
	case 'w':
		if (e->v < c->window) {
			c->window = e->v;
			c->wants_room = true;
		} else {
			sim_drain(k, c, e->v - c->window);
		}
		break;
	case 'g':
		c->is_reader_slow = e->v & 1;
		if (e->v == 2)
			sim_leave(k, c);
		break;
	case 'h':
		c->is_net_slow = e->v & 1;
		break;
	default:
		break;
	}
}

static void knob(struct play *p, const struct sbs_event *e)
{
	struct sb_sys *k = p->r->k;
	struct sim_conn *c = p->slot[p->current];

	if (c)
		knob_of_conn(k, c, e);
	switch (e->arg[0]) {
	case 'a':
		p->address = e->v;
		break;
	case 'q':
		k->target.ip[0] = addresses[e->v % (sizeof(addresses) / sizeof(addresses[0]))].ip[0];
		break;
	case 'p':
		p->port = e->v;
		p->has_port = true;
		break;
	case 'y':
		p->listener = e->v;
		p->has_listener = true;
		break;
	case 'X':
		/* What is under way then would be read before it, or after: that is a race. */
		play_run(p);
		play_stop(p);
		play_wait(p, SIM_TICK);
		break;
	case 'E':
		play_run(p);
		k->fds_max = k->fds + e->v < SIM_FDS ? k->fds + e->v : SIM_FDS;
		p->r->is_alone = true;
		break;
	case 'L':
		k->is_log_full = e->v & 1;
		break;
	case 'k':
		k->log_max = e->v;
		break;
	case 'H':
		k->is_foreign = e->v & 1;
		break;
	case 'o':
		k->is_reversed = e->v & 1;
		break;
	case 'n':
		k->events_max = e->v;
		break;
	default:
		break;
	}
}

/* What is answered to a line depends on others, so from here on one thing happens at a time. */
static void expect_lines(struct play *p, const struct sim_conn *c)
{
	if (c->is_dgram || p->r->has_lines || !p->r->model[p->r->peer[c - p->r->k->conn].listener].is_door)
		return;
	play_run(p);
	p->r->has_lines = p->r->is_alone = true;
}

static void payload(struct play *p, const struct sbs_event *e)
{
	static uint8_t room[SIM_SENT_MAX];
	struct sim_conn *c = current(p);
	struct sbs_event some = *e;
	size_t n;

	if (some.n > sizeof(room))
		some.n = sizeof(room);
	if (!c)
		return;
	n = sbs_unescape(&some, room);
	if (n > 0 && room[0] == 'S' && c->sent_n == 0)
		expect_lines(p, c);
	sim_send(p->r->k, c, room, n);
}

static void cut(struct play *p)
{
	struct sb_sys *k = p->r->k;
	struct sim_conn *c = current(p);
	uint32_t before = k->dgrams;

	if (!c)
		return;
	sim_cut(k, c);
	if (k->dgrams > before) {
		k->dgram[before].extra = p->trunc;
		p->trunc = 0;
	}
}

/* What hangs on a connection's next calls. */
static void hang(struct play *p, const struct sbs_event *e)
{
	struct sim_conn *c = current(p);

	if (c)
		fuzz_hang(p->r->k, c, e);
}

static void act(struct play *p, const struct sbs_event *e)
{
	struct sb_sys *k = p->r->k;

	switch (e->kind) {
	case SBS_BYTES:
		payload(p, e);
		break;
	case SBS_SELECT:
		p->current = e->v;
		if (!p->slot[e->v] || !sim_can_send(p->slot[e->v]))
			open_slot(p);
		break;
	case SBS_CUT:
		cut(p);
		break;
	case SBS_MEMORY:
		take_memory(p, e->v);
		break;
	case SBS_FAIL:
		sim_fail(k, p->slot[p->current], e->arg[0]);
		break;
	case SBS_KNOB:
		knob(p, e);
		break;
	case SBS_TRUNC:
		p->trunc = e->v + 1;
		break;
	case SBS_LATE:
		sim_dgram_late(k);
		break;
	case SBS_DOUBLE:
		sim_dgram_double(k);
		break;
	case SBS_LOSE:
		sim_dgram_lose(k);
		break;
	default:
		hang(p, e);
		break;
	}
}

void play_event(struct play *p, const struct sbs_event *e)
{
	p->events++;
	if (e->kind == SBS_RUN || e->kind == SBS_CUT_OFF) {
		play_run(p);
		return;
	}
	if (e->kind == SBS_TICKS) {
		play_wait(p, e->v * SIM_TICK);
		return;
	}
	act(p, e);
	if (p->r->is_alone)
		play_run(p);
}

/* ---- the end ---- */

static void each(struct play *p, void (*what)(struct sb_sys *k, struct sim_conn *c))
{
	for (uint32_t i = 0; i < p->r->k->conns; i++)
		what(p->r->k, &p->r->k->conn[i]);
}

static void open_window(struct sb_sys *k, struct sim_conn *c)
{
	sim_drain(k, c, SIM_OUT_MAX);
}

void play_end(struct play *p)
{
	play_run(p);
	sim_calm(p->r->k);
	give_memory(p);
	each(p, open_window);
	each(p, sim_fin);
	play_run(p);
	play_wait(p, 61 * SB_S);
	each(p, sim_leave);
	each(p, open_window);
	play_run(p);
	play_wait(p, 2 * SB_H);
}

void play_last(struct play *p)
{
	p->events++;
	p->address = p->r->is_strict ? 2 : 0;
	p->has_port = false;
	open_slot(p);
	play_run(p);
}

static const char *greeting(const struct model *m)
{
	static const struct {
		const struct ref_codec *ref;
		const char *text;
	} known[] = {
		{&ref_raw, "hello"},      {&ref_line, "\n"},     {&ref_crlf, "\r\n"},
		{&ref_netstring, "1:x,"}, {&ref_fixed, "xxxxx"}, {&ref_varint, "\1x"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (m->ref == known[i].ref)
			return known[i].text;
	return "";
}

void play_probe(struct play *p)
{
	struct run *r = p->r;

	p->address = r->is_strict ? 2 : 0;
	p->has_port = false;
	p->has_listener = true;
	for (uint32_t i = 0; i < r->doors; i++) {
		const char *text = greeting(&r->model[i]);
		struct sim_conn *c;

		if (r->model[i].syn == SB_NEVER)
			continue;
		p->listener = i;
		p->current = 0;
		p->events++;
		open_slot(p);
		c = p->slot[0];
		if (!c)
			continue;
		sim_send(r->k, c, (const uint8_t *)text, strlen(text));
		sim_cut(r->k, c);
		play_run(p);
		sim_fin(r->k, c);
		play_wait(p, 2 * SB_S);
		if (!c->is_dgram && !r->peer[c - r->k->conn].is_served)
			sb_found("%s: listener %u: after all this, a new client is not served", r->backend, i + 1);
		if (c->is_dgram && c->in_n < c->sent_n && !r->model[i].is_refusing)
			sb_found("%s: listener %u: after all this, a datagram is not received", r->backend, i + 1);
		sim_leave(r->k, c);
		play_wait(p, 700 * SB_S);
		/* Without any limit a source would wait for room for ever; but who is gone says so. */
		open_window(r->k, c);
		play_run(p);
	}
}
