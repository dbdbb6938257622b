/* SPDX-License-Identifier: MIT
 *
 * A line, read a second time: the grammar of scenario/line.h as a walk over the text from left to right, its keys and
 * the services' groups written again from the documents. A key or a service that is not written again here is taken
 * from its table as it is.
 */
#ifndef SB_FUZZ_AGAIN_H
#define SB_FUZZ_AGAIN_H

#include "naive.h"
#include "scenario/line.h"
#include "service/service.h"

enum { AGAIN_OPTS_MAX = 16, AGAIN_LINE_MAX = 1024, AGAIN_ROOM = 4 * AGAIN_LINE_MAX + 64 };

/* A piece of the line: what it stands for, and where each byte of that came from. */
struct again_text {
	uint8_t p[AGAIN_LINE_MAX + 1]; /* a NUL behind it */
	uint16_t from[AGAIN_LINE_MAX + 1];
	size_t n;
};

struct again_value {
	bool set;
	uint32_t key_col, col;
	uint64_t num, at;
	struct again_text text;
};

struct again_opt {
	struct again_text name, value;
	uint32_t col, value_col;
};

struct again {
	int code; /* 0, or why it is refused, and where */
	uint32_t col;
	int key;                /* the one it is refused for, or -1 */
	struct again_text word; /* the key that there is not, without its direction … */
	const char *word_way;   /* … which is this, or "" */
	struct again_text verb;
	struct again_value v[SB_KEYS_N];
	struct again_value way[2][SB_KEYS_N]; /* of up. and of down. */
	const struct again_value *refused;    /* the value it is refused for */
	struct again_opt opts[AGAIN_OPTS_MAX + 1];
	size_t opts_n;
};

void again_read(struct again *a, const uint8_t *p, size_t n);

/* What the table says of a key, or what was written again. */
const struct sb_key_row *again_key(int i);

/* The service of the verb, or NULL. */
const struct sb_service *again_service(const struct again *a, unsigned *groups);

/* Where it is refused for a key that does not belong: the column, or 0. */
uint32_t again_misplaced(const struct again *a, unsigned groups, unsigned on);

/* "up." and "down." */
extern const char *const again_ways[2];

/* Says FOUND unless the line says the same; and what is said about a refusal is about the right thing. */
void again_compare(const struct again *a, const struct sb_line *line);
void again_compare_fault(const struct again *a, const struct sb_fault *fault);

/* The line in its canonical form. room has AGAIN_ROOM characters. Returns its length. */
size_t again_print(const struct again *a, char *room);

#endif
