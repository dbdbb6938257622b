/* SPDX-License-Identifier: MIT
 * netstring: a length in decimal without a leading zero, ":", so many bytes, ",". */
#include <stdio.h>

#include "ref.h"

static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	uint64_t size = 0;
	size_t head = 0;

	for (; head < n && p[head] != ':'; head++) {
		if (p[head] < '0' || p[head] > '9')
			return ref_broken(SB_E_BAD_LENGTH, head);
		if (head == 1 && p[0] == '0')
			return ref_broken(SB_E_OVERLONG, 1);
		size = size * 10 + (p[head] - '0');
		if (size > a->max)
			return ref_broken(SB_E_TOO_LARGE, head);
	}
	if (head == n)
		return ref_more();
	if (head == 0)
		return ref_broken(SB_E_BAD_LENGTH, 0);
	head++; /* the colon */
	if (n - head <= size)
		return ref_more();
	if (p[head + size] != ',')
		return ref_broken(SB_E_BAD_DELIMITER, head + size);
	return ref_frame(head + size + 1, head, size);
}

static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	char text[24];
	long head;

	if (n > a->max)
		return SB_E_TOO_LARGE;
	head = snprintf(text, sizeof(text), "%zu:", n);
	ref_put(out, (const uint8_t *)text, (size_t)head);
	ref_put(out + head, p, n);
	out[head + (long)n] = ',';
	return head + (long)n + 1;
}

const struct ref_codec ref_netstring = {.decode = decode, .encode = encode};
