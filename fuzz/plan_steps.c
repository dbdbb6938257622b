/* SPDX-License-Identifier: MIT
 * Steps of a line, read a second time. See plan_steps.h. */
#include "plan_steps.h"

#include <stdlib.h>
#include <string.h>

#include "found.h"

static const struct {
	const char *begins;
	enum plan_does does;
	bool is_timeless;
} words[] = {
	{"send:", PLAN_SENDS, true},
	{"frame:", PLAN_SENDS, true},
	{"read:frame", PLAN_TAKES, true},
	{"read:", PLAN_READS, true},
	{"pause:", PLAN_PAUSES, false},
	{"stopread:", PLAN_STOPS, false},
	{"opt.", PLAN_SETS, true},
	{"half", PLAN_HALVES, true},
	{"fin", PLAN_FINISHES, true},
	{"rst", PLAN_RESETS, true},
	{"wait:eof", PLAN_HEARS_END, true},
	{"wait:ack", PLAN_PROVES_ACK, true},
	{"wait:read", PLAN_PROVES_READ, true},
	{"again", PLAN_REPEATS, true},
};

static uint64_t number(const char **at)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}, {"k", 1024}, {"M", 1048576}};
	char *end;
	uint64_t v = strtoull(*at, &end, 10);
	size_t n = strcspn(end, " @");

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (n == strlen(units[i].unit) && strncmp(end, units[i].unit, n) == 0) {
			v *= units[i].factor;
			break;
		}
	*at = end + n;
	return v;
}

/* The bytes that a value stands for. */
static size_t bytes_of(const char *at, uint8_t *out)
{
	size_t n = 0;

	for (; *at && *at != ' '; at++) {
		const char *name = *at == '\\' ? strchr("\\nrts0", at[1]) : NULL;
		char hex[3] = {0};

		if (*at != '\\') {
			out[n++] = (uint8_t)*at;
		} else if (name && at[1]) {
			out[n++] = (uint8_t)"\\\n\r\t \0"[name - "\\nrts0"];
			at++;
		} else {
			memcpy(hex, at + 2, 2);
			out[n++] = (uint8_t)strtoul(hex, NULL, 16);
			at += 3;
		}
	}
	return n;
}

static void copy(char *room, size_t cap, const char *from, size_t n)
{
	n = n < cap ? n : cap - 1;
	memcpy(room, from, n);
	room[n] = '\0';
}

static void read_says(struct plan_steps *p, struct plan_step *s, const char *at, size_t *used,
		      const struct ref_codec *ref, const struct ref_args *args)
{
	uint8_t text[PLAN_SAYS_MAX];
	size_t n = bytes_of(strchr(at, ':') + 1, text);
	bool is_frame = at[0] == 'f' && ref != &ref_raw;

	s->says = p->room + *used;
	s->size = (uint64_t)(is_frame ? ref->encode(args, text, n, s->says) : ref_put(s->says, text, n));
	*used += (size_t)s->size;
}

static void read_step(struct plan_steps *p, const char *at, size_t *used, const struct ref_codec *ref,
		      const struct ref_args *args)
{
	struct plan_step *s = &p->step[p->n];
	const char *value = at + strcspn(at, ":");
	size_t i = 0;

	while (i < sizeof(words) / sizeof(words[0]) && strncmp(at, words[i].begins, strlen(words[i].begins)) != 0)
		i++;
	if (i == sizeof(words) / sizeof(words[0]) || p->n == PLAN_STEPS_MAX || *used + PLAN_SAYS_MAX > sizeof(p->room))
		sb_found("model: cannot read the step %.20s", at);
	*s = (struct plan_step){.does = words[i].does};
	p->is_timeless = p->is_timeless && words[i].is_timeless && !(s->does == PLAN_TAKES && ref == &ref_raw);
	p->n++;
	if (s->does == PLAN_SENDS)
		read_says(p, s, at, used, ref, args);
	if (s->does == PLAN_SETS) {
		copy(s->opt, sizeof(s->opt), at + 4, (size_t)(value - at) - 4);
		copy(s->value, sizeof(s->value), value + 1, strcspn(value + 1, " "));
	}
	if (s->does != PLAN_READS && s->does != PLAN_PAUSES && s->does != PLAN_STOPS)
		return;
	value++;
	s->size = s->ns = number(&value);
	if (*value == '@') {
		value++;
		s->at = number(&value);
	}
}

void plan_steps_read(struct plan_steps *p, const char *line, const struct ref_codec *ref, const struct ref_args *args)
{
	size_t used = 0;

	p->n = 0;
	p->is_timeless = true;
	for (const char *at = strstr(line, " | "); at; at = strstr(at, " | ")) {
		at += 3;
		read_step(p, at, &used, ref, args);
	}
	/* A round that begins by saying something may begin once more before the end is seen. */
	p->is_steady = p->is_timeless && p->n > 0 &&
		       (p->step[p->n - 1].does != PLAN_REPEATS || p->step[0].does == PLAN_READS ||
			p->step[0].does == PLAN_TAKES);
}
