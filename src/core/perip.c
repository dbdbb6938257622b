/* SPDX-License-Identifier: MIT
 * Open addressing with linear probing; a removal closes the gap, so that there are no tombstones. */
#include "core/perip.h"

#include <assert.h>

uint32_t sb_perip_size(uint64_t conns)
{
	uint32_t size = 16;

	while (size < 2 * conns)
		size *= 2;
	return size;
}

void sb_perip_init(struct sb_perip *p, struct sb_perip_cell *cells, uint32_t size, uint64_t secret)
{
	assert(size && (size & (size - 1)) == 0);
	*p = (struct sb_perip){.cells = cells, .size = size, .secret = secret};
}

static uint32_t home_of(const struct sb_perip *p, uint64_t key)
{
	return (uint32_t)(key >> 32) & (p->size - 1);
}

static uint32_t after(const struct sb_perip *p, uint32_t i)
{
	return (i + 1) & (p->size - 1);
}

/* Where key is, or the unused cell where it would be. */
static uint32_t find(const struct sb_perip *p, uint64_t key)
{
	uint32_t i = home_of(p, key);

	while (p->cells[i].key != 0 && p->cells[i].key != key)
		i = after(p, i);
	return i;
}

bool sb_perip_add(struct sb_perip *p, const struct sb_addr *a, uint64_t most)
{
	uint64_t key = sb_addr_key(a, p->secret);
	struct sb_perip_cell *c = &p->cells[find(p, key)];

	if (c->key == key && c->count >= most)
		return false;
	c->key = key;
	c->count++;
	return true;
}

/* How far it is from one place to another, going up and round. */
static uint32_t distance(const struct sb_perip *p, uint32_t from, uint32_t to)
{
	return (to + p->size - from) & (p->size - 1);
}

/* Moves what was probed past i back into it, until a gap ends the run. */
static void close_gap(struct sb_perip *p, uint32_t i)
{
	for (uint32_t j = after(p, i); p->cells[j].key != 0; j = after(p, j)) {
		uint32_t home = home_of(p, p->cells[j].key);

		if (distance(p, home, j) < distance(p, i, j))
			continue;
		p->cells[i] = p->cells[j];
		i = j;
	}
	p->cells[i] = (struct sb_perip_cell){0};
}

void sb_perip_drop(struct sb_perip *p, const struct sb_addr *a)
{
	uint32_t i = find(p, sb_addr_key(a, p->secret));

	assert(p->cells[i].count > 0);
	if (--p->cells[i].count == 0)
		close_gap(p, i);
}
