/* SPDX-License-Identifier: MIT
 *
 * sse: an event stream (Server-Sent Events; WHATWG HTML, 9.2.5). Lines, and an empty line ends an event.
 *
 *   "id: 7\ndata: a\n\n" -> "id: 7\ndata: a"        "data: a\r\r" -> "data: a"        "\n" -> ""
 *
 * A line ends with LF, with CR or with CR LF. An event ends with the first byte that ends its empty line, because an
 * event must not wait for a byte that need not come: behind "data: a\r\n\r" an LF may follow, or nothing for hours.
 * When it does follow, it is an event of its own with nothing in it, as any other empty line too many is; readers of
 * event streams ignore these. So "data: a\r\n\r\n" is "data: a" in 10 bytes and "" in 1, however it is cut.
 *
 * The payload is the lines, without the end of the last one. A byte order mark at the start of the stream is no part
 * of it. max bounds the payload; what the lines say is not looked at. The one error is TOO_LARGE, at the byte that
 * makes the payload larger than max.
 * encode appends two LF, or one to nothing. It refuses (BAD_PAYLOAD) what would not come back the same: an empty line,
 * an end of line at the end, a byte order mark at the front.
 */
#include "codec/scan.h"

enum { BOM_SIZE = 3, LOOK = 64 };

/* In the low byte of s->step; the next byte is the size of the mark at the front. s->acc is where the last line that
 * has ended did so. */
enum where {
	AT_START, /* of the event: nothing of a line has been read */
	IN_BOM,   /* in what may become a byte order mark, or a line */
	IN_LINE,
	AFTER_LF, /* a line has ended */
	AFTER_CR, /* the same, and an LF here belongs to its end */
};

/* Whether the byte c at offset at goes on with a byte order mark. */
static inline bool is_bom(enum where where, uint32_t at, uint8_t c)
{
	static const uint8_t bom[BOM_SIZE] = {0xef, 0xbb, 0xbf};

	return at < BOM_SIZE && where == (at ? IN_BOM : AT_START) && c == bom[at];
}

/* In a line: the next byte that ends it, or is too much of it. */
static inline uint32_t skip_line(const struct sb_framing *f, const uint8_t *p, uint32_t at, size_t n, uint32_t start)
{
	size_t within = n - start < f->max ? n : start + f->max;

	while (at < within) {
		/* Not all there is: where CR ends the lines, there may be no LF for long. */
		size_t some = within - at < LOOK ? within - at : LOOK;
		const uint8_t *lf = sb_scan_find(p + at, '\n', some);
		const uint8_t *cr = sb_scan_find(p + at, '\r', lf ? (size_t)(lf - p) - at : some);

		if (cr || lf)
			return (uint32_t)((cr ? cr : lf) - p);
		at += (uint32_t)some;
	}
	return at;
}

/* A byte order mark is looked for where the stream begins; scan() sees to it that this is the first frame. */
static inline const uint8_t *one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
				 struct sb_frame *out, int *err)
{
	uint32_t at = s->seen, start = s->step >> 8, last = (uint32_t)s->acc;
	enum where where = s->step & 0xff;
	size_t n = (size_t)(end - p);

	for (; at < n; at++) {
		bool ends_line;
		uint8_t c;

		if (where == IN_LINE)
			at = skip_line(f, p, at, n, start);
		if (at == n)
			break;
		c = p[at];
		ends_line = c == '\n' || c == '\r';
		if (s->base == 0 && is_bom(where, at, c)) {
			where = at + 1 < BOM_SIZE ? IN_BOM : AT_START;
			start = at + 1 < BOM_SIZE ? 0 : BOM_SIZE;
		} else if (where == AFTER_CR && c == '\n') {
			where = AFTER_LF;
		} else if (ends_line && where != IN_LINE && where != IN_BOM) {
			out->p = p + start;
			out->n = where == AT_START ? 0 : last - start;
			return p + at + 1;
		} else if (at - start + !ends_line > f->max) { /* an end of line is not counted in */
			*err = SB_E_TOO_LARGE;
			break;
		} else if (ends_line) {
			last = at;
			where = c == '\r' ? AFTER_CR : AFTER_LF;
		} else {
			where = IN_LINE;
		}
	}
	s->seen = at;
	s->step = where | start << 8;
	s->acc = last;
	return NULL;
}

static __attribute__((noinline)) int scan_events(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p,
						 size_t n, struct sb_frame *out, int cap)
{
	return sb_scan_each(f, s, p, n, out, s->base == 0 ? 1 : cap, one);
}

/* Apart from the loop and its many registers: one more byte of a line, when the stream comes byte by byte. */
static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	if (n != s->seen + 1 || (s->step & 0xff) != IN_LINE || n - (s->step >> 8) > f->max || p[s->seen] == '\n' ||
	    p[s->seen] == '\r')
		return scan_events(f, s, p, n, out, cap);
	s->seen++;
	return 0;
}

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	struct sb_scan s = {.base = 0};
	struct sb_frame frame;

	if (payload.n > f->max)
		return SB_E_TOO_LARGE;
	memset(out->tail, '\n', 2);
	out->tail_n = payload.n ? 2 : 1;
	if (payload.n == 0)
		return 0;
	/* It is a line that has not ended, with no event and no mark in front of it. */
	if (scan(f, &s, payload.p, payload.n, &frame, 1) || (s.step != IN_LINE && s.step != IN_BOM))
		return SB_E_BAD_PAYLOAD;
	return 0;
}

extern const struct sb_codec_ops sb_codec_sse;

const struct sb_codec_ops sb_codec_sse = {.scan = scan, .encode = encode};
