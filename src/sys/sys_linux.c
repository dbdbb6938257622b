/* SPDX-License-Identifier: MIT
 *
 * The real kernel: every function of sys.h is one system call and a translation of its structs.
 * This is the only file of the server that names a socket call.
 */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct sb_pollfd) == sizeof(struct pollfd), "sb_pollfd is struct pollfd");
_Static_assert(offsetof(struct sb_pollfd, revents) == offsetof(struct pollfd, revents), "sb_pollfd is struct pollfd");
_Static_assert(SB_POLL_IN == POLLIN && SB_POLL_PRI == POLLPRI && SB_POLL_OUT == POLLOUT, "the bits are poll's");
_Static_assert(SB_POLL_ERR == POLLERR && SB_POLL_HUP == POLLHUP && SB_POLL_RDHUP == POLLRDHUP, "the bits are poll's");
_Static_assert(SB_POLL_IN == (int)EPOLLIN && SB_POLL_PRI == (int)EPOLLPRI && SB_POLL_OUT == (int)EPOLLOUT &&
		       SB_POLL_RDHUP == (int)EPOLLRDHUP,
	       "and epoll's");

/* The real kernel needs no state of ours. */
struct sb_sys {
	char unused;
};

struct sb_sys *sb_sys_open(void)
{
	static struct sb_sys kernel;

	return &kernel;
}

/* ---- addresses ---- */

