/* SPDX-License-Identifier: MIT
 * Experiments: the steps of a server and of a client, and what each says when it cannot be done. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "lab/lab.h"

/* An address of TEST-NET-3: no machine has it. And one of multicast: nobody to connect to. */
static const char nobody[] = "203.0.113.77", group[] = "224.0.0.1";

static int new_tcp(struct lab *lab, const char *name)
{
	return lab_keep(lab, lab_socket(&lab->calls, name, AF_INET, SOCK_STREAM));
}

/* So many connections wait for accept. A client knows of its own first: its last acknowledgement may be on its way. */
static bool queue_is(int listener, int n)
{
	for (int i = 0; i < 1000 && lab_accept_queue(listener) < n; i++)
		lab_sleep(1);
	return lab_accept_queue(listener) == n;
}

/* Bound, and nobody listens there: a port that is nobody else's, and refuses. */
static uint16_t deaf_port(struct lab *lab)
{
	int deaf = new_tcp(lab, "deaf");

	lab_must(lab, lab_bind(&lab->calls, deaf, "127.0.0.1", 0) == 0, "a port can be had");
	return (uint16_t)lab_port(deaf);
}

/* ---- server-steps ---- */

/* The four, and a client that comes: who it is, accept tells. */
static bool four_steps(struct lab *lab, struct lab_pair *p)
{
	struct lab_calls *calls = &lab->calls;
	char client[INET6_ADDRSTRLEN], from[INET6_ADDRSTRLEN];

	if (!lab_listening(lab, p, 0))
		return false;
	lab_must(lab, lab_get_protocol(calls, p->listener) == IPPROTO_TCP,
		 "protocol 0 is the usual one of family and type: TCP for AF_INET and SOCK_STREAM");
	p->client = new_tcp(lab, "client");
	lab_must(lab, lab_bind(calls, p->client, "127.0.0.2", 0) == 0, "a client with an address of its own");
	lab_connect(calls, p->client, "127.0.0.1", p->port);
	lab_getsockname(calls, p->client, client);
	p->server = lab_keep(lab, lab_accept_from(calls, "server", p->listener, from));
	if (!lab_must(lab, p->server >= 0, "accept returns a descriptor"))
		return false;
	return lab_must(lab, strcmp(from, client) == 0, "and tells the client's address");
}

static void socket_fails(struct lab *lab)
{
	struct lab_calls *calls = &lab->calls;

	lab_must(lab, lab_keep(lab, lab_socket(calls, "none", AF_MAX, SOCK_STREAM)) == -EAFNOSUPPORT,
		 "socket refuses a family that there is not");
	lab_must(lab, lab_keep(lab, lab_socket(calls, "none", AF_INET, SOCK_RDM)) == -ESOCKTNOSUPPORT,
		 "socket refuses a type that the family does not have");
	lab_must(lab,
		 lab_keep(lab, lab_socket_of(calls, "none", AF_INET, SOCK_STREAM, IPPROTO_UDP)) == -EPROTONOSUPPORT,
		 "socket refuses a protocol that is not of the type");
}

static void bind_fails(struct lab *lab, const struct lab_pair *p)
{
	struct lab_calls *calls = &lab->calls;
	int second = new_tcp(lab, "second");

	lab_must(lab, lab_bind(calls, second, "127.0.0.1", p->port) == -EADDRINUSE, "bind refuses a port in use");
	lab_must(lab, lab_bind(calls, second, nobody, 0) == -EADDRNOTAVAIL, "bind refuses an address of elsewhere");
	lab_must(lab, lab_bind(calls, second, "::1", 0) == -EAFNOSUPPORT, "bind refuses an address of another family");
	lab_must(lab, lab_bind(calls, p->listener, "127.0.0.1", 0) == -EINVAL, "bind refuses what is bound already");
}

