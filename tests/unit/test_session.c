/* SPDX-License-Identifier: MIT
 *
 * core/session.h: bytes. Read drive.h first: it plays the loop and the peer, and holds every rule that is the
 * same for all tests. Endings are in test_session_ends.c, time is in test_session_time.c, and what sources send
 * in test_session_source.c.
 */
#include "drive.h"

#define BYTES(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

/* ---- every cut ---- */

/* A stream, how much of it comes back, and why it ends when the peer closes behind it. */
struct stream {
	const char *line;
	struct sb_slice in;
	size_t back;
	enum sb_reason why;
};

static const struct stream streams[] = {
	{"ECHO", BYTES(""), 0, SB_WHY_EOF}, /* c46 */
	{"ECHO", BYTES("hello, world\0\xff\r\n"), 16, SB_WHY_EOF},
	{"ECHO recv=1", BYTES("abcdef"), 6, SB_WHY_EOF},
	{"ECHO recv=3 stopread=5ms@4", BYTES("abcdefghij"), 10, SB_WHY_EOF},
	{"ECHO frame=line", BYTES("a\nbb\r\n\n\r\ncccc\n"), 15 - 1, SB_WHY_EOF},
	{"ECHO frame=line", BYTES("a\nbb"), 2, SB_WHY_TRUNCATED},
	{"ECHO frame=line max=3", BYTES("abc\nabcd\nx\n"), 4, SB_WHY_TOO_LARGE},
	{"ECHO frame=crlf", BYTES("a\r\n\r\nb\nc\r\n"), 9 - 4, SB_WHY_BAD_DELIMITER},
	{"ECHO frame=delim:0d0a0d0a", BYTES("a\r\n\r\r\n\r\nb\r\n\r\n"), 13, SB_WHY_EOF},
	{"ECHO frame=fixed:4", BYTES("abcdefghij"), 8, SB_WHY_TRUNCATED},
	{"ECHO frame=u8",
	 BYTES("\x03"
	       "abc"
	       "\x00"
	       "\x01"
	       "x"),
	 7, SB_WHY_EOF},
	{"ECHO frame=u8",
	 BYTES("\x03"
	       "abc"
	       "\x02"
	       "x"),
	 4, SB_WHY_TRUNCATED},
	{"ECHO frame=u16be", BYTES("\x00\x02hi\x00\x00\x00\x01!"), 9, SB_WHY_EOF},
	{"ECHO frame=u16be max=4",
	 BYTES("\x00\x04"
	       "four\x00\x05"
	       "five."),
	 6, SB_WHY_TOO_LARGE},
	{"ECHO frame=u16be max=4",
	 BYTES("\x00\x01"
	       "1\x00\x02"
	       "22\x01\x00"),
	 7, SB_WHY_TOO_LARGE},
	{"ECHO frame=u32be max=16", BYTES("\0\0\0\2hi\xff\xff\xff\xff"), 6, SB_WHY_TOO_LARGE},
	{"ECHO frame=u32le", BYTES("\2\0\0\0hi\0\0\0\0\1\0\0\0"), 10, SB_WHY_TRUNCATED},
	{"ECHO frame=len:0,2,le,-2,0", BYTES("\4\0hi\2\0\3\0x"), 9, SB_WHY_EOF},
	{"ECHO frame=len:0,2,le,-2,0", BYTES("\4\0hi\1\0xyz"), 4, SB_WHY_BAD_LENGTH},
	{"ECHO frame=varint", BYTES("\1a\0\2bc\x80\x00"), 6, SB_WHY_OVERLONG},
	{"ECHO frame=varint", BYTES("\1a\x80"), 2, SB_WHY_TRUNCATED},
	{"ECHO frame=netstring", BYTES("5:hello,0:,3:ab"), 11, SB_WHY_TRUNCATED},
	{"ECHO frame=netstring", BYTES("5:hello,0:,x"), 11, SB_WHY_BAD_LENGTH},
	{"ECHO frame=netstring", BYTES("0:,1:ab1:c,"), 3, SB_WHY_BAD_DELIMITER},
	{"ECHO frame=netstring", BYTES("1:a,1:b,05:hello,"), 8, SB_WHY_OVERLONG} /* a18 */,
	{"ECHO frame=netstring max=9", BYTES("1:a,10:helloworld,"), 4, SB_WHY_TOO_LARGE},
};

