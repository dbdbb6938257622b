/* SPDX-License-Identifier: MIT
 *
 * Every framing by its rules: what is a message, what breaks the stream, and at which byte. Each line is run
 * twice, as one piece against a guard page and byte by byte. Numbers in names are those of the list of faults.
 */
#include "codec_kit.h"

static uint8_t big[SB_FRAME_MAX + 256];

/* head, then n times 'x', then tail. */
static struct sb_slice message(struct sb_slice head, size_t n, struct sb_slice tail)
{
	memcpy(big, head.p, head.n);
	memset(big + head.n, 'x', n);
	memcpy(big + head.n + n, tail.p, tail.n);
	return sb_slice(big, head.n + n + tail.n);
}

static void boundary(const char *value, uint32_t max, const void *head, size_t head_n, size_t n, const char *tail,
		     int err, uint64_t offset)
{
	struct sb_slice s = message(sb_slice(head, head_n), n, sb_slice_cstr(tail));
	struct sb_framing f = framing(value, max);
	size_t steps[] = {s.n, 1, 7, 1460};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct sb_decoder d;
		struct sb_frame frame;
		uint8_t *hold = malloc(sb_decoder_hold_size(&f));
		int r = 0, frames = 0;

		assert_int_equal(sb_decoder_setup(&d, &f, hold, sb_decoder_hold_size(&f)), 0);
		for (size_t at = 0; at < s.n && r >= 0; at += steps[i]) {
			struct sb_slice in = sb_slice(s.p + at, s.n - at < steps[i] ? s.n - at : steps[i]);

			while ((r = sb_decoder_next(&d, &in, &frame, 1)) > 0) {
				frames++;
				assert_int_equal(frame.n, n);
				assert_int_equal(frame.wire, s.n);
			}
		}
		assert_int_equal(frames, err == OK);
		assert_int_equal(sb_decoder_end(&d), err);
		assert_int_equal(sb_decoder_offset(&d), offset);
		free(hold);
	}
}

/* ---- by framing ---- */

static void raw(void **state)
{
	struct sb_framing f = framing("raw", 4);
	struct log log;

	(void)state;
	SAYS("raw", 65536, "", 0, OK, 0);
	run(&log, &f, sb_slice("abcdefghij", 10), NULL, 0, true);
	assert_string_equal(log.text, "4 abcd\n4 efgh\n2 ij\n");
	assert_int_equal(log.held, 0);
	assert_int_equal(sb_decoder_hold_size(&f), 0);
}

static void line(void **state)
{
	struct sb_framing f = framing("line", 8);
	struct log log;

	(void)state;
	SAYS("line", 4, "", 0, OK, 0);
	SAYS("line", 4, "\n", 1, OK, 1);
	SAYS("line", 4, "\r\n", 1, OK, 2);
	SAYS("line", 4, "ab", 0, TRUNCATED, 2);
	SAYS("line", 4, "ab\r", 0, TRUNCATED, 3);
	SAYS("line", 4, "abc\n\n", 2, OK, 5);
	SAYS("line", 4, "abcd\n", 1, OK, 5);
	SAYS("line", 4, "abcd\r\n", 1, OK, 6);
	SAYS("line", 4, "abcde\n", 0, LARGE, 4);
	SAYS("line", 4, "abcde", 0, LARGE, 4);
	SAYS("line", 4, "abcd\r", 0, TRUNCATED, 5);
	SAYS("line", 4, "abcd\rx", 0, LARGE, 5);
	SAYS("line", 4, "abcd\r\r\n", 0, LARGE, 5);
	SAYS("line", 4, "abcde\r\n", 0, LARGE, 4);
	SAYS("line", 4, "a\nb\nabcde\nc\n", 2, LARGE, 8);
	SAYS("line", 1, "\r\r\n", 1, OK, 3);
	run(&log, &f, sb_slice("a\r\nb\rc\n\r\r\n\n", 11), NULL, 0, false);
	assert_string_equal(log.text, "3 a\n4 b\\rc\n3 \\r\n1 \n");
}

