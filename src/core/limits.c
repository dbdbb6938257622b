/* SPDX-License-Identifier: MIT
 * The table of limits, and reading a limit from text. */
#include "core/limits.h"

#include "scenario/line.h"

const struct sb_limit_row sb_limit_rows[SB_LIMIT_COUNT] = {
#define SB_LIMIT(id, name, unit, loopback, strict, min, max, help)                                                     \
	{name, SB_UNIT_##unit, loopback, strict, min, max, help},
#include "core/limits.def"
#undef SB_LIMIT
};

const char *sb_limit_name_at(const void *list, size_t i)
{
	(void)list;
	return i < SB_LIMIT_COUNT ? sb_limit_rows[i].name : NULL;
}

static int parse(enum sb_unit unit, struct sb_slice text, uint64_t *v)
{
	switch (unit) {
	case SB_UNIT_COUNT:
		return sb_parse_count(text, v);
	case SB_UNIT_SIZE:
		return sb_parse_size(text, v);
	default:
		return sb_parse_time(text, v);
	}
}

static void text_value(struct sb_text *t, enum sb_unit unit, uint64_t value)
{
	if (unit == SB_UNIT_COUNT)
		sb_text_u64(t, value);
	else if (unit == SB_UNIT_SIZE)
		sb_text_size(t, value);
	else
		sb_text_time(t, value);
}

void sb_text_limit(struct sb_text *t, enum sb_limit which, uint64_t value)
{
	const struct sb_limit_row *row = &sb_limit_rows[which];

	if (value == 0 && row->min == 0)
		sb_text_str(t, "none");
	else
		text_value(t, row->unit, value);
}

static int say_range(const struct sb_limit_row *row, struct sb_slice text, struct sb_fault *fault)
{
	char room[48];
	struct sb_text t = sb_text_in(room, sizeof(room));

	text_value(&t, row->unit, row->min ? row->min : row->unit == SB_UNIT_TIME ? SB_MS / 1000 : 1);
	sb_text_str(&t, " to ");
	text_value(&t, row->unit, row->max);
	return sb_fault_set(fault, SB_E_RANGE, 0, "%s is %s%s, not %.*s", row->name, sb_text_end(&t),
			    row->min ? "" : " or none", SB_FAULT_WORD(text));
}

static int say_type(const struct sb_limit_row *row, struct sb_slice text, struct sb_fault *fault)
{
	static const char *const how[] = {
		[SB_UNIT_COUNT] = "a number",
		[SB_UNIT_SIZE] = "a size (100, 64k, 1M)",
		[SB_UNIT_TIME] = "a time (250us, 50ms, 3s, 10m)",
	};

	return sb_fault_set(fault, SB_E_TYPE, 0, "%s takes %s, not \"%.*s\"", row->name, how[row->unit],
			    SB_FAULT_WORD(text));
}

int sb_limits_set(struct sb_limits *limits, struct sb_slice name, struct sb_slice text, struct sb_fault *fault)
{
	uint64_t v = 0;
	int i = 0, r = 0;

	while (i < SB_LIMIT_COUNT && !sb_slice_is(name, sb_limit_rows[i].name))
		i++;
	if (i == SB_LIMIT_COUNT)
		return SB_E_UNKNOWN;
	if (limits->is_set[i])
		return sb_fault_set(fault, SB_E_DUPLICATE, 0, "%s is given twice", sb_limit_rows[i].name);
	if (!(sb_limit_rows[i].min == 0 && sb_slice_is(text, "none"))) {
		r = parse(sb_limit_rows[i].unit, text, &v);
		if (r == SB_E_TYPE)
			return say_type(&sb_limit_rows[i], text, fault);
		if (r < 0 || v == 0 || v < sb_limit_rows[i].min || v > sb_limit_rows[i].max)
			return say_range(&sb_limit_rows[i], text, fault);
	}
	limits->v[i] = v;
	limits->is_set[i] = true;
	return 0;
}

void sb_limits_fill(struct sb_limits *limits, bool strict)
{
	for (int i = 0; i < SB_LIMIT_COUNT; i++)
		if (!limits->is_set[i])
			limits->v[i] = strict ? sb_limit_rows[i].strict : sb_limit_rows[i].loopback;
}

void sb_limits_help(struct sb_text *t)
{
	enum { LOOPBACK = 26, STRICT = 34, HELP = 42, COLUMNS = 100 };

	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		const struct sb_limit_row *row = &sb_limit_rows[i];

		sb_text_str(t, "  --");
		sb_text_str(t, row->name);
		sb_text_column(t, LOOPBACK);
		sb_text_limit(t, (enum sb_limit)i, row->loopback);
		sb_text_column(t, STRICT);
		sb_text_limit(t, (enum sb_limit)i, row->strict);
		sb_text_column(t, HELP);
		sb_text_wrapped(t, sb_slice_cstr(row->help), HELP, COLUMNS);
		sb_text_char(t, '\n');
	}
}