enum { STREAMS = sizeof(streams) / sizeof(streams[0]) };

static void run_stream(const struct stream *stream, struct drive *d, size_t first)
{
	drive_open(d);
	drive_feed(d, sb_slice(stream->in.p, first));
	d->in_n = stream->in.n;
	drive_pump(d);
	drive_fin(d);
	/* stopread: the rest is read when it is over. */
	drive_to(d, d->now + SB_S);
	if (d->s.reason != stream->why || d->out_n != stream->back || d->closed == 0)
		fail_msg("%s cut at %zu: %s, %zu of %zu bytes came back", stream->line, first,
			 sb_reasons[d->s.reason].name, d->out_n, stream->back);
	assert_memory_equal(d->out_n ? d->out : stream->in.p, stream->in.p, d->out_n);
	assert_int_equal(d->s.leg.in, stream->in.n);
	assert_int_equal(d->s.dropped, stream->in.n - stream->back);
	drive_end(d);
}

static void a16_every_two_way_cut_gives_the_same(void **state)
{
	(void)state;
	for (int i = 0; i < STREAMS; i++) {
		for (size_t first = 0; first <= streams[i].in.n; first++) {
			struct drive d;

			drive_init(&d, streams[i].line, false);
			run_stream(&streams[i], &d, first);
		}
	}
}

/* b32, g115: one byte a recv, one byte a send, with headroom and without. */
static void b32_g115_bytewise_gives_the_same(void **state)
{
	static const size_t rooms[] = {DRIVE_HEADROOM, 2, 0};

	(void)state;
	for (int i = 0; i < STREAMS; i++) {
		for (int k = 0; k < 12; k++) {
			struct drive d;

			drive_init(&d, streams[i].line, k % 2);
			d.headroom = rooms[k % 3];
			d.bite = k & 1 ? 1 : 0;
			d.take = k & 2 ? 1 : 0;
			run_stream(&streams[i], &d, 0);
		}
	}
}

static void random_pieces_give_the_same(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 4000; seed++) {
		struct dice dice = {.seed = seed};
		struct drive d;

		drive_init(&d, streams[seed % STREAMS].line, false);
		d.dice = &dice;
		d.headroom = (size_t)roll(&dice, 8);
		run_stream(&streams[seed % STREAMS], &d, (size_t)roll(&dice, streams[seed % STREAMS].in.n + 1));
	}
}

/* ---- large and many ---- */

/* A stream of u32be messages: n bytes of it, in memory of exactly that size. */
static uint8_t *messages(const uint32_t *sizes, size_t count, size_t *n)
{
	uint8_t *bytes, *at;

	*n = 0;
	for (size_t i = 0; i < count; i++)
		*n += 4 + sizes[i];
	at = bytes = malloc(*n);
	assert_non_null(bytes);
	for (size_t i = 0; i < count; i++) {
		for (int k = 3; k >= 0; k--)
			*at++ = (uint8_t)(sizes[i] >> 8 * k);
		for (uint32_t k = 0; k < sizes[i]; k++)
			*at++ = (uint8_t)(i * 31 + k);
	}
	return bytes;
}