static void crlf(void **state)
{
	(void)state;
	SAYS("crlf", 4, "", 0, OK, 0);
	SAYS("crlf", 4, "\r\n", 1, OK, 2);
	SAYS("crlf", 4, "abc\r\n\r\n", 2, OK, 7);
	SAYS("crlf", 4, "abcd\r\n", 1, OK, 6);
	SAYS("crlf", 4, "abcde\r\n", 0, LARGE, 4);
	SAYS("crlf", 4, "abcd\n", 0, DELIMITER, 4);
	SAYS("crlf", 4, "ab\n", 0, DELIMITER, 2);
	SAYS("crlf", 4, "\n", 0, DELIMITER, 0);
	SAYS("crlf", 4, "ab\rc", 0, DELIMITER, 3);
	SAYS("crlf", 4, "ab\r\r\n", 0, DELIMITER, 3);
	SAYS("crlf", 4, "abcd\rx", 0, DELIMITER, 5);
	SAYS("crlf", 4, "a\nb\r\n", 0, DELIMITER, 1);
	SAYS("crlf", 4, "ab\r", 0, TRUNCATED, 3);
	SAYS("crlf", 4, "x\r\nab\rc\r\n", 1, DELIMITER, 6);
}

static void delim(void **state)
{
	struct sb_framing f = framing("delim:616162", 8);
	struct log log;

	(void)state;
	SAYS("delim:00", 4, "", 0, OK, 0);
	SAYS("delim:00", 4, "ab\0\0", 2, OK, 4);
	SAYS("delim:00", 4, "abcd\0", 1, OK, 5);
	SAYS("delim:00", 4, "abcde\0", 0, LARGE, 4);
	SAYS("delim:0d0a0d0a", 4, "a\r\n\r\n", 1, OK, 5);
	SAYS("delim:0d0a0d0a", 4, "a\r\n\r", 0, TRUNCATED, 4);
	SAYS("delim:0d0a0d0a", 4, "\r\n\r\r\n\r\n", 1, OK, 7);
	SAYS("delim:0d0a0d0a", 4, "abcd\r\n\r\n", 1, OK, 8);
	SAYS("delim:0d0a0d0a", 4, "abcd\r\n\rx", 0, LARGE, 7);
	SAYS("delim:0d0a0d0a", 4, "ab\r\n\r\r\n\r\n", 0, LARGE, 5);
	SAYS("delim:6161", 4, "aaaa", 2, OK, 4);
	SAYS("delim:0a2e0a", 4, "x\n.\nabcd\n.x\n.\n", 1, LARGE, 10);
	SAYS("delim:000102030405060708090a0b0c0d0e0f", 1,
	     "x\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 2, OK, 33);
	run(&log, &f,
	    sb_slice("aaab"
		     "aab"
		     "abaab",
		     12),
	    NULL, 0, false);
	assert_string_equal(log.text, "4 a\n3 \n5 ab\n");
}

static void fixed(void **state)
{
	(void)state;
	SAYS("fixed:3", 3, "", 0, OK, 0);
	SAYS("fixed:3", 3, "abcdef", 2, OK, 6);
	SAYS("fixed:3", 3, "abcde", 1, TRUNCATED, 5);
	SAYS("fixed:1", 3, "abc", 3, OK, 3);
}

static void len_presets(void **state)
{
	(void)state;
	SAYS("u8", 255, "\2hi\0", 2, OK, 4);
	SAYS("u8", 4, "\4abcd\5abcde", 1, LARGE, 5);
	SAYS("u16be", 300, "\0\2hi", 1, OK, 4);
	SAYS("u16be", 300, "\1\55", 0, LARGE, 1);
	SAYS("u16be", 300, "\2", 0, LARGE, 0);
	SAYS("u16le", 300, "\2\0hi", 1, OK, 4);
	SAYS("u16le", 300, "\55\1", 0, LARGE, 1);
	SAYS("u16le", 4, "\5", 0, LARGE, 0);
	SAYS("u32be", 300, "\0\0\0\2hi\0\0\0\0", 2, OK, 10);
	SAYS("u32le", 300, "\2\0\0\0hi", 1, OK, 6);
	SAYS("u32le", 300, "\0\0\1\0", 0, LARGE, 2);
	SAYS("u32be", 300, "\0\0\0", 0, TRUNCATED, 3);
	SAYS("u32be", 300, "\0\0\0\2h", 0, TRUNCATED, 5);
}

static void len_arithmetic(void **state)
{
	struct sb_framing f = framing("len:1,2,be,-3,3", 8);
	struct log log;

	(void)state;
	/* the value counts its own header */
	SAYS("len:0,2,le,-2,2", 8, "\4\0hi\2\0", 2, OK, 6);
	SAYS("len:0,2,le,-2,2", 8, "\1\0", 0, LENGTH, 0);
	SAYS("len:0,2,le,-2,2", 300, "\1\0", 0, LENGTH, 1);
	SAYS("len:0,2,le,-2,2", 300, "\1\1", 0, TRUNCATED, 2);
	SAYS("len:0,2,le,-2,2", 8, "\13\0", 0, LARGE, 0);
	SAYS("len:0,2,be,-2,2", 8, "\0\1", 0, LENGTH, 1);
	SAYS("len:0,2,be,-2,2", 8, "\0\2\0\12abcdefgh", 2, OK, 12);
	SAYS("len:0,2,be,-2,2", 8, "\0\13", 0, LARGE, 1);
	SAYS("len:0,2,be,-300,2", 8, "\0", 0, LENGTH, 0);
	/* the values that are good end with the width of the field */
	SAYS("len:0,2,le,-65530,2", 65536, "\xf9", 0, LENGTH, 0);
	SAYS("len:0,2,le,-65530,2", 65536, "\xfa\xff\xfb\xff!", 2, OK, 5);
	/* it does not count what follows: 2 bytes of body more than it says */
	SAYS("len:0,1,be,2", 8, "\1abc\0ab", 2, OK, 7);
	SAYS("len:0,1,be,2", 8, "\7", 0, LARGE, 0);
	SAYS("len:0,1,be,2", 8, "\6abcdefgh", 1, OK, 9);
	/* STRIP beyond the header: a frame must be as long */
	SAYS("len:0,1,be,0,3", 8, "\2ab", 1, OK, 3);
	SAYS("len:0,1,be,0,3", 8, "\1", 0, LENGTH, 0);
	SAYS("len:64,1,be,0,65", 8, "0123456789012345678901234567890123456789012345678901234567890123\1x", 1, OK, 66);
	SAYS("len:3,3,le,0", 8, "abc\1\0\0xabc\0\0\1", 1, LARGE, 12);
	SAYS("len:3,3,be,0", 8, "abc\0\0\1xabc\0\1\0", 1, LARGE, 11);
	run(&log, &f, sb_slice("A\0\5hiB\0\3C\0\4!", 12), NULL, 0, false);
	assert_string_equal(log.text, "5 hi\n3 \n4 !\n");
	f = framing("len:1,1,be,0", 8);
	run(&log, &f, sb_slice("\7\2hi", 4), NULL, 0, false);
	assert_string_equal(log.text, "4 \\x07\\x02hi\n");
}

static void varint(void **state)
{
	(void)state;
	SAYS("varint", 300, "", 0, OK, 0);
	SAYS("varint", 300, "\2hi\0", 2, OK, 4);
	SAYS("varint", 300, "\255\2", 0, LARGE, 1);
	SAYS("varint", 127, "\200", 0, LARGE, 0);
	SAYS("varint", 300, "\200\200", 0, LARGE, 1);
	SAYS("varint", 65536, "\200\200\200", 0, LARGE, 2);
	SAYS("varint", 65536, "\201\200\4", 0, LARGE, 2);
	SAYS("varint", 4, "\5", 0, LARGE, 0);
	SAYS("varint", 300, "\2h", 0, TRUNCATED, 2);
}

static void netstring(void **state)
{
	(void)state;
	SAYS("netstring", 12, "12:hello world!,0:,", 2, OK, 19);
	SAYS("netstring", 12, "2:hi;", 0, DELIMITER, 4);
	SAYS("netstring", 12, "2:hi,2:hi3:abc,", 1, DELIMITER, 9);
	SAYS("netstring", 12, "13:", 0, LARGE, 1);
	SAYS("netstring", 12, "2", 0, TRUNCATED, 1);
	SAYS("netstring", 12, "2:", 0, TRUNCATED, 2);
	SAYS("netstring", 12, "2:hi", 0, TRUNCATED, 4);
	SAYS("netstring", 12, ":", 0, LENGTH, 0);
	SAYS("netstring", 12, "1x", 0, LENGTH, 1);
	SAYS("netstring", 12, ",", 0, LENGTH, 0);
}

/* ---- boundaries ---- */

static void max_minus_1_max_max_plus_1(void **state)
{
	static const uint32_t maxes[] = {1, 2, 100, 127, 128, 255, 256, 4096, 65535, 65536};

	(void)state;
	for (size_t i = 0; i < sizeof(maxes) / sizeof(maxes[0]); i++) {
		uint32_t max = maxes[i];

		for (uint32_t n = max - 1; n <= max; n++) {
			boundary("line", max, "", 0, n, "\n", OK, n + 1);
			boundary("line", max, "", 0, n, "\r\n", OK, n + 2);
			boundary("crlf", max, "", 0, n, "\r\n", OK, n + 2);
			boundary("delim:0d0a2e", max, "", 0, n, "\r\n.", OK, n + 3);
		}
		boundary("line", max, "", 0, max + 1, "\n", LARGE, max);
		boundary("line", max, "", 0, max + 1, "\r\n", LARGE, max);
		boundary("crlf", max, "", 0, max + 1, "\r\n", LARGE, max);
		boundary("delim:0d0a2e", max, "", 0, max + 1, "\r\n.", LARGE, max);
	}
}

static void max_of_lengths(void **state)
{
	(void)state;
	boundary("u32be", 65536, "\0\0\xff\xff", 4, 65535, "", OK, 65539);
	boundary("u32be", 65536, "\0\1\0\0", 4, 65536, "", OK, 65540);
	boundary("u32be", 65536, "\0\1\0\1", 4, 9, "", LARGE, 3);
	boundary("u32le", 65536, "\0\0\1\0", 4, 65536, "", OK, 65540);
	boundary("u32le", 65536, "\1\0\1\0", 4, 9, "", LARGE, 2);
	boundary("u16be", 65536, "\xff\xff", 2, 65535, "", OK, 65537);
	boundary("u16be", 65534, "\xff\xff", 2, 9, "", LARGE, 1);
	boundary("u8", 65536, "\xff", 1, 255, "", OK, 256);
	boundary("u8", 254, "\xff", 1, 9, "", LARGE, 0);
	boundary("fixed:65536", 65536, "", 0, 65536, "", OK, 65536);
	boundary("fixed:65536", 65536, "", 0, 65535, "", TRUNCATED, 65535);
	boundary("varint", 65536, "\x80\x80\4", 3, 65536, "", OK, 65539);
	boundary("varint", 65535, "\xff\xff\3", 3, 65535, "", OK, 65538);
	boundary("varint", 65535, "\x80\x80\4", 3, 9, "", LARGE, 2);
	boundary("netstring", 65536, "65536:", 6, 65536, ",", OK, 65543);
	boundary("netstring", 65536, "65537:", 6, 9, ",", LARGE, 4);
	boundary("netstring", 65536, "65536:", 6, 65536, ";", DELIMITER, 65542);
}

/* ---- the list of faults, group A ---- */

static void fault_2_one_byte_of_a_header_then_the_end(void **state)
{
	(void)state;
	SAYS("u16be", 65536, "\0", 0, TRUNCATED, 1);
	SAYS("u32le", 65536, "\1", 0, TRUNCATED, 1);
	SAYS("len:2,8,be,0", 65536, "x", 0, TRUNCATED, 1);
	SAYS("netstring", 65536, "1", 0, TRUNCATED, 1);
	SAYS("varint", 65536, "\x80", 0, TRUNCATED, 1);
}

static void fault_3_length_0(void **state)
{
	(void)state;
	SAYS("u8", 1, "\0", 1, OK, 1);
	SAYS("u32be", 1, "\0\0\0\0", 1, OK, 4);
	SAYS("len:0,8,le,0,8", 1, "\0\0\0\0\0\0\0\0", 1, OK, 8);
	SAYS("varint", 1, "\0", 1, OK, 1);
	SAYS("netstring", 1, "0:,", 1, OK, 3);
}

/* 4 and 5 are max_minus_1_max_max_plus_1 and max_of_lengths: a frame above max is refused before its body. */

static void fault_6_7_8_lengths_that_overflow(void **state)
{
	static const char *u64be[] = {"\x80\0\0\0\0\0\0\0", "\xff\xff\xff\xff\xff\xff\xff\xff",
				      "\xff\xff\xff\xff\xff\xff\xff\xfc", "\x7f\xff\xff\xff\xff\xff\xff\xff"};

	(void)state;
	SAYS("u32be", 65536, "\xff\xff\xff\xff", 0, LARGE, 0);
	SAYS("u32le", 65536, "\xff\xff\xff\xff", 0, LARGE, 2);
	SAYS("u32be", 65536, "\x80\0\0\0", 0, LARGE, 0);
	SAYS("u32le", 65536, "\0\0\0\x80", 0, LARGE, 3);
	SAYS("u32be", 65536, "\x7f\xff\xff\xff", 0, LARGE, 0);
	for (size_t i = 0; i < sizeof(u64be) / sizeof(u64be[0]); i++) {
		says("len:0,8,be,0,8", 65536, u64be[i], 8, 0, LARGE, 0);
		says("len:0,8,be,65536,8", 65536, u64be[i], 8, 0, LARGE, 0);
		says("len:0,8,be,-65536,8", 65536, u64be[i], 8, 0, LARGE, 0);
		says("len:64,8,be,0,72", 65536, u64be[i], 8, 0, TRUNCATED, 8);
	}
	SAYS("len:0,8,le,0", 65536, "\xff\xff\xff\xff\xff\xff\xff\xff", 0, LARGE, 2);
	SAYS("len:0,8,le,0", 65536, "\0\0\0\0\0\0\0\x80", 0, LARGE, 7);
	/* 7 is too small, and 7 + 2^24 too large, as soon as the third byte is 0 */
	SAYS("len:0,8,le,-8", 65536, "\7\0\0\0\0\0\0\0", 0, LENGTH, 2);
	SAYS("varint", 65536, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 0, LARGE, 2);
}

static void fault_9_announced_1_MiB_or_64_KiB_and_sent_10(void **state)
{
	(void)state;
	SAYS("u32be", 65536, "\0\x10\0\0abcdefghij", 0, LARGE, 1);
	SAYS("u32be", 65536, "\0\1\0\0abcdefghij", 0, TRUNCATED, 14);
}

static void fault_10_byte_11_of_10_begins_the_next(void **state)
{
	(void)state;
	SAYS("u8", 20, "\012abcdefghij\1", 1, TRUNCATED, 12);
	SAYS("netstring", 20, "10:abcdefghij,k", 1, LENGTH, 14);
}

/* 15. Counted only: the log would be large. */
static void fault_15_a_million_empty_frames_in_one_buffer(void **state)
{
	static const struct {
		const char *value, *frame;
		size_t n;
	} rows[] = {{"line", "\n", 1},        {"crlf", "\r\n", 2}, {"delim:00", "\0", 1},  {"u8", "\0", 1},
		    {"u32be", "\0\0\0\0", 4}, {"varint", "\0", 1}, {"netstring", "0:,", 3}};
	enum { MANY = 1000000 };
	uint8_t *mem = malloc((size_t)MANY * 4);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_framing f = framing(rows[i].value, 65536);
		struct sb_scan s = {0};
		struct sb_frame out[64];
		size_t at = 0, n = MANY * rows[i].n, frames = 0;
		int r;

		for (size_t k = 0; k < MANY; k++)
			memcpy(mem + k * rows[i].n, rows[i].frame, rows[i].n);
		while ((r = sb_framing_scan(&f, &s, mem + at, n - at, out, 64)) > 0) {
			for (int k = 0; k < r; k++)
				at += out[k].wire;
			frames += (size_t)r;
		}
		assert_int_equal(r, 0);
		assert_int_equal(frames, MANY);
		assert_int_equal(s.base, n);
	}
	free(mem);
}

