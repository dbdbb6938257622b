/* SPDX-License-Identifier: MIT
 *
 * For codec.c: one decoding of the input, cut as a plan says, held to what the headers promise and to what came of the
 * input as a whole.
 */
#ifndef SB_FUZZ_CODEC_RUN_H
#define SB_FUZZ_CODEC_RUN_H

#include "codec_arena.h"
#include "codec_subject.h"

enum { INPUT_MAX = 16384, BATCH_MAX = 64 };

/* The harness's own branches are nothing to strive for, and to watch them is a third of its time. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("coverage", "undefined"))), apply_to = function)
#endif

/* All that a stream says. at: where in the stream the payload begins; end: where the frame does. */
struct log {
	struct entry {
		uint32_t at, n, end;
	} frames[INPUT_MAX + 1];
	size_t frames_n;
	int err; /* of next */
	int end; /* of end */
	uint64_t offset;
	size_t held;
};

/* Where to cut, and how many frames to ask for at once. */
struct plan {
	size_t cuts[INPUT_MAX + 1];
	size_t cuts_n;
	int cap;
	bool has_empties, is_window;
};

/* One decoding. Compares with whole as it goes, or is whole, and then writes it. */
struct run {
	const struct plan *plan;
	bool is_whole;
	struct sb_decoder d;
	size_t fed, to;      /* bytes fed before this piece, and with it */
	size_t wire, k;      /* bytes and number of the frames that came */
	const char *promise; /* the one that was broken, or NULL */
	bool differs;
	char want[160], got[160];
};

static struct arena arena;
static _Alignas(16) uint8_t hold_room[SB_FRAME_MAX + SB_FRAME_OVERHEAD_MAX + 2 * ARENA_GRAIN];
static struct subject subjects[256];
static const struct subject *subject;
static struct sb_slice input;
static struct sb_frame batch[BATCH_MAX];
static struct log whole, reference;
static uint64_t digest, seed;

static inline void note(uint64_t v)
{
	digest = (digest ^ v) * UINT64_C(0x100000001b3);
}

/* A number from 0 to n - 1. */
static size_t choose(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed >> 16) % n;
}

/* The memory to hold frames in, poisoned from the first byte on that this framing may not use. */
static uint8_t *open_hold(size_t n)
{
	static size_t open_n = sizeof(hold_room);

	if (open_n != n) {
		arena_poison(hold_room, sizeof(hold_room));
		arena_unpoison(hold_room, n);
	}
	open_n = n;
	return hold_room;
}

/* Room for so many frames and not one more. */
static struct sb_frame *room_for(int cap)
{
	return batch + BATCH_MAX - cap;
}

/* ---- saying what was found ---- */

static void say_frame(char *to, size_t size, const uint8_t *p, size_t n, size_t wire)
{
	struct sb_text t = sb_text_in(to, size);

	sb_text_str(&t, "frame \"");
	sb_text_escaped(&t, sb_slice(p, n < 24 ? n : 24), false);
	sb_text_str(&t, n < 24 ? "\"" : "\"...");
	sb_text_str(&t, " of ");
	sb_text_u64(&t, n);
	sb_text_str(&t, " in ");
	sb_text_u64(&t, wire);
	sb_text_end(&t);
}

static void say_stop(char *to, size_t size, const char *word, int err, uint64_t offset)
{
	if (err)
		snprintf(to, size, "%s %s @%llu", word, sb_errname(err), (unsigned long long)offset);
	else
		snprintf(to, size, "%s ok", word);
}

/* The k-th event of a log: a frame, or how it stops. */
static void say_event(char *to, size_t size, const struct log *l, size_t k)
{
	const struct entry *e = &l->frames[k];

	if (k < l->frames_n)
		say_frame(to, size, input.p + e->at, e->n, e->end - (k ? l->frames[k - 1].end : 0));
	else
		say_stop(to, size, l->err ? "error" : "end", l->err ? l->err : l->end, l->offset);
}

static void say_log(const struct log *l)
{
	char text[160];

	sb_tell("frame=%s max=%u", subject->text, subject->f.max);
	for (size_t k = 0; k <= l->frames_n; k++) {
		say_event(text, sizeof(text), l, k);
		sb_tell("%s", text);
	}
}

static void break_promise(struct run *r, const char *promise)
{
	if (!r->promise)
		r->promise = promise;
	r->differs = true;
}

/* Fills in what whole has here; what this run has is filled in already. */
static void differ(struct run *r)
{
	say_event(r->want, sizeof(r->want), &whole, r->k);
	r->differs = true;
}

/* ---- one decoding ---- */