static void listen_fails(struct lab *lab)
{
	struct lab_calls *calls = &lab->calls;
	int datagram = lab_keep(lab, lab_socket(calls, "datagram", AF_INET, SOCK_DGRAM)), unbound;

	lab_must(lab, lab_get_protocol(calls, datagram) == IPPROTO_UDP, "SOCK_DGRAM is UDP");
	lab_must(lab, lab_listen(calls, datagram, 10) == -EOPNOTSUPP, "listen refuses a UDP socket");
	unbound = new_tcp(lab, "unbound");
	lab_must(lab, lab_listen(calls, unbound, 10) == 0, "listen without bind works");
	lab_fact(lab, "the port that listen takes without bind", lab_port(unbound), "");
	lab_must(lab, lab_port(unbound) > 0, "and takes a free port");
}

static void accept_fails(struct lab *lab)
{
	struct lab_calls *calls = &lab->calls;
	int idle = lab_socket(calls, "idle", AF_INET, SOCK_STREAM);

	lab_must(lab, lab_keep(lab, lab_accept(calls, "none", idle)) == -EINVAL, "accept refuses what does not listen");
	lab_must(lab, lab_listen(calls, idle, 10) == 0, "it listens now");
	lab_close(calls, idle);
	lab_must(lab, lab_keep(lab, lab_accept(calls, "none", idle)) == -EBADF, "accept refuses a closed listener");
}

void lab_server_steps(struct lab *lab)
{
	struct lab_pair p;

	if (!four_steps(lab, &p))
		return;
	lab_picture(lab, "after the four steps", p.client, p.server);
	lab_fact(lab, "the listener is descriptor", p.listener, "");
	lab_fact(lab, "the socket that accept returned is descriptor", p.server, "");
	lab_must(lab, p.server != p.listener, "accept returns a new socket, and the listener stays one");
	lab_must(lab, lab_port(p.server) == p.port, "the new socket has the listener's port");
	socket_fails(lab);
	bind_fails(lab, &p);
	listen_fails(lab);
	accept_fails(lab);
}

/* ---- client-steps ---- */

static void connect_fails(struct lab *lab, const struct lab_pair *p)
{
	struct lab_calls *calls = &lab->calls;
	uint16_t deaf = deaf_port(lab);
	int other = new_tcp(lab, "other");

	lab_must(lab, lab_connect(calls, other, "127.0.0.1", deaf) == -ECONNREFUSED,
		 "where nobody listens connect is refused");
	lab_must(lab, lab_connect(calls, other, group, p->port) == -ENETUNREACH,
		 "connect refuses an address that is not one host's");
	lab_must(lab, lab_connect(calls, other, "::1", p->port) == -EAFNOSUPPORT,
		 "connect refuses an address of another family");
	lab_must(lab, lab_connect(calls, p->client, "127.0.0.1", p->port) == -EISCONN,
		 "connect refuses what is connected already");
	lab_must(lab, lab_connect(calls, other, "127.0.0.1", p->port) == 0, "after a refusal the socket is still good");
}

/* What inet_pton returns: 1, or 0 where the text is no address. */
static int to_address(struct lab *lab, const char *text, struct in_addr *address)
{
	int r = inet_pton(AF_INET, text, address);

	lab_say(&lab->calls, "inet_pton(AF_INET, \"%s\", &address) = %d", text, r);
	return r;
}

/* inet_pton says no to what is no address, and leaves the zeros of memset: a client that does not look has 0.0.0.0. */
static void connect_to_zeros(struct lab *lab, const struct lab_pair *p)
{
	struct in_addr address = {0};
	char ip[INET6_ADDRSTRLEN];
	int unlooked = new_tcp(lab, "unlooked");

	lab_must(lab, to_address(lab, "127.0.0.1", &address) == 1 && address.s_addr == htonl(INADDR_LOOPBACK),
		 "inet_pton makes an address of a text, in the order of the network");
	memset(&address, 0, sizeof(address));
	lab_must(lab, to_address(lab, "localhost", &address) == 0, "a name is no address, and inet_pton returns 0");
	inet_ntop(AF_INET, &address, ip, sizeof(ip));
	lab_must(lab, lab_connect(&lab->calls, unlooked, ip, p->port) == 0,
		 "Linux takes 0.0.0.0 for this host: an address that was not understood connects");
	lab_must(lab, lab_getsockname(&lab->calls, unlooked, ip) > 0 && strcmp(ip, "127.0.0.1") == 0,
		 "and it is loopback that it is connected by");
}

