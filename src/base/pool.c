/* SPDX-License-Identifier: MIT
 * Blocks of one size: a bump index for those never used, a list inside the blocks for those given back. */
#include "base/pool.h"

#include <assert.h>
#include <string.h>

void sb_pool_init(struct sb_pool *pool, void *mem, uint32_t block_size, uint32_t cap)
{
	assert(block_size >= 4 && block_size % 4 == 0);
	*pool = (struct sb_pool){.mem = mem, .block_size = block_size, .cap = cap};
}

void *sb_pool_get(struct sb_pool *pool)
{
	if (pool->free_head) {
		void *block = sb_pool_at(pool, pool->free_head - 1);

		memcpy(&pool->free_head, block, sizeof(pool->free_head));
		pool->used++;
		return block;
	}
	if (pool->fresh == pool->cap)
		return NULL;
	pool->used++;
	return sb_pool_at(pool, pool->fresh++);
}

void sb_pool_put(struct sb_pool *pool, void *block)
{
	assert(sb_pool_owns(pool, block));
	assert(pool->used > 0);
	memcpy(block, &pool->free_head, sizeof(pool->free_head));
	pool->free_head = sb_pool_index(pool, block) + 1;
	pool->used--;
}

bool sb_pool_owns(const struct sb_pool *pool, const void *p)
{
	const uint8_t *at = p;

	return at >= pool->mem && at < pool->mem + (size_t)pool->block_size * pool->cap;
}