static bool is_whole_frame(const struct run *r, const struct sb_frame *out)
{
	const struct entry *e = &whole.frames[r->k];

	if (subject->f.flags & SB_CODEC_UNFRAMED) /* as large as max, but where the piece ends */
		return out->n == out->wire && (out->n == subject->f.max || r->wire + out->n == r->to) &&
		       out->n <= subject->f.max && memcmp(out->p, input.p + r->wire, out->n) == 0;
	return r->k < whole.frames_n && out->n == e->n && r->wire + out->wire == e->end &&
	       memcmp(out->p, input.p + e->at, e->n) == 0;
}

/* A frame has come. piece: what was fed, of which all but rest bytes have been taken. */
static void take_frame(struct run *r, const struct sb_frame *out, const uint8_t *piece, size_t rest)
{
	if (out->wire == 0 || out->wire < out->n || r->wire + out->wire > r->to - rest) {
		break_promise(r, "progress: a frame has bytes, all of them read, and at least its payload's");
		return;
	}
	if (r->is_whole) {
		if (out->p < piece + r->wire || out->p + out->n > piece + r->wire + out->wire)
			break_promise(r, "a frame that lies whole in a piece is a view of it");
		else
			whole.frames[whole.frames_n++] = (struct entry){.at = (uint32_t)(out->p - piece),
									.n = out->n,
									.end = (uint32_t)(r->wire + out->wire)};
	} else if (!is_whole_frame(r, out)) {
		say_frame(r->got, sizeof(r->got), out->p, out->n, out->wire);
		differ(r);
	}
	r->wire += out->wire;
	r->k++;
}

/* The stream is broken, says err. */
static void take_error(struct run *r, int err, uint64_t offset)
{
	if (r->is_whole) {
		whole.err = err;
		whole.offset = offset;
	} else if (r->k != whole.frames_n || err != whole.err || offset != whole.offset) {
		say_stop(r->got, sizeof(r->got), "error", err, offset);
		differ(r);
	}
}

/* Nothing more is to be found in the bytes fed: then whole has found nothing more in them either. */
static void take_more(struct run *r, const struct sb_scan *s, size_t held)
{
	size_t to = r->to;
	bool is_late = r->k < whole.frames_n ? whole.frames[r->k].end <= to : whole.err && whole.offset < to;

	if (subject->f.flags & SB_CODEC_UNFRAMED)
		is_late = r->wire < to;
	if (!r->is_whole && is_late) {
		snprintf(r->got, sizeof(r->got), "need more @%zu", to);
		differ(r);
	}
	if (held != to - r->wire || s->base != r->wire)
		break_promise(r, "held are the bytes behind the last frame, and the offset is where they begin");
	if (held > subject->f.max + (size_t)SB_FRAME_OVERHEAD_MAX)
		break_promise(r, "never more than max and SB_FRAME_OVERHEAD_MAX held");
	if (held > 0 && s->seen != held && s->need <= held)
		break_promise(r, "need more: all that is here has been looked at, or how much is needed is known");
}

/* An error stays, and not one more byte is looked at: what is fed now cannot be read. */
static void expect_sticky(struct run *r, int err, uint64_t offset)
{
	struct sb_slice in = sb_slice(arena.room, 8);
	size_t held = sb_decoder_held(&r->d);
	struct sb_frame out;

	if (held || sb_decoder_next(&r->d, &in, &out, 1) != err || sb_decoder_end(&r->d) != err ||
	    sb_decoder_next(&r->d, &in, &out, 1) != err || sb_decoder_offset(&r->d) != offset || sb_decoder_held(&r->d))
		break_promise(r, "an error stays, its offset stays, and nothing is held");
}

/* An empty piece says nothing. */
static void feed_nothing(struct run *r)
{
	struct sb_slice in = sb_slice(NULL, 0);
	size_t held = r->d.held;
	struct sb_frame out;

	if (sb_decoder_next(&r->d, &in, &out, 1) != 0 || r->d.held != held || r->d.scan.base != r->wire)
		break_promise(r, "an empty piece changes nothing");
}

/* Feeds the stream's bytes up to r->to. 1: and so on; 0: broken, or found out. */
static int feed(struct run *r)
{
	size_t n = r->to - r->fed;
	uint8_t *piece = arena_copy(&arena, input.p + r->fed, n);
	struct sb_slice in = sb_slice(piece, n);
	struct sb_frame *out = room_for(r->plan->cap);
	int found;

	while ((found = sb_decoder_next(&r->d, &in, out, r->plan->cap)) > 0 && !r->differs) {
		if (found > r->plan->cap || in.p < piece || in.p + in.n != piece + n)
			break_promise(r, "at most so many frames as were asked for, from the front of the piece");
		for (int i = 0; i < found && !r->differs; i++)
			take_frame(r, &out[i], piece, in.n);
		if (!r->differs && r->to - in.n - r->wire != r->d.held)
			break_promise(r, "what is taken from a piece and is no frame yet is held");
	}
	note((uint64_t)(int64_t)found + r->d.held);
	if (!r->differs && found == 0 && in.n > 0)
		break_promise(r, "need more: the piece is used up");
	if (!r->differs && found < 0)
		take_error(r, found, sb_decoder_offset(&r->d));
	else if (!r->differs)
		take_more(r, &r->d.scan, sb_decoder_held(&r->d));
	arena_close(piece, n);
	if (!r->differs && found < 0)
		expect_sticky(r, found, sb_decoder_offset(&r->d));
	r->fed = r->to;
	return found == 0 && !r->differs;
}

