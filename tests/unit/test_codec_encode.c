/* SPDX-License-Identifier: MIT
 * Encoding: what goes round a payload, what is refused, and that decoding gives the payload back. */
#include "codec_kit.h"

static uint8_t wire[SB_FRAME_MAX + 256], payload[SB_FRAME_MAX + 256];

static void wraps(const char *value, uint32_t max, struct sb_slice body, const char *head, size_t head_n,
		  const char *tail, size_t tail_n)
{
	struct sb_framing f = framing(value, max);
	struct sb_wrap wrap;

	memset(&wrap, 0xaa, sizeof(wrap));
	assert_int_equal(sb_framing_encode(&f, body, &wrap), 0);
	assert_int_equal(wrap.head_n, head_n);
	assert_int_equal(wrap.tail_n, tail_n);
	assert_memory_equal(wrap.head, head, head_n);
	assert_memory_equal(wrap.tail, tail, tail_n);
}

#define WRAPS(value, max, body, head, tail)                                                                            \
	wraps(value, max, sb_slice(body, sizeof(body) - 1), head, sizeof(head) - 1, tail, sizeof(tail) - 1)

static void head_and_tail(void **state)
{
	(void)state;
	WRAPS("raw", 8, "a\n\r", "", "");
	WRAPS("line", 8, "ab", "", "\n");
	WRAPS("line", 8, "\rab", "", "\n");
	WRAPS("line", 8, "", "", "\n");
	WRAPS("crlf", 8, "ab", "", "\r\n");
	WRAPS("delim:0d0a2e", 8, "a\r\nb", "", "\r\n.");
	WRAPS("fixed:3", 8, "abc", "", "");
	WRAPS("u8", 8, "abc", "\3", "");
	WRAPS("u16be", 8, "abc", "\0\3", "");
	WRAPS("u16le", 8, "abc", "\3\0", "");
	WRAPS("u32be", 8, "", "\0\0\0\0", "");
	WRAPS("u32le", 8, "abc", "\3\0\0\0", "");
	WRAPS("len:2,8,be,0,10", 8, "abc", "\0\0\0\0\0\0\0\0\0\3", "");
	WRAPS("len:0,2,le,-2,2", 8, "abc", "\5\0", "");
	WRAPS("len:0,3,le,1,3", 8, "abc", "\2\0\0", "");
	WRAPS("len:0,1,be,0,3", 8, "abc", "\5\0\0", "");
	WRAPS("varint", 300, "abc", "\3", "");
	WRAPS("netstring", 12, "hello world!", "12:", ",");
	WRAPS("netstring", 12, "", "0:", ",");
	WRAPS("chunked", 16, "hello", "5\r\n", "\r\n");
	WRAPS("chunked", 16, "0123456789abcdef", "10\r\n", "\r\n");
	WRAPS("chunked", 16, "", "0\r\n", "\r\n");
	wraps("chunked", 300, sb_slice(payload, 255), "ff\r\n", 4, "\r\n", 2);
	wraps("chunked", 65536, sb_slice(payload, 65536), "10000\r\n", 7, "\r\n", 2);
	WRAPS("resp", 16, "*1\r\n$1\r\na\r\n", "", "");
	WRAPS("sse", 8, "a\r\nb", "", "\n\n");
	WRAPS("sse", 8, "", "", "\n");
	WRAPS("sse", 8, "\xef\xbb", "", "\n\n");
	wraps("varint", 300, sb_slice(payload, 127), "\177", 1, "", 0);
	wraps("varint", 300, sb_slice(payload, 128), "\200\1", 2, "", 0);
	wraps("varint", 300, sb_slice(payload, 300), "\254\2", 2, "", 0);
	wraps("varint", 65536, sb_slice(payload, 65536), "\200\200\4", 3, "", 0);
	wraps("netstring", 65536, sb_slice(payload, 65536), "65536:", 6, ",", 1);
	wraps("u16be", 65536, sb_slice(payload, 65535), "\377\377", 2, "", 0);
}

static void refuses(const char *value, uint32_t max, struct sb_slice body, int err)
{
	struct sb_framing f = framing(value, max);
	struct sb_wrap wrap;

	assert_int_equal(sb_framing_encode(&f, body, &wrap), err);
}

#define REFUSES(value, max, body, err) refuses(value, max, sb_slice(body, sizeof(body) - 1), err)

