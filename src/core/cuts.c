/* SPDX-License-Identifier: MIT
 * Cuts: read from a line, and where the next one is. */
#include "core/cuts.h"

#include "base/rng.h"
#include "base/timer.h"
#include "core/fate.h"

enum {
	REGION = 1024, /* bytes that random pieces have one mean size in */
	PIECE_MAX = 65536,
};

#define GATE_MAX_DEFAULT (10 * UINT64_C(1000000000))
#define GAP_DEFAULT UINT64_C(1000000)

/* ---- where ---- */

/* Whether a random cut is at this offset. Each region has its own mean size of pieces, from 1 to 256 bytes, so that
 * single bytes and long pieces both come in one stream; between two regions there is always one. */
static bool is_cut(uint64_t seed, uint64_t offset)
{
	static const uint16_t means[] = {1, 2, 4, 16, 64, 256};
	uint64_t region = offset / REGION;
	uint16_t mean = means[sb_rng_at(seed, region) % (sizeof(means) / sizeof(means[0]))];

	return offset % REGION == 0 || sb_rng_at(~seed, offset) % mean == 0;
}

static uint64_t next_random(uint64_t seed, uint64_t at)
{
	do
		at++;
	while (!is_cut(seed, at));
	return at;
}

uint64_t sb_cuts_next(const struct sb_cuts *cuts, uint64_t unit, uint64_t at)
{
	uint64_t next = UINT64_MAX;

	if (cuts->frag == SB_FRAG_FIXED)
		next = at + cuts->size - (at - unit) % cuts->size;
	else if (cuts->frag == SB_FRAG_RANDOM)
		next = next_random(cuts->seed, at);
	for (int i = 0; i < cuts->at_n; i++) {
		if (unit + cuts->at[i] <= at)
			continue;
		if (unit + cuts->at[i] < next)
			next = unit + cuts->at[i];
		break;
	}
	return next;
}

/* ---- the line ---- */

static int read_frag(struct sb_cuts *cuts, const struct sb_value *v, struct sb_fault *fault)
{
	uint64_t n = 0;
	int r;

	if (!v->set)
		return 0;
	cuts->frag = sb_slice_is(v->text, "random") ? SB_FRAG_RANDOM : SB_FRAG_FIXED;
	if (cuts->frag == SB_FRAG_RANDOM)
		return 0;
	r = sb_parse_size(v->text, &n);
	if (r == SB_E_TYPE)
		return sb_fault_set(fault, r, v->col, "frag takes a size (1, 100, 4k) or random, not \"%.*s\"",
				    SB_FAULT_WORD(v->text));
	if (r < 0 || n < 1 || n > PIECE_MAX)
		return sb_fault_set(fault, SB_E_RANGE, v->col, "frag is 1 to 64k, not %.*s", SB_FAULT_WORD(v->text));
	cuts->size = (uint32_t)n;
	return 0;
}

/* One offset of cut=, which begins at byte i of the value. */
static int read_offset(struct sb_cuts *cuts, struct sb_slice word, uint32_t col, struct sb_fault *fault)
{
	uint64_t n = 0;
	int r = sb_parse_count(word, &n);

	if (r == SB_E_TYPE)
		return sb_fault_set(fault, r, col, "cut takes offsets as 7,13, not \"%.*s\"", SB_FAULT_WORD(word));
	if (r < 0 || n < 1 || n > UINT32_MAX)
		return sb_fault_set(fault, SB_E_RANGE, col, "an offset of cut is 1 to %u, not %.*s", UINT32_MAX,
				    SB_FAULT_WORD(word));
	if (cuts->at_n > 0 && n <= cuts->at[cuts->at_n - 1])
		return sb_fault_set(fault, SB_E_RANGE, col, "offsets of cut go up: %.*s comes after %u",
				    SB_FAULT_WORD(word), cuts->at[cuts->at_n - 1]);
	if (cuts->at_n == SB_CUTS_MAX)
		return sb_fault_set(fault, SB_E_LIMIT, col, "cut takes at most %d offsets", SB_CUTS_MAX);
	cuts->at[cuts->at_n++] = (uint32_t)n;
	return 0;
}

