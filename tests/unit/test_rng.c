/* SPDX-License-Identifier: MIT
 * base/rng.h: against the published generator, which keeps a state and has to be asked in order. */
#include "check.h"

/* The reference: Vigna's splitmix64.c. */
static uint64_t next_of(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void the_published_values(void **state)
{
	static const uint64_t of_0[] = {0xe220a8397b1dcdafu, 0x6e789e6aa1b965f4u, 0x06c45d188009454fu,
					0xf88bb8a8724c81ecu};
	static const uint64_t of_1234567[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
					      4593380528125082431u, 16408922859458223821u};

	(void)state;
	for (size_t i = 0; i < sizeof(of_0) / sizeof(of_0[0]); i++)
		assert_int_equal(sb_rng_at(0, i), of_0[i]);
	for (size_t i = 0; i < sizeof(of_1234567) / sizeof(of_1234567[0]); i++)
		assert_int_equal(sb_rng_at(1234567, i), of_1234567[i]);
}

static void any_position_is_what_comes_there_in_order(void **state)
{
	static const uint64_t seeds[] = {0, 1, 42, UINT64_C(1) << 63, UINT64_MAX};

	(void)state;
	for (size_t k = 0; k < sizeof(seeds) / sizeof(seeds[0]); k++) {
		uint64_t x = seeds[k], in_order[500];

		for (size_t i = 0; i < 500; i++)
			in_order[i] = next_of(&x);
		for (size_t i = 500; i-- > 0;)
			assert_int_equal(sb_rng_at(seeds[k], i), in_order[i]);
	}
}

static void every_bit_is_set_about_half_the_time(void **state)
{
	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		int n = 0;

		for (uint64_t i = 0; i < 4096; i++)
			n += (int)(sb_rng_at(7, i) >> bit & 1);
		assert_in_range(n, 1850, 2250); /* six standard deviations */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_values),
		cmocka_unit_test(any_position_is_what_comes_there_in_order),
		cmocka_unit_test(every_bit_is_set_about_half_the_time),
	};

	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
