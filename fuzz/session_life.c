/* SPDX-License-Identifier: MIT
 * A session's life. Here is, in order: ops, events, time, the end. See session_life.h. */
#include "session_life.h"

#include <errno.h>

#include "base/rng.h"
#include "found.h"
#include "target.h"

enum { STEPS_MAX = 1 << 17, ROUNDS_MAX = 16, PIECES_MAX = 8192, END_MAX = 2000 };

#define tell(...)                                                                                                      \
	do {                                                                                                           \
		if (sb_fuzz_is_verbose)                                                                                \
			sb_tell(__VA_ARGS__);                                                                          \
	} while (0)

static unsigned long long u(uint64_t v)
{
	return v;
}

SB_WRAPS static void note(struct life *l, uint64_t v)
{
	l->hash = l->hash * 31 + v;
}

static void note_state(struct life *l)
{
	const struct sb_session *s = &l->s;

	note(l, s->reason + s->state * 7u + sb_session_deadline(s) % 1000000007 + s->leg.in * 5 + s->leg.out * 3);
}

/* ---- ops ---- */

SB_WRAPS static void said(struct life *l, const uint8_t *p, size_t n)
{
	uint64_t h = l->out_hash;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	l->out_hash = h;
}

/* The bytes of a FILL, as many as asked for: nothing else may be written. */
static void fill(struct life *l, size_t n, size_t taken)
{
	static uint8_t must[SB_FRAME_MAX];
	uint8_t *slot = arena_open(&l->room->lent, n);

	sb_session_fill(&l->s, slot, n);
	if (model_in_steps(&l->m))
		model_step_bytes(&l->m, must, n);
	else
		plan_model_bytes(l->m.plan, l->m.out, must, n);
	if (l->m.plan->flip >= l->m.out && l->m.plan->flip - l->m.out < n)
		must[l->m.plan->flip - l->m.out] ^= 1;
	if (n && memcmp(slot, must, n) != 0)
		sb_found("%s: sends other bytes than it was asked for, at %llu", l->name, u(l->m.out));
	said(l, slot, taken);
	arena_close(slot, n);
}

/* Zeros: nothing else has them for an answer. */
static const uint8_t answer[64];

/* What a SEND that is no FILL must have. */
static const uint8_t *next_bytes(const struct life *l)
{
	return l->m.answered < l->m.answer ? answer + l->m.answered : l->m.stream + l->m.out;
}

static void send_done(struct life *l, int32_t res)
{
	struct sb_done done = {.kind = SB_OP_SEND, .res = res};

	tell("  send: %d", res);
	if (res > 0 && l->is_fill) {
		uint32_t n = (uint32_t)res < l->send_n - 7 && l->send_n > 7 ? (uint32_t)res + 7 : l->send_n;

		fill(l, n, (size_t)res);
	} else if (res > 0) {
		said(l, next_bytes(l), (size_t)res);
	}
	if (res > 0)
		l->window -= (uint32_t)res;
	l->is_sending = false;
	sb_session_event(&l->s, &done, l->now);
	if (res < 0)
		model_send_failed(&l->m, res);
	else
		model_sent(&l->m, (uint32_t)res, l->now);
}

/* How many bytes are taken now; 0: there is no room. */
static uint32_t taken(struct life *l)
{
	uint32_t n = l->send_n;

	if (n > l->window)
		n = (uint32_t)l->window;
	if (n > l->takes)
		n = l->takes;
	if (n > l->bite_out)
		n = l->bite_out;
	l->takes = UINT32_MAX;
	return n;
}

static void carry_out_send(struct life *l, const struct sb_op *op)
{
	uint32_t n;

	l->is_sending = true;
	l->is_fill = op->flags & SB_OP_FILL;
	l->send_n = op->want_max;
	if (l->send_err) {
		n = (uint32_t)-l->send_err;
		l->send_err = 0;
		send_done(l, -(int32_t)n);
		return;
	}
	if (l->again) {
		l->again--;
		return;
	}
	n = taken(l);
	if (n)
		send_done(l, (int32_t)n);
}

