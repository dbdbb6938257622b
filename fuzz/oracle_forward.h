/* SPDX-License-Identifier: MIT
 *
 * What a run of a FORWARD must have been like, whatever the script was:
 *
 * - what is read at one end leaves at the other, whole messages, in order, and nothing else; what does not is said to
 *   be lost: in = out + dropped + unsent, in the log and in the receipt
 * - pieces of each direction end where its keys say, and the next leaves when what has to be true is true
 * - a direction reads no further while it has something to send, and nothing before the server is there
 * - a half-close passes as one, when all before it has; both ends are closed together; what broke at one end is reset
 *   at the other
 * - a server that cannot be reached, or not in time, is told by its errno
 * - nothing is left: descriptors, slots, buffers, timers
 */
#ifndef SB_FUZZ_ORACLE_FORWARD_H
#define SB_FUZZ_ORACLE_FORWARD_H

#include "plan_model.h"
#include "server/server.h"
#include "sys_sim.h"

enum { FW_PAIRS = SIM_CONNS, FW_LOG_MAX = 64 * 1024 };

/* One direction, from one end to the other. */
struct fw_way {
	struct plan_model plan; /* of its keys */
	uint8_t reason;
	bool is_closed, is_reset;                        /* as the session was closed */
	uint64_t in, out, dropped, unsent;               /* as it counts them */
	uint64_t pieces, unit, gated_at, last_at, whole; /* whole: bytes of whole messages it has read */
	bool is_gated, is_broken, has_given_way;
	bool is_last;                 /* no more messages can come */
	bool is_noted;                /* its reason has been seen, and was right */
	uint8_t is_end[SIM_SENT_MAX]; /* a message ends with this byte */
};

struct fw_pair {
	struct sim_conn *client, *up; /* up: NULL until it is connected to */
	struct fw_way way[SB_WAYS];
	uint64_t opened;
	uint32_t logged, receipts;
	uint32_t id; /* of the client, as the log calls it */
	bool is_served, is_refused;
	int failed; /* -errno of what broke, at either end */
	int dial_failed;
};

struct fw_run {
	const char *backend;
	struct sb_sys *k;
	struct sb_server *srv;
	struct plan_model plan[SB_WAYS];
	struct fw_pair pair[FW_PAIRS];
	uint32_t pairs, last; /* last: index + 1 of the one that was accepted last */
	uint64_t connect_timeout, idle_timeout;
	uint32_t conns_max;
	bool is_stopped, is_hurt; /* hurt: some call was made to fail */
	char log[FW_LOG_MAX + 1];
	size_t log_n;
	char receipt[SB_RECEIPT_MAX];
	size_t receipt_n;
};

/* Reads the two directions out of a listener's line. */
void fw_open(struct fw_run *r, const char *line);
/* The kernel tells it of everything. */
void fw_listen(struct fw_run *r);
/* The server waits. */
void fw_rest(struct fw_run *r);
/* Everybody has left, and all time has passed; the server still runs. */
void fw_end(struct fw_run *r);
/* It is closed, its log is whole. */
void fw_over(struct fw_run *r);
void fw_compare(const struct fw_run *a, const struct fw_run *b);
uint64_t fw_digest(const struct fw_run *r);

/* ---- between its files ---- */

extern const char *const fw_way_names[SB_WAYS];

#define WHO "%s: pair %u %s: "
#define who(r, p, way) (r)->backend, fw_number(r, p), fw_way_names[way]

/* Whose end c is. */
struct fw_pair *fw_pair_of(struct fw_run *r, const struct sim_conn *c);
/* Where the bytes of a direction come from, and where they go to. */
struct sim_conn *fw_from(const struct fw_pair *p, int way);
struct sim_conn *fw_to(const struct fw_pair *p, int way);
uint32_t fw_number(const struct fw_run *r, const struct fw_pair *p);
/* The server's, NULL when it has none. */
struct sb_conn *fw_conn(const struct fw_run *r, const struct sim_conn *c);
/* Finds the messages that are whole now. */
void fw_advance(struct fw_pair *p, int way);

/* Its reason, as soon as there is one: no time is over before it is. */
void fw_note_reason(struct fw_run *r, struct fw_pair *p, int way, const struct sb_session *s);

void fw_on_close(struct sb_sys *k, struct sim_conn *c);
void fw_on_log(struct sb_sys *k, struct sb_slice some);
void fw_on_receipt(struct sb_sys *k, struct sb_slice some);

#endif
