/* SPDX-License-Identifier: MIT
 * scenario/line.h: the grammar, every complaint with its column, and that what is printed reads back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "scenario/help.h"
#include "scenario/line.h"

static struct sb_line line;
static struct sb_fault fault;

/* The text lies in memory of exactly its size, and is gone when the line is looked at. */
static int parse_n(struct sb_line *to, const char *text, size_t n)
{
	char *exact = malloc(n);
	int r;

	memcpy(exact, text, n);
	fault = (struct sb_fault){0};
	r = sb_line_parse(to, sb_slice(exact, n), &fault);
	free(exact);
	return r;
}

static int parse(const char *text)
{
	return parse_n(&line, text, strlen(text));
}

static void expect_ok(const char *text)
{
	if (parse(text) != 0)
		fail_msg("\"%s\": column %u: %s", text, fault.col, fault.text);
}

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
	assert_int_equal(line.opts[0].col, 74);
	assert_int_equal(line.opts[0].value_col, 90);
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
	expect_fault("SB1 ECHO", SB_E_SYNTAX, 1,
		     "the marker SB1 is for a line inside a connection: leave it out here");
	expect_fault("SB2 ECHO", SB_E_SYNTAX, 1,
		     "the marker SB2 is for a line inside a connection: leave it out here");
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
	expect_fault("ECHO close=rts", SB_E_UNKNOWN, 12, "close is clean|rst|abrupt, not \"rts\" (did you mean rst?)");
	expect_fault("ECHO close=half", SB_E_UNKNOWN, 12, "close is clean|rst|abrupt, not \"half\"");
	expect_fault("ECHO close=clean|rst", SB_E_UNKNOWN, 12, "close is clean|rst|abrupt, not \"clean|rst\"");
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
	expect_fault("ECHO\tmax=1", SB_E_SYNTAX, 5, "byte 09 is not printable ASCII: in a value, write it \\x09");
	expect_fault("\xef\xbb\xbf" "ECHO", SB_E_SYNTAX, 1, "byte ef is not printable ASCII: in a value, write it \\xef");
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
	expect_fault("ECHO max=1 | fin", SB_E_UNKNOWN, 12,
		     "unknown word \"|\": there are no steps here, only VERB key=value key=value");
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
		{"SOURCE pattern=ab\\", 18, "\"\\\""},	{"SOURCE pattern=ab\\q", 18, "\"\\q\""},
		{"SOURCE pattern=\\x", 16, "\"\\x\""},	{"SOURCE pattern=\\x4", 16, "\"\\x4\""},
		{"SOURCE pattern=\\x4g1", 16, "\"\\x4g\""}, {"SOURCE pattern=\\xg4", 16, "\"\\xg4\""},
		{"SOURCE pattern=\\X41", 16, "\"\\X41\""}, {"SOURCE pattern=\\x4 len=1", 16, "\"\\x4\""},
		{"SOURCE pattern=\\\\\\1", 18, "\"\\1\""},  {"ECHO opt.A=\\z", 12, "\"\\z\""},
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
	for (char c = 'a'; c < 'a' + SB_LINE_OPTS_MAX; c++) {
		sb_text_str(&t, " opt.");
		sb_text_char(&t, c);
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
	assert_int_equal(check("DISCARD opt.A=1 recv=1", 0, SB_ON_TCP), SB_E_PLACE);
	assert_int_equal(fault.col, 9);
	assert_int_equal(check("DISCARD recv=1 opt.A=1", 0, SB_ON_TCP), SB_E_PLACE);
	assert_int_equal(fault.col, 9);
	assert_int_equal(sb_line_check(&line, 0, SB_ON_TCP, "X", NULL), SB_E_PLACE);
}

/* ---- printing ---- */

static struct sb_line again;

static void assert_same_slice(struct sb_slice a, struct sb_slice b)
{
	assert_true(sb_slice_eq(a, b));
}