/* a4, b34: the largest frame there is, in pieces that go through every way of keeping it. */
static void a4_the_largest_frames_come_back(void **state)
{
	static const uint32_t sizes[] = {SB_FRAME_MAX, 0, 4096, 4092, SB_FRAME_MAX, 255, 256, 257, SB_FRAME_MAX};
	static const size_t bites[] = {0, 1000, 4095, 4096, 4097, 65535};
	static const size_t rooms[] = {DRIVE_HEADROOM, 0};
	size_t n;
	uint8_t *bytes = messages(sizes, sizeof(sizes) / sizeof(sizes[0]), &n);

	(void)state;
	for (size_t i = 0; i < 24; i++) {
		struct drive d;

		drive_init(&d, "ECHO frame=u32be", i % 2);
		d.bite = bites[i % 6];
		d.headroom = rooms[i / 12];
		d.take = i / 6 % 2 ? 7001 : 0;
		drive_open(&d);
		drive_feed(&d, sb_slice(bytes, n));
		drive_expect_out(&d, sb_slice(bytes, n));
		assert_int_equal(d.s.frames, sizeof(sizes) / sizeof(sizes[0]));
		assert_null(d.kept); /* an idle session holds nothing */
		drive_fin(&d);
		assert_int_equal(d.s.reason, SB_WHY_EOF);
		drive_end(&d);
	}
	free(bytes);
}

/* a15, a14: many empty frames in one buffer, more than a scan finds at a time. */
static void a15_many_frames_in_one_read(void **state)
{
	static const size_t counts[] = {1, 2, 63, 64, 65, 127, 128, 129, 16384};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint32_t *sizes = calloc(counts[i], sizeof(*sizes));
		size_t n;
		uint8_t *bytes;
		struct drive d;

		assert_non_null(sizes);
		bytes = messages(sizes, counts[i], &n);
		drive_init(&d, "ECHO frame=u32be", false);
		drive_open(&d);
		drive_feed(&d, sb_slice(bytes, n));
		drive_expect(&d, "RSR", SB_WHY_NONE); /* adjacent frames, one send */
		drive_expect_out(&d, sb_slice(bytes, n));
		assert_int_equal(d.s.frames, counts[i]);
		drive_fin(&d);
		drive_end(&d);
		free(sizes);
		free(bytes);
	}
}

/* ---- back-pressure ---- */

static void nothing_is_read_while_an_answer_is_unsent(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO", false);
	drive_open(&d);
	d.room = 2;
	drive_text(&d, "hello");
	drive_expect(&d, "RSS", SB_WHY_NONE); /* two bytes taken, then no room */
	assert_false(d.is_receiving);
	drive_pump(&d);
	d.room = 2;
	drive_pump(&d);
	drive_expect(&d, "RSSSS", SB_WHY_NONE);
	assert_false(d.is_receiving);
	d.room = 100;
	drive_pump(&d);
	drive_expect(&d, "RSSSSSR", SB_WHY_NONE);
	assert_true(d.is_receiving);
	drive_expect_out(&d, sb_slice_cstr("hello"));
	drive_fin(&d);
	drive_end(&d);
}

/* The tail of a frame waits behind the answer and is not lost when the answer goes in pieces. */
static void a_tail_waits_behind_an_unsent_answer(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO frame=line", false);
	drive_open(&d);
	d.room = 1;
	drive_text(&d, "one\ntwo\nthr");
	assert_int_equal(d.s.leg.n, 10);
	assert_int_equal(d.s.leg.whole, 7);
	d.take = 3;
	d.room = 1000;
	drive_pump(&d);
	assert_int_equal(d.s.leg.whole, 0);
	assert_int_equal(sb_session_held(&d.s).n, 3);
	drive_text(&d, "ee\n");
	drive_expect_out(&d, sb_slice_cstr("one\ntwo\nthree\n"));
	drive_fin(&d);
	drive_end(&d);
}

static void recv_size_is_what_the_line_says(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "ECHO recv=7", false);
	drive_open(&d);
	assert_int_equal(d.want, 7);
	drive_text(&d, "0123456789");
	assert_int_equal(d.want, 7);
	drive_expect(&d, "RSRSR", SB_WHY_NONE);
	drive_fin(&d);
	drive_end(&d);
	drive_init(&d, "ECHO", false);
	drive_open(&d);
	assert_int_equal(d.want, SB_RECV_MAX);
	drive_fin(&d);
	drive_end(&d);
}

