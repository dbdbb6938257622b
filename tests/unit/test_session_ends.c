/* SPDX-License-Identifier: MIT
 * core/session.h: how a session ends, by the peer, by a broken stream, by the kernel, by us. See drive.h. */
#include "drive.h"

/* ---- endings ---- */

/* c48: what was asked is answered in full, then comes the FIN: close() after the peer's. */
static void c48_half_close_is_answered_in_full(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=u8", false);
	drive_open(&d);
	d.room = 1;
	d.is_fin = true;
	drive_text(&d, "\x02hi\x01!");
	assert_int_equal(d.closed, 0);
	assert_false(d.is_receiving);
	d.room = 2;
	drive_pump(&d);
	assert_int_equal(d.closed, 0);
	d.room = 100;
	drive_pump(&d);
	drive_expect_out(&d, sb_slice_cstr("\x02hi\x01!"));
	drive_expect(&d, "RSSSSSRC", SB_WHY_EOF);
	drive_end(&d);
}

static void c49_half_close_inside_a_frame_is_truncated(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=u8", false);
	drive_open(&d);
	d.is_fin = true;
	drive_text(&d, "\x02hi\x05only");
	drive_expect_out(&d, sb_slice_cstr("\x02hi"));
	drive_expect(&d, "RSRC", SB_WHY_TRUNCATED);
	assert_int_equal(d.s.dropped, 5);
	drive_end(&d);
}

/* a5, a6: what comes before it is answered; then our FIN, everything else is dropped until the peer's. */
static void a5_a6_too_large_is_refused_before_its_body(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=u32be max=8", false);
	drive_open(&d);
	drive_feed(&d, sb_slice("\0\0\0\1a\0\0\0\x8"
				"12345678\xff",
				18));
	drive_expect(&d, "RSFR", SB_WHY_TOO_LARGE);
	assert_int_equal(d.s.state, SB_STATE_DRAIN);
	drive_expect_out(&d, sb_slice("\0\0\0\1a\0\0\0\x8"
				      "12345678",
				      17));
	assert_null(d.kept); /* a break holds nothing */
	drive_text(&d, "and more, which nobody will answer");
	drive_expect(&d, "RSFRR", SB_WHY_TOO_LARGE);
	drive_fin(&d);
	drive_expect(&d, "RSFRRC", SB_WHY_TOO_LARGE);
	assert_int_equal(d.s.dropped, 1 + 34);
	drive_end(&d);
}

/* c50, where it is found: nothing can be sent any more, so nothing is. */
static void c50_reset_while_reading(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=u8", false);
	drive_open(&d);
	drive_text(&d, "\x05par");
	drive_fail(&d, -ECONNRESET);
	drive_expect(&d, "RRC", SB_WHY_RESET);
	assert_int_equal(d.s.err, -ECONNRESET);
	assert_int_equal(d.s.dropped, 4);
	drive_end(&d);
}

static void c50_reset_while_sending(void **state)
{
	static const int errs[] = {-EPIPE, -ECONNRESET, -ETIMEDOUT, -EIO};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct drive d;

		drive_init(&d, i % 2 ? "ECHO" : "CHARGEN", false);
		d.room = 0;
		drive_open(&d);
		if (d.is_receiving && i % 2)
			drive_text(&d, "hello");
		d.is_receiving = false;
		assert_true(d.is_sending);
		drive_fail(&d, errs[i]);
		assert_int_equal(d.s.reason, i < 2 ? SB_WHY_RESET : SB_WHY_IO);
		assert_int_equal(d.s.err, errs[i]);
		assert_int_equal(sb_session_held(&d.s).n, i % 2 ? 5 : 0); /* counted as unsent */
		drive_end(&d);
	}
}

