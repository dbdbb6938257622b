/* SPDX-License-Identifier: MIT
 * Scripts: each event read, listed and compiled; each mistake in a listing with its line and column. */
#include "check.h"

#include "script/script.h"

static char listing[4096];
static uint8_t compiled[4096];

static const char *list(const void *script, size_t n)
{
	size_t text_n = sbs_print(script, n, listing, sizeof(listing) - 1);

	assert_in_range(text_n, 0, sizeof(listing) - 1);
	listing[text_n] = '\0';
	return listing;
}

/* The script is listed so, and the listing is that script. */
static void is_listed(const void *script, size_t n, const char *want)
{
	uint32_t line = 0;
	long r;

	assert_string_equal(list(script, n), want);
	r = sbs_compile(want, strlen(want), compiled, sizeof(compiled), &line, NULL);
	assert_int_equal(r, n);
	assert_memory_equal(compiled, script, n);
}

#define LISTED(script, want) is_listed(script, sizeof(script) - 1, want)

/* ---- reading ---- */

static void values_of_characters(void **state)
{
	static const struct {
		uint8_t x;
		uint32_t v;
	} known[] = {{'0', 0},  {'9', 9},  {'a', 10}, {'b', 12},  {'c', 16},    {'d', 24},
		     {'e', 32}, {'f', 48}, {'g', 64}, {'k', 256}, {'y', 32768}, {'z', 65536},
		     {0, 0},    {' ', 32}, {'A', 65}, {'{', 123}, {255, 255}};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_int_equal(sbs_value(known[i].x), known[i].v);
}

/* A letter of 256 is an event of the table, a connection, a backslash, or means run. */
static void every_letter_is_an_event(void **state)
{
	(void)state;
	for (unsigned letter = 0; letter < 256; letter++) {
		const uint8_t script[] = {'\\', (uint8_t)letter, '1', '2', '3'};
		struct sbs_event e;
		size_t at = 0;

		assert_true(sbs_next(script, sizeof(script), &at, &e));
		assert_int_equal(at, e.n);
		if (letter == '\\') {
			assert_int_equal(e.kind, SBS_BYTES);
			assert_int_equal(e.n, sizeof(script));
			continue;
		}
		assert_int_equal(e.letter, letter);
		assert_int_equal(e.n, 2 + sbs_args(e.kind));
		assert_int_equal(e.kind == SBS_SELECT, letter >= '0' && letter <= '7');
		if (e.kind == SBS_SELECT)
			assert_int_equal(e.v, letter - '0');
		if (e.kind == SBS_KNOB)
			assert_int_equal(e.v, 2);
	}
}

static void payload_ends_at_an_escape(void **state)
{
	static const char script[] = "a\\\\b\\|c";
	uint8_t out[8];
	struct sbs_event e;
	size_t at = 0;

	(void)state;
	assert_true(sbs_next((const uint8_t *)script, 7, &at, &e));
	assert_int_equal(e.kind, SBS_BYTES);
	assert_int_equal(e.n, 4);
	assert_int_equal(sbs_unescape(&e, out), 3);
	assert_memory_equal(out, "a\\b", 3);
	assert_true(sbs_next((const uint8_t *)script, 7, &at, &e));
	assert_int_equal(e.kind, SBS_RUN);
	assert_true(sbs_next((const uint8_t *)script, 7, &at, &e));
	assert_int_equal(e.kind, SBS_BYTES);
	assert_false(sbs_next((const uint8_t *)script, 7, &at, &e));
	assert_int_equal(at, 7);
}

/* ---- listing ---- */

static void every_event_is_listed(void **state)
{
	(void)state;
	LISTED("\\|\\~\\E\\R\\r\\D\\S", "run\ncut\nfin\nrst\nlate\ndouble\nlose\n");
	LISTED("\\0\\7", "select 0\nselect 7\n");
	LISTED("\\i1\\a2\\I3\\A4\\w5\\d6\\m7\\u8",
	       "recv-eintr 1\nrecv-again 2\nsend-eintr 3\nsend-again 4\nsend-takes 5\ndrain 6\nmemory 7\ntruncate 8\n");
	LISTED("\\t3\\tz", "ticks 3  # 30ms\nticks z  # 655360ms\n");
	LISTED("\\eA\\e9", "fail A  # recv: ECONNRESET\nfail 9  # wake-open: EMFILE\n");
	LISTED("\\ofa\\oXY\\oZ1",
	       "knob f a  # first-byte: 10\nknob X Y  # stop: 89\nknob Z 1  # no knob has this letter\n");
	LISTED("\\oc1\\ocw\\oc?", "knob c 1  # config: tcp://127.0.0.1:0,ECHO frame=line max=48; log-level=info\n"
				  "knob c w  # config: serve's own\n"
				  "knob c ?  # config: there is none of this letter\n");
}

static void arguments_that_need_an_escape(void **state)
{
	(void)state;
	LISTED("\\d \\d#\\d\\\\d\"\\d\n", "drain \\x20  # 32\ndrain \\x23  # 35\ndrain \\\\  # 92\ndrain \"  # 34\n"
					  "drain \\n  # 10\n");
	LISTED("\\d\x80\\d\"", "drain \\x80  # 128\ndrain \"  # 34\n");
}