static void end(struct run *r)
{
	size_t held = sb_decoder_held(&r->d);
	int err = sb_decoder_end(&r->d);
	uint64_t offset = sb_decoder_offset(&r->d);

	if (r->is_whole) {
		whole.held = held;
		whole.end = err;
		whole.offset = offset;
	} else if (err != whole.end || offset != whole.offset || held != whole.held) {
		say_stop(r->got, sizeof(r->got), "end", err, offset);
		differ(r);
	}
	if (err && !r->differs)
		expect_sticky(r, err, offset);
}

static void decode_pieces(struct run *r, const struct plan *plan)
{
	size_t size = sb_decoder_hold_size(&subject->f);
	int goes_on = 1;

	if (sb_decoder_setup(&r->d, &subject->f, open_hold(size), size) < 0)
		sb_found("no decoder for frame=%s", subject->text);
	for (size_t i = 0; goes_on && i <= plan->cuts_n; i++) {
		if (plan->has_empties && (i + whole.offset) % 8 == 0)
			feed_nothing(r);
		r->to = i < plan->cuts_n ? plan->cuts[i] : input.n;
		goes_on = feed(r);
	}
	if (goes_on)
		end(r);
}

/* ---- the same in a window: the bytes stay where they are and more come behind them ---- */

/* The window's bytes from at on, as far as there are any, are as they should be. */
static void fill(struct run *r, uint8_t *window, size_t at)
{
	arena_unpoison(window + at, r->to - at);
	memcpy(window + at, input.p + at, r->to - at);
}

/* Looks at the window up to r->to. What of the frame in progress has been looked at before is gone, but for the last
 * byte of it: line may ask whether that was a CR. *low: up to where it is gone, a multiple of ARENA_GRAIN. */
static int look(struct run *r, struct sb_scan *s, uint8_t *window, size_t *low)
{
	struct sb_frame *out = room_for(r->plan->cap);
	size_t high;
	int found;

	fill(r, window, r->fed < *low + ARENA_GRAIN ? *low : r->fed / ARENA_GRAIN * ARENA_GRAIN);
	while ((found = sb_framing_scan(&subject->f, s, window + r->wire, r->to - r->wire, out, r->plan->cap)) > 0) {
		*low = r->wire / ARENA_GRAIN * ARENA_GRAIN;
		fill(r, window, *low); /* the frame as a whole, to compare it */
		for (int i = 0; i < found && !r->differs; i++)
			take_frame(r, &out[i], window, 0);
		if (r->differs)
			return 0;
	}
	note((uint64_t)(int64_t)found + s->base);
	if (found < 0)
		take_error(r, found, s->base);
	else
		take_more(r, s, r->to - r->wire);
	if (found < 0 && sb_framing_scan(&subject->f, s, arena.room, ARENA_GRAIN, out, 1) != found)
		break_promise(r, "an error stays");
	r->fed = r->to;
	high = r->wire + s->seen > 0 ? (r->wire + s->seen - 1) / ARENA_GRAIN * ARENA_GRAIN : 0;
	if (high > *low)
		arena_close(window + *low, high - *low);
	*low = high > *low ? high : *low;
	return found == 0 && !r->differs;
}

static void decode_window(struct run *r, const struct plan *plan)
{
	uint8_t *window = arena_open(&arena, input.n);
	struct sb_scan s = {.base = 0};
	size_t low = 0;
	int goes_on = 1, err;

	arena_close(window, input.n);
	for (size_t i = 0; goes_on && i <= plan->cuts_n; i++) {
		r->to = i < plan->cuts_n ? plan->cuts[i] : input.n;
		goes_on = look(r, &s, window, &low);
	}
	if (goes_on) {
		err = sb_framing_end(&subject->f, &s, input.n - r->wire);
		if (err != whole.end || s.base != whole.offset) {
			say_stop(r->got, sizeof(r->got), "end", err, s.base);
			differ(r);
		}
	}
	arena_close(window, input.n);
}

/* Decodes the input as planned. */
static void decode(struct run *r, const struct plan *plan, bool is_whole)
{
	r->plan = plan;
	r->is_whole = is_whole;
	r->fed = r->to = r->wire = r->k = 0;
	r->promise = NULL;
	r->differs = false;
	if (plan->is_window)
		decode_window(r, plan);
	else
		decode_pieces(r, plan);
}

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
