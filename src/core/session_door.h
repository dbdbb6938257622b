/* SPDX-License-Identifier: MIT
 * Between session.c and session_door.c. */
#ifndef SB_CORE_SESSION_DOOR_H
#define SB_CORE_SESSION_DOOR_H

#include "core/session.h"

/* session.c: from here on it behaves as its plan says. */
void sb_session_begin(struct sb_session *s, struct sb_pace *pace, uint64_t now);
/* session.c: the window has grown at its end, by payload. is_new: with nothing unfinished before it. */
void sb_session_take_in(struct sb_session *s, bool is_new, uint64_t now);
/* session.c: and that was all. */
void sb_session_end_in(struct sb_session *s, uint64_t now);

/* Whether what is in the window is a line, or may be the beginning of one; is_last: nothing more will come. If not, it
 * is payload from here on. */
bool sb_session_is_at_door(struct sb_session *s, bool is_new, bool is_last, uint64_t now);

/* Fills in the LINE that is due. Returns 1. */
int sb_session_say_line(struct sb_session *s, struct sb_op *op);

/* A part of the marker is held, for SB_DOOR_PATIENCE from since on; then it is given up, and is payload. */
bool sb_session_is_half_marked(const struct sb_session *s);
void sb_session_give_up_line(struct sb_session *s, uint64_t now);

#endif
