/* SPDX-License-Identifier: MIT
 * core/limits.h: one table, read from text and written back. */
#include "check.h"

#include <stdio.h>

#include "core/limits.h"

static int set(struct sb_limits *limits, const char *name, const char *text, struct sb_fault *fault)
{
	*fault = (struct sb_fault){0};
	return sb_limits_set(limits, sb_slice_cstr(name), sb_slice_cstr(text), fault);
}

static const char *text_of(enum sb_limit which, uint64_t v, char *room, size_t size)
{
	struct sb_text t = sb_text_in(room, size);

	sb_text_limit(&t, which, v);
	return sb_text_end(&t);
}

/* The numbers of the design's table of defaults. */
static void the_profiles_are_those_promised(void **state)
{
	struct sb_limits loopback = {0}, strict = {0};

	(void)state;
	sb_limits_fill(&loopback, false);
	sb_limits_fill(&strict, true);
	assert_int_equal(loopback.v[SB_LIMIT_CONNS], 4096);
	assert_int_equal(strict.v[SB_LIMIT_CONNS], 1024);
	assert_int_equal(loopback.v[SB_LIMIT_CONNS_PER_IP], 0);
	assert_int_equal(strict.v[SB_LIMIT_CONNS_PER_IP], 64);
	assert_int_equal(loopback.v[SB_LIMIT_FIRST_BYTE], 0);
	assert_int_equal(strict.v[SB_LIMIT_FIRST_BYTE], 10 * SB_S);
	assert_int_equal(loopback.v[SB_LIMIT_FRAME], 60 * SB_S);
	assert_int_equal(strict.v[SB_LIMIT_FRAME], 30 * SB_S);
	assert_int_equal(loopback.v[SB_LIMIT_IDLE], 600 * SB_S);
	assert_int_equal(strict.v[SB_LIMIT_IDLE], 60 * SB_S);
	assert_int_equal(loopback.v[SB_LIMIT_LIFE], 0);
	assert_int_equal(strict.v[SB_LIMIT_LIFE], 300 * SB_S);
	assert_int_equal(loopback.v[SB_LIMIT_MIN_RATE], 0);
	assert_true(strict.v[SB_LIMIT_MIN_RATE] > 0);
	assert_int_equal(strict.v[SB_LIMIT_DRAIN], 30 * SB_S);
	assert_int_equal(strict.v[SB_LIMIT_DRAIN_IDLE], 5 * SB_S);
	assert_int_equal(strict.v[SB_LIMIT_HELD], 64 << 20);
	assert_int_equal(loopback.v[SB_LIMIT_DELAY], 60 * SB_S);
	assert_int_equal(strict.v[SB_LIMIT_DELAY], 10 * SB_S);
	assert_int_equal(loopback.v[SB_LIMIT_BYTES], 1 << 30);
	assert_int_equal(strict.v[SB_LIMIT_BYTES], 16 << 20);
	assert_int_equal(loopback.v[SB_LIMIT_UDP_RATE], 100000);
	assert_int_equal(strict.v[SB_LIMIT_UDP_RATE], 100);
	assert_int_equal(strict.v[SB_LIMIT_UDP_TOTAL], 10000);
}

static void rows_agree_with_themselves(void **state)
{
	(void)state;
	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		const struct sb_limit_row *row = &sb_limit_rows[i];

		assert_true(row->min <= row->max);
		assert_true(row->loopback >= row->min && row->loopback <= row->max);
		assert_true(row->strict >= row->min && row->strict <= row->max);
		/* The strict one is not laxer; 0 is none, the laxest. */
		if (row->loopback)
			assert_true(row->strict && row->strict <= row->loopback);
		assert_string_equal(sb_limit_name_at(NULL, (size_t)i), row->name);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(row->name, sb_limit_rows[k].name);
	}
	assert_null(sb_limit_name_at(NULL, SB_LIMIT_COUNT));
}

/* What is set stays, what is not is filled. */
static void set_then_fill(void **state)
{
	struct sb_limits limits = {0};
	struct sb_fault fault;

	(void)state;
	assert_int_equal(set(&limits, "max-conns", "7", &fault), 0);
	assert_int_equal(set(&limits, "idle-timeout", "none", &fault), 0);
	assert_int_equal(set(&limits, "frame-timeout", "250us", &fault), 0);
	assert_int_equal(set(&limits, "max-bytes", "3M", &fault), 0);
	assert_true(limits.is_set[SB_LIMIT_IDLE]);
	assert_false(limits.is_set[SB_LIMIT_LIFE]);
	sb_limits_fill(&limits, true);
	assert_int_equal(limits.v[SB_LIMIT_CONNS], 7);
	assert_int_equal(limits.v[SB_LIMIT_IDLE], 0);
	assert_int_equal(limits.v[SB_LIMIT_FRAME], 250000);
	assert_int_equal(limits.v[SB_LIMIT_BYTES], 3 << 20);
	assert_int_equal(limits.v[SB_LIMIT_LIFE], 300 * SB_S);
	assert_int_equal(set(&limits, "max-lifetime", "1s", &fault), 0);
	assert_int_equal(limits.v[SB_LIMIT_LIFE], SB_S);
}

static void duplicates_and_strangers(void **state)
{
	struct sb_limits limits = {0};
	struct sb_fault fault;

	(void)state;
	assert_int_equal(set(&limits, "max-conns", "7", &fault), 0);
	assert_int_equal(set(&limits, "max-conns", "7", &fault), SB_E_DUPLICATE);
	assert_non_null(strstr(fault.text, "max-conns"));
	assert_int_equal(set(&limits, "max-conn", "7", &fault), SB_E_UNKNOWN);
	assert_int_equal(set(&limits, "", "7", &fault), SB_E_UNKNOWN);
	assert_int_equal(set(&limits, "MAX-CONNS", "7", &fault), SB_E_UNKNOWN);
	assert_int_equal(limits.v[SB_LIMIT_CONNS], 7);
}

