/* SPDX-License-Identifier: MIT
 * Experiments: the server of the notes, as it is written, and what breaks it; and ours, which that does not break. */
#include "lab/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "streambed.h"

enum { MESSAGE = 100, TEN = 10, BUFFER = 1000, HEAD = 4, A_WHILE = 50, PATIENCE = 10000 };

/* ---- the server, in a process of its own ---- */

/* What it prints after a recv: the length, and as many bytes as lie before the first NUL. */
struct line {
	long len, shown;
};

/* Its stack: the buffer, and what happens to lie behind it. */
static char stack[2 * BUFFER];

/* An accept loop, and in it a loop of recv and print. In place of its pause of a second before each recv it waits for
 * a byte from the gate, so that what it finds does not depend on the time; it prints to a pipe. */
static void serve(int listener, int gate, int out)
{
	memset(stack + BUFFER, '#', 24);
	for (;;) {
		int client = lab_accept(NULL, NULL, listener);
		struct line line = {.len = client};
		char go;

		while (line.len >= 0 && read(gate, &go, 1) == 1) {
			line.len = lab_recv(NULL, client, stack, BUFFER);
			line.shown = (long)strnlen(stack, sizeof(stack));
			if (write(out, &line, sizeof(line)) < 0 || line.len <= 0)
				return;
		}
		if (line.len < 0)
			return;
	}
}

/* ---- the lesson ---- */

struct lesson {
	struct lab *lab;
	uint16_t port;
	int gate, out; /* to the server, and from it */
	pid_t server;
};

/* The server has a process of its own; the listener is only its. */
static bool start(struct lesson *l)
{
	int gate[2], out[2];
	struct lab_pair p;

	if (!lab_listening(l->lab, &p, 0))
		return false;
	if (pipe2(gate, O_CLOEXEC) < 0)
		return lab_must(l->lab, false, "a pipe can be had");
	l->gate = lab_keep(l->lab, gate[1]);
	if (pipe2(out, O_CLOEXEC) < 0)
		return lab_must(l->lab, false, "another pipe can be had");
	l->out = lab_keep(l->lab, out[0]);
	l->port = p.port;
	l->server = fork();
	if (l->server == 0) {
		close(gate[1]);
		serve(p.listener, gate[0], out[1]);
		_exit(0); /* tidy: allow(output): the end of the process is what is shown */
	}
	lab_keep(l->lab, gate[0]); /* as long as somebody can read from it no write to it is a signal */
	close(out[1]);
	close(lab_forget(l->lab, p.listener));
	lab_say(&l->lab->calls, "fork: the server has the listener");
	return lab_must(l->lab, l->server > 0, "a process can be had");
}

static int join(struct lesson *l, const char *name)
{
	int fd = lab_keep(l->lab, lab_socket(&l->lab->calls, name, AF_INET, SOCK_STREAM));

	lab_must(l->lab, lab_connect(&l->lab->calls, fd, "127.0.0.1", l->port) == 0, "a client connects");
	return fd;
}

/* All that the client has sent has arrived; the server receives and prints once. */
static struct line next_line(struct lesson *l, int client)
{
	struct lab_levels levels = {.send.used = 1};
	struct line line = {-1, -1};

	for (int i = 0; i < 5000 && levels.send.used > 0; i++) {
		lab_levels_of(client, &levels);
		lab_sleep(1);
	}
	if (write(l->gate, "!", 1) != 1 || lab_poll(NULL, l->out, POLLIN, 10000) <= 0 ||
	    read(l->out, &line, sizeof(line)) != sizeof(line))
		lab_must(l->lab, false, "the server prints something");
	lab_say(&l->lab->calls, "server: Recv Data! Len = %ld, and %ld bytes shown", line.len, line.shown);
	return line;
}

/* Three of the client's messages to it, each wrong in its way. */
static void show_messages(struct lesson *l, int client)
{
	static const char hello[MESSAGE] = "Hello World!";
	struct lab *lab = l->lab;
	char full[BUFFER];
	struct line line;

	for (int i = 0; i < TEN; i++)
		lab_send(&lab->calls, client, hello, sizeof(hello));
	line = next_line(l, client);
	lab_fact(lab, "ten messages: bytes of one recv", line.len, "bytes");
	lab_fact(lab, "ten messages: bytes shown", line.shown, "bytes");
	lab_must(lab, line.len == BUFFER && line.shown == 12, "ten messages are one recv, and one of them is shown");

	memset(full, 'x', sizeof(full));
	lab_send(&lab->calls, client, full, sizeof(full));
	line = next_line(l, client);
	lab_fact(lab, "1000 bytes without NUL: bytes shown", line.shown, "bytes");
	lab_must(lab, line.len == BUFFER && line.shown > BUFFER,
		 "a full buffer without NUL: memory behind it is shown");

	lab_send(&lab->calls, client, "Bye", 3);
	line = next_line(l, client);
	lab_fact(lab, "3 bytes without NUL: bytes shown", line.shown, "bytes");
	lab_must(lab, line.len == 3 && line.shown > BUFFER, "a short message: the rest of the one before is shown");
}

