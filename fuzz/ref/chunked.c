/* SPDX-License-Identifier: MIT
 * chunked: a size in hex, extensions, CR LF, so many bytes, CR LF; for size 0, fields and CR LF in place of the bytes.
 * RFC 9112, 7.1, without white space where it is called bad. */
#include <stdio.h>
#include <string.h>

#include "ref.h"

enum { DIGITS = 16, EXTENSIONS = 64, FIELDS = 32 };

static int is_token(int c)
{
	return c != 0 &&
	       strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", c) != NULL;
}

static int is_text(int c)
{
	return (c >= 32 && c != 127) || c == 9;
}

static size_t skip_token(const uint8_t *p, size_t at, size_t to)
{
	while (at < to && is_token(p[at]))
		at++;
	return at;
}

/* How many bytes more p[at..to) needs to be a string in quotes, of which at is behind the first: 0 with *next behind
 * the last. -1: it is none. */
static int quoted_needs(const uint8_t *p, size_t at, size_t to, size_t *next)
{
	for (; at < to; at++) {
		if (p[at] == '"') {
			*next = at + 1;
			return 0;
		}
		if (p[at] == '\\' && ++at == to)
			return 2;
		if (!is_text(p[at]))
			return -1;
	}
	return 1;
}

/* How many bytes more p[at..to) needs to be extensions. -1: they are none, whatever follows. */
static int extensions_need(const uint8_t *p, size_t at, size_t to)
{
	while (at < to) {
		size_t end;

		if (p[at++] != ';')
			return -1;
		if (at == to)
			return 1;
		end = skip_token(p, at, to);
		if (end == at)
			return -1;
		at = end;
		if (at == to || p[at] != '=')
			continue;
		if (++at == to)
			return 1;
		if (p[at] == '"') {
			int needs = quoted_needs(p, at + 1, to, &at);

			if (needs)
				return needs;
			continue;
		}
		end = skip_token(p, at, to);
		if (end == at)
			return -1;
		at = end;
	}
	return 0;
}

/* The trailer section that begins at start, and the empty line behind it. */
static struct ref_answer decode_trailer(const struct ref_args *a, const uint8_t *p, size_t start, size_t n)
{
	size_t at = start, fields = 0;

	while (at < n && p[at] != '\r') {
		if (!is_token(p[at]))
			return ref_broken(SB_E_BAD_DELIMITER, at);
		if (fields++ == FIELDS)
			return ref_broken(SB_E_TOO_LARGE, at);
		for (; at < n && is_token(p[at]); at++)
			if (at + 1 + strlen(":\r\n") - start > a->max)
				return ref_broken(SB_E_TOO_LARGE, at);
		if (at < n && p[at] != ':')
			return ref_broken(SB_E_BAD_DELIMITER, at);
		for (; at < n && is_text(p[at]); at++)
			if (at + 1 + strlen("\r\n") - start > a->max)
				return ref_broken(SB_E_TOO_LARGE, at);
		for (int i = 0; i < 2; i++, at++) {
			if (at == n)
				return ref_more();
			if (p[at] != "\r\n"[i])
				return ref_broken(SB_E_BAD_DELIMITER, at);
		}
	}
	if (n - at < 2)
		return ref_more();
	return p[at + 1] == '\n' ? ref_frame(at + 2, start, 0) : ref_broken(SB_E_BAD_DELIMITER, at + 1);
}

/* The head of a chunk. Answers as decode() does; the frame is the head, and n what it says of the data. */
static struct ref_answer decode_head(const struct ref_args *a, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	size_t at = 0, size = 0, start;

	for (; at < n; at++) {
		const char *digit = p[at] ? strchr(digits, p[at]) : NULL;

		if (!digit)
			break;
		if (at == DIGITS)
			return ref_broken(SB_E_OVERLONG, at);
		size = size * 16 + (size_t)(digit - digits) % 16;
		if (size > a->max)
			return ref_broken(SB_E_TOO_LARGE, at);
	}
	if (at == n)
		return ref_more();
	if (at > 0 && p[at] == '\n')
		return ref_broken(SB_E_BAD_DELIMITER, at);
	if (at == 0 || (p[at] != ';' && p[at] != '\r'))
		return ref_broken(SB_E_BAD_LENGTH, at);
	start = at;
	while (at < n && (p[at] != '\r' || extensions_need(p, start, at) != 0)) {
		int needs = extensions_need(p, start, ++at);

		if (needs < 0)
			return ref_broken(SB_E_BAD_DELIMITER, at - 1);
		if (at - start + (size_t)needs > EXTENSIONS)
			return ref_broken(SB_E_TOO_LARGE, at - 1);
	}
	if (n - at < 2)
		return ref_more();
	return p[at + 1] == '\n' ? ref_frame(at + 2, 0, size) : ref_broken(SB_E_BAD_DELIMITER, at + 1);
}

static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	struct ref_answer head = decode_head(a, p, n);
	size_t end = head.wire + head.n;

	if (head.wire == 0)
		return head;
	if (head.n == 0)
		return decode_trailer(a, p, head.wire, n);
	for (size_t i = 0; i < 2; i++) {
		if (end + i >= n)
			return ref_more();
		if (p[end + i] != "\r\n"[i])
			return ref_broken(SB_E_BAD_DELIMITER, end + i);
	}
	return ref_frame(end + 2, head.wire, head.n);
}

static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	char text[24];
	long head;

	if (n > a->max)
		return SB_E_TOO_LARGE;
	head = snprintf(text, sizeof(text), "%zx\r\n", n);
	ref_put(out, (const uint8_t *)text, (size_t)head);
	ref_put(out + head, p, n);
	return head + (long)n + ref_put(out + head + n, (const uint8_t *)"\r\n", 2);
}

const struct ref_codec ref_chunked = {.decode = decode, .encode = encode};
