/* SPDX-License-Identifier: MIT
 * For targets session and server: the steps of a line, read a second time. Lines are well-formed. */
#ifndef SB_FUZZ_PLAN_STEPS_H
#define SB_FUZZ_PLAN_STEPS_H

#include <stdbool.h>

#include "ref/ref.h"

enum { PLAN_STEPS_MAX = 64, PLAN_SAYS_MAX = 1024 + 96 };

enum plan_does {
	PLAN_SENDS, /* size bytes */
	PLAN_READS, /* size bytes, … */
	PLAN_TAKES, /* … or a message */
	PLAN_PAUSES,
	PLAN_STOPS,
	PLAN_SETS,
	PLAN_HALVES,
	PLAN_FINISHES,
	PLAN_RESETS,
	PLAN_HEARS_END,
	PLAN_PROVES_ACK,
	PLAN_PROVES_READ,
	PLAN_REPEATS,
};

struct plan_step {
	enum plan_does does;
	uint64_t size, ns, at;
	uint8_t *says; /* of SENDS: what goes out, its framing included */
	char opt[40], value[40];
};

struct plan_steps {
	size_t n;
	bool is_timeless; /* neither the clock nor how much comes at once has a part in it, … */
	bool is_steady;   /* … nor when it is known that no more comes */
	struct plan_step step[PLAN_STEPS_MAX];
	uint8_t room[PLAN_STEPS_MAX * 96 + PLAN_SAYS_MAX]; /* that says points into */
};

/* The steps behind the first " | " of the line; none is no step. */
void plan_steps_read(struct plan_steps *p, const char *line, const struct ref_codec *ref, const struct ref_args *args);

#endif
