/* SPDX-License-Identifier: MIT
 *
 * delim:HEX: these bytes, 1 to 16 of them, end a message; the first place where they stand counts.
 *
 *   delim:00      61 62 00 -> "ab"        delim:0d0a0d0a    "a\r\n\r\n" -> "a"
 *
 * max bounds what precedes the delimiter. TOO_LARGE is at the first byte from max on that is not part of a
 * delimiter (or of the beginning of one) that begins at byte max or before.
 * encode appends the delimiter, and refuses (BAD_PAYLOAD) a payload in which, or across whose end, the
 * delimiter would be found earlier: "a" with the delimiter "aa" reads "aaa", which is "" and "a".
 *
 * The search is Knuth, Morris and Pratt's: s->step is how many bytes of the delimiter have just been read,
 * so no byte is looked at twice, whatever the bytes are. Where that is none, memchr finds the next start.
 */
#include "codec/scan.h"

/* The bytes of the delimiter that have just been read when q of them had been, and now c has. */
static inline uint32_t advance(const struct sb_framing *f, uint32_t q, uint8_t c)
{
	while (q > 0 && f->delim.bytes[q] != c)
		q = f->delim.back[q - 1];
	return f->delim.bytes[q] == c ? q + 1 : 0;
}

/* Nothing of a delimiter has been read before p[at]: finds the next first byte of one. */
static inline uint32_t skip_to_first(const struct sb_framing *f, const uint8_t *p, uint32_t at, size_t n)
{
	uint32_t within = n < f->max + 1 ? (uint32_t)n : f->max + 1;
	const uint8_t *first = sb_scan_find(p + at, f->delim.bytes[0], within - at);

	if (first)
		return (uint32_t)(first - p);
	return within > f->max ? f->max : within;
}

static inline const uint8_t *one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
				 struct sb_frame *out, int *err)
{
	size_t n = (size_t)(end - p);
	uint32_t at = s->seen, q = s->step;

	while (*err == 0) {
		uint32_t before = q;

		if (q == 0)
			at = skip_to_first(f, p, at, n);
		if (at == n)
			break;
		q = advance(f, q, p[at]);
		if (q == f->delim.n) {
			out->p = p;
			out->n = at + 1 - q;
			return p + at + 1;
		}
		if (at + 1 - q > f->max) {
			q = before;
			*err = SB_E_TOO_LARGE;
		} else {
			at++;
		}
	}
	s->seen = at;
	s->step = q;
	return NULL;
}

static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	return sb_scan_each(f, s, p, n, out, cap, one);
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int parse(struct sb_framing *f, struct sb_slice args, size_t *at, const char **why)
{
	uint32_t q = 0;

	*why = "the delimiter is an even number of hex digits, as 0d0a";
	for (*at = 0; *at < args.n; ++*at)
		if (hex_digit(args.p[*at]) < 0)
			return SB_E_SYNTAX;
	if (args.n == 0 || args.n % 2 != 0)
		return SB_E_SYNTAX;
	if (args.n > (size_t)2 * SB_DELIM_MAX) {
		*at = (size_t)2 * SB_DELIM_MAX;
		*why = "the delimiter is 1 to 16 bytes";
		return SB_E_RANGE;
	}
	f->delim.n = (uint8_t)(args.n / 2);
	for (size_t i = 0; i < f->delim.n; i++) {
		int byte = hex_digit(args.p[2 * i]) * 16 + hex_digit(args.p[2 * i + 1]);

		f->delim.bytes[i] = (uint8_t)byte;
		if (i > 0)
			q = advance(f, q, f->delim.bytes[i]);
		f->delim.back[i] = (uint8_t)q;
	}
	return 0;
}

static void print(const struct sb_framing *f, struct sb_text *t)
{
	for (size_t i = 0; i < f->delim.n; i++)
		sb_text_hex(t, f->delim.bytes[i], 2);
}

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	uint32_t q = 0;

	if (payload.n > f->max)
		return SB_E_TOO_LARGE;
	for (size_t i = 0; i < payload.n; i++) {
		q = advance(f, q, payload.p[i]);
		if (q == f->delim.n)
			return SB_E_BAD_PAYLOAD;
	}
	for (uint8_t i = 0; i + 1 < f->delim.n; i++) {
		q = advance(f, q, f->delim.bytes[i]);
		if (q == f->delim.n)
			return SB_E_BAD_PAYLOAD;
	}
	memcpy(out->tail, f->delim.bytes, f->delim.n);
	out->tail_n = f->delim.n;
	return 0;
}

extern const struct sb_codec_ops sb_codec_delim;

const struct sb_codec_ops sb_codec_delim = {.parse = parse, .print = print, .scan = scan, .encode = encode};
