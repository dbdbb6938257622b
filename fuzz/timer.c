/* SPDX-License-Identifier: MIT
 *
 * Target: base/timer against an array of deadlines.
 *
 * The first byte is how many ids there are. Then two bytes a call: the low five bits of the first are the id, the high
 * three say what is done, and the second is a time:
 *
 *   0 .. 3   set the deadline to the time: small numbers, so many are equal
 *   4        take the deadline away (SB_NEVER)
 *   5        take out one that is due at the time
 *   6        take out all that are due
 *   7        set it to a time at the edge of what there is
 */
#include "base/timer.h"

#include "codec_arena.h"
#include "found.h"
#include "judge.h"
#include "target.h"

JUDGE_BEGIN

enum { IDS_MAX = 32 };

static const uint64_t edges[] = {
	0,
	1,
	UINT32_MAX - 1,
	UINT32_MAX,
	UINT64_C(1) << 32,
	INT64_MAX - 1,
	INT64_MAX,
	UINT64_C(1) << 63,
	UINT64_MAX - 2,
	UINT64_MAX - 1,
};

static struct arena arena;
static uint64_t digest;

struct model {
	struct sb_timers t;
	uint32_t cap;
	uint64_t at[IDS_MAX];
};

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

static uint64_t earliest(const struct model *m, uint32_t *n)
{
	uint64_t best = SB_NEVER;

	*n = 0;
	for (uint32_t i = 0; i < m->cap; i++) {
		*n += m->at[i] != SB_NEVER;
		best = m->at[i] < best ? m->at[i] : best;
	}
	return best;
}

static void check_heap(const struct sb_timers *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->heap[i].id >= t->cap || t->place[t->heap[i].id] != i + 1)
			sb_found("timer: place %u of the heap is id %u, whose place is another", i, t->heap[i].id);
		if (i > 0 && t->heap[i].at < t->heap[(i - 1) / 2].at)
			sb_found("timer: place %u of the heap is earlier than what is above it", i);
	}
}

static void check(const struct model *m)
{
	uint32_t n;
	uint64_t best = earliest(m, &n);

	if (m->t.n != n)
		sb_found("timer: %u deadlines, it should be %u", m->t.n, n);
	if (sb_timers_next(&m->t) != best)
		sb_found("timer: the next is %llx, it should be %llx", (unsigned long long)sb_timers_next(&m->t),
			 (unsigned long long)best);
	for (uint32_t i = 0; i < m->cap; i++)
		if (sb_timers_get(&m->t, i) != m->at[i])
			sb_found("timer: id %u has %llx, it should be %llx", i,
				 (unsigned long long)sb_timers_get(&m->t, i), (unsigned long long)m->at[i]);
	check_heap(&m->t);
}

static void check_one(const struct model *m, uint32_t id)
{
	uint32_t n;

	if (sb_timers_get(&m->t, id) != m->at[id] || sb_timers_next(&m->t) != earliest(m, &n) || m->t.n != n)
		check(m);
}

static void set(struct model *m, uint32_t id, uint64_t at)
{
	sb_timers_set(&m->t, id, at);
	m->at[id] = at;
}

/* Whether one was due. */
static int pop(struct model *m, uint64_t now)
{
	uint32_t n, id = UINT32_MAX;
	uint64_t best = earliest(m, &n);
	int r = sb_timers_pop(&m->t, now, &id);

	if (r != (n > 0 && best <= now))
		sb_found("timer: pop at %llx says %d, and the earliest of %u is %llx", (unsigned long long)now, r, n,
			 (unsigned long long)best);
	if (r && (id >= m->cap || m->at[id] != best))
		sb_found("timer: pop gave id %u, which is not the earliest", id);
	if (!r && id != UINT32_MAX)
		sb_found("timer: pop gave nothing, and id %u", id);
	if (r)
		m->at[id] = SB_NEVER;
	/* Which of equal ones comes first is its own business. */
	digest = digest * 31 + (r ? best : 1);
	return r;
}

static void act(struct model *m, uint8_t op, uint8_t value)
{
	uint32_t id = (op & 31) % m->cap;

	switch (op >> 5) {
	case 4:
		set(m, id, SB_NEVER);
		break;
	case 5:
		pop(m, value);
		break;
	case 6:
		while (pop(m, value))
			;
		break;
	case 7:
		set(m, id, edges[value % (sizeof(edges) / sizeof(edges[0]))]);
		break;
	default:
		set(m, id, value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct model m = {.cap = 1 + (n ? data[0] % IDS_MAX : 0)};
	size_t heap_n = m.cap * sizeof(struct sb_timer), place_n = m.cap * sizeof(uint32_t);
	uint8_t *heap = arena_open(&arena, heap_n), *place = arena_open(&arena, place_n);

	digest = m.cap;
	memset(heap, 0xa5, heap_n);
	memset(place, 0, place_n);
	sb_timers_init(&m.t, (struct sb_timer *)(void *)heap, (uint32_t *)(void *)place, m.cap);
	for (uint32_t i = 0; i < m.cap; i++)
		m.at[i] = SB_NEVER;
	check(&m);
	for (size_t i = 1; i + 1 < n; i += 2) {
		act(&m, data[i], data[i + 1]);
		/* Of all ids now and then; what is wrong stays wrong for a while, and the next says so too. */
		if (i % 8 == 1)
			check(&m);
		else
			check_one(&m, (data[i] & 31) % m.cap);
	}
	check(&m);
	while (pop(&m, SB_NEVER - 1))
		check(&m);
	if (sb_timers_next(&m.t) != SB_NEVER)
		sb_found("timer: something is left");
	arena_close(heap, heap_n);
	arena_close(place, place_n);
	return 0;
}

JUDGE_END
