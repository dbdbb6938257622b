/* SPDX-License-Identifier: MIT
 * Scripts that no engine made. See gen.h. */
#include "gen.h"

#include <string.h>

#include "base/rng.h"
#include "script/script.h"

/* ---- a script being written ---- */

struct draft {
	uint8_t *out;
	size_t n;
	uint64_t seed, drawn;
};

static void put(struct draft *d, const void *p, size_t n)
{
	if (n > GEN_MAX - d->n)
		return;
	memcpy(d->out + d->n, p, n);
	d->n += n;
}

static void put_byte(struct draft *d, uint8_t byte)
{
	put(d, &byte, 1);
}

static uint32_t draw(struct draft *d, uint32_t below)
{
	return (uint32_t)(sb_rng_at(d->seed, d->drawn++) >> 33) % below;
}

/* ---- the swarm ---- */

static const uint8_t config_letters[] = {
#define SB_CONFIG(letter, listens, options, flags) letter,
#include "script/configs.def"
#undef SB_CONFIG
};

static const uint8_t fault_letters[] = {
#define SBS_FAULT(letter, call, err) letter,
#include "script/faults.def"
#undef SBS_FAULT
};

static const uint8_t knob_letters[] = {
#define SBS_KNOB_LIMIT(letter, limit) letter,
#define SBS_KNOB(letter, id) letter,
#include "script/knobs.def"
#undef SBS_KNOB_LIMIT
#undef SBS_KNOB
};

static const struct {
	uint8_t letter, args;
} events[] = {
#define SBS_EVENT(id, letter, args, word, help) {letter, args},
#include "script/events.def"
#undef SBS_EVENT
};

enum { EVENTS = sizeof(events) / sizeof(events[0]), PAYLOAD = EVENTS, KINDS, WEIGHTS = 4 };

static void put_payload(struct draft *d)
{
	static const char *const some[] = {"a",
					   "\n",
					   "abc\n",
					   "\r\n",
					   "ab\r",
					   "\r",
					   "xxxxx",
					   "0:,",
					   "3:abc,",
					   "12:",
					   "\1x",
					   "\3abc",
					   "\200\1",
					   "\377",
					   "hello",
					   "GET / HTTP/1.1\r\n",
					   "SB1 ECHO cut=2\n",
					   "SB1 LISTEN ECHO keep=200ms\n",
					   "LISTEN ECHO conns=1\n",
					   "LIST\n",
					   "SB1 ",
					   "S",
					   "SB1 RECEIPT id=c1.6af1a10e9ded447e wait=100ms\n",
					   "SB1 SOURCE len=9 frag=4 gate=time gap=20ms\n",
					   "QUIT\n"};
	static const uint8_t header[] = {0, 3, 'a', 'b', 'c', 0, 0, 0, 2};
	uint32_t which = draw(d, sizeof(some) / sizeof(some[0]) + 3), n;

	if (which < sizeof(some) / sizeof(some[0])) {
		put(d, some[which], strlen(some[which]));
		return;
	}
	n = draw(d, 9) + 1;
	if (draw(d, 2)) {
		put(d, header, n);
		return;
	}
	while (n-- > 0)
		put_byte(d, (uint8_t)('!' + draw(d, '\\' - '!')));
}

/* Small numbers mostly: they are the ones that matter. */
static void put_value(struct draft *d)
{
	put_byte(d, (uint8_t)(draw(d, 3) ? '0' + draw(d, 10) : 'a' + draw(d, 26)));
}

static void put_event(struct draft *d, uint32_t kind)
{
	uint8_t letter;

	if (kind == PAYLOAD) {
		put_payload(d);
		return;
	}
	letter = events[kind].letter;
	put_byte(d, '\\');
	put_byte(d, letter == '0' ? (uint8_t)('0' + draw(d, 8)) : letter);
	if (letter == 'e')
		put_byte(d, fault_letters[draw(d, sizeof(fault_letters))]);
	else if (events[kind].args == 2)
		put_byte(d, knob_letters[draw(d, sizeof(knob_letters))]);
	if (letter != 'e' && events[kind].args > 0)
		put_value(d);
}

size_t gen_swarm(uint64_t seed, uint8_t out[GEN_MAX])
{
	static const uint8_t weights[WEIGHTS] = {0, 0, 1, 4};
	struct draft d = {.out = out, .seed = seed};
	uint32_t weight[KINDS], all = 0, n = 4 + draw(&d, 60);

	put(&d, "\\oc", 3);
	put_byte(&d, config_letters[draw(&d, sizeof(config_letters))]);
	for (uint32_t i = 0; i < KINDS; i++)
		all += weight[i] = i == PAYLOAD || i == 0 ? 4 : weights[draw(&d, WEIGHTS)];
	while (n-- > 0) {
		uint32_t at = draw(&d, all), kind = 0;

		while (at >= weight[kind])
			at -= weight[kind++];
		put_event(&d, kind);
	}
	return d.n;
}

/* ---- the small world ---- */

/* One connection, a message in two bytes, and all that can happen to it. */
static const char *const small[] = {"a", "\n", "\\|", "\\E", "\\R", "\\a1", "\\I1", "\\w1", "\\t9"};

enum { SMALL = sizeof(small) / sizeof(small[0]) };

uint64_t gen_small_count(unsigned length)
{
	uint64_t n = 1;

	while (length-- > 0)
		n *= SMALL;
	return n;
}

size_t gen_small(uint64_t i, unsigned length, uint8_t config, uint8_t out[GEN_MAX])
{
	struct draft d = {.out = out};

	put(&d, "\\oc", 3);
	put_byte(&d, config);
	for (; length > 0; length--, i /= SMALL)
		put(&d, small[i % SMALL], strlen(small[i % SMALL]));
	return d.n;
}
