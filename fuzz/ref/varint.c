/* SPDX-License-Identifier: MIT
 * varint: a length in groups of seven bits, the lowest first, in the shortest form; then so many bytes. */
#include "ref.h"

static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	uint64_t value = 0, unit = 1; /* unit: what a 1 in the next group stands for */

	for (size_t i = 0; i < n; i++, unit *= 128) {
		value += (p[i] % 128) * unit;
		if (p[i] == 0 && i > 0)
			return ref_broken(SB_E_OVERLONG, i);
		if (p[i] >= 128) {
			/* Another group comes, and the last one is not 0: the length is this at least. */
			if (value + 128 * unit > a->max)
				return ref_broken(SB_E_TOO_LARGE, i);
			continue;
		}
		if (value > a->max)
			return ref_broken(SB_E_TOO_LARGE, i);
		return n - (i + 1) >= value ? ref_frame(i + 1 + value, i + 1, value) : ref_more();
	}
	return ref_more();
}

static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	size_t head = 0, rest = n;

	if (n > a->max)
		return SB_E_TOO_LARGE;
	do {
		out[head++] = (uint8_t)(rest % 128 + (rest >= 128 ? 128 : 0));
		rest /= 128;
	} while (rest > 0);
	return (long)head + ref_put(out + head, p, n);
}

const struct ref_codec ref_varint = {.decode = decode, .encode = encode};
