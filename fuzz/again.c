/* SPDX-License-Identifier: MIT
 * Lines, read a second time. */
#include "again.h"

#include <stdio.h>
#include <string.h>

#include "found.h"

#define K(bytes) ((uint64_t)(bytes) * 1024)

/* Written from the design's table of keys and docs/: a range that changes is to be changed here too. */
static const struct sb_key_row keys[] = {
	{"frame", SB_T_TEXT, SB_G_FRAMING, SB_ON_ANY, 1, 80, NULL, NULL},
	{"max", SB_T_SIZE, SB_G_FRAMING, SB_ON_ANY, 1, K(64), NULL, NULL},
	{"recv", SB_T_SIZE, SB_G_READ, SB_ON_TCP | SB_ON_UNIX, 1, K(64), NULL, NULL},
	{"stopread", SB_T_TIME_AT, SB_G_READ, SB_ON_TCP | SB_ON_UNIX, 1000, UINT64_C(3600000000000), NULL, NULL},
	{"len", SB_T_SIZE, SB_G_SOURCE, SB_ON_ANY, 0, K(64), NULL, NULL},
	{"count", SB_T_COUNT, SB_G_SOURCE, SB_ON_ANY, 1, K(1048576), NULL, NULL},
	{"pattern", SB_T_TEXT, SB_G_SOURCE, SB_ON_ANY, 1, 512, NULL, NULL},
	{"file", SB_T_TEXT, SB_G_SOURCE, SB_ON_TCP | SB_ON_UNIX, 1, 255, NULL, NULL},
	{"frag", SB_T_TEXT, SB_G_CUTTING, SB_ON_TCP | SB_ON_UNIX, 1, 10, NULL, NULL},
	{"cut", SB_T_TEXT, SB_G_CUTTING, SB_ON_TCP | SB_ON_UNIX, 1, 512, NULL, NULL},
	{"join", SB_T_COUNT, SB_G_CUTTING, SB_ON_TCP | SB_ON_UNIX, 1, 65536, NULL, NULL},
	{"gap", SB_T_TIME, SB_G_CUTTING, SB_ON_TCP | SB_ON_UNIX, 1000, UINT64_C(3600000000000), NULL, NULL},
	{"delay", SB_T_TIME, SB_G_CUTTING, SB_ON_TCP | SB_ON_UNIX, 1000, UINT64_C(3600000000000), NULL, NULL},
	{"gate", SB_T_WORD, SB_G_CUTTING, SB_ON_TCP | SB_ON_UNIX, 0, 3, "read|ack|time|best", NULL},
	{"gate-max", SB_T_TIME, SB_G_CUTTING, SB_ON_TCP | SB_ON_UNIX, 1000, UINT64_C(3600000000000), NULL, NULL},
	{"limit", SB_T_SIZE, SB_G_CUTTING, SB_ON_TCP | SB_ON_UNIX, 1, K(K(K(1024))), NULL, NULL},
	{"flip", SB_T_SIZE, SB_G_CUTTING, SB_ON_TCP | SB_ON_UNIX, 0, K(K(K(1024))), NULL, NULL},
	{"seed", SB_T_COUNT, SB_G_SEED, SB_ON_ANY, 0, UINT64_MAX, NULL, NULL},
	{"drop", SB_T_TEXT, SB_G_DATAGRAM, SB_ON_UDP, 1, 256, NULL, NULL},
	{"dup", SB_T_TEXT, SB_G_DATAGRAM, SB_ON_UDP, 1, 256, NULL, NULL},
	{"reorder", SB_T_TEXT, SB_G_DATAGRAM, SB_ON_UDP, 1, 256, NULL, NULL},
	{"hold", SB_T_TIME, SB_G_DATAGRAM, SB_ON_UDP, 1000, UINT64_C(3600000000000), NULL, NULL},
	{"trunc", SB_T_SIZE, SB_G_DATAGRAM, SB_ON_UDP, 0, K(64) - 29, NULL, NULL},
	{"size", SB_T_SIZE, SB_G_DATAGRAM, SB_ON_UDP, 0, K(64) - 29, NULL, NULL},
	{"reply", SB_T_WORD, SB_G_DATAGRAM, SB_ON_UDP, 0, 1, "refused|silent", NULL},
	{"close", SB_T_WORD, SB_G_ENDING, SB_ON_TCP | SB_ON_UNIX, 0, 4, "clean|rst|abrupt|half|stall", NULL},
	{"maxlife", SB_T_TIME, SB_G_ENDING, SB_ON_TCP | SB_ON_UNIX, 1000, UINT64_C(3600000000000), NULL, NULL},
	{"hash", SB_T_WORD, SB_G_RECEIPT, SB_ON_TCP | SB_ON_UNIX, 0, 1, "off|on", NULL},
	{"rcvbuf", SB_T_SIZE, SB_G_LISTEN, SB_ON_ANY, 1, K(1048576) - 1, NULL, NULL},
	{"sndbuf", SB_T_SIZE, SB_G_LISTEN, SB_ON_ANY, 1, K(1048576) - 1, NULL, NULL},
	{"mss", SB_T_SIZE, SB_G_LISTEN, SB_ON_TCP, 88, 32767, NULL, NULL},
	{"backlog", SB_T_COUNT, SB_G_LISTEN, SB_ON_TCP | SB_ON_UNIX, 0, 65535, NULL, NULL},
	{"syn", SB_T_TEXT, SB_G_LISTEN, SB_ON_TCP, 1, 32, NULL, NULL},
	{"conns", SB_T_COUNT, SB_G_LISTEN, SB_ON_TCP | SB_ON_UNIX, 1, K(1048576), NULL, NULL},
	{"nth", SB_T_COUNT, SB_G_LISTEN, SB_ON_TCP | SB_ON_UNIX, 1, K(1048576), NULL, NULL},
	{"accept", SB_T_WORD, SB_G_LISTEN, SB_ON_TCP | SB_ON_UNIX, 0, 1, "serve|rst", NULL},
	{"proto", SB_T_WORD, SB_G_PORT, SB_ON_TCP | SB_ON_UDP, 0, 1, "tcp|udp", NULL},
	{"keep", SB_T_TIME, SB_G_PORT, SB_ON_TCP | SB_ON_UDP, 1000, UINT64_C(3600000000000), NULL, NULL},
	{"preamble", SB_T_WORD, SB_G_LISTEN, SB_ON_TCP | SB_ON_UNIX, 0, 1, "off|on", NULL},
	{"id", SB_T_TEXT, SB_G_CONTROL, SB_ON_TCP | SB_ON_UNIX, 1, 32, NULL, NULL},
	{"wait", SB_T_TIME, SB_G_CONTROL, SB_ON_TCP | SB_ON_UNIX, 1000, UINT64_C(3600000000000), NULL, NULL},
};

