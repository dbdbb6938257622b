/* SPDX-License-Identifier: MIT
 * core/steps.h: what is done when a service has ended, one step after the other. See drive.h. */
#include "drive.h"

static struct sb_line line;

/* The line is refused with this, at this column: when it is read, or when its plan is made. */
static void expect_refused(const char *text, int code, uint32_t col, const char *says)
{
	static uint8_t scratch[SB_FRAME_MAX];
	struct sb_limits limits = {.is_set = {false}};
	struct sb_fault fault = {0};
	struct sb_service_in in = {.line = &line, .scratch = scratch};
	struct sb_plan plan;
	int r = sb_line_parse(&line, sb_slice_cstr(text), &fault);

	sb_limits_fill(&limits, false);
	if (r == 0)
		r = sb_plan_make(&plan, &in, SB_ON_TCP, &limits, false, &fault);
	if (r != code || fault.col != col || !strstr(fault.text, says))
		fail_msg("\"%s\": %s at column %u: %s", text, sb_errname(fault.code), fault.col, fault.text);
}

/* ---- what a line says ---- */

static void steps_are_kept_in_their_order(void **state)
{
	struct sb_fault fault;

	(void)state;
	assert_int_equal(sb_line_parse(&line,
				       sb_slice_cstr("SCRIPT max=9 | send:a\\s|b | read:frame | read:2k | "
						     "stopread:3s@4 | opt.SO_X:1 | wait:ack"),
				       &fault),
			 0);
	assert_int_equal(line.steps_n, 6);
	assert_int_equal(line.steps[0].kind, SB_STEP_SEND);
	assert_true(sb_slice_is(line.steps[0].v.text, "a |b"));
	assert_int_equal(line.steps[0].v.key_col, 16);
	assert_int_equal(line.steps[0].v.col, 21);
	assert_int_equal(line.steps[1].kind, SB_STEP_READ_FRAME);
	assert_int_equal(line.steps[2].v.num, 2048);
	assert_int_equal(line.steps[3].v.num, 3 * SB_S);
	assert_int_equal(line.steps[3].v.at, 4);
	assert_true(sb_slice_is(line.steps[4].opt, "SO_X") && sb_slice_is(line.steps[4].v.text, "1"));
	assert_int_equal(line.steps[5].v.num, SB_WAIT_ACK);
}

static void what_is_no_step_is_refused_where_it_stands(void **state)
{
	(void)state;
	expect_refused("SCRIPT |", SB_E_SYNTAX, 9, "a step is missing behind");
	expect_refused("SCRIPT | | send:x", SB_E_SYNTAX, 10, "missing between two");
	expect_refused("SCRIPT | send:x y", SB_E_SYNTAX, 17, "stands between two steps, not \"y\"");
	expect_refused("SCRIPT | send:x  | fin", SB_E_SYNTAX, 17, "one space");
	expect_refused("SCRIPT | sned:x", SB_E_UNKNOWN, 10, "did you mean send?");
	expect_refused("SCRIPT | zzzzzz", SB_E_UNKNOWN, 10, "--help lists the steps");
	expect_refused("SCRIPT | send", SB_E_SYNTAX, 14, "send: needs a value: TEXT");
	expect_refused("SCRIPT | send:", SB_E_SYNTAX, 15, "needs a value");
	expect_refused("SCRIPT | half:1", SB_E_SYNTAX, 14, "half takes no value");
	expect_refused("SCRIPT | opt.:1", SB_E_SYNTAX, 10, "needs the name of an option");
	expect_refused("SCRIPT | send:\\q", SB_E_SYNTAX, 15, "an escape is");
	expect_refused("SCRIPT | read:0", SB_E_RANGE, 15, "read is 1 to");
	expect_refused("SCRIPT | read:fram", SB_E_TYPE, 15, "read takes a size");
	expect_refused("SCRIPT | wait:eof:", SB_E_UNKNOWN, 15, "wait is eof|ack|read");
	expect_refused("SCRIPT | pause:5", SB_E_TYPE, 16, "pause takes a time");
	expect_refused("| send:x", SB_E_SYNTAX, 1, "begins with a verb");
}

