/* SPDX-License-Identifier: MIT
 * Who has been answered how often: a table of fixed size. When it is full, the peer that was quiet longest is
 * forgotten, and counts from 1 when it comes back. */
#ifndef SB_CORE_PEERS_H
#define SB_CORE_PEERS_H

#include "base/addr.h"

/* Its address, port and all, at one of our sockets. Places are indexes + 1, 0 for none. */
struct sb_peer {
	struct sb_addr addr;
	uint32_t listener, gen; /* gen: of the socket; another one may be in its place later */
	uint32_t same;          /* the next one with the same hash */
	uint32_t older, newer;  /* in the order in which they were heard of last */
	uint64_t replies;       /* counted so far */
};

struct sb_peers {
	struct sb_peer *cell;
	uint32_t *head; /* cap of them, by hash */
	uint32_t cap, n, oldest, newest;
	uint64_t secret; /* so that nobody can choose addresses that share a hash */
};

/* cell and head have cap entries each, and need not be zeros. */
void sb_peers_init(struct sb_peers *peers, struct sb_peer *cell, uint32_t *head, uint32_t cap);

/* The peer, which is now the one heard of last, or a new one that has counted nothing. has_taken: another one was
 * forgotten for it. */
struct sb_peer *sb_peers_get(struct sb_peers *peers, uint32_t listener, uint32_t gen, const struct sb_addr *addr,
			     bool *has_taken);

#endif
