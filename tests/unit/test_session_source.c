/* SPDX-License-Identifier: MIT
 *
 * core/session.h with SOURCE and CHARGEN: what a peer reads is the stream byte for byte, however little it takes
 * at a time, and nothing is held for it. What the stream is, is written down here once more, byte by byte.
 */
#include "drive.h"

struct row {
	const char *line;
	const char *head; /* of each message */
	size_t head_n;
	const char *pattern; /* chargen, zero, random, or the text */
	size_t len, count;
	const char *tail;
};

static const struct row rows[] = {
	{"SOURCE", "", 0, "chargen", 1024, 1, ""},
	{"SOURCE len=5 count=200", "", 0, "chargen", 5, 200, ""},
	{"SOURCE len=1 count=3 pattern=zero", "", 0, "zero", 1, 3, ""},
	{"SOURCE len=100 count=7 pattern=random seed=5", "", 0, "random", 100, 7, ""},
	{"SOURCE len=7 count=3 pattern=abc", "", 0, "abc", 7, 3, ""},
	{"SOURCE len=7 count=3 pattern=a\\sb\\n", "", 0, "a b\n", 7, 3, ""},
	{"SOURCE len=0 count=9 frame=u16be", "\0\0", 2, "zero", 0, 9, ""},
	{"SOURCE len=300 count=50 frame=u16be", "\x01\x2c", 2, "chargen", 300, 50, ""},
	{"SOURCE len=300 count=50 frame=u32le", "\x2c\x01\0\0", 4, "chargen", 300, 50, ""},
	{"SOURCE len=300 count=50 frame=varint", "\xac\x02", 2, "chargen", 300, 50, ""},
	{"SOURCE len=11 count=100 frame=netstring pattern=zero", "11:", 3, "zero", 11, 100, ","},
	{"SOURCE len=94 count=99 frame=line", "", 0, "chargen", 94, 99, "\n"},
	{"SOURCE len=3 count=99 frame=crlf", "", 0, "chargen", 3, 99, "\r\n"},
	{"SOURCE len=4 count=99 frame=delim:00ff", "", 0, "chargen", 4, 99, NULL}, /* a NUL and 0xff */
	{"SOURCE file=f", "", 0, "bytes of a file\n", 16, 1, ""},
	{"SOURCE file=f count=5 close=abrupt", "", 0, "bytes of a file\n", 16, 5, ""},
	{"SOURCE len=65536 count=3 frame=u32be pattern=random seed=1", "\0\1\0\0", 4, "random", 65536, 3, ""},
};

static uint8_t byte_of(const char *pattern, uint64_t seed, size_t len, size_t i, size_t k)
{
	if (strcmp(pattern, "zero") == 0)
		return 0;
	if (strcmp(pattern, "chargen") == 0)
		return (uint8_t)(' ' + (i + k) % 95);
	if (strcmp(pattern, "random") == 0)
		return (uint8_t)(sb_rng_at(seed, (i * len + k) / 8) >> 8 * ((i * len + k) % 8));
	return (uint8_t)pattern[k % strlen(pattern)];
}

/* The whole stream of a row; the caller frees it. */
static uint8_t *stream_of(const struct row *row, uint64_t seed, size_t *n)
{
	const char *tail = row->tail ? row->tail : "\x00\xff";
	size_t tail_n = row->tail ? strlen(tail) : 2;
	uint8_t *bytes = malloc(row->count * (row->head_n + row->len + tail_n)), *at = bytes;

	assert_non_null(bytes);
	for (size_t i = 0; i < row->count; i++) {
		memcpy(at, row->head, row->head_n);
		at += row->head_n;
		for (size_t k = 0; k < row->len; k++)
			*at++ = byte_of(row->pattern, seed, row->len, i, k);
		memcpy(at, tail, tail_n);
		at += tail_n;
	}
	*n = (size_t)(at - bytes);
	return bytes;
}

static void expect_stream(struct drive *d, const struct row *row)
{
	size_t n;
	uint8_t *want = stream_of(row, d->plan.source.seed, &n);

	assert_int_equal(d->out_n, n);
	for (size_t i = 0; i < n; i++)
		if (d->out[i] != want[i])
			fail_msg("%s: byte %zu is %02x, not %02x", row->line, i, d->out[i], want[i]);
	free(want);
}

/* Windows that open a little, sends that are cut: until it is done. */
static void read_it_all(struct drive *d, struct dice *dice)
{
	while (d->s.state == SB_STATE_RUN && d->closed == 0) {
		d->room = dice ? roll(dice, 30000) : UINT64_MAX;
		assert_int_equal(sb_session_held(&d->s).n, 0);
		assert_true(d->is_sending);
		drive_pump(d);
	}
	d->room = UINT64_MAX;
	drive_pump(d);
}

