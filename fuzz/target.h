/* SPDX-License-Identifier: MIT
 * What a fuzz target defines: the entry that libFuzzer, AFL++ and replay_main.c all call. */
#ifndef SB_FUZZ_TARGET_H
#define SB_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Runs one input. Returns 0; what it finds ends the process with a line that begins with FOUND. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* If a target defines it: a number that stands for all that the last run did. The same input must give the same
 * number again, which replay_main.c checks. */
__attribute__((weak)) uint64_t sb_fuzz_digest(void);

/* If a target defines it: tells the run of an input event by event; replay_main.c -v sets it. */
__attribute__((weak)) extern int sb_fuzz_is_verbose;

/* If a target defines them: everything that can be made of one input by rules of its own (replay_main.c -s), and what
 * all inputs together came to: 0 when nothing is missing. */
__attribute__((weak)) void sb_fuzz_sweep(const uint8_t *data, size_t n);
__attribute__((weak)) int sb_fuzz_sweep_end(void);

#endif
