/* SPDX-License-Identifier: MIT
 * What every test file begins with: cmocka and what it needs, and numbers that a seed reproduces. */
#ifndef SB_TESTS_UNIT_CHECK_H
#define SB_TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/slice.h"

/* A stream of numbers: the i-th of a seed. */
struct dice {
	uint64_t seed, i;
};

static inline uint64_t roll(struct dice *d, uint64_t sides)
{
	return sb_rng_at(d->seed, d->i++) % sides;
}

/* True once in so many. */
static inline bool one_in(struct dice *d, uint64_t sides)
{
	return roll(d, sides) == 0;
}

#endif
