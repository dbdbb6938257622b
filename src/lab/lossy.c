/* SPDX-License-Identifier: MIT
 * A bad network of our own. See lossy.h. */
#include "lab/lossy.h"

bool lab_lossy_open(struct lab *lab, struct lab_lossy *net, uint16_t server)
{
	memset(net, 0, sizeof(*net));
	net->server = server;
	net->fd = lab_datagram_socket(lab, "network", &net->port);
	return net->fd >= 0 && lab_must(lab, lab_set_blocking(&lab->calls, net->fd, false) == 0,
					"what carries between the two does not wait");
}

static bool is_one_in(long n, long each)
{
	return each > 0 && n % each == 0;
}

static void hold(struct lab_lossy *net, const char *p, size_t n, uint16_t to)
{
	memcpy(net->held, p, n);
	net->held_n = n;
	net->held_to = to;
	net->swapped++;
}

/* And behind it what was held back. */
static void pass_on(struct lab_lossy *net, const char *p, size_t n, uint16_t to)
{
	lab_sendto(NULL, net->fd, p, n, "127.0.0.1", to);
	if (net->held_n > 0)
		lab_sendto(NULL, net->fd, net->held, net->held_n, "127.0.0.1", net->held_to);
	net->held_n = 0;
}

static void carry_one(struct lab_lossy *net, const char *p, size_t n, uint16_t from)
{
	uint16_t to = from == net->server ? net->client : net->server;

	if (from != net->server)
		net->client = from;
	net->datagrams++;
	net->bytes += (long)n;
	if (is_one_in(net->datagrams, net->drop_each))
		net->dropped++;
	else if (is_one_in(net->datagrams, net->swap_each) && net->held_n == 0)
		hold(net, p, n, to);
	else
		pass_on(net, p, n, to);
}

void lab_lossy_carry(struct lab_lossy *net)
{
	char room[LAB_DATAGRAM_MAX];
	uint16_t from = 0;
	long n;

	while ((n = lab_recvfrom(NULL, net->fd, room, sizeof(room), &from)) > 0)
		carry_one(net, room, (size_t)n, from);
}
