/* SPDX-License-Identifier: MIT
 * From a line to a plan: each group of keys has its function. */
#include "core/plan.h"

#include "base/timer.h"
#include "core/steps.h"

int sb_plan_framing(struct sb_framing *f, const struct sb_line *line, struct sb_fault *fault)
{
	const struct sb_value *frame = &line->v[SB_KEY_FRAME], *max = &line->v[SB_KEY_MAX];
	uint32_t most = max->set ? (uint32_t)max->num : SB_FRAME_MAX;
	int r;

	if (!frame->set)
		return sb_framing_parse(f, sb_slice_cstr("raw"), most, fault);
	r = sb_framing_parse(f, frame->text, most, fault);
	if (r < 0 && fault && fault->col)
		fault->col += frame->col - 1u;
	return r;
}

static int read_reading(struct sb_plan *plan, const struct sb_line *line, struct sb_fault *fault)
{
	const struct sb_value *recv = &line->v[SB_KEY_RECV], *stop = &line->v[SB_KEY_STOPREAD];
	uint64_t most = plan->limits->v[SB_LIMIT_DELAY];

	plan->recv_max = recv->set ? (uint32_t)recv->num : SB_RECV_MAX;
	plan->is_recv_set = recv->set;
	if (!stop->set)
		return 0;
	if (stop->num > most)
		return sb_fault_set(fault, SB_E_RANGE, stop->col, "stopread is at most %llu ms here (--max-delay)",
				    (unsigned long long)(most / SB_MS));
	plan->stop_ns = stop->num;
	plan->stop_at = stop->at;
	return 0;
}

static int read_ending(struct sb_plan *plan, const struct sb_line *line, struct sb_fault *fault)
{
	const struct sb_value *close = &line->v[SB_KEY_CLOSE], *life = &line->v[SB_KEY_MAXLIFE];
	uint64_t most = plan->limits->v[SB_LIMIT_LIFE];

	plan->close = close->set ? (enum sb_close_mode)close->num : SB_CLOSE_CLEAN;
	plan->maxlife = life->set ? life->num : 0;
	plan->is_hashed = line->v[SB_KEY_HASH].set && line->v[SB_KEY_HASH].num;
	if (most > 0 && plan->maxlife > most)
		return sb_fault_set(fault, SB_E_RANGE, life->col, "maxlife is at most %llu ms here (--max-lifetime)",
				    (unsigned long long)(most / SB_MS));
	return 0;
}

static int read_shape(struct sb_plan *plan, const struct sb_service_in *in, struct sb_fault *fault)
{
	const struct sb_value *limit = &in->line->v[SB_KEY_LIMIT], *flip = &in->line->v[SB_KEY_FLIP];
	int r;

	plan->limit = limit->set ? limit->num : SB_NEVER;
	plan->flip = flip->set ? flip->num : SB_NEVER;
	plan->is_paced = limit->set || flip->set;
	r = sb_cuts_read(&plan->cuts, in->line, in->seed, plan->limits->v[SB_LIMIT_DELAY], fault);
	plan->is_paced = plan->is_paced || sb_cuts_any(&plan->cuts) || plan->cuts.delay > 0;
	return r;
}

/* What one datagram may be answered with: see the threat model, "never larger than the request". */
static int check_datagrams(const struct sb_plan *plan, const struct sb_line *line, bool strict, struct sb_fault *fault)
{
	const struct sb_source *s = &plan->source;
	uint64_t size = (uint64_t)s->wrap.head_n + s->len + s->wrap.tail_n;

	if (s->count == UINT64_MAX)
		return 0;
	if (strict)
		return sb_fault_set(
			fault, SB_E_PLACE, line->verb_col,
			"%s over udp sends more than it is sent: only on loopback addresses, and on ports of "
			"LISTEN",
			plan->service->name);
	if (s->count > SB_UDP_SOURCE_MAX)
		return sb_fault_set(fault, SB_E_RANGE, line->v[SB_KEY_COUNT].col,
				    "count is at most %d datagrams for one over udp", SB_UDP_SOURCE_MAX);
	if (size > SB_DATAGRAM_MAX)
		return sb_fault_set(fault, SB_E_RANGE, line->v[SB_KEY_LEN].col,
				    "a datagram carries at most %d bytes, not %llu", SB_DATAGRAM_MAX,
				    (unsigned long long)size);
	return 0;
}

int sb_plan_make(struct sb_plan *plan, const struct sb_service_in *in, unsigned on, const struct sb_limits *limits,
		 bool strict, struct sb_fault *fault)
{
	struct sb_service_in more = *in;
	const struct sb_line *line = in->line;
	int r;

	*plan = (struct sb_plan){.limits = limits, .line = line};
	plan->service = sb_service_named(line->verb, line->verb_col, fault);
	if (!plan->service)
		return SB_E_UNKNOWN;
	r = sb_line_check(line, plan->service->groups & ~in->without, on, plan->service->name, fault);
	if (r == 0)
		r = sb_plan_framing(&plan->framing, line, fault);
	if (r == 0)
		r = read_reading(plan, line, fault);
	if (r == 0)
		r = read_ending(plan, line, fault);
	if (r == 0)
		r = read_shape(plan, in, fault);
	if (r == 0)
		r = sb_steps_read(plan, line, fault);
	if (r == 0)
		r = sb_fates_read(&plan->fates, line, in->seed, limits->v[SB_LIMIT_DELAY], strict, fault);
	if (r == 0)
		r = sb_syn_read(&plan->syn, line, limits->v[SB_LIMIT_DELAY], fault);
	if (r < 0)
		return r;
	more.framing = &plan->framing;
	more.bytes_max = limits->v[SB_LIMIT_BYTES];
	if (plan->service->ops->setup)
		r = plan->service->ops->setup(&plan->source, &more, fault);
	if (r == 0 && on == SB_ON_UDP && plan->service->ops->is_source)
		r = check_datagrams(plan, line, strict, fault);
	return r;
}

bool sb_plan_has_seed(const struct sb_plan *plan)
{
	return plan->cuts.frag == SB_FRAG_RANDOM || sb_fates_are_random(plan->line) ||
	       (plan->service->ops->is_source && plan->source.pattern == SB_PATTERN_RANDOM);
}
