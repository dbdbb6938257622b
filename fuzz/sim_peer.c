/* SPDX-License-Identifier: MIT
 * The simulated kernel: the peers' side. */
#include <errno.h>
#include <string.h>

#include "found.h"
#include "sys_sim.h"

enum { WINDOW = 64 * 1024 };

struct sim_conn *sim_new(struct sb_sys *k, int fd, const struct sb_addr *from)
{
	struct sim_conn *c;
	uint8_t *sent, *out;

	if (k->conns == SIM_CONNS)
		return NULL;
	c = &k->conn[k->conns++];
	sent = c->sent;
	out = c->out;
	*c = (struct sim_conn){.sent = sent, .out = out, .addr = *from, .listener_fd = fd, .fd = -1};
	c->window = WINDOW;
	c->opened = c->active = c->in_at = c->out_at = k->now;
	return c;
}

struct sim_conn *sim_connect(struct sb_sys *k, int fd, const struct sb_addr *from)
{
	const struct sim_fd *f;
	struct sim_conn *c;

	if (fd < 0)
		return NULL;
	f = &k->fd[(uint32_t)fd % SIM_FDS];
	if (f->fd != fd || (f->type != SIM_LISTENER && f->type != SIM_DGRAM))
		return NULL;
	c = sim_new(k, fd, from);
	if (!c)
		return NULL;
	c->is_dgram = f->type == SIM_DGRAM;
	sim_wake(k, fd);
	return c;
}

bool sim_can_send(const struct sim_conn *c)
{
	return !c->is_fin && (!c->is_rst || c->is_lost) && !c->is_gone;
}

void sim_send(struct sb_sys *k, struct sim_conn *c, const uint8_t *p, size_t n)
{
	(void)k;
	if (!sim_can_send(c) || c->is_closed)
		return;
	if (n > SIM_SENT_MAX - c->sent_n)
		n = SIM_SENT_MAX - c->sent_n;
	sb_copy(c->sent + c->sent_n, p, n);
	c->sent_n += (uint32_t)n;
}

static void cut_dgram(struct sb_sys *k, struct sim_conn *c)
{
	const struct sim_fd *f = &k->fd[(uint32_t)c->listener_fd % SIM_FDS];
	struct sim_dgram d = {.conn = (uint32_t)(c - k->conn),
			      .from = c->dgram_from,
			      .fd = c->listener_fd,
			      .src = c->addr};

	d.n = c->sent_n - c->dgram_from;
	d.dst = f->addr;
	if (sb_addr_is_any(&d.dst)) {
		d.dst = k->target;
		d.dst.port = f->addr.port;
	}
	c->dgram_from = c->sent_n;
	if (f->is_refusing && !sb_addr_eq(&d.src, &f->addr))
		return;
	if (f->fd != c->listener_fd || k->dgrams == SIM_DGRAMS)
		return;
	k->dgram[k->dgrams++] = d;
	sim_wake(k, c->listener_fd);
}

void sim_cut(struct sb_sys *k, struct sim_conn *c)
{
	if (c->is_dgram)
		cut_dgram(k, c);
	else if (c->cuts < SIM_CUTS_MAX && (c->cuts == 0 || c->cut[c->cuts - 1] != c->sent_n))
		c->cut[c->cuts++] = (uint16_t)c->sent_n;
}

void sim_fin(struct sb_sys *k, struct sim_conn *c)
{
	(void)k;
	if (c->is_dgram || !sim_can_send(c))
		return;
	c->is_fin = true;
	c->is_fin_apart = c->cuts > 0 && c->cut[c->cuts - 1] == c->sent_n;
}

void sim_push(struct sim_conn *c)
{
	c->here_n = c->sent_n;
	c->is_fin_here = c->is_fin;
}

/* What the kernel says of a reset. Whoever has the peer's end finds that, and only a send fails; when both have ended
 * there is nothing left to reset. */
static int reset_err(const struct sim_conn *c)
{
	if (!c->is_fin)
		return -ECONNRESET;
	return c->is_shut ? 0 : -EPIPE;
}

/* A unix socket has no reset: its peer closes, and that is an end, unless there was something it had not read. */
static int unix_err(struct sim_conn *c)
{
	if (c->out_n > c->drained)
		return -ECONNRESET;
	c->is_fin = true;
	return 0;
}

/* What was sent before arrives before, and stays readable. */
void sim_rst(struct sb_sys *k, struct sim_conn *c)
{
	/* Lost before, it is now gone for its peer as well. */
	c->is_lost = c->is_lost && !c->is_rst;
	if (c->is_dgram || c->is_rst)
		return;
	c->is_rst = true;
	c->err = c->addr.family == SB_UNIX ? unix_err(c) : reset_err(c);
	sim_push(c);
	sim_wake(k, c->fd);
}

void sim_leave(struct sb_sys *k, struct sim_conn *c)
{
	sim_fin(k, c);
	c->is_gone = true;
}

void sim_drain(struct sb_sys *k, struct sim_conn *c, uint64_t n)
{
	c->window = n > UINT64_MAX / 2 ? UINT64_MAX / 2 : c->window + n;
	if (n > 0 && c->read_n < c->come_n) {
		c->read_n = n < c->come_n - c->read_n ? c->read_n + n : c->come_n;
		c->read_at = k->now;
	}
	c->drained = n > UINT64_MAX / 2 ? UINT64_MAX / 2 : c->drained + n;
	if (!c->wants_room || n == 0)
		return;
	c->wants_room = false;
	sim_wake(k, c->fd);
}

/* ---- datagrams under way ---- */

void sim_dgram_late(struct sb_sys *k)
{
	struct sim_dgram d;

	if (k->dgrams < 2)
		return;
	d = k->dgram[k->dgrams - 1];
	k->dgram[k->dgrams - 1] = k->dgram[k->dgrams - 2];
	k->dgram[k->dgrams - 2] = d;
}

void sim_dgram_double(struct sb_sys *k)
{
	if (k->dgrams == 0 || k->dgrams == SIM_DGRAMS)
		return;
	k->dgram[k->dgrams] = k->dgram[k->dgrams - 1];
	k->dgrams++;
}

void sim_dgram_lose(struct sb_sys *k)
{
	if (k->dgrams > 0)
		k->dgrams--;
}
