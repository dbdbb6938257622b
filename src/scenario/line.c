/* SPDX-License-Identifier: MIT
 *
 * Reading a line. A token is found between two spaces, its value is unescaped into the line's own storage, and
 * the row of its key says how to read it. What can be wrong with a token is said at the token: the first
 * complaint from the left is the one that is made, except for bytes that belong in no line at all.
 */
#include "scenario/line.h"

#include <assert.h>

#include "base/nearest.h"
#include "scenario/line_steps.h"
#include "scenario/print.h"

const struct sb_key_row sb_keys[SB_KEYS_N] = {
#define SB_KEY(id, name, type, group, on, min, max, arg, help) {name, type, group, on, min, max, arg, help},
#include "scenario/keys.def"
#undef SB_KEY
};

const char *sb_key_name_at(const void *list, size_t i)
{
	(void)list;
	return i < SB_KEYS_N ? sb_keys[i].name : NULL;
}

/* A token of the line: bytes, and the column of the first. */
struct token {
	struct sb_slice s;
	uint16_t col;
};

static struct token token_skip(struct token t, size_t n)
{
	return (struct token){.s = sb_slice_skip(t.s, n), .col = (uint16_t)(t.col + n)};
}

static size_t index_of(struct sb_slice s, char c)
{
	const uint8_t *p = s.n ? memchr(s.p, c, s.n) : NULL;

	return p ? (size_t)(p - s.p) : s.n;
}

/* ---- bytes ---- */

static struct sb_slice without_end(struct sb_slice text)
{
	if (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	if (text.n && text.p[text.n - 1] == '\r')
		text.n--;
	return text;
}

static int check_bytes(struct sb_slice text, struct sb_fault *fault)
{
	if (text.n > SB_LINE_MAX)
		return sb_fault_set(fault, SB_E_TOO_LARGE, SB_LINE_MAX + 1, "a line has at most %d bytes", SB_LINE_MAX);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)i + 1,
					    "byte %02x is not printable ASCII: in a value, write it \\x%02x", text.p[i],
					    text.p[i]);
	return 0;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that the escape at the front of s stands for, and in *n how many bytes it takes; -1 when it is none. */
