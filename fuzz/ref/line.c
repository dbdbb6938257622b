/* SPDX-License-Identifier: MIT
 * line: LF ends a message, and one CR before it is part of the end. The payload has at most max bytes. */
#include "ref.h"

static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t size = i > 0 && p[i - 1] == '\r' ? i - 1 : i; /* of the payload, if this is an LF */

		if (p[i] == '\n' && size <= a->max)
			return ref_frame(i + 1, 0, size);
		if (i < a->max)
			continue; /* an LF may come next */
		if (i == a->max && p[i] == '\r')
			continue; /* the same, as this CR is then no payload */
		return ref_broken(SB_E_TOO_LARGE, i);
	}
	return ref_more();
}

static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	if (n > a->max)
		return SB_E_TOO_LARGE;
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n' || (p[i] == '\r' && i + 1 == n))
			return SB_E_BAD_PAYLOAD;
	ref_put(out, p, n);
	out[n] = '\n';
	return (long)n + 1;
}

const struct ref_codec ref_line = {.decode = decode, .encode = encode};
