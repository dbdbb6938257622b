/* SPDX-License-Identifier: MIT
 *
 * For codec files: what the decoder does with a piece of the stream, in one function that each codec gets compiled
 * for itself.
 *
 * A piece mostly ends the frame that is held, has some frames whole, and begins another. This is done here without a
 * call but for the copies, and everything that is known on the way stays in registers: a split frame costs little but
 * its copies, so what else there is shows. All that is rarer is left to sb_decoder_rest, which works on any codec.
 */
#ifndef SB_CODEC_FEED_H
#define SB_CODEC_FEED_H

#include "codec/decoder.h"

#define SB_FEED_CLOSER SIZE_MAX

/* How many of the n bytes at p end the frame of which held bytes are held. More than n: it goes on behind them, and s
 * says that they have been looked at. SB_FEED_CLOSER: sb_decoder_rest has to look. */
typedef size_t sb_feed_ends(const struct sb_framing *f, struct sb_scan *s, size_t held, const uint8_t *p, size_t n);

/* The payload of the frame whose bytes will be at start: held that are there now, and some that are still at p. */
typedef void sb_feed_view(const struct sb_framing *f, const uint8_t *start, size_t held, const uint8_t *p, size_t some,
			  struct sb_frame *out);

/* Finds frames in p[0..n), of which nothing has been looked at: how many, up to cap, which may be 0. s->base moves by
 * their bytes. When they are fewer, and what follows is the beginning of a frame and needs more, s->seen or s->need
 * says so, as after ops->scan; else both stay 0, and sb_decoder_rest has to look. */
typedef int sb_feed_scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n,
			 struct sb_frame *out, int cap);

#define SB_RARELY(x) __builtin_expect(!!(x), 0)
#define SB_FEED_INLINE static inline __attribute__((always_inline))

/* A sb_decoder_feed, made of these three. */
SB_FEED_INLINE int sb_feed_each(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int cap,
				sb_feed_ends *ends, sb_feed_view *view, sb_feed_scan *scan)
{
	const uint8_t *p = in->p, *end = p + in->n;
	struct sb_scan s = {.base = 0};
	size_t left = in->n, at, joined = 0;
	int k = 0;

	if (d->held) {
		size_t some = ends(&d->framing, &d->scan, d->held, p, left);

		if (SB_RARELY(some > left))
			return some == SB_FEED_CLOSER ? sb_decoder_rest(d, in, out, 0, cap, 0) : sb_decoder_keep(d, in);
		if (SB_RARELY(some > d->hold_size - d->at - d->held))
			sb_decoder_make_room(d);
		out->wire = (uint32_t)(d->held + some);
		view(&d->framing, d->hold + d->at, d->held, p, some, out);
		left -= some;
		memcpy(d->hold + d->at + d->held, p, some);
		p = end - left; /* and not p + some: the loop in scan() would begin every round with that sum */
		joined = out->wire;
		k = 1;
	} else if (SB_RARELY(d->scan.seen | d->scan.need)) {
		return sb_decoder_rest(d, in, out, 0, cap, 0);
	}
	k += scan(&d->framing, &s, p, left, out + k, cap - k);
	left -= (size_t)s.base;
	p = end - left;
	d->scan.base += joined + s.base;
	d->scan.seen = s.seen;
	d->scan.need = s.need;
	at = (d->at + joined) * (left > d->at); /* a branch here is one that no processor foresees */
	if (SB_RARELY((s.seen | s.need) == 0 || left > d->hold_size - at)) {
		d->held = 0;
		d->scan.seen = d->scan.need = 0;
		*in = sb_slice(p, left);
		return left == 0 ? k : sb_decoder_rest(d, in, out, k, cap, joined);
	}
	in->p = end;
	in->n = 0;
	d->at = at;
	d->held = left;
	memcpy(d->hold + at, p, left);
	return k;
}

#endif
