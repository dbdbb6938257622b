/* SPDX-License-Identifier: MIT
 * Words that complaints, canonical lines and help share. */
#ifndef SB_SCENARIO_PRINT_H
#define SB_SCENARIO_PRINT_H

#include "base/text.h"
#include "scenario/line.h"

/* A number as a key of this type has it: 64k, 10, 50ms. */
void sb_key_number(struct sb_text *t, enum sb_key_type type, uint64_t v);

/* One step, as a line has it. */
void sb_text_step(struct sb_text *t, const struct sb_step *step);

/* Transports as a sentence has them: "tcp and unix". on is not 0. */
const char *sb_on_name(unsigned on);

#endif
