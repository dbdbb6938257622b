/* SPDX-License-Identifier: MIT
 * Numbers as the grammar writes them: in lines, in socket options, on the command line. */
#ifndef SB_BASE_NUMBER_H
#define SB_BASE_NUMBER_H

#include "base/slice.h"

/* The whole of text must be the number: else SB_E_TYPE (not written so) or SB_E_RANGE (written so, but it does
 * not fit 64 bits, or has a minus in front). What is left in the answer then is undefined. */

/* 1*DIGIT ["k" / "M"]: 100 64k 1M */
int sb_parse_size(struct sb_slice text, uint64_t *bytes);
/* 1*DIGIT */
int sb_parse_count(struct sb_slice text, uint64_t *count);
/* 1*DIGIT ("us" / "ms" / "s" / "m"), in nanoseconds: 250us 50ms 3s 10m */
int sb_parse_time(struct sb_slice text, uint64_t *ns);

#endif
