/* SPDX-License-Identifier: MIT
 * Reading a script. */
#include "script/script.h"

static const struct {
	uint8_t letter, args;
} rows[SBS_KINDS] = {
#define SBS_EVENT(id, letter, args, word, help) [SBS_##id] = {letter, args},
#include "script/events.def"
#undef SBS_EVENT
};

uint32_t sbs_value(uint8_t x)
{
	if (x >= '0' && x <= '9')
		return x - (uint32_t)'0';
	if (x == 'a' || x == 'b')
		return x == 'a' ? 10 : 12;
	/* From c on: 16, 24, 32, 48, 64 … */
	if (x >= 'c' && x <= 'z') {
		uint32_t step = x - (uint32_t)'c';
		uint32_t v = (step % 2 ? 24u : 16u) << (step / 2);

		return x < 'z' ? v : 65536;
	}
	return x;
}

static enum sbs_kind kind_of(uint8_t letter)
{
	if (letter >= '0' && letter <= '7')
		return SBS_SELECT;
	for (int k = SBS_RUN; k < SBS_KINDS; k++)
		if (rows[k].letter == letter)
			return (enum sbs_kind)k;
	return SBS_RUN;
}

static size_t payload(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] != '\\' || (i + 1 < n && p[i + 1] == '\\')))
		i += p[i] == '\\' ? 2 : 1;
	return i;
}

bool sbs_next(const uint8_t *script, size_t n, size_t *at, struct sbs_event *e)
{
	const uint8_t *p = script + *at;
	size_t left = n - *at;

	if (left == 0)
		return false;
	*e = (struct sbs_event){.kind = SBS_BYTES, .p = p, .n = payload(p, left)};
	if (e->n == 0) {
		e->kind = left > 1 ? kind_of(p[1]) : SBS_CUT_OFF;
		e->letter = left > 1 ? p[1] : 0;
		e->n = 2u + rows[e->kind].args;
		if (e->n > left) {
			e->kind = SBS_CUT_OFF;
			e->n = left;
		}
		for (size_t i = 2; i < e->n; i++) {
			e->arg[i - 2] = p[i];
			e->v = sbs_value(p[i]);
		}
		if (e->kind == SBS_SELECT)
			e->v = e->letter - (uint32_t)'0';
	}
	*at += e->n;
	return true;
}

size_t sbs_unescape(const struct sbs_event *e, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++) {
		out[n++] = e->p[i];
		i += e->p[i] == '\\';
	}
	return n;
}
