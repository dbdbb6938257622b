/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: lines that shape what is sent. Where pieces end is looked up one offset at a
 * time (plan_model.h); what a gate waits for is what the kernel knows of the peer, not what the server believes. */
#include "found.h"
#include "oracle.h"

#include <errno.h>

#define ASK_FIRST (10 * UINT64_C(1000)) /* a closed gate is asked about after this, and … */
#define ASK_LAST (10 * SB_MS)           /* … at least so often */

enum { ASKS_FREE = 16 };

static const struct model *model_of(const struct run *r, const struct sim_conn *c)
{
	return &r->model[r->peer[oracle_number(r, c)].listener];
}

static const struct plan_model *plan_of(const struct run *r, const struct sim_conn *c)
{
	return &model_of(r, c)->plan;
}

bool cut_is_shaped(const struct run *r, const struct sim_conn *c)
{
	return model_of(r, c)->is_shaped;
}

struct cut *cut_of(const struct run *r, const struct sim_conn *c)
{
	return &((struct run *)(uintptr_t)r)->cut[oracle_number(r, c)];
}

static bool is_source(const struct run *r, const struct sim_conn *c)
{
	return model_of(r, c)->service == MODEL_SOURCE;
}

static uint64_t left_of(const struct run *r, const struct sim_conn *c, uint64_t from)
{
	const struct peer *p = &r->peer[oracle_number(r, c)];
	uint64_t size = plan_model_size(plan_of(r, c));

	if (!is_source(r, c))
		return p->whole - from;
	return (size < r->limit[SB_LIMIT_BYTES] ? size : r->limit[SB_LIMIT_BYTES]) - from;
}

static bool is_last_piece(const struct run *r, const struct cut *cut)
{
	return r->limit[SB_LIMIT_PIECES] > 0 && cut->pieces >= r->limit[SB_LIMIT_PIECES];
}

bool cut_is_enough(const struct run *r, const struct sim_conn *c)
{
	const struct cut *cut = cut_of(r, c);

	return cut_is_shaped(r, c) && (cut->is_at_limit || (is_last_piece(r, cut) && left_of(r, c, c->out_n) > 0));
}

static uint64_t owed(const struct run *r, const struct sim_conn *c)
{
	if (model_of(r, c)->service != MODEL_ECHO || cut_is_enough(r, c))
		return 0;
	return r->peer[oracle_number(r, c)].whole - c->out_n;
}

/* ---- where ---- */

/* The end of the unit that holds byte from of a source, and its beginning. */
static uint64_t source_unit(const struct plan_model *plan, uint64_t from, struct cut *cut)
{
	uint64_t join = plan->shape.join, size = plan->ref == &ref_raw ? join : plan->period * (join ? join : 1);

	cut->unit = size ? from / size * size : 0;
	return size ? cut->unit + size : UINT64_MAX;
}

/* The same of an echo, 0 when it is not there yet. */
static uint64_t echo_unit(const struct plan_model *plan, const struct peer *p, const struct cut *cut)
{
	uint64_t join = plan->shape.join, n = 0;

	if (plan->ref == &ref_raw)
		return join ? cut->unit + join : UINT64_MAX;
	for (uint64_t at = cut->unit; at < p->whole; at++) {
		n += cut->is_end[at];
		if (n == (join ? join : 1))
			return at + 1;
	}
	return p->reason != SB_WHY_NONE ? p->whole : 0;
}

bool cut_is_joining(const struct run *r, const struct sim_conn *c)
{
	const struct peer *p = &r->peer[oracle_number(r, c)];
	uint64_t end;

	if (!cut_is_shaped(r, c) || !plan_of(r, c)->shape.join || owed(r, c) == 0 || p->reason != SB_WHY_NONE)
		return false;
	end = echo_unit(plan_of(r, c), p, cut_of(r, c));
	return end == 0 || end > p->whole;
}

