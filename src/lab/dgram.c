/* SPDX-License-Identifier: MIT
 * Experiments: what UDP does with datagrams, and what it does not do for them. */
#include "lab/lab.h"

#include <errno.h>
#include <poll.h>

enum { MESSAGE = 100, TEN = 10, HALF = 50, PATIENCE = 10000, A_WHILE = 50 };

/* Two sockets; nothing is between them, the client only knows the port. */
struct udp_pair {
	int client, server;
	uint16_t client_port, port;
};

static bool both_bound(struct lab *lab, struct udp_pair *p)
{
	p->client = lab_datagram_socket(lab, "client", &p->client_port);
	p->server = lab_datagram_socket(lab, "server", &p->port);
	return p->client >= 0 && p->server >= 0;
}

/* Sends ten messages, each beginning with its number: as many as sendto took whole. */
static int send_ten(struct lab *lab, int fd, uint16_t port)
{
	char message[MESSAGE] = {0};
	int taken = 0;

	for (int i = 0; i < TEN; i++) {
		message[0] = (char)i;
		taken += lab_sendto(&lab->calls, fd, message, MESSAGE, "127.0.0.1", port) == MESSAGE;
	}
	return taken;
}

/* A datagram of loopback is there at once, as a rule; a busy machine may take longer. */
static bool is_there(int fd)
{
	return lab_poll(NULL, fd, POLLIN, PATIENCE) == POLLIN;
}

/* Nothing more comes, not even later: the last word on what was lost. */
static bool is_over(struct lab *lab, int fd)
{
	char room[MESSAGE];

	lab_poll(&lab->calls, fd, POLLIN, A_WHILE);
	return lab_recv_now(&lab->calls, fd, room, sizeof(room)) == -EAGAIN;
}

void lab_udp_boundary(struct lab *lab)
{
	char room[2 * TEN * MESSAGE];
	int whole = 0, sent;
	struct udp_pair p;
	long cut;

	if (!both_bound(lab, &p))
		return;
	sent = send_ten(lab, p.client, p.port);
	lab_picture(lab, "after ten sendto (the bytes are those of the first)", p.client, p.server);
	for (int i = 0; i < TEN && is_there(p.server); i++)
		whole += lab_recvfrom(&lab->calls, p.server, room, sizeof(room), NULL) == MESSAGE;
	lab_fact(lab, "sent with 100 bytes each", sent, "datagrams");
	lab_fact(lab, "recvfrom with room for 2000 that returned 100", whole, "times");
	lab_must(lab, sent == TEN && whole == TEN, "ten sends are ten receives of 100 bytes each");
	lab_must(lab, is_over(lab, p.server), "and then there is nothing more");
	lab_sendto(&lab->calls, p.client, room, MESSAGE, "127.0.0.1", p.port);
	cut = is_there(p.server) ? lab_recvfrom(&lab->calls, p.server, room, HALF, NULL) : -1;
	lab_picture(lab, "after recvfrom with room for 50 of 100", p.client, p.server);
	lab_fact(lab, "recvfrom with room for 50 returned", cut, "bytes");
	lab_must(lab, cut == HALF, "recvfrom with room for 50 returns 50 of the 100");
	lab_must(lab, is_over(lab, p.server), "the other 50 are lost: they do not come with the next recv");
}

/* Until the kernel has done something with all ten: has given it to us, or has dropped it. */
static int receive_what_came(struct lab *lab, int fd)
{
	char room[MESSAGE];
	int came = 0;

	for (int i = 0; i < PATIENCE && came + lab_drops_of(fd) < TEN; i++) {
		if (lab_poll(NULL, fd, POLLIN, 1) == POLLIN)
			came += lab_recv_now(&lab->calls, fd, room, sizeof(room)) == MESSAGE;
	}
	return came;
}

void lab_udp_loss(struct lab *lab)
{
	int effective = 0, sent, came;
	struct udp_pair p;
	long lost;

	if (!both_bound(lab, &p))
		return;
	lab_set(&lab->calls, p.server, "SO_RCVBUF", 1);
	lab_get(&lab->calls, p.server, "SO_RCVBUF", &effective);
	sent = send_ten(lab, p.client, p.port);
	for (int i = 0; i < PATIENCE && lab_drops_of(p.server) <= TEN / 2; i++)
		lab_sleep(1);
	lab_picture(lab, "after ten sendto, before any recv", p.client, p.server);
	came = receive_what_came(lab, p.server);
	lost = lab_drops_of(p.server);
	lab_fact(lab, "SO_RCVBUF=1 becomes", effective, "bytes");
	lab_fact(lab, "sent", sent, "datagrams");
	lab_fact(lab, "came", came, "datagrams");
	lab_fact(lab, "dropped by the kernel", lost, "datagrams");
	lab_must(lab, sent == TEN, "every sendto says that it took its 100 bytes");
	lab_must(lab, came > 0 && lost > came, "some come, most are dropped: the buffer was full");
	lab_must(lab, came + lost == TEN, "each of the ten has come or was dropped");
	lab_must(lab, is_over(lab, p.server), "nothing is sent again though there is room now");
	lab_sendto(&lab->calls, p.client, "", 0, "127.0.0.1", p.port);
	lab_must(lab, is_there(p.server), "a new datagram comes: the two are well, only the old ones are gone");
}

/* A bad network of our own: takes the ten, and passes them on in another order, two of them not at all. */
static const uint8_t passed_on[] = {1, 0, 2, 5, 4, 6, 9, 8};

