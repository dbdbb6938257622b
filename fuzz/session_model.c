/* SPDX-License-Identifier: MIT
 * The rules of a session. See session_model.h. */
#include "session_model_in.h"

#include <errno.h>

#include "found.h"

/* delay= counts from when there is something to send where there was nothing. */
static void reply_comes(struct session_model *m, uint64_t now)
{
	if (m->plan->shape.delay == 0)
		return;
	m->reply_from = now + m->plan->shape.delay;
	if (m->gate == MODEL_OPEN && m->wait_until < m->reply_from)
		m->wait_until = m->reply_from;
}

void model_open(struct session_model *m, const struct plan_model *plan, const uint64_t *limit, uint8_t *stream,
		uint8_t *is_end, uint64_t now)
{
	*m = (struct session_model){.plan = plan, .limit = limit, .stream = stream, .is_end = is_end};
	m->opened = m->last_byte = m->first_from = m->send_from = m->frame_from = now;
	m->stopped = SB_NEVER;
	m->pause_end = SB_NEVER;
	m->stop_ns = plan->stop_ns;
	m->stop_at = plan->stop_at;
	if (plan->stop_ns > 0 && plan->stop_at == 0)
		m->pause_end = now + plan->stop_ns;
	if (plan->service == PLAN_SCRIPT)
		m->steps.phase = STEPS_NEXT;
	if (plan_is_source(plan))
		reply_comes(m, now);
}

/* ---- what there is ---- */

/* Bytes of whole messages that are to go back and have not gone. */
static uint64_t owed(const struct session_model *m)
{
	return m->plan->service == PLAN_ECHO && !model_in_steps(m) ? m->whole - m->out : 0;
}

/* Bytes that a source has still to send. It stops where it is when its time has ended. */
static uint64_t source_left(const struct session_model *m)
{
	uint64_t size;

	if (!model_makes(m) || m->phase != MODEL_RUN)
		return 0;
	if (model_in_steps(m))
		return steps_left(m);
	size = plan_model_size(m->plan);
	if (size > m->limit[SB_LIMIT_BYTES])
		size = m->limit[SB_LIMIT_BYTES];
	return size - m->out;
}

struct sb_slice model_held(const struct session_model *m)
{
	uint64_t from = m->plan->service == PLAN_ECHO && !model_in_steps(m) ? m->out : m->whole;

	return sb_slice(m->stream + from, m->heard - from);
}

/* ---- pieces ---- */

/* No more can come to what waits for more: the service has ended, or there is no place. */
static bool is_last(const struct session_model *m)
{
	return m->phase != MODEL_RUN || model_held(m).n >= SB_SESSION_HELD_MAX;
}

static bool is_framed(const struct session_model *m)
{
	return m->plan->ref != &ref_raw;
}

/* Where the unit of a source that holds the next byte ends. */
static uint64_t source_unit(struct session_model *m)
{
	uint64_t join = m->plan->shape.join, size = join;

	if (is_framed(m))
		size = m->plan->period * (join ? join : 1);
	m->unit = size ? m->out / size * size : 0;
	return size ? m->unit + size : UINT64_MAX;
}

/* The same of an echo; 0: that is not known yet. */
static uint64_t echo_unit(const struct session_model *m)
{
	uint64_t join = m->plan->shape.join, most = join ? join : 1, n = 0;

	if (!is_framed(m))
		return join ? m->unit + join : UINT64_MAX;
	for (uint64_t at = m->unit + 1; at <= m->whole; at++) {
		n += m->is_end[at - 1];
		if (n == most)
			return at;
	}
	return is_last(m) ? m->whole : 0;
}

/* Whether what is there is still short of the unit that is to leave in one. */
static bool is_joining(const struct session_model *m)
{
	uint64_t end;

	if (!m->plan->shape.join || m->plan->service != PLAN_ECHO || owed(m) == 0 || is_last(m))
		return false;
	end = echo_unit(m);
	return end == 0 || end > m->whole;
}

/* limit= is the service's; steps that follow it have none. */
static uint64_t limit_of(const struct session_model *m)
{
	return model_in_steps(m) && m->plan->service != PLAN_SCRIPT ? UINT64_MAX : m->plan->limit;
}

