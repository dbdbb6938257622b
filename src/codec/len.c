/* SPDX-License-Identifier: MIT
 *
 * len:OFFSET,WIDTH,be|le,ADJUST[,STRIP]: a length field says how long the message is. The arithmetic is that of
 * Netty's LengthFieldBasedFrameDecoder (lengthFieldOffset, lengthFieldLength, lengthAdjustment, initialBytesToStrip):
 *
 *   OFFSET bytes | WIDTH bytes of length | value + ADJUST bytes of body      STRIP bytes off the front for the payload
 *
 *   u16be = len:0,2,be,0,2    00 02 68 69        -> "hi"
 *   len:0,2,le,-2,2           04 00 68 69        -> "hi": the value counts its own field
 *   len:1,1,be,0              07 02 68 69        -> 07 02 "hi": nothing stripped
 *
 * max bounds the body. Body lengths below 0, or such that the frame is shorter than STRIP, are BAD_LENGTH;
 * above max, TOO_LARGE. Either is at the byte of the field after which no value that is still possible is
 * good: for be often the first byte that is not 0, for le often the second. It is TOO_LARGE when all values
 * that are still possible are too large, else BAD_LENGTH.
 *
 * encode puts STRIP bytes before the payload: zeros, and the length where it falls among them. What of the
 * length falls into the payload must be right already, else BAD_PAYLOAD.
 */
#include "codec/args.h"
#include "codec/feed.h"
#include "codec/scan.h"

enum { OFFSET_MAX = 64, ADJUST_MAX = 65536, STRIP_MAX = 72 };

static uint64_t all_ones(uint32_t bytes)
{
	return bytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1;
}

static inline uint32_t header_size(const struct sb_framing *f)
{
	return (uint32_t)f->len.offset + f->len.width;
}

/* ---- the field as a whole ---- */