static void gate_done(struct life *l, int res)
{
	struct sb_done done = {.kind = SB_OP_GATE, .res = res};

	tell("  gate: %d", res);
	l->is_gated = false;
	sb_session_event(&l->s, &done, l->now);
	model_gate_done(&l->m, res, l->now);
}

static void carry_out_gate(struct life *l)
{
	if (l->is_gated)
		sb_found("%s: asks for a second GATE", l->name);
	l->is_gated = true;
	if (!l->holds_gate)
		gate_done(l, SB_GATE_READ);
}

static void carry_out_step(struct life *l, const struct sb_op *op)
{
	struct sb_done done = {.kind = op->kind, .res = op->kind == SB_OP_SETOPT ? l->opt_err : 0};

	sb_session_event(&l->s, &done, l->now);
	if (op->kind == SB_OP_STEP)
		model_step_begins(&l->m, l->now);
	else
		model_setopt_done(&l->m, done.res, l->now);
	l->opt_err -= done.res;
}

static void deliver_one(struct life *l);

static void carry_out(struct life *l, const struct sb_op *op)
{
	struct sb_done done = {.res = 0};

	switch (op->kind) {
	case SB_OP_SEND:
		carry_out_send(l, op);
		break;
	case SB_OP_RECV:
		if (l->is_receiving)
			sb_found("%s: asks for a second RECV", l->name);
		l->is_receiving = true;
		l->is_watching = l->had_more = false;
		l->want = op->want_max;
		break;
	case SB_OP_GATE:
		carry_out_gate(l);
		break;
	case SB_OP_STEP:
	case SB_OP_SETOPT:
		carry_out_step(l, op);
		break;
	case SB_OP_WATCH:
		if (l->is_watching || l->is_receiving)
			sb_found("%s: watches, and %s already", l->name, l->is_receiving ? "reads" : "does");
		l->is_watching = true;
		break;
	case SB_OP_SHUT:
		done.kind = SB_OP_SHUT;
		sb_session_event(&l->s, &done, l->now);
		if (l->is_hasty && l->is_receiving)
			deliver_one(l);
		break;
	default:
		tell("  ends with %s, by %s", sb_reasons[l->s.reason].name, op->arg ? "RST" : "close");
		l->is_closed = true;
		break;
	}
}

static void compare_option(const struct life *l, const struct sb_op *op)
{
	const struct plan_step *step = &l->m.plan->steps.step[l->m.steps.at];

	if (op->iov_n != 2 || !sb_slice_is(op->iov[0], step->opt) || !sb_slice_is(op->iov[1], step->value))
		sb_found("%s: sets another option than %s:%s", l->name, step->opt, step->value);
}

static void compare_op(const struct life *l, const struct sb_op *op, const struct model_op *must)
{
	life_same(l, "the op", op->kind, must->kind);
	if (op->kind == SB_OP_CLOSE)
		life_same(l, "how it closes", op->arg, must->how);
	if (op->kind == SB_OP_GATE)
		life_same(l, "what the gate waits for", op->arg, must->tier);
	if (op->kind == SB_OP_STEP)
		life_same(l, "which step", op->arg, must->n);
	if (op->kind == SB_OP_SETOPT)
		compare_option(l, op);
	if (op->kind == SB_OP_SEND && l->is_gated)
		sb_found("%s: sends, and the gate is closed", l->name);
	if (op->kind != SB_OP_SEND && op->kind != SB_OP_RECV)
		return;
	life_same(l, op->kind == SB_OP_SEND ? "the size of a SEND" : "the size of a RECV", op->want_max, must->n);
	if (op->kind != SB_OP_SEND)
		return;
	life_same(l, "FILL", op->flags & SB_OP_FILL, must->is_fill ? SB_OP_FILL : 0);
	if (must->is_fill)
		return;
	life_same(l, "the number of slices", op->iov_n, 1);
	life_same(l, "bytes of a SEND", op->iov[0].n, must->n);
	if (memcmp(op->iov[0].p, next_bytes(l), must->n) != 0)
		sb_found("%s: sends what is not the answer, at %llu", l->name, u(l->m.out));
}

