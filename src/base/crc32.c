/* SPDX-License-Identifier: MIT
 * Half a byte at a time: a table of 64 bytes, which stays in the cache beside whatever else is done. */
#include "base/crc32.h"

uint32_t sb_crc32(uint32_t crc, struct sb_slice s)
{
	/* Polynomial 0xedb88320, reflected: what becomes of the lowest four bits. */
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	crc = ~crc;
	for (size_t i = 0; i < s.n; i++) {
		crc ^= s.p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}
