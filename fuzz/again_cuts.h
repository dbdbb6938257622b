/* SPDX-License-Identifier: MIT
 * How a line shapes what is sent, a second time: what is refused, and where boundaries are. */
#ifndef SB_FUZZ_AGAIN_CUTS_H
#define SB_FUZZ_AGAIN_CUTS_H

#include "again.h"
#include "core/plan.h"

/* 0, or why and at which column the line is refused for what it says of endings, cuts, limits and seeds. */
int again_cuts_code(const struct again *a, const struct sb_limits *limits, uint32_t *col);

/* Says FOUND unless the plan's cuts are the line's. */
void again_compare_cuts(const struct again *a, const struct sb_plan *plan, uint64_t seed);

#endif
