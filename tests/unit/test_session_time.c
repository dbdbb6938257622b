/* SPDX-License-Identifier: MIT
 *
 * core/session.h: deadlines. Each is tried one nanosecond before it is due, where nothing may happen, and when it
 * is due, where it must, once. Read drive.h first; there is no clock here but drive_to().
 */
#include "drive.h"

#define NS(s) ((uint64_t)((s) * 1e9))

/* Until due nothing, at due these ops and this reason. */
static void expect_at(struct drive *d, uint64_t due, const char *ops, enum sb_reason why)
{
	struct sb_session before;
	size_t had = d->ops_n;

	assert_int_equal(sb_session_deadline(&d->s), due);
	drive_to(d, due - 1);
	before = d->s;
	sb_session_tick(&d->s, due - 1);
	assert_memory_equal(&d->s, &before, sizeof(before));
	drive_run(d);
	assert_int_equal(d->ops_n, had);
	drive_to(d, due);
	assert_string_equal(d->ops + had, ops);
	assert_string_equal(sb_reasons[d->s.reason].name, sb_reasons[why].name);
	had = d->ops_n;
	sb_session_tick(&d->s, due);
	drive_run(d);
	assert_int_equal(d->ops_n, had); /* once */
}

static void end_by_fin(struct drive *d)
{
	drive_fin(d);
	drive_end(d);
}

static void no_limits_no_deadline(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=u8", false);
	memset(d.limits.v, 0, sizeof(d.limits.v));
	drive_open(&d);
	assert_int_equal(sb_session_deadline(&d.s), SB_NEVER);
	drive_text(&d, "\x05par");
	assert_int_equal(sb_session_deadline(&d.s), SB_NEVER);
	d.room = 0;
	drive_text(&d, "t!");
	assert_true(d.is_sending);
	assert_int_equal(sb_session_deadline(&d.s), SB_NEVER);
	drive_jump(&d, 1000000 * SB_S);
	assert_int_equal(d.s.reason, SB_WHY_NONE);
	d.room = 100;
	drive_pump(&d);
	end_by_fin(&d);
}

static void b35_silence_after_connect(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO", true);
	drive_open(&d);
	expect_at(&d, d.now + 10 * SB_S, "F", SB_WHY_FIRST_BYTE);
	end_by_fin(&d);

	/* A byte in time, and it is another matter. */
	drive_init(&d, "ECHO", true);
	drive_open(&d);
	drive_to(&d, d.now + 10 * SB_S - 1);
	drive_text(&d, "x");
	drive_to(&d, d.now + 50 * SB_S);
	assert_int_equal(d.s.reason, SB_WHY_NONE);
	end_by_fin(&d);
}

static void b36_silence_after_an_exchange(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=u8", true);
	drive_open(&d);
	drive_to(&d, d.now + 3 * SB_S);
	drive_text(&d, "\x02hi");
	expect_at(&d, d.now + 60 * SB_S, "F", SB_WHY_IDLE);
	end_by_fin(&d);
}

/* a9: announced and stalled. The time is that of the frame's first byte, whatever follows. */
static void a9_a_frame_that_is_never_finished(void **state)
{
	struct drive d;
	uint64_t began;

	(void)state;
	drive_init(&d, "ECHO frame=u32be", false);
	drive_open(&d);
	drive_to(&d, d.now + 7 * SB_S);
	drive_feed(&d, sb_slice("\0\0\0\2hi\0", 7)); /* a whole one, and the first byte of the next */
	began = d.now;
	drive_to(&d, d.now + 20 * SB_S);
	drive_feed(&d, sb_slice("\0\xea\x60"
				"0123456789",
				13));
	expect_at(&d, began + 60 * SB_S, "F", SB_WHY_FRAME);
	assert_int_equal(d.s.dropped, 14);
	drive_expect_out(&d, sb_slice("\0\0\0\2hi", 6));
	end_by_fin(&d);
}

/* The next frame begins when its first byte comes, whenever the one before it began. */
static void each_frame_has_its_own_time(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "DISCARD frame=u8", false);
	drive_open(&d);
	drive_text(&d, "\x03on");
	drive_to(&d, d.now + 40 * SB_S);
	drive_text(&d, "e\x03tw");
	assert_int_equal(d.s.frames, 1);
	expect_at(&d, d.now + 60 * SB_S, "F", SB_WHY_FRAME);
	end_by_fin(&d);
}

