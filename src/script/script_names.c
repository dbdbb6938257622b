/* SPDX-License-Identifier: MIT
 * Names of events, faults, knobs and configs: what the tables say, as words. */
#include "script/script.h"

static const struct {
	const char *word;
	size_t args;
} events[SBS_KINDS] = {
	[SBS_BYTES] = {"bytes", 0},
	[SBS_CUT_OFF] = {"cut-off", 0},
#define SBS_EVENT(id, letter, args, word, help) [SBS_##id] = {word, args},
#include "script/events.def"
#undef SBS_EVENT
};

static const struct {
	uint8_t letter;
	const char *call, *err;
} faults[] = {
#define SBS_FAULT(letter, call, err) {letter, #call, #err},
#include "script/faults.def"
#undef SBS_FAULT
};

static const struct {
	uint8_t letter;
	bool is_limit;
	const char *id;
} knobs[] = {
#define SBS_KNOB_LIMIT(letter, limit) {letter, true, #limit},
#define SBS_KNOB(letter, id) {letter, false, #id},
#include "script/knobs.def"
#undef SBS_KNOB_LIMIT
#undef SBS_KNOB
};

static const struct {
	uint8_t letter;
	const char *listens, *options;
} configs[] = {
#define SB_CONFIG(letter, listens, options, flags) {letter, listens, options},
#include "script/configs.def"
#undef SB_CONFIG
};

enum { FAULTS = sizeof(faults) / sizeof(faults[0]), KNOBS = sizeof(knobs) / sizeof(knobs[0]) };

const char *sbs_word(enum sbs_kind kind)
{
	return events[kind].word;
}

size_t sbs_args(enum sbs_kind kind)
{
	return events[kind].args;
}

/* EPOLL_ADD is epoll-add to people. */
static void say_id(struct sb_text *t, const char *id)
{
	for (; *id; id++)
		sb_text_char(t, *id == '_' ? '-' : (char)(*id >= 'A' && *id <= 'Z' ? *id + ('a' - 'A') : *id));
}

/* As the simulated kernel chooses: see faults.def. */
void sbs_say_fault(struct sb_text *t, uint8_t letter)
{
	int row = letter % FAULTS;

	for (int i = 0; i < FAULTS; i++)
		if (faults[i].letter == letter)
			row = i;
	say_id(t, faults[row].call);
	sb_text_str(t, ": ");
	sb_text_str(t, faults[row].err);
}

static int knob_row(uint8_t letter)
{
	for (int i = 0; i < KNOBS; i++)
		if (knobs[i].letter == letter)
			return i;
	return -1;
}

bool sbs_say_knob(struct sb_text *t, uint8_t letter)
{
	int row = knob_row(letter);

	if (row < 0)
		return false;
	say_id(t, knobs[row].id);
	return true;
}

bool sbs_knob_is_limit(uint8_t letter)
{
	int row = knob_row(letter);

	return row >= 0 && knobs[row].is_limit;
}

bool sbs_config(uint8_t letter, const char **listens, const char **options)
{
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		if (configs[i].letter != letter)
			continue;
		*listens = configs[i].listens;
		*options = configs[i].options;
		return true;
	}
	return false;
}
