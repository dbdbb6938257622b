/* SPDX-License-Identifier: MIT
 * base/text.h: what is written, what is left out when there is no room, and that bytes of peers are harmless. */

#include "check.h"

#include "base/number.h"
#include "base/text.h"

static char room[512];

static struct sb_text fresh(void)
{
	memset(room, '#', sizeof(room));
	return sb_text_in(room, sizeof(room));
}

static void expect(struct sb_text *t, const char *want)
{
	assert_string_equal(sb_text_end(t), want);
	assert_int_equal(t->lost, 0);
}

static void pieces_follow_each_other(void **state)
{
	struct sb_text t = fresh();

	(void)state;
	sb_text_str(&t, "a");
	sb_text_char(&t, '=');
	sb_text_bytes(&t, sb_slice("xyz", 2));
	sb_text_bytes(&t, sb_slice(NULL, 0));
	sb_text_u64(&t, 0);
	expect(&t, "a=xy0");
}

static void numbers_at_their_ends(void **state)
{
	struct sb_text t = fresh();

	(void)state;
	sb_text_u64(&t, UINT64_MAX);
	sb_text_char(&t, ' ');
	sb_text_i64(&t, INT64_MIN);
	sb_text_char(&t, ' ');
	sb_text_i64(&t, INT64_MAX);
	sb_text_char(&t, ' ');
	sb_text_i64(&t, -1);
	expect(&t, "18446744073709551615 -9223372036854775808 9223372036854775807 -1");
}

static void hex_has_the_digits_asked_for(void **state)
{
	struct sb_text t = fresh();

	(void)state;
	sb_text_hex(&t, 0xab, 4);
	sb_text_hex(&t, 0x1234, 2);
	sb_text_hex(&t, UINT64_MAX, 16);
	sb_text_hex(&t, 0, 1);
	expect(&t, "00ab34ffffffffffffffff0");
}

static void what_does_not_fit_is_counted(void **state)
{
	(void)state;
	for (size_t cap = 0; cap <= 8; cap++) {
		char *small = malloc(cap + 1); /* ASan sees one byte too many */
		struct sb_text t = sb_text_in(small, cap);

		sb_text_str(&t, "abc");
		sb_text_str(&t, "defgh");
		assert_int_equal(t.n, cap);
		assert_int_equal(t.n + t.lost, 8);
		assert_memory_equal(small, "abcdefgh", cap);
		free(small);
	}
}

static void once_something_is_lost_so_is_all_that_follows(void **state)
{
	struct sb_text t = fresh();

	(void)state;
	t.cap = 6;
	sb_text_str(&t, "abc");
	sb_text_escaped(&t, sb_slice("\x01", 1), false); /* 4 characters, 3 are free */
	sb_text_str(&t, "d");
	sb_text_bytes(&t, sb_slice("e", 1));
	assert_int_equal(t.n, 3);
	assert_int_equal(t.lost, 6);
	assert_string_equal(sb_text_end(&t), "abc");
}

static void end_overwrites_the_last_byte_if_it_must(void **state)
{
	char three[4] = "###";
	struct sb_text t = sb_text_in(three, 3);

	(void)state;
	sb_text_str(&t, "abc");
	assert_string_equal(sb_text_end(&t), "ab");
	assert_int_equal(three[3], 0);
}

static void f134_escaped_bytes_stay_on_one_line(void **state)
{
	struct sb_text t = fresh();

	(void)state;
	sb_text_escaped(&t, sb_slice("\n[fake]\x1b[2J\\ \r\t\0\x7f\xff~", 19), false);
	expect(&t, "\\n[fake]\\x1b[2J\\\\ \\r\\t\\0\\x7f\\xff~");
	t = fresh();
	sb_text_escaped(&t, sb_slice(" a ", 3), true);
	expect(&t, "\\sa\\s");
}

static void a24_every_byte_is_escaped_or_printable(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;
		struct sb_text plain = fresh();
		char other[16];
		struct sb_text json = sb_text_in(other, sizeof(other));

		sb_text_escaped(&plain, sb_slice(&byte, 1), true);
		sb_text_json(&json, sb_slice(&byte, 1));
		assert_in_range(plain.n, 1, 4);
		assert_in_range(json.n, 1, 6);
		for (size_t i = 0; i < plain.n; i++)
			assert_in_range(plain.p[i], '!', '~');
		for (size_t i = 0; i < json.n; i++)
			assert_in_range(json.p[i], ' ', '~');
		assert_true((plain.n > 1) == (c < '!' || c > '~' || c == '\\'));
		assert_true((json.n > 1) == (c < ' ' || c > '~' || c == '\\' || c == '"'));
	}
}

