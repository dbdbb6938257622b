/* SPDX-License-Identifier: MIT
 * io_uring as a lesson makes it, by liburing. See ring.h. */
#include "lab/ring.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <liburing.h>
#include <string.h>

#include "base/fault.h"

static_assert(sizeof(struct io_uring) <= sizeof(((struct lab_ring *)NULL)->kernel), "liburing's own has room");

static struct io_uring *own(struct lab_ring *ring)
{
	return (void *)ring->kernel;
}

/* "io_uring_submit() = 1". Returns r. */
static int said(const struct lab_ring *ring, int r, const char *call)
{
	if (r < 0)
		lab_say(ring->calls, "%s = -1 %s", call, sb_errname(r));
	else
		lab_say(ring->calls, "%s = %d", call, r);
	return r;
}

int lab_ring_open(struct lab_calls *calls, struct lab_ring *ring, unsigned places)
{
	memset(ring, 0, sizeof(*ring));
	ring->calls = calls;
	return said(ring, io_uring_queue_init(places, own(ring), 0), "io_uring_queue_init()");
}

const char *lab_ring_reason(int error)
{
	switch (-error) {
	case ENOSYS:
		return "io_uring: this kernel has none";
	case EPERM:
		return "io_uring: forbidden here, by kernel.io_uring_disabled or a filter of system calls";
	default:
		return "io_uring: the kernel makes no ring here";
	}
}

void lab_ring_close(struct lab_ring *ring)
{
	io_uring_queue_exit(own(ring));
	lab_say(ring->calls, "io_uring_queue_exit()");
}

/* ---- what is asked for ---- */

/* A place for it, NULL when there is none even after what was asked for before has gone. */
static struct io_uring_sqe *place(struct lab_ring *ring, uint64_t tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(own(ring));

	if (!sqe && io_uring_submit(own(ring)) >= 0)
		sqe = io_uring_get_sqe(own(ring));
	if (sqe)
		io_uring_sqe_set_data64(sqe, tag);
	return sqe;
}

static int recv_by(struct lab_ring *ring, int fd, void *p, size_t n, int flags, uint64_t tag)
{
	struct io_uring_sqe *sqe = place(ring, tag);
	char room[LAB_NAME_MAX];

	if (!sqe)
		return -EBUSY;
	io_uring_prep_recv(sqe, fd, p, n, flags);
	lab_say(ring->calls, "io_uring_prep_recv(%s, room for %zu%s), tag %" PRIu64, lab_name_of(ring->calls, fd, room),
		n, flags ? ", MSG_DONTWAIT" : "", tag);
	return 0;
}

int lab_ring_recv(struct lab_ring *ring, int fd, void *p, size_t n, uint64_t tag)
{
	return recv_by(ring, fd, p, n, 0, tag);
}

int lab_ring_recv_now(struct lab_ring *ring, int fd, void *p, size_t n, uint64_t tag)
{
	return recv_by(ring, fd, p, n, MSG_DONTWAIT, tag);
}

int lab_ring_send(struct lab_ring *ring, int fd, const void *p, size_t n, uint64_t tag)
{
	struct io_uring_sqe *sqe = place(ring, tag);
	char room[LAB_NAME_MAX];

	if (!sqe)
		return -EBUSY;
	io_uring_prep_send(sqe, fd, p, n, MSG_NOSIGNAL);
	lab_say(ring->calls, "io_uring_prep_send(%s, %zu bytes), tag %" PRIu64, lab_name_of(ring->calls, fd, room), n,
		tag);
	return 0;
}

int lab_ring_accept(struct lab_ring *ring, int fd, uint64_t tag)
{
	struct io_uring_sqe *sqe = place(ring, tag);
	char room[LAB_NAME_MAX];

	if (!sqe)
		return -EBUSY;
	io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	lab_say(ring->calls, "io_uring_prep_accept(%s), tag %" PRIu64, lab_name_of(ring->calls, fd, room), tag);
	return 0;
}

int lab_ring_cancel(struct lab_ring *ring, uint64_t other, uint64_t tag)
{
	struct io_uring_sqe *sqe = place(ring, tag);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_cancel64(sqe, other, 0);
	lab_say(ring->calls, "io_uring_prep_cancel64(tag %" PRIu64 "), tag %" PRIu64, other, tag);
	return 0;
}

int lab_ring_submit(struct lab_ring *ring)
{
	return said(ring, io_uring_submit(own(ring)), "io_uring_submit()");
}

/* ---- what is done ---- */

/* "completion of tag 7 = 5". */
static void say_done(struct lab_calls *calls, const struct lab_done *done)
{
	if (done->result < 0)
		lab_say(calls, "completion of tag %" PRIu64 " = -1 %s", done->tag, sb_errname((int)done->result));
	else
		lab_say(calls, "completion of tag %" PRIu64 " = %ld", done->tag, done->result);
}

/* Takes at most max of them out of the ring: how many. */
static int fetch(struct lab_ring *ring, struct lab_done *done, int max)
{
	struct io_uring_cqe *cqe;
	int n = 0;

	for (; n < max && io_uring_peek_cqe(own(ring), &cqe) == 0; n++) {
		done[n] = (struct lab_done){.tag = io_uring_cqe_get_data64(cqe), .result = cqe->res};
		io_uring_cqe_seen(own(ring), cqe);
	}
	return n;
}

static int say_all(const struct lab_ring *ring, const struct lab_done *done, int n)
{
	for (int i = 0; i < n; i++)
		say_done(ring->calls, &done[i]);
	return n;
}

int lab_ring_peek(struct lab_ring *ring, struct lab_done *done, int max)
{
	int n = said(ring, fetch(ring, done, max), "io_uring_peek_cqe(): done");

	return say_all(ring, done, n);
}

int lab_ring_wait(struct lab_ring *ring, struct lab_done *done, int max, int ms)
{
	struct __kernel_timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000LL};
	struct io_uring_cqe *cqe;
	int r = io_uring_submit_and_wait_timeout(own(ring), &cqe, 1, ms < 0 ? NULL : &t, NULL);

	if (r < 0 && r != -ETIME)
		return said(ring, r, "io_uring_submit_and_wait_timeout()");
	r = said(ring, fetch(ring, done, max), "io_uring_submit_and_wait_timeout(): done");
	return say_all(ring, done, r);
}
