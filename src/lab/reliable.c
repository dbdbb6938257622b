/* SPDX-License-Identifier: MIT
 * Experiments: what UDP lacks, added to it by a program. The program is ENet, a library for games. */
#include <enet/enet.h>
#include <poll.h>

#include "lab/lossy.h"

/* The network loses one datagram in five, and one in seven is overtaken. ROUNDS: far more than are needed. */
enum { MESSAGE = 100, HUNDRED = 100, DROP_EACH = 5, SWAP_EACH = 7, ROUNDS = 5000, A_WHILE = 50, PATIENCE = 1000 };

/* What a receiver sees of a hundred numbered messages. */
struct seen {
	long came, late; /* late: after one that was sent later, or twice */
	long next;       /* after the highest that came */
	long most_at_once;
};

static void see(struct seen *seen, uint8_t number)
{
	seen->came++;
	seen->late += number < seen->next;
	seen->next = number < seen->next ? seen->next : number + 1;
}

/* ---- plain UDP ---- */

static void by_plain_udp(struct lab *lab, struct lab_lossy *net, struct seen *seen)
{
	uint16_t port = 0;
	int server = lab_datagram_socket(lab, "server", &port), client = lab_datagram_socket(lab, "client", NULL);
	char message[MESSAGE] = {0};

	if (!lab_lossy_open(lab, net, port))
		return;
	net->drop_each = DROP_EACH;
	net->swap_each = SWAP_EACH;
	for (int i = 0; i < HUNDRED; i++) {
		message[0] = (char)i;
		lab_sendto(&lab->calls, client, message, sizeof(message), "127.0.0.1", net->port);
		for (int k = 0; k < PATIENCE && net->datagrams <= i; k++) {
			lab_poll(NULL, net->fd, POLLIN, 1);
			lab_lossy_carry(net);
		}
	}
	lab_picture(lab, "plain UDP: all that will come (the bytes are the first's)", client, server);
	while (lab_poll(NULL, server, POLLIN, seen->came + net->dropped < HUNDRED ? PATIENCE : A_WHILE) > 0) {
		lab_recvfrom(&lab->calls, server, message, sizeof(message), NULL);
		see(seen, (uint8_t)message[0]);
	}
}

static void show_plain(struct lab *lab, const struct lab_lossy *net, const struct seen *seen)
{
	lab_fact(lab, "plain UDP: datagrams on the wire", net->datagrams, "");
	lab_fact(lab, "plain UDP: bytes on the wire", net->bytes, "bytes");
	lab_fact(lab, "plain UDP: dropped on the way", net->dropped, "");
	lab_fact(lab, "plain UDP: messages that came", seen->came, "");
	lab_fact(lab, "plain UDP: came after one that was sent later", seen->late, "");
	lab_must(lab, net->dropped > 0 && seen->came == HUNDRED - net->dropped,
		 "by plain UDP what is dropped is missing");
	lab_must(lab, seen->late > 0 && seen->late == net->swapped, "and what is overtaken comes late");
}

/* ---- ENet ---- */

struct talk {
	struct lab *lab;
	ENetHost *client, *server;
	ENetPeer *peer; /* the server, as the client sees it: behind the network */
	struct lab_lossy net;
	struct seen seen;
	bool is_connected;
};

/* Lets a host do what is due: send, acknowledge, send again. What comes to the server is seen. */
static void serve(struct talk *talk, ENetHost *host)
{
	ENetEvent event = {.type = ENET_EVENT_TYPE_NONE};
	long before = talk->seen.came;

	while (enet_host_service(host, &event, 0) > 0) {
		if (event.type == ENET_EVENT_TYPE_CONNECT && host == talk->client)
			talk->is_connected = true;
		if (event.type == ENET_EVENT_TYPE_RECEIVE) {
			see(&talk->seen, event.packet->data[0]);
			enet_packet_destroy(event.packet);
		}
	}
	if (talk->seen.came - before > talk->seen.most_at_once)
		talk->seen.most_at_once = talk->seen.came - before;
}

static void next_round(struct talk *talk)
{
	serve(talk, talk->client);
	lab_lossy_carry(&talk->net);
	serve(talk, talk->server);
	lab_lossy_carry(&talk->net);
	lab_sleep(1);
}

