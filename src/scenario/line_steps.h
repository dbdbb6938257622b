/* SPDX-License-Identifier: MIT
 * Between line.c and line_steps.c: the words of a line from the first "|" on. */
#ifndef SB_SCENARIO_LINE_STEPS_H
#define SB_SCENARIO_LINE_STEPS_H

#include "scenario/line.h"

/* What a word of the line may be. */
enum sb_line_part {
	SB_PART_KEYS, /* a key, or the first "|" */
	SB_PART_STEP, /* a step, after a "|" */
	SB_PART_BAR,  /* a "|", after a step */
};

/* Reads a "|" or a step, and says in *part what comes next. 0, or < 0 with *fault. */
int sb_line_read_step(struct sb_line *line, enum sb_line_part *part, struct sb_slice word, uint16_t col,
		      struct sb_fault *fault);

/* That there may be steps: 0, or SB_E_PLACE with *fault. See sb_line_check(). */
int sb_line_check_steps(const struct sb_line *line, unsigned groups, unsigned on, const char *who,
			struct sb_fault *fault);

/* line.c: reads the value raw, which begins at column v->col, as row says. 0, or < 0 with *fault. */
int sb_line_value(struct sb_line *line, const struct sb_key_row *row, struct sb_value *v, struct sb_slice raw,
		  struct sb_fault *fault);

#endif
