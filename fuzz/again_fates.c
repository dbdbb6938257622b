/* SPDX-License-Identifier: MIT
 * Fates of replies, said again: each number is looked up in the text of the line itself. */
#include "again_fates.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "found.h"

enum { NUMBERS_MAX = 32, LOOK = 400 };

static const enum sb_key keys[] = {SB_KEY_DROP,  SB_KEY_DUP,  SB_KEY_REORDER, SB_KEY_HOLD,
				   SB_KEY_TRUNC, SB_KEY_SIZE, SB_KEY_REPLY};

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

/* A list "3,7-9", or a share. */
struct list {
	int n;
	uint64_t first[NUMBERS_MAX + 1], last[NUMBERS_MAX + 1], share;
	int code;
	uint32_t col;
};

static const struct again_value *value(const struct again *a, enum sb_key key)
{
	return &a->v[key];
}

static void refuse(struct list *l, int code, size_t col)
{
	l->code = code;
	l->col = (uint32_t)col;
}

/* Bytes from .. to of the value. */
static bool number(struct list *l, const struct again_value *v, size_t from, size_t to, uint64_t *n)
{
	int r = naive_count(v->text.p + from, to - from, n);

	if (r == 0 && (*n < 1 || *n > UINT32_MAX))
		r = SB_E_RANGE;
	if (r < 0)
		refuse(l, r, v->col + from);
	return r == 0;
}

static void read_one(struct list *l, const struct again_value *v, size_t from, size_t to)
{
	const uint8_t *dash = memchr(v->text.p + from, '-', to - from);
	size_t middle = dash ? (size_t)(dash - v->text.p) : to;
	uint64_t *first = &l->first[l->n], *last = &l->last[l->n];

	if (!number(l, v, from, middle, first) || (dash && !number(l, v, middle + 1, to, last)))
		return;
	if (!dash)
		*last = *first;
	if (*last < *first || (l->n && *first <= l->last[l->n - 1]))
		refuse(l, SB_E_RANGE, v->col + from);
	else if (l->n == NUMBERS_MAX)
		refuse(l, SB_E_LIMIT, v->col + from);
	else
		l->n++;
}

/* The first n bytes of a value. */
static void read_list(struct list *l, const struct again_value *v, size_t n, uint64_t share_max)
{
	size_t from = 0;
	int r;

	*l = (struct list){.n = 0};
	if (!v->set)
		return;
	if (n && v->text.p[n - 1] == '%') {
		r = naive_count(v->text.p, n - 1, &l->share);
		if (r < 0 || l->share < 1 || l->share > share_max)
			refuse(l, r == SB_E_TYPE ? r : SB_E_RANGE, v->col);
		return;
	}
	for (size_t i = 0; i <= n && l->code == 0; i++) {
		if (i < n && v->text.p[i] != ',')
			continue;
		read_one(l, v, from, i);
		from = i + 1;
	}
}

/* "12:2": returns where the colon is, or the end. */
static size_t read_reorder(struct list *l, const struct again_value *v, uint64_t *after)
{
	size_t colon = 0;
	int r;

	while (v->set && colon < v->text.n && v->text.p[colon] != ':')
		colon++;
	if (v->set && colon == v->text.n) {
		*l = (struct list){.n = 0};
		refuse(l, SB_E_TYPE, v->col);
		return colon;
	}
	read_list(l, v, colon, 99);
	if (!v->set || l->code < 0)
		return colon;
	r = naive_count(v->text.p + colon + 1, v->text.n - colon - 1, after);
	if (r < 0 || *after < 1 || *after > 1000)
		refuse(l, r == SB_E_TYPE ? r : SB_E_RANGE, v->col + colon + 1);
	return colon;
}

struct lists {
	struct list l[3]; /* drop, dup, reorder */
	uint64_t after;
};

static void read_lists(struct lists *all, const struct again *a)
{
	*all = (struct lists){.after = 0};
	read_list(&all->l[0], value(a, SB_KEY_DROP), value(a, SB_KEY_DROP)->text.n, 99);
	read_list(&all->l[1], value(a, SB_KEY_DUP), value(a, SB_KEY_DUP)->text.n, 100);
	read_reorder(&all->l[2], value(a, SB_KEY_REORDER), &all->after);
}

static bool is_listed(const struct list *l, uint64_t i)
{
	for (int k = 0; k < l->n; k++)
		if (i >= l->first[k] && i <= l->last[k])
			return true;
	return false;
}

/* Where two ranges meet, one of them begins. */
static bool do_meet(const struct list *a, const struct list *b)
{
	for (int k = 0; k < a->n; k++)
		if (is_listed(b, a->first[k]))
			return true;
	for (int k = 0; k < b->n; k++)
		if (is_listed(a, b->first[k]))
			return true;
	return false;
}

