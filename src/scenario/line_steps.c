/* SPDX-License-Identifier: MIT
 * Reading the steps of a line: a step is a name, or a name and a value behind the first ":". */
#include "scenario/line_steps.h"

#include "base/nearest.h"
#include "scenario/print.h"

#define OPT "opt."

enum { OPT_N = sizeof(OPT) - 1 };

const struct sb_key_row sb_step_rows[SB_STEPS_N] = {
#define SB_STEP(id, name, type, min, max, arg, help) {name, type, SB_G_STEPS, SB_ON_STREAM, min, max, arg, help},
#include "scenario/steps.def"
#undef SB_STEP
};

const char *sb_step_name_at(const void *list, size_t i)
{
	(void)list;
	return i < SB_STEPS_N ? sb_step_rows[i].name : NULL;
}

static size_t name_of(struct sb_slice word)
{
	size_t n = 0;

	while (n < word.n && word.p[n] != ':')
		n++;
	return n;
}

static bool is_opt(struct sb_slice word)
{
	return word.n >= OPT_N && memcmp(word.p, OPT, OPT_N) == 0;
}

static int say_unknown(struct sb_slice name, uint16_t col, struct sb_fault *fault)
{
	const char *nearest = sb_nearest(name, sb_step_name_at, NULL);

	if (nearest)
		return sb_fault_set(fault, SB_E_UNKNOWN, col, "unknown step \"%.*s\" (did you mean %s?)",
				    SB_FAULT_WORD(name), nearest);
	return sb_fault_set(fault, SB_E_UNKNOWN, col, "unknown step \"%.*s\"; --help lists the steps",
			    SB_FAULT_WORD(name));
}

/* The row of a step: one that takes no value is its whole word. SB_STEPS_N for none. */
static int find(struct sb_slice word, struct sb_slice name)
{
	int i = 0;

	if (is_opt(name))
		return SB_STEP_OPT;
	while (i < SB_STEPS_N && (i == SB_STEP_OPT ||
				  !sb_slice_is(sb_step_rows[i].type == SB_T_NONE ? word : name, sb_step_rows[i].name)))
		i++;
	return i;
}

/* A step that is known but for its value: "half:1". */
static bool takes_none(struct sb_slice name)
{
	for (int i = 0; i < SB_STEPS_N; i++)
		if (sb_step_rows[i].type == SB_T_NONE && sb_slice_is(name, sb_step_rows[i].name))
			return true;
	return false;
}

static int read_opt_name(struct sb_line *line, struct sb_step *step, struct sb_slice name, struct sb_fault *fault)
{
	struct sb_slice bare = sb_slice_skip(name, OPT_N);

	if (bare.n == 0)
		return sb_fault_set(fault, SB_E_SYNTAX, step->v.key_col,
				    "opt. needs the name of an option, as opt.TCP_NODELAY:1");
	step->opt = sb_slice(line->text + line->text_n, bare.n);
	memcpy(line->text + line->text_n, bare.p, bare.n);
	line->text_n = (uint16_t)(line->text_n + bare.n);
	return 0;
}

static int read_step(struct sb_line *line, struct sb_slice word, uint16_t col, struct sb_fault *fault)
{
	struct sb_step *step = &line->steps[line->steps_n];
	struct sb_slice name = sb_slice(word.p, name_of(word));
	int kind = find(word, name), r = 0;

	if (line->steps_n == SB_LINE_STEPS_MAX)
		return sb_fault_set(fault, SB_E_LIMIT, col, "a line has at most %d steps", SB_LINE_STEPS_MAX);
	if (kind == SB_STEPS_N && takes_none(name))
		return sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)(col + name.n), "%.*s takes no value",
				    SB_FAULT_WORD(name));
	if (kind == SB_STEPS_N)
		return say_unknown(name, col, fault);
	step->kind = (enum sb_step_kind)kind;
	step->v = (struct sb_value){.set = true, .key_col = col, .col = (uint16_t)(col + name.n + 1)};
	line->steps_n++;
	if (sb_step_rows[kind].type == SB_T_NONE)
		return 0;
	if (word.n <= name.n + 1)
		return sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)(col + word.n), "%.*s: needs a value: %s",
				    SB_FAULT_WORD(name), sb_step_rows[kind].arg);
	if (kind == SB_STEP_OPT)
		r = read_opt_name(line, step, name, fault);
	return r < 0 ? r : sb_line_value(line, &sb_step_rows[kind], &step->v, sb_slice_skip(word, name.n + 1), fault);
}

int sb_line_read_step(struct sb_line *line, enum sb_line_part *part, struct sb_slice word, uint16_t col,
		      struct sb_fault *fault)
{
	bool is_bar = sb_slice_is(word, "|");

	if (*part == SB_PART_STEP) {
		*part = SB_PART_BAR;
		if (is_bar)
			return sb_fault_set(fault, SB_E_SYNTAX, col, "a step is missing between two \"|\"");
		return read_step(line, word, col, fault);
	}
	*part = SB_PART_STEP;
	if (!is_bar)
		return sb_fault_set(fault, SB_E_SYNTAX, col,
				    "\"|\" stands between two steps, not \"%.*s\"; a space in a value is \\s",
				    SB_FAULT_WORD(word));
	return 0;
}

int sb_line_check_steps(const struct sb_line *line, unsigned groups, unsigned on, const char *who,
			struct sb_fault *fault)
{
	if (line->steps_n == 0)
		return 0;
	if (!(groups & SB_G_STEPS))
		return sb_fault_set(fault, SB_E_PLACE, line->steps[0].v.key_col,
				    "steps are what a service ends with; %s takes none here", who);
	if (!(on & SB_ON_STREAM))
		return sb_fault_set(fault, SB_E_PLACE, line->steps[0].v.key_col, "steps apply to %s, not to %s",
				    sb_on_name(SB_ON_STREAM), sb_on_name(on));
	return 0;
}