static inline uint64_t load_be(const uint8_t *p, uint32_t width)
{
	switch (width) {
	case 1:
		return p[0];
	case 2:
		return (uint64_t)p[0] << 8 | p[1];
	case 3:
		return (uint64_t)p[0] << 16 | (uint64_t)p[1] << 8 | p[2];
	case 4:
		return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
	default:
		return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 | (uint64_t)p[3] << 32 |
		       (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 | (uint64_t)p[6] << 8 | p[7];
	}
}

static inline uint64_t load_le(const uint8_t *p, uint32_t width)
{
	switch (width) {
	case 1:
		return p[0];
	case 2:
		return (uint64_t)p[1] << 8 | p[0];
	case 3:
		return (uint64_t)p[2] << 16 | (uint64_t)p[1] << 8 | p[0];
	case 4:
		return (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[1] << 8 | p[0];
	default:
		return (uint64_t)p[7] << 56 | (uint64_t)p[6] << 48 | (uint64_t)p[5] << 40 | (uint64_t)p[4] << 32 |
		       (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[1] << 8 | p[0];
	}
}

static inline uint64_t load(const uint8_t *p, uint32_t width, bool big_endian)
{
	return big_endian ? load_be(p, width) : load_le(p, width);
}

static inline bool is_good(const struct sb_framing *f, uint64_t value)
{
	return (value >= f->len.least) & (value <= f->len.most);
}

/* ---- a field that is here in part, or wrong ---- */

/* Given the first got bytes of the field: TOO_LARGE or BAD_LENGTH when no good value begins so, else 0. */
static int judge(const struct sb_framing *f, uint64_t acc, uint32_t got)
{
	uint32_t left = f->len.width - got;
	uint64_t least = f->len.big_endian ? acc << 8 * left : acc, best;

	if (least > f->len.most)
		return SB_E_TOO_LARGE;
	if (least >= f->len.least)
		return 0;
	if (left == 0)
		return SB_E_BAD_LENGTH;
	if (f->len.big_endian)
		return (least | all_ones(left)) < f->len.least ? SB_E_BAD_LENGTH : 0;
	/* The smallest value from f->len.least on whose low bytes are acc. */
	best = (f->len.least & ~all_ones(got)) | acc;
	if (best < f->len.least)
		best += all_ones(got) + 1;
	return best > f->len.most || best > all_ones(f->len.width) ? SB_E_BAD_LENGTH : 0;
}

/* Reads the field, from the byte at s->seen on. 1: s->acc is its value, and it is good. */
static int read_field(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n)
{
	uint32_t header = header_size(f);

	if (s->seen == 0 && n >= header) {
		s->acc = load(p + f->len.offset, f->len.width, f->len.big_endian);
		if (is_good(f, s->acc))
			return 1;
		s->acc = 0; /* which byte is it? */
	}
	if (s->seen < f->len.offset)
		s->seen = n < f->len.offset ? (uint32_t)n : f->len.offset;
	for (; s->seen < header && s->seen < n; s->seen++) {
		uint32_t got = s->seen - f->len.offset;
		uint64_t c = p[s->seen];
		uint64_t acc = f->len.big_endian ? s->acc << 8 | c : s->acc | c << 8 * got;
		int r = judge(f, acc, got + 1);

		if (r < 0)
			return r;
		s->acc = acc;
	}
	return s->seen == header;
}

/* ---- frames ---- */

/* As many frames as are here whole and good, up to cap: the loop that must be fast, so it knows nothing else.
 * *used are their bytes; *need is the size of the one that is not whole, 0 when that is not known.
 * - One frame's length leads to the next one's, and that chain is what it costs: load, swap, add. So the sum is
 *   signed, and added up in this order, which the compiler keeps: all but value is there before value is.
 * - Two branches a frame, so that a processor's memory of branches spans all frames of a piece, and foresees the end.
 * Inlined, so that what the caller knows of f is known here. */
static inline __attribute__((always_inline)) int hop(const struct sb_framing *restrict f, const uint8_t *p, size_t n,
						     struct sb_frame *restrict out, int cap, size_t *used,
						     uint32_t *need)
{
	const uint8_t *field = p + f->len.offset;
	const uint64_t least = f->len.least, most = f->len.most;
	int64_t header = header_size(f), around = header + f->len.adjust, at = 0;
	int64_t strip = f->len.strip, size = (int64_t)n; /* memory is never larger */
	int k = 0;

	*need = 0;
	while ((k < cap) & (at <= size - header)) {
		uint64_t value = load(field + at, f->len.width, f->len.big_endian);
		bool is_bad = (value < least) | (value > most);
		int64_t next = at + around;

		if (f->len.width == 8 && is_bad) /* a sum would overflow; of fewer bytes it cannot */
			break;
		next += (int64_t)value;
		if (is_bad | (next > size)) {
			*need = is_bad ? 0 : (uint32_t)(next - at);
			break;
		}
		out[k].p = p + at + strip;
		out[k].n = (uint32_t)(next - at - strip);
		out[k++].wire = (uint32_t)(next - at);
		at = next;
	}
	*used = (size_t)at;
	return k;
}

/* One frame that is here in part, or wrong, or began with earlier bytes. */
static const uint8_t *one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
			  struct sb_frame *out, int *err)
{
	size_t n = (size_t)(end - p);

	if (s->need == 0) {
		int r = read_field(f, s, p, n);

		if (r <= 0) {
			*err = r;
			return NULL;
		}
		s->need = (uint32_t)((int64_t)s->acc + header_size(f) + f->len.adjust);
		s->seen = 0;
		s->acc = 0;
		if (n < s->need)
			return NULL;
	}
	out->p = p + f->len.strip;
	out->n = s->need - f->len.strip;
	return p + s->need;
}

static __attribute__((noinline)) int scan_one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n,
					      struct sb_frame *out)
{
	return sb_scan_each(f, s, p, n, out, 1, one);
}

/* The frames that begin here and are whole, and the size of the one after them: see sb_feed_scan. */
static inline __attribute__((always_inline)) int scan_any(const struct sb_framing *f, struct sb_scan *s,
							  const uint8_t *p, size_t n, struct sb_frame *out, int cap)
{
	size_t used;
	int k = hop(f, p, n, out, cap, &used, &s->need);

	s->base += used;
	return k;
}

/* A length of four bytes, big-endian, and the payload: so many protocols are this that it has a loop of its own, in
 * which the shape is constant. ADJUST is not, on purpose: a constant would be added after the value, in the chain. */
static inline bool is_u32be(const struct sb_framing *f)
{
	return f->len.width == 4 && f->len.big_endian && f->len.strip == 4 && f->len.offset == 0 && f->len.least == 0;
}

static inline int scan_u32be(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n,
			     struct sb_frame *out, int cap)
{
	const struct sb_framing u32be = {
		.len = {.width = 4, .big_endian = 1, .strip = 4, .adjust = f->len.adjust, .most = f->len.most}};

	return scan_any(&u32be, s, p, n, out, cap);
}

static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	int k;

	if (s->seen || s->need)
		return scan_one(f, s, p, n, out);
	k = is_u32be(f) ? scan_u32be(f, s, p, n, out, cap) : scan_any(f, s, p, n, out, cap);
	return k > 0 || s->need ? k : scan_one(f, s, p, n, out);
}

