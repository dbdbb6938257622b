/* SPDX-License-Identifier: MIT
 * The rules of a session's time. See session_model.h. */
#include "session_model_in.h"

#define SECOND UINT64_C(1000000000)

struct due {
	uint64_t at;
	enum sb_reason why; /* NONE: reading goes on */
};

/* The earliest counts, and of two at the same time the one that was asked about first. */
static void due_by(struct due *due, uint64_t limit, uint64_t from, enum sb_reason why)
{
	if (limit > 0 && from + limit < due->at)
		*due = (struct due){from + limit, why};
}

/* When n bytes are no more than so many a second; not before ten seconds. 0: no rate is asked for. */
static uint64_t slow_after(const struct session_model *m, uint64_t n)
{
	uint64_t rate = m->limit[SB_LIMIT_MIN_RATE], at;

	if (rate == 0)
		return 0;
	at = n / rate * SECOND + n % rate * SECOND / rate;
	return at > 10 * SECOND ? at : 10 * SECOND;
}

/* The next piece may leave, or the gate has been closed for too long. */
static void due_of_pace(const struct session_model *m, struct due *due)
{
	if (m->gate != MODEL_OPEN)
		due_by(due, m->gate_until, 0, SB_WHY_GATE);
	else
		due_by(due, m->wait_until, 0, SB_WHY_NONE);
}

static struct due due_of(const struct session_model *m)
{
	struct due due = {SB_NEVER, SB_WHY_NONE};
	uint64_t last = m->last_byte > m->finished ? m->last_byte : m->finished;
	uint64_t begun = model_in_steps(m) ? steps_begun(m) : m->heard - m->whole;

	if (m->phase == MODEL_CLOSED)
		return due;
	if (m->phase != MODEL_RUN) {
		if (m->stopped != SB_NEVER)
			due_by(&due, m->limit[SB_LIMIT_STOP], m->stopped, SB_WHY_STALLED);
		if (model_is_lingering(m)) {
			due_by(&due, m->limit[SB_LIMIT_LIFE], m->opened, SB_WHY_STALLED);
			due_by(&due, m->limit[SB_LIMIT_IDLE], last, SB_WHY_STALLED);
			return due;
		}
		due_of_pace(m, &due);
		/* While it is we who wait, the peer is not late. */
		if (m->reason != SB_WHY_STOP && !(m->gate == MODEL_OPEN && m->wait_until))
			due_by(&due, m->limit[SB_LIMIT_DRAIN], m->finished, SB_WHY_STALLED);
		if (m->phase == MODEL_DRAIN)
			due_by(&due, m->limit[SB_LIMIT_DRAIN_IDLE], last, SB_WHY_STALLED);
		return due;
	}
	due_by(&due, m->limit[SB_LIMIT_LIFE], m->opened, SB_WHY_LIFE);
	due_by(&due, m->plan->maxlife, m->opened, SB_WHY_MAXLIFE);
	due_of_pace(m, &due);
	if (model_is_paused(m))
		due_by(&due, m->pause_end, 0, SB_WHY_NONE);
	if (m->steps.phase == STEPS_PAUSING)
		due_by(&due, m->steps.until, 0, SB_WHY_NONE);
	if (model_is_waiting(m) || model_is_paused(m) || m->steps.phase == STEPS_PAUSING)
		return due;
	due_by(&due, m->limit[SB_LIMIT_IDLE], m->last_byte, m->is_sending ? SB_WHY_STALLED : SB_WHY_IDLE);
	if (m->is_sending) {
		due_by(&due, slow_after(m, m->out + m->answered - m->send_out), m->send_from, SB_WHY_SLOW_READER);
	} else if (m->in == 0 && (!model_makes(m) || m->steps.phase == STEPS_READING)) {
		due_by(&due, m->limit[SB_LIMIT_FIRST_BYTE], m->first_from, SB_WHY_FIRST_BYTE);
	} else if (begun > 0) {
		due_by(&due, m->limit[SB_LIMIT_FRAME], m->frame_from, SB_WHY_FRAME);
		due_by(&due, slow_after(m, begun), m->frame_from, SB_WHY_SLOW);
	}
	return due;
}

uint64_t model_deadline(const struct session_model *m)
{
	return due_of(m).at;
}

void model_excuse(struct session_model *m, uint64_t now)
{
	if (m->phase == MODEL_RUN)
		m->last_byte = m->first_from = m->frame_from = m->send_from = now;
}

static void go_on(struct session_model *m, uint64_t now)
{
	if (m->phase == MODEL_RUN && model_is_paused(m) && m->pause_end <= now)
		m->pause_end = 0;
	if (m->gate == MODEL_OPEN && m->wait_until && m->wait_until <= now) {
		m->wait_until = 0;
		if (m->phase == MODEL_FINISH)
			m->finished = now;
	}
	steps_tick(m, now);
	model_excuse(m, now);
}

void model_tick(struct session_model *m, uint64_t now)
{
	struct due due = due_of(m);

	if (due.at > now)
		return;
	if (due.why == SB_WHY_NONE)
		go_on(m, now);
	else if (m->phase != MODEL_RUN || due.why == SB_WHY_STALLED || due.why == SB_WHY_SLOW_READER ||
		 due.why == SB_WHY_GATE)
		model_kill(m, due.why, SB_CLOSE_RESET);
	else
		model_finish(m, due.why, now);
}
