/* SPDX-License-Identifier: MIT
 * core/pace.h: what leaves when, of a session whose line shapes what it sends. See drive.h. */
#include "drive.h"

/* Feeds text, closes the peer's side, and expects these ops and this reason; everything must come back. */
static void expect_run(const char *line, const char *text, const char *ops)
{
	struct drive d;

	drive_init(&d, line, false);
	drive_open(&d);
	d.is_fin = true;
	drive_text(&d, text);
	drive_expect_out(&d, sb_slice_cstr(text));
	drive_expect(&d, ops, SB_WHY_EOF);
	drive_end(&d);
}

static void a_piece_is_a_send_and_a_gate_follows(void **state)
{
	(void)state;
	expect_run("ECHO frag=1", "hello", "RSGSGSGSGSGRC");
	expect_run("ECHO frag=2", "hello", "RSGSGSRC"); /* the last byte is no whole piece: arrival */
	expect_run("ECHO cut=1,4", "hello", "RSGSGSRC");
	expect_run("ECHO cut=9", "hello", "RSRC");
	expect_run("ECHO frag=8 frame=line", "abc\n", "RSGRC");
	expect_run("ECHO frag=2 frame=line", "abc\nd\n", "RSGSGSGRC");
	expect_run("ECHO cut=1 frame=u8", "\x02hi\x01!", "RSGSGSGSGRC");
}

/* Whatever the kernel takes at a time, planned boundaries stay: only sends are added. */
static void short_sends_move_no_boundary(void **state)
{
	struct drive d;

	(void)state;
	for (size_t take = 1; take <= 7; take++) {
		drive_init(&d, "ECHO frag=6", false);
		drive_open(&d);
		d.is_fin = true;
		d.take = take;
		drive_text(&d, "0123456789abcdefgh");
		assert_int_equal(d.gates, 3);
		assert_int_equal(d.pace.pieces, 3);
		drive_end(&d);
	}
}

/* Offsets are of the stream: bytes that come one by one are cut where those that come at once are. */
static void arrival_moves_no_boundary(void **state)
{
	(void)state;
	for (size_t bite = 1; bite <= 9; bite++) {
		struct drive d;

		drive_init(&d, "ECHO cut=3,7", false);
		drive_open(&d);
		d.bite = bite;
		d.is_fin = true;
		drive_text(&d, "0123456789");
		assert_int_equal(d.gates, 2);
		drive_expect_out(&d, sb_slice_cstr("0123456789"));
		drive_end(&d);
	}
}

static void nothing_leaves_while_the_gate_is_closed(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frag=1", false);
	drive_open(&d);
	d.holds_gate = true;
	drive_text(&d, "abc");
	drive_expect_out(&d, sb_slice_cstr("a"));
	drive_to(&d, d.now + 9 * SB_S);
	drive_expect_out(&d, sb_slice_cstr("a"));
	drive_gate(&d, SB_GATE_READ);
	drive_expect_out(&d, sb_slice_cstr("ab"));
	/* gate-max counts from when it was closed. */
	drive_to(&d, d.now + 10 * SB_S);
	drive_expect(&d, "RSGSGX", SB_WHY_GATE);
	drive_end(&d);
}

static void a_gate_that_cannot_be_told_resets(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frag=1 gate=read", false);
	drive_open(&d);
	d.holds_gate = true;
	drive_text(&d, "abc");
	drive_gate(&d, -ENOENT);
	drive_expect(&d, "RSGX", SB_WHY_GATE);
	assert_int_equal(d.s.err, -ENOENT);
	drive_end(&d);
}

static void gap_passes_between_pieces(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frag=2 gap=5ms", false);
	drive_open(&d);
	drive_text(&d, "abcdef");
	drive_expect_out(&d, sb_slice_cstr("ab"));
	drive_to(&d, d.now + 5 * SB_MS - 1);
	drive_expect_out(&d, sb_slice_cstr("ab"));
	drive_to(&d, d.now + 1);
	drive_expect_out(&d, sb_slice_cstr("abcd"));
	drive_to(&d, d.now + 5 * SB_MS);
	drive_expect_out(&d, sb_slice_cstr("abcdef"));
	d.is_fin = true;
	drive_pump(&d);
	assert_int_equal(d.closed, 0); /* the last piece has its gap too */
	drive_to(&d, d.now + 5 * SB_MS);
	assert_int_equal(d.closed, 1);
	drive_end(&d);
}

