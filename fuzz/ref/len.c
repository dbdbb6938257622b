/* SPDX-License-Identifier: MIT
 * len: OFFSET bytes, WIDTH bytes of length, length + ADJUST bytes of body; the first STRIP bytes are no payload.
 *
 * A length is good when the body has 0 to max bytes, and the frame at least STRIP. In 128 bits, so that no sum and no
 * step can overflow and nobody has to think about it. */
#include <stdio.h>
#include <string.h>

#include "ref.h"

__extension__ typedef __int128 wide;

static int parse(struct ref_args *a, const char *args)
{
	long long offset, width, adjust, strip = 0;
	char order[3] = "";

	if (sscanf(args, "%lld,%lld,%2[bel],%lld,%lld", &offset, &width, order, &adjust, &strip) < 4)
		return -1;
	a->offset = offset;
	a->width = width;
	a->adjust = adjust;
	a->strip = strip;
	a->is_big = strcmp(order, "be") == 0;
	return 0;
}

static wide power_of_256(int64_t n)
{
	wide v = 1;

	for (int64_t i = 0; i < n; i++)
		v *= 256;
	return v;
}

/* The first got bytes of a length field leave an arithmetic series of values: first, first + step, ... up to last.
 * TOO_LARGE when all are too large, BAD_LENGTH when none is good for another reason, else 0. */
static int judge(const struct ref_args *a, const uint8_t *field, int64_t got)
{
	wide header = a->offset + a->width, most = (wide)a->max - a->adjust;
	wide least = a->strip > header ? a->strip - header - a->adjust : -a->adjust;
	wide known = 0, first, step, last, left = power_of_256(a->width - got);

	for (int64_t i = 0; i < got; i++)
		known += a->is_big ? field[i] * power_of_256(got - 1 - i) : field[i] * power_of_256(i);
	first = a->is_big ? known * left : known;
	step = a->is_big ? 1 : power_of_256(got);
	last = first + step * (left - 1);
	if (first > most)
		return SB_E_TOO_LARGE;
	if (first < least)
		first += (least - first + step - 1) / step * step; /* the first that is not too small */
	return first > last || first > most ? SB_E_BAD_LENGTH : 0;
}

static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	int64_t header = a->offset + a->width, size = header + a->adjust, got = 0;

	while (got < a->width && a->offset + got < (int64_t)n) {
		int err = judge(a, p + a->offset, ++got);

		if (err)
			return ref_broken(err, (size_t)(a->offset + got - 1));
	}
	if (got < a->width)
		return ref_more();
	/* The length is good, so it is small. */
	for (int64_t i = 0; i < a->width; i++)
		size += (int64_t)(p[a->offset + i] * power_of_256(a->is_big ? a->width - 1 - i : i));
	if ((int64_t)n < size)
		return ref_more();
	return ref_frame((size_t)size, (size_t)a->strip, (size_t)(size - a->strip));
}

static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	int64_t body = a->strip + (int64_t)n - a->offset - a->width, value = body - a->adjust;

	if (body < 0)
		return SB_E_BAD_PAYLOAD;
	if (body > (int64_t)a->max)
		return SB_E_TOO_LARGE;
	if (value < 0 || value >= power_of_256(a->width))
		return SB_E_BAD_PAYLOAD;
	memset(out, 0, (size_t)a->strip);
	ref_put(out + a->strip, p, n);
	for (int64_t i = 0; i < a->width; i++) {
		int64_t at = a->offset + i;
		uint8_t c = (uint8_t)(value / power_of_256(a->is_big ? a->width - 1 - i : i) % 256);

		if (at >= a->strip && out[at] != c)
			return SB_E_BAD_PAYLOAD; /* the payload itself has this byte, and another one */
		out[at] = c;
	}
	return (long)a->strip + (long)n;
}

const struct ref_codec ref_len = {.parse = parse, .decode = decode, .encode = encode};
