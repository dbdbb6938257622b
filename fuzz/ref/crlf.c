/* SPDX-License-Identifier: MIT
 * crlf: CR LF ends a message, and neither stands alone. */
#include "ref.h"

static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int is_after_cr = i > 0 && p[i - 1] == '\r';

		if (is_after_cr && p[i] == '\n')
			return ref_frame(i + 1, 0, i - 1);
		if (is_after_cr || p[i] == '\n')
			return ref_broken(SB_E_BAD_DELIMITER, i);
		if (p[i] != '\r' && i >= a->max)
			return ref_broken(SB_E_TOO_LARGE, i);
	}
	return ref_more();
}

static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	if (n > a->max)
		return SB_E_TOO_LARGE;
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n' || p[i] == '\r')
			return SB_E_BAD_PAYLOAD;
	ref_put(out, p, n);
	out[n] = '\r';
	out[n + 1] = '\n';
	return (long)n + 2;
}

const struct ref_codec ref_crlf = {.decode = decode, .encode = encode};
