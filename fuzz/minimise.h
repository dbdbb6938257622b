/* SPDX-License-Identifier: MIT
 * Makes a find small: the fewest bytes that still fail in the same way. */
#ifndef SB_FUZZ_MINIMISE_H
#define SB_FUZZ_MINIMISE_H

#include <stddef.h>
#include <stdint.h>

/* Leaves out whatever can be left out of bytes, in place, for 20 s at most. check() ends its process when something is
 * wrong, and is called in children. Returns the number of bytes left, or -1 when nothing is wrong with the input. */
long minimise(uint8_t *bytes, size_t n, void (*check)(const uint8_t *bytes, size_t n));

#endif