static void fault_17_any_byte_in_a_payload(void **state)
{
	static const char *values[] = {"u8", "u16le", "u32be", "varint", "netstring", "len:0,4,le,0,4"};
	uint8_t bytes[512], payload[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		payload[i] = (uint8_t)(i == 255 ? '\r' : i);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct sb_framing f = framing(values[i], 255);
		struct sb_scan s = {0};
		struct sb_wrap wrap;
		struct sb_frame out;

		assert_int_equal(sb_framing_encode(&f, sb_slice(payload, 255), &wrap), 0);
		memcpy(bytes, wrap.head, wrap.head_n);
		memcpy(bytes + wrap.head_n, payload, 255);
		memcpy(bytes + wrap.head_n + 255, wrap.tail, wrap.tail_n);
		assert_int_equal(sb_framing_scan(&f, &s, bytes, 255u + wrap.head_n + wrap.tail_n, &out, 1), 1);
		assert_true(sb_slice_eq(sb_slice(out.p, out.n), sb_slice(payload, 255)));
	}
}

static void fault_18_decimal_lengths_that_are_not_plain(void **state)
{
	(void)state;
	SAYS("netstring", 65536, "05:hello,", 0, OVERLONG, 1);
	SAYS("netstring", 65536, "00:,", 0, OVERLONG, 1);
	SAYS("netstring", 65536, "+5:hello,", 0, LENGTH, 0);
	SAYS("netstring", 65536, "-5:hello,", 0, LENGTH, 0);
	SAYS("netstring", 65536, " 5:hello,", 0, LENGTH, 0);
	SAYS("netstring", 65536, "5 :hello,", 0, LENGTH, 1);
	SAYS("netstring", 65536, "0x5:hello,", 0, LENGTH, 1);
	SAYS("netstring", 65536, "99999999999999999999:", 0, LARGE, 4);
	SAYS("netstring", 65536, "18446744073709551616:", 0, LARGE, 5);
	SAYS("netstring", 65536, "4294967296:", 0, LARGE, 5);
}

