/* SPDX-License-Identifier: MIT
 * CRC-32 as zlib, PNG and Ethernet have it: what zlib.crc32() of most languages gives. */
#ifndef SB_BASE_CRC32_H
#define SB_BASE_CRC32_H

#include "base/slice.h"

/* That of some bytes and, behind them, of s: crc is that of the former, 0 for none. */
uint32_t sb_crc32(uint32_t crc, struct sb_slice s);

#endif
