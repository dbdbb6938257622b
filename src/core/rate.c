/* SPDX-License-Identifier: MIT
 * A set-associative table of token buckets. */
#include "core/rate.h"

#include "base/rng.h"
#include "core/limits.h"

static uint64_t word(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

uint64_t sb_addr_key(const struct sb_addr *a, uint64_t secret)
{
	/* 0 is an unused cell. */
	return sb_rng_at(secret ^ a->family, word(a->ip)) | 1;
}

/* One bucket: full_at runs ahead of now by what has been taken. */
static bool take(uint64_t *full_at, uint64_t rate, uint64_t now)
{
	uint64_t from = *full_at > now ? *full_at : now, one = SB_S / rate;

	if (from - now + one > SB_RATE_BURST_S * SB_S)
		return false;
	*full_at = from + one;
	return true;
}

bool sb_rate_take(struct sb_rates *rates, const struct sb_addr *a, uint64_t rate, uint64_t now)
{
	uint64_t key = sb_addr_key(a, rates->secret);
	struct sb_rate_cell *set = rates->cell[(key >> 32) % SB_RATE_SETS];
	struct sb_rate_cell *quiet = &set[0];

	for (int i = 0; i < SB_RATE_WAYS; i++) {
		if (set[i].key == key)
			return take(&set[i].full_at, rate, now);
		if (set[i].full_at < quiet->full_at)
			quiet = &set[i];
	}
	*quiet = (struct sb_rate_cell){.key = key};
	return take(&quiet->full_at, rate, now);
}

bool sb_rate_take_total(struct sb_rates *rates, uint64_t rate, uint64_t now)
{
	return rate == 0 || take(&rates->total_full_at, rate, now);
}

bool sb_rate_has_total(const struct sb_rates *rates, uint64_t rate, uint64_t now)
{
	uint64_t full_at = rates->total_full_at;

	return rate == 0 || take(&full_at, rate, now);
}