/* One client goes, and with it the server. */
static void show_end(struct lesson *l, int client, int second)
{
	struct lab *lab = l->lab;
	int status = -1, late;
	struct line line;
	pid_t ended = 0;
	char room[8];

	lab_send(&lab->calls, second, "Hello", 5);
	lab_close(&lab->calls, lab_forget(lab, client));
	line = next_line(l, second);
	for (int i = 0; i < 10000 && ended == 0; i++) {
		ended = waitpid(l->server, &status, WNOHANG);
		lab_sleep(ended == 0);
	}
	if (!lab_must(lab, line.len == 0 && ended == l->server && WIFEXITED(status),
		      "one client's FIN ends the server"))
		return;
	l->server = 0;
	lab_must(lab, lab_recv(&lab->calls, second, room, sizeof(room)) == -ECONNRESET,
		 "the second client, connected all the time, gets a reset");
	late = lab_keep(lab, lab_socket(&lab->calls, "third", AF_INET, SOCK_STREAM));
	lab_must(lab, lab_connect(&lab->calls, late, "127.0.0.1", l->port) == -ECONNREFUSED, "the third is refused");
}

/* ---- our server beside it: the same three things ---- */

/* It runs in this very process, on a thread of its own: one that ended the process would end the lab. */
struct ours {
	struct lab_aside turns; /* the first, so that the thread finds the rest */
	struct sb_server *server;
	void *mem;
	size_t size;
	uint16_t port;
	int64_t messages, clients; /* that there were */
};

static void take_turns(struct lab_aside *aside)
{
	struct ours *ours = (struct ours *)aside;

	while ((aside->result = sb_server_step(ours->server, -1)) > 0)
		continue;
}

