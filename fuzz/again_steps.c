/* SPDX-License-Identifier: MIT
 * The steps of a line, read a second time: the table, the words, and what is refused. */
#include "again_steps.h"

#include <stdio.h>
#include <string.h>

#include "found.h"

/* Written from docs/lines.md. The order is that of enum sb_step_kind. */
static const struct sb_key_row steps[] = {
	{"send", SB_T_TEXT, 0, 0, 1, 1024, NULL, NULL},
	{"frame", SB_T_TEXT, 0, 0, 1, 1024, NULL, NULL},
	{"read:frame", SB_T_NONE, 0, 0, 0, 0, NULL, NULL},
	{"read", SB_T_SIZE, 0, 0, 1, UINT64_C(1) << 40, NULL, NULL},
	{"pause", SB_T_TIME, 0, 0, 1000, UINT64_C(3600000000000), NULL, NULL},
	{"stopread", SB_T_TIME_AT, 0, 0, 1000, UINT64_C(3600000000000), NULL, NULL},
	{"opt", SB_T_TEXT, 0, 0, 1, 256, NULL, NULL},
	{"half", SB_T_NONE, 0, 0, 0, 0, NULL, NULL},
	{"fin", SB_T_NONE, 0, 0, 0, 0, NULL, NULL},
	{"rst", SB_T_NONE, 0, 0, 0, 0, NULL, NULL},
	{"wait", SB_T_WORD, 0, 0, 0, 2, "eof|ack|read", NULL},
	{"again", SB_T_NONE, 0, 0, 0, 0, NULL, NULL},
};

const struct sb_key_row *again_step(int i)
{
	for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++)
		if (strcmp(steps[k].name, sb_step_rows[i].name) == 0)
			return &steps[k];
	return &sb_step_rows[i];
}

/* ---- words ---- */

static int kind_of(const uint8_t *p, size_t n, size_t colon)
{
	if (colon >= 4 && memcmp(p, "opt.", 4) == 0)
		return SB_STEP_OPT;
	for (int i = 0; i < SB_STEPS_N; i++) {
		size_t most = again_step(i)->type == SB_T_NONE ? n : colon;

		if (i != SB_STEP_OPT && naive_is(p, most, again_step(i)->name))
			return i;
	}
	return -1;
}

static bool read_it(struct again *a, const uint8_t *p, size_t n, size_t col)
{
	const uint8_t *at = memchr(p, ':', n);
	size_t colon = at ? (size_t)(at - p) : n;
	int kind = kind_of(p, n, colon), bare = kind_of(p, colon, colon);
	struct again_step *s = &a->steps[a->steps_n];

	if (a->steps_n == AGAIN_STEPS_MAX)
		return again_refuse(a, SB_E_LIMIT, col);
	if (kind < 0 && bare >= 0)
		return again_refuse(a, SB_E_SYNTAX, col + colon);
	if (kind < 0) {
		memcpy(a->word.p, p, colon);
		a->word.n = colon;
		a->is_step = true;
		return again_refuse(a, SB_E_UNKNOWN, col);
	}
	s->kind = kind;
	s->opt.n = s->v.text.n = 0;
	s->v.set = true;
	s->v.num = s->v.at = 0;
	s->v.key_col = (uint32_t)col;
	s->v.col = (uint32_t)(col + colon + 1);
	a->steps_n++;
	if (again_step(kind)->type == SB_T_NONE)
		return true;
	if (colon + 1 >= n)
		return again_refuse(a, SB_E_SYNTAX, col + n);
	if (kind == SB_STEP_OPT && colon == 4)
		return again_refuse(a, SB_E_SYNTAX, col);
	if (kind == SB_STEP_OPT) {
		memcpy(s->opt.p, p + 4, colon - 4);
		s->opt.n = colon - 4;
		s->opt.p[s->opt.n] = '\0';
	}
	a->step = kind;
	return again_read_value(a, again_step(kind), &s->v, p + colon + 1, n - colon - 1, col + colon + 1);
}

bool again_read_step(struct again *a, const uint8_t *p, size_t n, size_t col)
{
	bool is_bar = naive_is(p, n, "|");

	if (is_bar != (a->part != AGAIN_STEP))
		return again_refuse(a, SB_E_SYNTAX, col);
	a->part = is_bar ? AGAIN_STEP : AGAIN_BAR;
	return is_bar || read_it(a, p, n, col);
}

/* ---- beside the other reader ---- */

