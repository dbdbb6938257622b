/* SPDX-License-Identifier: MIT
 * core/plan.h: what a line comes to, and what is refused and where. */
#include "check.h"

#include "core/plan.h"

struct made {
	struct sb_line line;
	struct sb_limits limits;
	struct sb_plan plan;
	struct sb_fault fault;
};

static int make(struct made *m, const char *line, unsigned on, bool strict)
{
	static uint8_t scratch[SB_FRAME_MAX];
	struct sb_service_in in = {.line = &m->line, .scratch = scratch, .seed = 5};

	*m = (struct made){.fault = {0}};
	sb_limits_fill(&m->limits, strict);
	if (sb_line_parse(&m->line, sb_slice_cstr(line), &m->fault) < 0)
		fail_msg("%s: %s", line, m->fault.text);
	return sb_plan_make(&m->plan, &in, on, &m->limits, strict, &m->fault);
}

static void made_of(struct made *m, const char *line, unsigned on)
{
	if (make(m, line, on, false) < 0)
		fail_msg("%s: column %u: %s", line, m->fault.col, m->fault.text);
}

static void of_a_bare_verb(void **state)
{
	static const char *const verbs[] = {"ECHO", "DISCARD", "CHARGEN", "SOURCE"};
	static const unsigned ons[] = {SB_ON_TCP, SB_ON_UNIX, SB_ON_UDP};

	(void)state;
	for (int i = 0; i < 12; i++) {
		struct made m;

		made_of(&m, verbs[i % 4], ons[i / 4]);
		assert_string_equal(m.plan.service->name, verbs[i % 4]);
		assert_string_equal(m.plan.framing.codec->name, "raw");
		assert_int_equal(m.plan.framing.max, SB_FRAME_MAX);
		assert_int_equal(m.plan.recv_max, SB_RECV_MAX);
		assert_false(m.plan.is_recv_set);
		assert_int_equal(m.plan.stop_ns, 0);
		assert_int_equal(m.plan.close, SB_CLOSE_CLEAN);
		assert_ptr_equal(m.plan.limits, &m.limits);
		assert_int_equal(m.plan.service->ops->is_source, i % 4 >= 2);
		assert_int_equal(m.plan.service->ops->route, i % 4 ? SB_ROUTE_NONE : SB_ROUTE_BACK);
	}
}

static void of_every_key(void **state)
{
	struct made m;

	(void)state;
	made_of(&m, "ECHO frame=len:1,2,le,-3,0 max=9 recv=950 stopread=3s@64k close=rst", SB_ON_TCP);
	assert_string_equal(m.plan.framing.codec->name, "len");
	assert_int_equal(m.plan.framing.max, 9);
	assert_int_equal(m.plan.framing.len.adjust, -3);
	assert_int_equal(m.plan.recv_max, 950);
	assert_true(m.plan.is_recv_set);
	assert_int_equal(m.plan.stop_ns, 3 * SB_S);
	assert_int_equal(m.plan.stop_at, 64 * 1024);
	assert_int_equal(m.plan.close, SB_CLOSE_RST);
	made_of(&m, "DISCARD stopread=250us close=abrupt recv=64k rcvbuf=4k backlog=0 conns=1 opt.TCP_NODELAY=0",
		SB_ON_TCP);
	assert_int_equal(m.plan.stop_ns, 250000);
	assert_int_equal(m.plan.stop_at, 0);
	assert_int_equal(m.plan.close, SB_CLOSE_ABRUPT);
	assert_int_equal(m.plan.recv_max, SB_FRAME_MAX);
	made_of(&m, "SOURCE close=clean len=5 frame=u8", SB_ON_UNIX);
	assert_int_equal(m.plan.close, SB_CLOSE_CLEAN);
	assert_int_equal(sb_source_size(&m.plan.source), 6);
	made_of(&m, "CHARGEN", SB_ON_TCP);
	assert_int_equal(sb_source_size(&m.plan.source), UINT64_MAX);
	assert_false(m.plan.is_paced);
	made_of(&m, "ECHO limit=100 flip=0 maxlife=3s close=half", SB_ON_TCP);
	assert_int_equal(m.plan.close, SB_CLOSE_HALF);
	assert_int_equal(m.plan.limit, 100);
	assert_int_equal(m.plan.flip, 0);
	assert_int_equal(m.plan.maxlife, 3 * SB_S);
	assert_true(m.plan.is_paced);
	made_of(&m, "ECHO delay=1ms", SB_ON_UNIX);
	assert_true(m.plan.is_paced);
	made_of(&m, "CHARGEN join=3 close=stall maxlife=1s", SB_ON_TCP);
	assert_true(m.plan.is_paced);
	assert_int_equal(m.plan.close, SB_CLOSE_STALL);
}

