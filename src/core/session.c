/* SPDX-License-Identifier: MIT
 * A session. Read session.h first; here is, in order: endings, bytes that come, bytes that go. Time is
 * session_time.c. */
#include "core/session.h"

#include <assert.h>
#include <errno.h>

#include "core/session_across.h"
#include "core/session_door.h"
#include "core/session_time.h"

enum { BATCH = 64 }; /* frames a scan finds at a time */

const struct sb_reason_row sb_reasons[SB_WHY_COUNT] = {
#define SB_REASON(id, name, text, change) {name, text, change},
#include "core/reasons.def"
#undef SB_REASON
};

static void check(const struct sb_session *s)
{
	assert(s->leg.sending <= s->leg.whole || sb_session_service(s)->is_source || sb_pace_is_speaking(s));
	assert(s->leg.whole <= s->leg.n);
}

void sb_session_begin(struct sb_session *s, struct sb_pace *pace, uint64_t now)
{
	s->pace = pace;
	if (pace)
		sb_pace_open(s, now);
	if (s->plan->stop_ns && s->plan->stop_at == 0)
		s->read_from = now + s->plan->stop_ns;
}

void sb_session_open(struct sb_session *s, const struct sb_plan *plan, struct sb_pace *pace, uint64_t now)
{
	*s = (struct sb_session){.plan = plan, .opened = now, .active = now, .since = now, .read_from = SB_NEVER};
	s->door = plan->is_door ? SB_DOOR_MARKED : SB_DOOR_NONE;
	sb_session_begin(s, pace, now);
}

/* ---- endings ---- */

void sb_session_drop(struct sb_session *s, uint32_t n)
{
	s->dropped = n > UINT32_MAX - s->dropped ? UINT32_MAX : s->dropped + n;
}

/* What is left of the frame in progress will never be whole. */
static void drop_partial(struct sb_session *s)
{
	sb_session_drop(s, s->leg.n - s->leg.whole);
	s->leg.n = s->leg.whole;
}

void sb_session_finish(struct sb_session *s, enum sb_reason why, uint64_t now)
{
	if (s->is_closing || s->state == SB_STATE_CLOSED)
		return;
	if (s->dial != SB_DIAL_NONE) {
		sb_session_kill(s, why, SB_CLOSE_RESET);
		return;
	}
	if (s->state == SB_STATE_RUN && sb_steps_take_over(s, (uint8_t)why))
		return;
	if (s->state == SB_STATE_RUN) {
		s->state = SB_STATE_FINISH;
		s->reason = (uint8_t)why;
		s->since = now;
		s->told = SB_NEVER;
		drop_partial(s);
	}
	/* What has ended before, and still drains, has no longer than the others. */
	if (why == SB_WHY_STOP && s->told == SB_NEVER)
		s->told = now;
}

void sb_session_kill(struct sb_session *s, enum sb_reason why, enum sb_close_how how)
{
	if (s->state == SB_STATE_CLOSED)
		return;
	if (s->reason == SB_WHY_NONE)
		s->reason = (uint8_t)why;
	s->is_closing = true;
	s->how = how == SB_CLOSE_RESET;
}

/* The kernel says the connection is gone: nothing more can be sent, so there is nothing to finish. What was reset is
 * passed on as a reset. */
static void broken(struct sb_session *s, int err)
{
	if (s->state == SB_STATE_RUN)
		s->err = err;
	sb_session_kill(s, err == -ECONNRESET || err == -EPIPE ? SB_WHY_RESET : SB_WHY_IO,
			s->across ? SB_CLOSE_RESET : SB_CLOSE_PLAIN);
}

/* ---- bytes that come ---- */

enum sb_reason sb_session_reason_of(int err)
{
	switch (err) {
	case SB_E_TRUNCATED:
		return SB_WHY_TRUNCATED;
	case SB_E_TOO_LARGE:
		return SB_WHY_TOO_LARGE;
	case SB_E_OVERLONG:
		return SB_WHY_OVERLONG;
	case SB_E_BAD_DELIMITER:
		return SB_WHY_BAD_DELIMITER;
	default:
		return SB_WHY_BAD_LENGTH;
	}
}

