/* SPDX-License-Identifier: MIT
 *
 * The fuzz target of a framing: the row SB_FUZZ_CODEC of codecs.def, however its stream is cut.
 *
 * An input is one byte that picks arguments and max from the tables of codec_subject.h, as printable as it can be, and
 * then a stream as it comes off the wire. So a capture is a seed when a byte is put in front of it:
 *
 *   low four bits: max of maxes[]       '0' is 1, '6' is 8, '?' is 65536, or the next that the arguments allow
 *   high four bits: arguments[]         '0'..'?' are row 3, '@'..'O' row 4, 'P'..'_' row 5; only for delim, fixed, len
 *
 * Each input is decoded seven times: whole; byte by byte with empty pieces among them; in small and in larger pieces;
 * cut in two; cut beside the ends of its frames; and as a window that grows, as the server has it. Cuts come from a
 * hash of the input, so the same input is the same run. Replayed without an engine, a short input is also cut at
 * every place, and at every two. What must hold:
 *
 *   split = whole      the same frames, error, offset, bytes held, end; each as soon as its last byte is there
 *   batch              how many frames are asked for at once changes nothing
 *   whole = reference  what fuzz/ref/ says, which shares no code with src/
 *   there and back     encode is what fuzz/ref/ says, and decoding it gives the payload
 *   promises           progress; at most max and SB_FRAME_OVERHEAD_MAX held; an error stays; no byte is looked at twice
 *
 * and what the sanitizers see: each piece lies alone (codec_arena.h), and is poisoned after its turn.
 */
#include <signal.h>
#include <unistd.h>

#include "codec_run.h"
#include "target.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("coverage", "undefined"))), apply_to = function)
#endif

enum {
	THOROUGH_MAX = 48, /* bytes of the longest input that is cut at every two places */
	SECONDS_MAX = 10,  /* without an engine, for one input; it takes a few milliseconds */
};

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* ---- all decodings of an input ---- */

/* Pieces of 1 to most bytes. */
static void plan_pieces(struct plan *p, size_t most)
{
	p->cuts_n = 0;
	for (size_t at = 1 + choose(most); at < input.n; at += 1 + choose(most))
		p->cuts[p->cuts_n++] = at;
}

/* Cuts before, at and behind the ends of frames, or not, or some way into the next one's head: where one ends and the
 * next begins things go wrong. */
static void plan_ends(struct plan *p)
{
	size_t last = 0;

	p->cuts_n = 0;
	for (size_t k = 0; k < whole.frames_n; k++) {
		size_t end = whole.frames[k].end, kind = choose(5), at = end + kind - 1;

		if (kind == 3)
			at = end + choose(SB_FRAME_OVERHEAD_MAX);
		if (kind == 4 || at <= last || at >= input.n)
			continue;
		last = at;
		p->cuts[p->cuts_n++] = at;
	}
	if (whole.err && whole.offset > last && whole.offset < input.n)
		p->cuts[p->cuts_n++] = whole.offset;
}

/* The fewest cuts that show it as well, to be printed: none, one, two, or those that there were. */
static void minimise(struct run *r, struct plan *p)
{
	static struct plan small;
	size_t n = input.n > 256 ? 256 : input.n;

	small.cap = p->cap;
	small.is_window = p->is_window;
	small.has_empties = p->has_empties;
	for (small.cuts_n = 0; small.cuts_n <= 2; small.cuts_n++)
		for (size_t a = 0; a <= (small.cuts_n ? n : 0); a++)
			for (size_t b = a; b <= (small.cuts_n == 2 ? n : a); b++) {
				small.cuts[0] = a;
				small.cuts[1] = b;
				decode(r, &small, false);
				if (r->differs)
					return;
			}
	decode(r, p, false);
}

static void report(struct run *r, struct plan *p)
{
	char where[256], how[160];
	struct sb_text t = sb_text_in(where, sizeof(where));

	minimise(r, p);
	for (size_t i = 0; i < r->plan->cuts_n && i < 16; i++) {
		sb_text_str(&t, i == 0 ? (r->plan->cuts_n > 1 ? " at cuts " : " at cut ") : ",");
		sb_text_u64(&t, r->plan->cuts[i]);
	}
	sb_text_str(&t, r->plan->cuts_n > 16 ? ",..." : "");
	sb_text_end(&t);
	snprintf(how, sizeof(how), "frame=%s max=%u, %d at once%s%s", subject->text, subject->f.max, p->cap,
		 p->is_window ? ", in a window" : "", p->has_empties ? ", empty pieces between" : "");
	if (r->promise)
		sb_found("promise%s: %s (%s)", where, r->promise, how);
	if (r->plan->cuts_n == 0)
		sb_found("batch≠whole: whole = %s; batch = %s (%s)", r->want, r->got, how);
	sb_found("split≠whole%s: whole = %s; cut = %s (%s)", where, r->want, r->got, how);
}

