/* SPDX-License-Identifier: MIT
 *
 * Framing in memory: how fast a stream is cut into messages, beside the least that any decoder must do.
 *
 *   framing [ROUNDS]      ROUNDS interleaved rounds, 15 by default; exit 1 when a figure misses its mark
 *
 * The limit is the tightest loop there is for that one framing: memchr from LF to LF, or a hop from length to
 * length, adding up the sizes. It is called for each piece, as pieces come from one recv after the other, and
 * copies the parts of split messages, as every decoder must that hands out whole messages, and nothing else. Both
 * are timed in turn in every round, on the
 * thread's own CPU clock; a ratio is the median of the rounds' ratios. "same" is the limit against itself: a
 * difference below its distance from 1 is no finding.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "codec/decoder.h"

enum { STREAM_SIZE = 1 << 20, BATCH = 64, ROUNDS_MAX = 101, ROUNDS = 15, RUN_NS = 10000000 };

/* What a limit knows between two pieces. */
struct limit {
	uint64_t sum; /* bytes of payload so far */
	size_t held;  /* bytes of a split message in hold */
};

typedef void limit_fn(struct limit *l, const uint8_t *p, size_t n);

struct job {
	const char *frame;
	uint32_t payload;
	size_t feed;     /* bytes of a piece, 0 for the whole stream at once */
	limit_fn *limit; /* NULL: none */
	double mark;     /* with a limit, the least ratio to it; without, the least GB/s; 0: none */
};

static uint8_t stream[STREAM_SIZE + SB_FRAME_MAX + 128], hold[SB_FRAME_MAX + 128];

/* ---- the limits ---- */