/* b33: each byte comes before the idle time is over, and it helps nothing. */
static void b33_a_byte_now_and_then(void **state)
{
	struct drive d;
	uint64_t began;

	(void)state;
	drive_init(&d, "ECHO frame=u8", true);
	d.limits.v[SB_LIMIT_IDLE] = 10 * SB_S;
	d.limits.v[SB_LIMIT_MIN_RATE] = 0;
	drive_open(&d);
	began = d.now;
	for (int i = 0; i < 4; i++) {
		drive_to(&d, began + (uint64_t)i * 9 * SB_S);
		drive_text(&d, "\xff");
	}
	expect_at(&d, began + 30 * SB_S, "F", SB_WHY_FRAME);
	end_by_fin(&d);

	drive_init(&d, "ECHO frame=u8", true);
	drive_open(&d);
	began = d.now;
	drive_text(&d, "\xff");
	drive_to(&d, began + 9 * SB_S);
	drive_text(&d, "x");
	expect_at(&d, began + 10 * SB_S, "F", SB_WHY_SLOW);
	end_by_fin(&d);
}

/* 64 bytes a second, judged after 10 s: n bytes are enough for n / 64 seconds. */
static void the_least_rate_of_a_frame(void **state)
{
	static const char some[64 * 12] = {[0] = 0, [1] = 0, [2] = (char)0xff};
	struct drive d;
	uint64_t began;

	(void)state;
	drive_init(&d, "ECHO frame=u32be", true);
	drive_open(&d);
	began = d.now;
	drive_feed(&d, sb_slice(some, 64 * 12));
	drive_to(&d, began + 11 * SB_S);
	drive_feed(&d, sb_slice(some + 64, 63));
	expect_at(&d, began + NS(831 / 64.0), "F", SB_WHY_SLOW);
	end_by_fin(&d);

	drive_init(&d, "ECHO frame=u32be", true);
	drive_open(&d);
	began = d.now;
	drive_feed(&d, sb_slice(some, 64 * 12));
	drive_to(&d, began + 11 * SB_S);
	drive_feed(&d, sb_slice(some + 64, 64));
	expect_at(&d, began + 13 * SB_S, "F", SB_WHY_SLOW);
	end_by_fin(&d);
}

/* b41: the peer sends and does not read. */
static void b41_a_peer_that_never_reads(void **state)
{
	struct drive d;
	uint64_t began;

	(void)state;
	drive_init(&d, "ECHO", false);
	drive_open(&d);
	d.room = 0;
	began = d.now;
	drive_text(&d, "hello");
	assert_false(d.is_receiving); /* what it goes on sending stays in the kernel */
	expect_at(&d, began + 600 * SB_S, "X", SB_WHY_STALLED);
	drive_end(&d);

	drive_init(&d, "ECHO", true);
	drive_open(&d);
	d.room = 0;
	began = d.now;
	drive_text(&d, "hello");
	expect_at(&d, began + 10 * SB_S, "X", SB_WHY_SLOW_READER);
	drive_end(&d);

	drive_init(&d, "CHARGEN", false);
	d.room = 100;
	began = d.now;
	drive_open(&d);
	expect_at(&d, began + 600 * SB_S, "X", SB_WHY_STALLED);
	drive_end(&d);
}

/* b42: a byte a second is too slow, twice the least rate is not. */
static void b42_a_peer_that_reads_slowly(void **state)
{
	static uint8_t lots[SB_FRAME_MAX];
	struct drive d;
	uint64_t began;

	(void)state;
	drive_init(&d, "ECHO", true);
	drive_open(&d);
	began = d.now;
	d.room = 1;
	drive_feed(&d, sb_slice(lots, sizeof(lots)));
	for (int i = 1; i < 10; i++) {
		drive_to(&d, began + (uint64_t)i * SB_S);
		d.room = 1;
		drive_pump(&d);
	}
	expect_at(&d, began + 10 * SB_S, "X", SB_WHY_SLOW_READER);
	assert_int_equal(d.out_n, 10);
	drive_end(&d);

	drive_init(&d, "ECHO", true);
	drive_open(&d);
	began = d.now;
	d.room = 0;
	drive_feed(&d, sb_slice(lots, sizeof(lots)));
	for (int i = 1; i < 250; i++) {
		drive_to(&d, began + (uint64_t)i * SB_S / 2 - 1);
		d.room = 64;
		drive_pump(&d);
	}
	assert_int_equal(d.s.reason, SB_WHY_NONE);
	assert_int_equal(d.out_n, 249 * 64);
	d.room = UINT64_MAX;
	drive_pump(&d);
	end_by_fin(&d);
}