bool cut_is_waiting(const struct run *r, const struct sim_conn *c)
{
	const struct cut *cut = cut_of(r, c);

	return cut_is_shaped(r, c) && (cut->is_gated || r->k->now < cut->wait_until);
}

/* ---- what is waited for ---- */

void cut_settle(const struct run *r, const struct sim_conn *c, struct peer *p)
{
	struct cut *cut = cut_of(r, c);

	if (!cut_is_shaped(r, c) || cut->is_gated || !cut->wait_until || r->k->now < cut->wait_until)
		return;
	if (p->reason == SB_WHY_NONE)
		p->active = p->since = cut->wait_until;
	else if (p->finished < cut->wait_until)
		p->finished = cut->wait_until;
	cut->wait_until = 0;
}

static void reply_comes(struct run *r, struct sim_conn *c)
{
	struct cut *cut = cut_of(r, c);
	uint64_t delay = plan_of(r, c)->shape.delay;

	if (!delay)
		return;
	cut->reply_from = r->k->now + delay;
	if (!cut->is_gated && cut->wait_until < cut->reply_from)
		cut->wait_until = cut->reply_from;
}

static void open_gate(struct run *r, struct sim_conn *c)
{
	struct cut *cut = cut_of(r, c);
	struct peer *p = &r->peer[oracle_number(r, c)];
	uint64_t at = r->k->now + plan_of(r, c)->shape.gap;

	cut->is_gated = false;
	if (p->reason == SB_WHY_NONE)
		p->active = p->since = r->k->now;
	else
		p->finished = r->k->now;
	at = at > cut->reply_from ? at : cut->reply_from;
	cut->wait_until = at > r->k->now ? at : 0;
}

void cut_open(struct run *r, const struct sim_conn *c)
{
	cut_of(r, c)->receipts = 0;
	cut_of(r, c)->is_asked = false;
	if (cut_is_shaped(r, c))
		*cut_of(r, c) = (struct cut){.tier = plan_of(r, c)->shape.gate};
}

void cut_on_accept(struct run *r, struct sim_conn *c)
{
	if (cut_is_shaped(r, c) && is_source(r, c))
		reply_comes(r, c);
}

void cut_on_got(struct run *r, struct sim_conn *c, uint64_t before)
{
	if (!cut_is_shaped(r, c))
		return;
	cut_of(r, c)->recvs++;
	if (before == 0 && owed(r, c) > 0)
		reply_comes(r, c);
}

/* ---- what leaves ---- */

/* What has to be true of the bytes before the boundary at from, when the first byte behind it is sent. */
static void check_proof(const struct run *r, const struct sim_conn *c, uint64_t from)
{
	const struct cut *cut = cut_of(r, c);
	bool is_unix = c->addr.family == SB_UNIX;
	uint64_t gap = plan_of(r, c)->shape.gap;

	if (cut->is_vague || cut->is_unproven || c->is_gone || c->is_rst)
		return;
	if ((cut->tier == SB_GATE_READ || cut->tier == SB_GATE_BEST || (cut->tier == SB_GATE_ACK && is_unix)) &&
	    (c->read_n < from || c->read_at + gap > r->k->now))
		sb_found("%s: connection %u: sends byte %llu, and its peer has read %llu", r->backend,
			 oracle_number(r, c), (unsigned long long)from, (unsigned long long)c->read_n);
	if (cut->tier == SB_GATE_ACK && !is_unix && (c->come_n < from || c->come_at + gap > r->k->now))
		sb_found("%s: connection %u: sends byte %llu, and %llu have come to its peer", r->backend,
			 oracle_number(r, c), (unsigned long long)from, (unsigned long long)c->come_n);
	if (cut->tier == SB_GATE_TIME && cut->gated_at + gap > r->k->now)
		sb_found("%s: connection %u: sends byte %llu before its gap is over", r->backend, oracle_number(r, c),
			 (unsigned long long)from);
}

