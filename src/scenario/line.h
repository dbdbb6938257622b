/* SPDX-License-Identifier: MIT
 *
 * One line of text that says how the server behaves: VERB key=value key=value … | step | step:value …
 *
 * Here is its grammar and the tables of keys (keys.def) and steps (steps.def), and nothing else: what a value means to
 * a codec, a service or a socket is theirs to say. Every value keeps its column, so that they can point at it too.
 */
#ifndef SB_SCENARIO_LINE_H
#define SB_SCENARIO_LINE_H

#include "base/fault.h"
#include "base/number.h"

enum {
	SB_LINE_MAX = 1024, /* bytes of a line, its end not counted */
	SB_LINE_OPTS_MAX = 16,
	SB_LINE_STEPS_MAX = 64,
};

/* SB_KEY_FRAME, SB_KEY_MAX, … one for each row of keys.def, in its order; then SB_KEYS_N. */
enum sb_key {
#define SB_KEY(id, name, type, group, on, min, max, arg, help) SB_KEY_##id,
#include "scenario/keys.def"
#undef SB_KEY
	SB_KEYS_N
};

/* SB_STEP_SEND, SB_STEP_FRAME, … one for each row of steps.def, in its order; then SB_STEPS_N. */
enum sb_step_kind {
#define SB_STEP(id, name, type, min, max, arg, help) SB_STEP_##id,
#include "scenario/steps.def"
#undef SB_STEP
	SB_STEPS_N
};

/* The words of wait:, in their order. */
enum sb_step_wait { SB_WAIT_EOF, SB_WAIT_ACK, SB_WAIT_READ };

/* Groups of keys: a service says which it takes (services.def). */
enum sb_key_group {
	SB_G_FRAMING = 1,     /* how streams are cut into messages */
	SB_G_READ = 2,        /* how we read */
	SB_G_SOURCE = 4,      /* what SOURCE sends */
	SB_G_ENDING = 8,      /* how we close */
	SB_G_LISTEN = 16,     /* what must be chosen before accept */
	SB_G_OPT = 32,        /* socket options */
	SB_G_CUTTING = 64,    /* how what we send is cut */
	SB_G_PORT = 512,      /* of a throw-away port */
	SB_G_CONTROL = 256,   /* what a control verb is about */
	SB_G_DATAGRAM = 1024, /* what becomes of datagrams */
	SB_G_SEED = 128,      /* what is random */
	SB_G_STEPS = 16384,   /* what is done when the service has ended */
	SB_G_RECEIPT = 8192,  /* what a receipt says */
	SB_G_FORWARD = 2048,  /* where FORWARD leads */
	/* FORWARD takes each of these for a direction: up.frag=, down.recv=. */
	SB_G_OF_WAY = SB_G_READ | SB_G_CUTTING | SB_G_ENDING,
};

/* The directions of a FORWARD: to its server, and back. */
enum sb_way { SB_WAY_UP, SB_WAY_DOWN, SB_WAYS };

extern const char *const sb_way_names[SB_WAYS]; /* "up." "down." */

/* Transports a key applies to. */
enum sb_key_on {
	SB_ON_TCP = 1,
	SB_ON_UNIX = 2,
	SB_ON_UDP = 4,
	SB_ON_STREAM = SB_ON_TCP | SB_ON_UNIX,
	SB_ON_IP = SB_ON_TCP | SB_ON_UDP,
	SB_ON_ANY = SB_ON_STREAM | SB_ON_UDP,
};

enum sb_key_type {
	SB_T_SIZE,    /* 1*DIGIT ["k" / "M"] -> num, bytes */
	SB_T_COUNT,   /* 1*DIGIT -> num */
	SB_T_TIME,    /* 1*DIGIT ("us" / "ms" / "s" / "m") -> num, nanoseconds */
	SB_T_TIME_AT, /* TIME ["@" SIZE] -> num, nanoseconds; at, bytes */
	SB_T_TEXT,    /* any, unescaped -> text */
	SB_T_WORD,    /* one of arg's words ("clean|rst|abrupt") -> num, its index; text */
	SB_T_NONE,    /* of steps: no value */
};

struct sb_key_row {
	const char *name;
	enum sb_key_type type;
	unsigned group, on;
	uint64_t min, max; /* of num; for TEXT, of its length */
	const char *arg;   /* how the value is written, for help: "SIZE", "NAME", "clean|rst|abrupt" */
	const char *help;
};

extern const struct sb_key_row sb_keys[SB_KEYS_N];
extern const struct sb_key_row sb_step_rows[SB_STEPS_N];

struct sb_value {
	bool set;
	uint16_t key_col, col; /* of the key and of its value */
	uint64_t num, at;
	struct sb_slice text; /* the value, unescaped; lives in the line's own storage */
};

/* opt.NAME=VALUE: the name as written, the value unescaped. */
struct sb_line_opt {
	struct sb_slice name, value;
	uint16_t col, value_col;
};

/* v.key_col is the step's column. */
struct sb_step {
	enum sb_step_kind kind;
	struct sb_slice opt; /* of opt.NAME: the name as written */
	struct sb_value v;
};

struct sb_line {
	struct sb_slice verb;
	uint16_t verb_col;
	uint8_t opts_n, steps_n;
	struct sb_value v[SB_KEYS_N];
	struct sb_value way[SB_WAYS][SB_KEYS_N]; /* of up.KEY=, down.KEY= */
	struct sb_line_opt opts[SB_LINE_OPTS_MAX];
	struct sb_step steps[SB_LINE_STEPS_MAX];
	uint16_t text_n;
	uint8_t text[SB_LINE_MAX]; /* unescaped values; slices above point here: a line is not copied */
};

/* Parses text (with or without its CR LF). 0, or < 0 with *fault at the column: SB_E_SYNTAX, SB_E_UNKNOWN
 * (a key, or a word of its value; with the nearest), SB_E_DUPLICATE, SB_E_RANGE (names the range), SB_E_TYPE,
 * SB_E_TOO_LARGE (the line), SB_E_LIMIT (more than SB_LINE_OPTS_MAX options, SB_LINE_STEPS_MAX steps). Bytes outside
 * VCHAR and space are refused. Nothing of a refused line is to be used but its verb, empty when there is none. */
int sb_line_parse(struct sb_line *line, struct sb_slice text, struct sb_fault *fault);

/* Checks that a key given in the line belongs to one of the groups and applies on the transport: 0, or
 * SB_E_PLACE naming the key, its column, and where it does apply. who is the service's name for the sentence. */
int sb_line_check(const struct sb_line *line, unsigned groups, unsigned on, const char *who, struct sb_fault *fault);

/* The line as one direction of it reads: its keys without up. or down., and those that hold for both. line must
 * outlive of. */
void sb_line_of_way(struct sb_line *of, const struct sb_line *line, enum sb_way way);

/* Writes the line back in its canonical form (the verb, the keys in the order of the table, those of up, those of down,
 * the options and steps as they came; numbers in the largest unit that loses nothing), NUL-terminated: parse(print(x))
 * = x, and it is never longer than what was parsed. Returns its length, or SB_E_NO_SPACE. */
int sb_line_print(const struct sb_line *line, char *out, size_t cap);

/* The i-th key's name, or step's, for sb_nearest(); list is not used. */
const char *sb_key_name_at(const void *list, size_t i);
const char *sb_step_name_at(const void *list, size_t i);

#endif