/* ---- torture ---- */

/* What a reference would send back of n bytes of u8 frames. */
static size_t whole_u8(const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (at < n && at + 1 + p[at] <= n)
		at += 1 + (size_t)p[at];
	return at;
}

static void torture_step(struct drive *d, struct dice *dice)
{
	switch (roll(dice, 16)) {
	case 0:
		d->room = one_in(dice, 3) ? UINT64_MAX : roll(dice, 400);
		break;
	case 1:
		drive_to(d, d->now + roll(dice, 4) * SB_S);
		break;
	case 2:
		d->headroom = d->kept ? d->headroom : (size_t)roll(dice, 3) * 100;
		break;
	case 3:
		d->is_fin = d->is_fin || one_in(dice, 40);
		break;
	case 4:
		if (one_in(dice, 400))
			sb_session_finish(&d->s, SB_WHY_STOP, d->now);
		else if (one_in(dice, 400))
			sb_session_kill(&d->s, SB_WHY_KILLED, SB_CLOSE_RESET);
		drive_run(d);
		break;
	case 5:
		if (one_in(dice, 400) && (d->is_receiving || d->is_sending))
			drive_fail(d, -ECONNRESET);
		break;
	default:
		d->in_n += roll(dice, 300);
		break;
	}
	drive_pump(d);
}

/* One life: random frames, cuts, short sends, pauses, ends. Returns the steps it lasted. */
static int torture(uint64_t seed, const uint8_t *bytes, size_t n)
{
	static const char *const lines[] = {"ECHO frame=u8", "ECHO frame=u8 recv=5", "ECHO frame=u8 stopread=9s@300",
					    "ECHO frame=u8 close=rst"};
	struct dice dice = {.seed = seed};
	struct drive d;
	int steps = 0;

	drive_init(&d, lines[seed % 4], roll(&dice, 2));
	d.dice = &dice;
	d.in = bytes + roll(&dice, n / 2);
	drive_open(&d);
	for (; d.closed == 0 && steps < 5000 && d.in_n < n / 4; steps++) {
		torture_step(&d, &dice);
		assert_true(d.out_n <= whole_u8(d.in, d.in_at));
		if (d.out_n)
			assert_memory_equal(d.out, d.in, d.out_n);
	}
	/* Windows open, the peer closes: it must come to rest. */
	d.room = UINT64_MAX;
	d.is_fin = true;
	drive_to(&d, d.now + 100 * SB_S);
	drive_pump(&d);
	drive_end(&d);
	if (d.s.reason == SB_WHY_EOF || d.s.reason == SB_WHY_TRUNCATED)
		assert_int_equal(d.s.leg.out, whole_u8(d.in, d.in_at));
	return steps;
}

static void random_lives(void **state)
{
	enum { N = 1 << 18 };
	uint8_t *bytes = malloc(N);
	int steps = 0;

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < N; i++)
		bytes[i] = (uint8_t)(sb_rng_at(99, i) % (i / 4096 % 2 ? 256 : 9));
	for (uint64_t seed = 0; steps < 100000; seed++)
		steps += torture(seed, bytes, N);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a16_every_two_way_cut_gives_the_same),
		cmocka_unit_test(b32_g115_bytewise_gives_the_same),
		cmocka_unit_test(random_pieces_give_the_same),
		cmocka_unit_test(a4_the_largest_frames_come_back),
		cmocka_unit_test(a15_many_frames_in_one_read),
		cmocka_unit_test(nothing_is_read_while_an_answer_is_unsent),
		cmocka_unit_test(a_tail_waits_behind_an_unsent_answer),
		cmocka_unit_test(recv_size_is_what_the_line_says),
		cmocka_unit_test(random_lives),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
