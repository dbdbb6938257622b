/* SPDX-License-Identifier: MIT
 * fixed: N bytes, and N bytes, and N bytes. */
#include <stdlib.h>

#include "ref.h"

static int parse(struct ref_args *a, const char *args)
{
	a->fixed_n = strtoul(args, NULL, 10);
	return a->fixed_n ? 0 : -1;
}

static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	(void)p;
	return n >= a->fixed_n ? ref_frame(a->fixed_n, 0, a->fixed_n) : ref_more();
}

static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	if (n > a->max)
		return SB_E_TOO_LARGE;
	return n == a->fixed_n ? ref_put(out, p, n) : SB_E_BAD_PAYLOAD;
}

const struct ref_codec ref_fixed = {.parse = parse, .decode = decode, .encode = encode};
