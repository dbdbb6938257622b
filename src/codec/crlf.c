/* SPDX-License-Identifier: MIT
 *
 * crlf: CR LF ends a message (CRLF of RFC 5234), and neither byte may appear without the other.
 *
 *   "PING\r\n" -> "PING"        "PING\n" -> BAD_DELIMITER at the LF        "a\rb" -> BAD_DELIMITER at the "b"
 *
 * max bounds what precedes the CR. TOO_LARGE is at byte max, when it is neither CR nor LF.
 * encode appends CR LF, and refuses (BAD_PAYLOAD) a payload with a CR or an LF in it.
 */
#include "codec/scan.h"

/* Finds the CR, from the byte at s->seen on. > 0: so many bytes with it. */
static inline int find_cr(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n)
{
	uint32_t within = n < f->max + 1 ? (uint32_t)n : f->max + 1, end;
	const uint8_t *from = p + s->seen, *cr = sb_scan_find(from, '\r', within - s->seen), *lf;

	end = cr ? (uint32_t)(cr - p) : within;
	lf = sb_scan_find(from, '\n', end - s->seen);
	if (lf) {
		s->seen = (uint32_t)(lf - p);
		return SB_E_BAD_DELIMITER;
	}
	if (cr)
		return (int)end + 1;
	s->seen = end > f->max ? f->max : end;
	return end > f->max ? SB_E_TOO_LARGE : 0;
}

/* s->step is 0, or 1 once the CR has been seen. */
static inline const uint8_t *one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
				 struct sb_frame *out, int *err)
{
	int r = s->step ? (int)s->seen : find_cr(f, s, p, (size_t)(end - p));

	if (r <= 0) {
		*err = r;
		return NULL;
	}
	if (p + r == end || p[r] != '\n') {
		s->seen = (uint32_t)r;
		s->step = 1;
		*err = p + r == end ? 0 : SB_E_BAD_DELIMITER;
		return NULL;
	}
	out->p = p;
	out->n = (uint32_t)r - 1;
	return p + r + 1;
}

static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	return sb_scan_each(f, s, p, n, out, cap, one);
}

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	if (payload.n > f->max)
		return SB_E_TOO_LARGE;
	if (payload.n > 0 && (memchr(payload.p, '\r', payload.n) || memchr(payload.p, '\n', payload.n)))
		return SB_E_BAD_PAYLOAD;
	out->tail[0] = '\r';
	out->tail[1] = '\n';
	out->tail_n = 2;
	return 0;
}

extern const struct sb_codec_ops sb_codec_crlf;

const struct sb_codec_ops sb_codec_crlf = {.scan = scan, .encode = encode};