static void assert_same_line(const struct sb_line *a, const struct sb_line *b)
{
	assert_same_slice(a->verb, b->verb);
	for (int i = 0; i < SB_KEYS_N; i++) {
		assert_int_equal(a->v[i].set, b->v[i].set);
		assert_int_equal(a->v[i].num, b->v[i].num);
		assert_int_equal(a->v[i].at, b->v[i].at);
		if (sb_keys[i].type == SB_T_TEXT || sb_keys[i].type == SB_T_WORD)
			assert_same_slice(a->v[i].text, b->v[i].text);
	}
	assert_int_equal(a->opts_n, b->opts_n);
	for (int i = 0; i < a->opts_n; i++) {
		assert_same_slice(a->opts[i].name, b->opts[i].name);
		assert_same_slice(a->opts[i].value, b->opts[i].value);
	}
}

/* parse(print(line)) = line, print is a fixed point, and it is not longer than text_n. */
static void assert_round_trip(size_t text_n)
{
	char one[SB_LINE_MAX + 1], two[SB_LINE_MAX + 1];
	int n = sb_line_print(&line, one, sizeof(one));

	assert_in_range(n, 1, text_n);
	assert_int_equal(strlen(one), n);
	if (parse_n(&again, one, (size_t)n) != 0)
		fail_msg("\"%s\": column %u: %s", one, fault.col, fault.text);
	assert_same_line(&line, &again);
	assert_int_equal(sb_line_print(&again, two, sizeof(two)), n);
	assert_string_equal(one, two);
}

static void printed_in_canonical_form(void **state)
{
	static const char *const rows[][2] = {
		{"ECHO", "ECHO"},
		{"ECHO\r\n", "ECHO"},
		{"ECHO max=65536 frame=crlf", "ECHO frame=crlf max=64k"},
		{"ECHO max=1000", "ECHO max=1000"},
		{"ECHO stopread=3000ms@0", "ECHO stopread=3s"},
		{"ECHO stopread=1500ms@1024", "ECHO stopread=1500ms@1k"},
		{"ECHO close=\\x72st", "ECHO close=rst"},
		{"SOURCE opt.B=1 opt.A=\\x20 count=007", "SOURCE count=7 opt.B=1 opt.A=\\s"},
		{"SOURCE pattern=\\x41\\x00\\x0a\\xAb\\\\", "SOURCE pattern=A\\0\\n\\xab\\\\"},
		{"WEIRD\\verb len=1", "WEIRD\\verb len=1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[SB_LINE_MAX + 1];

		expect_ok(rows[i][0]);
		assert_int_equal(sb_line_print(&line, out, sizeof(out)), strlen(rows[i][1]));
		assert_string_equal(out, rows[i][1]);
		assert_round_trip(strlen(rows[i][0]));
	}
}

static void printing_needs_room_for_its_nul(void **state)
{
	(void)state;
	expect_ok("ECHO max=64k");
	for (size_t cap = 0; cap < 15; cap++) {
		char *out = malloc(cap);

		assert_int_equal(sb_line_print(&line, out, cap), cap > 12 ? 12 : SB_E_NO_SPACE);
		free(out);
	}
}

/* ---- pseudo-random lines ---- */

static uint64_t rolls, roll_seed;

static uint64_t roll(uint64_t n)
{
	return sb_rng_at(roll_seed, rolls++) % n;
}

static const char *pick(const char *const *words, size_t n)
{
	return words[roll(n)];
}

#define PICK(words) pick(words, sizeof(words) / sizeof((words)[0]))

static void random_value(struct sb_text *t, enum sb_key_type type)
{
	static const char *const units[] = {"us", "ms", "s", "m"}, *const sizes[] = {"", "k", "M"};
	static const char *const escapes[] = {"\\\\", "\\n", "\\s", "\\0", "\\x7f", "\\x00", "\\xFF", "a", "Z", "|", "="};
	static const char *const words[] = {"clean", "rst", "abrupt", "clea"};

	switch (type) {
	case SB_T_SIZE:
	case SB_T_COUNT:
		sb_text_u64(t, roll(200));
		sb_text_str(t, type == SB_T_SIZE ? PICK(sizes) : "");
		break;
	case SB_T_TIME:
	case SB_T_TIME_AT:
		sb_text_u64(t, roll(4000));
		sb_text_str(t, PICK(units));
		if (roll(2) && type == SB_T_TIME_AT) {
			sb_text_char(t, '@');
			random_value(t, SB_T_SIZE);
		}
		break;
	case SB_T_TEXT:
		for (uint64_t n = roll(8) + 1; n > 0; n--)
			sb_text_str(t, PICK(escapes));
		break;
	case SB_T_WORD:
		sb_text_str(t, PICK(words));
		break;
	}
}

static void random_line(struct sb_text *t)
{
	static const char *const verbs[] = {"ECHO", "SOURCE", "x"};

	sb_text_str(t, PICK(verbs));
	for (uint64_t n = roll(5); n > 0; n--) {
		uint64_t k = roll(SB_KEYS_N + 1);

		sb_text_char(t, ' ');
		sb_text_str(t, k < SB_KEYS_N ? sb_keys[k].name : "opt.X");
		sb_text_char(t, '=');
		random_value(t, k < SB_KEYS_N ? sb_keys[k].type : SB_T_TEXT);
	}
	/* Now and then something is broken. */
	for (uint64_t n = roll(4) == 0 ? roll(3) : 0; n > 0; n--)
		t->p[roll(t->n)] = "\\=| \x01z0@\xff"[roll(9)];
}

static void random_lines_read_back_as_they_were(void **state)
{
	int taken = 0, refused = 0;

	(void)state;
	for (roll_seed = 0; roll_seed < 40000; roll_seed++) {
		char text[SB_LINE_MAX];
		struct sb_text t = sb_text_in(text, sizeof(text));
		int r;

		rolls = 0;
		random_line(&t);
		r = parse_n(&line, text, t.n);
		if (r == 0) {
			taken++;
			assert_round_trip(t.n);
			continue;
		}
		refused++;
		assert_int_equal(fault.code, r);
		assert_in_range(fault.col, 1, t.n + 1);
		assert_in_range(strlen(fault.text), 1, sizeof(fault.text) - 1);
	}
	assert_true(taken > 10000 && refused > 10000);
}

static void random_bytes_are_refused_inside_the_line(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		char text[64];
		size_t n = (size_t)(sb_rng_at(i, 0) % sizeof(text));

		for (size_t k = 0; k < n; k++)
			text[k] = (char)(sb_rng_at(i, k + 1) % (i % 2 ? 256 : 95) + (i % 2 ? 0 : ' '));
		if (parse_n(&line, text, n) != 0)
			assert_in_range(fault.col, 1, n + 1);
		else
			assert_round_trip(n);
	}
}

