/* SPDX-License-Identifier: MIT
 *
 * A session: one connection, as a function of what happened to it.
 *
 *   sb_session_open(s, plan, now)
 *   then, for ever:  sb_session_event(s, completion, now)   or   sb_session_tick(s, now)
 *                    while (sb_session_next(s, &op)) carry op out
 *                    keep what sb_session_held() says; wake at sb_session_deadline()
 *   until it has said CLOSE.
 *
 * No I/O, no clock, no allocation, no callback: time is an argument, memory is lent. A completion may be
 * handed in while an op is being carried out, before next() is asked again.
 *
 * Bytes. What has been received and is not done with is one contiguous window:
 *
 *   p ………………………… p + whole ……………………… p + n
 *   frames to be sent     a frame in progress         0 <= sending <= whole <= n
 *
 * It lies in the buffer that came with the last completion, or, if held() said that something of it is still
 * needed when that buffer had to go back, where moved() says it is now.
 *
 * States. RUN -> FINISH (the service has ended; what is to be sent is sent) -> DRAIN (our FIN is out; what
 * comes is dropped until the peer's FIN) -> CLOSED (CLOSE has been said). A state may be skipped, never
 * gone back to. The first reason stays.
 *
 * A FORWARD is two sessions, joined: one for each direction (session_across.c). What one receives, the socket of the
 * other sends: its SEND, SHUT, GATE and CONNECT are for that one's socket, RECV is for its own. Both end together.
 */
#ifndef SB_CORE_SESSION_H
#define SB_CORE_SESSION_H

#include "base/op.h"
#include "base/timer.h"
#include "core/door.h"
#include "core/pace.h"

enum sb_reason {
#define SB_REASON(id, name, text, change) SB_WHY_##id,
#include "core/reasons.def"
#undef SB_REASON
	SB_WHY_COUNT
};

struct sb_reason_row {
	const char *name, *text;
	const char *change; /* the option or key that changes it, "" for none */
};

extern const struct sb_reason_row sb_reasons[SB_WHY_COUNT];

/* The most that held() ever is: a frame in progress is smaller, and nothing is read while a reply waits. */
enum { SB_SESSION_HELD_MAX = SB_RECV_MAX };

/* A FORWARD's way to its server. Nothing is read before it is there. */
enum sb_dial {
	SB_DIAL_NONE,
	SB_DIAL_DUE,   /* CONNECT is to be said next */
	SB_DIAL_ASKED, /* it has been said, by one of the two */
};

enum sb_state { SB_STATE_RUN, SB_STATE_FINISH, SB_STATE_DRAIN, SB_STATE_CLOSED };

/* One direction pair of a session: what is received on a socket, and what is sent on it. */
struct sb_leg {
	uint8_t *p;
	uint32_t n, whole, sending;
	bool is_receiving, is_sending; /* an op is outstanding */
	bool is_eof, is_shut;          /* the peer's FIN has come; ours has been said */
	struct sb_scan scan;
	uint64_t in, out; /* bytes received, sent */
};

struct sb_session {
	const struct sb_plan *plan;
	struct sb_pace *pace; /* lent; NULL when what is sent is not shaped */
	struct sb_leg leg;
	struct sb_session *across; /* the other direction of a FORWARD; NULL: what is received is answered */
	uint64_t opened;           /* when */
	uint64_t active;           /* when the last byte went either way */
	uint64_t since; /* RUN: when what is waited for began: the first byte, the frame in progress, the unfinished
			     * send; later: when FINISH began */
	uint64_t mark;  /* RUN: bytes sent before the unfinished send began; DRAIN: received before our FIN */
	union {
		uint64_t read_from; /* RUN, stopread: SB_NEVER before it, then no RECV until this time, 0 after it */
		uint64_t told;      /* later: when the server was told to stop, SB_NEVER if it was not */
	};
	uint32_t frames;  /* complete frames received; stops at UINT32_MAX */
	uint32_t dropped; /* bytes received and not answered, likewise */
	int32_t err;      /* the -errno behind the reasons reset, io-error and option, or why a gate cannot be had */
	uint8_t state, reason, door; /* enum sb_state, sb_reason, sb_door */
	uint8_t dial;                /* enum sb_dial */
	bool is_down : 1;            /* of a FORWARD: what the server says, on its way to the client */
	uint8_t how : 1;             /* enum sb_close_how of the CLOSE */
	bool is_closing : 1;         /* CLOSE is to be said next */
	bool is_watching : 1;        /* WATCH is outstanding */
};

