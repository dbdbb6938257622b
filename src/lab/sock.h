/* SPDX-License-Identifier: MIT
 *
 * Socket calls as a lesson makes them: plain, blocking, one function for each, and what was called is written down.
 * Nothing is retried, nothing is hidden: each returns what the call returned, or -errno.
 *
 *   struct lab_calls calls = {0};
 *   int fd = lab_socket(&calls, "client", AF_INET, SOCK_STREAM);
 *   lab_connect(&calls, fd, "127.0.0.1", 7777);
 *   lab_send(&calls, fd, "hello", 5);
 *   puts(calls.text);     socket(AF_INET, SOCK_STREAM, 0) = client
 *                         connect(client, 127.0.0.1:7777) = 0
 *                         send(client, 5 bytes) = 5
 *
 * A call that is made again with the same result adds to the line before: "… = 100, 10 times". A descriptor that was
 * closed is called "closed". calls may be NULL, and may be shared by threads. Addresses are numeric, IPv4 or IPv6; a
 * port is in the host's order.
 */
#ifndef SB_LAB_SOCK_H
#define SB_LAB_SOCK_H

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

enum { LAB_CALLS_MAX = 16 * 1024, LAB_LINE_MAX = 160, LAB_NAMES_MAX = 32, LAB_NAME_MAX = 16 };

struct lab_calls {
	char text[LAB_CALLS_MAX]; /* lines, NUL-terminated */
	size_t n;
	size_t last; /* where the last line begins */
	unsigned times;
	char line[LAB_LINE_MAX];                /* the last line, without how often */
	char name[LAB_NAMES_MAX][LAB_NAME_MAX]; /* of descriptors, by number where they fit */
	unsigned left_out;                      /* lines for which there was no room */
};

/* A line of one's own, as a call that there is no function for. */
void lab_say(struct lab_calls *calls, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What a descriptor is called in the lines; its number, in room, when it has no name. calls may be NULL. */
const char *lab_name_of(const struct lab_calls *calls, int fd, char room[LAB_NAME_MAX]);

/* name: what the descriptor is called in the lines from here on, kept if it is at most 15 characters long. */
int lab_socket(struct lab_calls *calls, const char *name, int family, int type);
/* Of a protocol that is not the usual one, 0, of its family and type. */
int lab_socket_of(struct lab_calls *calls, const char *name, int family, int type, int protocol);
int lab_bind(struct lab_calls *calls, int fd, const char *ip, uint16_t port);
int lab_listen(struct lab_calls *calls, int fd, int backlog);
int lab_accept(struct lab_calls *calls, const char *name, int fd);
/* And who it is from, as text. */
int lab_accept_from(struct lab_calls *calls, const char *name, int fd, char ip[INET6_ADDRSTRLEN]);
int lab_connect(struct lab_calls *calls, int fd, const char *ip, uint16_t port);
int lab_shutdown(struct lab_calls *calls, int fd); /* of the sending side */
int lab_close(struct lab_calls *calls, int fd);
/* What the socket is bound to: its port, 0 when it has none, and its address as text. */
int lab_getsockname(struct lab_calls *calls, int fd, char ip[INET6_ADDRSTRLEN]);

/* now: MSG_DONTWAIT, whatever the socket's mode. A reset peer is -EPIPE, and no signal. */
long lab_send(struct lab_calls *calls, int fd, const void *p, size_t n);
long lab_send_now(struct lab_calls *calls, int fd, const void *p, size_t n);
long lab_recv(struct lab_calls *calls, int fd, void *p, size_t n);
long lab_recv_now(struct lab_calls *calls, int fd, void *p, size_t n);
long lab_sendto(struct lab_calls *calls, int fd, const void *p, size_t n, const char *ip, uint16_t port);
/* from may be NULL; it is the sender's port. */
long lab_recvfrom(struct lab_calls *calls, int fd, void *p, size_t n, uint16_t *from);

/* Options by name, as in sockopt/sockopts.def: ints. SO_LINGER: -1 is off, else seconds. */
int lab_set(struct lab_calls *calls, int fd, const char *option, int value);
int lab_get(struct lab_calls *calls, int fd, const char *option, int *value);
/* How it finds out what the network can take: the name of an algorithm. */
int lab_set_congestion(struct lab_calls *calls, int fd, const char *name);
int lab_get_congestion(struct lab_calls *calls, int fd, char name[LAB_NAME_MAX]);
/* The protocol that a family and a type came to, IPPROTO_TCP say, or -errno. */
int lab_get_protocol(struct lab_calls *calls, int fd);
/* Any level, name and length, as they are: for what is wrong with them. */
int lab_set_raw(struct lab_calls *calls, int fd, int level, int name, const void *value, size_t n);

/* Blocking or not (O_NONBLOCK). */
int lab_set_blocking(struct lab_calls *calls, int fd, bool is_blocking);
/* Waits until fd is ready for one of events (poll(2)), ms at most, -1 for ever: what it is ready for, 0, or -errno. */
int lab_poll(struct lab_calls *calls, int fd, int events, int ms);

/* ---- waiting for many, as long as it takes: not written down, it is done too often ---- */

/* n: the largest descriptor and one more. Leaves in the set what can be read: how many, or -errno. */
int lab_select(int n, fd_set *set);
/* Sets revents: of how many, or -errno. */
int lab_poll_all(struct pollfd *all, size_t n);
/* A descriptor that watches others, or -errno; add: for what can be read, 0 or -errno. */
int lab_epoll(void);
int lab_epoll_add(int epoll, int fd);
/* Those that are ready, data.fd of each: how many, max at most, or -errno. */
int lab_epoll_wait(int epoll, struct epoll_event *ready, int max);

/* ---- what is not written down: it only looks ---- */

/* The port a socket is bound to, or -errno. */
int lab_port(int fd);

/* How many connections wait in a listener for accept (TCP_INFO), or -errno. */
int lab_accept_queue(int fd);

/* A socket's two buffers in the kernel. used: bytes of payload (SIOCINQ, SIOCOUTQ); held: memory that they take, and
 * room: as much as they may take (SO_MEMINFO). */
struct lab_buffer {
	uint64_t used, held, room;
};

struct lab_levels {
	struct lab_buffer send, recv;
};

/* 0, or -errno. Of a listener or a socket that is not connected, used is 0. */
int lab_levels_of(int fd, struct lab_levels *levels);

/* What TCP itself tells of a connection (TCP_INFO). window: bytes the peer says it has room for; resent: segments,
 * which may be cut anew, and resent_bytes; probes: questions (keepalive, closed window) without an answer yet; cwnd:
 * segments that may be on their way at once (congestion control), and slow_until: how far that grows fast (ssthresh).
 */
struct lab_tcp {
	uint64_t segments, data_segments, resent, resent_bytes, segment_size, window, unsent, probes, cwnd, slow_until;
};

/* 0, or -errno. */
int lab_tcp_of(int fd, struct lab_tcp *tcp);
/* Datagrams that a socket had no room for (SO_MEMINFO), or -errno. */
long lab_drops_of(int fd);

uint64_t lab_now(void);      /* nanoseconds, monotonic */
uint64_t lab_cpu_time(void); /* of this thread, nanoseconds */
void lab_sleep(unsigned ms);

#endif
