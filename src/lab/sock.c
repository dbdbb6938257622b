/* SPDX-License-Identifier: MIT
 * Socket calls as a lesson makes them. See sock.h. */
#include "lab/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "sockopt/sockopt.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- what is written down ---- */

/* The last line again, with how often. */
static void write_line(struct lab_calls *c)
{
	size_t room = sizeof(c->text) - c->last;
	int n = c->times > 1 ? snprintf(c->text + c->last, room, "%s, %u times\n", c->line, c->times)
			     : snprintf(c->text + c->last, room, "%s\n", c->line);

	if (n < 0 || (size_t)n >= room) {
		c->left_out++;
		c->text[c->last] = '\0';
		return;
	}
	c->n = c->last + (size_t)n;
}

static void add_line(struct lab_calls *c, const char *line)
{
	pthread_mutex_lock(&lock);
	if (c->times > 0 && strcmp(line, c->line) == 0) {
		c->times++;
	} else {
		snprintf(c->line, sizeof(c->line), "%s", line);
		c->last = c->n;
		c->times = 1;
	}
	write_line(c);
	pthread_mutex_unlock(&lock);
}

void lab_say(struct lab_calls *calls, const char *format, ...)
{
	char line[LAB_LINE_MAX];
	va_list args;

	if (!calls)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	add_line(calls, line);
}

/* A descriptor as the lesson calls it. */
static const char *of(const struct lab_calls *c, int fd, char room[LAB_NAME_MAX])
{
	if (c && fd >= 0 && fd < LAB_NAMES_MAX && c->name[fd][0])
		return c->name[fd];
	snprintf(room, LAB_NAME_MAX, "%d", fd);
	return room;
}

const char *lab_name_of(const struct lab_calls *calls, int fd, char room[LAB_NAME_MAX])
{
	return of(calls, fd, room);
}

static void name_it(struct lab_calls *c, int fd, const char *name)
{
	if (c && fd >= 0 && fd < LAB_NAMES_MAX)
		snprintf(c->name[fd], sizeof(c->name[fd]), "%s", name ? name : "");
}

/* "… = 100" or "… = -1 ECONNREFUSED", whatever was called. Returns r. */
static long said(struct lab_calls *c, long r, const char *format, ...) __attribute__((format(printf, 3, 4)));

static long said(struct lab_calls *c, long r, const char *format, ...)
{
	char what[LAB_LINE_MAX];
	va_list args;

	if (!c)
		return r;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (r < 0)
		lab_say(c, "%.120s = -1 %s", what, sb_errname((int)r));
	else
		lab_say(c, "%.120s = %ld", what, r);
	return r;
}

static long result(long r)
{
	return r < 0 ? -errno : r;
}

/* ---- addresses ---- */

union any_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Its size, 0 when ip is no address. */
static socklen_t address_of(union any_addr *a, const char *ip, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, ip, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		return sizeof(a->v4);
	}
	if (inet_pton(AF_INET6, ip, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		return sizeof(a->v6);
	}
	return 0;
}

/* The address as text, "?" when there is none; and its port. */
static unsigned text_of(const union any_addr *a, char ip[INET6_ADDRSTRLEN])
{
	bool is_v6 = a->any.sa_family == AF_INET6;

	snprintf(ip, INET6_ADDRSTRLEN, "?");
	inet_ntop(a->any.sa_family, is_v6 ? (const void *)&a->v6.sin6_addr : (const void *)&a->v4.sin_addr, ip,
		  INET6_ADDRSTRLEN);
	return ntohs(is_v6 ? a->v6.sin6_port : a->v4.sin_port);
}