static void relay_ten(struct lab *lab, int relay, uint16_t port)
{
	char room[TEN][MESSAGE] = {{0}};

	for (int i = 0; i < TEN && is_there(relay); i++)
		lab_recvfrom(&lab->calls, relay, room[i], MESSAGE, NULL);
	for (size_t i = 0; i < sizeof(passed_on); i++)
		lab_sendto(&lab->calls, relay, room[passed_on[i]], MESSAGE, "127.0.0.1", port);
}

/* The numbers of what comes, in the order in which it comes: how many. */
static size_t read_numbers(struct lab *lab, int fd, uint8_t seen[TEN])
{
	char room[MESSAGE];
	size_t came = 0;

	for (; came < sizeof(passed_on) && is_there(fd); came++) {
		lab_recvfrom(&lab->calls, fd, room, sizeof(room), NULL);
		seen[came] = (uint8_t)room[0];
	}
	lab_say(&lab->calls, "numbers of what the server read: %u %u %u %u %u %u %u %u", seen[0], seen[1], seen[2],
		seen[3], seen[4], seen[5], seen[6], seen[7]);
	return came;
}

static int count_late(const uint8_t *seen, size_t n)
{
	int late = 0;

	for (size_t i = 1; i < n; i++)
		late += seen[i] < seen[i - 1];
	return late;
}

void lab_udp_order(struct lab *lab)
{
	uint16_t relay_port = 0;
	int relay = lab_datagram_socket(lab, "relay", &relay_port), sent, late;
	uint8_t seen[TEN] = {0};
	struct udp_pair p;
	size_t came;

	if (relay < 0 || !both_bound(lab, &p))
		return;
	sent = send_ten(lab, p.client, relay_port);
	relay_ten(lab, relay, p.port);
	lab_picture(lab, "the relay has passed eight on (the bytes are those of the first)", p.client, p.server);
	came = read_numbers(lab, p.server, seen);
	late = count_late(seen, came);
	lab_fact(lab, "sent to the relay", sent, "datagrams");
	lab_fact(lab, "came", (int64_t)came, "datagrams");
	lab_fact(lab, "came just after one that was sent later", late, "datagrams");
	lab_must(lab, sent == TEN, "every sendto says that it took its 100 bytes");
	lab_must(lab, late > 0, "they come in the order of the network, not of the sender");
	lab_must(lab, came == sizeof(passed_on) && !memcmp(seen, passed_on, came), "nobody sorts them");
	lab_must(lab, is_over(lab, p.server), "two are missing, and do not come later");
	lab_must(lab, is_over(lab, p.client), "and the sender is told nothing");
}

/* The port is not listened to any more: what is sent there comes back as an error, to who is connected, later. */
static void send_to_nobody(struct lab *lab, const struct udp_pair *p, int unconnected)
{
	long first, second, third;

	first = lab_send(&lab->calls, p->client, "anyone?", 7);
	lab_poll(&lab->calls, p->client, POLLIN, PATIENCE);
	second = lab_send(&lab->calls, p->client, "anyone?", 7);
	third = lab_send(&lab->calls, p->client, "anyone?", 7);
	lab_fact(lab, "the first send to the closed port returned", first, "bytes");
	lab_must(lab, first == 7, "the first send to a port where nobody is succeeds");
	lab_must(lab, second == -ECONNREFUSED, "the next call has its error: ECONNREFUSED");
	lab_must(lab, third == 7, "which is told once: the call after that sends again");
	lab_sendto(&lab->calls, unconnected, "anyone?", 7, "127.0.0.1", p->port);
	lab_must(lab, is_over(lab, unconnected), "who is not connected never hears of it");
}

void lab_udp_connected(struct lab *lab)
{
	struct udp_pair p;
	uint16_t from = 0;
	char room[MESSAGE];
	int stranger;
	long got;

	if (!both_bound(lab, &p) || (stranger = lab_datagram_socket(lab, "stranger", NULL)) < 0)
		return;
	lab_must(lab, lab_send(&lab->calls, p.client, "question", 8) == -EDESTADDRREQ,
		 "send without an address: EDESTADDRREQ");
	lab_must(lab, lab_connect(&lab->calls, p.client, "127.0.0.1", p.port) == 0, "connect takes the address");
	lab_must(lab, !lab_poll(&lab->calls, p.server, POLLIN, A_WHILE),
		 "and sends nothing: the server knows nothing of it");
	lab_send(&lab->calls, p.client, "question", 8);
	got = is_there(p.server) ? lab_recvfrom(&lab->calls, p.server, room, sizeof(room), &from) : -1;
	lab_must(lab, got == 8 && from == p.client_port, "send needs no address, the server gets it from the client");
	lab_sendto(&lab->calls, stranger, "I am not the one", 16, "127.0.0.1", p.client_port);
	lab_sendto(&lab->calls, p.server, "answer", 6, "127.0.0.1", p.client_port);
	got = is_there(p.client) ? lab_recv(&lab->calls, p.client, room, sizeof(room)) : -1;
	lab_picture(lab, "the answer is read, and the stranger's datagram is not there", p.client, p.server);
	lab_fact(lab, "what the client reads first", got, "bytes");
	lab_must(lab, got == 6 && memcmp(room, "answer", 6) == 0, "recv returns what the peer sent");
	lab_must(lab, is_over(lab, p.client), "and only that: what a stranger sends is not heard");
	lab_close(&lab->calls, lab_forget(lab, p.server));
	send_to_nobody(lab, &p, stranger);
}
