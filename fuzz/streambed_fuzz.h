/* SPDX-License-Identifier: MIT
 *
 * streambed_fuzz.h: does your stream parser say the same however its input is cut?
 *
 * One file, C99 or C++11, nothing to link. Your parser gets each input whole, byte by byte, and in pieces of many
 * sizes, and must report the same events every time. Each piece lies alone in memory of exactly its size and is gone
 * after the call, so with a sanitizer a byte read too far, or kept too long, is found as well.
 *
 *   #include "streambed_fuzz.h"                        sbf_event, sbf_bytes, sbf_number
 *
 *   static struct parser p;
 *   static void on_header(const char *s, size_t n) { sbf_event("header", s, n); }
 *   static void on_body(const char *s, size_t n)   { sbf_bytes("body", s, n); }
 *   static void init(void)                               { parser_init(&p, on_header, on_body); }
 *   static int feed(const unsigned char *s, size_t n)    { return parser_feed(&p, s, n); }
 *   static int finish(void)                              { return parser_finish(&p); }
 *
 *   #define SBF_INIT init                              functions, or macros that take the same arguments
 *   #define SBF_FEED feed
 *   #define SBF_FINISH finish
 *   #include "streambed_fuzz.h"                        the target
 *
 *   clang -g -fsanitize=fuzzer,address,undefined target.c parser.c -o fuzz      ./fuzz corpus/
 *   afl-clang-fast -fsanitize=fuzzer target.c parser.c -o fuzz                  afl-fuzz -i corpus -o out -- ./fuzz
 *   cc -g -DSBF_MAIN target.c parser.c -o replay                                ./replay corpus/a corpus/b
 *
 * init   makes the parser as new. Everything it remembers is gone.
 * feed   is given n > 0 bytes that go on where the last ones ended. 0: more, please. Else an error: a code that must
 *        be the same for every cut; nothing is fed after it.
 * finish is called once at the end, after an error too: to end the stream, to free. What it returns is an event,
 *        unless feed had an error.
 *
 * Define before the second include, if you like:
 *   SBF_EMPTY 1         empty pieces (n is 0) come too. Not if your parser takes one for the end, as some do.
 *   SBF_ALL_CUTS n      the replay cuts inputs of up to so many bytes at every two places (48), and of up to so
 *                       many, squared, at every place
 *   SBF_INPUT_MAX n     longer inputs are cut off here (65536)
 */
#ifndef STREAMBED_FUZZ_H
#define STREAMBED_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define SBF_MAYBE_UNUSED __attribute__((unused))
#else
#define SBF_MAYBE_UNUSED
#endif

/* ---- what your callbacks call --------------------------------------------------------------------------------- */

/* Something has come, and these n bytes with it: a header's name, a message. kind is a string that stays. */
static void sbf_event(const char *kind, const void *p, size_t n);

/* Bytes of something that may come in pieces, as bodies do: those of one kind join until another event comes, so it
 * makes no difference how many calls report them. No bytes are no event. */
static void sbf_bytes(const char *kind, const void *p, size_t n);

/* A number that belongs to what has come: an offset, a status, a length. */
static void sbf_number(const char *kind, long long v);

/* Forgets the bytes since the last event or number. For parsers that, when they meet an error, do not report what they
 * have read of a token: then it depends on the cuts, and to call this in feed says that you do not mind. */
static void sbf_drop(void);

/* ---- the record of a run -------------------------------------------------------------------------------------- */

struct sbf_item {
	const char *kind;
	size_t at, n; /* its bytes in text */
	int joins;
};

struct sbf_log {
	struct sbf_item *items;
	unsigned char *text;
	size_t items_n, items_cap, text_n, text_cap;
};

/* [0]: of the input as a whole; [1]: of the run in progress, which is being compared. */
static struct sbf_log sbf_logs[2];
static struct sbf_log *sbf_log_now = &sbf_logs[0];

/* What was found, after sbf_check() has said 1. */
static char sbf_found[1024];