/* A reset after our own end does not change why it ended. */
static void the_first_reason_stays(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=u8 max=1", false);
	drive_open(&d);
	drive_text(&d, "\x02");
	drive_expect(&d, "RFR", SB_WHY_TOO_LARGE);
	drive_fail(&d, -ECONNRESET);
	drive_expect(&d, "RFRC", SB_WHY_TOO_LARGE);
	assert_int_equal(d.s.err, 0);
	drive_end(&d);

	drive_init(&d, "ECHO", false);
	drive_open(&d);
	sb_session_kill(&d.s, SB_WHY_KILLED, SB_CLOSE_RESET);
	sb_session_finish(&d.s, SB_WHY_STOP, d.now);
	drive_run(&d);
	drive_expect(&d, "RX", SB_WHY_KILLED);
	drive_end(&d);
}

static void a_cancelled_recv_is_no_end(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO", false);
	drive_open(&d);
	drive_fail(&d, -ECANCELED);
	drive_expect(&d, "RR", SB_WHY_NONE);
	drive_text(&d, "x");
	drive_expect_out(&d, sb_slice_cstr("x"));
	drive_fin(&d);
	drive_end(&d);
}

/* c51, c52: each way of closing, when the peer has closed and when it has not. */
static void c51_c52_close_says_how(void **state)
{
	static const struct {
		const char *line, *ops, *ops_after_fin;
	} rows[] = {
		{"SOURCE count=2 len=3 close=clean", "SFR", "SFRC"},
		{"SOURCE count=2 len=3 close=rst", "SX", NULL},
		{"SOURCE count=2 len=3 close=abrupt", "SC", NULL},
		{"ECHO close=clean", "RSR", "RSRC"},
		{"ECHO close=rst", "RSR", "RSRX"},
		{"ECHO close=abrupt", "RSR", "RSRC"},
		{"ECHO frame=u8 max=1 close=rst", "RX", NULL},
		{"ECHO frame=u8 max=1 close=abrupt", "RC", NULL},
		{"DISCARD frame=u8 max=1 close=clean", "RFR", "RFRC"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct drive d;

		drive_init(&d, rows[i].line, false);
		drive_open(&d);
		if (d.closed == 0 && !d.plan.service->ops->is_source)
			drive_text(&d, "x");
		assert_string_equal(d.ops, rows[i].ops);
		drive_fin(&d);
		assert_string_equal(d.ops, rows[i].ops_after_fin ? rows[i].ops_after_fin : rows[i].ops);
		drive_end(&d);
	}
}

/* With close=rst and abrupt the answer is handed to the kernel first. */
static void c52_rst_comes_after_the_answer(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO close=rst", false);
	drive_open(&d);
	d.room = 3;
	d.is_fin = true;
	drive_text(&d, "hello");
	assert_int_equal(d.closed, 0);
	d.room = 10;
	drive_pump(&d);
	drive_expect(&d, "RSSSRX", SB_WHY_EOF);
	drive_expect_out(&d, sb_slice_cstr("hello"));
	drive_end(&d);
}

/* ---- DISCARD, stop and kill ---- */

static void discard_reads_checks_and_drops(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "DISCARD frame=line max=4", false);
	drive_open(&d);
	d.bite = 2;
	drive_text(&d, "one\ntwo\nfour\nx");
	assert_int_equal(d.s.frames, 3);
	assert_int_equal(sb_session_held(&d.s).n, 1);
	assert_null(strchr(d.ops, 'S'));
	d.bite = 0;
	drive_text(&d, "toolarge\n");
	assert_int_equal(d.s.reason, SB_WHY_TOO_LARGE);
	drive_fin(&d);
	assert_int_equal(d.s.dropped, 10);
	assert_int_equal(d.out_n, 0);
	drive_end(&d);
}