/* How much of what is left goes at a time; *end: whether a piece ends there, and a unit. */
static uint64_t piece(struct run *r, struct sim_conn *c, uint64_t from, uint64_t left, uint64_t *next, uint64_t *end)
{
	const struct plan_model *plan = plan_of(r, c);
	struct cut *cut = cut_of(r, c);
	uint64_t most = plan->limit - from < left ? plan->limit - from : left;

	if (is_source(r, c) && most > 65536)
		most = 65536;
	*next = *end = 0;
	if (!plan->shape.is_any)
		return most;
	*end = is_source(r, c) ? source_unit(plan, from, cut) : echo_unit(plan, &r->peer[oracle_number(r, c)], cut);
	for (uint64_t at = from + 1; at <= from + most; at++)
		if (at == *end || at == plan->limit || plan_model_cuts(plan, cut->unit, at)) {
			*next = at;
			return at - from;
		}
	return most;
}

static void note_piece(struct cut *cut, uint64_t at)
{
	if (cut->pieces < CUT_OFFSETS)
		cut->at[cut->pieces] = at;
	cut->pieces++;
}

static void reach(struct run *r, struct sim_conn *c, bool is_unit)
{
	struct cut *cut = cut_of(r, c);

	if (is_unit)
		cut->unit = c->out_n;
	note_piece(cut, c->out_n);
	cut->gated_at = r->k->now;
	cut->asks = cut->fails = 0;
	if (plan_of(r, c)->shape.gate == SB_GATE_TIME)
		open_gate(r, c);
	else
		cut->is_gated = true;
	/* gate=best was content with nothing once, and does not ask again. */
	if (cut->has_given_way && cut->tier == SB_GATE_TIME) {
		open_gate(r, c);
		cut->wait_until = r->k->now + ASK_FIRST + plan_of(r, c)->shape.gap;
		cut->wait_until = cut->wait_until > cut->reply_from ? cut->wait_until : cut->reply_from;
	}
}

void cut_on_put(struct run *r, struct sim_conn *c, size_t want, size_t n)
{
	struct cut *cut = cut_of(r, c);
	uint64_t from = c->out_n - n, next, end, size;

	if (!cut_is_shaped(r, c))
		return;
	cut->sends++;
	if (cut->is_at_limit || is_last_piece(r, cut))
		sb_found("%s: connection %u: sends on after its limit", r->backend, oracle_number(r, c));
	if (cut->is_gated)
		sb_found("%s: connection %u: sends, and its gate is closed", r->backend, oracle_number(r, c));
	if (r->k->now < cut->wait_until && !r->k->slept)
		sb_found("%s: connection %u: sends %llu ns too early", r->backend, oracle_number(r, c),
			 (unsigned long long)(cut->wait_until - r->k->now));
	if (cut->pieces > 0 && cut->pieces <= CUT_OFFSETS && cut->at[cut->pieces - 1] == from)
		check_proof(r, c, from);
	size = piece(r, c, from, left_of(r, c, from), &next, &end);
	if (want != size)
		sb_found("%s: connection %u: sends %zu bytes at %llu, and a piece has %llu", r->backend,
			 oracle_number(r, c), want, (unsigned long long)from, (unsigned long long)size);
	if (c->out_n == next)
		reach(r, c, next == end);
	cut->is_at_limit = c->out_n == plan_of(r, c)->limit;
}

void cut_pieces(const struct plan_model *plan, const struct peer *p, struct cut *cut, uint64_t base, uint64_t n)
{
	uint64_t end = 0;

	for (uint64_t at = 1; plan->shape.is_any && at <= n; at++) {
		if (at == cut->unit + 1)
			end = plan_is_source(plan) ? source_unit(plan, at - 1, cut) : echo_unit(plan, p, cut);
		if (at != end && at != plan->limit && !plan_model_cuts(plan, cut->unit, at))
			continue;
		note_piece(cut, base + at);
		if (at == end)
			cut->unit = at;
	}
}

/* ---- gates ---- */

