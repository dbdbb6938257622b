/* SPDX-License-Identifier: MIT
 * What becomes of replies: read from a line, and asked for one of them. See fate.h. */
#include "core/fate.h"

#include "base/rng.h"

enum {
	ASIS = UINT32_MAX,
	DROP_SHARE_MAX = 99, /* all of them is what reply=silent says */
	DUP_SHARE_MAX = 100,
	REORDER_SHARE_MAX = 99, /* all of them would keep their order */
};

/* ---- of one reply ---- */

static bool is_in(const struct sb_fate_set *set, uint64_t seed, enum sb_key key, uint64_t i)
{
	/* Each key has random numbers of its own, or what is dropped would be what is sent twice. */
	if (set->share)
		return sb_rng_at(sb_rng_at(seed, key - SB_KEY_DROP), i) % 100 < set->share;
	for (int k = 0; k < set->n && i >= set->range[k].first; k++)
		if (i <= set->range[k].last)
			return true;
	return false;
}

struct sb_fate sb_fate_of(const struct sb_fates *fates, uint64_t i)
{
	struct sb_fate fate = {.copies = 1};

	if (is_in(&fates->drop, fates->seed, SB_KEY_DROP, i))
		return (struct sb_fate){.copies = 0};
	if (is_in(&fates->dup, fates->seed, SB_KEY_DUP, i))
		fate.copies = 2;
	if (is_in(&fates->reorder, fates->seed, SB_KEY_REORDER, i))
		fate.after = fates->after;
	return fate;
}

size_t sb_fate_size(const struct sb_fates *fates, size_t n)
{
	if (fates->size != ASIS)
		return fates->size;
	return n < fates->trunc ? n : fates->trunc;
}

struct sb_slice sb_fate_shape(const struct sb_fates *fates, struct sb_slice bytes, uint8_t *room)
{
	size_t n = sb_fate_size(fates, bytes.n);

	if (n <= bytes.n)
		return sb_slice(bytes.p, n);
	if (bytes.p != room)
		sb_copy(room, bytes.p, bytes.n);
	memset(room + bytes.n, 0, n - bytes.n);
	return sb_slice(room, n);
}

bool sb_fates_are_random(const struct sb_line *line)
{
	static const enum sb_key keys[] = {SB_KEY_DROP, SB_KEY_DUP, SB_KEY_REORDER};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct sb_slice *text = &line->v[keys[i]].text;

		if (text->n && memchr(text->p, '%', text->n))
			return true;
	}
	return false;
}

/* ---- numbers ---- */

/* A part of a key's value, and where it is. An escape of a digit makes what follows it stand further left than it was
 * written: nobody writes digits so. */
struct part {
	const char *key;
	struct sb_slice s;
	uint32_t col;
};

static struct part part_of(struct part p, size_t from, size_t n)
{
	p.s = sb_slice(p.s.p + from, n);
	p.col += (uint32_t)from;
	return p;
}

static size_t find(struct sb_slice s, char c)
{
	size_t i = 0;

	while (i < s.n && s.p[i] != (uint8_t)c)
		i++;
	return i;
}

static int say_type(struct part p, struct sb_fault *fault)
{
	return sb_fault_set(fault, SB_E_TYPE, p.col,
			    "%s takes numbers (3,7), ranges of them (20-29) or a share (5%%), not \"%.*s\"", p.key,
			    SB_FAULT_WORD(p.s));
}

static int read_index(uint32_t *out, struct part p, struct sb_fault *fault)
{
	uint64_t n = 0;
	int r = sb_parse_count(p.s, &n);

	if (r == SB_E_TYPE)
		return say_type(p, fault);
	if (r < 0 || n < 1 || n > UINT32_MAX)
		return sb_fault_set(fault, SB_E_RANGE, p.col, "a number of %s is 1 to %u, not %.*s", p.key, UINT32_MAX,
				    SB_FAULT_WORD(p.s));
	*out = (uint32_t)n;
	return 0;
}

