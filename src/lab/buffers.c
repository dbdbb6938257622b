/* SPDX-License-Identifier: MIT
 * Experiments: the four buffers in the kernel, and who waits for what. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/number.h"
#include "lab/lab.h"

/* SMALL: what is asked of the kernel for a buffer; it makes twice that. BLOCK is more than the buffers hold. */
enum { MESSAGE = 100, CHUNK = 1000, SMALL = 8192, BLOCK = 64000, QUIET = 50, LONG = 10000 };

static const char hello[MESSAGE] = "Hello World!", block[BLOCK];

/* ---- send-returns ---- */

/* TCP_CORK holds what is sent back for 200 ms: long enough to see it where send has put it, unless this thread did not
 * run meanwhile. */
static void fill_send_buffer(struct lab *lab, const struct lab_pair *p, char message[MESSAGE])
{
	const uint64_t held_back = 200000000;
	struct lab_levels levels;
	uint64_t began = lab_now();
	bool is_late;
	long sent;

	lab_set(&lab->calls, p->client, "TCP_CORK", 1);
	sent = lab_send(&lab->calls, p->client, message, MESSAGE);
	lab_levels_of(p->client, &levels);
	lab_picture(lab, "send has returned: a copy is in the client's send buffer", p->client, p->server);
	is_late = lab_now() - began >= held_back;
	lab_fact(lab, "send returned", sent, "bytes");
	lab_must(lab, sent == MESSAGE, "send returns, with all its bytes taken");
	lab_must(lab, levels.send.used == MESSAGE || is_late, "they lie in the client's send buffer");
}

/* The kernel carries it over, with no call of anybody; what the program has done to its own buffer is nothing to it. */
static void carry_over(struct lab *lab, const struct lab_pair *p)
{
	char message[MESSAGE] = "Hello World!", room[MESSAGE];

	fill_send_buffer(lab, p, message);
	memset(message, 'x', sizeof(message));
	lab_say(&lab->calls, "memset(the buffer that was sent, 'x')");
	lab_set(&lab->calls, p->client, "TCP_CORK", 0);
	lab_must(lab, lab_has_arrived(p->server, MESSAGE),
		 "then in the server's receive buffer, and nobody has called recv");
	lab_picture(lab, "the kernel has carried it over, and nobody has called recv", p->client, p->server);
	lab_must(lab, lab_recv(&lab->calls, p->server, room, MESSAGE) == MESSAGE && memcmp(room, hello, MESSAGE) == 0,
		 "they are what was there when send was called, not what is there now");
}

void lab_send_returns(struct lab *lab)
{
	struct lab_pair p;

	if (!lab_connected(lab, &p))
		return;
	carry_over(lab, &p);
	lab_must(lab, lab_send(&lab->calls, p.server, hello, MESSAGE) == MESSAGE && lab_has_arrived(p.client, MESSAGE),
		 "from the server to the client there is another such pair of buffers");
	lab_picture(lab, "the server has sent as well", p.client, p.server);
}

/* ---- buffer-birth ---- */

static struct lab_levels born(struct lab *lab, int fd)
{
	struct lab_levels levels;

	lab_levels_of(fd, &levels);
	lab_fact(lab, "after socket, the send buffer may take", (int64_t)levels.send.room, "bytes");
	lab_fact(lab, "and the receive buffer", (int64_t)levels.recv.room, "bytes");
	lab_must(lab, levels.send.room > 0 && levels.recv.room > 0, "both have their limits from socket on");
	lab_must(lab, levels.send.held + levels.recv.held == 0, "and no memory");
	return levels;
}

/* Memory comes with bytes that nobody reads yet, and goes when somebody has. */
static void borrow(struct lab *lab, const struct lab_pair *p)
{
	struct lab_levels full, empty;
	char room[CHUNK];

	lab_send(&lab->calls, p->client, block, CHUNK);
	lab_must(lab, lab_has_arrived(p->server, CHUNK), "what is sent arrives");
	lab_levels_of(p->server, &full);
	lab_picture(lab, "sent, and not read", p->client, p->server);
	lab_recv(&lab->calls, p->server, room, CHUNK);
	lab_levels_of(p->server, &empty);
	lab_fact(lab, "memory that 1000 bytes take in the receive buffer", (int64_t)full.recv.held, "bytes");
	lab_fact(lab, "and when they are read", (int64_t)empty.recv.held, "bytes");
	lab_must(lab, full.recv.held > CHUNK, "bytes take memory, and more of it than they are");
	lab_must(lab, empty.recv.held < full.recv.held, "and give it back when they are read");
}

