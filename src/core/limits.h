/* SPDX-License-Identifier: MIT
 * The numbers that bound everything a peer can make us do, in two profiles. One table: limits.def. */
#ifndef SB_CORE_LIMITS_H
#define SB_CORE_LIMITS_H

#include "base/fault.h"
#include "base/text.h"

#define SB_MS UINT64_C(1000000)
#define SB_S (UINT64_C(1000) * SB_MS)
#define SB_H (UINT64_C(3600) * SB_S)

enum sb_limit {
#define SB_LIMIT(id, name, unit, loopback, strict, min, max, help) SB_LIMIT_##id,
#include "core/limits.def"
#undef SB_LIMIT
	SB_LIMIT_COUNT
};

/* The most that max-ports can be. */
enum { SB_PORTS_MAX = 8192 };

enum sb_unit { SB_UNIT_COUNT, SB_UNIT_SIZE, SB_UNIT_TIME };

struct sb_limit_row {
	const char *name;
	enum sb_unit unit;
	uint64_t loopback, strict, min, max;
	const char *help;
};

extern const struct sb_limit_row sb_limit_rows[SB_LIMIT_COUNT];

/* is_set tells what the operator chose himself from what the profile gave. */
struct sb_limits {
	uint64_t v[SB_LIMIT_COUNT];
	bool is_set[SB_LIMIT_COUNT];
};

/* Sets the limit of this name from text ("none" for 0 where it may be). 0; SB_E_UNKNOWN when there is no such
 * limit; SB_E_DUPLICATE, SB_E_TYPE, SB_E_RANGE with *fault naming the range. */
int sb_limits_set(struct sb_limits *limits, struct sb_slice name, struct sb_slice text, struct sb_fault *fault);

/* Gives every limit that is not set its value in the profile. */
void sb_limits_fill(struct sb_limits *limits, bool strict);

/* A value as the grammar writes it, "none" for 0 where that means none. */
void sb_text_limit(struct sb_text *t, enum sb_limit which, uint64_t value);

/* The table for --help: name, both profiles, what it is. */
void sb_limits_help(struct sb_text *t);

/* The i-th limit's name for sb_nearest(); list is not used. */
const char *sb_limit_name_at(const void *list, size_t i);

#endif
