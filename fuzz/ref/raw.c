/* SPDX-License-Identifier: MIT
 * raw: whatever is there is one message of max bytes at most. */
#include "ref.h"

static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	(void)p;
	return n < a->max ? ref_frame(n, 0, n) : ref_frame(a->max, 0, a->max);
}

static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	return n > a->max ? SB_E_TOO_LARGE : ref_put(out, p, n);
}

const struct ref_codec ref_raw = {.decode = decode, .encode = encode};
