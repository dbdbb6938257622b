/* SPDX-License-Identifier: MIT
 * Optimal string alignment (edit distance with swaps of neighbours), three rows of the table at a time. */
#include "base/nearest.h"

enum { WORD_MAX = 48 }; /* longer ones are not typing errors */

static int lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* a and b have at most WORD_MAX bytes. */
static unsigned distance(struct sb_slice a, struct sb_slice b)
{
	unsigned rows[3][WORD_MAX + 1]; /* rows[i % 3][j]: from a's first i letters to b's first j */

	for (unsigned j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		const unsigned *up = rows[(i - 1) % 3], *upup = rows[(i + 1) % 3];
		unsigned *row = rows[i % 3];

		row[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			int x = lower(a.p[i - 1]), y = lower(b.p[j - 1]);
			unsigned d = least(up[j - 1] + (x != y), least(up[j], row[j - 1]) + 1);

			if (i > 1 && j > 1 && x == lower(b.p[j - 2]) && y == lower(a.p[i - 2]))
				d = least(d, upup[j - 2] + 1);
			row[j] = d;
		}
	}
	return rows[a.n % 3][b.n];
}

const char *sb_nearest(struct sb_slice word, sb_word_at *at, const void *list)
{
	const char *best = NULL, *next;
	size_t best_d = 0;

	if (word.n == 0 || word.n > WORD_MAX)
		return NULL;
	for (size_t i = 0; (next = at(list, i)); i++) {
		struct sb_slice candidate = sb_slice_cstr(next);
		size_t letters = candidate.n > word.n ? candidate.n : word.n;
		size_t d;

		if (letters > WORD_MAX)
			continue;
		d = distance(word, candidate);
		if (d * 3 <= letters && (!best || d < best_d)) {
			best = next;
			best_d = d;
		}
	}
	return best;
}
