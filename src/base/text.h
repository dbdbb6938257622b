/* SPDX-License-Identifier: MIT
 *
 * A text that is written piece by piece into memory of a fixed size. Never overruns: what does not fit is
 * left out and counted. The one place that escapes bytes of peers for logs and JSON.
 */
#ifndef SB_BASE_TEXT_H
#define SB_BASE_TEXT_H

#include "base/slice.h"

/* n bytes are written, n <= cap; lost bytes did not fit. Not NUL-terminated. What is written is a beginning of
 * the text: once something is lost, so is all that follows. No escape is cut in half. */
struct sb_text {
	char *p;
	size_t n, cap, lost;
};

static inline struct sb_text sb_text_in(char *p, size_t cap)
{
	return (struct sb_text){.p = p, .cap = cap};
}

void sb_text_char(struct sb_text *t, char c);
void sb_text_str(struct sb_text *t, const char *s);
void sb_text_bytes(struct sb_text *t, struct sb_slice s);
void sb_text_u64(struct sb_text *t, uint64_t v);
void sb_text_i64(struct sb_text *t, int64_t v);
void sb_text_hex(struct sb_text *t, uint64_t v, int digits); /* the lowest 1..16 digits, with leading zeros */

/* Bytes as the grammar's esc writes them, so that one line stays one line and no terminal obeys them:
 * printable ASCII as it is, \\ \n \r \t \0, everything else \xNN. With spaces as \s if space is set. */
void sb_text_escaped(struct sb_text *t, struct sb_slice s, bool space);

/* Bytes as the inside of a JSON string: ASCII as JSON has it, every byte from 0x7f up as \u00NN, so that
 * any bytes of a peer give valid JSON and none is lost. Writes no quotes. */
void sb_text_json(struct sb_text *t, struct sb_slice s);

/* A duration as the grammar writes it, in the largest unit that loses nothing: 0s 250us 50ms 3s 10m;
 * what is no whole microsecond, which the grammar cannot say, in ns. */
void sb_text_time(struct sb_text *t, uint64_t ns);

/* A size as the grammar writes it: 100 64k 1M. */
void sb_text_size(struct sb_text *t, uint64_t bytes);

/* Spaces until the line in progress is column characters wide; at least one if something stands in it. */
void sb_text_column(struct sb_text *t, size_t column);

/* The words of s, on from where the line is; each line after it begins with indent spaces, and none is longer than
 * columns unless it is one word. */
void sb_text_wrapped(struct sb_text *t, struct sb_slice s, size_t indent, size_t columns);

/* NUL-terminates, overwriting the last byte if it must. Returns t->p. cap must not be 0. */
const char *sb_text_end(struct sb_text *t);

#endif
