/* SPDX-License-Identifier: MIT
 * base/pool.h: against an array that knows which blocks are out, and what was written into them. */
#include "check.h"

#include "base/pool.h"

enum { BLOCK = 12, CAP = 37 };

/* Exactly the pool's bytes, so that one too many is seen. */
static struct sb_pool pool_of(uint32_t block, uint32_t cap)
{
	struct sb_pool pool;
	uint8_t *mem = test_malloc((size_t)block * cap);

	memset(mem, 0xa5, (size_t)block * cap);
	sb_pool_init(&pool, mem, block, cap);
	return pool;
}

static void gives_every_block_once_and_then_none(void **state)
{
	struct sb_pool pool = pool_of(BLOCK, CAP);
	bool seen[CAP] = {false};

	(void)state;
	for (uint32_t i = 0; i < CAP; i++) {
		void *block = sb_pool_get(&pool);
		uint32_t at = sb_pool_index(&pool, block);

		assert_true(sb_pool_owns(&pool, block));
		assert_true(at < CAP && !seen[at]);
		assert_ptr_equal(block, sb_pool_at(&pool, at));
		assert_int_equal(sb_pool_left(&pool), CAP - i - 1);
		seen[at] = true;
	}
	assert_null(sb_pool_get(&pool));
	assert_null(sb_pool_get(&pool));
	assert_int_equal(pool.used, CAP);
	sb_pool_put(&pool, sb_pool_at(&pool, 5));
	assert_ptr_equal(sb_pool_get(&pool), sb_pool_at(&pool, 5));
	assert_null(sb_pool_get(&pool));
	test_free(pool.mem);
}

static void owns_its_own_bytes_and_no_others(void **state)
{
	struct sb_pool pool = pool_of(BLOCK, CAP);

	(void)state;
	assert_true(sb_pool_owns(&pool, pool.mem));
	assert_true(sb_pool_owns(&pool, pool.mem + BLOCK * CAP - 1));
	assert_false(sb_pool_owns(&pool, pool.mem + BLOCK * CAP));
	assert_false(sb_pool_owns(&pool, (const uint8_t *)((uintptr_t)pool.mem - 1)));
	assert_false(sb_pool_owns(&pool, NULL));
	test_free(pool.mem);
}

static void a_pool_of_no_blocks_gives_none(void **state)
{
	uint32_t nothing;
	struct sb_pool pool;

	(void)state;
	sb_pool_init(&pool, &nothing, 4, 0);
	assert_null(sb_pool_get(&pool));
	assert_false(sb_pool_owns(&pool, &nothing));
	assert_int_equal(sb_pool_left(&pool), 0);
}

/* Memory that was never needed never becomes resident. */
static void blocks_never_handed_out_stay_untouched(void **state)
{
	struct sb_pool pool = pool_of(BLOCK, CAP);
	void *a = sb_pool_get(&pool), *b = sb_pool_get(&pool);

	(void)state;
	sb_pool_put(&pool, a);
	sb_pool_put(&pool, b);
	for (int i = 0; i < 1000; i++)
		sb_pool_put(&pool, sb_pool_get(&pool));
	assert_int_equal(pool.fresh, 2);
	for (size_t i = 2 * BLOCK; i < BLOCK * CAP; i++)
		assert_int_equal(pool.mem[i], 0xa5);
	test_free(pool.mem);
}

static void write_mark(uint8_t *block, uint32_t size, uint8_t mark)
{
	memset(block, mark, size);
}

static bool has_mark(const uint8_t *block, uint32_t size, uint8_t mark)
{
	for (uint32_t i = 0; i < size; i++)
		if (block[i] != mark)
			return false;
	return true;
}

/* The model: mark[i] is what block i was filled with when it was handed out, 0 for not out. */
static void equals_an_array(uint64_t seed, uint32_t size)
{
	struct dice dice = {.seed = seed};
	struct sb_pool pool = pool_of(size, CAP);
	uint8_t mark[CAP] = {0};
	uint32_t used = 0, most = 0;

	for (int step = 0; step < 5000; step++) {
		uint32_t i = (uint32_t)roll(&dice, CAP);

		if (mark[i] && roll(&dice, 100) < (step / 500 % 2 ? 70u : 40u)) {
			assert_true(has_mark(sb_pool_at(&pool, i), size, mark[i]));
			sb_pool_put(&pool, sb_pool_at(&pool, i));
			mark[i] = 0;
			used--;
		} else {
			uint8_t *block = sb_pool_get(&pool);

			assert_int_equal(block == NULL, used == CAP);
			if (!block)
				continue;
			i = sb_pool_index(&pool, block);
			assert_int_equal(mark[i], 0);
			mark[i] = (uint8_t)(1 + roll(&dice, 255));
			write_mark(block, size, mark[i]);
			used++;
		}
		most = used > most ? used : most;
		assert_int_equal(pool.used, used);
		assert_int_equal(pool.fresh, most);
	}
	for (uint32_t i = 0; i < CAP; i++)
		assert_true(mark[i] == 0 || has_mark(sb_pool_at(&pool, i), size, mark[i]));
	assert_int_equal(most, CAP);
	test_free(pool.mem);
}

static void random_gets_and_puts(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 8; seed++)
		equals_an_array(seed, seed % 2 ? 4 : 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_every_block_once_and_then_none),
		cmocka_unit_test(owns_its_own_bytes_and_no_others),
		cmocka_unit_test(a_pool_of_no_blocks_gives_none),
		cmocka_unit_test(blocks_never_handed_out_stay_untouched),
		cmocka_unit_test(random_gets_and_puts),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
