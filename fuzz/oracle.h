/* SPDX-License-Identifier: MIT
 *
 * What a run of the whole server must have been like, whatever the script was. Nothing here looks at how src/ does it:
 * frames are found by fuzz/ref/, services are said again in a few lines, and the rest are rules:
 *
 * - both backends: the same bytes each way, the same reason, the same end, for every connection
 * - ECHO sends back whole messages, in order, and nothing else; a SOURCE sends what it is made of
 * - the reason of a close was possible, and no timeout is early or late
 * - a connection reads no further while it has something to send
 * - a datagram is answered once at most, with no more than it was, to its source, and never to a forger's victim
 * - what a connection took it gives back: descriptor, slot, buffer, timer, place in its address's count
 */
#ifndef SB_FUZZ_ORACLE_H
#define SB_FUZZ_ORACLE_H

#include "ref/ref.h"
#include "server/server.h"
#include "sys_sim.h"

enum model_service { MODEL_ECHO, MODEL_DISCARD, MODEL_SOURCE };

/* What a listener's line asks for, read by other eyes. */
struct model {
	enum model_service service;
	const struct ref_codec *ref;
	struct ref_args args;
	uint32_t recv_max;
	bool is_chargen, is_endless, has_stopread, is_rst, is_abrupt;
};

/* What is known of a connection besides what its kernel knows. */
struct peer {
	uint32_t listener;
	bool is_served;
	uint8_t reason, how;
	uint64_t in, out;
	uint32_t frames, dropped, unsent;
	/* ECHO and DISCARD: whole messages in what it has received, and whether they are followed by a broken one */
	uint32_t whole, messages;
	int broken;
};

/* One run of the server with one backend. */
struct run {
	const char *backend;
	struct sb_sys *k;
	struct sb_server *srv;
	struct model model[SB_LISTENERS_MAX];
	struct peer peer[SIM_CONNS];
	uint64_t limit[SB_LIMIT_COUNT];
	bool is_strict, is_alone, has_stopped, has_lacked_memory;
};

/* Reads the model of a listener's text, "tcp://127.0.0.1:0,ECHO frame=line". */
void model_read(struct model *m, const char *listen);

/* To be called by the kernel: see sys_sim.h. */
void oracle_on_recv(struct sb_sys *k, struct sim_conn *c);
void oracle_on_close(struct sb_sys *k, struct sim_conn *c);
void oracle_on_reply(struct sb_sys *k, const struct sim_dgram *request, const struct sb_addr *to,
		     struct sb_slice bytes);

/* After every turn: reasons that have just come up. */
void oracle_turn(struct run *r);
/* The server waits: nobody is overdue. */
void oracle_rest(struct run *r);
/* Every peer has left and all time has passed. */
void oracle_end(struct run *r);
/* Nothing is left of any connection. */
void oracle_leaks(const struct run *r);
void oracle_compare(const struct run *a, const struct run *b);
uint64_t oracle_digest(const struct run *r);

#endif
