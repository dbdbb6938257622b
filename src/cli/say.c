/* SPDX-License-Identifier: MIT
 * Words and JSON that the reports of the commands are made of. */
#include "cli/say.h"

#include <stdio.h>

void sb_say_count(struct sb_text *t, uint64_t n, const char *noun)
{
	sb_text_u64(t, n);
	sb_text_char(t, ' ');
	sb_text_str(t, noun);
	if (n != 1)
		sb_text_char(t, 's');
}

void sb_say_span(struct sb_text *t, uint64_t ns)
{
	char room[48];

	if (ns < UINT64_C(1000000000))
		snprintf(room, sizeof(room), "%.2fms", (double)ns / 1e6);
	else
		snprintf(room, sizeof(room), "%.2fs", (double)ns / 1e9);
	sb_text_str(t, room);
}

void sb_say_tally(struct sb_text *t, const struct sb_tally *n)
{
	sb_text_str(t, "sent ");
	sb_say_count(t, n->sent, "byte");
	sb_text_str(t, " in ");
	sb_say_count(t, n->sends, "send");
	sb_text_str(t, ", received ");
	sb_say_count(t, n->received, "byte");
	sb_text_str(t, " in ");
	sb_say_count(t, n->recvs, "recv");
}

static void json_name(struct sb_text *t, const char *name)
{
	sb_text_str(t, ",\"");
	sb_text_str(t, name);
	sb_text_str(t, "\":");
}

void sb_json_num(struct sb_text *t, const char *name, uint64_t v)
{
	json_name(t, name);
	sb_text_u64(t, v);
}

void sb_json_bool(struct sb_text *t, const char *name, bool v)
{
	json_name(t, name);
	sb_text_str(t, v ? "true" : "false");
}

void sb_json_str(struct sb_text *t, const char *name, const char *v)
{
	json_name(t, name);
	sb_text_char(t, '"');
	sb_text_json(t, sb_slice_cstr(v));
	sb_text_char(t, '"');
}

void sb_json_tally(struct sb_text *t, const struct sb_tally *n)
{
	sb_json_num(t, "sends", n->sends);
	sb_json_num(t, "sent", n->sent);
	sb_json_num(t, "recvs", n->recvs);
	sb_json_num(t, "received", n->received);
}

void sb_json_begin(struct sb_text *t, const char *event)
{
	sb_text_str(t, "{\"v\":1");
	sb_json_str(t, "event", event);
}
