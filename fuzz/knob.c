/* SPDX-License-Identifier: MIT
 * The knobs of a script that set a limit. */
#include "knob.h"

#include "core/limits.h"

int fuzz_knob_limit(uint8_t letter)
{
	switch (letter) {
#define SBS_KNOB_LIMIT(letter, limit)                                                                                  \
	case letter:                                                                                                   \
		return SB_LIMIT_##limit;
#define SBS_KNOB(letter, id)
#include "script/knobs.def"
#undef SBS_KNOB_LIMIT
#undef SBS_KNOB
	default:
		return -1;
	}
}
