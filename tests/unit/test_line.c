/* SPDX-License-Identifier: MIT
 * scenario/line.h: what a line says, and every complaint about it with its column. */
#include "line_kit.h"

#include "base/text.h"

static void expect_fault(const char *text, int code, uint32_t col, const char *says)
{
	if (parse(text) != code || fault.code != code || fault.col != col || strcmp(fault.text, says) != 0)
		fail_msg("\"%s\": %s at column %u: %s", text, sb_errname(fault.code), fault.col, fault.text);
}

static void expect_slice(struct sb_slice s, const char *want)
{
	assert_int_equal(s.n, strlen(want));
	assert_memory_equal(s.p, want, s.n);
}

/* ---- what a line says ---- */

static void a_verb_alone(void **state)
{
	(void)state;
	expect_ok("ECHO");
	expect_slice(line.verb, "ECHO");
	assert_int_equal(line.verb_col, 1);
	assert_int_equal(line.opts_n, 0);
	for (int i = 0; i < SB_KEYS_N; i++)
		assert_false(line.v[i].set);
}

static void every_key_with_its_columns(void **state)
{
	(void)state;
	expect_ok("SOURCE len=100 count=10 stopread=3s@64k close=rst frame=len:0,2,le,-2,0 opt.TCP_NODELAY=0");
	assert_int_equal(line.v[SB_KEY_LEN].num, 100);
	assert_int_equal(line.v[SB_KEY_LEN].key_col, 8);
	assert_int_equal(line.v[SB_KEY_LEN].col, 12);
	assert_int_equal(line.v[SB_KEY_COUNT].num, 10);
	assert_int_equal(line.v[SB_KEY_COUNT].key_col, 16);
	assert_int_equal(line.v[SB_KEY_STOPREAD].num, 3000000000);
	assert_int_equal(line.v[SB_KEY_STOPREAD].at, 65536);
	assert_int_equal(line.v[SB_KEY_CLOSE].num, 1);
	expect_slice(line.v[SB_KEY_CLOSE].text, "rst");
	expect_slice(line.v[SB_KEY_FRAME].text, "len:0,2,le,-2,0");
	assert_int_equal(line.opts_n, 1);
	expect_slice(line.opts[0].name, "TCP_NODELAY");
	expect_slice(line.opts[0].value, "0");
	assert_int_equal(line.opts[0].col, 73);
	assert_int_equal(line.opts[0].value_col, 89);
}

static void with_or_without_its_end(void **state)
{
	static const char *const ends[] = {"", "\n", "\r\n", "\r"};

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char text[32];
		struct sb_text t = sb_text_in(text, sizeof(text));

		sb_text_str(&t, "ECHO max=1k");
		sb_text_str(&t, ends[i]);
		expect_ok(sb_text_end(&t));
		expect_slice(line.v[SB_KEY_MAX].text, "1k");
	}
	expect_fault("ECHO\n\n", SB_E_SYNTAX, 5, "byte 0a is not printable ASCII: in a value, write it \\x0a");
	expect_fault("ECHO\r\r\n", SB_E_SYNTAX, 5, "byte 0d is not printable ASCII: in a value, write it \\x0d");
}

static void a17_values_are_unescaped(void **state)
{
	(void)state;
	expect_ok("SOURCE pattern=\\\\\\n\\r\\t\\s\\0\\x7f\\xFFz");
	assert_int_equal(line.v[SB_KEY_PATTERN].text.n, 9);
	assert_memory_equal(line.v[SB_KEY_PATTERN].text.p, "\\\n\r\t \0\x7f\xffz", 9);
	expect_ok("SOURCE len=\\x31\\x36 opt.A=\\x31");
	assert_int_equal(line.v[SB_KEY_LEN].num, 16);
	expect_slice(line.opts[0].value, "1");
	expect_ok("SOURCE pattern=a=b|=c");
	expect_slice(line.v[SB_KEY_PATTERN].text, "a=b|=c");
	expect_ok("SOURCE pattern=|");
	expect_slice(line.v[SB_KEY_PATTERN].text, "|");
}

