/* SPDX-License-Identifier: MIT
 *
 * Target: base/pool against a list of which blocks are in use.
 *
 * The first byte makes the pool: its low half is how many blocks there are, its high half how large they are. Each
 * byte after it is one call: odd takes a block; even gives back the (byte / 2)th of those in use.
 *
 * While the pool is at work nobody may touch the blocks that are in use or were never handed out: they are poisoned
 * under AddressSanitizer, and hold a pattern that is looked at again.
 */
#include "base/pool.h"

#include "codec_arena.h"
#include "found.h"
#include "judge.h"
#include "target.h"

JUDGE_BEGIN

enum { BLOCKS_MAX = 16, FENCE = 16 };

enum state { NEVER, USED, BACK };

static struct arena arena;
static uint64_t digest;

struct model {
	struct sb_pool pool;
	uint8_t *mem;
	uint32_t size, cap, used, backs, fresh;
	enum state state[BLOCKS_MAX];
	uint8_t mark[BLOCKS_MAX], marks;
};

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

static uint8_t *block(const struct model *m, uint32_t i)
{
	return m->mem + (size_t)i * m->size;
}

/* Only whole grains can be forbidden: else the end of a block would take the beginning of the next with it. */
static bool is_grained(const struct model *m)
{
	return m->size % ARENA_GRAIN == 0;
}

/* Nobody may touch the block: it says its mark all over, another one each time. */
static void forbid(struct model *m, uint32_t i)
{
	m->mark[i] = m->marks++;
	memset(block(m, i), m->mark[i], m->size);
	if (is_grained(m))
		arena_forbid(block(m, i), m->size);
}

/* The block is the pool's own, or about to be written. It says what it said. */
static void allow(const struct model *m, uint32_t i)
{
	const uint8_t *p = block(m, i);

	if (is_grained(m))
		arena_allow(p, m->size);
	if (p[0] != m->mark[i] || memcmp(p, p + 1, m->size - 1) != 0)
		sb_found("pool: block %u was changed while it was %s", i,
			 m->state[i] == USED ? "in use" : "never handed out");
}

/* ---- what can be asked ---- */

static void check_owns(const struct model *m, uint8_t by)
{
	const struct sb_pool *p = &m->pool;
	size_t all = (size_t)m->size * m->cap, at = all ? by * (size_t)37 % all : 0;

	if (sb_pool_owns(p, m->mem - 1) || sb_pool_owns(p, m->mem + all))
		sb_found("pool: owns what lies beside its blocks");
	if (all && (!sb_pool_owns(p, m->mem) || !sb_pool_owns(p, m->mem + all - 1) || !sb_pool_owns(p, m->mem + at)))
		sb_found("pool: does not own byte 0, %zu or %zu of %zu", at, all - 1, all);
	if (all && sb_pool_index(p, m->mem + at) != at / m->size)
		sb_found("pool: byte %zu is of block %u, it says, with blocks of %u", at, sb_pool_index(p, m->mem + at),
			 m->size);
}

static void check(const struct model *m, uint8_t by)
{
	if (m->pool.used != m->used || sb_pool_left(&m->pool) != m->cap - m->used)
		sb_found("pool: %u used, %u left of %u; it should be %u used", m->pool.used, sb_pool_left(&m->pool),
			 m->cap, m->used);
	if (m->pool.fresh != m->fresh)
		sb_found("pool: %u blocks were ever handed out, it says; it should be %u", m->pool.fresh, m->fresh);
	if (by % BLOCKS_MAX < m->cap && sb_pool_at(&m->pool, by % BLOCKS_MAX) != block(m, by % BLOCKS_MAX))
		sb_found("pool: block %d is not where it should be", by % BLOCKS_MAX);
	check_owns(m, by);
}

/* ---- what can be done ---- */

static void get(struct model *m)
{
	uint8_t *p;
	uint32_t i;

	p = sb_pool_get(&m->pool);
	digest = digest * 31 + (p ? (uint64_t)(p - m->mem) + 1 : 0);
	if (!p) {
		if (m->used < m->cap)
			sb_found("pool: nothing left, and only %u of %u in use", m->used, m->cap);
		return;
	}
	if (p < m->mem || (size_t)(p - m->mem) >= (size_t)m->size * m->cap || (size_t)(p - m->mem) % m->size)
		sb_found("pool: handed out what is no block of it, at byte %td", p - m->mem);
	i = (uint32_t)((size_t)(p - m->mem) / m->size);
	if (m->state[i] == USED)
		sb_found("pool: block %u handed out, and it is in use", i);
	if (m->state[i] == NEVER && m->backs > 0)
		sb_found("pool: block %u was touched, and there are %u that have been before", i, m->backs);
	if (m->state[i] == NEVER && i != m->fresh)
		sb_found("pool: block %u was touched, and %u is the lowest", i, m->fresh);
	if (m->state[i] == NEVER) {
		allow(m, i);
		m->fresh++;
	} else {
		m->backs--;
	}
	m->state[i] = USED;
	m->used++;
	forbid(m, i);
}

static void put(struct model *m, uint32_t nth)
{
	uint32_t i = 0;

	if (m->used == 0)
		return;
	for (nth %= m->used; m->state[i] != USED || nth-- > 0; i++)
		;
	allow(m, i);
	m->state[i] = BACK;
	m->used--;
	m->backs++;
	sb_pool_put(&m->pool, block(m, i));
}

/* Every block can be had, once. */
static void drain(struct model *m)
{
	while (m->used < m->cap)
		get(m);
	if (sb_pool_get(&m->pool))
		sb_found("pool: one more than there are");
	check(m, 0);
	while (m->used > 0)
		put(m, 0);
	check(m, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint16_t sizes[] = {8, 4, 12, 16, 24, 40, 64, 256};
	struct model m = {.cap = n ? data[0] % BLOCKS_MAX : 0, .size = sizes[n ? data[0] >> 4 & 7 : 0]};
	size_t all = (size_t)m.size * m.cap;
	uint8_t *room = arena_open(&arena, all + (size_t)2 * FENCE);

	digest = m.size;
	memset(room, 0xa5, all + (size_t)2 * FENCE);
	m.mem = room + FENCE;
	sb_pool_init(&m.pool, m.mem, m.size, m.cap);
	for (uint32_t i = 0; i < m.cap; i++)
		forbid(&m, i);
	check(&m, 0);
	for (size_t i = 1; i < n; i++) {
		if (data[i] & 1)
			get(&m);
		else
			put(&m, data[i] / 2);
		check(&m, data[i]);
	}
	drain(&m);
	for (uint32_t i = 0; i < m.cap; i++)
		arena_allow(block(&m, i), m.size);
	for (size_t i = 0; i < FENCE; i++)
		if (room[i] != 0xa5 || m.mem[all + i] != 0xa5)
			sb_found("pool: a byte beside the blocks was changed");
	arena_close(room, all + (size_t)2 * FENCE);
	return 0;
}

JUDGE_END
