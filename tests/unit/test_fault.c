/* SPDX-License-Identifier: MIT
 * base/fault.h, the names and texts of errors, and base/nearest.h: what somebody reads when something is wrong. */
#include "check.h"

#include <errno.h>

#include "base/fault.h"
#include "base/nearest.h"

/* ---- errors ---- */

static void our_errors_have_the_names_of_the_map(void **state)
{
#define ROW(name, code, text) {#name, code, text},
	static const struct {
		const char *name;
		int code;
		const char *text;
	} rows[] = {SB_ERROR_MAP(ROW)};
#undef ROW
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = sb_errname(rows[i].code);

		assert_int_equal(strlen(name), strlen(rows[i].name));
		for (size_t k = 0; name[k]; k++)
			assert_int_equal(name[k], rows[i].name[k] == '_' ? '-' : rows[i].name[k] + ('a' - 'A'));
		assert_string_equal(sb_strerror(rows[i].code), rows[i].text);
	}
	assert_string_equal(sb_errname(SB_E_TOO_LARGE), "too-large");
	assert_string_equal(sb_errname(SB_E_BAD_DELIMITER), "bad-delimiter");
	assert_string_equal(sb_errname(SB_E_LIMIT), "limit");
}

static void kernel_errors_have_their_own_names(void **state)
{
	static const struct {
		int err;
		const char *name;
	} rows[] = {{EPERM, "EPERM"},         {EAGAIN, "EAGAIN"},       {EMFILE, "EMFILE"},
		    {ENFILE, "ENFILE"},       {EPIPE, "EPIPE"},         {ECONNRESET, "ECONNRESET"},
		    {ENOBUFS, "ENOBUFS"},     {ENOMEM, "ENOMEM"},       {EADDRINUSE, "EADDRINUSE"},
		    {ECANCELED, "ECANCELED"}, {ETIMEDOUT, "ETIMEDOUT"}, {ENOPROTOOPT, "ENOPROTOOPT"},
		    {EINTR, "EINTR"},         {ENOTSOCK, "ENOTSOCK"},   {EADDRNOTAVAIL, "EADDRNOTAVAIL"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(sb_errname(-rows[i].err), rows[i].name);
		assert_true(strlen(sb_strerror(-rows[i].err)) > 3);
	}
}

static void no_number_is_without_a_name(void **state)
{
	(void)state;
	for (int err = -6000; err <= 1; err++) {
		assert_non_null(sb_errname(err));
		assert_non_null(sb_strerror(err));
	}
	assert_string_equal(sb_errname(INT32_MIN), "unknown-error");
	assert_string_equal(sb_strerror(INT32_MIN), "an error without a name");
	assert_string_equal(sb_errname(0), "no-error");
	assert_string_equal(sb_strerror(7), "no error");
}

/* ---- faults ---- */

static void a_fault_returns_its_code_and_says_where(void **state)
{
	struct sb_fault fault = {0};

	(void)state;
	assert_int_equal(sb_fault_set(&fault, SB_E_RANGE, 31, "max is 1 to %d", 7), SB_E_RANGE);
	assert_int_equal(fault.code, SB_E_RANGE);
	assert_int_equal(fault.col, 31);
	assert_string_equal(fault.text, "max is 1 to 7");
}

static void nobody_has_to_listen(void **state)
{
	(void)state;
	assert_int_equal(sb_fault_set(NULL, SB_E_TYPE, 1, "%s", "x"), SB_E_TYPE);
}

static void f134_words_of_peers_are_escaped(void **state)
{
	struct sb_fault fault;
	struct sb_slice word = sb_slice("a\x1b[2J\n\xff\x7f\\x", 11);

	(void)state;
	sb_fault_set(&fault, SB_E_UNKNOWN, 1, "unknown \"%.*s\"!", SB_FAULT_WORD(word));
	assert_string_equal(fault.text, "unknown \"a\\x1b[2J\\n\\xff\\x7f\\x\"!");
}

static void a_word_is_cut_at_40_bytes(void **state)
{
	struct sb_fault fault;
	char big[64];

	(void)state;
	memset(big, 'w', sizeof(big));
	sb_fault_set(&fault, SB_E_UNKNOWN, 1, "%.*s", SB_FAULT_WORD(sb_slice(big, sizeof(big))));
	assert_int_equal(strlen(fault.text), 40);
	sb_fault_set(&fault, SB_E_UNKNOWN, 1, "<%.*s>", SB_FAULT_WORD(sb_slice(NULL, 0)));
	assert_string_equal(fault.text, "<>");
}

static void what_does_not_fit_is_cut_between_escapes(void **state)
{
	struct sb_fault fault;
	char big[400];

	(void)state;
	for (int extra = 0; extra < 5; extra++) {
		size_t n;

		memset(big, 1, sizeof(big));
		big[sizeof(big) - 1] = '\0';
		memset(big, 'x', (size_t)extra);
		sb_fault_set(&fault, SB_E_SYNTAX, 1, "%s", big);
		n = strlen(fault.text);
		assert_in_range(n, sizeof(fault.text) - 4, sizeof(fault.text) - 1);
		assert_int_equal((n - (size_t)extra) % 4, 0);
	}
}

/* ---- the nearest word ---- */

static const char *word_at(const void *list, size_t i)
{
	return ((const char *const *)list)[i];
}

static const char *nearest(const char *word)
{
	static const char *const words[] = {"frame",  "max",    "recv",        "stopread",
					    "rcvbuf", "sndbuf", "TCP_NODELAY", NULL};

	return sb_nearest(sb_slice_cstr(word), word_at, words);
}

static void f101_the_word_that_was_meant(void **state)
{
	static const struct {
		const char *word, *want;
	} rows[] = {
		{"rcvbuff", "rcvbuf"},          /* one letter too many */
		{"rcvbf", "rcvbuf"},            /* one too few */
		{"rcvbug", "rcvbuf"},           /* another */
		{"rvcbuf", "rcvbuf"},           /* two changed places */
		{"FRAME", "frame"},             /* case */
		{"rcv", "recv"},                /* a quarter of the letters */
		{"mx", "max"},                  /* a third */
		{"tcp_nodelya", "TCP_NODELAY"}, /* both */
		{"stopead", "stopread"},
		{"max", "max"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = nearest(rows[i].word);

		assert_non_null(got);
		assert_string_equal(got, rows[i].want);
	}
}

static void what_is_too_far_is_not_meant(void **state)
{
	char big[100];

	(void)state;
	assert_null(nearest("x"));
	assert_null(nearest("yy"));
	assert_null(nearest("frxyz"));
	assert_null(nearest(""));
	memset(big, 'm', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_null(nearest(big));
	assert_null(nearest("\xff\xfe\xfd"));
}

static void two_swaps_apart_is_two_changes(void **state)
{
	static const char *const one[] = {"abcdef", NULL}, *const two[] = {"abcd", NULL};

	(void)state;
	assert_non_null(sb_nearest(sb_slice_cstr("badcef"), word_at, one)); /* 2 of 6 */
	assert_null(sb_nearest(sb_slice_cstr("badc"), word_at, two));       /* 2 of 4 */
	assert_non_null(sb_nearest(sb_slice_cstr("bacd"), word_at, two));   /* 1 of 4 */
}

static void the_nearer_wins_then_the_first(void **state)
{
	static const char *const words[] = {"sndbux", "sndbuf", "rndbuf", NULL};

	(void)state;
	assert_string_equal(sb_nearest(sb_slice_cstr("sndbuf"), word_at, words), "sndbuf");
	assert_string_equal(sb_nearest(sb_slice_cstr("sndbuy"), word_at, words), "sndbux");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_errors_have_the_names_of_the_map),
		cmocka_unit_test(kernel_errors_have_their_own_names),
		cmocka_unit_test(no_number_is_without_a_name),
		cmocka_unit_test(a_fault_returns_its_code_and_says_where),
		cmocka_unit_test(nobody_has_to_listen),
		cmocka_unit_test(f134_words_of_peers_are_escaped),
		cmocka_unit_test(a_word_is_cut_at_40_bytes),
		cmocka_unit_test(what_does_not_fit_is_cut_between_escapes),
		cmocka_unit_test(f101_the_word_that_was_meant),
		cmocka_unit_test(what_is_too_far_is_not_meant),
		cmocka_unit_test(two_swaps_apart_is_two_changes),
		cmocka_unit_test(the_nearer_wins_then_the_first),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
