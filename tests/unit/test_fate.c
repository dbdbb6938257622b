/* SPDX-License-Identifier: MIT
 * core/fate.h: what becomes of replies, and what is refused of a line. */
#include "check.h"

#include "core/fate.h"
#include "core/plan.h"

#define DELAY_MAX (60 * UINT64_C(1000000000))

static int read_line(struct sb_fates *fates, const char *text, bool strict, struct sb_fault *fault)
{
	static struct sb_line line;

	*fault = (struct sb_fault){0};
	if (sb_line_parse(&line, sb_slice_cstr(text), fault) < 0)
		return fault->code;
	return sb_fates_read(fates, &line, 5, DELAY_MAX, strict, fault);
}

static void read_well(struct sb_fates *fates, const char *text)
{
	struct sb_fault fault;

	if (read_line(fates, text, false, &fault) < 0)
		fail_msg("%s: column %u: %s", text, fault.col, fault.text);
}

/* What becomes of the first 12, a character each: '.' it is sent, 'x' not, '2' twice, 'a' after one other, 'b' after
 * two …, 'A' twice and after one other. */
static void expect_fates(const char *line, const char *want)
{
	struct sb_fates fates;
	char got[13] = "";

	read_well(&fates, line);
	for (uint64_t i = 1; i <= 12; i++) {
		struct sb_fate fate = sb_fate_of(&fates, i);

		got[i - 1] = '.';
		if (fate.copies != 1)
			got[i - 1] = fate.copies == 0 ? 'x' : '2';
		if (fate.after)
			got[i - 1] = (char)((fate.copies == 2 ? '@' : '`') + (int)fate.after);
	}
	assert_string_equal(got, want);
}

static void numbers_are_those_of_the_line(void **state)
{
	(void)state;
	expect_fates("ECHO", "............");
	expect_fates("ECHO drop=3,7", "..x...x.....");
	expect_fates("ECHO drop=1", "x...........");
	expect_fates("ECHO drop=2-4,9-4294967295", ".xxx....xxxx");
	expect_fates("ECHO dup=9", "........2...");
	expect_fates("ECHO reorder=12:2", "...........b");
	expect_fates("ECHO drop=1 dup=2,5 reorder=2-3:1", "xAa.2.......");
	expect_fates("ECHO hold=1s", "............");
}

/* A share is a share, the same for the same seed, and another for another key or seed. */
static void a_share_is_the_seeds(void **state)
{
	struct sb_fates one, two, other;
	unsigned dropped = 0, doubled = 0, both = 0, same = 0;

	(void)state;
	read_well(&one, "ECHO seed=7 drop=30% reorder=30%:1");
	read_well(&two, "ECHO seed=7 dup=30% reorder=30%:1");
	read_well(&other, "ECHO seed=8 drop=30%");
	for (uint64_t i = 1; i <= 10000; i++) {
		bool is_dropped = sb_fate_of(&one, i).copies == 0, is_doubled = sb_fate_of(&two, i).copies == 2;

		assert_int_equal(is_dropped, sb_fate_of(&one, i).copies == 0);
		dropped += is_dropped;
		doubled += is_doubled;
		both += is_dropped && is_doubled;
		same += is_dropped && sb_fate_of(&other, i).copies == 0;
		if (!is_dropped)
			assert_int_equal(sb_fate_of(&one, i).after, sb_fate_of(&two, i).after);
	}
	assert_in_range(dropped, 2800, 3200);
	assert_in_range(doubled, 2800, 3200);
	assert_in_range(both, 750, 1050);
	assert_in_range(same, 750, 1050);
}

static void all_of_them_and_hardly_any(void **state)
{
	struct sb_fates fates;
	unsigned dropped = 0;

	(void)state;
	expect_fates("ECHO dup=100%", "222222222222");
	read_well(&fates, "ECHO drop=1%");
	assert_int_equal(fates.seed, 5);
	for (uint64_t i = 1; i <= 10000; i++)
		dropped += sb_fate_of(&fates, i).copies == 0;
	assert_in_range(dropped, 50, 150);
}

