/* SPDX-License-Identifier: MIT
 * Two kernels behind sys.h. See sys_both.h. A function that sys.h gets is a row here, or the linker says so. */
#include "sys_both.h"

#include <stddef.h>

struct sb_sys *sim_sb_sys_open(void);
struct sb_sys *real_sb_sys_open(void);

void (*sys_real_on_close)(int fd);

struct sb_sys *sys_real(void)
{
	return real_sb_sys_open();
}

struct sb_sys *sb_sys_open(void)
{
	return sim_sb_sys_open();
}

#define CALL(type, name, parameters, arguments)                                                                        \
	type sim_sb_sys_##name parameters;                                                                             \
	type real_sb_sys_##name parameters;                                                                            \
	type sb_sys_##name parameters                                                                                  \
	{                                                                                                              \
		return k == real_sb_sys_open() ? real_sb_sys_##name arguments : sim_sb_sys_##name arguments;           \
	}

CALL(int, socket, (struct sb_sys * k, int family, bool is_stream), (k, family, is_stream))
CALL(int, bind, (struct sb_sys * k, int fd, const struct sb_addr *addr), (k, fd, addr))
CALL(int, bind_unix, (struct sb_sys * k, int fd, const char *path), (k, fd, path))
CALL(int, listen, (struct sb_sys * k, int fd, int backlog), (k, fd, backlog))
CALL(int, accept, (struct sb_sys * k, int fd, struct sb_addr *peer), (k, fd, peer))
CALL(int, connect, (struct sb_sys * k, int fd, const struct sb_addr *addr), (k, fd, addr))
CALL(int, connect_unix, (struct sb_sys * k, int fd, const char *path), (k, fd, path))
CALL(int, sockname, (struct sb_sys * k, int fd, struct sb_addr *addr), (k, fd, addr))
CALL(int, peername, (struct sb_sys * k, int fd, struct sb_addr *addr), (k, fd, addr))
CALL(int, shutdown_write, (struct sb_sys * k, int fd), (k, fd))
CALL(int, reset_on_close, (struct sb_sys * k, int fd), (k, fd))
CALL(int, setopt, (struct sb_sys * k, int fd, int level, int name, const void *value, size_t n),
     (k, fd, level, name, value, n))
CALL(int, getopt, (struct sb_sys * k, int fd, int level, int name, void *value, size_t *n),
     (k, fd, level, name, value, n))
CALL(long, recv, (struct sb_sys * k, int fd, void *p, size_t n), (k, fd, p, n))
CALL(long, send, (struct sb_sys * k, int fd, const struct sb_slice *iov, int iov_n), (k, fd, iov, iov_n))
CALL(long, recvfrom, (struct sb_sys * k, int fd, void *p, size_t n, struct sb_addr *src, struct sb_addr *dst),
     (k, fd, p, n, src, dst))
CALL(long, sendto,
     (struct sb_sys * k, int fd, struct sb_slice bytes, const struct sb_addr *dst, const struct sb_addr *src),
     (k, fd, bytes, dst, src))
CALL(int, want_dst, (struct sb_sys * k, int fd, int family), (k, fd, family))
CALL(int, poll, (struct sb_sys * k, struct sb_pollfd *fds, size_t n, int64_t wait_ns), (k, fds, n, wait_ns))
CALL(int, poll_one, (struct sb_sys * k, int fd, unsigned bits, int64_t wait_ns), (k, fd, bits, wait_ns))
CALL(int, epoll_open, (struct sb_sys * k), (k))
CALL(int, epoll_add, (struct sb_sys * k, int ep, int fd, uint32_t bits, uint64_t token), (k, ep, fd, bits, token))
CALL(int, epoll_mod, (struct sb_sys * k, int ep, int fd, uint32_t bits, uint64_t token), (k, ep, fd, bits, token))
CALL(int, epoll_del, (struct sb_sys * k, int ep, int fd), (k, ep, fd))
CALL(int, epoll_wait, (struct sb_sys * k, int ep, struct sb_epoll_event *out, int max, int64_t wait_ns),
     (k, ep, out, max, wait_ns))
CALL(uint64_t, now, (struct sb_sys * k), (k))
CALL(int, random, (struct sb_sys * k, void *p, size_t n), (k, p, n))
CALL(long, log_write, (struct sb_sys * k, int fd, const void *p, size_t n), (k, fd, p, n))
CALL(int, spare_fd, (struct sb_sys * k), (k))
CALL(int, wake_open, (struct sb_sys * k), (k))
CALL(int, wake_post, (struct sb_sys * k, int fd), (k, fd))
CALL(int, wake_clear, (struct sb_sys * k, int fd), (k, fd))
CALL(int, unlink_socket, (struct sb_sys * k, const char *path), (k, path))
CALL(int, queued_in, (struct sb_sys * k, int fd), (k, fd))
CALL(int, diag_open, (struct sb_sys * k), (k))
CALL(int, peer_queues, (struct sb_sys * k, int diag, struct sb_peer_queue *q, size_t n), (k, diag, q, n))
CALL(int, queued_out, (struct sb_sys * k, int fd), (k, fd))
CALL(int, cork, (struct sb_sys * k, int fd, bool on), (k, fd, on))

int sim_sb_sys_close(struct sb_sys *k, int fd);
int real_sb_sys_close(struct sb_sys *k, int fd);

int sb_sys_close(struct sb_sys *k, int fd)
{
	if (k != real_sb_sys_open())
		return sim_sb_sys_close(k, fd);
	if (sys_real_on_close)
		sys_real_on_close(fd);
	return real_sb_sys_close(k, fd);
}
