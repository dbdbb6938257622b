/* SPDX-License-Identifier: MIT
 *
 * Chunks of HTTP/1.1: the limits of sizes, extensions and trailer sections, and what is smuggled between two readers.
 * tests/golden/chunked has the streams that a person can read.
 */
#include "codec_kit.h"

static void chunks(void **state)
{
	struct sb_framing f = framing("chunked", 16);
	struct log log;

	(void)state;
	SAYS("chunked", 8, "", 0, OK, 0);
	SAYS("chunked", 8, "1\r\na\r\n", 1, OK, 6);
	SAYS("chunked", 8, "0\r\n\r\n", 1, OK, 5);
	SAYS("chunked", 8, "8\r\n12345678\r\n0\r\n\r\n", 2, OK, 18);
	SAYS("chunked", 8, "1;a;b=c;d=\"e;\\\"\"\r\na\r\n", 1, OK, 21);
	SAYS("chunked", 8, "1;a\r\na\r\n0;b\r\nc:d\r\n\r\n1\r\n", 2, TRUNCATED, 23);
	SAYS("chunked", 8, "1", 0, TRUNCATED, 1);
	SAYS("chunked", 8, "1\r\na\r", 0, TRUNCATED, 5);
	SAYS("chunked", 8, "0\r\n\r", 0, TRUNCATED, 4);
	run(&log, &f, sb_slice_cstr("2\r\n\r\n\r\n1;x\r\n0\r\n0\r\nk: v\r\n\r\n"), NULL, 0, false);
	assert_string_equal(log.text, "7 \\r\\n\n8 0\n11 \n");
}

static void sizes(void **state)
{
	(void)state;
	SAYS("chunked", 65536, "x", 0, LENGTH, 0);
	SAYS("chunked", 65536, "\r\n", 0, LENGTH, 0);
	SAYS("chunked", 65536, "\n", 0, LENGTH, 0);
	SAYS("chunked", 65536, ";a\r\n", 0, LENGTH, 0);
	SAYS("chunked", 65536, "-1\r\n", 0, LENGTH, 0);
	SAYS("chunked", 65536, "0x1\r\n", 0, LENGTH, 1);
	SAYS("chunked", 65536, "1 \r\n", 0, LENGTH, 1);
	SAYS("chunked", 65536, "1\t;a", 0, LENGTH, 1);
	SAYS("chunked", 65536, "1g", 0, LENGTH, 1);
	SAYS("chunked", 65536, "1@", 0, LENGTH, 1);
	SAYS("chunked", 65536, "1:", 0, LENGTH, 1);
	SAYS("chunked", 65536, "1`", 0, LENGTH, 1);
	SAYS("chunked", 65536, "1/", 0, LENGTH, 1);
	SAYS("chunked", 65536, "1\0", 0, LENGTH, 1);
	SAYS("chunked", 65536, "1\n", 0, DELIMITER, 1);
	SAYS("chunked", 65536, "1\ra", 0, DELIMITER, 2);
	SAYS("chunked", 65536, "10001", 0, LARGE, 4);
	SAYS("chunked", 65536, "ffffffffffffffff", 0, LARGE, 4);
	SAYS("chunked", 65536, "000000000010001", 0, LARGE, 14);
	SAYS("chunked", 65536, "10000000000000001", 0, LARGE, 5);
	SAYS("chunked", 65536, "0000000000000001\r\na\r\n", 1, OK, 21);
	SAYS("chunked", 65536, "00000000000000001", 0, OVERLONG, 16);
	SAYS("chunked", 65536, "0000000000000000\r\n\r\n", 1, OK, 20);
	SAYS("chunked", 1, "2", 0, LARGE, 0);
	SAYS("chunked", 10, "A\r\n0123456789\r\na\r\n0123456789\r\nb", 2, LARGE, 30);
}

static void behind_the_data(void **state)
{
	(void)state;
	SAYS("chunked", 8, "1\r\nab", 0, DELIMITER, 4);
	SAYS("chunked", 8, "1\r\na\n", 0, DELIMITER, 4);
	SAYS("chunked", 8, "1\r\na\r\r\n", 0, DELIMITER, 5);
	SAYS("chunked", 8, "1\r\na\r0", 0, DELIMITER, 5);
	SAYS("chunked", 8, "2\r\na\r\n0\r\n\r\n", 0, DELIMITER, 5);
}

static void extensions(void **state)
{
	(void)state;
	SAYS("chunked", 8, "1;", 0, TRUNCATED, 2);
	SAYS("chunked", 8, "1; a", 0, DELIMITER, 2);
	SAYS("chunked", 8, "1;\r\n", 0, DELIMITER, 2);
	SAYS("chunked", 8, "1;=", 0, DELIMITER, 2);
	SAYS("chunked", 8, "1;a =", 0, DELIMITER, 3);
	SAYS("chunked", 8, "1;a\n", 0, DELIMITER, 3);
	SAYS("chunked", 8, "1;a=\r", 0, DELIMITER, 4);
	SAYS("chunked", 8, "1;a=;", 0, DELIMITER, 4);
	SAYS("chunked", 8, "1;a=b=", 0, DELIMITER, 5);
	SAYS("chunked", 8, "1;a=b\"", 0, DELIMITER, 5);
	SAYS("chunked", 8, "1;a=\"\r", 0, DELIMITER, 5);
	SAYS("chunked", 8, "1;a=\"\\\n", 0, DELIMITER, 6);
	SAYS("chunked", 8, "1;a=\"\177", 0, DELIMITER, 5);
	SAYS("chunked", 8, "1;a=\"b\"c", 0, DELIMITER, 7);
	SAYS("chunked", 8, "1;a=\"b\"=", 0, DELIMITER, 7);
	SAYS("chunked", 8, "1;a=\"b\" ;", 0, DELIMITER, 7);
	SAYS("chunked", 8, "1;\200", 0, DELIMITER, 2);
	SAYS("chunked", 8, "1;a=\"\200\t\\\200\"\r\nx\r\n", 1, OK, 15);
}

