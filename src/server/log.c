/* SPDX-License-Identifier: MIT
 * Making log lines, holding them to their rates, and handing them out. */
#include "server/log.h"

#include <errno.h>

#include "core/limits.h"

struct event_row {
	const char *name;
	enum sb_log_level level;
	uint64_t rate;
};

static const struct event_row events[SB_LOG_EVENTS] = {
#define SB_EVENT(id, name, level, rate) {name, SB_LOG_##level, rate},
#include "server/events.def"
#undef SB_EVENT
};

int sb_log_level_named(struct sb_slice name)
{
	static const char *const names[] = {"error", "warning", "notice", "info", "debug"};

	for (int i = 0; i < 5; i++)
		if (sb_slice_is(name, names[i]))
			return i;
	return -1;
}

void sb_log_init(struct sb_log *log, int fd, char *room, uint64_t now)
{
	*log = (struct sb_log){.fd = fd, .level = SB_LOG_INFO, .began = now, .room = room};
}

/* ---- lines ---- */

/* Seconds since the start, to the microsecond. */
static void say_when(struct sb_text *t, uint64_t ns)
{
	char digits[6];
	uint64_t us = ns / 1000 % 1000000;

	sb_text_u64(t, ns / SB_S);
	sb_text_char(t, '.');
	for (int i = 5; i >= 0; i--) {
		digits[i] = (char)('0' + us % 10);
		us /= 10;
	}
	sb_text_bytes(t, sb_slice(digits, sizeof(digits)));
}

static void start_line(struct sb_log *log, enum sb_log_event event, uint64_t now)
{
	/* Two bytes are kept for what ends the line. */
	log->line = sb_text_in(log->line_room, sizeof(log->line_room) - 2);
	sb_text_str(&log->line, log->is_json ? "{\"v\":1,\"t\":" : "");
	say_when(&log->line, now - log->began);
	sb_text_str(&log->line, log->is_json ? ",\"event\":\"" : " ");
	sb_text_str(&log->line, events[event].name);
	sb_text_str(&log->line, log->is_json ? "\"" : "");
}

static bool is_over_rate(struct sb_log *log, enum sb_log_event event, uint64_t now)
{
	if (events[event].rate == 0)
		return false;
	if (log->rate[event].second != now / SB_S) {
		log->rate[event].second = now / SB_S;
		log->rate[event].said = 0;
	}
	if (log->rate[event].said < events[event].rate) {
		log->rate[event].said++;
		return false;
	}
	log->rate[event].suppressed++;
	log->suppressed++;
	return true;
}

bool sb_log_begin_asked(struct sb_log *log, enum sb_log_event event, uint64_t now)
{
	if (log->fd < 0 || is_over_rate(log, event, now))
		return false;
	start_line(log, event, now);
	return true;
}

bool sb_log_begin(struct sb_log *log, enum sb_log_event event, uint64_t now)
{
	return events[event].level <= log->level && sb_log_begin_asked(log, event, now);
}

void sb_log_end(struct sb_log *log)
{
	struct sb_text *t = &log->line;

	t->cap += 2;
	if (log->is_json)
		sb_text_char(t, '}');
	sb_text_char(t, '\n');
	if (t->n > SB_LOG_ROOM - log->waiting) {
		log->lost++;
		return;
	}
	memcpy(log->room + log->waiting, t->p, t->n);
	log->waiting += t->n;
}

/* ---- fields ---- */

static void quote(struct sb_log *log, bool always)
{
	if (always || log->is_json)
		sb_text_char(&log->line, '"');
}

/* A field is written whole or, where the line is full, not at all: half a field would be another line. */
static struct sb_text begin_field(struct sb_log *log, const char *key)
{
	struct sb_text before = log->line;

	sb_text_char(&log->line, log->is_json ? ',' : ' ');
	quote(log, false);
	sb_text_str(&log->line, key);
	quote(log, false);
	sb_text_char(&log->line, log->is_json ? ':' : '=');
	return before;
}

static void end_field(struct sb_log *log, struct sb_text before)
{
	if (log->line.lost > before.lost)
		log->line = before;
}

void sb_log_u64(struct sb_log *log, const char *key, uint64_t v)
{
	struct sb_text before = begin_field(log, key);

	sb_text_u64(&log->line, v);
	end_field(log, before);
}

