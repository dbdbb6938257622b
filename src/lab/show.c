/* SPDX-License-Identifier: MIT
 * An experiment as a picture and as JSON. See lab.h. */
#include "lab/lab.h"

enum { BAR = 10, BOX = 35 };

/* ---- the picture ---- */

struct glyphs {
	const char *corner[4], *line, *side, *full, *empty;
};

static const struct glyphs plain = {{"+", "+", "+", "+"}, "-", "|", "#", "."};
static const struct glyphs fine = {{"┌", "┐", "└", "┘"}, "─", "│", "█", "░"};

static void repeat(struct sb_text *t, const char *s, size_t times)
{
	for (; times > 0; times--)
		sb_text_str(t, s);
}

/* A number at the right end of so many columns. */
static void right(struct sb_text *t, uint64_t v, size_t columns)
{
	char room[24];
	struct sb_text digits = sb_text_in(room, sizeof(room));

	sb_text_u64(&digits, v);
	repeat(t, " ", columns > digits.n ? columns - digits.n : 0);
	sb_text_bytes(t, sb_slice(digits.p, digits.n));
}

/* "send ####......     1000 bytes": how full it is in memory, and how many bytes of payload that is; "-" bytes where
 * there is no socket that could be asked. */
static void draw_buffer(struct sb_text *t, const struct glyphs *g, const char *name, const struct lab_buffer *b,
			bool is_there)
{
	size_t full = b->room ? (size_t)(b->held * BAR / b->room) : 0;

	full = full > BAR ? BAR : full == 0 && b->used > 0 ? 1 : full;
	sb_text_str(t, g->side);
	sb_text_char(t, ' ');
	sb_text_str(t, name);
	sb_text_char(t, ' ');
	repeat(t, g->full, full);
	repeat(t, g->empty, BAR - full);
	if (is_there)
		right(t, b->used, 9);
	else
		sb_text_str(t, "        -");
	sb_text_str(t, " bytes  ");
	sb_text_str(t, g->side);
}

static void draw_edge(struct sb_text *t, const struct glyphs *g, const char *title, int corner)
{
	sb_text_str(t, g->corner[corner]);
	sb_text_str(t, g->line);
	sb_text_str(t, title);
	repeat(t, g->line, BOX - 3 - strlen(title));
	sb_text_str(t, g->corner[corner + 1]);
}

void lab_draw(struct sb_text *t, const struct lab_picture *picture, bool is_fine)
{
	const struct glyphs *g = is_fine ? &fine : &plain;

	sb_text_str(t, "  ");
	sb_text_str(t, picture->when);
	sb_text_str(t, ":\n  ");
	draw_edge(t, g, " client ", 0);
	sb_text_str(t, "  ");
	draw_edge(t, g, " server ", 0);
	sb_text_str(t, "\n  ");
	draw_buffer(t, g, "send", &picture->client.send, picture->has_client);
	sb_text_str(t, "  ");
	draw_buffer(t, g, "send", &picture->server.send, picture->has_server);
	sb_text_str(t, "\n  ");
	draw_buffer(t, g, "recv", &picture->client.recv, picture->has_client);
	sb_text_str(t, "  ");
	draw_buffer(t, g, "recv", &picture->server.recv, picture->has_server);
	sb_text_str(t, "\n  ");
	draw_edge(t, g, "", 2);
	sb_text_str(t, "  ");
	draw_edge(t, g, "", 2);
	sb_text_char(t, '\n');
}

/* ---- JSON ---- */

static void string(struct sb_text *t, const char *key, const char *value)
{
	sb_text_char(t, '"');
	sb_text_str(t, key);
	sb_text_str(t, "\":\"");
	sb_text_json(t, sb_slice_cstr(value));
	sb_text_char(t, '"');
}

static void number(struct sb_text *t, const char *key, int64_t value)
{
	sb_text_char(t, '"');
	sb_text_json(t, sb_slice_cstr(key));
	sb_text_str(t, "\":");
	sb_text_i64(t, value);
}

/* null where there is no socket that could be asked. */
static void buffer(struct sb_text *t, const char *key, const struct lab_buffer *b, bool is_there)
{
	sb_text_char(t, '"');
	sb_text_str(t, key);
	if (!is_there) {
		sb_text_str(t, "\":null");
		return;
	}
	sb_text_str(t, "\":{");
	number(t, "used", (int64_t)b->used);
	sb_text_char(t, ',');
	number(t, "held", (int64_t)b->held);
	sb_text_char(t, ',');
	number(t, "room", (int64_t)b->room);
	sb_text_char(t, '}');
}

static void picture(struct sb_text *t, const struct lab_picture *p)
{
	sb_text_char(t, '{');
	string(t, "when", p->when);
	sb_text_char(t, ',');
	buffer(t, "client-send", &p->client.send, p->has_client);
	sb_text_char(t, ',');
	buffer(t, "client-recv", &p->client.recv, p->has_client);
	sb_text_char(t, ',');
	buffer(t, "server-send", &p->server.send, p->has_server);
	sb_text_char(t, ',');
	buffer(t, "server-recv", &p->server.recv, p->has_server);
	sb_text_char(t, '}');
}

static void calls(struct sb_text *t, const struct lab_calls *c)
{
	const char *at = c->text;

	sb_text_str(t, ",\"calls\":[");
	while (*at) {
		size_t n = strcspn(at, "\n");

		sb_text_str(t, at == c->text ? "\"" : ",\"");
		sb_text_json(t, sb_slice(at, n));
		sb_text_char(t, '"');
		at += n + (at[n] == '\n');
	}
	sb_text_str(t, "],");
	number(t, "calls-left-out", c->left_out);
}

void lab_json(struct sb_text *t, const struct lab *lab)
{
	sb_text_str(t, "{\"v\":1,");
	string(t, "experiment", lab->row->name);
	sb_text_char(t, ',');
	string(t, "claim", lab->row->claim);
	calls(t, &lab->calls);
	sb_text_str(t, ",\"measured\":{");
	for (size_t i = 0; i < lab->facts; i++) {
		sb_text_str(t, i ? "," : "");
		number(t, lab->fact[i].key, lab->fact[i].value);
	}
	sb_text_str(t, "},\"pictures\":[");
	for (size_t i = 0; i < lab->pictures; i++) {
		sb_text_str(t, i ? "," : "");
		picture(t, &lab->picture[i]);
	}
	sb_text_str(t, "],\"must\":[");
	for (size_t i = 0; i < lab->musts; i++) {
		sb_text_str(t, i ? ",{" : "{");
		string(t, "what", lab->must[i].what);
		sb_text_str(t, lab->must[i].is_so ? ",\"is\":true}" : ",\"is\":false}");
	}
	sb_text_str(t, "],");
	string(t, "verdict", lab_verdicts[lab->verdict]);
	sb_text_char(t, ',');
	string(t, "documented", lab_verdicts[lab->row->verdict]);
	sb_text_char(t, ',');
	string(t, "lesson", lab->row->lesson);
	sb_text_char(t, ',');
	string(t, "why", lab->why);
	sb_text_char(t, ',');
	number(t, "ms", (int64_t)(lab->took / 1000000));
	sb_text_str(t, "}\n");
}