/* How many of so many bytes go in one SEND: none of them lies behind a planned boundary. */
static uint64_t piece(struct session_model *m, uint64_t left)
{
	uint64_t end, most = limit_of(m) - m->out;

	most = left < most ? left : most;
	most = model_makes(m) && most > 65536 ? 65536 : most;
	m->next = 0;
	if (!m->plan->shape.is_any)
		return most;
	end = model_in_steps(m) ? steps_unit(m, is_framed(m)) : model_makes(m) ? source_unit(m) : echo_unit(m);
	for (uint64_t at = m->out + 1; at <= m->out + most; at++)
		if (at == end || at == limit_of(m) || plan_model_cuts(m->plan, m->unit, at)) {
			m->next = at;
			m->is_unit_end = at == end;
			return at - m->out;
		}
	return most;
}

static void open_gate(struct session_model *m, uint64_t now)
{
	uint64_t at = now + (m->is_proving ? 0 : m->plan->shape.gap);

	m->gate = MODEL_OPEN;
	m->is_proving = false;
	steps_opened(m);
	/* It has read: that is as good as a byte. */
	model_excuse(m, now);
	at = at > m->reply_from ? at : m->reply_from;
	m->wait_until = at > now ? at : 0;
	if (m->phase == MODEL_FINISH)
		m->finished = now;
}

static void close_gate(struct session_model *m, uint64_t now)
{
	if (m->plan->shape.gate == SB_GATE_TIME) {
		open_gate(m, now);
		return;
	}
	m->gate = MODEL_CLOSING;
	m->gate_until = now + m->plan->shape.gate_max;
}

/* ---- endings ---- */

/* The unfinished message will never be whole. */
static void forget_unfinished(struct session_model *m)
{
	m->dropped += m->heard - m->whole;
	m->heard = m->whole;
}

void model_finish(struct session_model *m, enum sb_reason why, uint64_t now)
{
	/* Told to stop, it must be over by then, whatever it was at. */
	if (why == SB_WHY_STOP && m->phase != MODEL_CLOSED && m->stopped == SB_NEVER)
		m->stopped = now;
	if (m->phase != MODEL_RUN || steps_take_over(m, why))
		return;
	m->phase = MODEL_FINISH;
	m->reason = why;
	m->finished = now;
	forget_unfinished(m);
}

void model_kill(struct session_model *m, enum sb_reason why, enum sb_close_how how)
{
	if (m->phase == MODEL_CLOSED)
		return;
	if (m->reason == SB_WHY_NONE)
		m->reason = why;
	m->is_killed = true;
	m->how = how;
}

static void lost(struct session_model *m, int err)
{
	if (m->phase == MODEL_CLOSED)
		return;
	if (m->phase == MODEL_RUN)
		m->err = err;
	model_kill(m, err == -EPIPE || err == -ECONNRESET ? SB_WHY_RESET : SB_WHY_IO, SB_CLOSE_PLAIN);
}

enum sb_reason model_reason_of(int err)
{
	return err == SB_E_TOO_LARGE       ? SB_WHY_TOO_LARGE
	       : err == SB_E_OVERLONG      ? SB_WHY_OVERLONG
	       : err == SB_E_BAD_DELIMITER ? SB_WHY_BAD_DELIMITER
	       : err == SB_E_BAD_LENGTH    ? SB_WHY_BAD_LENGTH
					   : SB_WHY_TRUNCATED;
}

/* Whatever has not gone stays. */
static void forget_replies(struct session_model *m)
{
	if (m->plan->service != PLAN_ECHO || model_in_steps(m))
		return;
	m->dropped += m->whole - m->out;
	/* What is no reply yet is for steps to read. */
	if (m->phase == MODEL_RUN)
		return;
	m->dropped += m->heard - m->whole;
	m->heard = m->whole = m->out;
}

void model_check_pieces(struct session_model *m, uint64_t now)
{
	uint64_t most = m->limit[SB_LIMIT_PIECES];

	if (most == 0 || m->pieces < most || m->is_killed || (model_makes(m) ? source_left(m) : owed(m)) == 0)
		return;
	model_finish(m, SB_WHY_PIECES, now);
	forget_replies(m);
}

/* ---- bytes that come ---- */

static void decode(struct session_model *m, uint64_t now)
{
	while (m->whole < m->heard) {
		struct ref_answer a = ref_decode(m->plan->ref, &m->plan->args, m->whole, m->stream + m->whole,
						 (size_t)(m->heard - m->whole));

		if (a.err) {
			m->broken = a.err;
			m->broken_at = m->whole + a.err_at;
			model_finish(m, model_reason_of(a.err), now);
			return;
		}
		if (a.wire == 0)
			return;
		/* Something to send, or the beginning of the next one: both begin now. */
		m->whole += a.wire;
		m->is_end[m->whole - 1] = 1;
		m->frames++;
		m->frame_from = m->send_from = now;
	}
}

