/* SPDX-License-Identifier: MIT
 * What people write, read a second time and as plainly as possible: numbers, words, what is said about them. For
 * targets that hold src/ to it; nothing here is shared with src/ but the codes of errors. */
#ifndef SB_FUZZ_NAIVE_H
#define SB_FUZZ_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "streambed.h"

/* Digits and a unit, all of p[0..n). 0, or SB_E_TYPE, SB_E_RANGE. */
int naive_size(const uint8_t *p, size_t n, uint64_t *v);
int naive_count(const uint8_t *p, size_t n, uint64_t *v);
int naive_time(const uint8_t *p, size_t n, uint64_t *v);

/* Values as they are written, in the largest unit that loses nothing. room has 32 characters; returns it. */
const char *naive_size_text(char *room, uint64_t v);
const char *naive_time_text(char *room, uint64_t ns);

/* "10.0.0.1", "fe80::1", in numbers, no zone. Returns 4 or 6, or 0 for what is no address. */
int naive_ip(const char *p, size_t n, uint8_t ip[16]);

/* The word of words[0..n) that was meant, or NULL. */
const char *naive_nearest(const uint8_t *p, size_t n, const char *const *words, size_t words_n);

/* Says FOUND unless the fault has this code and column, and a sentence that can be printed. */
void naive_fault(const char *what, const struct sb_fault *fault, int code, uint32_t col);
/* Says FOUND unless the sentence holds this word. */
void naive_says(const char *what, const struct sb_fault *fault, const char *word);
/* What it should say of a word that is not known: the nearest, or nothing of the kind. */
void naive_says_nearest(const char *what, const struct sb_fault *fault, const char *nearest);

static inline bool naive_is(const uint8_t *p, size_t n, const char *word)
{
	size_t i = 0;

	while (i < n && word[i] && p[i] == (uint8_t)word[i])
		i++;
	return i == n && !word[i];
}

#endif
