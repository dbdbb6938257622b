/* SPDX-License-Identifier: MIT
 *
 * One run of a server on the simulated kernel: opened as its script says, the script played, the end, a client that
 * has done nothing wrong, and closed; judged all the way (oracle.h). Targets server and fault are made of these, and
 * so is the soak.
 */
#ifndef SB_FUZZ_SERVER_RUN_H
#define SB_FUZZ_SERVER_RUN_H

#include "oracle.h"

enum { SCRIPT_MAX = 16 * 1024 };

struct server_ask {
	unsigned which;        /* kernel */
	const char *backend;   /* as io= takes it */
	const char *name;      /* for what is said; NULL: the backend's */
	const uint8_t *script; /* at most SCRIPT_MAX bytes of it are played */
	size_t n;
	uint32_t sweep_at, sweep_nth; /* the call that fails, and with which of its errnos: see struct sb_sys */
	struct sim_seen *seen;        /* as there */
	const char *option;           /* one more of the server's, or NULL */
	void (*on_log)(struct sb_sys *k, struct sb_slice some);
	void (*on_end)(const struct run *r); /* closed; a moment later its memory is zeros */
};

/* Whether the server could be opened at first. If not, something had been made to fail: that its fault names, nothing
 * is left open, and the second attempt, with the same memory, succeeds. */
bool server_run(struct run *r, const struct server_ask *ask);

#endif