/* Makes the kept tail and what has just come one window. A short tail goes in front of the new bytes, into
 * their buffer's headroom; a long one has its own buffer with room behind it, and the new bytes go there:
 * copying it each time would cost a large frame that comes in small pieces its square. */
static void join(struct sb_leg *leg, const struct sb_done *done)
{
	uint32_t n = (uint32_t)done->res;

	if (leg->n == 0) {
		leg->p = done->data;
	} else if (leg->n <= done->headroom) {
		memcpy(done->data - leg->n, leg->p, leg->n);
		leg->p = done->data - leg->n;
	} else {
		memcpy(leg->p + leg->n, done->data, n);
	}
	leg->n += n;
}

/* Complete frames leave the window at once, or stay in it until they are sent. */
static void route(struct sb_session *s, uint32_t wire)
{
	struct sb_leg *leg = &s->leg;

	if (sb_session_service(s)->route != SB_ROUTE_NONE) {
		leg->whole += wire;
		return;
	}
	leg->p += wire;
	leg->n -= wire;
}

void sb_session_count_frames(struct sb_session *s, uint32_t n)
{
	s->frames = n > UINT32_MAX - s->frames ? UINT32_MAX : s->frames + n;
}

/* Finds what is complete now. is_new: the frame in progress began with the bytes that have just come. */
static void take(struct sb_session *s, bool is_new, uint64_t now)
{
	struct sb_frame frames[BATCH];
	struct sb_leg *leg = &s->leg;
	int found;

	do {
		uint32_t wire = 0;

		found = sb_framing_scan(&s->plan->framing, &leg->scan, leg->p + leg->whole, leg->n - leg->whole, frames,
					BATCH);
		for (int i = 0; i < found; i++)
			wire += frames[i].wire;
		if (found > 0) {
			sb_session_count_frames(s, (uint32_t)found);
			route(s, wire);
			is_new = true;
		}
	} while (found > 0 && leg->n > leg->whole);
	if (is_new)
		s->since = now;
	if (found < 0)
		sb_session_finish(s, sb_session_reason_of(found), now);
}

/* A source answers nothing; after the service has ended there is nobody to answer. */
static bool is_deaf(const struct sb_session *s)
{
	return s->state != SB_STATE_RUN || (sb_session_service(s)->is_source && !sb_session_service(s)->is_script);
}

/* The window has grown at its end. */
void sb_session_take_in(struct sb_session *s, bool is_new, uint64_t now)
{
	bool is_empty = s->leg.whole == 0;

	if (is_deaf(s)) {
		drop_partial(s);
		return;
	}
	if (sb_session_service(s)->is_script) {
		sb_steps_came(s, is_new, now);
		return;
	}
	take(s, is_new, now);
	if (s->pace && is_empty && s->leg.whole > 0)
		sb_pace_came(s, now);
}

/* stopread= of the line, or of the last step that said so. */
static uint64_t stop_ns(const struct sb_session *s)
{
	return s->pace && s->pace->steps.stop_ns ? s->pace->steps.stop_ns : s->plan->stop_ns;
}

static uint64_t stop_at(const struct sb_session *s)
{
	return s->pace && s->pace->steps.stop_ns ? s->pace->steps.stop_at : s->plan->stop_at;
}

static void on_bytes(struct sb_session *s, const struct sb_done *done, uint64_t now)
{
	struct sb_leg *leg = &s->leg;
	bool is_new;

	leg->in += (uint64_t)done->res;
	s->active = now;
	if (s->state == SB_STATE_RUN && stop_ns(s) && s->read_from == SB_NEVER && leg->in >= stop_at(s))
		s->read_from = now + stop_ns(s);
	if (is_deaf(s)) {
		uint64_t most = sb_session_limit(s, SB_LIMIT_DRAIN_BYTES);

		sb_session_drop(s, (uint32_t)done->res);
		if (s->state == SB_STATE_DRAIN && most > 0 && leg->in - s->mark > most && !sb_session_is_lingering(s))
			sb_session_kill(s, SB_WHY_NONE, SB_CLOSE_RESET);
		return;
	}
	is_new = leg->n == leg->whole;
	join(leg, done);
	if (s->door == SB_DOOR_NONE || !sb_session_is_at_door(s, is_new, false, now))
		sb_session_take_in(s, is_new, now);
}