static void stop_sends_what_is_whole_and_drains(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=line", false);
	drive_open(&d);
	d.room = 1;
	drive_text(&d, "one\ntw");
	sb_session_finish(&d.s, SB_WHY_STOP, d.now);
	drive_run(&d);
	drive_expect(&d, "RSS", SB_WHY_STOP);
	d.room = 100;
	drive_pump(&d);
	drive_expect(&d, "RSSSFR", SB_WHY_STOP);
	drive_expect_out(&d, sb_slice_cstr("one\n"));
	assert_int_equal(d.s.dropped, 2);
	drive_fin(&d);
	drive_expect(&d, "RSSSFRC", SB_WHY_STOP);
	drive_end(&d);
}

/* --stop-timeout is for all connections, and this one had 30 s before it. */
static void told_to_stop_while_it_drains_for_another_reason(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=u8 max=1", false);
	d.limits.v[SB_LIMIT_DRAIN_IDLE] = 60 * SB_S;
	drive_open(&d);
	drive_text(&d, "\x02");
	drive_to(&d, d.now + 5 * SB_S);
	sb_session_finish(&d.s, SB_WHY_STOP, d.now);
	drive_run(&d);
	drive_to(&d, d.now + 10 * SB_S - 1);
	drive_expect(&d, "RFR", SB_WHY_TOO_LARGE);
	drive_to(&d, d.now + 1);
	drive_expect(&d, "RFRX", SB_WHY_TOO_LARGE);
	drive_end(&d);
}

static void stop_while_a_recv_is_outstanding_drops_what_it_brings(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO", false);
	drive_open(&d);
	sb_session_finish(&d.s, SB_WHY_STOP, d.now);
	drive_run(&d);
	drive_expect(&d, "RF", SB_WHY_STOP);
	drive_text(&d, "late");
	drive_expect(&d, "RFR", SB_WHY_STOP);
	assert_int_equal(d.s.dropped, 4);
	sb_session_finish(&d.s, SB_WHY_LIFE, d.now); /* too late to matter */
	drive_fin(&d);
	drive_expect(&d, "RFRC", SB_WHY_STOP);
	drive_end(&d);
}

static void kill_closes_at_once_in_any_state(void **state)
{
	static const char *const lines[] = {"ECHO", "DISCARD", "CHARGEN", "SOURCE count=1 len=1", "ECHO frame=u8"};

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct drive d;
		enum sb_close_how how = i / 5 % 2 ? SB_CLOSE_RESET : SB_CLOSE_PLAIN;

		drive_init(&d, lines[i % 5], false);
		d.room = i / 10 ? 3 : 0;
		drive_open(&d);
		if (d.is_receiving)
			drive_text(&d, "\x05h");
		sb_session_kill(&d.s, SB_WHY_KILLED, how);
		drive_run(&d);
		assert_int_equal(d.s.reason, i % 5 == 3 && i / 10 ? SB_WHY_DONE : SB_WHY_KILLED);
		assert_int_equal(d.ops[d.ops_n - 1], how == SB_CLOSE_RESET ? 'X' : 'C');
		drive_end(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c48_half_close_is_answered_in_full),
		cmocka_unit_test(c49_half_close_inside_a_frame_is_truncated),
		cmocka_unit_test(a5_a6_too_large_is_refused_before_its_body),
		cmocka_unit_test(c50_reset_while_reading),
		cmocka_unit_test(c50_reset_while_sending),
		cmocka_unit_test(the_first_reason_stays),
		cmocka_unit_test(a_cancelled_recv_is_no_end),
		cmocka_unit_test(c51_c52_close_says_how),
		cmocka_unit_test(c52_rst_comes_after_the_answer),
		cmocka_unit_test(discard_reads_checks_and_drops),
		cmocka_unit_test(stop_sends_what_is_whole_and_drains),
		cmocka_unit_test(told_to_stop_while_it_drains_for_another_reason),
		cmocka_unit_test(stop_while_a_recv_is_outstanding_drops_what_it_brings),
		cmocka_unit_test(kill_closes_at_once_in_any_state),
	};

	return cmocka_run_group_tests_name("session_ends", tests, NULL, NULL);
}
