/* SPDX-License-Identifier: MIT
 *
 * For codec.c: memory for pieces of a stream, in which a byte too many, too early or too late is caught.
 *
 * A piece lies alone in a slot: what is round it is poisoned, to the byte, and so is the piece once it is closed.
 * Done by hand in one arena, as a malloc and a free for each piece would cost more than all the rest. Slots are taken
 * in a ring, so a pointer that was kept points to poison for long. Without a sanitizer a closed slot is overwritten:
 * what is then read of it is at least wrong.
 */
#ifndef SB_FUZZ_CODEC_ARENA_H
#define SB_FUZZ_CODEC_ARENA_H

#include <stdint.h>
#include <string.h>

#include "judge.h"

/* SB_FUZZ_ASAN: the program has ASan, though the file that includes this may be built without: see CMakeLists.txt. */
#if defined(SB_FUZZ_ASAN)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#elif __has_feature(memory_sanitizer)
#define ARENA_MSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif

#if defined(ARENA_ASAN)
#include <sanitizer/asan_interface.h>
#define arena_poison(p, n) __asan_poison_memory_region(p, n)
#define arena_unpoison(p, n) __asan_unpoison_memory_region(p, n)
#elif defined(ARENA_MSAN)
#include <sanitizer/msan_interface.h>
#define arena_poison(p, n) __msan_poison(p, n)
#define arena_unpoison(p, n) ((void)(p), (void)(n)) /* what is copied there is as good as where it came from */
#else
#define arena_poison(p, n) ((void)memset(p, 0xdb, n))
#define arena_unpoison(p, n) ((void)(p), (void)(n))
#endif

/* What may not be touched for a while, and keeps what it says. Only a sanitizer sees to it. */
#if defined(ARENA_ASAN)
#define arena_forbid(p, n) __asan_poison_memory_region(p, n)
#define arena_allow(p, n) __asan_unpoison_memory_region(p, n)
#else
#define arena_forbid(p, n) ((void)(p), (void)(n))
#define arena_allow(p, n) ((void)(p), (void)(n))
#endif

enum {
	ARENA_GRAIN = 8, /* what begins at a multiple of this can end anywhere, to the byte */
	ARENA_SIZE = 1 << 18,
};

JUDGE_BEGIN

static inline size_t arena_round(size_t n)
{
	return (n + ARENA_GRAIN - 1) & ~(size_t)(ARENA_GRAIN - 1);
}

struct arena {
	_Alignas(16) uint8_t room[ARENA_SIZE];
	size_t at;
	int is_ready;
};

/* A slot of n <= ARENA_SIZE / 2 bytes with anything in it. Never inlined: where in the ring it is depends on what has
 * run before, and an engine would take that for a branch of the caller's. */
static __attribute__((noinline, unused)) uint8_t *arena_open(struct arena *a, size_t n)
{
	uint8_t *slot;

	if (!a->is_ready)
		arena_poison(a->room, ARENA_SIZE);
	a->is_ready = 1;
	if (ARENA_SIZE - a->at < n + 2 * (size_t)ARENA_GRAIN)
		a->at = 0;
	a->at += ARENA_GRAIN;
	slot = a->room + a->at;
	a->at += arena_round(n);
	arena_unpoison(slot, n);
	return slot;
}

static inline uint8_t *arena_copy(struct arena *a, const uint8_t *bytes, size_t n)
{
	uint8_t *slot = arena_open(a, n);

	if (n)
		memcpy(slot, bytes, n);
	return slot;
}

static inline void arena_close(uint8_t *slot, size_t n)
{
	arena_poison(slot, arena_round(n));
}

JUDGE_END

#endif
