/* SPDX-License-Identifier: MIT
 * Cuts, said again: the list of all boundaries there are, made from the line, and looked up. */
#include "again_cuts.h"
#include "again_fates.h"

#include <inttypes.h>
#include <string.h>

#include "found.h"

enum { LOOK = 3000, OFFSETS_MAX = 64 };

struct offsets {
	uint64_t at[OFFSETS_MAX + 1];
	int n;
	int code;
	uint32_t col;
};

static const struct again_value *value(const struct again *a, enum sb_key key)
{
	return &a->v[key];
}

/* The digits of p[0..n): their value, at most UINT32_MAX + 1; -1 when they are none. */
static int64_t digits(const uint8_t *p, size_t n)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + (p[i] - '0');
		v = v > (int64_t)UINT32_MAX ? (int64_t)UINT32_MAX + 1 : v;
	}
	return n ? v : -1;
}

/* "-5": a number, and no good. */
static bool is_negative(const uint8_t *p, size_t n)
{
	return n > 1 && p[0] == '-' && digits(p + 1, n - 1) >= 0;
}

static void read_offsets(struct offsets *o, const struct again_value *v)
{
	size_t from = 0;

	*o = (struct offsets){.n = 0};
	while (v->set && o->code == 0 && from <= v->text.n) {
		size_t to = from;
		int64_t n;

		while (to < v->text.n && v->text.p[to] != ',')
			to++;
		n = digits(v->text.p + from, to - from);
		o->col = v->col + (uint32_t)from;
		if (n < 0 && !is_negative(v->text.p + from, to - from))
			o->code = SB_E_TYPE;
		else if (n < 1 || n > (int64_t)UINT32_MAX || (o->n && (uint64_t)n <= o->at[o->n - 1]))
			o->code = SB_E_RANGE;
		else if (o->n == OFFSETS_MAX)
			o->code = SB_E_LIMIT;
		else
			o->at[o->n++] = (uint64_t)n;
		from = to + 1;
	}
}

/* 0 for random; -1 when it is no size at all. */
static int64_t frag_of(const struct again_value *v)
{
	const struct again_text *t = &v->text;
	bool is_k = t->n && t->p[t->n - 1] == 'k', is_m = t->n && t->p[t->n - 1] == 'M';
	int64_t n;

	if (naive_is(t->p, t->n, "random"))
		return 0;
	if (is_negative(t->p, t->n - (is_k || is_m)))
		return 65537;
	n = digits(t->p, t->n - (is_k || is_m));
	n *= n < 0 ? 1 : is_k ? 1024 : is_m ? 1048576 : 1;
	return n == 0 ? 65537 : n;
}

static int refuse(uint32_t *col, uint32_t at, int code)
{
	*col = at;
	return code;
}

static int times_code(const struct again *a, uint64_t most, uint32_t *col)
{
	static const enum sb_key times[] = {SB_KEY_GAP, SB_KEY_DELAY, SB_KEY_GATE_MAX};

	for (size_t i = 0; i < 3; i++)
		if (value(a, times[i])->set && value(a, times[i])->num > most)
			return refuse(col, value(a, times[i])->col, SB_E_RANGE);
	return 0;
}

/* What makes no sense beside what else is there. */
static int beside_code(const struct again *a, uint32_t *col)
{
	static const enum sb_key pieces[] = {SB_KEY_GAP, SB_KEY_GATE, SB_KEY_GATE_MAX};
	const struct again_value *frag = value(a, SB_KEY_FRAG), *join = value(a, SB_KEY_JOIN),
				 *seed = value(a, SB_KEY_SEED), *pattern = value(a, SB_KEY_PATTERN);
	bool is_cut = frag->set || value(a, SB_KEY_CUT)->set;

	if (join->set && is_cut)
		return refuse(col, join->key_col, SB_E_PLACE);
	for (size_t i = 0; i < 3; i++)
		if (value(a, pieces[i])->set && !is_cut && !join->set)
			return refuse(col, value(a, pieces[i])->key_col, SB_E_PLACE);
	if (seed->set && !(frag->set && frag_of(frag) == 0) && !again_fates_are_random(a) &&
	    !(pattern->set && naive_is(pattern->text.p, pattern->text.n, "random")))
		return refuse(col, seed->key_col, SB_E_PLACE);
	return 0;
}

