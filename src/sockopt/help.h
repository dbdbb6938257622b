/* SPDX-License-Identifier: MIT
 * The socket options, for people. */
#ifndef SB_SOCKOPT_HELP_H
#define SB_SOCKOPT_HELP_H

#include "base/text.h"
#include "sockopt/sockopt.h"

/* "0 or 1", "1 to 600", "4k to 256k"; one number when there is only one. */
void sb_text_opt_range(struct sb_text *t, enum sb_opt_kind kind, uint64_t min, uint64_t max);

/* Every row of sockopts.def: name, who may set it, its range on loopback and elsewhere, what it does; then the
 * names of those that are never allowed. At most 100 columns. */
void sb_sockopts_help(struct sb_text *t);

#endif