static int escape_at(struct sb_slice s, size_t *n)
{
	static const char names[] = "\\nrts0", bytes[] = "\\\n\r\t \0";
	const char *name = s.n > 1 ? strchr(names, s.p[1]) : NULL;
	int high, low;

	*n = 2;
	if (name)
		return (uint8_t)bytes[name - names];
	if (s.n < 4 || s.p[1] != 'x')
		return -1;
	*n = 4;
	high = hex_value(s.p[2]);
	low = hex_value(s.p[3]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Keeps the bytes that raw stands for in the line, as *out. */
static int unescape(struct sb_line *line, struct token raw, struct sb_slice *out, struct sb_fault *fault)
{
	uint16_t first = line->text_n;

	while (raw.s.n) {
		size_t n = 1;
		int byte = raw.s.p[0] == '\\' ? escape_at(raw.s, &n) : raw.s.p[0];

		if (byte < 0)
			return sb_fault_set(
				fault, SB_E_SYNTAX, raw.col,
				"an escape is \\\\ \\n \\r \\t \\s \\0 or \\x and two hex digits, not \"%.*s\"",
				(int)(raw.s.n < 4 ? raw.s.n : 4), (const char *)raw.s.p);
		/* Escapes only get shorter, so a line that is not too large fits. */
		assert(line->text_n < SB_LINE_MAX);
		line->text[line->text_n++] = (uint8_t)byte;
		raw = token_skip(raw, n);
	}
	*out = sb_slice(line->text + first, (size_t)(line->text_n - first));
	return 0;
}

/* The column of the i-th byte that raw stands for. */
static uint16_t column_of(struct token raw, size_t i)
{
	for (; i > 0; i--) {
		size_t n = 1;

		if (raw.s.p[0] == '\\')
			(void)escape_at(raw.s, &n);
		raw = token_skip(raw, n);
	}
	return raw.col;
}

/* ---- values ---- */

static int say_range(const struct sb_key_row *key, const struct sb_value *v, struct sb_slice part,
		     struct sb_fault *fault)
{
	char room[64];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_key_number(&t, key->type, key->min);
	sb_text_str(&t, " to ");
	sb_key_number(&t, key->type, key->max);
	if (key->type == SB_T_TEXT)
		return sb_fault_set(fault, SB_E_RANGE, v->col, "%s is %s bytes long, not %zu", key->name,
				    sb_text_end(&t), part.n);
	return sb_fault_set(fault, SB_E_RANGE, v->col, "%s is %s, not %.*s", key->name, sb_text_end(&t),
			    SB_FAULT_WORD(part));
}

static int say_type(const struct sb_key_row *key, uint16_t col, struct sb_slice part, struct sb_fault *fault)
{
	static const char *const written[] = {
		[SB_T_SIZE] = "a size (100, 64k, 1M)",
		[SB_T_COUNT] = "a number",
		[SB_T_TIME] = "a time (250us, 50ms, 3s, 10m)",
		[SB_T_TIME_AT] = "a time, or a time and a size (3s, 50ms@64k)",
	};

	return sb_fault_set(fault, SB_E_TYPE, col, "%s takes %s, not \"%.*s\"", key->name, written[key->type],
			    SB_FAULT_WORD(part));
}

static int read_number(const struct sb_key_row *key, struct sb_value *v, struct sb_slice text, struct sb_fault *fault)
{
	int r = key->type == SB_T_SIZE    ? sb_parse_size(text, &v->num)
		: key->type == SB_T_COUNT ? sb_parse_count(text, &v->num)
					  : sb_parse_time(text, &v->num);

	if (r == SB_E_TYPE)
		return say_type(key, v->col, v->text, fault);
	if (r < 0 || v->num < key->min || v->num > key->max)
		return say_range(key, v, text, fault);
	return 0;
}

static int read_time_at(const struct sb_key_row *key, struct sb_value *v, struct token raw, struct sb_fault *fault)
{
	size_t at = index_of(v->text, '@');
	int r = read_number(key, v, sb_slice(v->text.p, at), fault);

	if (r < 0 || at == v->text.n)
		return r;
	r = sb_parse_size(sb_slice_skip(v->text, at + 1), &v->at);
	if (r == SB_E_RANGE)
		return sb_fault_set(fault, r, column_of(raw, at + 1), "the size after @ of %s is 0 to %llu", key->name,
				    (unsigned long long)UINT64_MAX);
	return r < 0 ? say_type(key, column_of(raw, at + 1), v->text, fault) : 0;
}

/* The words of "clean|rst|abrupt", each with its NUL. */
struct words {
	char room[64];
	size_t n;
};

static const char *word_at(const void *list, size_t i)
{
	const struct words *words = list;
	size_t at = 0;

	for (; at < words->n && i > 0; i--)
		at += strlen(words->room + at) + 1;
	return at < words->n ? words->room + at : NULL;
}

static int read_word(const struct sb_key_row *key, struct sb_value *v, struct sb_fault *fault)
{
	struct words words = {.n = strlen(key->arg) + 1};
	const char *word;

	assert(words.n <= sizeof(words.room));
	for (size_t i = 0; i < words.n; i++)
		words.room[i] = (char)(key->arg[i] == '|' ? '\0' : key->arg[i]);
	for (v->num = 0; (word = word_at(&words, v->num)); v->num++)
		if (sb_slice_is(v->text, word))
			return 0;
	word = sb_nearest(v->text, word_at, &words);
	if (word)
		return sb_fault_set(fault, SB_E_UNKNOWN, v->col, "%s is %s, not \"%.*s\" (did you mean %s?)", key->name,
				    key->arg, SB_FAULT_WORD(v->text), word);
	return sb_fault_set(fault, SB_E_UNKNOWN, v->col, "%s is %s, not \"%.*s\"", key->name, key->arg,
			    SB_FAULT_WORD(v->text));
}

static int read_value(const struct sb_key_row *key, struct sb_value *v, struct token raw, struct sb_fault *fault)
{
	switch (key->type) {
	case SB_T_SIZE:
	case SB_T_COUNT:
	case SB_T_TIME:
		return read_number(key, v, v->text, fault);
	case SB_T_TIME_AT:
		return read_time_at(key, v, raw, fault);
	case SB_T_TEXT:
		return v->text.n < key->min || v->text.n > key->max ? say_range(key, v, v->text, fault) : 0;
	case SB_T_WORD:
		return read_word(key, v, fault);
	case SB_T_NONE:
		break;
	}
	return SB_E_TYPE;
}

int sb_line_value(struct sb_line *line, const struct sb_key_row *row, struct sb_value *v, struct sb_slice raw,
		  struct sb_fault *fault)
{
	struct token t = {.s = raw, .col = v->col};
	int r = unescape(line, t, &v->text, fault);

	return r < 0 ? r : read_value(row, v, t, fault);
}

/* ---- tokens ---- */

static int say_twice(struct token name, uint16_t first, struct sb_fault *fault)
{
	return sb_fault_set(fault, SB_E_DUPLICATE, name.col, "%.*s is given twice, first at column %d: leave one out",
			    SB_FAULT_WORD(name.s), first);
}

static int read_opt(struct sb_line *line, struct token name, struct token raw, struct sb_fault *fault)
{
	struct sb_line_opt *opt = &line->opts[line->opts_n];
	struct token bare = token_skip(name, 4);
	int r;

	if (bare.s.n == 0)
		return sb_fault_set(fault, SB_E_SYNTAX, name.col,
				    "opt. needs the name of an option, as opt.TCP_NODELAY=1");
	for (int i = 0; i < line->opts_n; i++)
		if (sb_slice_eq(line->opts[i].name, bare.s))
			return say_twice(name, line->opts[i].col, fault);
	if (line->opts_n == SB_LINE_OPTS_MAX)
		return sb_fault_set(fault, SB_E_LIMIT, name.col, "a line sets at most %d options", SB_LINE_OPTS_MAX);
	opt->col = name.col;
	opt->value_col = raw.col;
	opt->name = sb_slice(line->text + line->text_n, bare.s.n);
	memcpy(line->text + line->text_n, bare.s.p, bare.s.n);
	line->text_n = (uint16_t)(line->text_n + bare.s.n);
	r = unescape(line, raw, &opt->value, fault);
	if (r == 0)
		line->opts_n++;
	return r;
}

static int say_unknown(struct token name, struct sb_fault *fault)
{
	const char *nearest = sb_nearest(name.s, sb_key_name_at, NULL);

	if (nearest)
		return sb_fault_set(fault, SB_E_UNKNOWN, name.col, "unknown key \"%.*s\" (did you mean %s?)",
				    SB_FAULT_WORD(name.s), nearest);
	return sb_fault_set(fault, SB_E_UNKNOWN, name.col, "unknown key \"%.*s\"; --help lists the keys",
			    SB_FAULT_WORD(name.s));
}

static int read_pair(struct sb_line *line, struct token name, struct token raw, struct sb_fault *fault)
{
	struct sb_value *v;
	int i = 0, r;

	if (name.s.n >= 4 && memcmp(name.s.p, "opt.", 4) == 0)
		return read_opt(line, name, raw, fault);
	while (i < SB_KEYS_N && !sb_slice_is(name.s, sb_keys[i].name))
		i++;
	if (i == SB_KEYS_N)
		return say_unknown(name, fault);
	v = &line->v[i];
	if (v->set)
		return say_twice(name, v->key_col, fault);
	v->set = true;
	v->key_col = name.col;
	v->col = raw.col;
	r = unescape(line, raw, &v->text, fault);
	return r < 0 ? r : read_value(&sb_keys[i], v, raw, fault);
}

static int read_token(struct sb_line *line, enum sb_line_part *part, struct token t, struct sb_fault *fault)
{
	size_t eq = index_of(t.s, '=');
	struct token name = {.s = sb_slice(t.s.p, eq), .col = t.col};

	if (t.s.n == 0)
		return sb_fault_set(fault, SB_E_SYNTAX, t.col,
				    "one space stands between two words, and none at the end");
	if (*part != SB_PART_KEYS || sb_slice_is(t.s, "|"))
		return sb_line_read_step(line, part, t.s, t.col, fault);
	if (eq == t.s.n)
		return sb_fault_set(fault, SB_E_SYNTAX, t.col, "\"%.*s\" is not key=value", SB_FAULT_WORD(t.s));
	if (eq == 0)
		return sb_fault_set(fault, SB_E_SYNTAX, t.col, "a key is missing before \"=\"");
	if (eq + 1 == t.s.n)
		return sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)(t.col + eq + 1), "%.*s= has no value",
				    SB_FAULT_WORD(name.s));
	return read_pair(line, name, token_skip(t, eq + 1), fault);
}