/* What was read before does not count for the next answer. */
static void each_answer_is_judged_by_itself(void **state)
{
	static uint8_t lots[SB_FRAME_MAX];
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO", true);
	drive_open(&d);
	drive_feed(&d, sb_slice(lots, sizeof(lots)));
	drive_to(&d, d.now + 40 * SB_S);
	d.room = 0;
	drive_text(&d, "again");
	expect_at(&d, d.now + 10 * SB_S, "X", SB_WHY_SLOW_READER);
	drive_end(&d);
}

static void a_busy_life_ends_as_well(void **state)
{
	struct drive d;
	uint64_t opened;

	(void)state;
	drive_init(&d, "ECHO", true);
	drive_open(&d);
	opened = d.now;
	for (int i = 0; i < 300; i += 5) {
		drive_to(&d, opened + (uint64_t)i * SB_S);
		drive_text(&d, "x");
	}
	expect_at(&d, opened + 300 * SB_S, "F", SB_WHY_LIFE);
	end_by_fin(&d);
}

/* c53: our FIN is out, the peer's does not come. */
static void c53_drain_ends_when_idle_and_at_last(void **state)
{
	struct drive d;
	uint64_t began;

	(void)state;
	drive_init(&d, "SOURCE len=1", false);
	drive_open(&d);
	assert_string_equal(d.ops, "SFR");
	expect_at(&d, d.now + 5 * SB_S, "X", SB_WHY_DONE);
	drive_end(&d);

	drive_init(&d, "SOURCE len=1", false);
	drive_open(&d);
	began = d.now;
	for (int i = 1; i <= 7; i++) {
		drive_to(&d, began + (uint64_t)i * 4 * SB_S);
		drive_text(&d, "x");
	}
	expect_at(&d, began + 30 * SB_S, "X", SB_WHY_DONE);
	drive_end(&d);
}

/* c54: and what comes meanwhile is bounded in bytes. */
static void c54_drain_takes_so_many_bytes(void **state)
{
	struct drive d;
	char some[100] = {0};

	(void)state;
	drive_init(&d, "ECHO frame=fixed:4", false);
	d.limits.v[SB_LIMIT_DRAIN_BYTES] = sizeof(some);
	drive_open(&d);
	sb_session_finish(&d.s, SB_WHY_STOP, d.now);
	drive_run(&d);
	drive_feed(&d, sb_slice(some, sizeof(some)));
	drive_expect(&d, "RFR", SB_WHY_STOP);
	drive_feed(&d, sb_slice(some, 1));
	drive_expect(&d, "RFRX", SB_WHY_STOP);
	drive_end(&d);
}

/* What came before our FIN is not counted; and none is no bound. */
static void c54_only_what_comes_while_draining_counts(void **state)
{
	struct drive d;
	char some[100] = {0};

	(void)state;
	drive_init(&d, "SOURCE len=10", false);
	d.limits.v[SB_LIMIT_DRAIN_BYTES] = 50;
	d.room = 5;
	drive_open(&d);
	drive_feed(&d, sb_slice(some, sizeof(some)));
	d.room = 100;
	drive_pump(&d);
	assert_int_equal(d.fins, 1);
	drive_feed(&d, sb_slice(some, 50));
	assert_int_equal(d.closed, 0);
	drive_feed(&d, sb_slice(some, 1));
	assert_int_equal(d.ops[d.ops_n - 1], 'X');
	drive_end(&d);

	drive_init(&d, "SOURCE len=10", false);
	d.limits.v[SB_LIMIT_DRAIN_BYTES] = 0;
	drive_open(&d);
	for (int i = 0; i < 100; i++)
		drive_feed(&d, sb_slice(some, sizeof(some)));
	assert_int_equal(d.closed, 0);
	drive_fin(&d);
	assert_int_equal(d.ops[d.ops_n - 1], 'C');
	drive_end(&d);
}

