/* SPDX-License-Identifier: MIT
 *
 * Listings of scripts: compiling. A line is an event: what would be read back as another one, or as half of two, is
 * refused as well, so that a listing says what its script does.
 */
#include "script/script.h"

#include "base/nearest.h"

struct compiler {
	const char *line, *p, *end; /* the line, where we are in it, and its end */
	uint8_t *out;
	size_t n, room;
	bool is_over; /* cut-off: nothing may follow */
	struct sb_fault *fault;
};

static void emit(struct compiler *c, uint8_t byte)
{
	if (c->n < c->room)
		c->out[c->n] = byte;
	c->n++;
}

static uint32_t column(const struct compiler *c, const char *at)
{
	return (uint32_t)(at - c->line) + 1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_done(struct compiler *c)
{
	while (c->p < c->end && is_space(*c->p))
		c->p++;
	return c->p == c->end || *c->p == '#';
}

/* The word at p, which stays where it is. */
static struct sb_slice word_at(const struct compiler *c, const char *p)
{
	const char *from = p;

	while (p < c->end && !is_space(*p))
		p++;
	return sb_slice(from, (size_t)(p - from));
}

static int syntax(struct compiler *c, const char *at, const char *what)
{
	return sb_fault_set(c->fault, SB_E_SYNTAX, column(c, at), "%s", what);
}

/* ---- bytes ---- */

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	char lower = (char)(c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c);
	const char *at = c ? strchr(digits, lower) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* What follows a backslash. */
static int read_escape(struct compiler *c, uint8_t *byte)
{
	static const char names[] = "\\\"nr", means[] = "\\\"\n\r";
	const char *from = c->p - 1, *name = c->p < c->end && *c->p ? strchr(names, *c->p) : NULL;
	int high, low;

	if (name) {
		*byte = (uint8_t)means[name - names];
		c->p++;
		return 0;
	}
	high = c->end - c->p >= 3 && *c->p == 'x' ? hex_digit(c->p[1]) : -1;
	low = high < 0 ? -1 : hex_digit(c->p[2]);
	if (low < 0)
		return syntax(c, from, "an escape is \\\\ \\\" \\n \\r or \\xNN");
	*byte = (uint8_t)(high * 16 + low);
	c->p += 3;
	return 0;
}

/* One byte: itself, or escaped. p is before the end. */
static int read_byte(struct compiler *c, uint8_t *byte)
{
	*byte = (uint8_t)*c->p++;
	return *byte == '\\' ? read_escape(c, byte) : 0;
}

static int compile_quoted(struct compiler *c, enum sbs_kind kind)
{
	const char *from;
	uint8_t byte;
	int r;

	if (is_done(c) || *c->p != '"')
		return sb_fault_set(c->fault, SB_E_SYNTAX, column(c, c->p), "%s needs its text in quotes: %s \"text\"",
				    sbs_word(kind), sbs_word(kind));
	from = c->p++;
	while (c->p < c->end && *c->p != '"') {
		r = read_byte(c, &byte);
		if (r < 0)
			return r;
		emit(c, byte);
		if (kind == SBS_BYTES && byte == '\\')
			emit(c, byte);
	}
	if (c->p == c->end)
		return syntax(c, from, "this quote is not closed");
	c->p++;
	return 0;
}

/* ---- events ---- */

static int compile_arg(struct compiler *c, enum sbs_kind kind, uint8_t *byte)
{
	const char *from;
	struct sb_slice word;
	int r;

	if (is_done(c))
		return sb_fault_set(c->fault, SB_E_SYNTAX, column(c, c->p),
				    "%s needs %zu argument%s: a character or \\xNN", sbs_word(kind), sbs_args(kind),
				    sbs_args(kind) == 1 ? "" : "s");
	from = c->p;
	word = word_at(c, from);
	r = read_byte(c, byte);
	if (r < 0)
		return r;
	if (c->p != (const char *)word.p + word.n)
		return sb_fault_set(c->fault, SB_E_SYNTAX, column(c, from),
				    "an argument is one character or \\xNN, not \"%.*s\"", SB_FAULT_WORD(word));
	return 0;
}

/* The letter behind run: one that is no event's, else it would be that event. */
static int compile_run(struct compiler *c)
{
	const char *from = c->p;
	uint8_t byte = '|';
	struct sbs_event e;
	size_t at = 0;
	int r = is_done(c) ? 0 : compile_arg(c, SBS_RUN, &byte);

	if (r < 0)
		return r;
	/* Read with arguments behind it, whatever they are. */
	sbs_next((const uint8_t[]){'\\', byte, '0', '0'}, 4, &at, &e);
	if (e.kind != SBS_RUN)
		return sb_fault_set(c->fault, SB_E_SYNTAX, column(c, from) + 1, "this letter is that of %s",
				    sbs_word(e.kind));
	emit(c, '\\');
	emit(c, byte);
	return 0;
}

static int compile_select(struct compiler *c)
{
	uint8_t byte;
	const char *from;

	if (is_done(c))
		return syntax(c, c->p, "select needs a connection: 0 to 7");
	from = c->p;
	if (*from < '0' || *from > '7' || word_at(c, from).n != 1) {
		struct sb_slice word = word_at(c, from);

		return sb_fault_set(c->fault, SB_E_SYNTAX, column(c, from), "a connection is 0 to 7, not \"%.*s\"",
				    SB_FAULT_WORD(word));
	}
	byte = (uint8_t)*c->p++;
	emit(c, '\\');
	emit(c, byte);
	return 0;
}

/* A beginning of an escape, and the script's last event. */
static int compile_cut_off(struct compiler *c, const char *from)
{
	uint8_t room[4] = {'\\'};
	struct compiler inside = *c;
	struct sbs_event e = {0};
	size_t at = 0;
	int r;

	inside.out = room + 1;
	inside.n = 0;
	inside.room = sizeof(room) - 1;
	r = compile_quoted(&inside, SBS_CUT_OFF);
	c->p = inside.p;
	if (r < 0)
		return r;
	if (inside.n < sizeof(room))
		sbs_next(room, inside.n + 1, &at, &e);
	if (at != inside.n + 1 || e.kind != SBS_CUT_OFF)
		return syntax(c, from,
			      "cut-off is the beginning of an escape whose arguments are missing: cut-off \"i\"");
	for (size_t i = 0; i < at; i++)
		emit(c, room[i]);
	c->is_over = true;
	return 0;
}

static int compile_args(struct compiler *c, enum sbs_kind kind, uint8_t letter)
{
	uint8_t byte = 0;
	int r;

	emit(c, '\\');
	emit(c, letter);
	for (size_t i = 0; i < sbs_args(kind); i++) {
		r = compile_arg(c, kind, &byte);
		if (r < 0)
			return r;
		emit(c, byte);
	}
	return 0;
}

static int compile_event(struct compiler *c, enum sbs_kind kind, const char *from)
{
	static const uint8_t letters[SBS_KINDS] = {
#define SBS_EVENT(id, letter, args, word, help) [SBS_##id] = letter,
#include "script/events.def"
#undef SBS_EVENT
	};

	switch (kind) {
	case SBS_BYTES:
		return compile_quoted(c, kind);
	case SBS_CUT_OFF:
		return compile_cut_off(c, from);
	case SBS_RUN:
		return compile_run(c);
	case SBS_SELECT:
		return compile_select(c);
	default:
		return compile_args(c, kind, letters[kind]);
	}
}

/* ---- lines ---- */

static const char *event_name_at(const void *list, size_t i)
{
	(void)list;
	return i < SBS_KINDS ? sbs_word((enum sbs_kind)i) : NULL;
}

static int unknown(struct compiler *c, struct sb_slice word)
{
	const char *nearest = sb_nearest(word, event_name_at, NULL);

	if (nearest)
		return sb_fault_set(c->fault, SB_E_UNKNOWN, column(c, (const char *)word.p),
				    "\"%.*s\" is no event (did you mean %s?)", SB_FAULT_WORD(word), nearest);
	return sb_fault_set(c->fault, SB_E_UNKNOWN, column(c, (const char *)word.p), "\"%.*s\" is no event",
			    SB_FAULT_WORD(word));
}

static int compile_line(struct compiler *c)
{
	struct sb_slice word;
	int kind = SBS_BYTES, r;

	if (is_done(c))
		return 0;
	word = word_at(c, c->p);
	if (c->is_over)
		return syntax(c, c->p, "nothing can follow cut-off: the script has ended");
	while (kind < SBS_KINDS && !sb_slice_is(word, sbs_word((enum sbs_kind)kind)))
		kind++;
	if (kind == SBS_KINDS)
		return unknown(c, word);
	c->p += word.n;
	r = compile_event(c, (enum sbs_kind)kind, (const char *)word.p);
	if (r < 0)
		return r;
	if (is_done(c))
		return 0;
	word = word_at(c, c->p);
	return sb_fault_set(c->fault, SB_E_SYNTAX, column(c, c->p), "\"%.*s\" is left over: remarks begin with #",
			    SB_FAULT_WORD(word));
}

long sbs_compile(const char *text, size_t n, uint8_t *out, size_t room, uint32_t *line, struct sb_fault *fault)
{
	struct compiler c = {.p = text, .out = out, .room = room, .fault = fault};
	const char *end = text + n;

	for (*line = 1; c.p < end; ++*line) {
		const char *next = memchr(c.p, '\n', (size_t)(end - c.p));
		int r;

		c.line = c.p;
		c.end = next ? next : end;
		r = compile_line(&c);
		if (r < 0)
			return r;
		c.p = next ? next + 1 : end;
	}
	return (long)c.n;
}