static const struct {
	const char *name;
	unsigned groups;
} services[] = {
	{"ECHO", SB_G_FRAMING | SB_G_READ | SB_G_CUTTING | SB_G_SEED | SB_G_DATAGRAM | SB_G_ENDING | SB_G_RECEIPT |
			 SB_G_LISTEN | SB_G_PORT | SB_G_OPT | SB_G_STEPS},
	{"DISCARD",
	 SB_G_FRAMING | SB_G_READ | SB_G_ENDING | SB_G_RECEIPT | SB_G_LISTEN | SB_G_PORT | SB_G_OPT | SB_G_STEPS},
	{"CHARGEN", SB_G_READ | SB_G_CUTTING | SB_G_SEED | SB_G_DATAGRAM | SB_G_ENDING | SB_G_RECEIPT | SB_G_LISTEN |
			    SB_G_PORT | SB_G_OPT | SB_G_STEPS},
	{"SOURCE", SB_G_FRAMING | SB_G_READ | SB_G_SOURCE | SB_G_CUTTING | SB_G_SEED | SB_G_DATAGRAM | SB_G_ENDING |
			   SB_G_RECEIPT | SB_G_LISTEN | SB_G_PORT | SB_G_OPT | SB_G_STEPS},
	{"SCRIPT", SB_G_FRAMING | SB_G_READ | SB_G_CUTTING | SB_G_SEED | SB_G_ENDING | SB_G_RECEIPT | SB_G_LISTEN |
			   SB_G_PORT | SB_G_OPT | SB_G_STEPS},
};

const struct sb_key_row *again_key(int i)
{
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		if (strcmp(keys[k].name, sb_keys[i].name) == 0)
			return &keys[k];
	return &sb_keys[i];
}

const struct sb_service *again_service(const struct again *a, unsigned *groups)
{
	const struct sb_service *s;

	for (size_t i = 0; (s = sb_service_at(i)); i++) {
		if (!naive_is(a->verb.p, a->verb.n, s->name))
			continue;
		*groups = s->groups;
		for (size_t k = 0; k < sizeof(services) / sizeof(services[0]); k++)
			if (strcmp(services[k].name, s->name) == 0)
				*groups = services[k].groups;
		return s;
	}
	return NULL;
}

