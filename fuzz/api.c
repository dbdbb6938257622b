/* SPDX-License-Identifier: MIT
 *
 * Target: decoders by streambed.h alone, as a program that links the library has them. The input is a framing, a line
 * end, and a stream:
 *
 *   frame=line max=4
 *   ab
 *   cde
 *
 * What the header promises is held to, and nothing else is known: sizes and errors are the same whoever asks; messages,
 * error and offset are the same however the stream is cut and whatever cap is; a broken decoder says the same and takes
 * nothing; what has been decoded, encoded again, is the same. Memory is as large as was asked for, to the byte.
 */
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "found.h"
#include "streambed.h"
#include "target.h"

enum { TEXT_MAX = 1200, STREAM_MAX = 2048, FRAMES_MAX = 4, CUTS = 4 };

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	return (h ^ v) * UINT64_C(0x100000001b3) + (h >> 29);
}

static uint64_t mix_bytes(uint64_t h, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = mix(h, p[i]);
	return mix(h, n);
}

/* ---- errors ---- */

static void check_error(int err)
{
	const char *name = sb_errname(err), *text = sb_strerror(err);

	if (!name || !name[0] || !text || !text[0])
		sb_found("error %d has no name or no text", err);
	digest = mix_bytes(digest, (const uint8_t *)name, strlen(name));
}

static void check_fault(const struct sb_fault *fault, int r, size_t n)
{
	size_t len = strnlen(fault->text, sizeof(fault->text));

	check_error(r);
	if (fault->code != r)
		sb_found("returns %s, its fault says %s", sb_errname(r), sb_errname(fault->code));
	if (len == 0 || len == sizeof(fault->text))
		sb_found("returns %s, and its fault has no text", sb_errname(r));
	if (fault->col > n + 1)
		sb_found("the fault of a framing of %zu bytes is about column %u: %s", n, fault->col, fault->text);
}

/* ---- a decoder in memory of its own ---- */

struct box {
	struct sb_decoder *d;
	void *mem;
	size_t size;
};

static void box_open(struct box *b, const char *framing, size_t size)
{
	struct sb_fault fault = {0};
	int r;

	*b = (struct box){.size = size, .mem = malloc(size)};
	r = sb_decoder_init(&b->d, b->mem, size, framing, &fault);
	if (r != 0)
		sb_found("a decoder in memory of its size returns %s: %s", sb_errname(r), fault.text);
	if (sb_decoder_offset(b->d) != 0 || sb_decoder_held(b->d) != 0)
		sb_found("a new decoder is at %llu and holds %zu bytes", (unsigned long long)sb_decoder_offset(b->d),
			 sb_decoder_held(b->d));
}

static void box_close(struct box *b)
{
	free(b->mem);
}

static void check_memory(const char *framing, size_t size)
{
	struct sb_fault fault = {0};
	struct sb_decoder *d = NULL;
	void *mem = malloc(size);
	int r = sb_decoder_init(&d, mem, size - 1, framing, &fault);

	if (r != SB_E_NO_SPACE || d)
		sb_found("a decoder in a byte less than its size returns %s", sb_errname(r));
	check_fault(&fault, r, 0);
	if (sb_decoder_init(&d, mem, size - 1, framing, NULL) != r)
		sb_found("without a fault it returns something else than %s", sb_errname(r));
	free(mem);
}

/* ---- encoding ---- */

/* What goes around payload, decoded by another, is payload again. */
static void check_encode(const struct box *b, const char *framing, struct sb_slice payload)
{
	static uint8_t wire[STREAM_MAX + 256];
	struct sb_slice in = {.p = wire};
	struct sb_frame f[2];
	struct sb_wrap wrap;
	struct box other;
	int r = sb_encode(b->d, payload, &wrap);

	digest = mix(digest, (uint64_t)r);
	if (r < 0) {
		if (r != SB_E_BAD_PAYLOAD && r != SB_E_TOO_LARGE)
			sb_found("encode returns %s", sb_errname(r));
		return;
	}
	memcpy(wire, wrap.head, wrap.head_n);
	if (payload.n)
		memcpy(wire + wrap.head_n, payload.p, payload.n);
	memcpy(wire + wrap.head_n + payload.n, wrap.tail, wrap.tail_n);
	in.n = wrap.head_n + payload.n + wrap.tail_n;
	if (in.n == 0)
		return; /* raw: no message at all */
	box_open(&other, framing, b->size);
	r = sb_decoder_next(other.d, &in, f, 2);
	if (r != 1 || in.n != 0)
		sb_found("what encode makes of %zu bytes decodes as %d messages, %zu bytes left", payload.n, r, in.n);
	if (f[0].n != payload.n || (payload.n && memcmp(f[0].p, payload.p, payload.n) != 0))
		sb_found("what encode makes of %zu bytes decodes as %u others", payload.n, f[0].n);
	if (f[0].wire != wrap.head_n + payload.n + wrap.tail_n)
		sb_found("a message of %zu bytes on the wire says %u", wrap.head_n + payload.n + wrap.tail_n,
			 f[0].wire);
	if (sb_decoder_end(other.d) != 0)
		sb_found("what encode makes does not end where a message does");
	box_close(&other);
}

