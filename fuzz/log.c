/* SPDX-License-Identifier: MIT
 *
 * Target: server/log, with a reader that is slow, stops, goes away, against lists of lines.
 *
 * The first byte: bit 0 is JSON, bits 1 to 3 are the level (5 and above: there is no log at all), the other four say
 * how many lines are there already. Then calls, a letter and its arguments; any other byte stands for one of these:
 *
 *   l EVENT FIELDS     a line of that event; FIELDS is a byte, whose bits say which of
 *      u M F, i M F    numbers;  w N, a word;  x N BYTES, a text;  a, an address;  t M F, a time
 *   r N EVENT          N times a line without fields     q N EVENT   the same as somebody has asked for
 *   + M F              time passes                       s           sb_log_sum_up
 *   f N                sb_log_flush, with a reader that takes N * N bytes, by N % 7 * 100 at a time; N % 4: how it
 *                      says that it is full
 *   e                  the next write is interrupted     c           the reader is gone; z: writes say 0
 *
 * What must hold: what has been read and what waits are the lines in order, each whole; a line is there unless its
 * level, its rate or the room forbids it; what its rate or the room forbids is counted, and said in one line later.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "codec_arena.h"
#include "core/limits.h"
#include "found.h"
#include "input.h"
#include "judge.h"
#include "server/log.h"
#include "target.h"

JUDGE_BEGIN

enum { OUT_MAX = 1 << 20, LINE_MAX = SB_LOG_LINE_MAX, FD = 7 };

/* The kernel, as far as a log knows it: a reader. */
struct sb_sys {
	size_t takes, step; /* bytes it takes before it is full; at most so many at a time */
	bool is_interrupted, is_gone, is_at_zero;
	size_t read_n;
	int full; /* the errno for it */
};

static struct {
	const char *name;
	int level;
	uint64_t rate;
} const events[] = {
#define SB_EVENT(id, name, level, rate) {name, SB_LOG_##level, rate},
#include "server/events.def"
#undef SB_EVENT
};

/* All that should have been written, ever. */
static char out[OUT_MAX];
static size_t out_n;
static struct sb_log log_of;
static struct sb_sys reader;
static char log_room[SB_LOG_ROOM];
static uint64_t digest, now, began;
static int level;
static bool is_json, is_off;
static uint64_t lost, lost_said;
static struct {
	uint64_t second, said, more;
} rate[SB_LOG_EVENTS];

/* The line that should come of it: the fields that fit, each whole. */
static char line[8 * LINE_MAX], field[8 * LINE_MAX];
static size_t line_n, field_n;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

static uint64_t number(struct input *in)
{
	static const uint64_t factors[] = {1, 1000, 1000000, 1000000000, UINT64_C(60000000000), UINT64_C(1) << 56};
	uint64_t m = byte(in);

	return m * factors[byte(in) % 6];
}

/* ---- the kernel ---- */

long sb_sys_log_write(struct sb_sys *sys, int fd, const void *p, size_t n)
{
	size_t some = n < sys->step ? n : sys->step;

	if (fd != FD || n == 0 || sys->is_gone)
		sb_found("log: %zu bytes are written to descriptor %d%s", n, fd, sys->is_gone ? ", which is gone" : "");
	if (n > out_n - sys->read_n || memcmp(p, out + sys->read_n, n) != 0)
		sb_found("log: what is written is not what has been said: \"%.*s\"", (int)(n < 300 ? n : 300),
			 (const char *)p);
	if (sys->is_interrupted) {
		sys->is_interrupted = false;
		return -EINTR;
	}
	if (sys->is_at_zero) {
		sys->is_gone = true;
		return 0;
	}
	some = some < sys->takes ? some : sys->takes;
	if (some == 0)
		return -sys->full;
	sys->takes -= some;
	sys->read_n += some;
	return (long)some;
}

/* ---- what a line should be ---- */