static void any_other_letter_runs(void **state)
{
	(void)state;
	LISTED("\\Z\\\x01\\8",
	       "run Z  # no event has this letter: as run\nrun \\x01  # no event has this letter: as run\n"
	       "run 8  # no event has this letter: as run\n");
	is_listed("\\\0", 2, "run \\x00  # no event has this letter: as run\n");
}

static void scripts_that_end_inside_an_escape(void **state)
{
	(void)state;
	LISTED("\\", "cut-off \"\"  # the script ends inside an escape: as run\n");
	LISTED("a\\i", "bytes \"a\"\ncut-off \"i\"  # the script ends inside an escape: as run\n");
	LISTED("\\oc", "cut-off \"oc\"  # the script ends inside an escape: as run\n");
	LISTED("\\o\\", "cut-off \"o\\\\\"  # the script ends inside an escape: as run\n");
}

static void payload_is_broken_where_it_is_easy_to_read(void **state)
{
	char wide[200];

	(void)state;
	LISTED("", "");
	LISTED("a\nb\r\n", "bytes \"a\\n\"\nbytes \"b\\r\\n\"\n");
	LISTED("\\\\\"# \t\x1b", "bytes \"\\\\\\\"# \\x09\\x1b\"\n");
	memset(wide, 'x', sizeof(wide));
	list(wide, sizeof(wide));
	for (const char *line = listing, *end; (end = strchr(line, '\n')); line = end + 1)
		assert_in_range(end - line, 1, 100);
	assert_int_equal(sbs_compile(listing, strlen(listing), compiled, sizeof(compiled), &(uint32_t){0}, NULL), 200);
}

static void a_listing_without_room_is_only_counted(void **state)
{
	char small[8] = "#######";
	size_t whole = sbs_print((const uint8_t *)"\\|\\E\\R", 6, NULL, 0);

	(void)state;
	assert_int_equal(whole, strlen("run\nfin\nrst\n"));
	assert_int_equal(sbs_print((const uint8_t *)"\\|\\E\\R", 6, small, 5), whole);
	assert_memory_equal(small, "run\n", 4);
	assert_memory_equal(small + 5, "##", 2);
}

/* ---- compiling ---- */

static void compiles(const char *text, const void *want, size_t n)
{
	struct sb_fault fault = {0};
	uint32_t line = 0;
	long r = sbs_compile(text, strlen(text), compiled, sizeof(compiled), &line, &fault);

	if (r < 0)
		fail_msg("%u:%u: %s", line, fault.col, fault.text);
	assert_int_equal(r, n);
	assert_memory_equal(compiled, want, n);
}

static void people_may_write_it_otherwise(void **state)
{
	(void)state;
	compiles("", "", 0);
	compiles("# nothing\n\n   # at all", "", 0);
	compiles("  run\t# now\r\n\tfin\r\nrst", "\\|\\E\\R", 6);
	compiles("bytes \"a#b\" # c\nbytes \"\"\nbytes \"\\x41\\xfF\\\"\\\\\"", "a#bA\xff\"\\\\", 8);
	compiles("run |\nrun \\x20", "\\|\\ ", 4);
}

static void nothing_is_written_behind_the_room(void **state)
{
	uint32_t line;

	(void)state;
	memset(compiled, '#', 8);
	assert_int_equal(sbs_compile("run\nfin\n", 8, compiled, 3, &line, NULL), 4);
	assert_memory_equal(compiled, "\\|\\#####", 8);
}

/* ---- mistakes ---- */

