/* SPDX-License-Identifier: MIT
 * What the files of a session share. */
#ifndef SB_CORE_SESSION_TIME_H
#define SB_CORE_SESSION_TIME_H

#include "core/session.h"

static inline uint64_t sb_session_limit(const struct sb_session *s, enum sb_limit which)
{
	return s->plan->limits->v[which];
}

/* Reading stops, for a time that the line has said. */
static inline bool sb_session_is_paused(const struct sb_session *s)
{
	return s->state == SB_STATE_RUN && s->read_from != SB_NEVER && s->read_from != 0;
}

/* Our side has ended, and reading goes on, for as long as any connection may last. */
static inline bool sb_session_is_lingering(const struct sb_session *s)
{
	return s->state == SB_STATE_DRAIN && (s->plan->close == SB_CLOSE_HALF || s->plan->close == SB_CLOSE_STALL);
}

/* This direction has nothing more to do: its end has been passed on, and its own has come. */
static inline bool sb_session_is_through(const struct sb_session *s)
{
	return s->state == SB_STATE_CLOSED || (s->state == SB_STATE_DRAIN && s->leg.is_eof);
}

#endif