void lab_client_steps(struct lab *lab)
{
	struct lab_calls *calls = &lab->calls;
	char ip[INET6_ADDRSTRLEN];
	struct lab_pair p;
	int before, after;

	if (!lab_listening(lab, &p, 0))
		return;
	p.client = new_tcp(lab, "client");
	before = lab_getsockname(calls, p.client, ip);
	lab_must(lab, lab_connect(calls, p.client, "127.0.0.1", p.port) == 0, "connect returns 0, not a socket");
	after = lab_getsockname(calls, p.client, ip);
	lab_fact(lab, "the client's port before connect", before, "");
	lab_fact(lab, "and after it", after, "");
	lab_must(lab, before == 0 && after > 0, "the client's port is the kernel's choice, at connect");
	lab_must(lab, queue_is(p.listener, 1), "it is connected before the server calls accept");
	lab_must(lab, lab_send(calls, p.client, "hello", 5) == 5, "and may send already");
	connect_fails(lab, &p);
	connect_to_zeros(lab, &p);
}

/* ---- byte-order ---- */

/* The two ports are free: one is held and does not listen, so that it is nobody else who answers there. */
static bool are_free(struct lab *lab, uint16_t wanted, uint16_t swapped, int *listener)
{
	int holder = lab_keep(lab, lab_socket(NULL, "holder", AF_INET, SOCK_STREAM));

	*listener = new_tcp(lab, "listener");
	return lab_bind(NULL, holder, "127.0.0.1", wanted) == 0 &&
	       lab_bind(&lab->calls, *listener, "127.0.0.1", swapped) == 0;
}

void lab_byte_order(struct lab *lab)
{
	enum { LESSON = 7777, TRIES = 20 };
	struct lab_calls *calls = &lab->calls;
	uint16_t wanted = LESSON;
	int listener, client;

	/* sin_port = 7777 puts these two bytes where ntohs(7777) would have been put in order. */
	while (!are_free(lab, wanted, ntohs(wanted), &listener))
		if (++wanted == LESSON + TRIES)
			break;
	lab_must(lab, lab_listen(calls, listener, 10) == 0, "a pair of ports is free");
	lab_fact(lab, "the port that was meant", wanted, "");
	lab_fact(lab, "the port that listens", lab_port(listener), "");
	lab_must(lab, lab_port(listener) == (wanted & 0xff) * 256 + wanted / 256,
		 "without htons the two bytes of the port change places");
	client = new_tcp(lab, "client");
	lab_must(lab, lab_connect(calls, client, "127.0.0.1", wanted) == -ECONNREFUSED,
		 "a client that has its htons finds nobody at the port that was meant");
	lab_must(lab, lab_connect(calls, client, "127.0.0.1", ntohs(wanted)) == 0,
		 "one that forgets it too gets there: the mistake hides while both make it");
}

/* ---- any-address ---- */

static int new_tcp_of(struct lab *lab, const char *name, int family)
{
	return lab_keep(lab, lab_socket(&lab->calls, name, family, SOCK_STREAM));
}

/* A client connects to ip, and the socket that accept returns says that it was called by this. */
static void call_by(struct lab *lab, int listener, const char *ip, const char *by)
{
	uint16_t port = (uint16_t)lab_port(listener);
	char called[INET6_ADDRSTRLEN];
	int client = new_tcp_of(lab, "client", strchr(ip, ':') ? AF_INET6 : AF_INET), server;

	if (!lab_must(lab, lab_connect(&lab->calls, client, ip, port) == 0, "each address of this host is heard"))
		return;
	server = lab_keep(lab, lab_accept(&lab->calls, "server", listener));
	lab_must(lab, lab_getsockname(&lab->calls, server, called) == port && strcmp(called, by) == 0,
		 "the accepted socket has the one address that was called");
}

