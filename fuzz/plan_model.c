/* SPDX-License-Identifier: MIT
 * A line and limits, read a second time and as simply as possible. */
#include "plan_model.h"
#include "find.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "found.h"

const char plan_file_name[] = "numbers", plan_file_bytes[] = "one two three four five six seven\n";

/* ---- the line ---- */

/* The value behind key in a line, copied to room; "" when it is not there. */
static const char *value_of(const char *line, const char *key, char room[PLAN_TEXT_MAX])
{
	const char *at = fuzz_find(line, key);
	size_t n = 0;

	room[0] = '\0';
	while (at && at != line && at[-1] != ' ')
		at = fuzz_find(at + 1, key);
	if (!at)
		return room;
	at += strlen(key);
	while (at[n] && at[n] != ' ' && n < PLAN_TEXT_MAX - 1)
		n++;
	memcpy(room, at, n);
	room[n] = '\0';
	return room;
}

/* "12", "12k", "12M", "12us", "12ms", "12s", "12m": what follows the digits says what it is. */
static uint64_t number(const char *text)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {{"k", 1024}, {"M", 1048576}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}};
	char *end;
	uint64_t v = strtoull(text, &end, 10);
	size_t n = strcspn(end, "@");

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (n > 0 && strlen(units[i].unit) == n && strncmp(end, units[i].unit, n) == 0)
			return v * units[i].factor;
	return v;
}

static uint64_t number_of(const char *line, const char *key, uint64_t otherwise)
{
	char room[PLAN_TEXT_MAX];

	return value_of(line, key, room)[0] ? number(room) : otherwise;
}

static void read_framing(struct plan_model *m, const char *line)
{
	char room[PLAN_TEXT_MAX];

	m->args.max = (uint32_t)number_of(line, "max=", 65536);
	m->ref = ref_read(&m->args, value_of(line, "frame=", room)[0] ? room : "raw");
	if (!m->ref)
		sb_found("model: cannot read the framing of %s", line);
}

static void read_pattern(struct plan_model *m, const char *line)
{
	char room[PLAN_TEXT_MAX];
	const char *pattern = value_of(line, "pattern=", room);

	m->pattern = PLAN_TEXT;
	if (pattern[0] == '\0' || strcmp(pattern, "chargen") == 0)
		m->pattern = PLAN_RING;
	else if (strcmp(pattern, "zero") == 0)
		m->pattern = PLAN_ZERO;
	else if (strcmp(pattern, "random") == 0)
		m->pattern = PLAN_RANDOM;
	m->text_n = strlen(pattern);
	memcpy(m->text, pattern, m->text_n);
	if (fuzz_find(line, "file=")) {
		m->pattern = PLAN_TEXT;
		m->text_n = m->len = strlen(plan_file_bytes);
		memcpy(m->text, plan_file_bytes, m->text_n);
	}
}