struct refused {
	const char *line;
	unsigned on;
	int code;
	uint32_t col;
};

static void expect_refused(const struct refused *rows, size_t n, bool strict)
{
	for (size_t i = 0; i < n; i++) {
		struct made m;
		int r = make(&m, rows[i].line, rows[i].on, strict);

		if (r != rows[i].code || m.fault.code != r || m.fault.col != rows[i].col || m.fault.text[0] == '\0')
			fail_msg("%s: %s, column %u: %s", rows[i].line, sb_errname(r), m.fault.col, m.fault.text);
	}
}

static void refused_with_its_column(void **state)
{
	static const struct refused rows[] = {
		{"ECCO", SB_ON_TCP, SB_E_UNKNOWN, 1}, /* a11 */
		{"ECHO frame=u33be", SB_ON_TCP, SB_E_UNKNOWN, 12},
		{"ECHO frame=delim:0g", SB_ON_TCP, SB_E_SYNTAX, 19},
		{"ECHO frame=len:0,5,be,0", SB_ON_TCP, SB_E_RANGE, 18},
		{"ECHO stopread=61s", SB_ON_TCP, SB_E_RANGE, 15}, /* b44 */
		{"ECHO len=5", SB_ON_TCP, SB_E_PLACE, 6},
		{"DISCARD close=rst count=5", SB_ON_TCP, SB_E_PLACE, 19},
		{"CHARGEN frame=line", SB_ON_TCP, SB_E_PLACE, 9},
		{"ECHO recv=1", SB_ON_UDP, SB_E_PLACE, 6},
		{"ECHO close=rst", SB_ON_UDP, SB_E_PLACE, 6},
		{"SOURCE file=f", SB_ON_UDP, SB_E_PLACE, 8},
		{"SOURCE file=f", SB_ON_TCP, SB_E_UNKNOWN, 13},
		{"SOURCE count=1001 len=1", SB_ON_UDP, SB_E_RANGE, 14},
		{"SOURCE count=2 len=65508", SB_ON_UDP, SB_E_RANGE, 20},
		{"SOURCE count=2 len=65506 frame=u16be", SB_ON_UDP, SB_E_RANGE, 20},
		{"SOURCE len=64k count=20000", SB_ON_TCP, SB_E_RANGE, 22},
		{"SOURCE seed=1", SB_ON_TCP, SB_E_PLACE, 8},
		{"SOURCE frag=1 seed=1", SB_ON_TCP, SB_E_PLACE, 15},
		{"ECHO frag=1", SB_ON_UDP, SB_E_PLACE, 6},
		{"ECHO limit=9", SB_ON_UDP, SB_E_PLACE, 6},
		{"DISCARD limit=9", SB_ON_TCP, SB_E_PLACE, 9},
		{"DISCARD frag=1", SB_ON_UNIX, SB_E_PLACE, 9},
		{"ECHO gap=1s", SB_ON_TCP, SB_E_PLACE, 6},
	};
	static const struct refused strict[] = {
		{"ECHO stopread=10001ms", SB_ON_TCP, SB_E_RANGE, 15},
		{"SOURCE len=1", SB_ON_UDP, SB_E_PLACE, 1},
		{"SOURCE len=64k count=257", SB_ON_TCP, SB_E_RANGE, 22},
		{"ECHO maxlife=301s", SB_ON_TCP, SB_E_RANGE, 14},
		{"ECHO delay=11s", SB_ON_TCP, SB_E_RANGE, 12},
	};
	struct made m;

	(void)state;
	expect_refused(rows, sizeof(rows) / sizeof(rows[0]), false);
	expect_refused(strict, sizeof(strict) / sizeof(strict[0]), true);
	/* One less each time is taken. */
	made_of(&m, "ECHO stopread=60s", SB_ON_TCP);
	made_of(&m, "SOURCE count=1000 len=1", SB_ON_UDP);
	made_of(&m, "SOURCE count=2 len=65507", SB_ON_UDP);
	made_of(&m, "SOURCE count=2 len=65505 frame=u16be", SB_ON_UDP);
	assert_int_equal(make(&m, "ECHO stopread=10s", SB_ON_TCP, true), 0);
	assert_int_equal(make(&m, "CHARGEN", SB_ON_UDP, true), 0);
	assert_int_equal(make(&m, "SOURCE len=64k count=256", SB_ON_TCP, true), 0);
}

