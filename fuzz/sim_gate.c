/* SPDX-License-Identifier: MIT
 * The simulated kernel: what the peer's socket holds, as NETLINK_SOCK_DIAG would tell. */
#include <errno.h>

#include "found.h"
#include "sys_sim.h"

int sb_sys_diag_open(struct sb_sys *k)
{
	int r = sim_fault(k, SIM_CALL_DIAG_OPEN, SIM_SITE);
	const struct sim_fd *f = r < 0 ? NULL : sim_make(k, SIM_DIAG);

	if (r == 0)
		r = f ? f->fd : -EMFILE;
	if (r < 0 && k->on_ask)
		k->on_ask(k, NULL, SIM_CALL_DIAG_OPEN, r);
	return r;
}

void sim_read(struct sb_sys *k, struct sim_conn *c)
{
	if (!c->is_net_slow && c->come_n < c->out_n) {
		c->come_n = c->out_n;
		c->come_at = k->now;
	}
	if (!c->is_reader_slow && c->read_n < c->come_n) {
		c->read_n = c->come_n;
		c->read_at = k->now;
	}
}

/* Connections have addresses of their own. Whoever asks has one of them, so it is there. */
static struct sim_conn *peer_at(struct sb_sys *k, const struct sb_peer_queue *q)
{
	for (uint32_t i = 0; i < k->conns; i++) {
		const struct sim_conn *c = &k->conn[i];
		const struct sim_fd *f = &k->fd[(uint32_t)c->fd % SIM_FDS];

		if (!c->is_dgram && c->fd >= 0 && sb_addr_eq(&c->addr, &q->peer) && sb_addr_eq(&f->addr, &q->local))
			return &k->conn[i];
	}
	sb_found("kernel: asked about a peer that there is not, port %u of ours and %u of its own", q->local.port,
		 q->peer.port);
}

static int answer(const struct sb_sys *k, const struct sim_conn *c, struct sb_peer_queue *q)
{
	q->err = c->is_rst || k->is_foreign ? -ENOENT : 0;
	if (q->err < 0)
		return q->err;
	q->is_held = !c->is_gone;
	q->received = c->come_n;
	q->queued = (uint32_t)(c->come_n - c->read_n);
	q->uid = 1000;
	return !q->is_held || c->read_n == c->out_n;
}

int sb_sys_peer_queues(struct sb_sys *k, int diag, struct sb_peer_queue *q, size_t n)
{
	int r = sim_fault(k, SIM_CALL_PEERS, SIM_SITE);

	if (sim_get(k, diag, "send")->type != SIM_DIAG || n == 0 || n > SB_PEER_BATCH)
		sb_found("kernel: descriptor %d cannot be asked about %zu peers", diag, n);
	for (size_t i = 0; i < n; i++) {
		struct sim_conn *c = peer_at(k, &q[i]);
		int said = r < 0 ? r : answer(k, c, &q[i]);

		if (k->on_ask)
			k->on_ask(k, c, SIM_CALL_PEERS, said);
	}
	return r;
}