static void at_most_64_steps(void **state)
{
	char text[SB_LINE_MAX];
	struct sb_text t = sb_text_in(text, sizeof(text));

	(void)state;
	sb_text_str(&t, "SCRIPT");
	for (int i = 0; i < SB_LINE_STEPS_MAX; i++)
		sb_text_str(&t, " | send:x");
	assert_int_equal(sb_line_parse(&line, sb_slice(t.p, t.n), NULL), 0);
	assert_int_equal(line.steps_n, SB_LINE_STEPS_MAX);
	sb_text_str(&t, " | fin");
	sb_text_end(&t);
	expect_refused(text, SB_E_LIMIT, (uint32_t)t.n - 2, "at most 64 steps");
}

static void what_could_never_be_done_is_refused(void **state)
{
	(void)state;
	expect_refused("SCRIPT", SB_E_SYNTAX, 7, "SCRIPT needs steps");
	expect_refused("SCRIPT | half | send:x", SB_E_PLACE, 17, "nothing can be sent after half");
	expect_refused("SCRIPT | send:x | read:1 | half | again", SB_E_PLACE, 10, "nothing can be sent after half");
	expect_refused("SCRIPT | half | half", SB_E_PLACE, 17, "closed already");
	expect_refused("SCRIPT | fin | send:x", SB_E_PLACE, 16, "nothing is done after fin");
	expect_refused("SCRIPT | read:1 | again | rst", SB_E_PLACE, 27, "nothing is done after again");
	expect_refused("SCRIPT | again", SB_E_PLACE, 10, "again needs a step");
	expect_refused("SCRIPT | wait:ack | opt.X:1 | stopread:1s | again", SB_E_PLACE, 45, "again needs a step");
	expect_refused("SCRIPT | pause:61s", SB_E_RANGE, 16, "at most 60000 ms");
	expect_refused("SCRIPT | stopread:61s", SB_E_RANGE, 19, "at most 60000 ms");
	expect_refused("SCRIPT frame=line | frame:a\\nb", SB_E_BAD_PAYLOAD, 27, "cannot carry this");
	expect_refused("SCRIPT frame=u8 max=2 | frame:abc", SB_E_TOO_LARGE, 31, "cannot carry this");
	expect_refused("SCRIPT join=2 | send:x", SB_E_PLACE, 8, "join=");
	expect_refused("ECHO join=2 | send:x", SB_E_PLACE, 6, "join=");
	expect_refused("SCRIPT delay=1s | send:x", SB_E_PLACE, 8, "pause:TIME");
	expect_refused("SCRIPT nth=2 | send:x", SB_E_PLACE, 8, "nth=");
	expect_refused("SCRIPT close=half | rst", SB_E_PLACE, 8, "leave one out");
	expect_refused("ECHO close=half | send:x | fin", SB_E_PLACE, 6, "leave one out");
}

/* ---- doing them ---- */

/* Feeds text, closes the peer's side, and expects what comes back, these ops and this reason. */
static void expect_run(const char *text, const char *in, const char *out, const char *ops, enum sb_reason why)
{
	struct drive d;

	drive_init(&d, text, false);
	drive_open(&d);
	d.is_fin = true;
	drive_text(&d, in);
	drive_expect_out(&d, sb_slice_cstr(out));
	drive_expect(&d, ops, why);
	drive_end(&d);
}

