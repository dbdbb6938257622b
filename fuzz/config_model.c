/* SPDX-License-Identifier: MIT
 * How much memory a server takes, and where its parts lie. See config_model.h. */
#include "config_model.h"

#include <stdlib.h>

#include "found.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The blocks that held bytes are kept in. */
static uint64_t pools(const struct again_config *want, uint64_t n[3])
{
	uint64_t conns = want->v[SB_LIMIT_CONNS], held = want->v[SB_LIMIT_HELD];

	n[0] = conns;
	n[1] = least(held / 4 / 4096, conns);
	n[2] = least((held - n[1] * 4096) / (65536 + 96), conns);
	n[2] = n[2] ? n[2] : 1;
	return n[0] * 256 + n[1] * 4096 + n[2] * (65536 + 96) + want->v[SB_LIMIT_UDP_HELD] / 1024 * 1024;
}

void config_model_size(const struct again_config *want, long size)
{
	uint64_t n[3], all = pools(want, n), conns = want->v[SB_LIMIT_CONNS];
	uint64_t more = 6500 * conns + 15000 * want->v[SB_LIMIT_PORTS] + 12000 * want->v[SB_LIMIT_LINES] + (5 << 20);

	if (size <= 0 || (uint64_t)size < all + 240 * conns || (uint64_t)size > all + more)
		sb_found("config: %ld bytes for %llu connections and %llu bytes of blocks", size,
			 (unsigned long long)conns, (unsigned long long)all);
}

struct part {
	const char *name;
	const void *p;
	size_t size, align;
};

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return (x->p > y->p) - (x->p < y->p);
}

void config_model_parts(const struct again_config *want, const struct sb_server *srv, size_t size)
{
	uint32_t slots = srv->conns.cap + 64 + (uint32_t)want->v[SB_LIMIT_PORTS] + 1;
	struct part parts[] = {
		{"server", srv, sizeof(*srv), 16},
		{"heap", srv->timers.heap, slots * sizeof(struct sb_timer), 8},
		{"place", srv->timers.place, slots * 4, 4},
		{"conns", srv->conns.mem, (size_t)srv->conns.cap * srv->conns.block_size, 8},
		{"perip", srv->perip.cells, srv->perip.size * sizeof(struct sb_perip_cell), 8},
		{"rates", srv->rates, sizeof(*srv->rates), 8},
		{"listeners", srv->listeners, (64 + want->v[SB_LIMIT_PORTS]) * sizeof(struct sb_listener), 8},
		{"log", srv->log.room, 65536, 1},
		{"log of receipts", srv->receipt_log.room, 65536, 1},
		{"shows", srv->shows.mem, (size_t)srv->conns.cap * sizeof(struct sb_show), 8},
		{"gates", srv->gate.wait, (size_t)srv->conns.cap * 4, 4},
		{"lines", srv->talks.mem, (size_t)srv->talks.cap * sizeof(struct sb_talk), 8},
		{"answers", srv->texts.mem, (size_t)srv->texts.cap * SB_ANSWER_MAX, 8},
		{"receipts", srv->receipts.text, (size_t)SB_RECEIPTS_KEPT * SB_RECEIPT_MAX, 8},
		{"io", srv->io.mem, srv->io.backend->ops->size(slots), 16},
		{"receive buffer", srv->io.buf, 4096 + 65 * 1024, 64},
		{"scratch", srv->scratch, 65 * 1024, 64},
		{"small blocks", srv->bufs[0].mem, (size_t)srv->bufs[0].cap * 256, 16},
		{"middle blocks", srv->bufs[1].mem, (size_t)srv->bufs[1].cap * 4096, 16},
		{"large blocks", srv->bufs[2].mem, (size_t)srv->bufs[2].cap * (65536 + 96), 16},
	};
	const uint8_t *mem = (const uint8_t *)srv, *end = mem;
	uint64_t n[3];

	pools(want, n);
	if (srv->conns.cap != want->v[SB_LIMIT_CONNS] || srv->io.slots != slots || srv->timers.cap != slots ||
	    srv->bufs[0].cap != n[0] || srv->bufs[1].cap != n[1] || srv->bufs[2].cap != n[2])
		sb_found("config: %u connections, %u slots, %u + %u + %u blocks", srv->conns.cap, srv->io.slots,
			 srv->bufs[0].cap, srv->bufs[1].cap, srv->bufs[2].cap);
	if (srv->perip.size < 2 * srv->conns.cap || srv->bufs[0].block_size != 256 || srv->bufs[1].block_size != 4096 ||
	    srv->bufs[2].block_size != 65536 + 96)
		sb_found("config: blocks of other sizes, or too small a table");
	qsort(parts, sizeof(parts) / sizeof(parts[0]), sizeof(parts[0]), compare_parts);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const uint8_t *p = parts[i].p;

		if (p < end || (uintptr_t)p % parts[i].align)
			sb_found("config: the %s lies in the %s, or askew", parts[i].name,
				 i ? parts[i - 1].name : "air");
		end = p + parts[i].size;
	}
	if (end > mem + size)
		sb_found("config: the %s lies behind the end", parts[sizeof(parts) / sizeof(parts[0]) - 1].name);
}
