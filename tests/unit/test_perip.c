/* SPDX-License-Identifier: MIT
 * core/perip.h: against an array of counts. The table is small, so that runs of cells go round its end. */
#include "check.h"

#include "core/perip.h"

enum { CONNS = 8, ADDRS = 24 };

struct both {
	struct sb_perip p;
	struct sb_perip_cell *cells;
	uint32_t size;
	uint64_t model[ADDRS];
	uint32_t distinct;
};

/* Every third address is an IPv6 one; the /64 differs. */
static struct sb_addr addr_of(uint32_t i)
{
	struct sb_addr a = {.family = i % 3 ? SB_IPV4 : SB_IPV6, .ip = {10, 0, 0, (uint8_t)i}};

	if (i % 3 == 0)
		a.ip[7] = (uint8_t)i;
	return a;
}

static void open_both(struct both *b, uint64_t secret)
{
	*b = (struct both){.size = sb_perip_size(CONNS)};
	b->cells = test_calloc(b->size, sizeof(*b->cells));
	sb_perip_init(&b->p, b->cells, b->size, secret);
}

static uint64_t count_in_cells(const struct both *b, uint64_t key, uint32_t *cells)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < b->size; i++) {
		if (b->cells[i].key != key)
			continue;
		count += b->cells[i].count;
		++*cells;
	}
	return count;
}

/* Each address is once in the table or, with no connection, not at all; and it is found there. */
static void compare(struct both *b)
{
	uint32_t used = 0, seen = 0;

	for (uint32_t i = 0; i < b->size; i++)
		used += b->cells[i].key != 0;
	assert_int_equal(used, b->distinct);
	for (uint32_t i = 0; i < ADDRS; i++) {
		struct sb_addr a = addr_of(i);

		assert_int_equal(count_in_cells(b, sb_addr_key(&a, b->p.secret), &seen), b->model[i]);
		if (b->model[i])
			assert_false(sb_perip_add(&b->p, &a, b->model[i]));
	}
	assert_int_equal(seen, b->distinct);
}

static void step(struct both *b, struct dice *dice)
{
	uint32_t i = (uint32_t)roll(dice, ADDRS);
	struct sb_addr a = addr_of(i);
	uint64_t most = 1 + roll(dice, 4);

	a.port = (uint16_t)roll(dice, 65536);
	if (b->model[i] && one_in(dice, 2)) {
		sb_perip_drop(&b->p, &a);
		b->distinct -= --b->model[i] == 0;
	} else if (b->model[i] || b->distinct < CONNS) {
		bool fits = b->model[i] < most;

		assert_int_equal(sb_perip_add(&b->p, &a, most), fits);
		b->distinct += fits && b->model[i] == 0;
		b->model[i] += fits;
	}
}

static void random_connections_come_and_go(void **state)
{
	(void)state;
	for (uint64_t secret = 0; secret < 60; secret++) {
		struct dice dice = {.seed = secret};
		struct both b;

		open_both(&b, secret * 12345);
		for (int i = 0; i < 400; i++) {
			step(&b, &dice);
			compare(&b);
		}
		test_free(b.cells);
	}
}

/* Everybody goes: the table is as it was in the beginning. */
static void nothing_is_left_behind(void **state)
{
	(void)state;
	for (uint64_t secret = 0; secret < 200; secret++) {
		struct both b;

		open_both(&b, secret);
		for (uint32_t i = 0; i < CONNS; i++) {
			struct sb_addr a = addr_of(i);

			assert_true(sb_perip_add(&b.p, &a, 1));
		}
		for (uint32_t i = 0; i < CONNS; i++) {
			struct sb_addr a = addr_of(secret % 2 ? i : CONNS - 1 - i);

			sb_perip_drop(&b.p, &a);
		}
		for (uint32_t i = 0; i < b.size; i++)
			assert_true(b.cells[i].key == 0 && b.cells[i].count == 0);
		test_free(b.cells);
	}
}

/* d69: one address at its most, others unaffected. d70: an IPv6 one is its /64. */
static void d69_d70_one_address_at_its_most(void **state)
{
	struct both b;
	struct sb_addr a = {.family = SB_IPV6, .ip = {0x20, 1, 0xd, 0xb8}}, other = a;

	(void)state;
	open_both(&b, 1);
	for (int i = 0; i < 64; i++) {
		a.ip[8 + i % 8]++;
		assert_true(sb_perip_add(&b.p, &a, 64));
	}
	a.ip[15] = 99;
	assert_false(sb_perip_add(&b.p, &a, 64));
	other.ip[7] = 1;
	assert_true(sb_perip_add(&b.p, &other, 64));
	sb_perip_drop(&b.p, &a);
	a.ip[15] = 100;
	assert_true(sb_perip_add(&b.p, &a, 64));
	test_free(b.cells);
}

static void sizes(void **state)
{
	(void)state;
	for (uint64_t conns = 1; conns <= 1000000; conns = conns * 3 / 2 + 1) {
		uint32_t size = sb_perip_size(conns);

		assert_true(size >= 2 * conns && (size & (size - 1)) == 0);
		assert_true(size == 16 || size / 2 < 2 * conns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_connections_come_and_go),
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(d69_d70_one_address_at_its_most),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests_name("perip", tests, NULL, NULL);
}
