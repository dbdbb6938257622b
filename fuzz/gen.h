/* SPDX-License-Identifier: MIT
 *
 * Scripts that no engine made. What happens in a run is chosen by its script alone, so whoever writes scripts chooses;
 * there are three: an engine, a swarm (random scripts, in each of which some kinds of events do not occur at all), and
 * a small world, of which every script there is gets its turn.
 */
#ifndef SB_FUZZ_GEN_H
#define SB_FUZZ_GEN_H

#include <stddef.h>
#include <stdint.h>

enum { GEN_MAX = 1024 };

/* The script of this seed. Returns its size. */
size_t gen_swarm(uint64_t seed, uint8_t out[GEN_MAX]);

/* How many scripts of length events there are in the small world. */
uint64_t gen_small_count(unsigned length);
/* The i-th of them, for the server of this row of configs.def. Returns its size. */
size_t gen_small(uint64_t i, unsigned length, uint8_t config, uint8_t out[GEN_MAX]);

#endif
