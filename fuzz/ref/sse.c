/* SPDX-License-Identifier: MIT
 * sse: lines that end with LF, CR or CR LF; the first byte that ends an empty line ends an event. */
#include <string.h>

#include "ref.h"

static int is_end(uint8_t c)
{
	return c == '\n' || c == '\r';
}

/* The size of the end of line that begins p[0..n): 0, 1 or 2. */
static size_t end_size(const uint8_t *p, size_t n)
{
	if (n == 0 || !is_end(p[0]))
		return 0;
	return n > 1 && p[0] == '\r' && p[1] == '\n' ? 2 : 1;
}

/* The event that p[0..n) begins with, line after line. */
static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	size_t at = 0, last = 0; /* where the line begins, and where the one before it ended */

	while (at < n) {
		size_t size = 0;

		if (is_end(p[at]))
			return ref_frame(at + 1, 0, last);
		while (at + size < n && !is_end(p[at + size]))
			if (at + size++ >= a->max)
				return ref_broken(SB_E_TOO_LARGE, at + size - 1);
		last = at + size;
		at = last + end_size(p + last, n - last);
	}
	return ref_more();
}

/* With a mark it is no line before it is whole: then its bytes are not too many, but the one behind them may be. */
static struct ref_answer decode_first(const struct ref_args *a, const uint8_t *p, size_t n)
{
	static const uint8_t bom[] = {0xef, 0xbb, 0xbf};
	struct ref_answer r;
	size_t same = 0;

	while (same < n && same < 3 && p[same] == bom[same])
		same++;
	if (same == n && same < 3)
		return ref_more();
	if (same == 3) {
		r = decode(a, p + 3, n - 3);
		r.wire += r.wire ? 3 : 0;
		r.at += 3;
		r.err_at += 3;
		return r;
	}
	r = decode(a, p, n);
	if (r.err && r.err_at < same)
		r.err_at = same;
	return r;
}

/* Whether there is an empty line in it. */
static int has_empty_line(const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n; at++) {
		size_t size = end_size(p + at, n - at);

		if (size && at == 0)
			return 1;
		if (size && at + size < n && is_end(p[at + size]))
			return 1;
		at += size ? size - 1 : 0;
	}
	return 0;
}

static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	if (n > a->max)
		return SB_E_TOO_LARGE;
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		return SB_E_BAD_PAYLOAD;
	if (has_empty_line(p, n) || (n && is_end(p[n - 1])))
		return SB_E_BAD_PAYLOAD;
	ref_put(out, p, n);
	out[n] = '\n';
	out[n + 1] = '\n';
	return (long)n + (n ? 2 : 1);
}

const struct ref_codec ref_sse = {.decode = decode, .decode_first = decode_first, .encode = encode};