/* Steps of the line run: see steps.h. */
static inline bool sb_steps_are_on(const struct sb_session *s)
{
	return s->pace && s->pace->steps.state >= SB_STEPS_DUE;
}

/* The service that serves now. */
static inline const struct sb_service_ops *sb_session_service(const struct sb_session *s)
{
	return sb_steps_are_on(s) ? &sb_service_script : s->plan->service->ops;
}

/* pace is zero-filled, or NULL when the plan is not paced; it is lent until CLOSE. */
void sb_session_open(struct sb_session *s, const struct sb_plan *plan, struct sb_pace *pace, uint64_t now);

/* Makes two that have just been opened the directions of a FORWARD; up says CONNECT first. */
void sb_session_join(struct sb_session *up, struct sb_session *down);

/* Something happened. done->data may be written to in its headroom and is taken over: see held(). */
void sb_session_event(struct sb_session *s, const struct sb_done *done, uint64_t now);

/* The next thing it wants done: 1, or 0 when there is nothing now. Fills all of *op but its handle. */
int sb_session_next(struct sb_session *s, struct sb_op *op);

/* Writes the bytes of the outstanding FILL send; n is no more than its want_max. */
void sb_session_fill(const struct sb_session *s, uint8_t *out, size_t n);

/* What becomes of the line that LINE has said. */
enum sb_answer {
	SB_ANSWER_SERVE,   /* the session behaves as plan says from here on; what comes is its payload */
	SB_ANSWER_CONTROL, /* another line may follow */
	SB_ANSWER_REFUSE,  /* it ends: reason line */
	SB_ANSWER_FOREIGN, /* it ends: reason cross-protocol */
	SB_ANSWER_QUIT,    /* it ends: reason done */
	SB_ANSWER_LATER,   /* it is not known yet: to be answered when it is */
};

/* Answers the line: pace, whose said is the answer, is lent from here on. plan is of SERVE and must outlive the
 * session. Now or later, in RUN; nothing is read meanwhile. */
void sb_session_answer(struct sb_session *s, enum sb_answer what, const struct sb_plan *plan, struct sb_pace *pace,
		       uint64_t now);

/* When it wants to be ticked; SB_NEVER for not at all. It may move at every event, mostly to later. */
uint64_t sb_session_deadline(const struct sb_session *s);
void sb_session_tick(struct sb_session *s, uint64_t now);

/* What it waited for could not come, by our own doing: the waiting begins anew. */
void sb_session_excuse(struct sb_session *s, uint64_t now);

/* Ends it: in order (FINISH), or at once. The reason is taken only if there is none yet. */
void sb_session_finish(struct sb_session *s, enum sb_reason why, uint64_t now);
void sb_session_kill(struct sb_session *s, enum sb_reason why, enum sb_close_how how);

/* ---- for steps.c ---- */

/* The reason that a codec's error is. */
enum sb_reason sb_session_reason_of(int err);
/* So many bytes are dropped; so many frames have come. */
void sb_session_drop(struct sb_session *s, uint32_t n);
void sb_session_count_frames(struct sb_session *s, uint32_t n);

/* What of the received bytes it still needs. Empty: the buffer may go back. More than the completion's headroom must
 * lie at the start of a buffer of SB_SESSION_HELD_MAX bytes before the next RECV: what comes is put behind them. */
static inline struct sb_slice sb_session_held(const struct sb_session *s)
{
	return sb_slice(s->leg.p, s->leg.n);
}

/* What the outstanding RECV would ask for if it were said now, 0 when there is none: for who has to submit it again,
 * since there is less room than when it was. */
uint32_t sb_session_want(const struct sb_session *s);

/* The held bytes are at p now. */
void sb_session_moved(struct sb_session *s, uint8_t *p);

#endif
