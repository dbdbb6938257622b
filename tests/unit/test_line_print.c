/* SPDX-License-Identifier: MIT
 * scenario/line.h: what is printed reads back as it was, over a table and over pseudo-random lines; and the help. */
#include "line_kit.h"

#include "scenario/help.h"

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

static struct dice dice;

static const char *pick(const char *const *words, size_t n)
{
	return words[roll(&dice, n)];
}

#define PICK(words) pick(words, sizeof(words) / sizeof((words)[0]))

static void random_value(struct sb_text *t, enum sb_key_type type)
{
	static const char *const units[] = {"us", "ms", "s", "m"}, *const sizes[] = {"", "k", "M"};
	static const char *const escapes[] = {"\\\\",  "\\n", "\\s", "\\0", "\\x7f", "\\x00",
					      "\\xFF", "a",   "Z",   "|",   "="};
	static const char *const words[] = {"clean", "rst", "abrupt", "clea"};

	switch (type) {
	case SB_T_SIZE:
	case SB_T_COUNT:
		sb_text_u64(t, roll(&dice, 200));
		sb_text_str(t, type == SB_T_SIZE ? PICK(sizes) : "");
		break;
	case SB_T_TIME:
	case SB_T_TIME_AT:
		sb_text_u64(t, roll(&dice, 4000));
		sb_text_str(t, PICK(units));
		if (one_in(&dice, 2) && type == SB_T_TIME_AT) {
			sb_text_char(t, '@');
			sb_text_u64(t, roll(&dice, 200));
			sb_text_str(t, PICK(sizes));
		}
		break;
	case SB_T_TEXT:
		for (uint64_t n = roll(&dice, 8) + 1; n > 0; n--)
			sb_text_str(t, PICK(escapes));
		break;
	case SB_T_WORD:
		sb_text_str(t, PICK(words));
		break;
	case SB_T_NONE:
		break;
	}
}

static void random_step(struct sb_text *t)
{
	const struct sb_key_row *row = &sb_step_rows[roll(&dice, SB_STEPS_N)];

	sb_text_str(t, " | ");
	sb_text_str(t, row->name);
	sb_text_str(t, row == &sb_step_rows[SB_STEP_OPT] ? ".X" : "");
	sb_text_str(t, row->type == SB_T_NONE ? "" : ":");
	if (row == &sb_step_rows[SB_STEP_WAIT] && one_in(&dice, 2))
		sb_text_str(t, "ack");
	else
		random_value(t, row->type);
}

static void random_line(struct sb_text *t)
{
	static const char *const verbs[] = {"ECHO", "SOURCE", "x"};

	sb_text_str(t, PICK(verbs));
	for (uint64_t n = roll(&dice, 5); n > 0; n--) {
		uint64_t k = roll(&dice, SB_KEYS_N + 1);

		sb_text_char(t, ' ');
		sb_text_str(t, k < SB_KEYS_N ? sb_keys[k].name : "opt.X");
		sb_text_char(t, '=');
		random_value(t, k < SB_KEYS_N ? sb_keys[k].type : SB_T_TEXT);
	}
	for (uint64_t n = one_in(&dice, 2) ? roll(&dice, 4) : 0; n > 0; n--)
		random_step(t);
	/* Now and then something is broken. */
	for (uint64_t n = one_in(&dice, 4) ? roll(&dice, 3) : 0; n > 0; n--)
		t->p[roll(&dice, t->n)] = "\\=| \x01z0@\xff"[roll(&dice, 9)];
}

static void random_lines_read_back_as_they_were(void **state)
{
	int taken = 0, refused = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 40000; seed++) {
		char text[SB_LINE_MAX];
		struct sb_text t = sb_text_in(text, sizeof(text));
		int r;

		dice = (struct dice){.seed = seed};
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

static void help_names_every_key_and_step_in_100_columns(void **state)
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
	for (int i = 0; i < SB_STEPS_N; i++) {
		char name[40];
		struct sb_text want = sb_text_in(name, sizeof(name));

		sb_text_str(&want, "\n  ");
		sb_text_str(&want, sb_step_rows[i].name);
		sb_text_str(&want, i == SB_STEP_OPT ? ".NAME:VALUE" : sb_step_rows[i].type == SB_T_NONE ? " " : ":");
		assert_non_null(strstr(room, sb_text_end(&want)));
	}
	assert_non_null(strstr(room,
			       "\n  max=SIZE              bytes of payload in the largest message taken (default 64k); "
			       "1 to 64k\n"));
}

static void names_for_sb_nearest_end(void **state)
{
	(void)state;
	assert_string_equal(sb_key_name_at(NULL, 0), sb_keys[0].name);
	assert_non_null(sb_key_name_at(NULL, SB_KEYS_N - 1));
	assert_null(sb_key_name_at(NULL, SB_KEYS_N));
	assert_string_equal(sb_step_name_at(NULL, 0), sb_step_rows[0].name);
	assert_null(sb_step_name_at(NULL, SB_STEPS_N));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printed_in_canonical_form),
		cmocka_unit_test(printing_needs_room_for_its_nul),
		cmocka_unit_test(random_lines_read_back_as_they_were),
		cmocka_unit_test(random_bytes_are_refused_inside_the_line),
		cmocka_unit_test(help_names_every_key_and_step_in_100_columns),
		cmocka_unit_test(names_for_sb_nearest_end),
	};

	return cmocka_run_group_tests_name("line_print", tests, NULL, NULL);
}
