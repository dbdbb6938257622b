/* SPDX-License-Identifier: MIT
 * One backend over real sockets, a turn at a time, and what came of each turn. */
#ifndef SB_TESTS_UNIT_LOOP_H
#define SB_TESTS_UNIT_LOOP_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "io/ready.h"

enum { LOOP_SLOTS = 8, LOOP_DONES = 64, PATIENCE_MS = 5000 };

struct loop {
	struct sb_io io;
	const struct sb_backend_ops *ops;
	uint32_t gen[LOOP_SLOTS];
	int fd[LOOP_SLOTS], peer[LOOP_SLOTS];
	bool is_attached[LOOP_SLOTS];
	bool rearms; /* each RECV that completes is submitted again */
	uint32_t want;
	/* the last turn */
	struct sb_done done[LOOP_DONES];
	char text[LOOP_DONES][64]; /* the bytes, NUL-terminated, cut */
	int done_n;
};

static inline void loop_open(struct loop *l, const char *name)
{
	const struct sb_backend *backend = sb_backend_named(sb_slice_cstr(name));

	assert_non_null(backend);
	*l = (struct loop){.ops = backend->ops, .want = SB_IO_BUF_SIZE};
	l->io = (struct sb_io){.backend = backend, .sys = sb_sys_open(), .slots = LOOP_SLOTS, .fd = -1};
	l->io.mem = test_calloc(1, l->ops->size(LOOP_SLOTS));
	l->io.buf = test_malloc(SB_IO_HEADROOM + SB_IO_BUF_SIZE);
	assert_int_equal(l->ops->open(&l->io), 0);
	for (int i = 0; i < LOOP_SLOTS; i++)
		l->fd[i] = l->peer[i] = -1;
}

static inline struct sb_handle loop_handle(const struct loop *l, uint32_t slot)
{
	return (struct sb_handle){.slot = slot, .gen = l->gen[slot]};
}

static inline void loop_attach(struct loop *l, uint32_t slot, int fd, enum sb_io_class class)
{
	l->fd[slot] = fd;
	l->is_attached[slot] = true;
	assert_int_equal(l->ops->attach(&l->io, loop_handle(l, slot), fd, class), 0);
}

/* Ends a slot as the server does; its next use is another generation. */
static inline void loop_detach(struct loop *l, uint32_t slot)
{
	l->ops->detach(&l->io, slot);
	close(l->fd[slot]);
	l->fd[slot] = -1;
	l->is_attached[slot] = false;
	l->gen[slot]++;
}

static inline void loop_close(struct loop *l)
{
	for (uint32_t i = 0; i < LOOP_SLOTS; i++) {
		if (l->is_attached[i])
			loop_detach(l, i);
		if (l->peer[i] >= 0)
			close(l->peer[i]);
	}
	l->ops->close(&l->io);
	test_free(l->io.mem);
	test_free(l->io.buf);
}

/* A connected pair of unix sockets: ours without blocking, the peer's with. */
static inline void loop_pair(struct loop *l, uint32_t slot)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	l->peer[slot] = fds[1];
	loop_attach(l, slot, fds[0], SB_IO_STREAM);
}

/* A TCP listener on a free port of 127.0.0.1. */
static inline int loop_listener(struct sockaddr_in *at)
{
	socklen_t n = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &n), 0);
	return fd;
}

static inline int loop_connect(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)at, sizeof(*at)), 0);
	return fd;
}

static inline void loop_tcp_pair(struct loop *l, uint32_t slot)
{
	struct sockaddr_in at;
	int listener = loop_listener(&at), fd;

	l->peer[slot] = loop_connect(&at);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	close(listener);
	loop_attach(l, slot, fd, SB_IO_STREAM);
}

static inline void loop_say(struct loop *l, uint32_t slot, const char *text)
{
	assert_int_equal(send(l->peer[slot], text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline void loop_hang_up(struct loop *l, uint32_t slot)
{
	close(l->peer[slot]);
	l->peer[slot] = -1;
}

/* An op that is to complete later. */
static inline void loop_arm(struct loop *l, uint32_t slot, enum sb_op_kind kind, uint32_t want, uint8_t flags)
{
	struct sb_op op = {.handle = loop_handle(l, slot), .kind = (uint8_t)kind, .want_max = want, .flags = flags};
	struct sb_done done;

	assert_int_equal(l->ops->submit(&l->io, &op, &done), 0);
}

static inline void loop_recv(struct loop *l, uint32_t slot)
{
	loop_arm(l, slot, SB_OP_RECV, l->want, 0);
}

/* A send: what it completed with, or -EAGAIN when it waits for room. */
static inline int loop_send(struct loop *l, uint32_t slot, const void *p, size_t n)
{
	struct sb_op op = {.handle = loop_handle(l, slot), .kind = SB_OP_SEND, .want_max = (uint32_t)n, .iov_n = 1};
	struct sb_done done;

	op.iov[0] = sb_slice(p, n);
	return l->ops->submit(&l->io, &op, &done) ? done.res : -EAGAIN;
}

static inline void loop_take(struct loop *l, const struct sb_done *done)
{
	size_t n = 0;

	assert_true(l->done_n < LOOP_DONES);
	if (done->flags & SB_DONE_BUF)
		n = done->flags & SB_DONE_TRUNC ? l->want : (size_t)done->res;
	n = n < sizeof(l->text[0]) - 1 ? n : sizeof(l->text[0]) - 1;
	sb_copy(l->text[l->done_n], done->data, n);
	l->text[l->done_n][n] = '\0';
	l->done[l->done_n++] = *done;
	if (done->kind == SB_OP_RECV && l->rearms && done->res > 0)
		loop_recv(l, done->handle.slot);
}

/* One turn: waits so long at most, then takes every completion. Returns how many. */
static inline int loop_turn(struct loop *l, int64_t wait_ms)
{
	struct sb_done done;

	assert_true(l->ops->wait(&l->io, wait_ms * 1000000) >= 0);
	l->done_n = 0;
	while (l->ops->next(&l->io, &done))
		loop_take(l, &done);
	return l->done_n;
}

/* Turns until something has completed: the kernel may need a moment to deliver. */
static inline int loop_await(struct loop *l)
{
	for (int i = 0; i < 100; i++)
		if (loop_turn(l, PATIENCE_MS / 100))
			return l->done_n;
	fail_msg("nothing completed");
	return 0;
}

/* The only completion of the last turn. */
static inline void loop_expect(const struct loop *l, uint32_t slot, enum sb_op_kind kind, int res, const char *text)
{
	assert_int_equal(l->done_n, 1);
	assert_int_equal(l->done[0].handle.slot, slot);
	assert_int_equal(l->done[0].handle.gen, l->gen[slot]);
	assert_int_equal(l->done[0].kind, kind);
	assert_int_equal(l->done[0].res, res);
	assert_string_equal(l->text[0], text);
}

/* The block for each backend in turn. */
#define EACH_BACKEND(l)                                                                                                \
	for (int each_ = 0; each_ < 2 && (loop_open(&(l), each_ ? "poll" : "epoll"), true); loop_close(&(l)), each_++)

#endif
