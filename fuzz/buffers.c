/* SPDX-License-Identifier: MIT
 *
 * Target: base/text, bounded texts, against texts without a bound that are written with snprintf().
 *
 * The first byte is the room, in characters. Then calls: a byte that says which, and its arguments:
 *
 *   c CHAR             a character                  s N BYTES   a string of N bytes, without its NULs
 *   b N BYTES          N bytes                      e N BYTES   escaped; E: spaces too
 *   j N BYTES          as the inside of JSON        w I C N BYTES  wrapped: indent I, columns C
 *   u M F, i M F       a number                     x M F D     hex, D digits
 *   t M F, z M F       a time, a size               k N         spaces up to column N
 *   a 20 BYTES         an address                   n           a line's end
 *
 *   r C         the name of an error         h N BYTES   the nearest of some words
 *
 * Numbers are M times a factor F: see number(). Any other byte stands for one of these. What must hold: what is
 * written is the beginning of the whole text, and as much of it as fits without cutting an escape or a number; what is
 * lost is the rest; and no byte behind the room is touched.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/nearest.h"
#include "codec_arena.h"
#include "found.h"
#include "input.h"
#include "judge.h"
#include "naive.h"
#include "target.h"

JUDGE_BEGIN

enum { ALL_MAX = 1 << 16, ROOM_MAX = 256, PIECE_MAX = 40 };

static struct arena arena;
static uint64_t digest;

/* The whole text, and behind which of its characters it may end. */
static char all[ALL_MAX];
static size_t all_n, fits, room;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* A copy of its own, so that a byte too many is seen. */
static struct sb_slice bytes(struct input *in, size_t most)
{
	size_t n = byte(in) % (most + 1);
	struct sb_slice s;

	n = n < in->n ? n : in->n;
	s = (struct sb_slice){.p = arena_copy(&arena, in->p, n), .n = n};
	in->p += n;
	in->n -= n;
	return s;
}

static uint64_t number(struct input *in)
{
	static const uint64_t factors[] = {
		1,
		1000,
		1024,
		1000000,
		UINT64_C(1) << 20,
		1000000000,
		UINT64_C(60000000000),
		10,
		UINT64_C(1) << 32,
		UINT64_C(1) << 56,
		UINT64_C(10000000000000000000),
		500,
	};
	uint8_t m = byte(in), f = byte(in);
	uint64_t v;

	if (__builtin_mul_overflow(m, factors[(f & 15) % 12], &v))
		v = UINT64_MAX - m;
	return f & 16 ? v + 1 + (v == UINT64_MAX ? UINT64_MAX : 0) : f & 32 && v ? v - 1 : v;
}

/* ---- the text without a bound ---- */

/* A piece that is written whole or not at all. */
static void piece(const char *s, size_t n)
{
	if (all_n + n > ALL_MAX)
		sb_found("buffers: an input with that much text");
	memcpy(all + all_n, s, n);
	all_n += n;
	if (all_n <= room)
		fits = all_n;
}

static void each(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		piece(s + i, 1);
}

static void printed(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void printed(const char *format, ...)
{
	char text[PIECE_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	piece(text, (size_t)n);
}

static void escaped(struct sb_slice s, bool space)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '\\')
			printed("\\\\");
		else if (c == '\n')
			printed("\\n");
		else if (c == '\r')
			printed("\\r");
		else if (c == '\t')
			printed("\\t");
		else if (c == 0)
			printed("\\0");
		else if (c == ' ' && space)
			printed("\\s");
		else if (c < 32 || c > 126)
			printed("\\x%02x", c);
		else
			printed("%c", c);
	}
}

static void json(struct sb_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '"' || c == '\\')
			printed("\\%c", c);
		else if (c == '\n')
			printed("\\n");
		else if (c == '\r')
			printed("\\r");
		else if (c == '\t')
			printed("\\t");
		else if (c < 32 || c > 126)
			printed("\\u%04x", c);
		else
			printed("%c", c);
	}
}

static void time_of(uint64_t ns)
{
	if (ns == 0)
		printed("0");
	else if (ns % 60000000000 == 0)
		printed("%" PRIu64, ns / 60000000000);
	else if (ns % 1000000000 == 0)
		printed("%" PRIu64, ns / 1000000000);
	else if (ns % 1000000 == 0)
		printed("%" PRIu64, ns / 1000000);
	else
		printed("%" PRIu64, ns % 1000 ? ns : ns / 1000);
	each("m", ns != 0 && ns % 60000000000 == 0);
	each("s", ns % 1000000000 == 0 && (ns == 0 || ns % 60000000000 != 0));
	each("ms", ns % 1000000000 != 0 && ns % 1000000 == 0 ? 2 : 0);
	each("us", ns % 1000000 != 0 && ns % 1000 == 0 ? 2 : 0);
	each("ns", ns % 1000 != 0 ? 2 : 0);
}

static void size_of(uint64_t v)
{
	bool mega = v && v % 1048576 == 0, kilo = v && !mega && v % 1024 == 0;

	printed("%" PRIu64, mega ? v / 1048576 : kilo ? v / 1024 : v);
	each(mega ? "M" : "k", mega || kilo);
}