/* Whoever set tcp_wmem has made this the most that the kernel gives a send buffer by itself, or more than its usual. */
static bool is_enough_to_send(uint64_t room)
{
	enum { USUAL = 16384 };
	int fd = open("/proc/sys/net/ipv4/tcp_wmem", O_RDONLY | O_CLOEXEC); /* least, usual, most */
	char text[64] = "";
	uint64_t most = 0;
	const char *last;

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	close(fd);
	last = strrchr(text, '\t');
	if (last)
		sb_parse_count(sb_slice(last + 1, strcspn(last + 1, "\n")), &most);
	return room > USUAL || room >= most;
}

void lab_buffer_birth(struct lab *lab)
{
	struct lab_calls *calls = &lab->calls;
	struct lab_levels before, after;
	struct lab_pair p;
	int fixed, size = 0, still = 0;

	if (!lab_listening(lab, &p, 0))
		return;
	p.client = lab_keep(lab, lab_socket(calls, "client", AF_INET, SOCK_STREAM));
	before = born(lab, p.client);
	fixed = lab_keep(lab, lab_socket(calls, "fixed", AF_INET, SOCK_STREAM));
	lab_set(calls, fixed, "SO_SNDBUF", SMALL);
	lab_get(calls, fixed, "SO_SNDBUF", &size);
	lab_connect(calls, p.client, "127.0.0.1", p.port);
	p.server = lab_keep(lab, lab_accept(calls, "server", p.listener));
	lab_levels_of(p.client, &after);
	lab_fact(lab, "after connect, the send buffer may take", (int64_t)after.send.room, "bytes");
	lab_must(lab, after.send.room > before.send.room || is_enough_to_send(before.send.room),
		 "connect raises the limit for sending, unless tcp_wmem says something else");
	lab_must(lab, after.send.held + after.recv.held == 0, "and takes no memory either");
	lab_connect(calls, fixed, "127.0.0.1", p.port);
	lab_get(calls, fixed, "SO_SNDBUF", &still);
	lab_must(lab, still == size && size == 2 * SMALL, "a limit that was set is doubled at once, and then stays");
	borrow(lab, &p);
}

/* ---- send-blocks, recv-blocks ---- */

/* What has been sent lies in the two buffers on its way. A byte is in both until its acknowledgement is there. */
static bool lie_in_both(const struct lab_pair *p, long sent, struct lab_levels *client, struct lab_levels *server)
{
	for (int i = 0; i < 1000; i++) {
		lab_levels_of(p->client, client);
		lab_levels_of(p->server, server);
		if (client->send.used + server->recv.used == (uint64_t)sent)
			return true;
		lab_sleep(1);
	}
	return false;
}

static void send_block(struct lab_aside *aside)
{
	aside->result = lab_send(&aside->lab->calls, aside->fd, aside->from, aside->n);
}

static void receive(struct lab_aside *aside)
{
	char room[CHUNK];

	aside->result = lab_recv(&aside->lab->calls, aside->fd, room, sizeof(room));
}

void lab_send_blocks(struct lab *lab)
{
	struct lab_aside sender = {.work = send_block, .lab = lab, .from = block, .n = BLOCK};
	struct lab_levels client, server;
	struct lab_pair p;
	long sent;

	if (!lab_connected_with(lab, &p, SMALL, SMALL))
		return;
	sent = lab_fill(lab, p.client, block, BLOCK);
	lab_must(lab, sent > 0 && sent < BLOCK, "a send that may not wait takes what there is room for");
	lab_must(lab, lie_in_both(&p, sent, &client, &server), "what was taken lies in the two buffers, to the byte");
	lab_picture(lab, "nobody reads, and no more is taken", p.client, p.server);
	lab_fact(lab, "taken before there is no room", sent, "bytes");
	lab_fact(lab, "in the client's send buffer", (int64_t)client.send.used, "bytes");
	lab_fact(lab, "in the server's receive buffer", (int64_t)server.recv.used, "bytes");
	sender.fd = p.client;
	if (!lab_begin(&sender))
		return;
	lab_must(lab, !lab_ended(&sender, QUIET), "a send that may wait does");
	lab_must(lab, lab_drain(lab, p.server, sent + BLOCK) == sent + BLOCK, "the peer reads all of it");
	lab_must(lab, lab_ended(&sender, LONG) && sender.result == BLOCK,
		 "and the send returns, with all its bytes taken");
	lab_picture(lab, "the peer has read", p.client, p.server);
}

