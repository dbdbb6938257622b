/* SPDX-License-Identifier: MIT
 *
 * Framings: how a stream of bytes is cut into messages.
 *
 * A codec is a pure function of (framing, scan state, bytes). The caller keeps the bytes of the frame
 * in progress together, from its first byte on; the codec keeps only how far it has looked, so it never
 * looks at a byte twice, however small the pieces are in which they come. Three outcomes: frames, need
 * more, broken. Broken is sticky.
 *
 * Adding one is a file here and a row in codecs.def (docs/adding.md).
 */
#ifndef SB_CODEC_CODEC_H
#define SB_CODEC_CODEC_H

#include "base/text.h"

enum {
	SB_FRAME_MAX = 64 * 1024,   /* the largest max= there is: bytes of payload */
	SB_FRAME_OVERHEAD_MAX = 96, /* what any framing puts around a payload, at most */
	SB_DELIM_MAX = 16,          /* bytes of the longest delimiter */
};

/* What frame= and max= asked for. Plain values: any number of scans share one. */
struct sb_framing {
	const struct sb_codec *codec;
	uint32_t max;   /* bytes of payload in the largest frame taken; for len, of what follows the length field */
	uint32_t flags; /* enum sb_codec_flags: the codec's, less what these arguments take away */
	union {
		struct {
			uint8_t n;
			uint8_t bytes[SB_DELIM_MAX];
			uint8_t back[SB_DELIM_MAX]; /* longest proper prefix of bytes that ends bytes[0..i] */
		} delim;
		struct {
			uint32_t n;
		} fixed;
		struct {
			uint8_t offset, width, big_endian, strip;
			int32_t adjust;
			uint64_t least, most; /* the values of the length that make a frame */
		} len;
	};
};

/* Where a scan is. Zero-filled is a scan at the start of a stream. 32 bytes, and no more is needed. */
struct sb_scan {
	uint64_t base; /* stream offset of the frame in progress; once broken, of the byte that proved it */
	uint64_t acc;  /* the codec's own: a number that is being read */
	uint32_t seen; /* bytes of the frame in progress that have been looked at */
	uint32_t need; /* wire size of the frame in progress, 0 while unknown */
	int32_t err;   /* 0, or the SB_E_* that broke the stream */
	uint32_t step; /* the codec's own: which field is being read */
};

enum sb_codec_flags {
	SB_CODEC_TRANSPARENT = 1, /* whether a payload can be carried depends on its size alone */
	SB_CODEC_UNFRAMED = 2,    /* frames are whatever arrived: raw */
};

/* sb_decoder_next, for an unbroken stream, in->n > 0 and cap > 0. */
typedef int sb_decoder_feed(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int cap);

struct sb_codec {
	const char *name;   /* as in frame=NAME */
	const char *preset; /* arguments this row stands for ("0,4,be,0,4"), or "" when the line gives them */
	const char *args;   /* how the line gives them (":HEX"), or "" when it takes none */
	const char *help;
	const struct sb_codec_ops *ops;
};

struct sb_codec_ops {
	unsigned flags;
	/* Reads the text after "NAME:" (or the preset) into f, whose codec, max and flags are set. 0, or
	 * SB_E_SYNTAX / SB_E_RANGE with *at the offset in args and *why a sentence about it. NULL: no arguments. */
	int (*parse)(struct sb_framing *f, struct sb_slice args, size_t *at, const char **why);
	/* Writes the arguments back, in the form that parse reads. NULL: no arguments. */
	void (*print)(const struct sb_framing *f, struct sb_text *t);
	/* See sb_framing_scan. Sees only cap > 0, an unbroken scan, n > s->seen and n >= s->need. */
	int (*scan)(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		    int cap);
	/* NULL, or what sb_decoder_next does, compiled for this codec, or for these arguments: see codec/feed.h. */
	sb_decoder_feed *(*feed)(const struct sb_framing *f);
	/* See sb_framing_encode. *out is zero-filled. What max bounds is the codec's to say, so it checks. */
	int (*encode)(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out);
};

/* The i-th row of codecs.def, or NULL after the last. */
const struct sb_codec *sb_codec_at(size_t i);

/* Reads a frame= value ("u32be", "delim:0d0a", "len:0,2,le,-2,0") with its max.
 * 0, or < 0 with fault->col relative to the value (from 1). Errors: SB_E_UNKNOWN (names the nearest),
 * SB_E_SYNTAX, SB_E_RANGE. fault->col is 0 when it is about max. */
int sb_framing_parse(struct sb_framing *f, struct sb_slice value, uint32_t max, struct sb_fault *fault);

/* Writes the frame= value back, NUL-terminated: the inverse of parse. Returns its length, or SB_E_NO_SPACE. */
int sb_framing_print(const struct sb_framing *f, char *out, size_t cap);

/* Finds up to cap frames at the front of p[0..n): the bytes of the stream from the start of the frame in
 * progress on. > 0: so many, adjacent, from p on; the caller drops their wire bytes and calls again with
 * what follows, until it gets 0 or less: fewer than cap does not mean that what follows is unbroken.
 * 0: need more; call again with the same bytes and more behind them. < 0: SB_E_TOO_LARGE, SB_E_BAD_LENGTH,
 * SB_E_OVERLONG, SB_E_BAD_DELIMITER at stream offset s->base; sticky. Frames before the break come first.
 *
 * A stream is broken by the first byte after which nothing that could follow makes a frame, and s->base is
 * that byte's offset, however the stream is cut. So an announced length is refused before its payload. */
int sb_framing_scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		    int cap);

/* The stream has ended with n bytes of an unfinished frame left: 0 when n is 0, else SB_E_TRUNCATED with
 * s->base at the end of the stream; or the error that broke it before. */
int sb_framing_end(const struct sb_framing *f, struct sb_scan *s, size_t n);

/* What goes around payload. SB_E_BAD_PAYLOAD, SB_E_TOO_LARGE. */
int sb_framing_encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out);

#endif
