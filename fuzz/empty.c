/* SPDX-License-Identifier: MIT
 * A target that does nothing: what the engine and the sanitizers alone cost. Figures are given as ratios to it. */
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	(void)data;
	(void)n;
	return 0;
}