/* splitmix64: the state goes up by a constant, what is drawn is the state, mixed. */
SB_WRAPS static uint64_t drawn(uint64_t seed, uint64_t k)
{
	uint64_t z = seed + 0x9e3779b97f4a7c15u * k + 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* ---- where it is cut ---- */

static void read_shape(struct plan_model *m, const char *line)
{
	static const char *const gates[] = {"read", "ack", "time", "best"};
	struct plan_shape *shape = &m->shape;
	char room[PLAN_TEXT_MAX];
	const char *at;

	shape->is_random = strcmp(value_of(line, "frag=", room), "random") == 0;
	shape->frag = shape->is_random ? 0 : number_of(line, "frag=", 0);
	shape->join = number_of(line, "join=", 0);
	for (at = value_of(line, "cut=", room); *at; at += *at == ',') {
		char *end;

		shape->at[shape->at_n++] = strtoull(at, &end, 10);
		at = end;
	}
	shape->is_any = shape->is_random || shape->frag || shape->join || shape->at_n;
	shape->seed = number_of(line, "seed=", PLAN_SEED);
	shape->gate = shape->is_any ? SB_GATE_BEST : SB_GATE_NONE;
	for (unsigned i = 0; i < 4; i++)
		if (strcmp(value_of(line, "gate=", room), gates[i]) == 0)
			shape->gate = (enum sb_gate_tier)i;
	shape->gap = number_of(line, "gap=", shape->gate == SB_GATE_TIME ? 1000000 : 0);
	shape->delay = number_of(line, "delay=", 0);
	shape->gate_max = number_of(line, "gate-max=", 10000000000);
}

/* Each kilobyte of the stream has a mean size of its own. */
SB_WRAPS static bool is_cut_at_random(uint64_t seed, uint64_t at)
{
	static const uint64_t means[] = {1, 2, 4, 16, 64, 256};
	uint64_t mean = means[drawn(seed, at / 1024) % 6];

	return at % 1024 == 0 || drawn(~seed, at) % mean == 0;
}

bool plan_model_cuts(const struct plan_model *m, uint64_t unit, uint64_t at)
{
	const struct plan_shape *shape = &m->shape;

	if (shape->is_random && is_cut_at_random(shape->seed, at))
		return true;
	if (shape->frag && (at - unit) % shape->frag == 0)
		return true;
	for (size_t i = 0; i < shape->at_n; i++)
		if (unit + shape->at[i] == at)
			return true;
	return false;
}

/* ---- what a source sends ---- */

static uint8_t payload_at(const struct plan_model *m, uint64_t i, uint64_t j)
{
	uint64_t at = i * m->len + j;

	switch (m->pattern) {
	case PLAN_RING:
		return (uint8_t)(' ' + (i + j) % 95);
	case PLAN_ZERO:
		return 0;
	case PLAN_RANDOM:
		return (uint8_t)(drawn(m->seed, at / 8) >> at % 8 * 8 & 255);
	default:
		return m->text[j % m->text_n];
	}
}

/* Message i with its framing. The last one is kept. */
static const uint8_t *message(const struct plan_model *m, uint64_t i, size_t *n)
{
	static uint8_t payload[PLAN_MESSAGE_MAX], whole[PLAN_MESSAGE_MAX];
	static const struct plan_model *of;
	static uint64_t which;
	static long size;

	*n = (size_t)size;
	if (of == m && which == i && m->period)
		return whole;
	for (uint64_t j = 0; j < m->len; j++)
		payload[j] = payload_at(m, i, j);
	if (m->service == PLAN_CHARGEN) {
		size = ref_put(whole, payload, m->len);
		whole[size++] = '\r';
		whole[size++] = '\n';
	} else if (m->ref == &ref_raw) {
		size = ref_put(whole, payload, m->len);
	} else {
		size = m->ref->encode(&m->args, payload, m->len, whole);
	}
	if (size <= 0)
		sb_found("model: the framing does not carry message %llu", (unsigned long long)i);
	of = m;
	which = i;
	*n = (size_t)size;
	return whole;
}

uint64_t plan_model_size(const struct plan_model *m)
{
	return m->count == UINT64_MAX ? UINT64_MAX : m->count * m->period;
}

void plan_model_bytes(const struct plan_model *m, uint64_t at, uint8_t *out, size_t n)
{
	for (size_t k = 0; k < n;) {
		size_t size, from = (size_t)((at + k) % m->period);
		const uint8_t *bytes = message(m, (at + k) / m->period, &size);

		if (size != m->period)
			sb_found("model: messages of %zu and %llu bytes", size, (unsigned long long)m->period);
		while (k < n && from < size)
			out[k++] = bytes[from++];
	}
}

void plan_model_read(struct plan_model *m, const char *line)
{
	char room[PLAN_TEXT_MAX];
	const char *stop, *close;
	size_t n = 0;

	*m = (struct plan_model){.count = 1, .len = 1024};
	m->service = strncmp(line, "ECHO", 4) == 0      ? PLAN_ECHO
		     : strncmp(line, "DISCARD", 7) == 0 ? PLAN_DISCARD
		     : strncmp(line, "SOURCE", 6) == 0  ? PLAN_SOURCE
		     : strncmp(line, "SCRIPT", 6) == 0  ? PLAN_SCRIPT
							: PLAN_CHARGEN;
	read_framing(m, line);
	plan_steps_read(&m->steps, line, m->ref, &m->args);
	m->recv_max = number_of(line, "recv=", 65536 + 96);
	m->stop_ns = number_of(line, "stopread=", 0);
	stop = strchr(value_of(line, "stopread=", room), '@');
	m->stop_at = stop ? number(stop + 1) : 0;
	close = value_of(line, "close=", room);
	m->close = strcmp(close, "rst") == 0      ? PLAN_RST
		   : strcmp(close, "abrupt") == 0 ? PLAN_ABRUPT
		   : strcmp(close, "half") == 0   ? PLAN_HALF
		   : strcmp(close, "stall") == 0  ? PLAN_STALL
						  : PLAN_CLEAN;
	m->limit = number_of(line, "limit=", UINT64_MAX);
	m->flip = number_of(line, "flip=", UINT64_MAX);
	m->maxlife = number_of(line, "maxlife=", 0);
	read_shape(m, line);
	if (!plan_is_source(m))
		return;
	m->count = number_of(line, "count=", m->service == PLAN_CHARGEN ? UINT64_MAX : 1);
	m->len = m->service == PLAN_CHARGEN ? 72 : number_of(line, "len=", m->args.max < 1024 ? m->args.max : 1024);
	m->seed = number_of(line, "seed=", PLAN_SEED);
	read_pattern(m, line);
	message(m, 0, &n);
	m->period = n;
}

/* ---- limits ---- */

#define MIB (UINT64_C(1) << 20)

/* design: "Defaults that keep it safe"; 0 is none. */
static const struct {
	const char *name;
	enum sb_limit id;
	uint64_t loopback, strict;
} defaults[] = {
	{"first-byte-timeout", SB_LIMIT_FIRST_BYTE, 0, 10000000000},
	{"connect-timeout", SB_LIMIT_CONNECT, 10000000000, 10000000000},
	{"frame-timeout", SB_LIMIT_FRAME, 60000000000, 30000000000},
	{"idle-timeout", SB_LIMIT_IDLE, 600000000000, 60000000000},
	{"max-lifetime", SB_LIMIT_LIFE, 0, 300000000000},
	{"min-rate", SB_LIMIT_MIN_RATE, 0, 64},
	{"drain-timeout", SB_LIMIT_DRAIN, 30000000000, 30000000000},
	{"drain-idle-timeout", SB_LIMIT_DRAIN_IDLE, 5000000000, 5000000000},
	{"drain-bytes", SB_LIMIT_DRAIN_BYTES, 16 * MIB, MIB},
	{"stop-timeout", SB_LIMIT_STOP, 10000000000, 10000000000},
	{"max-held", SB_LIMIT_HELD, 64 * MIB, 64 * MIB},
	{"max-delay", SB_LIMIT_DELAY, 60000000000, 10000000000},
	{"max-bytes", SB_LIMIT_BYTES, 1024 * MIB, 16 * MIB},
	{"max-pieces", SB_LIMIT_PIECES, 0, 10000},
	{"max-lines", SB_LIMIT_LINES, 1024, 256},
	{"max-ports", SB_LIMIT_PORTS, 4096, 256},
	{"max-conns", SB_LIMIT_CONNS, 4096, 1024},
	{"max-conns-per-ip", SB_LIMIT_CONNS_PER_IP, 0, 64},
	{"udp-rate", SB_LIMIT_UDP_RATE, 100000, 100},
	{"udp-rate-total", SB_LIMIT_UDP_TOTAL, 0, 10000},
	{"udp-held", SB_LIMIT_UDP_HELD, 4 * MIB, MIB},
};

_Static_assert(sizeof(defaults) / sizeof(defaults[0]) == SB_LIMIT_COUNT, "every limit");

void plan_model_limits(uint64_t limit[SB_LIMIT_COUNT], bool is_strict, const char *words)
{
	char room[PLAN_TEXT_MAX], key[40];

	for (size_t i = 0; i < SB_LIMIT_COUNT; i++) {
		size_t n = strlen(defaults[i].name);

		memcpy(key, defaults[i].name, n);
		memcpy(key + n, "=", 2);
		limit[defaults[i].id] = is_strict ? defaults[i].strict : defaults[i].loopback;
		if (value_of(words, key, room)[0])
			limit[defaults[i].id] = number(room); /* "none" is 0 */
	}
}

/* ---- as src/ reads it ---- */

static void set_limits(struct sb_limits *limits, bool is_strict, const char *words)
{
	struct sb_fault fault = {0};

	*limits = (struct sb_limits){{0}, {0}};
	while (*words) {
		size_t n = strcspn(words, " "), name = strcspn(words, "=");

		if (sb_limits_set(limits, sb_slice(words, name), sb_slice(words + name + 1, n - name - 1), &fault) < 0)
			sb_found("limits: \"%s\": %s", words, fault.text);
		words += n + (words[n] != '\0');
	}
	sb_limits_fill(limits, is_strict);
}

void plan_make(struct plan_made *made, const char *line, unsigned on, bool is_strict, const char *words)
{
	static uint8_t scratch[SB_FRAME_MAX];
	const struct sb_file file = {sb_slice_cstr(plan_file_name), sb_slice_cstr(plan_file_bytes)};
	struct sb_service_in in = {.line = &made->line, .files = &file, .files_n = 1, .seed = PLAN_SEED};
	struct sb_fault fault = {0};
	uint64_t expected[SB_LIMIT_COUNT];

	in.scratch = scratch;
	set_limits(&made->limits, is_strict, words);
	plan_model_limits(expected, is_strict, words);
	for (int i = 0; i < SB_LIMIT_COUNT; i++)
		if (made->limits.v[i] != expected[i])
			sb_found("limits: \"%s\": %s is %llu, not %llu", words, sb_limit_rows[i].name,
				 (unsigned long long)made->limits.v[i], (unsigned long long)expected[i]);
	if (sb_line_parse(&made->line, sb_slice_cstr(line), &fault) < 0 ||
	    sb_plan_make(&made->plan, &in, on, &made->limits, is_strict, &fault) < 0)
		sb_found("plan: \"%s\": %s", line, fault.text);
}