/* Nothing is asked, only waited for. */
static void gate_time_is_a_gap(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frag=1 gate=time", false);
	drive_open(&d);
	drive_text(&d, "ab");
	drive_expect_out(&d, sb_slice_cstr("a"));
	drive_to(&d, d.now + SB_MS);
	drive_expect_out(&d, sb_slice_cstr("ab"));
	drive_fin(&d);
	drive_to(&d, d.now + SB_MS);
	drive_expect(&d, "RSSRC", SB_WHY_EOF);
	drive_end(&d);
}

static void delay_passes_before_each_reply(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO delay=50ms", false);
	drive_open(&d);
	drive_text(&d, "abc");
	drive_expect_out(&d, sb_slice_cstr(""));
	drive_to(&d, d.now + 50 * SB_MS - 1);
	drive_expect_out(&d, sb_slice_cstr(""));
	drive_to(&d, d.now + 1);
	drive_expect_out(&d, sb_slice_cstr("abc"));
	drive_text(&d, "d");
	drive_to(&d, d.now + 49 * SB_MS);
	drive_expect_out(&d, sb_slice_cstr("abc"));
	drive_to(&d, d.now + SB_MS);
	drive_expect_out(&d, sb_slice_cstr("abcd"));
	drive_fin(&d);
	drive_end(&d);
	drive_init(&d, "SOURCE len=3 count=1 pattern=zero delay=1s", false);
	drive_open(&d);
	drive_to(&d, d.now + SB_S - 1);
	assert_int_equal(d.out_n, 0);
	drive_to(&d, d.now + 1);
	assert_int_equal(d.out_n, 3);
	drive_fin(&d);
	drive_end(&d);
}

/* During a delay, behind a closed gate, and between two pieces; not while it reads, or is told not to. */
static void b43_a_peer_that_has_gone_is_waited_for_no_longer(void **state)
{
	static const char *const lines[] = {"ECHO delay=10s", "ECHO frag=1 gate=ack", "ECHO frag=1 gap=1s"};
	struct drive d;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		drive_init(&d, lines[i], false);
		drive_open(&d);
		d.holds_gate = true;
		assert_false(d.is_watching);
		drive_text(&d, "ab");
		drive_gone(&d);
		assert_string_equal(sb_reasons[d.s.reason].name, "reset");
		assert_int_equal(d.closed, 1);
		drive_end(&d);
	}
	drive_init(&d, "ECHO frag=1 stopread=1s", false);
	drive_open(&d);
	assert_false(d.is_watching);
	drive_to(&d, d.now + SB_S);
	assert_true(d.is_receiving);
	d.holds_gate = true;
	drive_text(&d, "ab");
	assert_true(d.is_watching);
	d.holds_gate = false;
	drive_gate(&d, SB_GATE_READ);
	assert_false(d.is_watching); /* it reads on, and hears of it so */
	drive_fin(&d);
	drive_end(&d);
}

static void join_sends_messages_together(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO join=3 frame=line", false);
	drive_open(&d);
	drive_text(&d, "a\n");
	drive_text(&d, "b\nc");
	drive_expect_out(&d, sb_slice_cstr(""));
	drive_text(&d, "c\nd\n");
	drive_expect_out(&d, sb_slice_cstr("a\nb\ncc\n"));
	drive_expect(&d, "RRRSGR", SB_WHY_NONE);
	/* What is over at the end leaves alone. */
	drive_fin(&d);
	drive_expect_out(&d, sb_slice_cstr("a\nb\ncc\nd\n"));
	drive_expect(&d, "RRRSGRSGC", SB_WHY_EOF);
	drive_end(&d);
	drive_init(&d, "ECHO join=4", false);
	drive_open(&d);
	d.bite = 1;
	drive_text(&d, "abcdefghi");
	drive_expect_out(&d, sb_slice_cstr("abcdefgh"));
	drive_fin(&d);
	drive_expect_out(&d, sb_slice_cstr("abcdefghi"));
	assert_int_equal(d.gates, 2);
	drive_end(&d);
}

static void join_reads_no_further_behind_a_closed_gate(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=line join=2", false);
	drive_open(&d);
	d.holds_gate = true;
	drive_text(&d, "a\nb\n");
	drive_text(&d, "c\n");
	drive_text(&d, "d\n");
	assert_int_equal(d.s.leg.in, 8);
	drive_text(&d, "e\n");
	assert_int_equal(d.s.leg.in, 8);
	d.holds_gate = false;
	drive_pump(&d);
	drive_fin(&d);
	drive_expect_out(&d, sb_slice_cstr("a\nb\nc\nd\ne\n"));
	drive_end(&d);
}

