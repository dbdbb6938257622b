/* SPDX-License-Identifier: MIT
 * From a line to a plan, a second time. */
#ifndef SB_FUZZ_AGAIN_PLAN_H
#define SB_FUZZ_AGAIN_PLAN_H

#include "again.h"

/* Makes the line's plan and says FOUND unless it is what the line, read again, comes to. Returns a number for it. */
uint64_t again_check_plan(const struct again *a, const struct sb_line *line, unsigned on, bool strict, bool small);

#endif
