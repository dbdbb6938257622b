/* SPDX-License-Identifier: MIT
 * Experiments: options of sockets. */
#include "lab/lab.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- option-levels ---- */

/* Sets it, and it reads back as that. */
static bool takes(struct lab *lab, int fd, const char *option, int value)
{
	int effective = -1;

	lab_set(&lab->calls, fd, option, value);
	lab_get(&lab->calls, fd, option, &effective);
	return effective == value;
}

/* TCP_NODELAY and IP_TOS have the same number: the level is what tells them apart. */
static void show_levels(struct lab *lab, int fd)
{
	int tos = -1, nodelay = -1, low_delay = 16;

	lab_must(lab, takes(lab, fd, "SO_KEEPALIVE", 1), "SOL_SOCKET: SO_KEEPALIVE is what was set");
	lab_must(lab, takes(lab, fd, "TCP_NODELAY", 0), "IPPROTO_TCP: TCP_NODELAY is what was set");
	lab_must(lab, takes(lab, fd, "IP_TTL", 9), "IPPROTO_IP: IP_TTL is what was set");
	lab_set_raw(&lab->calls, fd, IPPROTO_IP, TCP_NODELAY, &low_delay, sizeof(low_delay));
	lab_get(&lab->calls, fd, "TCP_NODELAY", &nodelay);
	lab_get(&lab->calls, fd, "IP_TOS", &tos);
	lab_must(lab, nodelay == 0 && tos == low_delay, "option 1 of IPPROTO_IP is IP_TOS, and not TCP_NODELAY");
}

static void show_refusals(struct lab *lab, int fd)
{
	struct lab_calls *calls = &lab->calls;
	int udp = lab_keep(lab, lab_socket(calls, "udp", AF_INET, SOCK_DGRAM));
	int one = 1, no_such = 9999;

	lab_must(lab, lab_set_raw(calls, fd, SOL_SOCKET, SO_RCVBUF, &one, 2) == -EINVAL,
		 "two bytes for an int: EINVAL");
	lab_must(lab, lab_set_raw(calls, fd, SOL_SOCKET, SO_LINGER, &one, sizeof(one)) == -EINVAL,
		 "an int for a struct linger: EINVAL");
	lab_must(lab, lab_set_raw(calls, fd, SOL_SOCKET, no_such, &one, sizeof(one)) == -ENOPROTOOPT,
		 "an option that there is not: ENOPROTOOPT");
	lab_must(lab, lab_set_raw(calls, fd, no_such, TCP_NODELAY, &one, sizeof(one)) == -ENOPROTOOPT,
		 "a level that there is not: ENOPROTOOPT");
	lab_must(lab, lab_set(calls, udp, "TCP_NODELAY", 1) == -ENOPROTOOPT, "TCP's option on UDP: ENOPROTOOPT");
}

/* The kernel doubles it for its own bookkeeping, and has a least and a most. */
static void show_effective(struct lab *lab, int fd)
{
	int least = 0, usual = 0, most = 0;

	lab_set(&lab->calls, fd, "SO_RCVBUF", 1);
	lab_get(&lab->calls, fd, "SO_RCVBUF", &least);
	lab_set(&lab->calls, fd, "SO_RCVBUF", 20000);
	lab_get(&lab->calls, fd, "SO_RCVBUF", &usual);
	lab_set(&lab->calls, fd, "SO_RCVBUF", 1000000000);
	lab_get(&lab->calls, fd, "SO_RCVBUF", &most);
	lab_fact(lab, "SO_RCVBUF=1 becomes", least, "bytes");
	lab_fact(lab, "SO_RCVBUF=20000 becomes", usual, "bytes");
	lab_fact(lab, "SO_RCVBUF=1000000000 becomes", most, "bytes");
	lab_must(lab, least > 1, "less than the least becomes the least");
	lab_must(lab, usual == 2 * 20000, "what lies between is doubled");
	lab_must(lab, most < 1000000000, "more than the most becomes the most, without an error");
}

void lab_option_levels(struct lab *lab)
{
	int fd = lab_keep(lab, lab_socket(&lab->calls, "tcp", AF_INET, SOCK_STREAM));

	show_levels(lab, fd);
	show_refusals(lab, fd);
	show_effective(lab, fd);
}

/* ---- linger ---- */

enum { PIECE = 1000, SMALL = 16384 };

/* Connected, and the client has sent as much as goes: some of it is with the server, the rest waits to be sent. */
static long connect_and_fill(struct lab *lab, const char *what, struct lab_pair *p)
{
	static const char piece[PIECE];
	struct lab_levels there = {.recv.used = 0};
	long sent;

	lab_say(&lab->calls, "%s:", what);
	if (!lab_connected_with(lab, p, SMALL, SMALL))
		return 0;
	sent = lab_fill(lab, p->client, piece, sizeof(piece));
	lab_levels_of(p->client, &there);
	lab_must(lab, there.send.used > 0, "something waits to be sent when the client closes");
	return sent;
}

