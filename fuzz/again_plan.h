/* SPDX-License-Identifier: MIT
 * From a line to a plan, a second time. */
#ifndef SB_FUZZ_AGAIN_PLAN_H
#define SB_FUZZ_AGAIN_PLAN_H

#include "again.h"
#include "core/limits.h"

/* Makes the line's plan and says FOUND unless it is what the line, read again, comes to. Returns a number for it. */
uint64_t again_check_plan(const struct again *a, const struct sb_line *line, unsigned on, bool strict, bool small);

/* Whether there is a plan, for a server without files: 0, or why not, and where. */
int again_plan_code(const struct again *a, unsigned on, bool strict, const struct sb_limits *limits, uint32_t *col);

#endif