/* The sentence names the nearest, the range and what changes it. */
static void the_sentence_helps(void **state)
{
	static const char *const rows[][2] = {
		{"ECCO", "ECHO"},
		{"RECIEPT", "unknown verb \"RECIEPT\" (did you mean RECEIPT?)"},
		{"LISTN", "LISTEN"},
		{"quti", "QUIT"},
		{"LIST", "LIST is a control verb"},
		{"XYZZY", "unknown verb \"XYZZY\": a line begins with one"},
		{"ECHO frame=u16eb", "u16be"},
		{"ECHO stopread=61s", "--max-delay"},
		{"SOURCE len=64k count=20000", "--max-bytes"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made m;

		assert_true(make(&m, rows[i][0], SB_ON_TCP, false) < 0);
		if (!strstr(m.fault.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], m.fault.text);
	}
}

/* A verb that is none is said before what stands behind it. */
static void the_verb_is_said_first(void **state)
{
	static const struct {
		const char *line;
		int alone, with_control;
	} rows[] = {
		{"LISTN ECHO cut=7", SB_E_UNKNOWN, SB_E_UNKNOWN},
		{"LISTEN ECHO cut=7", SB_E_UNKNOWN, SB_E_SYNTAX},
		{"ECHO frag", SB_E_SYNTAX, SB_E_SYNTAX},
		{"EHCO frag", SB_E_UNKNOWN, SB_E_UNKNOWN},
		{"=1", SB_E_SYNTAX, SB_E_SYNTAX},
		{"", SB_E_SYNTAX, SB_E_SYNTAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_fault fault = {0};
		struct sb_line line;
		int r = sb_line_parse(&line, sb_slice_cstr(rows[i].line), &fault);

		assert_int_equal(sb_verb_first(&line, true, r, NULL), rows[i].with_control);
		assert_int_equal(sb_verb_first(&line, false, r, &fault), rows[i].alone);
		assert_int_equal(fault.code, rows[i].alone);
		assert_int_equal(fault.col, rows[i].alone == SB_E_UNKNOWN ? 1 : fault.col);
		assert_int_equal(sb_verb_first(&line, false, 0, &fault), 0);
	}
}

static void syn_drops_for_ever_or_for_a_time(void **state)
{
	static const struct refused rows[] = {
		{"ECHO syn=drop", SB_ON_UDP, SB_E_PLACE, 6},
		{"ECHO syn=drop:1s", SB_ON_UNIX, SB_E_PLACE, 6},
		{"ECHO syn=drops", SB_ON_TCP, SB_E_TYPE, 10},
		{"ECHO syn=dro", SB_ON_TCP, SB_E_TYPE, 10},
		{"ECHO syn=rst", SB_ON_TCP, SB_E_TYPE, 10},
		{"ECHO syn=drop:", SB_ON_TCP, SB_E_TYPE, 15},
		{"ECHO syn=drop:1h", SB_ON_TCP, SB_E_TYPE, 15},
		{"ECHO syn=drop:0us", SB_ON_TCP, SB_E_RANGE, 15},
		{"ECHO syn=drop:60001ms", SB_ON_TCP, SB_E_RANGE, 15},
		{"ECHO syn=drop backlog=1", SB_ON_TCP, SB_E_PLACE, 15},
	};
	struct made m;

	(void)state;
	expect_refused(rows, sizeof(rows) / sizeof(rows[0]), false);
	made_of(&m, "ECHO", SB_ON_TCP);
	assert_false(m.plan.syn.is_drop);
	made_of(&m, "ECHO syn=drop", SB_ON_TCP);
	assert_true(m.plan.syn.is_drop);
	assert_int_equal(m.plan.syn.until, UINT64_MAX);
	made_of(&m, "CHARGEN syn=drop:60s", SB_ON_TCP);
	assert_true(m.plan.syn.is_drop);
	assert_int_equal(m.plan.syn.until, 60 * SB_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_bare_verb),          cmocka_unit_test(of_every_key),
		cmocka_unit_test(refused_with_its_column), cmocka_unit_test(the_sentence_helps),
		cmocka_unit_test(the_verb_is_said_first),  cmocka_unit_test(syn_drops_for_ever_or_for_a_time),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
