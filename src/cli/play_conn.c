/* SPDX-License-Identifier: MIT
 * The connections of a script: opened, written to, read from, ended. */
#include "cli/play.h"

#include <errno.h>
#include <stdlib.h>

enum { STEP_NS = 1000 * 1000, DGRAM_QUIET_NS = 200 * 1000 * 1000 };

static uint64_t now_of(const struct sb_play *p)
{
	return sb_sys_now(p->s->sys);
}

/* ---- opening ---- */

static void not_open(struct sb_play *p, struct sb_play_conn *c, int err)
{
	c->fd = -1;
	if (sb_send_is_over(p->s))
		return;
	c->err = err;
	c->end = SB_PLAY_REFUSED;
	p->is_silent = p->is_silent || err == -ETIMEDOUT;
	/* Nobody has ever been there. */
	if (p->conns == 1)
		sb_send_not_open(p->s, err);
}

struct sb_play_conn *sb_play_open(struct sb_play *p, uint32_t slot)
{
	struct sb_play_conn *c = &p->conn[p->conns];
	int fd = -ETIMEDOUT;

	if (p->conns == SB_PLAY_CONNS) {
		p->skips.conns++;
		return NULL;
	}
	p->conns++;
	*c = (struct sb_play_conn){.slot = slot, .fd = -1, .bytes = malloc(p->script_n + 1)};
	if (!c->bytes) {
		sb_send_fail(p->s, SB_EXIT_OS, "no memory for the script");
		return NULL;
	}
	if (!p->is_silent)
		fd = sb_send_dial(p->s);
	if (fd >= 0 && sb_send_is_itself(p->s)) {
		sb_sys_close(p->s->sys, fd);
		fd = -ECONNREFUSED;
	}
	if (fd < 0) {
		not_open(p, c, fd);
		return c;
	}
	c->fd = fd;
	c->local = p->s->local;
	p->moved_ns = now_of(p);
	return c;
}

bool sb_play_can_send(const struct sb_play_conn *c)
{
	bool is_refused = c->end == SB_PLAY_REFUSED && c->fd < 0;

	return !c->wants_fin && c->end != SB_PLAY_OURS && !is_refused;
}

/* ---- the end of one ---- */

static void end(struct sb_play *p, struct sb_play_conn *c, enum sb_play_end how)
{
	c->end = how;
	c->is_deaf = true;
	sb_sys_close(p->s->sys, c->fd);
	c->fd = -1;
	p->moved_ns = now_of(p);
}

void sb_play_reset(struct sb_play *p, struct sb_play_conn *c)
{
	if (c->fd < 0) {
		/* The server was first; the script goes on as if not. */
		c->wants_fin = true;
		return;
	}
	sb_play_flush(p, c);
	sb_sys_reset_on_close(p->s->sys, c->fd);
	end(p, c, SB_PLAY_OURS);
}

/* ---- sending ---- */

static bool give(struct sb_play *p, struct sb_play_conn *c)
{
	struct sb_slice rest = sb_slice(c->bytes + c->gone, c->n - c->gone);
	long r = sb_sys_send(p->s->sys, c->fd, &rest, 1);

	c->is_full = r == -EAGAIN;
	if (r == -EINTR)
		return true;
	if (r == -EAGAIN)
		return false;
	if (r < 0) {
		/* What can still be read is read; then recv tells how it ended, unless this has used that up. */
		c->is_deaf = true;
		c->err = (int)r;
		return false;
	}
	c->gone += (size_t)r;
	c->t.sends++;
	c->t.sent += (uint64_t)r;
	p->moved_ns = now_of(p);
	return true;
}

static void give_fin(struct sb_play *p, struct sb_play_conn *c)
{
	int r = sb_sys_shutdown_write(p->s->sys, c->fd);

	c->is_fin = true;
	c->is_deaf = c->is_deaf || r < 0;
	p->moved_ns = now_of(p);
}

