/* SPDX-License-Identifier: MIT
 * Readiness backends: the queue of ready sockets, and the operations on them. See ready.h. */
#include "io/ready.h"

#include <assert.h>
#include <errno.h>

/* ---- the queue ---- */

static void queue_add(struct sb_ready *r, uint32_t i)
{
	struct sb_ready_slot *s = &r->slot[i];

	s->is_queued = true;
	s->next = 0;
	s->prev = r->tail;
	if (r->tail)
		r->slot[r->tail - 1].next = i + 1;
	else
		r->head = i + 1;
	r->tail = i + 1;
	r->queued++;
}

static void queue_drop(struct sb_ready *r, uint32_t i)
{
	struct sb_ready_slot *s = &r->slot[i];

	s->is_queued = false;
	if (s->prev)
		r->slot[s->prev - 1].next = s->next;
	else
		r->head = s->next;
	if (s->next)
		r->slot[s->next - 1].prev = s->prev;
	else
		r->tail = s->prev;
	r->queued--;
}

/* Holds the queue's invariant after armed or ready has changed. */
static void requeue(struct sb_ready *r, uint32_t i)
{
	struct sb_ready_slot *s = &r->slot[i];
	bool can = s->armed & s->ready;

	if (can && !s->is_queued)
		queue_add(r, i);
	else if (!can && s->is_queued)
		queue_drop(r, i);
}

/* ---- slots ---- */

void sb_ready_open(struct sb_io *io, const struct sb_ready_ops *ops)
{
	io->ready = io->mem;
	io->ready->ops = ops;
}

void sb_ready_attach(struct sb_io *io, struct sb_handle handle, int fd, enum sb_io_class class, bool is_edge)
{
	struct sb_ready_slot *s = &io->ready->slot[handle.slot];

	assert(handle.slot < io->slots);
	assert(!s->is_open);
	*s = (struct sb_ready_slot){.fd = fd, .gen = handle.gen, .class = (uint8_t)class, .is_open = true};
	s->is_edge = is_edge;
	/* A new stream has room; not knowing better, it is tried. */
	s->ready = class == SB_IO_STREAM ? SB_READY_OUT : 0;
}

void sb_ready_detach(struct sb_io *io, uint32_t slot)
{
	struct sb_ready_slot *s = &io->ready->slot[slot];

	assert(s->is_open);
	s->armed = 0;
	requeue(io->ready, slot);
	io->ready->ops->interest(io, slot);
	s->is_open = false;
}

void sb_ready_report(struct sb_io *io, uint32_t slot, uint32_t bits)
{
	struct sb_ready_slot *s = &io->ready->slot[slot];

	if (bits & (SB_POLL_IN | SB_POLL_PRI | SB_POLL_RDHUP | SB_POLL_HUP | SB_POLL_ERR))
		s->ready |= SB_READY_IN;
	if (bits & (SB_POLL_PRI | SB_POLL_RDHUP | SB_POLL_HUP | SB_POLL_ERR))
		s->ready |= SB_READY_LAST;
	if (bits & (SB_POLL_OUT | SB_POLL_HUP | SB_POLL_ERR))
		s->ready |= SB_READY_OUT;
	if (bits & (SB_POLL_HUP | SB_POLL_ERR))
		s->ready |= SB_READY_GONE;
	requeue(io->ready, slot);
}

int64_t sb_ready_patience(const struct sb_io *io, int64_t wait_ns)
{
	if (io->ready->queued == 0 || (io->is_held && io->ready->is_stuck))
		return wait_ns;
	return 0;
}

void sb_ready_begin(struct sb_io *io)
{
	io->ready->turn = io->ready->queued;
	io->ready->is_stuck = true;
}

/* ---- operations ---- */

static void arm(struct sb_io *io, uint32_t i, uint8_t bit)
{
	io->ready->slot[i].armed |= bit;
	io->ready->ops->interest(io, i);
	requeue(io->ready, i);
	if (sb_ready_can(io, &io->ready->slot[i]))
		io->ready->is_stuck = false;
}

static void disarm(struct sb_io *io, uint32_t i, uint8_t bit)
{
	io->ready->slot[i].armed &= (uint8_t)~bit;
	io->ready->ops->interest(io, i);
	requeue(io->ready, i);
}

/* The kernel has (or, on a level, may have) no more: wait to be told again. */
static void exhausted(struct sb_ready_slot *s, unsigned bits)
{
	s->ready &= (uint8_t)~bits;
}

static bool is_again(long r)
{
	return r == -EAGAIN || r == -EINTR;
}

