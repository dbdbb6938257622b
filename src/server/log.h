/* SPDX-License-Identifier: MIT
 *
 * The log: one event a line, as text or JSON. Peers' bytes are escaped, so that one line stays one line. Each
 * kind of event has its own rate; what is over it is counted and said in one line. Lines wait in memory of a
 * fixed size until the fd takes them: nothing ever blocks on a full pipe, what does not fit is counted too.
 *
 *   if (sb_log_begin(log, SB_LOG_CLOSE, now)) {
 *       sb_log_u64(log, "conn", id);
 *       sb_log_word(log, "reason", "eof");
 *       sb_log_end(log);
 *   }
 */
#ifndef SB_SERVER_LOG_H
#define SB_SERVER_LOG_H

#include "base/addr.h"
#include "sys/sys.h"

enum sb_log_event {
#define SB_EVENT(id, name, level, rate) SB_LOG_##id,
#include "server/events.def"
#undef SB_EVENT
	SB_LOG_EVENTS
};

enum sb_log_level { SB_LOG_ERROR, SB_LOG_WARNING, SB_LOG_NOTICE, SB_LOG_INFO, SB_LOG_DEBUG };

enum { SB_LOG_LINE_MAX = 1024, SB_LOG_ROOM = 64 * 1024 };

/* Written, waiting: room[0..waiting). The line being made: line. */
struct sb_log {
	int fd; /* -1: no log */
	bool is_json;
	enum sb_log_level level;
	uint64_t began; /* times are said relative to this */
	uint64_t lost;  /* lines that did not fit */
	uint64_t lost_said;
	uint64_t suppressed; /* of all kinds, not yet said */
	char *room;          /* SB_LOG_ROOM bytes; the caller's */
	size_t waiting;
	struct sb_text line;
	char line_room[SB_LOG_LINE_MAX];
	struct {
		uint64_t second; /* which second of now `said` counts */
		uint64_t said, suppressed;
	} rate[SB_LOG_EVENTS];
};

void sb_log_init(struct sb_log *log, int fd, char *room, uint64_t now);

/* Begins a line: false when nobody wants it or its kind is over its rate. */
bool sb_log_begin(struct sb_log *log, enum sb_log_event event, uint64_t now);
/* The same for an event that somebody has asked for, whatever the level. */
bool sb_log_begin_asked(struct sb_log *log, enum sb_log_event event, uint64_t now);
void sb_log_end(struct sb_log *log);

/* Fields. word: one of ours, plain. text: a sentence or anybody's bytes, quoted and escaped. */
void sb_log_u64(struct sb_log *log, const char *key, uint64_t v);
void sb_log_i64(struct sb_log *log, const char *key, int64_t v);
void sb_log_word(struct sb_log *log, const char *key, const char *word);
void sb_log_text(struct sb_log *log, const char *key, struct sb_slice text);
void sb_log_addr(struct sb_log *log, const char *key, const struct sb_addr *a);
void sb_log_time(struct sb_log *log, const char *key, uint64_t ns);

/* Says what was suppressed in seconds that are over; is_last: in all, as far as there is room. */
void sb_log_sum_up(struct sb_log *log, uint64_t now, bool is_last);

/* A whole line that somebody else has made, its end included. False: there is no room for it, and it is lost. */
bool sb_log_line(struct sb_log *log, struct sb_slice line);

/* Writes what the fd takes now. 0, or -errno: there is no log from here on. */
int sb_log_flush(struct sb_log *log, struct sb_sys *sys);

/* The level of this name: 0 .. 4, or -1. */
int sb_log_level_named(struct sb_slice name);

#endif
