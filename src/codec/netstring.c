/* SPDX-License-Identifier: MIT
 *
 * netstring (cr.yp.to/proto/netstrings.txt): a length in decimal, ":", so many bytes, ",".
 *
 *   "12:hello world!," -> "hello world!"        "0:," -> ""
 *
 * The length has no sign, no space and no leading zero. max bounds it. Errors:
 * - BAD_LENGTH at a byte that is no digit, or at a ":" with no digit before it;
 * - OVERLONG at a digit behind a leading zero;
 * - TOO_LARGE at the digit that makes the length larger than max, so 20 digits never overflow anything;
 * - BAD_DELIMITER where the "," should be.
 */
#include "codec/scan.h"

/* Reads the length and the colon, from the byte at s->seen on. > 0: their size, with *need that of the frame. */
static inline int read_length(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, uint32_t *need)
{
	uint32_t at = s->seen, acc = (uint32_t)s->acc;
	int r = 0;

	for (; at < n; at++) {
		uint8_t c = p[at];
		bool is_digit = c >= '0' && c <= '9';

		if (c == ':' && at > 0) {
			*need = at + 1 + acc + 1;
			return (int)at + 1;
		}
		if (!is_digit)
			r = SB_E_BAD_LENGTH;
		else if (at > 0 && acc == 0)
			r = SB_E_OVERLONG;
		else if (acc * 10 + (uint32_t)(c - '0') > f->max)
			r = SB_E_TOO_LARGE;
		if (r < 0)
			break;
		acc = acc * 10 + (uint32_t)(c - '0');
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
	if (n < need || p[need - 1] != ',') {
		s->step = (uint32_t)r;
		s->need = need;
		s->seen = n < need ? (uint32_t)r : need - 1;
		*err = n < need ? 0 : SB_E_BAD_DELIMITER;
		return NULL;
	}
	out->p = p + r;
	out->n = need - (uint32_t)r - 1;
	return p + need;
}

static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	return sb_scan_each(f, s, p, n, out, cap, one);
}

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	struct sb_text head = sb_text_in((char *)out->head, sizeof(out->head));

	if (payload.n > f->max)
		return SB_E_TOO_LARGE;
	sb_text_u64(&head, payload.n);
	sb_text_char(&head, ':');
	out->head_n = (uint8_t)head.n;
	out->tail[0] = ',';
	out->tail_n = 1;
	return 0;
}

extern const struct sb_codec_ops sb_codec_netstring;

const struct sb_codec_ops sb_codec_netstring = {.flags = SB_CODEC_TRANSPARENT, .scan = scan, .encode = encode};
