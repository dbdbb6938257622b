/* SPDX-License-Identifier: MIT
 * Experiments: SO_KEEPALIVE, where a machine can be taken away. */
#include <errno.h>
#include <linux/filter.h>
#include <poll.h>

#include "lab/apart.h"

enum { PATIENCE = 20000 };

static const char here[] = "127.0.0.1";

/* Where no network of its own can be had: a filter drops whatever comes to this socket, as if its machine were gone. */
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
	if (ip == lab_away)
		lab_bind(calls, e->client, lab_home, 0);
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

static void run_apart(struct lab *lab)
{
	struct trio t = {.listener = -1};

	if (set_up(lab, &t, lab_away) && lab_take_away(lab))
		wait_and_see(lab, &t);
}

void lab_keepalive(struct lab *lab)
{
	struct trio t = {.listener = -1};

	if (lab_run_apart(lab, run_apart) || !set_up(lab, &t, here))
		return;
	if (deafen(lab, t.asks.server) && deafen(lab, t.is_silent.server))
		wait_and_see(lab, &t);
	else
		lab_not_here(lab, "to take a server away takes a network namespace, or a filter (SO_ATTACH_FILTER)");
}