static void refused_payloads(void **state)
{
	(void)state;
	REFUSES("line", 8, "a\nb", SB_E_BAD_PAYLOAD);
	REFUSES("line", 8, "ab\r", SB_E_BAD_PAYLOAD);
	REFUSES("line", 8, "\n", SB_E_BAD_PAYLOAD);
	REFUSES("crlf", 8, "a\nb", SB_E_BAD_PAYLOAD);
	REFUSES("crlf", 8, "a\rb", SB_E_BAD_PAYLOAD);
	REFUSES("crlf", 8, "\r\n", SB_E_BAD_PAYLOAD);
	REFUSES("delim:00", 8, "a\0b", SB_E_BAD_PAYLOAD);
	REFUSES("delim:6161", 8, "ba", SB_E_BAD_PAYLOAD); /* "baaa" would read "b" and "a…" */
	REFUSES("delim:616261", 8, "xab", SB_E_BAD_PAYLOAD);
	REFUSES("resp", 8, "", SB_E_BAD_PAYLOAD);
	REFUSES("resp", 8, "PING", SB_E_BAD_PAYLOAD);
	REFUSES("resp", 8, "+OK\r", SB_E_BAD_PAYLOAD);
	REFUSES("resp", 8, "_\r\n_\r\n", SB_E_BAD_PAYLOAD);
	REFUSES("resp", 8, "+OK\r\n+", SB_E_BAD_PAYLOAD);
	REFUSES("resp", 8, "*2\r\n_\r\n", SB_E_BAD_PAYLOAD);
	REFUSES("resp", 8, "+123456\r\n", SB_E_TOO_LARGE);
	REFUSES("sse", 8, "a\n\nb", SB_E_BAD_PAYLOAD);
	REFUSES("sse", 8, "a\r\n\rb", SB_E_BAD_PAYLOAD);
	REFUSES("sse", 8, "ab\r", SB_E_BAD_PAYLOAD);
	REFUSES("sse", 8, "ab\n", SB_E_BAD_PAYLOAD);
	REFUSES("sse", 8, "\nab", SB_E_BAD_PAYLOAD);
	REFUSES("sse", 8, "\xef\xbb\xbf", SB_E_BAD_PAYLOAD); /* at the start of the stream it would be a mark */
	REFUSES("sse", 8,
		"\xef\xbb\xbf"
		"a",
		SB_E_BAD_PAYLOAD);
	REFUSES("fixed:3", 8, "ab", SB_E_BAD_PAYLOAD);
	REFUSES("fixed:3", 8, "abcd", SB_E_BAD_PAYLOAD);
	refuses("u8", 65536, sb_slice(payload, 256), SB_E_BAD_PAYLOAD);
	refuses("u16be", 65536, sb_slice(payload, 65536), SB_E_BAD_PAYLOAD);
	REFUSES("len:0,1,be,2,1", 8, "a", SB_E_BAD_PAYLOAD); /* the value would be -1 */
	REFUSES("len:0,8,be,2,8", 8, "a", SB_E_BAD_PAYLOAD);
	REFUSES("len:0,2,be,0,0", 8, "\0", SB_E_BAD_PAYLOAD);    /* not even a header */
	REFUSES("len:0,2,be,0,0", 8, "\0\2a", SB_E_BAD_PAYLOAD); /* the header in the payload is wrong */
	REFUSES("len:0,2,be,0,1", 8, "\1a", 0);
	REFUSES("len:0,2,be,0,1", 8, "\2a", SB_E_BAD_PAYLOAD);
	REFUSES("len:0,2,be,0,0", 8, "\0\1a", 0);
	REFUSES("len:1,1,be,0,0", 8, "\7\1a", 0); /* what is before the field is the payload's to say */
}

