/* SPDX-License-Identifier: MIT
 * Lending what shaped connections need, and their receipts when they end: to the file of --receipts, and kept for a
 * while for who asks by id and token. */
#include "base/rng.h"
#include "server/server.h"

struct sb_pace *sb_show_lend(struct sb_server *srv, struct sb_conn *c)
{
	struct sb_show *show = sb_pool_get(&srv->shows);

	if (!show)
		return NULL;
	show->pace = (struct sb_pace){.gate = SB_PACE_OPEN};
	sb_receipt_open(&show->receipt, srv->now);
	show->has_local = show->is_seen = false;
	show->asked = show->tier = SB_GATE_READ;
	show->place = 0;
	show->talk = NULL;
	show->text = NULL;
	show->wait_until = SB_NEVER;
	show->is_control = false;
	show->slot = sb_pool_index(&srv->conns, c);
	show->token = sb_rng_at(srv->token_secret, c->id);
	return &show->pace;
}

void sb_text_id(struct sb_text *t, char kind, uint32_t id, uint64_t token)
{
	sb_text_char(t, kind);
	sb_text_u64(t, id);
	sb_text_char(t, '.');
	sb_text_hex(t, token, 16);
}

/* Where the next receipt is kept: in place of the oldest. */
static struct sb_text begin_receipt(struct sb_server *srv, const struct sb_conn *c, uint64_t token)
{
	struct sb_receipts *kept = &srv->receipts;
	uint32_t i = kept->next;

	kept->next = (i + 1) % SB_RECEIPTS_KEPT;
	kept->size[i] = 0;
	kept->id[i] = c->id;
	kept->port[i] = srv->listeners[c->listener].id;
	kept->token[i] = token;
	return sb_text_in(kept->text[i], SB_RECEIPT_MAX);
}

/* ---- the file of receipts ---- */

static void lose(struct sb_server *srv, uint64_t n)
{
	srv->count[SB_COUNT_RECEIPTS_LOST] += n;
	if (n == 0 || !sb_log_begin(&srv->log, SB_LOG_RECEIPTS, srv->now))
		return;
	sb_log_u64(&srv->log, "lost", n);
	sb_log_text(&srv->log, "why", sb_slice_cstr("what --receipts writes to takes no more, and 64k wait"));
	sb_log_end(&srv->log);
}

void sb_receipts_flush(struct sb_server *srv)
{
	int r = sb_log_flush(&srv->receipt_log, srv->sys);

	if (r == 0 || !sb_log_begin(&srv->log, SB_LOG_RECEIPTS, srv->now))
		return;
	sb_log_word(&srv->log, "errno", sb_errname(r));
	sb_log_text(&srv->log, "why", sb_slice_cstr("no receipt is written any more"));
	sb_log_end(&srv->log);
}

void sb_receipts_end(struct sb_server *srv)
{
	const struct sb_log *file = &srv->receipt_log;
	uint64_t n = 0;

	sb_receipts_flush(srv);
	for (size_t i = 0; i < file->waiting; i++)
		n += file->room[i] == '\n';
	lose(srv, n);
}

/* More may end in one turn than there is room for: what waits is written first then. */
static void put(struct sb_server *srv, struct sb_slice line)
{
	if (line.n > SB_LOG_ROOM - srv->receipt_log.waiting)
		sb_receipts_flush(srv);
	if (!sb_log_line(&srv->receipt_log, line))
		lose(srv, 1);
}

static void write_receipt(struct sb_server *srv, struct sb_conn *c, struct sb_show *show)
{
	char id_room[SB_SHOW_ID_MAX], peer_room[64], line_room[SB_LINE_MAX * 4];
	struct sb_text id = sb_text_in(id_room, sizeof(id_room)), peer = sb_text_in(peer_room, sizeof(peer_room));
	struct sb_text t = begin_receipt(srv, c, show->token);
	int n = sb_line_print(c->session.plan->line, line_room, sizeof(line_room));
	struct sb_receipt_head head = {.session = &c->session};
	char to_room[SB_PATH_MAX * 3 + 8];
	struct sb_text to = sb_text_in(to_room, sizeof(to_room));

	sb_text_id(&id, 'c', c->id, show->token);
	sb_text_addr(&peer, &c->peer);
	head.id = sb_slice(id.p, id.n);
	head.peer = sb_slice(peer.p, peer.n);
	head.line = sb_slice(line_room, n > 0 ? (size_t)n : 0);
	if (c->across) {
		struct sb_receipt *down = &sb_show_of(&c->across->session)->receipt;

		down->closed = srv->now;
		head.down = down;
		sb_text_endpoint(&to, &srv->listeners[c->listener].to);
		head.upstream = sb_slice(to.p, to.n);
	}
	sb_text_receipt(&t, &show->receipt, &head);
	srv->receipts.size[(srv->receipts.next + SB_RECEIPTS_KEPT - 1) % SB_RECEIPTS_KEPT] = (uint32_t)t.n;
	put(srv, sb_slice(t.p, t.n));
}

void sb_show_end(struct sb_server *srv, struct sb_conn *c)
{
	struct sb_show *show = sb_show_of(&c->session);

	if (!show)
		return;
	sb_gate_drop(srv, show);
	show->receipt.closed = srv->now;
	sb_control_forget(srv, show);
	/* That of a FORWARD is the client's, and tells of both. */
	if (!show->is_control && c->session.reason != SB_WHY_LINE && !c->session.is_down) {
		write_receipt(srv, c, show);
		sb_control_wake(srv);
	}
	if (show->talk)
		sb_pool_put(&srv->talks, show->talk);
	if (show->text)
		sb_pool_put(&srv->texts, show->text);
	c->session.pace = NULL;
	sb_pool_put(&srv->shows, show);
}
