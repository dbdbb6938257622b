/* SPDX-License-Identifier: MIT
 *
 * Scripts: what the peers of a server do, and what goes wrong meanwhile, as a string of bytes. Every byte is payload
 * for the current connection, but for what follows a backslash:
 *
 *   \\        a backslash                        \|        deliver: run the server until it waits for us
 *   \0..\7    select a connection and open it    \~        the next bytes are another segment, or datagram
 *   \E        the peer closes its sending side   \R        the peer resets
 *   \iX \aX   the next v(X) recvs: EINTR, EAGAIN \IX \AX   the next v(X) sends
 *   \wX       the next send takes v(X) bytes     \dX       the peer drains v(X) bytes: the window opens
 *   \tX       v(X) ticks pass                    \mX       all but v(X) large buffers are in use
 *   \eX       a call fails: faults.def           \oXY      a knob: knobs.def
 *   \uX       the next datagram is cut           \r \D \S  the last datagram is late, doubled, lost
 *   anything else: as \|
 *
 * Every string is a script: there is nothing to reject, no lengths, no header. A capture without backslashes is one.
 * v(X) is 0..9 for digits, 10 12 16 24 32 48 64 96 128 … 64k for a..z, else the byte.
 *
 * The listing says the same an event a line, and compiles back to the same bytes, whatever they were:
 *
 *   select 2
 *   bytes "hello\n"
 *   recv-eintr 3
 *   run                                 anything behind # is a remark
 */
#ifndef SB_SCRIPT_SCRIPT_H
#define SB_SCRIPT_SCRIPT_H

#include "base/fault.h"
#include "base/text.h"

enum sbs_kind {
	SBS_BYTES,   /* payload: p[0..n) as written, in which a doubled backslash is one; sbs_unescape() reads it */
	SBS_CUT_OFF, /* the script ends inside an escape: as RUN; p[0..n) */
#define SBS_EVENT(id, letter, args, word, help) SBS_##id,
#include "script/events.def"
#undef SBS_EVENT
	SBS_KINDS
};

struct sbs_event {
	enum sbs_kind kind;
	uint8_t letter;   /* what followed the backslash; for RUN it may be any */
	uint8_t arg[2];   /* as written */
	uint32_t v;       /* of the last argument; for SELECT the connection */
	const uint8_t *p; /* where the event is written, n bytes */
	size_t n;
};

/* Reads the event at *at and moves behind it: true, or false at the end. */
bool sbs_next(const uint8_t *script, size_t n, size_t *at, struct sbs_event *e);

/* The payload of a BYTES event; out has room for e->n bytes. Returns how many there are. */
size_t sbs_unescape(const struct sbs_event *e, uint8_t *out);

uint32_t sbs_value(uint8_t x);

/* Writes the listing of a script, at most room bytes, and returns how many it has (which may be more). */
size_t sbs_print(const uint8_t *script, size_t n, char *out, size_t room);

/* Compiles a listing. Returns how many bytes the script has (out may be too small for them, but never more than n are
 * written), or SB_E_UNKNOWN or SB_E_SYNTAX: then *line is the first line that is none, from 1, and *fault (may be NULL)
 * says what is wrong in which of its columns. Each line of what compiles is one event of the script. */
long sbs_compile(const char *text, size_t n, uint8_t *out, size_t room, uint32_t *line, struct sb_fault *fault);

/* ---- names ---- */

/* The word of a kind in a listing: "recv-eintr". */
const char *sbs_word(enum sbs_kind kind);
/* What follows the word: characters. */
size_t sbs_args(enum sbs_kind kind);
/* Writes what \eX makes fail, and how: "recv: ECONNRESET". */
void sbs_say_fault(struct sb_text *t, uint8_t letter);
/* Writes what \oXY sets: "first-byte". False when it is nothing. */
bool sbs_say_knob(struct sb_text *t, uint8_t letter);
/* The server that \ocX asks for: its listeners, parted by ';', and its options, by ' '. False: there is none of this
 * letter. */
bool sbs_config(uint8_t letter, const char **listens, const char **options);
/* Whether it is one of the limits that a server is started with. */
bool sbs_knob_is_limit(uint8_t letter);

#endif