/* T: a step begins, the last one is their end. */
static void each_step_is_said_and_then_done(void **state)
{
	(void)state;
	expect_run("SCRIPT | send:hi", "", "hi", "TSTFRC", SB_WHY_DONE);
	expect_run("SCRIPT frame=u8 | frame:hi | send:x", "", "\002hix", "TSTSTFRC", SB_WHY_DONE);
	expect_run("SCRIPT | read:3 | send:ok", "abcd", "ok", "TRTSTFRC", SB_WHY_DONE);
	expect_run("SCRIPT frame=line | read:frame | read:frame | send:ok", "a\nb\n", "ok", "TRTTSTFRC", SB_WHY_DONE);
	expect_run("SCRIPT | send:bye | half | read:2", "xy", "bye", "TSTFTRTRC", SB_WHY_DONE);
	expect_run("SCRIPT | send:x | fin", "", "x", "TSTFRC", SB_WHY_DONE);
	expect_run("SCRIPT | send:x | rst", "", "x", "TSTX", SB_WHY_DONE);
	expect_run("SCRIPT | wait:eof | send:x", "gone", "x", "TRRTSTC", SB_WHY_DONE);
	expect_run("SCRIPT | send:x | wait:read | send:y", "", "xy", "TSTGRTSTFC", SB_WHY_DONE);
	expect_run("SCRIPT | opt.TCP_NODELAY:0 | send:x", "", "x", "TOTSTFRC", SB_WHY_DONE);
	expect_run("SCRIPT close=rst | send:x", "", "x", "TSTX", SB_WHY_DONE);
	expect_run("SCRIPT frame=line | read:frame | send:. | again", "a\nb\n", "..", "TRTSTTTSTTRC", SB_WHY_EOF);
}

static void a_service_has_its_own_end_first(void **state)
{
	(void)state;
	expect_run("ECHO | send:bye", "hello", "hellobye", "RSRTSTC", SB_WHY_EOF);
	expect_run("ECHO limit=3 | send:!", "hello", "hel!", "RSTSTFRC", SB_WHY_LIMIT);
	expect_run("DISCARD | send:bye", "hello", "bye", "RRTSTC", SB_WHY_EOF);
	expect_run("SOURCE len=2 count=2 pattern=ab | send:c", "", "ababc", "STSTFRC", SB_WHY_DONE);
	expect_run("ECHO frame=line | send:no", "half", "", "RRC", SB_WHY_TRUNCATED);
}

/* What is behind the replies that limit= leaves out is a step's to read. */
static void what_limit_leaves_is_read_by_steps(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=line limit=2 | read:frame | send:ok", false);
	drive_open(&d);
	drive_text(&d, "a\nb\nhalf");
	drive_expect_out(&d, sb_slice_cstr("a\n"));
	assert_int_equal(d.s.dropped, 2);
	drive_text(&d, " a line\n");
	drive_expect_out(&d, sb_slice_cstr("a\nok"));
	drive_fin(&d);
	drive_end(&d);
}

static void what_steps_send_is_cut(void **state)
{
	(void)state;
	expect_run("SCRIPT frag=2 | send:abc | send:de", "", "abcde", "TSGRSTSGSTFC", SB_WHY_DONE);
	expect_run("SCRIPT frame=u8 frag=2 | frame:ab | send:c", "", "\002abc", "TSGRSGTSGTFC", SB_WHY_DONE);
	expect_run("SCRIPT cut=1 flip=2 | send:ab | send:cd", "", "abbd", "TSGRSTSTFC", SB_WHY_DONE);
	expect_run("SCRIPT limit=3 | send:ab | send:cd", "", "abc", "TSTSFRC", SB_WHY_LIMIT);
}

static void an_option_that_cannot_be_set_ends_it(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "SCRIPT | send:x | opt.TCP_NODELAY:0 | send:y", false);
	d.opt_res = -ENOBUFS;
	drive_open(&d);
	drive_fin(&d);
	drive_expect_out(&d, sb_slice_cstr("x"));
	drive_expect(&d, "TSTOFRC", SB_WHY_OPTION);
	assert_int_equal(d.s.err, -ENOBUFS);
	drive_end(&d);
}

