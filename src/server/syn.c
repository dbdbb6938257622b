/* SPDX-License-Identifier: MIT
 *
 * syn=drop: a listener that nobody gets through to, made without a privilege. Linux drops the SYNs that come while a
 * listener's queue of accepted connections is full. With a backlog of 0 one connection fills it: one of our own, which
 * is not taken. When its time is over it is taken and closed, and is nobody's client; whoever has waited gets through
 * with his next SYN.
 */
#include "server/server.h"

#include <errno.h>

/* How long it may take until we have come through to ourselves: nothing but a busy machine is in between. */
#define PATIENCE (100 * SB_MS)

/* Whether it got through, and so is what fills the queue, and not somebody who came first. */
static int wait_for(struct sb_server *srv, int fd)
{
	int r;

	do
		r = sb_sys_poll_one(srv->sys, fd, SB_POLL_OUT, PATIENCE);
	while (r == -EINTR);
	if (r < 0)
		return r;
	return r == SB_POLL_OUT ? 0 : -ETIMEDOUT;
}

static int fill(struct sb_server *srv, struct sb_listener *l)
{
	int r = sb_sys_connect(srv->sys, l->filler_fd, &l->endpoint.addr);

	if (r == 0 || r == -EINPROGRESS)
		r = wait_for(srv, l->filler_fd);
	return r < 0 ? r : sb_sys_sockname(srv->sys, l->filler_fd, &l->filler);
}

void sb_syn_say(struct sb_server *srv, uint32_t i)
{
	const struct sb_listener *l = &srv->listeners[i];

	if (!l->is_filled || !sb_log_begin(&srv->log, SB_LOG_SYN, srv->now))
		return;
	sb_log_u64(&srv->log, "listener", i + 1);
	sb_log_word(&srv->log, "does", l->filler_fd < 0 ? "pass" : "drop");
	sb_log_addr(&srv->log, "filler", &l->filler);
	if (l->filler_fd >= 0 && l->fill_until != SB_NEVER)
		sb_log_time(&srv->log, "for", l->fill_until - srv->now);
	sb_log_end(&srv->log);
}

int sb_syn_fill(struct sb_server *srv, uint32_t i)
{
	struct sb_listener *l = &srv->listeners[i];
	uint64_t until = l->plan.syn.until;
	int r;

	l->filler_fd = sb_sys_socket(srv->sys, l->endpoint.addr.family, true);
	if (l->filler_fd < 0)
		return l->filler_fd;
	r = fill(srv, l);
	if (r < 0)
		return r;
	l->is_filled = l->is_paused = true;
	l->fill_until = until < SB_NEVER - srv->now ? srv->now + until : SB_NEVER;
	return 0;
}

void sb_syn_close(struct sb_server *srv, uint32_t i)
{
	struct sb_listener *l = &srv->listeners[i];

	if (!l->plan.syn.is_drop || l->filler_fd < 0)
		return;
	/* RST: its port is free again at once. */
	sb_sys_reset_on_close(srv->sys, l->filler_fd);
	sb_sys_close(srv->sys, l->filler_fd);
	l->filler_fd = -1;
}

void sb_syn_empty(struct sb_server *srv, uint32_t i)
{
	if (!srv->listeners[i].is_filled)
		return;
	sb_syn_close(srv, i);
	sb_syn_say(srv, i);
}

bool sb_syn_take(struct sb_listener *l, const struct sb_addr *peer)
{
	bool is_own = l->is_filled && sb_addr_eq(peer, &l->filler);

	/* It is the first in the queue: whoever comes later is somebody else, whatever his port. */
	l->is_filled = false;
	return is_own;
}

void sb_text_syn(struct sb_text *t, const struct sb_listener *l)
{
	sb_text_str(t, " syn=drop");
	if (l->plan.syn.until != SB_NEVER) {
		sb_text_char(t, ':');
		sb_text_time(t, l->plan.syn.until);
	}
	sb_text_str(t, "->backlog=0,filler=");
	sb_text_addr(t, &l->filler);
}
