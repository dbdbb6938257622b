/* SPDX-License-Identifier: MIT
 *
 * fuzz/streambed_fuzz.h, without an engine: broken parsers are caught by a handful of inputs, correct ones are not, and
 * what is said names the cut. One target that stands for several parsers.
 */
#include "../../fuzz/streambed_fuzz.h"

#include "codec_kit.h"

struct parser {
	void (*init)(void);
	int (*feed)(const unsigned char *p, size_t n);
	int (*finish)(void);
	int takes_empty;
};

static const struct parser *parser;

#define SBF_INIT() parser->init()
#define SBF_FEED(p, n) parser->feed(p, n)
#define SBF_FINISH() parser->finish()
#define SBF_EMPTY parser->takes_empty
#include "../../fuzz/streambed_fuzz.h"

static char line[16];
static size_t line_n, fed, empties;
static int is_after_cr;

static void init(void)
{
	line_n = fed = 0;
	is_after_cr = 0;
}

static int finish(void)
{
	return line_n ? -2 : 0;
}

/* ---- lines ended by CR LF: broken, in 20 lines, and right ---- */

static int feed_broken(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n') {
			sbf_event("line", line, line_n);
			line_n = 0;
			i++;
		} else if (line_n == sizeof(line)) {
			return -1;
		} else {
			line[line_n++] = (char)p[i];
		}
	}
	return 0;
}

static int feed_right(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++, fed++) {
		if (is_after_cr != (p[i] == '\n') || (p[i] != '\n' && p[i] != '\r' && line_n == sizeof(line))) {
			sbf_number("wrong byte", (long long)fed);
			return -1;
		}
		is_after_cr = p[i] == '\r';
		if (p[i] == '\n') {
			sbf_event("line", line, line_n);
			line_n = 0;
		} else if (p[i] != '\r') {
			line[line_n++] = (char)p[i];
		}
	}
	return 0;
}

static const struct parser broken = {init, feed_broken, finish, 0}, right = {init, feed_right, finish, 1};

static int check(const struct parser *which, const char *bytes)
{
	parser = which;
	return sbf_check_thoroughly((const unsigned char *)bytes, strlen(bytes));
}

static const char *const corpus[] = {
	"", "\r\n", "PING\r\nPONG\r\n", "a\r\n\r\nbc\r", "a\rb\n", "0123456789abcdef\r\nx", "0123456789abcdefg"};

static void a_broken_parser_is_caught(void **state)
{
	(void)state;
	assert_int_equal(check(&broken, "PING\r\nPONG\r\n"), 1);
	assert_string_equal(sbf_found, "FOUND split≠whole at cut 5: whole = line \"PING\"; "
				       "cut = line \"PING\\x0d\\x0aPONG\" (event 1)");
	assert_int_equal(check(&broken, "\r\n"), 1);
	assert_string_equal(sbf_found, "FOUND split≠whole at cut 1: whole = line \"\"; cut = end \"-2\" (event 1)");
}

static void a_correct_parser_is_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++)
		if (check(&right, corpus[i]))
			fail_msg("input %zu: %s", i, sbf_found);
}

/* ---- bodies in pieces ---- */

static int feed_as_bytes(const unsigned char *p, size_t n)
{
	sbf_bytes("body", p, n);
	return 0;
}

static int feed_as_events(const unsigned char *p, size_t n)
{
	sbf_event("body", p, n);
	return 0;
}

static int feed_two_kinds(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++, fed++)
		sbf_bytes(fed % 8 < 4 ? "one" : "other", p + i, 1);
	sbf_bytes("nothing", p, 0);
	return 0;
}

static void adjacent_bytes_join(void **state)
{
	static const struct parser bytes = {init, feed_as_bytes, finish, 1}, events = {init, feed_as_events, finish, 0},
				   kinds = {init, feed_two_kinds, finish, 1};

	(void)state;
	assert_int_equal(check(&bytes, "a body in pieces"), 0);
	assert_int_equal(check(&events, "a body in pieces"), 1);
	assert_int_equal(check(&kinds, "a body in pieces"), 0);
	sbf_run(&sbf_logs[0], (const unsigned char *)"0123456789", 10, &(struct sbf_plan){NULL, 0, 0});
	assert_int_equal(sbf_logs[0].items_n, 4); /* one, other, one, and the end */
	assert_int_equal(sbf_logs[0].items[1].n, 4);
}

/* ---- the other ways to be wrong ---- */

static void init_nothing(void)
{
}

