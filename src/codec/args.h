/* SPDX-License-Identifier: MIT
 * For codec files: numbers in the arguments of a framing. */
#ifndef SB_CODEC_ARGS_H
#define SB_CODEC_ARGS_H

#include "base/slice.h"

/* Reads ["-"] 1*DIGIT at args[*at] and moves *at behind it. 0; SB_E_SYNTAX with *at where a digit should be;
 * SB_E_RANGE with *at at the number when it is not from min to max (which lie within 2^31). */
int sb_args_int(struct sb_slice args, size_t *at, int32_t min, int32_t max, int32_t *value);

/* Reads the byte c at args[*at] and moves *at behind it, or SB_E_SYNTAX. */
int sb_args_char(struct sb_slice args, size_t *at, char c);

#endif