void sb_play_flush(struct sb_play *p, struct sb_play_conn *c)
{
	if (c->fd < 0 || c->is_fin)
		return;
	/* Bytes and FIN were not parted by the script: one segment. */
	if (c->wants_fin && c->gone < c->n && !c->is_deaf && p->s->peer.on == SB_ON_TCP)
		sb_sys_cork(p->s->sys, c->fd, true);
	while (c->gone < c->n && !c->is_deaf && give(p, c))
		;
	if (c->wants_fin && (c->gone == c->n || c->is_deaf))
		give_fin(p, c);
}

/* ---- reading ---- */

static uint8_t in[SB_PLAY_IN];

static bool wants_in(const struct sb_play *p, const struct sb_play_conn *c)
{
	/* A datagram that nobody took is no end. */
	return c->fd >= 0 && (p->is_dgram || c->end == SB_PLAY_OPEN) && (!c->has_window || c->window > 0);
}

static void count_in(struct sb_play *p, struct sb_play_conn *c, size_t n)
{
	size_t at = (size_t)c->t.received;

	c->is_different = c->is_different || n > c->gone - at || memcmp(c->bytes + at, in, n) != 0;
	c->t.recvs++;
	c->t.received += n;
	c->window -= c->has_window ? n : 0;
	c->in_ns = p->moved_ns = now_of(p);
}

static void take(struct sb_play *p, struct sb_play_conn *c)
{
	size_t room = c->has_window && c->window < sizeof(in) ? (size_t)c->window : sizeof(in);
	long r = sb_sys_recv(p->s->sys, c->fd, in, room);

	if (r == -EAGAIN || r == -EINTR)
		return;
	if (r > 0) {
		count_in(p, c, (size_t)r);
		return;
	}
	if (r < 0)
		c->err = (int)r;
	/* A failed send may have been told of the reset; then recv only finds the end. */
	if (r < 0 || c->err == -ECONNRESET) {
		end(p, c, SB_PLAY_RST);
		return;
	}
	/* It may still read what the script sends. */
	c->end = SB_PLAY_FIN;
	p->moved_ns = now_of(p);
}

/* ---- waiting ---- */

/* What this connection waits for. */
static short events_of(const struct sb_play *p, const struct sb_play_conn *c)
{
	bool wants_out = c->is_full && !c->is_deaf && !c->is_fin && !p->is_dgram;

	if (c->fd < 0)
		return 0;
	return (short)((wants_in(p, c) ? SB_POLL_IN : 0) | (wants_out ? SB_POLL_OUT : 0));
}

/* One wait for all of them, and what it brought. False: no more is to be waited for. */
static bool turn(struct sb_play *p, uint64_t until_ns)
{
	struct sb_pollfd fds[SB_PLAY_CONNS + 1];
	uint64_t now = now_of(p);
	int r;

	for (uint32_t i = 0; i < p->conns; i++) {
		short events = events_of(p, &p->conn[i]);

		/* One that waits for nothing is left out: its end would be reported for ever. */
		fds[i] = (struct sb_pollfd){.fd = events ? p->conn[i].fd : -1, .events = events};
	}
	fds[p->conns] = (struct sb_pollfd){.fd = p->s->wake, .events = SB_POLL_IN};
	r = sb_sys_poll(p->s->sys, fds, p->conns + 1, until_ns > now ? (int64_t)(until_ns - now) : 0);
	if (r < 0 && r != -EINTR)
		return sb_send_fail(p->s, SB_EXIT_OS, "cannot wait: %s", sb_strerror(r));
	for (uint32_t i = 0; r > 0 && i < p->conns; i++) {
		struct sb_play_conn *c = &p->conn[i];

		if ((fds[i].revents & SB_POLL_OUT) && c->fd >= 0)
			sb_play_flush(p, c);
		if (fds[i].revents && wants_in(p, c) && p->is_dgram)
			sb_play_dgram_take(p, c);
		else if (fds[i].revents && wants_in(p, c))
			take(p, c);
	}
	return !sb_send_is_over(p->s);
}