int again_cuts_code(const struct again *a, const struct sb_limits *limits, uint32_t *col)
{
	const struct again_value *frag = value(a, SB_KEY_FRAG), *life = value(a, SB_KEY_MAXLIFE);
	uint64_t life_max = limits->v[SB_LIMIT_LIFE];
	struct offsets offsets;
	int code;

	if (life->set && life_max && life->num > life_max)
		return refuse(col, life->col, SB_E_RANGE);
	if (frag->set && frag_of(frag) < 0)
		return refuse(col, frag->col, SB_E_TYPE);
	if (frag->set && frag_of(frag) > 65536)
		return refuse(col, frag->col, SB_E_RANGE);
	read_offsets(&offsets, value(a, SB_KEY_CUT));
	if (offsets.code < 0)
		return refuse(col, offsets.col, offsets.code);
	code = times_code(a, limits->v[SB_LIMIT_DELAY], col);
	return code < 0 ? code : beside_code(a, col);
}

static void compare_boundaries(const struct again *a, const struct sb_cuts *cuts)
{
	const uint64_t unit = 1000;
	struct offsets offsets;
	uint64_t frag = value(a, SB_KEY_FRAG)->set ? (uint64_t)frag_of(value(a, SB_KEY_FRAG)) : UINT64_MAX;
	uint64_t last = unit;

	read_offsets(&offsets, value(a, SB_KEY_CUT));
	for (uint64_t at = unit; at < unit + LOOK; at += 1 + at / 7 % 3) {
		uint64_t next = sb_cuts_next(cuts, unit, at), must = UINT64_MAX;

		for (int i = offsets.n - 1; i >= 0; i--)
			must = unit + offsets.at[i] > at ? unit + offsets.at[i] : must;
		if (frag != UINT64_MAX && frag > 0)
			must = unit + ((at - unit) / frag + 1) * frag < must ? unit + ((at - unit) / frag + 1) * frag
									     : must;
		if (frag != 0 && next != must)
			sb_found("plan: after %" PRIu64 " the next cut is at %" PRIu64 ", not at %" PRIu64, at - unit,
				 next - unit, must - unit);
		if (frag == 0 && (next <= at || next > at + 1024 || next > must || (next != last && at < last)))
			sb_found("plan: after %" PRIu64 " the next random cut is at %" PRIu64, at - unit, next - unit);
		last = next;
	}
}

void again_compare_cuts(const struct again *a, const struct sb_plan *plan, uint64_t seed)
{
	const struct sb_cuts *cuts = &plan->cuts;
	bool is_any = value(a, SB_KEY_FRAG)->set || value(a, SB_KEY_CUT)->set || value(a, SB_KEY_JOIN)->set;
	uint64_t gate = value(a, SB_KEY_GATE)->set ? value(a, SB_KEY_GATE)->num : is_any ? SB_GATE_BEST : SB_GATE_NONE;
	struct {
		const char *name;
		enum sb_key key;
		uint64_t is, otherwise;
	} numbers[] = {
		{"join", SB_KEY_JOIN, cuts->join, 0},
		{"gap", SB_KEY_GAP, cuts->gap, gate == SB_GATE_TIME ? 1000000 : 0},
		{"delay", SB_KEY_DELAY, cuts->delay, 0},
		{"gate", SB_KEY_GATE, cuts->gate, gate},
		{"gate-max", SB_KEY_GATE_MAX, cuts->gate_max,
		 plan->limits->v[SB_LIMIT_DELAY] < 10 * SB_S ? plan->limits->v[SB_LIMIT_DELAY] : 10 * SB_S},
		{"seed", SB_KEY_SEED, cuts->seed, seed},
		{"limit", SB_KEY_LIMIT, plan->limit, UINT64_MAX},
		{"flip", SB_KEY_FLIP, plan->flip, UINT64_MAX},
		{"maxlife", SB_KEY_MAXLIFE, plan->maxlife, 0},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const struct again_value *v = value(a, numbers[i].key);

		if (numbers[i].is != (v->set ? v->num : numbers[i].otherwise))
			sb_found("plan: %s is %" PRIu64, numbers[i].name, numbers[i].is);
	}
	if (plan->is_paced !=
	    (is_any || cuts->delay || plan->limit != UINT64_MAX || plan->flip != UINT64_MAX || a->steps_n))
		sb_found("plan: whether it is paced is wrong");
	compare_boundaries(a, cuts);
}
