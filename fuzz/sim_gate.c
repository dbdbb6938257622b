/* SPDX-License-Identifier: MIT
 * What the peer's socket holds, as NETLINK_SOCK_DIAG would tell. */
#include <errno.h>

#include "found.h"
#include "sys_sim.h"

int sb_sys_diag_open(struct sb_sys *k)
{
	struct sim_fd *f = sim_make(k, SIM_DIAG);

	return f ? f->fd : -EMFILE;
}

/* Connections have addresses of their own. */
static const struct sim_conn *peer_at(const struct sb_sys *k, const struct sb_addr *addr)
{
	for (uint32_t i = 0; i < k->conns; i++)
		if (!k->conn[i].is_dgram && k->conn[i].fd >= 0 && sb_addr_eq(&k->conn[i].addr, addr))
			return &k->conn[i];
	return NULL;
}

int sb_sys_peer_queues(struct sb_sys *k, int diag, struct sb_peer_queue *q, size_t n)
{
	if (sim_get(k, diag, "send")->type != SIM_DIAG)
		sb_found("kernel: descriptor %d cannot be asked about peers", diag);
	for (size_t i = 0; i < n; i++) {
		const struct sim_conn *c = peer_at(k, &q[i].peer);

		q[i].err = c && !c->is_rst ? 0 : -ENOENT;
		if (q[i].err < 0)
			continue;
		q[i].is_held = !c->is_gone;
		q[i].received = c->out_n;
		q[i].queued = 0;
	}
	return 0;
}