/* Whether the other kernel has everything: a unix socket's peer has even read it. */
static bool is_taken(const struct sb_play *p, const struct sb_play_conn *c)
{
	if (c->fd < 0 || c->is_deaf || p->is_dgram)
		return true;
	return !c->is_full && sb_sys_queued_out(p->s->sys, c->fd) <= 0;
}

/* Whoever was waited for in vain is not waited for again before it has taken something. */
static bool is_all_taken(struct sb_play *p)
{
	bool is_all = true;

	for (uint32_t i = 0; i < p->conns; i++) {
		struct sb_play_conn *c = &p->conn[i];

		if (is_taken(p, c))
			c->is_stuck = false;
		else if (!c->is_stuck)
			is_all = false;
	}
	return is_all;
}

static void give_up(struct sb_play *p)
{
	for (uint32_t i = 0; i < p->conns; i++)
		p->conn[i].is_stuck = !is_taken(p, &p->conn[i]);
}

void sb_play_pass(struct sb_play *p, uint64_t until_ns, uint64_t quiet_ns)
{
	bool is_on = true;

	while (is_on) {
		uint64_t now = now_of(p), wake_ns = until_ns;

		if (quiet_ns && now >= p->moved_ns + quiet_ns && is_all_taken(p))
			return;
		if (now >= until_ns) {
			give_up(p);
			return;
		}
		if (quiet_ns && wake_ns > now + STEP_NS)
			wake_ns = now + STEP_NS;
		is_on = turn(p, wake_ns);
	}
}

/* ---- the end of all ---- */

static bool is_waiting(const struct sb_play *p, const struct sb_play_conn *c)
{
	return c->fd >= 0 && (wants_in(p, c) || (c->gone < c->n && !c->is_deaf && !p->is_dgram));
}

static bool is_any_waiting(const struct sb_play *p)
{
	for (uint32_t i = 0; i < p->conns; i++)
		if (is_waiting(p, &p->conn[i]))
			return true;
	return false;
}

static void close_all(struct sb_play *p)
{
	uint64_t now = now_of(p);

	for (uint32_t i = 0; i < p->conns; i++) {
		struct sb_play_conn *c = &p->conn[i];

		if (!p->is_dgram)
			c->unsent += c->n - c->gone;
		if (c->fd < 0)
			continue;
		sb_sys_close(p->s->sys, c->fd);
		c->fd = -1;
		if (c->end == SB_PLAY_OPEN && !p->is_dgram && !*p->s->stop)
			c->end = c->in_ns > 0 && now < c->in_ns + p->s->plan.timeout_ns ? SB_PLAY_ENDLESS
											: SB_PLAY_TIMEOUT;
	}
}

void sb_play_finish(struct sb_play *p)
{
	uint64_t wait_ns = p->s->plan.timeout_ns, over_ns = now_of(p);
	bool is_on = !sb_send_is_over(p->s);

	/* Who says nothing is given --timeout, however short --max-time is. */
	over_ns += wait_ns < p->s->plan.max_time_ns ? p->s->plan.max_time_ns : wait_ns;

	if (p->is_dgram && wait_ns > DGRAM_QUIET_NS)
		wait_ns = DGRAM_QUIET_NS;
	for (uint32_t i = 0; i < p->conns; i++) {
		p->conn[i].has_window = false;
		p->conn[i].wants_fin = !p->is_dgram;
		if (is_on && !p->is_dgram)
			sb_play_flush(p, &p->conn[i]);
	}
	p->moved_ns = now_of(p);
	while (is_on && is_any_waiting(p)) {
		uint64_t until_ns = p->moved_ns + wait_ns, now = now_of(p);

		if (now >= until_ns || now >= over_ns)
			break;
		is_on = turn(p, until_ns < over_ns ? until_ns : over_ns);
	}
	close_all(p);
}
