/* SPDX-License-Identifier: MIT
 *
 * The two directions of a FORWARD. Each is a session of its own, with its own plan, and ends by itself: what it has is
 * sent, then our FIN, so that a half-close passes as one. When both are through, both sockets are closed. What ends one
 * at once, a reset above all, ends the other in the same way.
 */
#include "core/session_across.h"

#include "core/session_time.h"

void sb_session_join(struct sb_session *up, struct sb_session *down)
{
	up->across = down;
	down->across = up;
	down->is_down = true;
	up->dial = SB_DIAL_DUE;
	down->dial = SB_DIAL_ASKED;
}

int sb_session_say_connect(struct sb_session *s, struct sb_op *op)
{
	s->dial = SB_DIAL_ASKED;
	*op = (struct sb_op){.kind = SB_OP_CONNECT};
	return 1;
}

/* The waiting for bytes begins now. */
void sb_session_connected(struct sb_session *s, int res, uint64_t now)
{
	if (res < 0) {
		s->err = res;
		sb_session_kill(s, SB_WHY_UPSTREAM, SB_CLOSE_RESET);
		return;
	}
	s->dial = s->across->dial = SB_DIAL_NONE;
	sb_session_excuse(s, now);
	sb_session_excuse(s->across, now);
}

bool sb_session_is_over(struct sb_session *s)
{
	if (s->is_closing)
		return true;
	if (s->across->state == SB_STATE_CLOSED || s->across->is_closing)
		sb_session_kill(s, SB_WHY_ACROSS, (enum sb_close_how)s->across->how);
	return s->is_closing || (sb_session_is_through(s) && sb_session_is_through(s->across));
}

uint64_t sb_session_last(const struct sb_session *s)
{
	return s->across && s->across->active > s->active ? s->across->active : s->active;
}

bool sb_session_is_across_held(const struct sb_session *s)
{
	const struct sb_session *across = s->across;

	return across && across->state == SB_STATE_RUN && (sb_pace_is_waiting(across) || sb_session_is_paused(across));
}
