/* SPDX-License-Identifier: MIT
 *
 * All memory of a server, in one walk: with no memory it adds up, with memory it hands out. What is never
 * touched never becomes resident, so tables are sized for the worst and cost what is used of them.
 */
#include "server/server.h"

#include <stdalign.h>

struct walk {
	uint8_t *mem; /* NULL: only add up */
	size_t n;
};

static void *take(struct walk *w, size_t size, size_t align)
{
	size_t at = (w->n + align - 1) / align * align;

	w->n = at + size;
	return w->mem ? w->mem + at : NULL;
}

/* The classes of blocks that held bytes are kept in: bytes of one, and how many. The smallest has one for each
 * connection, so that a short tail always has a place; the largest takes what max-held leaves. */
static void size_bufs(const struct sb_options *o, uint32_t size[SB_BUF_CLASSES], uint32_t n[SB_BUF_CLASSES])
{
	uint64_t held = o->limits.v[SB_LIMIT_HELD], conns = o->limits.v[SB_LIMIT_CONNS];
	uint64_t middle, large;

	size[0] = 256;
	size[1] = SB_IO_HEADROOM;
	size[2] = SB_SESSION_HELD_MAX;
	middle = held / 4 / size[1];
	middle = middle < conns ? middle : conns;
	large = (held - middle * size[1]) / size[2];
	large = large < conns ? large : conns;
	n[0] = (uint32_t)conns;
	n[1] = (uint32_t)middle;
	n[2] = (uint32_t)(large ? large : 1);
}

static uint32_t least(uint64_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

static void walk(struct walk *w, struct sb_server *srv, const struct sb_options *o)
{
	uint32_t conns = (uint32_t)o->limits.v[SB_LIMIT_CONNS];
	uint32_t cap = SB_LISTENERS_MAX + (uint32_t)o->limits.v[SB_LIMIT_PORTS], slots = conns + cap + 1,
		 size[SB_BUF_CLASSES], n[SB_BUF_CLASSES];
	const struct sb_backend *b;
	size_t io_size = 0;
	uint8_t *bufs[SB_BUF_CLASSES];
	struct sb_timer *heap = take(w, slots * sizeof(*heap), alignof(struct sb_timer));
	uint32_t *place = take(w, slots * sizeof(*place), alignof(uint32_t));
	uint8_t *conn_mem = take(w, conns * sizeof(struct sb_conn), alignof(struct sb_conn));
	uint32_t perip_size = sb_perip_size(conns);
	struct sb_perip_cell *cells = take(w, perip_size * sizeof(*cells), alignof(struct sb_perip_cell));
	struct sb_rates *rates = take(w, sizeof(*rates), alignof(struct sb_rates));
	struct sb_listener *listeners = take(w, cap * sizeof(*listeners), alignof(struct sb_listener));
	uint16_t *own_ports = take(w, cap * sizeof(*own_ports), alignof(uint16_t));
	char *log = take(w, SB_LOG_ROOM, 1), *receipt_log = take(w, SB_LOG_ROOM, 1);
	uint8_t *shows = take(w, conns * sizeof(struct sb_show), alignof(struct sb_show));
	uint32_t *wait = take(w, conns * sizeof(*wait), alignof(uint32_t));
	uint32_t lines = least(o->limits.v[SB_LIMIT_LINES], conns);
	uint8_t *talks = take(w, lines * sizeof(struct sb_talk), alignof(struct sb_talk));
	uint8_t *texts = take(w, (size_t)SB_TEXTS * SB_ANSWER_MAX, 64);
	struct sb_peer *peers = take(w, SB_PEERS_MAX * sizeof(*peers), alignof(struct sb_peer));
	uint32_t *peer_heads = take(w, SB_PEERS_MAX * sizeof(*peer_heads), alignof(uint32_t));
	uint32_t late_blocks = (uint32_t)(o->limits.v[SB_LIMIT_UDP_HELD] / SB_LATE_BLOCK);
	void *late = take(w, (size_t)late_blocks * SB_LATE_BLOCK, 64);
	void *receipts = take(w, SB_RECEIPTS_KEPT * (size_t)SB_RECEIPT_MAX, 64);
	uint8_t *io_buf = take(w, SB_IO_HEADROOM + SB_IO_BUF_SIZE, 64);
	uint8_t *scratch = take(w, SB_IO_BUF_SIZE, 64);
	void *io_mem;

	/* Which backend it will be is known only when one has been opened. */
	for (size_t i = 0; (b = sb_backend_at(i)); i++)
		io_size = b->ops->size(slots) > io_size ? b->ops->size(slots) : io_size;
	io_mem = take(w, io_size, 64);
	size_bufs(o, size, n);
	for (int i = 0; i < SB_BUF_CLASSES; i++)
		bufs[i] = take(w, (size_t)size[i] * n[i], 64);
	if (!w->mem)
		return;
	sb_timers_init(&srv->timers, heap, place, slots);
	sb_pool_init(&srv->conns, conn_mem, sizeof(struct sb_conn), conns);
	sb_perip_init(&srv->perip, cells, perip_size, 0);
	for (int i = 0; i < SB_BUF_CLASSES; i++)
		sb_pool_init(&srv->bufs[i], bufs[i], size[i], n[i]);
	srv->rates = rates;
	srv->listeners = listeners;
	srv->listeners_cap = cap;
	srv->own_ports = own_ports;
	srv->log.room = log;
	srv->receipt_log.room = receipt_log;
	sb_pool_init(&srv->shows, shows, sizeof(struct sb_show), conns);
	sb_pool_init(&srv->talks, talks, sizeof(struct sb_talk), lines);
	sb_pool_init(&srv->texts, texts, SB_ANSWER_MAX, SB_TEXTS);
	srv->gate = (struct sb_gate){.wait = wait, .fd = -1};
	srv->receipts.text = receipts;
	sb_peers_init(&srv->replies.peers, peers, peer_heads, SB_PEERS_MAX);
	sb_late_init(&srv->replies.late, late, late_blocks);
	srv->scratch = scratch;
	srv->io = (struct sb_io){.slots = slots, .mem = io_mem, .buf = io_buf, .fd = -1};
}

size_t sb_layout_size(const struct sb_options *o)
{
	struct walk w = {0};

	take(&w, sizeof(struct sb_server), alignof(max_align_t));
	walk(&w, NULL, o);
	return w.n;
}

void sb_layout_take(struct sb_server *srv, void *mem)
{
	struct walk w = {.mem = mem};

	take(&w, sizeof(struct sb_server), alignof(max_align_t));
	walk(&w, srv, &srv->opt);
}
