/* SPDX-License-Identifier: MIT
 * base/number.h: what is a number, what is none, and where they end. */

#include "check.h"

#include "base/number.h"

typedef int parser(struct sb_slice text, uint64_t *out);

struct row {
	const char *text;
	int r;
	uint64_t v;
};

/* Each text lies in memory of exactly its size. */
static void run(parser *parse, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(rows[i].text);
		char *exact = malloc(size);
		uint64_t v = 77;
		int r;

		memcpy(exact, rows[i].text, size);
		r = parse(sb_slice(exact, size), &v);
		if (r != rows[i].r)
			fail_msg("\"%s\": %d, not %d", rows[i].text, r, rows[i].r);
		if (r == 0)
			assert_int_equal(v, rows[i].v);
		free(exact);
	}
}

#define RUN(parse, rows) run(parse, rows, sizeof(rows) / sizeof((rows)[0]))

static void counts(void **state)
{
	static const struct row rows[] = {
		{"0", 0, 0},
		{"7", 0, 7},
		{"1073741824", 0, 1073741824},
		{"18446744073709551615", 0, UINT64_MAX},
		{"007", 0, 7}, /* 1*DIGIT: decimal, whatever it begins with */
		{"00000000000000000000000000000001", 0, 1},
	};

	(void)state;
	RUN(sb_parse_count, rows);
}

static void a22_what_is_not_written_as_a_number(void **state)
{
	static const struct row rows[] = {
		{"", SB_E_TYPE, 0},     {"x", SB_E_TYPE, 0},   {"+5", SB_E_TYPE, 0},
		{" 5", SB_E_TYPE, 0},   {"5 ", SB_E_TYPE, 0},  {"5k", SB_E_TYPE, 0},
		{"0x10", SB_E_TYPE, 0}, {"1.5", SB_E_TYPE, 0}, {"1e308", SB_E_TYPE, 0},
		{"-", SB_E_TYPE, 0},    {"--1", SB_E_TYPE, 0}, {"1_000", SB_E_TYPE, 0},
		{"5\n", SB_E_TYPE, 0},  {"NaN", SB_E_TYPE, 0}, {"true", SB_E_TYPE, 0},
		{":", SB_E_TYPE, 0},    {"/", SB_E_TYPE, 0},   {"99999999999999999999x", SB_E_TYPE, 0},
	};

	(void)state;
	RUN(sb_parse_count, rows);
}

static void a23_numbers_out_of_range(void **state)
{
	static const struct row rows[] = {
		{"18446744073709551616", SB_E_RANGE, 0},
		{"18446744073709551620", SB_E_RANGE, 0},
		{"99999999999999999999", SB_E_RANGE, 0},
		{"184467440737095516150", SB_E_RANGE, 0},
		{"99999999999999999999999999999999999999999999999999", SB_E_RANGE, 0},
		{"-1", SB_E_RANGE, 0},
		{"-0", SB_E_RANGE, 0},
		{"-9223372036854775808", SB_E_RANGE, 0},
		{"9223372036854775808", 0, UINT64_C(1) << 63},
	};

	(void)state;
	RUN(sb_parse_count, rows);
}

static void a24_bytes_that_are_no_text(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(sb_parse_count(sb_slice("5\0", 2), &v), SB_E_TYPE);
	assert_int_equal(sb_parse_size(sb_slice("\xb2", 1), &v), SB_E_TYPE);
	assert_int_equal(sb_parse_time(sb_slice("1\xc2\xb5s", 4), &v), SB_E_TYPE);
	assert_int_equal(sb_parse_time(sb_slice(NULL, 0), &v), SB_E_TYPE);
}

static void sizes(void **state)
{
	static const struct row rows[] = {
		{"0", 0, 0},
		{"100", 0, 100},
		{"64k", 0, 65536},
		{"1M", 0, 1048576},
		{"0k", 0, 0},
		{"18014398509481983k", 0, UINT64_C(18014398509481983) * 1024},
		{"18014398509481984k", SB_E_RANGE, 0},
		{"17592186044415M", 0, UINT64_C(17592186044415) << 20},
		{"17592186044416M", SB_E_RANGE, 0},
		{"18446744073709551616k", SB_E_RANGE, 0},
		{"-1k", SB_E_RANGE, 0},
		{"1K", SB_E_TYPE, 0},
		{"1m", SB_E_TYPE, 0},
		{"1kk", SB_E_TYPE, 0},
		{"1k ", SB_E_TYPE, 0},
		{"1G", SB_E_TYPE, 0},
		{"1kB", SB_E_TYPE, 0},
		{"k", SB_E_TYPE, 0},
		{"1 k", SB_E_TYPE, 0},
	};

	(void)state;
	RUN(sb_parse_size, rows);
}

static void times(void **state)
{
	static const struct row rows[] = {
		{"0s", 0, 0},
		{"250us", 0, 250000},
		{"50ms", 0, 50000000},
		{"3s", 0, UINT64_C(3000000000)},
		{"10m", 0, UINT64_C(600000000000)},
		{"18446744073709551us", 0, UINT64_C(18446744073709551000)},
		{"18446744073709552us", SB_E_RANGE, 0},
		{"307445734m", 0, UINT64_C(307445734) * 60000000000},
		{"307445735m", SB_E_RANGE, 0},
		{"-1s", SB_E_RANGE, 0},
		{"3", SB_E_TYPE, 0}, /* a time without a unit is nobody's guess */
		{"0", SB_E_TYPE, 0},
		{"s", SB_E_TYPE, 0},
		{"3S", SB_E_TYPE, 0},
		{"3ns", SB_E_TYPE, 0},
		{"1h", SB_E_TYPE, 0},
		{"3sec", SB_E_TYPE, 0},
		{"1.5s", SB_E_TYPE, 0},
		{"3s@1k", SB_E_TYPE, 0},
		{"1m30s", SB_E_TYPE, 0},
	};

	(void)state;
	RUN(sb_parse_time, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(a22_what_is_not_written_as_a_number),
		cmocka_unit_test(a23_numbers_out_of_range),
		cmocka_unit_test(a24_bytes_that_are_no_text),
		cmocka_unit_test(sizes),
		cmocka_unit_test(times),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
