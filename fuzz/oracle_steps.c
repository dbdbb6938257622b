/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: connections whose line has steps, judged when they are over. What they were
 * sent is what the service before them sends, and then what a naive interpreter says (steps_model.h). */
#include "find.h"
#include "found.h"
#include "oracle.h"
#include "scenario/line.h"
#include "steps_model.h"

#include <stdlib.h>
#include <string.h>

/* What is looked at: in[0..in_n) has come to its service, out[0..out_n) was sent by it. */
struct steps_case {
	const struct run *r;
	const struct sim_conn *c;
	const struct sb_session *s;
	struct plan_model plan;
	const uint8_t *in, *out;
	size_t in_n, out_n;
};

static uint8_t want[SIM_OUT_MAX];

static size_t least(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

/* Bytes of whole messages that have come. */
static size_t whole_of(const struct steps_case *a)
{
	size_t n = 0;

	while (n < a->in_n) {
		struct ref_answer answer = ref_decode(a->plan.ref, &a->plan.args, n, a->in + n, a->in_n - n);

		if (answer.err || answer.wire == 0)
			break;
		n += answer.wire;
	}
	return n;
}

/* Puts what the service sends before its steps into want: how much that is at most. */
static size_t service_sends(const struct steps_case *a)
{
	size_t n = 0;

	if (a->plan.service == PLAN_ECHO) {
		n = least(least(whole_of(a), a->plan.limit), sizeof(want));
		memcpy(want, a->in, n);
	} else if (plan_is_source(&a->plan)) {
		n = least(least(plan_model_size(&a->plan), a->plan.limit), sizeof(want));
		/* A seed that the line does not say is not known here. */
		sb_source_fill(&a->s->plan->source, 0, want, n);
	}
	return n;
}

/* Nothing but its own end has ended it, and everything has been seen. */
static bool is_in_order(const struct steps_case *a)
{
	uint8_t reason = a->s->reason;

	return (reason == SB_WHY_EOF || reason == SB_WHY_DONE) && a->s->how == SB_CLOSE_PLAIN && !a->c->is_spoilt &&
	       !a->c->is_rst && !a->c->is_gone && a->c->is_fin && a->c->in_n == a->c->sent_n &&
	       a->c->out_n < SIM_OUT_MAX && a->plan.limit == UINT64_MAX;
}

static void check(const struct steps_case *a)
{
	bool is_script = a->plan.service == PLAN_SCRIPT;
	size_t before = service_sends(a);
	struct steps_sent sent =
		steps_model_run(&a->plan.steps, a->plan.ref, &a->plan.args, a->in, is_script ? a->in_n : 0, !is_script,
				want + before, sizeof(want) - before);
	size_t most = before + sent.n;
	uint32_t i = oracle_number(a->r, a->c);

	if (is_script)
		most = least(most, a->plan.limit);
	if (a->out_n > most)
		sb_found("%s: connection %u: its steps sent %zu bytes, and have no more than %zu", a->r->backend, i,
			 a->out_n, most);
	if (a->plan.flip < a->out_n)
		want[a->plan.flip] ^= 1;
	for (size_t k = 0; k < a->out_n; k++)
		if (a->out[k] != want[k])
			sb_found("%s: connection %u: byte %zu is %02x, and its steps make it %02x", a->r->backend, i, k,
				 a->out[k], want[k]);
	if (is_script && is_in_order(a) && a->out_n < sent.least)
		sb_found("%s: connection %u: ends with %s, and its steps have sent %zu of %zu bytes", a->r->backend, i,
			 sb_reasons[a->s->reason].name, a->out_n, sent.least);
}

bool steps_check(struct run *r, const struct sim_conn *c, const struct sb_session *s, uint32_t in_from,
		 uint32_t out_from)
{
	static char line[4 * SB_LINE_MAX];
	static struct steps_case a;
	uint32_t out_n = c->out_n < SIM_OUT_MAX ? (uint32_t)c->out_n : SIM_OUT_MAX;

	if (!s->plan->line || s->plan->line->steps_n == 0 || s->plan->steps_n == 0)
		return false;
	if (sb_line_print(s->plan->line, line, sizeof(line)) < 0)
		sb_found("%s: connection %u: its line cannot be said", r->backend, oracle_number(r, c));
	a = (struct steps_case){.r = r, .c = c, .s = s};
	plan_model_read(&a.plan, line);
	a.in = c->sent + in_from;
	a.in_n = c->in_n - in_from;
	a.out = c->out + out_from;
	a.out_n = out_n - out_from;
	check(&a);
	r->peer[oracle_number(r, c)].is_unsteady = !a.plan.steps.is_steady;
	return true;
}

/* ---- the receipt ---- */

static size_t count(const char *from, const char *to, const char *text)
{
	size_t n = 0, size = strlen(text);

	for (const char *at = from; (at = memmem(at, (size_t)(to - at), text, size)) != NULL; at += size)
		n++;
	return n;
}

void steps_receipt(const struct run *r, uint32_t i, const char *text)
{
	const char *line = fuzz_find(text, "\"line\":\""), *end = line ? fuzz_find(line, "\",\"in\":") : NULL;
	const char *told = fuzz_find(text, ",\"steps\":"), *at = text, *over = text + strlen(text);
	size_t steps = end ? count(line, end, " | ") : 0, said = 0, all = told ? strtoull(told + 9, NULL, 10) : 0;
	unsigned long last = 0, is_round;

	if (steps == 0 && told)
		sb_found("%s: receipt: of connection %u, whose line has no steps, it tells %zu", r->backend, i, all);
	if (!told)
		return;
	is_round = memcmp(end - 8, " | again", 8) == 0;
	for (; (at = fuzz_find(at, ",\"step\":")) != NULL && at < over; at += 8, said++) {
		unsigned long step = strtoul(at + 8, NULL, 10);

		if (step != last + 1 && !(is_round && last == steps && step == 1))
			sb_found("%s: receipt: of connection %u: after step %lu comes step %lu of %zu", r->backend, i,
				 last, step, steps);
		last = step;
	}
	if (all != said && (all < said || fuzz_find(text, ",\"truncated\":0}")))
		sb_found("%s: receipt: of connection %u: %zu steps in all, and there are %zu", r->backend, i, all,
			 said);
}
