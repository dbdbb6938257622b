/* SPDX-License-Identifier: MIT
 * Experiments: congestion control, the sender's guess at what the network between can take. */
#include <errno.h>
#include <poll.h>

#include "lab/apart.h"

/* ASKED is less than the window of a receiver at first, and more than the first guess. */
enum { SEGMENT = 1400, ASKED = 40000, PIECE = 4096, BULK = 1024 * 1024, PATIENCE = 10000 };

/* Segments as on a network, and the algorithm that every kernel has, the one of RFC 5681. */
static bool join(struct lab *lab, struct lab_pair *p, const char *ip)
{
	struct lab_calls *calls = &lab->calls;
	char usual[LAB_NAME_MAX];
	int r = p->listener = lab_keep(lab, lab_socket(calls, "listener", AF_INET, SOCK_STREAM));

	if (r >= 0)
		r = lab_bind(calls, p->listener, ip, 0);
	if (r >= 0)
		r = lab_listen(calls, p->listener, 10);
	p->client = lab_keep(lab, lab_socket(calls, "client", AF_INET, SOCK_STREAM));
	lab_get_congestion(calls, p->client, usual);
	lab_set_congestion(calls, p->client, "reno");
	lab_set(calls, p->client, "TCP_MAXSEG", SEGMENT);
	if (r >= 0 && ip == lab_away)
		r = lab_bind(calls, p->client, lab_home, 0);
	if (r >= 0)
		r = lab_connect(calls, p->client, ip, (uint16_t)lab_port(p->listener));
	if (r >= 0)
		r = p->server = lab_keep(lab, lab_accept(calls, "server", p->listener));
	return lab_must(lab, r >= 0, "a connection can be had");
}

/* Takes n bytes at the server, while the client sends the rest of them that it has not sent yet. */
static size_t carry(struct lab *lab, const struct lab_pair *p, size_t rest, size_t n)
{
	static char room[PIECE];
	size_t received = 0;
	long r;

	while (received < n) {
		while (rest > 0 && (r = lab_send_now(NULL, p->client, room, rest < PIECE ? rest : PIECE)) > 0)
			rest -= (size_t)r;
		if (lab_poll(NULL, p->server, POLLIN, PATIENCE) != POLLIN)
			break;
		while ((r = lab_recv_now(NULL, p->server, room, sizeof(room))) > 0)
			received += (size_t)r;
	}
	lab_say(&lab->calls, "recv(server, room for %d), %zu bytes in all", PIECE, received);
	return received;
}

/* Until the sender takes the silence for congestion. */
static struct lab_tcp when_it_gives_way(int fd, uint64_t before)
{
	struct lab_tcp tcp = {.cwnd = 0};

	for (int i = 0; i < PATIENCE && lab_tcp_of(fd, &tcp) == 0 && tcp.cwnd >= before; i++)
		lab_sleep(1);
	return tcp;
}

/* The receiver has room for all of it, and has said so. It is the sender that sends a part, and less when that has no
 * answer. */
static void show_loss(struct lab *lab, const struct lab_pair *p)
{
	static const char asked[ASKED];
	struct lab_tcp first = {0}, out = first, lost, again;
	uint64_t sent;

	lab_tcp_of(p->client, &first);
	if (!lab_take_away(lab))
		return;
	lab_send_now(&lab->calls, p->client, asked, ASKED);
	lab_tcp_of(p->client, &out);
	sent = out.data_segments - first.data_segments;
	lab_picture(lab, "nobody answers: the sender has sent what it thinks is safe", p->client, p->server);
	lost = when_it_gives_way(p->client, first.cwnd);
	lab_fact(lab, "the receiver has room for", (int64_t)first.window, "bytes");
	lab_fact(lab, "the sender begins with", (int64_t)first.cwnd, "segments");
	lab_fact(lab, "sent without an answer", (int64_t)sent, "segments");
	lab_fact(lab, "and kept back", (int64_t)out.unsent, "bytes");
	lab_fact(lab, "lost: it goes back to", (int64_t)lost.cwnd, "segments");
	lab_fact(lab, "lost: and will hurry no further than (ssthresh)", (int64_t)lost.slow_until, "segments");
	lab_must(lab, first.window > ASKED && out.unsent > 0, "it keeps back what the receiver has room for");
	lab_must(lab, sent >= first.cwnd && sent < 2 * first.cwnd, "it sends cwnd segments, and then at most a probe");
	lab_must(lab, lost.cwnd < first.cwnd && lost.slow_until < first.cwnd,
		 "what has no answer makes cwnd small, and remembers where it was too large");
	if (!lab_bring_back(lab))
		return;
	lab_must(lab, carry(lab, p, 0, ASKED) == ASKED, "when there are answers again all of it arrives");
	lab_tcp_of(p->client, &again);
	lab_fact(lab, "sent again in all", (int64_t)again.resent, "segments");
	lab_fact(lab, "sent again in all, in bytes", (int64_t)again.resent_bytes, "");
	lab_must(lab, again.resent_bytes >= ASKED - out.unsent, "what was lost was sent again");
}

/* Answers make it grow. */
static void show_growth(struct lab *lab, const struct lab_pair *p)
{
	struct lab_tcp before, after;

	lab_tcp_of(p->client, &before);
	lab_must(lab, carry(lab, p, BULK, BULK) == BULK, "a MiB arrives");
	lab_tcp_of(p->client, &after);
	lab_fact(lab, "before a MiB that is answered", (int64_t)before.cwnd, "segments");
	lab_fact(lab, "and after it", (int64_t)after.cwnd, "segments");
	lab_must(lab, after.cwnd > before.cwnd, "answers make cwnd grow");
}

static void run_apart(struct lab *lab)
{
	struct lab_pair p = {.server = -1};

	if (!join(lab, &p, lab_away))
		return;
	show_loss(lab, &p);
	show_growth(lab, &p);
}

void lab_congestion(struct lab *lab)
{
	struct lab_pair p = {.server = -1};

	if (lab_run_apart(lab, run_apart) || !join(lab, &p, "127.0.0.1"))
		return;
	lab_fact(lab, "there is a network namespace here (0: nothing is lost)", 0, "");
	show_growth(lab, &p);
}
