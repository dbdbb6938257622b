/* SPDX-License-Identifier: MIT
 *
 * streambed send --script: plays the peers of a script (script/script.h) against a real server, as fuzz/play.c plays
 * them against a simulated kernel: which connection an event is for, when one is opened, what is collected until it is
 * delivered. Where a real kernel decides, it is asked and waited for, and never for ever.
 *
 * play.c reads the events; play_conn.c has the connections, play_dgram.c datagrams under way, play_skip.c what a peer
 * cannot do, play_report.c the words. They share a struct sb_send: its plan, its target, its end by a signal.
 */
#ifndef SB_CLI_PLAY_H
#define SB_CLI_PLAY_H

#include "cli/send.h"
#include "script/script.h"

enum {
	SB_PLAY_SLOTS = 8,
	SB_PLAY_CONNS = 24,      /* as many as the simulated kernel has */
	SB_PLAY_DGRAMS = 128,    /* under way: the same */
	SB_PLAY_IN = 128 * 1024, /* of a recv */
};

#define SB_PLAY_TICK UINT64_C(10000000) /* 10 ms */

/* How a connection ended. */
enum sb_play_end {
	SB_PLAY_OPEN,    /* not yet; of datagrams: it has no end */
	SB_PLAY_REFUSED, /* never opened, or for datagrams: nothing listens there; err says why */
	SB_PLAY_FIN,     /* by the server */
	SB_PLAY_RST,     /* by the server */
	SB_PLAY_OURS,    /* by the script's rst */
	SB_PLAY_TIMEOUT, /* the server has not ended it after our end */
	SB_PLAY_ENDLESS, /* it was still sending when our time was over */
	SB_PLAY_ENDS,
};

struct sb_play_conn {
	int fd; /* -1: not open, or not any more */
	uint32_t slot;
	struct sb_addr local;
	uint8_t *bytes;  /* what the script says for it: n of them, room for all */
	size_t n, gone;  /* gone: sent, or for datagrams: put under way */
	bool wants_fin;  /* the script's end of the stream, or ours at the end */
	bool is_fin;     /* it is out */
	bool is_deaf;    /* the kernel takes nothing any more: the server has reset, or closed */
	bool is_full;    /* it takes nothing now */
	bool is_stuck;   /* it was waited for in vain */
	bool has_window; /* only so many bytes are read: */
	uint64_t window;
	uint8_t *log; /* datagrams as they were sent, one behind the other */
	size_t log_n, log_room;
	bool is_different; /* what came back is not what was sent, or more */
	struct sb_tally t;
	uint64_t in_ns;  /* when a byte last came */
	uint64_t unsent; /* bytes of the script that could not be sent */
	int err;         /* of the call that ended it */
	enum sb_play_end end;
};

struct sb_play_dgram {
	struct sb_play_conn *c;
	size_t from, n;
};

/* What was not played: how often, by kind and first argument (0 for most). */
struct sb_play_skips {
	uint32_t n[SBS_KINDS][256];
	uint8_t config; /* the first one asked for, as \ocX */
	uint64_t conns, dgrams;
};

struct sb_play {
	struct sb_send *s;
	bool is_dgram;
	struct sb_play_conn conn[SB_PLAY_CONNS], *slot[SB_PLAY_SLOTS];
	uint32_t conns, current;
	struct sb_play_dgram dgram[SB_PLAY_DGRAMS];
	uint32_t dgrams;
	struct sb_play_skips skips;
	size_t script_n;
	uint64_t over_ns;           /* no wait of the script goes beyond */
	uint64_t hurried, hurry_ns; /* ticks that were cut short, and by how much */
	uint64_t moved_ns;          /* when a byte last went or came */
	bool is_silent;             /* a connect has timed out: no more are tried */
	int after;                  /* of the connection tried at the end: 0, or why there was none */
};

/* ---- play.c ---- */

/* Plays n bytes of script. Sets the exit. */
void sb_play_script(struct sb_send *s, const uint8_t *script, size_t n);

/* ---- play_conn.c ---- */

/* Opens a connection for this slot; it may have been refused, which for the first one is an error, and said. NULL when
 * there are as many as there can be. */
struct sb_play_conn *sb_play_open(struct sb_play *p, uint32_t slot);
/* Whether the script may still send on it; the server's end does not count. */
bool sb_play_can_send(const struct sb_play_conn *c);
/* Sends what there is to be sent, as far as the kernel takes it. */
void sb_play_flush(struct sb_play *p, struct sb_play_conn *c);
void sb_play_reset(struct sb_play *p, struct sb_play_conn *c);
/* Until then: reads what comes, sends what is left. Returns early when quiet_ns > 0, nothing has moved for so long and
 * the other kernels have taken everything. */
void sb_play_pass(struct sb_play *p, uint64_t until_ns, uint64_t quiet_ns);
/* Ends all: opens windows, sends our FIN, reads to the end of each. */
void sb_play_finish(struct sb_play *p);

/* ---- play_dgram.c ---- */

/* What was collected is a datagram, and under way. */
void sb_play_dgram_cut(struct sb_play *p, struct sb_play_conn *c);
/* Sends all that are under way. */
void sb_play_dgram_flush(struct sb_play *p);
void sb_play_dgram_take(struct sb_play *p, struct sb_play_conn *c);
void sb_play_dgram_late(struct sb_play *p);
void sb_play_dgram_double(struct sb_play *p);
void sb_play_dgram_lose(struct sb_play *p);

/* ---- play_skip.c ---- */

/* Why an event is not played. */
enum sb_play_why {
	SB_PLAY_WHY_KERNEL,
	SB_PLAY_WHY_START,
	SB_PLAY_WHY_PEERS,
	SB_PLAY_WHY_STOP,
	SB_PLAY_WHY_STREAM,
	SB_PLAY_WHY_DGRAM,
	SB_PLAY_WHY_UNIX,
	SB_PLAY_WHY_NOTHING,
	SB_PLAY_PLAYED,
};

/* Counts the event if a peer cannot play it. */
bool sb_play_skip(struct sb_play *p, const struct sbs_event *e);
enum sb_play_why sb_play_why(const struct sb_play *p, enum sbs_kind kind, uint8_t letter);
const char *sb_play_why_text(enum sb_play_why why);

/* ---- play_report.c ---- */

/* Connections, and what was skipped. */
void sb_play_report(struct sb_play *p);
void sb_play_summary(struct sb_play *p);

#endif
