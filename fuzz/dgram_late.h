/* SPDX-License-Identifier: MIT
 * For target dgram: replies go through core/replies.h and through the model (late_model.h), which must say the same of
 * each, and of all that is due later. Tables are small, so that they fill. */
#ifndef SB_FUZZ_DGRAM_LATE_H
#define SB_FUZZ_DGRAM_LATE_H

#include "late_model.h"

/* Nobody has been answered, and nothing waits. */
void dgram_late_start(void);

/* A reply of these bytes, as the service has it, to the source of done. */
void dgram_late_reply(const struct sb_plan *plan, const char *line, const struct sb_done *done, struct sb_slice bytes,
		      uint64_t now);

/* Time has passed: what is due leaves. */
void dgram_late_pass(uint64_t now);

/* The socket is closed. Returns a number for all that has left since the start. */
uint64_t dgram_late_end(void);

#endif
