/* SPDX-License-Identifier: MIT
 *
 * A closed-loop load generator for echo servers on loopback: one thread, and every echoed byte is checked, in
 * order. Each connection sends a batch (--depth messages in one send), waits until all of it has come back
 * right, and sends the next. With --churn each batch has a connection of its own.
 *
 * The server's CPU clock is read at both ends of the window; the figure is CPU time a message, which holds on
 * a busy machine where messages a second would not. Then nothing new is sent, what is under way must come
 * back, both sides close, and any byte too many is an error too. It prints one line of key=value and exits 1
 * if anything was wrong. It ends by itself whatever the server does: see time_limit_s(). */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum {
	RECV_SIZE = 256 << 10,
	EVENTS_MAX = 256,
	POLL_MS = 10,
	FIRST_ECHO_MS = 10000,
	DRAIN_MS = 5000,
	CHURN_SOURCES = 16,
};

struct mark { /* one end of the window */
	uint64_t wall_ns, cpu_ns, messages;
};

struct load {
	struct config config;
	struct stream stream;
	struct conn *conns;
	unsigned char *received;
	int epoll_fd;
	unsigned opened;             /* by --churn, to go round the source addresses */
	unsigned busy, open, echoed; /* connections with a batch under way; not closed; that had an echo */
	bool is_stopping, is_finishing;
	uint64_t messages;
	unsigned errors;
	struct mark begin, end;
	clockid_t server_clock;
	long server_rss_kib;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		return 0; /* the server is gone; its connections will say so */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void put_mark(const struct load *load, struct mark *mark)
{
	mark->wall_ns = clock_ns(CLOCK_MONOTONIC);
	mark->cpu_ns = load->config.server_pid ? clock_ns(load->server_clock) : 0;
	mark->messages = load->messages;
}

/* The first error ends the run: after it the bytes of that connection mean nothing, and the figure neither. */
static void fail(struct load *load, const struct conn *c, const char *format, ...)
{
	va_list args;

	if (load->errors++)
		return;
	fprintf(stderr, "loadgen: connection %td: ", c - load->conns);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* ---- one connection ---- */

static void watch(struct load *load, struct conn *c, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (epoll_ctl(load->epoll_fd, op, c->fd, &e) < 0)
		give_up("epoll_ctl");
}

static void send_more(struct load *load, struct conn *c)
{
	size_t left = load->stream.batch_size - c->sent;
	ssize_t put = send(c->fd, load->stream.bytes + c->at + c->sent, left, MSG_DONTWAIT | MSG_NOSIGNAL);
	bool waits;

	if (put < 0 && errno != EAGAIN && errno != EINTR) {
		fail(load, c, "send: %s", strerror(errno));
		return;
	}
	c->sent += put > 0 ? (size_t)put : 0;
	waits = c->sent < load->stream.batch_size;
	if (waits != c->waits_out)
		watch(load, c, EPOLL_CTL_MOD, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
	c->waits_out = waits;
}

static void open_conn(struct load *load, struct conn *c)
{
	unsigned from = load->config.is_churn ? 2 + load->opened++ % CHURN_SOURCES : 0;

	c->fd = connect_from(&load->config, from);
	c->waits_out = false;
	load->open++;
	watch(load, c, EPOLL_CTL_ADD, EPOLLIN);
}

static void close_conn(struct load *load, struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	load->open--;
}

static void begin_batch(struct load *load, struct conn *c)
{
	c->sent = c->checked = 0;
	c->batches_left--;
	send_more(load, c);
}

static void batch_done(struct load *load, struct conn *c)
{
	load->messages += load->config.depth;
	load->echoed += !c->has_echoed;
	c->has_echoed = true;
	c->at = (c->at + load->stream.batch_size) % load->stream.period;
	c->sent = c->checked = 0;
	if (load->config.is_churn)
		close_conn(load, c);
	if (load->is_stopping || !c->batches_left) {
		load->busy--;
		return;
	}
	if (load->config.is_churn)
		open_conn(load, c);
	begin_batch(load, c);
}

static void report_difference(struct load *load, const struct conn *c, const unsigned char *want, size_t size)
{
	size_t i = 0;

	while (i + 1 < size && load->received[i] == want[i])
		i++;
	fail(load, c, "wrong byte: message %zu of the batch, offset %zu: sent 0x%02x, got 0x%02x",
	     (c->checked + i) / load->stream.message_size, (c->checked + i) % load->stream.message_size, want[i],
	     load->received[i]);
}

static void receive(struct load *load, struct conn *c)
{
	const unsigned char *want = load->stream.bytes + c->at + c->checked;
	ssize_t got = recv(c->fd, load->received, RECV_SIZE, MSG_DONTWAIT);
	size_t size = (size_t)got;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		fail(load, c, "recv: %s", strerror(errno));
		return;
	}
	if (got == 0) {
		if (!load->is_finishing)
			fail(load, c, "closed by the server with %zu bytes owed", c->sent - c->checked);
		close_conn(load, c);
		return;
	}
	if (size > c->sent - c->checked) {
		fail(load, c, "%zu bytes came that were not sent", size - (c->sent - c->checked));
		return;
	}
	if (memcmp(load->received, want, size)) {
		report_difference(load, c, want, size);
		return;
	}
	c->checked += size;
	if (c->checked == load->stream.batch_size)
		batch_done(load, c);
}

/* ---- all of them ---- */

static void poll_once(struct load *load)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(load->epoll_fd, events, EVENTS_MAX, POLL_MS);

	for (int i = 0; i < n && !load->errors; i++) {
		struct conn *c = events[i].data.ptr;

		if (events[i].events & ~(uint32_t)EPOLLOUT)
			receive(load, c);
		if (events[i].events & EPOLLOUT && c->fd >= 0 && c->waits_out && !load->errors)
			send_more(load, c);
	}
}

static void open_all(struct load *load)
{
	const struct config *config = &load->config;
	uint64_t batch_n = config->messages / config->conns / config->depth;
	size_t message_n = load->stream.period / load->stream.message_size;

	batch_n += config->messages > batch_n * config->conns * config->depth;
	load->conns = calloc(config->conns, sizeof *load->conns);
	if (!load->conns)
		give_up("calloc");
	load->busy = config->conns;
	for (unsigned i = 0; i < config->conns; i++) {
		struct conn *c = &load->conns[i];

		/* Neighbours must not say the same at once: a server that swaps connections is to be seen. */
		c->at = (size_t)i * 7919 % message_n * load->stream.message_size;
		c->batches_left = config->messages ? batch_n : UINT64_MAX;
		open_conn(load, c);
		begin_batch(load, c);
	}
}

/* Warm-up begins when every connection has had an echo: the kernel hands connections out in order, so the
 * idle ones that came before them have then been accepted as well. */
static void run_window(struct load *load)
{
	uint64_t patience_ns = clock_ns(CLOCK_MONOTONIC) + FIRST_ECHO_MS * UINT64_C(1000000), warm_ns = 0;

	while (!load->errors) {
		uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

		if (!warm_ns && load->echoed == load->config.conns)
			warm_ns = now_ns + load->config.warmup_ms * UINT64_C(1000000);
		else if (!warm_ns && now_ns > patience_ns)
			fail(load, load->conns, "only %u connections had an echo", load->echoed);
		else if (warm_ns && !load->begin.wall_ns && now_ns >= warm_ns)
			put_mark(load, &load->begin);
		else if (load->begin.wall_ns &&
			 now_ns - load->begin.wall_ns >= load->config.window_ms * UINT64_C(1000000))
			break;
		poll_once(load);
	}
	put_mark(load, &load->end);
}

static void run_messages(struct load *load)
{
	put_mark(load, &load->begin);
	load->begin.messages = 0;
	while (load->busy && !load->errors)
		poll_once(load);
	put_mark(load, &load->end);
}

/* Polls until *count is 0. */
static void wait_for_none(struct load *load, const unsigned *count, const char *what)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + DRAIN_MS * UINT64_C(1000000);

