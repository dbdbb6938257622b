/* SPDX-License-Identifier: MIT
 * In place of ring.c where there is no liburing: nothing can be opened, so nothing else is ever called. */
#include <errno.h>

#include "lab/ring.h"

int lab_ring_open(struct lab_calls *calls, struct lab_ring *ring, unsigned places)
{
	*ring = (struct lab_ring){.calls = calls};
	lab_say(calls, "io_uring: no ring of %u places, there is no liburing", places);
	return -ENOSYS;
}

const char *lab_ring_reason(int error)
{
	(void)error;
	return "io_uring: this build has no liburing";
}

void lab_ring_close(struct lab_ring *ring)
{
	(void)ring;
}

int lab_ring_recv(struct lab_ring *ring, int fd, void *p, size_t n, uint64_t tag)
{
	(void)ring, (void)fd, (void)p, (void)n, (void)tag;
	return -ENOSYS;
}

int lab_ring_recv_now(struct lab_ring *ring, int fd, void *p, size_t n, uint64_t tag)
{
	return lab_ring_recv(ring, fd, p, n, tag);
}

int lab_ring_send(struct lab_ring *ring, int fd, const void *p, size_t n, uint64_t tag)
{
	(void)ring, (void)fd, (void)p, (void)n, (void)tag;
	return -ENOSYS;
}

int lab_ring_accept(struct lab_ring *ring, int fd, uint64_t tag)
{
	(void)ring, (void)fd, (void)tag;
	return -ENOSYS;
}

int lab_ring_cancel(struct lab_ring *ring, uint64_t other, uint64_t tag)
{
	(void)ring, (void)other, (void)tag;
	return -ENOSYS;
}

int lab_ring_submit(struct lab_ring *ring)
{
	(void)ring;
	return -ENOSYS;
}

int lab_ring_peek(struct lab_ring *ring, struct lab_done *done, int max)
{
	(void)ring, (void)done, (void)max;
	return 0;
}

int lab_ring_wait(struct lab_ring *ring, struct lab_done *done, int max, int ms)
{
	(void)ring, (void)done, (void)max, (void)ms;
	return -ENOSYS;
}
