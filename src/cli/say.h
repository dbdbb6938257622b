/* SPDX-License-Identifier: MIT
 * Words and JSON that the reports of the commands are made of. */
#ifndef SB_CLI_SAY_H
#define SB_CLI_SAY_H

#include "base/text.h"

/* "3 sends", "1 recv". */
void sb_say_count(struct sb_text *t, uint64_t n, const char *noun);
/* "0.21ms", "3.00s": for people, two places are enough. */
void sb_say_span(struct sb_text *t, uint64_t ns);

/* Calls that moved something, the bytes they moved, and the datagrams of which not all fitted. */
struct sb_tally {
	uint64_t sends, sent, recvs, received, cut;
};

/* "sent 1000 bytes in 10 sends, received 1000 bytes in 1 recv" */
void sb_say_tally(struct sb_text *t, const struct sb_tally *n);

/* One object a line: begin, members, and '}' by the caller. */
void sb_json_begin(struct sb_text *t, const char *event);
void sb_json_num(struct sb_text *t, const char *name, uint64_t v);
void sb_json_bool(struct sb_text *t, const char *name, bool v);
void sb_json_str(struct sb_text *t, const char *name, const char *v);
/* All but cut, which is for some to say. */
void sb_json_tally(struct sb_text *t, const struct sb_tally *n);

#endif
