/* SPDX-License-Identifier: MIT
 * Experiments: what TCP makes of messages. */
#include "lab/lab.h"

enum { MESSAGE = 100, TEN = 10 };

static const char message[MESSAGE] = "Hello World!";

/* Ten messages, one send each, as the client of the lesson sends them, and they have arrived. */
static void send_ten(struct lab *lab, const struct lab_pair *p)
{
	struct lab_levels there = {.recv.used = 0};
	long sent = 0;

	for (int i = 0; i < TEN; i++)
		sent += lab_send(&lab->calls, p->client, message, MESSAGE);
	lab_must(lab, sent == TEN * MESSAGE, "each send takes its 100 bytes");
	for (int i = 0; i < 1000 && there.recv.used < TEN * MESSAGE; i++) {
		lab_levels_of(p->server, &there);
		lab_sleep(1);
	}
	lab_must(lab, there.recv.used == TEN * MESSAGE, "the server's receive buffer holds all 1000 bytes");
}

void lab_coalesce(struct lab *lab)
{
	struct lab_pair p;
	char room[2 * TEN * MESSAGE];
	long got;

	if (!lab_connected(lab, &p))
		return;
	send_ten(lab, &p);
	lab_picture(lab, "after ten sends, before any recv", p.client, p.server);
	got = lab_recv(&lab->calls, p.server, room, sizeof(room));
	lab_picture(lab, "after one recv", p.client, p.server);
	lab_fact(lab, "bytes of the first recv", got, "bytes");
	lab_must(lab, got == TEN * MESSAGE, "one recv returns what ten sends sent");
}

void lab_split(struct lab *lab)
{
	struct lab_pair p, small;
	char room[2 * TEN * MESSAGE];
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
	lab_must(lab, all == TEN * MESSAGE, "and a recv with room for it returns all 1000");
}
