/* SPDX-License-Identifier: MIT
 * Keys of a direction, between line.c and way.c. */
#ifndef SB_SCENARIO_WAY_H
#define SB_SCENARIO_WAY_H

#include "scenario/line.h"

/* Of "up.frag" or "down.frag"; SB_WAYS for a name that begins otherwise. */
enum sb_way sb_line_way(struct sb_slice name);

/* The column of the first key of a direction, UINT16_MAX when there is none. */
uint16_t sb_line_way_col(const struct sb_line *line);

#endif
