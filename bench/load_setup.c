/* SPDX-License-Identifier: MIT
 *
 * The load generator before it starts: its options, the bytes it will send, its sockets. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IDLE_PER_ADDRESS = 5000 };

static const char usage[] =
	"usage: loadgen --port P [--host 127.x.x.x] [--conns N] [--size BYTES] [--depth N] [--frame none|u32be|line]\n"
	"               [--idle N] [--churn] [--warmup-ms N] [--window-ms N | --messages N] [--server-pid PID]\n";

_Noreturn void give_up(const char *what)
{
	fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static _Noreturn void refuse(const char *what)
{
	fprintf(stderr, "loadgen: %s\n%s", what, usage);
	exit(2);
}

/* ---- options ---- */

static uint64_t number(const char *name, const char *text, uint64_t min, uint64_t max)
{
	char *end, sentence[120];
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n < min || n > max) {
		snprintf(sentence, sizeof sentence, "--%s is %llu to %llu", name, (unsigned long long)min,
			 (unsigned long long)max);
		refuse(sentence);
	}
	return n;
}

static enum frame frame_named(const char *name)
{
	static const char *const names[] = {"none", "u32be", "line"};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(name, names[i]))
			return (enum frame)i;
	refuse("--frame is none, u32be or line");
}

static void set_host(struct config *config, const char *text)
{
	/* It reads a process's clock and loads a machine as hard as it can: nobody else's. */
	if (inet_pton(AF_INET, text, &config->server.sin_addr) != 1 ||
	    ntohl(config->server.sin_addr.s_addr) >> 24 != 127)
		refuse("--host is an address in 127.0.0.0/8");
}

static void set_option(struct config *config, int key, const char *name, const char *value)
{
	switch (key) {
	case 'h':
		set_host(config, value);
		break;
	case 'p':
		config->server.sin_port = htons((uint16_t)number(name, value, 1, 65535));
		break;
	case 'c':
		config->conns = (unsigned)number(name, value, 1, 60000);
		break;
	case 's':
		config->size = number(name, value, 1, 16 << 20);
		break;
	case 'd':
		config->depth = (unsigned)number(name, value, 1, 1024);
		break;
	case 'f':
		config->frame = frame_named(value);
		break;
	case 'i':
		config->idle = (unsigned)number(name, value, 0, 60000);
		break;
	case 'x':
		config->is_churn = true;
		break;
	case 'w':
		config->warmup_ms = (unsigned)number(name, value, 0, 60000);
		break;
	case 'W':
		config->window_ms = (unsigned)number(name, value, 1, 60000);
		break;
	case 'm':
		config->messages = number(name, value, 1, 1000000000);
		break;
	case 'P':
		config->server_pid = (pid_t)number(name, value, 1, 1 << 30);
		break;
	default:
		refuse("no such option, or its value is missing");
	}
}

void config_from_args(struct config *config, int argc, char **argv)
{
	static const struct option options[] = {
		{"host", 1, NULL, 'h'},      {"port", 1, NULL, 'p'},     {"conns", 1, NULL, 'c'},
		{"size", 1, NULL, 's'},      {"depth", 1, NULL, 'd'},    {"frame", 1, NULL, 'f'},
		{"idle", 1, NULL, 'i'},      {"churn", 0, NULL, 'x'},    {"warmup-ms", 1, NULL, 'w'},
		{"window-ms", 1, NULL, 'W'}, {"messages", 1, NULL, 'm'}, {"server-pid", 1, NULL, 'P'},
		{NULL, 0, NULL, 0},
	};
	int key, index = 0;

	*config = (struct config){.conns = 50, .size = 64, .depth = 1, .warmup_ms = 200, .window_ms = 1000};
	config->server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	opterr = 0;
	while ((key = getopt_long(argc, argv, "", options, &index)) != -1)
		set_option(config, key, options[index].name, optarg);
	if (optind < argc)
		refuse("it takes options only");
	if (!config->server.sin_port)
		refuse("--port is needed");
	if (config->size * config->depth > 64 << 20)
		refuse("--size times --depth is at most 64 MiB");
}

/* ---- bytes ---- */

static uint64_t next_random(uint64_t *state) /* xorshift64* */
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static void fill_message(unsigned char *to, const struct config *config, uint64_t *random)
{
	size_t size = config->size;

	if (config->frame == FRAME_U32BE) {
		for (int shift = 24; shift >= 0; shift -= 8)
			*to++ = (unsigned char)(size >> shift);
	}
	for (size_t i = 0; i < size; i++) {
		unsigned byte = (unsigned)(next_random(random) >> 56);

		/* A line must not hold its own end: printable ASCII there, any byte elsewhere. */
		to[i] = (unsigned char)(config->frame == FRAME_LINE ? ' ' + byte % 95 : byte);
	}
	if (config->frame == FRAME_LINE)
		to[size] = '\n';
}

void stream_init(struct stream *stream, const struct config *config)
{
	static const size_t framing_size[] = {[FRAME_NONE] = 0, [FRAME_U32BE] = 4, [FRAME_LINE] = 1};
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
	size_t messages;

	stream->message_size = config->size + framing_size[config->frame];
	stream->batch_size = stream->message_size * config->depth;
	messages = 65536 / stream->message_size;
	if (messages < 2 * (size_t)config->depth)
		messages = 2 * (size_t)config->depth;
	/* Odd, so that batches of 2, 4, 16 … begin everywhere in time. */
	stream->period = (messages | 1) * stream->message_size;
	stream->bytes = malloc(stream->period + stream->batch_size);
	if (!stream->bytes)
		give_up("malloc");
	for (size_t at = 0; at < stream->period; at += stream->message_size)
		fill_message(stream->bytes + at, config, &random);
	memcpy(stream->bytes + stream->period, stream->bytes, stream->batch_size);
}

/* ---- sockets ---- */

static void bind_source(int fd, unsigned from)
{
	struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + from)};
	int one = 1;

	/* Choose the port at connect, when the other end is known: a port may then serve many servers. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
		give_up("bind a source address");
}

int connect_from(const struct config *config, unsigned from)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		give_up("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (from)
		bind_source(fd, from);
	/* A blocking connect: on loopback the handshake is over before it would have to wait. Every later call
	 * on the socket says MSG_DONTWAIT. */
	if (connect(fd, (const struct sockaddr *)&config->server, sizeof config->server) < 0)
		give_up("connect");
	return fd;
}

static void raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

void open_idle(const struct config *config)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};

	raise_file_limit();
	for (unsigned i = 0; i < config->idle; i++) {
		int fd = connect_from(config, 2 + i / IDLE_PER_ADDRESS);

		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	}
}