/* "SB" and digits: what marks a line among a connection's bytes is no part of the line. */
static bool is_marker(struct sb_slice s)
{
	if (s.n < 3 || s.p[0] != 'S' || s.p[1] != 'B')
		return false;
	for (size_t i = 2; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

static int read_verb(struct sb_line *line, struct token t, struct sb_fault *fault)
{
	if (t.s.n == 0)
		return sb_fault_set(fault, SB_E_SYNTAX, 1, "a line begins with a verb, as ECHO");
	if (is_marker(t.s))
		return sb_fault_set(fault, SB_E_SYNTAX, 1,
				    "the marker %.*s is for a line inside a connection: leave it out here",
				    SB_FAULT_WORD(t.s));
	if (index_of(t.s, '=') < t.s.n || sb_slice_is(t.s, "|"))
		return sb_fault_set(fault, SB_E_SYNTAX, 1, "a line begins with a verb, as ECHO, not with \"%.*s\"",
				    SB_FAULT_WORD(t.s));
	line->verb_col = 1;
	line->verb = sb_slice(line->text, t.s.n);
	memcpy(line->text, t.s.p, t.s.n);
	line->text_n = (uint16_t)t.s.n;
	return 0;
}

int sb_line_parse(struct sb_line *line, struct sb_slice text, struct sb_fault *fault)
{
	struct token rest = {.s = without_end(text), .col = 1};
	enum sb_line_part part = SB_PART_KEYS;
	size_t n = index_of(rest.s, ' ');
	int r = check_bytes(rest.s, fault);

	*line = (struct sb_line){0};
	if (r == 0)
		r = read_verb(line, (struct token){.s = sb_slice(rest.s.p, n), .col = 1}, fault);
	while (r == 0 && n < rest.s.n) {
		rest = token_skip(rest, n + 1);
		n = index_of(rest.s, ' ');
		r = read_token(line, &part, (struct token){.s = sb_slice(rest.s.p, n), .col = rest.col}, fault);
	}
	if (r == 0 && part == SB_PART_STEP)
		return sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)(rest.col + n), "a step is missing behind \"|\"");
	return r;
}

