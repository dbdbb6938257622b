/* SPDX-License-Identifier: MIT
 *
 * What becomes of replies: drop=, dup=, reorder=, hold=, trunc=, size= and reply= of a line, as a pure function.
 * Replies are numbered for each peer (address and port) of a listener, from 1. What becomes of one depends on the line,
 * the seed and its number alone: so every peer sees the same, and a test can say beforehand what.
 */
#ifndef SB_CORE_FATE_H
#define SB_CORE_FATE_H

#include "scenario/line.h"

enum {
	SB_FATE_RANGES_MAX = 32, /* numbers and ranges of one key */
	SB_FATE_AFTER_MAX = 1000,
	SB_DATAGRAM_MAX = 65507, /* bytes that a datagram carries */
};

/* The words of reply=, in their order. */
enum sb_reply_how {
	SB_REPLY_REFUSED, /* the kernel says that nobody is there */
	SB_REPLY_SILENT,  /* datagrams are read, and never answered */
	SB_REPLY_SENT,
};

/* Numbers: by name, in rising order, or a share of all, which the seed chooses. */
struct sb_fate_set {
	uint8_t n, share; /* share: of a hundred, 0 for none */
	struct {
		uint32_t first, last;
	} range[SB_FATE_RANGES_MAX];
};

struct sb_fates {
	bool is_any; /* something here is not as usual, so replies have to be counted */
	uint8_t how; /* enum sb_reply_how */
	struct sb_fate_set drop, dup, reorder;
	uint32_t after;       /* reorder: so many later ones go first */
	uint32_t trunc, size; /* UINT32_MAX for as they are */
	uint64_t seed, hold;  /* hold: nanoseconds */
};

/* Of one reply. */
struct sb_fate {
	uint8_t copies; /* 0: it is dropped */
	uint32_t after; /* so many later ones have to be sent first */
};

/* Reads the keys. seed is taken when the line has none, delay_max is the longest time it may ask for; strict: nothing
 * that answers with more than was asked. 0, or < 0 with *fault at the line's column. */
int sb_fates_read(struct sb_fates *fates, const struct sb_line *line, uint64_t seed, uint64_t delay_max, bool strict,
		  struct sb_fault *fault);

/* Whether a seed decides something of it. */
bool sb_fates_are_random(const struct sb_line *line);

/* What becomes of reply number i, from 1. */
struct sb_fate sb_fate_of(const struct sb_fates *fates, uint64_t i);

/* How many bytes a reply of n becomes. */
size_t sb_fate_size(const struct sb_fates *fates, size_t n);

/* A reply in its size. Bytes that it does not have are zeros; for these it is moved to room, which has SB_DATAGRAM_MAX
 * and may be where it lies already. */
struct sb_slice sb_fate_shape(const struct sb_fates *fates, struct sb_slice bytes, uint8_t *room);

#endif