#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static void sixty_four_bytes_of_extensions(void **state)
{
	(void)state;
	SAYS("chunked", 8, "1;" SIXTY "abc\r\nx\r\n", 1, OK, 70);
	SAYS("chunked", 8, "1;" SIXTY "abcd", 0, LARGE, 65);
	SAYS("chunked", 8, "1;" SIXTY "a=b\r\nx\r\n", 1, OK, 70);
	SAYS("chunked", 8, "1;" SIXTY "ab=", 0, LARGE, 64);
	SAYS("chunked", 8, "1;" SIXTY "ab;", 0, LARGE, 64);
	SAYS("chunked", 8, "1;a=\"" SIXTY, 0, LARGE, 64);
	SAYS("chunked", 8, "1;ab=\"" TEN TEN TEN TEN TEN "0123456\"\r\nx\r\n", 1, OK, 69);
	SAYS("chunked", 8, "1;ab=\"" TEN TEN TEN TEN TEN "0123456\\", 0, LARGE, 63);
	SAYS("chunked", 8, "0000000000000000;" SIXTY "abc\r\n\r\n", 1, OK, 84);
}

static void trailer_sections(void **state)
{
	(void)state;
	SAYS("chunked", 64, "0\r\na:\r\nb: c d\r\n\r\n", 1, OK, 17);
	SAYS("chunked", 64, "0\r\n\n", 0, DELIMITER, 3);
	SAYS("chunked", 64, "0\r\n\rx", 0, DELIMITER, 4);
	SAYS("chunked", 64, "0\r\n:", 0, DELIMITER, 3);
	SAYS("chunked", 64, "0\r\n a", 0, DELIMITER, 3);
	SAYS("chunked", 64, "0\r\na :", 0, DELIMITER, 4);
	SAYS("chunked", 64, "0\r\na\r\n", 0, DELIMITER, 4);
	SAYS("chunked", 64, "0\r\na:\n", 0, DELIMITER, 5);
	SAYS("chunked", 64, "0\r\na:\rb", 0, DELIMITER, 6);
	SAYS("chunked", 64, "0\r\na:\0", 0, DELIMITER, 5);
	SAYS("chunked", 64, "0\r\na:\r\n b", 0, DELIMITER, 7);
	SAYS("chunked", 64, "0\r\na:\r\n", 0, TRUNCATED, 7);
	SAYS("chunked", 3, "0\r\na", 0, LARGE, 3);
	SAYS("chunked", 4, "0\r\na:\r\n\r\n", 1, OK, 9);
	SAYS("chunked", 4, "0\r\nab", 0, LARGE, 4);
	SAYS("chunked", 4, "0\r\na: ", 0, LARGE, 5);
	SAYS("chunked", 7, "0\r\na:\r\nb", 0, LARGE, 7);
	SAYS("chunked", 8, "0\r\na:\r\nb:\r\n\r\n", 1, OK, 13);
}

static void thirty_two_fields(void **state)
{
	char text[256] = "0\r\n";
	size_t n = 3;

	(void)state;
	for (int i = 0; i < 33; i++, n += 4)
		memcpy(text + n, "a:\r\n", 4);
	says("chunked", 65536, text, n, 0, LARGE, 3 + 32 * 4);
	memcpy(text + 3 + 32 * 4, "\r\n", 2);
	says("chunked", 65536, text, 3 + 32 * 4 + 2, 1, OK, 3 + 32 * 4 + 2);
}

/* The largest of each, which are the largest frames there are. */
static void max(void **state)
{
	static uint8_t bytes[SB_FRAME_MAX + SB_FRAME_OVERHEAD_MAX];
	const char *head = "0000000000010000;" SIXTY "abc\r\n";
	struct sb_framing f = framing("chunked", SB_FRAME_MAX);
	size_t head_n = strlen(head), n = head_n + SB_FRAME_MAX + 2;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct log whole;
		struct sb_scan s = {0};
		struct sb_frame out;

		memset(bytes, 'x', sizeof(bytes));
		memcpy(bytes, head, head_n);
		memcpy(bytes + n - 2, "\r\n", 2);
		if (i == 1) { /* the same as a last chunk, and one field */
			bytes[11] = '0';
			bytes[head_n + 100] = ':';
			memcpy(bytes + n - 4, "\r\n", 2);
		}
		assert_int_equal(sb_framing_scan(&f, &s, bytes, n, &out, 1), 1);
		assert_int_equal(out.n, i ? 0 : SB_FRAME_MAX);
		assert_int_equal(out.wire, n);
		says("chunked", SB_FRAME_MAX, bytes, n - 1, 0, TRUNCATED, n - 1);
		f = framing("chunked", SB_FRAME_MAX - 1);
		run(&whole, &f, sb_slice(bytes, n), NULL, 0, true);
		assert_int_equal(whole.err, LARGE);
		assert_int_equal(whole.offset, i ? n - 5 : 15);
		f = framing("chunked", SB_FRAME_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks),
		cmocka_unit_test(sizes),
		cmocka_unit_test(behind_the_data),
		cmocka_unit_test(extensions),
		cmocka_unit_test(sixty_four_bytes_of_extensions),
		cmocka_unit_test(trailer_sections),
		cmocka_unit_test(thirty_two_fields),
		cmocka_unit_test(max),
	};

	return cmocka_run_group_tests_name("codec, chunked", tests, NULL, NULL);
}
