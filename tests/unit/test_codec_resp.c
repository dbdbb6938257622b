/* SPDX-License-Identifier: MIT
 *
 * The Redis protocol: how many values belong to one, and when it is certain that they are too many.
 * tests/golden/resp has the streams that a person can read.
 */
#include "codec_kit.h"

static void lines(void **state)
{
	static const char types[] = "+-:,(#_";
	char text[] = "?abc\r\n";

	(void)state;
	for (size_t i = 0; types[i]; i++) {
		text[0] = types[i];
		says("resp", 6, text, 6, 1, OK, 6);
		says("resp", 5, text, 6, 0, LARGE, 3);
		says("resp", 6, text, 5, 0, TRUNCATED, 5);
	}
	SAYS("resp", 16, "", 0, OK, 0);
	SAYS("resp", 16, "+\r\n_\r\n", 2, OK, 6);
	SAYS("resp", 16, "+a\n", 0, DELIMITER, 2);
	SAYS("resp", 16, "+a\r\r\n", 0, DELIMITER, 3);
	SAYS("resp", 3, "+\r\n", 1, OK, 3);
	SAYS("resp", 2, "+", 0, LARGE, 0);
	SAYS("resp", 2, "x", 0, DELIMITER, 0);
}

static void strings(void **state)
{
	static const char types[] = "$!=";
	char text[] = "?3\r\n\r\n+\r\n";

	(void)state;
	for (size_t i = 0; types[i]; i++) {
		text[0] = types[i];
		says("resp", 9, text, 9, 1, OK, 9);
		says("resp", 8, text, 9, 0, LARGE, 1);
		says("resp", 9, text, 8, 0, TRUNCATED, 8);
	}
	SAYS("resp", 64, "$0\r\n\r\n", 1, OK, 6);
	SAYS("resp", 64, "$12\r\n012345678901\r\n", 1, OK, 19);
	SAYS("resp", 64, "$1\r\nab", 0, DELIMITER, 5);
	SAYS("resp", 64, "$1\r\na\n", 0, DELIMITER, 5);
	SAYS("resp", 64, "$1\r\na\r\r", 0, DELIMITER, 6);
	SAYS("resp", 64, "$1\na", 0, DELIMITER, 2);
	SAYS("resp", 64, "$1\ra", 0, DELIMITER, 3);
	SAYS("resp", 5, "$-1\r\n$0", 1, LARGE, 6);
	SAYS("resp", 4, "$", 0, LARGE, 0);
	SAYS("resp", 5, "!", 0, LARGE, 0);
}

static void numbers(void **state)
{
	(void)state;
	SAYS("resp", 64, "$\r\n", 0, LENGTH, 1);
	SAYS("resp", 64, "$\n", 0, LENGTH, 1);
	SAYS("resp", 64, "$+1", 0, LENGTH, 1);
	SAYS("resp", 64, "$ 1", 0, LENGTH, 1);
	SAYS("resp", 64, "$1 ", 0, LENGTH, 2);
	SAYS("resp", 64, "$1:", 0, LENGTH, 2);
	SAYS("resp", 64, "$/", 0, LENGTH, 1);
	SAYS("resp", 64, "*?", 0, LENGTH, 1);
	SAYS("resp", 64, "$01", 0, OVERLONG, 2);
	SAYS("resp", 64, "*00", 0, OVERLONG, 2);
	SAYS("resp", 64, "*0x", 0, LENGTH, 2);
	SAYS("resp", 64, "*0\n", 0, DELIMITER, 2);
	SAYS("resp", 64, "*0\r*", 0, DELIMITER, 3);
	SAYS("resp", 64, "$-1\r\n*-1\r\n", 2, OK, 10);
	SAYS("resp", 64, "$-\r\n", 0, LENGTH, 2);
	SAYS("resp", 64, "$-0", 0, LENGTH, 2);
	SAYS("resp", 64, "$--", 0, LENGTH, 2);
	SAYS("resp", 64, "$-11", 0, LENGTH, 3);
	SAYS("resp", 64, "$-1\n", 0, DELIMITER, 3);
	SAYS("resp", 64, "$-1\r$", 0, DELIMITER, 4);
	SAYS("resp", 64, "!-1", 0, LENGTH, 1);
	SAYS("resp", 64, "=-1", 0, LENGTH, 1);
	SAYS("resp", 64, "%-1", 0, LENGTH, 1);
	SAYS("resp", 64, ">-1", 0, LENGTH, 1);
	SAYS("resp", 65536, "$4294967297", 0, LARGE, 6);
	SAYS("resp", 65536, "*4294967297", 0, LARGE, 5);
	SAYS("resp", 65536, "%18446744073709551617", 0, LARGE, 5);
}