int lab_port(int fd)
{
	union any_addr a = {.any.sa_family = AF_INET};
	socklen_t n = sizeof(a);

	if (getsockname(fd, &a.any, &n) < 0)
		return -errno;
	return ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

/* ---- the calls ---- */

static const char *family_name(int family)
{
	return family == AF_INET    ? "AF_INET"
	       : family == AF_INET6 ? "AF_INET6"
	       : family == AF_UNIX  ? "AF_UNIX"
	       : family == AF_MAX   ? "AF_MAX"
				    : "?";
}

static const char *type_name(int type)
{
	return type == SOCK_STREAM  ? "SOCK_STREAM"
	       : type == SOCK_DGRAM ? "SOCK_DGRAM"
	       : type == SOCK_RDM   ? "SOCK_RDM"
				    : "?";
}

static const char *protocol_name(int protocol)
{
	return protocol == 0             ? "0"
	       : protocol == IPPROTO_TCP ? "IPPROTO_TCP"
	       : protocol == IPPROTO_UDP ? "IPPROTO_UDP"
					 : "?";
}

int lab_socket(struct lab_calls *calls, const char *name, int family, int type)
{
	return lab_socket_of(calls, name, family, type, 0);
}

int lab_socket_of(struct lab_calls *calls, const char *name, int family, int type, int protocol)
{
	const char *by = protocol_name(protocol);
	int fd = (int)result(socket(family, type | SOCK_CLOEXEC, protocol));

	name_it(calls, fd, name);
	if (fd < 0)
		return (int)said(calls, fd, "socket(%s, %s, %s)", family_name(family), type_name(type), by);
	lab_say(calls, "socket(%s, %s, %s) = %s", family_name(family), type_name(type), by, name);
	return fd;
}

int lab_bind(struct lab_calls *calls, int fd, const char *ip, uint16_t port)
{
	char room[LAB_NAME_MAX];
	union any_addr a;
	socklen_t n = address_of(&a, ip, port);
	long r = n ? result(bind(fd, &a.any, n)) : -EINVAL;

	return (int)said(calls, r, "bind(%s, %s port %u)", of(calls, fd, room), ip, port);
}

int lab_listen(struct lab_calls *calls, int fd, int backlog)
{
	char room[LAB_NAME_MAX];

	return (int)said(calls, result(listen(fd, backlog)), "listen(%s, %d)", of(calls, fd, room), backlog);
}

int lab_accept(struct lab_calls *calls, const char *name, int fd)
{
	char room[LAB_NAME_MAX];
	int r = (int)result(accept4(fd, NULL, NULL, SOCK_CLOEXEC));

	if (r < 0)
		return (int)said(calls, r, "accept(%s)", of(calls, fd, room));
	name_it(calls, r, name);
	lab_say(calls, "accept(%s) = %s", of(calls, fd, room), name);
	return r;
}

int lab_accept_from(struct lab_calls *calls, const char *name, int fd, char ip[INET6_ADDRSTRLEN])
{
	char room[LAB_NAME_MAX];
	union any_addr a = {.any.sa_family = AF_UNSPEC};
	socklen_t n = sizeof(a);
	int r = (int)result(accept4(fd, &a.any, &n, SOCK_CLOEXEC));
	unsigned port = text_of(&a, ip);

	if (r < 0)
		return (int)said(calls, r, "accept(%s, &address)", of(calls, fd, room));
	name_it(calls, r, name);
	lab_say(calls, "accept(%s, &address) = %s, from %s port %u", of(calls, fd, room), name, ip, port);
	return r;
}

int lab_connect(struct lab_calls *calls, int fd, const char *ip, uint16_t port)
{
	char room[LAB_NAME_MAX];
	union any_addr a;
	socklen_t n = address_of(&a, ip, port);
	long r = n ? result(connect(fd, &a.any, n)) : -EINVAL;

	return (int)said(calls, r, "connect(%s, %s port %u)", of(calls, fd, room), ip, port);
}

int lab_shutdown(struct lab_calls *calls, int fd)
{
	char room[LAB_NAME_MAX];

	return (int)said(calls, result(shutdown(fd, SHUT_WR)), "shutdown(%s, SHUT_WR)", of(calls, fd, room));
}

int lab_close(struct lab_calls *calls, int fd)
{
	char room[LAB_NAME_MAX];
	long r = result(close(fd));

	said(calls, r, "close(%s)", of(calls, fd, room));
	name_it(calls, fd, "closed");
	return (int)r;
}

int lab_getsockname(struct lab_calls *calls, int fd, char ip[INET6_ADDRSTRLEN])
{
	char room[LAB_NAME_MAX];
	union any_addr a = {.any.sa_family = AF_UNSPEC};
	socklen_t n = sizeof(a);
	long r = result(getsockname(fd, &a.any, &n));
	unsigned port = text_of(&a, ip);

	if (r < 0)
		return (int)said(calls, r, "getsockname(%s)", of(calls, fd, room));
	lab_say(calls, "getsockname(%s) = %s port %u", of(calls, fd, room), ip, port);
	return (int)port;
}

static long send_by(struct lab_calls *calls, int fd, const void *p, size_t n, int flags)
{
	char room[LAB_NAME_MAX];
	long r = result(send(fd, p, n, MSG_NOSIGNAL | flags));

	return said(calls, r, "send(%s, %zu bytes%s)", of(calls, fd, room), n, flags ? ", MSG_DONTWAIT" : "");
}

long lab_send(struct lab_calls *calls, int fd, const void *p, size_t n)
{
	return send_by(calls, fd, p, n, 0);
}

long lab_send_now(struct lab_calls *calls, int fd, const void *p, size_t n)
{
	return send_by(calls, fd, p, n, MSG_DONTWAIT);
}

static long recv_by(struct lab_calls *calls, int fd, void *p, size_t n, int flags)
{
	char room[LAB_NAME_MAX];
	long r = result(recv(fd, p, n, flags));

	return said(calls, r, "recv(%s, room for %zu%s)", of(calls, fd, room), n, flags ? ", MSG_DONTWAIT" : "");
}

long lab_recv(struct lab_calls *calls, int fd, void *p, size_t n)
{
	return recv_by(calls, fd, p, n, 0);
}

long lab_recv_now(struct lab_calls *calls, int fd, void *p, size_t n)
{
	return recv_by(calls, fd, p, n, MSG_DONTWAIT);
}

long lab_sendto(struct lab_calls *calls, int fd, const void *p, size_t n, const char *ip, uint16_t port)
{
	char room[LAB_NAME_MAX];
	union any_addr a;
	socklen_t size = address_of(&a, ip, port);
	long r = size ? result(sendto(fd, p, n, MSG_NOSIGNAL, &a.any, size)) : -EINVAL;

	return said(calls, r, "sendto(%s, %zu bytes, %s port %u)", of(calls, fd, room), n, ip, port);
}

long lab_recvfrom(struct lab_calls *calls, int fd, void *p, size_t n, uint16_t *from)
{
	char room[LAB_NAME_MAX];
	union any_addr a = {.any.sa_family = AF_INET};
	socklen_t size = sizeof(a);
	long r = result(recvfrom(fd, p, n, 0, &a.any, &size));

	if (from)
		*from = ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
	return said(calls, r, "recvfrom(%s, room for %zu)", of(calls, fd, room), n);
}

/* ---- options ---- */

int lab_set(struct lab_calls *calls, int fd, const char *option, int value)
{
	const struct sb_sockopt *row = sb_sockopt_named((struct sb_slice){(const uint8_t *)option, strlen(option)});
	struct linger linger = {.l_onoff = value >= 0, .l_linger = value};
	char room[LAB_NAME_MAX];
	long r = -ENOPROTOOPT;

	if (row && row->kind == SB_OPT_LINGER)
		r = result(setsockopt(fd, row->level, row->optname, &linger, sizeof(linger)));
	else if (row)
		r = result(setsockopt(fd, row->level, row->optname, &value, sizeof(value)));
	return (int)said(calls, r, "setsockopt(%s, %s, %d)", of(calls, fd, room), option, value);
}

int lab_get(struct lab_calls *calls, int fd, const char *option, int *value)
{
	const struct sb_sockopt *row = sb_sockopt_named((struct sb_slice){(const uint8_t *)option, strlen(option)});
	struct linger linger = {0};
	socklen_t n = sizeof(*value), linger_n = sizeof(linger);
	char room[LAB_NAME_MAX];
	long r = -ENOPROTOOPT;

	if (row && row->kind == SB_OPT_LINGER) {
		r = result(getsockopt(fd, row->level, row->optname, &linger, &linger_n));
		*value = linger.l_onoff ? linger.l_linger : -1;
	} else if (row) {
		r = result(getsockopt(fd, row->level, row->optname, value, &n));
	}
	if (r < 0)
		return (int)said(calls, r, "getsockopt(%s, %s)", of(calls, fd, room), option);
	lab_say(calls, "getsockopt(%s, %s) = %d", of(calls, fd, room), option, *value);
	return 0;
}

int lab_get_protocol(struct lab_calls *calls, int fd)
{
	char room[LAB_NAME_MAX];
	int protocol = 0;
	socklen_t n = sizeof(protocol);
	long r = result(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &n));

	if (r < 0)
		return (int)said(calls, r, "getsockopt(%s, SO_PROTOCOL)", of(calls, fd, room));
	lab_say(calls, "getsockopt(%s, SO_PROTOCOL) = %s", of(calls, fd, room), protocol_name(protocol));
	return protocol;
}

