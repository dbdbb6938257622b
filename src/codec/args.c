/* SPDX-License-Identifier: MIT
 * Numbers in the arguments of a framing. */
#include "codec/args.h"

int sb_args_int(struct sb_slice args, size_t *at, int32_t min, int32_t max, int32_t *value)
{
	bool minus = *at < args.n && args.p[*at] == '-';
	size_t digits = minus ? *at + 1 : *at, i = digits;
	int64_t v = 0;

	for (; i < args.n && args.p[i] >= '0' && args.p[i] <= '9'; i++)
		if (v <= INT32_MAX) /* else it stays out of range, however many digits come */
			v = v * 10 + (args.p[i] - '0');
	if (i == digits) {
		*at = i;
		return SB_E_SYNTAX;
	}
	v = minus ? -v : v;
	if (v < min || v > max)
		return SB_E_RANGE;
	*at = i;
	*value = (int32_t)v;
	return 0;
}

int sb_args_char(struct sb_slice args, size_t *at, char c)
{
	if (*at >= args.n || args.p[*at] != (uint8_t)c)
		return SB_E_SYNTAX;
	++*at;
	return 0;
}
