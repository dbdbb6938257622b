/* SPDX-License-Identifier: MIT
 * Memory for the servers that targets run. */
#ifndef SB_FUZZ_ARENA_H
#define SB_FUZZ_ARENA_H

#include "config.h"

struct arena {
	uint8_t *mem;
	size_t size;
};

/* One for each config, used again and again: a fresh one would cost more than the run. */
struct arena *arena_of(const struct fuzz_config *f);

/* As sb_server_open must find it: zeros. But for what a run has not touched, and the big buffers, which nobody may read
 * before he has written them. A server has been tried to open in it, and is closed. */
void arena_clean(struct arena *a);

#endif
