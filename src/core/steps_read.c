/* SPDX-License-Identifier: MIT
 * What steps of a line go together, and with what else it says. What could never be done is refused here, so that doing
 * them (steps.c) has nothing to refuse. */
#include "core/steps.h"

#include "base/timer.h"

static int say(const struct sb_step *step, const char *why, struct sb_fault *fault)
{
	return sb_fault_set(fault, SB_E_PLACE, step->v.key_col, "%s", why);
}

/* ---- each by itself ---- */

static int check_time(const struct sb_plan *plan, const struct sb_step *step, struct sb_fault *fault)
{
	uint64_t most = plan->limits->v[SB_LIMIT_DELAY];

	if ((step->kind != SB_STEP_PAUSE && step->kind != SB_STEP_STOPREAD) || step->v.num <= most)
		return 0;
	return sb_fault_set(fault, SB_E_RANGE, step->v.col, "%s is at most %llu ms here (--max-delay)",
			    sb_step_rows[step->kind].name, (unsigned long long)(most / SB_MS));
}

static int check_frame(const struct sb_plan *plan, const struct sb_step *step, struct sb_fault *fault)
{
	struct sb_wrap wrap;
	int r = step->kind == SB_STEP_FRAME ? sb_framing_encode(&plan->framing, step->v.text, &wrap) : 0;

	if (r < 0)
		return sb_fault_set(fault, r, step->v.col, "frame=%s cannot carry this: %s", plan->framing.codec->name,
				    sb_strerror(r));
	return 0;
}

/* ---- one after the other ---- */

static bool is_sending(const struct sb_step *step)
{
	return step->kind == SB_STEP_SEND || step->kind == SB_STEP_FRAME;
}

static bool is_reading(const struct sb_step *step)
{
	return step->kind == SB_STEP_READ || step->kind == SB_STEP_READ_FRAME;
}

static bool is_last(const struct sb_step *step)
{
	return step->kind == SB_STEP_FIN || step->kind == SB_STEP_RST || step->kind == SB_STEP_AGAIN;
}

/* before: the steps that come before it in time, other than itself; with again all of them. */
static int check_order(const struct sb_line *line, int i, struct sb_fault *fault)
{
	const struct sb_step *step = &line->steps[i];
	bool is_round = line->steps[line->steps_n - 1].kind == SB_STEP_AGAIN;
	int before = is_round ? line->steps_n : i;

	if (i > 0 && is_last(&line->steps[i - 1]))
		return sb_fault_set(fault, SB_E_PLACE, step->v.key_col, "nothing is done after %s",
				    sb_step_rows[line->steps[i - 1].kind].name);
	for (int k = 0; k < before; k++) {
		if (line->steps[k].kind != SB_STEP_HALF || k == i)
			continue;
		if (is_sending(step))
			return say(step, "nothing can be sent after half", fault);
		if (step->kind == SB_STEP_HALF)
			return say(step, "our side is closed already, by the half before", fault);
	}
	return 0;
}

/* A round that neither sends nor waits would be all that is ever done. */
static int check_again(const struct sb_line *line, struct sb_fault *fault)
{
	const struct sb_step *last = &line->steps[line->steps_n - 1];

	if (last->kind != SB_STEP_AGAIN)
		return 0;
	for (int i = 0; i < line->steps_n; i++)
		if (is_sending(&line->steps[i]) || is_reading(&line->steps[i]) || line->steps[i].kind == SB_STEP_PAUSE)
			return 0;
	return say(last, "again needs a step before it that sends, reads or pauses", fault);
}

/* ---- beside the rest of the line ---- */

static int check_key(const struct sb_line *line, enum sb_key key, const char *why, struct sb_fault *fault)
{
	if (!line->v[key].set)
		return 0;
	return sb_fault_set(fault, SB_E_PLACE, line->v[key].key_col, "%s= %s", sb_keys[key].name, why);
}

static int check_keys(const struct sb_plan *plan, const struct sb_line *line, struct sb_fault *fault)
{
	enum sb_step_kind last = line->steps[line->steps_n - 1].kind;
	int r = check_key(line, SB_KEY_JOIN, "does not go with steps: each sends what it says, when it is its turn",
			  fault);

	if (r == 0 && plan->service->ops->is_script)
		r = check_key(line, SB_KEY_DELAY, "is about replies, and SCRIPT has none: say the step pause:TIME",
			      fault);
	if (r == 0 && plan->service->ops->is_script)
		r = check_key(line, SB_KEY_NTH,
			      "leaves the others a service without its steps, and SCRIPT is nothing else", fault);
	if (r == 0 && (last == SB_STEP_FIN || last == SB_STEP_RST))
		r = check_key(line, SB_KEY_CLOSE, "says how it ends, and so does the last step: leave one out", fault);
	return r;
}

int sb_steps_read(struct sb_plan *plan, const struct sb_line *line, struct sb_fault *fault)
{
	int r = 0;

	plan->steps_n = line->steps_n;
	if (line->steps_n == 0)
		return 0;
	plan->is_paced = true;
	r = check_keys(plan, line, fault);
	for (int i = 0; i < line->steps_n && r == 0; i++) {
		r = check_time(plan, &line->steps[i], fault);
		if (r == 0)
			r = check_frame(plan, &line->steps[i], fault);
		if (r == 0)
			r = check_order(line, i, fault);
	}
	return r == 0 ? check_again(line, fault) : r;
}
