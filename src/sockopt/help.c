/* SPDX-License-Identifier: MIT
 * Lays out sockopts.def in five columns, and what is denied in a paragraph. */
#include "sockopt/help.h"

enum { NAME_COLUMN = 2, WHO_COLUMN = 20, LOOPBACK_COLUMN = 29, STRICT_COLUMN = 45, HELP_COLUMN = 62, COLUMNS = 100 };

static void write_number(struct sb_text *t, enum sb_opt_kind kind, uint64_t v)
{
	if (kind == SB_OPT_SIZE)
		sb_text_size(t, v);
	else
		sb_text_u64(t, v);
}

void sb_text_opt_range(struct sb_text *t, enum sb_opt_kind kind, uint64_t min, uint64_t max)
{
	write_number(t, kind, min);
	if (min == max)
		return;
	sb_text_str(t, kind == SB_OPT_BOOL ? " or " : " to ");
	write_number(t, kind, max);
}

static void write_range(struct sb_text *t, enum sb_opt_kind kind, int64_t min, int64_t max)
{
	if (min > max) {
		sb_text_str(t, "no");
		return;
	}
	if (kind == SB_OPT_LINGER)
		sb_text_str(t, "off or ");
	sb_text_opt_range(t, kind, (uint64_t)min, (uint64_t)max);
}

static void write_row(struct sb_text *t, const struct sb_sockopt *row)
{
	sb_text_column(t, NAME_COLUMN);
	sb_text_str(t, row->name);
	sb_text_column(t, WHO_COLUMN);
	sb_text_str(t, row->who == SB_OPT_CLIENT ? "client" : "operator");
	sb_text_column(t, LOOPBACK_COLUMN);
	write_range(t, row->kind, row->min, row->max);
	sb_text_column(t, STRICT_COLUMN);
	write_range(t, row->kind, row->strict_min, row->strict_max);
	sb_text_column(t, HELP_COLUMN);
	sb_text_wrapped(t, sb_slice_cstr(row->help), HELP_COLUMN, COLUMNS);
	sb_text_char(t, '\n');
}

static void write_heading(struct sb_text *t)
{
	sb_text_column(t, NAME_COLUMN);
	sb_text_str(t, "option");
	sb_text_column(t, WHO_COLUMN);
	sb_text_str(t, "set by");
	sb_text_column(t, LOOPBACK_COLUMN);
	sb_text_str(t, "on loopback");
	sb_text_column(t, STRICT_COLUMN);
	sb_text_str(t, "elsewhere\n");
}

void sb_sockopts_help(struct sb_text *t)
{
	const struct sb_sockopt *row;

	write_heading(t);
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++)
		if (row->kind != SB_OPT_DENIED)
			write_row(t, row);
	sb_text_str(t, "never:\n");
	sb_text_column(t, NAME_COLUMN);
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++)
		if (row->kind == SB_OPT_DENIED)
			sb_text_wrapped(t, sb_slice_cstr(row->name), NAME_COLUMN, COLUMNS);
	sb_text_char(t, '\n');
}
