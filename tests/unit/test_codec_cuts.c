/* SPDX-License-Identifier: MIT
 *
 * Split = whole: however a stream is cut, the messages, the error, its offset and what is held are the same.
 * A table of streams, each cut at every place, at every two places, and into steps of every size; the pieces end at
 * guard pages.
 */
#include "codec_kit.h"

#define ROW(value, max, literal) {value, max, literal, sizeof(literal) - 1}

static const struct {
	const char *value;
	uint32_t max;
	const char *bytes;
	size_t n;
} rows[] = {
	ROW("line", 8, "PING\r\n\n\r\nabc\rdef\n12345678\r\nrest\r"),
	ROW("line", 8, "ok\n12345678\rx\n"),
	ROW("line", 8, "ok\n123456789\n"),
	ROW("crlf", 8, "PING\r\n\r\n12345678\r\nrest\r"),
	ROW("crlf", 8, "PING\r\nab\ncd\r\n"),
	ROW("crlf", 8, "PING\r\nab\rcd\r\n"),
	ROW("crlf", 8, "PING\r\n123456789\r\n"),
	ROW("delim:00", 8, "a\0\0bcd\00012345678\0x"),
	ROW("delim:616162", 8,
	    "aaab"
	    "aab"
	    "ab"
	    "aaaaaab"
	    "aabaab"
	    "aa"),
	ROW("delim:0d0a0d0a", 8, "a\r\n\r\n\r\r\n\r\n12345678\r\n\r\r\n\r\n"),
	ROW("delim:0a2e0a", 4, "x\n.\nabcd\n.x\n.\n"),
	ROW("fixed:3", 8, "abcdefghijk"),
	ROW("u8", 8,
	    "\0\3abc\10"
	    "12345678\1x\11"
	    "123456789"),
	ROW("u16be", 8,
	    "\0\0\0\3abc\0\10"
	    "12345678\0\11x"),
	ROW("u16le", 8,
	    "\0\0\3\0abc\10\0"
	    "12345678\1\1x"),
	ROW("u32be", 8,
	    "\0\0\0\0\0\0\0\3abc\0\0\0\10"
	    "12345678\0\0\1\0"),
	ROW("u32le", 8,
	    "\0\0\0\0\3\0\0\0abc\10\0\0\0"
	    "12345678\0\0\1\0"),
	ROW("u32le", 8, "\3\0\0\0abc\2\0\0\0x"),
	ROW("len:0,2,le,-2,2", 8,
	    "\2\0\5\0abc\12\0"
	    "12345678\1\0"),
	ROW("len:2,3,be,1,0", 8, "AB\0\0\2abcCD\0\0\0xEF\0\1"),
	ROW("len:1,8,le,-9,9", 8, "A\11\0\0\0\0\0\0\0B\14\0\0\0\0\0\0\0abcC\10\0\0\0\0\0\0\0"),
	ROW("varint", 300, "\0\3abc\200\0"),
	ROW("varint", 8,
	    "\0\3abc\10"
	    "12345678\11"),
	ROW("netstring", 12, "0:,12:hello world!,3:abc;"),
	ROW("netstring", 12, "0:,3:abc,13:"),
	ROW("netstring", 12, "0:,3:abc,03:"),
	ROW("netstring", 12, "0:,3:abc,3:ab"),
	ROW("chunked", 8, "1\r\na\r\n8;x=y\r\n12345678\r\n0\r\nk:v\r\n\r\n9"),
	ROW("chunked", 16, "1;q=\"\\;\"\r\na\r\n00\r\na: b\r\n\r\n2\r\nabc"),
	ROW("chunked", 16, "1\r\na\r\n0\r\n\r\n0\r\na:\r\nb:\r\n c"),
	ROW("resp", 32, "+OK\r\n$-1\r\n*2\r\n%1\r\n:1\r\n#t\r\n$1\r\na\r\n*33"),
	ROW("resp", 64, "*2\r\n$10\r\n0123456789\r\n*-1\r\n|1\r\n_\r\n_\r\n~0\r\n$2\r\nab\n"),
	ROW("resp", 16, "_\r\n*4\r\n_\r\n_\r\n_\r\n#t"),
	ROW("sse", 8, "a\r\rb\r\n\r\nc\r\r\nd\n\r\n12345678\r\n\r\n\n"),
	ROW("sse", 8, "\xef\xbb\xbf\r\nab\n\n\xef\xbb\xbf\n\n123\r\n678\r\n\r\n9"),
	ROW("sse", 8, "a\n\n12345678\r\nx"),
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void what(char *text, size_t size, size_t i, const size_t *cuts, size_t n)
{
	snprintf(text, size, "row %zu, frame=%s, cut at %zu and %zu", i, rows[i].value, cuts[0], n > 1 ? cuts[1] : 0);
}

static void every_two_and_three_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct sb_framing f = framing(rows[i].value, rows[i].max);
		struct sb_slice bytes = sb_slice(rows[i].bytes, rows[i].n);
		struct log whole, split;
		char text[128];

		run(&whole, &f, bytes, NULL, 0, true);
		assert_true(whole.frames > 0);
		for (size_t a = 0; a <= bytes.n; a++) {
			for (size_t b = a; b <= bytes.n; b++) { /* empty pieces too */
				size_t cuts[] = {a, b};

				run(&split, &f, bytes, cuts, 2, true);
				what(text, sizeof(text), i, cuts, 2);
				same_log(&whole, &split, text);
			}
		}
	}
}

/* 16 of the list of faults, group A */
static void fault_16_split_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct sb_framing f = framing(rows[i].value, rows[i].max);
		struct sb_slice bytes = sb_slice(rows[i].bytes, rows[i].n);
		struct log whole, split;

		run(&whole, &f, bytes, NULL, 0, true);
		for (size_t step = 1; step < bytes.n; step++) {
			run_steps(&split, &f, bytes, step);
			same_log(&whole, &split, rows[i].value);
		}
	}
}

/* Raw is what its name says: the bytes are the same however they come, the messages are not. */
static void raw_keeps_the_bytes_alone(void **state)
{
	struct sb_framing f = framing("raw", 5);
	struct log log;

	(void)state;
	for (size_t step = 1; step <= 12; step++) {
		run_steps(&log, &f, sb_slice("hello\0world\n", 12), step);
		assert_int_equal(log.wire, 12);
		assert_int_equal(log.err, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_two_and_three_pieces),
		cmocka_unit_test(fault_16_split_at_every_byte),
		cmocka_unit_test(raw_keeps_the_bytes_alone),
	};

	return cmocka_run_group_tests_name("codec, cut anywhere", tests, NULL, NULL);
}
