/* SPDX-License-Identifier: MIT
 *
 * streambed send: what its parts share.
 *
 * send.c repeats the rounds; send_args.c reads the command line; send_open.c makes the connection; send_line.c tells
 * the server how to behave; send_io.c moves bytes and judges the reply; send_report.c says what happened. A script is
 * played by play.c instead of the rounds. Functions that return bool say whether to go on: after false the run is over,
 * for a reason that has been said (exit is set) or because somebody asked for its end.
 */
#ifndef SB_CLI_SEND_H
#define SB_CLI_SEND_H

#include <signal.h>

#include "cli/cli.h"
#include "cli/resolve.h"
#include "cli/say.h"
#include "sys/sys.h"

enum sb_reply {
	SB_REPLY_ECHO, /* what was sent, byte by byte */
	SB_REPLY_NONE, /* nothing is waited for */
	SB_REPLY_EOF,  /* whatever comes until the peer ends, after our own end */
	SB_REPLY_SIZE, /* so many bytes */
};

/* What was asked for. Times in nanoseconds; 0 rounds have no end. */
struct sb_send_plan {
	const char *endpoint, *text;
	const char *line; /* said first: how the server is to behave on this connection; NULL for none */
	uint64_t count, size, recv_size, rounds, every_ns, timeout_ns, reply_size;
	enum sb_reply reply;
	bool is_udp_connected, is_corked, is_json;
	const char *script;   /* a file: then the script says what is sent */
	uint64_t max_time_ns; /* of the script, and of its end */
};

struct sb_send {
	struct sb_send_plan plan;
	struct sb_target target;
	struct sb_sys *sys;
	const volatile sig_atomic_t *stop; /* the signal that asked for the end, or 0 */
	int wake;                          /* readable when there was one */
	int fd;
	struct sb_endpoint peer;
	struct sb_addr local;
	uint8_t *out, *in; /* size bytes to send; recv_size bytes of room */
	uint64_t round, rounds_done, began_ns;
	uint64_t moved_ns;         /* when a byte last went or came */
	int64_t owed;              /* of this round's reply: bytes, or datagrams of an echo; < 0: it came early */
	uint64_t missing;          /* datagrams that were not waited for any longer */
	struct sb_tally now, all;  /* of this round; of all */
	bool is_sending, is_ended; /* sends are under way; the peer has sent its end */
	bool is_mute;              /* stdout takes no more */
	int exit;                  /* enum sb_exit */
	char id[64];               /* of the connection, as the answer to the line said; "" for none */
};

static inline bool sb_send_is_over(const struct sb_send *s)
{
	return *s->stop || s->is_mute || s->exit != SB_EXIT_OK;
}

/* ---- send_args.c ---- */

/* Fills the plan and parses the target. 0; an exit code, and why has been said; -1: help has been printed. */
int sb_send_args(struct sb_send *s, int argc, char **argv);

/* ---- send_open.c ---- */

/* Tries the target's addresses in order; says which one it is, or why none. */
bool sb_send_open(struct sb_send *s);
/* The same without a word: a descriptor, or why the last one failed. Sets peer and local. */
int sb_send_dial(struct sb_send *s);
/* Says why there is no connection; returns false. */
bool sb_send_not_open(struct sb_send *s, int err);
/* Whether we are connected to our own end. */
bool sb_send_is_itself(const struct sb_send *s);

/* ---- send_io.c ---- */

/* Waits until the fd (-1: none) has one of the events, or the time has come, or a signal. The events, 0 when the
 * time has come, -EINTR for the signal, -errno. */
int sb_send_wait(struct sb_send *s, int fd, int events, uint64_t until_ns);

/* One buffer, all of it. Waits where the kernel has no room, and reads meanwhile: else two who only send would
 * wait for each other for ever. */
bool sb_send_buffer(struct sb_send *s);
/* One recv, if there is something: counted, reported, judged. */
bool sb_send_take(struct sb_send *s);
/* The rest of this round's reply. */
bool sb_send_await_reply(struct sb_send *s);
/* Our end, then everything up to the peer's. */
bool sb_send_await_end(struct sb_send *s);

/* ---- send_line.c ---- */

/* Says the line and takes the answer to it. */
bool sb_send_line(struct sb_send *s);
/* After the connection's end: asks for its receipt, on another one, and prints it. */
bool sb_send_receipt(struct sb_send *s);

/* ---- send_report.c ---- */

/* Prints the text and a line end. */
void sb_send_emit(struct sb_send *s, struct sb_text *t);
void sb_report_open(struct sb_send *s);
/* asked: bytes the call was given; blocked_ns: how long there was no room for them. */
void sb_report_send(struct sb_send *s, size_t bytes, size_t asked, uint64_t blocked_ns);
/* bytes: of the datagram; kept: what fitted. */
void sb_report_recv(struct sb_send *s, size_t bytes, size_t kept);
/* A datagram from somebody else. */
void sb_report_stray(struct sb_send *s, const struct sb_addr *from, size_t bytes);
void sb_report_round(struct sb_send *s, uint64_t ns);
void sb_report_summary(struct sb_send *s);
/* The end of a summary, here and of a script, which took ns. well: what to add when nobody asked for its end. */
void sb_report_end(struct sb_send *s, struct sb_text *t, uint64_t ns, const char *well);

/* One line on stderr that begins with the endpoint, and an error event; sets exit. Returns false. */
bool sb_send_fail(struct sb_send *s, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The exit code of a failed call. */
int sb_send_exit_of(int err);
/* What a failed call means here. */
const char *sb_send_why(int err);
/* A duration as the command line takes it, in room. */
const char *sb_send_time(uint64_t ns, char room[static 32]);

#endif