static void *sbf_must(void *p)
{
	if (p == NULL) {
		fprintf(stderr, "streambed_fuzz: out of memory\n");
		exit(2);
	}
	return p;
}

static void *sbf_grow(void *p, size_t *cap, size_t need, size_t item)
{
	if (need <= *cap)
		return p;
	*cap = need < 64 ? 64 : 2 * need;
	return sbf_must(realloc(p, *cap * item));
}

static void sbf_add(const char *kind, const void *p, size_t n, int joins)
{
	struct sbf_log *log = sbf_log_now;
	struct sbf_item *last = log->items_n ? &log->items[log->items_n - 1] : NULL;

	log->text = (unsigned char *)sbf_grow(log->text, &log->text_cap, log->text_n + n + 1, 1); /* never NULL */
	if (n)
		memcpy(log->text + log->text_n, p, n);
	if (joins && last && last->joins && strcmp(last->kind, kind) == 0) {
		last->n += n;
	} else {
		log->items =
			(struct sbf_item *)sbf_grow(log->items, &log->items_cap, log->items_n + 1, sizeof(*log->items));
		last = &log->items[log->items_n++];
		last->kind = kind;
		last->at = log->text_n;
		last->n = n;
		last->joins = joins;
	}
	log->text_n += n;
}

static SBF_MAYBE_UNUSED void sbf_event(const char *kind, const void *p, size_t n)
{
	sbf_add(kind, p, n, 0);
}

static SBF_MAYBE_UNUSED void sbf_bytes(const char *kind, const void *p, size_t n)
{
	if (n)
		sbf_add(kind, p, n, 1);
}

static SBF_MAYBE_UNUSED void sbf_number(const char *kind, long long v)
{
	char text[32];

	sbf_add(kind, text, (size_t)snprintf(text, sizeof(text), "%lld", v), 0);
}

static SBF_MAYBE_UNUSED void sbf_drop(void)
{
	struct sbf_log *log = sbf_log_now;

	while (log->items_n && log->items[log->items_n - 1].joins)
		log->items_n--;
}

#endif

/* ---- the target: given the three, once ------------------------------------------------------------------------ */

#if defined(SBF_FEED) && !defined(STREAMBED_FUZZ_TARGET)
#define STREAMBED_FUZZ_TARGET

/* Your file may well have a global p or n. */
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

#ifndef SBF_EMPTY
#define SBF_EMPTY 0
#endif
#ifndef SBF_ALL_CUTS
#define SBF_ALL_CUTS 48
#endif
#ifndef SBF_INPUT_MAX
#define SBF_INPUT_MAX 65536
#endif

/* Where to cut: ascending, each less than the input's size. */
struct sbf_plan {
	size_t *cuts;
	size_t n, cap;
};

static struct sbf_plan sbf_plan_now;
static uint64_t sbf_seed;

static size_t sbf_choose(size_t n)
{
	sbf_seed ^= sbf_seed << 13;
	sbf_seed ^= sbf_seed >> 7;
	sbf_seed ^= sbf_seed << 17;
	return (size_t)((sbf_seed >> 16) % n);
}

/* Feeds a copy that is as large as the piece, and is wrong and gone afterwards. */
static int sbf_feed_copy(const unsigned char *p, size_t n)
{
	unsigned char *copy = (unsigned char *)sbf_must(malloc(n ? n : 1));
	volatile unsigned char *spoil = copy;
	int r;

	if (n)
		memcpy(copy, p, n);
	r = SBF_FEED(copy, n);
	for (size_t i = 0; i < n; i++)
		spoil[i] = 0xdb;
	free(copy);
	return r;
}