/* More frames than the window holds: they leave when nothing more fits. */
static void join_never_deadlocks(void **state)
{
	static uint8_t bytes[200 * 1024];
	struct drive d;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 64 == 63 ? '\n' : 'x';
	drive_init(&d, "ECHO join=65536 frame=line", false);
	drive_open(&d);
	drive_feed(&d, sb_slice(bytes, sizeof(bytes)));
	drive_fin(&d);
	drive_expect_out(&d, sb_slice(bytes, sizeof(bytes)));
	assert_int_equal(d.closed, 1);
	drive_end(&d);
}

static void sources_are_cut_by_offset(void **state)
{
	static const struct {
		const char *line;
		size_t bytes;
		int gates;
	} rows[] = {
		{"SOURCE len=10 count=3 frame=u8 frag=4", 33, 9}, {"SOURCE len=10 count=3 frame=u8 cut=1", 33, 6},
		{"SOURCE len=10 count=3 frag=4", 30, 7},          {"SOURCE len=10 count=3 cut=1,29", 30, 2},
		{"SOURCE len=10 count=5 frame=u8 join=2", 55, 2}, {"SOURCE len=10 count=5 join=20", 50, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct drive d;

		drive_init(&d, rows[i].line, false);
		drive_open(&d);
		drive_pump(&d);
		if (d.out_n != rows[i].bytes || d.gates != rows[i].gates)
			fail_msg("%s: %zu bytes, %d gates", rows[i].line, d.out_n, d.gates);
		drive_fin(&d);
		drive_end(&d);
	}
}

static void limit_ends_it_and_close_says_how(void **state)
{
	static const struct {
		const char *line, *ops;
	} rows[] = {
		{"ECHO limit=4 close=rst", "RSX"},
		{"ECHO limit=4 close=abrupt", "RSC"},
		{"ECHO limit=4", "RSFR"},
		{"ECHO limit=4 close=half", "RSFR"},
		{"ECHO limit=4 close=stall", "RSR"},
		{"ECHO limit=4 frag=3 close=rst", "RSGSGX"},
		{"ECHO limit=4 frame=line close=rst", "RSX"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct drive d;

		drive_init(&d, rows[i].line, false);
		drive_open(&d);
		drive_text(&d, "abcdefg\n");
		drive_expect_out(&d, sb_slice_cstr("abcd"));
		drive_expect(&d, rows[i].ops, SB_WHY_LIMIT);
		assert_int_equal(d.s.dropped, 4);
		if (d.closed == 0)
			drive_fin(&d);
		drive_end(&d);
	}
}

/* close=half and close=stall last as long as any connection may; close=clean has the drain's patience. */
static void half_and_stall_read_on(void **state)
{
	static const char *const lines[] = {"ECHO limit=4 close=half", "ECHO limit=4 close=stall"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct drive d;

		drive_init(&d, lines[i], false);
		drive_open(&d);
		drive_text(&d, "abcd");
		for (int k = 0; k < 10; k++) {
			drive_to(&d, d.now + 500 * SB_S);
			drive_text(&d, "more");
		}
		assert_int_equal(d.closed, 0);
		assert_int_equal(d.s.dropped, 40);
		drive_to(&d, d.now + 600 * SB_S);
		assert_int_equal(d.closed, 1);
		assert_string_equal(sb_reasons[d.s.reason].name, "limit");
		drive_end(&d);
	}
}

static void flip_flips_one_bit(void **state)
{
	struct drive d;

	(void)state;
	for (size_t bite = 1; bite <= 6; bite++) {
		drive_init(&d, "ECHO flip=2 frame=line", false);
		drive_open(&d);
		d.bite = bite;
		d.is_fin = true;
		drive_text(&d, "abcd\nefgh\n");
		drive_expect_out(&d, sb_slice_cstr("abbd\nefgh\n"));
		drive_end(&d);
	}
	drive_init(&d, "SOURCE len=4 count=2 pattern=a flip=5", false);
	drive_open(&d);
	d.room = 3;
	drive_pump(&d);
	d.room = 100;
	drive_pump(&d);
	drive_expect_out(&d, sb_slice_cstr("aaaaa`aa"));
	drive_fin(&d);
	drive_end(&d);
}

/* A frame is found as it came, though one of its bytes leaves as another. */
static void a_flipped_delimiter_ends_its_frame(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=line frag=1 flip=1", false);
	drive_open(&d);
	d.is_fin = true;
	d.take = 1;
	drive_text(&d, "a\nb\n");
	drive_expect_out(&d, sb_slice_cstr("a\vb\n"));
	assert_int_equal(d.gates, 4);
	drive_end(&d);
}

static void maxlife_ends_it(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO maxlife=3s close=rst", false);
	drive_open(&d);
	drive_text(&d, "abc");
	drive_to(&d, d.now + 3 * SB_S - 1);
	assert_int_equal(d.closed, 0);
	drive_to(&d, d.now + 1);
	drive_expect(&d, "RSRX", SB_WHY_MAXLIFE);
	drive_end(&d);
}

/* Our own pauses are no reason to end it: not the drain's patience, nor that of a peer that is idle. */
static void pauses_of_ours_are_nobody_elses_fault(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frag=1 gap=50s", false);
	drive_open(&d);
	d.is_fin = true;
	drive_text(&d, "0123456789abcdefghij");
	drive_to(&d, d.now + 20 * 50 * SB_S);
	drive_expect_out(&d, sb_slice_cstr("0123456789abcdefghij"));
	assert_int_equal(d.closed, 1);
	assert_string_equal(sb_reasons[d.s.reason].name, "eof");
	drive_end(&d);
}

/* That the peer has read is a sign of life. */
static void a_gate_that_opens_late_begins_the_idle_time(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frag=3", false);
	d.limits.v[SB_LIMIT_IDLE] = 5 * SB_S;
	drive_open(&d);
	d.holds_gate = true;
	drive_text(&d, "abc");
	drive_to(&d, d.now + 8 * SB_S);
	drive_gate(&d, SB_GATE_READ);
	drive_to(&d, d.now + 4 * SB_S);
	assert_int_equal(d.s.state, SB_STATE_RUN);
	drive_to(&d, d.now + SB_S);
	assert_string_equal(sb_reasons[d.s.reason].name, "idle-timeout");
	drive_fin(&d);
	drive_end(&d);
}

static void strict_counts_pieces(void **state)
{
	static uint8_t bytes[10001];
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frag=1", true);
	drive_open(&d);
	drive_feed(&d, sb_slice(bytes, sizeof(bytes)));
	assert_int_equal(d.out_n, 10000);
	assert_string_equal(sb_reasons[d.s.reason].name, "pieces-limit");
	assert_int_equal(d.s.dropped, 1);
	drive_fin(&d);
	drive_end(&d);
}

static void an_answer_goes_first_and_is_no_part_of_the_stream(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO cut=2 flip=0 limit=5", false);
	d.pace.said = sb_slice_cstr("+OK\n");
	drive_open(&d);
	drive_text(&d, "abcdefgh");
	drive_expect_out(&d, sb_slice_cstr("+OK\n`bcde"));
	drive_expect(&d, "SGRSGSGFR", SB_WHY_LIMIT);
	drive_fin(&d);
	drive_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_piece_is_a_send_and_a_gate_follows),
		cmocka_unit_test(short_sends_move_no_boundary),
		cmocka_unit_test(arrival_moves_no_boundary),
		cmocka_unit_test(nothing_leaves_while_the_gate_is_closed),
		cmocka_unit_test(a_gate_that_cannot_be_told_resets),
		cmocka_unit_test(gap_passes_between_pieces),
		cmocka_unit_test(gate_time_is_a_gap),
		cmocka_unit_test(delay_passes_before_each_reply),
		cmocka_unit_test(b43_a_peer_that_has_gone_is_waited_for_no_longer),
		cmocka_unit_test(join_sends_messages_together),
		cmocka_unit_test(join_reads_no_further_behind_a_closed_gate),
		cmocka_unit_test(join_never_deadlocks),
		cmocka_unit_test(sources_are_cut_by_offset),
		cmocka_unit_test(limit_ends_it_and_close_says_how),
		cmocka_unit_test(half_and_stall_read_on),
		cmocka_unit_test(flip_flips_one_bit),
		cmocka_unit_test(a_flipped_delimiter_ends_its_frame),
		cmocka_unit_test(maxlife_ends_it),
		cmocka_unit_test(pauses_of_ours_are_nobody_elses_fault),
		cmocka_unit_test(a_gate_that_opens_late_begins_the_idle_time),
		cmocka_unit_test(strict_counts_pieces),
		cmocka_unit_test(an_answer_goes_first_and_is_no_part_of_the_stream),
	};

	return cmocka_run_group_tests_name("session_cuts", tests, NULL, NULL);
}