/* Over a network that loses nothing yet: from this ENet learns how long a round trip takes. */
static bool meet(struct talk *talk)
{
	struct lab *lab = talk->lab;
	ENetAddress address = {.port = 0};

	enet_address_set_host_ip(&address, "127.0.0.1");
	talk->server = enet_host_create(&address, 1, 1, 0, 0);
	talk->client = enet_host_create(&address, 1, 1, 0, 0);
	lab_say(&lab->calls, "enet_host_create(127.0.0.1 port 0, 1 peer, 1 channel): a server and a client");
	if (!talk->server || !talk->client)
		return lab_must(lab, false, "ENet has its two hosts");
	if (!lab_lossy_open(lab, &talk->net, talk->server->address.port))
		return false;
	address.port = talk->net.port;
	talk->peer = enet_host_connect(talk->client, &address, 1, 0);
	lab_say(&lab->calls, "enet_host_connect(client, 127.0.0.1 port %u)", talk->net.port);
	for (int i = 0; i < ROUNDS && talk->peer && !talk->is_connected; i++)
		next_round(talk);
	return lab_must(lab, talk->is_connected, "ENet connects");
}

static bool send_one(struct talk *talk, int number)
{
	char message[MESSAGE] = {(char)number};
	ENetPacket *packet = enet_packet_create(message, sizeof(message), ENET_PACKET_FLAG_RELIABLE);

	if (packet && enet_peer_send(talk->peer, 0, packet) == 0)
		return true;
	if (packet)
		enet_packet_destroy(packet);
	return lab_must(talk->lab, false, "ENet takes a message");
}

/* One message a round, as a game sends one a frame, and then rounds until all have come. */
static void send_hundred(struct talk *talk)
{
	int sent = 0;

	talk->net.drop_each = DROP_EACH;
	talk->net.swap_each = SWAP_EACH;
	talk->net.datagrams = talk->net.bytes = 0;
	for (int i = 0; i < ROUNDS && talk->seen.came < HUNDRED; i++) {
		if (sent < HUNDRED && send_one(talk, sent))
			sent++;
		next_round(talk);
	}
	lab_say(&talk->lab->calls, "enet_peer_send(server, %d bytes, ENET_PACKET_FLAG_RELIABLE): %d times", MESSAGE,
		sent);
	lab_say(&talk->lab->calls, "enet_host_service(): %ld messages received", talk->seen.came);
}

static void show_reliable(const struct talk *talk, const struct lab_lossy *plain, uint64_t took)
{
	const struct lab_lossy *net = &talk->net;
	const struct seen *seen = &talk->seen;
	struct lab *lab = talk->lab;

	lab_fact(lab, "ENet: datagrams on the wire, acknowledgements too", net->datagrams, "");
	lab_fact(lab, "ENet: bytes on the wire", net->bytes, "bytes");
	lab_fact(lab, "ENet: dropped on the way", net->dropped, "");
	lab_fact(lab, "ENet: messages that it sent again", talk->peer->packetsLost, "");
	lab_fact(lab, "ENet: messages that came", seen->came, "");
	lab_fact(lab, "ENet: came after one that was sent later", seen->late, "");
	lab_fact(lab, "ENet: most messages handed over at once", seen->most_at_once, "");
	lab_fact(lab, "ENet: from the first sent to the last received", (int64_t)(took / 1000000), "ms");
	lab_must(lab, net->dropped > 0 && net->swapped > 0, "the same network drops datagrams of ENet and swaps some");
	lab_must(lab, seen->came == HUNDRED && seen->late == 0, "all hundred come all the same, and in order");
	lab_must(lab, talk->peer->packetsLost > 0, "for that some were sent again");
	lab_must(lab, net->datagrams > plain->datagrams && net->bytes > plain->bytes, "it costs datagrams and bytes");
	lab_must(lab, seen->most_at_once > 1, "and time: what comes behind a gap waits until it is filled");
}

static void by_enet(struct lab *lab, const struct lab_lossy *plain)
{
	struct talk talk = {.lab = lab};

	if (!lab_must(lab, enet_initialize() == 0, "ENet can be started"))
		return;
	if (meet(&talk)) {
		uint64_t began = lab_now();

		send_hundred(&talk);
		show_reliable(&talk, plain, lab_now() - began);
	}
	if (talk.client)
		enet_host_destroy(talk.client);
	if (talk.server)
		enet_host_destroy(talk.server);
	enet_deinitialize();
}

void lab_reliable(struct lab *lab)
{
	struct seen seen = {.came = 0};
	struct lab_lossy plain;

	by_plain_udp(lab, &plain, &seen);
	show_plain(lab, &plain, &seen);
	by_enet(lab, &plain);
}