static void compare(struct plan *p, int cap)
{
	static struct run r;

	p->cap = cap;
	decode(&r, p, false);
	if (r.differs)
		report(&r, p);
}

/* Whole is the first of the seven. */
static void decode_seven_ways(void)
{
	static struct plan p;
	static struct run r;

	whole.frames_n = 0;
	whole.err = whole.end = 0;
	whole.held = 0;
	p.is_window = p.has_empties = false;
	p.cuts_n = 0;
	p.cap = BATCH_MAX;
	decode(&r, &p, true);
	if (r.promise)
		sb_found("promise: frame=%s max=%u: %s", subject->text, subject->f.max, r.promise);
	p.has_empties = true;
	plan_pieces(&p, 1);
	compare(&p, 1);
	p.has_empties = false;
	plan_pieces(&p, 8);
	compare(&p, BATCH_MAX);
	plan_pieces(&p, input.n < 160 ? 40 : input.n / 4);
	compare(&p, 2);
	plan_ends(&p);
	compare(&p, 3);
	plan_pieces(&p, input.n + 1);
	p.cuts_n = p.cuts_n > 0;
	compare(&p, 1);
	p.is_window = true;
	plan_pieces(&p, 16);
	compare(&p, 5);
}

static void decode_all_cuts(void)
{
	static struct plan p;

	for (size_t a = 0; a <= input.n; a++)
		for (size_t b = a; b <= input.n; b++) {
			p.cuts[0] = a;
			p.cuts[1] = b;
			p.cuts_n = 2 - (a == b);
			p.is_window = false;
			compare(&p, 1 + (int)(b % 4));
			p.is_window = true;
			compare(&p, 1 + (int)(b % 4));
		}
}

/* ---- against the reference ---- */

static void ask_reference(void)
{
	size_t at = 0, k = 0;

	reference.err = 0;
	while (at < input.n) {
		struct ref_answer a = ref_decode(subject->ref, &subject->args, at, input.p + at, input.n - at);

		reference.err = a.err;
		if (a.err)
			reference.offset = at + a.err_at;
		if (a.wire == 0)
			break;
		reference.frames[k].at = (uint32_t)(at + a.at);
		reference.frames[k].n = (uint32_t)a.n;
		at += a.wire;
		reference.frames[k++].end = (uint32_t)at;
	}
	reference.frames_n = k;
	reference.held = reference.err ? 0 : input.n - at;
	reference.end = reference.held ? SB_E_TRUNCATED : 0;
	if (reference.err == 0)
		reference.offset = input.n;
}

static void compare_reference(void)
{
	char ours[160], theirs[160];
	size_t k = 0;
	bool is_same;

	ask_reference();
	while (k < whole.frames_n && k < reference.frames_n &&
	       memcmp(&whole.frames[k], &reference.frames[k], sizeof(struct entry)) == 0)
		k++;
	is_same = k == whole.frames_n && k == reference.frames_n && whole.err == reference.err &&
		  whole.end == reference.end && whole.offset == reference.offset && whole.held == reference.held;
	if (is_same)
		return;
	say_event(ours, sizeof(ours), &whole, k);
	say_event(theirs, sizeof(theirs), &reference, k);
	sb_found("whole≠reference: reference = %s; whole = %s (frame=%s max=%u)", theirs, ours, subject->text,
		 subject->f.max);
}

/* ---- there and back ---- */

/* The bytes that encode made are one message, this payload, in two pieces as in one. */
static void expect_back(const uint8_t *wire, size_t n, struct sb_slice payload)
{
	size_t size = sb_decoder_hold_size(&subject->f), cut = 0;
	struct sb_decoder d;
	struct sb_frame out;
	uint64_t frames = 0;
	bool is_same = true;

	if (!(subject->f.flags & SB_CODEC_UNFRAMED))
		cut = choose(n + 1);
	if (sb_decoder_setup(&d, &subject->f, open_hold(size), size) < 0)
		sb_found("no decoder for frame=%s", subject->text);
	for (int i = 0; i < 2; i++) {
		size_t piece_n = i ? n - cut : cut;
		uint8_t *piece = arena_copy(&arena, wire + (i ? cut : 0), piece_n);
		struct sb_slice in = sb_slice(piece, piece_n);

		while (is_same && sb_decoder_next(&d, &in, &out, 1) == 1) {
			is_same = sb_slice_eq(sb_slice(out.p, out.n), payload) && out.wire == n;
			frames++;
		}
		arena_close(piece, piece_n);
	}
	if (!is_same || frames != (n > 0) || sb_decoder_end(&d) != 0 || sb_decoder_offset(&d) != n)
		sb_found("decode(encode(x))≠x: frame=%s max=%u", subject->text, subject->f.max);
}