int lab_set_raw(struct lab_calls *calls, int fd, int level, int name, const void *value, size_t n)
{
	char room[LAB_NAME_MAX];
	long r = result(setsockopt(fd, level, name, value, (socklen_t)n));

	return (int)said(calls, r, "setsockopt(%s, level %d, option %d, %zu bytes)", of(calls, fd, room), level, name,
			 n);
}

int lab_set_congestion(struct lab_calls *calls, int fd, const char *name)
{
	char room[LAB_NAME_MAX];
	long r = result(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)));

	return (int)said(calls, r, "setsockopt(%s, TCP_CONGESTION, \"%s\")", of(calls, fd, room), name);
}

int lab_get_congestion(struct lab_calls *calls, int fd, char name[LAB_NAME_MAX])
{
	char room[LAB_NAME_MAX];
	socklen_t n = LAB_NAME_MAX - 1;
	long r;

	memset(name, 0, LAB_NAME_MAX);
	r = result(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n));
	if (r < 0)
		return (int)said(calls, r, "getsockopt(%s, TCP_CONGESTION)", of(calls, fd, room));
	lab_say(calls, "getsockopt(%s, TCP_CONGESTION) = \"%s\"", of(calls, fd, room), name);
	return 0;
}

int lab_set_blocking(struct lab_calls *calls, int fd, bool is_blocking)
{
	int flags = fcntl(fd, F_GETFL);
	char room[LAB_NAME_MAX];
	long r =
		flags < 0 ? -errno : result(fcntl(fd, F_SETFL, is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK));

	return (int)said(calls, r, "fcntl(%s, F_SETFL, %s)", of(calls, fd, room), is_blocking ? "0" : "O_NONBLOCK");
}

