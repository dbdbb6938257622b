/* SPDX-License-Identifier: MIT
 * Events of a script that change what the kernel does with one connection. */
#include "hang.h"

void fuzz_hang(struct sb_sys *k, struct sim_conn *c, const struct sbs_event *e)
{
	uint32_t times = e->v < 16 ? e->v : 16;

	switch (e->kind) {
	case SBS_RECV_EINTR:
		c->eintr_in = times;
		break;
	case SBS_RECV_AGAIN:
		c->again_in = times;
		break;
	case SBS_SEND_EINTR:
		c->eintr_out = times;
		break;
	case SBS_SEND_AGAIN:
		c->again_out = times;
		break;
	case SBS_SHORT:
		c->short_out = e->v;
		break;
	case SBS_DRAIN:
		sim_drain(k, c, e->v);
		break;
	case SBS_FIN:
		sim_fin(k, c);
		break;
	case SBS_RST:
		sim_rst(k, c);
		break;
	default:
		break;
	}
}
