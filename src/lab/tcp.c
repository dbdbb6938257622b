/* SPDX-License-Identifier: MIT
 * Experiments: what TCP adds to the packets of IP: order, flow control, and sending again what was lost. */
#include "lab/lab.h"

#include <errno.h>
#include <poll.h>

enum { PATIENCE = 10000, A_WHILE = 50, SEGMENT = 1400, SMALL = 16 * 1024, PIECE = 4096, MIB = 1024 * 1024 };

/* A connection whose segments are as small as they are on a network, and whose server has little room. */
static bool connected_as_on_a_network(struct lab *lab, struct lab_pair *p)
{
	if (!lab_listening(lab, p, SMALL))
		return false;
	p->client = lab_keep(lab, lab_socket(&lab->calls, "client", AF_INET, SOCK_STREAM));
	lab_set(&lab->calls, p->client, "TCP_MAXSEG", SEGMENT);
	lab_set(&lab->calls, p->client, "SO_SNDBUF", SMALL);
	if (lab_connect(&lab->calls, p->client, "127.0.0.1", p->port) == 0)
		p->server = lab_keep(lab, lab_accept(&lab->calls, "server", p->listener));
	return lab_must(lab, p->server >= 0, "a connection can be had");
}

/* ---- order ---- */

/* What stands at this place of the stream; the period has nothing to do with any size here. */
static uint8_t byte_at(size_t at)
{
	return (uint8_t)(at % 251);
}

static void send_a_mib(struct lab_aside *aside)
{
	uint8_t piece[PIECE];
	size_t sent = 0;

	while (sent < MIB) {
		size_t n = MIB - sent < PIECE ? MIB - sent : PIECE;
		long r;

		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(sent + i);
		r = lab_send(NULL, aside->fd, piece, n);
		if (r <= 0)
			break;
		sent += (size_t)r;
	}
	lab_shutdown(NULL, aside->fd);
	aside->result = (long)sent;
}

void lab_tcp_order(struct lab *lab)
{
	struct lab_aside sender = {.work = send_a_mib, .lab = lab};
	size_t received = 0, wrong = 0, recvs = 0;
	uint8_t room[PIECE];
	struct lab_tcp tcp;
	struct lab_pair p;
	long n;

	if (!connected_as_on_a_network(lab, &p))
		return;
	sender.fd = p.client;
	if (!lab_begin(&sender))
		return;
	while ((n = lab_recv(NULL, p.server, room, sizeof(room))) > 0) {
		for (long i = 0; i < n; i++)
			wrong += room[i] != byte_at(received++);
		recvs++;
	}
	lab_must(lab, lab_ended(&sender, PATIENCE), "the sender is done");
	lab_say(&lab->calls, "send(client, a piece of 1 MiB), by another thread, %ld bytes in all", sender.result);
	lab_say(&lab->calls, "recv(server, room for %d), %zu times until it returns 0", PIECE, recvs);
	lab_tcp_of(p.client, &tcp);
	lab_fact(lab, "received", (int64_t)received, "bytes");
	lab_fact(lab, "out of their place", (int64_t)wrong, "bytes");
	lab_fact(lab, "travelled in", (int64_t)tcp.data_segments, "segments");
	lab_fact(lab, "received by", (int64_t)recvs, "recvs");
	lab_must(lab, received == MIB && wrong == 0, "every byte is where the sender put it, none missing, none twice");
	lab_must(lab, tcp.data_segments >= MIB / SEGMENT, "though they travel in hundreds of segments");
}

/* ---- flow control ---- */

void lab_flow_control(struct lab *lab)
{
	static const char piece[PIECE];
	struct lab_levels full, empty;
	struct lab_tcp open, closed, again;
	struct lab_pair p;
	long taken, received;

	if (!connected_as_on_a_network(lab, &p))
		return;
	lab_tcp_of(p.client, &open);
	taken = lab_fill(lab, p.client, piece, sizeof(piece));
	for (int i = 0; i < PATIENCE && lab_tcp_of(p.client, &closed) == 0 && closed.window > 0; i++)
		lab_sleep(1);
	lab_levels_of(p.client, &full);
	lab_picture(lab, "nobody reads: the window is closed, the rest waits at the client", p.client, p.server);
	received = lab_drain(lab, p.server, taken);
	for (int i = 0; i < PATIENCE; i++) {
		lab_levels_of(p.client, &empty);
		if (empty.send.used == 0)
			break;
		lab_sleep(1);
	}
	lab_tcp_of(p.client, &again);
	lab_picture(lab, "the server has read: the window is open again", p.client, p.server);
	lab_fact(lab, "window of the server at first", (int64_t)open.window, "bytes");
	lab_fact(lab, "bytes that send took until nothing moved", taken, "bytes");
	lab_fact(lab, "window then", (int64_t)closed.window, "bytes");
	lab_fact(lab, "waiting at the client", (int64_t)full.send.used, "bytes");
	lab_fact(lab, "window after the server has read", (int64_t)again.window, "bytes");
	lab_must(lab, taken > 0 && open.window > 0, "at first the window is open");
	lab_must(lab, closed.window < SEGMENT, "what is not read closes it");
	lab_must(lab, closed.unsent > 0 && full.send.used >= closed.unsent,
		 "and what is beyond it waits at the sender");
	lab_must(lab, received == taken && empty.send.used == 0, "a server that reads gets all of it");
	lab_must(lab, again.window > closed.window, "and opens the window again");
}

/* ---- retransmission ---- */

void lab_tcp_retransmit(struct lab *lab)
{
	struct lab_calls *calls = &lab->calls;
	struct lab_tcp before, after;
	struct lab_pair p;
	int late, r;

	if (!lab_listening(lab, &p, 0))
		return;
	lab_must(lab, lab_listen(calls, p.listener, 0) == 0, "listen again, with a backlog of 0: room for one");
	p.client = lab_keep(lab, lab_socket(calls, "first", AF_INET, SOCK_STREAM));
	late = lab_keep(lab, lab_socket(calls, "late", AF_INET, SOCK_STREAM));
	lab_must(lab, lab_connect(calls, p.client, "127.0.0.1", p.port) == 0, "the first takes the only place");
	lab_set_blocking(calls, late, false);
	r = lab_connect(calls, late, "127.0.0.1", p.port);
	lab_must(lab, r == -EINPROGRESS, "the late one sends its SYN, and connect says EINPROGRESS");
	r = lab_poll(calls, late, POLLOUT, A_WHILE);
	lab_tcp_of(late, &before);
	lab_must(lab, r == 0, "no answer: the SYN was dropped");
	p.server = lab_keep(lab, lab_accept(calls, "server", p.listener));
	r = lab_poll(calls, late, POLLOUT, PATIENCE);
	lab_tcp_of(late, &after);
	lab_fact(lab, "resent while the SYN has no answer", (int64_t)before.resent, "segments");
	lab_fact(lab, "resent when it is connected", (int64_t)after.resent, "segments");
	lab_must(lab, r == POLLOUT && lab_connect(calls, late, "127.0.0.1", p.port) == 0, "it connects all the same");
	lab_must(lab, after.resent >= 1, "by a SYN that the kernel sent again, with no call of the program");
	lab_must(lab, lab_keep(lab, lab_accept(calls, "second", p.listener)) >= 0, "and the server accepts it");
}