void sb_session_end_in(struct sb_session *s, uint64_t now)
{
	struct sb_leg *leg = &s->leg;
	int r;

	if (is_deaf(s))
		return;
	if (sb_session_service(s)->is_script) {
		sb_steps_end_in(s, now);
		return;
	}
	r = sb_framing_end(&s->plan->framing, &leg->scan, leg->n - leg->whole);
	sb_session_finish(s, r < 0 ? sb_session_reason_of(r) : SB_WHY_EOF, now);
}

static void on_eof(struct sb_session *s, uint64_t now)
{
	s->leg.is_eof = true;
	if (s->door != SB_DOOR_NONE && s->leg.n > 0 && !is_deaf(s)) {
		if (sb_session_is_at_door(s, false, true, now))
			return;
		sb_session_take_in(s, true, now);
	}
	sb_session_end_in(s, now);
}

static void on_recv(struct sb_session *s, const struct sb_done *done, uint64_t now)
{
	if (!(done->flags & SB_DONE_MORE))
		s->leg.is_receiving = false;
	if (done->res > 0)
		on_bytes(s, done, now);
	else if (done->res == 0)
		on_eof(s, now);
	else if (done->res != -ECANCELED)
		broken(s, done->res);
}

/* ---- bytes that go ---- */

/* Bytes a source has left to send; 0 once the service has ended. */
static uint64_t source_left(const struct sb_session *s)
{
	uint64_t size, most = sb_session_limit(s, SB_LIMIT_BYTES);

	if (s->state != SB_STATE_RUN || !sb_session_service(s)->is_source)
		return 0;
	if (sb_session_service(s)->is_script)
		return sb_steps_left(s);
	size = sb_source_size(&s->plan->source);
	return (size < most ? size : most) - sb_pace_at(s);
}

/* What is behind them is a step's to read. */
static void drop_replies(struct sb_session *s)
{
	struct sb_leg *leg = &s->leg;

	if (leg->whole == 0)
		return;
	sb_session_drop(s, leg->whole);
	leg->p += leg->whole;
	leg->n -= leg->whole;
	leg->whole = 0;
}

static void on_sent(struct sb_session *s, const struct sb_done *done, uint64_t now)
{
	struct sb_leg *leg = &s->leg;
	uint32_t n = (uint32_t)done->res;

	leg->is_sending = false;
	if (done->res < 0) {
		broken(s, done->res);
		return;
	}
	assert(n <= leg->sending);
	if (n == 0)
		return;
	s->active = now;
	leg->out += n;
	if (n == leg->sending) {
		s->mark = leg->out;
		if (s->state == SB_STATE_RUN)
			s->since = now;
	}
	leg->sending = 0;
	if (sb_pace_is_speaking(s)) {
		sb_pace_said(s, n, now);
		return;
	}
	if (sb_session_service(s)->is_script) {
		sb_steps_sent(s, n, now);
	} else if (!sb_session_service(s)->is_source) {
		leg->p += n;
		leg->n -= n;
		leg->whole -= n;
	} else if (s->state == SB_STATE_RUN && source_left(s) == 0) {
		sb_session_finish(s, sb_source_size(&s->plan->source) == sb_pace_at(s) ? SB_WHY_DONE : SB_WHY_BYTES,
				  now);
	}
	if (s->pace && sb_pace_sent(s, now))
		drop_replies(s);
}

/* Bytes there are to send. */
static uint64_t owed(const struct sb_session *s)
{
	return sb_session_service(s)->is_source ? source_left(s) : s->leg.whole;
}

/* One piece more than there may be. */
static void check_pieces(struct sb_session *s, uint64_t now)
{
	if (!s->pace || !sb_pace_is_enough(s) || s->is_closing || owed(s) == 0)
		return;
	sb_session_finish(s, SB_WHY_PIECES, now);
	drop_replies(s);
}