/* How wide the line is that stands there at the end. */
static size_t width(void)
{
	size_t n = 0;

	for (size_t i = 0; i < fits; i++)
		n = all[i] == '\n' ? 0 : n + 1;
	return n;
}

static void column(size_t to)
{
	size_t from = width();

	if (from && from >= to)
		each(" ", 1);
	while (from++ < to)
		each(" ", 1);
}

static void wrapped(struct sb_slice s, size_t indent, size_t columns)
{
	size_t at = 0;

	while (at < s.n) {
		size_t n = 0, from = width();

		while (at + n < s.n && s.p[at + n] != ' ')
			n++;
		if (from > indent && from + 1 + n > columns) {
			each("\n", 1);
			column(indent);
		} else if (from > indent) {
			each(" ", 1);
		}
		each((const char *)s.p + at, n);
		at += n + 1;
	}
}

/* ---- addresses, RFC 5952 ---- */

static void ipv6(const uint8_t *ip)
{
	int run = -1, run_n = 1;

	for (int i = 0; i < 8; i++)
		for (int n = 1; i + n <= 8 && ip[2 * (i + n) - 1] == 0 && ip[2 * (i + n) - 2] == 0; n++)
			if (n > run_n) {
				run = i;
				run_n = n;
			}
	for (int i = 0; i < 8; i++) {
		if (i == run)
			each("::", 2);
		else if (i > 0 && i != run + run_n)
			each(":", 1);
		if (run < 0 || i < run || i >= run + run_n)
			printed("%x", ip[2 * i] * 256 + ip[2 * i + 1]);
		else
			i = run + run_n - 1;
	}
}

static void address(const struct sb_addr *a)
{
	if (a->family == SB_UNIX) {
		each("unix:", 5);
		return;
	}
	each("[", a->family == SB_IPV6);
	if (a->family == SB_IPV6)
		ipv6(a->ip);
	for (int i = 0; i < 4 && a->family == SB_IPV4; i++) {
		each(".", i > 0);
		printed("%d", a->ip[i]);
	}
	if (a->family == SB_IPV6 && a->scope) {
		each("%", 1);
		printed("%" PRIu32, a->scope);
	}
	each("]:", a->family == SB_IPV6 ? 2 : 0);
	each(":", a->family == SB_IPV4);
	printed("%d", a->port);
}

static struct sb_addr read_address(struct input *in)
{
	uint8_t kind = byte(in);
	struct sb_addr a = {.family = kind % 4 == 0 ? SB_UNIX : kind % 4 == 1 ? SB_IPV4 : SB_IPV6};

	a.port = (uint16_t)(byte(in) << 8 | byte(in));
	a.scope = kind & 8 ? (uint32_t)byte(in) << 24 | 1 : 0;
	for (size_t i = 0; i < (a.family == SB_IPV4 ? 4u : 16u); i++)
		a.ip[i] = kind & 16 && i % 2 == 0 ? 0 : byte(in); /* short groups */
	return a;
}

/* ---- the calls ---- */

static void strings(struct sb_text *t, struct input *in, char call)
{
	size_t indent = call == 'w' ? byte(in) % 32 : 0, columns = call == 'w' ? byte(in) % 64 : 0;
	struct sb_slice s = bytes(in, 63);
	char string[64];

	if (call == 'b') {
		sb_text_bytes(t, s);
		each((const char *)s.p, s.n);
	} else if (call == 's') {
		sb_copy(string, s.p, s.n);
		string[s.n] = '\0';
		sb_text_str(t, string);
		each(string, strlen(string));
	} else if (call == 'j') {
		sb_text_json(t, s);
		json(s);
	} else if (call == 'w') {
		sb_text_wrapped(t, s, indent, columns);
		wrapped(s, indent, columns);
	} else {
		sb_text_escaped(t, s, call == 'E');
		escaped(s, call == 'E');
	}
	arena_close((uint8_t *)(uintptr_t)s.p, s.n);
}

static void numbers(struct sb_text *t, struct input *in, char call)
{
	uint64_t v = number(in);
	int digits = call == 'x' ? 1 + byte(in) % 16 : 0;

	if (call == 'u') {
		sb_text_u64(t, v);
		printed("%" PRIu64, v);
	} else if (call == 'i') {
		sb_text_i64(t, (int64_t)v);
		each("-", (int64_t)v < 0);
		printed("%" PRIu64, (int64_t)v < 0 ? -v : v);
	} else if (call == 'x') {
		sb_text_hex(t, v, digits);
		printed("%0*" PRIx64, digits, digits == 16 ? v : v & ((UINT64_C(1) << 4 * digits) - 1));
	} else if (call == 't') {
		sb_text_time(t, v);
		time_of(v);
	} else {
		sb_text_size(t, v);
		size_of(v);
	}
}