void again_compare_steps(const struct again *a, const struct sb_line *line)
{
	if (line->steps_n != a->steps_n)
		sb_found("line: %d steps, it says; there are %zu", line->steps_n, a->steps_n);
	for (size_t i = 0; i < a->steps_n; i++) {
		const struct sb_step *s = &line->steps[i];
		const struct again_step *w = &a->steps[i];

		if ((int)s->kind != w->kind || !again_is_text(line, s->opt, &w->opt))
			sb_found("line: step %zu is %s, it says; it is %s", i + 1, sb_step_rows[s->kind].name,
				 sb_step_rows[w->kind].name);
		again_compare_value(line, again_step(w->kind), &s->v, &w->v);
	}
}

size_t again_print_steps(const struct again *a, char *room)
{
	size_t n = 0;

	for (size_t i = 0; i < a->steps_n; i++) {
		const struct again_step *s = &a->steps[i];
		const struct sb_key_row *row = again_step(s->kind);

		n += (size_t)snprintf(room + n, 32, " | %s", row->name);
		if (s->kind == SB_STEP_OPT)
			n += (size_t)snprintf(room + n, AGAIN_LINE_MAX, ".%.*s", (int)s->opt.n, (const char *)s->opt.p);
		if (row->type == SB_T_NONE)
			continue;
		room[n++] = ':';
		n += again_put_value(room + n, row, &s->v);
	}
	return n;
}

/* ---- what goes together ---- */

static bool is_one_of(const struct again_step *s, const char *names)
{
	const char *name = sb_step_rows[s->kind].name, *at = strstr(names, name);

	return at && (at[strlen(name)] == ' ' || at[strlen(name)] == '\0') && (at == names || at[-1] == ' ');
}

/* Whether a half is done before step i, other than itself, in this round or the one before. */
static bool is_after_half(const struct again *a, size_t i)
{
	bool is_round = is_one_of(&a->steps[a->steps_n - 1], "again");

	for (size_t k = 0; k < a->steps_n; k++)
		if (k != i && (k < i || is_round) && is_one_of(&a->steps[k], "half"))
			return true;
	return false;
}

static int refuse(uint32_t *col, uint32_t at, int code)
{
	*col = at;
	return code;
}

static int keys_code(const struct again *a, bool is_script, uint32_t *col)
{
	bool has_end = is_one_of(&a->steps[a->steps_n - 1], "fin rst");
	const struct {
		enum sb_key key;
		bool is_wrong;
	} keys[] = {{SB_KEY_JOIN, true}, {SB_KEY_DELAY, is_script}, {SB_KEY_NTH, is_script}, {SB_KEY_CLOSE, has_end}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (a->v[keys[i].key].set && keys[i].is_wrong)
			return refuse(col, a->v[keys[i].key].key_col, SB_E_PLACE);
	return 0;
}

static int step_code(const struct again *a, size_t i, const struct ref_codec *ref, const struct ref_args *args,
		     uint64_t delay_max, uint32_t *col)
{
	static uint8_t wire[AGAIN_LINE_MAX + 96];
	const struct again_step *s = &a->steps[i];
	long size = is_one_of(s, "frame") ? ref->encode(args, s->v.text.p, s->v.text.n, wire) : 0;

	if (is_one_of(s, "pause stopread") && s->v.num > delay_max)
		return refuse(col, s->v.col, SB_E_RANGE);
	if (size < 0)
		return refuse(col, s->v.col, (int)size);
	if (i > 0 && is_one_of(&a->steps[i - 1], "fin rst again"))
		return refuse(col, s->v.key_col, SB_E_PLACE);
	if (is_one_of(s, "send frame half") && is_after_half(a, i))
		return refuse(col, s->v.key_col, SB_E_PLACE);
	return 0;
}

int again_steps_code(const struct again *a, bool is_script, const struct ref_codec *ref, const struct ref_args *args,
		     uint64_t delay_max, uint32_t *col)
{
	bool yields = false;
	int code;

	if (a->steps_n == 0)
		return 0;
	code = keys_code(a, is_script, col);
	for (size_t i = 0; i < a->steps_n && code == 0; i++) {
		code = step_code(a, i, ref, args, delay_max, col);
		yields = yields || is_one_of(&a->steps[i], "send frame read read:frame pause");
	}
	if (code == 0 && !yields && is_one_of(&a->steps[a->steps_n - 1], "again"))
		code = refuse(col, a->steps[a->steps_n - 1].v.key_col, SB_E_PLACE);
	return code;
}