void sb_log_i64(struct sb_log *log, const char *key, int64_t v)
{
	struct sb_text before = begin_field(log, key);

	sb_text_i64(&log->line, v);
	end_field(log, before);
}

void sb_log_word(struct sb_log *log, const char *key, const char *word)
{
	struct sb_text before = begin_field(log, key);

	quote(log, false);
	sb_text_str(&log->line, word);
	quote(log, false);
	end_field(log, before);
}

/* In text a quote inside would end the field, so it is escaped like the rest. */
static void quoted_text(struct sb_text *t, struct sb_slice s)
{
	while (s.n > 0) {
		const uint8_t *quote = memchr(s.p, '"', s.n);
		size_t n = quote ? (size_t)(quote - s.p) : s.n;

		sb_text_escaped(t, sb_slice(s.p, n), false);
		if (quote)
			sb_text_str(t, "\\x22");
		s = sb_slice_skip(s, n + (quote != NULL));
	}
}

void sb_log_text(struct sb_log *log, const char *key, struct sb_slice text)
{
	struct sb_text before = begin_field(log, key);

	quote(log, true);
	if (log->is_json)
		sb_text_json(&log->line, text);
	else
		quoted_text(&log->line, text);
	quote(log, true);
	end_field(log, before);
}

void sb_log_addr(struct sb_log *log, const char *key, const struct sb_addr *a)
{
	struct sb_text before = begin_field(log, key);

	quote(log, false);
	sb_text_addr(&log->line, a);
	quote(log, false);
	end_field(log, before);
}

void sb_log_time(struct sb_log *log, const char *key, uint64_t ns)
{
	struct sb_text before = begin_field(log, key);

	quote(log, false);
	sb_text_time(&log->line, ns);
	quote(log, false);
	end_field(log, before);
}

/* ---- handing out ---- */

static void say_suppressed(struct sb_log *log, const char *what, uint64_t lines, uint64_t now)
{
	if (!sb_log_begin(log, SB_LOG_SUPPRESSED, now))
		return;
	sb_log_word(log, "of", what);
	sb_log_u64(log, "lines", lines);
	sb_log_end(log);
}

void sb_log_sum_up(struct sb_log *log, uint64_t now, bool is_last)
{
	for (int i = 0; i < SB_LOG_EVENTS && log->suppressed > 0; i++) {
		bool has_room = SB_LOG_ROOM - log->waiting >= SB_LOG_LINE_MAX;
		bool is_over = is_last || log->rate[i].second != now / SB_S;

		if (log->rate[i].suppressed == 0 || !is_over || !has_room)
			continue;
		say_suppressed(log, events[i].name, log->rate[i].suppressed, now);
		log->suppressed -= log->rate[i].suppressed;
		log->rate[i].suppressed = 0;
	}
	if (log->lost > log->lost_said && log->waiting < SB_LOG_ROOM / 2) {
		say_suppressed(log, "all", log->lost - log->lost_said, now);
		log->lost_said = log->lost;
	}
}

bool sb_log_line(struct sb_log *log, struct sb_slice line)
{
	if (log->fd < 0)
		return true;
	if (line.n > SB_LOG_ROOM - log->waiting) {
		log->lost++;
		return false;
	}
	memcpy(log->room + log->waiting, line.p, line.n);
	log->waiting += line.n;
	return true;
}

/* There may be room later, as after EAGAIN: only what does not fit meanwhile is lost, and counted. */
static bool is_full(long r)
{
	return r == -EAGAIN || r == -ENOSPC || r == -ENOBUFS || r == -ENOMEM;
}

int sb_log_flush(struct sb_log *log, struct sb_sys *sys)
{
	size_t done = 0;

	while (done < log->waiting && log->fd >= 0) {
		long r = sb_sys_log_write(sys, log->fd, log->room + done, log->waiting - done);

		if (r == -EINTR)
			continue;
		if (is_full(r))
			break;
		if (r <= 0) {
			/* Nobody will ever read it again: there is no log from here on, and nothing waits. */
			log->fd = -1;
			log->waiting = 0;
			return r < 0 ? (int)r : -EIO;
		}
		done += (size_t)r;
	}
	memmove(log->room, log->room + done, log->waiting - done);
	log->waiting -= done;
	return 0;
}
