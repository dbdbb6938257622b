/* SPDX-License-Identifier: MIT
 * Events of a script that change what the kernel does with one connection. */
#ifndef SB_FUZZ_HANG_H
#define SB_FUZZ_HANG_H

#include "script/script.h"
#include "sys_sim.h"

/* What the event says of the next calls on c, or of its peer. Nothing for other events. */
void fuzz_hang(struct sb_sys *k, struct sim_conn *c, const struct sbs_event *e);

#endif
