/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: its log and its counters say what has happened, no more and no less. Lines of
 * one kind come in the order of what they tell, each once, at the time when it was so. */
#include "config.h"
#include "found.h"
#include "oracle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	size_t name_n;
	int level;
	uint64_t rate;
} kinds[] = {
#define SB_EVENT(id, name, level, rate) {name, sizeof(name) - 1, SB_LOG_##level, rate},
#include "server/events.def"
#undef SB_EVENT
};

/* Steps set options as often as they like, of which nobody here keeps count. */
static bool are_options_foreseen(const struct run *r)
{
	for (uint32_t i = 0; i < r->doors; i++)
		if (r->model[i].has_steps)
			return false;
	return !r->has_lines;
}

/* Kinds of which every line is foreseen. */
static bool is_foreseen(const struct run *r, uint32_t kind)
{
	switch (kind) {
	case SB_LOG_OPTION:
		return are_options_foreseen(r);
	case SB_LOG_WAIT:
	case SB_LOG_OPEN:
	case SB_LOG_CLOSE:
	case SB_LOG_RECV:
	case SB_LOG_SEND:
	case SB_LOG_REFUSE:
	case SB_LOG_DROP:
	case SB_LOG_ACCEPT:
	case SB_LOG_UNLISTENED:
	case SB_LOG_PAUSE:
	case SB_LOG_STOP:
	case SB_LOG_LISTENING:
	case SB_LOG_PROFILE:
		return true;
	default:
		return false;
	}
}

void log_open(struct run *r, const struct sb_config *config)
{
	static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};
	struct log_model *l = &r->log;

	l->n = l->text_n = 0;
	l->line_n = 0;
	memset(l->first, 0, sizeof(l->first));
	memset(l->rate, 0, sizeof(l->rate));
	l->is_off = false;
	l->is_json = strcmp(fuzz_option(config, "log="), "json") == 0;
	l->began = r->k->now;
	for (int i = 0; i < 5; i++)
		if (strcmp(fuzz_option(config, "log-level="), levels[i]) == 0)
			l->level = i;
}

/* ---- what has to come ---- */

/* As snprintf, but for what lines are made of, %s %u %d %ld %llu: under sanitizers that costs as much as the server. */
struct writing {
	char *at, *end;
};

static void write_text(struct writing *w, const char *text)
{
	while (*text && w->at < w->end)
		*w->at++ = *text++;
}

static void write_number(struct writing *w, uint64_t v, int width)
{
	char digits[24];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	for (; v || width > 0; v /= 10, width--)
		digits[--i] = (char)('0' + v % 10);
	write_text(w, digits + i);
}

static void write_signed(struct writing *w, int64_t v)
{
	if (v < 0)
		write_text(w, "-");
	write_number(w, v < 0 ? (uint64_t)-v : (uint64_t)v, 1);
}

static void write_args(struct writing *w, const char *format, va_list args)
{
	for (; *format && w->at < w->end; format++) {
		if (*format != '%') {
			*w->at++ = *format;
			continue;
		}
		switch (*++format) {
		case 's':
			write_text(w, va_arg(args, const char *));
			break;
		case 'u':
			write_number(w, va_arg(args, unsigned), 1);
			break;
		case 'd':
			write_signed(w, va_arg(args, int));
			break;
		default: /* l */
			if (*++format == 'd') {
				write_signed(w, va_arg(args, long));
				break;
			}
			write_number(w, va_arg(args, unsigned long long), 1);
			format++;
		}
	}
}

/* Sentences are in quotes. */
static size_t as_text(char *out, size_t room, const char *head, const char *name, const char *text)
{
	struct writing w = {out, out + room - 1};

	write_text(&w, head);
	write_text(&w, " ");
	write_text(&w, name);
	write_text(&w, " ");
	for (; *text && w.at < w.end; text++)
		*w.at++ = *text == '\'' ? '"' : *text;
	*w.at = '\0';
	return (size_t)(w.at - out);
}