static void fault_19_varint_padded_with_zeros(void **state)
{
	(void)state;
	SAYS("varint", 65536, "\x80\0", 0, OVERLONG, 1);
	SAYS("varint", 65536, "\x85\x80\0", 0, OVERLONG, 2);
	SAYS("varint", 65536, "\1x\x85\0hello", 1, OVERLONG, 3);
}

static void fault_20_varint_without_an_end(void **state)
{
	(void)state;
	SAYS("varint", 65536, "\x80\x80", 0, TRUNCATED, 2);
	SAYS("varint", 65536, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 0, LARGE, 2);
}

/* ---- the scan itself ---- */

static void errors_are_sticky(void **state)
{
	struct sb_framing f = framing("u8", 4);
	struct sb_scan s = {0};
	struct sb_frame out[4];
	const uint8_t bytes[] = {1, 'x', 9, 1, 'y', 1, 'z'};

	(void)state;
	assert_int_equal(sb_framing_scan(&f, &s, bytes, sizeof(bytes), out, 4), 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sb_framing_scan(&f, &s, bytes + 2, sizeof(bytes) - 2, out, 4), LARGE);
		assert_int_equal(sb_framing_scan(&f, &s, bytes + 3, 4, out, 4), LARGE);
		assert_int_equal(sb_framing_end(&f, &s, 4), LARGE);
		assert_int_equal(s.base, 2);
	}
	s = (struct sb_scan){0};
	assert_int_equal(sb_framing_scan(&f, &s, bytes, 1, out, 4), 0);
	assert_int_equal(sb_framing_end(&f, &s, 1), TRUNCATED);
	assert_int_equal(sb_framing_end(&f, &s, 0), TRUNCATED);
	assert_int_equal(s.base, 1);
	assert_int_equal(sb_framing_scan(&f, &s, bytes, 2, out, 4), TRUNCATED);
}