static void pump(struct life *l)
{
	static const char *const names[] = {"", "RECV", "SEND", "SHUT", "CLOSE", "STEP", "SETOPT", "", "GATE", "WATCH"};
	struct sb_op op;
	int steps = 0;

	for (;;) {
		int has = sb_session_next(&l->s, &op);
		struct model_op must = model_next(&l->m);

		if (!has)
			op = (struct sb_op){.kind = SB_OP_NONE};
		compare_op(l, &op, &must);
		if (!has)
			break;
		tell("  %s %u", names[op.kind], op.want_max);
		note(l, op.kind + op.want_max * 3u);
		carry_out(l, &op);
		if (++steps > STEPS_MAX)
			sb_found("%s: asks without end", l->name);
	}
	life_compare(l);
	note_state(l);
	life_keep(l);
}

/* ---- events ---- */

void life_open(struct life *l, struct life_room *room, const struct sb_plan *plan, const struct plan_model *model,
	       const uint64_t *limit)
{
	*l = (struct life){.name = l->name,
			   .headroom = l->headroom,
			   .window = l->window,
			   .bite = l->bite,
			   .bite_out = l->bite_out,
			   .answer = l->answer,
			   .age = l->age};
	l->room = room;
	l->now = 1000 * SB_S;
	l->at_block = -1;
	l->takes = UINT32_MAX;
	l->out_hash = l->hash = 1469598103u;
	sb_session_open(&l->s, plan, plan->is_paced ? &l->pace : NULL, l->now);
	model_open(&l->m, model, limit, room->stream, room->is_end, l->now);
	l->m.has_pace = plan->is_paced;
	if (plan->is_paced && l->answer) {
		l->m.answer = l->answer < sizeof(answer) ? l->answer : sizeof(answer);
		l->pace.said = sb_slice(answer, l->m.answer);
	}
	l->s.frames = l->s.dropped = l->age;
	l->s.leg.in = l->m.in = l->m.dropped = l->m.frames = l->age;
	pump(l);
}

void life_send(struct life *l, const uint8_t *p, size_t n)
{
	if (l->is_fin || l->is_rst)
		return;
	if (n > LIFE_SENT_MAX - l->sent_n)
		n = LIFE_SENT_MAX - l->sent_n;
	if (n)
		memcpy(l->room->sent + l->sent_n, p, n);
	l->sent_n += n;
}

void life_cut(struct life *l)
{
	if (l->cuts < LIFE_CUTS_MAX && l->sent_n > 0 && (l->cuts == 0 || l->room->cut[l->cuts - 1] < l->sent_n))
		l->room->cut[l->cuts++] = (uint32_t)l->sent_n;
}

/* Bytes of the piece that is next. */
static size_t piece(struct life *l)
{
	size_t end = l->sent_n;

	while (l->cut_at < l->cuts && l->room->cut[l->cut_at] <= l->at)
		l->cut_at++;
	if (l->cut_at < l->cuts)
		end = l->room->cut[l->cut_at];
	end -= l->at;
	if (end > l->want)
		end = l->want;
	return l->bite && end > l->bite ? l->bite : end;
}

static void recv_bytes(struct life *l, size_t n)
{
	struct sb_done done = {.kind = SB_OP_RECV, .res = (int32_t)n, .headroom = l->headroom};
	const uint8_t *p = l->room->sent + l->at;

	done.data = life_lend(l, p, n);
	l->at += n;
	l->is_receiving = l->more > 0 && n < l->want;
	if (l->is_receiving) {
		done.flags = SB_DONE_MORE;
		l->had_more = true;
		l->want -= (uint32_t)n;
		l->more--;
	}
	tell("  recv: %zu%s", n, l->is_receiving ? ", and more" : "");
	sb_session_event(&l->s, &done, l->now);
	model_bytes(&l->m, p, n, !l->is_receiving, l->now);
}

