/* SPDX-License-Identifier: MIT
 *
 * For codec files: frame after frame, in one loop that each codec gets compiled for itself.
 *
 * A codec says how one frame is found (sb_scan_one). The loop does what is the same for all: hands out up
 * to cap frames, keeps the state of the one that is not whole yet, and turns an error into a broken scan,
 * but only once the frames before it are delivered.
 */
#ifndef SB_CODEC_SCAN_H
#define SB_CODEC_SCAN_H

#include "codec/codec.h"

/* Looks at the frame that begins at p, of which the first s->seen bytes have been looked at; the bytes end at
 * end, and there are more than s->seen and at least s->need of them.
 * Whole: where it ends, with out->p and out->n its payload; s is not used any more. NULL: not yet, and s says how
 * far it has looked; or, with *err set, the byte at s->seen breaks it, and the rest of s is as before that byte.
 * s must not be written but to say so: in the loop, frame after frame finds it zero-filled. */
typedef const uint8_t *sb_scan_one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
				   struct sb_frame *out, int *err);

/* memchr. A few bytes are looked at here: they are often just written, one at a time, and what a wide load reads
 * across such stores must wait for them. */
static inline const uint8_t *sb_scan_find(const uint8_t *p, uint8_t c, size_t n)
{
	if (n > 4)
		return memchr(p, c, n);
	for (; n > 0; n--, p++)
		if (*p == c)
			return p;
	return NULL;
}

/* An ops->scan made of one(). Always inlined, so that one() is too: a call a frame would cost what a frame costs. */
static inline __attribute__((always_inline)) int sb_scan_each(const struct sb_framing *restrict f, struct sb_scan *s,
							      const uint8_t *p, size_t n, struct sb_frame *restrict out,
							      int cap, sb_scan_one *one)
{
	const uint8_t *start = p, *end = p + n;
	int k = 0, err = 0;

	do {
		const uint8_t *next = one(f, s, p, end, &out[k], &err);

		if (next == NULL)
			break;
		if (k == 0) {
			s->acc = 0;
			s->seen = s->need = s->step = 0;
		}
		out[k++].wire = (uint32_t)(next - p);
		p = next;
	} while (k < cap && p < end);
	s->base += (size_t)(p - start);
	if (err == 0 || k > 0)
		return k;
	s->base += s->seen;
	s->err = err;
	return err;
}

#endif