void model_bytes(struct session_model *m, const uint8_t *p, size_t n, bool is_last, uint64_t now)
{
	bool was_empty = owed(m) == 0;

	if (m->phase == MODEL_CLOSED)
		return;
	m->is_reading = !is_last;
	m->in += n;
	m->last_byte = now;
	if (m->stop_ns > 0 && m->pause_end == SB_NEVER && m->in >= m->stop_at)
		m->pause_end = now + m->stop_ns;
	if ((plan_is_source(m->plan) && !model_in_steps(m)) || m->phase != MODEL_RUN) {
		m->dropped += n;
		if (m->phase == MODEL_DRAIN && !model_is_lingering(m) && m->limit[SB_LIMIT_DRAIN_BYTES] > 0 &&
		    m->in - m->fin_in > m->limit[SB_LIMIT_DRAIN_BYTES])
			model_kill(m, SB_WHY_NONE, SB_CLOSE_RESET);
		return;
	}
	if (m->heard + n > MODEL_STREAM_MAX)
		sb_found("session: has listened to %llu bytes, more than were sent", (unsigned long long)m->heard + n);
	if (m->heard == m->whole && !model_in_steps(m))
		m->frame_from = now;
	/* Who has an answer to read and sends, is doing something. */
	if (m->heard == m->whole && m->answered < m->answer)
		m->send_from = now;
	memcpy(m->stream + m->heard, p, n);
	memset(m->is_end + m->heard, 0, n);
	m->heard += n;
	if (model_in_steps(m)) {
		steps_heard(m, m->heard - n == m->whole, now);
		return;
	}
	decode(m, now);
	if (was_empty && owed(m) > 0)
		reply_comes(m, now);
	model_check_pieces(m, now);
}

void model_eof(struct session_model *m, uint64_t now)
{
	if (m->phase == MODEL_CLOSED)
		return;
	m->is_reading = false;
	m->is_eof = true;
	if ((plan_is_source(m->plan) && !model_in_steps(m)) || m->phase != MODEL_RUN)
		return;
	if (model_in_steps(m)) {
		steps_heard_end(m, now);
		return;
	}
	if (m->heard > m->whole) {
		m->broken = SB_E_TRUNCATED;
		m->broken_at = m->heard;
	}
	model_finish(m, m->heard > m->whole ? SB_WHY_TRUNCATED : SB_WHY_EOF, now);
}

void model_gone(struct session_model *m, int err)
{
	m->is_watching = false;
	lost(m, err);
}

void model_recv_failed(struct session_model *m, int err)
{
	m->is_reading = false;
	if (err != -ECANCELED)
		lost(m, err);
}

/* ---- bytes that go ---- */

/* Up to a boundary: it is proved before anything else is sent. */
static void reach(struct session_model *m, uint64_t now)
{
	if (m->is_unit_end)
		m->unit = m->out;
	m->pieces++;
	close_gate(m, now);
}

/* Enough for the line, or for us: of limit= nothing may be left, of pieces there would have to be another. */
static void check_enough(struct session_model *m, uint64_t now)
{
	if (m->out == limit_of(m)) {
		model_finish(m, SB_WHY_LIMIT, now);
		forget_replies(m);
	}
	model_check_pieces(m, now);
}

void model_sent(struct session_model *m, uint64_t n, uint64_t now)
{
	bool is_answer = m->answered < m->answer;

	m->is_sending = false;
	if (n == 0 || m->phase == MODEL_CLOSED)
		return;
	m->last_byte = now;
	*(is_answer ? &m->answered : &m->out) += n;
	if (n == m->asked) {
		/* Nobody was listening meanwhile, so an unfinished message is not late. */
		m->send_from = m->frame_from = m->first_from = now;
		m->send_out = m->out + m->answered;
	}
	if (is_answer) {
		if (m->answered == m->answer && m->phase == MODEL_RUN)
			close_gate(m, now);
		return;
	}
	if (model_in_steps(m))
		steps_sent(m, n, now);
	else if (plan_is_source(m->plan) && m->phase == MODEL_RUN && source_left(m) == 0)
		model_finish(m, m->out == plan_model_size(m->plan) ? SB_WHY_DONE : SB_WHY_BYTES, now);
	if (m->out == m->next)
		reach(m, now);
	check_enough(m, now);
}

void model_send_failed(struct session_model *m, int err)
{
	m->is_sending = false;
	lost(m, err);
}

/* ---- what it must ask for ---- */

