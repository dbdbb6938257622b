/* SPDX-License-Identifier: MIT
 * How many connections each address has: a hash table with room for as many addresses as there may be connections. */
#ifndef SB_CORE_PERIP_H
#define SB_CORE_PERIP_H

#include "core/rate.h"

struct sb_perip_cell {
	uint64_t key; /* of sb_addr_key(); 0 is unused */
	uint64_t count;
};

/* cells has size entries, a power of two, at least twice as many as there can be connections. */
struct sb_perip {
	struct sb_perip_cell *cells;
	uint32_t size;
	uint64_t secret;
};

/* The size of the table for so many connections. */
uint32_t sb_perip_size(uint64_t conns);

/* cells are zero-filled and the caller's. */
void sb_perip_init(struct sb_perip *p, struct sb_perip_cell *cells, uint32_t size, uint64_t secret);

/* Counts one more, if that makes no more than most: whether it did. */
bool sb_perip_add(struct sb_perip *p, const struct sb_addr *a, uint64_t most);

/* Counts one less of an address that was added. */
void sb_perip_drop(struct sb_perip *p, const struct sb_addr *a);

#endif