static int place(const struct again *a, enum sb_key key, uint32_t *col)
{
	*col = value(a, key)->key_col;
	return SB_E_PLACE;
}

bool again_fates_are_random(const struct again *a)
{
	for (int i = 0; i < 3; i++)
		if (value(a, keys[i])->set && memchr(value(a, keys[i])->text.p, '%', value(a, keys[i])->text.n))
			return true;
	return false;
}

int again_fates_code(const struct again *a, const struct sb_limits *limits, bool strict, uint32_t *col)
{
	const struct again_value *hold = value(a, SB_KEY_HOLD);
	struct lists all;

	read_lists(&all, a);
	for (int i = 0; i < 3; i++)
		if (all.l[i].code < 0) {
			*col = all.l[i].col;
			return all.l[i].code;
		}
	if (hold->set && hold->num > limits->v[SB_LIMIT_DELAY]) {
		*col = hold->col;
		return SB_E_RANGE;
	}
	if (strict && value(a, SB_KEY_DUP)->set)
		return place(a, SB_KEY_DUP, col);
	if (strict && value(a, SB_KEY_SIZE)->set)
		return place(a, SB_KEY_SIZE, col);
	for (int i = 0; i < KEYS - 1 && value(a, SB_KEY_REPLY)->set; i++)
		if (value(a, keys[i])->set)
			return place(a, keys[i], col);
	if (value(a, SB_KEY_TRUNC)->set && value(a, SB_KEY_SIZE)->set)
		return place(a, SB_KEY_TRUNC, col);
	if (do_meet(&all.l[0], &all.l[1]))
		return place(a, SB_KEY_DUP, col);
	return do_meet(&all.l[0], &all.l[2]) ? place(a, SB_KEY_REORDER, col) : 0;
}

/* ---- what was made of it ---- */

/* splitmix64, from its paper. */
static uint64_t random_word(uint64_t seed, uint64_t i)
{
	uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15) * i + UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool is_meant(const struct lists *all, int key, uint64_t seed, uint64_t i)
{
	const struct list *l = &all->l[key];

	return l->share ? random_word(random_word(seed, (uint64_t)key), i) % 100 < l->share : is_listed(l, i);
}

static void compare_one(const struct lists *all, const struct sb_fates *fates, uint64_t seed, uint64_t i)
{
	struct sb_fate fate = sb_fate_of(fates, i);
	bool is_dropped = is_meant(all, 0, seed, i);

	if (fate.copies != (is_dropped ? 0 : is_meant(all, 1, seed, i) ? 2 : 1))
		sb_found("plan: reply %" PRIu64 " is sent %u times", i, fate.copies);
	if (fate.after != (!is_dropped && is_meant(all, 2, seed, i) ? all->after : 0))
		sb_found("plan: reply %" PRIu64 " is sent after %u others", i, fate.after);
}

static void compare_sizes(const struct again *a, const struct sb_fates *fates)
{
	static const size_t sizes[] = {0, 1, 2, 99, 100, 101, 1000, 65507};
	const struct again_value *trunc = value(a, SB_KEY_TRUNC), *size = value(a, SB_KEY_SIZE);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i], must = size->set ? (size_t)size->num : n;

		if (trunc->set && must > trunc->num)
			must = (size_t)trunc->num;
		if (sb_fate_size(fates, n) != must)
			sb_found("plan: a reply of %zu bytes becomes one of %zu, not %zu", n, sb_fate_size(fates, n),
				 must);
	}
}

void again_compare_fates(const struct again *a, const struct sb_plan *plan, uint64_t seed)
{
	const struct sb_fates *fates = &plan->fates;
	const struct again_value *hold = value(a, SB_KEY_HOLD), *reply = value(a, SB_KEY_REPLY);
	bool is_any = false;
	struct lists all;

	seed = value(a, SB_KEY_SEED)->set ? value(a, SB_KEY_SEED)->num : seed;
	for (int i = 0; i < KEYS - 1; i++)
		is_any |= value(a, keys[i])->set;
	if (fates->is_any != is_any || fates->how != (reply->set ? reply->num : 2))
		sb_found("plan: replies are sent in way %u", fates->how);
	if (fates->seed != seed || fates->hold != (hold->set ? hold->num : 0))
		sb_found("plan: replies wait for %" PRIu64 " ns, with seed %" PRIu64, fates->hold, fates->seed);
	compare_sizes(a, fates);
	read_lists(&all, a);
	for (uint64_t i = 1; i < LOOK; i++)
		compare_one(&all, fates, seed, i);
	/* And at the ends of all ranges. */
	for (int key = 0; key < 3; key++)
		for (int k = 0; k < all.l[key].n; k++) {
			compare_one(&all, fates, seed, all.l[key].first[k]);
			compare_one(&all, fates, seed, all.l[key].last[k]);
			compare_one(&all, fates, seed, all.l[key].last[k] + 1);
		}
}
