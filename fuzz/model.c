/* SPDX-License-Identifier: MIT
 * What a line asks for, read a second time and as simply as possible: lines of configs.def are well-formed. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "find.h"
#include "found.h"
#include "oracle.h"

/* The value of key= in a line, copied to room; NULL when it is not there. */
static const char *value_of(const char *line, const char *key, char room[64])
{
	const char *at = fuzz_find(line, key);
	size_t n = 0;

	/* A value may have the name of a key in it, and has no space; a socket option has a dot before its name. */
	while (at && at[-1] != ' ' && at[-1] != '.')
		at = fuzz_find(at + 1, key);
	if (!at)
		return NULL;
	at += strlen(key);
	while (at[n] && at[n] != ' ' && n < 63)
		n++;
	memcpy(room, at, n);
	room[n] = '\0';
	return room;
}

/* A number with its unit, as nanoseconds or bytes. */
uint64_t model_number(const char *text, char **end)
{
	static const struct {
		const char *unit;
		uint64_t times;
	} units[] = {{"us", 1000}, {"ms", SB_MS}, {"s", SB_S}, {"m", 60 * SB_S}, {"k", 1024}, {"M", 1048576}};
	char *after;
	uint64_t v = strtoull(text, &after, 10);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t n = strlen(units[i].unit);

		if (strncmp(after, units[i].unit, n) != 0)
			continue;
		v *= units[i].times;
		after += n;
		break;
	}
	if (end)
		*end = after;
	return v;
}

static bool is_shaped(const char *line)
{
	static const char *const keys[] = {" frag=", " cut=", " join=", " delay=", " limit=", " flip="};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (fuzz_find(line, keys[i]))
			return true;
	return false;
}

uint64_t model_syn(const char *line)
{
	char room[64];

	if (!value_of(line, "syn=drop", room))
		return 0;
	return room[0] == ':' ? model_number(room + 1, NULL) : SB_NEVER;
}

void model_read(struct model *m, const char *listen)
{
	const char *line = strchr(listen, ',');
	char room[64];

	line = line ? line + 1 : "ECHO";
	*m = (struct model){.args.max = SB_FRAME_MAX, .recv_max = SB_SESSION_HELD_MAX};
	snprintf(m->line, sizeof(m->line), "%s", line);
	m->is_chargen = m->is_endless = strncmp(line, "CHARGEN", 7) == 0;
	if (m->is_chargen || strncmp(line, "SOURCE", 6) == 0)
		m->service = MODEL_SOURCE;
	else if (strncmp(line, "DISCARD", 7) == 0)
		m->service = MODEL_DISCARD;
	m->is_tcp = strncmp(listen, "tcp:", 4) == 0;
	m->is_udp = strncmp(listen, "udp:", 4) == 0;
	m->is_unix = strncmp(listen, "unix:", 5) == 0;
	m->is_door = !m->is_udp && m->service != MODEL_SOURCE && (!strchr(line, ' ') || fuzz_find(line, "preamble=on"));
	m->is_loopback = !fuzz_find(listen, "0.0.0.0");
	m->conns = UINT64_MAX;
	m->backlog = 511;
	m->syn = model_syn(line);
	m->nodelay = m->is_tcp;
	m->quickack = m->rcvbuf = -1;
	if (value_of(line, "stopread=", room)) {
		char *end;

		m->stop_ns = model_number(room, &end);
		m->stop_at = *end == '@' ? model_number(end + 1, &end) : 0;
	}
	if (value_of(line, "conns=", room))
		m->conns = strtoul(room, NULL, 10);
	if (value_of(line, "backlog=", room))
		m->backlog = (int)strtol(room, NULL, 10);
	if (m->syn)
		m->backlog = 0;
	if (value_of(line, "TCP_NODELAY=", room))
		m->nodelay = (int)strtol(room, NULL, 10);
	if (value_of(line, "TCP_QUICKACK=", room))
		m->quickack = (int)strtol(room, NULL, 10);
	if (value_of(line, "rcvbuf=", room))
		m->rcvbuf = (int)model_number(room, NULL);
	m->replies = value_of(line, "count=", room) ? (uint32_t)strtoul(room, NULL, 10) : 1;
	m->reply_n = value_of(line, "len=", room) ? (uint32_t)strtoul(room, NULL, 10) : 1024;
	m->is_silent = value_of(line, "reply=silent", room) != NULL;
	m->is_refusing = value_of(line, "reply=refused", room) != NULL;
	m->is_fated = late_model_is_for(line);
	m->is_rst = fuzz_find(line, "close=rst") != NULL;
	m->is_abrupt = fuzz_find(line, "close=abrupt") != NULL;
	if (value_of(line, "max=", room))
		m->args.max = (uint32_t)model_number(room, NULL);
	if (value_of(line, "recv=", room))
		m->recv_max = (uint32_t)model_number(room, NULL);
	m->ref = ref_read(&m->args, value_of(line, "frame=", room) ? room : "raw");
	if (!m->ref)
		sb_found("model: cannot read the framing %s", room);
	m->has_steps = fuzz_find(line, " | ") != NULL;
	m->is_shaped = is_shaped(line) && !m->has_steps;
	if (m->is_shaped)
		plan_model_read(&m->plan, line);
}

/* As printf would, which under sanitizers is slow. */
static char *decimal(char *at, unsigned v)
{
	if (v >= 10)
		at = decimal(at, v / 10);
	*at++ = (char)('0' + v % 10);
	return at;
}

const char *model_addr(char room[MODEL_ADDR_MAX], const struct sb_addr *a)
{
	char *at = room;

	if (a->family == SB_UNIX)
		return "unix:";
	if (a->family == SB_IPV6) {
		*at++ = '[';
		inet_ntop(AF_INET6, a->ip, at, INET6_ADDRSTRLEN);
		at += strlen(at);
		*at++ = ']';
	}
	for (int i = 0; i < 4 && a->family == SB_IPV4; i++) {
		if (i)
			*at++ = '.';
		at = decimal(at, a->ip[i]);
	}
	*at++ = ':';
	at = decimal(at, a->port);
	*at = '\0';
	return room;
}
