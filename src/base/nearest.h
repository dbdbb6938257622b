/* SPDX-License-Identifier: MIT
 * The word somebody probably meant. */
#ifndef SB_BASE_NEAREST_H
#define SB_BASE_NEAREST_H

#include "base/slice.h"

/* The i-th word of a list, NULL after the last. */
typedef const char *sb_word_at(const void *list, size_t i);

/* The word of the list that is nearest to word in insertions, deletions, changes and swaps (case ignored),
 * or NULL when none is near enough to be meant (more than a third of its letters differ). */
const char *sb_nearest(struct sb_slice word, sb_word_at *at, const void *list);

#endif