static void json_escapes(void **state)
{
	struct sb_text t = fresh();

	(void)state;
	sb_text_json(&t, sb_slice("say \"\\\n\r\t\0\x1f\x7f\xc3\xa4", 14));
	expect(&t, "say \\\"\\\\\\n\\r\\t\\u0000\\u001f\\u007f\\u00c3\\u00a4");
}

static void a_cut_never_halves_an_escape(void **state)
{
	static const char whole[] = "a\\x01\\\\u\\\\n";

	(void)state;
	for (size_t cap = 1; cap < 12; cap++) {
		struct sb_text t = fresh();

		t.cap = cap;
		sb_text_escaped(&t, sb_slice("a\x01\\u\\n", 6), false);
		assert_memory_equal(t.p, whole, t.n);
		assert_false(t.n == 2 || t.n == 3 || t.n == 4 || t.n == 6 || t.n == 9);
	}
}

static void times_and_sizes(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} times[] = {{0, "0s"},
		     {1, "1ns"},
		     {1500, "1500ns"},
		     {250000, "250us"},
		     {50000000, "50ms"},
		     {3000000000, "3s"},
		     {90000000000, "90s"},
		     {600000000000, "10m"},
		     {3600000000000, "60m"}};
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {{0, "0"},
		     {1, "1"},
		     {1000, "1000"},
		     {1024, "1k"},
		     {1025, "1025"},
		     {65536, "64k"},
		     {1048576, "1M"},
		     {1049600, "1025k"},
		     {UINT64_C(1) << 30, "1024M"},
		     {UINT64_MAX, "18446744073709551615"}};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct sb_text t = fresh();

		sb_text_time(&t, times[i].ns);
		expect(&t, times[i].text);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sb_text t = fresh();

		sb_text_size(&t, sizes[i].bytes);
		expect(&t, sizes[i].text);
	}
}

static void times_and_sizes_read_back_as_they_were(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 2000; i++) {
		uint64_t v = sb_rng_at(1, i) >> sb_rng_at(2, i) % 64, back;
		struct sb_text t = fresh();

		sb_text_size(&t, v);
		assert_int_equal(sb_parse_size(sb_slice(t.p, t.n), &back), 0);
		assert_int_equal(back, v);
		t = fresh();
		sb_text_time(&t, v - v % 1000);
		assert_int_equal(sb_parse_time(sb_slice(t.p, t.n), &back), 0);
		assert_int_equal(back, v - v % 1000);
	}
}

static void columns_and_wrapping(void **state)
{
	struct sb_text t = fresh();

	(void)state;
	sb_text_column(&t, 2);
	sb_text_str(&t, "ab");
	sb_text_column(&t, 6);
	sb_text_wrapped(&t, sb_slice_cstr("one two three supercalifragilistic x"), 6, 14);
	sb_text_char(&t, '\n');
	sb_text_str(&t, "too-wide");
	sb_text_column(&t, 4);
	sb_text_str(&t, "z");
	expect(&t, "  ab  one two\n      three\n      supercalifragilistic\n      x\ntoo-wide z");
}

static void columns_in_a_full_text_end(void **state)
{
	struct sb_text t = fresh();

	(void)state;
	t.cap = 3;
	sb_text_str(&t, "ab");
	sb_text_column(&t, 100);
	sb_text_wrapped(&t, sb_slice_cstr("one two"), 10, 20);
	assert_int_equal(t.n, 3);
	assert_true(t.lost > 97);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_follow_each_other),
		cmocka_unit_test(numbers_at_their_ends),
		cmocka_unit_test(hex_has_the_digits_asked_for),
		cmocka_unit_test(what_does_not_fit_is_counted),
		cmocka_unit_test(once_something_is_lost_so_is_all_that_follows),
		cmocka_unit_test(end_overwrites_the_last_byte_if_it_must),
		cmocka_unit_test(f134_escaped_bytes_stay_on_one_line),
		cmocka_unit_test(a24_every_byte_is_escaped_or_printable),
		cmocka_unit_test(json_escapes),
		cmocka_unit_test(a_cut_never_halves_an_escape),
		cmocka_unit_test(times_and_sizes),
		cmocka_unit_test(times_and_sizes_read_back_as_they_were),
		cmocka_unit_test(columns_and_wrapping),
		cmocka_unit_test(columns_in_a_full_text_end),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