void lab_recv_blocks(struct lab *lab)
{
	struct lab_aside reader = {.work = receive, .lab = lab};
	struct lab_levels client;
	char room[MESSAGE];
	struct lab_pair p;

	if (!lab_connected_with(lab, &p, SMALL, SMALL))
		return;
	reader.fd = p.server;
	if (!lab_begin(&reader))
		return;
	lab_must(lab, !lab_ended(&reader, QUIET), "recv waits while the receive buffer is empty");
	lab_levels_of(p.client, &client);
	lab_picture(lab, "recv waits, and send would not", p.client, p.server);
	lab_must(lab, client.send.used == 0 && lab_send_now(&lab->calls, p.client, hello, MESSAGE) == MESSAGE,
		 "send into an empty send buffer returns without waiting");
	lab_must(lab, lab_ended(&reader, LONG) && reader.result == MESSAGE, "and that is what recv waited for");
	lab_fact(lab, "taken until send would wait", lab_fill(lab, p.client, block, BLOCK), "bytes");
	lab_picture(lab, "send would wait, and recv does not", p.client, p.server);
	lab_must(lab, lab_recv_now(&lab->calls, p.server, room, MESSAGE) == MESSAGE,
		 "recv from a full receive buffer returns without waiting");
}

/* ---- recv-zero ---- */

/* The peer has ended: 0, again and again, and what errno said before it still says. */
static void receive_end(struct lab *lab, const struct lab_pair *p)
{
	struct lab_calls *calls = &lab->calls;
	int other = lab_keep(lab, lab_socket(calls, "other", AF_INET, SOCK_STREAM));
	char room[MESSAGE];
	long got;
	int left;

	lab_must(lab, lab_connect(calls, other, "::1", 1) == -EAFNOSUPPORT, "an earlier call leaves its errno");
	got = lab_recv(calls, p->server, room, MESSAGE);
	left = errno;
	lab_say(calls, "errno: %s", left == EAFNOSUPPORT ? "EAFNOSUPPORT" : "another");
	lab_fact(lab, "at the peer's end recv returned", got, "");
	lab_fact(lab, "and errno was still of the call before it (EAFNOSUPPORT)", left, "");
	lab_must(lab, got == 0, "recv returns 0 when the peer has ended");
	lab_must(lab, left == EAFNOSUPPORT, "errno is what the earlier call left");
	lab_must(lab, lab_recv(calls, p->server, room, MESSAGE) == 0, "and 0 the next time too, without waiting");
	lab_must(lab, lab_send(calls, p->server, hello, MESSAGE) == MESSAGE, "it is no error: one may still send");
}

/* The peer closes and leaves what it was sent unread: that is a reset. */
static void receive_error(struct lab *lab)
{
	struct lab_pair p;
	char room[MESSAGE];

	if (!lab_connected(lab, &p))
		return;
	lab_send(&lab->calls, p.server, hello, MESSAGE);
	lab_must(lab, lab_has_arrived(p.client, MESSAGE), "the peer has something to read");
	lab_close(&lab->calls, lab_forget(lab, p.client));
	lab_poll(&lab->calls, p.server, POLLIN, LONG);
	lab_must(lab, lab_recv_now(&lab->calls, p.server, room, MESSAGE) == -ECONNRESET,
		 "recv returns -1 when the connection broke, and errno says why");
}

void lab_recv_zero(struct lab *lab)
{
	struct lab_calls *calls = &lab->calls;
	struct lab_pair p;
	char room[MESSAGE];

	if (!lab_connected(lab, &p))
		return;
	lab_send(calls, p.client, hello, MESSAGE);
	lab_shutdown(calls, p.client);
	lab_must(lab, lab_has_arrived(p.server, MESSAGE), "what is sent arrives");
	lab_picture(lab, "the client has sent and ended (while unanswered its FIN is 1 byte)", p.client, p.server);
	lab_must(lab, lab_recv(calls, p.server, room, 0) == 0,
		 "recv with room for nothing returns 0, and means nothing");
	lab_must(lab, lab_recv(calls, p.server, room, MESSAGE) == MESSAGE,
		 "what came before the end is still received");
	receive_end(lab, &p);
	receive_error(lab);
}

/* ---- echo-deadlock ---- */

/* More than any four buffers take: a sender that gets this far waits for nobody. */
enum { MOST = 256 * 1024 * 1024 };

static _Atomic bool is_enough; /* the client need not send any more */

/* Four small buffers. */
static bool connect_small(struct lab *lab, struct lab_pair *p)
{
	struct lab_calls *calls = &lab->calls;
	int r;

	if (!lab_listening(lab, p, SMALL))
		return false;
	lab_set(calls, p->listener, "SO_SNDBUF", SMALL);
	p->client = lab_keep(lab, lab_socket(calls, "client", AF_INET, SOCK_STREAM));
	lab_set(calls, p->client, "SO_RCVBUF", SMALL);
	lab_set(calls, p->client, "SO_SNDBUF", SMALL);
	r = lab_connect(calls, p->client, "127.0.0.1", p->port);
	if (r == 0)
		r = p->server = lab_keep(lab, lab_accept(calls, "server", p->listener));
	return lab_must(lab, r >= 0, "a connection can be had");
}

