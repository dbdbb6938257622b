/* SPDX-License-Identifier: MIT
 *
 * poll: one array of everything that is open, handed to the kernel each turn. Level-triggered: what is not
 * armed is hidden from it (a negative fd), since poll reports errors and hang-ups whether asked or not, and
 * would spin. It costs a scan of all connections a turn; it is here because it is everywhere, and because a
 * second discipline proves that the core depends on none.
 */
#include "io/ready.h"

#include <assert.h>
#include <errno.h>

/* In was_held, besides false and true: some slots are as if memory were held, others as if it were not. */
enum { MIXED = 2 };

/* Behind the ready slots in io->mem. slot_of[i] is whose fds[i] is. */
struct poll_set {
	struct sb_pollfd *fds;
	uint32_t *slot_of;
	uint32_t *n;
	uint32_t *was_held;
};

static size_t fds_at(uint32_t slots)
{
	return (sb_ready_size(slots) + 15) & ~(size_t)15;
}

static size_t size(uint32_t slots)
{
	return fds_at(slots) + (size_t)slots * (sizeof(struct sb_pollfd) + sizeof(uint32_t)) + 2 * sizeof(uint32_t);
}

static struct poll_set set_of(struct sb_io *io)
{
	uint8_t *at = (uint8_t *)io->mem + fds_at(io->slots);
	struct poll_set set = {.fds = (struct sb_pollfd *)(void *)at};

	at += (size_t)io->slots * sizeof(struct sb_pollfd);
	set.slot_of = (uint32_t *)(void *)at;
	set.n = set.slot_of + io->slots;
	set.was_held = set.n + 1;
	return set;
}

static void interest(struct sb_io *io, uint32_t slot)
{
	const struct sb_ready_slot *s = &io->ready->slot[slot];
	struct poll_set set = set_of(io);
	struct sb_pollfd *p = &set.fds[s->place - 1];
	unsigned armed = s->armed;

	if (*set.was_held != io->is_held)
		*set.was_held = MIXED;
	/* What cannot be carried out now must not be reported either. */
	if (io->is_held && s->class == SB_IO_STREAM && !s->has_room)
		armed &= ~(unsigned)SB_READY_IN;
	p->events = (short)((armed & SB_READY_IN ? SB_POLL_IN : 0) | (armed & SB_READY_OUT ? SB_POLL_OUT : 0));
	p->fd = armed ? s->fd : -1;
}

/* Memory has run out, or is there again: everybody's interest is another. It may have been both since the last turn. */
static void follow_held(struct sb_io *io)
{
	struct poll_set set = set_of(io);

	if (*set.was_held == io->is_held)
		return;
	*set.was_held = io->is_held;
	for (uint32_t i = 0; i < *set.n; i++)
		interest(io, set.slot_of[i]);
}

static int start(struct sb_io *io)
{
	static const struct sb_ready_ops ops = {.interest = interest};

	sb_ready_open(io, &ops);
	*set_of(io).n = 0;
	return 0;
}

static void end(struct sb_io *io)
{
	(void)io;
}

static int attach(struct sb_io *io, struct sb_handle handle, int fd, enum sb_io_class class)
{
	struct poll_set set = set_of(io);

	sb_ready_attach(io, handle, fd, class, false);
	assert(*set.n < io->slots);
	set.fds[*set.n] = (struct sb_pollfd){.fd = -1};
	set.slot_of[*set.n] = handle.slot;
	io->ready->slot[handle.slot].place = ++*set.n;
	return 0;
}

static void detach(struct sb_io *io, uint32_t slot)
{
	struct poll_set set = set_of(io);
	uint32_t at = io->ready->slot[slot].place - 1, last = *set.n - 1;

	sb_ready_detach(io, slot);
	set.fds[at] = set.fds[last];
	set.slot_of[at] = set.slot_of[last];
	io->ready->slot[set.slot_of[at]].place = at + 1;
	*set.n = last;
}

static int await(struct sb_io *io, int64_t wait_ns)
{
	struct poll_set set = set_of(io);
	int left;

	follow_held(io);
	left = sb_sys_poll(io->sys, set.fds, *set.n, sb_ready_patience(io, wait_ns));
	io->waits++;
	if (left < 0 && left != -EINTR)
		return left;
	for (uint32_t i = 0; i < *set.n && left > 0; i++) {
		if (set.fds[i].revents == 0)
			continue;
		sb_ready_report(io, set.slot_of[i], (uint32_t)set.fds[i].revents);
		left--;
	}
	sb_ready_begin(io);
	return (int)io->ready->queued;
}

const struct sb_backend_ops sb_io_poll = {
	.size = size,
	.open = start,
	.close = end,
	.attach = attach,
	.detach = detach,
	.submit = sb_ready_submit,
	.wait = await,
	.next = sb_ready_next,
};
