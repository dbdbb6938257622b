/* SPDX-License-Identifier: MIT
 * How often an address may do something: a table of fixed size, however many addresses there are. */
#ifndef SB_CORE_RATE_H
#define SB_CORE_RATE_H

#include "base/addr.h"

enum { SB_RATE_WAYS = 4, SB_RATE_SETS = 1024, SB_RATE_BURST_S = 2 };

/* What an address counts as: itself, or for IPv6 its /64. Keyed with a secret, so that nobody can choose
 * addresses that share a place. */
uint64_t sb_addr_key(const struct sb_addr *a, uint64_t secret);

/* One address: the time at which its bucket is full again (GCRA, ITU-T I.371). Zero-filled is unused. */
struct sb_rate_cell {
	uint64_t key, full_at;
};

struct sb_rates {
	struct sb_rate_cell cell[SB_RATE_SETS][SB_RATE_WAYS];
	uint64_t secret;
	uint64_t total_full_at;
};

/* Whether a source may do it once more at rate a second, with bursts of SB_RATE_BURST_S seconds' worth; counts
 * it if so. When a set is full the source that was quiet longest is forgotten. */
bool sb_rate_take(struct sb_rates *rates, const struct sb_addr *a, uint64_t rate, uint64_t now);

/* The same for all sources together; rate 0 is no limit. */
bool sb_rate_take_total(struct sb_rates *rates, uint64_t rate, uint64_t now);

/* Whether that would be true; counts nothing. */
bool sb_rate_has_total(const struct sb_rates *rates, uint64_t rate, uint64_t now);

#endif