static struct model_op next_send(struct session_model *m)
{
	struct model_op op = {.kind = SB_OP_SEND};
	uint64_t flip = m->plan->flip;

	if (m->answered < m->answer) {
		op.n = m->answer - m->answered;
	} else {
		op.is_fill = model_makes(m);
		op.n = piece(m, op.is_fill ? source_left(m) : owed(m));
		if (!op.is_fill && !m->is_flipped && flip >= m->out && flip - m->out < op.n) {
			m->stream[flip] ^= 1;
			m->is_flipped = true;
		}
	}
	m->is_sending = true;
	m->asked = op.n;
	return op;
}

static struct model_op next_recv(struct session_model *m)
{
	struct model_op op = {.kind = SB_OP_RECV, .n = m->plan->recv_max};
	uint64_t room = 65536 + 96 - model_held(m).n;

	if (op.n > room)
		op.n = room;
	if (m->phase == MODEL_RUN && m->stop_ns > 0 && m->in < m->stop_at && op.n > m->stop_at - m->in)
		op.n = m->stop_at - m->in;
	m->is_reading = true;
	m->is_watching = false;
	return op;
}

static struct model_op next_close(struct session_model *m, enum sb_close_how how)
{
	forget_unfinished(m);
	m->phase = MODEL_CLOSED;
	m->how = how;
	return (struct model_op){.kind = SB_OP_CLOSE, .how = how};
}

static bool wants_recv(const struct session_model *m, bool has_answer)
{
	if (m->is_reading || m->is_eof)
		return false;
	if (m->phase != MODEL_RUN || has_answer || model_is_paused(m))
		return m->phase == MODEL_DRAIN;
	return model_in_steps(m) ? steps_listen(m) : owed(m) == 0 || is_joining(m);
}

struct model_op model_next(struct session_model *m)
{
	struct model_op op;
	bool has_answer = m->answered < m->answer, is_all_sent;
	uint64_t left;

	steps_settle(m);
	left = owed(m) + source_left(m);
	is_all_sent = !m->is_sending && owed(m) == 0 && !has_answer && !model_is_waiting(m);

	if (m->phase == MODEL_CLOSED)
		return (struct model_op){.kind = SB_OP_NONE};
	if (m->is_killed)
		return next_close(m, m->how);
	if (m->phase == MODEL_DRAIN && m->is_eof)
		return next_close(m, SB_CLOSE_PLAIN);
	if (m->gate == MODEL_CLOSING) {
		m->gate = MODEL_SHUT;
		/* An answer has one where nothing is cut as well. */
		return (struct model_op){.kind = SB_OP_GATE,
					 .tier = m->is_proving           ? m->tier
						 : m->plan->shape.is_any ? m->plan->shape.gate
									 : SB_GATE_BEST};
	}
	if (m->phase == MODEL_FINISH && is_all_sent &&
	    (m->is_eof || m->plan->close == PLAN_RST || m->plan->close == PLAN_ABRUPT))
		return next_close(m, m->plan->close == PLAN_RST ? SB_CLOSE_RESET : SB_CLOSE_PLAIN);
	if (m->phase == MODEL_FINISH && is_all_sent) {
		m->phase = MODEL_DRAIN;
		m->fin_in = m->in;
		if (m->plan->close != PLAN_STALL && !m->is_shut)
			return (struct model_op){.kind = SB_OP_SHUT};
	}
	/* An answer waits for nothing, and until it has gone nothing is read. */
	if (!m->is_sending && (has_answer || (!model_is_waiting(m) && left > 0 && !is_joining(m))))
		return next_send(m);
	if (model_in_steps(m) && m->phase == MODEL_RUN && !m->is_sending && !model_is_waiting(m) && !has_answer) {
		op = steps_next(m);
		if (op.kind != SB_OP_NONE)
			return op;
	}
	if (wants_recv(m, has_answer))
		return next_recv(m);
	if (m->has_pace && !m->is_watching && !m->is_reading && !m->is_sending &&
	    !(m->phase == MODEL_RUN && model_is_paused(m))) {
		m->is_watching = true;
		return (struct model_op){.kind = SB_OP_WATCH};
	}
	return (struct model_op){.kind = SB_OP_NONE};
}

void model_gate_done(struct session_model *m, int res, uint64_t now)
{
	if (m->phase == MODEL_CLOSED)
		return;
	if (res >= 0) {
		open_gate(m, now);
		return;
	}
	m->err = res;
	model_kill(m, SB_WHY_GATE, SB_CLOSE_RESET);
}
