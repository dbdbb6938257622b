/* SPDX-License-Identifier: MIT
 *
 * Deadlines of things with small numbers for names: a binary heap. Setting a later deadline costs nothing
 * until the old one comes: who sets it looks again then (sessions are re-armed lazily).
 */
#ifndef SB_BASE_TIMER_H
#define SB_BASE_TIMER_H

#include <stddef.h>
#include <stdint.h>

#define SB_NEVER UINT64_MAX

struct sb_timer {
	uint64_t at; /* nanoseconds */
	uint32_t id;
};

/* heap[0] is the earliest; heap[i].at >= heap[(i - 1) / 2].at; place[heap[i].id] = i + 1, 0 for no timer. */
struct sb_timers {
	struct sb_timer *heap;
	uint32_t *place;
	uint32_t n, cap;
};

/* heap and place have cap entries each; place is zero-filled. Ids are below cap. */
void sb_timers_init(struct sb_timers *t, struct sb_timer *heap, uint32_t *place, uint32_t cap);

/* Sets the deadline of id, whether or not it has one. SB_NEVER removes it. */
void sb_timers_set(struct sb_timers *t, uint32_t id, uint64_t at);

/* The deadline of id, SB_NEVER when it has none. */
uint64_t sb_timers_get(const struct sb_timers *t, uint32_t id);

/* The earliest deadline, SB_NEVER when there is none. */
uint64_t sb_timers_next(const struct sb_timers *t);

/* Takes out one id whose deadline is not after now: 1, or 0 when there is none. */
int sb_timers_pop(struct sb_timers *t, uint64_t now, uint32_t *id);

#endif
