/* SPDX-License-Identifier: MIT
 *
 * io_uring as a lesson makes it: what is to be done is asked for, and what is done comes back with the tag that it was
 * asked for with. Each call is written down, as those of sock.h are; each returns what the call returned, or -errno.
 *
 *   struct lab_ring ring;
 *   struct lab_done done;
 *
 *   if (lab_ring_open(&lab->calls, &ring, 8) < 0)
 *           ...                                          it is not here: lab_ring_reason()
 *   lab_ring_recv(&ring, fd, room, sizeof(room), 7);
 *   lab_ring_submit(&ring);                              returns at once; room is lent from here
 *   lab_ring_wait(&ring, &done, 1, 1000);                done is {.tag = 7, .result = 5}: room is ours again
 *   lab_ring_close(&ring);
 *
 * What is asked for goes to the kernel with the next submit or wait, many in one call; where the ring has no place for
 * one more it goes before that. A ring is one thread's. Without liburing ring_absent.c stands for ring.c, and nothing
 * can be opened.
 */
#ifndef SB_LAB_RING_H
#define SB_LAB_RING_H

#include "lab/sock.h"

struct lab_ring {
	struct lab_calls *calls; /* NULL: nothing is written down */
	uint64_t kernel[64];     /* liburing's own */
};

/* What is done: result is what the plain call would have returned, or -errno. */
struct lab_done {
	uint64_t tag;
	long result;
};

/* With so many places for what is asked for and twice as many for what is done; more of those the kernel keeps until
 * they are fetched. calls may be NULL. 0, or -errno. */
int lab_ring_open(struct lab_calls *calls, struct lab_ring *ring, unsigned places);
/* Why it could not be opened, of what lab_ring_open() returned: for lab_not_here(). */
const char *lab_ring_reason(int error);
/* What is not done yet is ended with it, not always at once: what is lent must live on, static for instance. */
void lab_ring_close(struct lab_ring *ring);

/* Asked for: 0, or -errno. now: MSG_DONTWAIT. The result of accept is the new descriptor. */
int lab_ring_recv(struct lab_ring *ring, int fd, void *p, size_t n, uint64_t tag);
int lab_ring_recv_now(struct lab_ring *ring, int fd, void *p, size_t n, uint64_t tag);
int lab_ring_send(struct lab_ring *ring, int fd, const void *p, size_t n, uint64_t tag);
int lab_ring_accept(struct lab_ring *ring, int fd, uint64_t tag);
/* Of what was asked for with the tag other: its result becomes -ECANCELED. */
int lab_ring_cancel(struct lab_ring *ring, uint64_t other, uint64_t tag);

/* Gives the kernel what was asked for: how many. Does not wait. */
int lab_ring_submit(struct lab_ring *ring);
/* What is done by now, max at most, without a call: how many. */
int lab_ring_peek(struct lab_ring *ring, struct lab_done *done, int max);
/* Submits, and waits until something is done, ms at most, -1 for ever: how many of them, 0, or -errno. */
int lab_ring_wait(struct lab_ring *ring, struct lab_done *done, int max, int ms);

#endif