static void exact_bytes_through_random_short_sends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint64_t seed = 0; seed < 12; seed++) {
			struct dice dice = {.seed = seed};
			struct drive d;

			drive_init(&d, rows[i].line, seed % 2);
			d.dice = seed % 3 ? &dice : NULL;
			d.take = seed % 3 == 0 && rows[i].len < 10000 ? 1 : 0; /* g115 */
			d.room = 0;
			drive_open(&d);
			read_it_all(&d, seed % 3 ? &dice : NULL);
			assert_int_equal(d.s.reason, SB_WHY_DONE);
			expect_stream(&d, &rows[i]);
			drive_fin(&d);
			drive_end(&d);
		}
	}
}

/* RFC 864 shows 72 of the 95 characters a line, each line one further. */
static void chargen_is_that_of_the_rfc(void **state)
{
	struct drive d;
	struct dice dice = {.seed = 864};

	(void)state;
	drive_init(&d, "CHARGEN", false);
	d.dice = &dice;
	d.room = 74 * 200 + 10;
	drive_open(&d);
	assert_int_equal(d.out_n, 74 * 200 + 10);
	for (size_t i = 0; i < d.out_n; i++) {
		size_t line = i / 74, at = i % 74;

		assert_int_equal(d.out[i], at == 72 ? '\r' : at == 73 ? '\n' : (int)(' ' + (line + at) % 95));
	}
	assert_memory_equal(d.out, " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n!\"",
			    76);
	sb_session_kill(&d.s, SB_WHY_KILLED, SB_CLOSE_RESET);
	drive_run(&d);
	drive_end(&d);
}

/* Without an end of its own it ends at the limit; a SOURCE of just that size is done. */
static void bytes_limit_or_done(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "CHARGEN", false);
	d.limits.v[SB_LIMIT_BYTES] = 100001;
	d.take = 777;
	drive_open(&d);
	assert_int_equal(d.out_n, 100001);
	assert_int_equal(d.s.reason, SB_WHY_BYTES);
	drive_fin(&d);
	drive_end(&d);

	drive_init(&d, "SOURCE len=10 count=10", false);
	d.limits.v[SB_LIMIT_BYTES] = 100;
	drive_open(&d);
	assert_int_equal(d.out_n, 100);
	drive_expect(&d, "SFR", SB_WHY_DONE);
	drive_fin(&d);
	drive_end(&d);
}

static void the_peers_fin_does_not_stop_it(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "SOURCE len=100 count=2", false);
	d.room = 50;
	drive_open(&d);
	drive_expect(&d, "SSR", SB_WHY_NONE);
	drive_fin(&d);
	drive_expect(&d, "SSR", SB_WHY_NONE);
	d.room = 1000;
	drive_pump(&d);
	drive_expect(&d, "SSRSC", SB_WHY_DONE); /* both sides are closed: there is nothing to drain */
	assert_int_equal(d.out_n, 200);
	drive_end(&d);
}

static void what_the_peer_says_is_dropped_and_counted(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "SOURCE len=100 count=2 recv=3", false);
	d.room = 50;
	drive_open(&d);
	drive_text(&d, "GET / HTTP/1.0");
	assert_int_equal(d.s.dropped, 14);
	assert_int_equal(d.s.frames, 0);
	d.room = 1000;
	drive_pump(&d);
	assert_int_equal(d.s.reason, SB_WHY_DONE);
	drive_text(&d, "x");
	drive_fin(&d);
	assert_int_equal(d.s.dropped, 15);
	assert_int_equal(d.out_n, 200);
	drive_end(&d);
}

/* A stop ends it after what the kernel has; with a SEND outstanding, after that. */
static void a_stop_ends_it_between_two_bytes(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "CHARGEN", false);
	d.room = 12345;
	drive_open(&d);
	sb_session_finish(&d.s, SB_WHY_STOP, d.now);
	drive_run(&d);
	assert_null(strchr(d.ops, 'F')); /* the SEND is still out */
	d.room = 1000;
	drive_pump(&d);
	assert_int_equal(d.fins, 1);
	assert_int_equal(d.out_n, 12345);
	drive_fin(&d);
	assert_int_equal(d.s.reason, SB_WHY_STOP);
	drive_end(&d);
}

static void a_reset_ends_it(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d, "CHARGEN", false);
	d.room = 99;
	drive_open(&d);
	drive_fail(&d, -ECONNRESET); /* the RECV says it */
	assert_int_equal(d.s.reason, SB_WHY_RESET);
	assert_int_equal(d.ops[d.ops_n - 1], 'C');
	assert_int_equal(d.s.leg.out, 99);
	drive_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_bytes_through_random_short_sends),
		cmocka_unit_test(chargen_is_that_of_the_rfc),
		cmocka_unit_test(bytes_limit_or_done),
		cmocka_unit_test(the_peers_fin_does_not_stop_it),
		cmocka_unit_test(what_the_peer_says_is_dropped_and_counted),
		cmocka_unit_test(a_stop_ends_it_between_two_bytes),
		cmocka_unit_test(a_reset_ends_it),
	};

	return cmocka_run_group_tests_name("session_source", tests, NULL, NULL);
}
