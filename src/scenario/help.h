/* SPDX-License-Identifier: MIT
 * The keys and steps of a line, for people. */
#ifndef SB_SCENARIO_HELP_H
#define SB_SCENARIO_HELP_H

#include "base/text.h"

/* Every row of keys.def by group, and of steps.def: how its value is written, its range and where it applies; at most
 * 100 columns. */
void sb_keys_help(struct sb_text *t);

#endif