/* ---- reading ---- */

bool again_refuse(struct again *a, int code, size_t col)
{
	a->code = code;
	a->col = (uint32_t)col;
	return false;
}

static int digit_of(uint8_t c)
{
	const char *digits = "0123456789abcdefABCDEF", *at = c ? strchr(digits, c) : NULL;

	return !at ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* The bytes of a text p[0..n) at column col, unescaped. */
bool again_read_text(struct again *a, struct again_text *t, const uint8_t *p, size_t n, size_t col)
{
	size_t i = 0;

	t->n = 0;
	while (i < n) {
		const char *names = "\\nrts0", *at;
		size_t some = 1;
		int c = p[i];

		if (c == '\\') {
			at = i + 1 < n && p[i + 1] ? strchr(names, p[i + 1]) : NULL;
			some = at ? 2 : 4;
			if (at)
				c = "\\\n\r\t \0"[at - names];
			else if (i + 3 < n && p[i + 1] == 'x' && digit_of(p[i + 2]) >= 0 && digit_of(p[i + 3]) >= 0)
				c = digit_of(p[i + 2]) * 16 + digit_of(p[i + 3]);
			else
				return again_refuse(a, SB_E_SYNTAX, col + i);
		}
		t->from[t->n] = (uint16_t)(col + i);
		t->p[t->n++] = (uint8_t)c;
		i += some;
	}
	t->p[t->n] = '\0';
	return true;
}

static bool read_number(struct again *a, const struct sb_key_row *key, struct again_value *v, size_t n)
{
	int r = key->type == SB_T_SIZE    ? naive_size(v->text.p, n, &v->num)
		: key->type == SB_T_COUNT ? naive_count(v->text.p, n, &v->num)
					  : naive_time(v->text.p, n, &v->num);

	if (r == 0 && (v->num < key->min || v->num > key->max))
		r = SB_E_RANGE;
	return r == 0 || again_refuse(a, r, v->col);
}

static bool read_time_at(struct again *a, const struct sb_key_row *key, struct again_value *v)
{
	const uint8_t *at = memchr(v->text.p, '@', v->text.n);
	size_t n = at ? (size_t)(at - v->text.p) : v->text.n;
	int r;

	v->at = 0;
	if (!read_number(a, key, v, n))
		return false;
	if (!at)
		return true;
	r = naive_size(at + 1, v->text.n - n - 1, &v->at);
	/* Behind the last byte: where the @ ends. */
	if (r < 0)
		return again_refuse(a, r, n + 1 < v->text.n ? v->text.from[n + 1] : v->text.from[v->text.n]);
	return true;
}

static bool read_word(struct again *a, const struct sb_key_row *key, struct again_value *v)
{
	const char *word = key->arg;

	for (v->num = 0; *word; v->num++) {
		size_t n = strcspn(word, "|");

		if (n == v->text.n && memcmp(word, v->text.p, n) == 0)
			return true;
		word += n + (word[n] != '\0');
	}
	return again_refuse(a, SB_E_UNKNOWN, v->col);
}

bool again_read_value(struct again *a, const struct sb_key_row *key, struct again_value *v, const uint8_t *p, size_t n,
		      size_t col)
{
	v->set = true;
	v->num = v->at = 0;
	v->col = (uint32_t)col;
	if (!again_read_text(a, &v->text, p, n, col))
		return false;
	v->text.from[v->text.n] = (uint16_t)(col + n);
	switch (key->type) {
	case SB_T_TIME_AT:
		return read_time_at(a, key, v);
	case SB_T_TEXT:
		return (v->text.n >= key->min && v->text.n <= key->max) || again_refuse(a, SB_E_RANGE, col);
	case SB_T_WORD:
		return read_word(a, key, v);
	default:
		return read_number(a, key, v, v->text.n);
	}
}

static bool read_key(struct again *a, int i, const uint8_t *p, size_t n, size_t key_col, size_t col)
{
	a->key = i;
	if (a->v[i].set)
		return again_refuse(a, SB_E_DUPLICATE, key_col);
	a->v[i].key_col = (uint32_t)key_col;
	return again_read_value(a, again_key(i), &a->v[i], p, n, col);
}

static bool read_opt(struct again *a, const uint8_t *p, size_t n, size_t eq, size_t col)
{
	struct again_opt *o = &a->opts[a->opts_n];

	if (eq == 4)
		return again_refuse(a, SB_E_SYNTAX, col);
	for (size_t i = 0; i < a->opts_n; i++)
		if (a->opts[i].name.n == eq - 4 && memcmp(a->opts[i].name.p, p + 4, eq - 4) == 0)
			return again_refuse(a, SB_E_DUPLICATE, col);
	if (a->opts_n == AGAIN_OPTS_MAX)
		return again_refuse(a, SB_E_LIMIT, col);
	memcpy(o->name.p, p + 4, eq - 4);
	o->name.n = eq - 4;
	o->col = (uint32_t)col;
	o->value_col = (uint32_t)(col + eq + 1);
	a->opts_n++;
	return again_read_text(a, &o->value, p + eq + 1, n - eq - 1, col + eq + 1);
}

static bool read_token(struct again *a, const uint8_t *p, size_t n, size_t col)
{
	const uint8_t *at = n ? memchr(p, '=', n) : NULL;
	size_t eq = at ? (size_t)(at - p) : n;

	if (n == 0)
		return again_refuse(a, SB_E_SYNTAX, col);
	if (a->part != AGAIN_KEYS || naive_is(p, n, "|"))
		return again_read_step(a, p, n, col);
	if (!at || eq == 0)
		return again_refuse(a, SB_E_SYNTAX, col);
	if (eq + 1 == n)
		return again_refuse(a, SB_E_SYNTAX, col + n);
	if (eq >= 4 && memcmp(p, "opt.", 4) == 0)
		return read_opt(a, p, n, eq, col);
	for (int i = 0; i < SB_KEYS_N; i++)
		if (naive_is(p, eq, sb_keys[i].name))
			return read_key(a, i, p + eq + 1, n - eq - 1, col, col + eq + 1);
	memcpy(a->word.p, p, eq);
	a->word.n = eq;
	return again_refuse(a, SB_E_UNKNOWN, col);
}

static bool read_verb(struct again *a, const uint8_t *p, size_t n)
{
	bool is_marker = n > 2 && p[0] == 'S' && p[1] == 'B';

	for (size_t i = 2; i < n; i++)
		is_marker = is_marker && p[i] >= '0' && p[i] <= '9';
	if (n == 0 || is_marker || memchr(p, '=', n) || naive_is(p, n, "|"))
		return again_refuse(a, SB_E_SYNTAX, 1);
	memcpy(a->verb.p, p, n);
	a->verb.n = n;
	a->verb.p[n] = '\0';
	return true;
}

void again_read(struct again *a, const uint8_t *p, size_t n)
{
	size_t from = 0;
	bool is_good = true;

	a->code = 0;
	a->col = 0;
	a->key = a->step = -1;
	a->is_step = false;
	a->part = AGAIN_KEYS;
	a->opts_n = a->word.n = a->steps_n = a->verb.n = 0;
	for (int i = 0; i < SB_KEYS_N; i++)
		a->v[i].set = false;
	if (n && p[n - 1] == '\n')
		n--;
	if (n && p[n - 1] == '\r')
		n--;
	if (n > AGAIN_LINE_MAX) {
		again_refuse(a, SB_E_TOO_LARGE, AGAIN_LINE_MAX + 1);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (p[i] < 32 || p[i] > 126) {
			again_refuse(a, SB_E_SYNTAX, i + 1);
			return;
		}
	for (size_t i = 0; i <= n && is_good; i++) {
		if (i < n && p[i] != ' ')
			continue;
		a->key = a->step = -1;
		is_good = from == 0 ? read_verb(a, p, i) : read_token(a, p + from, i - from, from + 1);
		from = i + 1;
	}
	if (is_good && a->part == AGAIN_STEP)
		again_refuse(a, SB_E_SYNTAX, n + 1);
}

void again_verb_first(struct again *a)
{
	unsigned groups;

	if (a->code < 0 && a->verb.n && !again_service(a, &groups))
		again_refuse(a, SB_E_UNKNOWN, 1);
}

/* ---- the place of a key ---- */

uint32_t again_misplaced(const struct again *a, unsigned groups, unsigned on)
{
	uint32_t first = 0;

	for (int i = 0; i < SB_KEYS_N; i++) {
		const struct sb_key_row *key = again_key(i);

		if (a->v[i].set && (!(key->group & groups) || !(key->on & on)) &&
		    (first == 0 || a->v[i].key_col < first))
			first = a->v[i].key_col;
	}
	if (a->opts_n && !(groups & SB_G_OPT) && (first == 0 || a->opts[0].col < first))
		first = a->opts[0].col;
	if (first == 0 && a->steps_n && (!(groups & SB_G_STEPS) || !(on & (SB_ON_TCP | SB_ON_UNIX))))
		first = a->steps[0].v.key_col;
	return first;
}
