/* SPDX-License-Identifier: MIT
 *
 * Gates: the next piece is sent when the peer has read the last one. No event tells of that, so the kernel is asked,
 * for all that wait in one message: first after FIRST_STEP, when a reader that waits in recv has just been woken, then
 * less and less often, so that a peer that stalls for seconds costs next to nothing.
 *
 *   read   the peer's socket has received all that we sent and its queue is empty: asked by NETLINK_SOCK_DIAG, which
 *          needs no privilege, but sees only our own network namespace. A unix socket's own queue says it.
 *   ack    our own send queue is empty: the peer's kernel has it
 *   time   nothing
 */
#include "server/server.h"

#include <errno.h>

enum { FIRST_STEP = 10 * 1000, LAST_STEP = 10 * 1000 * 1000, ROUNDS = 4 };

/* The connection whose peer is to read. */
static struct sb_conn *reader_of(struct sb_server *srv, const struct sb_show *show)
{
	return sb_conn_out(sb_conn_at(srv, show->slot));
}

static bool is_stream_of_ip(struct sb_server *srv, const struct sb_show *show)
{
	return reader_of(srv, show)->peer.family != SB_UNIX;
}

static void leave(struct sb_server *srv, struct sb_show *show)
{
	struct sb_gate *gate = &srv->gate;
	uint32_t last = gate->wait[gate->n - 1];

	gate->wait[show->place - 1] = last;
	sb_show_of(&sb_conn_at(srv, last)->session)->place = show->place;
	show->place = 0;
	gate->n--;
}

void sb_gate_drop(struct sb_server *srv, struct sb_show *show)
{
	if (show->place)
		leave(srv, show);
}

/* ---- what comes of it ---- */

static void open_it(struct sb_server *srv, struct sb_show *show, int res)
{
	struct sb_conn *c = sb_conn_at(srv, show->slot);
	struct sb_done done = {.kind = SB_OP_GATE, .res = res};

	leave(srv, show);
	/* What a step has asked for is no cut. */
	if (res >= 0 && !show->pace.is_asked)
		sb_receipt_gate(&show->receipt, (enum sb_gate_tier)res, srv->now);
	sb_conn_done(srv, c, &done);
}

/* What was asked for cannot be had. gate=best is content with less, and says why. */
static void give_way(struct sb_server *srv, struct sb_show *show, int err, const char *why)
{
	if (show->asked != SB_GATE_BEST) {
		open_it(srv, show, err);
		return;
	}
	if (!show->receipt.why)
		show->receipt.why = why;
	show->tier = show->tier == SB_GATE_READ ? SB_GATE_ACK : SB_GATE_TIME;
	show->ask_at = srv->now;
}

static void ask_later(struct sb_server *srv, struct sb_show *show)
{
	show->step = show->step < LAST_STEP / 2 ? show->step * 2 : LAST_STEP;
	show->ask_at = srv->now + show->step;
}

/* ---- asking ---- */

/* There may be an answer the next time. */
static bool is_passing(int err)
{
	return err == -EINTR || err == -ENOBUFS || err == -ENOMEM;
}

/* The peer of a unix socket takes a piece and looks whether there is more before its recv returns: it must be out of
 * there when more comes. */
static void ask_once_more(struct sb_server *srv, struct sb_show *show)
{
	show->is_empty = true;
	show->ask_at = srv->now + FIRST_STEP;
}

static void ask_own(struct sb_server *srv, struct sb_show *show)
{
	int queued = show->tier == SB_GATE_TIME ? 0 : sb_sys_queued_out(srv->sys, reader_of(srv, show)->fd);

	if (queued < 0)
		give_way(srv, show, queued, "the kernel does not tell what is queued");
	else if (queued > 0)
		ask_later(srv, show);
	else if (show->tier == SB_GATE_READ && !show->is_empty)
		ask_once_more(srv, show);
	else
		open_it(srv, show, show->tier);
}

static void heed(struct sb_server *srv, struct sb_show *show, const struct sb_peer_queue *q)
{
	const struct sb_conn *c = sb_conn_at(srv, show->slot);

	if (q->err == -EAGAIN) {
		ask_later(srv, show);
	} else if (q->err == -ENOENT && (show->is_seen || reader_of(srv, show)->session.leg.is_eof)) {
		/* Closed: nobody will read it, and the session learns of that by itself. */
		open_it(srv, show, SB_GATE_NONE);
	} else if (q->err < 0) {
		give_way(srv, show, q->err,
			 q->err == -ENOENT ? "the peer is in another network namespace"
					   : "the kernel does not tell of the peer's socket");
	} else {
		show->is_seen = true;
		show->receipt.uid = q->uid;
		if (!q->is_held)
			open_it(srv, show, SB_GATE_NONE);
		else if (q->queued == 0 && q->received >= c->session.leg.out)
			open_it(srv, show, SB_GATE_READ);
		else
			ask_later(srv, show);
	}
}

