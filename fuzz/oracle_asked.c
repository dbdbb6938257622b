/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: what a line that came on a connection, or that of a throw-away port, asks
 * for. When it is over, what came is cut into messages again, and what went is that, or what the source is made of, in
 * pieces that end where the line says. */
#include "find.h"
#include "found.h"
#include "oracle.h"

enum { LINE_MAX_READ = 240 }; /* plan_model.h reads values of no more than that */

static bool is_in_order(const struct asked *a)
{
	const struct peer *p = &a->r->peer[a->i];

	return (p->reason == SB_WHY_EOF || p->reason == SB_WHY_TRUNCATED || oracle_error_of(p->reason)) &&
	       p->how == SB_CLOSE_PLAIN && !p->is_killed && a->c->out_n < SIM_OUT_MAX && !a->c->is_spoilt &&
	       !a->c->is_rst && !a->c->is_gone;
}

/* ---- what came ---- */

/* Counts in the peer, whose line had none of this counted. */
static void find_messages(const struct asked *a)
{
	struct peer *p = &a->r->peer[a->i];
	const uint8_t *in = a->c->sent + a->in_from;
	uint32_t n = a->c->in_n - a->in_from;

	p->whole = p->messages = 0;
	p->broken = 0;
	while (p->whole < n) {
		struct ref_answer f = ref_decode(a->plan.ref, &a->plan.args, p->whole, in + p->whole, n - p->whole);

		p->broken = f.err;
		if (f.err || f.wire == 0)
			break;
		p->whole += (uint32_t)f.wire;
		p->messages++;
		a->r->cut[a->i].is_end[p->whole - 1] = 1;
	}
}

/* What has come up to its end agrees with how it is said to have ended. */
static void check_reason(const struct asked *a)
{
	const struct peer *p = &a->r->peer[a->i];
	uint32_t n = a->c->in_n - a->in_from;
	bool is_whole = !p->broken && p->whole == n, is_cut_off = !p->broken && p->whole < n;

	if ((p->reason == SB_WHY_EOF && !is_whole) || (p->reason == SB_WHY_TRUNCATED && !is_cut_off) ||
	    (oracle_error_of(p->reason) && p->broken != oracle_error_of(p->reason)))
		sb_found("%s: connection %u: ends with %s, and of %u bytes behind its line %u are whole", a->r->backend,
			 a->i, sb_reasons[p->reason].name, n, p->whole);
	if (is_in_order(a) && a->plan.ref != &ref_raw && p->frames != p->messages)
		sb_found("%s: connection %u: counts %u messages behind its line, of %u", a->r->backend, a->i, p->frames,
			 p->messages);
}

/* ---- what went ---- */

static void check_echo(const struct asked *a, uint32_t n)
{
	const struct peer *p = &a->r->peer[a->i];
	bool is_enough = n == a->s->plan->limit || p->reason == SB_WHY_PIECES;

	if (n > p->whole || (is_in_order(a) && !is_enough && n != p->whole))
		sb_found("%s: connection %u: %u bytes came back, of %u that were whole messages", a->r->backend, a->i,
			 n, p->whole);
}

static void check_bytes(const struct asked *a, uint32_t n)
{
	static uint8_t whole[SIM_OUT_MAX];
	const struct sb_plan *plan = a->s->plan;

	if (n == 0)
		return;
	if (plan_is_source(&a->plan))
		sb_source_fill(&plan->source, 0, whole, n);
	else
		memcpy(whole, a->c->sent + a->in_from, n);
	if (plan->flip < n)
		whole[plan->flip] ^= 1;
	if (memcmp(whole, a->c->out + a->out_from, n) != 0)
		sb_found("%s: connection %u: is sent other bytes than its line asks for", a->r->backend, a->i);
	if (plan->limit != SB_NEVER && a->c->out_n - a->out_from > plan->limit)
		sb_found("%s: connection %u: is sent more than limit=", a->r->backend, a->i);
}

/* What else ends it may do so before its answer has left, or while it joins. */
static bool is_over_in_order(const struct asked *a)
{
	switch (a->r->peer[a->i].reason) {
	case SB_WHY_EOF:
	case SB_WHY_DONE:
	case SB_WHY_BYTES:
	case SB_WHY_LIMIT:
	case SB_WHY_PIECES:
		return true;
	default:
		return false;
	}
}

/* For its receipt: the answer ends a piece as well, where anything is proven; and what is written in ways that
 * plan_model.h does not read is left out. */
static void find_pieces(const struct asked *a, const char *line, bool has_answer)
{
	struct cut *cut = &a->r->cut[a->i];

	if (strchr(line, '\\') || fuzz_find(line, "file=") || strlen(line) > LINE_MAX_READ ||
	    a->c->out_n >= SIM_OUT_MAX || !is_over_in_order(a))
		return;
	cut->is_asked = true;
	cut->pieces = cut->unit = 0;
	if (has_answer && a->c->out_n >= a->out_from && a->plan.shape.gate != SB_GATE_TIME)
		cut->at[cut->pieces++] = a->out_from;
	cut_pieces(&a->plan, &a->r->peer[a->i], cut, a->out_from, a->c->out_n - a->out_from);
}

void asked_check(struct asked *a, bool has_answer)
{
	static char line[SB_LINE_MAX * 4 + 1];
	const struct sb_plan *plan = a->s->plan;
	struct peer *p = &a->r->peer[a->i];
	int size = sb_line_print(plan->line, line, sizeof(line) - 1);
	uint32_t n;

	line[size > 0 ? size : 0] = '\0';
	a->r->cut[a->i] = (struct cut){.receipts = 0};
	plan_model_read(&a->plan, line);
	a->plan.shape.seed = plan->cuts.seed;
	n = a->c->out_n < SIM_OUT_MAX ? (uint32_t)a->c->out_n - a->out_from : SIM_OUT_MAX - a->out_from;
	if (!plan_is_source(&a->plan))
		find_messages(a);
	if (a->plan.service == PLAN_ECHO)
		check_echo(a, n);
	else if (a->plan.service == PLAN_DISCARD && n > 0)
		sb_found("%s: connection %u: DISCARD sent %u bytes", a->r->backend, a->i, n);
	if (!plan_is_source(&a->plan))
		check_reason(a);
	check_bytes(a, n);
	find_pieces(a, line, has_answer);
	p->has_receipt = true;
}

/* Whoever has messages to send sends them, or waits for something: room, a gate, a time, more messages. */
void asked_check_rest(const struct run *r, const struct sim_conn *c, const struct sb_session *s)
{
	bool is_waiting = sb_pace_is_waiting(s) || sb_pace_is_joining(s);

	if (s->leg.is_sending && c->window > 0 && !c->is_rst)
		sb_found("%s: connection %u: does not send, though there is room", r->backend, oracle_number(r, c));
	if (s->leg.whole > 0 && s->state != SB_STATE_CLOSED && !s->leg.is_sending && !is_waiting)
		sb_found("%s: connection %u: has %u bytes to send, and waits for nothing", r->backend,
			 oracle_number(r, c), s->leg.whole);
}