/* ---- where a key applies ---- */

static const char *about(unsigned group)
{
	switch (group) {
	case SB_G_FRAMING:
		return "says how a stream is cut into messages";
	case SB_G_READ:
		return "says how we read";
	case SB_G_SOURCE:
		return "says what SOURCE sends";
	case SB_G_CUTTING:
		return "says how what we send is cut";
	case SB_G_PORT:
		return "is about a port that LISTEN makes";
	case SB_G_CONTROL:
		return "belongs to a control verb";
	case SB_G_SEED:
		return "says how what is random comes out";
	case SB_G_DATAGRAM:
		return "says what becomes of replies that are datagrams";
	case SB_G_RECEIPT:
		return "says what is on a receipt";
	case SB_G_ENDING:
		return "says how we close";
	case SB_G_LISTEN:
		return "must be chosen before accept, in the line of --listen";
	default:
		return "sets a socket option";
	}
}

int sb_line_check(const struct sb_line *line, unsigned groups, unsigned on, const char *who, struct sb_fault *fault)
{
	int first = SB_KEYS_N;
	uint16_t col = UINT16_MAX;

	for (int i = 0; i < SB_KEYS_N; i++) {
		const struct sb_value *v = &line->v[i];

		if (v->set && v->key_col < col && (!(sb_keys[i].group & groups) || !(sb_keys[i].on & on))) {
			first = i;
			col = v->key_col;
		}
	}
	if (line->opts_n && !(groups & SB_G_OPT) && line->opts[0].col < col)
		return sb_fault_set(fault, SB_E_PLACE, line->opts[0].col, "opt.%.*s= %s; %s does not take it here",
				    SB_FAULT_WORD(line->opts[0].name), about(SB_G_OPT), who);
	if (first == SB_KEYS_N)
		return sb_line_check_steps(line, groups, on, who, fault);
	if (!(sb_keys[first].group & groups))
		return sb_fault_set(fault, SB_E_PLACE, col, "%s= %s; %s does not take it here", sb_keys[first].name,
				    about(sb_keys[first].group), who);
	return sb_fault_set(fault, SB_E_PLACE, col, "%s= applies to %s, not to %s", sb_keys[first].name,
			    sb_on_name(sb_keys[first].on), sb_on_name(on));
}