/* The peer has closed its side and does not read the answer. */
static void an_answer_nobody_reads_after_their_fin(void **state)
{
	struct drive d;
	uint64_t began;

	(void)state;
	drive_init(&d, "ECHO frame=fixed:4 recv=4", false);
	drive_open(&d);
	d.room = 1;
	drive_text(&d, "four");
	sb_session_finish(&d.s, SB_WHY_LIFE, d.now);
	drive_run(&d);
	began = d.now;
	drive_to(&d, began + 20 * SB_S);
	d.room = 1; /* a byte now and then is no excuse */
	drive_pump(&d);
	expect_at(&d, began + 30 * SB_S, "X", SB_WHY_LIFE);
	assert_int_equal(sb_session_held(&d.s).n, 2);
	drive_end(&d);
}

static void a_stop_has_its_own_time(void **state)
{
	struct drive d;
	uint64_t began;

	(void)state;
	drive_init(&d, "ECHO", false);
	drive_open(&d);
	sb_session_finish(&d.s, SB_WHY_STOP, d.now);
	drive_run(&d);
	began = d.now;
	drive_to(&d, began + 4 * SB_S);
	drive_text(&d, "x");
	drive_to(&d, began + 8 * SB_S);
	drive_text(&d, "x");
	expect_at(&d, began + 10 * SB_S, "X", SB_WHY_STOP);
	drive_end(&d);
}

/* ---- stopread ---- */

static void stopread_at_once(void **state)
{
	struct drive d;
	uint64_t opened;

	(void)state;
	drive_init(&d, "ECHO stopread=3s", false);
	drive_open(&d);
	opened = d.now;
	assert_string_equal(d.ops, "");
	drive_text(&d, "");
	expect_at(&d, opened + 3 * SB_S, "R", SB_WHY_NONE);
	drive_text(&d, "hello");
	drive_text(&d, "world"); /* once */
	assert_string_equal(d.ops, "RSRSR");
	end_by_fin(&d);
}

static void stopread_after_exactly_so_many_bytes(void **state)
{
	static const size_t bites[] = {0, 1, 2, 4};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct drive d;

		drive_init(&d, "DISCARD stopread=50ms@5", false);
		d.bite = bites[i];
		drive_open(&d);
		d.in = (const uint8_t *)"0123456789abcdef";
		d.in_n = 16;
		drive_pump(&d);
		assert_int_equal(d.s.leg.in, 5);
		assert_int_equal(d.in_at, 5);
		assert_false(d.is_receiving);
		drive_to(&d, d.now + 50 * SB_MS - 1);
		assert_int_equal(d.s.leg.in, 5);
		drive_to(&d, d.now + 1);
		assert_int_equal(d.s.leg.in, 16);
		end_by_fin(&d);
	}
}

/* recv= and stopread= together: the smaller of both is asked for. */
static void stopread_bounds_recv(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO recv=4 stopread=1s@6", false);
	drive_open(&d);
	assert_int_equal(d.want, 4);
	drive_text(&d, "0123");
	assert_int_equal(d.want, 2);
	drive_text(&d, "4");
	assert_int_equal(d.want, 1);
	drive_text(&d, "5");
	assert_false(d.is_receiving);
	drive_to(&d, d.now + SB_S);
	assert_int_equal(d.want, 4);
	end_by_fin(&d);
}

/* What the peer could not send is not held against it. */
static void waiting_begins_anew_after_stopread(void **state)
{
	struct drive d;
	uint64_t opened;

	(void)state;
	drive_init(&d, "ECHO stopread=8s", true);
	d.limits.v[SB_LIMIT_IDLE] = 6 * SB_S;
	d.limits.v[SB_LIMIT_FIRST_BYTE] = 5 * SB_S;
	drive_open(&d);
	opened = d.now;
	expect_at(&d, opened + 8 * SB_S, "R", SB_WHY_NONE);
	expect_at(&d, opened + 13 * SB_S, "F", SB_WHY_FIRST_BYTE);
	end_by_fin(&d);

	drive_init(&d, "ECHO frame=u8 stopread=8s@2", false);
	d.limits.v[SB_LIMIT_IDLE] = 6 * SB_S;
	d.limits.v[SB_LIMIT_FRAME] = 5 * SB_S;
	drive_open(&d);
	opened = d.now;
	drive_text(&d, "\x05h");
	expect_at(&d, opened + 8 * SB_S, "R", SB_WHY_NONE);
	expect_at(&d, opened + 13 * SB_S, "F", SB_WHY_FRAME);
	end_by_fin(&d);
}

