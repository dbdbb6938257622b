/* SPDX-License-Identifier: MIT
 * core/cuts.h: where boundaries are, and what is refused of a line. */
#include "check.h"

#include "base/text.h"
#include "core/cuts.h"

#define DELAY_MAX (60 * UINT64_C(1000000000))

static int read_line(struct sb_cuts *cuts, const char *text, struct sb_fault *fault)
{
	static struct sb_line line;

	*fault = (struct sb_fault){0};
	if (sb_line_parse(&line, sb_slice_cstr(text), fault) < 0)
		return fault->code;
	return sb_cuts_read(cuts, &line, 5, DELAY_MAX, fault);
}

static void read_well(struct sb_cuts *cuts, const char *text)
{
	struct sb_fault fault;

	if (read_line(cuts, text, &fault) < 0)
		fail_msg("%s: column %u: %s", text, fault.col, fault.text);
}

/* Walks the boundaries of the unit from its start, and writes them as "3 6 9 ". */
static void expect_walk(const char *line, uint64_t unit, uint64_t end, const char *want)
{
	char room[256];
	struct sb_text t = sb_text_in(room, sizeof(room));
	struct sb_cuts cuts;

	read_well(&cuts, line);
	for (uint64_t at = sb_cuts_next(&cuts, unit, unit); at <= end; at = sb_cuts_next(&cuts, unit, at)) {
		sb_text_u64(&t, at);
		sb_text_char(&t, ' ');
	}
	assert_string_equal(sb_text_end(&t), want);
}

static void boundaries_are_where_the_line_says(void **state)
{
	(void)state;
	expect_walk("ECHO frag=1", 0, 4, "1 2 3 4 ");
	expect_walk("ECHO frag=3", 0, 10, "3 6 9 ");
	expect_walk("ECHO frag=3", 100, 110, "103 106 109 ");
	expect_walk("ECHO cut=7,13", 0, 1000, "7 13 ");
	expect_walk("ECHO cut=7,13", 1000, 2000, "1007 1013 ");
	expect_walk("ECHO cut=7,13 frag=5", 0, 21, "5 7 10 13 15 20 ");
	expect_walk("ECHO cut=1", 0, 1000, "1 ");
	expect_walk("ECHO join=4", 0, 1000, "");
	expect_walk("ECHO", 0, 1000, "");
}

/* From wherever in a piece one asks, the next boundary is the same. */
static void a_boundary_does_not_depend_on_where_one_stands(void **state)
{
	static const char *const lines[] = {"ECHO frag=7 cut=3,10,11", "ECHO frag=random seed=1",
					    "ECHO frag=random seed=2 cut=9"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct sb_cuts cuts;
		uint64_t next = 0;

		read_well(&cuts, lines[i]);
		for (uint64_t at = 0; at < 5000; at++) {
			if (at == next)
				next = sb_cuts_next(&cuts, 0, at);
			assert_int_equal(sb_cuts_next(&cuts, 0, at), next);
			assert_true(next > at);
		}
	}
}

static void a_seed_reproduces_and_another_does_not(void **state)
{
	struct sb_cuts a, b, c;
	uint64_t at = 0, pieces = 0, singles = 0, large = 0, differ = 0;

	(void)state;
	read_well(&a, "ECHO frag=random seed=1");
	read_well(&b, "ECHO frag=random seed=1");
	read_well(&c, "ECHO frag=random seed=2");
	while (at < 200 * 1024) {
		uint64_t next = sb_cuts_next(&a, 0, at);

		assert_int_equal(sb_cuts_next(&b, 0, at), next);
		differ += sb_cuts_next(&c, 0, at) != next;
		assert_true(next - at <= 1024);
		pieces++;
		singles += next - at == 1;
		large += next - at > 100;
		at = next;
	}
	/* Both kinds come, whatever the seed. */
	assert_true(singles > pieces / 4 && large > 100 && differ > pieces / 4);
	read_well(&a, "ECHO frag=random");
	assert_int_equal(a.seed, 5);
}