/* ---- help ---- */

static void help_names_every_key_in_100_columns(void **state)
{
	char room[8192];
	struct sb_text t = sb_text_in(room, sizeof(room));
	size_t width = 0;

	(void)state;
	sb_keys_help(&t);
	assert_int_equal(t.lost, 0);
	assert_int_equal(room[t.n - 1], '\n');
	for (size_t i = 0; i < t.n; i++) {
		width = room[i] == '\n' ? 0 : width + 1;
		assert_true(width <= 100);
	}
	sb_text_end(&t);
	for (int i = 0; i < SB_KEYS_N; i++) {
		char name[40];
		struct sb_text want = sb_text_in(name, sizeof(name));

		sb_text_str(&want, "\n  ");
		sb_text_str(&want, sb_keys[i].name);
		sb_text_char(&want, '=');
		assert_non_null(strstr(room, sb_text_end(&want)));
	}
	assert_non_null(strstr(room, "\n  max=SIZE              bytes of payload in the largest message taken (default 64k); "
				     "1 to 64k\n"));
}

static void names_for_sb_nearest_end(void **state)
{
	(void)state;
	assert_string_equal(sb_key_name_at(NULL, 0), sb_keys[0].name);
	assert_non_null(sb_key_name_at(NULL, SB_KEYS_N - 1));
	assert_null(sb_key_name_at(NULL, SB_KEYS_N));
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
		cmocka_unit_test(printed_in_canonical_form),
		cmocka_unit_test(printing_needs_room_for_its_nul),
		cmocka_unit_test(random_lines_read_back_as_they_were),
		cmocka_unit_test(random_bytes_are_refused_inside_the_line),
		cmocka_unit_test(help_names_every_key_in_100_columns),
		cmocka_unit_test(names_for_sb_nearest_end),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
