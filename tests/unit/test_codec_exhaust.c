/* SPDX-License-Identifier: MIT
 *
 * Every short stream over a small alphabet, against the definition of each framing.
 *
 * is_frame() says whether bytes are exactly one frame, in the plainest words there are and without a state. From it
 * follows all the rest: a scan must find a frame where one ends and nowhere else, must wait while there is still a
 * way to make one, and must break at the first byte after which there is none. All streams are walked as a tree,
 * byte by byte, so no cut, no offset and no error is left to luck.
 */
#include "codec_kit.h"

enum { DEPTH_MAX = 9 };

struct world {
	const char *value;
	uint32_t max;
	const char *alphabet;
	size_t alphabet_n, depth; /* depth: the largest frame, and one byte more */
	size_t nodes, frames, breaks;
	struct sb_framing f;
};

/* ---- the definitions ---- */

static bool count_is(const uint8_t *p, size_t n, uint8_t c, size_t count)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += p[i] == c;
	return found == count;
}

static bool is_line(const struct world *w, const uint8_t *p, size_t n, size_t *head, size_t *tail)
{
	*head = 0;
	*tail = n >= 2 && p[n - 2] == '\r' ? 2 : 1;
	return n >= 1 && p[n - 1] == '\n' && count_is(p, n, '\n', 1) && n - *tail <= w->max;
}

static bool is_crlf(const struct world *w, const uint8_t *p, size_t n, size_t *head, size_t *tail)
{
	*head = 0;
	*tail = 2;
	return n >= 2 && p[n - 2] == '\r' && p[n - 1] == '\n' && count_is(p, n, '\n', 1) && count_is(p, n, '\r', 1) &&
	       n - 2 <= w->max;
}

static bool is_delim(const struct world *w, const uint8_t *p, size_t n, size_t *head, size_t *tail)
{
	size_t d = w->f.delim.n;

	*head = 0;
	*tail = d;
	if (n < d || n - d > w->max)
		return false;
	for (size_t i = 0; i < n - d; i++)
		if (memcmp(p + i, w->f.delim.bytes, d) == 0)
			return false;
	return memcmp(p + n - d, w->f.delim.bytes, d) == 0;
}

static bool is_len(const struct world *w, const uint8_t *p, size_t n, size_t *head, size_t *tail)
{
	size_t offset = w->f.len.offset, width = w->f.len.width;
	int64_t value = 0, body;

	*head = w->f.len.strip;
	*tail = 0;
	if (n < offset + width || n < *head)
		return false;
	for (size_t i = 0; i < width; i++)
		value = value * 256 + p[offset + (w->f.len.big_endian ? i : width - 1 - i)];
	body = value + w->f.len.adjust;
	return body >= 0 && body <= w->max && (int64_t)n == (int64_t)(offset + width) + body;
}

