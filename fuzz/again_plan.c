/* SPDX-License-Identifier: MIT
 *
 * What a line comes to, said again: where it is refused, and what a SOURCE sends, byte by byte from the start. How a
 * payload is framed is asked of fuzz/ref/; whether the text of frame= is good is the framings' own target's to say.
 */
#include "again_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "again_cuts.h"
#include "again_fates.h"
#include "again_steps.h"
#include "core/plan.h"
#include "found.h"
#include "ref/ref.h"

enum { CONTROL_VERBS = 6 };

enum { LEN_MAX = 65536, STREAM_MAX = 4096, RECV_DEFAULT = 65536 + 96, UDP_MOST = 1000, DATAGRAM_MAX = 65507 };

static uint8_t big[70000], payload[LEN_MAX], wire[LEN_MAX + 96], scratch[SB_FRAME_MAX];

static struct sb_file files[] = {
	{{(const uint8_t *)"a.txt", 5}, {(const uint8_t *)"0123456789", 10}},
	{{(const uint8_t *)"empty", 5}, {NULL, 0}},
	{{(const uint8_t *)"huge", 4}, {big, (size_t)UINT32_MAX + 1}}, /* nobody looks at it */
	{{(const uint8_t *)"big", 3}, {big, sizeof(big)}},
};

enum { FILES = sizeof(files) / sizeof(files[0]), SEED = 4711 };

/* What the plan should be, or why and where there is none. */
struct want {
	int code;
	uint32_t col;
	bool is_any_col; /* of several keys that do not go together, any may be named */
	const struct sb_service *service;
	const struct ref_codec *ref;
	struct ref_args args;
	bool is_source, is_endless, has_files;
	uint64_t count, len, seed, period;
	int pattern;
	const uint8_t *text;
	size_t text_n;
};

static bool refuse(struct want *w, int code, uint32_t col)
{
	w->code = code;
	w->col = col;
	return false;
}

static const struct again_value *value(const struct again *a, enum sb_key key)
{
	return &a->v[key];
}

/* ---- framing ---- */

static bool want_framing(struct want *w, const struct again *a)
{
	const struct again_value *v = value(a, SB_KEY_FRAME), *max = value(a, SB_KEY_MAX);
	const char *text = v->set ? (const char *)v->text.p : "raw";
	struct sb_fault fault = {0};
	struct sb_framing f;
	int r;

	w->args = (struct ref_args){.max = max->set ? (uint32_t)max->num : LEN_MAX};
	r = sb_framing_parse(&f, v->set ? sb_slice(v->text.p, v->text.n) : sb_slice_cstr("raw"), w->args.max, &fault);
	if (r < 0)
		return refuse(w, r, fault.col ? fault.col + v->col - 1 : 0);
	w->ref = ref_read(&w->args, text);
	if (!w->ref)
		sb_found("plan: frame=%s is good, it says, and cannot be read again", text);
	return true;
}

/* ---- what a SOURCE sends ---- */

/* splitmix64, from its paper. */
static uint64_t random_word(uint64_t seed, uint64_t i)
{
	uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15) * i + UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Byte j of payload i. */
static uint8_t byte_of(const struct want *w, uint64_t i, uint64_t j)
{
	uint64_t at = i * w->len + j;

	switch (w->pattern) {
	case SB_PATTERN_CHARGEN:
		return (uint8_t)(' ' + (i % 95 + j) % 95);
	case SB_PATTERN_ZERO:
		return 0;
	case SB_PATTERN_RANDOM:
		return (uint8_t)(random_word(w->seed, at / 8) >> at % 8 * 8 & 255);
	default:
		return w->text[j % w->text_n];
	}
}

/* Message i on the wire: its size, or why it cannot be sent. */
static long message(const struct want *w, uint64_t i)
{
	for (uint64_t j = 0; j < w->len; j++)
		payload[j] = byte_of(w, i, j);
	if (w->is_endless) {
		memcpy(wire, payload, w->len);
		memcpy(wire + w->len, "\r\n", 2);
		return (long)w->len + 2;
	}
	return w->ref->encode(&w->args, payload, w->len, wire);
}

static void compare_stream(const struct want *w, const struct sb_source *s)
{
	static uint8_t want[STREAM_MAX], got[STREAM_MAX];
	bool is_file = w->text && w->len > LEN_MAX;
	size_t n = 0;
	uint64_t i;

	for (i = 0; i < w->count && n < STREAM_MAX && !is_file; i++) {
		long size = message(w, i);
		size_t some = (size_t)size < STREAM_MAX - n ? (size_t)size : STREAM_MAX - n;

		memcpy(want + n, wire, some);
		n += some;
	}
	for (i = 0; is_file && n < STREAM_MAX; n++)
		want[n] = w->text[n];
	sb_source_fill(s, 0, got, n);
	if (memcmp(want, got, n) != 0)
		sb_found("plan: the first %zu bytes of the source are others", n);
	/* The same from anywhere in it. */
	for (size_t from = n / 3; from < n; from += 1 + n / 4) {
		sb_source_fill(s, from, got, n - from);
		if (memcmp(want + from, got, n - from) != 0)
			sb_found("plan: from byte %zu on the source is another", from);
	}
}

