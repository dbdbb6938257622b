/* SPDX-License-Identifier: MIT
 * Keys of a direction: up.KEY=, down.KEY=. */
#include "scenario/way.h"

const char *const sb_way_names[SB_WAYS] = {[SB_WAY_UP] = "up.", [SB_WAY_DOWN] = "down."};

enum sb_way sb_line_way(struct sb_slice name)
{
	int way = 0;

	while (way < SB_WAYS) {
		size_t n = strlen(sb_way_names[way]);

		if (name.n >= n && memcmp(name.p, sb_way_names[way], n) == 0)
			break;
		way++;
	}
	return (enum sb_way)way;
}

uint16_t sb_line_way_col(const struct sb_line *line)
{
	uint16_t col = UINT16_MAX;

	for (int way = 0; way < SB_WAYS; way++)
		for (int i = 0; i < SB_KEYS_N; i++)
			if (line->way[way][i].set && line->way[way][i].key_col < col)
				col = line->way[way][i].key_col;
	return col;
}

void sb_line_of_way(struct sb_line *of, const struct sb_line *line, enum sb_way way)
{
	*of = *line;
	for (int i = 0; i < SB_KEYS_N; i++)
		if (sb_keys[i].group & SB_G_OF_WAY)
			of->v[i] = line->way[way][i];
}
