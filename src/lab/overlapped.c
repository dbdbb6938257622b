/* SPDX-License-Identifier: MIT
 * Experiments: completion instead of readiness. What Winsock calls overlapped is io_uring here. */
#include <errno.h>
#include <poll.h>

#include "lab/lab.h"
#include "lab/ring.h"

/* SMALL: what is asked of the kernel for a buffer. ROUND: what is sent at once. */
enum { MESSAGE = 100, SMALL = 8192, ROUND = 4000, PLACES = 8, A_WHILE = 250, PATIENCE = 10000 };

static const char hello[MESSAGE] = "Hello World!";

/* The buffers that are lent: static, so that they are there as long as the kernel may write into them. */
static char lent[ROUND], lent_too[ROUND];

/* What is asked for goes to the kernel; true if nothing of it is done when that returns. */
static bool submit_and_go_on(struct lab_ring *ring)
{
	struct lab_done done;

	return lab_ring_submit(ring) > 0 && lab_ring_peek(ring, &done, 1) == 0;
}

/* The next that is done has this tag: its result. */
static long result_of(struct lab *lab, struct lab_ring *ring, uint64_t tag)
{
	struct lab_done done = {0};
	bool is_it = lab_ring_wait(ring, &done, 1, PATIENCE) == 1 && done.tag == tag;

	return is_it || lab_must(lab, false, "the next that is done is the one that was waited for") ? done.result : -1;
}

/* ---- the bytes come into the program's buffer, past the kernel's ---- */

enum { EARLY = 1, AT_ONCE, FIRST, SECOND, FULL, WAITING, NOW, CANCEL, CLOSED }; /* the tags */

static void receive_before_it_is_sent(struct lab *lab, struct lab_ring *ring, const struct lab_pair *p)
{
	struct lab_levels levels;
	long got;

	lab_ring_recv(ring, p->server, lent, sizeof(lent), EARLY);
	lab_must(lab, submit_and_go_on(ring), "submit returns before the recv is done: nothing has come yet");
	lab_send(&lab->calls, p->client, hello, MESSAGE);
	got = result_of(lab, ring, EARLY);
	lab_levels_of(p->server, &levels);
	lab_picture(lab, "the recv submitted before is done", p->client, p->server);
	lab_fact(lab, "a recv submitted before the send, its result", got, "bytes");
	lab_fact(lab, "left for others in the kernel's receive buffer", (int64_t)levels.recv.used, "bytes");
	lab_must(lab, got == MESSAGE && memcmp(lent, hello, MESSAGE) == 0,
		 "when it is done the bytes are in the program's buffer already");
	lab_must(lab, levels.recv.used == 0 && lab_poll(&lab->calls, p->server, POLLIN, 0) == 0,
		 "and not in the kernel's: poll has nothing to tell");
}

static void receive_what_is_there(struct lab *lab, struct lab_ring *ring, const struct lab_pair *p)
{
	struct lab_done done = {0};

	lab_send(&lab->calls, p->client, hello, MESSAGE);
	lab_must(lab, lab_poll(&lab->calls, p->server, POLLIN, PATIENCE) == POLLIN, "what is sent arrives");
	lab_ring_recv(ring, p->server, lent, sizeof(lent), AT_ONCE);
	lab_ring_submit(ring);
	lab_must(lab, lab_ring_peek(ring, &done, 1) == 1 && done.tag == AT_ONCE && done.result == MESSAGE,
		 "submit returns in the same way when the recv is done at once");
}

/* Each end has a recv under way, and the one that was asked for last is done first. */
static void receive_in_another_order(struct lab *lab, struct lab_ring *ring, const struct lab_pair *p)
{
	lab_ring_recv(ring, p->client, lent, sizeof(lent), FIRST);
	lab_ring_recv(ring, p->server, lent_too, sizeof(lent_too), SECOND);
	lab_must(lab, submit_and_go_on(ring), "one submit for two sockets, one queue for what is done");
	lab_send(&lab->calls, p->client, "to the server", 13);
	lab_must(lab, result_of(lab, ring, SECOND) == 13,
		 "the one whose bytes come is done first: its tag tells which");
	lab_send(&lab->calls, p->server, "to the client", 13);
	lab_must(lab, result_of(lab, ring, FIRST) == 13, "and the other when it can be");
}

/* ---- the buffer is lent ---- */

/* Sends until one does not fit, at once or in a while: what is in the send buffer may still move on to the peer. The
 * number of bytes that went before it; the last waits, all of it 'A'. */
static long fill(struct lab *lab, struct lab_ring *ring, int fd)
{
	struct lab_done done = {0};
	bool is_waiting = false;
	long sent = 0;

	ring->calls = NULL; /* too many to be written down */
	memset(lent, 'A', sizeof(lent));
	for (int i = 0; i < 100 && !is_waiting; i++) {
		lab_ring_send(ring, fd, lent, sizeof(lent), FULL);
		is_waiting = lab_ring_wait(ring, &done, 1, A_WHILE) == 0;
		sent += is_waiting ? 0 : done.result;
	}
	ring->calls = &lab->calls;
	lab_say(&lab->calls, "io_uring_prep_send(client, %d bytes): until one is not done, after %ld bytes", ROUND,
		sent);
	lab_must(lab, is_waiting, "a send that does not fit is submitted, and nobody waits for it");
	return sent;
}

