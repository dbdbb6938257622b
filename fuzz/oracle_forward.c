/* SPDX-License-Identifier: MIT
 * The rules of a FORWARD. See oracle_forward.h. */
#include "oracle_forward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "found.h"

const char *const fw_way_names[SB_WAYS] = {"up", "down"};

/* ---- the line ---- */

/* The keys of one direction, without its name in front of them. */
static void words_of(const char *line, const char *way, char *out, size_t cap)
{
	size_t n = (size_t)snprintf(out, cap, "ECHO"), skip = strlen(way);

	for (const char *at = line; *at; at += strcspn(at, " ") + (at[strcspn(at, " ")] != '\0')) {
		int size = (int)strcspn(at, " ");
		bool is_way = strncmp(at, way, skip) == 0 && at[skip] == '.';

		if (is_way)
			n += (size_t)snprintf(out + n, cap - n, " %.*s", size - (int)skip - 1, at + skip + 1);
		else if (strncmp(at, "frame=", 6) == 0 || strncmp(at, "max=", 4) == 0 || strncmp(at, "seed=", 5) == 0)
			n += (size_t)snprintf(out + n, cap - n, " %.*s", size, at);
	}
}

/* splitmix64, as its paper has it: the second number that is drawn. */
SB_WRAPS static uint64_t other_stream(uint64_t seed)
{
	uint64_t z = seed + 2 * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void fw_open(struct fw_run *r, const char *line)
{
	char words[512];

	for (int way = 0; way < SB_WAYS; way++) {
		words_of(line, fw_way_names[way], words, sizeof(words));
		plan_model_read(&r->plan[way], words);
	}
	r->plan[SB_WAY_DOWN].shape.seed = other_stream(r->plan[SB_WAY_DOWN].shape.seed);
	r->pairs = r->last = 0;
	r->is_stopped = r->is_hurt = false;
	r->log_n = r->receipt_n = 0;
}

/* ---- who is who ---- */

struct fw_pair *fw_pair_of(struct fw_run *r, const struct sim_conn *c)
{
	for (uint32_t i = 0; i < r->pairs; i++)
		if (r->pair[i].client == c || r->pair[i].up == c)
			return &r->pair[i];
	return NULL;
}

struct sim_conn *fw_from(const struct fw_pair *p, int way)
{
	return way == SB_WAY_UP ? p->client : p->up;
}

struct sim_conn *fw_to(const struct fw_pair *p, int way)
{
	return way == SB_WAY_UP ? p->up : p->client;
}

uint32_t fw_number(const struct fw_run *r, const struct fw_pair *p)
{
	return (uint32_t)(p - r->pair);
}

struct sb_conn *fw_conn(const struct fw_run *r, const struct sim_conn *c)
{
	for (uint32_t i = 0; c && c->fd >= 0 && i < r->srv->conns.fresh; i++) {
		struct sb_conn *conn = sb_conn_at(r->srv, i);

		if (conn && conn->fd == c->fd)
			return conn;
	}
	return NULL;
}

static bool is_over(const struct fw_way *w)
{
	return w->reason != SB_WHY_NONE;
}

/* ---- messages ---- */

void fw_advance(struct fw_pair *p, int way)
{
	struct fw_way *w = &p->way[way];
	const struct sim_conn *c = fw_from(p, way);

	while (!is_over(w) && !w->is_broken && w->whole < c->in_n) {
		struct ref_answer a =
			ref_decode(w->plan.ref, &w->plan.args, w->whole, c->sent + w->whole, c->in_n - w->whole);

		w->is_broken = a.err != 0;
		if (a.err || a.wire == 0)
			break;
		w->whole += a.wire;
		w->is_end[w->whole - 1] = 1;
	}
}

/* ---- pieces ---- */

static bool has_frames(const struct fw_way *w)
{
	return w->plan.shape.is_any && w->plan.ref != &ref_raw;
}

/* Whether the unit that began at w->unit ends behind byte at - 1. */
static bool is_unit_end(const struct fw_way *w, uint64_t at)
{
	uint64_t join = w->plan.shape.join, ends = 0;

	if (!has_frames(w))
		return join && at - w->unit == join;
	for (uint64_t i = w->unit; i < at; i++)
		ends += w->is_end[i];
	/* What is over at the end leaves alone. */
	return w->is_end[at - 1] && (ends == (join ? join : 1) || (join && w->is_last && at == w->whole));
}

static bool is_boundary(const struct fw_way *w, uint64_t at)
{
	return w->plan.shape.is_any && (plan_model_cuts(&w->plan, w->unit, at) || is_unit_end(w, at));
}

/* Bytes from..to have gone in one send: no boundary is passed over. */
static void check_piece(struct fw_run *r, struct fw_pair *p, int way, uint64_t from, uint64_t to)
{
	struct fw_way *w = &p->way[way];

	for (uint64_t at = from + 1; at < to; at++)
		if (is_boundary(w, at))
			sb_found(WHO "sends bytes %llu to %llu at once, over the boundary at %llu", who(r, p, way),
				 (unsigned long long)from, (unsigned long long)to, (unsigned long long)at);
	if (to > w->plan.limit)
		sb_found(WHO "sends %llu bytes, more than its limit", who(r, p, way), (unsigned long long)to);
	if (!is_boundary(w, to))
		return;
	w->pieces++;
	if (is_unit_end(w, to))
		w->unit = to;
	w->is_gated = true;
	w->gated_at = r->k->now;
}

/* What had to be true before this send is. */
static void check_gate(struct fw_run *r, struct fw_pair *p, int way)
{
	struct fw_way *w = &p->way[way];
	const struct sim_conn *c = fw_to(p, way);
	const struct plan_shape *shape = &w->plan.shape;
	bool is_gone = c->is_rst || c->is_gone, is_vague = w->has_given_way || r->is_hurt;
	/* Where the peer's kernel has it is enough for one gate, and when that is nobody sees on a unix socket. */
	bool by_ack = shape->gate == SB_GATE_ACK && c->addr.family != SB_UNIX;
	/* Of who is gone the gate opens though nothing comes to it: not before the piece was sent is all that holds. */
	bool by_time = shape->gate == SB_GATE_TIME || is_gone || is_vague;
	uint64_t opened = by_time ? w->gated_at : by_ack ? c->come_at : c->read_at;

	if (!w->is_gated)
		return;
	w->is_gated = false;
	if (r->k->now < opened + shape->gap)
		sb_found(WHO "sends a piece before gap= has passed", who(r, p, way));
	if (by_time)
		return;
	if (shape->gate == SB_GATE_ACK ? c->come_n != c->out_n : c->read_n != c->out_n)
		sb_found(WHO "sends a piece, and the last has not been %s: %llu of %llu bytes", who(r, p, way),
			 shape->gate == SB_GATE_ACK ? "received" : "read", (unsigned long long)c->read_n,
			 (unsigned long long)c->out_n);
}

static void on_send(struct sb_sys *k, struct sim_conn *c)
{
	struct fw_run *r = k->user;
	struct fw_pair *p = fw_pair_of(r, c);
	int way = p && c == p->up ? SB_WAY_UP : SB_WAY_DOWN;

	if (!p)
		sb_found("%s: a send to nobody", r->backend);
	check_gate(r, p, way);
}

static void on_sent(struct fw_run *r, struct fw_pair *p, struct sim_conn *c, uint64_t n)
{
	int way = c == p->up ? SB_WAY_UP : SB_WAY_DOWN;
	struct fw_way *w = &p->way[way];
	const struct sim_conn *from = fw_from(p, way);
	const struct sb_conn *conn = fw_conn(r, from);
	uint64_t at = c->out_n - n;

	fw_advance(p, way);
	w->is_last = conn && conn->session.reason != SB_WHY_NONE;
	if (c->out_n > w->whole)
		sb_found(WHO "sends %llu bytes, and has read %llu in whole messages", who(r, p, way),
			 (unsigned long long)c->out_n, (unsigned long long)w->whole);
	for (uint64_t i = at; i < c->out_n; i++)
		if ((c->out[i] ^ (i == w->plan.flip)) != from->sent[i])
			sb_found(WHO "byte %llu left as %02x, and came as %02x", who(r, p, way), (unsigned long long)i,
				 c->out[i], from->sent[i]);
	check_piece(r, p, way, at, c->out_n);
}

/* ---- reading ---- */

static bool is_joining(const struct fw_way *w, const struct sim_conn *to)
{
	return w->plan.shape.join && to->out_n < w->whole;
}

static void on_recv(struct sb_sys *k, struct sim_conn *c, size_t n)
{
	struct fw_run *r = k->user;
	struct fw_pair *p = fw_pair_of(r, c);
	int way = p && c == p->up ? SB_WAY_DOWN : SB_WAY_UP;
	struct fw_way *w = p ? &p->way[way] : NULL;
	const struct sb_conn *conn = fw_conn(r, c);
	const struct sim_conn *to = p ? fw_to(p, way) : NULL;

	if (!p || !p->up || p->up->is_dialing)
		sb_found("%s: reads what a client says before its server is there", r->backend);
	if (n > w->plan.recv_max)
		sb_found(WHO "asks for %zu bytes, more than recv=", who(r, p, way), n);
	if (conn && conn->session.reason != SB_WHY_NONE)
		return;
	fw_advance(p, way);
	if (w->is_broken)
		sb_found(WHO "reads on after a broken message", who(r, p, way));
	if (to->out_n != w->whole && !is_joining(w, to))
		sb_found(WHO "reads on while it owes %llu bytes", who(r, p, way),
			 (unsigned long long)(w->whole - to->out_n));
}

/* ---- what the kernel says ---- */

static void on_shutdown(struct fw_run *r, struct fw_pair *p, struct sim_conn *c)
{
	int way = c == p->up ? SB_WAY_UP : SB_WAY_DOWN;
	const struct sb_conn *conn = fw_conn(r, fw_from(p, way));

	if (!conn || conn->session.reason == SB_WHY_NONE)
		sb_found(WHO "says its end, and has not ended", who(r, p, way));
	if (conn->session.reason == SB_WHY_EOF && !fw_from(p, way)->is_fin_seen)
		sb_found(WHO "says its end before the other's", who(r, p, way));
	if (conn->session.reason == SB_WHY_EOF && c->out_n != p->way[way].whole)
		sb_found(WHO "says its end after %llu of %llu bytes", who(r, p, way), (unsigned long long)c->out_n,
			 (unsigned long long)p->way[way].whole);
}

static void on_done(struct sb_sys *k, struct sim_conn *c, enum sim_call call, size_t n, long res)
{
	struct fw_run *r = k->user;
	struct fw_pair *p = fw_pair_of(r, c);

	(void)n;
	if (call == SIM_CALL_SETOPT || call == SIM_CALL_GETOPT)
		return;
	if (!p)
		sb_found("%s: %s with nobody", r->backend, sim_call_name(call));
	if (call == SIM_CALL_SHUTDOWN)
		on_shutdown(r, p, c);
	else if (res < 0 && res != -EAGAIN && res != -EINTR && p->failed == 0)
		p->failed = (int)res;
	if (call == SIM_CALL_SEND && res > 0)
		on_sent(r, p, c, (uint64_t)res);
	if (call == SIM_CALL_RECV && res > 0)
		fw_advance(p, c == p->up ? SB_WAY_DOWN : SB_WAY_UP);
}

static void on_accept(struct sb_sys *k, int fd, struct sim_conn *c, int res)
{
	struct fw_run *r = k->user;
	struct fw_pair *p = c ? fw_pair_of(r, c) : NULL;

	(void)fd;
	if (!p || res < 0)
		return;
	p->is_served = true;
	p->opened = k->now;
	r->last = fw_number(r, p) + 1;
}

static void on_dial(struct sb_sys *k, struct sim_conn *c)
{
	struct fw_run *r = k->user;
	struct fw_pair *p = r->last ? &r->pair[r->last - 1] : NULL;

	if (!p || p->up)
		sb_found("%s: connects, and nobody has come", r->backend);
	p->up = c;
}

static void on_ask(struct sb_sys *k, struct sim_conn *c, enum sim_call call, int res)
{
	struct fw_run *r = k->user;
	struct fw_pair *p = c ? fw_pair_of(r, c) : NULL;

	(void)call;
	if (res < 0 && p)
		p->way[c == p->up ? SB_WAY_UP : SB_WAY_DOWN].has_given_way = true;
	if (res < 0 && !c)
		for (uint32_t i = 0; i < r->pairs; i++)
			r->pair[i].way[0].has_given_way = r->pair[i].way[1].has_given_way = true;
}

void fw_listen(struct fw_run *r)
{
	struct sb_sys *k = r->k;

	k->on_recv = on_recv;
	k->on_send = on_send;
	k->on_done = on_done;
	k->on_accept = on_accept;
	k->on_dial = on_dial;
	k->on_ask = on_ask;
	k->on_close = fw_on_close;
	k->on_log = fw_on_log;
	k->on_receipt = fw_on_receipt;
}

/* ---- while it waits ---- */

static void check_end_passes(struct fw_run *r, struct fw_pair *p, int way)
{
	const struct fw_way *w = &p->way[way];
	const struct sb_conn *conn = fw_conn(r, fw_from(p, way));
	const struct sim_conn *to = fw_to(p, way);

	if (!conn || !to || conn->session.reason != SB_WHY_EOF || w->plan.close >= PLAN_RST)
		return;
	if (w->plan.close == PLAN_CLEAN && to->out_n == w->whole && !to->is_shut && !conn->session.pace->until &&
	    conn->session.pace->gate == SB_PACE_OPEN)
		sb_found(WHO "has ended, all has left, and the end does not pass", who(r, p, way));
}

static void check_pair(struct fw_run *r, struct fw_pair *p)
{
	uint64_t active = p->client->active;
	const struct sb_conn *conn = fw_conn(r, p->client);

	if (!p->is_served || p->is_refused)
		return;
	if (p->up && (p->client->fd < 0) != (p->up->fd < 0))
		sb_found("%s: pair %u: one end is closed, the other is not", r->backend, fw_number(r, p));
	if (!conn || !p->up)
		return;
	if (p->up->is_dialing && r->k->now >= p->opened + r->connect_timeout)
		sb_found("%s: pair %u: is still connecting, past connect-timeout", r->backend, fw_number(r, p));
	if (p->up->is_dialing)
		return;
	active = p->up->active > active ? p->up->active : active;
	for (int way = 0; way < SB_WAYS; way++) {
		const struct fw_way *w = &p->way[way];

		fw_note_reason(r, p, way, way ? &conn->across->session : &conn->session);
		check_end_passes(r, p, way);
		if (w->plan.shape.is_any || w->plan.shape.delay || w->plan.stop_ns)
			active = SB_NEVER;
	}
	if (active != SB_NEVER && r->idle_timeout && conn->session.reason == SB_WHY_NONE &&
	    conn->across->session.reason == SB_WHY_NONE && r->k->slept == 0 && r->k->now > active + r->idle_timeout &&
	    r->k->now > p->opened + r->connect_timeout + r->idle_timeout)
		sb_found("%s: pair %u: nothing has moved, and it is still there", r->backend, fw_number(r, p));
}

void fw_rest(struct fw_run *r)
{
	r->is_hurt = r->is_hurt || r->k->faults > 0;
	for (uint32_t i = 0; i < r->pairs; i++)
		check_pair(r, &r->pair[i]);
}
