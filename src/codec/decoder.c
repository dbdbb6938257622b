/* SPDX-License-Identifier: MIT
 *
 * Joins split frames. With the beginning of a frame held, what the frame still needs is copied behind it; where
 * its size is not known, a piece as large as what is held, so that a frame is never copied more than twice. Everything
 * else is looked at where the caller has it, until a frame is there in part: that
 * part is then held.
 *
 * All of this happens in one call, so the frame that was joined may still lie in hold, waiting to be read, when
 * the next beginning comes. That one is put beside it, which is what `at` is for.
 *
 * A codec may have the same compiled for itself (codec/feed.h), for the cases that are common; what is here takes any
 * codec and any case, and goes on where that one stops.
 */
#include "codec/decoder.h"

#include <assert.h>

enum { PIECE_MIN = 64 }; /* bytes worth a copy at once when the size of the frame is not known */

static int feed_any(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int cap)
{
	return sb_decoder_rest(d, in, out, 0, cap, 0);
}

size_t sb_decoder_hold_size(const struct sb_framing *f)
{
	return f->flags & SB_CODEC_UNFRAMED ? 0 : (size_t)f->max + SB_FRAME_OVERHEAD_MAX;
}

int sb_decoder_setup(struct sb_decoder *d, const struct sb_framing *f, uint8_t *hold, size_t hold_size)
{
	if (hold_size < sb_decoder_hold_size(f))
		return SB_E_NO_SPACE;
	*d = (struct sb_decoder){.framing = *f, .hold = hold, .hold_size = hold_size};
	d->feed = f->codec->ops->feed ? f->codec->ops->feed(f) : feed_any;
	return 0;
}

static inline void skip(struct sb_slice *in, size_t n)
{
	in->p += n;
	in->n -= n;
}

/* Copies n bytes of *in behind what is held. */
static inline void keep(struct sb_decoder *d, struct sb_slice *in, size_t n)
{
	uint8_t *to = d->hold + d->at + d->held;

	if (n == 1)
		*to = *in->p;
	else
		memcpy(to, in->p, n);
	d->held += n;
	skip(in, n);
}

void sb_decoder_make_room(struct sb_decoder *d)
{
	memmove(d->hold, d->hold + d->at, d->held);
	d->at = 0;
}

/* Adds n bytes of *in to the frame that is held. 1: it is whole, in hold from at on; else as sb_decoder_next. */
static inline int join_piece(struct sb_decoder *d, struct sb_slice *in, size_t n, struct sb_frame *out)
{
	uint64_t start = d->scan.base;
	size_t over;
	int r;

	assert(n <= d->hold_size - d->held); /* else a codec wants more than its largest frame */
	if (n > d->hold_size - d->at - d->held)
		sb_decoder_make_room(d);
	keep(d, in, n);
	if (d->held < d->scan.need)
		return 0;
	r = d->framing.codec->ops->scan(&d->framing, &d->scan, d->hold + d->at, d->held, out, 1);
	if (r == 0)
		return 0;
	/* It ends, or breaks, in the bytes just copied; the rest of them are the caller's again. */
	over = d->held - (size_t)(d->scan.base - start);
	in->p -= over;
	in->n += over;
	d->held = 0;
	return r;
}

/* How many of n more bytes to add to the frame that is held. */
static size_t piece_size(const struct sb_decoder *d, size_t n)
{
	size_t room = d->hold_size - d->held, want = d->held < PIECE_MIN ? PIECE_MIN : d->held;

	if (d->scan.need)
		want = d->scan.need - d->held;
	want = want < room ? want : room;
	return want < n ? want : n;
}

/* The same by as many bytes as it takes. */
static int join(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out)
{
	int r = 0;

	while (r == 0 && in->n > 0)
		r = join_piece(d, in, piece_size(d, in->n), out);
	return r;
}

/* Holds the beginning of a frame, *in, beside the joined bytes from at on that are still to be read. */
static void hold(struct sb_decoder *d, struct sb_slice *in, size_t joined)
{
	assert(in->n <= d->hold_size); /* a codec that waits for more than its largest frame */
	if (joined == 0 || in->n <= d->at)
		d->at = 0;
	else if (in->n <= d->hold_size - d->at - joined)
		d->at += joined;
	else
		return; /* no room: the next call begins with it */
	keep(d, in, in->n);
}

/* Finds frames in *in, behind the k that were joined. */
static int find(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int k, int cap, size_t joined)
{
	while (k < cap && in->n > 0) {
		uint64_t start = d->scan.base;
		int r = 0;

		if (in->n > d->scan.seen && in->n >= d->scan.need)
			r = d->framing.codec->ops->scan(&d->framing, &d->scan, in->p, in->n, out + k, cap - k);
		if (r == 0) {
			hold(d, in, joined);
			break;
		}
		if (r < 0 && k > 0) { /* first those that are here; the next call finds this again */
			d->scan = (struct sb_scan){.base = start};
			break;
		}
		skip(in, (size_t)(d->scan.base - start));
		if (r < 0)
			return r;
		k += r;
	}
	return k;
}

/* Fed byte by byte, saving registers is most of what a call costs: so this is apart, and saves its own few.
 * And with nothing to work out about sizes, a byte need not wait for the sum that the one before it has stored. */
static __attribute__((noinline)) int next_byte(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out)
{
	return join_piece(d, in, 1, out);
}

int sb_decoder_keep(struct sb_decoder *d, struct sb_slice *in)
{
	assert(in->n <= d->hold_size - d->held); /* else a codec wants more than its largest frame */
	if (in->n > d->hold_size - d->at - d->held)
		sb_decoder_make_room(d);
	keep(d, in, in->n);
	return 0;
}

int sb_decoder_rest(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int k, int cap, size_t joined)
{
	if (d->held) {
		int r = join(d, in, out);

		if (r < 0 || d->held)
			return r;
		k = r;
		joined = out->wire;
	}
	return find(d, in, out, k, cap, joined);
}

int sb_decoder_next(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int cap)
{
	if (d->scan.err)
		return d->scan.err;
	if (in->n == 0 || cap <= 0)
		return 0;
	return in->n == 1 && d->held ? next_byte(d, in, out) : d->feed(d, in, out, cap);
}

int sb_decoder_end(struct sb_decoder *d)
{
	int r = sb_framing_end(&d->framing, &d->scan, d->held);

	d->held = 0;
	return r;
}

uint64_t sb_decoder_offset(const struct sb_decoder *d)
{
	return d->scan.base;
}

size_t sb_decoder_held(const struct sb_decoder *d)
{
	return d->held;
}
