/* SPDX-License-Identifier: MIT
 * What becomes of replies that are datagrams, a second time: what is refused, and which replies are meant. */
#ifndef SB_FUZZ_AGAIN_FATES_H
#define SB_FUZZ_AGAIN_FATES_H

#include "again.h"
#include "core/plan.h"

/* 0, or why and at which column the line is refused for what it says of datagrams. */
int again_fates_code(const struct again *a, const struct sb_limits *limits, bool strict, uint32_t *col);

/* Whether one of its keys is a share, for which there may be a seed. */
bool again_fates_are_random(const struct again *a);

/* Says FOUND unless the plan's fates are the line's. */
void again_compare_fates(const struct again *a, const struct sb_plan *plan, uint64_t seed);

#endif
