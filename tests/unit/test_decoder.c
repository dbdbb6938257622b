/* SPDX-License-Identifier: MIT
 * The decoder's own promises: what is a view and what is held, what is left of the input, and how it ends. */
#include "codec_kit.h"

#include "base/rng.h"

static uint8_t mem[2 * SB_FRAME_MAX];

static struct sb_decoder decoder(const char *value, uint32_t max)
{
	struct sb_framing f = framing(value, max);
	struct sb_decoder d;

	assert_int_equal(sb_decoder_setup(&d, &f, mem, sb_decoder_hold_size(&f)), 0);
	return d;
}

static bool within(const void *p, const void *from, size_t n)
{
	return (uintptr_t)p >= (uintptr_t)from && (uintptr_t)p < (uintptr_t)from + n;
}

static bool frame_is(const struct sb_frame *f, const char *text)
{
	return sb_slice_is(sb_slice(f->p, f->n), text);
}

static void hold_that_is_too_small(void **state)
{
	struct sb_framing f = framing("u32be", 100), raw = framing("raw", 100);
	struct sb_decoder d;
	size_t n = sb_decoder_hold_size(&f);

	(void)state;
	assert_true(n >= 104 && n <= 100 + SB_FRAME_OVERHEAD_MAX);
	assert_int_equal(sb_decoder_setup(&d, &f, mem, n - 1), SB_E_NO_SPACE);
	assert_int_equal(sb_decoder_setup(&d, &f, mem, n), 0);
	assert_int_equal(sb_decoder_hold_size(&raw), 0);
	assert_int_equal(sb_decoder_setup(&d, &raw, NULL, 0), 0);
}

static void whole_frames_are_views_of_the_input(void **state)
{
	static const char *values[] = {"line", "crlf", "delim:0d0a", "u8", "netstring", "chunked", "sse"};
	static const char *streams[] = {"ab\r\ncd\r\n", "ab\r\ncd\r\n",           "ab\r\ncd\r\n", "\2ab\2cd",
					"2:ab,2:cd,",   "2\r\nab\r\n2\r\ncd\r\n", "ab\n\ncd\r\r"};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct sb_decoder d = decoder(values[i], 100);
		struct sb_slice all = sb_slice_cstr(streams[i]), in = all;
		struct sb_frame out[4];

		assert_int_equal(sb_decoder_next(&d, &in, out, 4), 2);
		assert_true(frame_is(&out[0], "ab") && within(out[0].p, all.p, all.n));
		assert_true(frame_is(&out[1], "cd") && within(out[1].p, all.p, all.n));
		assert_int_equal(in.n, 0);
		assert_int_equal(sb_decoder_held(&d), 0);
		assert_int_equal(sb_decoder_end(&d), 0);
	}
}

static void only_the_split_frame_is_copied(void **state)
{
	struct sb_decoder d = decoder("u8", 100);
	struct sb_slice in = sb_slice("\3a", 2), rest = sb_slice("bc\2de\4fg", 8);
	struct sb_frame out[4];

	(void)state;
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 0);
	assert_int_equal(sb_decoder_held(&d), 2);
	in = rest;
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 2);
	/* all of this at once: the joined one, one in place, and the beginning of the next, held beside the first */
	assert_true(frame_is(&out[0], "abc") && within(out[0].p, mem, sizeof(mem)));
	assert_true(frame_is(&out[1], "de") && within(out[1].p, rest.p, rest.n));
	assert_int_equal(in.n, 0);
	assert_int_equal(sb_decoder_held(&d), 3);
	assert_int_equal(sb_decoder_offset(&d), 7);
	in = sb_slice("hi", 2);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 1);
	assert_true(frame_is(&out[0], "fghi"));
	assert_int_equal(sb_decoder_held(&d), 0);
}

/* The joined frame fills hold: the beginning of the next has no room beside it, and stays with the caller. */
static void no_room_beside_the_joined_frame(void **state)
{
	struct sb_decoder d = decoder("line", 200);
	struct sb_frame out[4];
	uint8_t bytes[400];
	struct sb_slice in = sb_slice(bytes, 150);

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	bytes[200] = '\n';
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 0);
	in = sb_slice(bytes + 150, 250);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 1);
	assert_int_equal(out[0].n, 200);
	assert_memory_equal(out[0].p, bytes, 200);
	assert_true(in.p == bytes + 201 && in.n == 199);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 0);
	assert_int_equal(in.n, 0);
	assert_int_equal(sb_decoder_held(&d), 199);
	in = sb_slice("y\n", 2);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 1);
	assert_int_equal(out[0].n, 200);
	assert_int_equal(out[0].p[199], 'y');
}

