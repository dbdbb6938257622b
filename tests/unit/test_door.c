/* SPDX-License-Identifier: MIT
 * core/door.h, and a session that begins with a line. See drive.h. */
#include "drive.h"

/* ---- telling a line from payload ---- */

static void expect_look(enum sb_door door, const char *bytes, bool is_last, enum sb_door_look want, uint32_t n)
{
	uint32_t line_n = 0;
	enum sb_door_look is = sb_door_look(door, (const uint8_t *)bytes, strlen(bytes), is_last, &line_n);

	if (is != want || (want == SB_DOOR_LINE && line_n != n))
		fail_msg("\"%s\": %d of %u bytes", bytes, is, line_n);
}

static void what_is_a_line(void **state)
{
	(void)state;
	expect_look(SB_DOOR_MARKED, "hello", false, SB_DOOR_PAYLOAD, 0);
	expect_look(SB_DOOR_MARKED, "s", false, SB_DOOR_PAYLOAD, 0);
	expect_look(SB_DOOR_MARKED, "SB2 ECHO\nx", false, SB_DOOR_LINE, 9);
	expect_look(SB_DOOR_MARKED, "SB0", false, SB_DOOR_WAIT, 0);
	expect_look(SB_DOOR_MARKED, "SB2ECHO\n", false, SB_DOOR_PAYLOAD, 0);
	expect_look(SB_DOOR_MARKED, "SB: ECHO\n", false, SB_DOOR_PAYLOAD, 0);
	expect_look(SB_DOOR_MARKED, "SB/ ECHO\n", false, SB_DOOR_PAYLOAD, 0);
	expect_look(SB_DOOR_MARKED, "SB1\n", false, SB_DOOR_PAYLOAD, 0);
	for (size_t n = 1; n < 4; n++) {
		char part[5] = "SB1 ";

		part[n] = '\0';
		expect_look(SB_DOOR_MARKED, part, false, SB_DOOR_WAIT, 0);
		expect_look(SB_DOOR_MARKED, part, true, SB_DOOR_PAYLOAD, 0);
	}
	expect_look(SB_DOOR_MARKED, "SB1 ", false, SB_DOOR_WAIT, 0);
	expect_look(SB_DOOR_MARKED, "SB1 ", true, SB_DOOR_LINE, 4);
	expect_look(SB_DOOR_MARKED, "SB1 ECHO", true, SB_DOOR_LINE, 8);
	expect_look(SB_DOOR_MARKED, "SB1 ECHO\nx\n", false, SB_DOOR_LINE, 9);
	expect_look(SB_DOOR_MARKED, "SB1 \n", false, SB_DOOR_LINE, 5);
	expect_look(SB_DOOR_CONTROL, "LIST", false, SB_DOOR_WAIT, 0);
	expect_look(SB_DOOR_CONTROL, "\nLIST\n", false, SB_DOOR_LINE, 1);
}