/* A listener on INADDR_ANY, 0.0.0.0. */
static void any_of_v4(struct lab *lab)
{
	struct lab_calls *calls = &lab->calls;
	int any = new_tcp(lab, "any"), second = new_tcp(lab, "second");

	if (!lab_must(lab, lab_bind(calls, any, "0.0.0.0", 0) == 0 && lab_listen(calls, any, 10) == 0,
		      "a listener on INADDR_ANY can be had"))
		return;
	call_by(lab, any, "127.0.0.1", "127.0.0.1");
	call_by(lab, any, "127.0.0.2", "127.0.0.2");
	call_by(lab, any, "127.200.0.1", "127.200.0.1");
	lab_must(lab, lab_bind(calls, second, "127.0.0.3", (uint16_t)lab_port(any)) == -EADDRINUSE,
		 "its port is taken on each address, also those that nobody has called");
}

/* A listener on in6addr_any that keeps to IPv6 or does not. */
static int any_of_v6(struct lab *lab, int is_v6_only)
{
	struct lab_calls *calls = &lab->calls;
	int any = new_tcp_of(lab, is_v6_only ? "only IPv6" : "both", AF_INET6);

	lab_set(calls, any, "IPV6_V6ONLY", is_v6_only);
	return lab_bind(calls, any, "::", 0) == 0 && lab_listen(calls, any, 10) == 0 ? any : -1;
}

/* The port of a listener is still IPv4's to give. It may be somebody else's there: then another listener is tried. */
static bool leaves_v4(struct lab *lab, int *any)
{
	enum { TRIES = 20 };

	for (int i = 0; i < TRIES; i++) {
		int other = new_tcp(lab, "other");

		*any = any_of_v6(lab, 1);
		if (lab_bind(&lab->calls, other, "0.0.0.0", (uint16_t)lab_port(*any)) == 0)
			return true;
	}
	return false;
}

static void show_v6(struct lab *lab)
{
	struct lab_calls *calls = &lab->calls;
	int any = any_of_v6(lab, 0), second = new_tcp(lab, "second");

	call_by(lab, any, "::1", "::1");
	call_by(lab, any, "127.0.0.1", "::ffff:127.0.0.1");
	lab_must(lab, lab_bind(calls, second, "127.0.0.1", (uint16_t)lab_port(any)) == -EADDRINUSE,
		 ":: without IPV6_V6ONLY has the port of IPv4 too");
	if (!lab_must(lab, leaves_v4(lab, &any), ":: with IPV6_V6ONLY leaves it free"))
		return;
	call_by(lab, any, "::1", "::1");
	lab_must(lab, lab_connect(calls, new_tcp(lab, "client"), "127.0.0.1", (uint16_t)lab_port(any)) == -ECONNREFUSED,
		 "and does not hear an address of IPv4");
}

void lab_any_address(struct lab *lab)
{
	struct lab_pair one;
	int v6 = lab_keep(lab, lab_socket(NULL, "v6", AF_INET6, SOCK_STREAM));
	bool has_v6 = v6 >= 0 && lab_bind(NULL, v6, "::1", 0) == 0;

	any_of_v4(lab);
	if (!lab_listening(lab, &one, 0))
		return;
	lab_must(lab, lab_connect(&lab->calls, new_tcp(lab, "other"), "127.0.0.2", one.port) == -ECONNREFUSED,
		 "a listener on 127.0.0.1 does not hear 127.0.0.2");
	lab_fact(lab, "there is IPv6 here (0: that part is left out)", has_v6, "");
	if (has_v6)
		show_v6(lab);
}

/* ---- backlog ---- */

/* Connects clients until the listener's queue is as long as it gets. */
static void fill_queue(struct lab *lab, const struct lab_pair *p, int clients)
{
	int connected = 0;

	for (int i = 0; i < clients; i++) {
		int fd = lab_keep(lab, lab_socket(NULL, "client", AF_INET, SOCK_STREAM));

		if (lab_connect(NULL, fd, "127.0.0.1", p->port) == 0)
			connected++;
	}
	lab_say(&lab->calls, "connect(client, 127.0.0.1 port %u) = 0, by %d clients", p->port, connected);
	lab_must(lab, connected == clients, "eleven clients connect though nobody calls accept");
	lab_must(lab, queue_is(p->listener, clients), "they wait in the listener's queue, one more than its backlog");
	lab_fact(lab, "connections that wait for accept", lab_accept_queue(p->listener), "");
}