/* ---- a stream ---- */

struct seen {
	uint64_t frames, bytes, hash; /* of payloads, one after the other; hash also of where they end, unless raw */
	uint64_t offset;
	int err, end;
};

struct feed {
	struct box box;
	struct seen s;
	bool is_raw; /* messages are what arrives: their number is no promise */
	uint64_t taken, wire;
};

/* Which way of cutting: how large the next piece is, and how many messages may come at once. */
static size_t piece_of(unsigned way, uint64_t *state, size_t left)
{
	size_t n = left;

	if (way == 1)
		n = 1;
	if (way >= 2) {
		*state = mix(*state, way) | 1;
		n = 1 + (size_t)(*state >> 33) % (way == 2 ? 7 : 100);
	}
	return n < left ? n : left;
}

static void note_frame(struct feed *f, const struct sb_frame *frame)
{
	f->s.frames++;
	f->s.bytes += frame->n;
	for (uint32_t i = 0; i < frame->n; i++)
		f->s.hash = mix(f->s.hash, frame->p[i]);
	if (!f->is_raw)
		f->s.hash = mix(mix(f->s.hash, frame->n), frame->wire);
	f->wire += frame->wire;
}

/* One call. False: this piece is done with. */
static bool next(struct feed *f, struct sb_slice *in, int cap)
{
	struct sb_frame out[FRAMES_MAX];
	struct sb_slice before = *in;
	int r = sb_decoder_next(f->box.d, in, out, cap);

	if (in->p < before.p || in->p > before.p + before.n || in->p + in->n != before.p + before.n)
		sb_found("next leaves bytes that it was not given");
	f->taken += before.n - in->n;
	if (r > cap)
		sb_found("next finds %d messages with room for %d", r, cap);
	for (int i = 0; i < r; i++)
		note_frame(f, &out[i]);
	if (r == 0 && in->n > 0)
		sb_found("next wants more, and leaves %zu bytes", in->n);
	if (r >= 0 && sb_decoder_offset(f->box.d) != f->wire)
		sb_found("after %llu messages of %llu bytes the next is at %llu", (unsigned long long)f->s.frames,
			 (unsigned long long)f->wire, (unsigned long long)sb_decoder_offset(f->box.d));
	if (r >= 0 && f->wire + sb_decoder_held(f->box.d) != f->taken)
		sb_found("took %llu bytes, %llu of messages, and holds %zu", (unsigned long long)f->taken,
			 (unsigned long long)f->wire, sb_decoder_held(f->box.d));
	if (sb_decoder_held(f->box.d) > f->box.size)
		sb_found("holds %zu bytes in %zu", sb_decoder_held(f->box.d), f->box.size);
	if (r < 0)
		f->s.err = r;
	return r > 0;
}

/* It says the same, and takes nothing. */
static void check_broken(struct feed *f)
{
	struct sb_slice in = {.p = (const uint8_t *)"\0\r\n1", .n = 4};
	struct sb_frame out[1];

	check_error(f->s.err);
	if (sb_decoder_offset(f->box.d) != f->taken)
		sb_found("is broken at %llu, but stands at %llu", (unsigned long long)sb_decoder_offset(f->box.d),
			 (unsigned long long)f->taken);
	if (sb_decoder_next(f->box.d, &in, out, 1) != f->s.err || in.n != 4)
		sb_found("is broken, and the next call says or takes something else");
}

/* A call without room, or without bytes, is no call. */
static void check_nothing(struct feed *f, struct sb_slice in)
{
	struct sb_slice none = {.p = in.p, .n = 0};
	struct sb_frame out[1];
	size_t n = in.n;

	if (sb_decoder_next(f->box.d, &in, out, 0) != 0 || in.n != n)
		sb_found("next with room for no message does something");
	if (sb_decoder_next(f->box.d, &none, out, 1) != 0)
		sb_found("next without bytes finds something");
}

