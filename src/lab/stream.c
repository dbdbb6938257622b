/* SPDX-License-Identifier: MIT
 * Experiments: what TCP makes of messages. */
#include "lab/lab.h"

enum { MESSAGE = 100, TEN = 10, ALL = TEN * MESSAGE, LARGE = 10000 };

static const char message[MESSAGE] = "Hello World!";

/* Ten messages, one send each, as the client of the lesson sends them, and they have arrived. */
static void send_ten(struct lab *lab, const struct lab_pair *p)
{
	long sent = 0;

	for (int i = 0; i < TEN; i++)
		sent += lab_send(&lab->calls, p->client, message, MESSAGE);
	lab_must(lab, sent == ALL, "each send takes its 100 bytes");
	lab_must(lab, lab_has_arrived(p->server, ALL), "the server's receive buffer holds all 1000 bytes");
}

void lab_coalesce(struct lab *lab)
{
	struct lab_pair p;
	char room[2 * ALL];
	long got;

	if (!lab_connected(lab, &p))
		return;
	send_ten(lab, &p);
	lab_picture(lab, "after ten sends, before any recv", p.client, p.server);
	got = lab_recv(&lab->calls, p.server, room, sizeof(room));
	lab_picture(lab, "after one recv", p.client, p.server);
	lab_fact(lab, "bytes of the first recv", got, "bytes");
	lab_must(lab, got == ALL, "one recv returns what ten sends sent");
}

void lab_split(struct lab *lab)
{
	struct lab_pair p, small;
	char room[2 * ALL];
	int effective = 0;
	long first, second, all;

	if (!lab_connected(lab, &p))
		return;
	send_ten(lab, &p);
	first = lab_recv(&lab->calls, p.server, room, 950);
	lab_picture(lab, "after recv with room for 950", p.client, p.server);
	second = lab_recv(&lab->calls, p.server, room, 950);
	lab_fact(lab, "the first recv of 950", first, "bytes");
	lab_fact(lab, "the second", second, "bytes");
	lab_must(lab, first == 950 && second == 50, "950 and then 50: the tenth message is cut in two");
	if (!lab_connected_with(lab, &small, 950, 0))
		return;
	lab_get(&lab->calls, small.server, "SO_RCVBUF", &effective);
	send_ten(lab, &small);
	all = lab_recv(&lab->calls, small.server, room, sizeof(room));
	lab_fact(lab, "SO_RCVBUF=950 becomes", effective, "bytes");
	lab_fact(lab, "one recv then", all, "bytes");
	lab_must(lab, effective > 950, "the kernel makes the buffer larger than was asked for");
	lab_must(lab, all == ALL, "and a recv with room for it returns all 1000");
}

/* Segments with data that this end has sent since it is connected. */
static int64_t data_segments(int fd)
{
	struct lab_tcp tcp;

	return lab_tcp_of(fd, &tcp) < 0 ? -1 : (int64_t)tcp.data_segments;
}

/* Ten messages, held back by TCP_CORK until they are complete: one segment, unless the 200 ms it holds are over. */
static void many_in_one(struct lab *lab)
{
	char room[3 * MESSAGE];
	int recvs = 0;
	struct lab_pair p;

	if (!lab_connected(lab, &p))
		return;
	lab_set(&lab->calls, p.client, "TCP_CORK", 1);
	for (int i = 0; i < TEN; i++)
		lab_send(&lab->calls, p.client, message, MESSAGE);
	lab_picture(lab, "ten messages sent under TCP_CORK", p.client, p.server);
	lab_set(&lab->calls, p.client, "TCP_CORK", 0);
	if (!lab_must(lab, lab_has_arrived(p.server, ALL), "all 1000 bytes arrive"))
		return;
	while (recvs < TEN && lab_recv_now(&lab->calls, p.server, room, sizeof(room)) > 0)
		recvs++;
	lab_fact(lab, "ten messages of 100 bytes, in", data_segments(p.client), "segments");
	lab_fact(lab, "received with room for 300, by", recvs, "recvs");
	lab_must(lab, data_segments(p.client) < TEN, "ten messages are fewer than ten segments");
	lab_must(lab, recvs == 4, "and four recvs: 300, 300, 300 and 100");
}

/* One message, larger than a segment may be: TCP cuts it, and the receiver does not see where. */
static void one_in_many(struct lab *lab)
{
	static const char large[LARGE];
	static char room[LARGE];
	struct lab_pair p;
	long sent, got;

	if (!lab_listening(lab, &p, 4 * LARGE)) /* room for all of it, whatever is usual here */
		return;
	p.client = lab_keep(lab, lab_socket(&lab->calls, "client", AF_INET, SOCK_STREAM));
	lab_set(&lab->calls, p.client, "TCP_MAXSEG", 1000);
	if (!lab_must(lab, lab_connect(&lab->calls, p.client, "127.0.0.1", p.port) == 0, "another connection"))
		return;
	p.server = lab_keep(lab, lab_accept(&lab->calls, "server", p.listener));
	sent = lab_send(&lab->calls, p.client, large, sizeof(large));
	lab_must(lab, sent == LARGE && lab_has_arrived(p.server, LARGE), "one send of 10000 bytes arrives");
	lab_picture(lab, "one message of 10000 bytes sent in segments of at most 1000", p.client, p.server);
	got = lab_recv(&lab->calls, p.server, room, sizeof(room));
	lab_fact(lab, "one message of 10000 bytes, in", data_segments(p.client), "segments");
	lab_fact(lab, "received by one recv of", got, "bytes");
	lab_must(lab, data_segments(p.client) >= TEN, "one message is ten segments or more");
	lab_must(lab, got == LARGE, "and one recv");
}

void lab_segments(struct lab *lab)
{
	many_in_one(lab);
	one_in_many(lab);
}