static void the_input_stands_at_the_byte_that_broke_it(void **state)
{
	static const char stream[] = "2:ab,2:cd;,1:x,";
	const uint8_t *p = (const uint8_t *)stream;

	(void)state;
	for (size_t cut = 0; cut < 9; cut++) {
		struct sb_decoder d = decoder("netstring", 100);
		struct sb_slice in = sb_slice(p, cut);
		struct sb_frame out[4];
		int frames = 0, r = 0;

		while (in.n > 0 && (r = sb_decoder_next(&d, &in, out, 4)) > 0)
			frames += r;
		assert_int_equal(r < 0 ? r : 0, 0);
		in = sb_slice(p + cut, sizeof(stream) - 1 - cut);
		while ((r = sb_decoder_next(&d, &in, out, 4)) > 0)
			frames += r;
		assert_int_equal(frames, 1);
		assert_int_equal(r, SB_E_BAD_DELIMITER);
		assert_true(in.p == p + 9);
		assert_int_equal(sb_decoder_offset(&d), 9);
		assert_int_equal(sb_decoder_held(&d), 0);
	}
}

/* The same for framings that have the decoder compiled for themselves, and for every cut. */
static void the_input_stands_at_the_byte_that_broke_it_anywhere(void **state)
{
	static const struct {
		const char *value, *bytes;
		size_t n, broken_at;
		int frames;
	} rows[] = {{"line", "ab\ncd\r\nabcdefgh\nx", 17, 11, 2},
		    {"line", "ab\ncd\r\nabcd\rfgh\nx", 17, 12, 2},
		    {"u32be", "\0\0\0\2ab\0\0\0\1c\0\0\1\0xyz", 18, 13, 2},
		    {"u16le", "\2\0ab\1\0c\3\1xyz", 12, 8, 2}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t cut = 0; cut <= rows[i].broken_at; cut++) {
			const uint8_t *p = (const uint8_t *)rows[i].bytes;
			struct sb_decoder d = decoder(rows[i].value, 4);
			struct sb_slice in = sb_slice(p, cut);
			struct sb_frame out[4];
			int frames = 0, r;

			while ((r = sb_decoder_next(&d, &in, out, 4)) > 0)
				frames += r;
			assert_true(r == 0 && in.n == 0);
			in = sb_slice(p + cut, rows[i].n - cut);
			while ((r = sb_decoder_next(&d, &in, out, 1 + (int)(cut % 4))) > 0)
				frames += r;
			assert_int_equal(frames, rows[i].frames);
			assert_true(r < 0 && in.p == p + rows[i].broken_at);
			assert_int_equal(sb_decoder_offset(&d), rows[i].broken_at);
			assert_int_equal(sb_decoder_held(&d), 0);
		}
	}
}

static void errors_are_sticky_and_frames_come_first(void **state)
{
	struct sb_decoder d = decoder("u8", 4);
	struct sb_slice in = sb_slice("\1", 1), again;
	struct sb_frame out[4];

	(void)state;
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 0);
	in = sb_slice("a\1b\11\1c", 6);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 2);
	assert_int_equal(sb_decoder_offset(&d), 4);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sb_decoder_next(&d, &in, out, 4), SB_E_TOO_LARGE);
		assert_int_equal(sb_decoder_offset(&d), 4);
		again = sb_slice("\0", 1);
		assert_int_equal(sb_decoder_next(&d, &again, out, 4), SB_E_TOO_LARGE);
		assert_int_equal(again.n, 1);
		assert_int_equal(sb_decoder_end(&d), SB_E_TOO_LARGE);
	}
}

static void the_end(void **state)
{
	struct sb_decoder d = decoder("u8", 4);
	struct sb_slice in = sb_slice("\1a\2b", 4);
	struct sb_frame out[4];

	(void)state;
	assert_int_equal(sb_decoder_end(&d), 0);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 1);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 0);
	assert_int_equal(sb_decoder_end(&d), SB_E_TRUNCATED);
	assert_int_equal(sb_decoder_offset(&d), 4);
	assert_int_equal(sb_decoder_held(&d), 0);
	in = sb_slice("c", 1);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), SB_E_TRUNCATED);
	assert_int_equal(sb_decoder_end(&d), SB_E_TRUNCATED);
}