static void payloads_at_max(void **state)
{
	static const char *values[] = {"raw",   "line",   "crlf",      "delim:00", "u8",     "u16le",
				       "u32be", "varint", "netstring", "sse",      "chunked"};

	(void)state;
	memset(payload, 'x', sizeof(payload));
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		refuses(values[i], 100, sb_slice(payload, 99), 0);
		refuses(values[i], 100, sb_slice(payload, 100), 0);
		refuses(values[i], 100, sb_slice(payload, 101), SB_E_TOO_LARGE);
	}
	refuses("fixed:100", 100, sb_slice(payload, 101), SB_E_TOO_LARGE);
	refuses("len:0,1,be,0,3", 100, sb_slice(payload, 98), 0);
	refuses("len:0,1,be,0,3", 100, sb_slice(payload, 99), SB_E_TOO_LARGE);
	/* max bounds what follows the field, wherever the payload begins */
	payload[0] = 0;
	payload[1] = 100;
	refuses("len:0,2,be,0,0", 100, sb_slice(payload, 102), 0);
	payload[1] = 101;
	refuses("len:0,2,be,0,0", 100, sb_slice(payload, 103), SB_E_TOO_LARGE);
	refuses("u32be", 100, sb_slice(payload, SIZE_MAX), SB_E_TOO_LARGE);
	refuses("len:0,4,be,0,0", 100, sb_slice(payload, SIZE_MAX), SB_E_TOO_LARGE);
}

/* ---- decode(encode(x)) = x ---- */

/* What frame=value carries of any payload, or refuses: decoded, it is that payload and nothing more. */
static bool comes_back(const struct sb_framing *f, struct sb_slice body)
{
	struct sb_scan s = {0};
	struct sb_wrap wrap;
	struct sb_frame out[2];
	size_t n;

	if (sb_framing_encode(f, body, &wrap) < 0)
		return false;
	assert_true((size_t)wrap.head_n + wrap.tail_n <= SB_FRAME_OVERHEAD_MAX);
	memcpy(wire, wrap.head, wrap.head_n);
	memcpy(wire + wrap.head_n, body.p, body.n);
	memcpy(wire + wrap.head_n + body.n, wrap.tail, wrap.tail_n);
	n = wrap.head_n + body.n + wrap.tail_n;
	assert_int_equal(sb_framing_scan(f, &s, wire, n, out, 2), 1);
	assert_int_equal(out[0].wire, n);
	assert_true(sb_slice_eq(sb_slice(out[0].p, out[0].n), body));
	return true;
}

static const char *const any[] = {"line",
				  "crlf",
				  "delim:00",
				  "delim:6161",
				  "delim:616261",
				  "delim:61620a",
				  "fixed:5",
				  "u8",
				  "u16be",
				  "u16le",
				  "u32be",
				  "u32le",
				  "len:0,2,le,-2,2",
				  "len:0,2,le,-2,0",
				  "len:3,3,be,2,6",
				  "len:1,4,le,0,9",
				  "len:2,1,be,0,1",
				  "len:0,8,be,-8,8",
				  "varint",
				  "netstring",
				  "chunked",
				  "sse"};

/* Short payloads over the bytes that matter: most framings carry some and refuse some. */
static void short_payloads_come_back(void **state)
{
	static const char alphabet[] = {'a', 'b', '\r', '\n', '\0', 5};

	(void)state;
	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
		struct sb_framing f = framing(any[i], 5);
		size_t carried = 0, all = 0;

		for (size_t n = 0; n <= 6; n++) {
			size_t combinations = 1;

			for (size_t k = 0; k < n; k++)
				combinations *= sizeof(alphabet);
			for (size_t c = 0; c < combinations; c++, all++) {
				uint8_t body[6];

				for (size_t k = 0, left = c; k < n; k++, left /= sizeof(alphabet))
					body[k] = (uint8_t)alphabet[left % sizeof(alphabet)];
				carried += comes_back(&f, sb_slice(body, n));
			}
		}
		if (carried == 0 || carried == all)
			fail_msg("frame=%s carries %zu of %zu payloads", any[i], carried, all);
	}
}

static void long_payloads_come_back(void **state)
{
	static const size_t sizes[] = {0, 1, 127, 128, 255, 256, 16383, 16384, 65535, 65536};

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)('b' + i % 20);
	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
		struct sb_framing f = framing(any[i], 65536);
		size_t carried = 0;

		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
			carried += comes_back(&f, sb_slice(payload, sizes[k]));
		if (f.flags & SB_CODEC_TRANSPARENT && f.codec->ops == framing("u32be", 1).codec->ops && f.len.width > 2)
			assert_true(carried >= 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_and_tail),           cmocka_unit_test(refused_payloads),
		cmocka_unit_test(payloads_at_max),         cmocka_unit_test(short_payloads_come_back),
		cmocka_unit_test(long_payloads_come_back),
	};

	return cmocka_run_group_tests_name("codec, encode", tests, NULL, NULL);
}