int lab_poll(struct lab_calls *calls, int fd, int events, int ms)
{
	struct pollfd p = {.fd = fd, .events = (short)events};
	char room[LAB_NAME_MAX];
	long r = result(poll(&p, 1, ms));

	said(calls, r, "poll(%s, %s%s%s, %d ms)", of(calls, fd, room), events & POLLIN ? "POLLIN" : "",
	     (events & POLLIN) && (events & POLLOUT) ? "|" : "", events & POLLOUT ? "POLLOUT" : "", ms);
	return r > 0 ? p.revents : (int)r;
}

/* ---- waiting for many ---- */

int lab_select(int n, fd_set *set)
{
	return (int)result(select(n, set, NULL, NULL, NULL));
}

int lab_poll_all(struct pollfd *all, size_t n)
{
	return (int)result(poll(all, n, -1));
}

int lab_epoll(void)
{
	return (int)result(epoll_create1(EPOLL_CLOEXEC));
}

int lab_epoll_add(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return (int)result(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

int lab_epoll_wait(int epoll, struct epoll_event *ready, int max)
{
	return (int)result(epoll_wait(epoll, ready, max, -1));
}

/* ---- looking ---- */

static uint64_t queued(int fd, unsigned long which)
{
	int n = 0;

	return ioctl(fd, which, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

int lab_accept_queue(int fd)
{
	struct tcp_info info = {.tcpi_unacked = 0};
	socklen_t n = sizeof(info);

	/* Of a listener, this field is the length of its queue. */
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 ? -errno : (int)info.tcpi_unacked;
}

int lab_levels_of(int fd, struct lab_levels *levels)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t n = sizeof(info);

	*levels = (struct lab_levels){.send.used = 0};
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &n) < 0)
		return -errno;
	levels->recv = (struct lab_buffer){queued(fd, SIOCINQ), info[SK_MEMINFO_RMEM_ALLOC], info[SK_MEMINFO_RCVBUF]};
	levels->send = (struct lab_buffer){queued(fd, SIOCOUTQ), info[SK_MEMINFO_WMEM_QUEUED], info[SK_MEMINFO_SNDBUF]};
	return 0;
}

int lab_tcp_of(int fd, struct lab_tcp *tcp)
{
	struct tcp_info info = {0};
	socklen_t n = sizeof(info);

	*tcp = (struct lab_tcp){0};
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0)
		return -errno;
	tcp->segments = info.tcpi_segs_out;
	tcp->data_segments = info.tcpi_data_segs_out;
	tcp->resent = info.tcpi_total_retrans;
	tcp->resent_bytes = info.tcpi_bytes_retrans;
	tcp->segment_size = info.tcpi_snd_mss;
	tcp->window = info.tcpi_snd_wnd;
	tcp->unsent = info.tcpi_notsent_bytes;
	tcp->probes = info.tcpi_probes;
	tcp->cwnd = info.tcpi_snd_cwnd;
	tcp->slow_until = info.tcpi_snd_ssthresh;
	return 0;
}

long lab_drops_of(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t n = sizeof(info);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &n) < 0 ? -errno : (long)info[SK_MEMINFO_DROPS];
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t lab_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t lab_cpu_time(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void lab_sleep(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		continue;
}
