/* SPDX-License-Identifier: MIT
 *
 * line: LF ends a message; one CR right before the LF belongs to the delimiter, not to the payload.
 *
 *   "PING\r\n"  "PING\n"  -> "PING"        "a\rb\n" -> "a\rb"        "\r\r\n" -> "\r"
 *
 * max bounds the payload, so a frame has at most max + 2 bytes. TOO_LARGE is at
 * - byte max, when it is neither LF nor CR: nothing that follows makes the payload short enough;
 * - byte max + 1, when byte max is a CR and this is no LF: the CR turned out to be payload.
 * encode appends LF, and refuses (BAD_PAYLOAD) what would not come back: an LF inside, a CR at the end.
 */
#include "codec/scan.h"

/* There is no LF in the first n bytes, of which none is beyond the largest frame. */
static int without_end(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, uint32_t n)
{
	s->seen = n;
	if (n <= f->max || (n == f->max + 1 && p[f->max] == '\r'))
		return 0;
	s->seen = p[f->max] == '\r' ? f->max + 1 : f->max;
	return SB_E_TOO_LARGE;
}

static inline const uint8_t *one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
				 struct sb_frame *out, int *err)
{
	size_t n = (size_t)(end - p), most = (size_t)f->max + 2, within = n < most ? n : most, at;
	const uint8_t *lf = sb_scan_find(p + s->seen, '\n', within - s->seen);

	if (lf == NULL) {
		*err = without_end(f, s, p, (uint32_t)within);
		return NULL;
	}
	at = (size_t)(lf - p);
	out->p = p;
	out->n = (uint32_t)(at > 0 && p[at - 1] == '\r' ? at - 1 : at);
	if (out->n > f->max) {
		s->seen = f->max;
		*err = SB_E_TOO_LARGE;
		return NULL;
	}
	return lf + 1;
}

static __attribute__((noinline)) int scan_lines(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p,
						size_t n, struct sb_frame *out, int cap)
{
	return sb_scan_each(f, s, p, n, out, cap, one);
}

/* Apart from the loop and its many registers: one more byte of text, when the stream comes byte by byte. */
static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	if (n != s->seen + 1 || n > f->max || p[s->seen] == '\n')
		return scan_lines(f, s, p, n, out, cap);
	s->seen++;
	return 0;
}

/* Nothing before an LF, or before the end, can say anything about the frame: see without_end. */
static size_t ahead(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n)
{
	size_t most = (size_t)f->max + 2 - s->seen, within = n < most ? n : most, others;
	const uint8_t *lf = memchr(p, '\n', within);

	others = lf ? (size_t)(lf - p) : within - 1;
	s->seen += (uint32_t)others;
	return others + 1;
}

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	if (payload.n > f->max)
		return SB_E_TOO_LARGE;
	if (payload.n > 0 && (payload.p[payload.n - 1] == '\r' || memchr(payload.p, '\n', payload.n)))
		return SB_E_BAD_PAYLOAD;
	out->tail[0] = '\n';
	out->tail_n = 1;
	return 0;
}

extern const struct sb_codec_ops sb_codec_line;

const struct sb_codec_ops sb_codec_line = {.scan = scan, .ahead = ahead, .encode = encode};