/* Each end of each range, one inside and one outside; the refusal names the range. */
static void both_ends_of_every_range(void **state)
{
	(void)state;
	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		const struct sb_limit_row *row = &sb_limit_rows[i];
		uint64_t unit = row->unit == SB_UNIT_TIME ? 1000 : 1; /* the smallest that can be written */
		uint64_t in[] = {row->min ? row->min : unit, row->max};
		uint64_t out[] = {row->min > unit ? row->min - unit : 0, row->max + unit, 0};
		const char *suffix = row->unit == SB_UNIT_TIME ? "us" : "";
		struct sb_fault fault;
		char text[48], range[32];

		for (int k = 0; k < 2; k++) {
			struct sb_limits limits = {0};

			snprintf(text, sizeof(text), "%llu%s", (unsigned long long)(in[k] / unit), suffix);
			assert_int_equal(set(&limits, row->name, text, &fault), 0);
			assert_int_equal(limits.v[i], in[k]);
			/* As it is written, it is read. */
			limits.is_set[i] = false;
			assert_int_equal(set(&limits, row->name, text_of((enum sb_limit)i, in[k], text, sizeof(text)),
					     &fault),
					 0);
			assert_int_equal(limits.v[i], in[k]);
		}
		for (int k = 0; k < 3; k++) {
			struct sb_limits limits = {0};

			snprintf(text, sizeof(text), "%llu%s", (unsigned long long)(out[k] / unit), suffix);
			assert_int_equal(set(&limits, row->name, text, &fault), SB_E_RANGE);
			assert_false(limits.is_set[i]);
			assert_non_null(strstr(fault.text, row->name));
			assert_non_null(strstr(fault.text, text_of((enum sb_limit)i, row->max, range, sizeof(range))));
			assert_int_equal(strstr(fault.text, "or none") != NULL, row->min == 0);
		}
	}
}

static void none_where_it_may_be(void **state)
{
	(void)state;
	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		struct sb_limits limits = {0};
		struct sb_fault fault;
		char room[16];
		int r = set(&limits, sb_limit_rows[i].name, "none", &fault);

		assert_int_equal(r, sb_limit_rows[i].min ? SB_E_TYPE : 0);
		assert_int_equal(limits.is_set[i], r == 0);
		if (r == 0)
			assert_string_equal(text_of((enum sb_limit)i, 0, room, sizeof(room)), "none");
	}
}

/* a18, a22, a23: what is no number of that kind. */
static void a22_a23_not_a_number(void **state)
{
	static const struct {
		const char *name, *text;
		int code;
	} rows[] = {
		{"max-conns", "", SB_E_TYPE},        {"max-conns", "many", SB_E_TYPE},
		{"max-conns", "1e3", SB_E_TYPE},     {"max-conns", "+5", SB_E_TYPE},
		{"max-conns", " 5", SB_E_TYPE},      {"max-conns", "5 ", SB_E_TYPE},
		{"max-conns", "4k", SB_E_TYPE},      {"max-conns", "-1", SB_E_RANGE},
		{"max-conns", "0x10", SB_E_TYPE},    {"max-conns", "18446744073709551616", SB_E_RANGE},
		{"max-conns", "None", SB_E_TYPE},    {"idle-timeout", "5", SB_E_TYPE},
		{"idle-timeout", "5h", SB_E_TYPE},   {"idle-timeout", "1.5s", SB_E_TYPE},
		{"idle-timeout", "-1s", SB_E_RANGE}, {"idle-timeout", "99999999999999999999m", SB_E_RANGE},
		{"max-held", "1G", SB_E_TYPE},       {"max-held", "1K", SB_E_TYPE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_limits limits = {0};
		struct sb_fault fault;
		int r = set(&limits, rows[i].name, rows[i].text, &fault);

		if (r != rows[i].code || fault.code != r)
			fail_msg("%s=%s: %s", rows[i].name, rows[i].text, sb_errname(r));
	}
}

/* Every limit has its line in the help, with both values; no line is wider than a terminal may be. */
static void help_has_them_all(void **state)
{
	static char room[16 * 1024];
	struct sb_text t = sb_text_in(room, sizeof(room));
	const char *help;
	size_t width = 0;

	(void)state;
	sb_limits_help(&t);
	help = sb_text_end(&t);
	assert_int_equal(t.lost, 0);
	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		char name[64], value[32], *line;

		snprintf(name, sizeof(name), "  --%s ", sb_limit_rows[i].name);
		line = strstr(help, name);
		assert_non_null(line);
		assert_true(line == help || line[-1] == '\n');
		assert_non_null(
			strstr(line, text_of((enum sb_limit)i, sb_limit_rows[i].loopback, value, sizeof(value))));
		assert_non_null(strstr(line, text_of((enum sb_limit)i, sb_limit_rows[i].strict, value, sizeof(value))));
	}
	for (size_t i = 0; i < t.n; i++) {
		width = room[i] == '\n' ? 0 : width + 1;
		assert_true(width <= 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_profiles_are_those_promised),
		cmocka_unit_test(rows_agree_with_themselves),
		cmocka_unit_test(set_then_fill),
		cmocka_unit_test(duplicates_and_strangers),
		cmocka_unit_test(both_ends_of_every_range),
		cmocka_unit_test(none_where_it_may_be),
		cmocka_unit_test(a22_a23_not_a_number),
		cmocka_unit_test(help_has_them_all),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