static void what_it_comes_to(void **state)
{
	struct sb_cuts cuts;

	(void)state;
	read_well(&cuts, "ECHO");
	assert_false(sb_cuts_any(&cuts));
	assert_int_equal(cuts.gate, SB_GATE_NONE);
	read_well(&cuts, "ECHO delay=3s");
	assert_false(sb_cuts_any(&cuts));
	assert_int_equal(cuts.delay, 3 * UINT64_C(1000000000));
	read_well(&cuts, "ECHO frag=4k");
	assert_int_equal(cuts.size, 4096);
	assert_int_equal(cuts.gate, SB_GATE_BEST);
	assert_int_equal(cuts.gap, 0);
	assert_int_equal(cuts.gate_max, 10 * UINT64_C(1000000000));
	read_well(&cuts, "ECHO join=2 gate=time");
	assert_int_equal(cuts.gate, SB_GATE_TIME);
	assert_int_equal(cuts.gap, 1000000);
	read_well(&cuts, "ECHO cut=1,2 gate=ack gap=5ms gate-max=2s");
	assert_int_equal(cuts.gate, SB_GATE_ACK);
	assert_int_equal(cuts.gap, 5000000);
	assert_int_equal(cuts.gate_max, 2 * UINT64_C(1000000000));
	assert_int_equal(cuts.at_n, 2);
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *line;
		int code;
		uint32_t col;
		const char *says;
	} rows[] = {
		{"ECHO frag=0", SB_E_RANGE, 11, "frag is 1 to 64k, not 0"},
		{"ECHO frag=65k", SB_E_RANGE, 11, "frag is 1 to 64k"},
		{"ECHO frag=99999999999", SB_E_RANGE, 11, "bytes long"},
		{"ECHO frag=rand", SB_E_TYPE, 11, "or random, not \"rand\""},
		{"ECHO cut=0", SB_E_RANGE, 10, "an offset of cut is 1 to"},
		{"ECHO cut=7,x", SB_E_TYPE, 12, "not \"x\""},
		{"ECHO cut=7,,9", SB_E_TYPE, 12, "not \"\""},
		{"ECHO cut=7,", SB_E_TYPE, 12, "not \"\""},
		{"ECHO cut=7,7", SB_E_RANGE, 12, "go up: 7 comes after 7"},
		{"ECHO cut=7,13,9", SB_E_RANGE, 15, "go up: 9 comes after 13"},
		{"ECHO cut=4294967296", SB_E_RANGE, 10, "4294967295"},
		{"ECHO join=0", SB_E_RANGE, 11, "join is 1 to 65536"},
		{"ECHO frag=1 join=2", SB_E_PLACE, 13, "takes one of these"},
		{"ECHO cut=1 join=2", SB_E_PLACE, 12, "takes one of these"},
		{"ECHO gap=1ms", SB_E_PLACE, 6, "gap= is about pieces"},
		{"ECHO gate=read", SB_E_PLACE, 6, "add frag="},
		{"ECHO gate-max=1s", SB_E_PLACE, 6, "gate-max= is about pieces"},
		{"ECHO frag=1 gate=reed", SB_E_UNKNOWN, 18, "did you mean read?"},
		{"ECHO frag=1 gap=61s", SB_E_RANGE, 17, "gap is at most 60000 ms here (--max-delay)"},
		{"ECHO delay=2m", SB_E_RANGE, 12, "delay is at most"},
		{"ECHO frag=1 gate-max=2m", SB_E_RANGE, 22, "gate-max is at most"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_cuts cuts;
		struct sb_fault fault;

		assert_int_equal(read_line(&cuts, rows[i].line, &fault), rows[i].code);
		if (fault.col != rows[i].col || !strstr(fault.text, rows[i].says))
			fail_msg("%s: column %u: %s", rows[i].line, fault.col, fault.text);
	}
}

static void no_more_offsets_than_there_is_room_for(void **state)
{
	char room[512];
	struct sb_text t = sb_text_in(room, sizeof(room));
	struct sb_cuts cuts;
	struct sb_fault fault;

	(void)state;
	sb_text_str(&t, "ECHO cut=1");
	for (uint64_t i = 2; i <= SB_CUTS_MAX; i++) {
		sb_text_char(&t, ',');
		sb_text_u64(&t, i);
	}
	read_well(&cuts, sb_text_end(&t));
	assert_int_equal(cuts.at_n, SB_CUTS_MAX);
	sb_text_str(&t, ",65");
	assert_int_equal(read_line(&cuts, sb_text_end(&t), &fault), SB_E_LIMIT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(boundaries_are_where_the_line_says),
		cmocka_unit_test(a_boundary_does_not_depend_on_where_one_stands),
		cmocka_unit_test(a_seed_reproduces_and_another_does_not),
		cmocka_unit_test(what_it_comes_to),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(no_more_offsets_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
