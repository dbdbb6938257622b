/* SPDX-License-Identifier: MIT
 * What became of a script: a line for each connection, what was skipped and why, and a summary. */
#include "cli/play.h"

enum { ROOM = 4096 };

static const char *const ends[SB_PLAY_ENDS] = {
	[SB_PLAY_OPEN] = "closed by us",
	[SB_PLAY_REFUSED] = "refused",
	[SB_PLAY_FIN] = "fin",
	[SB_PLAY_RST] = "rst",
	[SB_PLAY_OURS] = "our rst",
	[SB_PLAY_TIMEOUT] = "timed out: not ended by the server",
	[SB_PLAY_ENDLESS] = "closed by us: it was still sending",
};

/* One word for programs. */
static const char *const words[SB_PLAY_ENDS] = {
	[SB_PLAY_OPEN] = "open",    [SB_PLAY_REFUSED] = "refused", [SB_PLAY_FIN] = "fin",         [SB_PLAY_RST] = "rst",
	[SB_PLAY_OURS] = "our-rst", [SB_PLAY_TIMEOUT] = "timeout", [SB_PLAY_ENDLESS] = "endless",
};

static bool is_same(const struct sb_play *p, const struct sb_play_conn *c)
{
	return !c->is_different && c->t.received == c->t.sent && c->t.sends > 0 &&
	       (!p->is_dgram || c->t.recvs == c->t.sends);
}

/* ---- connections ---- */

static void address(const struct sb_play_conn *c, char *room, size_t n)
{
	struct sb_text t = sb_text_in(room, n);

	sb_text_addr(&t, &c->local);
	sb_text_end(&t);
}

static void json_conn(struct sb_play *p, uint32_t i)
{
	const struct sb_play_conn *c = &p->conn[i];
	char room[ROOM], from[96];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_json_begin(&t, "connection");
	sb_json_num(&t, "n", i + 1);
	sb_json_num(&t, "peer", c->slot);
	address(c, from, sizeof(from));
	if (c->local.port)
		sb_json_str(&t, "from", from);
	sb_json_tally(&t, &c->t);
	sb_json_num(&t, "unsent", c->unsent);
	sb_json_bool(&t, "same", is_same(p, c));
	sb_json_str(&t, "end", words[c->end]);
	if (c->err)
		sb_json_str(&t, "error", sb_errname(c->err));
	sb_text_char(&t, '}');
	sb_send_emit(p->s, &t);
}

static void say_conn(struct sb_play *p, uint32_t i)
{
	const struct sb_play_conn *c = &p->conn[i];
	char room[ROOM], from[96];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_text_str(&t, "connection ");
	sb_text_u64(&t, i + 1);
	sb_text_str(&t, " (peer ");
	sb_text_u64(&t, c->slot);
	address(c, from, sizeof(from));
	if (c->local.port) {
		sb_text_str(&t, ", ");
		sb_text_str(&t, from);
	}
	sb_text_str(&t, "): ");
	sb_say_tally(&t, &c->t);
	if (is_same(p, c))
		sb_text_str(&t, ": the same bytes");
	if (c->unsent) {
		sb_text_str(&t, "; ");
		sb_say_count(&t, c->unsent, "byte");
		sb_text_str(&t, " not sent");
	}
	if (!p->is_dgram || c->end != SB_PLAY_OPEN) {
		sb_text_str(&t, "; ended: ");
		sb_text_str(&t, ends[c->end]);
	}
	if (c->err && c->end != SB_PLAY_RST) {
		sb_text_str(&t, " (");
		sb_text_str(&t, sb_send_why(c->err));
		sb_text_char(&t, ')');
	}
	sb_send_emit(p->s, &t);
}

/* ---- skips ---- */

static void say_what(struct sb_text *t, const struct sb_play *p, enum sbs_kind kind, uint8_t letter)
{
	const char *listens, *options;

	sb_text_str(t, sbs_word(kind));
	if (letter == 0)
		return;
	sb_text_char(t, ' ');
	sb_text_escaped(t, sb_slice(&letter, 1), true);
	if (kind == SBS_KNOB && letter == 'c' && sbs_config(p->skips.config, &listens, &options)) {
		sb_text_str(t, " (config: ");
		sb_text_str(t, listens[0] ? listens : "serve's own");
		sb_text_str(t, options[0] ? "; " : "");
		sb_text_str(t, options);
		sb_text_char(t, ')');
		return;
	}
	sb_text_str(t, " (");
	if (kind == SBS_FAIL)
		sbs_say_fault(t, letter);
	else if (!sbs_say_knob(t, letter))
		sb_text_str(t, "none");
	sb_text_char(t, ')');
}

