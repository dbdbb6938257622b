/* SPDX-License-Identifier: MIT
 * Blocks of one size from memory taken at start. Untouched blocks stay untouched, so that memory that was
 * never needed never becomes resident. */
#ifndef SB_BASE_POOL_H
#define SB_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* used + free blocks in the list + blocks never handed out = cap. */
struct sb_pool {
	uint8_t *mem;
	uint32_t block_size, cap; /* bytes of a block; how many there are */
	uint32_t fresh;           /* blocks below this have been handed out at least once */
	uint32_t free_head;       /* index + 1 of the first given-back block, 0 for none */
	uint32_t used;
};

/* block_size is a multiple of 4, at least 4; mem has block_size * cap bytes and is the caller's. */
void sb_pool_init(struct sb_pool *pool, void *mem, uint32_t block_size, uint32_t cap);

/* A block, or NULL when all are used. Its content is whatever was there. */
void *sb_pool_get(struct sb_pool *pool);

/* Gives a block of this pool back. */
void sb_pool_put(struct sb_pool *pool, void *block);

/* Whether p points into one of this pool's blocks. */
bool sb_pool_owns(const struct sb_pool *pool, const void *p);

static inline uint32_t sb_pool_left(const struct sb_pool *pool)
{
	return pool->cap - pool->used;
}

/* Index of a block, for tables beside the pool; and back. */
static inline uint32_t sb_pool_index(const struct sb_pool *pool, const void *block)
{
	return (uint32_t)((size_t)((const uint8_t *)block - pool->mem) / pool->block_size);
}

static inline void *sb_pool_at(const struct sb_pool *pool, uint32_t i)
{
	return pool->mem + (size_t)i * pool->block_size;
}

#endif