/* Keeps the compiler from seeing that nobody reads the joined message. */
static void use(const void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

static void limit_line(struct limit *l, const uint8_t *p, size_t n)
{
	const uint8_t *stop = p + n, *lf;
	uint64_t sum = l->sum;
	size_t held = l->held;

	if (held && (lf = memchr(p, '\n', n)) != NULL) {
		memcpy(hold + held, p, (size_t)(lf - p));
		use(hold);
		sum += held + (size_t)(lf - p);
		held = 0;
		p = lf + 1;
	}
	while (p < stop && (lf = memchr(p, '\n', (size_t)(stop - p))) != NULL) {
		sum += (size_t)(lf - p);
		p = lf + 1;
	}
	memcpy(hold + held, p, (size_t)(stop - p));
	l->held = held + (size_t)(stop - p);
	l->sum = sum;
}

static uint32_t read_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void limit_u32(struct limit *l, const uint8_t *p, size_t n)
{
	const uint8_t *stop = p + n;
	uint64_t sum = l->sum;
	size_t held = l->held;

	if (held) {
		size_t some = held < 4 ? 4 - held : 0;

		memcpy(hold + held, p, some);
		held += some;
		p += some;
		some = 4 + read_u32(hold) - held;
		memcpy(hold + held, p, some);
		use(hold);
		sum += read_u32(hold);
		p += some;
	}
	while (stop - p >= 4 && (size_t)(stop - p) - 4 >= read_u32(p)) {
		uint32_t size = read_u32(p);

		sum += size;
		p += 4 + size;
	}
	memcpy(hold, p, (size_t)(stop - p));
	l->held = (size_t)(stop - p);
	l->sum = sum;
}

/* ---- ours ---- */

/* How many messages: the decoder's work is done when frames are there. */
static uint64_t ours(const struct sb_framing *f, size_t n, size_t feed)
{
	struct sb_decoder d;
	struct sb_frame frames[BATCH];
	uint64_t count = 0;

	sb_decoder_setup(&d, f, hold, sizeof(hold));
	for (size_t at = 0; at < n; at += feed) {
		struct sb_slice in = sb_slice(stream + at, n - at < feed ? n - at : feed);
		int r;

		while (in.n > 0 && (r = sb_decoder_next(&d, &in, frames, BATCH)) > 0) {
			use(frames);
			count += (uint64_t)r;
		}
	}
	return count;
}

/* ---- measuring ---- */

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t once(const struct job *job, const struct sb_framing *f, size_t n, limit_fn *limit)
{
	size_t feed = job->feed ? job->feed : n;
	struct limit l = {0};

	if (!limit)
		return ours(f, n, feed);
	for (size_t at = 0; at < n; at += feed)
		limit(&l, stream + at, n - at < feed ? n - at : feed);
	return l.sum;
}

/* GB/s of at least RUN_NS of work. */
static double speed(const struct job *job, const struct sb_framing *f, size_t n, limit_fn *limit)
{
	double from = now_ns(), took;
	size_t times = 0;

	do {
		use((const void *)(uintptr_t)once(job, f, n, limit));
		times++;
		took = now_ns() - from;
	} while (took < RUN_NS);
	return (double)(times * n) / took;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

/* A stream of messages of job->payload bytes each. Returns its size, 0 when the framing does not take them. */
static size_t build(const struct job *job, struct sb_framing *f)
{
	static uint8_t payload[SB_FRAME_MAX];
	struct sb_wrap wrap;
	size_t n = 0;

	memset(payload, 'x', sizeof(payload));
	if (sb_framing_parse(f, sb_slice_cstr(job->frame), SB_FRAME_MAX, NULL) < 0)
		return 0;
	if (sb_framing_encode(f, sb_slice(payload, job->payload), &wrap) < 0)
		return 0;
	while (n < STREAM_SIZE) {
		memcpy(stream + n, wrap.head, wrap.head_n);
		n += wrap.head_n;
		memcpy(stream + n, payload, job->payload);
		n += job->payload;
		memcpy(stream + n, wrap.tail, wrap.tail_n);
		n += wrap.tail_n;
	}
	return n;
}

/* 0, or 1 when the mark is missed. */
static int measure(const struct job *job, size_t rounds)
{
	double us[ROUNDS_MAX], limit[ROUNDS_MAX], ratio[ROUNDS_MAX], same[ROUNDS_MAX], figure;
	struct sb_framing f;
	size_t n = build(job, &f);
	char feed[24] = "whole";
	uint64_t messages;

	messages = n ? once(job, &f, n, NULL) : 0;
	if (messages == 0 || (job->limit && messages * job->payload != once(job, &f, n, job->limit))) {
		printf("%s: the decoder and the limit do not agree\n", job->frame);
		return 1;
	}
	for (size_t i = 0; i < rounds; i++) {
		limit[i] = job->limit ? speed(job, &f, n, job->limit) : 0;
		us[i] = speed(job, &f, n, NULL);
		ratio[i] = job->limit ? us[i] / limit[i] : 0;
		same[i] = job->limit ? speed(job, &f, n, job->limit) / limit[i] : 0;
	}
	if (job->feed)
		snprintf(feed, sizeof(feed), "%zu", job->feed);
	figure = job->limit ? median(ratio, rounds) : median(us, rounds);
	printf("%-12s %7u %6s %9.3f ", job->frame, job->payload, feed, median(us, rounds));
	if (job->limit)
		printf("%9.3f %6.2f %6.2f ", median(limit, rounds), figure, median(same, rounds));
	else
		printf("%9s %6s %6s ", "-", "-", "-");
	printf("%s\n", figure >= job->mark ? "" : " below its mark");
	return figure < job->mark;
}

static const struct job jobs[] = {
	{"line", 64, 0, limit_line, 0.85},
	{"line", 64, 1460, limit_line, 0.85},
	{"line", 1024, 0, limit_line, 0.85},
	{"line", 1024, 1460, limit_line, 0.85},
	{"u32be", 64, 0, limit_u32, 0.85},
	{"u32be", 64, 1460, limit_u32, 0.85},
	{"u32be", 1024, 0, limit_u32, 0.85},
	{"u32be", 1024, 1460, limit_u32, 0.85},
	{"line", 64, 1, NULL, 0.15},
	{"line", 65536, 1, NULL, 0.15},
	{"u32be", 64, 1, NULL, 0.15},
	{"u32be", 65536, 1, NULL, 0.15},
	{"crlf", 64, 0, NULL, 0},
	{"crlf", 64, 1460, NULL, 0},
	{"crlf", 64, 1, NULL, 0},
	{"delim:0d0a0d0a", 64, 0, NULL, 0},
	{"delim:0d0a0d0a", 64, 1, NULL, 0},
	{"fixed:64", 64, 0, NULL, 0},
	{"varint", 64, 0, NULL, 0},
	{"varint", 64, 1460, NULL, 0},
	{"varint", 64, 1, NULL, 0},
	{"netstring", 64, 0, NULL, 0},
	{"netstring", 64, 1, NULL, 0},
};

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	int missed = 0;

	if (argc > 2 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: framing [ROUNDS], 1 to %d\n", ROUNDS_MAX);
		return 2;
	}
	printf("%-12s %7s %6s %9s %9s %6s %6s\n", "framing", "payload", "feed", "GB/s", "limit", "ratio", "same");
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		missed |= measure(&jobs[i], rounds);
	return missed;
}
