/* SPDX-License-Identifier: MIT
 * Between the files of the model of a session: session_model.c, session_model_steps.c, session_model_time.c. */
#ifndef SB_FUZZ_SESSION_MODEL_IN_H
#define SB_FUZZ_SESSION_MODEL_IN_H

#include "session_model.h"

static inline bool model_is_paused(const struct session_model *m)
{
	return m->pause_end != SB_NEVER && m->pause_end != 0;
}

/* Nothing may leave yet, by our own will. */
static inline bool model_is_waiting(const struct session_model *m)
{
	return m->gate != MODEL_OPEN || m->wait_until != 0;
}

/* Our side has ended, and reading goes on as in a connection that is served. */
static inline bool model_is_lingering(const struct session_model *m)
{
	return m->phase == MODEL_DRAIN && (m->plan->close == PLAN_HALF || m->plan->close == PLAN_STALL);
}

/* ---- session_model_steps.c ---- */

/* The service ends for this reason: true when steps are to come. */
bool steps_take_over(struct session_model *m, enum sb_reason why);
/* Whatever the service owed has gone: they begin. */
void steps_settle(struct session_model *m);
/* NONE when they ask for nothing now. */
struct model_op steps_next(struct session_model *m);
/* Bytes that are still to be sent. */
uint64_t steps_left(const struct session_model *m);
/* Where the unit ends that is being sent, UINT64_MAX for nowhere. */
uint64_t steps_unit(struct session_model *m, bool is_framed);
void steps_sent(struct session_model *m, uint64_t n, uint64_t now);
/* The stream has grown, there was nothing of it before: is_new; or has ended. */
void steps_heard(struct session_model *m, bool is_new, uint64_t now);
void steps_heard_end(struct session_model *m, uint64_t now);
/* Whether they want to hear more. */
bool steps_listen(const struct session_model *m);
/* Bytes of what a step waits for that have come. */
uint64_t steps_begun(const struct session_model *m);
/* The gate that a step waits for is open; time has come. */
void steps_opened(struct session_model *m);
void steps_tick(struct session_model *m, uint64_t now);

/* ---- session_model.c ---- */

/* Something is to be sent, perhaps, and no more pieces may be. */
void model_check_pieces(struct session_model *m, uint64_t now);
/* The reason that a codec's error is. */
enum sb_reason model_reason_of(int err);

#endif