static void add(char *to, size_t *n, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void add(char *to, size_t *n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	*n += (size_t)vsnprintf(to + *n, sizeof(line) - *n, format, args);
	va_end(args);
}

static void begin_line(int event)
{
	uint64_t t = now - began;

	line_n = 0;
	add(line, &line_n, is_json ? "{\"v\":1,\"t\":" : "%s", "");
	add(line, &line_n, "%" PRIu64 ".%06" PRIu64, t / SB_S, t % SB_S / 1000);
	add(line, &line_n, is_json ? ",\"event\":\"%s\"" : " %s", events[event].name);
}

static void begin_field(const char *key)
{
	field_n = 0;
	add(field, &field_n, is_json ? ",\"%s\":" : " %s=", key);
}

/* Two bytes are for the end. */
static void end_field(void)
{
	if (line_n + field_n > LINE_MAX - 2)
		return;
	memcpy(line + line_n, field, field_n);
	line_n += field_n;
}

static void say_word(const char *key, const char *word)
{
	begin_field(key);
	add(field, &field_n, is_json ? "\"%s\"" : "%s", word);
	end_field();
}

static void say_text(const char *key, const uint8_t *p, size_t n)
{
	begin_field(key);
	add(field, &field_n, "\"");
	for (size_t i = 0; i < n; i++) {
		const char *names = "\n\r\t", *at = p[i] ? strchr(names, p[i]) : NULL;

		if (p[i] == '\\' || (p[i] == '"' && is_json))
			add(field, &field_n, "\\%c", p[i]);
		else if (at)
			add(field, &field_n, "\\%c", "nrt"[at - names]);
		else if (p[i] == 0 && !is_json)
			add(field, &field_n, "\\0");
		else if (p[i] < 32 || p[i] > 126 || p[i] == '"')
			add(field, &field_n, is_json ? "\\u00%02x" : "\\x%02x", p[i]);
		else
			add(field, &field_n, "%c", p[i]);
	}
	add(field, &field_n, "\"");
	end_field();
}

static void end_line(void)
{
	add(line, &line_n, is_json ? "}\n" : "\n");
	if (line_n > SB_LOG_ROOM - (out_n - reader.read_n)) {
		lost++;
		return;
	}
	if (out_n + line_n > OUT_MAX)
		sb_found("log: an input with that much text");
	memcpy(out + out_n, line, line_n);
	out_n += line_n;
}

/* Whether a line should come of it now. */
static bool is_wanted(int event, bool is_asked)
{
	if (is_off || (!is_asked && events[event].level > level))
		return false;
	if (events[event].rate == 0)
		return true;
	if (rate[event].second != now / SB_S)
		rate[event].said = 0;
	rate[event].second = now / SB_S;
	if (rate[event].said == events[event].rate) {
		rate[event].more++;
		return false;
	}
	rate[event].said++;
	return true;
}

/* ---- the calls ---- */

static bool begin(int event, bool is_asked)
{
	bool is = is_asked ? sb_log_begin_asked(&log_of, (enum sb_log_event)event, now)
			   : sb_log_begin(&log_of, (enum sb_log_event)event, now);

	if (is != is_wanted(event, is_asked))
		sb_found("log: a line of %s is %s", events[event].name, is ? "begun" : "not begun");
	if (is)
		begin_line(event);
	return is;
}

static void end(void)
{
	sb_log_end(&log_of);
	end_line();
}

static void fields_of_numbers(struct input *in, uint8_t which)
{
	uint64_t v;

	if (which & 1) {
		v = number(in);
		sb_log_u64(&log_of, "count", v);
		begin_field("count");
		add(field, &field_n, "%" PRIu64, v);
		end_field();
	}
	if (which & 2) {
		v = number(in);
		sb_log_i64(&log_of, "asked", -(int64_t)(v & INT64_MAX));
		begin_field("asked");
		add(field, &field_n, "%" PRId64, -(int64_t)(v & INT64_MAX));
		end_field();
	}
	if (which & 4) { /* whole seconds, so that how a time is written is said quickly */
		v = 1 + number(in) % 59;
		sb_log_time(&log_of, "for", v * SB_S);
		begin_field("for");
		add(field, &field_n, is_json ? "\"%" PRIu64 "s\"" : "%" PRIu64 "s", v);
		end_field();
	}
}

static void fields_of_text(struct input *in, uint8_t which)
{
	static const char *const words[] = {"eof", "", "a-very-long-word-for-a-reason", "x"};
	struct sb_addr a = {.family = SB_IPV4, .port = 80, .ip = {127, 0, 0, 1}};
	uint8_t n, many;
	uint8_t text[64 * 16];
	const char *word;

	if (which & 8) {
		word = words[byte(in) % 4];
		sb_log_word(&log_of, "reason", word);
		say_word("reason", word);
	}
	if (which & 16) {
		n = byte(in);
		many = (uint8_t)(1 + n / 64 * 5);
		n = n % 64 < in->n ? n % 64 : (uint8_t)in->n;
		for (uint8_t i = 0; i < many; i++)
			sb_copy(text + i * n, in->p, n);
		in->p += n;
		in->n -= n;
		sb_log_text(&log_of, "why", sb_slice(text, (size_t)n * many));
		say_text("why", text, (size_t)n * many);
	}
	if (which & 32) {
		sb_log_addr(&log_of, "peer", &a);
		say_word("peer", "127.0.0.1:80");
	}
}

static void say(struct input *in)
{
	int event = byte(in) % SB_LOG_EVENTS;
	uint8_t which = byte(in);

	if (!begin(event, false))
		return;
	for (int i = 0; i <= which >> 6; i++) {
		fields_of_text(in, which);
		fields_of_numbers(in, which);
	}
	end();
}

static void repeat(struct input *in, bool is_asked)
{
	unsigned n = byte(in) % 128;
	int event = byte(in) % SB_LOG_EVENTS;

	while (n-- > 0)
		if (begin(event, is_asked))
			end();
}

static void say_more(const char *of, uint64_t lines)
{
	if (!is_wanted(SB_LOG_SUPPRESSED, false))
		return;
	begin_line(SB_LOG_SUPPRESSED);
	say_word("of", of);
	begin_field("lines");
	add(field, &field_n, "%" PRIu64, lines);
	end_field();
	end_line();
}

static void sum_up(bool is_last)
{
	sb_log_sum_up(&log_of, now, is_last);
	for (int i = 0; i < SB_LOG_EVENTS; i++) {
		if (rate[i].more == 0 || (!is_last && rate[i].second == now / SB_S) ||
		    SB_LOG_ROOM - (out_n - reader.read_n) < LINE_MAX)
			continue;
		say_more(events[i].name, rate[i].more);
		rate[i].more = 0;
	}
	if (lost > lost_said && out_n - reader.read_n < SB_LOG_ROOM / 2) {
		say_more("all", lost - lost_said);
		lost_said = lost;
	}
}

static void flush(size_t takes, size_t step, int full)
{
	bool is_asked = !is_off && out_n > reader.read_n;

	reader.takes = takes;
	reader.step = step ? step : SB_LOG_ROOM;
	reader.full = full;
	sb_log_flush(&log_of, &reader);
	if (reader.is_gone && !is_off) {
		is_off = true;
		out_n = reader.read_n;
	} else if (is_asked && reader.takes && out_n > reader.read_n) {
		sb_found("log: %zu bytes wait, and the reader takes more", out_n - reader.read_n);
	}
}

static void check(char call)
{
	size_t waits = out_n - reader.read_n;

	if (log_of.waiting != waits || log_of.lost != lost || (log_of.fd < 0) != is_off)
		sb_found("log: after '%c' %zu bytes wait and %" PRIu64 " lines are lost; it should be %zu and %" PRIu64,
			 call, log_of.waiting, log_of.lost, waits, lost);
	if (memcmp(log_of.room, out + reader.read_n, waits) != 0)
		sb_found("log: after '%c' what waits ends with \"%.*s\", it should end with \"%.*s\"", call,
			 (int)(waits < 300 ? waits : 300), log_of.room + waits - (waits < 300 ? waits : 300),
			 (int)(waits < 300 ? waits : 300), out + out_n - (waits < 300 ? waits : 300));
}

static void act(struct input *in)
{
	static const char calls[] = "lr+sfeqcz";
	static const int full[] = {EAGAIN, ENOSPC, ENOBUFS, ENOMEM};
	char call = (char)byte(in);
	size_t n;

	if (!call || !strchr(calls, call))
		call = calls[(uint8_t)call % 6];
	switch (call) {
	case 'l':
		say(in);
		break;
	case 'r':
	case 'q':
		repeat(in, call == 'q');
		break;
	case '+':
		now += number(in) & INT64_MAX;
		break;
	case 's':
		sum_up(false);
		break;
	case 'f':
		n = byte(in);
		flush(n * n, n % 7 * 100, full[n % 4]);
		break;
	case 'e':
		reader.is_interrupted = true;
		break;
	default:
		reader.is_at_zero = true;
	}
	check(call);
}

/* One long line, so that the room is full after few. */
static void fill(void)
{
	char word[900];

	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	if (!begin(SB_LOG_COUNTERS, true))
		return;
	sb_log_word(&log_of, "long", word);
	say_word("long", word);
	end();
}

static void start(uint8_t how)
{
	level = how >> 1 & 7;
	is_json = how & 1;
	is_off = level >= 5;
	now = began = 5 * SB_S + 999999999;
	lost = lost_said = out_n = 0;
	memset(rate, 0, sizeof(rate));
	reader = (struct sb_sys){.step = 1};
	sb_log_init(&log_of, is_off ? -1 : FD, log_room, began);
	if (log_of.level != SB_LOG_INFO || log_of.is_json || log_of.waiting)
		sb_found("log: begins with level %d", log_of.level);
	log_of.level = (enum sb_log_level)(level % 5);
	log_of.is_json = is_json;
	for (int i = 0; i < (how >> 4) * 5; i++)
		fill();
	check('*');
}

static void check_names(struct input in)
{
	static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
	int want = -1;

	for (int i = 0; i < 5; i++)
		if (in.n == strlen(names[i]) && memcmp(in.p, names[i], in.n) == 0)
			want = i;
	if (sb_log_level_named(sb_slice(in.p, in.n)) != want)
		sb_found("log: the level of this name is %d, it says", sb_log_level_named(sb_slice(in.p, in.n)));
	for (int i = 0; i < 5; i++)
		if (sb_log_level_named(sb_slice_cstr(names[i])) != i)
			sb_found("log: level %s is %d, it says", names[i], sb_log_level_named(sb_slice_cstr(names[i])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct input in = {.p = data, .n = n < 512 ? n : 512};

	check_names(in);
	start(byte(&in));
	while (in.n)
		act(&in);
	flush(SIZE_MAX, 0, EAGAIN);
	sum_up(true);
	flush(SIZE_MAX, 0, EAGAIN);
	sum_up(true);
	flush(SIZE_MAX, 0, EAGAIN);
	check('.');
	/* Nothing is forgotten: every line was read, or counted in one that was. */
	for (int i = 0; i < SB_LOG_EVENTS && !is_off; i++)
		if (log_of.rate[i].suppressed)
			sb_found("log: %s: suppressed lines are never said", events[i].name);
	digest = reader.read_n * UINT64_C(1000003) + lost * 31 + log_of.waiting;
	return 0;
}

JUDGE_END
