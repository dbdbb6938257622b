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
#include "codec/feed.h"
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

/* ---- split lines ---- */

static inline size_t ends(const struct sb_framing *f, struct sb_scan *s, size_t held, const uint8_t *p, size_t n)
{
	size_t most, within;
	const uint8_t *lf;

	if (held > f->max) /* a CR that may be one byte too many */
		return SB_FEED_CLOSER;
	most = f->max - held;
	within = n < most ? n : most;
	lf = memchr(p, '\n', within);
	if (lf)
		return (size_t)(lf - p) + 1;
	if (within < n)
		return SB_FEED_CLOSER;
	s->seen += (uint32_t)n;
	return n + 1;
}

static inline void view(const struct sb_framing *f, const uint8_t *start, size_t held, const uint8_t *p, size_t some,
			struct sb_frame *out)
{
	uint8_t last = some > 1 ? p[some - 2] : start[held - 1];

	(void)f;
	out->p = start;
	out->n = (uint32_t)(held + some) - 1 - (last == '\r');
}

/* The lines that are whole and good. Where that ends in anything but the beginning of a line, one() has to look. */
static inline int whole_lines(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n,
			      struct sb_frame *out, int cap)
{
	const size_t max = f->max;
	size_t left = n;
	int k = 0;

	while (k < cap) {
		const uint8_t *lf = memchr(p, '\n', left < max + 2 ? left : max + 2);
		size_t at;

		if (lf == NULL) {
			s->seen = left <= max ? (uint32_t)left : 0;
			break;
		}
		at = (size_t)(lf - p);
		out[k].p = p;
		out[k].wire = (uint32_t)at + 1;
		at -= at > 0 && lf[-1] == '\r';
		out[k].n = (uint32_t)at;
		if (at > max)
			break;
		left -= out[k++].wire;
		p = lf + 1;
	}
	s->base += n - left;
	return k;
}

static int feed_each(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int cap)
{
	return sb_feed_each(d, in, out, cap, ends, view, whole_lines);
}

static sb_decoder_feed *feed(const struct sb_framing *f)
{
	(void)f;
	return feed_each;
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

const struct sb_codec_ops sb_codec_line = {.scan = scan, .feed = feed, .encode = encode};