static void the_ends_of_ranges(void **state)
{
	(void)state;
	expect_ok("ECHO max=1");
	expect_ok("ECHO max=64k");
	expect_ok("SOURCE len=0 seed=18446744073709551615 count=1073741824");
	expect_ok("ECHO stopread=1us@0");
	expect_ok("ECHO stopread=60m@18446744073709551615");
	expect_fault("ECHO max=0", SB_E_RANGE, 10, "max is 1 to 64k, not 0");
	expect_fault("ECHO max=65537", SB_E_RANGE, 10, "max is 1 to 64k, not 65537");
	expect_fault("ECHO stopread=0s", SB_E_RANGE, 15, "stopread is 1us to 60m, not 0s");
	expect_fault("ECHO stopread=61m@3", SB_E_RANGE, 15, "stopread is 1us to 60m, not 61m");
}

/* ---- complaints ---- */

static void a11_a_line_begins_with_a_verb(void **state)
{
	(void)state;
	expect_fault("", SB_E_SYNTAX, 1, "a line begins with a verb, as ECHO");
	expect_fault("\r\n", SB_E_SYNTAX, 1, "a line begins with a verb, as ECHO");
	expect_fault(" ECHO", SB_E_SYNTAX, 1, "a line begins with a verb, as ECHO");
	expect_fault("max=1k", SB_E_SYNTAX, 1, "a line begins with a verb, as ECHO, not with \"max=1k\"");
	expect_fault("|", SB_E_SYNTAX, 1, "a line begins with a verb, as ECHO, not with \"|\"");
	expect_ok("echo"); /* which verbs there are is for others to say */
	expect_slice(line.verb, "echo");
}

static void a12_the_marker_is_no_part_of_a_line(void **state)
{
	(void)state;
	expect_fault("SB1 ECHO", SB_E_SYNTAX, 1, "the marker SB1 is for a line inside a connection: leave it out here");
	expect_fault("SB2 ECHO", SB_E_SYNTAX, 1, "the marker SB2 is for a line inside a connection: leave it out here");
	expect_fault("SB1", SB_E_SYNTAX, 1, "the marker SB1 is for a line inside a connection: leave it out here");
	expect_ok("SB");
	expect_ok("SB1X");
	expect_ok("XB1");
}

static void a21_duplicates_name_both_columns(void **state)
{
	(void)state;
	expect_fault("ECHO max=1 recv=2 max=1", SB_E_DUPLICATE, 19,
		     "max is given twice, first at column 6: leave one out");
	expect_fault("ECHO opt.A=1 opt.B=1 opt.A=2", SB_E_DUPLICATE, 22,
		     "opt.A is given twice, first at column 6: leave one out");
	expect_ok("ECHO opt.A=1 opt.AA=1 opt.a=1");
	assert_int_equal(line.opts_n, 3);
}

static void a22_values_of_the_wrong_kind(void **state)
{
	(void)state;
	expect_fault("ECHO max=abc", SB_E_TYPE, 10, "max takes a size (100, 64k, 1M), not \"abc\"");
	expect_fault("SOURCE count=1k", SB_E_TYPE, 14, "count takes a number, not \"1k\"");
	expect_fault("ECHO stopread=3", SB_E_TYPE, 15,
		     "stopread takes a time, or a time and a size (3s, 50ms@64k), not \"3\"");
	expect_fault("ECHO stopread=3s@", SB_E_TYPE, 18,
		     "stopread takes a time, or a time and a size (3s, 50ms@64k), not \"3s@\"");
	expect_fault("ECHO stopread=\\x33s@\\x40", SB_E_TYPE, 21,
		     "stopread takes a time, or a time and a size (3s, 50ms@64k), not \"3s@@\"");
	expect_fault("ECHO stopread=@1k", SB_E_TYPE, 15,
		     "stopread takes a time, or a time and a size (3s, 50ms@64k), not \"@1k\"");
	expect_fault("ECHO close=rts", SB_E_UNKNOWN, 12,
		     "close is clean|rst|abrupt|half|stall, not \"rts\" (did you mean rst?)");
	expect_fault("ECHO close=later", SB_E_UNKNOWN, 12, "close is clean|rst|abrupt|half|stall, not \"later\"");
	expect_fault("ECHO close=clean|rst", SB_E_UNKNOWN, 12,
		     "close is clean|rst|abrupt|half|stall, not \"clean|rst\"");
}

