/* SPDX-License-Identifier: MIT
 * A session beside its model: what both say. See session_life.h. */
#include "found.h"
#include "session_life.h"

void life_same(const struct life *l, const char *what, uint64_t is, uint64_t must)
{
	if (is != must)
		sb_found("%s: %s is %llu, not %llu", l->name, what, (unsigned long long)is, (unsigned long long)must);
}

/* Counters of 32 bits stop at their end. */
static uint64_t at_most(uint64_t v)
{
	return v < UINT32_MAX ? v : UINT32_MAX;
}

static void compare_scan(const struct life *l)
{
	const struct sb_scan *scan = &l->s.leg.scan;

	life_same(l, "the error in the stream", (uint64_t)-scan->err, (uint64_t)-l->m.broken);
	if (l->m.broken)
		life_same(l, "its offset", scan->base, l->m.broken_at);
}

static void compare_held(const struct life *l)
{
	struct sb_slice held = sb_session_held(&l->s), must = model_held(&l->m);

	if (plan_is_source(l->m.plan) && !model_in_steps(&l->m))
		must.n = 0;
	life_same(l, "held bytes", held.n, must.n);
	if (held.n > SB_SESSION_HELD_MAX)
		sb_found("%s: holds %zu bytes", l->name, held.n);
	if (held.n && memcmp(held.p, must.p, held.n) != 0)
		sb_found("%s: what it holds is not what came", l->name);
}

void life_compare(const struct life *l)
{
	static const uint8_t states[] = {[MODEL_RUN] = SB_STATE_RUN,
					 [MODEL_FINISH] = SB_STATE_FINISH,
					 [MODEL_DRAIN] = SB_STATE_DRAIN,
					 [MODEL_CLOSED] = SB_STATE_CLOSED};
	const struct sb_session *s = &l->s;
	const struct session_model *m = &l->m;

	life_same(l, "the state", s->state, states[m->phase]);
	if (s->reason != m->reason)
		sb_found("%s: the reason is %s, not %s", l->name, sb_reasons[s->reason].name,
			 sb_reasons[m->reason].name);
	life_same(l, "the errno", (uint64_t)-s->err, (uint64_t)-m->err);
	life_same(l, "messages", s->frames, at_most(m->frames));
	life_same(l, "bytes in", s->leg.in, m->in);
	life_same(l, "bytes out", s->leg.out, m->out + m->answered);
	life_same(l, "pieces", l->pace.pieces, m->pieces);
	life_same(l, "bytes dropped", s->dropped, at_most(m->dropped));
	life_same(l, "the deadline", sb_session_deadline(s), model_deadline(m));
	life_same(l, "the step", l->pace.steps.at, m->steps.at);
	compare_scan(l);
	compare_held(l);
	if (m->plan->service == PLAN_ECHO && !model_in_steps(m) && m->in != m->out + m->dropped + model_held(m).n)
		sb_found("%s: of %llu bytes in, %llu went out, %llu were dropped", l->name, (unsigned long long)m->in,
			 (unsigned long long)m->out, (unsigned long long)m->dropped);
}
