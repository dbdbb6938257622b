/* SPDX-License-Identifier: MIT
 * Digits and a unit. Everything is checked before it is computed: there is no overflow to detect. */
#include "base/number.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* digits, then the name of one of the n units. */
static int parse(struct sb_slice text, const struct unit *units, size_t n, uint64_t *out)
{
	bool is_negative = text.n && text.p[0] == '-', fits = true;
	size_t i = is_negative ? 1 : 0, first = i;
	struct sb_slice name;
	uint64_t v = 0;

	for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
		unsigned digit = text.p[i] - (unsigned)'0';

		fits = fits && v <= (UINT64_MAX - digit) / 10;
		v = fits ? v * 10 + digit : 0;
	}
	if (i == first)
		return SB_E_TYPE;
	name = sb_slice_skip(text, i);
	for (size_t u = 0; u < n; u++) {
		if (!sb_slice_is(name, units[u].name))
			continue;
		if (is_negative || !fits || v > UINT64_MAX / units[u].factor)
			return SB_E_RANGE;
		*out = v * units[u].factor;
		return 0;
	}
	return SB_E_TYPE;
}

int sb_parse_size(struct sb_slice text, uint64_t *bytes)
{
	static const struct unit units[] = {{"", 1}, {"k", 1024}, {"M", UINT64_C(1024) * 1024}};

	return parse(text, units, sizeof(units) / sizeof(units[0]), bytes);
}

int sb_parse_count(struct sb_slice text, uint64_t *count)
{
	static const struct unit units[] = {{"", 1}};

	return parse(text, units, 1, count);
}

int sb_parse_time(struct sb_slice text, uint64_t *ns)
{
	static const struct unit units[] = {{"us", 1000},
					    {"ms", 1000000},
					    {"s", 1000000000},
					    {"m", UINT64_C(60000000000)}};

	return parse(text, units, sizeof(units) / sizeof(units[0]), ns);
}