/* ---- however it comes and goes ---- */

static const char *const programs[] = {
	"SCRIPT frame=line | read:frame | send:+OK\\r\\n | again",
	"SCRIPT frame=line frag=3 | send:hello | read:3 | frame:x | read:frame | send:yz | read:1 | wait:ack | send:w",
	"SCRIPT frame=line | read:1 | read:frame | frame:long\\sanswer | half | read:frame | wait:eof",
	"ECHO frame=line | send:bye | wait:read | frame:!",
};

static void run_cut(struct drive *d, const char *program, const char *in, size_t bite, size_t take)
{
	drive_init(d, program, false);
	d->bite = bite;
	d->take = take;
	drive_open(d);
	d->is_fin = true;
	drive_text(d, in);
}

static void cut_anywhere_it_is_the_same(void **state)
{
	static const char in[] = "a\nbcd\nefgh\n\nijkl\nm\n";

	(void)state;
	for (size_t p = 0; p < sizeof(programs) / sizeof(programs[0]); p++) {
		struct drive whole;

		run_cut(&whole, programs[p], in, 0, 0);
		for (size_t bite = 1; bite < sizeof(in); bite++)
			for (size_t take = 1; take < 4; take++) {
				struct drive d;

				run_cut(&d, programs[p], in, bite, take);
				drive_expect_out(&d, sb_slice(whole.out, whole.out_n));
				assert_int_equal(d.s.reason, whole.s.reason);
				assert_int_equal(d.s.frames, whole.s.frames);
				drive_end(&d);
			}
		drive_end(&whole);
	}
}

/* The peer may end anywhere: in order, and what was sent before is a beginning of the whole. */
static void the_end_may_come_anywhere(void **state)
{
	static const char in[] = "a\nbcd\nefgh\n\nijkl\nm\n";

	(void)state;
	for (size_t p = 0; p < sizeof(programs) / sizeof(programs[0]); p++)
		for (size_t n = 0; n < sizeof(in); n++) {
			char some[sizeof(in)];
			struct drive d;

			memcpy(some, in, n);
			some[n] = '\0';
			run_cut(&d, programs[p], some, 1, 0);
			assert_true(d.s.reason == SB_WHY_EOF || d.s.reason == SB_WHY_DONE ||
				    d.s.reason == SB_WHY_TRUNCATED);
			drive_end(&d);
		}
}

/* `again` goes round for all that was sent before the end, and for nothing that nobody reads. */
static void again_ends_with_what_is_read(void **state)
{
	struct drive d;

	(void)state;
	expect_run("SCRIPT | read:2 | send:. | again", "abcdefg", "...", "TRTSTTTSTTTSTTRC", SB_WHY_EOF);
	drive_init(&d, "SCRIPT | send:x | pause:1s | again", false);
	drive_open(&d);
	drive_text(&d, "nobody reads this");
	drive_to(&d, d.now + 3 * SB_S + SB_MS);
	drive_expect_out(&d, sb_slice_cstr("xxxx"));
	drive_fin(&d);
	drive_to(&d, d.now + SB_S);
	drive_expect_out(&d, sb_slice_cstr("xxxx"));
	assert_int_equal(d.s.reason, SB_WHY_EOF);
	drive_end(&d);
}

/* Little is read ahead: who sends and is not listened to is told to wait, by his kernel. */
static void little_is_read_ahead(void **state)
{
	static char many[20000];
	struct drive d;

	(void)state;
	memset(many, 'x', sizeof(many));
	drive_init(&d, "SCRIPT recv=1000 | pause:1s | read:15000 | send:ok", false);
	drive_open(&d);
	drive_feed(&d, sb_slice(many, sizeof(many)));
	assert_int_equal(d.s.leg.in, 5000);
	drive_to(&d, d.now + SB_S);
	drive_expect_out(&d, sb_slice_cstr("ok"));
	drive_fin(&d);
	drive_end(&d);
}

