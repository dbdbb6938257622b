/* SPDX-License-Identifier: MIT
 *
 * The load generator's data: what was asked for, the bytes to send, and the connections. load_setup.c makes
 * them, loadgen.c runs them. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum frame { FRAME_NONE, FRAME_U32BE, FRAME_LINE };

struct config {
	struct sockaddr_in server;
	unsigned conns, depth, idle;
	size_t size; /* payload of one message */
	enum frame frame;
	bool is_churn;
	unsigned warmup_ms, window_ms;
	uint64_t messages; /* in all, instead of a window; 0: a window */
	pid_t server_pid;  /* 0: nobody's CPU is read */
};

/* All connections send the same endless stream of messages, each from its own place in it: bytes from a
 * fixed generator, repeated after period bytes. The stream is stored once and then a batch's length more,
 * so that a batch is one send() and checking an echo is one memcmp(), wherever it stands. */
struct stream {
	unsigned char *bytes;
	size_t message_size; /* with its framing */
	size_t batch_size;   /* depth messages */
	size_t period;       /* a whole number of messages, more than twice depth */
};

/* One busy connection. Invariant: checked <= sent <= batch_size. */
struct conn {
	int fd;               /* -1 when closed */
	size_t at;            /* where its batch begins in the stream */
	size_t sent, checked; /* bytes of the batch that have gone out, that have come back right */
	uint64_t batches_left;
	bool waits_out, has_echoed;
};

/* Exit 2 with a sentence when the arguments make no sense. */
void config_from_args(struct config *config, int argc, char **argv);

/* Exit 1 when memory is out. */
void stream_init(struct stream *stream, const struct config *config);

/* A connected TCP_NODELAY socket, or exit 1. from: 0 lets the kernel choose the source address, n binds to
 * 127.0.0.n, because one address has about 28,000 ports and TIME_WAIT keeps each for a minute. */
int connect_from(const struct config *config, unsigned from);

/* Opens config->idle connections and leaves them to the exit. They are reset there, which saves the machine
 * 10,000 sockets in TIME_WAIT a round. */
void open_idle(const struct config *config);

_Noreturn void give_up(const char *what);

#endif
