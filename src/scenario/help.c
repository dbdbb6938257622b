/* SPDX-License-Identifier: MIT
 * Lays out keys.def: a heading for each group, then key=VALUE and what it does. */
#include "scenario/help.h"

#include "scenario/print.h"

enum { HELP_COLUMN = 24, COLUMNS = 100 };

/* "; 1 to 64k; tcp and unix": what the help of the row does not say. */
static void write_limits(struct sb_text *t, const struct sb_key_row *key)
{
	if (key->type != SB_T_TEXT && key->type != SB_T_WORD && key->max != UINT64_MAX) {
		sb_text_str(t, "; ");
		sb_key_number(t, key->type, key->min);
		sb_text_str(t, " to ");
		sb_key_number(t, key->type, key->max);
	}
	if (key->on != SB_ON_ANY) {
		sb_text_str(t, "; ");
		sb_text_str(t, sb_on_name(key->on));
	}
}

static void write_key(struct sb_text *t, const struct sb_key_row *key)
{
	char room[200];
	struct sb_text help = sb_text_in(room, sizeof(room));

	sb_text_column(t, 2);
	sb_text_str(t, key->name);
	sb_text_char(t, '=');
	sb_text_str(t, key->arg);
	if (strlen(key->name) + 1 + strlen(key->arg) + 4 > HELP_COLUMN)
		sb_text_char(t, '\n');
	sb_text_column(t, HELP_COLUMN);
	sb_text_str(&help, key->help);
	write_limits(&help, key);
	sb_text_wrapped(t, sb_slice(help.p, help.n), HELP_COLUMN, COLUMNS);
	sb_text_char(t, '\n');
}

void sb_keys_help(struct sb_text *t)
{
	static const struct {
		unsigned group;
		const char *heading;
	} groups[] = {
		{SB_G_FRAMING, "framing"},          {SB_G_READ, "how we read"},
		{SB_G_SOURCE, "what SOURCE sends"}, {SB_G_CUTTING, "how what we send is cut"},
		{SB_G_SEED, "what is random"},      {SB_G_DATAGRAM, "what becomes of datagrams"},
		{SB_G_ENDING, "how we close"},      {SB_G_RECEIPT, "what a receipt says"},
		{SB_G_LISTEN, "before accept"},     {SB_G_PORT, "of a port that LISTEN makes"},
		{SB_G_CONTROL, "of control verbs"},
	};

	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		sb_text_str(t, groups[g].heading);
		sb_text_str(t, ":\n");
		for (int i = 0; i < SB_KEYS_N; i++)
			if (sb_keys[i].group == groups[g].group)
				write_key(t, &sb_keys[i]);
	}
	sb_text_str(t, "socket options:\n");
	sb_text_column(t, 2);
	sb_text_str(t, "opt.NAME=VALUE");
	sb_text_column(t, HELP_COLUMN);
	sb_text_str(t, "set the socket option NAME\n");
}
