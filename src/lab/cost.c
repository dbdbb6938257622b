/* SPDX-License-Identifier: MIT
 * Experiment: what the same messages cost by UDP and by TCP, and where the difference is. */
#include "lab/lab.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

/* PLENTY: buffers in which a batch has room, whatever is usual here: this thread sends all of it before it receives. */
enum { PLENTY = 64 * 1024 };
enum { MESSAGE = 100, BATCH = 50, BATCHES = 40, MESSAGES = BATCH * BATCHES, FIFTY = BATCH * MESSAGE, PATIENCE = 10000 };

static const size_t ALL = (size_t)MESSAGES * MESSAGE;

/* One way to carry them, and what it took. */
struct way {
	const char *name;
	int from, to;
	size_t arrived; /* bytes */
	int64_t recvs, cpu;
};

/* Takes n bytes, however many recvs that needs. */
static bool take(struct way *w, size_t n)
{
	static char room[FIFTY];

	while (n > 0) {
		long r = lab_recv_now(NULL, w->to, room, sizeof(room));

		if (r == -EAGAIN && lab_poll(NULL, w->to, POLLIN, PATIENCE) == POLLIN)
			continue;
		if (r <= 0 || (size_t)r > n)
			return false;
		w->recvs++;
		w->arrived += (size_t)r;
		n -= (size_t)r;
	}
	return true;
}

/* All 2000: so many sends of so many bytes, then the receiver takes what is there, and again. */
struct rhythm {
	const char *name;
	int sends;
	size_t size;
};

static const struct rhythm alone = {"one at a time", 1, MESSAGE}, heaped = {"fifty, then recv", BATCH, MESSAGE},
			   joined = {"fifty in one send", 1, FIFTY};

/* Sender and receiver are this thread, so its CPU time is all that it costs. */
static void carry(struct way *w, const struct rhythm *r)
{
	static const char messages[FIFTY] = "Hello World!";
	uint64_t began = lab_cpu_time();
	const size_t each = (size_t)r->sends * r->size;
	bool is_well = true;

	w->arrived = 0;
	w->recvs = 0;
	for (size_t sent = 0; is_well && sent < ALL; sent += each) {
		for (int i = 0; i < r->sends; i++)
			is_well = lab_send(NULL, w->from, messages, r->size) == (long)r->size && is_well;
		is_well = is_well && take(w, each);
	}
	w->cpu = (int64_t)(lab_cpu_time() - began) / MESSAGES;
}

static void measure(struct lab *lab, struct way *w, const struct rhythm *r)
{
	char key[LAB_TEXT_MAX];

	carry(w, r);
	lab_say(&lab->calls, "send(%s client, %zu bytes), %zu times", w->name, r->size, ALL / r->size);
	lab_say(&lab->calls, "recv(%s server, room for %d), %lld times", w->name, FIFTY, (long long)w->recvs);
	snprintf(key, sizeof(key), "%s, %s: CPU for each message", w->name, r->name);
	lab_fact(lab, key, w->cpu, "ns");
	lab_must(lab, w->arrived == ALL, "all messages are carried");
}

static void compare(struct lab *lab, struct way *udp, struct way *tcp)
{
	measure(lab, udp, &alone);
	measure(lab, tcp, &alone);
	measure(lab, udp, &heaped);
	measure(lab, tcp, &heaped);
	lab_must(lab, udp->recvs == MESSAGES, "UDP needs a recv for each message");
	lab_must(lab, tcp->recvs < MESSAGES, "TCP does not: one recv takes all that is there");
	measure(lab, tcp, &joined);
}

void lab_udp_vs_tcp(struct lab *lab)
{
	struct way udp = {.name = "UDP"}, tcp = {.name = "TCP"};
	struct lab_tcp at_first, at_last;
	uint16_t port = 0;
	struct lab_pair p;

	if (!lab_connected_with(lab, &p, PLENTY, PLENTY))
		return;
	lab_tcp_of(p.client, &at_first);
	lab_set(&lab->calls, p.client, "TCP_NODELAY", 1);
	tcp.from = p.client;
	tcp.to = p.server;
	udp.from = lab_keep(lab, lab_socket(&lab->calls, "udp client", AF_INET, SOCK_DGRAM));
	udp.to = lab_datagram_socket(lab, "udp server", &port);
	lab_set(&lab->calls, udp.to, "SO_RCVBUF", PLENTY);
	if (!lab_must(lab, lab_connect(&lab->calls, udp.from, "127.0.0.1", port) == 0, "UDP, too"))
		return;
	compare(lab, &udp, &tcp);
	lab_tcp_of(p.server, &at_last);
	lab_fact(lab, "TCP's client sends before its first byte", (int64_t)at_first.segments, "segments");
	lab_fact(lab, "TCP's server sends though it has no data", (int64_t)at_last.segments, "segments");
	lab_must(lab, at_first.segments >= 2 && at_first.data_segments == 0, "TCP has to connect first: SYN and ACK");
	lab_must(lab, at_last.segments > 1 && at_last.data_segments == 0, "and its receiver has to acknowledge");
}