union any_addr {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

static socklen_t to_kernel(union any_addr *to, const struct sb_addr *from)
{
	memset(to, 0, sizeof(*to));
	if (from->family == SB_IPV4) {
		to->in4.sin_family = AF_INET;
		to->in4.sin_port = htons(from->port);
		memcpy(&to->in4.sin_addr, from->ip, 4);
		return sizeof(to->in4);
	}
	to->in6.sin6_family = AF_INET6;
	to->in6.sin6_port = htons(from->port);
	to->in6.sin6_scope_id = from->scope;
	memcpy(&to->in6.sin6_addr, from->ip, 16);
	return sizeof(to->in6);
}

/* n is what the kernel wrote: an unnamed unix peer has only its family, or nothing. */
static void from_kernel(struct sb_addr *to, const union any_addr *from, socklen_t n)
{
	*to = (struct sb_addr){.family = SB_UNIX};
	if (n < sizeof(from->sa.sa_family))
		return;
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the kernel has written it. */
	if (from->sa.sa_family == AF_INET) {
		to->family = SB_IPV4;
		to->port = ntohs(from->in4.sin_port);
		memcpy(to->ip, &from->in4.sin_addr, 4);
	} else if (from->sa.sa_family == AF_INET6) {
		to->family = SB_IPV6;
		to->port = ntohs(from->in6.sin6_port);
		to->scope = from->in6.sin6_scope_id;
		memcpy(to->ip, &from->in6.sin6_addr, 16);
		sb_addr_unmap(to);
	}
}

/* 0, or -ENAMETOOLONG: the kernel would cut a longer path and make another file. */
static int to_kernel_unix(union any_addr *to, const char *path, socklen_t *n)
{
	size_t len = strlen(path);

	memset(to, 0, sizeof(*to));
	if (len >= sizeof(to->un.sun_path))
		return -ENAMETOOLONG;
	to->un.sun_family = AF_UNIX;
	memcpy(to->un.sun_path, path, len + 1);
	*n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return 0;
}

static int answer(int r)
{
	return r < 0 ? -errno : r;
}

static long answer_long(ssize_t r)
{
	return r < 0 ? -errno : r;
}

/* ---- sockets ---- */

int sb_sys_socket(struct sb_sys *sys, int family, bool is_stream)
{
	int domain = family == SB_IPV4 ? AF_INET : family == SB_IPV6 ? AF_INET6 : AF_UNIX;

	(void)sys;
	return answer(socket(domain, (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int sb_sys_bind(struct sb_sys *sys, int fd, const struct sb_addr *addr)
{
	union any_addr to;
	socklen_t n = to_kernel(&to, addr);

	(void)sys;
	return answer(bind(fd, &to.sa, n));
}

int sb_sys_bind_unix(struct sb_sys *sys, int fd, const char *path)
{
	union any_addr to;
	socklen_t n;
	int r = to_kernel_unix(&to, path, &n);

	(void)sys;
	return r < 0 ? r : answer(bind(fd, &to.sa, n));
}

int sb_sys_listen(struct sb_sys *sys, int fd, int backlog)
{
	(void)sys;
	return answer(listen(fd, backlog));
}

int sb_sys_accept(struct sb_sys *sys, int fd, struct sb_addr *peer)
{
	union any_addr from;
	socklen_t n = sizeof(from);
	int r = accept4(fd, &from.sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)sys;
	if (r < 0)
		return -errno;
	from_kernel(peer, &from, n);
	return r;
}

int sb_sys_connect(struct sb_sys *sys, int fd, const struct sb_addr *addr)
{
	union any_addr to;
	socklen_t n = to_kernel(&to, addr);

	(void)sys;
	return answer(connect(fd, &to.sa, n));
}

int sb_sys_connect_unix(struct sb_sys *sys, int fd, const char *path)
{
	union any_addr to;
	socklen_t n;
	int r = to_kernel_unix(&to, path, &n);

	(void)sys;
	return r < 0 ? r : answer(connect(fd, &to.sa, n));
}

int sb_sys_sockname(struct sb_sys *sys, int fd, struct sb_addr *addr)
{
	union any_addr from;
	socklen_t n = sizeof(from);
	int r = getsockname(fd, &from.sa, &n);

	(void)sys;
	if (r < 0)
		return -errno;
	from_kernel(addr, &from, n);
	return 0;
}

int sb_sys_peername(struct sb_sys *sys, int fd, struct sb_addr *addr)
{
	union any_addr from;
	socklen_t n = sizeof(from);
	int r = getpeername(fd, &from.sa, &n);

	(void)sys;
	if (r < 0)
		return -errno;
	from_kernel(addr, &from, n);
	return 0;
}

int sb_sys_shutdown_write(struct sb_sys *sys, int fd)
{
	(void)sys;
	return answer(shutdown(fd, SHUT_WR));
}

int sb_sys_close(struct sb_sys *sys, int fd)
{
	(void)sys;
	return answer(close(fd));
}

int sb_sys_reset_on_close(struct sb_sys *sys, int fd)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	(void)sys;
	return answer(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
}

int sb_sys_setopt(struct sb_sys *sys, int fd, int level, int name, const void *value, size_t n)
{
	(void)sys;
	return answer(setsockopt(fd, level, name, value, (socklen_t)n));
}

int sb_sys_getopt(struct sb_sys *sys, int fd, int level, int name, void *value, size_t *n)
{
	socklen_t size = (socklen_t)*n;
	int r = getsockopt(fd, level, name, value, &size);

	(void)sys;
	*n = size;
	return answer(r);
}

/* ---- bytes ---- */

long sb_sys_recv(struct sb_sys *sys, int fd, void *p, size_t n)
{
	(void)sys;
	return answer_long(recv(fd, p, n, 0));
}

long sb_sys_send(struct sb_sys *sys, int fd, const struct sb_slice *iov, int iov_n)
{
	struct iovec v[2];
	struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)iov_n};

	(void)sys;
	if (iov_n == 1)
		return answer_long(send(fd, iov[0].p, iov[0].n, MSG_NOSIGNAL));
	for (int i = 0; i < iov_n && i < 2; i++)
		v[i] = (struct iovec){.iov_base = (void *)(uintptr_t)iov[i].p, .iov_len = iov[i].n};
	return answer_long(sendmsg(fd, &m, MSG_NOSIGNAL));
}

/* Room for one IP_PKTINFO or IPV6_PKTINFO. */
union pktinfo_room {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static void read_pktinfo(struct msghdr *m, struct sb_addr *dst)
{
	*dst = (struct sb_addr){.family = SB_UNIX};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			dst->family = SB_IPV4;
			memcpy(dst->ip, &info.ipi_addr, 4);
			/* They differ when it was sent to more than us: nothing else tells a network's broadcast
			 * address, so it is given as the one that everybody knows. */
			if (info.ipi_spec_dst.s_addr != info.ipi_addr.s_addr)
				memset(dst->ip, 0xff, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			dst->family = SB_IPV6;
			dst->scope = info.ipi6_ifindex;
			memcpy(dst->ip, &info.ipi6_addr, 16);
			sb_addr_unmap(dst);
		}
	}
}

long sb_sys_recvfrom(struct sb_sys *sys, int fd, void *p, size_t n, struct sb_addr *src, struct sb_addr *dst)
{
	union any_addr from;
	union pktinfo_room room;
	struct iovec v = {.iov_base = p, .iov_len = n};
	struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1};
	ssize_t r;

	(void)sys;
	if (dst) {
		m.msg_control = &room;
		m.msg_controllen = sizeof(room);
	}
	r = recvmsg(fd, &m, MSG_TRUNC);
	if (r < 0)
		return -errno;
	from_kernel(src, &from, m.msg_namelen);
	if (dst)
		read_pktinfo(&m, dst);
	return r;
}

static void write_pktinfo(struct msghdr *m, union pktinfo_room *room, const struct sb_addr *src)
{
	struct cmsghdr *c;

	memset(room, 0, sizeof(*room));
	m->msg_control = room;
	m->msg_controllen = sizeof(*room);
	c = CMSG_FIRSTHDR(m);
	if (src->family == SB_IPV4) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, src->ip, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_ifindex = src->scope};

		memcpy(&info.ipi6_addr, src->ip, 16);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

long sb_sys_sendto(struct sb_sys *sys, int fd, struct sb_slice bytes, const struct sb_addr *dst,
		   const struct sb_addr *src)
{
	union any_addr to;
	union pktinfo_room room;
	struct iovec v = {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

	(void)sys;
	if (dst) {
		m.msg_namelen = to_kernel(&to, dst);
		m.msg_name = &to;
	}
	if (src && src->family != SB_UNIX)
		write_pktinfo(&m, &room, src);
	return answer_long(sendmsg(fd, &m, MSG_NOSIGNAL));
}

int sb_sys_want_dst(struct sb_sys *sys, int fd, int family)
{
	int on = 1;

	(void)sys;
	if (family == SB_IPV4)
		return answer(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)));
	return answer(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)));
}

