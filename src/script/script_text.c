/* SPDX-License-Identifier: MIT
 *
 * Listings of scripts: printing and compiling. A line is a word and its arguments, each a character or \xNN:
 *
 *   bytes "any\n\x00"    run    run Z (a letter that means nothing else)    select 3    knob c 2    cut-off "i"
 */
#include "script/script.h"

#include <string.h>

#include "base/text.h"

static const struct {
	uint8_t letter, args;
	const char *word;
} rows[SBS_KINDS] = {
	[SBS_BYTES] = {0, 0, "bytes"},
	[SBS_CUT_OFF] = {0, 0, "cut-off"},
#define SBS_EVENT(id, letter, args, word, help) [SBS_##id] = {letter, args, word},
#include "script/events.def"
#undef SBS_EVENT
};

/* ---- printing ---- */

struct printer {
	char *out;
	size_t n, room;
};

static void put(struct printer *t, char c)
{
	if (t->n < t->room)
		t->out[t->n] = c;
	t->n++;
}

static void put_str(struct printer *t, const char *s)
{
	while (*s)
		put(t, *s++);
}

static void put_hex(struct printer *t, uint8_t c)
{
	char room[4];
	struct sb_text hex = sb_text_in(room, sizeof(room));

	sb_text_hex(&hex, c, 2);
	put_str(t, "\\x");
	put_str(t, sb_text_end(&hex));
}

static void put_byte(struct printer *t, uint8_t c, bool is_quoted)
{
	if (c == '\\' || (c == '"' && is_quoted)) {
		put(t, '\\');
		put(t, (char)c);
	} else if (c == '\n' || c == '\r') {
		put_str(t, c == '\n' ? "\\n" : "\\r");
	} else if (c > ' ' && c < 0x7f && (is_quoted || c != '#')) {
		put(t, (char)c);
	} else if (c == ' ' && is_quoted) {
		put(t, ' ');
	} else {
		put_hex(t, c);
	}
}

/* Payload is broken into lines behind each line end, as it is easiest to read. */
static void print_bytes(struct printer *t, const struct sbs_event *e)
{
	bool is_open = false;

	for (size_t i = 0; i < e->n; i++) {
		if (!is_open)
			put_str(t, "bytes \"");
		is_open = true;
		put_byte(t, e->p[i], true);
		i += e->p[i] == '\\';
		if (i + 1 >= e->n || e->p[i] == '\n') {
			put_str(t, "\"\n");
			is_open = false;
		}
	}
}

static void print_value(struct printer *t, uint32_t v)
{
	char room[24];
	struct sb_text number = sb_text_in(room, sizeof(room));

	sb_text_str(&number, "  # ");
	sb_text_u64(&number, v);
	put_str(t, sb_text_end(&number));
}

static void print_event(struct printer *t, const struct sbs_event *e)
{
	if (e->kind == SBS_BYTES) {
		print_bytes(t, e);
		return;
	}
	put_str(t, rows[e->kind].word);
	if (e->kind == SBS_CUT_OFF) {
		put_str(t, " \"");
		for (size_t i = 1; i < e->n; i++)
			put_byte(t, e->p[i], true);
		put(t, '"');
	}
	if (e->kind == SBS_SELECT || (e->kind == SBS_RUN && e->letter != '|')) {
		put(t, ' ');
		put_byte(t, e->letter, false);
	}
	for (size_t i = 0; i < rows[e->kind].args; i++) {
		put(t, ' ');
		put_byte(t, e->arg[i], false);
	}
	if (rows[e->kind].args && e->v + '0' != e->arg[rows[e->kind].args - 1])
		print_value(t, e->v);
	put(t, '\n');
}

size_t sbs_print(const uint8_t *script, size_t n, char *out, size_t room)
{
	struct printer t = {.out = out, .room = room};
	struct sbs_event e;
	size_t at = 0;

	while (sbs_next(script, n, &at, &e))
		print_event(&t, &e);
	return t.n;
}