static struct sb_done done_of(const struct sb_ready_slot *s, uint32_t i, enum sb_op_kind kind, long res)
{
	struct sb_done d = {.handle = {.slot = i, .gen = s->gen}, .kind = (uint8_t)kind, .res = (int32_t)res};

	return d;
}

/* A stream's bytes. On an edge a short read empties the queue (epoll(7)), unless the end or an urgent byte,
 * at which reads stop, is near: then only EAGAIN does. */
static int do_recv(struct sb_io *io, uint32_t i, struct sb_done *done)
{
	struct sb_ready_slot *s = &io->ready->slot[i];
	size_t want = s->want_max < SB_IO_BUF_SIZE ? s->want_max : SB_IO_BUF_SIZE;
	long r = sb_sys_recv(io->sys, s->fd, io->buf + SB_IO_HEADROOM, want);

	io->recvs++;
	if (r == -EINTR)
		return 0;
	if (r == -EAGAIN)
		exhausted(s, SB_READY_IN | SB_READY_LAST);
	else if (!s->is_edge || (r > 0 && (size_t)r < want && !(s->ready & SB_READY_LAST)))
		exhausted(s, SB_READY_IN);
	if (r == -EAGAIN) {
		requeue(io->ready, i);
		return 0;
	}
	*done = done_of(s, i, SB_OP_RECV, r);
	done->data = io->buf + SB_IO_HEADROOM;
	done->headroom = SB_IO_HEADROOM;
	done->flags = r > 0 ? SB_DONE_BUF : 0;
	disarm(io, i, SB_READY_IN);
	return 1;
}

static int do_accept(struct sb_io *io, uint32_t i, struct sb_done *done)
{
	struct sb_ready_slot *s = &io->ready->slot[i];
	int fd = sb_sys_accept(io->sys, s->fd, &done->src);
	struct sb_addr src = done->src;

	exhausted(s, SB_READY_IN | SB_READY_LAST);
	if (is_again(fd)) {
		requeue(io->ready, i);
		return 0;
	}
	*done = done_of(s, i, SB_OP_ACCEPT, fd);
	done->src = src;
	disarm(io, i, SB_READY_IN);
	return 1;
}

static int do_dgram(struct sb_io *io, uint32_t i, struct sb_done *done)
{
	struct sb_ready_slot *s = &io->ready->slot[i];
	struct sb_addr src, dst = {0};
	long r = sb_sys_recvfrom(io->sys, s->fd, io->buf + SB_IO_HEADROOM, s->want_max, &src,
				 io->want_dst ? &dst : NULL);

	io->recvs++;
	exhausted(s, SB_READY_IN | SB_READY_LAST);
	if (is_again(r)) {
		requeue(io->ready, i);
		return 0;
	}
	*done = done_of(s, i, SB_OP_DGRAM, r);
	done->data = io->buf + SB_IO_HEADROOM;
	done->headroom = SB_IO_HEADROOM;
	done->src = src;
	done->dst = dst;
	done->flags = r >= 0 ? SB_DONE_BUF : 0;
	if (r > (long)s->want_max)
		done->flags |= SB_DONE_TRUNC;
	disarm(io, i, SB_READY_IN);
	return 1;
}

static int do_wake(struct sb_io *io, uint32_t i, struct sb_done *done)
{
	struct sb_ready_slot *s = &io->ready->slot[i];
	int r = sb_sys_wake_clear(io->sys, s->fd);

	exhausted(s, SB_READY_IN);
	if (is_again(r)) {
		requeue(io->ready, i);
		return 0;
	}
	*done = done_of(s, i, SB_OP_WAKE, r);
	disarm(io, i, SB_READY_IN);
	return 1;
}

static int do_in(struct sb_io *io, uint32_t i, struct sb_done *done)
{
	switch (io->ready->slot[i].class) {
	case SB_IO_STREAM:
		return do_recv(io, i, done);
	case SB_IO_LISTENER:
		return do_accept(io, i, done);
	case SB_IO_DGRAM:
		return do_dgram(io, i, done);
	default:
		return do_wake(io, i, done);
	}
}

/* There is room: says so, and whoever wanted it sends. */
static int do_out(struct sb_io *io, uint32_t i, struct sb_done *done)
{
	struct sb_ready_slot *s = &io->ready->slot[i];

	*done = done_of(s, i, SB_OP_SEND, 0);
	if (s->is_dialing)
		*done = done_of(s, i, SB_OP_CONNECT, sb_sys_connected(io->sys, s->fd));
	s->is_dialing = false;
	disarm(io, i, SB_READY_OUT);
	return 1;
}