static void a23_numbers_that_do_not_fit(void **state)
{
	(void)state;
	expect_fault("ECHO max=100k", SB_E_RANGE, 10, "max is 1 to 64k, not 100k");
	expect_fault("SOURCE count=-0", SB_E_RANGE, 14, "count is 1 to 1073741824, not -0");
	expect_fault("SOURCE count=9223372036854775808", SB_E_RANGE, 14,
		     "count is 1 to 1073741824, not 9223372036854775808");
	expect_fault("SOURCE seed=18446744073709551616", SB_E_RANGE, 13,
		     "seed is 0 to 18446744073709551615, not 18446744073709551616");
	expect_fault("ECHO stopread=3s@18446744073709551616", SB_E_RANGE, 18,
		     "the size after @ of stopread is 0 to 18446744073709551615");
}

static void a24_bytes_that_belong_in_no_line(void **state)
{
	(void)state;
	expect_fault("ECHO max=\x01", SB_E_SYNTAX, 10, "byte 01 is not printable ASCII: in a value, write it \\x01");
	expect_fault("ECHO frame=\xc3\xa4", SB_E_SYNTAX, 12,
		     "byte c3 is not printable ASCII: in a value, write it \\xc3");
	expect_fault("ECHO max=\x7f", SB_E_SYNTAX, 10, "byte 7f is not printable ASCII: in a value, write it \\x7f");
	expect_fault("ECHO\tmax=1", SB_E_SYNTAX, 5, "byte 09 is not printable ASCII: in a value, write it \\x09");
	expect_fault("\xef\xbb\xbf"
		     "ECHO",
		     SB_E_SYNTAX, 1, "byte ef is not printable ASCII: in a value, write it \\xef");
	assert_int_equal(parse_n(&line, "EC\0HO", 5), SB_E_SYNTAX);
	assert_int_equal(fault.col, 3);
}

static void f101_unknown_keys_name_the_nearest(void **state)
{
	(void)state;
	expect_fault("ECHO rcvbuff=1", SB_E_UNKNOWN, 6, "unknown key \"rcvbuff\" (did you mean rcvbuf?)");
	expect_fault("ECHO MAX=1", SB_E_UNKNOWN, 6, "unknown key \"MAX\" (did you mean max?)");
	expect_fault("ECHO zzzzz=1", SB_E_UNKNOWN, 6, "unknown key \"zzzzz\"; --help lists the keys");
	expect_fault("ECHO up.frag=1", SB_E_UNKNOWN, 6, "unknown key \"up.frag\"; --help lists the keys");
}

static void tokens_that_are_no_pairs(void **state)
{
	(void)state;
	expect_fault("ECHO frame", SB_E_SYNTAX, 6, "\"frame\" is not key=value");
	expect_fault("ECHO =1", SB_E_SYNTAX, 6, "a key is missing before \"=\"");
	expect_fault("ECHO max=", SB_E_SYNTAX, 10, "max= has no value");
	expect_fault("ECHO max= recv=1", SB_E_SYNTAX, 10, "max= has no value");
	expect_fault("ECHO ", SB_E_SYNTAX, 6, "one space stands between two words, and none at the end");
	expect_fault("ECHO  max=1", SB_E_SYNTAX, 6, "one space stands between two words, and none at the end");
	expect_fault("ECHO max=1 \n", SB_E_SYNTAX, 12, "one space stands between two words, and none at the end");
	expect_fault("ECHO opt.=1", SB_E_SYNTAX, 6, "opt. needs the name of an option, as opt.TCP_NODELAY=1");
	expect_fault("ECHO opt.TCP_NODELAY", SB_E_SYNTAX, 6, "\"opt.TCP_NODELAY\" is not key=value");
	expect_fault("ECHO opt.TCP_NODELAY=", SB_E_SYNTAX, 22, "opt.TCP_NODELAY= has no value");
	expect_fault("ECHO bogus=1 max=", SB_E_UNKNOWN, 6, "unknown key \"bogus\"; --help lists the keys");
}

