/* SPDX-License-Identifier: MIT
 *
 * SOURCE: count messages of len bytes, framed, then close. The stream is a function of the offset:
 *
 *   head payload-0 tail head payload-1 tail …      payload i = pattern(i), len bytes
 *
 * chargen is the ring of the 95 printable characters, payload i beginning at character i; zero is zeros;
 * random is splitmix64 of the seed, as if the payloads were one stream; TEXT is the text over and over,
 * each payload beginning with its first byte; a file is one payload, as long as the file.
 */
#include "service/service.h"

#include <assert.h>

#include "base/rng.h"

enum { RING = 95, LEN_DEFAULT = 1024 };
#define PRINTABLE " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

/* ---- the stream ---- */

/* So many are different: those of the ring, or one of zeros or text. Of random ones there is no end. */
static uint64_t payloads(const struct sb_source *s)
{
	return s->pattern == SB_PATTERN_CHARGEN ? RING : 1;
}

uint64_t sb_source_period(const struct sb_source *source)
{
	return (uint64_t)source->wrap.head_n + source->len + source->wrap.tail_n;
}

uint64_t sb_source_size(const struct sb_source *source)
{
	return source->count == UINT64_MAX ? UINT64_MAX : sb_source_period(source) * source->count;
}

static void fill_random(uint64_t seed, uint64_t at, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t word = sb_rng_at(seed, (at + i) / 8);

		out[i] = (uint8_t)(word >> (8 * ((at + i) % 8)) & 0xff);
	}
}

/* What has come round once, over and over up to n bytes: twice as much each time. */
static void repeat(uint8_t *out, size_t round, size_t n)
{
	for (size_t some; round < n; round += some) {
		some = round < n - round ? round : n - round;
		memcpy(out + round, out, some);
	}
}

static void fill_text(struct sb_slice text, uint64_t at, uint8_t *out, size_t n)
{
	size_t from = (size_t)(at % text.n), rest = text.n - from;
	size_t done = rest < n ? rest : n;
	size_t some = from < n - done ? from : n - done;

	memcpy(out, text.p + from, done);
	sb_copy(out + done, text.p, some);
	repeat(out, done + some, n);
}

/* Lines are short, and there are many: the ring is a text to be copied, not to be counted through. */
static void fill_ring(uint64_t at, uint8_t *out, size_t n)
{
	static const char ring[] = PRINTABLE PRINTABLE; /* twice, so that a line is in one piece wherever it begins */

	static_assert(sizeof(ring) == 2 * RING + 1, "the printable characters of ASCII");
	fill_text(sb_slice(ring, sizeof(ring) - 1), at % RING, out, n);
}

void sb_source_payload(const struct sb_source *source, uint64_t i, uint64_t from, uint8_t *out, size_t n)
{
	if (n == 0)
		return;
	switch (source->pattern) {
	case SB_PATTERN_CHARGEN:
		fill_ring(i % RING + from, out, n);
		break;
	case SB_PATTERN_ZERO:
		memset(out, 0, n);
		break;
	case SB_PATTERN_RANDOM:
		fill_random(source->seed, i * source->len + from, out, n);
		break;
	default:
		fill_text(source->text, from, out, n);
		break;
	}
}

/* The part of message i from byte at on, at most n bytes. Returns how many. */
static size_t fill_part(const struct sb_source *s, uint64_t i, uint64_t at, uint8_t *out, size_t n)
{
	size_t some;

	if (at < s->wrap.head_n) {
		some = (size_t)(s->wrap.head_n - at);
		some = some < n ? some : n;
		memcpy(out, s->wrap.head + at, some);
		return some;
	}
	at -= s->wrap.head_n;
	if (at < s->len) {
		some = s->len - at < n ? (size_t)(s->len - at) : n;
		sb_source_payload(s, i, at, out, some);
		return some;
	}
	at -= s->len;
	some = (size_t)(s->wrap.tail_n - at);
	some = some < n ? some : n;
	memcpy(out, s->wrap.tail + at, some);
	return some;
}

/* After so many bytes the stream is what it was. */
static uint64_t round_of(const struct sb_source *s)
{
	if (s->pattern == SB_PATTERN_RANDOM)
		return UINT64_MAX;
	return sb_source_period(s) * payloads(s);
}

void sb_source_fill(const struct sb_source *source, uint64_t offset, uint8_t *out, size_t n)
{
	uint64_t period = sb_source_period(source), round = round_of(source);
	uint64_t i = offset / period, at = offset % period;
	size_t once = round < n ? (size_t)round : n, done = 0;

	while (done < once) {
		size_t some = fill_part(source, i, at, out + done, once - done);

		done += some;
		at += some;
		if (at == period) {
			at = 0;
			i++;
		}
	}
	repeat(out, once, n);
}

/* ---- the line ---- */

static void read_pattern(struct sb_source *s, const struct sb_value *v)
{
	if (!v->set || sb_slice_is(v->text, "chargen"))
		s->pattern = SB_PATTERN_CHARGEN;
	else if (sb_slice_is(v->text, "zero"))
		s->pattern = SB_PATTERN_ZERO;
	else if (sb_slice_is(v->text, "random"))
		s->pattern = SB_PATTERN_RANDOM;
	else
		s->pattern = SB_PATTERN_TEXT;
	s->text = v->text;
}