/* ---- waiting ---- */

/* Up to the next whole unit: waking a moment late is right, waking early would spin until the deadline. */
static struct timespec wait_time(int64_t wait_ns)
{
	return (struct timespec){.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
}

int sb_sys_poll(struct sb_sys *sys, struct sb_pollfd *fds, size_t n, int64_t wait_ns)
{
	struct timespec t = wait_time(wait_ns < 0 ? 0 : wait_ns);

	(void)sys;
	return answer(ppoll((struct pollfd *)fds, n, wait_ns < 0 ? NULL : &t, NULL));
}

int sb_sys_poll_one(struct sb_sys *sys, int fd, unsigned bits, int64_t wait_ns)
{
	struct pollfd one = {.fd = fd, .events = (short)bits};
	struct timespec t = wait_time(wait_ns);
	int r = ppoll(&one, 1, &t, NULL);

	(void)sys;
	return r < 0 ? -errno : (unsigned short)one.revents;
}

int sb_sys_epoll_open(struct sb_sys *sys)
{
	(void)sys;
	return answer(epoll_create1(EPOLL_CLOEXEC));
}

static int epoll_change(int ep, int op, int fd, uint32_t bits, uint64_t token)
{
	struct epoll_event e = {.events = bits & ~(uint32_t)SB_POLL_EDGE, .data.u64 = token};

	if (bits & SB_POLL_EDGE)
		e.events |= EPOLLET;
	return answer(epoll_ctl(ep, op, fd, &e));
}

int sb_sys_epoll_add(struct sb_sys *sys, int ep, int fd, uint32_t bits, uint64_t token)
{
	(void)sys;
	return epoll_change(ep, EPOLL_CTL_ADD, fd, bits, token);
}

int sb_sys_epoll_mod(struct sb_sys *sys, int ep, int fd, uint32_t bits, uint64_t token)
{
	(void)sys;
	return epoll_change(ep, EPOLL_CTL_MOD, fd, bits, token);
}

int sb_sys_epoll_del(struct sb_sys *sys, int ep, int fd)
{
	(void)sys;
	return answer(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
}

/* Waits that are shorter are told to the kernel to the nanosecond. */
enum { FINE_NS = 100 * 1000 * 1000 };

/* Whole milliseconds, as kernels before 5.11 have it. */
static int await_ms(int ep, struct epoll_event *events, int max, int64_t wait_ns)
{
	int64_t ms = wait_ns < 0 ? -1 : wait_ns / 1000000 + (wait_ns % 1000000 != 0);

	return epoll_wait(ep, events, max, (int)(ms < INT_MAX ? ms : INT_MAX));
}

/* MemorySanitizer does not know epoll_pwait2 yet, and must be told that it fills the events. */
static int await_ns(int ep, struct epoll_event *events, int max, int64_t wait_ns)
{
	struct timespec t = {.tv_nsec = (long)wait_ns};
	int n;

	memset(events, 0, (size_t)max * sizeof(*events));
	n = epoll_pwait2(ep, events, max, &t, NULL);
	/* A sandbox may refuse what it has not heard of. */
	return n < 0 && (errno == ENOSYS || errno == EPERM) ? await_ms(ep, events, max, wait_ns) : n;
}

int sb_sys_epoll_wait(struct sb_sys *sys, int ep, struct sb_epoll_event *out, int max, int64_t wait_ns)
{
	struct epoll_event events[SB_EPOLL_MAX];
	int most = max < SB_EPOLL_MAX ? max : SB_EPOLL_MAX;
	int n = wait_ns > 0 && wait_ns < FINE_NS ? await_ns(ep, events, most, wait_ns)
						 : await_ms(ep, events, most, wait_ns);

	(void)sys;
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++)
		out[i] = (struct sb_epoll_event){.bits = events[i].events, .token = events[i].data.u64};
	return n;
}

/* ---- the rest ---- */

uint64_t sb_sys_now(struct sb_sys *sys)
{
	struct timespec t;

	(void)sys;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int sb_sys_random(struct sb_sys *sys, void *p, size_t n)
{
	(void)sys;
	return answer((int)getrandom(p, n, 0));
}

/* A pipe or terminal whose poll says OUT takes up to PIPE_BUF bytes without blocking, a socket is told not
 * to, and a file never blocks for long. O_NONBLOCK is not used: it would be shared with whoever gave us the fd. */
long sb_sys_log_write(struct sb_sys *sys, int fd, const void *p, size_t n)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	ssize_t r;

	(void)sys;
	if (poll(&room, 1, 0) < 1)
		return -EAGAIN;
	if (room.revents & (POLLERR | POLLHUP | POLLNVAL))
		return -EPIPE;
	r = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (r < 0 && errno == ENOTSOCK)
		r = write(fd, p, n < PIPE_BUF ? n : PIPE_BUF);
	return answer_long(r);
}

int sb_sys_spare_fd(struct sb_sys *sys)
{
	(void)sys;
	return answer(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

int sb_sys_wake_open(struct sb_sys *sys)
{
	(void)sys;
	return answer(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

int sb_sys_wake_post(struct sb_sys *sys, int fd)
{
	uint64_t one = 1;

	(void)sys;
	return answer((int)write(fd, &one, sizeof(one)));
}

int sb_sys_wake_clear(struct sb_sys *sys, int fd)
{
	uint64_t count;

	(void)sys;
	return answer((int)read(fd, &count, sizeof(count)));
}

int sb_sys_unlink_socket(struct sb_sys *sys, const char *path)
{
	struct stat st;

	(void)sys;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	return answer(unlink(path));
}

static int queued(int fd, unsigned long which)
{
	int n = 0;

	return ioctl(fd, which, &n) < 0 ? -errno : n;
}

int sb_sys_queued_in(struct sb_sys *sys, int fd)
{
	(void)sys;
	return queued(fd, SIOCINQ);
}

int sb_sys_queued_out(struct sb_sys *sys, int fd)
{
	(void)sys;
	return queued(fd, SIOCOUTQ);
}

int sb_sys_cork(struct sb_sys *sys, int fd, bool on)
{
	int value = on;

	(void)sys;
	return answer(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof(value)));
}
