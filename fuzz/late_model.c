/* SPDX-License-Identifier: MIT
 * The rules of replies. See late_model.h. */
#include "late_model.h"
#include "find.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "found.h"

#define SECOND UINT64_C(1000000000)

/* ---- the line ---- */

/* The value of key=, NULL when it is not there. */
static const char *value(const char *line, const char *key)
{
	const char *at = fuzz_find(line, key);

	/* A value may have the name of a key in it, and has no space. */
	while (at && at[-1] != ' ')
		at = fuzz_find(at + 1, key);
	return at ? at + strlen(key) : NULL;
}

/* A number with its unit, as bytes or nanoseconds; 0 when it is not there. */
static uint64_t number_of(const char *line, const char *key)
{
	const char *v = value(line, key);
	char *end;
	uint64_t n = v ? strtoull(v, &end, 10) : 0;

	if (!v)
		return 0;
	if (strncmp(end, "us", 2) == 0)
		return n * 1000;
	if (strncmp(end, "ms", 2) == 0)
		return n * 1000000;
	return *end == 's' ? n * SECOND : *end == 'k' ? n * 1024 : n;
}

bool late_model_is_for(const char *line)
{
	static const char *const keys[] = {"drop=", "dup=", "reorder=", "hold=", "trunc=", "size="};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (value(line, keys[i]))
			return true;
	return false;
}

/* splitmix64 at place i of the stream of a seed. */
SB_WRAPS static uint64_t drawn(uint64_t seed, uint64_t i)
{
	uint64_t z = seed + 0x9e3779b97f4a7c15u * i + 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Whether reply i is one of those that "3,7-9" or "30%" means; stream: of the seed, for this key. */
static bool is_meant(const char *line, const char *key, uint64_t stream, uint64_t i)
{
	const char *v = value(line, key);
	char *end;

	while (v) {
		uint64_t first = strtoull(v, &end, 10), last = first;

		if (*end == '%')
			return drawn(drawn(number_of(line, "seed="), stream), i) % 100 < first;
		if (*end == '-')
			last = strtoull(end + 1, &end, 10);
		if (i >= first && i <= last)
			return true;
		v = *end == ',' ? end + 1 : NULL;
	}
	return false;
}

/* "6:2" */
static uint64_t after_of(const char *line, uint64_t i)
{
	const char *v = value(line, "reorder=");

	return v && is_meant(line, "reorder=", 2, i) ? strtoull(strchr(v, ':') + 1, NULL, 10) : 0;
}

static uint32_t size_of(const char *line, uint32_t n)
{
	uint64_t trunc = number_of(line, "trunc=");

	if (value(line, "size="))
		return (uint32_t)number_of(line, "size=");
	return value(line, "trunc=") && trunc < n ? (uint32_t)trunc : n;
}

/* ---- peers ---- */

/* Counted in the place of the peer; of a new one, in a free place, or that of who was not heard of for longest. */
static uint64_t count(struct late_model *m, uint32_t listener, const struct sb_addr *a)
{
	uint32_t i = 0, quiet = 0;

	while (i < m->peers && (m->peer[i].listener != listener || !sb_addr_eq(&m->peer[i].addr, a))) {
		quiet = m->peer[i].heard < m->peer[quiet].heard ? i : quiet;
		i++;
	}
	if (i == m->peers && m->peers == m->peers_max) {
		i = quiet;
		m->forgotten++;
		m->peer[i].n = 0;
	} else if (i == m->peers) {
		m->peers++;
		m->peer[i].n = 0;
	}
	m->peer[i].listener = listener;
	m->peer[i].addr = *a;
	m->peer[i].heard = ++m->seq;
	return ++m->peer[i].n;
}

/* ---- what waits ---- */

void late_model_init(struct late_model *m, uint32_t blocks_max, uint32_t peers_max)
{
	m->held_n = m->blocks = m->peers = 0;
	m->blocks_max = blocks_max;
	m->peers_max = peers_max;
	m->seq = m->forgotten = 0;
	if (blocks_max > LATE_MAX || peers_max > LATE_PEERS_MAX)
		sb_found("late: the model is too small");
}

static uint32_t blocks_of(const struct late_want *w)
{
	return 1 + (w->size > SB_LATE_FIRST ? (w->size - SB_LATE_FIRST + SB_LATE_MORE - 1) / SB_LATE_MORE : 0);
}

static bool is_before(const struct late_want *a, const struct late_want *b)
{
	if (a->due != b->due)
		return a->due < b->due;
	if ((a->waits == 0) != (b->waits == 0))
		return a->waits == 0;
	return a->seq < b->seq;
}

const struct late_want *late_model_first(const struct late_model *m)
{
	const struct late_want *first = NULL;

	for (uint32_t i = 0; i < m->held_n; i++)
		if (!first || is_before(&m->held[i], first))
			first = &m->held[i];
	return first;
}

static void take_out(struct late_model *m, const struct late_want *which, struct late_want *w)
{
	*w = *which;
	m->blocks -= blocks_of(w);
	m->held[which - m->held] = m->held[--m->held_n];
}

bool late_model_due(struct late_model *m, uint64_t now, struct late_want *w)
{
	const struct late_want *first = late_model_first(m);

	if (!first || first->due > now)
		return false;
	take_out(m, first, w);
	return true;
}

bool late_model_of(struct late_model *m, uint32_t listener, struct late_want *w)
{
	const struct late_want *first = NULL;

	for (uint32_t i = 0; i < m->held_n; i++) {
		const struct late_want *h = &m->held[i];

		if (h->listener != listener)
			continue;
		if (!first || (first->waits && !h->waits) || (!first->waits == !h->waits && is_before(h, first)))
			first = h;
	}
	if (first)
		take_out(m, first, w);
	return first != NULL;
}

void late_model_pass(struct late_model *m, const char *line, uint64_t now, const struct late_want *w)
{
	struct late_want *next;

	/* In the order in which they came. */
	do {
		next = NULL;
		for (uint32_t i = 0; i < m->held_n; i++) {
			struct late_want *h = &m->held[i];

			if (h->waits && h->waits <= w->number && h->listener == w->listener &&
			    sb_addr_eq(&h->peer, &w->peer) && (!next || is_before(h, next)))
				next = h;
		}
		if (next) {
			next->waits = 0;
			next->due = now + number_of(line, "hold=");
			next->seq = ++m->seq;
		}
	} while (next);
}

enum sb_drop late_model_take(struct late_model *m, const char *line, uint64_t delay_max, uint64_t now,
			     struct late_want *w)
{
	uint64_t after;

	w->size = size_of(line, w->n);
	w->number = count(m, w->door, &w->peer);
	w->seq = ++m->seq;
	w->copies = is_meant(line, "dup=", 1, w->number) ? 2 : 1;
	after = after_of(line, w->number);
	w->waits = after ? w->number + after : 0;
	w->due = now + number_of(line, "hold=");
	if (after)
		w->due = now + (delay_max < 10 * SECOND ? delay_max : 10 * SECOND);
	w->is_answer = w->due == now;
	if (is_meant(line, "drop=", 0, w->number)) {
		w->is_answer = false;
		return SB_DROP_ASKED;
	}
	if (w->is_answer)
		return SB_DROP_NONE;
	if (m->blocks + blocks_of(w) > m->blocks_max)
		return SB_DROP_HELD_FULL;
	m->blocks += blocks_of(w);
	m->held[m->held_n++] = *w;
	return SB_DROP_NONE;
}
