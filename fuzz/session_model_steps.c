/* SPDX-License-Identifier: MIT
 * The rules of steps, written from docs/lines.md: what each waits for, takes and says. See session_model.h. */
#include "session_model_in.h"

#include "found.h"

enum { AHEAD = 4096 };

static const struct plan_step *now_doing(const struct session_model *m)
{
	return &m->plan->steps.step[m->steps.at];
}

static bool is_at(const struct session_model *m, enum model_step_phase phase)
{
	return m->steps.phase == phase;
}

static void is_done(struct session_model *m)
{
	m->steps.at++;
	m->steps.phase = STEPS_NEXT;
}

/* They end in order, for the reason that the service had. */
static void end(struct session_model *m, enum sb_reason why, uint64_t now)
{
	model_finish(m, m->steps.why ? m->steps.why : why, now);
}

bool steps_take_over(struct session_model *m, enum sb_reason why)
{
	if (m->plan->steps.n == 0 || m->steps.phase != STEPS_OFF)
		return false;
	if (why != SB_WHY_EOF && why != SB_WHY_DONE && why != SB_WHY_LIMIT)
		return false;
	m->steps.phase = STEPS_LATER;
	m->steps.why = why;
	return true;
}

void steps_settle(struct session_model *m)
{
	bool owes = m->plan->service == PLAN_ECHO && m->whole > m->out && m->steps.why != SB_WHY_LIMIT;

	if (is_at(m, STEPS_LATER) && !owes && !m->is_sending)
		m->steps.phase = STEPS_NEXT;
}

struct model_op steps_next(struct session_model *m)
{
	struct model_op op = {.kind = SB_OP_NONE};

	if (is_at(m, STEPS_NEXT)) {
		m->steps.phase = STEPS_SAID;
		op.kind = SB_OP_STEP;
		op.n = m->steps.at;
	} else if (is_at(m, STEPS_HALF)) {
		m->is_shut = true;
		op.kind = SB_OP_SHUT;
		is_done(m);
	} else if (is_at(m, STEPS_SET)) {
		m->steps.phase = STEPS_SETTING;
		op.kind = SB_OP_SETOPT;
	}
	return op;
}

/* ---- saying ---- */

uint64_t steps_left(const struct session_model *m)
{
	uint64_t most = m->limit[SB_LIMIT_BYTES] - m->steps.said;

	if (!is_at(m, STEPS_SENDING))
		return 0;
	return m->steps.left < most ? m->steps.left : most;
}

uint64_t steps_unit(struct session_model *m, bool is_framed)
{
	uint64_t from = m->out - (now_doing(m)->size - m->steps.left);

	m->unit = is_framed ? from : 0;
	return is_framed ? from + now_doing(m)->size : UINT64_MAX;
}

void model_step_bytes(const struct session_model *m, uint8_t *out, size_t n)
{
	const struct plan_step *s = now_doing(m);

	if (n > m->steps.left)
		sb_found("model: %zu bytes are asked for, and there are %llu", n, (unsigned long long)m->steps.left);
	for (size_t i = 0; i < n; i++)
		out[i] = s->says[s->size - m->steps.left + i];
}

void steps_sent(struct session_model *m, uint64_t n, uint64_t now)
{
	m->steps.left -= n;
	m->steps.said += n;
	if (m->steps.said == m->limit[SB_LIMIT_BYTES])
		model_finish(m, SB_WHY_BYTES, now);
	else if (m->steps.left == 0)
		is_done(m);
}

/* ---- listening ---- */

static void take(struct session_model *m, uint64_t n)
{
	m->whole += n;
	m->steps.has_taken = m->steps.has_taken || n > 0;
}

static void read_message(struct session_model *m, uint64_t now)
{
	struct ref_answer a =
		ref_decode(m->plan->ref, &m->plan->args, m->whole, m->stream + m->whole, (size_t)(m->heard - m->whole));

	if (a.err) {
		m->broken = a.err;
		m->broken_at = m->whole + a.err_at;
		model_finish(m, model_reason_of(a.err), now);
	} else if (a.wire) {
		take(m, a.wire);
		m->frames++;
		is_done(m);
	}
}

static void read_bytes(struct session_model *m)
{
	uint64_t there = m->heard - m->whole, n = there < m->steps.left ? there : m->steps.left;

	take(m, n);
	m->steps.left -= n;
	if (m->steps.left == 0)
		is_done(m);
}

static void read_some(struct session_model *m, uint64_t now)
{
	if (m->heard == m->whole)
		return;
	if (now_doing(m)->does == PLAN_TAKES)
		read_message(m, now);
	else
		read_bytes(m);
}

static void read_nothing(struct session_model *m, uint64_t now)
{
	if (now_doing(m)->does == PLAN_TAKES && m->heard > m->whole) {
		m->broken = SB_E_TRUNCATED;
		m->broken_at = m->heard;
		model_finish(m, SB_WHY_TRUNCATED, now);
		return;
	}
	end(m, SB_WHY_EOF, now);
}