static void on_gate(struct sb_session *s, const struct sb_done *done, uint64_t now)
{
	if (done->res >= 0) {
		sb_pace_opened(s, now);
		return;
	}
	s->err = done->res;
	sb_session_kill(s, SB_WHY_GATE, SB_CLOSE_RESET);
}

static void on_gone(struct sb_session *s, const struct sb_done *done)
{
	s->is_watching = false;
	broken(s, done->res);
}

/* That the connection is gone, its next recv says better; but that of a FORWARD's other end may have been the last. */
static void on_shut(struct sb_session *s, const struct sb_done *done)
{
	if (done->res < 0 && s->across)
		broken(s, -ECONNRESET);
}

void sb_session_event(struct sb_session *s, const struct sb_done *done, uint64_t now)
{
	if (s->state == SB_STATE_CLOSED)
		return;
	if (done->kind == SB_OP_RECV)
		on_recv(s, done, now);
	else if (done->kind == SB_OP_SEND)
		on_sent(s, done, now);
	else if (done->kind == SB_OP_GATE)
		on_gate(s, done, now);
	else if (done->kind == SB_OP_WATCH)
		on_gone(s, done);
	else if (done->kind == SB_OP_STEP)
		sb_steps_begin(s, now);
	else if (done->kind == SB_OP_SETOPT)
		sb_steps_set(s, done->res, now);
	else if (done->kind == SB_OP_SHUT)
		on_shut(s, done);
	else if (done->kind == SB_OP_CONNECT)
		sb_session_connected(s, done->res, now);
	sb_steps_settle(s);
	check_pieces(s, now);
	check(s);
}

/* Bytes that can be sent now: all there is, or a piece. */
static uint32_t to_send(struct sb_session *s)
{
	uint64_t left = owed(s);

	if (s->leg.is_sending || s->leg.is_shut)
		return 0;
	if (s->pace)
		return sb_pace_piece(s, left);
	return sb_session_service(s)->is_source && left > SB_FRAME_MAX ? SB_FRAME_MAX : (uint32_t)left;
}

/* An echo reads no further while it has something to send: that is its back-pressure. */
static bool wants_recv(const struct sb_session *s)
{
	const struct sb_leg *leg = &s->leg;

	if (leg->is_receiving || leg->is_eof)
		return false;
	if (s->state == SB_STATE_DRAIN)
		return true;
	if (s->dial != SB_DIAL_NONE)
		return false;
	if (s->door >= SB_DOOR_DUE || sb_pace_is_speaking(s))
		return false;
	if (s->state != SB_STATE_RUN || sb_session_is_paused(s))
		return false;
	return sb_session_service(s)->is_script ? sb_steps_want(s) : leg->whole == 0 || sb_pace_is_joining(s);
}

static bool is_flushed(const struct sb_session *s)
{
	return s->state == SB_STATE_FINISH && !s->leg.is_sending && s->leg.whole == 0 && !sb_pace_is_waiting(s) &&
	       !sb_pace_is_speaking(s);
}

static int say_send(struct sb_session *s, struct sb_op *op, uint32_t n)
{
	struct sb_leg *leg = &s->leg;

	*op = (struct sb_op){.kind = SB_OP_SEND, .want_max = n};
	if (s->pace && s->pace->said.n > 0) {
		op->iov[0] = s->pace->said;
	} else if (sb_session_service(s)->is_source) {
		op->flags = SB_OP_FILL;
	} else {
		/* Once, and not before it goes: the frame that it is in has been found again by then (pace.c). */
		if (s->pace && !s->pace->is_flipped)
			s->pace->is_flipped = sb_pace_flip(s, leg->p, n);
		op->iov[0] = sb_slice(leg->p, n);
	}
	op->iov_n = op->flags & SB_OP_FILL ? 0 : 1;
	leg->sending = n;
	leg->is_sending = true;
	return 1;
}

