/* SPDX-License-Identifier: MIT
 * Experiments: SO_KEEPALIVE, in a network of its own whose one machine can be taken away. */
#include "lab/lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"

enum { PATIENCE = 20000 };

static const char here[] = "127.0.0.1";
static const char away[] = "203.0.113.77"; /* of TEST-NET-3: no machine has it, but in a network of one's own */

/* ---- a network of its own ---- */

static struct sockaddr address_of(const char *ip)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr any;

	inet_pton(AF_INET, ip, &in.sin_addr);
	memcpy(&any, &in, sizeof(any));
	return any;
}

static bool control(struct lab *lab, int fd, unsigned long request, void *arg, const char *what)
{
	int r = ioctl(fd, request, arg) < 0 ? -errno : 0;

	lab_say(&lab->calls, "ioctl(%s) = %s", what, r < 0 ? sb_errname(r) : "0");
	return r == 0;
}

/* This process gets a network with nothing in it but loopback, which is down: root may, and on most systems any user
 * who makes himself the root of a namespace first. Loopback comes up, and has one more address. */
static bool move_out(struct lab *lab)
{
	struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP}, alias = {.ifr_name = "lo:1"};
	int fd;

	if (unshare(CLONE_NEWNET) == 0)
		lab_say(&lab->calls, "unshare(CLONE_NEWNET) = 0");
	else if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
		lab_say(&lab->calls, "unshare(CLONE_NEWUSER | CLONE_NEWNET) = 0");
	else
		return false;
	fd = lab_keep(lab, lab_socket(NULL, "control", AF_INET, SOCK_DGRAM));
	alias.ifr_addr = address_of(away);
	return control(lab, fd, SIOCSIFFLAGS, &up, "SIOCSIFFLAGS, lo is up") &&
	       control(lab, fd, SIOCSIFADDR, &alias, "SIOCSIFADDR, lo is 203.0.113.77 too");
}

/* The address is nobody's any more; what is sent there still leaves, and comes to nothing. */
static bool take_away(struct lab *lab)
{
	struct ifreq down = {.ifr_name = "lo:1"};
	struct rtentry route = {.rt_flags = RTF_UP | RTF_HOST, .rt_dev = (char[]){"lo"}};
	int fd = lab_keep(lab, lab_socket(NULL, "control", AF_INET, SOCK_DGRAM));

	route.rt_dst = address_of(away);
	route.rt_genmask = address_of("255.255.255.255");
	return control(lab, fd, SIOCSIFFLAGS, &down, "SIOCSIFFLAGS, nobody is 203.0.113.77") &&
	       control(lab, fd, SIOCADDRT, &route, "SIOCADDRT, but there is a way to it");
}

