/* SPDX-License-Identifier: MIT
 *
 * A server on the real kernel, and the peers of a script on real sockets, in one thread. Nothing waits for a time: a
 * peer acts, and then the server is stepped until all that was sent has been read, answered and ended. What that comes
 * to does not depend on the machine: a peer resets only when nothing it has sent waits in its own kernel, where it
 * would be lost, and the server goes on when the reset is there.
 */
#ifndef SB_FUZZ_REAL_H
#define SB_FUZZ_REAL_H

#include "server/server.h"
#include "sys_sim.h"

struct real_peer {
	int fd; /* -1: closed */
	uint32_t listener;
	uint16_t port;
	bool is_dgram, is_fin, is_rst;
	/* the server's side */
	bool is_served, is_closed, ends_with_rst;
	uint8_t reason;
	uint64_t in, out;
	/* what has come back; of datagrams each behind its size, two bytes */
	bool has_end, has_rst;
	uint32_t sent_n, pushed_n, dgram_from; /* pushed_n: given to the kernel */
	uint64_t got_n;
	uint8_t *sent, *got; /* room for SIM_SENT_MAX and SIM_OUT_MAX bytes */
};

struct real {
	const char *backend;
	struct sb_server *srv;
	uint32_t peers;
	struct real_peer peer[SIM_CONNS];
};

/* Plays a script with this backend. path: for the file of a unix socket. Only events that need no time and no failure
 * may be in it. */
void real_play(struct real *r, const char *backend, const uint8_t *script, size_t n, const char *path);

#endif
