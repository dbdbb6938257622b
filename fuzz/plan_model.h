/* SPDX-License-Identifier: MIT
 *
 * For targets session and dgram: what a line asks for and which limits hold, read a second time. Written from
 * design and docs, shares nothing with src/core but names; lines are those of session_lines.def and dgram_lines.def,
 * so they are well-formed. */
#ifndef SB_FUZZ_PLAN_MODEL_H
#define SB_FUZZ_PLAN_MODEL_H

#include <stdbool.h>

#include "core/plan.h"
#include "plan_steps.h"
#include "ref/ref.h"

enum { PLAN_TEXT_MAX = 256, PLAN_MESSAGE_MAX = 65536 + 96, PLAN_SEED = 42 };

enum plan_service { PLAN_ECHO, PLAN_DISCARD, PLAN_SOURCE, PLAN_CHARGEN, PLAN_SCRIPT };
enum plan_pattern { PLAN_RING, PLAN_ZERO, PLAN_RANDOM, PLAN_TEXT };
enum plan_close { PLAN_CLEAN, PLAN_RST, PLAN_ABRUPT, PLAN_HALF, PLAN_STALL };

/* Where what is sent is cut, and what a cut waits for. */
struct plan_shape {
	bool is_any;    /* something makes pieces */
	bool is_random; /* frag=random */
	uint64_t frag, join;
	uint64_t at[128];
	size_t at_n;
	uint64_t seed, gap, delay, gate_max;
	enum sb_gate_tier gate;
};

struct plan_model {
	enum plan_service service;
	const struct ref_codec *ref;
	struct ref_args args;
	uint64_t recv_max;
	uint64_t stop_ns, stop_at;
	enum plan_close close;
	struct plan_shape shape;
	uint64_t limit, flip; /* UINT64_MAX: none */
	uint64_t maxlife;     /* 0: none */
	struct plan_steps steps;
	/* of a source: */
	uint64_t count; /* UINT64_MAX: no end */
	uint64_t len, period;
	enum plan_pattern pattern;
	uint64_t seed;
	uint8_t text[PLAN_TEXT_MAX];
	size_t text_n;
};

/* The bytes of the only file that there is for file=. */
extern const char plan_file_name[], plan_file_bytes[];

void plan_model_read(struct plan_model *m, const char *line);

static inline bool plan_is_source(const struct plan_model *m)
{
	return m->service == PLAN_SOURCE || m->service == PLAN_CHARGEN;
}

/* Bytes of all that a source sends, UINT64_MAX for no end. */
uint64_t plan_model_size(const struct plan_model *m);

/* Bytes at .. at + n of what a source sends. */
void plan_model_bytes(const struct plan_model *m, uint64_t at, uint8_t *out, size_t n);

/* Whether the line cuts behind byte at - 1, which belongs to a unit that began at unit < at: frag= and cut=, one offset
 * at a time. Units end where join= or a frame does, which the caller knows. */
bool plan_model_cuts(const struct plan_model *m, uint64_t unit, uint64_t at);

/* What the limits are: those of the profile, and words "name=value" on top. */
void plan_model_limits(uint64_t limit[SB_LIMIT_COUNT], bool is_strict, const char *words);

/* A line as src/ reads it. The plan keeps pointers to the rest. */
struct plan_made {
	struct sb_line line;
	struct sb_limits limits;
	struct sb_plan plan;
};

/* Makes the plan, and says what it found if that fails. on: SB_ON_*. */
void plan_make(struct plan_made *made, const char *line, unsigned on, bool is_strict, const char *words);

#endif