/* ---- split frames ---- */

static inline size_t ends(const struct sb_framing *f, struct sb_scan *s, size_t held, const uint8_t *p, size_t n)
{
	(void)f;
	(void)p;
	(void)n;
	return s->need ? s->need - held : SB_FEED_CLOSER;
}

static inline void view(const struct sb_framing *f, const uint8_t *start, size_t held, const uint8_t *p, size_t some,
			struct sb_frame *out)
{
	(void)p;
	out->p = start + f->len.strip;
	out->n = (uint32_t)(held + some) - f->len.strip;
}

static inline void view_u32be(const struct sb_framing *f, const uint8_t *start, size_t held, const uint8_t *p,
			      size_t some, struct sb_frame *out)
{
	(void)f;
	(void)p;
	out->p = start + 4;
	out->n = (uint32_t)(held + some) - 4;
}

static int feed_u32be(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int cap)
{
	return sb_feed_each(d, in, out, cap, ends, view_u32be, scan_u32be);
}

static int feed_any(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int cap)
{
	return sb_feed_each(d, in, out, cap, ends, view, scan_any);
}

static sb_decoder_feed *feed(const struct sb_framing *f)
{
	return is_u32be(f) ? feed_u32be : feed_any;
}

/* ---- arguments ---- */

/* Reads the next argument, a number from min to max; all but the first have a comma before them. */
static int next_int(struct sb_slice args, size_t *at, int32_t min, int32_t max, int32_t *value)
{
	int r = *at > 0 ? sb_args_char(args, at, ',') : 0;

	return r < 0 ? r : sb_args_int(args, at, min, max, value);
}

static int next_width(struct sb_slice args, size_t *at, int32_t *width)
{
	size_t comma = *at;
	int r = next_int(args, at, 1, 8, width);

	if (r < 0 || *width <= 4 || *width == 8)
		return r;
	*at = comma + 1;
	return SB_E_RANGE;
}

static int next_order(struct sb_slice args, size_t *at, uint8_t *big_endian)
{
	int r = sb_args_char(args, at, ',');

	if (r < 0)
		return r;
	if (args.n - *at < 2 || args.p[*at + 1] != 'e' || (args.p[*at] != 'b' && args.p[*at] != 'l'))
		return SB_E_SYNTAX;
	*big_endian = args.p[*at] == 'b';
	*at += 2;
	return 0;
}

