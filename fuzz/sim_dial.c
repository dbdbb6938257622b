/* SPDX-License-Identifier: MIT
 * The simulated kernel: connections that the server makes. Whom it connects to is another peer to be played. */
#include <errno.h>
#include <string.h>

#include "found.h"
#include "sys_sim.h"

int sim_dial(struct sb_sys *k, struct sim_fd *f, const struct sb_addr *to, const void *site)
{
	int r = sim_fault(k, SIM_CALL_DIAL, site);
	struct sim_conn *c;

	if (f->type != SIM_SOCKET || !f->is_stream)
		sb_found("kernel: connect on descriptor %d, which is not a new stream socket", f->fd);
	if (r < 0)
		return r;
	c = sim_new(k, -1, to);
	if (!c)
		return -EAGAIN;
	f->type = SIM_STREAM;
	f->conn = (uint32_t)(c - k->conn) + 1;
	f->addr.port = k->next_port++;
	c->fd = f->fd;
	c->is_accepted = c->is_dialed = true;
	c->is_dialing = !k->is_dial_quick;
	if (k->on_dial)
		k->on_dial(k, c);
	sim_progress(k);
	sim_wake(k, c->fd);
	return c->is_dialing ? -EINPROGRESS : 0;
}

bool sim_answer(struct sb_sys *k, struct sim_conn *c)
{
	if (!c->is_dialing || k->is_black_hole)
		return false;
	c->is_dialing = false;
	c->err = c->dial_err = sim_fault(k, SIM_CALL_DIALED, SIM_SITE);
	if (c->err < 0)
		c->is_spoilt = c->is_lost = c->is_rst = true;
	sim_wake(k, c->fd);
	return true;
}

int sb_sys_connected(struct sb_sys *k, int fd)
{
	struct sim_conn *c = sim_stream(k, fd, "getsockopt");
	int r = c->err;

	if (c->is_dialing)
		sb_found("kernel: descriptor %d is asked what came of its connect, which has not been answered", fd);
	c->err = 0;
	sim_progress(k);
	/* Of those that have come, it says that they are gone. */
	if (!c->is_dialed && k->on_done)
		k->on_done(k, c, SIM_CALL_DIALED, 0, r);
	return r;
}
