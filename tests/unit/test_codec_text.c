/* SPDX-License-Identifier: MIT
 * The text of frame=: what it says, how it is written back, and what is said about what it cannot mean. */
#include "codec_kit.h"

static void means(const char *value, uint32_t max, const char *written)
{
	struct sb_framing f = framing(value, max), again;
	char text[128];
	int n = sb_framing_print(&f, text, sizeof(text));

	assert_true(n > 0);
	assert_string_equal(text, written);
	assert_int_equal(strlen(written), n);
	again = framing(text, max);
	assert_memory_equal(&f, &again, sizeof(f));
	assert_int_equal(sb_framing_print(&f, text, (size_t)n), SB_E_NO_SPACE);
	assert_int_equal(sb_framing_print(&f, text, (size_t)n + 1), n);
	assert_int_equal(sb_framing_print(&f, text, 0), SB_E_NO_SPACE);
}

static void parse_and_print(void **state)
{
	(void)state;
	means("raw", 65536, "raw");
	means("line", 1, "line");
	means("crlf", 65536, "crlf");
	means("delim:0D0a", 65536, "delim:0d0a");
	means("delim:000102030405060708090a0b0c0d0e0f", 1, "delim:000102030405060708090a0b0c0d0e0f");
	means("fixed:1", 1, "fixed:1");
	means("fixed:065536", 65536, "fixed:65536");
	means("len:0,2,le,-2", 65536, "len:0,2,le,-2,0");
	means("len:64,8,be,65536,72", 65536, "len:64,8,be,65536,72");
	means("len:0,4,be,-65536,0", 65536, "len:0,4,be,-65536,0");
	means("u8", 65536, "u8");
	means("u16be", 65536, "u16be");
	means("u16le", 65536, "u16le");
	means("u32be", 65536, "u32be");
	means("u32le", 65536, "u32le");
	means("varint", 65536, "varint");
	means("netstring", 65536, "netstring");
}

static void presets_are_len(void **state)
{
	static const char *pairs[][2] = {{"u8", "len:0,1,be,0,1"},
					 {"u16be", "len:0,2,be,0,2"},
					 {"u16le", "len:0,2,le,0,2"},
					 {"u32be", "len:0,4,be,0,4"},
					 {"u32le", "len:0,4,le,0,4"}};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct sb_framing a = framing(pairs[i][0], 100), b = framing(pairs[i][1], 100);

		assert_memory_equal(&a.len, &b.len, sizeof(a.len));
		assert_int_equal(a.flags, b.flags);
		assert_true(a.codec->ops == b.codec->ops);
	}
}

static void every_row_has_what_help_needs(void **state)
{
	const struct sb_codec *c;
	size_t i;

	(void)state;
	for (i = 0; (c = sb_codec_at(i)) != NULL; i++) {
		struct sb_framing f;
		int r = sb_framing_parse(&f, sb_slice_cstr(c->name), 100, NULL);

		assert_true(c->help[0] != '\0' && (c->args[0] == '\0' || c->args[0] == ':'));
		assert_int_equal(r, c->args[0] ? SB_E_SYNTAX : 0);
		assert_true(c->args[0] == '\0' || c->preset[0] == '\0');
		assert_true(c->ops->scan && c->ops->encode && !c->ops->parse == !c->ops->print);
	}
	assert_null(sb_codec_at(i + 1));
}

static void whether_the_size_alone_counts(void **state)
{
	(void)state;
	assert_true(framing("u32be", 100).flags & SB_CODEC_TRANSPARENT);
	assert_true(framing("fixed:3", 100).flags & SB_CODEC_TRANSPARENT);
	assert_true(framing("len:1,1,be,0,2", 100).flags & SB_CODEC_TRANSPARENT);
	assert_false(framing("len:1,1,be,0,1", 100).flags & SB_CODEC_TRANSPARENT);
	assert_false(framing("line", 100).flags & SB_CODEC_TRANSPARENT);
	assert_false(framing("delim:00", 100).flags & SB_CODEC_TRANSPARENT);
	assert_true(framing("raw", 100).flags & SB_CODEC_UNFRAMED);
}

/* The value is refused with this code, this column, and a sentence with these words in it. */
static void refused(const char *value, uint32_t max, int code, uint32_t col, const char *words)
{
	struct sb_framing f;
	struct sb_fault fault = {.code = 0};
	int r = sb_framing_parse(&f, sb_slice_cstr(value), max, &fault);

	if (r != code || fault.code != code || fault.col != col || strstr(fault.text, words) == NULL)
		fail_msg("frame=%s max=%u: %d, col %u, \"%s\", not %d, col %u, \"%s\"", value, max, r, fault.col,
			 fault.text, code, col, words);
	assert_int_equal(sb_framing_parse(&f, sb_slice_cstr(value), max, NULL), code);
}

static void unknown_names(void **state)
{
	(void)state;
	refused("u32bee", 100, SB_E_UNKNOWN, 1, "u32be");
	refused("netstrin", 100, SB_E_UNKNOWN, 1, "netstring");
	refused("lines", 100, SB_E_UNKNOWN, 1, "line");
	refused("varnit", 100, SB_E_UNKNOWN, 1, "varint");
	refused("delin:00", 100, SB_E_UNKNOWN, 1, "delim");
	refused("", 100, SB_E_UNKNOWN, 1, "\"\"");
	refused("websocket", 100, SB_E_UNKNOWN, 1, "websocket");
}