/* Where there is no such network: whatever comes to this socket is dropped by a filter, as if its machine were gone. */
static bool deafen(struct lab *lab, int fd)
{
	struct sock_filter drop = {.code = BPF_RET | BPF_K, .k = 0};
	struct sock_fprog filter = {.len = 1, .filter = &drop};

	lab_say(&lab->calls, "a filter that drops whatever comes:");
	return lab_set_raw(&lab->calls, fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0;
}

/* ---- the connections ---- */

struct ends {
	int client, server;
};

struct trio {
	int listener;
	uint16_t port;
	struct ends asks, is_silent, is_well; /* the servers of the first two will be gone */
};

static bool listen_everywhere(struct lab *lab, struct trio *t)
{
	struct lab_calls *calls = &lab->calls;

	t->listener = lab_keep(lab, lab_socket(calls, "listener", AF_INET, SOCK_STREAM));
	if (lab_bind(calls, t->listener, "0.0.0.0", 0) < 0 || lab_listen(calls, t->listener, 10) < 0)
		return lab_must(lab, false, "a listener can be had");
	t->port = (uint16_t)lab_port(t->listener);
	return true;
}

static bool join(struct lab *lab, const struct trio *t, const char *ip, const char *names[2], struct ends *e)
{
	struct lab_calls *calls = &lab->calls;

	e->client = lab_keep(lab, lab_socket(calls, names[0], AF_INET, SOCK_STREAM));
	lab_bind(calls, e->client, here, 0); /* its own address is not the one that goes */
	if (lab_connect(calls, e->client, ip, t->port) < 0)
		return lab_must(lab, false, "a connection can be had");
	e->server = lab_keep(lab, lab_accept(calls, names[1], t->listener));
	return true;
}

/* One question after a second of silence, and a second for its answer. */
static void ask_soon(struct lab *lab, int fd)
{
	lab_set(&lab->calls, fd, "SO_KEEPALIVE", 1);
	lab_set(&lab->calls, fd, "TCP_KEEPIDLE", 1);
	lab_set(&lab->calls, fd, "TCP_KEEPINTVL", 1);
	lab_set(&lab->calls, fd, "TCP_KEEPCNT", 1);
}

static bool set_up(struct lab *lab, struct trio *t, const char *ip)
{
	static const char *asks[] = {"asking", "gone"}, *is_silent[] = {"not asking", "gone too"};
	static const char *is_well[] = {"asking too", "there"};
	int idle = 0;

	if (!listen_everywhere(lab, t) || !join(lab, t, ip, asks, &t->asks) ||
	    !join(lab, t, ip, is_silent, &t->is_silent) || !join(lab, t, here, is_well, &t->is_well))
		return false;
	lab_get(&lab->calls, t->asks.client, "TCP_KEEPIDLE", &idle);
	lab_fact(lab, "TCP_KEEPIDLE as it is", idle, "s");
	ask_soon(lab, t->asks.client);
	ask_soon(lab, t->is_well.client);
	return true;
}

/* ---- the lesson ---- */

static void wait_and_see(struct lab *lab, const struct trio *t)
{
	struct lab_calls *calls = &lab->calls;
	struct lab_tcp asked, silent_before, silent, well_before, well;
	uint64_t began = lab_now();
	char room[8];

	lab_tcp_of(t->is_silent.client, &silent_before);
	lab_tcp_of(t->is_well.client, &well_before);
	lab_poll(calls, t->asks.client, POLLIN, PATIENCE);
	lab_fact(lab, "found after", (int64_t)((lab_now() - began) / 1000000), "ms");
	lab_tcp_of(t->asks.client, &asked);
	lab_tcp_of(t->is_silent.client, &silent);
	lab_tcp_of(t->is_well.client, &well);
	lab_fact(lab, "questions without an answer", (int64_t)asked.probes, "");
	lab_fact(lab, "sent where nobody asks", (int64_t)(silent.segments - silent_before.segments), "segments");
	lab_fact(lab, "sent to the one that is there", (int64_t)(well.segments - well_before.segments), "segments");
	lab_must(lab, lab_recv_now(calls, t->asks.client, room, sizeof(room)) == -ETIMEDOUT && asked.probes == 1,
		 "with SO_KEEPALIVE the connection to a server that is gone ends: ETIMEDOUT, after one question");
	lab_must(lab,
		 lab_recv_now(calls, t->is_silent.client, room, sizeof(room)) == -EAGAIN &&
			 silent.segments == silent_before.segments,
		 "without it nothing is sent, and nobody has noticed anything");
	lab_must(lab,
		 lab_recv_now(calls, t->is_well.client, room, sizeof(room)) == -EAGAIN &&
			 well.segments > well_before.segments && well.probes == 0,
		 "one that is there answers, and its connection stays");
}

/* In a process of its own, which moves out; what it notes it leaves in *note. Exit 0: it could move out. */
static void run_apart(struct lab *lab, struct lab *note)
{
	struct trio t = {.listener = -1};

	if (!move_out(lab))
		_exit(1); /* tidy: allow(output): the process has no other end */
	if (set_up(lab, &t, away) && lab_must(lab, take_away(lab), "a machine can be taken away"))
		wait_and_see(lab, &t);
	*note = *lab;
	_exit(0); /* tidy: allow(output): as above */
}

/* What the other process noted is this one's; what it opened has gone with it. False: there is no such network. */
static bool is_run_apart(struct lab *lab)
{
	struct lab *note = mmap(NULL, sizeof(*note), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;
	pid_t pid;

	if (note == MAP_FAILED)
		return false;
	pid = fork();
	if (pid == 0)
		run_apart(lab, note);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0) {
		*lab = *note;
		lab->opens = 0;
	}
	munmap(note, sizeof(*note));
	return status == 0;
}

void lab_keepalive(struct lab *lab)
{
	struct trio t = {.listener = -1};

	if (is_run_apart(lab) || !set_up(lab, &t, here))
		return;
	if (deafen(lab, t.asks.server) && deafen(lab, t.is_silent.server))
		wait_and_see(lab, &t);
	else
		lab_not_here(lab, "to take a server away takes a network namespace, or a filter (SO_ATTACH_FILTER)");
}