static void there_and_back(size_t at, size_t n)
{
	static uint8_t wire[INPUT_MAX + SB_FRAME_OVERHEAD_MAX], ours[INPUT_MAX + SB_FRAME_OVERHEAD_MAX];
	uint8_t *slot = arena_copy(&arena, input.p + at, n);
	struct sb_wrap wrap;
	int r = sb_framing_encode(&subject->f, sb_slice(slot, n), &wrap);
	long size = subject->ref->encode(&subject->args, input.p + at, n, wire);

	arena_close(slot, n);
	if (r != (size < 0 ? (int)size : 0))
		sb_found("encode≠reference: %zu bytes @%zu: reference = %s; encode = %s (frame=%s max=%u)", n, at,
			 size < 0 ? sb_errname((int)size) : "ok", r < 0 ? sb_errname(r) : "ok", subject->text,
			 subject->f.max);
	if (r < 0)
		return;
	if (wrap.head_n + wrap.tail_n > SB_FRAME_OVERHEAD_MAX || wrap.head_n > sizeof(wrap.head) ||
	    wrap.tail_n > sizeof(wrap.tail))
		sb_found("promise: frame=%s: at most SB_FRAME_OVERHEAD_MAX round a payload", subject->text);
	memcpy(ours, wrap.head, wrap.head_n);
	sb_copy(ours + wrap.head_n, input.p + at, n);
	memcpy(ours + wrap.head_n + n, wrap.tail, wrap.tail_n);
	if (wrap.head_n + n + wrap.tail_n != (size_t)size || memcmp(ours, wire, (size_t)size) != 0)
		sb_found("encode≠reference: frame=%s max=%u: other bytes", subject->text, subject->f.max);
	expect_back(ours, (size_t)size, sb_slice(input.p + at, n));
}

/* Payloads of sizes that matter: what decoding found, nothing, max and one more, any. */
static void encode_three(void)
{
	size_t at = choose(input.n + 1), left = input.n - at, max = subject->f.max;
	size_t sizes[] = {0, 1, max, max + 1, subject->args.fixed_n, choose(left + 1)};
	size_t n = sizes[choose(6)];

	there_and_back(at, n < left ? n : left);
	n = max + choose(2);
	if (n <= input.n)
		there_and_back(input.n - n, n);
	if (whole.frames_n) {
		const struct entry *e = &whole.frames[choose(whole.frames_n)];

		there_and_back(e->at, e->n);
	}
}

/* ---- the target ---- */

/* Defined by the engines. Without one there is time, but nobody who would notice that it does not end. */
__attribute__((weak)) int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *data, size_t n));
__attribute__((weak)) int __afl_persistent_loop(unsigned rounds);

static void on_alarm(int sig)
{
	(void)sig;
	sb_found("progress: %d s, and no end (frame=%s max=%u)", SECONDS_MAX, subject->text, subject->f.max);
}

/* Before main: made when they are needed, they would be what makes two runs of an input differ. */
__attribute__((constructor)) static void make_subjects(void)
{
	for (int mode = 0; mode < 256; mode++)
		make_subject(&subjects[mode], (uint8_t)mode);
}

static void watch(void)
{
	signal(SIGALRM, on_alarm);
	alarm(SECONDS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	bool has_engine = LLVMFuzzerRunDriver || __afl_persistent_loop;

	subject = &subjects[n ? data[0] : 0];
	input = sb_slice(n ? data + 1 : data, n == 0 ? 0 : n - 1 < INPUT_MAX ? n - 1 : INPUT_MAX);
	digest = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < n; i++)
		note(data[i]);
	seed = digest | 1;
	if (!has_engine)
		watch();
	decode_seven_ways();
	if (sb_fuzz_is_verbose)
		say_log(&whole);
	compare_reference();
	encode_three();
	if (!has_engine && input.n <= THOROUGH_MAX)
		decode_all_cuts();
	return 0;
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