/* Echoes messages, each with its length in front: four bytes, the most significant first. */
static bool start_ours(struct ours *o)
{
	static const char *const listens[] = {"tcp://127.0.0.1:0,ECHO frame=u32be"};
	static const char *const options[] = {"max-conns=8", "max-held=1M"};
	const struct sb_config config = {listens, 1, options, 2, -1};
	struct lab *lab = o->turns.lab;
	long size = sb_server_size(&config, NULL);

	if (size <= 0)
		return lab_must(lab, false, "ours: it knows how much memory it needs");
	o->size = (size_t)size;
	o->mem = mmap(NULL, o->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (o->mem == MAP_FAILED)
		return lab_must(lab, false, "ours: its memory can be had");
	if (lab_must(lab, sb_server_init(&o->server, o->mem, o->size, &config, NULL) == 0, "ours: it listens")) {
		o->port = (uint16_t)sb_server_port(o->server, 0);
		lab_say(&lab->calls, "sb_server_init(\"%s\") = ours", listens[0]);
		if (lab_begin(&o->turns))
			return true;
		sb_server_fini(o->server);
	}
	munmap(o->mem, o->size);
	return false;
}

static int64_t counter_of(const struct ours *o, const char *wanted)
{
	uint64_t value;
	const char *name;

	for (size_t i = 0; (name = sb_server_counter(o->server, i, &value)) != NULL; i++)
		if (strcmp(name, wanted) == 0)
			return (int64_t)value;
	return -1;
}

/* Told twice it does not wait for its clients. */
static void stop_ours(struct ours *o)
{
	struct lab *lab = o->turns.lab;

	sb_server_stop(o->server);
	sb_server_stop(o->server);
	if (!lab_must(lab, lab_ended(&o->turns, PATIENCE) && o->turns.result == 0,
		      "ours: it ends when it is told to, and not before"))
		return;
	lab_fact(lab, "ours: messages that it has found", counter_of(o, "frames"), "");
	lab_fact(lab, "ours: clients that it has had", counter_of(o, "accepted"), "");
	lab_must(lab, counter_of(o, "frames") == o->messages && counter_of(o, "accepted") == o->clients,
		 "ours: it has found each message of each client, and no other");
	sb_server_fini(o->server);
	munmap(o->mem, o->size);
}

static int join_ours(struct ours *o, const char *name)
{
	struct lab *lab = o->turns.lab;
	int fd = lab_keep(lab, lab_socket(&lab->calls, name, AF_INET, SOCK_STREAM));

	o->clients += lab_connect(&lab->calls, fd, "127.0.0.1", o->port) == 0;
	return fd;
}

/* A message as it goes over the wire, put to room: how long that is. */
static size_t with_length(char *room, const char *message, uint32_t n)
{
	uint32_t head = htonl(n);

	memcpy(room, &head, HEAD);
	memcpy(room + HEAD, message, n);
	return HEAD + n;
}

/* Exactly this comes back. */
static bool comes_back(struct lab *lab, int fd, const char *wire, size_t n)
{
	static char room[TEN * (HEAD + MESSAGE) + BUFFER];
	size_t got = 0;
	long r = 1;

	for (; got < n && r > 0 && lab_poll(NULL, fd, POLLIN, PATIENCE) > 0; got += r > 0 ? (size_t)r : 0)
		r = lab_recv(NULL, fd, room + got, sizeof(room) - got);
	lab_say(&lab->calls, "what comes back: %zu bytes, %s", got,
		got == n && memcmp(room, wire, n) == 0 ? "the same" : "others");
	return got == n && memcmp(room, wire, n) == 0;
}

/* One message there and back. */
static bool is_echoed(struct ours *o, int fd, const char *message, uint32_t n)
{
	static char wire[HEAD + BUFFER];
	size_t size = with_length(wire, message, n);

	o->messages++;
	lab_send(&o->turns.lab->calls, fd, wire, size);
	return comes_back(o->turns.lab, fd, wire, size);
}

static void ours_keeps_lengths(struct ours *o, int client)
{
	static const char hello[MESSAGE] = "Hello World!";
	struct lab *lab = o->turns.lab;
	char full[BUFFER];

	memset(full, 'x', sizeof(full));
	lab_must(lab, is_echoed(o, client, full, sizeof(full)), "ours: 1000 bytes without NUL are 1000 bytes");
	lab_must(lab, is_echoed(o, client, "Bye", 3), "ours: 3 bytes after them are 3 bytes");
	lab_must(lab, is_echoed(o, client, hello, sizeof(hello)), "ours: what is behind a NUL is not left out");
}

/* Ten messages by one send, so that one recv finds them all; then one in two halves. */
static void ours_finds_messages(struct ours *o, int client)
{
	static char wire[TEN * (HEAD + MESSAGE)];
	static const char hello[MESSAGE] = "Hello World!";
	struct lab *lab = o->turns.lab;
	size_t n = 0, half = HEAD + MESSAGE / 2, whole = HEAD + MESSAGE;

	for (int i = 0; i < TEN; i++)
		n += with_length(wire + n, hello, MESSAGE);
	lab_send(&lab->calls, client, wire, n);
	lab_must(lab, comes_back(lab, client, wire, n), "ours: ten messages that come at once come back");
	lab_send(&lab->calls, client, wire, half);
	lab_must(lab, lab_poll(&lab->calls, client, POLLIN, A_WHILE) == 0, "ours: half a message is none yet");
	lab_send(&lab->calls, client, wire + half, whole - half);
	lab_must(lab, comes_back(lab, client, wire, whole), "ours: with its other half it comes back, as one");
	o->messages += TEN + 1;
}

/* One client goes, another is reset, a third leaves a message unfinished: those who stay and those who come do not
 * notice. */
static void ours_goes_on(struct ours *o, int client, int second)
{
	struct lab_calls *calls = &o->turns.lab->calls;
	int resets = join_ours(o, "resets"), breaks = join_ours(o, "breaks off");

	lab_must(o->turns.lab, is_echoed(o, resets, "Hello", 5), "ours: more clients than one are served at once");
	lab_send(calls, breaks, "\0\0", 2);
	lab_set(calls, resets, "SO_LINGER", 0);
	lab_close(calls, lab_forget(o->turns.lab, client));
	lab_close(calls, lab_forget(o->turns.lab, resets));
	lab_close(calls, lab_forget(o->turns.lab, breaks));
	lab_must(o->turns.lab, is_echoed(o, second, "Hello", 5),
		 "ours: when one client ends, one is reset and one breaks off, the second is served");
	lab_must(o->turns.lab, is_echoed(o, join_ours(o, "third"), "Hello", 5), "ours: and so is a new one");
}

static void show_ours(struct lab *lab)
{
	struct ours o = {.turns = {.work = take_turns, .lab = lab}};
	int client, second;

	if (!start_ours(&o))
		return;
	client = join_ours(&o, "client");
	second = join_ours(&o, "second");
	ours_keeps_lengths(&o, client);
	ours_finds_messages(&o, client);
	ours_goes_on(&o, client, second);
	stop_ours(&o);
}

void lab_lecture(struct lab *lab)
{
	struct lesson l = {.lab = lab};
	int client, second;

	if (!start(&l))
		return;
	client = join(&l, "client");
	second = join(&l, "second");
	show_messages(&l, client);
	show_end(&l, client, second);
	if (l.server > 0) {
		kill(l.server, SIGKILL);
		waitpid(l.server, NULL, 0);
	}
	show_ours(lab);
}
