/* SPDX-License-Identifier: MIT
 * Saying what is wrong with a text somebody wrote: one sentence, one column, one code (struct sb_fault). */
#ifndef SB_BASE_FAULT_H
#define SB_BASE_FAULT_H

#include "base/slice.h"

/* Fills *fault (which may be NULL) and returns code, so that a check is one line:
 * return sb_fault_set(fault, SB_E_RANGE, col, "max is 1 to %u", n). Bytes of the sentence that are not
 * printable ASCII are escaped as base/text.h does it; what does not fit is cut. */
int sb_fault_set(struct sb_fault *fault, int code, uint32_t col, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* "%.*s" arguments for a slice that somebody wrote, cut at 40 bytes. */
#define SB_FAULT_WORD(s) sb_fault_word_n(s), sb_fault_word(s)

static inline int sb_fault_word_n(struct sb_slice s)
{
	return (int)(s.n < 40 ? s.n : 40);
}

static inline const char *sb_fault_word(struct sb_slice s)
{
	return s.n ? (const char *)s.p : "";
}

#endif