static void cap_is_kept_and_the_rest_comes_next(void **state)
{
	struct sb_framing f = framing("line", 4);
	struct sb_scan s = {0};
	struct sb_frame out[3] = {{.n = 7}, {.n = 7}, {.n = 7}};
	const uint8_t *p = (const uint8_t *)"a\nb\nc\nde";

	(void)state;
	assert_int_equal(sb_framing_scan(&f, &s, p, 8, out, 0), 0);
	assert_int_equal(sb_framing_scan(&f, &s, p, 8, out, 2), 2);
	assert_int_equal(out[2].n, 7);
	assert_int_equal(s.base, 4);
	assert_int_equal(sb_framing_scan(&f, &s, p + 4, 4, out, 2), 1);
	assert_int_equal(sb_framing_scan(&f, &s, p + 6, 2, out, 2), 0);
	assert_int_equal(sb_framing_scan(&f, &s, p + 6, 2, out, 2), 0);
	assert_int_equal(sb_framing_end(&f, &s, 2), TRUNCATED);
	assert_int_equal(s.base, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raw),
		cmocka_unit_test(line),
		cmocka_unit_test(crlf),
		cmocka_unit_test(delim),
		cmocka_unit_test(fixed),
		cmocka_unit_test(len_presets),
		cmocka_unit_test(len_arithmetic),
		cmocka_unit_test(varint),
		cmocka_unit_test(netstring),
		cmocka_unit_test(max_minus_1_max_max_plus_1),
		cmocka_unit_test(max_of_lengths),
		cmocka_unit_test(fault_2_one_byte_of_a_header_then_the_end),
		cmocka_unit_test(fault_3_length_0),
		cmocka_unit_test(fault_6_7_8_lengths_that_overflow),
		cmocka_unit_test(fault_9_announced_1_MiB_or_64_KiB_and_sent_10),
		cmocka_unit_test(fault_10_byte_11_of_10_begins_the_next),
		cmocka_unit_test(fault_15_a_million_empty_frames_in_one_buffer),
		cmocka_unit_test(fault_17_any_byte_in_a_payload),
		cmocka_unit_test(fault_18_decimal_lengths_that_are_not_plain),
		cmocka_unit_test(fault_19_varint_padded_with_zeros),
		cmocka_unit_test(fault_20_varint_without_an_end),
		cmocka_unit_test(errors_are_sticky),
		cmocka_unit_test(cap_is_kept_and_the_rest_comes_next),
	};

	return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
