/* SPDX-License-Identifier: MIT
 *
 * What a session must do, said a second time: written from session.h, cuts.h, decisions 1, 2 and 8, and the help of
 * limits.def and keys.def, and as plainly as it can be. It keeps the whole stream and decodes with fuzz/ref/, and has a
 * time of its own for each thing that is waited for.
 */
#ifndef SB_FUZZ_SESSION_MODEL_H
#define SB_FUZZ_SESSION_MODEL_H

#include "core/session.h"
#include "plan_model.h"

enum { MODEL_STREAM_MAX = 1 << 18 };

struct model_op {
	enum sb_op_kind kind; /* NONE: it must ask for nothing */
	uint64_t n;           /* RECV, SEND: bytes */
	bool is_fill;
	enum sb_close_how how;
	enum sb_gate_tier tier; /* GATE */
};

/* Between two pieces: nothing; the gate is closed and its GATE is to be said; it has been said. */
enum model_gate { MODEL_OPEN, MODEL_CLOSING, MODEL_SHUT };

/* What steps are at: not begun; the service owes something; STEP is to be said, has been said; … */
enum model_step_phase {
	STEPS_OFF,
	STEPS_LATER,
	STEPS_NEXT,
	STEPS_SAID,
	STEPS_SENDING,
	STEPS_READING,
	STEPS_PAUSING,
	STEPS_PROVING,
	STEPS_HEARING, /* for the end alone */
	STEPS_HALF,    /* SHUT is to be said */
	STEPS_SET,     /* SETOPT is to be said, has been said */
	STEPS_SETTING,
};

struct model_steps {
	enum model_step_phase phase;
	size_t at;
	enum sb_reason why;  /* that the service had */
	uint64_t left, said; /* bytes of the step; of all steps that have gone */
	uint64_t until;      /* of a pause */
	bool has_taken;      /* in this round */
};

struct session_model {
	const struct plan_model *plan;
	const uint64_t *limit;
	/* What it is at. */
	enum { MODEL_RUN, MODEL_FINISH, MODEL_DRAIN, MODEL_CLOSED } phase;
	enum sb_reason reason;
	int err;
	bool is_killed;
	enum sb_close_how how;
	/* The stream: stream[0..heard) has come and was listened to, messages end at whole. */
	uint8_t *stream; /* MODEL_STREAM_MAX */
	uint8_t *is_end; /* as many: whether a message ends with this byte */
	uint64_t heard, whole;
	uint64_t in, out, frames, dropped;
	uint64_t answer;   /* bytes that go out before the service's: the answer to a line */
	uint64_t answered; /* that have gone; they are not in out */
	/* Pieces. */
	enum model_gate gate;
	uint64_t unit;       /* the unit being sent began here */
	uint64_t next;       /* the boundary that the outstanding SEND goes up to, 0 for none */
	bool is_unit_end;    /* it is the end of the unit */
	bool is_flipped;     /* flip= has been done */
	uint64_t pieces;     /* that have gone */
	uint64_t gate_until; /* it has to open by then */
	uint64_t wait_until; /* nothing is sent before, until somebody has looked at the clock; 0: no time */
	uint64_t reply_from; /* delay=: when the reply may go */
	int broken;          /* SB_E_*, */
	uint64_t broken_at;  /* proved by this byte */
	bool is_eof, is_reading, is_sending;
	bool has_pace, is_watching; /* what it sends is shaped; WATCH is outstanding */
	struct model_steps steps;
	bool is_shut;              /* a step has said our FIN */
	bool is_proving;           /* the gate is a step's, … */
	enum sb_gate_tier tier;    /* … and of this tier */
	uint64_t stop_ns, stop_at; /* stopread= of the line, or of the last step that said so */
	uint64_t asked;            /* of the outstanding SEND */
	uint64_t fin_in;           /* bytes in when we said FIN */
	/* When. */
	uint64_t opened, last_byte, finished;
	uint64_t first_from; /* the first byte is waited for since */
	uint64_t frame_from; /* the frame in progress */
	uint64_t send_from;  /* what is being sent */
	uint64_t send_out;   /* out and answered, then */
	uint64_t stopped;    /* the server was told to stop, SB_NEVER: not */
	uint64_t pause_end;  /* reading goes on then; SB_NEVER: has not begun, 0: is over */
};

void model_open(struct session_model *m, const struct plan_model *plan, const uint64_t *limit, uint8_t *stream,
		uint8_t *is_end, uint64_t now);

/* What happens. */
void model_bytes(struct session_model *m, const uint8_t *p, size_t n, bool is_last, uint64_t now);
void model_eof(struct session_model *m, uint64_t now);
void model_recv_failed(struct session_model *m, int err);
void model_gone(struct session_model *m, int err);
void model_sent(struct session_model *m, uint64_t n, uint64_t now);
void model_send_failed(struct session_model *m, int err);
void model_gate_done(struct session_model *m, int res, uint64_t now);
void model_tick(struct session_model *m, uint64_t now);
void model_excuse(struct session_model *m, uint64_t now);
void model_finish(struct session_model *m, enum sb_reason why, uint64_t now);
void model_kill(struct session_model *m, enum sb_reason why, enum sb_close_how how);

/* STEP and SETOPT are done. */
void model_step_begins(struct session_model *m, uint64_t now);
void model_setopt_done(struct session_model *m, int res, uint64_t now);
/* The next n bytes that a step sends. */
void model_step_bytes(const struct session_model *m, uint8_t *out, size_t n);

static inline bool model_in_steps(const struct session_model *m)
{
	return m->steps.phase >= STEPS_NEXT;
}

/* What it sends is made, not what came. */
static inline bool model_makes(const struct session_model *m)
{
	return plan_is_source(m->plan) || model_in_steps(m);
}

/* What it must ask for next, as if it had been asked. */
struct model_op model_next(struct session_model *m);

uint64_t model_deadline(const struct session_model *m);

/* Received bytes that it still needs. */
struct sb_slice model_held(const struct session_model *m);

#endif
