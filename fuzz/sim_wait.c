/* SPDX-License-Identifier: MIT
 *
 * The simulated kernel: who is ready, and the clock. poll and level-triggered epoll tell what is true; edge-triggered
 * epoll tells what is true of a socket about which something has changed since it last told.
 */
#include <errno.h>
#include <string.h>

#include "found.h"
#include "sys_sim.h"

/* ---- readiness ---- */

void sim_progress(struct sb_sys *k)
{
	k->idle_waits = 0;
}

void sim_wake(struct sb_sys *k, int fd)
{
	struct sim_fd *f = &k->fd[(uint32_t)fd % SIM_FDS];

	if (fd < 0 || f->fd != fd)
		return;
	f->is_pending = true;
	if (f->type == SIM_STREAM)
		k->conn[f->conn - 1].is_full = false;
}

static unsigned stream_ready(const struct sim_conn *c)
{
	bool is_end = c->is_fin_here || c->is_rst;
	unsigned bits = 0;

	if ((c->in_n < c->here_n && !c->is_late_in) || (is_end && !c->is_late_in) || c->err)
		bits |= SB_POLL_IN;
	if (is_end && !c->is_late_in)
		bits |= SB_POLL_RDHUP;
	if ((c->is_fin_here && c->is_shut) || c->is_rst)
		bits |= SB_POLL_HUP;
	if (c->err)
		bits |= SB_POLL_ERR;
	if ((c->window > 0 && !c->is_late_out) || c->is_rst || c->is_shut)
		bits |= SB_POLL_OUT;
	return bits;
}

bool sim_is_awaited(const struct sb_sys *k, const struct sim_fd *f)
{
	for (uint32_t i = 0; i < k->conns; i++)
		if (k->conn[i].listener_fd == f->fd && !k->conn[i].is_dgram && !k->conn[i].is_accepted)
			return true;
	return false;
}

unsigned sim_ready(const struct sb_sys *k, const struct sim_fd *f)
{
	switch (f->type) {
	case SIM_STREAM:
		return stream_ready(&k->conn[f->conn - 1]);
	case SIM_LISTENER:
		return f->is_filled || sim_is_awaited(k, f) ? SB_POLL_IN : 0;
	case SIM_DGRAM:
		for (uint32_t i = 0; i < k->dgrams; i++)
			if (k->dgram[i].fd == f->fd)
				return SB_POLL_IN | SB_POLL_OUT;
		return SB_POLL_OUT;
	case SIM_WAKE:
		return f->posts ? SB_POLL_IN : 0;
	default:
		return 0;
	}
}

/* ---- waiting ---- */

/* The next segment, when the last has been read; with it the FIN, if that is no segment of its own. A reset pushes
 * everything before it. */
static bool arrive_bytes(struct sim_conn *c)
{
	uint32_t before = c->here_n;
	bool was_fin = c->is_fin_here;

	if (c->in_n == c->here_n || c->is_joined || c->is_rst) {
		while (c->cut_at < c->cuts && c->cut[c->cut_at] <= c->in_n)
			c->cut_at++;
		c->here_n = c->is_joined || c->is_rst || c->cut_at == c->cuts ? c->sent_n : c->cut[c->cut_at];
	}
	if (c->is_fin && c->here_n == c->sent_n && (!c->is_fin_apart || before == c->sent_n))
		c->is_fin_here = true;
	return c->here_n != before || c->is_fin_here != was_fin;
}

/* What was under way, or late, has come. */
static void arrive(struct sb_sys *k)
{
	for (uint32_t i = 0; i < k->conns; i++) {
		struct sim_conn *c = &k->conn[i];
		bool is_new;

		if (c->fd < 0)
			continue;
		sim_read(k, c);
		is_new = arrive_bytes(c);
		if (!is_new && !c->is_late_in && !c->is_late_out)
			continue;
		c->is_late_in = c->is_late_out = false;
		c->wants_room = c->wants_room && c->window == 0;
		sim_wake(k, c->fd);
	}
}

/* It does wait: whoever comes from elsewhere may come now. */
static void wait_for(struct sb_sys *k)
{
	if (k->on_wait)
		k->on_wait(k);
}

static int begin(struct sb_sys *k, const void *site)
{
	int r = sim_fault(k, SIM_CALL_WAIT, site);

	sim_take_back(k);
	k->waits++;
	if (++k->idle_waits > SIM_IDLE_WAITS)
		sb_found("kernel: a busy loop: the server waits again and again, and does nothing");
	if (r == 0)
		arrive(k);
	return r;
}

/* Nothing is ready: time passes, but no further than the script lets it. */
static void pass(struct sb_sys *k, int64_t wait_ns)
{
	uint64_t left = k->until - k->now;

	if (wait_ns == 0)
		return;
	if (wait_ns > 0 && (uint64_t)wait_ns <= left) {
		k->now += (uint64_t)wait_ns;
		sim_progress(k);
		return;
	}
	/* To wait for the script is no busy loop, however often it is done. */
	sim_progress(k);
	k->now = k->until;
	k->is_idle = true;
}