static void a25_what_is_of_another_protocol(void **state)
{
	static const char *const foreign[] = {"GET / HTTP/1.1\r\n", " HTTP/1.1\n", "X HTTP/1.0\n", "\r\n",
					      "\x16\x03\x01\n",     "LIST\x80\n",  "\x7f\n",       "LI\rST\r\n",
					      "\tLIST\r\n"};
	static const char *const ours[] = {"\n",        "LIST\r\n",         "LSIT\n",   "LISTEN ECHO frag\n",
					   "GET /\r\n", "LIST HTTP/1.1x\n", "LI\x16ST", "~\n"};
	static uint8_t bytes[SB_DOOR_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (!sb_door_is_foreign(sb_slice_cstr(foreign[i])))
			fail_msg("\"%s\" is taken for ours", foreign[i]);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (sb_door_is_foreign(sb_slice_cstr(ours[i])))
			fail_msg("\"%s\" is taken for another's", ours[i]);
	memset(bytes, 'x', sizeof(bytes));
	assert_true(sb_door_is_foreign(sb_slice(bytes, sizeof(bytes))));
	assert_false(sb_door_is_foreign(sb_slice(bytes, sizeof(bytes) - 1)));
}

/* A line that is too long is one as soon as that is clear, and no more of it than shows it. */
static void too_long_for_a_line(void **state)
{
	static uint8_t bytes[2 * SB_DOOR_LINE_MAX];
	uint32_t n = 0;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "SB1 ", 4);
	assert_int_equal(sb_door_look(SB_DOOR_MARKED, bytes, SB_DOOR_LINE_MAX - 1, false, &n), SB_DOOR_WAIT);
	assert_int_equal(sb_door_look(SB_DOOR_MARKED, bytes, SB_DOOR_LINE_MAX, false, &n), SB_DOOR_LINE);
	assert_int_equal(n, SB_DOOR_LINE_MAX);
	assert_int_equal(sb_door_look(SB_DOOR_MARKED, bytes, sizeof(bytes), false, &n), SB_DOOR_LINE);
	assert_int_equal(n, SB_DOOR_LINE_MAX);
	bytes[SB_DOOR_LINE_MAX - 1] = '\n';
	assert_int_equal(sb_door_look(SB_DOOR_MARKED, bytes, sizeof(bytes), false, &n), SB_DOOR_LINE);
	assert_int_equal(n, SB_DOOR_LINE_MAX);
}

/* ---- sessions ---- */

static void begin(struct drive *d)
{
	drive_init(d, "ECHO", false);
	d->plan.is_door = true;
	drive_open(d);
}

/* Answers the line as the server would: text first, then the plan of line. */
static void answer(struct drive *d, enum sb_answer what, const char *text, const char *line)
{
	static struct drive other;

	if (line)
		drive_init(&other, line, false);
	d->lines_n += strlen(d->said);
	d->pace.said = sb_slice_cstr(text);
	sb_session_answer(&d->s, what, line ? &other.plan : NULL, &d->pace, d->now);
	drive_run(d);
	drive_pump(d);
}

static void payload_is_echoed_as_ever(void **state)
{
	static const char *const streams[] = {"hello", "S", "SB", "SB1", "SBx ECHO\n", "S\0", "XSB1 ECHO\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		for (size_t bite = 1; bite <= 4; bite++) {
			struct drive d;

			begin(&d);
			d.bite = bite;
			d.is_fin = true;
			drive_text(&d, streams[i]);
			drive_expect_out(&d, sb_slice_cstr(streams[i]));
			assert_string_equal(sb_reasons[d.s.reason].name, "eof");
			drive_end(&d);
		}
}

/* A lone S is held for 200 ms, then it is payload, and so is everything after it. */
static void a_part_of_the_marker_is_held(void **state)
{
	struct drive d;

	(void)state;
	begin(&d);
	drive_text(&d, "SB");
	drive_to(&d, d.now + SB_DOOR_PATIENCE - 1);
	drive_expect_out(&d, sb_slice_cstr(""));
	drive_to(&d, d.now + 1);
	drive_expect_out(&d, sb_slice_cstr("SB"));
	drive_text(&d, "1 ECHO\n");
	drive_expect_out(&d, sb_slice_cstr("SB1 ECHO\n"));
	drive_fin(&d);
	drive_end(&d);
}

/* However it comes: in pieces, glued to payload, the peer's side closed behind it. */
static void a_line_is_said_once_and_obeyed(void **state)
{
	(void)state;
	for (size_t bite = 1; bite <= 40; bite++) {
		struct drive d;

		begin(&d);
		d.bite = bite;
		d.is_fin = true;
		drive_text(&d, "SB1 ECHO frag=1\nhello");
		assert_string_equal(d.said, "SB1 ECHO frag=1\n");
		answer(&d, SB_ANSWER_SERVE, "+OK\n", "ECHO frag=1");
		drive_expect_out(&d, sb_slice_cstr("+OK\nhello"));
		assert_int_equal(d.gates, 6);
		assert_int_equal(d.pace.pieces, 5);
		assert_string_equal(sb_reasons[d.s.reason].name, "eof");
		drive_end(&d);
	}
}

