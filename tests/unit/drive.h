/* SPDX-License-Identifier: MIT
 *
 * A loop for one session, with a peer and a clock that a test holds in its hands. It does what the server does
 * for a connection: carries ops out, keeps held bytes, wakes at deadlines. It demands, always:
 *
 * - one RECV and one SEND outstanding at most; no RECV while an answer is unsent; no op after CLOSE
 * - CLOSE once, with one reason, which never changes once it is there
 * - what is held is small, and in memory that is the session's: every lent buffer is freed after its event
 * - every byte received is sent back, dropped or unsent (echo), and a deadline that has passed does not come back
 */
#ifndef SB_TESTS_UNIT_DRIVE_H
#define SB_TESTS_UNIT_DRIVE_H

#include <errno.h>

#include "check.h"
#include "core/session.h"

enum { DRIVE_HEADROOM = 4096, DRIVE_OPS = 4096, DRIVE_FILES = 1 };

struct drive {
	struct sb_session s;
	struct sb_pace pace; /* lent when the plan is paced */
	struct sb_plan plan;
	struct sb_limits limits;
	struct sb_line line;
	struct sb_file file; /* what file=f sends */
	uint64_t now;
	/* the peer */
	const uint8_t *in; /* what it sends */
	size_t in_n, in_at;
	bool is_fin;   /* then it closes its side */
	uint64_t room; /* bytes it will still read */
	/* how the kernel cuts */
	size_t bite;       /* bytes of a recv at most, 0: as many as asked for */
	size_t take;       /* bytes of a send at most, 0: all of it */
	struct dice *dice; /* both at random, if there */
	size_t headroom;   /* lent in front of received bytes */
	/* what is seen */
	uint8_t *out; /* the bytes the peer has read */
	size_t out_n, out_cap;
	char ops[DRIVE_OPS]; /* R RECV, S SEND, G GATE, L LINE, T STEP, O SETOPT, F SHUT, C CLOSE, X RST */
	size_t ops_n;
	size_t lines_n; /* bytes that were lines */
	bool is_receiving, is_sending, is_gated, is_watching;
	int32_t opt_res; /* what SETOPT completes with */
	bool holds_gate; /* a gate opens only when the test says so */
	int gates;
	char said[SB_DOOR_LINE_MAX + 1]; /* what LINE said last */
	uint32_t want;
	uint8_t *kept; /* the session's own block, NULL for none */
	size_t kept_n;
	int closed; /* CLOSE has been said so often */
	int fins;
	uint8_t why; /* the first reason seen */
};

/* A plan of this line, limits as the profile has them; nothing runs before drive_open(). */
static inline void drive_init(struct drive *d, const char *line, bool strict)
{
	static uint8_t scratch[SB_FRAME_MAX];
	struct sb_fault fault = {0};
	struct sb_service_in in = {.line = &d->line, .scratch = scratch, .seed = 42, .bytes_max = UINT64_MAX};

	*d = (struct drive){.room = UINT64_MAX, .headroom = DRIVE_HEADROOM, .now = 1000 * SB_S};
	d->file = (struct sb_file){.name = sb_slice_cstr("f"), .bytes = sb_slice_cstr("bytes of a file\n")};
	in.files = &d->file;
	in.files_n = DRIVE_FILES;
	sb_limits_fill(&d->limits, strict);
	if (sb_line_parse(&d->line, sb_slice_cstr(line), &fault) < 0 ||
	    sb_plan_make(&d->plan, &in, SB_ON_TCP, &d->limits, strict, &fault) < 0)
		fail_msg("%s: column %u: %s", line, fault.col, fault.text);
}

static inline void drive_note(struct drive *d, char op)
{
	if (d->ops_n + 1 < DRIVE_OPS)
		d->ops[d->ops_n++] = op;
}

static inline size_t drive_size(struct drive *d, size_t most, size_t bound)
{
	if (d->dice && one_in(d->dice, 2))
		return 1 + (size_t)roll(d->dice, most);
	return bound && bound < most ? bound : most;
}

/* ---- memory ---- */