/* A message far on, where numbers are large. */
static void compare_far(const struct want *w, const struct sb_source *s)
{
	static uint8_t got[LEN_MAX + 96];
	uint64_t i = w->is_endless ? UINT64_C(1) << 40 : w->count - 1;
	long size;

	if (w->len > LEN_MAX)
		return;
	size = message(w, i);
	sb_source_fill(s, i * w->period, got, (size_t)size);
	if (memcmp(wire, got, (size_t)size) != 0)
		sb_found("plan: message %" PRIu64 " of the source is another", i);
}

/* ---- SOURCE's keys ---- */

static bool want_file(struct want *w, const struct again *a)
{
	static const enum sb_key others[] = {SB_KEY_LEN, SB_KEY_PATTERN, SB_KEY_FRAME, SB_KEY_MAX};
	const struct again_value *v = value(a, SB_KEY_FILE);

	w->is_any_col = true;
	for (size_t i = 0; i < 4; i++)
		if (value(a, others[i])->set)
			return refuse(w, SB_E_PLACE, value(a, others[i])->key_col);
	w->is_any_col = false;
	w->pattern = SB_PATTERN_TEXT;
	if (!w->has_files)
		return refuse(w, SB_E_UNKNOWN, v->col);
	if (naive_is(v->text.p, v->text.n, "empty") || naive_is(v->text.p, v->text.n, "huge"))
		return refuse(w, SB_E_RANGE, v->col);
	w->text_n = naive_is(v->text.p, v->text.n, "a.txt") ? 10 : naive_is(v->text.p, v->text.n, "big") ? 70000 : 0;
	if (w->text_n == 0)
		return refuse(w, SB_E_UNKNOWN, v->col);
	w->text = w->text_n == 10 ? (const uint8_t *)"0123456789" : big;
	w->len = w->period = w->text_n;
	return true;
}

static int pattern_of(const struct again_value *v)
{
	if (!v->set || naive_is(v->text.p, v->text.n, "chargen"))
		return SB_PATTERN_CHARGEN;
	if (naive_is(v->text.p, v->text.n, "zero"))
		return SB_PATTERN_ZERO;
	return naive_is(v->text.p, v->text.n, "random") ? SB_PATTERN_RANDOM : SB_PATTERN_TEXT;
}

/* Whether the bytes of a payload matter to the framing: then it cannot carry random ones. */
static bool is_particular(const struct want *w)
{
	if (w->ref == &ref_len)
		return w->args.strip < w->args.offset + w->args.width;
	return w->ref == &ref_line || w->ref == &ref_crlf || w->ref == &ref_delim;
}

static bool want_payloads(struct want *w, const struct again *a)
{
	const struct again_value *len = value(a, SB_KEY_LEN), *frame = value(a, SB_KEY_FRAME);
	uint64_t n = w->pattern == SB_PATTERN_CHARGEN && is_particular(w) ? 95 : 1;

	if (w->pattern == SB_PATTERN_RANDOM && is_particular(w))
		return refuse(w, SB_E_BAD_PAYLOAD, frame->col);
	if (w->len > w->args.max)
		return refuse(w, SB_E_RANGE, len->col);
	for (uint64_t i = 0; i < n; i++) {
		long size = message(w, i);

		if (size < 0)
			return refuse(w, (int)size, frame->set ? frame->col : 0);
		w->period = (uint64_t)size;
	}
	return true;
}

static bool want_source(struct want *w, const struct again *a, uint64_t bytes_max)
{
	const struct again_value *len = value(a, SB_KEY_LEN), *count = value(a, SB_KEY_COUNT),
				 *seed = value(a, SB_KEY_SEED), *file = value(a, SB_KEY_FILE);

	w->count = count->set ? count->num : 1;
	w->len = len->set ? len->num : w->args.max < 1024 ? w->args.max : 1024;
	w->seed = seed->set ? seed->num : SEED;
	w->pattern = pattern_of(value(a, SB_KEY_PATTERN));
	w->text = value(a, SB_KEY_PATTERN)->text.p;
	w->text_n = value(a, SB_KEY_PATTERN)->text.n;
	if (file->set ? !want_file(w, a) : !want_payloads(w, a))
		return false;
	if (w->period == 0)
		return refuse(w, SB_E_RANGE, len->col);
	if (w->count > bytes_max / w->period)
		return refuse(w, SB_E_RANGE, count->set ? count->col : file->set ? file->col : len->set ? len->col : 0);
	return true;
}