/* Runs the input, cut as planned, into log. */
static void sbf_run(struct sbf_log *log, const unsigned char *p, size_t n, const struct sbf_plan *plan)
{
	size_t from = 0;
	int r = 0, end;

	log->items_n = log->text_n = 0;
	sbf_log_now = log;
	SBF_INIT();
	for (size_t i = 0; r == 0 && i <= plan->n; i++) {
		size_t to = i < plan->n ? plan->cuts[i] : n;

		if (SBF_EMPTY)
			r = sbf_feed_copy(p, 0);
		if (r == 0 && to > from)
			r = sbf_feed_copy(p + from, to - from);
		from = to;
	}
	if (r != 0)
		sbf_number("error of feed", r);
	end = SBF_FINISH();
	if (r == 0)
		sbf_number("end", end);
}

/* ---- comparing ---- */

static int sbf_is_same(const struct sbf_log *a, size_t i, const struct sbf_log *b)
{
	const struct sbf_item *x = &a->items[i], *y = &b->items[i];

	return x->n == y->n && strcmp(x->kind, y->kind) == 0 && memcmp(a->text + x->at, b->text + y->at, x->n) == 0;
}

/* The first event that differs, or -1. */
static long sbf_difference(void)
{
	const struct sbf_log *a = &sbf_logs[0], *b = &sbf_logs[1];
	size_t i = 0;

	while (i < a->items_n && i < b->items_n && sbf_is_same(a, i, b))
		i++;
	return i == a->items_n && i == b->items_n ? -1 : (long)i;
}

static size_t sbf_say_item(char *to, size_t size, const struct sbf_log *log, size_t i)
{
	size_t at = 0, n;

	if (i >= log->items_n)
		return (size_t)snprintf(to, size, "nothing more");
	n = log->items[i].n < 32 ? log->items[i].n : 32;
	at += (size_t)snprintf(to, size, "%.40s \"", log->items[i].kind);
	for (size_t k = 0; k < n; k++) {
		int c = log->text[log->items[i].at + k];

		at += (size_t)snprintf(to + at, size - at,
				       c < 32 || c > 126 || c == '"' || c == '\\' ? "\\x%02x" : "%c", (unsigned)c);
	}
	if (n < log->items[i].n)
		return at + (size_t)snprintf(to + at, size - at, "\"... (%lu bytes)", (unsigned long)log->items[i].n);
	return at + (size_t)snprintf(to + at, size - at, "\"");
}

/* FOUND split≠whole at cut 13: whole = line "ab"; cut = error of feed "-2" (event 4) */
static void sbf_say_found(const struct sbf_plan *plan, long event)
{
	size_t size = sizeof(sbf_found), at;

	if (plan->n == 0)
		at = (size_t)snprintf(sbf_found, size, "FOUND whole≠whole: the same input, run again after init");
	else
		at = (size_t)snprintf(sbf_found, size, "FOUND split≠whole at cut%s", plan->n > 1 ? "s" : "");
	for (size_t i = 0; i < plan->n && i < 16; i++)
		at += (size_t)snprintf(sbf_found + at, size - at, "%c%lu", i ? ',' : ' ', (unsigned long)plan->cuts[i]);
	at += (size_t)snprintf(sbf_found + at, size - at, "%s: whole = ", plan->n > 16 ? ",..." : "");
	at += sbf_say_item(sbf_found + at, size - at, &sbf_logs[0], (size_t)event);
	at += (size_t)snprintf(sbf_found + at, size - at, "; %s = ", plan->n ? "cut" : "again");
	at += sbf_say_item(sbf_found + at, size - at, &sbf_logs[1], (size_t)event);
	snprintf(sbf_found + at, size - at, " (event %ld)", event + 1);
}

/* 1: cut so, the input is not what it was as a whole. */
static int sbf_differs(const unsigned char *p, size_t n, const struct sbf_plan *plan)
{
	long event;

	sbf_run(&sbf_logs[1], p, n, plan);
	event = sbf_difference();
	if (event >= 0)
		sbf_say_found(plan, event);
	return event >= 0;
}

