/* SPDX-License-Identifier: MIT
 *
 * Replies to datagrams of which a line says more (core/fate.h): counted for each peer, and dropped, doubled or kept for
 * later. For each reply sb_replies_take() says what becomes of it, that is done, and then sb_replies_passed() is told;
 * after that, and whenever time has passed, the replies that sb_replies_due() names are sent and put to an end.
 */
#ifndef SB_CORE_REPLIES_H
#define SB_CORE_REPLIES_H

#include "core/dgram.h"
#include "core/late.h"
#include "core/peers.h"

struct sb_replies {
	struct sb_peers peers;
	struct sb_late late;
	uint64_t forgotten; /* peers whose count was given up for another's */
};

/* Counts a reply of these bytes to the source of done, and fills *what with its number and how often it is to be sent.
 * NONE: it is to be sent now, or, when *is_kept, it will be later. Else the reason why it is not. */
enum sb_drop sb_replies_take(struct sb_replies *replies, const struct sb_plan *plan, uint32_t listener,
			     const struct sb_done *done, struct sb_slice bytes, uint64_t now,
			     struct sb_late_reply *what, bool *is_kept);

/* Its turn is over: what was to follow it is due. */
void sb_replies_passed(struct sb_replies *replies, const struct sb_plan *plan, const struct sb_late_reply *what,
		       uint64_t now);

/* A kept reply that is due, NULL for none. It ends with sb_late_end(). */
struct sb_late_reply *sb_replies_due(struct sb_replies *replies, uint64_t now);

/* The first kept reply of this listener, NULL for none. */
struct sb_late_reply *sb_replies_of(struct sb_replies *replies, uint32_t listener);

#endif