static int feed_code_of_piece(const unsigned char *p, size_t n)
{
	return memchr(p, '!', n) ? -(int)n : 0;
}

static int feed_offset_in_piece(const unsigned char *p, size_t n)
{
	const unsigned char *at = memchr(p, '!', n);

	if (at)
		sbf_number("at", at - p);
	return 0;
}

static int feed_count_empties(const unsigned char *p, size_t n)
{
	(void)p;
	empties += n == 0;
	return 0;
}

static void all_that_is_reported_is_compared(void **state)
{
	static const struct parser leftover = {init_nothing, feed_right, finish, 0},
				   code = {init, feed_code_of_piece, finish, 0},
				   offset = {init, feed_offset_in_piece, finish, 0};

	(void)state;
	init();
	assert_int_equal(check(&leftover, "ab\r\ncd"), 1);
	assert_string_equal(sbf_found, "FOUND whole≠whole: the same input, run again after init: whole = line \"ab\"; "
				       "again = line \"cdab\" (event 1)");
	assert_int_equal(check(&code, "abc!"), 1);
	assert_int_equal(check(&code, "abc"), 0);
	assert_int_equal(check(&offset, "abc!"), 1);
}

static void empty_pieces_come_when_asked_for(void **state)
{
	struct parser p = {init, feed_count_empties, finish, 0};

	(void)state;
	empties = 0;
	assert_int_equal(check(&p, "abc"), 0);
	assert_int_equal(empties, 0);
	p.takes_empty = 1;
	assert_int_equal(check(&p, "abc"), 0);
	assert_true(empties > 0);
}

/* ---- ours ---- */

static struct sb_decoder decoder;
static uint8_t held[64 + SB_FRAME_OVERHEAD_MAX];

static void init_ours(void)
{
	struct sb_framing f = framing("netstring", 64);

	assert_int_equal(sb_decoder_setup(&decoder, &f, held, sizeof(held)), 0);
}

static int feed_ours(const unsigned char *p, size_t n)
{
	struct sb_slice in = sb_slice(p, n);
	struct sb_frame frame;
	int r;

	while ((r = sb_decoder_next(&decoder, &in, &frame, 1)) > 0)
		sbf_event("frame", frame.p, frame.n);
	if (r < 0)
		sbf_number("offset", (long long)sb_decoder_offset(&decoder));
	return r;
}

static int finish_ours(void)
{
	return sb_decoder_end(&decoder);
}

static void our_decoder_is_not_caught(void **state)
{
	static const struct parser ours = {init_ours, feed_ours, finish_ours, 1};

	(void)state;
	assert_int_equal(check(&ours, "12:hello world!,0:,3:abc,"), 0);
	assert_int_equal(check(&ours, "3:abc,12:hello"), 0);
	assert_int_equal(check(&ours, "3:abc,03:abc,"), 0);
	assert_int_equal(check(&ours, "3:abc;"), 0);
}

/* ---- the replay ---- */

static int replay(const char *bytes)
{
	char path[] = "/tmp/fuzz_kit_XXXXXX", name[] = "replay";
	char *argv[] = {name, path, NULL};
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	close(fd);
	r = sbf_main(2, argv);
	unlink(path);
	return r;
}

static void files_are_replayed_without_an_engine(void **state)
{
	char name[] = "replay", folder[] = "/tmp", nowhere[] = "/tmp/fuzz_kit/nowhere";

	(void)state;
	parser = &broken;
	assert_int_equal(replay("PING\r\nPONG\r\n"), 1);
	assert_int_equal(replay("PING"), 0);
	parser = &right;
	assert_int_equal(replay("PING\r\nPONG\r\n"), 0);
	assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)"PING\r\n", 6), 0);
	assert_int_equal(sbf_main(1, (char *[]){name, NULL}), 2);
	assert_int_equal(sbf_main(2, (char *[]){name, folder, NULL}), 2);
	assert_int_equal(sbf_main(2, (char *[]){name, nowhere, NULL}), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broken_parser_is_caught),
		cmocka_unit_test(a_correct_parser_is_not),
		cmocka_unit_test(adjacent_bytes_join),
		cmocka_unit_test(all_that_is_reported_is_compared),
		cmocka_unit_test(empty_pieces_come_when_asked_for),
		cmocka_unit_test(our_decoder_is_not_caught),
		cmocka_unit_test(files_are_replayed_without_an_engine),
	};

	return cmocka_run_group_tests_name("fuzz kit", tests, NULL, NULL);
}
