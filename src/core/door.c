/* SPDX-License-Identifier: MIT
 * Telling a line from payload. */
#include "core/door.h"

/* As far as p goes. */
static bool is_mark(const uint8_t *p, size_t n)
{
	enum { VERSION = 2 };

	for (size_t i = 0; i < n && i < SB_DOOR_MARK_N; i++)
		if (i == VERSION ? p[i] < '0' || p[i] > '9' : p[i] != (uint8_t)SB_DOOR_MARK[i])
			return false;
	return true;
}

bool sb_door_is_marked(struct sb_slice line)
{
	return line.n >= SB_DOOR_MARK_N && is_mark(line.p, line.n);
}

enum sb_door_look sb_door_look(enum sb_door door, const uint8_t *p, size_t n, bool is_last, uint32_t *line_n)
{
	size_t mark = n < SB_DOOR_MARK_N ? n : SB_DOOR_MARK_N, most = n < SB_DOOR_LINE_MAX ? n : SB_DOOR_LINE_MAX;
	const uint8_t *end;

	if (door == SB_DOOR_MARKED && (!is_mark(p, mark) || (mark < SB_DOOR_MARK_N && is_last)))
		return SB_DOOR_PAYLOAD;
	if (door == SB_DOOR_MARKED && mark < SB_DOOR_MARK_N)
		return SB_DOOR_WAIT;
	end = memchr(p, '\n', most);
	*line_n = (uint32_t)(end ? (size_t)(end - p) + 1 : most);
	return end || is_last || most == SB_DOOR_LINE_MAX ? SB_DOOR_LINE : SB_DOOR_WAIT;
}

/* "GET / HTTP/1.1" */
static bool is_http(struct sb_slice line)
{
	static const char version[] = " HTTP/1.";
	size_t n = sizeof(version) - 1;

	return line.n > n && memcmp(line.p + line.n - n - 1, version, n) == 0;
}

bool sb_door_is_foreign(struct sb_slice line)
{
	static const uint8_t ending[] = {'\n', '\r'};
	size_t ends = 0;

	while (ends < line.n && ends < sizeof(ending) && line.p[line.n - 1 - ends] == ending[ends])
		ends++;
	if (ends == 0)
		return line.n >= SB_DOOR_LINE_MAX;
	line.n -= ends;
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] < ' ' || line.p[i] > '~')
			return true;
	/* PROXY begins with an empty line, which has a CR; who presses return by mistake sends none. */
	return line.n == 0 ? ends == 2 : is_http(line);
}
