/* SPDX-License-Identifier: MIT
 * A line in its canonical form, and the words it is made of. */
#include "scenario/print.h"

#include <assert.h>

void sb_key_number(struct sb_text *t, enum sb_key_type type, uint64_t v)
{
	if (type == SB_T_SIZE)
		sb_text_size(t, v);
	else if (type == SB_T_TIME || type == SB_T_TIME_AT)
		sb_text_time(t, v);
	else
		sb_text_u64(t, v);
}

const char *sb_on_name(unsigned on)
{
	static const char *const names[] = {
		[SB_ON_TCP] = "tcp",        [SB_ON_UNIX] = "unix",
		[SB_ON_UDP] = "udp",        [SB_ON_STREAM] = "tcp and unix",
		[SB_ON_IP] = "tcp and udp", [SB_ON_UNIX | SB_ON_UDP] = "unix and udp",
		[SB_ON_ANY] = "everything",
	};

	assert(on > 0 && on <= SB_ON_ANY);
	return names[on];
}

static void print_value(struct sb_text *t, const struct sb_key_row *key, const struct sb_value *v)
{
	switch (key->type) {
	case SB_T_SIZE:
	case SB_T_COUNT:
	case SB_T_TIME:
		sb_key_number(t, key->type, v->num);
		break;
	case SB_T_TIME_AT:
		sb_key_number(t, key->type, v->num);
		if (v->at) {
			sb_text_char(t, '@');
			sb_text_size(t, v->at);
		}
		break;
	case SB_T_TEXT:
	case SB_T_WORD:
		sb_text_escaped(t, v->text, true);
		break;
	case SB_T_NONE:
		break;
	}
}

void sb_text_step(struct sb_text *t, const struct sb_step *step)
{
	sb_text_str(t, sb_step_rows[step->kind].name);
	if (step->kind == SB_STEP_OPT) {
		sb_text_char(t, '.');
		sb_text_bytes(t, step->opt);
	}
	if (sb_step_rows[step->kind].type == SB_T_NONE)
		return;
	sb_text_char(t, ':');
	print_value(t, &sb_step_rows[step->kind], &step->v);
}

static void print_keys(struct sb_text *t, const char *prefix, const struct sb_value *v)
{
	for (int i = 0; i < SB_KEYS_N; i++) {
		if (!v[i].set)
			continue;
		sb_text_char(t, ' ');
		sb_text_str(t, prefix);
		sb_text_str(t, sb_keys[i].name);
		sb_text_char(t, '=');
		print_value(t, &sb_keys[i], &v[i]);
	}
}

int sb_line_print(const struct sb_line *line, char *out, size_t cap)
{
	struct sb_text t = sb_text_in(out, cap);

	sb_text_bytes(&t, line->verb);
	print_keys(&t, "", line->v);
	for (int way = 0; way < SB_WAYS; way++)
		print_keys(&t, sb_way_names[way], line->way[way]);
	for (int i = 0; i < line->opts_n; i++) {
		sb_text_str(&t, " opt.");
		sb_text_bytes(&t, line->opts[i].name);
		sb_text_char(&t, '=');
		sb_text_escaped(&t, line->opts[i].value, true);
	}
	for (int i = 0; i < line->steps_n; i++) {
		sb_text_str(&t, " | ");
		sb_text_step(&t, &line->steps[i]);
	}
	if (t.lost || t.n == cap)
		return SB_E_NO_SPACE;
	sb_text_end(&t);
	return (int)t.n;
}