	while (*count && !load->errors) {
		if (clock_ns(CLOCK_MONOTONIC) > end_ns)
			fail(load, load->conns, "and maybe others: %u of %u %s", *count, load->config.conns, what);
		poll_once(load);
	}
}

static void finish(struct load *load)
{
	load->is_stopping = true;
	wait_for_none(load, &load->busy, "echoes are missing bytes");
	load->is_finishing = true;
	for (unsigned i = 0; i < load->config.conns && !load->errors; i++)
		if (load->conns[i].fd >= 0)
			shutdown(load->conns[i].fd, SHUT_WR);
	wait_for_none(load, &load->open, "connections were not closed by the server after our FIN");
}

/* ---- the whole ---- */

/* Resident KiB of the server, -1 when not known. smaps_rollup counts pages; the VmRSS of recent kernels may
 * be some 100 KiB off. */
static long read_rss_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	f = pid ? fopen(path, "r") : NULL;
	if (!f)
		return -1;
	while (kib < 0 && fgets(line, sizeof line, f))
		sscanf(line, "Rss: %ld", &kib);
	fclose(f);
	return kib;
}

static void report(const struct load *load)
{
	uint64_t messages = load->end.messages - load->begin.messages;
	double seconds = (double)(load->end.wall_ns - load->begin.wall_ns) / 1e9;
	double cpu_us = (double)(load->end.cpu_ns - load->begin.cpu_ns) / 1e3;

	if (!load->begin.wall_ns)
		messages = 0, seconds = 0;
	printf("messages=%llu seconds=%.3f ", (unsigned long long)messages, seconds);
	if (load->config.server_pid && messages)
		printf("cpu_us_per_msg=%.4f server_busy=%.2f ", cpu_us / (double)messages, cpu_us / 1e6 / seconds);
	else
		printf("cpu_us_per_msg=nan server_busy=nan ");
	printf("server_rss_kib=%ld errors=%u\n", load->server_rss_kib, load->errors);
}

static void out_of_time(int signal)
{
	static const char text[] = "loadgen: out of time\n";

	(void)signal;
	if (write(2, text, sizeof text - 1) < 0)
		_exit(3);
	_exit(1);
}

/* The bound on everything together, stuck connects included. */
static unsigned time_limit_s(const struct config *config)
{
	return config->messages ? 300 : 60 + (config->warmup_ms + config->window_ms) / 1000;
}

int main(int argc, char **argv)
{
	static struct load load;

	config_from_args(&load.config, argc, argv);
	signal(SIGALRM, out_of_time);
	alarm(time_limit_s(&load.config));
	stream_init(&load.stream, &load.config);
	load.received = malloc(RECV_SIZE);
	load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!load.received || load.epoll_fd < 0)
		give_up("start");
	if (load.config.server_pid && clock_getcpuclockid(load.config.server_pid, &load.server_clock))
		give_up("no such --server-pid");
	open_idle(&load.config);
	open_all(&load);
	if (load.config.messages)
		run_messages(&load);
	else
		run_window(&load);
	load.server_rss_kib = read_rss_kib(load.config.server_pid);
	finish(&load);
	report(&load);
	return load.errors != 0;
}