/* Waiting begins with microseconds and doubles: a peer that stalls costs next to nothing. */
static void check_patience(const struct run *r, const struct sim_conn *c)
{
	const struct cut *cut = cut_of(r, c);
	uint64_t long_ones = (r->k->now - cut->gated_at) / (ASK_LAST / 2);

	if (cut->asks > ASKS_FREE + long_ones + cut->fails * 3)
		sb_found("%s: connection %u: a busy loop: asks %u times in %llu us whether its peer has read",
			 r->backend, oracle_number(r, c), cut->asks,
			 (unsigned long long)((r->k->now - cut->gated_at) / 1000));
}

/* The next time there may be an answer. */
static bool is_passing(enum sim_call call, int err)
{
	return call != SIM_CALL_QUEUED_OUT && (err == -EINTR || err == -ENOBUFS || err == -ENOMEM);
}

static void give_way(struct run *r, struct sim_conn *c, int err)
{
	struct cut *cut = cut_of(r, c);

	if (plan_of(r, c)->shape.gate != SB_GATE_BEST) {
		cut->refused = err;
		return;
	}
	cut->has_given_way = true;
	cut->tier = cut->tier == SB_GATE_ACK ? SB_GATE_TIME : SB_GATE_ACK;
	if (cut->tier == SB_GATE_TIME)
		open_gate(r, c);
}

/* It is not known who wanted to ask. */
static void cannot_ask(struct run *r, int err)
{
	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *c = &r->k->conn[i];

		if (c->is_dgram || c->fd < 0 || !cut_is_shaped(r, c))
			continue;
		r->cut[i].fails++;
		r->cut[i].is_hit = true;
		if (!is_passing(SIM_CALL_DIAG_OPEN, err))
			r->cut[i].is_vague = true;
	}
}

void cut_on_ask(struct sb_sys *k, struct sim_conn *c, enum sim_call call, int res)
{
	struct run *r = k->user;
	struct cut *cut;

	if (!c) {
		cannot_ask(r, res);
		return;
	}
	if (line_is_judged_late(r, c))
		return;
	cut = cut_of(r, c);
	if (!cut_is_shaped(r, c) || (!cut->is_gated && !cut->is_vague))
		sb_found("%s: connection %u: its gate is not closed, and it is asked about", r->backend,
			 oracle_number(r, c));
	if (cut->tier == SB_GATE_BEST)
		cut->tier = SB_GATE_READ;
	if (!cut->is_vague && (call != SIM_CALL_QUEUED_OUT) != (cut->tier == SB_GATE_READ && c->addr.family != SB_UNIX))
		sb_found("%s: connection %u: is asked about by %s", r->backend, oracle_number(r, c),
			 sim_call_name(call));
	/* That it has given way shows here. */
	if (cut->is_vague && call == SIM_CALL_QUEUED_OUT && plan_of(r, c)->shape.gate == SB_GATE_BEST)
		cut->tier = SB_GATE_ACK;
	cut->asks++;
	cut->fails += res < 0;
	cut->is_hit = cut->is_hit || (res < 0 && res != -ENOENT);
	check_patience(r, c);
	if (call == SIM_CALL_PEERS && res >= 0)
		cut->is_seen = true;
	if (!cut->is_gated || is_passing(call, res))
		return;
	/* That a unix socket's queue is empty is asked twice. */
	if (res == 1 && call == SIM_CALL_QUEUED_OUT && cut->tier == SB_GATE_READ && !cut->is_empty) {
		cut->is_empty = true;
		return;
	}
	cut->is_empty = false;
	cut->is_unproven = call == SIM_CALL_PEERS &&
			   ((res == 1 && c->is_gone) || (res == -ENOENT && (cut->is_seen || c->is_fin_seen)));
	cut->unproven += cut->is_unproven;
	if (res == 1 || (res == -ENOENT && (cut->is_seen || c->is_fin_seen)))
		open_gate(r, c);
	else if (res < 0)
		give_way(r, c, res);
}