/* Works out which lengths make a frame, and that there is one at all. */
static int set_span(struct sb_framing *f, const char **why)
{
	int64_t header = header_size(f), strip = f->len.strip, adjust = f->len.adjust;
	int64_t least = (strip > header ? strip - header : 0) - adjust, most = (int64_t)f->max - adjust;

	*why = "ADJUST is larger than max, so every message would be too large";
	if (most < 0)
		return SB_E_RANGE;
	f->len.least = least > 0 ? (uint64_t)least : 0;
	f->len.most = (uint64_t)most;
	*why = "no length field of this WIDTH makes a message that is as long as STRIP and at most max";
	return f->len.least > f->len.most || f->len.least > all_ones(f->len.width) ? SB_E_RANGE : 0;
}

static int parse(struct sb_framing *f, struct sb_slice args, size_t *at, const char **why)
{
	int32_t offset = 0, width = 0, strip = 0;
	int r;

	*why = "OFFSET is 0 to 64 bytes before the length field";
	r = next_int(args, at, 0, OFFSET_MAX, &offset);
	if (r < 0)
		return r;
	*why = "WIDTH is 1, 2, 3, 4 or 8 bytes";
	r = next_width(args, at, &width);
	if (r < 0)
		return r;
	*why = "the byte order is be or le";
	r = next_order(args, at, &f->len.big_endian);
	if (r < 0)
		return r;
	*why = "ADJUST is -65536 to 65536";
	r = next_int(args, at, -ADJUST_MAX, ADJUST_MAX, &f->len.adjust);
	if (r < 0)
		return r;
	*why = "STRIP is 0 to 72 bytes, and nothing follows it";
	r = *at < args.n ? next_int(args, at, 0, STRIP_MAX, &strip) : 0;
	if (r < 0)
		return r;
	if (*at < args.n)
		return SB_E_SYNTAX;
	f->len.offset = (uint8_t)offset;
	f->len.width = (uint8_t)width;
	f->len.strip = (uint8_t)strip;
	if (strip < offset + width) /* the payload begins with bytes that say how long it is */
		f->flags &= ~(uint32_t)SB_CODEC_TRANSPARENT;
	return set_span(f, why);
}

static void print(const struct sb_framing *f, struct sb_text *t)
{
	sb_text_u64(t, f->len.offset);
	sb_text_char(t, ',');
	sb_text_u64(t, f->len.width);
	sb_text_str(t, f->len.big_endian ? ",be," : ",le,");
	sb_text_i64(t, f->len.adjust);
	sb_text_char(t, ',');
	sb_text_u64(t, f->len.strip);
}

/* ---- encode ---- */

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	uint32_t header = header_size(f), strip = f->len.strip;
	uint32_t inside = header > strip ? header - strip : 0; /* bytes of the header that the payload has */
	uint32_t beyond = strip > header ? strip - header : 0; /* bytes of the body that it has not */
	int64_t value;

	if (payload.n < inside)
		return SB_E_BAD_PAYLOAD;
	if (payload.n - inside > f->max - beyond)
		return SB_E_TOO_LARGE;
	value = (int64_t)(payload.n - inside + beyond) - f->len.adjust;
	if (value < 0 || (uint64_t)value > all_ones(f->len.width))
		return SB_E_BAD_PAYLOAD;
	for (uint32_t i = 0; i < f->len.width; i++) {
		uint32_t shift = 8 * (f->len.big_endian ? f->len.width - 1 - i : i), at = f->len.offset + i;
		uint8_t c = (uint8_t)((uint64_t)value >> shift & 0xff);

		if (at < strip)
			out->head[at] = c;
		else if (payload.p[at - strip] != c)
			return SB_E_BAD_PAYLOAD;
	}
	out->head_n = f->len.strip;
	return 0;
}

extern const struct sb_codec_ops sb_codec_len;

const struct sb_codec_ops sb_codec_len = {
	.flags = SB_CODEC_TRANSPARENT, .parse = parse, .print = print, .scan = scan, .feed = feed, .encode = encode};
