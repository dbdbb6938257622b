/* SPDX-License-Identifier: MIT
 *
 * Who is answered, said a second time: written from the threat model and the cases that go with it, from drops.def and
 * the help of limits.def. Each reason not to answer is asked by itself; of those that hold the first in drops.def is
 * the one to be given. */
#ifndef SB_FUZZ_DGRAM_MODEL_H
#define SB_FUZZ_DGRAM_MODEL_H

#include "core/dgram.h"
#include "plan_model.h"

enum { DGRAM_SOURCES_MAX = 64, DGRAM_RANGES_MAX = 4, DGRAM_WAYS = 4 };

struct dgram_range {
	uint8_t ip[16];
	unsigned size, bits; /* bytes of an address of this kind; bits that count */
};

/* What an address, or an IPv6 network of 64 bits, has taken of its rate. */
struct dgram_source {
	uint8_t family, ip[8];
	uint32_t set;   /* sources of one set share DGRAM_WAYS places */
	uint64_t debt;  /* ns that it has run ahead … */
	uint64_t since; /* … at this time */
};

struct dgram_model {
	const struct plan_model *plan;
	const uint64_t *limit;
	bool is_owned;           /* a port of LISTEN, for 10.0.0.1 alone */
	bool is_strict, is_here; /* the profile; the socket's own address is a loopback one */
	const uint16_t *own;
	size_t own_n;
	struct dgram_range allow[DGRAM_RANGES_MAX];
	size_t allow_n;
	struct dgram_source source[DGRAM_SOURCES_MAX]; /* in the order in which places were taken */
	size_t sources;
	uint64_t total_debt, total_since;
};

struct dgram {
	struct sb_addr src, dst;
	uint32_t set; /* of its source */
	const uint8_t *p;
	size_t n;
	bool is_cut_off;
};

/* Words "10.0.0.0/8". */
void dgram_model_allow(struct dgram_model *m, const char *words);

/* The reason; if it is NONE, it is counted. */
enum sb_drop dgram_model_judge(struct dgram_model *m, const struct dgram *d, uint64_t now);

/* How long its source has to wait until it may come again, for all that its own rate says. */
uint64_t dgram_model_wait(const struct dgram_model *m, const struct dgram *d, uint64_t now);

/* Replies, and bytes of each. */
uint64_t dgram_model_replies(const struct dgram_model *m);
size_t dgram_model_size(const struct dgram_model *m, const struct dgram *d);

#endif