static void nothing_in_nothing_out(void **state)
{
	struct sb_decoder d = decoder("line", 4);
	struct sb_slice in = sb_slice(NULL, 0);
	struct sb_frame out[1];

	(void)state;
	assert_int_equal(sb_decoder_next(&d, &in, out, 1), 0);
	in = sb_slice("\n", 1);
	assert_int_equal(sb_decoder_next(&d, &in, out, 0), 0);
	assert_int_equal(in.n, 1);
	assert_int_equal(sb_decoder_next(&d, &in, out, 1), 1);
	in = sb_slice(NULL, 0);
	assert_int_equal(sb_decoder_next(&d, &in, out, 1), 0);
}

/* What is held is the bytes of the unfinished frame, no more and no less, after every byte of the largest. */
static void held_is_what_is_unfinished(void **state)
{
	static const struct {
		const char *value, *head, *tail;
		size_t head_n;
	} rows[] = {{"line", "", "\r\n", 0},
		    {"crlf", "", "\r\n", 0},
		    {"delim:01020304", "", "\1\2\3\4", 0},
		    {"u8", "\144", "", 1},
		    {"u32be", "\0\0\0\144", "", 4},
		    {"netstring", "100:", ",", 4},
		    {"chunked", "64\r\n", "\r\n", 4},
		    {"sse", "", "\r\n\r", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_decoder d = decoder(rows[i].value, 100);
		size_t tail_n = strlen(rows[i].tail), n = rows[i].head_n + 100 + tail_n;
		uint8_t bytes[128];
		struct sb_frame out;

		memcpy(bytes, rows[i].head, rows[i].head_n);
		memset(bytes + rows[i].head_n, 'x', 100);
		memcpy(bytes + rows[i].head_n + 100, rows[i].tail, tail_n);
		for (size_t k = 0; k < n; k++) {
			struct sb_slice in = sb_slice(bytes + k, 1);

			assert_int_equal(sb_decoder_next(&d, &in, &out, 1), k + 1 == n);
			assert_int_equal(sb_decoder_held(&d), k + 1 == n ? 0 : k + 1);
			assert_int_equal(sb_decoder_offset(&d), k + 1 == n ? n : 0);
		}
		assert_int_equal(out.n, 100);
	}
}

static void raw_never_holds(void **state)
{
	struct sb_framing f = framing("raw", 100);
	struct sb_slice in = sb_slice("hello", 5);
	struct sb_frame out;
	struct sb_decoder d;

	(void)state;
	assert_int_equal(sb_decoder_setup(&d, &f, NULL, 0), 0);
	assert_int_equal(sb_decoder_next(&d, &in, &out, 1), 1);
	assert_true(frame_is(&out, "hello"));
	assert_int_equal(in.n, 0);
	assert_int_equal(sb_decoder_next(&d, &in, &out, 1), 0);
	assert_int_equal(sb_decoder_held(&d), 0);
	assert_int_equal(sb_decoder_end(&d), 0);
}

/* ---- long streams in random pieces, against the messages they were made from ---- */

enum { MESSAGES = 400 };

static uint8_t stream[MESSAGES * 400];

/* The size of message i: many short ones, some of any size, some at max. Its byte k is 'a' + (i + k) % 26. */
static size_t size_of(uint64_t seed, size_t i, size_t max)
{
	uint64_t r = sb_rng_at(seed, i);

	if (r % 5 == 0)
		return max - (r >> 8) % 3;
	return (size_t)((r >> 8) % (r % 5 == 1 ? max : 20));
}

static size_t make_stream(const struct sb_framing *f, uint64_t seed)
{
	uint8_t body[256];
	struct sb_wrap wrap;
	size_t at = 0;

	for (size_t i = 0; i < MESSAGES; i++) {
		size_t n = size_of(seed, i, f->max);

		for (size_t k = 0; k < n; k++)
			body[k] = (uint8_t)('a' + (i + k) % 26);
		assert_int_equal(sb_framing_encode(f, sb_slice(body, n), &wrap), 0);
		memcpy(stream + at, wrap.head, wrap.head_n);
		memcpy(stream + at + wrap.head_n, body, n);
		memcpy(stream + at + wrap.head_n + n, wrap.tail, wrap.tail_n);
		at += wrap.head_n + n + wrap.tail_n;
		assert_true(at < sizeof(stream));
	}
	return at;
}

/* Feeds n bytes in pieces of up to most bytes. Every message must come, in order, before the next call. */
static void feed_random(const struct sb_framing *f, size_t n, uint64_t seed, size_t most)
{
	struct sb_decoder d;
	struct sb_frame out[8];
	uint8_t *hold = malloc(sb_decoder_hold_size(f)); /* exactly so much, for a sanitizer to see one byte more */
	size_t at = 0, frames = 0;
	uint64_t turn = 0;

	assert_int_equal(sb_decoder_setup(&d, f, hold, sb_decoder_hold_size(f)), 0);
	while (at < n) {
		size_t some = 1 + sb_rng_at(seed, turn++) % most;
		struct sb_slice in = sb_slice(stream + at, some < n - at ? some : n - at), piece;
		int r;

		in = most > 1000 ? guarded(in.p, in.n) : in; /* thousands of mappings are slow */
		piece = in;
		while ((r = sb_decoder_next(&d, &in, out, 1 + (int)(turn % 8))) > 0) {
			for (int i = 0; i < r; i++, frames++)
				for (uint32_t k = 0; k < out[i].n; k++)
					assert_int_equal(out[i].p[k], 'a' + (frames + k) % 26);
			turn++;
		}
		assert_int_equal(r, 0);
		at += piece.n;
		if (most > 1000)
			unguard(piece);
	}
	assert_int_equal(frames, MESSAGES);
	assert_int_equal(sb_decoder_offset(&d), n);
	assert_int_equal(sb_decoder_end(&d), 0);
	free(hold);
}

/* The frame begun beside a joined one turns out too large for that place: it is moved to the front. */
static void a_large_frame_begun_beside_a_joined_one(void **state)
{
	struct sb_framing f = framing("u8", 200);
	uint8_t *hold = malloc(sb_decoder_hold_size(&f));
	uint8_t bytes[1 + 150 + 1 + 200];
	struct sb_slice in = sb_slice(bytes, 100);
	struct sb_frame out[4];
	struct sb_decoder d;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i & 0xff);
	bytes[0] = 150;
	bytes[151] = 200;
	assert_int_equal(sb_decoder_setup(&d, &f, hold, sb_decoder_hold_size(&f)), 0);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 0);
	in = sb_slice(bytes + 100, 151);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 1);
	assert_memory_equal(out[0].p, bytes + 1, 150);
	assert_int_equal(sb_decoder_held(&d), 100);
	in = sb_slice(bytes + 251, 101);
	assert_int_equal(sb_decoder_next(&d, &in, out, 4), 1);
	assert_memory_equal(out[0].p, bytes + 152, 200);
	free(hold);
}

