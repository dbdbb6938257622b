/* SPDX-License-Identifier: MIT
 * Views of bytes: pointer and length by value. The type is public (streambed.h); the helpers are ours. */
#ifndef SB_BASE_SLICE_H
#define SB_BASE_SLICE_H

#include <stdbool.h>
#include <string.h>

#include "streambed.h"

static inline struct sb_slice sb_slice(const void *p, size_t n)
{
	return (struct sb_slice){.p = p, .n = n};
}

/* The bytes of a C string, without its NUL. */
static inline struct sb_slice sb_slice_cstr(const char *s)
{
	return sb_slice(s, strlen(s));
}

/* What is left of s after its first n bytes. n must not be larger than s.n. */
static inline struct sb_slice sb_slice_skip(struct sb_slice s, size_t n)
{
	return (struct sb_slice){.p = n ? s.p + n : s.p, .n = s.n - n};
}

/* memcpy that may be told "nothing, from nowhere": memcpy(…, NULL, 0) is undefined. */
static inline void sb_copy(void *to, const void *from, size_t n)
{
	if (n)
		memcpy(to, from, n);
}

static inline bool sb_slice_eq(struct sb_slice a, struct sb_slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool sb_slice_is(struct sb_slice s, const char *word)
{
	return sb_slice_eq(s, sb_slice_cstr(word));
}

#endif
