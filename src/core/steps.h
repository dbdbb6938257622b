/* SPDX-License-Identifier: MIT
 *
 * The steps of a line, done one after the other on a session: SCRIPT's at once, those of any other service when it has
 * ended and what it had to send is sent. Then the session ends in order, with the reason the service had.
 *
 * A step begins when the one before it is over; one that sends is over when its last piece has gone and its gate has
 * opened. Each is said by a STEP op before it begins, and begins when that completes. After the last STEP says their
 * number, and that is the end.
 *
 * While steps run, what comes stays in the window until a step takes it. A little is read ahead, so that the peer's end
 * is seen; more only for a step that waits for it.
 */
#ifndef SB_CORE_STEPS_H
#define SB_CORE_STEPS_H

#include "base/op.h"
#include "core/plan.h"

struct sb_session;

/* Bytes in the window that nobody waits for, from which on no more is read. */
enum { SB_STEPS_AHEAD = 4096 };

enum sb_steps_state {
	SB_STEPS_OFF,   /* the service serves, or there are none */
	SB_STEPS_FLUSH, /* the service has ended, and not everything is sent */
	SB_STEPS_DUE,   /* STEP is to be said next */
	SB_STEPS_ASKED, /* STEP has been said */
	SB_STEPS_SEND,  /* left bytes are to be sent */
	SB_STEPS_READ,  /* left bytes, or a frame, are to be taken */
	SB_STEPS_PAUSE,
	SB_STEPS_GATE,
	SB_STEPS_EOF,
	SB_STEPS_SHUT,      /* SHUT is to be said */
	SB_STEPS_OPT,       /* SETOPT is to be said */
	SB_STEPS_OPT_ASKED, /* SETOPT has been said */
};

struct sb_steps {
	uint8_t state;             /* enum sb_steps_state */
	uint8_t at;                /* the step, counted from 0 */
	uint8_t why;               /* enum sb_reason: why the service ended, NONE when they are all there is */
	bool has_read;             /* something has been taken since the first step began */
	uint64_t left;             /* bytes that the step still sends or reads */
	uint64_t sent;             /* bytes that steps have sent */
	uint64_t until;            /* of PAUSE */
	uint64_t stop_ns, stop_at; /* of stopread: as the plan's */
};

/* Checks the steps of a line, all but the values of opt.: 0, or < 0 with *fault. plan is filled but for them. */
int sb_steps_read(struct sb_plan *plan, const struct sb_line *line, struct sb_fault *fault);

/* ---- of a session: session.c and pace.c call these; all but the first three only while steps are on ---- */

/* They run, after a service that was another one. */
bool sb_steps_follow(const struct sb_session *s);

/* The session begins. */
void sb_steps_open(struct sb_session *s);

/* The session would end for this reason, which is the service's own end: true when there are steps to be done. */
bool sb_steps_take_over(struct sb_session *s, uint8_t why);

/* After every event: what the service had to send may have gone. */
void sb_steps_settle(struct sb_session *s);

/* The next op, as sb_session_next(). Nothing is being sent, and nothing waited for before something may be. */
int sb_steps_next(struct sb_session *s, struct sb_op *op);

/* Completions of STEP and of SETOPT. */
void sb_steps_begin(struct sb_session *s, uint64_t now);
void sb_steps_set(struct sb_session *s, int res, uint64_t now);

/* The window has grown at its end; or nothing more will come. */
void sb_steps_came(struct sb_session *s, bool is_new, uint64_t now);
void sb_steps_end_in(struct sb_session *s, uint64_t now);

/* Bytes that the step has left to send, and writing the first n of them. n of them have gone. */
uint64_t sb_steps_left(const struct sb_session *s);
void sb_steps_fill(const struct sb_session *s, uint8_t *out, size_t n);
void sb_steps_sent(struct sb_session *s, uint32_t n, uint64_t now);

/* The gate that a step asked for has opened. */
void sb_steps_opened(struct sb_session *s);

/* Whether more is to be read. */
bool sb_steps_want(const struct sb_session *s);

/* A step waits for bytes; so many of what it waits for have come. */
bool sb_steps_are_reading(const struct sb_session *s);
uint64_t sb_steps_begun(const struct sb_session *s);

/* When a pause is over, 0 when there is none; and it may be over. */
uint64_t sb_steps_until(const struct sb_session *s);
void sb_steps_tick(struct sb_session *s, uint64_t now);

#endif
