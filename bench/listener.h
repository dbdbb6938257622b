/* SPDX-License-Identifier: MIT
 *
 * What the echo servers of this folder share, so that they differ in their data path and in nothing else:
 * the same listener (loopback, TCP_NODELAY inherited by every connection, longest backlog) and the same
 * way to say which port it got. */
#ifndef BENCH_LISTENER_H
#define BENCH_LISTENER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The number after --port, 0 without it; exit 2 for anything else but the one flag (NULL: none). */
static inline unsigned short port_from_args(int argc, char **argv, const char *flag, bool *is_set)
{
	unsigned short port = 0;

	for (int i = 1; i < argc; i++) {
		char *end = NULL;

		if (flag && !strcmp(argv[i], flag)) {
			*is_set = true;
			continue;
		}
		if (!strcmp(argv[i], "--port") && i + 1 < argc) {
			unsigned long n = strtoul(argv[++i], &end, 10);

			if (end != argv[i] && !*end && n <= 65535) {
				port = (unsigned short)n;
				continue;
			}
		}
		fprintf(stderr, "usage: %s [--port P]%s%s\n", argv[0], flag ? " " : "", flag ? flag : "");
		exit(2);
	}
	return port;
}

/* A non-blocking listener on 127.0.0.1; prints port=N once it listens. */
static inline int listen_loopback(unsigned short port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t at_size = sizeof at;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	signal(SIGPIPE, SIG_IGN);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
		die("bind");
	if (listen(fd, SOMAXCONN) < 0)
		die("listen");
	if (getsockname(fd, (struct sockaddr *)&at, &at_size) < 0)
		die("getsockname");
	printf("port=%u\n", (unsigned)ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

#endif