/* With n values inside: as many as it says, and not one more or less. */
static void how_many_values(void **state)
{
	(void)state;
	SAYS("resp", 64, "*0\r\n_\r\n", 2, OK, 7);
	SAYS("resp", 64, "*1\r\n_\r\n_\r\n", 2, OK, 10);
	SAYS("resp", 64, "~2\r\n_\r\n_\r\n_\r\n", 2, OK, 13);
	SAYS("resp", 64, ">2\r\n_\r\n_\r\n_\r\n", 2, OK, 13);
	SAYS("resp", 64, "%1\r\n_\r\n_\r\n_\r\n", 2, OK, 13);
	SAYS("resp", 64, "%0\r\n_\r\n", 2, OK, 7);
	SAYS("resp", 64, "|1\r\n_\r\n_\r\n_\r\n_\r\n", 2, OK, 16);
	SAYS("resp", 64, "|0\r\n_\r\n_\r\n", 2, OK, 10);
	SAYS("resp", 64, "*2\r\n*-1\r\n$-1\r\n_\r\n", 2, OK, 17);
	SAYS("resp", 64, "*2\r\n*2\r\n_\r\n_\r\n*0\r\n_\r\n", 2, OK, 21);
	SAYS("resp", 64, "*1\r\n|1\r\n_\r\n_\r\n_\r\n_\r\n", 2, OK, 20);
	SAYS("resp", 64, "|1\r\n_\r\n|1\r\n_\r\n_\r\n_\r\n_\r\n_\r\n", 2, OK, 26);
	SAYS("resp", 64, "*2\r\n_\r\nx", 0, DELIMITER, 7);
	SAYS("resp", 64, "*2\r\n_\r\n", 0, TRUNCATED, 7);
}

/* As soon as what must still come does not fit, wherever in the value that turns out. */
static void three_bytes_each(void **state)
{
	(void)state;
	SAYS("resp", 10, "*2\r\n_\r\n_\r\n", 1, OK, 10);
	SAYS("resp", 9, "*2\r\n_\r\n_\r\n", 0, LARGE, 1);
	SAYS("resp", 10, "%1\r\n_\r\n_\r\n", 1, OK, 10);
	SAYS("resp", 9, "%1", 0, LARGE, 1);
	SAYS("resp", 13, "|1\r\n_\r\n_\r\n_\r\n", 1, OK, 13);
	SAYS("resp", 12, "|1", 0, LARGE, 1);
	SAYS("resp", 7, "|0\r\n_\r\n", 1, OK, 7);
	SAYS("resp", 6, "|", 0, LARGE, 0);
	SAYS("resp", 13, "*3\r\n_\r\n#t", 0, LARGE, 8);
	SAYS("resp", 13, "*3\r\n_\r\n$", 0, LARGE, 7);
	SAYS("resp", 13, "*3\r\n_\r\n*", 0, LARGE, 7);
	SAYS("resp", 14, "*3\r\n_\r\n*0\r\n_\r\n", 1, OK, 14);
	SAYS("resp", 14, "*3\r\n_\r\n*-", 0, LARGE, 8);
	SAYS("resp", 15, "*3\r\n_\r\n*-1\r\n_\r\n", 1, OK, 15);
	SAYS("resp", 65536, "*21842\r\n", 0, TRUNCATED, 8);
	SAYS("resp", 65536, "*21843", 0, LARGE, 5);
	SAYS("resp", 65536, "*100000", 0, LARGE, 6);
}

/* No stack: as deep as max allows, and as wide. */
static void deep_and_wide(void **state)
{
	static uint8_t bytes[SB_FRAME_MAX];
	struct sb_framing f = framing("resp", SB_FRAME_MAX);
	struct sb_frame out;
	size_t n = 0;

	(void)state;
	for (; n + 4 + 3 <= sizeof(bytes); n += 4)
		memcpy(bytes + n, "*1\r\n", 4);
	memcpy(bytes + n, "_\r\n", 3);
	n += 3;
	for (size_t cut = 0; cut < n; cut += 4099) {
		struct sb_scan s = {0};

		assert_int_equal(sb_framing_scan(&f, &s, bytes, cut, &out, 1), 0);
		assert_int_equal(sb_framing_scan(&f, &s, bytes, n, &out, 1), 1);
		assert_int_equal(out.wire, n);
	}
	n = (size_t)snprintf((char *)bytes, sizeof(bytes), "%%10920\r\n");
	for (int i = 0; i < 2 * 10920; i++, n += 3)
		memcpy(bytes + n, "_\r\n", 3);
	for (size_t cut = 0; cut < n; cut += 4099) {
		struct sb_scan s = {0};

		assert_int_equal(sb_framing_scan(&f, &s, bytes, cut, &out, 1), 0);
		assert_int_equal(sb_framing_scan(&f, &s, bytes, n, &out, 1), 1);
		assert_int_equal(out.wire, n);
	}
}

static void max(void **state)
{
	static uint8_t bytes[SB_FRAME_MAX];
	struct sb_framing f = framing("resp", SB_FRAME_MAX);
	struct sb_scan s = {0};
	struct sb_frame out;

	(void)state;
	memcpy(bytes, "$65526\r\n", 8);
	memcpy(bytes + SB_FRAME_MAX - 2, "\r\n", 2);
	assert_int_equal(sb_framing_scan(&f, &s, bytes, SB_FRAME_MAX - 1, &out, 1), 0);
	assert_int_equal(sb_framing_scan(&f, &s, bytes, SB_FRAME_MAX, &out, 1), 1);
	assert_int_equal(out.n, SB_FRAME_MAX);
	SAYS("resp", SB_FRAME_MAX, "$65527", 0, LARGE, 5);
	memset(bytes, '+', SB_FRAME_MAX - 2);
	says("resp", SB_FRAME_MAX, bytes, SB_FRAME_MAX - 1, 0, TRUNCATED, SB_FRAME_MAX - 1);
	says("resp", SB_FRAME_MAX - 1, bytes, SB_FRAME_MAX - 1, 0, LARGE, SB_FRAME_MAX - 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(strings),
		cmocka_unit_test(numbers),
		cmocka_unit_test(how_many_values),
		cmocka_unit_test(three_bytes_each),
		cmocka_unit_test(deep_and_wide),
		cmocka_unit_test(max),
	};

	return cmocka_run_group_tests_name("codec, resp", tests, NULL, NULL);
}
