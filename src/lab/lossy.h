/* SPDX-License-Identifier: MIT
 *
 * A bad network of our own, the same each time: a UDP socket between a client and a server, which drops one datagram in
 * so many and lets another overtake one in so many. Both are on 127.0.0.1, and send to net.port.
 *
 *   struct lab_lossy net;
 *
 *   if (lab_lossy_open(lab, &net, server_port)) {
 *           net.drop_each = 5;
 *           lab_sendto(calls, client, "hello", 5, "127.0.0.1", net.port);
 *           lab_lossy_carry(&net);
 *   }
 */
#ifndef SB_LAB_LOSSY_H
#define SB_LAB_LOSSY_H

#include "lab/lab.h"

enum { LAB_DATAGRAM_MAX = 1500 };

struct lab_lossy {
	int fd;
	uint16_t port, server, client;    /* the client is who else sends something */
	long drop_each, swap_each;        /* 0: none */
	long datagrams, dropped, swapped; /* of those that came, in both directions */
	long bytes;
	char held[LAB_DATAGRAM_MAX]; /* is overtaken by the next that is passed on */
	size_t held_n;
	uint16_t held_to;
};

/* In front of who has this port. False: it could not be had, and that is noted. */
bool lab_lossy_open(struct lab *lab, struct lab_lossy *net, uint16_t server);
/* Passes on what has come, or does not. Does not wait. */
void lab_lossy_carry(struct lab_lossy *net);

#endif
