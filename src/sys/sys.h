/* SPDX-License-Identifier: MIT
 *
 * The one seam to the kernel. About thirty flat functions, one system call each, no loops and no policy:
 * a value, or -errno; EINTR, EAGAIN and short counts are passed through. sys_linux.c and sys_diag.c answer with the
 * real kernel; a test links another file that defines the same functions. struct sb_sys is whatever they need.
 *
 * Every fd made here is non-blocking and close-on-exec.
 */
#ifndef SB_SYS_SYS_H
#define SB_SYS_SYS_H

#include "base/addr.h"

struct sb_sys;

/* The kernel that is linked in. */
struct sb_sys *sb_sys_open(void);

/* ---- sockets ---- */
int sb_sys_socket(struct sb_sys *sys, int family /* enum sb_family */, bool is_stream);
int sb_sys_bind(struct sb_sys *sys, int fd, const struct sb_addr *addr);
int sb_sys_bind_unix(struct sb_sys *sys, int fd, const char *path);
int sb_sys_listen(struct sb_sys *sys, int fd, int backlog);
/* The peer's address as accept4 gave it: after an RST it is the only one there is. */
int sb_sys_accept(struct sb_sys *sys, int fd, struct sb_addr *peer);
int sb_sys_connect(struct sb_sys *sys, int fd, const struct sb_addr *addr);
int sb_sys_connect_unix(struct sb_sys *sys, int fd, const char *path);
/* What came of a connect that said -EINPROGRESS, once there is room to send, or what has become of a stream since: 0 or
 * -errno (SO_ERROR). It is told once. */
int sb_sys_connected(struct sb_sys *sys, int fd);
int sb_sys_sockname(struct sb_sys *sys, int fd, struct sb_addr *addr);
int sb_sys_peername(struct sb_sys *sys, int fd, struct sb_addr *addr);
int sb_sys_shutdown_write(struct sb_sys *sys, int fd);
int sb_sys_close(struct sb_sys *sys, int fd);
/* The close that follows sends RST and drops what is unsent (SO_LINGER on, 0 seconds). */
int sb_sys_reset_on_close(struct sb_sys *sys, int fd);
int sb_sys_setopt(struct sb_sys *sys, int fd, int level, int name, const void *value, size_t n);
int sb_sys_getopt(struct sb_sys *sys, int fd, int level, int name, void *value, size_t *n);

/* ---- bytes ---- */
long sb_sys_recv(struct sb_sys *sys, int fd, void *p, size_t n);
/* Never raises SIGPIPE. */
long sb_sys_send(struct sb_sys *sys, int fd, const struct sb_slice *iov, int iov_n);
/* One datagram: its whole size, also when it did not fit in n. dst (may be NULL) is the address it was sent
 * to, family 0 when the kernel does not say; asked for with sb_sys_want_dst(). */
long sb_sys_recvfrom(struct sb_sys *sys, int fd, void *p, size_t n, struct sb_addr *src, struct sb_addr *dst);
/* From src (NULL: the kernel's choice) to dst (NULL: the connected peer). */
long sb_sys_sendto(struct sb_sys *sys, int fd, struct sb_slice bytes, const struct sb_addr *dst,
		   const struct sb_addr *src);
int sb_sys_want_dst(struct sb_sys *sys, int fd, int family);

/* ---- what the peer has read ---- */

enum { SB_PEER_BATCH = 32 }; /* peers of one question, at most */

/* One end of a connection, asked about from the other: peer is its address, local is ours. */
struct sb_peer_queue {
	struct sb_addr local, peer; /* in */
	int err;                    /* 0; -ENOENT: there is no such socket in our network namespace; else -errno */
	bool is_held;               /* some process has it open: not one that was closed and is merely not gone */
	uint32_t queued;            /* bytes its owner has not read yet */
	uint64_t received;          /* bytes that have come to it, in all */
	uint32_t uid;               /* whose it is */
};

/* A descriptor to ask with (NETLINK_SOCK_DIAG; needs no privilege). */
int sb_sys_diag_open(struct sb_sys *sys);
/* Asks the kernel about n <= SB_PEER_BATCH TCP sockets in one message, and takes its answers: 0, or -errno when none
 * could be had. */
int sb_sys_peer_queues(struct sb_sys *sys, int diag, struct sb_peer_queue *q, size_t n);

/* ---- waiting ---- */
/* poll(2)'s and epoll(7)'s, which agree. */
enum sb_poll_bits {
	SB_POLL_IN = 0x001,
	SB_POLL_PRI = 0x002,
	SB_POLL_OUT = 0x004,
	SB_POLL_ERR = 0x008,
	SB_POLL_HUP = 0x010,
	SB_POLL_RDHUP = 0x2000,
	SB_POLL_EDGE = 1 << 16, /* epoll: tell me once */
};

/* Laid out as struct pollfd. */
struct sb_pollfd {
	int fd;
	short events, revents;
};

struct sb_epoll_event {
	uint32_t bits;
	uint64_t token;
};

enum { SB_EPOLL_MAX = 128 }; /* events of one wait, at most */

/* wait_ns < 0: no limit. Rounds up to what the kernel can do, so that it never spins just before a deadline. */
int sb_sys_poll(struct sb_sys *sys, struct sb_pollfd *fds, size_t n, int64_t wait_ns);
/* The same for one fd: which of bits, ERR and HUP are true of it now or within wait_ns; 0: none. */
int sb_sys_poll_one(struct sb_sys *sys, int fd, unsigned bits, int64_t wait_ns);
int sb_sys_epoll_open(struct sb_sys *sys);
int sb_sys_epoll_add(struct sb_sys *sys, int ep, int fd, uint32_t bits, uint64_t token);
int sb_sys_epoll_mod(struct sb_sys *sys, int ep, int fd, uint32_t bits, uint64_t token);
int sb_sys_epoll_del(struct sb_sys *sys, int ep, int fd);
int sb_sys_epoll_wait(struct sb_sys *sys, int ep, struct sb_epoll_event *out, int max, int64_t wait_ns);

/* ---- the rest ---- */
uint64_t sb_sys_now(struct sb_sys *sys); /* CLOCK_MONOTONIC, nanoseconds */
int sb_sys_random(struct sb_sys *sys, void *p, size_t n);
/* Writes if it can do so without blocking, else -EAGAIN; for pipes, terminals, files and sockets alike. */
long sb_sys_log_write(struct sb_sys *sys, int fd, const void *p, size_t n);
/* An fd that means nothing, kept so that there is one to give up when there are no more. */
int sb_sys_spare_fd(struct sb_sys *sys);
/* An fd that becomes readable when posted; post is async-signal-safe. */
int sb_sys_wake_open(struct sb_sys *sys);
int sb_sys_wake_post(struct sb_sys *sys, int fd);
int sb_sys_wake_clear(struct sb_sys *sys, int fd);
/* Removes a unix socket's file; refuses (-ENOTSOCK) what is not a socket. */
int sb_sys_unlink_socket(struct sb_sys *sys, const char *path);
/* Bytes that wait in the kernel's receive (or, sent but not yet taken, send) queue of a stream. */
int sb_sys_queued_in(struct sb_sys *sys, int fd);
int sb_sys_queued_out(struct sb_sys *sys, int fd);
/* Asks for the socket not to send what does not fill a segment until it is asked again (TCP_CORK). */
int sb_sys_cork(struct sb_sys *sys, int fd, bool on);

#endif