/* Where our own end is, asked once. */
static int find_local(struct sb_server *srv, struct sb_show *show)
{
	int r = show->has_local ? 0 : sb_sys_sockname(srv->sys, reader_of(srv, show)->fd, &show->local);

	show->has_local = r == 0;
	return r;
}

static int ask_peers(struct sb_server *srv, struct sb_show *const *shows, size_t n)
{
	struct sb_peer_queue q[SB_PEER_BATCH];
	int r = 0;

	if (srv->gate.fd < 0)
		srv->gate.fd = r = sb_sys_diag_open(srv->sys);
	for (size_t i = 0; i < n; i++)
		q[i] = (struct sb_peer_queue){.local = shows[i]->local, .peer = reader_of(srv, shows[i])->peer};
	if (r >= 0)
		r = sb_sys_peer_queues(srv->sys, srv->gate.fd, q, n);
	for (size_t i = 0; i < n; i++) {
		if (r < 0)
			q[i].err = is_passing(r) ? -EAGAIN : r;
		if (shows[i]->place)
			heed(srv, shows[i], &q[i]);
	}
	return r;
}

/* It is not to be taken up again before it has been asked about. */
static struct sb_show *in_hand(struct sb_show *show)
{
	show->ask_at = SB_NEVER;
	return show;
}

/* Without those that have ended since they were taken up, with the other direction. */
static size_t those_left(struct sb_show **shows, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		if (shows[i]->place)
			shows[left++] = shows[i];
	return left;
}

/* Those that are due, each once; peers' sockets in one question. */
static bool ask_some(struct sb_server *srv)
{
	struct sb_show *shows[SB_PEER_BATCH];
	size_t n = 0;
	bool is_more = false;

	/* From the end: who leaves is replaced by one that has been looked at. Of a FORWARD both leave at once. */
	for (uint32_t i = srv->gate.n; i > 0; i--) {
		struct sb_show *show;
		bool is_ip;
		int r;

		if (i > srv->gate.n)
			continue;
		show = sb_show_of(&sb_conn_at(srv, srv->gate.wait[i - 1])->session);
		if (show->ask_at > srv->now)
			continue;
		is_ip = is_stream_of_ip(srv, show);
		r = show->tier == SB_GATE_READ && is_ip ? find_local(srv, show) : 0;
		if (r < 0 && is_passing(r))
			ask_later(srv, show);
		else if (r < 0)
			give_way(srv, show, r, "the kernel does not name our end");
		else if (show->tier != SB_GATE_READ || !is_ip)
			ask_own(srv, show);
		else if (n < SB_PEER_BATCH)
			shows[n++] = in_hand(show);
		else
			is_more = true;
	}
	n = those_left(shows, n);
	if (n > 0)
		ask_peers(srv, shows, n);
	return is_more;
}

void sb_gate_turn(struct sb_server *srv)
{
	for (int i = 0; i < ROUNDS && srv->gate.n > 0; i++)
		if (!ask_some(srv))
			break;
}

uint64_t sb_gate_next(struct sb_server *srv)
{
	uint64_t next = SB_NEVER;

	for (uint32_t i = 0; i < srv->gate.n; i++) {
		const struct sb_show *show = sb_show_of(&sb_conn_at(srv, srv->gate.wait[i])->session);

		next = show->ask_at < next ? show->ask_at : next;
	}
	return next;
}

void sb_gate_ask(struct sb_server *srv, struct sb_conn *c, enum sb_gate_tier tier)
{
	struct sb_show *show = sb_show_of(&c->session);

	show->asked = (uint8_t)tier;
	if (tier != SB_GATE_BEST)
		show->tier = (uint8_t)tier;
	else if (!show->receipt.why)
		show->tier = SB_GATE_READ;
	show->is_empty = false;
	show->step = FIRST_STEP;
	show->ask_at = srv->now + FIRST_STEP;
	srv->gate.wait[srv->gate.n++] = show->slot;
	show->place = srv->gate.n;
}