static void json_skip(struct sb_play *p, enum sbs_kind kind, uint8_t letter, const char *why)
{
	char room[ROOM], what_room[512];
	struct sb_text t = sb_text_in(room, sizeof(room)), what = sb_text_in(what_room, sizeof(what_room));

	say_what(&what, p, kind, letter);
	sb_json_begin(&t, "skipped");
	sb_json_str(&t, "what", sb_text_end(&what));
	sb_json_num(&t, "count", p->skips.n[kind][letter]);
	sb_json_str(&t, "why", why);
	sb_text_char(&t, '}');
	sb_send_emit(p->s, &t);
}

/* One line: everything that was skipped for the same reason. */
static void report_skips(struct sb_play *p, enum sb_play_why why)
{
	char room[ROOM * 4];
	struct sb_text t = sb_text_in(room, sizeof(room));

	for (size_t i = 0; i < (size_t)SBS_KINDS * 256; i++) {
		enum sbs_kind kind = (enum sbs_kind)(i / 256);
		uint8_t letter = (uint8_t)(i % 256);

		if (p->skips.n[kind][letter] == 0 || sb_play_why(p, kind, letter) != why)
			continue;
		if (p->s->plan.is_json) {
			json_skip(p, kind, letter, sb_play_why_text(why));
			continue;
		}
		sb_text_str(&t, t.n ? ", " : "skipped: ");
		sb_text_u64(&t, p->skips.n[kind][letter]);
		sb_text_char(&t, ' ');
		say_what(&t, p, kind, letter);
	}
	if (t.n == 0)
		return;
	sb_text_str(&t, ": ");
	sb_text_str(&t, sb_play_why_text(why));
	sb_send_emit(p->s, &t);
}

/* "skipped: 3 selects: no more than 24 connections" */
static void report_limit(struct sb_play *p, const char *what, uint64_t n, const char *why)
{
	char room[ROOM];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (n == 0)
		return;
	if (p->s->plan.is_json) {
		sb_json_begin(&t, "skipped");
		sb_json_str(&t, "what", what);
		sb_json_num(&t, "count", n);
		sb_json_str(&t, "why", why);
		sb_text_char(&t, '}');
	} else {
		sb_text_str(&t, "skipped: ");
		sb_say_count(&t, n, what);
		sb_text_str(&t, ": ");
		sb_text_str(&t, why);
	}
	sb_send_emit(p->s, &t);
}

static void report_hurry(struct sb_play *p)
{
	char room[128], over[32], waits[32];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (p->hurried == 0)
		return;
	sb_text_str(&t, sb_send_time(p->hurry_ns / SB_PLAY_TICK * SB_PLAY_TICK, waits));
	sb_text_str(&t, " in all, and --max-time is ");
	sb_text_str(&t, sb_send_time(p->s->plan.max_time_ns, over));
	report_limit(p, "wait", p->hurried, sb_text_end(&t));
}

void sb_play_report(struct sb_play *p)
{
	for (uint32_t i = 0; i < p->conns; i++) {
		if (p->s->plan.is_json)
			json_conn(p, i);
		else
			say_conn(p, i);
	}
	for (int why = 0; why < SB_PLAY_PLAYED; why++)
		report_skips(p, (enum sb_play_why)why);
	report_limit(p, "connection", p->skips.conns, "a script has 24 at most");
	report_limit(p, "datagram", p->skips.dgrams, "128 are under way at most");
	report_hurry(p);
}

/* ---- summary ---- */

static struct sb_tally sum(const struct sb_play *p)
{
	struct sb_tally all = {0};

	for (uint32_t i = 0; i < p->conns; i++) {
		const struct sb_tally *t = &p->conn[i].t;

		all.sends += t->sends;
		all.sent += t->sent;
		all.recvs += t->recvs;
		all.received += t->received;
	}
	return all;
}

void sb_play_summary(struct sb_play *p)
{
	struct sb_send *s = p->s;
	uint64_t ns = sb_sys_now(s->sys) - s->began_ns;
	struct sb_tally all = sum(p);
	char room[ROOM];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (s->plan.is_json) {
		sb_json_begin(&t, "summary");
		sb_json_num(&t, "connections", p->conns);
		sb_json_tally(&t, &all);
		sb_report_end(s, &t, ns, "");
		return;
	}
	sb_text_str(&t, "summary: ");
	sb_say_count(&t, p->conns, "connection");
	sb_text_str(&t, ", ");
	sb_say_tally(&t, &all);
	sb_report_end(s, &t, ns, !p->is_dgram && p->after == 0 ? "; a new connection is taken" : "");
}
