/* SPDX-License-Identifier: MIT
 * Experiments: the server of the notes, as it is written, and what breaks it. */
#include "lab/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE = 100, TEN = 10, BUFFER = 1000 };

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

	if (!lab_listening(l->lab, &p, 0) || !lab_must(l->lab, pipe2(gate, O_CLOEXEC) == 0, "a pipe can be had"))
		return false;
	l->gate = lab_keep(l->lab, gate[1]);
	if (!lab_must(l->lab, pipe2(out, O_CLOEXEC) == 0, "a pipe can be had"))
		return false;
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
}
