/* SPDX-License-Identifier: MIT
 *
 * A receipt: what was done on a connection whose line shapes what it sends, in the order it was done, as one JSON
 * object. Events lie in memory of a fixed size; what is over it is only counted, and the totals stay exact.
 * docs/receipt.schema.json says what is in it.
 */
#ifndef SB_CORE_RECEIPT_H
#define SB_CORE_RECEIPT_H

#include "core/session.h"

enum { SB_RECEIPT_EVENTS = 192, SB_RECEIPT_VERSION = 1 };

enum sb_receipt_kind { SB_RECEIPT_RECV, SB_RECEIPT_SEND, SB_RECEIPT_SHUT, SB_RECEIPT_STEP, SB_RECEIPT_OPTION };

/* How a send ended. */
enum sb_receipt_end {
	SB_RECEIPT_ARRIVAL, /* nothing more had come, or the kernel took no more */
	SB_RECEIPT_CUT,     /* at a boundary of the line */
};

struct sb_receipt_event {
	uint64_t at; /* when, monotonic nanoseconds */
	uint32_t n;  /* bytes; STEP, OPTION: which step, counted from 0 */
	union {
		uint32_t waited; /* CUT: microseconds until the gate opened, UINT32_MAX when it has not */
		int32_t value;   /* OPTION: what the kernel made of it */
	};
	uint8_t kind, end;
	uint8_t tier; /* CUT, opened: what was proven, an enum sb_gate_tier */
};

struct sb_receipt {
	uint64_t opened, closed;
	uint64_t recvs, sends, steps, truncated;
	uint64_t cuts[SB_GATE_NONE + 1]; /* by what was proven; NONE: nothing, the peer was gone */
	uint32_t hash_in, hash_out;      /* hash=on: CRC-32 of what came and went */
	uint32_t uid;                    /* of who reads what we send, UINT32_MAX when not known */
	const char *why;                 /* gate=best did not get the best: why, NULL when it did */
	bool has_cut;                    /* the last event is a cut whose gate has not opened */
	uint32_t n;
	struct sb_receipt_event event[SB_RECEIPT_EVENTS];
};

void sb_receipt_open(struct sb_receipt *r, uint64_t now);
void sb_receipt_recv(struct sb_receipt *r, uint32_t n, uint64_t now);
void sb_receipt_send(struct sb_receipt *r, uint32_t n, bool is_cut, uint64_t now);
/* hash=on: these bytes have come, have gone. */
void sb_receipt_hash_in(struct sb_receipt *r, struct sb_slice bytes);
void sb_receipt_hash_out(struct sb_receipt *r, struct sb_slice bytes);
void sb_receipt_shut(struct sb_receipt *r, uint64_t now);
/* A step of the line begins, counted from 0. */
void sb_receipt_step(struct sb_receipt *r, uint32_t step, uint64_t now);
/* It has set its option, and this is what the kernel made of it. */
void sb_receipt_option(struct sb_receipt *r, uint32_t step, int64_t effective, uint64_t now);
/* The gate of the last cut has opened: tier is what is proven by that. */
void sb_receipt_gate(struct sb_receipt *r, enum sb_gate_tier tier, uint64_t now);

/* What stands in front of the events, which the connection knows. */
struct sb_receipt_head {
	struct sb_slice id, peer, line;
	const struct sb_session *session; /* closed */
};

/* Writes it as one line of JSON, its end included. */
void sb_text_receipt(struct sb_text *t, const struct sb_receipt *r, const struct sb_receipt_head *head);

#endif