static void escapes_that_are_none(void **state)
{
	static const char says[] = "an escape is \\\\ \\n \\r \\t \\s \\0 or \\x and two hex digits, not ";
	static const struct {
		const char *text;
		uint32_t col;
		const char *word;
	} rows[] = {
		{"SOURCE pattern=ab\\", 18, "\"\\\""},
		{"SOURCE pattern=ab\\q", 18, "\"\\q\""},
		{"SOURCE pattern=\\x", 16, "\"\\x\""},
		{"SOURCE pattern=\\x4", 16, "\"\\x4\""},
		{"SOURCE pattern=\\x4g1", 16, "\"\\x4g\""},
		{"SOURCE pattern=\\xg4", 16, "\"\\xg4\""},
		{"SOURCE pattern=\\X41", 16, "\"\\X41\""},
		{"SOURCE pattern=\\x4 len=1", 16, "\"\\x4\""},
		{"SOURCE pattern=\\\\\\1", 18, "\"\\1\""},
		{"ECHO opt.A=\\z", 12, "\"\\z\""},
		{"ECHO max=1\\", 11, "\"\\\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char want[160];
		struct sb_text t = sb_text_in(want, sizeof(want));

		sb_text_str(&t, says);
		sb_text_str(&t, rows[i].word);
		expect_fault(rows[i].text, SB_E_SYNTAX, rows[i].col, sb_text_end(&t));
	}
}

static void lengths_of_texts(void **state)
{
	char text[600];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "ECHO frame=", 11);
	text[11 + 80] = '\0';
	expect_ok(text);
	text[11 + 80] = 'x';
	text[11 + 81] = '\0';
	expect_fault(text, SB_E_RANGE, 12, "frame is 1 to 80 bytes long, not 81");
	memcpy(text, "SOURCE pattern=", 15);
	memset(text + 15, 'x', sizeof(text) - 15);
	text[15 + 512] = '\0';
	expect_ok(text);
}

