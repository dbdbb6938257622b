/* SPDX-License-Identifier: MIT
 * Writing a text piece by piece. Everything goes through put(): a piece is written whole or not at all, and
 * after the first that did not fit nothing is, so that what stands there is a beginning of the text and no
 * escape is cut in half. */
#include "base/text.h"

#include <assert.h>

static const char hex_digits[] = "0123456789abcdef";

static void put(struct sb_text *t, const char *s, size_t n)
{
	if (t->lost || n > t->cap - t->n) {
		t->lost += n;
		return;
	}
	sb_copy(t->p + t->n, s, n);
	t->n += n;
}

void sb_text_char(struct sb_text *t, char c)
{
	if (t->lost || t->n == t->cap)
		t->lost++;
	else
		t->p[t->n++] = c;
}

void sb_text_str(struct sb_text *t, const char *s)
{
	sb_text_bytes(t, sb_slice_cstr(s));
}

void sb_text_bytes(struct sb_text *t, struct sb_slice s)
{
	size_t room = t->lost ? 0 : t->cap - t->n;
	size_t fits = s.n < room ? s.n : room;

	put(t, (const char *)s.p, fits);
	t->lost += s.n - fits;
}

void sb_text_u64(struct sb_text *t, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = hex_digits[v % 10];
		v /= 10;
	} while (v);
	put(t, digits + at, sizeof(digits) - at);
}

void sb_text_i64(struct sb_text *t, int64_t v)
{
	if (v >= 0) {
		sb_text_u64(t, (uint64_t)v);
		return;
	}
	sb_text_char(t, '-');
	/* By way of the number above it: the smallest one has no opposite. */
	sb_text_u64(t, (uint64_t)(-(v + 1)) + 1);
}

void sb_text_hex(struct sb_text *t, uint64_t v, int digits)
{
	char out[16];

	assert(digits >= 1 && digits <= (int)sizeof(out));
	for (int i = digits; i > 0; i--) {
		out[i - 1] = hex_digits[v & 15];
		v >>= 4;
	}
	put(t, out, (size_t)digits);
}

/* ---- escapes ---- */

/* How many of the first bytes stand for themselves: what can be printed, but these two. */
static size_t plain_n(struct sb_slice s, uint8_t one, uint8_t other)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= ' ' && s.p[n] <= '~' && s.p[n] != one && s.p[n] != other)
		n++;
	return n;
}

void sb_text_escaped(struct sb_text *t, struct sb_slice s, bool space)
{
	static const char named[] = "\\\n\r\t", names[] = "\\nrt";

	while (s.n > 0) {
		size_t plain = plain_n(s, '\\', space ? ' ' : '\\');
		uint8_t c = plain < s.n ? s.p[plain] : '\0';
		char esc[4] = {'\\', 'x', hex_digits[c >> 4], hex_digits[c & 15]};
		const char *at = c ? strchr(named, c) : NULL;

		if (at)
			esc[1] = names[at - named];
		else if (c == ' ')
			esc[1] = 's';
		else if (c == '\0')
			esc[1] = '0';
		sb_text_bytes(t, sb_slice(s.p, plain));
		if (plain < s.n)
			put(t, esc, esc[1] != 'x' ? 2 : 4);
		s = sb_slice_skip(s, plain + (plain < s.n));
	}
}

void sb_text_json(struct sb_text *t, struct sb_slice s)
{
	static const char named[] = "\"\\\n\r\t", names[] = "\"\\nrt";

	while (s.n > 0) {
		size_t plain = plain_n(s, '"', '\\');
		uint8_t c = plain < s.n ? s.p[plain] : '\0';
		char esc[6] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
		const char *at = c ? strchr(named, c) : NULL;

		if (at)
			esc[1] = names[at - named];
		sb_text_bytes(t, sb_slice(s.p, plain));
		if (plain < s.n)
			put(t, esc, esc[1] != 'u' ? 2 : 6);
		s = sb_slice_skip(s, plain + (plain < s.n));
	}
}

/* ---- numbers with units ---- */

void sb_text_time(struct sb_text *t, uint64_t ns)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = {{UINT64_C(60000000000), "m"}, {1000000000, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
	size_t i = ns ? 0 : 1;

	while (ns % units[i].ns)
		i++;
	sb_text_u64(t, ns / units[i].ns);
	sb_text_str(t, units[i].name);
}

void sb_text_size(struct sb_text *t, uint64_t bytes)
{
	unsigned shift = bytes == 0 ? 0 : bytes % (UINT64_C(1024) * 1024) == 0 ? 20 : bytes % 1024 == 0 ? 10 : 0;

	sb_text_u64(t, bytes >> shift);
	if (shift)
		sb_text_char(t, shift == 20 ? 'M' : 'k');
}

/* ---- columns ---- */

/* Characters of the line in progress. */
static size_t width_of(const struct sb_text *t)
{
	size_t n = 0;

	while (n < t->n && t->p[t->n - 1 - n] != '\n')
		n++;
	return n;
}

void sb_text_column(struct sb_text *t, size_t column)
{
	size_t width = width_of(t);

	if (width >= column && width > 0)
		sb_text_char(t, ' ');
	for (; width < column; width++)
		sb_text_char(t, ' ');
}

void sb_text_wrapped(struct sb_text *t, struct sb_slice s, size_t indent, size_t columns)
{
	while (s.n) {
		const uint8_t *space = memchr(s.p, ' ', s.n);
		size_t n = space ? (size_t)(space - s.p) : s.n;
		size_t width = width_of(t);

		if (width > indent && width + 1 + n > columns) {
			sb_text_char(t, '\n');
			sb_text_column(t, indent);
		} else if (width > indent) {
			sb_text_char(t, ' ');
		}
		sb_text_bytes(t, sb_slice(s.p, n));
		s = sb_slice_skip(s, space ? n + 1 : n);
	}
}

const char *sb_text_end(struct sb_text *t)
{
	assert(t->cap > 0);
	t->p[t->n < t->cap ? t->n : t->cap - 1] = '\0';
	return t->p;
}
