/* SPDX-License-Identifier: MIT
 * What a target says when something is wrong: one line that begins with FOUND, then abort(). */
#ifndef SB_FUZZ_FOUND_H
#define SB_FUZZ_FOUND_H

__attribute__((noreturn, format(printf, 1, 2))) void sb_found(const char *format, ...);

/* When set, what is found ends the process with this status and without a word: see replay_main.c. */
extern int sb_found_is_muted;
enum { SB_FOUND_MUTED = 86 };

/* A line about what is going on, when sb_fuzz_is_verbose is set. */
__attribute__((format(printf, 1, 2))) void sb_tell(const char *format, ...);

#endif