/* As the server keeps it: where it is if it may stay, else in the smallest block that will do. */
static inline void drive_keep(struct drive *d)
{
	struct sb_slice held = sb_session_held(&d->s);
	bool is_kept = d->kept && held.p >= d->kept && held.p < d->kept + d->kept_n;
	uint8_t *block;

	assert_true(held.n <= SB_SESSION_HELD_MAX);
	if (held.n == 0) {
		free(d->kept);
		d->kept = NULL;
		return;
	}
	if (is_kept && (held.n <= d->headroom || held.p == d->kept))
		return;
	d->kept_n = held.n <= d->headroom ? held.n : SB_SESSION_HELD_MAX;
	block = malloc(d->kept_n);
	assert_non_null(block);
	memcpy(block, held.p, held.n);
	free(d->kept);
	d->kept = block;
	sb_session_moved(&d->s, block);
}

static inline void drive_read(struct drive *d, const uint8_t *p, size_t n)
{
	if (n > d->out_cap - d->out_n) {
		d->out_cap = 2 * (d->out_cap + n);
		d->out = realloc(d->out, d->out_cap);
		assert_non_null(d->out);
	}
	memcpy(d->out + d->out_n, p, n);
	d->out_n += n;
	d->room -= n;
}

/* ---- ops ---- */

static inline void drive_check(struct drive *d)
{
	const struct sb_session *s = &d->s;

	if (d->why == SB_WHY_NONE)
		d->why = s->reason;
	assert_int_equal(s->reason, d->why);
	assert_int_equal(s->leg.out, d->out_n);
	assert_true(s->leg.whole <= s->leg.n);
	assert_true(!d->is_gated || s->state == SB_STATE_CLOSED || s->pace->gate == SB_PACE_ASKED);
	if (sb_steps_are_on(s))
		return;
	if (s->plan->service->ops->route == SB_ROUTE_BACK)
		assert_int_equal(s->leg.in, d->out_n - d->pace.base + d->lines_n + s->leg.n + s->dropped);
	if (s->plan->service->ops->is_source)
		assert_int_equal(s->leg.in, s->dropped + d->lines_n);
}

static inline void drive_event(struct drive *d, const struct sb_done *done)
{
	sb_session_event(&d->s, done, d->now);
	drive_check(d);
}

/* A SEND: taken in part or whole at once, or later when there is room. */
static inline void drive_send(struct drive *d, const struct sb_op *op)
{
	size_t n = op->want_max < d->room ? op->want_max : (size_t)d->room;
	struct sb_done done = {.kind = SB_OP_SEND};
	uint8_t *bytes;

	assert_false(d->is_sending || d->is_gated);
	assert_true(op->want_max > 0 && d->fins == 0);
	d->is_sending = true;
	if (n == 0)
		return;
	n = drive_size(d, n, d->take);
	bytes = malloc(op->want_max);
	assert_non_null(bytes);
	if (op->flags & SB_OP_FILL) {
		/* More than is taken, as a loop would, but not 64 KiB for each byte. */
		sb_session_fill(&d->s, bytes, n + 100 < op->want_max ? n + 100 : op->want_max);
	} else {
		assert_int_equal(op->iov_n, 1);
		assert_int_equal(op->iov[0].n, op->want_max);
		memcpy(bytes, op->iov[0].p, op->want_max);
	}
	drive_read(d, bytes, n);
	free(bytes);
	done.res = (int32_t)n;
	d->is_sending = false;
	drive_event(d, &done);
}

static inline void drive_recv(struct drive *d, const struct sb_op *op)
{
	const struct sb_session *s = &d->s;

	assert_false(d->is_receiving);
	d->is_watching = false;
	assert_true(op->want_max > 0 && op->want_max <= d->plan.recv_max);
	assert_true(s->leg.n + op->want_max <= SB_SESSION_HELD_MAX);
	assert_true(s->leg.whole == 0 || s->plan->cuts.join);
	assert_true(!d->is_sending || sb_session_service(s)->is_source);
	d->is_receiving = true;
	d->want = op->want_max;
}