/* ---- compiling ---- */

struct compiler {
	const char *p, *end; /* of the line */
	uint8_t *out;
	size_t n, room;
};

static void emit(struct compiler *c, uint8_t byte)
{
	if (c->n < c->room)
		c->out[c->n] = byte;
	c->n++;
}

static void skip_spaces(struct compiler *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\r'))
		c->p++;
}

static bool is_done(struct compiler *c)
{
	skip_spaces(c);
	return c->p == c->end || *c->p == '#';
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* One byte: itself, or \\ \" \n \r \xNN. False when it is none. */
static bool read_byte(struct compiler *c, uint8_t *byte)
{
	int high, low;

	if (c->p == c->end)
		return false;
	*byte = (uint8_t)*c->p++;
	if (*byte != '\\')
		return true;
	if (c->p == c->end)
		return false;
	*byte = (uint8_t)*c->p++;
	if (*byte == '\\' || *byte == '"')
		return true;
	if (*byte == 'n' || *byte == 'r') {
		*byte = *byte == 'n' ? '\n' : '\r';
		return true;
	}
	if (*byte != 'x' || c->end - c->p < 2)
		return false;
	high = hex_digit(c->p[0]);
	low = hex_digit(c->p[1]);
	c->p += 2;
	*byte = (uint8_t)(high * 16 + low);
	return high >= 0 && low >= 0;
}

static bool compile_quoted(struct compiler *c, bool is_payload)
{
	uint8_t byte;

	skip_spaces(c);
	if (c->p == c->end || *c->p++ != '"')
		return false;
	while (c->p < c->end && *c->p != '"') {
		if (!read_byte(c, &byte))
			return false;
		emit(c, byte);
		if (is_payload && byte == '\\')
			emit(c, byte);
	}
	return c->p < c->end && *c->p++ == '"';
}

static bool compile_args(struct compiler *c, enum sbs_kind kind)
{
	uint8_t byte = rows[kind].letter;
	size_t args = rows[kind].args;

	emit(c, '\\');
	if (kind == SBS_SELECT || (kind == SBS_RUN && !is_done(c))) {
		skip_spaces(c);
		if (!read_byte(c, &byte) || (kind == SBS_SELECT && (byte < '0' || byte > '7')))
			return false;
	}
	emit(c, byte);
	for (size_t i = 0; i < args; i++) {
		skip_spaces(c);
		if (!read_byte(c, &byte))
			return false;
		emit(c, byte);
	}
	return true;
}

static bool compile_line(struct compiler *c)
{
	const char *word;
	size_t n;
	int kind = SBS_BYTES;

	if (is_done(c))
		return true;
	word = c->p;
	while (c->p < c->end && *c->p != ' ' && *c->p != '\t' && *c->p != '\r')
		c->p++;
	n = (size_t)(c->p - word);
	while (kind < SBS_KINDS && (strlen(rows[kind].word) != n || memcmp(rows[kind].word, word, n) != 0))
		kind++;
	if (kind == SBS_KINDS)
		return false;
	if (kind == SBS_CUT_OFF)
		emit(c, '\\');
	if (kind == SBS_BYTES || kind == SBS_CUT_OFF)
		return compile_quoted(c, kind == SBS_BYTES) && is_done(c);
	return compile_args(c, (enum sbs_kind)kind) && is_done(c);
}

long sbs_compile(const char *text, size_t n, uint8_t *out, size_t room)
{
	struct compiler c = {.p = text, .out = out, .room = room};
	const char *end = text + n;

	for (long line = 1; c.p < end; line++) {
		const char *next = memchr(c.p, '\n', (size_t)(end - c.p));

		c.end = next ? next : end;
		if (!compile_line(&c))
			return -line;
		c.p = next ? next + 1 : end;
	}
	return (long)c.n;
}