static void a_life_ends_during_stopread(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO stopread=8s", false);
	d.limits.v[SB_LIMIT_LIFE] = 5 * SB_S;
	drive_open(&d);
	expect_at(&d, d.now + 5 * SB_S, "FR", SB_WHY_LIFE);
	end_by_fin(&d);
}

/* ---- jumps ---- */

/* b39: after a suspend everything is overdue: the earliest gives the reason, and each step is taken once. */
static void b39_a_huge_jump_fires_once(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO", true);
	drive_open(&d);
	drive_jump(&d, 10000000 * SB_S);
	drive_expect(&d, "RF", SB_WHY_FIRST_BYTE);
	drive_jump(&d, 0);
	drive_expect(&d, "RF", SB_WHY_FIRST_BYTE);
	assert_int_equal(sb_session_deadline(&d.s), d.now + 5 * SB_S);
	drive_jump(&d, 10000000 * SB_S);
	drive_expect(&d, "RFX", SB_WHY_FIRST_BYTE);
	drive_end(&d);

	drive_init(&d, "ECHO stopread=1s", false);
	drive_open(&d);
	drive_jump(&d, 10000000 * SB_S);
	drive_expect(&d, "R", SB_WHY_NONE);
	assert_true(sb_session_deadline(&d.s) > d.now);
	end_by_fin(&d);
}

/* Timers are set lazily: looking too early changes nothing. */
static void looking_early_changes_nothing(void **state)
{
	static const char *const lines[] = {"ECHO", "CHARGEN", "ECHO stopread=4s", "ECHO frame=u8 max=1"};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct drive d;
		struct sb_session before;
		uint64_t due;

		drive_init(&d, lines[i], true);
		d.room = 10;
		drive_open(&d);
		if (i == 3)
			drive_text(&d, "\x02");
		due = sb_session_deadline(&d.s);
		before = d.s;
		for (uint64_t now = d.now; now < due; now += NS(0.01))
			sb_session_tick(&d.s, now);
		assert_memory_equal(&before, &d.s, sizeof(before));
		sb_session_kill(&d.s, SB_WHY_KILLED, SB_CLOSE_PLAIN);
		drive_run(&d);
		drive_end(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limits_no_deadline),
		cmocka_unit_test(b35_silence_after_connect),
		cmocka_unit_test(b36_silence_after_an_exchange),
		cmocka_unit_test(a9_a_frame_that_is_never_finished),
		cmocka_unit_test(each_frame_has_its_own_time),
		cmocka_unit_test(b33_a_byte_now_and_then),
		cmocka_unit_test(the_least_rate_of_a_frame),
		cmocka_unit_test(b41_a_peer_that_never_reads),
		cmocka_unit_test(b42_a_peer_that_reads_slowly),
		cmocka_unit_test(each_answer_is_judged_by_itself),
		cmocka_unit_test(a_busy_life_ends_as_well),
		cmocka_unit_test(c53_drain_ends_when_idle_and_at_last),
		cmocka_unit_test(c54_drain_takes_so_many_bytes),
		cmocka_unit_test(c54_only_what_comes_while_draining_counts),
		cmocka_unit_test(an_answer_nobody_reads_after_their_fin),
		cmocka_unit_test(a_stop_has_its_own_time),
		cmocka_unit_test(stopread_at_once),
		cmocka_unit_test(stopread_after_exactly_so_many_bytes),
		cmocka_unit_test(stopread_bounds_recv),
		cmocka_unit_test(waiting_begins_anew_after_stopread),
		cmocka_unit_test(a_life_ends_during_stopread),
		cmocka_unit_test(b39_a_huge_jump_fires_once),
		cmocka_unit_test(looking_early_changes_nothing),
	};

	return cmocka_run_group_tests_name("session_time", tests, NULL, NULL);
}
