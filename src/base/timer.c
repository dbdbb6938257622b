/* SPDX-License-Identifier: MIT
 * A binary heap of deadlines that knows where each id is. */
#include "base/timer.h"

#include <assert.h>

void sb_timers_init(struct sb_timers *t, struct sb_timer *heap, uint32_t *place, uint32_t cap)
{
	*t = (struct sb_timers){.heap = heap, .place = place, .cap = cap};
}

static void put(struct sb_timers *t, uint32_t i, struct sb_timer timer)
{
	t->heap[i] = timer;
	t->place[timer.id] = i + 1;
}

static void sift_up(struct sb_timers *t, uint32_t i, struct sb_timer timer)
{
	while (i > 0 && t->heap[(i - 1) / 2].at > timer.at) {
		put(t, i, t->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(t, i, timer);
}

static void sift_down(struct sb_timers *t, uint32_t i, struct sb_timer timer)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= t->n)
			break;
		if (child + 1 < t->n && t->heap[child + 1].at < t->heap[child].at)
			child++;
		if (t->heap[child].at >= timer.at)
			break;
		put(t, i, t->heap[child]);
		i = child;
	}
	put(t, i, timer);
}

/* Puts timer where heap[i] was: it may have to go either way. */
static void settle(struct sb_timers *t, uint32_t i, struct sb_timer timer)
{
	if (i > 0 && t->heap[(i - 1) / 2].at > timer.at)
		sift_up(t, i, timer);
	else
		sift_down(t, i, timer);
}

static void take_out(struct sb_timers *t, uint32_t i)
{
	struct sb_timer last = t->heap[t->n - 1];

	t->place[t->heap[i].id] = 0;
	t->n--;
	if (i < t->n)
		settle(t, i, last);
}

void sb_timers_set(struct sb_timers *t, uint32_t id, uint64_t at)
{
	struct sb_timer timer = {.at = at, .id = id};
	uint32_t place;

	assert(id < t->cap);
	place = t->place[id];
	if (at == SB_NEVER) {
		if (place)
			take_out(t, place - 1);
	} else if (place) {
		settle(t, place - 1, timer);
	} else {
		assert(t->n < t->cap);
		sift_up(t, t->n++, timer);
	}
}

uint64_t sb_timers_get(const struct sb_timers *t, uint32_t id)
{
	assert(id < t->cap);
	return t->place[id] ? t->heap[t->place[id] - 1].at : SB_NEVER;
}

uint64_t sb_timers_next(const struct sb_timers *t)
{
	return t->n ? t->heap[0].at : SB_NEVER;
}

int sb_timers_pop(struct sb_timers *t, uint64_t now, uint32_t *id)
{
	if (t->n == 0 || t->heap[0].at > now)
		return 0;
	*id = t->heap[0].id;
	take_out(t, 0);
	return 1;
}
