/* SPDX-License-Identifier: MIT
 *
 * Framings a second time, as plainly as they can be said: what a fuzz target compares src/codec/ with.
 *
 * Written from docs/protocols/ and the specifications named there; shares no code with src/, keeps no state, knows
 * no pieces. Each decoder is given the bytes of the stream from the start of a frame to the end of the stream, and
 * asks of each byte in turn: can anything that follows still make a frame? Slow, and meant to be.
 */
#ifndef SB_FUZZ_REF_REF_H
#define SB_FUZZ_REF_REF_H

#include <stddef.h>
#include <stdint.h>

#include "streambed.h" /* for the error codes alone */

/* What stands in "frame=NAME:ARGS max=N". */
struct ref_args {
	uint32_t max;
	uint8_t delim[16];
	size_t delim_n;
	size_t fixed_n;
	int64_t offset, width, adjust, strip;
	int is_big;
};

/* What the bytes from the start of a frame on are. */
struct ref_answer {
	size_t wire;   /* > 0: the size of the frame they begin with */
	size_t at, n;  /* ... and where in it the payload is */
	int err;       /* != 0: they are broken */
	size_t err_at; /* ... by this byte */
}; /* neither: they are the beginning of a frame, or nothing */

struct ref_codec {
	/* Reads ARGS into a. 0, or -1 when they are not written as they should be. NULL: there are none. */
	int (*parse)(struct ref_args *a, const char *args);
	struct ref_answer (*decode)(const struct ref_args *a, const uint8_t *p, size_t n);
	/* The same where the stream begins. NULL: that is no different. */
	struct ref_answer (*decode_first)(const struct ref_args *a, const uint8_t *p, size_t n);
	/* Writes payload p[0..n) with its framing to out, which has room for n + 96 bytes: the size, or SB_E_*. */
	long (*encode)(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out);
};

/* One for each implementation that codecs.def names. */
extern const struct ref_codec ref_raw, ref_line, ref_crlf, ref_delim, ref_fixed, ref_len, ref_varint, ref_netstring,
	ref_chunked, ref_sse, ref_resp;

/* A row of codecs.def. preset: its arguments, when they are not the user's to give. */
struct ref_row {
	const char *name, *preset;
	const struct ref_codec *codec;
};

/* The row that "frame=TEXT" names, or NULL. */
const struct ref_row *ref_row_of(const char *text);

/* The framing that "frame=TEXT" asks for, its arguments read into a; NULL when there is none that is so called or it
 * has others. */
const struct ref_codec *ref_read(struct ref_args *a, const char *text);

static inline struct ref_answer ref_frame(size_t wire, size_t at, size_t n)
{
	struct ref_answer a = {.wire = wire, .at = at, .n = n};

	return a;
}

static inline struct ref_answer ref_broken(int err, size_t at)
{
	struct ref_answer a = {.err = err, .err_at = at};

	return a;
}

static inline struct ref_answer ref_more(void)
{
	struct ref_answer a = {.err = 0};

	return a;
}

/* What p[0..n) are, with so many bytes of the stream before them. */
static inline struct ref_answer ref_decode(const struct ref_codec *c, const struct ref_args *a, uint64_t before,
					   const uint8_t *p, size_t n)
{
	return before == 0 && c->decode_first ? c->decode_first(a, p, n) : c->decode(a, p, n);
}

/* Copies, one byte after the other. Returns n. */
static inline long ref_put(uint8_t *to, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
	return (long)n;
}

#endif