static void drop_all(struct session_model *m)
{
	m->dropped += m->heard - m->whole;
	m->whole = m->heard;
}

void steps_heard(struct session_model *m, bool is_new, uint64_t now)
{
	if (is_at(m, STEPS_HEARING))
		drop_all(m);
	if (!is_at(m, STEPS_READING))
		return;
	if (is_new && (now_doing(m)->does == PLAN_TAKES || m->steps.left == now_doing(m)->size))
		m->frame_from = now;
	read_some(m, now);
}

void steps_heard_end(struct session_model *m, uint64_t now)
{
	if (is_at(m, STEPS_READING))
		read_nothing(m, now);
	else if (is_at(m, STEPS_HEARING))
		is_done(m);
}

bool steps_listen(const struct session_model *m)
{
	return model_held(m).n < AHEAD || is_at(m, STEPS_READING) || is_at(m, STEPS_HEARING);
}

uint64_t steps_begun(const struct session_model *m)
{
	if (!is_at(m, STEPS_READING))
		return 0;
	return now_doing(m)->does == PLAN_TAKES ? m->heard - m->whole : now_doing(m)->size - m->steps.left;
}

/* ---- time, and what has been asked for ---- */

void steps_opened(struct session_model *m)
{
	if (is_at(m, STEPS_PROVING))
		is_done(m);
}

void steps_tick(struct session_model *m, uint64_t now)
{
	if (is_at(m, STEPS_PAUSING) && m->steps.until <= now)
		is_done(m);
}

void model_setopt_done(struct session_model *m, int res, uint64_t now)
{
	if (m->phase != MODEL_RUN)
		return;
	if (res < 0) {
		m->err = res;
		model_finish(m, SB_WHY_OPTION, now);
		return;
	}
	is_done(m);
}

static void begin_stop(struct session_model *m, uint64_t now)
{
	m->stop_ns = now_doing(m)->ns;
	m->stop_at = m->in + now_doing(m)->at;
	m->pause_end = now_doing(m)->at ? SB_NEVER : now + m->stop_ns;
	is_done(m);
}

static void prove(struct session_model *m, enum sb_gate_tier tier, uint64_t now)
{
	m->steps.phase = STEPS_PROVING;
	m->gate = MODEL_CLOSING;
	m->is_proving = true;
	m->tier = tier;
	m->gate_until = now + m->plan->shape.gate_max;
}

static void repeat(struct session_model *m, uint64_t now)
{
	bool is_over = m->is_eof && (m->heard == m->whole || !m->steps.has_taken);

	if (is_over) {
		end(m, SB_WHY_EOF, now);
		return;
	}
	m->steps.at = 0;
	m->steps.has_taken = false;
	m->steps.phase = STEPS_NEXT;
}

static void begin(struct session_model *m, enum model_step_phase phase, uint64_t left)
{
	m->steps.phase = phase;
	m->steps.left = left;
}

void model_step_begins(struct session_model *m, uint64_t now)
{
	const struct plan_step *s = now_doing(m);

	if (m->phase != MODEL_RUN)
		return;
	m->first_from = m->frame_from = m->send_from = now;
	if (m->steps.at == m->plan->steps.n) {
		end(m, SB_WHY_DONE, now);
		return;
	}
	switch (s->does) {
	case PLAN_SENDS:
		begin(m, STEPS_SENDING, s->size);
		model_check_pieces(m, now);
		break;
	case PLAN_READS:
	case PLAN_TAKES:
		begin(m, STEPS_READING, s->size);
		read_some(m, now);
		if (is_at(m, STEPS_READING) && m->phase == MODEL_RUN && m->is_eof)
			read_nothing(m, now);
		break;
	case PLAN_PAUSES:
		begin(m, STEPS_PAUSING, 0);
		m->steps.until = now + s->ns;
		break;
	case PLAN_STOPS:
		begin_stop(m, now);
		break;
	case PLAN_SETS:
		begin(m, STEPS_SET, 0);
		break;
	case PLAN_HALVES:
		begin(m, STEPS_HALF, 0);
		break;
	case PLAN_FINISHES:
		end(m, SB_WHY_DONE, now);
		break;
	case PLAN_RESETS:
		model_kill(m, m->steps.why ? m->steps.why : SB_WHY_DONE, SB_CLOSE_RESET);
		break;
	case PLAN_HEARS_END:
		begin(m, STEPS_HEARING, 0);
		drop_all(m);
		if (m->is_eof)
			is_done(m);
		break;
	case PLAN_PROVES_ACK:
		prove(m, SB_GATE_ACK, now);
		break;
	case PLAN_PROVES_READ:
		prove(m, SB_GATE_READ, now);
		break;
	case PLAN_REPEATS:
		repeat(m, now);
		break;
	}
}