/* Ended in order, it has no error: then nobody is told, nor asks on, since a level would go on reporting it. */
static int do_gone(struct sb_io *io, uint32_t i, struct sb_done *done)
{
	struct sb_ready_slot *s = &io->ready->slot[i];
	int err = sb_sys_connected(io->sys, s->fd);

	exhausted(s, SB_READY_GONE);
	disarm(io, i, SB_READY_GONE);
	*done = done_of(s, i, SB_OP_WATCH, err);
	return err < 0;
}

/* Output first: what is sent frees what is read into. */
static int do_one(struct sb_io *io, uint32_t i, unsigned can, struct sb_done *done)
{
	if (can & SB_READY_OUT)
		return do_out(io, i, done);
	return can & SB_READY_IN ? do_in(io, i, done) : do_gone(io, i, done);
}

int sb_ready_next(struct sb_io *io, struct sb_done *done)
{
	struct sb_ready *r = io->ready;

	while (r->turn > 0 && r->head) {
		uint32_t i = r->head - 1;
		struct sb_ready_slot *s = &r->slot[i];
		unsigned can = sb_ready_can(io, s);

		r->turn--;
		queue_drop(r, i);
		queue_add(r, i);
		if (!can)
			continue;
		r->is_stuck = false;
		if (do_one(io, i, can, done))
			return 1;
	}
	return 0;
}

/* Tries at once. What did not fit waits for room, and the bytes are forgotten: see base/op.h. */
static int submit_send(struct sb_io *io, const struct sb_op *op, struct sb_done *done)
{
	struct sb_ready_slot *s = &io->ready->slot[op->handle.slot];
	size_t want = op->iov[0].n + (op->iov_n > 1 ? op->iov[1].n : 0);
	long r = -EAGAIN;

	if (want == 0) {
		arm(io, op->handle.slot, SB_READY_OUT);
		return 0;
	}
	if (s->ready & SB_READY_OUT) {
		r = sb_sys_send(io->sys, s->fd, op->iov, op->iov_n);
		io->sends++;
	}
	if (r == -EAGAIN || (r >= 0 && (size_t)r < want))
		exhausted(s, SB_READY_OUT);
	if (is_again(r)) {
		arm(io, op->handle.slot, SB_READY_OUT);
		return 0;
	}
	*done = done_of(s, op->handle.slot, SB_OP_SEND, r);
	return 1;
}

static int submit_reply(struct sb_io *io, const struct sb_op *op, struct sb_done *done)
{
	const struct sb_ready_slot *s = &io->ready->slot[op->handle.slot];
	long r;

	/* Interrupted, it has sent nothing, and nobody would ask again. */
	do {
		r = sb_sys_sendto(io->sys, s->fd, op->iov[0], op->dst, op->src);
		io->sends++;
	} while (r == -EINTR);
	*done = done_of(s, op->handle.slot, SB_OP_REPLY, r);
	return 1;
}

/* What a socket that is not connected is ready for says nothing. */
static int submit_connect(struct sb_io *io, const struct sb_op *op, struct sb_done *done)
{
	struct sb_ready_slot *s = &io->ready->slot[op->handle.slot];
	int r = op->dst ? sb_sys_connect(io->sys, s->fd, op->dst)
			: sb_sys_connect_unix(io->sys, s->fd, (const char *)op->iov[0].p);

	if (r == -EINPROGRESS || r == -EINTR) {
		s->ready = 0;
		s->is_dialing = true;
		arm(io, op->handle.slot, SB_READY_OUT);
		return 0;
	}
	*done = done_of(s, op->handle.slot, SB_OP_CONNECT, r);
	return 1;
}

int sb_ready_submit(struct sb_io *io, const struct sb_op *op, struct sb_done *done)
{
	struct sb_ready_slot *s = &io->ready->slot[op->handle.slot];

	assert(op->handle.slot < io->slots);
	assert(s->is_open && s->gen == op->handle.gen);
	if (op->kind == SB_OP_SEND)
		return submit_send(io, op, done);
	if (op->kind == SB_OP_CONNECT)
		return submit_connect(io, op, done);
	if (op->kind == SB_OP_REPLY)
		return submit_reply(io, op, done);
	if (op->kind == SB_OP_WATCH) {
		arm(io, op->handle.slot, SB_READY_GONE);
		return 0;
	}
	s->want_max = op->want_max;
	s->has_room = op->flags & SB_OP_ROOM;
	s->armed &= (uint8_t)~SB_READY_GONE;
	arm(io, op->handle.slot, SB_READY_IN);
	return 0;
}
