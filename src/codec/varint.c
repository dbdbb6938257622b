/* SPDX-License-Identifier: MIT
 *
 * varint: a length, then so many bytes. The length is a base-128 varint, as Protocol Buffers write it
 * (protobuf.dev/programming-guides/encoding, "Base 128 Varints"): seven bits a byte, the lowest first, the
 * high bit set on every byte but the last. This is the format of parseDelimitedFrom and writeDelimitedTo.
 *
 *   05 68 65 6c 6c 6f -> "hello"        80 01 and 128 bytes -> those        80 00 -> OVERLONG at the 00
 *
 * Only the shortest form is taken. max bounds the length.
 * - OVERLONG is at the last byte of a length that is 00 but not its only byte.
 * - TOO_LARGE is at the byte that makes the length larger than max; a byte with its high bit set announces
 *   that a higher bit follows (or that the length is overlong), so it may be that byte already.
 */
#include "codec/scan.h"

/* Reads the length, from the byte at s->seen on. > 0: its size, with *need the size of the frame. */
static inline int read_length(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, uint32_t *need)
{
	uint64_t acc = s->acc;
	uint32_t at = s->seen;
	int r = 0;

	/* max has 17 bits, so the checks below end this by the third byte: no shift is larger than 21. */
	for (; at < n; at++) {
		uint8_t c = p[at];
		uint32_t shift = 7 * at;
		uint64_t v = acc | (uint64_t)(c & 0x7f) << shift;

		r = c == 0 && at > 0 ? SB_E_OVERLONG : 0;
		if ((c & 0x80 ? v + ((uint64_t)128 << shift) : v) > f->max)
			r = SB_E_TOO_LARGE;
		if (r < 0)
			break;
		if (!(c & 0x80)) {
			*need = at + 1 + (uint32_t)v;
			return (int)at + 1;
		}
		acc = v;
	}
	s->acc = acc;
	s->seen = at;
	return r;
}

static inline const uint8_t *one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
				 struct sb_frame *out, int *err)
{
	uint32_t need = s->need;
	size_t n = (size_t)(end - p);
	int r = need ? (int)s->step : read_length(f, s, p, n, &need);

	if (r <= 0) {
		*err = r;
		return NULL;
	}
	if (n < need) {
		s->step = (uint32_t)r;
		s->need = need;
		return NULL;
	}
	out->p = p + r;
	out->n = need - (uint32_t)r;
	return p + need;
}

static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	return sb_scan_each(f, s, p, n, out, cap, one);
}

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	size_t left = payload.n;

	if (left > f->max)
		return SB_E_TOO_LARGE;
	for (; left > 0x7f; left >>= 7)
		out->head[out->head_n++] = (uint8_t)(0x80 | (left & 0x7f));
	out->head[out->head_n++] = (uint8_t)left;
	return 0;
}

extern const struct sb_codec_ops sb_codec_varint;

const struct sb_codec_ops sb_codec_varint = {.flags = SB_CODEC_TRANSPARENT, .scan = scan, .encode = encode};