static void sizes(void **state)
{
	struct sb_fates fates;
	uint8_t room[16] = "abcdefgh", *other = (uint8_t *)"xyz";
	struct sb_slice s;

	(void)state;
	read_well(&fates, "ECHO trunc=5");
	assert_int_equal(sb_fate_size(&fates, 4), 4);
	assert_int_equal(sb_fate_size(&fates, 5), 5);
	assert_int_equal(sb_fate_size(&fates, 65507), 5);
	read_well(&fates, "ECHO trunc=0");
	assert_int_equal(sb_fate_size(&fates, 4), 0);
	read_well(&fates, "ECHO size=6");
	assert_int_equal(sb_fate_size(&fates, 0), 6);
	s = sb_fate_shape(&fates, sb_slice(room, 8), room);
	assert_true(sb_slice_is(s, "abcdef"));
	s = sb_fate_shape(&fates, sb_slice(room, 4), room);
	assert_int_equal(s.n, 6);
	assert_memory_equal(s.p, "abcd\0\0", 6);
	s = sb_fate_shape(&fates, sb_slice(other, 3), room);
	assert_ptr_equal(s.p, room);
	assert_memory_equal(s.p, "xyz\0\0\0", 6);
	s = sb_fate_shape(&fates, sb_slice(NULL, 0), room);
	assert_memory_equal(s.p, "\0\0\0\0\0\0", 6);
}

struct refusal {
	const char *line;
	int code;
	uint32_t col;
	const char *says;
};

static void expect_refusals(bool strict, const struct refusal *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sb_fates fates;
		struct sb_fault fault;
		int code = read_line(&fates, r[i].line, strict, &fault);

		if (code != r[i].code || fault.col != r[i].col || !strstr(fault.text, r[i].says))
			fail_msg("%s: %d at column %u: %s", r[i].line, code, fault.col, fault.text);
	}
}

static void what_is_no_number(void **state)
{
	static const struct refusal refusals[] = {
		{"ECHO drop=x", SB_E_TYPE, 11, "drop takes numbers (3,7)"},
		{"ECHO drop=3,", SB_E_TYPE, 13, "not \"\""},
		{"ECHO drop=,3", SB_E_TYPE, 11, "not \"\""},
		{"ECHO drop=3-", SB_E_TYPE, 13, "not \"\""},
		{"ECHO drop=-3", SB_E_TYPE, 11, "not \"\""},
		{"ECHO drop=3,5-7-9", SB_E_TYPE, 15, "not \"7-9\""},
		{"ECHO drop=5%,7", SB_E_TYPE, 11, "not \"5%\""},
		{"ECHO drop=%", SB_E_TYPE, 11, "not \"%\""},
		{"ECHO drop=0", SB_E_RANGE, 11, "1 to 4294967295, not 0"},
		{"ECHO dup=1,4294967296", SB_E_RANGE, 12, "a number of dup is 1 to 4294967295"},
		{"ECHO drop=3,3", SB_E_RANGE, 13, "3 comes after 3"},
		{"ECHO drop=2-9,9-12", SB_E_RANGE, 15, "9-12 comes after 9"},
		{"ECHO drop=9-2", SB_E_RANGE, 11, "goes up"},
		{"ECHO drop=0%", SB_E_RANGE, 11, "1% to 99%"},
		{"ECHO drop=100%", SB_E_RANGE, 11, "1% to 99%"},
		{"ECHO dup=101%", SB_E_RANGE, 10, "1% to 100%"},
		{"ECHO reorder=100%:1", SB_E_RANGE, 14, "1% to 99%"},
		{"ECHO reorder=12", SB_E_TYPE, 14, "as 12:2"},
		{"ECHO reorder=:2", SB_E_TYPE, 14, "not \"\""},
		{"ECHO reorder=12:", SB_E_TYPE, 17, "after the colon"},
		{"ECHO reorder=12:0", SB_E_RANGE, 17, "1 to 1000"},
		{"ECHO reorder=12:1001", SB_E_RANGE, 17, "1 to 1000"},
		{"ECHO hold=61s", SB_E_RANGE, 11, "60000 ms here (--max-delay)"},
		{"ECHO size=65508", SB_E_RANGE, 11, "0 to 65507"},
		{"ECHO reply=sent", SB_E_UNKNOWN, 12, "refused|silent"},
	};

	(void)state;
	expect_refusals(false, refusals, sizeof(refusals) / sizeof(refusals[0]));
}