/* What the server still receives; *end is how that ends: 0 or an error. */
static long read_to_end(struct lab *lab, int server, long *end)
{
	static char room[64 * 1024];
	long got = 0;

	while ((*end = lab_recv(&lab->calls, server, room, sizeof(room))) > 0)
		got += *end;
	return got;
}

static void close_it(struct lab_aside *aside)
{
	aside->result = lab_close(&aside->lab->calls, aside->fd);
}

static int64_t ms_since(uint64_t began)
{
	return (int64_t)((lab_now() - began) / 1000000);
}

/* Off, as sockets are: close leaves the rest to the kernel. */
static void linger_off(struct lab *lab)
{
	struct lab_pair p;
	long sent = connect_and_fill(lab, "without SO_LINGER", &p), got, end;
	uint64_t began = lab_now();
	int r = lab_close(&lab->calls, lab_forget(lab, p.client));

	lab_fact(lab, "off: close returned after", ms_since(began), "ms");
	lab_picture(lab, "close has returned, and nobody has called recv", -1, p.server);
	got = read_to_end(lab, p.server, &end);
	lab_fact(lab, "off: the client sent", sent, "bytes");
	lab_fact(lab, "off: the server received after close", got, "bytes");
	lab_must(lab, r == 0 && got == sent && end == 0,
		 "off: close returns before all is sent; all arrives, then FIN");
}

/* Somebody reads in time: close waits for that. */
static void linger_on(struct lab *lab)
{
	struct lab_pair p;
	long sent = connect_and_fill(lab, "SO_LINGER of 30 seconds, and somebody reads", &p), got, end = -1;
	struct lab_aside closer = {.work = close_it, .lab = lab, .fd = p.client};
	uint64_t began;

	lab_set(&lab->calls, p.client, "SO_LINGER", 30);
	lab_forget(lab, p.client);
	began = lab_now();
	if (!lab_begin(&closer) ||
	    !lab_must(lab, !lab_ended(&closer, 50), "30 seconds: close waits while nobody reads"))
		return;
	lab_picture(lab, "close with 30 seconds waits for this to be read", -1, p.server);
	got = read_to_end(lab, p.server, &end);
	lab_must(lab, lab_ended(&closer, 10000) && closer.result == 0, "30 seconds: close returns when all is sent");
	lab_fact(lab, "30 seconds: close returned after", ms_since(began), "ms");
	lab_must(lab, got == sent && end == 0, "30 seconds: all of it arrives, and then FIN");
}

/* Nobody reads in time: close returns, as if nothing were wrong. */
static void linger_over(struct lab *lab)
{
	struct lab_pair p;
	long sent = connect_and_fill(lab, "SO_LINGER of 1 second, and nobody reads", &p), got, end;
	uint64_t began = lab_now();
	int r;

	lab_set(&lab->calls, p.client, "SO_LINGER", 1);
	r = lab_close(&lab->calls, lab_forget(lab, p.client));
	lab_fact(lab, "1 second: close returned after", ms_since(began), "ms");
	got = read_to_end(lab, p.server, &end);
	lab_must(lab, lab_now() - began >= 900000000, "1 second: close waits that long");
	lab_must(lab, r == 0 && got == sent && end == 0, "1 second: then it returns 0, and all arrives nevertheless");
}

static void linger_zero(struct lab *lab)
{
	struct lab_pair p;
	long sent = connect_and_fill(lab, "SO_LINGER of 0 seconds", &p), got, end;

	lab_set(&lab->calls, p.client, "SO_LINGER", 0);
	lab_picture(lab, "before a close with 0 seconds", p.client, p.server);
	lab_close(&lab->calls, lab_forget(lab, p.client));
	got = read_to_end(lab, p.server, &end);
	lab_fact(lab, "0 seconds: the client sent", sent, "bytes");
	lab_fact(lab, "0 seconds: the server received", got, "bytes");
	lab_fact(lab, "0 seconds: lost", sent - got, "bytes");
	lab_must(lab, got < sent, "0 seconds: what was unsent is lost");
	lab_must(lab, end == -ECONNRESET, "0 seconds: the server sees a reset, and no FIN");
}

void lab_linger(struct lab *lab)
{
	linger_off(lab);
	linger_on(lab);
	linger_zero(lab);
	linger_over(lab);
}

/* ---- reuseaddr ---- */

