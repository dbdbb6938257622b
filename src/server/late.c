/* SPDX-License-Identifier: MIT
 * Replies to datagrams of which the line says more: core/replies.h says what becomes of each, and here it is done. */
#include "server/server.h"

static void say_sent(struct sb_server *srv, const struct sb_late_reply *what, size_t n)
{
	struct sb_log *log = &srv->log;

	if (!sb_log_begin(log, SB_LOG_SEND, srv->now))
		return;
	sb_log_addr(log, "peer", &what->peer);
	sb_log_u64(log, "listener", what->listener + 1);
	sb_log_u64(log, "reply", what->number);
	sb_log_u64(log, "bytes", n);
	sb_log_end(log);
}

static void say_drop(struct sb_server *srv, const struct sb_late_reply *what, size_t n, enum sb_drop why, int err)
{
	sb_udp_say_drop(srv, what->listener, &what->peer, (int64_t)n, what->number, why, err);
}

static bool send_all(struct sb_server *srv, const struct sb_late_reply *what, struct sb_slice bytes)
{
	for (int k = 0; k < what->copies; k++) {
		int r = sb_udp_send(srv, what->listener, &what->peer, &what->own, bytes);

		if (r < 0) {
			say_drop(srv, what, bytes.n, sb_udp_drop_of(r), r);
			return false;
		}
		say_sent(srv, what, bytes.n);
	}
	return true;
}

bool sb_late_reply(struct sb_server *srv, uint32_t i, const struct sb_done *done, struct sb_slice bytes)
{
	const struct sb_plan *plan = &srv->listeners[i].plan;
	struct sb_late_reply what;
	bool is_kept, is_sent = true;
	enum sb_drop why;

	bytes = sb_fate_shape(&plan->fates, bytes, srv->scratch);
	why = sb_replies_take(&srv->replies, plan, i, done, bytes, srv->now, &what, &is_kept);
	srv->count[SB_COUNT_PEERS_FORGOTTEN] = srv->replies.forgotten;
	if (why != SB_DROP_NONE)
		say_drop(srv, &what, bytes.n, why, 0);
	else if (!is_kept)
		is_sent = send_all(srv, &what, bytes);
	sb_replies_passed(&srv->replies, plan, &what, srv->now);
	sb_late_turn(srv);
	return is_sent;
}

void sb_late_turn(struct sb_server *srv)
{
	struct sb_late_reply *reply;

	while ((reply = sb_replies_due(&srv->replies, srv->now))) {
		send_all(srv, reply, sb_late_bytes(reply, srv->scratch));
		sb_late_end(&srv->replies.late, reply);
	}
}

uint64_t sb_late_due(const struct sb_server *srv)
{
	const struct sb_late_reply *reply = sb_late_first(&srv->replies.late);

	return reply ? reply->due : SB_NEVER;
}

void sb_late_stop(struct sb_server *srv, uint32_t i)
{
	struct sb_late_reply *reply;

	while ((reply = sb_replies_of(&srv->replies, i))) {
		say_drop(srv, reply, reply->n, SB_DROP_STOPPED, 0);
		sb_late_end(&srv->replies.late, reply);
	}
}