static void what_makes_no_sense_together(void **state)
{
	static const struct refusal refusals[] = {
		{"ECHO trunc=3 size=4", SB_E_PLACE, 6, "trunc= beside it"},
		{"ECHO dup=3 drop=1-5", SB_E_PLACE, 6, "drops reply 3"},
		{"ECHO drop=7,9 dup=8-20", SB_E_PLACE, 15, "drops reply 9"},
		{"ECHO drop=7 reorder=7:1", SB_E_PLACE, 13, "reorder= has nothing"},
		{"ECHO reply=silent hold=3s", SB_E_PLACE, 19, "reply=silent sends no replies: hold="},
		{"ECHO drop=1 reply=refused", SB_E_PLACE, 6, "reply=refused sends no replies: drop="},
	};
	static const struct refusal strict[] = {
		{"ECHO hold=1s dup=3", SB_E_PLACE, 14, "only on loopback"},
		{"ECHO size=3", SB_E_PLACE, 6, "only on loopback"},
	};
	struct sb_fates fates;
	struct sb_fault fault;

	(void)state;
	expect_refusals(false, refusals, sizeof(refusals) / sizeof(refusals[0]));
	expect_refusals(true, strict, sizeof(strict) / sizeof(strict[0]));
	assert_int_equal(read_line(&fates, "ECHO drop=3 reorder=4:1 hold=1s trunc=9", true, &fault), 0);
	assert_int_equal(read_line(&fates, "ECHO reply=refused", true, &fault), 0);
	assert_int_equal(read_line(&fates, "ECHO drop=3 dup=5% reorder=2:1 size=9", false, &fault), 0);
}

static void no_more_numbers_than_there_is_room_for(void **state)
{
	char room[256];
	struct sb_text t = sb_text_in(room, sizeof(room));
	struct sb_fates fates;
	struct sb_fault fault;
	const char *text;

	(void)state;
	sb_text_str(&t, "ECHO drop=1");
	for (unsigned i = 2; i <= SB_FATE_RANGES_MAX; i++) {
		sb_text_char(&t, ',');
		sb_text_u64(&t, 2 * i);
	}
	read_well(&fates, sb_text_end(&t));
	assert_int_equal(sb_fate_of(&fates, 64).copies, 0);
	sb_text_str(&t, ",999");
	text = sb_text_end(&t);
	assert_int_equal(read_line(&fates, text, false, &fault), SB_E_LIMIT);
	assert_int_equal(fault.col, strlen(text) - 2);
}

/* A plan takes them for datagrams of services that answer, and a seed where there is a share. */
static void in_a_plan(void **state)
{
	static const struct {
		const char *line;
		unsigned on;
		int code;
		uint32_t col;
	} rows[] = {
		{"ECHO drop=3", SB_ON_UDP, 0, 0},
		{"CHARGEN hold=1ms", SB_ON_UDP, 0, 0},
		{"SOURCE count=3 len=1 dup=2", SB_ON_UDP, 0, 0},
		{"ECHO drop=3%  seed=4", SB_ON_UDP, SB_E_SYNTAX, 14},
		{"ECHO drop=3% seed=4", SB_ON_UDP, 0, 0},
		{"ECHO reorder=3%:2 seed=4", SB_ON_UDP, 0, 0},
		{"ECHO drop=3 seed=4", SB_ON_UDP, SB_E_PLACE, 13},
		{"ECHO drop=3", SB_ON_TCP, SB_E_PLACE, 6},
		{"ECHO reply=silent", SB_ON_UNIX, SB_E_PLACE, 6},
		{"DISCARD reply=silent", SB_ON_UDP, SB_E_PLACE, 9},
	};
	static uint8_t scratch[SB_FRAME_MAX];
	static struct sb_line line;
	struct sb_limits limits = {.is_set = {false}};
	struct sb_service_in in = {.line = &line, .scratch = scratch};

	(void)state;
	sb_limits_fill(&limits, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_fault fault = {0};
		struct sb_plan plan;
		int r = sb_line_parse(&line, sb_slice_cstr(rows[i].line), &fault);

		if (r == 0)
			r = sb_plan_make(&plan, &in, rows[i].on, &limits, false, &fault);
		if (r != rows[i].code || (r < 0 && fault.col != rows[i].col))
			fail_msg("%s: %d at column %u: %s", rows[i].line, r, fault.col, fault.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_those_of_the_line),
		cmocka_unit_test(a_share_is_the_seeds),
		cmocka_unit_test(all_of_them_and_hardly_any),
		cmocka_unit_test(sizes),
		cmocka_unit_test(what_is_no_number),
		cmocka_unit_test(what_makes_no_sense_together),
		cmocka_unit_test(no_more_numbers_than_there_is_room_for),
		cmocka_unit_test(in_a_plan),
	};

	return cmocka_run_group_tests_name("fate", tests, NULL, NULL);
}
