/* SPDX-License-Identifier: MIT
 * Telling a line from payload. */
#include "core/door.h"

enum sb_door_look sb_door_look(enum sb_door door, const uint8_t *p, size_t n, bool is_last, uint32_t *line_n)
{
	size_t mark = n < SB_DOOR_MARK_N ? n : SB_DOOR_MARK_N, most = n < SB_DOOR_LINE_MAX ? n : SB_DOOR_LINE_MAX;
	const uint8_t *end;

	if (door == SB_DOOR_MARKED && (memcmp(p, SB_DOOR_MARK, mark) != 0 || (mark < SB_DOOR_MARK_N && is_last)))
		return SB_DOOR_PAYLOAD;
	if (door == SB_DOOR_MARKED && mark < SB_DOOR_MARK_N)
		return SB_DOOR_WAIT;
	end = memchr(p, '\n', most);
	*line_n = (uint32_t)(end ? (size_t)(end - p) + 1 : most);
	return end || is_last || most == SB_DOOR_LINE_MAX ? SB_DOOR_LINE : SB_DOOR_WAIT;
}