/* After CLOSE nothing matters any more. */
static inline void drive_is_dead(struct drive *d)
{
	struct sb_session before = d->s;
	uint8_t byte[1] = {'x'};
	struct sb_done done = {.kind = SB_OP_RECV, .res = 1, .data = byte, .flags = SB_DONE_BUF};
	struct sb_op op;

	assert_int_equal(d->closed, 1);
	assert_int_not_equal(d->s.reason, SB_WHY_NONE);
	assert_int_equal(d->s.state, SB_STATE_CLOSED);
	sb_session_event(&d->s, &done, d->now);
	done.res = 0;
	sb_session_event(&d->s, &done, d->now);
	done.res = -ECONNRESET;
	sb_session_event(&d->s, &done, d->now);
	done.kind = SB_OP_SEND;
	sb_session_event(&d->s, &done, d->now);
	sb_session_tick(&d->s, SB_NEVER - 1);
	sb_session_finish(&d->s, SB_WHY_STOP, d->now);
	sb_session_kill(&d->s, SB_WHY_KILLED, SB_CLOSE_PLAIN);
	assert_int_equal(sb_session_next(&d->s, &op), 0);
	assert_int_equal(sb_session_deadline(&d->s), SB_NEVER);
	assert_memory_equal(&d->s, &before, sizeof(before));
}

static inline void drive_close(struct drive *d, const struct sb_op *op)
{
	d->closed++;
	drive_note(d, op->arg == SB_CLOSE_RESET ? 'X' : 'C');
	drive_check(d);
	drive_is_dead(d);
}

/* STEP and SETOPT complete at once. */
static inline void drive_step(struct drive *d, const struct sb_op *op)
{
	struct sb_done done = {.kind = op->kind, .res = op->kind == SB_OP_SETOPT ? d->opt_res : 0};

	drive_note(d, op->kind == SB_OP_STEP ? 'T' : 'O');
	assert_false(d->is_sending || d->is_gated);
	assert_true(sb_steps_are_on(&d->s));
	if (op->kind == SB_OP_STEP)
		assert_in_range(op->arg, 0, d->s.plan->steps_n);
	else
		assert_int_equal(op->iov_n, 2);
	drive_event(d, &done);
}

static inline void drive_run(struct drive *d)
{
	struct sb_op op;

	while (d->closed == 0 && sb_session_next(&d->s, &op)) {
		assert_int_equal(op.leg, 0);
		if (op.kind == SB_OP_SEND) {
			drive_note(d, 'S');
			drive_send(d, &op);
		} else if (op.kind == SB_OP_RECV) {
			drive_note(d, 'R');
			drive_recv(d, &op);
		} else if (op.kind == SB_OP_SHUT) {
			drive_note(d, 'F');
			assert_int_equal(d->fins++, 0);
			assert_false(d->is_sending);
		} else if (op.kind == SB_OP_STEP || op.kind == SB_OP_SETOPT) {
			drive_step(d, &op);
		} else if (op.kind == SB_OP_LINE) {
			drive_note(d, 'L');
			assert_int_equal(op.iov_n, 1);
			assert_in_range(op.iov[0].n, 1, SB_DOOR_LINE_MAX);
			memcpy(d->said, op.iov[0].p, op.iov[0].n);
			d->said[op.iov[0].n] = '\0';
		} else if (op.kind == SB_OP_WATCH) {
			assert_false(d->is_receiving || d->is_sending || d->is_watching);
			d->is_watching = true;
		} else if (op.kind == SB_OP_GATE) {
			drive_note(d, 'G');
			assert_false(d->is_gated || d->is_sending);
			if (!d->s.pace->is_asked)
				assert_int_equal(op.arg, d->s.plan->cuts.gate == SB_GATE_NONE ? SB_GATE_BEST
											      : d->s.plan->cuts.gate);
			d->is_gated = true;
			d->gates++;
		} else {
			assert_int_equal(op.kind, SB_OP_CLOSE);
			drive_close(d, &op);
		}
	}
	drive_check(d);
	if (d->closed == 0)
		drive_keep(d);
}

static inline void drive_open(struct drive *d)
{
	sb_session_open(&d->s, &d->plan, d->plan.is_paced ? &d->pace : NULL, d->now);
	drive_run(d);
}

/* ---- the peer ---- */

/* One completion of the RECV that is outstanding: n bytes, in a buffer of exactly that size and its headroom. */
static inline void drive_give(struct drive *d, const uint8_t *p, size_t n)
{
	uint8_t *lent = malloc(d->headroom + n + 1);
	struct sb_done done = {.kind = SB_OP_RECV, .res = (int32_t)n, .headroom = (uint32_t)d->headroom};

	assert_non_null(lent);
	assert_true(d->is_receiving && n <= d->want);
	memset(lent, 0xdd, d->headroom + n + 1);
	done.data = lent + d->headroom;
	done.flags = n ? SB_DONE_BUF : 0;
	memcpy(done.data, p, n);
	d->is_receiving = false;
	drive_event(d, &done);
	drive_run(d);
	free(lent);
}

