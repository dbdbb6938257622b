/* SPDX-License-Identifier: MIT
 * What a line comes to, for people. */
#ifndef SB_CLI_EXPLAIN_LINE_H
#define SB_CLI_EXPLAIN_LINE_H

#include <stdbool.h>

#include "cli/cli.h"

/* Whether it begins as a line does, and is no file. */
bool sb_is_line(const char *text);

/* Prints the line in its canonical form and what it comes to on a TCP listener of the loopback profile. Returns an exit
 * code. */
int sb_explain_line(const char *text);

#endif
