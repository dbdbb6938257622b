/* SPDX-License-Identifier: MIT
 * A naive interpreter of steps. See steps_model.h. */
#include "steps_model.h"

#include <string.h>

struct machine {
	const struct plan_steps *p;
	const struct ref_codec *ref;
	const struct ref_args *args;
	const uint8_t *in;
	size_t in_n, in_at;
	bool is_free;
	uint8_t *out;
	size_t out_n, cap, least;
	bool has_least;
};

static bool says(struct machine *m, const struct plan_step *s)
{
	for (uint64_t i = 0; i < s->size && m->out_n < m->cap; i++)
		m->out[m->out_n++] = s->says[i];
	return m->out_n < m->cap;
}

static bool reads(struct machine *m, uint64_t n)
{
	if (m->is_free)
		return true;
	if (m->in_n - m->in_at < n)
		return false;
	m->in_at += (size_t)n;
	return true;
}

/* Without a framing a message is whatever comes: a byte at least. */
static bool takes(struct machine *m)
{
	struct ref_answer a;

	if (m->is_free || m->ref == &ref_raw)
		return reads(m, 1);
	a = ref_decode(m->ref, m->args, m->in_at, m->in + m->in_at, m->in_n - m->in_at);
	return a.wire > 0 && !a.err && reads(m, a.wire);
}

/* From here on it may have ended. */
static void may_end(struct machine *m)
{
	if (!m->has_least)
		m->least = m->out_n;
	m->has_least = true;
}

static bool does(struct machine *m, const struct plan_step *s)
{
	switch (s->does) {
	case PLAN_SENDS:
		return says(m, s);
	case PLAN_READS:
		return reads(m, s->size);
	case PLAN_TAKES:
		return takes(m);
	case PLAN_HEARS_END:
		m->in_at = m->in_n;
		return true;
	case PLAN_FINISHES:
	case PLAN_RESETS:
		return false;
	case PLAN_SETS:
		may_end(m); /* it may be refused */
		return true;
	default:
		return true;
	}
}

struct steps_sent steps_model_run(const struct plan_steps *p, const struct ref_codec *ref, const struct ref_args *args,
				  const uint8_t *in, size_t in_n, bool is_free, uint8_t *out, size_t cap)
{
	struct machine m = {.p = p, .ref = ref, .args = args, .in = in, .in_n = in_n, .is_free = is_free};
	size_t at = 0, round_at = SIZE_MAX, round_out = SIZE_MAX;

	m.out = out;
	m.cap = cap;
	while (at < p->n) {
		if (p->step[at].does != PLAN_REPEATS) {
			if (!does(&m, &p->step[at]))
				break;
			at++;
			continue;
		}
		if (m.in_at == m.in_n || m.in_at == round_at || is_free)
			may_end(&m);
		/* Nothing is read and nothing is said: so it goes on. */
		if (m.in_at == round_at && m.out_n == round_out)
			break;
		round_at = m.in_at;
		round_out = m.out_n;
		at = 0;
	}
	if (!m.has_least || m.is_free)
		m.least = m.is_free || ref == &ref_raw ? 0 : m.out_n;
	if (!p->is_timeless)
		m.least = 0;
	return (struct steps_sent){.n = m.out_n, .least = m.least};
}
