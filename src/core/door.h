/* SPDX-License-Identifier: MIT
 *
 * The door of a connection: whether it begins with a line that says how we shall behave ("SB1 ECHO frag=1\n"), or with
 * plain payload. A pure function of the bytes so far, however they came.
 */
#ifndef SB_CORE_DOOR_H
#define SB_CORE_DOOR_H

#include "scenario/line.h"

#define SB_DOOR_MARK "SB1 " /* with another digit it is of a version that we do not speak */

/* How long a part of the marker is held before it is payload, nanoseconds. */
#define SB_DOOR_PATIENCE UINT64_C(200000000)

enum {
	SB_DOOR_MARK_N = sizeof(SB_DOOR_MARK) - 1,
	/* Bytes that a line has at most: the marker, the line, CR LF. */
	SB_DOOR_LINE_MAX = SB_DOOR_MARK_N + SB_LINE_MAX + 2,
};

enum sb_door {
	SB_DOOR_NONE,    /* what comes is payload */
	SB_DOOR_MARKED,  /* a line must begin with the marker, else it is payload */
	SB_DOOR_CONTROL, /* what comes are lines, with or without a marker */
	SB_DOOR_DUE,     /* a line has come: LINE is to be said next */
	SB_DOOR_ASKED,   /* LINE has been said */
};

enum sb_door_look {
	SB_DOOR_WAIT,    /* more is needed to tell */
	SB_DOOR_PAYLOAD, /* no line */
	SB_DOOR_LINE,    /* p[0..line_n) is the line, its end included; or as much of one as is too long for a line */
};

/* What p[0..n), n > 0, is; is_last: nothing more will come. A line without an end is one all the same then: who reads
 * it says that its end is missing. */
enum sb_door_look sb_door_look(enum sb_door door, const uint8_t *p, size_t n, bool is_last, uint32_t *line_n);

/* Whether a line begins with the marker, of whichever version. */
bool sb_door_is_marked(struct sb_slice line);

/* Whether a line of a control connection is of another protocol (TLS, PROXY, HTTP), or there is no end to it: nobody
 * who speaks in lines sends it, and what follows would be guessed at. */
bool sb_door_is_foreign(struct sb_slice line);

#endif
