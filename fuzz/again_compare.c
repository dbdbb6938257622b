/* SPDX-License-Identifier: MIT
 * A line that was read twice: whether both readers say the same. */
#include "again.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "found.h"

bool again_is_text(const struct sb_line *line, struct sb_slice s, const struct again_text *t)
{
	/* It lives in the line. */
	if (s.n && (s.p < line->text || s.p + s.n > line->text + line->text_n))
		return false;
	return s.n == t->n && (s.n == 0 || memcmp(s.p, t->p, s.n) == 0);
}

void again_compare_value(const struct sb_line *line, const struct sb_key_row *key, const struct sb_value *v,
			 const struct again_value *w)
{
	bool is_text_type = key->type == SB_T_TEXT;

	if (v->key_col != w->key_col || v->col != w->col)
		sb_found("line: %s is at %u and its value at %u, it says; it should be %u and %u", key->name,
			 v->key_col, v->col, w->key_col, w->col);
	if (!again_is_text(line, v->text, &w->text))
		sb_found("line: the value of %s has %zu bytes, it says; it should be these %zu: %.*s", key->name,
			 v->text.n, w->text.n, (int)w->text.n, (const char *)w->text.p);
	if (!is_text_type && (v->num != w->num || v->at != w->at))
		sb_found("line: %s is %" PRIu64 "@%" PRIu64 ", it says; it should be %" PRIu64 "@%" PRIu64, key->name,
			 v->num, v->at, w->num, w->at);
	if (!is_text_type && (v->num < key->min || v->num > key->max))
		sb_found("line: %s is %" PRIu64 ", which is out of its range", key->name, v->num);
}

static void compare_key(const struct sb_line *line, int i, const struct sb_value *v, const struct again_value *w)
{
	if (v->set != w->set)
		sb_found("line: %s= is %s", sb_keys[i].name, v->set ? "set" : "not set");
	if (v->set)
		again_compare_value(line, again_key(i), v, w);
}

void again_compare(const struct again *a, const struct sb_line *line)
{
	if (!again_is_text(line, line->verb, &a->verb) || line->verb_col != 1)
		sb_found("line: the verb is \"%.*s\" at column %u", (int)line->verb.n, (const char *)line->verb.p,
			 line->verb_col);
	for (int i = 0; i < SB_KEYS_N; i++)
		compare_key(line, i, &line->v[i], &a->v[i]);
	for (int i = 0; i < 2 * SB_KEYS_N; i++)
		compare_key(line, i / 2, &line->way[i % 2][i / 2], &a->way[i % 2][i / 2]);
	if (line->opts_n != a->opts_n)
		sb_found("line: %d options, it says; there are %zu", line->opts_n, a->opts_n);
	for (size_t i = 0; i < a->opts_n; i++) {
		const struct sb_line_opt *o = &line->opts[i];
		const struct again_opt *w = &a->opts[i];

		if (!again_is_text(line, o->name, &w->name) || !again_is_text(line, o->value, &w->value) ||
		    o->col != w->col || o->value_col != w->value_col)
			sb_found("line: option %zu is \"%.*s\" at %u, its value at %u", i, (int)o->name.n,
				 (const char *)o->name.p, o->col, o->value_col);
	}
	again_compare_steps(a, line);
}

/* ---- what is said ---- */

static const char *value_text(const struct sb_key_row *key, char *room, uint64_t v)
{
	if (key->type == SB_T_SIZE)
		return naive_size_text(room, v);
	if (key->type == SB_T_TIME || key->type == SB_T_TIME_AT)
		return naive_time_text(room, v);
	snprintf(room, 32, "%" PRIu64, v);
	return room;
}

static void compare_range(const struct again *a, const struct sb_key_row *key, const struct again_value *v,
			  const struct sb_fault *fault)
{
	char min[32], max[32], range[160];

	snprintf(range, sizeof(range), "%s to %s", value_text(key, min, key->min), value_text(key, max, key->max));
	/* The size behind an @ has all numbers there are. */
	if (key->type == SB_T_TIME_AT && a->col != v->col)
		snprintf(range, sizeof(range), "0 to %" PRIu64, UINT64_MAX);
	naive_says("line", fault, range);
}