void lab_backlog(struct lab *lab)
{
	enum { BACKLOG = 10, ROOM = BACKLOG + 1, QUIET = 50, RESENT = 10000 };
	struct lab_calls *calls = &lab->calls;
	struct lab_pair p;
	int next;

	if (!lab_listening(lab, &p, 0))
		return;
	fill_queue(lab, &p, ROOM);
	next = new_tcp(lab, "next");
	lab_set_blocking(calls, next, false);
	lab_must(lab, lab_connect(calls, next, "127.0.0.1", p.port) == -EINPROGRESS, "the next one's connect begins");
	lab_must(lab, lab_poll(calls, next, POLLOUT, QUIET) == 0, "and is neither connected nor refused: it waits");
	lab_must(lab, lab_accept_queue(p.listener) == ROOM, "it is not in the queue");
	lab_must(lab, lab_keep(lab, lab_accept(calls, "server", p.listener)) >= 0, "accept makes room for one");
	lab_must(lab, (lab_poll(calls, next, POLLOUT, RESENT) & POLLOUT) != 0, "the next one's SYN comes again");
	lab_must(lab, lab_connect(calls, next, "127.0.0.1", p.port) == 0, "and now it is connected");
}

/* ---- second-client ---- */

/* The lesson's server: it accepts one, and echoes to it until it leaves. */
static void serve_one(struct lab_aside *aside)
{
	struct lab_calls *calls = &aside->lab->calls;
	int server = lab_accept(calls, "server", aside->fd);
	char room[100];
	long n;

	while ((n = lab_recv(calls, server, room, sizeof(room))) > 0)
		aside->result += lab_send(calls, server, room, (size_t)n);
	lab_close(calls, server);
}

/* The second connects and sends, and there it ends. */
static void call_in_vain(struct lab *lab, const struct lab_pair *p, int second)
{
	static const char hello[100] = "Hello World!";
	struct lab_calls *calls = &lab->calls;

	lab_must(lab, lab_connect(calls, second, "127.0.0.1", p->port) == 0, "the second client connects");
	lab_must(lab, lab_send(calls, second, hello, sizeof(hello)) == sizeof(hello), "and its send succeeds");
	lab_must(lab, lab_poll(calls, second, POLLIN, 50) == 0, "nobody answers it");
	lab_must(lab, queue_is(p->listener, 1), "it waits in the listener's queue");
}

void lab_second_client(struct lab *lab)
{
	static const char hello[100] = "Hello World!";
	struct lab_calls *calls = &lab->calls;
	struct lab_aside server = {.work = serve_one, .lab = lab};
	struct lab_pair p;
	char room[100];
	int first, second;

	if (!lab_listening(lab, &p, 0))
		return;
	first = new_tcp(lab, "first");
	second = new_tcp(lab, "second");
	server.fd = p.listener;
	if (!lab_must(lab, lab_connect(calls, first, "127.0.0.1", p.port) == 0, "the first client connects") ||
	    !lab_begin(&server))
		return;
	lab_send(calls, first, hello, sizeof(hello));
	lab_must(lab, lab_recv(calls, first, room, sizeof(room)) == sizeof(room), "the first client has its echo");
	call_in_vain(lab, &p, second);
	lab_shutdown(calls, first);
	lab_must(lab, lab_ended(&server, 10000), "the first one leaves, and the server's loop is over");
	lab_fact(lab, "echoed to the first", server.result, "bytes");
	lab_must(lab, lab_recv_now(calls, second, room, sizeof(room)) == -EAGAIN, "the second has had nothing");
	lab_close(calls, lab_forget(lab, p.listener)); /* as when its process ends */
	lab_poll(calls, second, POLLIN, 10000);
	lab_must(lab, lab_recv_now(calls, second, room, sizeof(room)) == -ECONNRESET,
		 "when the server ends, the second is reset");
}
