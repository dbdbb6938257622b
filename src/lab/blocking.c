/* SPDX-License-Identifier: MIT
 * Experiment: calls that wait until they are done, calls that do not, and what asking again and again costs. */
#include "lab/lab.h"

#include <errno.h>
#include <poll.h>

static const char piece[4096];

static void accept_it(struct lab_aside *aside)
{
	aside->result = lab_accept(&aside->lab->calls, "server", aside->fd);
}

/* n: the port. */
static void connect_it(struct lab_aside *aside)
{
	aside->result = lab_connect(&aside->lab->calls, aside->fd, "127.0.0.1", (uint16_t)aside->n);
}

static void recv_it(struct lab_aside *aside)
{
	char room[8];

	aside->result = lab_recv(&aside->lab->calls, aside->fd, room, sizeof(room));
}

static void send_it(struct lab_aside *aside)
{
	aside->result = lab_send(&aside->lab->calls, aside->fd, aside->from, aside->n);
}

/* It has begun, and has not returned. */
static bool waits(struct lab_aside *aside)
{
	return lab_begin(aside) && !lab_ended(aside, 50);
}

/* Both ways to accept; p has a listener before, and a connection after. */
static bool show_accept(struct lab *lab, struct lab_pair *p)
{
	struct lab_calls *calls = &lab->calls;
	struct lab_aside asks = {.work = accept_it, .lab = lab, .fd = p->listener};

	lab_set_blocking(calls, p->listener, false);
	lab_must(lab, lab_accept(calls, "server", p->listener) == -EAGAIN,
		 "non-blocking accept without a client: EAGAIN");
	lab_set_blocking(calls, p->listener, true);
	if (!lab_must(lab, waits(&asks), "blocking accept waits for a client"))
		return false;
	p->client = lab_keep(lab, lab_socket(calls, "client", AF_INET, SOCK_STREAM));
	lab_set(calls, p->client, "SO_SNDBUF", 16384);
	lab_connect(calls, p->client, "127.0.0.1", p->port);
	if (!lab_must(lab, lab_ended(&asks, 10000) && asks.result >= 0, "and returns with one"))
		return false;
	p->server = lab_keep(lab, (int)asks.result);
	return true;
}

/* A listener whose queue is full does not answer: that is what connect then waits for, until it is told not to. */
static void show_connect(struct lab *lab, const struct lab_pair *p)
{
	struct lab_calls *calls = &lab->calls;
	int second = lab_keep(lab, lab_socket(calls, "second", AF_INET, SOCK_STREAM));
	int third = lab_keep(lab, lab_socket(calls, "third", AF_INET, SOCK_STREAM));
	struct lab_aside asks = {.work = connect_it, .lab = lab, .fd = third, .n = p->port};

	lab_listen(calls, p->listener, 0);
	lab_set_blocking(calls, second, false);
	lab_must(lab, lab_connect(calls, second, "127.0.0.1", p->port) == -EINPROGRESS,
		 "non-blocking connect has only begun: EINPROGRESS");
	lab_poll(calls, second, POLLOUT, 10000);
	lab_must(lab, lab_connect(calls, second, "127.0.0.1", p->port) == 0,
		 "it is connected when it can be written to");
	if (!lab_must(lab, waits(&asks), "blocking connect waits for the listener's answer"))
		return;
	lab_shutdown(calls, third);
	lab_must(lab, lab_ended(&asks, 10000) && asks.result < 0, "and fails when its socket is shut down meanwhile");
}

static void show_recv(struct lab *lab, const struct lab_pair *p)
{
	struct lab_aside asks = {.work = recv_it, .lab = lab, .fd = p->server};
	char room[8];

	lab_set_blocking(&lab->calls, p->server, false);
	lab_must(lab, lab_recv(&lab->calls, p->server, room, sizeof(room)) == -EAGAIN,
		 "non-blocking recv with nothing there: EAGAIN");
	lab_set_blocking(&lab->calls, p->server, true);
	if (!lab_must(lab, waits(&asks), "blocking recv waits for bytes"))
		return;
	lab_send(&lab->calls, p->client, "hello", 5);
	lab_must(lab, lab_ended(&asks, 10000) && asks.result == 5, "and returns with them");
}

static bool show_send(struct lab *lab, const struct lab_pair *p)
{
	struct lab_aside asks = {.work = send_it, .lab = lab, .fd = p->client, .from = piece, .n = sizeof(piece)};
	static char room[64 * 1024];
	long sent, got = 0;

	lab_set_blocking(&lab->calls, p->client, false);
	sent = lab_fill(lab, p->client, piece, sizeof(piece));
	lab_fact(lab, "sent until the buffers were full", sent, "bytes");
	lab_picture(lab, "both buffers are full", p->client, p->server);
	lab_must(lab, lab_send(&lab->calls, p->client, "!", 1) == -EAGAIN, "non-blocking send without room: EAGAIN");
	lab_set_blocking(&lab->calls, p->client, true);
	if (!lab_must(lab, waits(&asks), "blocking send waits for room"))
		return false;
	for (long r = 1; r > 0 && got < sent + (long)sizeof(piece); got += r)
		r = lab_recv(NULL, p->server, room, sizeof(room));
	lab_say(&lab->calls, "received by the server: %ld bytes", got);
	return lab_must(lab, lab_ended(&asks, 10000) && asks.result == sizeof(piece),
			"and returns when the peer has read");
}

static void send_later(struct lab_aside *aside)
{
	lab_sleep(100);
	send_it(aside);
}

/* The same wait of 100 ms twice: asking again and again, and blocked. */
static void show_cost(struct lab *lab, const struct lab_pair *p)
{
	struct lab_aside later = {.work = send_later, .lab = lab, .fd = p->client, .from = "!", .n = 1};
	uint64_t began = lab_cpu_time(), spinning, blocked;
	int64_t asked = 1;
	char room[1];

	if (!lab_begin(&later))
		return;
	while (lab_recv_now(&lab->calls, p->server, room, 1) == -EAGAIN)
		asked++;
	spinning = lab_cpu_time() - began;
	if (!lab_must(lab, lab_ended(&later, 10000), "the byte has been sent") || !lab_begin(&later))
		return;
	began = lab_cpu_time();
	lab_recv(&lab->calls, p->server, room, 1);
	blocked = lab_cpu_time() - began;
	lab_must(lab, lab_ended(&later, 10000), "and so has the second");
	lab_fact(lab, "asking again and again", asked, "calls");
	lab_fact(lab, "asking again and again: CPU time", (int64_t)(spinning / 1000), "us");
	lab_fact(lab, "blocked", 1, "calls");
	lab_fact(lab, "blocked: CPU time", (int64_t)(blocked / 1000), "us");
	lab_must(lab, asked > 100, "100 ms of asking are many calls");
	lab_must(lab, spinning > blocked, "and take more CPU time than one call that is blocked as long");
}

void lab_blocking(struct lab *lab)
{
	struct lab_pair p;

	if (!lab_listening(lab, &p, 16384) || !show_accept(lab, &p))
		return;
	show_connect(lab, &p);
	show_recv(lab, &p);
	if (show_send(lab, &p))
		show_cost(lab, &p);
}