static void a_line_has_1024_bytes(void **state)
{
	char text[1100];

	(void)state;
	memset(text, 'E', sizeof(text));
	assert_int_equal(parse_n(&line, text, 1024), 0);
	assert_int_equal(line.verb.n, 1024);
	assert_int_equal(parse_n(&line, text, 1025), SB_E_TOO_LARGE);
	assert_int_equal(fault.col, 1025);
	assert_string_equal(fault.text, "a line has at most 1024 bytes");
	memcpy(text + 1024, "\r\n", 2);
	assert_int_equal(parse_n(&line, text, 1026), 0);
	assert_int_equal(parse_n(&line, text, 1025), 0);
	/* Every byte of it a value. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "E opt.A=", 8);
	assert_int_equal(parse_n(&line, text, 1024), 0);
	assert_int_equal(line.opts[0].value.n, 1016);
}

static void a30_sixteen_options_and_no_more(void **state)
{
	char text[200];
	struct sb_text t = sb_text_in(text, sizeof(text));

	(void)state;
	sb_text_str(&t, "E");
	for (int i = 0; i < SB_LINE_OPTS_MAX; i++) {
		sb_text_str(&t, " opt.");
		sb_text_char(&t, (char)('a' + i));
		sb_text_str(&t, "=1");
	}
	sb_text_end(&t);
	expect_ok(text);
	assert_int_equal(line.opts_n, SB_LINE_OPTS_MAX);
	sb_text_str(&t, " opt.z=1");
	sb_text_end(&t);
	expect_fault(text, SB_E_LIMIT, 3 + 16 * 8, "a line sets at most 16 options");
}

static void nobody_has_to_listen(void **state)
{
	(void)state;
	assert_int_equal(sb_line_parse(&line, sb_slice_cstr("ECHO max=0"), NULL), SB_E_RANGE);
	assert_int_equal(sb_line_parse(&line, sb_slice(NULL, 0), NULL), SB_E_SYNTAX);
}

/* ---- where a key applies ---- */

enum { ALL = SB_G_FRAMING | SB_G_READ | SB_G_SOURCE | SB_G_ENDING | SB_G_LISTEN | SB_G_OPT };

static int check(const char *text, unsigned groups, unsigned on)
{
	expect_ok(text);
	fault = (struct sb_fault){0};
	return sb_line_check(&line, groups, on, "DISCARD", &fault);
}

static void keys_apply_where_they_mean_something(void **state)
{
	(void)state;
	assert_int_equal(check("DISCARD frame=raw max=1 recv=1 close=rst rcvbuf=1 opt.A=1", ALL, SB_ON_TCP), 0);
	assert_int_equal(check("DISCARD recv=1", ALL, SB_ON_UNIX), 0);
	assert_int_equal(check("DISCARD rcvbuf=1", ALL, SB_ON_UDP), 0);
	assert_int_equal(check("DISCARD", 0, SB_ON_UDP), 0);
}

static void a_key_of_another_service_is_named(void **state)
{
	(void)state;
	assert_int_equal(check("DISCARD max=1 len=5", ALL & ~SB_G_SOURCE, SB_ON_TCP), SB_E_PLACE);
	assert_int_equal(fault.col, 15);
	assert_string_equal(fault.text, "len= says what SOURCE sends; DISCARD does not take it here");
	assert_int_equal(check("DISCARD rcvbuf=5", SB_G_FRAMING, SB_ON_TCP), SB_E_PLACE);
	assert_string_equal(fault.text, "rcvbuf= must be chosen before accept, in the line of --listen; "
					"DISCARD does not take it here");
	assert_int_equal(check("DISCARD opt.A=1", ALL & ~SB_G_OPT, SB_ON_TCP), SB_E_PLACE);
	assert_int_equal(fault.col, 9);
	assert_string_equal(fault.text, "opt.A= sets a socket option; DISCARD does not take it here");
}

static void a_key_of_another_transport_is_named(void **state)
{
	(void)state;
	assert_int_equal(check("DISCARD max=1 stopread=1s", ALL, SB_ON_UDP), SB_E_PLACE);
	assert_int_equal(fault.col, 15);
	assert_string_equal(fault.text, "stopread= applies to tcp and unix, not to udp");
}

static void the_first_complaint_from_the_left(void **state)
{
	(void)state;
	/* In the table recv comes before len, and options come after both. */
	assert_int_equal(check("DISCARD len=1 recv=1", SB_G_OPT, SB_ON_TCP), SB_E_PLACE);
	assert_int_equal(fault.col, 9);
	assert_int_equal(check("DISCARD recv=1 len=1", SB_G_OPT, SB_ON_TCP), SB_E_PLACE);
	assert_int_equal(fault.col, 9);
	assert_int_equal(check("DISCARD opt.A=1 recv=1", 0, SB_ON_TCP), SB_E_PLACE);
	assert_int_equal(fault.col, 9);
	assert_int_equal(check("DISCARD recv=1 opt.A=1", 0, SB_ON_TCP), SB_E_PLACE);
	assert_int_equal(fault.col, 9);
	assert_int_equal(sb_line_check(&line, 0, SB_ON_TCP, "X", NULL), SB_E_PLACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verb_alone),
		cmocka_unit_test(every_key_with_its_columns),
		cmocka_unit_test(with_or_without_its_end),
		cmocka_unit_test(a17_values_are_unescaped),
		cmocka_unit_test(the_ends_of_ranges),
		cmocka_unit_test(a11_a_line_begins_with_a_verb),
		cmocka_unit_test(a12_the_marker_is_no_part_of_a_line),
		cmocka_unit_test(a21_duplicates_name_both_columns),
		cmocka_unit_test(a22_values_of_the_wrong_kind),
		cmocka_unit_test(a23_numbers_that_do_not_fit),
		cmocka_unit_test(a24_bytes_that_belong_in_no_line),
		cmocka_unit_test(f101_unknown_keys_name_the_nearest),
		cmocka_unit_test(tokens_that_are_no_pairs),
		cmocka_unit_test(escapes_that_are_none),
		cmocka_unit_test(lengths_of_texts),
		cmocka_unit_test(a_line_has_1024_bytes),
		cmocka_unit_test(a30_sixteen_options_and_no_more),
		cmocka_unit_test(nobody_has_to_listen),
		cmocka_unit_test(keys_apply_where_they_mean_something),
		cmocka_unit_test(a_key_of_another_service_is_named),
		cmocka_unit_test(a_key_of_another_transport_is_named),
		cmocka_unit_test(the_first_complaint_from_the_left),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
