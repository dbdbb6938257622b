/* SPDX-License-Identifier: MIT
 * What steps of a line go together, a second time. */
#ifndef SB_FUZZ_AGAIN_STEPS_H
#define SB_FUZZ_AGAIN_STEPS_H

#include "again.h"
#include "ref/ref.h"

/* 0, or why and at which column the line is refused for its steps, but for the values of opt. */
int again_steps_code(const struct again *a, bool is_script, const struct ref_codec *ref, const struct ref_args *args,
		     uint64_t delay_max, uint32_t *col);

#endif
