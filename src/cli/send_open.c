/* SPDX-License-Identifier: MIT
 * Making the connection of streambed send: each address in order, waiting no longer than --timeout for each. */
#include "cli/send.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum { RETRY_NS = 10 * 1000 * 1000 };

/* ---- streams ---- */

/* connect(2) itself. A unix listener whose queue is full has nothing that could be waited for: ask again. */
static int begin(struct sb_send *s, int fd, const struct sb_endpoint *to, uint64_t until_ns)
{
	int r;

	if (to->on != SB_ON_UNIX)
		return sb_sys_connect(s->sys, fd, &to->addr);
	while ((r = sb_sys_connect_unix(s->sys, fd, to->path)) == -EAGAIN) {
		uint64_t now = sb_sys_now(s->sys);

		if (now >= until_ns)
			return -ETIMEDOUT;
		r = sb_send_wait(s, -1, 0, now + RETRY_NS);
		if (r < 0)
			return r;
	}
	return r;
}

static int dial_stream(struct sb_send *s, int fd, const struct sb_endpoint *to)
{
	uint64_t until_ns = sb_sys_now(s->sys) + s->plan.timeout_ns;
	int r = begin(s, fd, to, until_ns), err = 0;
	size_t n = sizeof(err);

	if (r != -EINPROGRESS)
		return r;
	r = sb_send_wait(s, fd, SB_POLL_OUT, until_ns);
	if (r <= 0)
		return r == 0 ? -ETIMEDOUT : r;
	r = sb_sys_getopt(s->sys, fd, SOL_SOCKET, SO_ERROR, &err, &n);
	return r < 0 ? r : -err;
}

/* Each send, and what is left when the cork is pulled, leaves at once and waits for no ACK of what went before. */
static int set_nodelay(struct sb_send *s, int fd)
{
	int on = 1;

	return sb_sys_setopt(s->sys, fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int open_stream(struct sb_send *s, const struct sb_endpoint *to)
{
	int fd = sb_sys_socket(s->sys, to->addr.family, true), r;

	if (fd < 0)
		return fd;
	r = dial_stream(s, fd, to);
	if (r == 0 && to->on == SB_ON_TCP)
		r = set_nodelay(s, fd);
	if (r == 0)
		r = sb_sys_sockname(s->sys, fd, &s->local);
	if (r < 0) {
		sb_sys_close(s->sys, fd);
		return r;
	}
	return fd;
}

/* ---- datagrams ---- */

/* A connected socket: the kernel has looked for a way there and chosen our address, and nothing has been sent. */
static int open_connected(struct sb_send *s, const struct sb_endpoint *to)
{
	int fd = sb_sys_socket(s->sys, to->addr.family, false), r;

	if (fd < 0)
		return fd;
	r = sb_sys_connect(s->sys, fd, &to->addr);
	if (r == 0)
		r = sb_sys_sockname(s->sys, fd, &s->local);
	if (r < 0) {
		sb_sys_close(s->sys, fd);
		return r;
	}
	return fd;
}

/* An unconnected one. It is bound here and not by the first sendto, so that its port can be said and looked at;
 * a connected one has told that there is a way, and which address ours is. */
static int open_unconnected(struct sb_send *s, const struct sb_endpoint *to)
{
	struct sb_addr any = {.family = to->addr.family}, bound = {0};
	int fd = open_connected(s, to), r;

	if (fd < 0)
		return fd;
	sb_sys_close(s->sys, fd);
	fd = sb_sys_socket(s->sys, to->addr.family, false);
	if (fd < 0)
		return fd;
	r = sb_sys_bind(s->sys, fd, &any);
	if (r == 0)
		r = sb_sys_sockname(s->sys, fd, &bound);
	if (r < 0) {
		sb_sys_close(s->sys, fd);
		return r;
	}
	s->local.port = bound.port;
	return fd;
}

/* ---- either ---- */

/* Where nothing listens on a port from which the kernel picks ours, it may pick that very port: TCP then connects
 * to itself, UDP hears itself, and both echo to perfection. */
bool sb_send_is_itself(const struct sb_send *s)
{
	return s->peer.on != SB_ON_UNIX && sb_addr_eq(&s->local, &s->peer.addr);
}

static int open_one(struct sb_send *s, const struct sb_endpoint *to)
{
	if (to->on != SB_ON_UDP)
		return open_stream(s, to);
	return s->plan.is_udp_connected ? open_connected(s, to) : open_unconnected(s, to);
}

bool sb_send_not_open(struct sb_send *s, int err)
{
	char tried[48] = "", time[32];
	struct sb_text t = sb_text_in(tried, sizeof(tried));

	if (s->target.n > 1) {
		sb_text_str(&t, " (");
		sb_text_u64(&t, (uint64_t)s->target.n);
		sb_text_str(&t, " addresses tried)");
	}
	sb_text_end(&t);
	if (err == -ETIMEDOUT)
		return sb_send_fail(s, SB_EXIT_UNAVAILABLE, "timed out: no connection within %s%s",
				    sb_send_time(s->plan.timeout_ns, time), tried);
	return sb_send_fail(s, sb_send_exit_of(err), "%s%s", sb_send_why(err), tried);
}

int sb_send_dial(struct sb_send *s)
{
	int r = -EADDRNOTAVAIL;

	for (int i = 0; i < s->target.n && r < 0 && !sb_send_is_over(s); i++) {
		s->peer = s->target.at[i];
		r = open_one(s, &s->peer);
	}
	return r;
}

bool sb_send_open(struct sb_send *s)
{
	s->fd = sb_send_dial(s);
	if (s->fd < 0)
		return sb_send_is_over(s) ? false : sb_send_not_open(s, s->fd);
	if (sb_send_is_itself(s))
		return sb_send_fail(s, SB_EXIT_UNAVAILABLE,
				    "connected to itself: nothing listens there, and our end was given that very port");
	sb_report_open(s);
	return true;
}