/* Bytes that a RECV may bring now. */
static uint32_t want_of(const struct sb_session *s)
{
	const struct sb_leg *leg = &s->leg;
	uint64_t want = s->plan->recv_max;

	/* What is held and what comes must fit the largest buffer: a frame in progress is smaller than that. */
	if (want > SB_SESSION_HELD_MAX - leg->n)
		want = SB_SESSION_HELD_MAX - leg->n;
	if (s->state == SB_STATE_RUN && stop_ns(s) && leg->in < stop_at(s) && want > stop_at(s) - leg->in)
		want = stop_at(s) - leg->in;
	return (uint32_t)want;
}

static int say_recv(struct sb_session *s, struct sb_op *op)
{
	*op = (struct sb_op){.kind = SB_OP_RECV, .want_max = want_of(s)};
	s->leg.is_receiving = true;
	s->is_watching = false;
	return 1;
}

uint32_t sb_session_want(const struct sb_session *s)
{
	return s->leg.is_receiving ? want_of(s) : 0;
}

/* Time, its gate or an answer is all that it waits for, and nobody would tell it that its peer has gone. But stopread
 * leaves the socket alone; and of a FORWARD there is another who wants what is still to be sent. */
static bool wants_watch(const struct sb_session *s)
{
	return s->pace && !s->is_watching && !s->across && !s->leg.is_receiving && !s->leg.is_sending &&
	       !sb_session_is_paused(s);
}

static int say_watch(struct sb_session *s, struct sb_op *op)
{
	*op = (struct sb_op){.kind = SB_OP_WATCH};
	s->is_watching = true;
	return 1;
}

static int say_close(struct sb_session *s, struct sb_op *op)
{
	drop_partial(s);
	s->state = SB_STATE_CLOSED;
	*op = (struct sb_op){.kind = SB_OP_CLOSE, .arg = s->how};
	return 1;
}

/* Everything is sent. How it goes on from here is what close= is about. */
static int say_end(struct sb_session *s, struct sb_op *op)
{
	enum sb_close_mode mode = s->plan->close;

	if (mode == SB_CLOSE_RST || mode == SB_CLOSE_ABRUPT || (s->leg.is_eof && !s->across)) {
		s->how = mode == SB_CLOSE_RST;
		return say_close(s, op);
	}
	s->state = SB_STATE_DRAIN;
	s->mark = s->leg.in;
	/* A step may have said our FIN before. */
	if (mode == SB_CLOSE_STALL || s->leg.is_shut) {
		s->leg.is_shut = true;
		return wants_recv(s) ? say_recv(s, op) : 0;
	}
	s->leg.is_shut = true;
	*op = (struct sb_op){.kind = SB_OP_SHUT};
	return 1;
}

int sb_session_next(struct sb_session *s, struct sb_op *op)
{
	uint32_t n;

	if (s->state == SB_STATE_CLOSED)
		return 0;
	if (s->across && sb_session_is_over(s))
		return say_close(s, op);
	if (s->is_closing || (sb_session_is_through(s) && !s->across))
		return say_close(s, op);
	if (s->dial == SB_DIAL_DUE)
		return sb_session_say_connect(s, op);
	if (s->pace && s->pace->gate == SB_PACE_DUE)
		return sb_pace_say_gate(s, op);
	n = to_send(s);
	if (n > 0)
		return say_send(s, op, n);
	if (s->door == SB_DOOR_DUE && !sb_pace_is_speaking(s))
		return sb_session_say_line(s, op);
	if (is_flushed(s))
		return say_end(s, op);
	if (sb_steps_are_on(s) && sb_steps_next(s, op))
		return 1;
	if (wants_recv(s))
		return say_recv(s, op);
	return wants_watch(s) ? say_watch(s, op) : 0;
}

void sb_session_fill(const struct sb_session *s, uint8_t *out, size_t n)
{
	assert(n <= s->leg.sending);
	if (sb_session_service(s)->is_script)
		sb_steps_fill(s, out, n);
	else
		sb_source_fill(&s->plan->source, sb_pace_at(s), out, n);
	if (s->plan->is_paced)
		sb_pace_flip(s, out, n);
}

void sb_session_moved(struct sb_session *s, uint8_t *p)
{
	s->leg.p = p;
}
