/* SPDX-License-Identifier: MIT
 * syn=drop and syn=drop:TIME of a line: a listener that does not answer those who want to connect. */
#ifndef SB_CORE_SYN_H
#define SB_CORE_SYN_H

#include "scenario/line.h"

struct sb_syn {
	bool is_drop;
	uint64_t until; /* nanoseconds from when it begins to listen, UINT64_MAX for no end */
};

/* Reads the key; most is the longest time it may ask for. 0, or < 0 with *fault at the line's column. */
int sb_syn_read(struct sb_syn *syn, const struct sb_line *line, uint64_t most, struct sb_fault *fault);

#endif
