/* SPDX-License-Identifier: MIT
 * The knobs of a script that set a limit: knobs.def. */
#ifndef SB_FUZZ_KNOB_H
#define SB_FUZZ_KNOB_H

#include <stdint.h>

/* SB_LIMIT_*, or -1 when this letter sets none. */
int fuzz_knob_limit(uint8_t letter);

#endif