/* 1: cut once, or in two places, it differs. Tries all places before most. */
static int sbf_differs_at_any(const unsigned char *p, size_t n, size_t cuts_n, size_t most)
{
	size_t cuts[2];
	struct sbf_plan plan;

	plan.cuts = cuts;
	plan.n = plan.cap = cuts_n;
	for (cuts[0] = 1; cuts[0] < n && cuts[0] <= most; cuts[0]++) {
		if (cuts_n == 1 && sbf_differs(p, n, &plan))
			return 1;
		for (cuts[1] = cuts[0] + 1; cuts_n == 2 && cuts[1] < n && cuts[1] <= most; cuts[1]++)
			if (sbf_differs(p, n, &plan))
				return 1;
	}
	return 0;
}

/* ---- an input ---- */

/* Pieces of 1 to most bytes. */
static int sbf_differs_in_pieces(const unsigned char *p, size_t n, size_t most)
{
	struct sbf_plan *plan = &sbf_plan_now;

	plan->cuts = (size_t *)sbf_grow(plan->cuts, &plan->cap, n + 1, sizeof(*plan->cuts));
	plan->n = 0;
	for (size_t at = 1 + sbf_choose(most); at < n; at += 1 + sbf_choose(most))
		plan->cuts[plan->n++] = at;
	if (!sbf_differs(p, n, plan))
		return 0;
	/* Fewer cuts say more. */
	if (!sbf_differs_at_any(p, n, 1, 4096) && !sbf_differs_at_any(p, n, 2, 128))
		sbf_differs(p, n, plan);
	return 1;
}

/* Runs an input in nine ways. 0: always the same; 1: not, and sbf_found says what. */
static SBF_MAYBE_UNUSED int sbf_check(const unsigned char *p, size_t n)
{
	static const size_t mosts[] = {1, 2, 4, 9, 33, 300};
	struct sbf_plan whole = {NULL, 0, 0};

	n = n < SBF_INPUT_MAX ? n : SBF_INPUT_MAX;
	sbf_seed = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < n; i++)
		sbf_seed = (sbf_seed ^ p[i]) * UINT64_C(0x100000001b3);
	sbf_seed |= 1;
	sbf_run(&sbf_logs[0], p, n, &whole);
	if (sbf_differs(p, n, &whole))
		return 1;
	for (size_t i = 0; i < sizeof(mosts) / sizeof(mosts[0]); i++)
		if (sbf_differs_in_pieces(p, n, mosts[i]))
			return 1;
	return sbf_differs_in_pieces(p, n, n + 1);
}

/* The same, and all cuts of a short one. */
static SBF_MAYBE_UNUSED int sbf_check_thoroughly(const unsigned char *p, size_t n)
{
	if (sbf_check(p, n))
		return 1;
	if (n <= SBF_ALL_CUTS * SBF_ALL_CUTS && sbf_differs_at_any(p, n, 1, n))
		return 1;
	return n <= SBF_ALL_CUTS && sbf_differs_at_any(p, n, 2, n);
}

/* ---- the entries ---- */

/* What main does: runs the files. 0: all is well, 1: something was found, 2: a file cannot be read. */
static SBF_MAYBE_UNUSED int sbf_main(int argc, char **argv)
{
	static unsigned char bytes[SBF_INPUT_MAX];

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		size_t n = f ? fread(bytes, 1, sizeof(bytes), f) : 0;

		if (f == NULL || ferror(f)) { /* a folder opens, and cannot be read */
			perror(argv[i]);
			return 2;
		}
		fclose(f);
		if (sbf_check_thoroughly(bytes, n)) {
			fprintf(stderr, "%s\ninput: %s\n", sbf_found, argv[i]);
			return 1;
		}
	}
	printf("%d inputs: well\n", argc - 1);
	return 0;
}

#ifdef __cplusplus
extern "C"
#endif
	int
	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (sbf_check(data, n)) {
		fprintf(stderr, "%s\n", sbf_found);
		abort();
	}
	return 0;
}

#ifdef SBF_MAIN
int main(int argc, char **argv)
{
	return sbf_main(argc, argv);
}
#endif

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#endif
