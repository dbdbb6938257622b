/* SPDX-License-Identifier: MIT
 *
 * A line, read a second time: the grammar of scenario/line.h as a walk over the text from left to right, its keys,
 * steps and the services' groups written again from the documents. A key, a step or a service that is not written again
 * here is taken from its table as it is.
 */
#ifndef SB_FUZZ_AGAIN_H
#define SB_FUZZ_AGAIN_H

#include "naive.h"
#include "scenario/line.h"
#include "service/service.h"

enum { AGAIN_OPTS_MAX = 16, AGAIN_STEPS_MAX = 64, AGAIN_LINE_MAX = 1024, AGAIN_ROOM = 4 * AGAIN_LINE_MAX + 64 };

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

struct again_step {
	int kind;
	struct again_text opt;
	struct again_value v;
};

struct again {
	int code; /* 0, or why it is refused, and where */
	uint32_t col;
	int key;                /* the one it is refused for, or -1 */
	int step;               /* the same of steps */
	bool is_step;           /* word is a step */
	struct again_text word; /* the key that there is not */
	struct again_text verb;
	struct again_value v[SB_KEYS_N];
	struct again_opt opts[AGAIN_OPTS_MAX + 1];
	size_t opts_n;
	struct again_step steps[AGAIN_STEPS_MAX + 1];
	size_t steps_n;
	enum { AGAIN_KEYS, AGAIN_STEP, AGAIN_BAR } part; /* what the next word may be */
};

void again_read(struct again *a, const uint8_t *p, size_t n);

/* Of a refused line that is for a service: if its verb is none, that is what is said. */
void again_verb_first(struct again *a);

/* What the table says of a key, or what was written again. */
const struct sb_key_row *again_key(int i);

/* The same of a step. */
const struct sb_key_row *again_step(int i);

/* A word from the first "|" on. False when the line is refused. */
bool again_read_step(struct again *a, const uint8_t *p, size_t n, size_t col);

/* again.c: a text or a value p[0..n) at this column; and that the line is refused there, which is false. */
bool again_read_text(struct again *a, struct again_text *t, const uint8_t *p, size_t n, size_t col);
bool again_read_value(struct again *a, const struct sb_key_row *key, struct again_value *v, const uint8_t *p, size_t n,
		      size_t col);
bool again_refuse(struct again *a, int code, size_t col);

/* The service of the verb, or NULL. */
const struct sb_service *again_service(const struct again *a, unsigned *groups);

/* Where it is refused for a key that does not belong: the column, or 0. */
uint32_t again_misplaced(const struct again *a, unsigned groups, unsigned on);

/* Says FOUND unless the line says the same; and what is said about a refusal is about the right thing. */
void again_compare(const struct again *a, const struct sb_line *line);
void again_compare_fault(const struct again *a, const struct sb_fault *fault);

/* Its parts that are steps: again_steps.c. */
void again_compare_steps(const struct again *a, const struct sb_line *line);
size_t again_print_steps(const struct again *a, char *room);

/* again_compare.c: a value, as it is printed; a number of a range; and what the two readers made of one. */
size_t again_put_value(char *room, const struct sb_key_row *key, const struct again_value *v);
bool again_is_text(const struct sb_line *line, struct sb_slice s, const struct again_text *t);
void again_compare_value(const struct sb_line *line, const struct sb_key_row *key, const struct sb_value *v,
			 const struct again_value *w);

/* The line in its canonical form. room has AGAIN_ROOM characters. Returns its length. */
size_t again_print(const struct again *a, char *room);

#endif