static void a_source_drops_what_follows_its_line(void **state)
{
	struct drive d;

	(void)state;
	begin(&d);
	drive_text(&d, "SB1 SOURCE\nhello");
	answer(&d, SB_ANSWER_SERVE, "+OK\n", "SOURCE len=3 count=2 pattern=a");
	drive_expect_out(&d, sb_slice_cstr("+OK\naaaaaa"));
	assert_int_equal(d.s.dropped, 5);
	assert_string_equal(sb_reasons[d.s.reason].name, "done");
	drive_fin(&d);
	drive_end(&d);
}

static void a_refused_line_ends_it(void **state)
{
	struct drive d;

	(void)state;
	begin(&d);
	drive_text(&d, "SB1 EHCO\nhello");
	answer(&d, SB_ANSWER_REFUSE, "-ERR\n", NULL);
	drive_expect_out(&d, sb_slice_cstr("-ERR\n"));
	drive_expect(&d, "RLSFR", SB_WHY_LINE);
	assert_int_equal(d.s.dropped, 5);
	drive_fin(&d);
	drive_end(&d);
}

/* Each answer goes before the next line is looked at. */
static void control_takes_line_after_line(void **state)
{
	struct drive d;

	(void)state;
	begin(&d);
	drive_text(&d, "SB1 LIST\nLIMITS\nQ");
	assert_string_equal(d.said, "SB1 LIST\n");
	answer(&d, SB_ANSWER_CONTROL, "one\n", NULL);
	assert_string_equal(d.said, "LIMITS\n");
	drive_expect_out(&d, sb_slice_cstr("one\n"));
	answer(&d, SB_ANSWER_CONTROL, "two\n", NULL);
	drive_text(&d, "UIT\n");
	assert_string_equal(d.said, "QUIT\n");
	answer(&d, SB_ANSWER_QUIT, "three\n", NULL);
	drive_expect_out(&d, sb_slice_cstr("one\ntwo\nthree\n"));
	drive_expect(&d, "RLSLSRLSFR", SB_WHY_DONE);
	drive_fin(&d);
	drive_end(&d);
}

static void a25_control_ends_with_the_answer(void **state)
{
	struct drive d;

	(void)state;
	begin(&d);
	drive_text(&d, "SB1 LIST\nGET / HTTP/1.1\r\nLIST\n");
	answer(&d, SB_ANSWER_CONTROL, "one\n", NULL);
	assert_string_equal(d.said, "GET / HTTP/1.1\r\n");
	answer(&d, SB_ANSWER_FOREIGN, "-ERR\n", NULL);
	drive_expect_out(&d, sb_slice_cstr("one\n-ERR\n"));
	drive_expect(&d, "RLSLSFR", SB_WHY_FOREIGN);
	assert_int_equal(d.s.dropped, 5);
	drive_fin(&d);
	drive_end(&d);
}

static void half_a_line_has_the_time_of_a_frame(void **state)
{
	struct drive d;

	(void)state;
	begin(&d);
	drive_text(&d, "SB1 EC");
	drive_to(&d, d.now + 60 * SB_S);
	assert_string_equal(sb_reasons[d.s.reason].name, "frame-timeout");
	drive_fin(&d);
	drive_end(&d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_a_line),
		cmocka_unit_test(a25_what_is_of_another_protocol),
		cmocka_unit_test(too_long_for_a_line),
		cmocka_unit_test(payload_is_echoed_as_ever),
		cmocka_unit_test(a_part_of_the_marker_is_held),
		cmocka_unit_test(a_line_is_said_once_and_obeyed),
		cmocka_unit_test(a_source_drops_what_follows_its_line),
		cmocka_unit_test(a_refused_line_ends_it),
		cmocka_unit_test(control_takes_line_after_line),
		cmocka_unit_test(a25_control_ends_with_the_answer),
		cmocka_unit_test(half_a_line_has_the_time_of_a_frame),
	};

	return cmocka_run_group_tests_name("door", tests, NULL, NULL);
}