static bool is_varint(const struct world *w, const uint8_t *p, size_t n, size_t *head, size_t *tail)
{
	uint8_t canonical[8];
	size_t k = 0;

	*tail = 0;
	for (uint32_t v = 0; v <= w->max; v++) {
		k = 0;
		for (uint32_t left = v; k == 0 || left; left >>= 7)
			canonical[k++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
		*head = k;
		if (n == k + v && memcmp(p, canonical, k) == 0)
			return true;
	}
	return false;
}

static bool is_netstring(const struct world *w, const uint8_t *p, size_t n, size_t *head, size_t *tail)
{
	char text[16];

	*tail = 1;
	for (uint32_t v = 0; v <= w->max; v++) {
		*head = (size_t)snprintf(text, sizeof(text), "%u:", v);
		if (n == *head + v + 1 && memcmp(p, text, *head) == 0 && p[n - 1] == ',')
			return true;
	}
	return false;
}

/* What of p[at..n) is a line that ends with CR LF and has nothing of stop in it: its size without the end, or -1. */
static int line_size(const uint8_t *p, size_t at, size_t n, const char *stop)
{
	size_t end = at;

	while (end < n && p[end] != '\r' && p[end] != '\n' && !strchr(stop, p[end]))
		end++;
	return end + 1 < n && p[end] == '\r' && p[end + 1] == '\n' ? (int)(end - at) : -1;
}

/* Of a short frame over "01a;:" CR LF: no limit of a count is reached. */
static bool is_chunked(const struct world *w, const uint8_t *p, size_t n, size_t *head, size_t *tail)
{
	int line = line_size(p, 0, n, ":");
	size_t size = 0, at = 0;

	for (; line > 0 && at < (size_t)line && p[at] != ';'; at++)
		size = size * 16 + (size_t)(p[at] == 'a' ? 10 : p[at] - '0');
	if (at == 0 || size > w->max)
		return false;
	for (; at < (size_t)line; at++)
		if (p[at] == ';' && (at + 1 == (size_t)line || p[at + 1] == ';'))
			return false;
	*head = (size_t)line + 2;
	*tail = size ? 2 : n - *head;
	if (size)
		return n == *head + size + 2 && p[n - 2] == '\r' && p[n - 1] == '\n';
	at = *head;
	while ((line = line_size(p, at, n, "")) > 0) {
		if (p[at] == ':' || !memchr(p + at, ':', (size_t)line) || memchr(p + at, ';', (size_t)line))
			return false;
		at += (size_t)line + 2;
	}
	return line == 0 && at + 2 == n && at - *head <= w->max;
}

/* Where the value at p[at] ends, or 0. */
static size_t value_end(const uint8_t *p, size_t at, size_t n) /* NOLINT(misc-no-recursion): at most 7 bytes */
{
	int line = line_size(p, at, n, "");
	size_t end = at + (size_t)line + 2, count;

	if (line < 1 || !strchr("+-$*%|", p[at]))
		return 0;
	if (p[at] == '+' || p[at] == '-')
		return end;
	if (line == 3 && memcmp(p + at + 1, "-1", 2) == 0 && strchr("$*", p[at]))
		return end;
	if (line != 2 || p[at + 1] < '0' || p[at + 1] > '9') /* more digits are more than there is room for */
		return 0;
	count = (size_t)(p[at + 1] - '0');
	if (p[at] == '$')
		return end + count + 2 <= n && memcmp(p + end + count, "\r\n", 2) == 0 ? end + count + 2 : 0;
	if (p[at] != '*')
		count *= 2;
	if (p[at] == '|')
		count++;
	for (; count > 0 && end > 0; count--)
		end = value_end(p, end, n);
	return end;
}

static bool is_resp(const struct world *w, const uint8_t *p, size_t n, size_t *head, size_t *tail)
{
	*head = *tail = 0;
	return n <= w->max && value_end(p, 0, n) == n;
}

static bool is_end(uint8_t c)
{
	return c == '\n' || c == '\r';
}

/* Lines, of which none but the last is empty; that one is a single byte. All that is walked begins a stream. */
static bool is_sse(const struct world *w, const uint8_t *p, size_t n, size_t *head, size_t *tail)
{
	*head = n > 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	*tail = n - *head;
	if (*tail == 0 || !is_end(p[n - 1]))
		return false;
	for (size_t at = *head; at + 1 < n;) {
		size_t line = at;

		while (at < n && !is_end(p[at]))
			at++;
		if (at == line || at == n)
			return false;
		*tail = n - at;
		at += p[at] == '\r' && at + 1 < n && p[at + 1] == '\n' ? 2 : 1;
		if (at == n)
			return false;
	}
	return n - *head - *tail <= w->max;
}

static bool is_frame(const struct world *w, const uint8_t *p, size_t n, size_t *head, size_t *tail)
{
	const char *name = w->f.codec->name;

	if (strcmp(name, "line") == 0)
		return is_line(w, p, n, head, tail);
	if (strcmp(name, "crlf") == 0)
		return is_crlf(w, p, n, head, tail);
	if (strcmp(name, "delim") == 0)
		return is_delim(w, p, n, head, tail);
	if (strcmp(name, "varint") == 0)
		return is_varint(w, p, n, head, tail);
	if (strcmp(name, "netstring") == 0)
		return is_netstring(w, p, n, head, tail);
	if (strcmp(name, "chunked") == 0)
		return is_chunked(w, p, n, head, tail);
	if (strcmp(name, "resp") == 0)
		return is_resp(w, p, n, head, tail);
	if (strcmp(name, "sse") == 0)
		return is_sse(w, p, n, head, tail);
	return is_len(w, p, n, head, tail);
}

/* ---- the walk ---- */

/* Whether the bytes, or bytes that begin with them, are a frame. */
static bool can_be(struct world *w, uint8_t *p, size_t n) /* NOLINT(misc-no-recursion): a tree of depth 9 */
{
	size_t head, tail;

	if (n > 0 && is_frame(w, p, n, &head, &tail))
		return true;
	for (size_t i = 0; n < w->depth && i < w->alphabet_n; i++) {
		p[n] = (uint8_t)w->alphabet[i];
		if (can_be(w, p, n + 1))
			return true;
	}
	return false;
}

/* Broken at the last of n bytes: that byte it is, and nothing can follow. */
static void check_break(struct world *w, const struct sb_scan *s, uint8_t *p, size_t n)
{
	assert_int_equal(s->base, n - 1);
	assert_false(can_be(w, p, n));
	w->breaks++;
}

/* The scan has seen n - 1 bytes and waits; s is its state. Tries every byte as the n-th. */
static void walk(struct world *w, const struct sb_scan *s, uint8_t *p, size_t n) /* NOLINT(misc-no-recursion) */
{
	for (size_t i = 0; i < w->alphabet_n; i++) {
		struct sb_scan incremental = *s, fresh = {0};
		struct sb_frame out = {.n = 0}, again = {.n = 0};
		size_t head = 0, tail = 0;
		int r;

		p[n - 1] = (uint8_t)w->alphabet[i];
		w->nodes++;
		r = sb_framing_scan(&w->f, &incremental, p, n, &out, 1);
		assert_int_equal(sb_framing_scan(&w->f, &fresh, p, n, &again, 1), r);
		assert_int_equal(fresh.base, incremental.base);
		assert_int_equal(is_frame(w, p, n, &head, &tail), r == 1);
		if (r == 1) {
			w->frames++;
			assert_int_equal(out.wire, n);
			assert_int_equal(again.wire, n);
			assert_true(out.p == p + head && again.p == p + head);
			assert_int_equal(out.n, n - head - tail);
			assert_int_equal(again.n, n - head - tail);
		} else if (r < 0) {
			check_break(w, &incremental, p, n);
		} else if (n == w->depth) {
			assert_string_equal(w->value, "chunked"); /* of which there are long ones */
		} else {
			walk(w, &incremental, p, n + 1);
			p[n - 1] = (uint8_t)w->alphabet[i];
			assert_true(strcmp(w->value, "chunked") == 0 || can_be(w, p, n));
		}
	}
}

static void all_streams(void **state)
{
	static struct world worlds[] = {
		{"line", 3, "a\r\n", 3, 6, 0, 0, 0, {0}},
		{"crlf", 3, "a\r\n", 3, 6, 0, 0, 0, {0}},
		{"delim:00", 3, "a\0", 2, 5, 0, 0, 0, {0}},
		{"delim:6162", 3, "abc", 3, 6, 0, 0, 0, {0}},
		{"delim:6161", 4, "ab", 2, 7, 0, 0, 0, {0}},
		{"delim:616162", 3, "abc", 3, 7, 0, 0, 0, {0}},
		{"delim:61626162", 4, "abc", 3, 9, 0, 0, 0, {0}},
		{"delim:616161", 2, "ab", 2, 6, 0, 0, 0, {0}},
		{"u8", 3, "\0\1\2\3\4\xff", 6, 5, 0, 0, 0, {0}},
		{"u16be", 3, "\0\1\2\3\4\xff", 6, 6, 0, 0, 0, {0}},
		{"u16le", 3, "\0\1\2\3\4\xff", 6, 6, 0, 0, 0, {0}},
		{"u32be", 2, "\0\1\2\x80", 4, 7, 0, 0, 0, {0}},
		{"u32le", 2, "\0\1\2\x80", 4, 7, 0, 0, 0, {0}},
		{"len:1,1,be,0", 3, "\0\1\2\3\4", 5, 6, 0, 0, 0, {0}},
		{"len:0,2,le,-2,2", 3, "\0\1\2\3\4\5\6", 7, 6, 0, 0, 0, {0}},
		{"len:0,2,be,-2,0", 3, "\0\1\2\3\4\5\6", 7, 6, 0, 0, 0, {0}},
		{"len:0,2,le,-257,2", 3, "\0\1\2\3\4\5", 6, 6, 0, 0, 0, {0}},
		{"len:0,2,be,-257,2", 3, "\0\1\2\3\4\5", 6, 6, 0, 0, 0, {0}},
		{"len:0,3,be,-511,3", 2, "\0\1\2\xff", 4, 6, 0, 0, 0, {0}},
		{"len:0,3,le,-511,3", 2, "\0\1\2\xff", 4, 6, 0, 0, 0, {0}},
		{"len:1,2,be,2,1", 3, "\0\1\2\3", 4, 7, 0, 0, 0, {0}},
		{"len:0,1,be,0,3", 4, "\0\1\2\3\4\5", 6, 6, 0, 0, 0, {0}},
		{"len:0,2,le,-1,4", 3, "\0\1\2\3\4\5", 6, 6, 0, 0, 0, {0}},
		{"varint", 4, "\0\1\4\5\x80\x81", 6, 6, 0, 0, 0, {0}},
		{"netstring", 3, "01234:,", 7, 7, 0, 0, 0, {0}},
		{"chunked", 1, "01a;\r\n", 6, 8, 0, 0, 0, {0}},
		{"chunked", 4, "0a:\r\n", 5, 9, 0, 0, 0, {0}},
		{"resp", 7, "+$*|-01\r\n", 9, 7, 0, 0, 0, {0}},
		{"resp", 8, "+*01\r\n", 6, 8, 0, 0, 0, {0}},
		{"resp", 7, "+%-0\r\n", 6, 7, 0, 0, 0, {0}},
		{"sse", 3, "a\r\n", 3, 7, 0, 0, 0, {0}},
		{"sse", 1, "a\r\n\xef\xbb\xbf", 6, 8, 0, 0, 0, {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
		struct world *w = &worlds[i];
		struct sb_scan s = {0};
		uint8_t p[DEPTH_MAX + 1];

		w->f = framing(w->value, w->max);
		walk(w, &s, p, 1);
		if (w->frames == 0 || w->breaks == 0)
			fail_msg("frame=%s: %zu streams, %zu frames, %zu breaks: too tame", w->value, w->nodes,
				 w->frames, w->breaks);
	}
}

/* Which error it is, where more than one could be meant: see the opening comments of the codecs. */
static void the_kind_of_break(void **state)
{
	(void)state;
	/* nothing fits any more: too large when everything that is left is too large */
	SAYS("len:0,2,le,-2,2", 3, "\1", 0, SB_E_BAD_LENGTH, 0);
	SAYS("len:0,2,le,-2,2", 3, "\6", 0, SB_E_TOO_LARGE, 0);
	SAYS("len:0,2,le,-2,2", 3, "\5\1", 0, SB_E_TOO_LARGE, 1);
	SAYS("len:0,2,be,-257,2", 3, "\0", 0, SB_E_BAD_LENGTH, 0);
	SAYS("len:0,2,be,-257,2", 3, "\1\0", 0, SB_E_BAD_LENGTH, 1);
	SAYS("len:0,2,be,-257,2", 3, "\1\5", 0, SB_E_TOO_LARGE, 1);
	SAYS("len:0,2,be,-257,2", 3, "\2", 0, SB_E_TOO_LARGE, 0);
	SAYS("varint", 300, "\x80\0", 0, SB_E_OVERLONG, 1);
	SAYS("varint", 100, "\x80\0", 0, SB_E_TOO_LARGE, 0);
	SAYS("crlf", 3, "abc\n", 0, SB_E_BAD_DELIMITER, 3);
	SAYS("crlf", 3, "abcd", 0, SB_E_TOO_LARGE, 3);
	SAYS("netstring", 3, "00", 0, SB_E_OVERLONG, 1);
	SAYS("netstring", 3, "04", 0, SB_E_OVERLONG, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_streams),
		cmocka_unit_test(the_kind_of_break),
	};

	return cmocka_run_group_tests_name("codec, every short stream", tests, NULL, NULL);
}