/* "7" or "20-29". */
static int read_range(struct sb_fate_set *set, struct part p, struct sb_fault *fault)
{
	size_t dash = find(p.s, '-');
	uint32_t first = 0, last = 0, before = set->n ? set->range[set->n - 1].last : 0;
	int r = read_index(&first, part_of(p, 0, dash), fault);

	last = first;
	if (r == 0 && dash < p.s.n)
		r = read_index(&last, part_of(p, dash + 1, p.s.n - dash - 1), fault);
	if (r < 0)
		return r;
	if (last < first)
		return sb_fault_set(fault, SB_E_RANGE, p.col, "a range of %s goes up, and not %.*s", p.key,
				    SB_FAULT_WORD(p.s));
	if (first <= before)
		return sb_fault_set(fault, SB_E_RANGE, p.col, "numbers of %s go up: %.*s comes after %u", p.key,
				    SB_FAULT_WORD(p.s), before);
	if (set->n == SB_FATE_RANGES_MAX)
		return sb_fault_set(fault, SB_E_LIMIT, p.col, "%s takes at most %d numbers and ranges", p.key,
				    SB_FATE_RANGES_MAX);
	set->range[set->n].first = first;
	set->range[set->n++].last = last;
	return 0;
}

/* "5%" */
static int read_share(struct sb_fate_set *set, struct part p, unsigned most, struct sb_fault *fault)
{
	uint64_t n = 0;
	int r = sb_parse_count(sb_slice(p.s.p, p.s.n - 1), &n);

	if (r == SB_E_TYPE)
		return say_type(p, fault);
	if (r < 0 || n < 1 || n > most)
		return sb_fault_set(fault, SB_E_RANGE, p.col, "a share of %s is 1%% to %u%%, not %.*s", p.key, most,
				    SB_FAULT_WORD(p.s));
	set->share = (uint8_t)n;
	return 0;
}

static int read_set(struct sb_fate_set *set, struct part p, unsigned share_max, struct sb_fault *fault)
{
	int r = 0;

	if (p.s.n && p.s.p[p.s.n - 1] == '%')
		return read_share(set, p, share_max, fault);
	while (r == 0) {
		size_t n = find(p.s, ',');

		r = read_range(set, part_of(p, 0, n), fault);
		if (n == p.s.n)
			break;
		p = part_of(p, n + 1, p.s.n - n - 1);
	}
	return r;
}

/* ---- the line ---- */

static struct part value_of(const struct sb_line *line, enum sb_key key)
{
	return (struct part){.key = sb_keys[key].name, .s = line->v[key].text, .col = line->v[key].col};
}

/* "12:2": which ones, and how many of the later ones go first. */
static int read_reorder(struct sb_fates *fates, struct part p, struct sb_fault *fault)
{
	size_t colon = find(p.s, ':');
	struct part after;
	uint64_t n = 0;
	int r;

	if (colon == p.s.n)
		return sb_fault_set(fault, SB_E_TYPE, p.col,
				    "reorder takes which replies, and how many of the next go first, as 12:2, not "
				    "\"%.*s\"",
				    SB_FAULT_WORD(p.s));
	r = read_set(&fates->reorder, part_of(p, 0, colon), REORDER_SHARE_MAX, fault);
	if (r < 0)
		return r;
	after = part_of(p, colon + 1, p.s.n - colon - 1);
	r = sb_parse_count(after.s, &n);
	if (r == SB_E_TYPE)
		return sb_fault_set(fault, r, after.col, "reorder takes a number after the colon, not \"%.*s\"",
				    SB_FAULT_WORD(after.s));
	if (r < 0 || n < 1 || n > SB_FATE_AFTER_MAX)
		return sb_fault_set(fault, SB_E_RANGE, after.col, "1 to %d of the next replies can go first, not %.*s",
				    SB_FATE_AFTER_MAX, SB_FAULT_WORD(after.s));
	fates->after = (uint32_t)n;
	return 0;
}

static int read_sets(struct sb_fates *fates, const struct sb_line *line, struct sb_fault *fault)
{
	int r = 0;

	if (line->v[SB_KEY_DROP].set)
		r = read_set(&fates->drop, value_of(line, SB_KEY_DROP), DROP_SHARE_MAX, fault);
	if (r == 0 && line->v[SB_KEY_DUP].set)
		r = read_set(&fates->dup, value_of(line, SB_KEY_DUP), DUP_SHARE_MAX, fault);
	if (r == 0 && line->v[SB_KEY_REORDER].set)
		r = read_reorder(fates, value_of(line, SB_KEY_REORDER), fault);
	return r;
}

