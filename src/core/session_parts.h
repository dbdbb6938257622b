/* SPDX-License-Identifier: MIT
 * What the files of a session share: session.c, session_door.c, session_time.c. */
#ifndef SB_CORE_SESSION_PARTS_H
#define SB_CORE_SESSION_PARTS_H

#include "core/session.h"

static inline uint64_t limit(const struct sb_session *s, enum sb_limit which)
{
	return s->plan->limits->v[which];
}

static inline const struct sb_service_ops *service(const struct sb_session *s)
{
	return s->plan->service->ops;
}

/* Our side has ended, and reading goes on, for as long as any connection may last. */
static inline bool is_lingering(const struct sb_session *s)
{
	return s->state == SB_STATE_DRAIN && (s->plan->close == SB_CLOSE_HALF || s->plan->close == SB_CLOSE_STALL);
}

static inline bool is_paused(const struct sb_session *s)
{
	return s->read_from != SB_NEVER && s->read_from != 0;
}

/* This direction has nothing more to do: its end has been passed on, and its own has come. */
static inline bool is_through(const struct sb_session *s)
{
	return s->state == SB_STATE_CLOSED || (s->state == SB_STATE_DRAIN && s->leg.is_eof);
}

#endif
