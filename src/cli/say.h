/* SPDX-License-Identifier: MIT
 * Words and JSON that the reports of the commands are made of. */
#ifndef SB_CLI_SAY_H
#define SB_CLI_SAY_H

#include "base/text.h"

/* "3 sends", "1 recv". */
void sb_say_count(struct sb_text *t, uint64_t n, const char *noun);
/* "0.21ms", "3.00s": for people, two places are enough. */
void sb_say_span(struct sb_text *t, uint64_t ns);

/* One object a line: begin, members, and '}' by the caller. */
void sb_json_begin(struct sb_text *t, const char *event);
void sb_json_num(struct sb_text *t, const char *name, uint64_t v);
void sb_json_bool(struct sb_text *t, const char *name, bool v);
void sb_json_str(struct sb_text *t, const char *name, const char *v);

#endif
