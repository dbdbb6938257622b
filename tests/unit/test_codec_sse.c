/* SPDX-License-Identifier: MIT
 *
 * Event streams: where an event ends when lines end with LF, CR or CR LF, and what a byte order mark is part of.
 * test_codec_exhaust.c has every short stream; here are the ones with a story.
 */
#include "codec_kit.h"

static void ends_of_lines(void **state)
{
	(void)state;
	SAYS("sse", 8, "", 0, OK, 0);
	SAYS("sse", 8, "a\n\n", 1, OK, 3);
	SAYS("sse", 8, "a\r\r", 1, OK, 3);
	SAYS("sse", 8, "a\n\r", 1, OK, 3);
	SAYS("sse", 8, "a\r\n\n", 1, OK, 4);
	SAYS("sse", 8, "a\r\n\r", 1, OK, 4);
	SAYS("sse", 8, "a\r\n\r\n", 2, OK, 5);
	SAYS("sse", 8, "a\r\r\n", 2, OK, 4);
	SAYS("sse", 8, "a\nb\rc\r\nd\n\n", 1, OK, 10);
	SAYS("sse", 8, "\n\r\r\n", 4, OK, 4);
	SAYS("sse", 8, "a", 0, TRUNCATED, 1);
	SAYS("sse", 8, "a\n", 0, TRUNCATED, 2);
	SAYS("sse", 8, "a\r", 0, TRUNCATED, 2);
	SAYS("sse", 8, "a\r\n", 0, TRUNCATED, 3);
}

/* What a peer that waits for an answer depends on: with the byte that ends an event the event is there, and nothing
 * of a stream that is written with CR LF is kept back. */
static void no_event_waits(void **state)
{
	static const char *events[] = {"data: a\n\n", "data: a\r\r", "data: a\r\n\r\n", "data: a\r\n\r",
				       "data: a\n\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct sb_framing f = framing("sse", 64);
		struct sb_slice bytes = sb_slice_cstr(events[i]);
		struct log log;

		for (size_t step = 1; step <= bytes.n; step++) {
			run_steps(&log, &f, bytes, step);
			assert_int_equal(log.held, 0);
			assert_int_equal(log.err, 0);
			assert_int_equal(log.wire, bytes.n);
		}
	}
}

static void payloads(void **state)
{
	struct sb_framing f = framing("sse", 16);
	struct log log;

	(void)state;
	run(&log, &f, sb_slice_cstr("id: 1\r\ndata\r\n\r\nb\rc\r\r\n\nd\n\n"), NULL, 0, false);
	assert_string_equal(log.text, "14 id: 1\\r\\ndata\n1 \n5 b\\rc\n1 \n1 \n3 d\n");
}

static void byte_order_mark(void **state)
{
	struct sb_framing f = framing("sse", 8);
	struct log log;

	(void)state;
	run(&log, &f,
	    sb_slice_cstr("\xef\xbb\xbf"
			  "a\n\n\xef\xbb\xbf"
			  "b\n\n"),
	    NULL, 0, false);
	assert_string_equal(log.text, "6 a\n6 \\xef\\xbb\\xbfb\n");
	SAYS("sse", 1, "\xef\xbb\xbf\n", 1, OK, 4);
	SAYS("sse", 1,
	     "\xef\xbb\xbf"
	     "a\n\n",
	     1, OK, 6);
	SAYS("sse", 1,
	     "\xef\xbb\xbf"
	     "ab",
	     0, LARGE, 4);
	SAYS("sse", 1, "\xef\xbb\xbf\n\xef\xbb\xbf", 1, LARGE, 5);
	SAYS("sse", 2, "\xef\xbb\n\n", 1, OK, 4);
	SAYS("sse", 1, "\xef\xbb\n\n", 0, LARGE, 2);
	SAYS("sse", 1,
	     "\xef\xbb"
	     "a",
	     0, LARGE, 2);
	SAYS("sse", 1, "\xef\xef", 0, LARGE, 1);
	SAYS("sse", 1, "\xef\n\n", 1, OK, 3);
	SAYS("sse", 8, "\xef\xbb\xbf", 0, TRUNCATED, 3);
	SAYS("sse", 8, "\xef\xbb", 0, TRUNCATED, 2);
}

static void max(void **state)
{
	static const uint32_t maxes[] = {1, 2, 100, 4096, 65535, 65536};
	static uint8_t bytes[SB_FRAME_MAX + 8];

	(void)state;
	SAYS("sse", 4, "abcd\r\n\r\n", 2, OK, 8);
	SAYS("sse", 4, "abcde", 0, LARGE, 4);
	SAYS("sse", 4, "abc\nd", 0, LARGE, 4);
	SAYS("sse", 4, "abcd\nx", 0, LARGE, 5);
	SAYS("sse", 4, "abcd\r\nx", 0, LARGE, 6);
	SAYS("sse", 4, "abc\n\nabcde", 1, LARGE, 9);
	for (size_t i = 0; i < sizeof(maxes) / sizeof(maxes[0]); i++) {
		uint32_t n = maxes[i];
		struct sb_framing f = framing("sse", n);
		struct sb_scan s = {0};
		struct sb_frame out;

		memset(bytes, 'x', sizeof(bytes));
		assert_int_equal(sb_framing_scan(&f, &s, bytes, n + 1, &out, 1), LARGE);
		assert_int_equal(s.base, n);
		memcpy(bytes + n, "\r\n\n", 3);
		s = (struct sb_scan){0};
		assert_int_equal(sb_framing_scan(&f, &s, bytes, n + 3, &out, 1), 1);
		assert_int_equal(out.n, n);
		assert_int_equal(out.wire, n + 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_of_lines), cmocka_unit_test(no_event_waits),
		cmocka_unit_test(payloads),      cmocka_unit_test(byte_order_mark),
		cmocka_unit_test(max),
	};

	return cmocka_run_group_tests_name("codec, sse", tests, NULL, NULL);
}