static void recv_error(struct life *l, int err)
{
	struct sb_done done = {.kind = SB_OP_RECV, .res = err};

	tell("  recv: %d", err);
	l->is_receiving = false;
	sb_session_event(&l->s, &done, l->now);
	if (err == 0)
		model_eof(&l->m, l->now);
	else
		model_recv_failed(&l->m, err);
}

/* Nothing is read now, and the peer has reset: only that is told. */
static void deliver_gone(struct life *l)
{
	struct sb_done done = {.kind = SB_OP_WATCH, .res = -ECONNRESET};

	if (!l->is_watching || !l->is_rst || l->is_closed)
		return;
	tell("  watch: gone");
	l->is_watching = false;
	sb_session_event(&l->s, &done, l->now);
	model_gone(&l->m, done.res);
	pump(l);
}

static bool has_news(const struct life *l)
{
	if (!l->is_receiving || l->is_closed || (l->had_more && l->is_sending && !l->is_fill))
		return false;
	return l->recv_err || l->at < l->sent_n || (!l->has_ended && (l->is_fin || l->is_rst));
}

/* The completion of the outstanding RECV, if there is one. */
static void deliver_one(struct life *l)
{
	int err = l->recv_err;

	if (!has_news(l))
		return;
	if (err) {
		l->recv_err = 0;
		recv_error(l, err);
	} else if (l->at < l->sent_n) {
		recv_bytes(l, piece(l));
	} else {
		l->has_ended = true;
		recv_error(l, l->is_rst ? -ECONNRESET : 0);
	}
}

void life_settle(struct life *l)
{
	if (!l->is_sending || l->is_closed)
		return;
	if (l->send_err) {
		int err = l->send_err;

		l->send_err = 0;
		send_done(l, err);
	} else if (l->window > 0 && l->takes > 0) {
		send_done(l, l->is_keeping ? (int32_t)taken(l) : 0);
	} else {
		return;
	}
	pump(l);
}

void life_run(struct life *l)
{
	int steps = 0;

	life_settle(l);
	while (has_news(l)) {
		deliver_one(l);
		pump(l);
		if (l->is_sending && l->window > 0 && !l->again)
			life_settle(l);
		if (++steps > STEPS_MAX)
			sb_found("%s: receives without end", l->name);
	}
	deliver_gone(l);
}

void life_gate(struct life *l, int res)
{
	if (!l->is_gated || l->is_closed)
		return;
	gate_done(l, res);
	pump(l);
}

/* ---- time, and who else ends it ---- */

void life_tick(struct life *l)
{
	tell("  tick at %llu", u(l->now));
	sb_session_tick(&l->s, l->now);
	model_tick(&l->m, l->now);
	pump(l);
}

/* The clock goes to at. If somebody looks at it a moment before a deadline, nothing may happen. */
static void pass_deadline(struct life *l, uint64_t at)
{
	if (at > l->now + 1) {
		struct sb_session before = l->s;
		struct sb_pace pace = l->pace;

		l->now = at - 1;
		sb_session_tick(&l->s, l->now);
		if (memcmp(&before, &l->s, sizeof(before)) != 0 || memcmp(&pace, &l->pace, sizeof(pace)) != 0)
			sb_found("%s: something happens a nanosecond before its time", l->name);
	}
	if (at > l->now)
		l->now = at;
	life_tick(l);
}