/* Up to the space that ends it. */
static bool is_digits(const char *text)
{
	while (*text == '-' || (*text >= '0' && *text <= '9'))
		text++;
	return *text == ' ' || *text == '\0';
}

static void write_until(struct writing *w, const char **text, char end)
{
	for (; **text && **text != end && w->at < w->end; (*text)++)
		*w->at++ = **text;
}

/* {"v":1,"t":0.000000,"event":"open","conn":1} of "conn=1": numbers as they are, the rest in quotes. */
static size_t as_json(char *out, size_t room, const char *head, const char *name, const char *text)
{
	struct writing w = {out, out + room - 1};

	write_text(&w, "{\"v\":1,\"t\":");
	write_text(&w, head);
	write_text(&w, ",\"event\":\"");
	write_text(&w, name);
	write_text(&w, "\"");
	while (*text && w.at < w.end) {
		bool is_text, is_number;

		write_text(&w, ",\"");
		write_until(&w, &text, '=');
		write_text(&w, "\":");
		is_text = *++text == '\'';
		is_number = !is_text && is_digits(text);
		write_text(&w, is_number ? "" : "\"");
		text += is_text;
		write_until(&w, &text, is_text ? '\'' : ' ');
		write_text(&w, is_number ? "" : "\"");
		text += is_text;
		text += *text == ' ';
	}
	write_text(&w, "}");
	*w.at = '\0';
	return (size_t)(w.at - out);
}

/* Whether so many of this kind were said in this second already. */
static bool is_suppressed(struct run *r, uint32_t kind)
{
	struct log_model *l = &r->log;

	if (kinds[kind].rate == 0)
		return false;
	if (l->rate[kind].second != r->k->now / SB_S) {
		l->rate[kind].second = r->k->now / SB_S;
		l->rate[kind].said = 0;
	}
	if (l->rate[kind].said++ < kinds[kind].rate)
		return false;
	l->rate[kind].suppressed++;
	return true;
}

void log_expect(struct run *r, enum sb_log_event kind, const char *format, ...)
{
	struct log_model *l = &r->log;
	char text[400], head[32], line[800];
	struct writing w = {text, text + sizeof(text) - 1};
	uint64_t us = (r->k->now - l->began) / 1000;
	bool is_asked = kind == SB_LOG_RECV && l->level < SB_LOG_DEBUG && strncmp(format, "conn", 4) == 0;
	size_t n;
	va_list args;

	if (l->is_off || (kinds[kind].level > l->level && !is_asked) || is_suppressed(r, kind))
		return;
	va_start(args, format);
	write_args(&w, format, args);
	va_end(args);
	*w.at = '\0';
	w = (struct writing){head, head + sizeof(head) - 1};
	write_number(&w, us / 1000000, 1);
	write_text(&w, ".");
	write_number(&w, us % 1000000, 6);
	*w.at = '\0';
	n = (l->is_json ? as_json : as_text)(line, sizeof(line), head, kinds[kind].name, text);
	if (l->n == RUN_LOGS || l->text_n + n + 1 > RUN_LOG_TEXT) {
		l->is_off = true;
		return;
	}
	memcpy(l->text + l->text_n, line, n + 1);
	l->due[l->n++] = (struct log_due){.from = l->text_n, .n = (uint32_t)n, .kind = (uint8_t)kind};
	l->text_n += (uint32_t)n + 1;
}

void log_forget(struct run *r, enum sb_log_event kind)
{
	struct log_model *l = &r->log;

	if (l->is_off || kinds[kind].level > l->level)
		return;
	if (l->rate[kind].said > kinds[kind].rate) {
		l->rate[kind].suppressed--;
		l->rate[kind].said--;
		return;
	}
	l->rate[kind].said--;
	l->n--;
	l->text_n = l->due[l->n].from;
}

/* ---- what comes ---- */