void cut_on_close(struct run *r, const struct sim_conn *c)
{
	struct cut *cut = cut_of(r, c);

	cut->is_cut_short = cut_is_shaped(r, c) && cut->has_given_way && cut->tier == SB_GATE_TIME &&
			    r->k->now <= cut->gated_at + ASK_FIRST;
}

uint64_t cut_gate_end(const struct run *r, const struct sim_conn *c)
{
	const struct cut *cut = cut_of(r, c);
	uint64_t most = r->limit[SB_LIMIT_DELAY], gate_max = plan_of(r, c)->shape.gate_max;

	if (!cut_is_shaped(r, c) || !cut->is_gated)
		return SB_NEVER;
	return cut->gated_at + (gate_max < most ? gate_max : most);
}

/* ---- rules ---- */

bool cut_may_linger(const struct run *r, const struct sim_conn *c)
{
	const struct peer *p = &r->peer[oracle_number(r, c)];
	enum plan_close close = plan_of(r, c)->close;

	if (!model_of(r, c)->is_shaped || (close != PLAN_HALF && close != PLAN_STALL) || p->reason == SB_WHY_NONE)
		return false;
	/* That it cannot say its end it learns by the next read, which may have to wait for memory. */
	if (close == PLAN_HALF)
		return c->is_shut || c->is_lost;
	return owed(r, c) == 0 && !cut_is_waiting(r, c);
}

bool cut_is_lingering(const struct run *r, const struct sim_conn *c)
{
	/* A send of a source still waits for room, though what it would send is not sent any more. */
	bool is_sending = is_source(r, c) && c->window == 0 && left_of(r, c, c->out_n) > 0;

	return cut_may_linger(r, c) && !(plan_of(r, c)->close == PLAN_STALL && is_sending);
}

bool cut_is_reason_possible(const struct run *r, const struct sim_conn *c, uint8_t reason)
{
	const struct cut *cut = cut_of(r, c);
	const struct plan_model *plan = plan_of(r, c);

	if (!cut_is_shaped(r, c))
		return false;
	switch (reason) {
	case SB_WHY_LIMIT:
		return c->out_n == plan->limit;
	case SB_WHY_PIECES:
		return cut->pieces == r->limit[SB_LIMIT_PIECES] && left_of(r, c, c->out_n) > 0;
	case SB_WHY_MAXLIFE:
		return plan->maxlife && c->opened + plan->maxlife <= r->k->now;
	case SB_WHY_GATE:
		return cut->refused || cut_gate_end(r, c) <= r->k->now ||
		       (cut->is_vague && plan->shape.gate == SB_GATE_READ);
	default:
		return false;
	}
}

void cut_check_rest(const struct run *r, const struct sim_conn *c)
{
	const struct peer *p = &r->peer[oracle_number(r, c)];
	const struct cut *cut = cut_of(r, c);
	bool by_read = cut->tier != SB_GATE_ACK || c->addr.family == SB_UNIX;
	uint64_t since = by_read ? c->read_at : c->come_at;

	if (!cut_is_shaped(r, c))
		return;
	if (cut->refused)
		sb_found("%s: connection %u: its gate cannot be had (%s), and it goes on", r->backend,
			 oracle_number(r, c), sb_errname(cut->refused));
	if (cut_gate_end(r, c) <= r->k->now && !cut->is_vague)
		sb_found("%s: connection %u: is still there, past the time of its gate", r->backend,
			 oracle_number(r, c));
	if (p->reason == SB_WHY_NONE && plan_of(r, c)->maxlife && c->opened + plan_of(r, c)->maxlife <= r->k->now)
		sb_found("%s: connection %u: is still served, past its maxlife", r->backend, oracle_number(r, c));
	if (!cut->is_gated || cut->is_vague || cut->fails)
		return;
	since = since > cut->gated_at ? since : cut->gated_at;
	if ((by_read ? c->read_n : c->come_n) == c->out_n && since + ASK_LAST + SB_MS < r->k->now)
		sb_found("%s: connection %u: its peer has read, and the gate stays closed", r->backend,
			 oracle_number(r, c));
}