void life_wait(struct life *l, uint64_t ns, bool is_late)
{
	uint64_t until = l->now + ns;

	tell("%llu ns pass", u(ns));
	if (is_late)
		l->now = until;
	for (int i = 0; !l->is_closed && sb_session_deadline(&l->s) <= until; i++) {
		pass_deadline(l, sb_session_deadline(&l->s));
		if (i > PIECES_MAX && model_in_steps(&l->m))
			break; /* pauses, round and round */
		if (i > (l->s.pace ? PIECES_MAX : ROUNDS_MAX))
			sb_found("%s: a deadline passes, and does not move", l->name);
	}
	l->now = until;
}

void life_excuse(struct life *l)
{
	tell("excused");
	sb_session_excuse(&l->s, l->now);
	model_excuse(&l->m, l->now);
	pump(l);
}

void life_finish(struct life *l, enum sb_reason why)
{
	tell("finish: %s", sb_reasons[why].name);
	sb_session_finish(&l->s, why, l->now);
	model_finish(&l->m, why, l->now);
	pump(l);
}

void life_kill(struct life *l, enum sb_reason why, enum sb_close_how how)
{
	tell("kill: %s", sb_reasons[why].name);
	sb_session_kill(&l->s, why, how);
	model_kill(&l->m, why, how);
	pump(l);
}

/* ---- the end ---- */

/* What comes late finds nobody. */
static void afterlife(struct life *l)
{
	struct sb_session before = l->s;
	uint8_t *data = life_lend(l, (const uint8_t *)"late", 4);
	struct sb_done done = {.kind = SB_OP_RECV, .res = 4, .data = data, .headroom = l->headroom};
	struct sb_op op;

	sb_session_event(&l->s, &done, l->now);
	done = (struct sb_done){.kind = SB_OP_SEND, .res = 0};
	sb_session_event(&l->s, &done, l->now);
	done = (struct sb_done){.kind = SB_OP_RECV, .res = -ECONNRESET};
	sb_session_event(&l->s, &done, l->now);
	done = (struct sb_done){.kind = SB_OP_GATE, .res = -EPERM};
	sb_session_event(&l->s, &done, l->now);
	done = (struct sb_done){.kind = SB_OP_WATCH, .res = -ECONNRESET};
	sb_session_event(&l->s, &done, l->now);
	sb_session_tick(&l->s, l->now + 48 * SB_H);
	sb_session_finish(&l->s, SB_WHY_STOP, l->now);
	sb_session_kill(&l->s, SB_WHY_KILLED, SB_CLOSE_RESET);
	sb_session_excuse(&l->s, l->now + 1);
	if (sb_session_next(&l->s, &op) || memcmp(&before, &l->s, sizeof(before)) != 0)
		sb_found("%s: goes on after its CLOSE", l->name);
	life_same(l, "the deadline after CLOSE", sb_session_deadline(&l->s), SB_NEVER);
	life_keep(l);
	life_give_back(l);
}

/* A source with much left is not heard out: its peer leaves. */
static bool is_long(const struct life *l)
{
	return plan_is_source(l->m.plan) && l->is_sending && plan_model_size(l->m.plan) - l->m.out > END_MAX;
}

void life_end(struct life *l)
{
	tell("the end");
	l->recv_err = l->send_err = l->opt_err = 0;
	l->again = 0;
	l->takes = UINT32_MAX;
	l->holds_gate = false;
	life_gate(l, SB_GATE_READ);
	for (int i = 0; i < (l->s.pace ? PIECES_MAX : ROUNDS_MAX) && !l->is_closed; i++) {
		l->window = is_long(l) ? 0 : LIFE_OPEN_WINDOW;
		l->send_err = is_long(l) ? -EPIPE : 0;
		life_run(l);
		l->is_fin = true;
		life_run(l);
		if (i > 0 && sb_session_deadline(&l->s) != SB_NEVER)
			pass_deadline(l, sb_session_deadline(&l->s));
	}
	if (!l->is_closed)
		sb_found("%s: does not end, though its peer has", l->name);
	afterlife(l);
}
