/* SPDX-License-Identifier: MIT
 *
 * What a connection whose line shapes what it sends has besides: its pace, its gate, its receipt. Lent from a pool when
 * it opens; plain connections have none.
 */
#ifndef SB_SERVER_SHOW_H
#define SB_SERVER_SHOW_H

#include "core/pace.h"
#include "core/receipt.h"
#include "sys/sys.h"

enum {
	SB_RECEIPTS_KEPT = 64,
	SB_RECEIPT_MAX = 40 * 1024,
	SB_SHOW_ID_MAX = 32,
	SB_TEXTS = 16, /* answers of many lines that are on their way at once */
	SB_ANSWER_HEAD_MAX = 32,
	SB_ANSWER_MAX = SB_ANSWER_HEAD_MAX + SB_RECEIPT_MAX,
};

/* A line that a connection has sent, and what it comes to. */
struct sb_talk {
	struct sb_line line;
	struct sb_plan plan;
};

struct sb_show {
	struct sb_pace pace; /* the session's; first, so that it leads back here */
	struct sb_receipt receipt;
	struct sb_addr local; /* our end, as the kernel names it, once it has been asked */
	uint64_t token;       /* who knows it may ask for the receipt */
	uint32_t slot;        /* of the connection */
	/* Its line, when it has sent one. */
	struct sb_talk *talk;
	char *text;          /* the block its long answer lies in, or NULL */
	uint64_t wait_until; /* it waits for a receipt, not longer than that; SB_NEVER when it does not */
	bool is_control;     /* it is for control verbs */
	char answer[400];
	/* Its gate. */
	uint64_t ask_at;         /* when to ask next */
	uint32_t step;           /* nanoseconds between two questions */
	uint32_t place;          /* in the list of those that wait; index + 1, 0 for not there */
	uint8_t asked, tier;     /* enum sb_gate_tier: of the line; what is asked for now */
	bool is_empty;           /* the queue of a unix socket was empty when it was last asked */
	bool has_local, is_seen; /* local is known; the kernel has told of the peer's socket before */
};

/* Connections whose gate is closed. */
struct sb_gate {
	uint32_t *wait; /* their slots, in no order */
	uint32_t n;
	int fd; /* to ask the kernel with, -1 until it is needed */
};

/* The receipts of the last connections, as text. */
struct sb_receipts {
	char (*text)[SB_RECEIPT_MAX]; /* SB_RECEIPTS_KEPT of them */
	uint32_t size[SB_RECEIPTS_KEPT];
	uint64_t token[SB_RECEIPTS_KEPT];
	uint32_t id[SB_RECEIPTS_KEPT];
	uint32_t port[SB_RECEIPTS_KEPT]; /* the throw-away port it came to, by its id; 0 for none */
	uint32_t next;
	uint32_t waiting; /* connections that wait for one */
};

static inline struct sb_show *sb_show_of(struct sb_session *s)
{
	return (struct sb_show *)s->pace;
}

#endif
