/* SPDX-License-Identifier: MIT
 *
 * A framing with a memory: takes the stream in pieces of any size, and puts split frames together.
 *
 * Frames that lie whole in a piece are views of it and cost no copy. Of a frame that is split, what is here is
 * held, and what is missing is copied behind it when it comes: its last piece is looked at in place of the
 * caller's bytes. streambed.h has the calls that take bytes; here is what the decoder is made of.
 */
#ifndef SB_CODEC_DECODER_H
#define SB_CODEC_DECODER_H

#include "codec/codec.h"

/* hold[at..at + held) is the beginning of the frame in progress; at + held <= hold_size. Once broken, held is 0. */
struct sb_decoder {
	struct sb_framing framing;
	struct sb_scan scan;
	sb_decoder_feed *feed; /* the codec's own, or that for all */
	uint8_t *hold;
	size_t hold_size, held, at;
};

/* Bytes of hold that a decoder for this framing needs: its largest frame; 0 for raw, which waits for nothing. */
size_t sb_decoder_hold_size(const struct sb_framing *f);

/* Makes a decoder at the start of a stream. hold stays the caller's, and must live as long as the decoder; it
 * needs no alignment and no content. 0, or SB_E_NO_SPACE when hold_size is less than sb_decoder_hold_size(f). */
int sb_decoder_setup(struct sb_decoder *d, const struct sb_framing *f, uint8_t *hold, size_t hold_size);

/* ---- for codec/feed.h ---- */

/* sb_decoder_next, step by step and for any codec, behind k frames that are found: with joined > 0, the first
 * of them is so many bytes of hold, from at on. k is 0 when a beginning is held. */
int sb_decoder_rest(struct sb_decoder *d, struct sb_slice *in, struct sb_frame *out, int k, int cap, size_t joined);

/* Adds all of *in to the frame that is held, and ends nothing. Returns 0. */
int sb_decoder_keep(struct sb_decoder *d, struct sb_slice *in);

/* Moves what is held to the front of hold. */
void sb_decoder_make_room(struct sb_decoder *d);

#endif
