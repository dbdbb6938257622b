/* SPDX-License-Identifier: MIT
 * An input that is read byte by byte; behind its end there are zeros. */
#ifndef SB_FUZZ_INPUT_H
#define SB_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "judge.h"

JUDGE_BEGIN

struct input {
	const uint8_t *p;
	size_t n;
};

static inline uint8_t byte(struct input *in)
{
	uint8_t b = in->n ? in->p[0] : 0;

	in->p += in->n > 0;
	in->n -= in->n > 0;
	return b;
}

JUDGE_END

#endif
