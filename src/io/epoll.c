/* SPDX-License-Identifier: MIT
 *
 * epoll. Connections are registered once, edge-triggered, for everything: an epoll_ctl a message would cost
 * more than all of our own code. Listeners, datagram sockets and the wake fd are level-triggered, so that one
 * operation a wake-up is enough and none has to be repeated until EAGAIN; one that is not armed is switched
 * off when it first reports, and on when it is armed again.
 */
#include "io/ready.h"

#include <errno.h>

enum { RETRY_NS = 100 * 1000 * 1000 };

static size_t size(uint32_t slots)
{
	return sb_ready_size(slots);
}

static uint64_t token_of(const struct sb_ready_slot *s, uint32_t slot)
{
	return (uint64_t)s->gen << 32 | slot;
}

static void switch_level(struct sb_io *io, uint32_t slot, bool on)
{
	struct sb_ready_slot *s = &io->ready->slot[slot];

	/* It can only fail for want of memory. What stays on reports again, and is switched off then; what stays off
	 * would be deaf for ever, so it is tried again. */
	if (sb_sys_epoll_mod(io->sys, io->fd, s->fd, on ? SB_POLL_IN : 0, token_of(s, slot)) == 0)
		s->is_off = !on;
	else if (on)
		io->ready->has_deaf = true;
}

static void interest(struct sb_io *io, uint32_t slot)
{
	const struct sb_ready_slot *s = &io->ready->slot[slot];

	if (s->is_off && (s->armed & SB_READY_IN))
		switch_level(io, slot, true);
}

/* How long to wait: not for ever while a socket that is to be heard is off. */
static int64_t retry_deaf(struct sb_io *io, int64_t wait_ns)
{
	if (!io->ready->has_deaf)
		return wait_ns;
	io->ready->has_deaf = false;
	for (uint32_t i = 0; i < io->slots; i++)
		if (io->ready->slot[i].is_open)
			interest(io, i);
	return io->ready->has_deaf && (wait_ns < 0 || wait_ns > RETRY_NS) ? RETRY_NS : wait_ns;
}

static int start(struct sb_io *io)
{
	static const struct sb_ready_ops ops = {.interest = interest};
	int fd = sb_sys_epoll_open(io->sys);

	if (fd < 0)
		return fd;
	io->fd = fd;
	sb_ready_open(io, &ops);
	return 0;
}

static void end(struct sb_io *io)
{
	if (io->fd >= 0)
		sb_sys_close(io->sys, io->fd);
	io->fd = -1;
}

static int attach(struct sb_io *io, struct sb_handle handle, int fd, enum sb_io_class class)
{
	bool is_edge = class == SB_IO_STREAM;
	uint32_t bits = SB_POLL_IN;
	int r;

	if (is_edge)
		bits |= SB_POLL_OUT | SB_POLL_PRI | SB_POLL_RDHUP | SB_POLL_EDGE;
	r = sb_sys_epoll_add(io->sys, io->fd, fd, bits, (uint64_t)handle.gen << 32 | handle.slot);
	if (r < 0)
		return r;
	sb_ready_attach(io, handle, fd, class, is_edge);
	return 0;
}

/* The caller closes the fd now, and with that the kernel takes it out of the set. */
static void detach(struct sb_io *io, uint32_t slot)
{
	sb_ready_detach(io, slot);
}

static int await(struct sb_io *io, int64_t wait_ns)
{
	struct sb_epoll_event events[SB_EPOLL_MAX];
	int64_t patience = sb_ready_patience(io, retry_deaf(io, wait_ns));
	int n = sb_sys_epoll_wait(io->sys, io->fd, events, SB_EPOLL_MAX, patience);

	io->waits++;
	if (n < 0 && n != -EINTR)
		return n;
	for (int i = 0; i < n; i++) {
		uint32_t slot = (uint32_t)events[i].token;
		const struct sb_ready_slot *s = &io->ready->slot[slot];

		if (slot >= io->slots || !s->is_open || token_of(s, slot) != events[i].token)
			continue;
		if (!s->is_edge && !(s->armed & SB_READY_IN))
			switch_level(io, slot, false);
		else
			sb_ready_report(io, slot, events[i].bits);
	}
	sb_ready_begin(io);
	return (int)io->ready->queued;
}

const struct sb_backend_ops sb_io_epoll = {
	.size = size,
	.open = start,
	.close = end,
	.attach = attach,
	.detach = detach,
	.submit = sb_ready_submit,
	.wait = await,
	.next = sb_ready_next,
};