static inline void drive_fail(struct drive *d, int err)
{
	struct sb_done done = {.kind = d->is_receiving ? SB_OP_RECV : SB_OP_SEND, .res = err};

	if (d->is_receiving)
		d->is_receiving = false;
	else
		d->is_sending = false;
	drive_event(d, &done);
	drive_run(d);
}

/* It waits for time or a gate alone, and its peer resets. */
static inline void drive_gone(struct drive *d)
{
	struct sb_done done = {.kind = SB_OP_WATCH, .res = -ECONNRESET};

	assert_true(d->is_watching);
	d->is_watching = false;
	drive_event(d, &done);
	drive_run(d);
}

/* There is room again: the SEND completes with 0, and the session asks anew. */
static inline void drive_wake(struct drive *d)
{
	struct sb_done done = {.kind = SB_OP_SEND};

	assert_true(d->is_sending);
	d->is_sending = false;
	drive_event(d, &done);
	drive_run(d);
}

/* The peer has read, or (< 0) it cannot be told. */
static inline void drive_gate(struct drive *d, int res)
{
	struct sb_done done = {.kind = SB_OP_GATE, .res = res};

	assert_true(d->is_gated);
	d->is_gated = false;
	drive_event(d, &done);
	drive_run(d);
}

/* Everything that can happen now without the clock. */
static inline void drive_pump(struct drive *d)
{
	while (d->closed == 0) {
		size_t left = d->in_n - d->in_at, n;

		if (d->is_gated && !d->holds_gate) {
			drive_gate(d, SB_GATE_READ);
		} else if (d->is_sending && d->room) {
			drive_wake(d);
		} else if (d->is_receiving && left) {
			n = drive_size(d, left < d->want ? left : d->want, d->bite);
			d->in_at += n;
			drive_give(d, d->in + d->in_at - n, n);
		} else if (d->is_receiving && d->is_fin) {
			drive_give(d, (const uint8_t *)"", 0);
		} else {
			return;
		}
	}
}

/* The peer sends these bytes (they must stay), everything runs. What it sent before has been taken. */
static inline void drive_feed(struct drive *d, struct sb_slice bytes)
{
	assert_int_equal(d->in_at, d->in_n);
	d->in = bytes.p;
	d->in_n = bytes.n;
	d->in_at = 0;
	drive_pump(d);
}

static inline void drive_text(struct drive *d, const char *text)
{
	drive_feed(d, sb_slice_cstr(text));
}

static inline void drive_fin(struct drive *d)
{
	d->is_fin = true;
	drive_pump(d);
}

/* ---- the clock ---- */

/* Time goes on to at; whatever is due on the way is woken at its time. */
static inline void drive_to(struct drive *d, uint64_t at)
{
	while (sb_session_deadline(&d->s) <= at) {
		uint64_t due = sb_session_deadline(&d->s);

		d->now = due > d->now ? due : d->now;
		sb_session_tick(&d->s, d->now);
		drive_run(d);
		drive_pump(d);
		if (d->closed == 0)
			assert_true(sb_session_deadline(&d->s) > d->now);
	}
	assert_true(at >= d->now);
	d->now = at;
}

/* Time jumps: one tick, as after a suspend. */
static inline void drive_jump(struct drive *d, uint64_t by)
{
	d->now += by;
	sb_session_tick(&d->s, d->now);
	drive_run(d);
	drive_pump(d);
}

/* ---- what is expected ---- */

static inline void drive_expect(const struct drive *d, const char *ops, enum sb_reason why)
{
	assert_string_equal(d->ops, ops);
	assert_string_equal(sb_reasons[d->s.reason].name, sb_reasons[why].name);
}

static inline void drive_expect_out(const struct drive *d, struct sb_slice want)
{
	assert_int_equal(d->out_n, want.n);
	if (want.n)
		assert_memory_equal(d->out, want.p, want.n);
}

/* It must have ended. */
static inline void drive_end(struct drive *d)
{
	assert_int_equal(d->closed, 1);
	free(d->kept);
	free(d->out);
}

#endif