int sb_sys_poll(struct sb_sys *k, struct sb_pollfd *fds, size_t n, int64_t wait_ns)
{
	int found = 0, r = begin(k, SIM_SITE);

	/* Few descriptors, or none, are asked about without memory. */
	if (r == 0 && n > 0)
		r = sim_fault(k, SIM_CALL_POLL, SIM_SITE);
	if (r < 0 && k->on_wait_error)
		k->on_wait_error(k, r);
	if (n > 0 && (r == 0 || r == -EINTR))
		wait_for(k);
	if (r < 0)
		return r;
	/* Nobody to wait for: only time passes. */
	if (n == 0 && wait_ns > 0) {
		k->now += (uint64_t)wait_ns;
		k->slept += (uint64_t)wait_ns;
		k->until = k->until > k->now ? k->until : k->now;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned always = SB_POLL_ERR | SB_POLL_HUP;

		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		fds[i].revents = (short)(sim_ready(k, sim_get(k, fds[i].fd, "poll")) &
					 ((unsigned)(unsigned short)fds[i].events | always));
		found += fds[i].revents != 0;
	}
	if (found == 0)
		pass(k, wait_ns);
	return found;
}

/* ---- epoll ---- */

int sb_sys_epoll_open(struct sb_sys *k)
{
	int r = sim_fault(k, SIM_CALL_EPOLL_OPEN, SIM_SITE);
	const struct sim_fd *f = r < 0 ? NULL : sim_make(k, SIM_EPOLL);

	return r < 0 ? r : f ? f->fd : -EMFILE;
}

static struct sim_fd *registered(struct sb_sys *k, int ep, int fd, bool is_added)
{
	struct sim_fd *f = sim_get(k, fd, "epoll_ctl");

	if (sim_get(k, ep, "epoll_ctl")->type != SIM_EPOLL)
		sb_found("kernel: epoll_ctl on descriptor %d, which is none of epoll's", ep);
	if (f->is_added != is_added)
		sb_found("kernel: epoll_ctl on descriptor %d, which is %sregistered", fd, is_added ? "not " : "");
	return f;
}

int sb_sys_epoll_add(struct sb_sys *k, int ep, int fd, uint32_t bits, uint64_t token)
{
	struct sim_fd *f = registered(k, ep, fd, false);
	int r = sim_fault(k, SIM_CALL_EPOLL_ADD, SIM_SITE);

	if (r < 0) {
		if (f->type == SIM_STREAM) {
			k->conn[f->conn - 1].is_spoilt = true;
			k->conn[f->conn - 1].add_err = r;
		}
		return r;
	}
	f->is_added = f->is_pending = true;
	f->bits = bits;
	f->token = token;
	return 0;
}

int sb_sys_epoll_mod(struct sb_sys *k, int ep, int fd, uint32_t bits, uint64_t token)
{
	struct sim_fd *f = registered(k, ep, fd, true);
	int r = sim_fault(k, SIM_CALL_EPOLL_MOD, SIM_SITE);

	if (r < 0) {
		f->deaf_at = k->now;
		return r;
	}
	f->is_pending = true;
	f->bits = bits;
	f->token = token;
	sim_progress(k);
	return 0;
}

int sb_sys_epoll_del(struct sb_sys *k, int ep, int fd)
{
	registered(k, ep, fd, true)->is_added = false;
	return 0;
}

static bool report(const struct sb_sys *k, struct sim_fd *f, struct sb_epoll_event *out)
{
	unsigned always = SB_POLL_ERR | SB_POLL_HUP;
	unsigned bits;

	if (f->type == SIM_FREE || !f->is_added || ((f->bits & SB_POLL_EDGE) && !f->is_pending))
		return false;
	bits = sim_ready(k, f) & (f->bits | always);
	f->is_pending = false;
	if (bits == 0)
		return false;
	*out = (struct sb_epoll_event){.bits = bits, .token = f->token};
	return true;
}

int sb_sys_epoll_wait(struct sb_sys *k, int ep, struct sb_epoll_event *out, int max, int64_t wait_ns)
{
	int found = 0, r = begin(k, SIM_SITE);

	if (sim_get(k, ep, "epoll_wait")->type != SIM_EPOLL || max < 1)
		sb_found("kernel: epoll_wait on descriptor %d for %d events", ep, max);
	wait_for(k);
	if (r < 0)
		return r;
	if (k->events_max && max > (int)k->events_max)
		max = (int)k->events_max;
	for (uint32_t i = 0; i < k->slots && found < max; i++)
		found += report(k, &k->fd[k->is_reversed ? k->slots - 1 - i : i], &out[found]);
	if (found == 0)
		pass(k, wait_ns);
	return found;
}