/* A number that both name, 0 for none. Of what a seed chooses, dropping comes first. */
static uint32_t both(const struct sb_fate_set *a, const struct sb_fate_set *b)
{
	for (int i = 0; i < a->n; i++)
		for (int k = 0; k < b->n; k++) {
			uint32_t first = a->range[i].first > b->range[k].first ? a->range[i].first : b->range[k].first;

			if (first <= a->range[i].last && first <= b->range[k].last)
				return first;
		}
	return 0;
}

static int check_dropped(const struct sb_fates *fates, const struct sb_fate_set *set, const struct sb_line *line,
			 enum sb_key key, struct sb_fault *fault)
{
	uint32_t i = both(&fates->drop, set);

	return i == 0 ? 0
		      : sb_fault_set(fault, SB_E_PLACE, line->v[key].key_col,
				     "drop= drops reply %u: %s= has nothing to do with it", i, sb_keys[key].name);
}

/* What there would be no reply for. */
static int check_reply(const struct sb_line *line, struct sb_fault *fault)
{
	for (int key = SB_KEY_DROP; key < SB_KEY_REPLY; key++)
		if (line->v[key].set)
			return sb_fault_set(fault, SB_E_PLACE, line->v[key].key_col,
					    "reply=%.*s sends no replies: %s= has nothing to do",
					    SB_FAULT_WORD(line->v[SB_KEY_REPLY].text), sb_keys[key].name);
	return 0;
}

/* Addresses can be forged: nobody is sent more than came in his name, unless he has proved it. */
static int check_strict(const struct sb_line *line, struct sb_fault *fault)
{
	static const enum sb_key more[] = {SB_KEY_DUP, SB_KEY_SIZE};

	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		if (line->v[more[i]].set)
			return sb_fault_set(fault, SB_E_PLACE, line->v[more[i]].key_col,
					    "%s= may answer with more than was sent: only on loopback addresses, and "
					    "on ports of LISTEN",
					    sb_keys[more[i]].name);
	return 0;
}

static int check(const struct sb_fates *fates, const struct sb_line *line, bool strict, struct sb_fault *fault)
{
	const struct sb_value *trunc = &line->v[SB_KEY_TRUNC];
	int r = strict ? check_strict(line, fault) : 0;

	if (r == 0 && fates->how != SB_REPLY_SENT)
		r = check_reply(line, fault);
	if (r == 0 && trunc->set && line->v[SB_KEY_SIZE].set)
		r = sb_fault_set(fault, SB_E_PLACE, trunc->key_col,
				 "size= says how large replies are: trunc= beside it has nothing to do");
	if (r == 0)
		r = check_dropped(fates, &fates->dup, line, SB_KEY_DUP, fault);
	if (r == 0)
		r = check_dropped(fates, &fates->reorder, line, SB_KEY_REORDER, fault);
	return r;
}

int sb_fates_read(struct sb_fates *fates, const struct sb_line *line, uint64_t seed, uint64_t delay_max, bool strict,
		  struct sb_fault *fault)
{
	const struct sb_value *v = line->v;
	int r;

	*fates = (struct sb_fates){.how = SB_REPLY_SENT, .trunc = ASIS, .size = ASIS};
	fates->seed = v[SB_KEY_SEED].set ? v[SB_KEY_SEED].num : seed;
	for (int key = SB_KEY_DROP; key < SB_KEY_REPLY; key++)
		fates->is_any |= v[key].set;
	if (v[SB_KEY_REPLY].set)
		fates->how = (uint8_t)v[SB_KEY_REPLY].num;
	if (v[SB_KEY_TRUNC].set)
		fates->trunc = (uint32_t)v[SB_KEY_TRUNC].num;
	if (v[SB_KEY_SIZE].set)
		fates->size = (uint32_t)v[SB_KEY_SIZE].num;
	fates->hold = v[SB_KEY_HOLD].set ? v[SB_KEY_HOLD].num : 0;
	r = read_sets(fates, line, fault);
	if (r == 0 && fates->hold > delay_max)
		r = sb_fault_set(fault, SB_E_RANGE, v[SB_KEY_HOLD].col, "hold is at most %llu ms here (--max-delay)",
				 (unsigned long long)(delay_max / 1000000));
	return r < 0 ? r : check(fates, line, strict, fault);
}