static void long_streams_in_random_pieces(void **state)
{
	static const char *values[] = {"line",           "crlf",  "delim:0a0d0a0a", "u8",
				       "u16le",          "u32be", "varint",         "netstring",
				       "chunked",        "sse",   "len:1,4,be,0,5", "len:0,4,be,-4,4",
				       "len:0,8,le,-8,8"};
	static const size_t most[] = {1, 3, 40, 90, 300, 1460};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct sb_framing f = framing(values[i], 250);
		size_t n = make_stream(&f, i);

		for (size_t k = 0; k < sizeof(most) / sizeof(most[0]); k++)
			for (uint64_t seed = 0; seed < 4; seed++)
				feed_random(&f, n, seed, most[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hold_that_is_too_small),
		cmocka_unit_test(whole_frames_are_views_of_the_input),
		cmocka_unit_test(only_the_split_frame_is_copied),
		cmocka_unit_test(no_room_beside_the_joined_frame),
		cmocka_unit_test(the_input_stands_at_the_byte_that_broke_it),
		cmocka_unit_test(the_input_stands_at_the_byte_that_broke_it_anywhere),
		cmocka_unit_test(errors_are_sticky_and_frames_come_first),
		cmocka_unit_test(the_end),
		cmocka_unit_test(nothing_in_nothing_out),
		cmocka_unit_test(held_is_what_is_unfinished),
		cmocka_unit_test(raw_never_holds),
		cmocka_unit_test(a_large_frame_begun_beside_a_joined_one),
		cmocka_unit_test(long_streams_in_random_pieces),
	};

	return cmocka_run_group_tests_name("decoder", tests, NULL, NULL);
}