static void arguments_of_delim(void **state)
{
	(void)state;
	refused("delim", 100, SB_E_SYNTAX, 6, "delim:HEX");
	refused("delim:", 100, SB_E_SYNTAX, 7, "hex");
	refused("delim:0", 100, SB_E_SYNTAX, 8, "even");
	refused("delim:0g", 100, SB_E_SYNTAX, 8, "hex");
	refused("delim:00 ", 100, SB_E_SYNTAX, 9, "hex");
	refused("delim:000102030405060708090a0b0c0d0e0f10", 100, SB_E_RANGE, 39, "1 to 16");
}

static void arguments_of_fixed(void **state)
{
	(void)state;
	refused("fixed", 100, SB_E_SYNTAX, 6, "fixed:N");
	refused("fixed:", 100, SB_E_SYNTAX, 7, "number");
	refused("fixed:0", 100, SB_E_RANGE, 7, "1 to max");
	refused("fixed:101", 100, SB_E_RANGE, 7, "1 to max");
	refused("fixed:-1", 100, SB_E_RANGE, 7, "1 to max");
	refused("fixed:99999999999999999999999", 100, SB_E_RANGE, 7, "1 to max");
	refused("fixed:12x", 100, SB_E_SYNTAX, 9, "number");
}

static void arguments_of_len(void **state)
{
	(void)state;
	refused("len", 100, SB_E_SYNTAX, 4, "len:OFFSET,WIDTH");
	refused("len:", 100, SB_E_SYNTAX, 5, "OFFSET");
	refused("len:65,2,be,0", 100, SB_E_RANGE, 5, "OFFSET is 0 to 64");
	refused("len:-1,2,be,0", 100, SB_E_RANGE, 5, "OFFSET is 0 to 64");
	refused("len:0", 100, SB_E_SYNTAX, 6, "WIDTH");
	refused("len:0,5,be,0", 100, SB_E_RANGE, 7, "WIDTH is 1, 2, 3, 4 or 8");
	refused("len:0,0,be,0", 100, SB_E_RANGE, 7, "WIDTH");
	refused("len:0,9,be,0", 100, SB_E_RANGE, 7, "WIDTH");
	refused("len:0,2,xe,0", 100, SB_E_SYNTAX, 9, "be or le");
	refused("len:0,2,b", 100, SB_E_SYNTAX, 9, "be or le");
	refused("len:0,2,be", 100, SB_E_SYNTAX, 11, "ADJUST");
	refused("len:0,2,bex,0", 100, SB_E_SYNTAX, 11, "ADJUST");
	refused("len:0,2,be,", 100, SB_E_SYNTAX, 12, "ADJUST");
	refused("len:0,2,be,65537", 65536, SB_E_RANGE, 12, "ADJUST is -65536 to 65536");
	refused("len:0,2,be,-65537", 65536, SB_E_RANGE, 12, "ADJUST");
	refused("len:0,2,be,+1", 100, SB_E_SYNTAX, 12, "ADJUST");
	refused("len:0,2,be,0,73", 100, SB_E_RANGE, 14, "STRIP is 0 to 72");
	refused("len:0,2,be,0,1,", 100, SB_E_SYNTAX, 15, "STRIP");
	refused("len:0,2,be,0x", 100, SB_E_SYNTAX, 13, "STRIP");
}

/* A framing that no message fits is a mistake of whoever wrote it, and is said at once. */
static void lengths_that_no_message_has(void **state)
{
	(void)state;
	refused("len:0,2,be,101", 100, SB_E_RANGE, 15, "larger than max");
	refused("len:0,1,be,-256", 100, SB_E_RANGE, 16, "WIDTH");
	refused("len:0,1,be,0,72", 70, SB_E_RANGE, 16, "STRIP");
	means("len:0,2,be,100", 100, "len:0,2,be,100,0");
	means("len:0,1,be,-255", 100, "len:0,1,be,-255,0");
	means("len:0,1,be,0,72", 71, "len:0,1,be,0,72");
}

static void arguments_where_none_belong(void **state)
{
	(void)state;
	refused("u32be:4", 100, SB_E_SYNTAX, 6, "takes no arguments");
	refused("raw:", 100, SB_E_SYNTAX, 4, "takes no arguments");
}

static void max_out_of_range(void **state)
{
	(void)state;
	refused("raw", 0, SB_E_RANGE, 0, "1 to 65536");
	refused("u32be", 65537, SB_E_RANGE, 0, "1 to 65536");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_and_print),
		cmocka_unit_test(presets_are_len),
		cmocka_unit_test(every_row_has_what_help_needs),
		cmocka_unit_test(whether_the_size_alone_counts),
		cmocka_unit_test(unknown_names),
		cmocka_unit_test(arguments_of_delim),
		cmocka_unit_test(arguments_of_fixed),
		cmocka_unit_test(arguments_of_len),
		cmocka_unit_test(lengths_that_no_message_has),
		cmocka_unit_test(arguments_where_none_belong),
		cmocka_unit_test(max_out_of_range),
	};

	return cmocka_run_group_tests_name("codec, text", tests, NULL, NULL);
}
