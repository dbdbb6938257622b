/* SPDX-License-Identifier: MIT
 * delim: these bytes end a message, where they stand first. No table, no state: tries every place. */
#include <stdio.h>

#include "ref.h"

static int parse(struct ref_args *a, const char *args)
{
	for (a->delim_n = 0; *args; args += 2) {
		unsigned byte;

		if (a->delim_n == sizeof(a->delim) || sscanf(args, "%2x", &byte) != 1 || args[1] == '\0')
			return -1;
		a->delim[a->delim_n++] = (uint8_t)byte;
	}
	return a->delim_n ? 0 : -1;
}

/* Whether the bytes p[at..n) are a delimiter, or as much of one as fits before n. */
static int fits(const struct ref_args *a, const uint8_t *p, size_t at, size_t n)
{
	for (size_t i = 0; i < a->delim_n && at + i < n; i++)
		if (p[at + i] != a->delim[i])
			return 0;
	return 1;
}

static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	size_t d = a->delim_n;

	for (size_t seen = 1; seen <= n; seen++) { /* as if the stream ended here */
		int can_end = seen <= a->max;      /* by a whole delimiter that is still to come */

		if (seen >= d && seen - d <= a->max && fits(a, p, seen - d, seen))
			return ref_frame(seen, 0, seen - d);
		for (size_t at = seen > d ? seen - d + 1 : 0; at < seen && at <= a->max; at++)
			can_end |= fits(a, p, at, seen);
		if (!can_end)
			return ref_broken(SB_E_TOO_LARGE, seen - 1);
	}
	return ref_more();
}

/* Can be carried when it comes back: when the first delimiter of payload and delimiter is the one put there. */
static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	size_t size = n + a->delim_n, first = 0;

	if (n > a->max)
		return SB_E_TOO_LARGE;
	ref_put(out, p, n);
	ref_put(out + n, a->delim, a->delim_n);
	while (first + a->delim_n > size || !fits(a, out, first, size))
		first++;
	return first < n ? SB_E_BAD_PAYLOAD : (long)size;
}

const struct ref_codec ref_delim = {.parse = parse, .decode = decode, .encode = encode};