/* A server that has one connection, closes it first and ends: its port, where a connection in TIME_WAIT is left. */
static uint16_t leave(struct lab *lab, int reuse)
{
	struct lab_calls *calls = &lab->calls;
	struct lab_pair p = {.port = 0};
	char room[8];

	p.listener = lab_socket(calls, "old server", AF_INET, SOCK_STREAM);
	lab_set(calls, p.listener, "SO_REUSEADDR", reuse);
	lab_bind(calls, p.listener, "127.0.0.1", 0);
	lab_listen(calls, p.listener, 10);
	p.port = (uint16_t)lab_port(p.listener);
	p.client = lab_socket(calls, "client", AF_INET, SOCK_STREAM);
	lab_connect(calls, p.client, "127.0.0.1", p.port);
	p.server = lab_accept(calls, "connection", p.listener);
	lab_close(calls, p.server);
	lab_must(lab, lab_recv(calls, p.client, room, sizeof(room)) == 0, "the server closes first");
	lab_close(calls, p.client);
	lab_close(calls, p.listener);
	return p.port;
}

/* What a new server's bind says. */
static int bind_again(struct lab *lab, int type, uint16_t port, int reuse, int *fd)
{
	*fd = lab_keep(lab, lab_socket(&lab->calls, "new server", AF_INET, type));
	lab_set(&lab->calls, *fd, "SO_REUSEADDR", reuse);
	return lab_bind(&lab->calls, *fd, "127.0.0.1", port);
}

/* A server of a process that is killed, and has closed nothing: the kernel does. */
static void show_killed(struct lab *lab)
{
	struct lab_calls *calls = &lab->calls;
	int fd = lab_socket(calls, "old server", AF_INET, SOCK_STREAM);
	uint16_t port;
	pid_t server;

	lab_bind(calls, fd, "127.0.0.1", 0);
	lab_listen(calls, fd, 10);
	port = (uint16_t)lab_port(fd);
	server = fork();
	if (server == 0)
		for (;;)
			pause();
	lab_say(calls, "fork: another process has the old server, and alone");
	close(fd);
	if (!lab_must(lab, server > 0, "a process can be had"))
		return;
	lab_must(lab, bind_again(lab, SOCK_STREAM, port, 0, &fd) == -EADDRINUSE,
		 "while a process has the port it is in use");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	lab_say(calls, "kill(that process, SIGKILL)");
	lab_must(lab, bind_again(lab, SOCK_STREAM, port, 0, &fd) == 0,
		 "a process that is killed leaves no port taken, though it closed nothing");
}

static void show_time_wait(struct lab *lab)
{
	uint16_t port = leave(lab, 0);
	int fd, third;

	lab_must(lab, bind_again(lab, SOCK_STREAM, port, 0, &fd) == -EADDRINUSE,
		 "TIME_WAIT keeps the port: EADDRINUSE");
	lab_must(lab, bind_again(lab, SOCK_STREAM, port, 1, &fd) == -EADDRINUSE,
		 "on Linux also with SO_REUSEADDR, if the old server did not have it");
	port = leave(lab, 1);
	lab_must(lab, bind_again(lab, SOCK_STREAM, port, 0, &fd) == -EADDRINUSE,
		 "nor without it, if the old server had it");
	lab_must(lab, bind_again(lab, SOCK_STREAM, port, 1, &fd) == 0 && lab_listen(&lab->calls, fd, 10) == 0,
		 "the port can be had when both have SO_REUSEADDR");
	lab_must(lab, bind_again(lab, SOCK_STREAM, port, 1, &third) == -EADDRINUSE,
		 "but nobody takes the port of one that listens");
}

/* Who is bound later stands first where the kernel looks for a receiver. */
static void show_stealing(struct lab *lab)
{
	int first, second, client = lab_keep(lab, lab_socket(&lab->calls, "sender", AF_INET, SOCK_DGRAM));
	int to_first = 0, to_second = 0;
	uint16_t port;
	char room[8];

	bind_again(lab, SOCK_DGRAM, 0, 1, &first);
	port = (uint16_t)lab_port(first);
	lab_must(lab, bind_again(lab, SOCK_DGRAM, port, 1, &second) == 0, "two UDP sockets have one port");
	for (int i = 0; i < 10; i++)
		lab_sendto(&lab->calls, client, "hello", 5, "127.0.0.1", port);
	lab_poll(NULL, second, POLLIN, 5000);
	while (lab_recv_now(NULL, first, room, sizeof(room)) > 0)
		to_first++;
	while (lab_recv_now(NULL, second, room, sizeof(room)) > 0)
		to_second++;
	lab_fact(lab, "UDP: to the socket that had the port first", to_first, "datagrams");
	lab_fact(lab, "UDP: to the one that came later", to_second, "datagrams");
	lab_must(lab, to_first == 0 && to_second == 10, "and the later one gets all ten datagrams");
}

void lab_reuseaddr(struct lab *lab)
{
	show_killed(lab);
	show_time_wait(lab);
	show_stealing(lab);
}