/* ---- all of it ---- */

static bool want_datagrams(struct want *w, const struct again *a, bool strict)
{
	if (w->is_endless || !w->is_source)
		return true;
	if (strict)
		return refuse(w, SB_E_PLACE, 1);
	if (w->count > UDP_MOST)
		return refuse(w, SB_E_RANGE, value(a, SB_KEY_COUNT)->col);
	return w->period <= DATAGRAM_MAX || refuse(w, SB_E_RANGE, value(a, SB_KEY_LEN)->col);
}

/* syn=drop, syn=drop:TIME: how long, UINT64_MAX for ever; 0 when there is none. */
static uint64_t syn_of(const struct again *a)
{
	const struct again_value *v = value(a, SB_KEY_SYN);
	uint64_t time = UINT64_MAX;

	if (!v->set)
		return 0;
	if (v->text.n > 5)
		naive_time(v->text.p + 5, v->text.n - 5, &time);
	return time;
}

static int want_syn(const struct again *a, uint64_t most, uint32_t *col)
{
	const struct again_value *v = value(a, SB_KEY_SYN), *backlog = value(a, SB_KEY_BACKLOG);
	bool is_drop = v->set && v->text.n >= 4 && memcmp(v->text.p, "drop", 4) == 0;
	uint64_t time;
	int r;

	if (!v->set)
		return 0;
	*col = v->col;
	if (!is_drop || (v->text.n > 4 && v->text.p[4] != ':'))
		return SB_E_TYPE;
	*col = backlog->key_col;
	if (backlog->set)
		return SB_E_PLACE;
	*col = v->col + 5;
	r = v->text.n == 4 ? 0 : naive_time(v->text.p + 5, v->text.n - 5, &time);
	if (r == 0 && v->text.n > 4 && (time < 1000 || time > most))
		r = SB_E_RANGE;
	return r;
}

static bool want_plan(struct want *w, const struct again *a, unsigned on, bool strict, const struct sb_limits *limits)
{
	const struct again_value *stop = value(a, SB_KEY_STOPREAD);
	unsigned groups = 0;
	bool is_script;
	uint32_t col;

	w->service = again_service(a, &groups);
	if (!w->service)
		return refuse(w, SB_E_UNKNOWN, 1);
	w->is_endless = strcmp(w->service->name, "CHARGEN") == 0;
	w->is_source = w->is_endless || strcmp(w->service->name, "SOURCE") == 0;
	is_script = strcmp(w->service->name, "SCRIPT") == 0;
	col = again_misplaced(a, groups, on);
	if (col)
		return refuse(w, SB_E_PLACE, col);
	if (!want_framing(w, a))
		return false;
	if (stop->set && stop->num > limits->v[SB_LIMIT_DELAY])
		return refuse(w, SB_E_RANGE, stop->col);
	w->code = again_cuts_code(a, limits, &w->col);
	if (w->code == 0)
		w->code = again_steps_code(a, is_script, w->ref, &w->args, limits->v[SB_LIMIT_DELAY], &w->col);
	if (w->code == 0)
		w->code = again_fates_code(a, limits, strict, &w->col);
	if (w->code == 0)
		w->code = want_syn(a, limits->v[SB_LIMIT_DELAY], &w->col);
	if (w->code < 0)
		return false;
	if (is_script && a->steps_n == 0)
		return refuse(w, SB_E_SYNTAX, 1 + sizeof("SCRIPT") - 1);
	if (w->is_endless) {
		w->count = UINT64_MAX;
		w->len = 72;
		w->period = 74;
		w->pattern = SB_PATTERN_CHARGEN;
	} else if (w->is_source && !want_source(w, a, limits->v[SB_LIMIT_BYTES])) {
		return false;
	}
	return on != SB_ON_UDP || want_datagrams(w, a, strict);
}

