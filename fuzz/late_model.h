/* SPDX-License-Identifier: MIT
 *
 * What becomes of replies to datagrams, said a second time: written from the help of keys.def and docs/. What a line
 * says is looked up in its text each time, and what waits is a heap without order, searched each time. */
#ifndef SB_FUZZ_LATE_MODEL_H
#define SB_FUZZ_LATE_MODEL_H

#include "core/replies.h"

enum { LATE_MAX = 160, LATE_PEERS_MAX = 64 };

/* A reply that has to be sent: now, or when due. */
struct late_want {
	struct sb_addr peer, own;
	uint32_t listener, conn;
	uint32_t door;         /* of the socket: another may be in the listener's place later */
	uint32_t from, n, nth; /* the caller's: where its bytes are, and how many there would be */
	uint32_t size;         /* what is sent of it */
	uint64_t number, due, seq;
	uint64_t waits; /* for this number to go first, 0 for none */
	uint8_t copies;
	bool is_answer; /* sent at once */
};

struct late_model {
	struct late_want held[LATE_MAX];
	uint32_t held_n, blocks, blocks_max;
	struct {
		uint32_t listener;
		struct sb_addr addr;
		uint64_t n, heard;
	} peer[LATE_PEERS_MAX];
	uint32_t peers, peers_max;
	uint64_t seq, forgotten;
};

void late_model_init(struct late_model *m, uint32_t blocks_max, uint32_t peers_max);

/* Whether a line says anything about single replies. */
bool late_model_is_for(const char *line);

/* Counts a reply of w->n bytes by w->listener to w->peer, and fills in what becomes of it. NONE: it is sent now, if
 * is_answer, or kept. Else why it is not. */
enum sb_drop late_model_take(struct late_model *m, const char *line, uint64_t delay_max, uint64_t now,
			     struct late_want *w);

/* It has been sent or dropped, or is kept: what waits for it goes next. */
void late_model_pass(struct late_model *m, const char *line, uint64_t now, const struct late_want *w);

/* The one that is due first, NULL for none. */
const struct late_want *late_model_first(const struct late_model *m);

/* Takes out the first if it is due. */
bool late_model_due(struct late_model *m, uint64_t now, struct late_want *w);

/* Takes out the first of a listener that is closed: those with a time before those that wait for others. */
bool late_model_of(struct late_model *m, uint32_t listener, struct late_want *w);

#endif
