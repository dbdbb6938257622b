/* SPDX-License-Identifier: MIT
 * Between session.c, session_time.c and session_across.c. */
#ifndef SB_CORE_SESSION_ACROSS_H
#define SB_CORE_SESSION_ACROSS_H

#include "core/session.h"

/* Fills in the CONNECT that is due. Returns 1. */
int sb_session_say_connect(struct sb_session *s, struct sb_op *op);
/* Its completion: 0, or -errno. */
void sb_session_connected(struct sb_session *s, int res, uint64_t now);

/* Whether both directions end now: each is through, or the other has been closed. */
bool sb_session_is_over(struct sb_session *s);

/* When the last byte went, in whichever direction. */
uint64_t sb_session_last(const struct sb_session *s);

/* We hold the other direction up, by our own will: this one is not late. */
bool sb_session_is_across_held(const struct sb_session *s);

#endif
