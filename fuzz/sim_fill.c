/* SPDX-License-Identifier: MIT
 * The simulated kernel: the server connects to itself. With a backlog of 0 one connection that nobody takes fills the
 * queue, and the SYNs of all others are dropped until it is taken; they come again, so that whoever waits gets through
 * then. Here he waits behind it. */
#include <errno.h>

#include "found.h"
#include "sys_sim.h"

static bool is_reached(const struct sim_fd *l, const struct sb_addr *to)
{
	return l->type == SIM_LISTENER && l->addr.family == to->family && l->addr.port == to->port;
}

int sim_fill(struct sb_sys *k, struct sim_fd *f, const struct sb_addr *to, const void *site)
{
	struct sim_fd *l = NULL;
	int r = sim_fault(k, SIM_CALL_CONNECT, site);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < k->slots; i++)
		if (is_reached(&k->fd[i], to))
			l = &k->fd[i];
	if (!l)
		return -ECONNREFUSED;
	if (l->is_filled || l->backlog > 0)
		sb_found("kernel: connects to itself, where that does not fill the queue");
	f->type = SIM_FILLER;
	f->addr = *to;
	f->addr.port = (uint16_t)(60000 + l->addr.port % 5000);
	f->is_through = !sim_is_awaited(k, l);
	l->is_filled = f->is_through;
	l->filler = f->addr;
	return -EINPROGRESS;
}

int sim_take_filler(struct sb_sys *k, struct sim_fd *l, struct sb_addr *peer, const void *site)
{
	int r = sim_fault(k, SIM_CALL_ACCEPT, site);
	struct sim_fd *f;

	/* What was aborted is gone for good, as in accept_now(). */
	if (r == 0 || r == -ECONNABORTED || r == -EPERM)
		l->is_filled = false;
	if (r < 0)
		return r;
	f = sim_make(k, SIM_FILLED);
	l->is_filled = !f;
	if (!f)
		return -EMFILE;
	*peer = l->filler;
	return f->fd;
}

int sb_sys_poll_one(struct sb_sys *k, int fd, unsigned bits, int64_t wait_ns)
{
	const struct sim_fd *f = sim_get(k, fd, "poll");
	int r = sim_fault(k, SIM_CALL_POLL_ONE, SIM_SITE);

	(void)wait_ns;
	if (f->type != SIM_FILLER || bits != SB_POLL_OUT)
		sb_found("kernel: poll of one descriptor, %d, that does not connect", fd);
	/* No errno of poll's: it has waited in vain. */
	if (r == -ETIMEDOUT)
		return 0;
	return r < 0 ? r : f->is_through ? SB_POLL_OUT : 0;
}
