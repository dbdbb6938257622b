/* SPDX-License-Identifier: MIT
 * Playing a script against a server on the simulated kernel: every peer's part, the clock, and what goes wrong. */
#ifndef SB_FUZZ_PLAY_H
#define SB_FUZZ_PLAY_H

#include "oracle.h"
#include "script/script.h"

enum { PLAY_CONNS = 8 };

/* Blocks of the server's pools that the script has in use. */
struct play_blocks {
	void *block[SB_BUF_CLASSES][64];
	uint32_t n[SB_BUF_CLASSES];
};

struct play {
	struct run *r;
	struct sim_conn *slot[PLAY_CONNS];
	uint32_t current, listener, address, port, events;
	bool has_listener, has_port, is_over;
	uint32_t trunc;
	struct play_blocks blocks;
};

void play_event(struct play *p, const struct sbs_event *e);
/* For the kernel: it begins to wait. */
void play_on_wait(struct sb_sys *k);
/* Delivers what is under way and runs the server until it waits. */
void play_run(struct play *p);
/* The same, and so much time passes. */
void play_wait(struct play *p, uint64_t ns);
/* Nothing goes wrong any more, windows open, peers close, time passes. */
void play_end(struct play *p);
/* The server is told to stop. */
void play_stop(struct play *p);
/* One more client, who stays. */
void play_last(struct play *p);
/* A client comes who has done nothing wrong, and must be served. */
void play_probe(struct play *p);

#endif
