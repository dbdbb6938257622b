/* SPDX-License-Identifier: MIT
 *
 * Where what we send is cut: frag=, cut= and join= of a line, as a pure function. A boundary depends on the line, the
 * seed and the offset alone, never on how bytes arrived or what the kernel took: so the same line cuts in the same
 * places each time, and a test can say beforehand where.
 *
 * Offsets are of the service's own bytes, from 0. A unit is what cuts are counted in: a frame, join= frames, with
 * raw the whole stream or join= bytes of it. Its ends are boundaries too.
 */
#ifndef SB_CORE_CUTS_H
#define SB_CORE_CUTS_H

#include "scenario/line.h"

enum { SB_CUTS_MAX = 64 }; /* offsets of one cut= */

enum sb_frag { SB_FRAG_NONE, SB_FRAG_FIXED, SB_FRAG_RANDOM };

/* The words of gate=, in their order: what has to be true before the next piece is sent. */
enum sb_gate_tier {
	SB_GATE_READ, /* the peer has taken everything out of its kernel */
	SB_GATE_ACK,  /* the peer's kernel has everything */
	SB_GATE_TIME, /* some time has passed: proves nothing */
	SB_GATE_BEST, /* the first of these that can be had */
	SB_GATE_NONE, /* nothing is cut, so nothing is waited for */
};

struct sb_cuts {
	uint8_t frag; /* enum sb_frag */
	uint8_t gate; /* enum sb_gate_tier */
	uint8_t at_n;
	uint32_t size; /* of a piece, SB_FRAG_FIXED */
	uint32_t join; /* frames of a unit, or bytes with raw; 0: not asked for */
	uint32_t at[SB_CUTS_MAX];
	uint64_t seed;
	uint64_t gap, delay, gate_max; /* nanoseconds */
};

/* Reads frag, cut, join, gap, delay, gate, gate-max and seed. seed is taken when the line has none, delay_max is the
 * longest time it may ask for. 0, or < 0 with *fault at the line's column. */
int sb_cuts_read(struct sb_cuts *cuts, const struct sb_line *line, uint64_t seed, uint64_t delay_max,
		 struct sb_fault *fault);

/* Whether it says anything at all. */
static inline bool sb_cuts_any(const struct sb_cuts *cuts)
{
	return cuts->frag || cuts->at_n || cuts->join;
}

/* The first boundary after offset at, of the unit that begins at offset unit <= at; UINT64_MAX when frag and cut make
 * none. */
uint64_t sb_cuts_next(const struct sb_cuts *cuts, uint64_t unit, uint64_t at);

#endif
