/* SPDX-License-Identifier: MIT
 *
 * What a session must do, said a second time: written from session.h, decisions 1, 2 and 8, and the help of limits.def,
 * and as plainly as it can be. It keeps the whole stream and decodes with fuzz/ref/, and has a time of its own for each
 * thing that is waited for.
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
	uint64_t heard, whole;
	uint64_t in, out, frames, dropped;
	int broken;         /* SB_E_*, */
	uint64_t broken_at; /* proved by this byte */
	bool is_eof, is_reading, is_sending;
	uint64_t asked;  /* of the outstanding SEND */
	uint64_t fin_in; /* bytes in when we said FIN */
	/* When. */
	uint64_t opened, last_byte, finished;
	uint64_t first_from; /* the first byte is waited for since */
	uint64_t frame_from; /* the frame in progress */
	uint64_t send_from;  /* what is being sent */
	uint64_t send_out;   /* out, then */
	uint64_t stopped;    /* the server was told to stop, SB_NEVER: not */
	uint64_t pause_end;  /* reading goes on then; SB_NEVER: has not begun, 0: is over */
};

void model_open(struct session_model *m, const struct plan_model *plan, const uint64_t *limit, uint8_t *stream,
		uint64_t now);

/* What happens. */
void model_bytes(struct session_model *m, const uint8_t *p, size_t n, bool is_last, uint64_t now);
void model_eof(struct session_model *m, uint64_t now);
void model_recv_failed(struct session_model *m, int err);
void model_sent(struct session_model *m, uint64_t n, uint64_t now);
void model_send_failed(struct session_model *m, int err);
void model_tick(struct session_model *m, uint64_t now);
void model_excuse(struct session_model *m, uint64_t now);
void model_finish(struct session_model *m, enum sb_reason why, uint64_t now);
void model_kill(struct session_model *m, enum sb_reason why, enum sb_close_how how);

/* What it must ask for next, as if it had been asked. */
struct model_op model_next(struct session_model *m);

uint64_t model_deadline(const struct session_model *m);

/* Received bytes that it still needs. */
struct sb_slice model_held(const struct session_model *m);

#endif