static const struct {
	const char *text;
	int code;
	uint32_t line, col;
	const char *says;
} wrong[] = {
	{"recv-eintrr 3", SB_E_UNKNOWN, 1, 1, "\"recv-eintrr\" is no event (did you mean recv-eintr?)"},
	{"run\n\n  # x\n\tFin", SB_E_UNKNOWN, 4, 2, "\"Fin\" is no event (did you mean fin?)"},
	{"qwertyuiop", SB_E_UNKNOWN, 1, 1, "\"qwertyuiop\" is no event"},
	{"bytes", SB_E_SYNTAX, 1, 6, "bytes needs its text in quotes: bytes \"text\""},
	{"bytes abc", SB_E_SYNTAX, 1, 7, "bytes needs its text in quotes: bytes \"text\""},
	{"bytes # \"a\"", SB_E_SYNTAX, 1, 7, "bytes needs its text in quotes: bytes \"text\""},
	{"bytes \"abc", SB_E_SYNTAX, 1, 7, "this quote is not closed"},
	{"bytes \"abc\\\"\n\"", SB_E_SYNTAX, 1, 7, "this quote is not closed"},
	{"bytes \"a\\q\"", SB_E_SYNTAX, 1, 9, "an escape is \\\\ \\\" \\n \\r or \\xNN"},
	{"bytes \"\\x4g\"", SB_E_SYNTAX, 1, 8, "an escape is \\\\ \\\" \\n \\r or \\xNN"},
	{"bytes \"\\xg4\"", SB_E_SYNTAX, 1, 8, "an escape is \\\\ \\\" \\n \\r or \\xNN"},
	{"bytes \"\\x4", SB_E_SYNTAX, 1, 8, "an escape is \\\\ \\\" \\n \\r or \\xNN"},
	{"bytes \"\\", SB_E_SYNTAX, 1, 8, "an escape is \\\\ \\\" \\n \\r or \\xNN"},
	{"bytes \"a\" b", SB_E_SYNTAX, 1, 11, "\"b\" is left over: remarks begin with #"},
	{"bytes \"a\"b", SB_E_SYNTAX, 1, 10, "\"b\" is left over: remarks begin with #"},
	{"fin 3", SB_E_SYNTAX, 1, 5, "\"3\" is left over: remarks begin with #"},
	{"drain", SB_E_SYNTAX, 1, 6, "drain needs 1 argument: a character or \\xNN"},
	{"drain # 3", SB_E_SYNTAX, 1, 7, "drain needs 1 argument: a character or \\xNN"},
	{"knob c", SB_E_SYNTAX, 1, 7, "knob needs 2 arguments: a character or \\xNN"},
	{"drain 12", SB_E_SYNTAX, 1, 7, "an argument is one character or \\xNN, not \"12\""},
	{"knob c 12", SB_E_SYNTAX, 1, 8, "an argument is one character or \\xNN, not \"12\""},
	{"drain \\q", SB_E_SYNTAX, 1, 7, "an escape is \\\\ \\\" \\n \\r or \\xNN"},
	{"drain \\", SB_E_SYNTAX, 1, 7, "an escape is \\\\ \\\" \\n \\r or \\xNN"},
	{"drain 1 2", SB_E_SYNTAX, 1, 9, "\"2\" is left over: remarks begin with #"},
	{"select", SB_E_SYNTAX, 1, 7, "select needs a connection: 0 to 7"},
	{"select 8", SB_E_SYNTAX, 1, 8, "a connection is 0 to 7, not \"8\""},
	{"select 12", SB_E_SYNTAX, 1, 8, "a connection is 0 to 7, not \"12\""},
	{"run i", SB_E_SYNTAX, 1, 5, "this letter is that of recv-eintr"},
	{"run 3", SB_E_SYNTAX, 1, 5, "this letter is that of select"},
	{"run \\\\", SB_E_SYNTAX, 1, 5, "this letter is that of bytes"},
	{"cut-off \"R\"", SB_E_SYNTAX, 1, 1,
	 "cut-off is the beginning of an escape whose arguments are missing: cut-off \"i\""},
	{"cut-off \"abcdef\"", SB_E_SYNTAX, 1, 1,
	 "cut-off is the beginning of an escape whose arguments are missing: cut-off \"i\""},
	{"cut-off \"i\"\n\nfin", SB_E_SYNTAX, 3, 1, "nothing can follow cut-off: the script has ended"},
	{"cut-off", SB_E_SYNTAX, 1, 8, "cut-off needs its text in quotes: cut-off \"text\""},
};

static void each_mistake_has_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sb_fault fault = {0};
		uint32_t line = 0;
		long r = sbs_compile(wrong[i].text, strlen(wrong[i].text), compiled, sizeof(compiled), &line, &fault);

		if (r >= 0)
			fail_msg("compiles: %s", wrong[i].text);
		assert_string_equal(fault.text, wrong[i].says);
		assert_int_equal(r, wrong[i].code);
		assert_int_equal(fault.code, wrong[i].code);
		if (line != wrong[i].line || fault.col != wrong[i].col)
			fail_msg("%s: at %u:%u", wrong[i].text, line, fault.col);
	}
}

/* Every string of up to three bytes of an alphabet in which each byte means something. */
static void short_scripts_come_back(void **state)
{
	static const uint8_t letters[] = "\\|0iotR\n\"#aZ\xff";
	size_t base = sizeof(letters);

	(void)state;
	for (size_t i = 0; i < base * base * base * base; i++) {
		uint8_t script[4];
		uint32_t line;
		size_t n = 0, text_n;

		for (size_t left = i; n < sizeof(script); left /= base)
			script[n++] = letters[left % base];
		text_n = sbs_print(script, n, listing, sizeof(listing));
		assert_int_equal(sbs_compile(listing, text_n, compiled, sizeof(compiled), &line, NULL), n);
		assert_memory_equal(compiled, script, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_characters),
		cmocka_unit_test(every_letter_is_an_event),
		cmocka_unit_test(payload_ends_at_an_escape),
		cmocka_unit_test(every_event_is_listed),
		cmocka_unit_test(arguments_that_need_an_escape),
		cmocka_unit_test(any_other_letter_runs),
		cmocka_unit_test(scripts_that_end_inside_an_escape),
		cmocka_unit_test(payload_is_broken_where_it_is_easy_to_read),
		cmocka_unit_test(a_listing_without_room_is_only_counted),
		cmocka_unit_test(people_may_write_it_otherwise),
		cmocka_unit_test(nothing_is_written_behind_the_room),
		cmocka_unit_test(each_mistake_has_its_place),
		cmocka_unit_test(short_scripts_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