/* A file is sent as it is: what would cut or fill it has no meaning. */
static int read_file(struct sb_source *s, const struct sb_service_in *in, struct sb_fault *fault)
{
	static const enum sb_key others[] = {SB_KEY_LEN, SB_KEY_PATTERN, SB_KEY_FRAME, SB_KEY_MAX};
	const struct sb_value *file = &in->line->v[SB_KEY_FILE];

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (in->line->v[others[i]].set)
			return sb_fault_set(fault, SB_E_PLACE, in->line->v[others[i]].key_col,
					    "%s= does not go with file=, which is sent as it is",
					    sb_keys[others[i]].name);
	for (size_t i = 0; i < in->files_n; i++) {
		if (!sb_slice_eq(in->files[i].name, file->text))
			continue;
		if (in->files[i].bytes.n == 0 || in->files[i].bytes.n > UINT32_MAX)
			return sb_fault_set(fault, SB_E_RANGE, file->col, "file \"%.*s\" is %s",
					    SB_FAULT_WORD(file->text),
					    in->files[i].bytes.n ? "larger than 4 GiB" : "empty");
		s->pattern = SB_PATTERN_TEXT;
		s->text = in->files[i].bytes;
		s->len = (uint32_t)s->text.n;
		return 0;
	}
	return sb_fault_set(fault, SB_E_UNKNOWN, file->col,
			    "no file \"%.*s\": files come from the folder --files names", SB_FAULT_WORD(file->text));
}

/* Every payload that there can be is tried once; random ones need a framing that takes all. */
static int check_framing(struct sb_source *s, const struct sb_service_in *in, struct sb_fault *fault)
{
	const struct sb_framing *f = in->framing;
	const struct sb_value *v = &in->line->v[SB_KEY_FRAME];
	uint64_t n = payloads(s);

	if (s->pattern == SB_PATTERN_RANDOM && !(f->flags & SB_CODEC_TRANSPARENT))
		return sb_fault_set(fault, SB_E_BAD_PAYLOAD, v->col,
				    "frame=%s cannot carry pattern=random: a payload may hold its delimiter",
				    f->codec->name);
	if (s->len > f->max)
		return sb_fault_set(fault, SB_E_RANGE, in->line->v[SB_KEY_LEN].col, "len is at most max, %u, not %u",
				    f->max, s->len);
	for (uint64_t i = 0; i < n; i++) {
		struct sb_slice payload = sb_slice(in->scratch, s->len);
		int r;

		sb_source_payload(s, i, 0, in->scratch, s->len);
		r = sb_framing_encode(f, payload, &s->wrap);
		if (r < 0)
			return sb_fault_set(fault, r, v->col, "frame=%s cannot carry this payload: %s", f->codec->name,
					    sb_strerror(r));
	}
	return 0;
}

/* Where the line says how much it is: 0 when it does not. */
static uint16_t size_col(const struct sb_line *line)
{
	static const enum sb_key keys[] = {SB_KEY_COUNT, SB_KEY_FILE, SB_KEY_LEN};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (line->v[keys[i]].set)
			return line->v[keys[i]].col;
	return 0;
}

static int check_size(const struct sb_source *s, const struct sb_service_in *in, struct sb_fault *fault)
{
	uint64_t period = sb_source_period(s);

	if (period == 0)
		return sb_fault_set(fault, SB_E_RANGE, in->line->v[SB_KEY_LEN].col,
				    "len=0 without framing would send nothing; say frame= or a len");
	if (s->count > in->bytes_max / period)
		return sb_fault_set(fault, SB_E_RANGE, size_col(in->line),
				    "%llu messages of %llu bytes are more than --max-bytes %llu",
				    (unsigned long long)s->count, (unsigned long long)period,
				    (unsigned long long)in->bytes_max);
	return 0;
}

int sb_source_setup(struct sb_source *source, const struct sb_service_in *in, struct sb_fault *fault)
{
	const struct sb_value *v = in->line->v;
	int r;

	*source = (struct sb_source){.count = v[SB_KEY_COUNT].set ? v[SB_KEY_COUNT].num : 1};
	source->len = v[SB_KEY_LEN].set ? (uint32_t)v[SB_KEY_LEN].num : LEN_DEFAULT;
	if (!v[SB_KEY_LEN].set && source->len > in->framing->max)
		source->len = in->framing->max;
	source->seed = v[SB_KEY_SEED].set ? v[SB_KEY_SEED].num : in->seed;
	read_pattern(source, &v[SB_KEY_PATTERN]);
	r = v[SB_KEY_FILE].set ? read_file(source, in, fault) : check_framing(source, in, fault);
	if (r < 0)
		return r;
	return check_size(source, in, fault);
}

const struct sb_service_ops sb_service_source = {.route = SB_ROUTE_NONE, .is_source = true, .setup = sb_source_setup};