/* Sends, and reads nothing. */
static void only_send(struct lab_aside *aside)
{
	long r = 1;

	while (r > 0 && !is_enough && aside->result < MOST) {
		r = lab_send(NULL, aside->fd, block, CHUNK);
		aside->result += r > 0 ? r : 0;
	}
	lab_shutdown(NULL, aside->fd);
}

/* Sends back what it reads, and only then reads on. */
static void only_echo(struct lab_aside *aside)
{
	char room[CHUNK];
	long n, r = 1;

	while (r > 0 && (n = lab_recv(NULL, aside->fd, room, sizeof(room))) > 0) {
		r = lab_send(NULL, aside->fd, room, (size_t)n);
		aside->result += r > 0 ? r : 0;
	}
	lab_shutdown(NULL, aside->fd);
}

/* Neither has got on for a while, and neither has room to send. */
static void until_quiet(const struct lab_aside *a, const struct lab_aside *b)
{
	long before = -1, now = 0;

	for (int i = 0; i < 100; i++) {
		before = now;
		lab_sleep(2 * QUIET);
		now = a->result + b->result;
		if (now == before && lab_poll(NULL, a->fd, POLLOUT, 0) == 0 && lab_poll(NULL, b->fd, POLLOUT, 0) == 0)
			return;
	}
}

/* "small buffers: the client has sent" */
static void fact_of(struct lab *lab, const char *which, const char *what, long bytes)
{
	char key[LAB_TEXT_MAX];

	snprintf(key, sizeof(key), "%s: %s", which, what);
	lab_fact(lab, key, bytes, "bytes");
}

/* What has been sent lies in the four buffers, but for the messages that the two have in hand. What is not yet
 * acknowledged is in two of them, for a moment. */
static void all_full(struct lab *lab, const struct lab_pair *p, const char *which, long sent)
{
	const long in_hand = 2L * CHUNK;
	struct lab_levels client, server;
	char when[LAB_TEXT_MAX];
	long there = 0;

	for (int i = 0; i < 1000; i++) {
		lab_levels_of(p->client, &client);
		lab_levels_of(p->server, &server);
		there = (long)(client.send.used + server.recv.used + server.send.used + client.recv.used);
		if (there < sent + in_hand)
			break;
		lab_sleep(1);
	}
	snprintf(when, sizeof(when), "%s: both are in send", which);
	lab_picture(lab, when, p->client, p->server);
	fact_of(lab, which, "in the four buffers", there);
	lab_must(lab, client.send.used && client.recv.used && server.send.used && server.recv.used,
		 "all four buffers have something in them");
	lab_must(lab, there > sent - in_hand && there < sent + in_hand, "what was sent lies there, and is not lost");
}

/* Until both wait; then the client reads after all, and it ends. What it had sent. */
static long come_to_wait(struct lab *lab, const struct lab_pair *p, const char *which)
{
	struct lab_aside client = {.work = only_send, .lab = lab, .fd = p->client};
	struct lab_aside server = {.work = only_echo, .lab = lab, .fd = p->server};
	long sent, back;

	is_enough = false;
	if (!lab_begin(&server))
		return 0;
	if (!lab_begin(&client)) {
		lab_shutdown(NULL, p->client);
		lab_ended(&server, LONG);
		return 0;
	}
	until_quiet(&client, &server);
	sent = client.result;
	lab_say(&lab->calls, "send(client, %d bytes): %ld times, then it waits", CHUNK, sent / CHUNK);
	lab_say(&lab->calls, "recv(server), send(server): %ld bytes echoed, then it waits", (long)server.result);
	fact_of(lab, which, "the client has sent", sent);
	fact_of(lab, which, "the server has echoed", server.result);
	lab_must(lab, !client.is_done && !server.is_done, "both wait in send, each for the other to read");
	all_full(lab, p, which, sent);
	is_enough = true;
	back = lab_drain(lab, p->client, MOST);
	lab_must(lab, lab_ended(&client, LONG) && lab_ended(&server, LONG), "the client reads, and both end");
	lab_must(lab, back == client.result, "and everything has come back");
	return sent;
}

/* What the four buffers may take. */
static uint64_t room_of(const struct lab_pair *p)
{
	struct lab_levels client = {.send.room = 0}, server = {.send.room = 0};

	lab_levels_of(p->client, &client);
	lab_levels_of(p->server, &server);
	return client.send.room + client.recv.room + server.send.room + server.recv.room;
}

void lab_echo_deadlock(struct lab *lab)
{
	struct lab_pair small, usual;
	long least, most;

	if (!connect_small(lab, &small))
		return;
	least = come_to_wait(lab, &small, "small buffers");
	if (!lab_connected(lab, &usual))
		return;
	most = come_to_wait(lab, &usual, "buffers as they are");
	lab_must(lab, (most > least) == (room_of(&usual) > room_of(&small)), "larger buffers only put it off");
}
