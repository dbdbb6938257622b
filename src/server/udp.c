/* SPDX-License-Identifier: MIT
 * Datagrams: judged, answered, or dropped with a reason. */
#include "server/server.h"

#include <errno.h>

void sb_udp_own(struct sb_server *srv, uint16_t port)
{
	srv->own_ports[srv->own_ports_n++] = port;
}

/* Two sockets may have the same one, on two addresses: each is there once. */
void sb_udp_disown(struct sb_server *srv, uint16_t port)
{
	uint32_t i = 0;

	while (srv->own_ports[i] != port)
		i++;
	srv->own_ports[i] = srv->own_ports[--srv->own_ports_n];
}

void sb_text_dgram_count(struct sb_text *t, const struct sb_dgram_count *n)
{
	const struct {
		const char *name;
		uint64_t n;
	} fields[] = {{" in=", n->in},
		      {" bytes-in=", n->bytes_in},
		      {" out=", n->out},
		      {" bytes-out=", n->bytes_out},
		      {" dropped=", n->dropped}};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		sb_text_str(t, fields[i].name);
		sb_text_u64(t, fields[i].n);
	}
}

void sb_udp_arm(struct sb_server *srv, uint32_t i)
{
	struct sb_op op = {.handle = sb_handle_of_listener(srv, i), .kind = SB_OP_DGRAM, .want_max = SB_IO_BUF_SIZE};
	struct sb_done done;

	srv->io.backend->ops->submit(&srv->io, &op, &done);
}

void sb_udp_say_drop(struct sb_server *srv, uint32_t i, const struct sb_addr *peer, int64_t bytes, uint64_t number,
		     enum sb_drop why, int err)
{
	struct sb_log *log = &srv->log;

	srv->dropped[why]++;
	srv->listeners[i].dgram.dropped++;
	if (!sb_log_begin(log, SB_LOG_DROP, srv->now))
		return;
	sb_log_addr(log, "peer", peer);
	sb_log_u64(log, "listener", i + 1);
	sb_log_word(log, "reason", sb_drops[why].name);
	if (number)
		sb_log_u64(log, "reply", number);
	sb_log_i64(log, "bytes", bytes);
	if (err < 0)
		sb_log_word(log, "errno", sb_errname(err));
	if (sb_drops[why].change[0])
		sb_log_word(log, "change", sb_drops[why].change);
	sb_log_end(log);
}

static void say_recv(struct sb_server *srv, uint32_t i, const struct sb_done *done)
{
	struct sb_log *log = &srv->log;

	if (!sb_log_begin(log, SB_LOG_RECV, srv->now))
		return;
	sb_log_addr(log, "peer", &done->src);
	sb_log_u64(log, "listener", i + 1);
	sb_log_i64(log, "bytes", done->res);
	sb_log_end(log);
}

static struct sb_dgram_port port_of(const struct sb_server *srv, uint32_t i)
{
	const struct sb_listener *l = &srv->listeners[i];

	return (struct sb_dgram_port){
		.plan = &l->plan,
		.own_ports = srv->own_ports,
		.own_ports_n = srv->own_ports_n,
		.allow = srv->opt.allow,
		.allow_n = srv->opt.allow_n,
		.is_strict = srv->is_strict,
		.owner = l->is_port ? &l->from : NULL,
		.is_loopback = l->is_loopback,
	};
}

/* A datagram is never queued because there is no room: late is as bad as lost, unless a line asks for it. */
int sb_udp_send(struct sb_server *srv, uint32_t i, const struct sb_addr *peer, const struct sb_addr *own,
		struct sb_slice bytes)
{
	struct sb_op op = {.handle = sb_handle_of_listener(srv, i), .kind = SB_OP_REPLY, .iov_n = 1};
	struct sb_done done;

	op.iov[0] = bytes;
	op.dst = peer;
	op.src = own;
	if (!srv->io.backend->ops->submit(&srv->io, &op, &done))
		return -EAGAIN;
	if (done.res < 0)
		return done.res;
	srv->count[SB_COUNT_DATAGRAMS_OUT]++;
	srv->count[SB_COUNT_BYTES_OUT] += bytes.n;
	srv->listeners[i].dgram.out++;
	srv->listeners[i].dgram.bytes_out += bytes.n;
	return 0;
}

enum sb_drop sb_udp_drop_of(int err)
{
	return err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM ? SB_DROP_NO_ROOM : SB_DROP_UNSENT;
}

static bool reply(struct sb_server *srv, uint32_t i, const struct sb_done *done, struct sb_slice bytes)
{
	int r;

	if (srv->listeners[i].plan.fates.is_any)
		return sb_late_reply(srv, i, done, bytes);
	r = sb_udp_send(srv, i, &done->src, &done->dst, bytes);
	if (r < 0)
		sb_udp_say_drop(srv, i, &done->src, done->res, 0, sb_udp_drop_of(r), r);
	return r == 0;
}

static void answer(struct sb_server *srv, uint32_t i, const struct sb_done *done)
{
	struct sb_dgram_port port = port_of(srv, i);
	enum sb_drop why = sb_dgram_judge(&port, srv->rates, done, srv->now);
	uint64_t n = sb_dgram_replies(&port);

	srv->count[SB_COUNT_DATAGRAMS_IN]++;
	srv->count[SB_COUNT_BYTES_IN] += (uint64_t)done->res;
	srv->listeners[i].dgram.in++;
	srv->listeners[i].dgram.bytes_in += (uint64_t)done->res;
	say_recv(srv, i, done);
	if (why == SB_DROP_NONE && port.plan->fates.how != SB_REPLY_SENT)
		why = SB_DROP_ASKED;
	if (why != SB_DROP_NONE)
		sb_udp_say_drop(srv, i, &done->src, done->res, 0, why, 0);
	for (uint64_t k = 0; why == SB_DROP_NONE && k < n; k++)
		if (!reply(srv, i, done, sb_dgram_reply(&port, done, k, srv->scratch)))
			return;
}

/* What it was, and whose, nobody knows. */
static void say_unread(struct sb_server *srv, uint32_t i, int err)
{
	struct sb_log *log = &srv->log;

	srv->dropped[SB_DROP_UNREAD]++;
	if (!sb_log_begin(log, SB_LOG_DROP, srv->now))
		return;
	sb_log_u64(log, "listener", i + 1);
	sb_log_word(log, "reason", sb_drops[SB_DROP_UNREAD].name);
	sb_log_word(log, "errno", sb_errname(err));
	sb_log_end(log);
}

void sb_udp_done(struct sb_server *srv, uint32_t i, const struct sb_done *done)
{
	if (done->res >= 0)
		answer(srv, i, done);
	else
		say_unread(srv, i, done->res);
	sb_udp_arm(srv, i);
}
