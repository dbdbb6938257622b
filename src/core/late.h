/* SPDX-License-Identifier: MIT
 *
 * Replies that are sent later: those that hold= delays, in the order of their times, and those that reorder= lets
 * others overtake. Their bytes lie in blocks taken at start; what finds none is the caller's to drop.
 */
#ifndef SB_CORE_LATE_H
#define SB_CORE_LATE_H

#include "base/addr.h"
#include "base/pool.h"

enum {
	SB_LATE_BLOCK = 1024,
	SB_LATE_MORE = SB_LATE_BLOCK - sizeof(void *), /* bytes in each further block */
};

struct sb_late_more {
	struct sb_late_more *next;
	uint8_t bytes[SB_LATE_MORE];
};

/* At the start of its first block, its first bytes behind it. */
struct sb_late_reply {
	struct sb_late_reply *prev, *next;
	struct sb_late_more *more;
	uint64_t due;
	uint64_t number, waits_for; /* the number that has to be sent first; 0: it waits for its time alone */
	struct sb_addr peer, own;   /* to whom; from which of our addresses */
	uint32_t listener, n;       /* n: bytes */
	uint8_t copies;
};

enum { SB_LATE_FIRST = SB_LATE_BLOCK - sizeof(struct sb_late_reply) };

/* Rising by due; of the same due, as they came. */
struct sb_late_list {
	struct sb_late_reply *first, *last;
};

struct sb_late {
	struct sb_pool blocks;
	struct sb_late_list timed, waiting;
};

/* mem has blocks * SB_LATE_BLOCK bytes, aligned as anything, and need not be zeros. */
void sb_late_init(struct sb_late *late, void *mem, uint32_t blocks);

/* Keeps a reply: what gives all but its lists, blocks and n. False when there is no room for its bytes. */
bool sb_late_add(struct sb_late *late, const struct sb_late_reply *what, struct sb_slice bytes);

/* A reply of this number has been sent or dropped, or its time is due: whatever of the same peer waits for it is now
 * due then as well. */
void sb_late_passed(struct sb_late *late, uint32_t listener, const struct sb_addr *peer, uint64_t number, uint64_t due);

/* The one that is due first, NULL for none. */
struct sb_late_reply *sb_late_first(const struct sb_late *late);

/* Writes its bytes to room. */
struct sb_slice sb_late_bytes(const struct sb_late_reply *reply, uint8_t *room);

/* Takes it out. */
void sb_late_end(struct sb_late *late, struct sb_late_reply *reply);

#endif
