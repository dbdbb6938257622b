/* SPDX-License-Identifier: MIT
 *
 * The practical limit: the least a single thread can do to echo TCP. Level-triggered epoll, one shared
 * buffer, write at once; EPOLLOUT (and memory for the rest) only after a short write, and no reading until
 * that rest is out. It has no limits, no timeouts and no counters: what streambed costs above this is what
 * those are worth. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "listener.h"

enum { BUFFER_SIZE = 65536, EVENTS_MAX = 256 };

/* Set in an event's data beside the fd: the connection waits for EPOLLOUT. Kept there and not in a table,
 * so that an idle connection touches no memory at all. */
#define WAITS_OUT (UINT64_C(1) << 32)

struct rest { /* what a short write left over */
	char *bytes;
	size_t size, at;
};

static char buffer[BUFFER_SIZE];
static struct rest *rests; /* by fd; touched only after a short write */
static int epoll_fd;

static void watch(int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = {.events = events, .data.u64 = data};

	if (epoll_ctl(epoll_fd, op, fd, &e) < 0)
		die("epoll_ctl");
}

/* One a wake-up: asking until EAGAIN costs a call more a connection. */
static void accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		watch(EPOLL_CTL_ADD, fd, EPOLLIN, (uint64_t)fd);
	else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		die("accept4");
}

static void keep_rest(int fd, const char *bytes, size_t size)
{
	struct rest *r = &rests[fd];

	*r = (struct rest){.bytes = malloc(size), .size = size};
	if (!r->bytes)
		die("malloc");
	memcpy(r->bytes, bytes, size);
	watch(EPOLL_CTL_MOD, fd, EPOLLOUT, (uint64_t)fd | WAITS_OUT);
}

static void echo(int fd)
{
	ssize_t got = recv(fd, buffer, sizeof buffer, 0), put;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		close(fd);
		return;
	}
	put = send(fd, buffer, (size_t)got, MSG_NOSIGNAL);
	if (put == got)
		return;
	if (put < 0 && errno != EAGAIN && errno != EINTR) {
		close(fd);
		return;
	}
	put = put < 0 ? 0 : put;
	keep_rest(fd, buffer + put, (size_t)(got - put));
}

static void flush(int fd)
{
	struct rest *r = &rests[fd];
	ssize_t put = send(fd, r->bytes + r->at, r->size - r->at, MSG_NOSIGNAL);

	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (put > 0)
		r->at += (size_t)put;
	if (put > 0 && r->at < r->size)
		return;
	free(r->bytes);
	r->bytes = NULL;
	if (put < 0)
		close(fd);
	else
		watch(EPOLL_CTL_MOD, fd, EPOLLIN, (uint64_t)fd);
}

int main(int argc, char **argv)
{
	unsigned short port = port_from_args(argc, argv, NULL, NULL);
	struct epoll_event events[EVENTS_MAX];
	struct rlimit files;
	int listener;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		die("getrlimit");
	rests = calloc(files.rlim_cur, sizeof *rests);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!rests || epoll_fd < 0)
		die("start");
	listener = listen_loopback(port);
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, (uint64_t)listener);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			uint64_t data = events[i].data.u64;

			if (data == (uint64_t)listener)
				accept_one(listener);
			else if (data & WAITS_OUT)
				flush((int)(uint32_t)data);
			else
				echo((int)data);
		}
	}
}