/* Reads n bytes: how many of them are this one, or -1 when they do not come. */
static long count(int fd, long n, char c)
{
	static char room[ROUND];
	long found = 0;

	while (n > 0) {
		long got = -1;

		if (lab_poll(NULL, fd, POLLIN, PATIENCE) > 0)
			got = lab_recv(NULL, fd, room, (size_t)(n < ROUND ? n : ROUND));
		if (got <= 0)
			return -1;
		for (long i = 0; i < got; i++)
			found += room[i] == c;
		n -= got;
	}
	return found;
}

/* A send that has to wait for room, and a program that does not wait with its buffer. */
static void change_what_is_lent(struct lab *lab, struct lab_ring *ring)
{
	struct lab_pair p;
	long full, sent, changed;

	if (!lab_connected_with(lab, &p, SMALL, SMALL))
		return;
	full = fill(lab, ring, p.client);
	lab_picture(lab, "a send was submitted that does not fit", p.client, p.server);
	memset(lent, 'B', sizeof(lent));
	lab_say(&lab->calls, "memset(the buffer of that send, 'B'): it was all 'A'");
	lab_must(lab, count(p.server, full, 'A') == full, "the peer reads what was sent before");
	sent = result_of(lab, ring, FULL);
	changed = count(p.server, sent, 'B');
	lab_fact(lab, "a send submitted to full buffers, its result", sent, "bytes");
	lab_fact(lab, "of these the peer got as they were changed later", changed, "bytes");
	lab_must(lab, sent > 0 && changed == sent, "the bytes go as they are then, not as they were submitted");
}

/* ---- overlapped is not non-blocking ---- */

/* The server's socket is made non-blocking: recv says so, what is submitted does not notice. */
static void receive_in_the_other_mode(struct lab *lab, struct lab_ring *ring, const struct lab_pair *p)
{
	struct lab_calls *calls = &lab->calls;

	lab_set_blocking(calls, p->server, false);
	lab_must(lab, lab_recv(calls, p->server, lent, sizeof(lent)) == -EAGAIN, "a non-blocking recv says EAGAIN");
	lab_ring_recv(ring, p->server, lent, sizeof(lent), WAITING);
	lab_must(lab, submit_and_go_on(ring), "one that is submitted on the same descriptor waits, in the kernel");
	lab_ring_recv_now(ring, p->server, lent_too, sizeof(lent_too), NOW);
	lab_must(lab, result_of(lab, ring, NOW) == -EAGAIN, "with MSG_DONTWAIT it is done at once: EAGAIN");
}

/* Of what waits from before. Both are done, in either order. */
static void cancel(struct lab *lab, struct lab_ring *ring)
{
	long result[2] = {-1, -1};
	struct lab_done done = {0};

	lab_ring_cancel(ring, WAITING, CANCEL);
	for (int i = 0; i < 2 && lab_ring_wait(ring, &done, 1, PATIENCE) == 1; i++)
		result[done.tag == CANCEL] = done.result;
	lab_must(lab, result[0] == -ECANCELED && result[1] == 0,
		 "what waits can be cancelled: its result is ECANCELED");
}

static void close_does_not(struct lab *lab, struct lab_ring *ring, struct lab_pair *p)
{
	struct lab_calls *calls = &lab->calls;
	char room[MESSAGE];
	bool goes_on;
	long got;

	lab_ring_recv(ring, p->server, lent, sizeof(lent), CLOSED);
	goes_on = submit_and_go_on(ring);
	lab_close(calls, lab_forget(lab, p->server));
	lab_must(lab, goes_on && lab_recv_now(calls, p->client, room, sizeof(room)) == -EAGAIN,
		 "close does not end it, nor the connection: the client sees no FIN");
	lab_send(calls, p->client, hello, MESSAGE);
	got = result_of(lab, ring, CLOSED);
	lab_fact(lab, "received on a descriptor that is closed", got, "bytes");
	lab_must(lab, got == MESSAGE && memcmp(lent, hello, MESSAGE) == 0, "bytes still come into what is lent");
	lab_poll(calls, p->client, POLLIN, PATIENCE);
	lab_must(lab, lab_recv_now(calls, p->client, room, sizeof(room)) == 0, "only now the connection ends");
}

void lab_overlapped(struct lab *lab)
{
	struct lab_ring ring;
	struct lab_pair p;
	int r = lab_ring_open(&lab->calls, &ring, PLACES);

	if (r < 0) {
		lab_not_here(lab, "%s", lab_ring_reason(r));
		return;
	}
	if (lab_connected(lab, &p)) {
		receive_before_it_is_sent(lab, &ring, &p);
		receive_what_is_there(lab, &ring, &p);
		receive_in_another_order(lab, &ring, &p);
		change_what_is_lent(lab, &ring);
		receive_in_the_other_mode(lab, &ring, &p);
		cancel(lab, &ring);
		close_does_not(lab, &ring, &p);
	}
	lab_ring_close(&ring);
}