static void others(struct sb_text *t, struct input *in, char call)
{
	struct sb_addr a;
	uint8_t c;

	if (call == 'a') {
		a = read_address(in);
		sb_text_addr(t, &a);
		address(&a);
	} else if (call == 'k') {
		c = byte(in) % 100;
		sb_text_column(t, c);
		column(c);
	} else {
		c = call == 'n' ? '\n' : byte(in);
		sb_text_char(t, (char)c);
		each((const char *)&c, 1);
	}
}

/* ---- names ---- */

/* Ours by the list of the public header, the kernel's as the C library has them. */
static void error(struct input *in)
{
	static const struct {
		int code;
		const char *name, *text;
	} ours[] = {
#define ROW(name, code, text) {code, #name, text},
		SB_ERROR_MAP(ROW)
#undef ROW
	};
	uint8_t which = byte(in);
	int err = which < 140 ? -which : which < 160 ? ours[(which - 140) % 15].code : 170 - which;
	const char *name = sb_errname(err), *text = sb_strerror(err), *kernel = strerrorname_np(-err);
	bool is_ours = which >= 140 && which < 160, is_unnamed = strcmp(name, "unknown-error") == 0;

	if (is_unnamed != (strcmp(text, "an error without a name") == 0))
		sb_found("buffers: error %d has a name and no text, or the other way round", err);
	if ((err >= 0) != (strcmp(name, "no-error") == 0) || (err >= 0) != (strcmp(text, "no error") == 0))
		sb_found("buffers: %d is %s: %s", err, name, text);
	if (is_ours) {
		for (size_t i = 0; name[i] || ours[(which - 140) % 15].name[i]; i++) {
			char c = ours[(which - 140) % 15].name[i];

			if (name[i] != (c == '_' ? '-' : c >= 'A' && c <= 'Z' ? c + 32 : c))
				sb_found("buffers: error %d is %s", err, name);
		}
		if (strcmp(text, ours[(which - 140) % 15].text) != 0)
			sb_found("buffers: error %d says %s", err, text);
	} else if (err < 0 && !is_unnamed && (!kernel || strcmp(name, kernel) != 0)) {
		sb_found("buffers: error %d is %s, it should be %s", err, name, kernel ? kernel : "unknown");
	}
}

static const char *const words[] = {
	"max",
	"rcvbuf",
	"sndbuf",
	"a",
	"Echo",
	"",
	"a-word-that-nobody-would-ever-write-because-it-is-so-long",
	"forty-eight-letters-is-what-the-longest-one-has1",
	"recv",
	"ab",
	"tell",
	"tall",
};

enum { WORDS = sizeof(words) / sizeof(words[0]) };

static const char *word_at(const void *list, size_t i)
{
	return i < WORDS ? ((const char *const *)list)[i] : NULL;
}

static void nearest(struct input *in)
{
	struct sb_slice s = bytes(in, 63);
	const char *got = sb_nearest(s, word_at, words), *want = naive_nearest(s.p, s.n, words, WORDS);

	if (got != want)
		sb_found("buffers: the nearest to \"%.*s\" is %s, it should be %s", (int)s.n, (const char *)s.p,
			 got ? got : "none", want ? want : "none");
	digest += got != NULL;
	arena_close((uint8_t *)(uintptr_t)s.p, s.n);
}

static void check(const struct sb_text *t, char call)
{
	if (t->cap != room || t->n != fits || t->lost != all_n - fits)
		sb_found("buffers: after '%c' %zu bytes of %zu are written and %zu lost; it should be %zu and %zu",
			 call, t->n, room, t->lost, fits, all_n - fits);
	if (memcmp(t->p, all, fits) != 0)
		sb_found("buffers: after '%c' it is \"%.*s\", it should be \"%.*s\"", call, (int)fits, t->p, (int)fits,
			 all);
}

/* Ended, the last byte makes room for the NUL. */
static void check_end(struct sb_text *t)
{
	size_t n = fits < room ? fits : room - 1;

	if (room && (sb_text_end(t) != t->p || t->p[n] != '\0' || memcmp(t->p, all, n) != 0))
		sb_found("buffers: it does not end with a NUL behind %zu bytes", n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char calls[] = "csbeEjwuixtzkanrh";
	struct input in = {.p = data, .n = n < 2048 ? n : 2048};
	struct sb_text t;
	uint8_t *p;

	room = byte(&in);
	all_n = fits = 0;
	digest = 0;
	p = arena_open(&arena, room);
	t = sb_text_in((char *)p, room);
	while (in.n) {
		char call = (char)byte(&in);

		if (!strchr(calls, call) || !call)
			call = calls[(uint8_t)call % (sizeof(calls) - 1)];
		if (strchr("sbeEjw", call))
			strings(&t, &in, call);
		else if (call == 'r')
			error(&in);
		else if (call == 'h')
			nearest(&in);
		else if (strchr("uixtz", call))
			numbers(&t, &in, call);
		else
			others(&t, &in, call);
		check(&t, call);
	}
	check_end(&t);
	digest += fits * UINT64_C(1000003) + t.lost;
	arena_close(p, room);
	return 0;
}

JUDGE_END