static size_t words_of(const char *list, char *room, const char **words)
{
	size_t n = 0;

	snprintf(room, 128, "%s", list);
	for (char *at = room; *at;) {
		size_t some = strcspn(at, "|");

		words[n++] = at;
		at += some;
		if (*at)
			*at++ = '\0';
	}
	return n;
}

static void compare_value_fault(const struct again *a, const struct sb_key_row *key, const struct again_value *v,
				const struct sb_fault *fault)
{
	const char *words[64];
	char room[128];
	size_t n;

	if (a->code != SB_E_SYNTAX)
		naive_says("line", fault, key->name);
	if (a->code == SB_E_RANGE)
		compare_range(a, key, v, fault);
	if (a->code != SB_E_UNKNOWN)
		return;
	n = words_of(key->arg, room, words);
	naive_says_nearest("line", fault, naive_nearest(v->text.p, v->text.n, words, n));
}

static void compare_word(const struct again *a, const struct sb_fault *fault)
{
	const char *words[64], *nearest;
	char meant[64];
	size_t n = 0;

	for (; n < (a->is_step ? (size_t)SB_STEPS_N : (size_t)SB_KEYS_N); n++)
		words[n] = a->is_step ? sb_step_rows[n].name : sb_keys[n].name;
	nearest = naive_nearest(a->word.p, a->word.n, words, n);
	snprintf(meant, sizeof(meant), "%s%s", a->is_step ? "" : a->word_way, nearest ? nearest : "");
	naive_says_nearest("line", fault, nearest ? meant : NULL);
}

void again_compare_fault(const struct again *a, const struct sb_fault *fault)
{
	naive_fault("line", fault, a->code, a->col);
	if (a->word.n)
		compare_word(a, fault);
	if (a->key >= 0)
		compare_value_fault(a, again_key(a->key), a->refused, fault);
	if (a->step >= 0)
		compare_value_fault(a, again_step(a->step), &a->steps[a->steps_n - 1].v, fault);
}

/* ---- the canonical form ---- */

static size_t put_text(char *room, const struct again_text *t, bool escape)
{
	char *at = room;

	for (size_t i = 0; i < t->n; i++) {
		uint8_t c = t->p[i];
		const char *all = "\\\n\r\t ", *found = c ? strchr(all, c) : NULL;

		if (escape && found)
			at += snprintf(at, 8, "\\%c", "\\nrts"[found - all]);
		else if (escape && c == 0)
			at += snprintf(at, 8, "\\0");
		else if (escape && (c < 32 || c > 126))
			at += snprintf(at, 8, "\\x%02x", c);
		else
			*at++ = (char)c;
	}
	return (size_t)(at - room);
}

size_t again_put_value(char *room, const struct sb_key_row *key, const struct again_value *v)
{
	char number[32];
	size_t n;

	if (key->type == SB_T_TEXT || key->type == SB_T_WORD)
		return put_text(room, &v->text, true);
	n = (size_t)snprintf(room, 64, "%s", value_text(key, number, v->num));
	if (v->at)
		n += (size_t)snprintf(room + n, 64, "@%s", naive_size_text(number, v->at));
	return n;
}

static size_t put_keys(char *room, const char *prefix, const struct again_value *v)
{
	size_t n = 0;

	for (int i = 0; i < SB_KEYS_N; i++) {
		if (!v[i].set)
			continue;
		n += (size_t)snprintf(room + n, 64, " %s%s=", prefix, sb_keys[i].name);
		n += again_put_value(room + n, again_key(i), &v[i]);
	}
	return n;
}

size_t again_print(const struct again *a, char *room)
{
	size_t n = put_text(room, &a->verb, false);

	n += put_keys(room + n, "", a->v);
	for (int way = 0; way < 2; way++)
		n += put_keys(room + n, again_ways[way], a->way[way]);
	for (size_t i = 0; i < a->opts_n; i++) {
		n += (size_t)snprintf(room + n, 64, " opt.");
		n += put_text(room + n, &a->opts[i].name, false);
		room[n++] = '=';
		n += put_text(room + n, &a->opts[i].value, true);
	}
	n += again_print_steps(a, room + n);
	return n;
}
