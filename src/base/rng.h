/* SPDX-License-Identifier: MIT
 * Random numbers that a seed reproduces: splitmix64 (Steele, Lea, Flood 2014), as a function of a counter,
 * so that any position of a random stream can be had without the ones before it. */
#ifndef SB_BASE_RNG_H
#define SB_BASE_RNG_H

#include <stdint.h>

/* Arithmetic modulo 2^64 is meant here; sanitizers that flag wrap-around are told so. */
#if defined(__clang__)
#define SB_WRAPS __attribute__((no_sanitize("unsigned-integer-overflow", "unsigned-shift-base")))
#else
#define SB_WRAPS
#endif

SB_WRAPS static inline uint64_t sb_rng_at(uint64_t seed, uint64_t i)
{
	uint64_t z = seed + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

#endif
