/* SPDX-License-Identifier: MIT
 *
 * Taking connections. Two ways not to: refusing one that a limit forbids (it is accepted and closed, so that its
 * client learns of it), and, when the machine has no descriptor or memory left, shedding some through a spare
 * descriptor and then pausing: accept would fail again at once, and retrying it in a loop would burn the CPU.
 */
#include "server/server.h"

#include <errno.h>

enum { SHED_MAX = 16 };

#define PAUSE (100 * SB_MS)

void sb_accept_arm(struct sb_server *srv, uint32_t i)
{
	struct sb_op op = {.handle = sb_handle_of_listener(srv, i), .kind = SB_OP_ACCEPT, .flags = SB_OP_MULTI};
	struct sb_done done;

	srv->io.backend->ops->submit(&srv->io, &op, &done);
}

bool sb_is_allowed(const struct sb_server *srv, const struct sb_listener *l, const struct sb_addr *peer)
{
	if (l->is_loopback || sb_addr_is_loopback(peer))
		return true;
	for (size_t i = 0; i < srv->opt.allow_n; i++)
		if (sb_addr_in(peer, &srv->opt.allow[i]))
			return true;
	return false;
}

static void refuse(struct sb_server *srv, uint32_t i, int fd, const struct sb_addr *peer, const char *why,
		   const char *change)
{
	struct sb_log *log = &srv->log;

	sb_sys_close(srv->sys, fd);
	srv->count[SB_COUNT_REFUSED]++;
	if (!sb_log_begin(log, SB_LOG_REFUSE, srv->now))
		return;
	sb_log_addr(log, "peer", peer);
	sb_log_u64(log, "listener", i + 1);
	sb_log_word(log, "reason", why);
	if (change[0])
		sb_log_word(log, "change", change);
	sb_log_end(log);
}

/* A connection has come: serve it, or say why not. */
static void welcome(struct sb_server *srv, uint32_t i, int fd, const struct sb_addr *peer)
{
	struct sb_listener *l = &srv->listeners[i];
	uint64_t per_ip = srv->opt.limits.v[SB_LIMIT_CONNS_PER_IP];
	bool is_counted = per_ip > 0 && peer->family != SB_UNIX;
	int r;

	if (sb_syn_take(l, peer)) {
		sb_sys_close(srv->sys, fd);
		return;
	}
	if (l->is_port && !sb_addr_is_host(peer, &l->from)) {
		refuse(srv, i, fd, peer, "not-owner", "");
		return;
	}
	if (l->is_rst) {
		sb_sys_reset_on_close(srv->sys, fd);
		refuse(srv, i, fd, peer, "accept-rst", "accept=");
		l->left -= l->left != UINT64_MAX;
		return;
	}
	if (!sb_is_allowed(srv, l, peer)) {
		refuse(srv, i, fd, peer, "not-allowed", "--allow");
		return;
	}
	if (sb_pool_left(&srv->conns) == 0) {
		refuse(srv, i, fd, peer, "max-conns", "--max-conns");
		return;
	}
	if (is_counted && !sb_perip_add(&srv->perip, peer, per_ip)) {
		refuse(srv, i, fd, peer, "max-conns-per-ip", "--max-conns-per-ip");
		return;
	}
	r = sb_conn_open(srv, i, fd, peer, is_counted);
	if (r < 0) {
		if (is_counted)
			sb_perip_drop(&srv->perip, peer);
		refuse(srv, i, fd, peer, sb_errname(r), "");
		return;
	}
	if (l->left != UINT64_MAX)
		l->left--;
}

/* ---- when there is nothing left to accept with ---- */

/* Closes what waits, through the one descriptor that was kept for it: better a clear end than a long wait. */
static uint32_t shed(struct sb_server *srv, uint32_t i)
{
	uint32_t n = 0;

	if (srv->spare_fd < 0)
		return 0;
	sb_sys_close(srv->sys, srv->spare_fd);
	while (n < SHED_MAX) {
		struct sb_addr peer;
		int fd = sb_sys_accept(srv->sys, srv->listeners[i].fd, &peer);

		if (fd == -EINTR)
			continue;
		if (fd < 0)
			break;
		sb_sys_close(srv->sys, fd);
		n += !sb_syn_take(&srv->listeners[i], &peer);
	}
	srv->spare_fd = sb_sys_spare_fd(srv->sys);
	return n;
}

static bool is_exhausted(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

static void pause_accept(struct sb_server *srv, uint32_t i, int err)
{
	struct sb_log *log = &srv->log;
	uint32_t n = err == -EMFILE || err == -ENFILE ? shed(srv, i) : 0;

	srv->listeners[i].is_paused = true;
	srv->count[SB_COUNT_ACCEPT_PAUSES]++;
	srv->count[SB_COUNT_SHED] += n;
	sb_timers_set(&srv->timers, sb_slot_of_listener(srv, i), srv->now + PAUSE);
	if (!sb_log_begin(log, SB_LOG_PAUSE, srv->now))
		return;
	sb_log_u64(log, "listener", i + 1);
	sb_log_word(log, "errno", sb_errname(err));
	sb_log_text(log, "why", sb_slice_cstr(sb_strerror(err)));
	sb_log_u64(log, "shed", n);
	sb_log_time(log, "for", PAUSE);
	if (err == -EMFILE)
		sb_log_text(log, "change", sb_slice_cstr("ulimit -n"));
	sb_log_end(log);
}

void sb_accept_resume(struct sb_server *srv, uint32_t i)
{
	if (srv->listeners[i].fd < 0 || !srv->listeners[i].is_paused)
		return;
	srv->listeners[i].is_paused = false;
	sb_syn_empty(srv, i);
	if (srv->spare_fd < 0)
		srv->spare_fd = sb_sys_spare_fd(srv->sys);
	sb_accept_arm(srv, i);
}

/* The connection was gone before it was taken, or a firewall forbade it: accept(2) says to go on. */
static void pass_over(struct sb_server *srv, uint32_t i, int err)
{
	struct sb_log *log = &srv->log;

	srv->count[SB_COUNT_ACCEPT_ERRORS]++;
	if (!sb_log_begin(log, SB_LOG_ACCEPT, srv->now))
		return;
	sb_log_u64(log, "listener", i + 1);
	sb_log_word(log, "errno", sb_errname(err));
	sb_log_end(log);
}

void sb_accept_done(struct sb_server *srv, uint32_t i, const struct sb_done *done)
{
	if (is_exhausted(done->res)) {
		pause_accept(srv, i, done->res);
		return;
	}
	if (done->res < 0)
		pass_over(srv, i, done->res);
	else
		welcome(srv, i, done->res, &done->src);
	if (srv->listeners[i].left == 0)
		sb_listener_close(srv, i);
	else
		sb_accept_arm(srv, i);
}
