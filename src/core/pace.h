/* SPDX-License-Identifier: MIT
 *
 * The pace of a session whose line shapes what it sends: which piece may leave next, and what it waits for. Lent to
 * the session by who opened it; plain sessions have none and pay nothing.
 *
 * A piece that has gone up to a boundary closes the gate. A GATE op asks for it to be opened; then gap passes; then
 * the next piece may go. Bytes that merely ran out (raw, nothing more has come) are no boundary.
 */
#ifndef SB_CORE_PACE_H
#define SB_CORE_PACE_H

#include "base/op.h"
#include "core/plan.h"
#include "core/steps.h"

struct sb_session;

enum sb_pace_gate {
	SB_PACE_OPEN,
	SB_PACE_DUE,   /* a piece has gone: GATE is to be said next */
	SB_PACE_ASKED, /* GATE has been said */
};

/* Offsets are of the service's own bytes. Zero-filled is the pace of a session that has not begun. */
struct sb_pace {
	struct sb_slice said; /* what is sent before them: the answer to a line; whoever lends the pace owns it */
	uint64_t base;        /* bytes of it that have gone */
	uint64_t unit, end;   /* the unit that is being sent; end grows while its frames come */
	uint64_t next;        /* the boundary that the outstanding send goes up to, SB_NEVER for none */
	uint64_t until;       /* OPEN: nothing is sent before this time; else the gate must open by then; 0: no time */
	uint64_t not_before;  /* what delay= makes of the reply in the window */
	uint64_t pieces;      /* that have gone */
	struct sb_scan scan;  /* finds the frames of the unit once more */
	uint32_t joined;      /* frames of the unit */
	struct sb_steps steps;
	uint8_t gate;    /* enum sb_pace_gate */
	bool is_asked;   /* the gate is a step's: … */
	uint8_t tier;    /* … and this is what it asks for */
	bool is_flipped; /* the byte of flip= is, in the window, or has gone */
};

/* It is the session's that s->pace is lent to. now: the time of its opening. */
void sb_pace_open(struct sb_session *s, uint64_t now);

/* Bytes of the piece that may leave now, 0 for none. left: what the service has to send. */
uint32_t sb_pace_piece(struct sb_session *s, uint64_t left);

/* Whether something has to happen before any piece may leave. */
bool sb_pace_is_waiting(const struct sb_session *s);

/* Whether a unit waits for more frames. */
bool sb_pace_is_joining(const struct sb_session *s);

/* Something to send has come where there was nothing. */
void sb_pace_came(struct sb_session *s, uint64_t now);

/* The outstanding send went so far: leg.out is new, and what has gone has left the window. True when nothing more is
 * to be sent: the session has been finished. */
bool sb_pace_sent(struct sb_session *s, uint64_t now);

/* It was sent as many pieces as it may be. */
bool sb_pace_is_enough(const struct sb_session *s);

/* The answer to a line goes before anything else, and is nobody's message: so much of it has gone. */
void sb_pace_said(struct sb_session *s, uint32_t n, uint64_t now);
bool sb_pace_is_speaking(const struct sb_session *s);

/* A step waits for what has been sent to be at this tier. */
void sb_pace_ask(struct sb_session *s, enum sb_gate_tier tier, uint64_t now);

/* What the next step sends is a unit of n bytes, where frames are. */
void sb_pace_unit(struct sb_session *s, uint64_t n);

/* Fills in the GATE that is due. An answer is gated also where nothing is cut. Returns 1. */
int sb_pace_say_gate(struct sb_session *s, struct sb_op *op);

/* The line may ask for one bit to be wrong: p[0..n) is what the service sends now. True when it is among that. */
bool sb_pace_flip(const struct sb_session *s, uint8_t *p, uint64_t n);

/* The gate has opened. */
void sb_pace_opened(struct sb_session *s, uint64_t now);

/* The offset of the service's next byte. */
uint64_t sb_pace_at(const struct sb_session *s);

#endif