static uint32_t kind_of(const struct log_model *l, const char *line, size_t n)
{
	const char *name = memchr(line, l->is_json ? 'e' : ' ', n), *end = line + n;
	size_t size = 0;

	name += l->is_json ? strlen("event\":\"") : 1;
	while (name + size < end && name[size] != (l->is_json ? '"' : ' '))
		size++;
	for (uint32_t i = 0; i < SB_LOG_EVENTS; i++)
		if (kinds[i].name_n == size && memcmp(kinds[i].name, name, size) == 0)
			return i;
	sb_found("log: a line of no kind: %.*s", (int)n, line);
}

/* "suppressed of=NAME lines=N": as many as there were. */
static void check_suppressed(struct run *r, const char *line, size_t n)
{
	struct log_model *l = &r->log;

	for (uint32_t i = 0; i < SB_LOG_EVENTS; i++) {
		char want[80];
		int size =
			snprintf(want, sizeof(want), l->is_json ? "\"of\":\"%s\",\"lines\":%llu" : "of=%s lines=%llu",
				 kinds[i].name, (unsigned long long)l->rate[i].suppressed);

		if (!is_foreseen(r, i) || l->rate[i].suppressed == 0 || !memmem(line, n, want, (size_t)size))
			continue;
		l->rate[i].suppressed = 0;
		return;
	}
	for (uint32_t i = 0; i < SB_LOG_EVENTS; i++) {
		char name[40];
		int size = snprintf(name, sizeof(name), l->is_json ? "\"%s\"" : "=%s ", kinds[i].name);

		if (is_foreseen(r, i) && memmem(line + 30, n > 30 ? n - 30 : 0, name, (size_t)size))
			sb_found("%s: log: %llu lines were suppressed, and it says: %.*s", r->backend,
				 (unsigned long long)l->rate[i].suppressed, (int)n, line);
	}
}

/* Who is closed in the very turn in which all are is not among those that are open; and a stop that came while the
 * server slept for want of memory is heeded after what else has come. */
static bool is_open_other(const struct run *r, const char *due, const char *line, size_t n)
{
	const char *is = r->stops > 1 || r->k->slept ? memmem(line, n, "open", 4) : NULL;
	size_t head = is ? (size_t)(is - line) + strlen("open=") + (r->log.is_json ? 1 : 0) : n;

	return head < n && memcmp(due, line, head) == 0 &&
	       (r->k->slept || strtoul(line + head, NULL, 10) < strtoul(due + head, NULL, 10));
}

static void check_line(struct run *r, const char *line, size_t n)
{
	struct log_model *l = &r->log;
	uint32_t kind = kind_of(l, line, n), i = l->first[kind];

	if (kind == SB_LOG_SUPPRESSED)
		check_suppressed(r, line, n);
	if (!is_foreseen(r, kind) || line_is_of_port(r, kind, line, n))
		return;
	while (i < l->n && (l->due[i].kind != kind || l->due[i].is_done))
		i++;
	l->first[kind] = i + 1;
	if (i == l->n)
		sb_found("%s: log: nothing like it has happened: %.*s", r->backend, (int)n, line);
	l->due[i].is_done = true;
	if ((l->due[i].n != n || memcmp(l->text + l->due[i].from, line, n) != 0) &&
	    !(kind == SB_LOG_STOP && is_open_other(r, l->text + l->due[i].from, line, n)))
		sb_found("%s: log: what has happened is \"%s\", and it says \"%.*s\"", r->backend,
			 l->text + l->due[i].from, (int)n, line);
}

void oracle_on_first_log(struct sb_sys *k, struct sb_slice some)
{
	struct run *r = k->user;

	if (some.n > sizeof(r->first_lines) - r->first_lines_n)
		sb_found("log: no room for the first lines");
	memcpy(r->first_lines + r->first_lines_n, some.p, some.n);
	r->first_lines_n += some.n;
}

