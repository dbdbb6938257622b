/* SPDX-License-Identifier: MIT
 *
 * The peer of a server that waits behind gates, as one client that reads whatever there is as soon as it can:
 *
 *   gated --port P --server-pid PID --conns N        reads N connections for a second: one line of figures
 *   gated --port P --server-pid PID --stall-ms MS    reads nothing for so long: what that costs the server
 *   gated --port P --fill RUNS                       sends until no more is taken, so many times over
 *
 * For the first two the server is SOURCE pattern=zero frag=1 gate=read: each read of more than one byte is two
 * pieces that came together, and counted as a merge. For the third it stops reading. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNS_MAX = 1000, WARM_UP_MS = 200, WINDOW_MS = 1000, QUIET_MS = 300, FILL_SNDBUF = 4608, FILL_SIZE = 512 };

struct config {
	struct sockaddr_in server;
	long conns, stall_ms, fills, server_pid;
};

/* What the clocks say, and how much has been read, at one moment. */
struct mark {
	double wall, server, self;
	unsigned long reads, merges;
};

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		give_up("clock_gettime");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long number(const char *text, long most)
{
	char *end;
	long n = strtol(text ? text : "", &end, 10);

	if (!text || end == text || *end || n < 1 || n > most) {
		fprintf(stderr, "gated: a number of 1 to %ld, not %s\n", most, text ? text : "nothing");
		exit(2);
	}
	return n;
}

static struct config config_from_args(char **argv)
{
	struct config c = {.server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};

	for (argv++; *argv; argv += 2) {
		if (!strcmp(*argv, "--port")) {
			c.server.sin_port = htons((uint16_t)number(argv[1], 65535));
		} else if (!strcmp(*argv, "--conns")) {
			c.conns = number(argv[1], CONNS_MAX);
		} else if (!strcmp(*argv, "--stall-ms")) {
			c.stall_ms = number(argv[1], 600000);
		} else if (!strcmp(*argv, "--fill")) {
			c.fills = number(argv[1], 1000);
		} else if (!strcmp(*argv, "--server-pid")) {
			c.server_pid = number(argv[1], 1L << 30);
		} else {
			fprintf(stderr, "gated: no option %s\n", *argv);
			exit(2);
		}
	}
	return c;
}

static int dial(const struct config *c, int sndbuf)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		give_up("socket");
	if (sndbuf && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof sndbuf) < 0)
		give_up("SO_SNDBUF");
	if (connect(fd, (const struct sockaddr *)&c->server, sizeof c->server) < 0)
		give_up("connect");
	return fd;
}

static struct mark mark_now(const struct config *c, const struct mark *so_far)
{
	clockid_t clock;

	if (clock_getcpuclockid((pid_t)c->server_pid, &clock) != 0)
		give_up("--server-pid");
	return (struct mark){.wall = seconds(CLOCK_MONOTONIC),
			     .server = seconds(clock),
			     .self = seconds(CLOCK_PROCESS_CPUTIME_ID),
			     .reads = so_far->reads,
			     .merges = so_far->merges};
}

/* ---- reading ---- */

static void read_one(int fd, struct mark *m)
{
	char buffer[4096];
	ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		give_up("the server has ended a connection");
	if (n > 0) {
		m->reads++;
		m->merges += n > 1;
	}
}

static void read_until(int epoll_fd, double end, struct mark *m)
{
	struct epoll_event events[CONNS_MAX];

	while (seconds(CLOCK_MONOTONIC) < end) {
		int n = epoll_wait(epoll_fd, events, CONNS_MAX, 100);

		for (int i = 0; i < n; i++)
			read_one(events[i].data.fd, m);
	}
}

static int read_all(const struct config *c)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct mark now = {0}, from, to;
	double wall;

	for (long i = 0; i < c->conns; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.fd = dial(c, 0)};

		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, e.data.fd, &e) < 0)
			give_up("epoll_ctl");
	}
	read_until(epoll_fd, seconds(CLOCK_MONOTONIC) + WARM_UP_MS / 1e3, &now);
	from = mark_now(c, &now);
	read_until(epoll_fd, from.wall + WINDOW_MS / 1e3, &now);
	to = mark_now(c, &now);
	wall = to.wall - from.wall;
	printf("conns=%ld cuts_per_s=%.0f merges=%lu cpu_us_per_cut=%.2f server_busy=%.2f reader_busy=%.2f\n", c->conns,
	       (double)(to.reads - from.reads) / wall, to.merges,
	       (to.server - from.server) * 1e6 / (double)(to.reads - from.reads), (to.server - from.server) / wall,
	       (to.self - from.self) / wall);
	return to.merges == 0 ? 0 : 1;
}

static int stall(const struct config *c)
{
	struct mark none = {0}, from, to;
	char byte;

	if (recv(dial(c, 0), &byte, 1, MSG_PEEK) != 1)
		give_up("the first piece");
	from = mark_now(c, &none);
	poll(NULL, 0, (int)c->stall_ms);
	to = mark_now(c, &none);
	printf("stalled_s=%.2f server_busy=%.4f\n", to.wall - from.wall,
	       (to.server - from.server) / (to.wall - from.wall));
	return 0;
}

/* ---- back-pressure ---- */

static unsigned long fill_one(const struct config *c)
{
	static const char bytes[FILL_SIZE];
	struct pollfd room = {.fd = dial(c, FILL_SNDBUF), .events = POLLOUT};
	struct linger reset = {.l_onoff = 1};
	unsigned long sent = 0;

	do {
		ssize_t n = send(room.fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			sent += (unsigned long)n;
		else if (errno != EAGAIN)
			give_up("send");
		else if (poll(&room, 1, QUIET_MS) == 0)
			break;
	} while (true);
	setsockopt(room.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(room.fd);
	return sent;
}

static int fill(const struct config *c)
{
	unsigned long first = fill_one(c), least = first, most = first;
	long same = 1;

	for (long i = 1; i < c->fills; i++) {
		unsigned long sent = fill_one(c);

		same += sent == first;
		least = sent < least ? sent : least;
		most = sent > most ? sent : most;
	}
	printf("blocked_at=%lu same=%ld of=%ld least=%lu most=%lu\n", first, same, c->fills, least, most);
	return same == c->fills ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct config c = config_from_args(argv);

	(void)argc;
	if (!c.server.sin_port || !!c.conns + !!c.stall_ms + !!c.fills != 1) {
		fprintf(stderr, "gated: --port, and one of --conns, --stall-ms and --fill\n");
		return 2;
	}
	if (c.fills)
		return fill(&c);
	return c.conns ? read_all(&c) : stall(&c);
}