static void compare_plan(const struct want *w, const struct again *a, const struct sb_plan *plan)
{
	const struct again_value *recv = value(a, SB_KEY_RECV), *stop = value(a, SB_KEY_STOPREAD),
				 *close = value(a, SB_KEY_CLOSE);
	uint64_t size = w->is_endless ? UINT64_MAX : w->count * w->period;

	if (plan->service != w->service || plan->framing.max != w->args.max)
		sb_found("plan: it is for %s with max %u", plan->service->name, plan->framing.max);
	if (plan->recv_max != (recv->set ? recv->num : RECV_DEFAULT) || plan->is_recv_set != recv->set)
		sb_found("plan: recv is %u", plan->recv_max);
	if (plan->stop_ns != (stop->set ? stop->num : 0) || plan->stop_at != (stop->set ? stop->at : 0))
		sb_found("plan: it stops for %" PRIu64 " ns at %" PRIu64, plan->stop_ns, plan->stop_at);
	if (plan->close != (close->set ? (enum sb_close_mode)close->num : SB_CLOSE_CLEAN))
		sb_found("plan: it closes in way %d", (int)plan->close);
	if (plan->steps_n != a->steps_n)
		sb_found("plan: it has %d steps, it should have %zu", plan->steps_n, a->steps_n);
	if (plan->is_hashed != (value(a, SB_KEY_HASH)->set && value(a, SB_KEY_HASH)->num == 1))
		sb_found("plan: hash is %d", plan->is_hashed);
	if (plan->syn.is_drop != value(a, SB_KEY_SYN)->set || (plan->syn.is_drop && plan->syn.until != syn_of(a)))
		sb_found("plan: syn drops for %" PRIu64 " ns", plan->syn.until);
	again_compare_cuts(a, plan, SEED);
	again_compare_fates(a, plan, SEED);
	if (!w->is_source)
		return;
	if (plan->source.count != w->count || plan->source.len != w->len || plan->source.pattern != w->pattern)
		sb_found("plan: %" PRIu64 " times %u of pattern %d; it should be %" PRIu64 " times %" PRIu64 " of %d",
			 plan->source.count, plan->source.len, plan->source.pattern, w->count, w->len, w->pattern);
	if (sb_source_size(&plan->source) != size)
		sb_found("plan: %" PRIu64 " bytes in all, it should be %" PRIu64, sb_source_size(&plan->source), size);
	compare_stream(w, &plan->source);
	compare_far(w, &plan->source);
}

static bool is_a_col(const struct again *a, uint32_t col)
{
	for (int i = 0; i < SB_KEYS_N; i++)
		if (a->v[i].set && a->v[i].key_col == col)
			return true;
	return false;
}

static void compare_refusal(const struct want *w, const struct again *a, struct sb_fault *fault)
{
	static const char *const control[] = {"LISTEN", "RECEIPT", "LIST", "LIMITS", "HELP", "QUIT"};
	const char *names[16 + CONTROL_VERBS];
	size_t n = 0;

	if (w->is_any_col && is_a_col(a, fault->col))
		fault->col = w->col;
	naive_fault("plan", fault, w->code, w->col);
	if (w->service)
		return;
	for (; sb_service_at(n) && n < 16; n++)
		names[n] = sb_service_at(n)->name;
	for (size_t i = 0; i < CONTROL_VERBS; i++) {
		if (naive_is(a->verb.p, a->verb.n, control[i])) {
			naive_says("plan", fault, "is a control verb");
			return;
		}
		names[n++] = control[i];
	}
	naive_says_nearest("plan", fault, naive_nearest(a->verb.p, a->verb.n, names, n));
}

uint64_t again_check_plan(const struct again *a, const struct sb_line *line, unsigned on, bool strict, bool small)
{
	struct sb_service_in in = {.line = line, .files = files, .files_n = FILES, .seed = SEED, .scratch = scratch};
	struct sb_limits limits = {.is_set = {false}};
	struct sb_fault fault = {0};
	struct want w = {.has_files = true};
	struct sb_plan plan;
	int r;

	for (size_t i = 0; big[1] == 0 && i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 + i / 256);
	sb_limits_fill(&limits, strict);
	if (small) {
		limits.v[SB_LIMIT_BYTES] = 1000;
		limits.v[SB_LIMIT_DELAY] = SB_S;
	}
	r = sb_plan_make(&plan, &in, on, &limits, strict, &fault);
	if (sb_plan_make(&plan, &in, on, &limits, strict, NULL) != r)
		sb_found("plan: without a fault to fill it is another");
	want_plan(&w, a, on, strict, &limits);
	if (r != w.code)
		sb_found("plan: it is %s (%s), it should be %s at %u", r < 0 ? sb_errname(r) : "good", fault.text,
			 w.code < 0 ? sb_errname(w.code) : "good", w.col);
	if (r < 0)
		compare_refusal(&w, a, &fault);
	else
		compare_plan(&w, a, &plan);
	return (uint64_t)-r * 31 + w.period;
}

int again_plan_code(const struct again *a, unsigned on, bool strict, const struct sb_limits *limits, uint32_t *col)
{
	struct want w = {0};

	want_plan(&w, a, on, strict, limits);
	*col = w.col;
	return w.code;
}