static int read_cut(struct sb_cuts *cuts, const struct sb_value *v, struct sb_fault *fault)
{
	struct sb_slice rest = v->text;
	size_t n;
	int r;

	if (!v->set)
		return 0;
	do {
		n = 0;
		while (n < rest.n && rest.p[n] != ',')
			n++;
		/* An escape in a list of digits is wrong where it stands, so columns are those of the text. */
		r = read_offset(cuts, sb_slice(rest.p, n), (uint32_t)(v->col + (v->text.n - rest.n)), fault);
		if (r < 0 || n == rest.n)
			return r;
		rest = sb_slice_skip(rest, n + 1);
	} while (true);
}

static int read_time(uint64_t *ns, const struct sb_value *v, const char *name, uint64_t most, struct sb_fault *fault)
{
	if (!v->set)
		return 0;
	if (v->num > most)
		return sb_fault_set(fault, SB_E_RANGE, v->col, "%s is at most %llu ms here (--max-delay)", name,
				    (unsigned long long)(most / 1000000));
	*ns = v->num;
	return 0;
}

static int read_times(struct sb_cuts *cuts, const struct sb_line *line, uint64_t most, struct sb_fault *fault)
{
	int r = read_time(&cuts->gap, &line->v[SB_KEY_GAP], "gap", most, fault);

	if (r == 0)
		r = read_time(&cuts->delay, &line->v[SB_KEY_DELAY], "delay", most, fault);
	if (r == 0)
		r = read_time(&cuts->gate_max, &line->v[SB_KEY_GATE_MAX], "gate-max", most, fault);
	return r;
}

/* What does not go together. */
static int check_beside(const struct sb_cuts *cuts, const struct sb_line *line, struct sb_fault *fault)
{
	const struct sb_value *join = &line->v[SB_KEY_JOIN], *seed = &line->v[SB_KEY_SEED];

	if (join->set && (cuts->frag || cuts->at_n))
		return sb_fault_set(
			fault, SB_E_PLACE, join->key_col,
			"join= sends messages together, frag= and cut= cut them: a line takes one of these");
	if (seed->set && cuts->frag != SB_FRAG_RANDOM && !sb_slice_is(line->v[SB_KEY_PATTERN].text, "random") &&
	    !sb_fates_are_random(line))
		return sb_fault_set(fault, SB_E_PLACE, seed->key_col,
				    "seed= goes with pattern=random, frag=random or a share as drop=5%%");
	return 0;
}

/* And what is about pieces says something only where there are some. */
static int check(const struct sb_cuts *cuts, const struct sb_line *line, struct sb_fault *fault)
{
	static const enum sb_key about_pieces[] = {SB_KEY_GAP, SB_KEY_GATE, SB_KEY_GATE_MAX};

	if (sb_cuts_any(cuts))
		return check_beside(cuts, line, fault);
	for (size_t i = 0; i < sizeof(about_pieces) / sizeof(about_pieces[0]); i++) {
		const struct sb_value *v = &line->v[about_pieces[i]];

		if (v->set)
			return sb_fault_set(fault, SB_E_PLACE, v->key_col,
					    "%s= is about pieces, and nothing here makes any: add frag=, cut= or join=",
					    sb_keys[about_pieces[i]].name);
	}
	return check_beside(cuts, line, fault);
}

int sb_cuts_read(struct sb_cuts *cuts, const struct sb_line *line, uint64_t seed, uint64_t delay_max,
		 struct sb_fault *fault)
{
	const struct sb_value *gate = &line->v[SB_KEY_GATE];
	int r;

	*cuts = (struct sb_cuts){.seed = line->v[SB_KEY_SEED].set ? line->v[SB_KEY_SEED].num : seed};
	cuts->gate_max = delay_max < GATE_MAX_DEFAULT ? delay_max : GATE_MAX_DEFAULT;
	cuts->join = line->v[SB_KEY_JOIN].set ? (uint32_t)line->v[SB_KEY_JOIN].num : 0;
	r = read_frag(cuts, &line->v[SB_KEY_FRAG], fault);
	if (r == 0)
		r = read_cut(cuts, &line->v[SB_KEY_CUT], fault);
	if (r == 0)
		r = read_times(cuts, line, delay_max, fault);
	if (r == 0)
		r = check(cuts, line, fault);
	if (r < 0)
		return r;
	cuts->gate = gate->set ? (uint8_t)gate->num : sb_cuts_any(cuts) ? SB_GATE_BEST : SB_GATE_NONE;
	if (cuts->gate == SB_GATE_TIME && cuts->gap == 0)
		cuts->gap = GAP_DEFAULT;
	return 0;
}
