/* SPDX-License-Identifier: MIT
 * core/rate.h: buckets of a rate and a burst, and a table that does not grow. */
#include "check.h"

#include "core/limits.h"
#include "core/rate.h"

static struct sb_addr addr(const char *ip)
{
	struct sb_addr a;

	assert_int_equal(sb_addr_parse_ip(&a, sb_slice_cstr(ip)), 0);
	return a;
}

static struct sb_rates *rates_of(uint64_t secret)
{
	struct sb_rates *rates = test_calloc(1, sizeof(*rates));

	rates->secret = secret;
	return rates;
}

static uint32_t takes(struct sb_rates *rates, const struct sb_addr *a, uint64_t rate, uint64_t now, uint32_t tries)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < tries; i++)
		n += sb_rate_take(rates, a, rate, now);
	return n;
}

static void a_burst_and_then_the_rate(void **state)
{
	static const uint64_t per_second[] = {1, 2, 100, 1000, 100000};
	struct sb_addr a = addr("192.0.2.1");

	(void)state;
	for (size_t i = 0; i < sizeof(per_second) / sizeof(per_second[0]); i++) {
		struct sb_rates *rates = rates_of(i);
		uint64_t rate = per_second[i], now = 77 * SB_S, gap = SB_S / rate;
		uint64_t most = SB_RATE_BURST_S * rate;

		assert_int_equal(takes(rates, &a, rate, now, 1000000), most);
		assert_false(sb_rate_take(rates, &a, rate, now + gap - 1));
		assert_true(sb_rate_take(rates, &a, rate, now + gap));
		assert_false(sb_rate_take(rates, &a, rate, now + gap));
		assert_int_equal(takes(rates, &a, rate, now + 11 * gap, 100), most < 10 ? most : 10);
		/* Long quiet gives a whole burst, and no more. */
		assert_int_equal(takes(rates, &a, rate, now + SB_H, 1000000), most);
		test_free(rates);
	}
}

/* Whatever comes when: no window has more than its rate and a burst; what keeps to the rate is never refused. */
static void no_window_has_more(void **state)
{
	enum { N = 20000, RATE = 100 };
	static uint64_t taken[N];
	struct sb_rates *rates = rates_of(1);
	struct sb_addr a = addr("192.0.2.1"), slow = addr("192.0.2.2");
	struct dice dice = {.seed = 3};
	uint64_t now = SB_S, slow_at = SB_S;
	int n = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		now += one_in(&dice, 500) ? roll(&dice, 3 * SB_S) : roll(&dice, 5 * SB_MS);
		if (sb_rate_take(rates, &a, RATE, now))
			taken[n++] = now;
		if (now >= slow_at) {
			assert_true(sb_rate_take(rates, &slow, RATE, now));
			slow_at = now + 10 * SB_MS;
		}
	}
	assert_true(n > 1000 && n < N);
	for (int i = 0; i < n; i++)
		for (int k = i + SB_RATE_BURST_S * RATE; k < n && k < i + 600; k++)
			assert_true(taken[k] - taken[i] >= (uint64_t)(k - i + 1 - SB_RATE_BURST_S * RATE) * 10 * SB_MS);
	test_free(rates);
}

static void what_counts_as_one_source(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_one;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "193.0.2.1", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true}, /* d62 */
		{"2001:db8::1", "2001:db8::2", true},    /* d70: one /64 */
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"2001:db8:0:1::", "2001:db8:1::", false},
		{"10.0.0.0", "a00::", false}, /* the same bytes, another family */
		{"::1", "::2", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_rates *rates = rates_of(i * 1000);
		struct sb_addr a = addr(rows[i].a), b = addr(rows[i].b);

		a.port = 1;
		b.port = 65535;
		assert_int_equal(sb_addr_key(&a, 5) == sb_addr_key(&b, 5), rows[i].is_one);
		assert_int_not_equal(sb_addr_key(&a, 5), sb_addr_key(&a, 6));
		takes(rates, &a, 10, SB_S, 100);
		assert_int_equal(sb_rate_take(rates, &b, 10, SB_S), !rows[i].is_one);
		test_free(rates);
	}
}

/* e97: any number of forged sources, and memory is what it was; each new one is still heard. */
static void e97_forged_sources_fill_a_table_of_fixed_size(void **state)
{
	struct sb_rates *rates = rates_of(97);
	struct sb_addr a = {.family = SB_IPV4}, b = {.family = SB_IPV6};

	(void)state;
	for (uint64_t i = 0; i < 300000; i++) {
		uint64_t word = sb_rng_at(7, i);

		memcpy(a.ip, &word, 4);
		memcpy(b.ip, &word, 8);
		assert_true(sb_rate_take(rates, &a, 100, SB_S + i));
		assert_true(sb_rate_take(rates, &b, 100, SB_S + i));
	}
	test_free(rates);
}

/* So many addresses of one set. */
static void same_set(struct sb_addr *out, int n, uint64_t secret)
{
	uint64_t set = 0;
	int found = 0;

	for (uint32_t i = 0; found < n; i++) {
		struct sb_addr a = {.family = SB_IPV4, .ip = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
		uint64_t its = (sb_addr_key(&a, secret) >> 32) % SB_RATE_SETS;

		if (found == 0)
			set = its;
		if (its == set)
			out[found++] = a;
	}
}

static void the_quietest_is_forgotten(void **state)
{
	enum { N = SB_RATE_WAYS + 1 };
	struct sb_rates *rates = rates_of(11);
	struct sb_addr a[N];

	(void)state;
	same_set(a, N, 11);
	for (int i = 0; i < SB_RATE_WAYS; i++) /* each nearly at its end, the third least */
		takes(rates, &a[i], 100, SB_S, i == 2 ? 197 : 200);
	assert_true(sb_rate_take(rates, &a[N - 1], 100, SB_S));
	for (int i = 0; i < SB_RATE_WAYS; i++)
		if (i != 2)
			assert_false(sb_rate_take(rates, &a[i], 100, SB_S));
	/* The newcomer is the quietest now. */
	assert_int_equal(takes(rates, &a[2], 100, SB_S, 300), 200);
	test_free(rates);
}

static void all_sources_together(void **state)
{
	struct sb_rates *rates = rates_of(1);
	uint32_t n = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		n += sb_rate_take_total(rates, 50, 9 * SB_S);
	assert_int_equal(n, 100);
	assert_false(sb_rate_take_total(rates, 50, 9 * SB_S + 20 * SB_MS - 1));
	assert_true(sb_rate_take_total(rates, 50, 9 * SB_S + 20 * SB_MS));
	for (int i = 0; i < 1000; i++) /* none is no limit */
		assert_true(sb_rate_take_total(rates, 0, 9 * SB_S));
	test_free(rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_and_then_the_rate),
		cmocka_unit_test(no_window_has_more),
		cmocka_unit_test(what_counts_as_one_source),
		cmocka_unit_test(e97_forged_sources_fill_a_table_of_fixed_size),
		cmocka_unit_test(the_quietest_is_forgotten),
		cmocka_unit_test(all_sources_together),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
