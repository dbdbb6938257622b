/* SPDX-License-Identifier: MIT
 *
 * What the tests of framings share: a log of everything a stream says, made from any cuts of it.
 */
#ifndef SB_TESTS_CODEC_KIT_H
#define SB_TESTS_CODEC_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/decoder.h"

/* What came of a stream: the messages, then how it ended. Two logs are equal byte for byte or not. */
struct log {
	uint32_t frames;
	int err; /* of next, else of end */
	uint64_t offset;
	size_t held;   /* after the last byte, before the end was told */
	uint64_t wire; /* bytes of all frames */
	size_t n;      /* of text */
	char text[8192];
};

static inline struct sb_framing framing(const char *value, uint32_t max)
{
	struct sb_framing f;
	struct sb_fault fault = {.col = 0};

	if (sb_framing_parse(&f, sb_slice_cstr(value), max, &fault) < 0)
		fail_msg("frame=%s max=%u: %s", value, max, fault.text);
	return f;
}

static inline void log_frame(struct log *log, const struct sb_frame *frame)
{
	struct sb_text t = sb_text_in(log->text + log->n, sizeof(log->text) - log->n);

	sb_text_u64(&t, frame->wire);
	sb_text_char(&t, ' ');
	sb_text_escaped(&t, sb_slice(frame->p, frame->n), false);
	sb_text_char(&t, '\n');
	assert_int_equal(t.lost, 0);
	log->n += t.n;
	log->frames++;
	log->wire += frame->wire;
}

/* A copy of n bytes that end where the memory ends: one byte read too far is a crash, without a sanitizer. */
static inline struct sb_slice guarded(const void *bytes, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (n / page + 1) * page;
	uint8_t *mem = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(mem != MAP_FAILED);
	assert_int_equal(mprotect(mem + size, page, PROT_NONE), 0);
	if (n)
		memcpy(mem + size - n, bytes, n);
	return sb_slice(mem + size - n, n);
}

static inline void unguard(struct sb_slice s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (s.n / page + 1) * page;

	munmap((void *)(uintptr_t)(s.p + s.n - size), size + page);
}

/* Feeds one piece, all of it, and holds the decoder to what its header says. */
static inline int feed(struct sb_decoder *d, struct sb_slice piece, int cap, struct log *log)
{
	struct sb_slice in = piece;
	struct sb_frame out[8];
	int r;

	while ((r = sb_decoder_next(d, &in, out, cap)) > 0) {
		assert_true(r <= cap);
		for (int i = 0; i < r; i++)
			log_frame(log, &out[i]);
	}
	assert_true(sb_decoder_held(d) <= sb_decoder_hold_size(&d->framing));
	if (r == 0) {
		assert_int_equal(in.n, 0);
		assert_true(in.p == piece.p + piece.n);
		assert_int_equal(sb_decoder_offset(d), log->wire);
	} else {
		assert_int_equal(sb_decoder_held(d), 0);
	}
	return r;
}

/* The log of the bytes, fed in pieces that end at cuts[0] < cuts[1] < … and at the end; every piece ends at a guard
 * page if guard is set, and has nothing behind it in any case. */
static inline void run(struct log *log, const struct sb_framing *f, struct sb_slice bytes, const size_t *cuts,
		       size_t cuts_n, bool guard)
{
	size_t hold_n = sb_decoder_hold_size(f), at = 0;
	uint8_t *hold = malloc(hold_n ? hold_n : 1);
	struct sb_decoder d;
	int r = 0;

	memset(log, 0, sizeof(*log));
	assert_int_equal(sb_decoder_setup(&d, f, hold, hold_n), 0);
	for (size_t i = 0; i <= cuts_n && r == 0; i++) {
		size_t to = i < cuts_n ? cuts[i] : bytes.n;
		struct sb_slice piece = sb_slice(bytes.p + at, to - at);

		if (guard)
			piece = guarded(piece.p, piece.n);
		r = feed(&d, piece, 1 + (int)(i % 8), log);
		if (guard)
			unguard(piece);
		at = to;
	}
	log->held = sb_decoder_held(&d);
	log->err = sb_decoder_end(&d);
	log->offset = sb_decoder_offset(&d);
	if (r < 0)
		assert_int_equal(log->err, r);
	free(hold);
}

/* The log of the bytes in pieces of step bytes each. */
static inline void run_steps(struct log *log, const struct sb_framing *f, struct sb_slice bytes, size_t step)
{
	size_t n = bytes.n / step + 1, *cuts = calloc(n, sizeof(*cuts)), cuts_n = 0;

	for (size_t at = step; at < bytes.n; at += step)
		cuts[cuts_n++] = at;
	run(log, f, bytes, cuts, cuts_n, false);
	free(cuts);
}

static inline void same_log(const struct log *a, const struct log *b, const char *what)
{
	if (a->err == b->err && a->offset == b->offset && a->held == b->held && a->frames == b->frames &&
	    a->n == b->n && memcmp(a->text, b->text, a->n) == 0)
		return;
	fail_msg("%s:\n%.*s%s @%llu held %zu\n-- but --\n%.*s%s @%llu held %zu", what, (int)a->n, a->text,
		 a->err ? sb_errname(a->err) : "ok", (unsigned long long)a->offset, a->held, (int)b->n, b->text,
		 b->err ? sb_errname(b->err) : "ok", (unsigned long long)b->offset, b->held);
}

/* The bytes say so many frames and then end (0), or break (SB_E_*) at offset: at once, and byte by byte. */
static inline void says(const char *value, uint32_t max, const void *bytes, size_t n, uint32_t frames, int err,
			uint64_t offset)
{
	struct sb_framing f = framing(value, max);
	struct log whole, single;

	run(&whole, &f, sb_slice(bytes, n), NULL, 0, true);
	run_steps(&single, &f, sb_slice(bytes, n), 1);
	if (whole.frames != frames || whole.err != err || whole.offset != offset)
		fail_msg("frame=%s max=%u: %u frames, %s @%llu, not %u frames, %s @%llu", value, max, whole.frames,
			 whole.err ? sb_errname(whole.err) : "ok", (unsigned long long)whole.offset, frames,
			 err ? sb_errname(err) : "ok", (unsigned long long)offset);
	same_log(&whole, &single, "byte by byte");
}

/* How a stream ends, in the tables of SAYS. */
#define OK 0
#define TRUNCATED SB_E_TRUNCATED
#define LARGE SB_E_TOO_LARGE
#define LENGTH SB_E_BAD_LENGTH
#define DELIMITER SB_E_BAD_DELIMITER
#define OVERLONG SB_E_OVERLONG

/* says, for a string literal with whatever bytes in it. */
#define SAYS(value, max, literal, frames, err, offset)                                                                 \
	says(value, max, literal, sizeof(literal) - 1, frames, err, offset)

#endif