/* ---- time ---- */

static void a_pause_lasts_and_is_not_the_peers(void **state)
{
	struct drive d;
	uint64_t begun;

	(void)state;
	drive_init(&d, "SCRIPT | read:1 | pause:50s | send:a | read:1", false);
	sb_limits_set(&d.limits, sb_slice_cstr("idle-timeout"), sb_slice_cstr("1s"), NULL);
	drive_open(&d);
	begun = d.now;
	drive_text(&d, "x");
	drive_to(&d, begun + 50 * SB_S - 1);
	assert_int_equal(d.out_n, 0);
	drive_to(&d, begun + 50 * SB_S);
	drive_expect_out(&d, sb_slice_cstr("a"));
	/* From here on it is the peer who is late. */
	drive_to(&d, begun + 51 * SB_S);
	assert_int_equal(d.s.reason, SB_WHY_IDLE);
	drive_fin(&d);
	drive_end(&d);
}

static void stopread_stops_reading_and_nothing_else(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "SCRIPT | stopread:3s@2 | send:a | read:4 | send:b", false);
	drive_open(&d);
	drive_expect_out(&d, sb_slice_cstr("a"));
	drive_text(&d, "12");
	assert_false(d.is_receiving);
	d.in = (const uint8_t *)"34";
	d.in_n = 2;
	d.in_at = 0;
	drive_to(&d, d.now + 3 * SB_S - 1);
	drive_expect_out(&d, sb_slice_cstr("a"));
	drive_to(&d, d.now + 1);
	drive_expect_out(&d, sb_slice_cstr("ab"));
	drive_fin(&d);
	drive_end(&d);
}

static void what_a_step_waits_for_has_its_time(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "SCRIPT | read:4 | send:a | read:4", false);
	sb_limits_set(&d.limits, sb_slice_cstr("first-byte-timeout"), sb_slice_cstr("2s"), NULL);
	sb_limits_set(&d.limits, sb_slice_cstr("frame-timeout"), sb_slice_cstr("5s"), NULL);
	drive_open(&d);
	assert_int_equal(sb_session_deadline(&d.s), d.now + 2 * SB_S);
	d.now += SB_S;
	drive_text(&d, "1");
	assert_int_equal(sb_session_deadline(&d.s), d.now + 5 * SB_S);
	d.now += SB_S;
	drive_text(&d, "23");
	assert_int_equal(sb_session_deadline(&d.s), d.now + 4 * SB_S);
	drive_text(&d, "4");
	assert_int_equal(sb_session_deadline(&d.s), d.now + 600 * SB_S);
	drive_to(&d, d.now + 600 * SB_S);
	assert_int_equal(d.s.reason, SB_WHY_IDLE);
	drive_fin(&d);
	drive_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_kept_in_their_order),
		cmocka_unit_test(what_is_no_step_is_refused_where_it_stands),
		cmocka_unit_test(at_most_64_steps),
		cmocka_unit_test(what_could_never_be_done_is_refused),
		cmocka_unit_test(each_step_is_said_and_then_done),
		cmocka_unit_test(a_service_has_its_own_end_first),
		cmocka_unit_test(what_limit_leaves_is_read_by_steps),
		cmocka_unit_test(what_steps_send_is_cut),
		cmocka_unit_test(an_option_that_cannot_be_set_ends_it),
		cmocka_unit_test(cut_anywhere_it_is_the_same),
		cmocka_unit_test(the_end_may_come_anywhere),
		cmocka_unit_test(again_ends_with_what_is_read),
		cmocka_unit_test(little_is_read_ahead),
		cmocka_unit_test(a_pause_lasts_and_is_not_the_peers),
		cmocka_unit_test(stopread_stops_reading_and_nothing_else),
		cmocka_unit_test(what_a_step_waits_for_has_its_time),
	};

	return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