void oracle_on_log(struct sb_sys *k, struct sb_slice some)
{
	struct run *r = k->user;
	struct log_model *l = &r->log;

	if (k->is_log_broken)
		l->is_off = true;
	door_settle(r);
	/* A write may take only a part of a line. */
	while (some.n > 0 && !l->is_off) {
		const uint8_t *end = memchr(some.p, '\n', some.n);
		size_t n = end ? (size_t)(end + 1 - some.p) : some.n;

		if (n > sizeof(l->line) - l->line_n)
			sb_found("%s: log: a line without an end", r->backend);
		memcpy(l->line + l->line_n, some.p, n);
		l->line_n += n;
		some = sb_slice_skip(some, n);
		if (!end)
			continue;
		check_line(r, l->line, l->line_n - 1);
		l->line_n = 0;
	}
}

void oracle_on_wait_error(struct sb_sys *k, int err)
{
	struct run *r = k->user;

	if (err == -EINTR)
		return;
	/* It waits for memory instead, and time passes. */
	oracle_wait(r);
	r->count[SB_COUNT_WAIT_ERRORS]++;
	log_expect(r, SB_LOG_WAIT, "errno=%s for=10ms", sb_errname(err));
}

void log_over(struct run *r)
{
	struct log_model *l = &r->log;

	if (l->is_off || r->k->is_log_broken || r->k->is_log_late)
		return;
	if (l->line_n > 0)
		sb_found("%s: log: a line without an end", r->backend);
	for (uint32_t i = 0; i < l->n; i++)
		if (!l->due[i].is_done && is_foreseen(r, l->due[i].kind))
			sb_found("%s: log: this has happened, and is not said: %s", r->backend,
				 l->text + l->due[i].from);
	for (uint32_t i = 0; i < SB_LOG_EVENTS; i++)
		if (is_foreseen(r, i) && l->rate[i].suppressed > 0 && kinds[SB_LOG_SUPPRESSED].level <= l->level &&
		    r->srv->log.lost == 0)
			sb_found("%s: log: that lines of %s were suppressed is not said", r->backend, kinds[i].name);
}

/* ---- counters ---- */

static void expect_count(const struct run *r, const char *name, uint64_t have, uint64_t want)
{
	if (have != want)
		sb_found("%s: counter %s is %llu, not %llu", r->backend, name, (unsigned long long)have,
			 (unsigned long long)want);
}

static void add_up(struct run *r, uint64_t closed[SB_WHY_COUNT])
{
	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *c = &r->k->conn[i];
		const struct peer *p = &r->peer[i];

		if (c->is_dgram || !p->is_served)
			continue;
		closed[p->reason]++;
		r->count[SB_COUNT_BYTES_IN] += c->in_n;
		r->count[SB_COUNT_BYTES_OUT] += c->out_n;
		r->count[SB_COUNT_BYTES_DROPPED] += p->dropped;
		r->count[SB_COUNT_BYTES_UNSENT] += p->unsent;
		r->count[SB_COUNT_FRAMES] += p->frames;
	}
}

void oracle_over(struct run *r)
{
	uint64_t closed[SB_WHY_COUNT] = {0}, value;
	const char *name;

	dgram_settle(r);
	log_over(r);
	receipt_over(r);
	add_up(r, closed);
	for (size_t i = 0; (name = sb_server_counter(r->srv, i, &value)); i++) {
		if (i == SB_COUNT_HELD_WAITS || i == SB_COUNT_RECEIPTS_LOST || i == SB_COUNT_STALE)
			continue;
		if (i < SB_COUNTERS)
			expect_count(r, name, value, r->count[i]);
		else if (i - SB_COUNTERS < SB_WHY_COUNT)
			expect_count(r, name, value, closed[i - SB_COUNTERS]);
		else
			expect_count(r, name, value, r->dropped[i - SB_COUNTERS - (size_t)SB_WHY_COUNT]);
	}
	r->memory_waits = r->srv->count[SB_COUNT_HELD_WAITS];
	if (r->srv->timers.n || r->srv->conns.used)
		sb_found("%s: %u timers and %u slots are left in use after the end", r->backend, r->srv->timers.n,
			 r->srv->conns.used);
	if (r->k->files_n > 0 && !r->k->is_file_stuck)
		sb_found("%s: the file of its socket is left", r->backend);
}