static struct seen feed(const char *framing, size_t size, struct sb_slice stream, unsigned way)
{
	static const int caps[CUTS] = {FRAMES_MAX, 1, 2, 3};
	struct feed f = {.is_raw = strstr(framing, "frame=") == NULL || strstr(framing, "frame=raw") != NULL};
	uint64_t state = 7;

	box_open(&f.box, framing, size);
	while (stream.n > 0 && f.s.err == 0) {
		size_t n = piece_of(way, &state, stream.n);
		/* A copy of its own, so that a byte too many is seen, and one looked at too late. */
		uint8_t *piece = malloc(n);
		struct sb_slice in = {.p = piece, .n = n};

		memcpy(piece, stream.p, n);
		stream = (struct sb_slice){stream.p + n, stream.n - n};
		if (way == 2)
			check_nothing(&f, in);
		while (next(&f, &in, caps[way]))
			;
		free(piece);
	}
	f.s.offset = sb_decoder_offset(f.box.d);
	if (f.s.err)
		check_broken(&f);
	f.s.end = sb_decoder_end(f.box.d);
	if (f.s.err ? f.s.end != f.s.err : f.s.end != 0 && f.s.end != SB_E_TRUNCATED)
		sb_found("its end is %s after %s", sb_errname(f.s.end), sb_errname(f.s.err));
	if (f.s.err == 0 && (f.s.end != 0) != (f.wire != f.taken))
		sb_found("its end is %d, with %llu bytes that are no message's", f.s.end,
			 (unsigned long long)(f.taken - f.wire));
	box_close(&f.box);
	if (f.is_raw)
		f.s.frames = 0;
	return f.s;
}

static void check_same(const struct seen *a, const struct seen *b, unsigned way)
{
	if (a->frames != b->frames || a->bytes != b->bytes || a->hash != b->hash)
		sb_found("split≠whole: %llu messages of %llu bytes; cut in way %u: %llu of %llu",
			 (unsigned long long)a->frames, (unsigned long long)a->bytes, way,
			 (unsigned long long)b->frames, (unsigned long long)b->bytes);
	if (a->err != b->err || a->offset != b->offset || a->end != b->end)
		sb_found("split≠whole: %s at %llu, then %d; cut in way %u: %s at %llu, then %d", sb_errname(a->err),
			 (unsigned long long)a->offset, a->end, way, sb_errname(b->err), (unsigned long long)b->offset,
			 b->end);
}

static void run(const char *framing, size_t size, struct sb_slice stream)
{
	struct seen whole = feed(framing, size, stream, 0);
	struct box box;

	for (unsigned way = 1; way < CUTS; way++) {
		struct seen cut = feed(framing, size, stream, way);

		check_same(&whole, &cut, way);
	}
	digest = mix(mix(mix(digest, whole.hash), whole.offset), (uint64_t)whole.end);
	box_open(&box, framing, size);
	check_encode(&box, framing, stream);
	check_encode(&box, framing, (struct sb_slice){stream.p, stream.n / 2});
	check_encode(&box, framing, (struct sb_slice){stream.p, stream.n < 5 ? stream.n : 5});
	box_close(&box);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char framing[TEXT_MAX + 1];
	struct sb_fault fault = {0};
	struct sb_decoder *d = NULL;
	alignas(max_align_t) uint8_t little[16];
	size_t text = 0;
	long size;

	digest = 0;
	while (text < n && data[text] != '\n' && text < TEXT_MAX)
		text++;
	if (text)
		memcpy(framing, data, text);
	framing[text] = '\0';
	size = sb_decoder_size(framing, &fault);
	if (sb_decoder_size(framing, NULL) != size)
		sb_found("size without a fault is something else than %ld", size);
	digest = mix(digest, (uint64_t)size);
	if (size < 0) {
		check_fault(&fault, (int)size, strlen(framing));
		if (sb_decoder_init(&d, little, sizeof(little), framing, NULL) != size || d)
			sb_found("init and size do not agree about %s", fault.text);
		return 0;
	}
	check_memory(framing, (size_t)size);
	n -= text < n ? text + 1 : text;
	run(framing, (size_t)size, (struct sb_slice){data + (n ? text + 1 : 0), n < STREAM_MAX ? n : STREAM_MAX});
	for (size_t i = 0; i < n && i < 8; i++) /* any number at all */
		check_error((i % 2 ? -4900 : 0) - data[text + 1 + i]);
	return 0;
}
