/* SPDX-License-Identifier: MIT
 * streambed serve: reads what is asked for, runs the server until it has ended or is told to. */
#include "cli/asks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "scenario/help.h"
#include "sockopt/help.h"

enum flag_id { FLAG_LISTEN, FLAG_CONFIG, FLAG_READY_FD, FLAG_FILES, FLAG_RECEIPTS, FLAG_VERSION, FLAG_OPTION };

static const struct sb_flag own_flags[] = {
	{"listen", "ENDPOINT[,LINE]", "listen here and behave so; may be given again", FLAG_LISTEN},
	{"config", "FILE", "one listener or option (max-conns=100) a line", FLAG_CONFIG},
	{"ready-fd", "N", "write a byte to this descriptor when all listeners listen", FLAG_READY_FD},
	{"files", "DIR", "where SOURCE file=NAME takes files from", FLAG_FILES},
	{"receipts", "FILE", "append a line of JSON for each connection whose line shapes what it is sent; - is stdout",
	 FLAG_RECEIPTS},
	{"version", NULL, "what this is built from and what works here", FLAG_VERSION},
};

enum { OWN_FLAGS = sizeof(own_flags) / sizeof(own_flags[0]), FLAGS_MAX = OWN_FLAGS + SB_LIMIT_COUNT + 16 };

struct serve {
	struct sb_asks asks;
	struct sb_flag flags[FLAGS_MAX];
	size_t flags_n;
	char option_text[SB_OPTIONS_MAX][256];
	long ready_fd;
	const char *receipts;
};

/* ---- arguments ---- */

/* The flags are the command's own, then the switches and limits that a server knows. */
static void gather_flags(struct serve *s)
{
	const struct sb_switch_row *row;

	for (size_t i = 0; i < OWN_FLAGS; i++)
		s->flags[s->flags_n++] = own_flags[i];
	for (size_t i = 0; (row = sb_switch_at(i)); i++)
		s->flags[s->flags_n++] = (struct sb_flag){row->name, row->arg, row->help, FLAG_OPTION};
	for (size_t i = 0; i < SB_LIMIT_COUNT; i++)
		s->flags[s->flags_n++] =
			(struct sb_flag){sb_limit_rows[i].name, "VALUE", sb_limit_rows[i].help, FLAG_OPTION};
}

static int help(const struct serve *s)
{
	static char room[32 * 1024];
	struct sb_text t = sb_text_in(room, sizeof(room));

	printf("usage: streambed serve [--listen ENDPOINT[,LINE]]... [OPTION...]\n\n"
	       "ENDPOINT is tcp://HOST:PORT, udp://HOST:PORT or unix:PATH, HOST in numbers, PORT 0 for a free one.\n"
	       "Without --listen: ECHO on tcp and udp 127.0.0.1:7777 and [::1]:7777.\n"
	       "TERM or INT: no more is accepted, connections drain, exit 0; the second time at once.\n\n");
	sb_flags_help(s->flags, s->flags_n - SB_LIMIT_COUNT);
	printf("\nlimits                 loopback  strict   (strict: as soon as one address is not a loopback one)\n");
	sb_limits_help(&t);
	sb_text_str(&t, "\nLINE is SERVICE key=value key=value, as: ECHO frame=u32be max=64k\n\nservices\n");
	sb_print(&t);
	for (size_t i = 0; sb_service_at(i); i++)
		printf("  %-10s %s\n", sb_service_at(i)->name, sb_service_at(i)->help);
	printf("\nframe=\n");
	for (size_t i = 0; sb_codec_at(i); i++)
		printf("  %s%-*s %s\n", sb_codec_at(i)->name, (int)(36 - strlen(sb_codec_at(i)->name)),
		       sb_codec_at(i)->args, sb_codec_at(i)->help);
	t.n = 0;
	sb_text_char(&t, '\n');
	sb_keys_help(&t);
	sb_text_char(&t, '\n');
	sb_sockopts_help(&t);
	sb_print(&t);
	return SB_EXIT_OK;
}

static int take_option(struct serve *s, const struct sb_args *args)
{
	struct sb_ask_place here = {0};
	char *text = s->option_text[s->asks.options_n % SB_OPTIONS_MAX];

	int n = snprintf(text, sizeof(s->option_text[0]), "%s=%s", args->flag->name, args->value);

	if (n < 0 || (size_t)n >= sizeof(s->option_text[0]))
		return sb_complain("serve", SB_EXIT_USAGE, "--%s: the value is too long", args->flag->name);
	return sb_asks_option(&s->asks, text, here);
}

static int take_ready_fd(struct serve *s, const char *value)
{
	uint64_t n;

	if (sb_parse_count(sb_slice_cstr(value), &n) < 0 || n > 1023)
		return sb_complain("serve", SB_EXIT_USAGE, "--ready-fd is an open descriptor, 0 to 1023, not \"%s\"",
				   value);
	s->ready_fd = (long)n;
	return 0;
}

static int take(struct serve *s, const struct sb_args *args)
{
	struct sb_ask_place here = {0};

	switch (args->id) {
	case FLAG_LISTEN:
		return sb_asks_listen(&s->asks, args->value, here);
	case FLAG_CONFIG:
		return sb_asks_config(&s->asks, args->value);
	case FLAG_READY_FD:
		return take_ready_fd(s, args->value);
	case FLAG_FILES:
		s->asks.files_dir = args->value;
		return 0;
	case FLAG_RECEIPTS:
		s->receipts = args->value;
		return 0;
	case FLAG_OPTION:
		return take_option(s, args);
	default:
		return sb_complain("serve", SB_EXIT_USAGE, "\"%s\" is no option: did you mean --listen %s?",
				   args->value, args->value);
	}
}

/* ---- running ---- */

/* What the signal handler reaches. */
static struct sb_server *stop_this;

static void on_signal(int sig)
{
	int err = errno;

	(void)sig;
	if (stop_this)
		sb_server_stop(stop_this);
	errno = err;
}

static void catch_signals(struct sb_server *server)
{
	struct sigaction action = {.sa_handler = on_signal};

	stop_this = server;
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

/* Every connection is a descriptor: take as many as we may have. */
static void raise_descriptors(const struct sb_options *o)
{
	struct rlimit limit;
	uint64_t conns =
		o->limits.is_set[SB_LIMIT_CONNS] ? o->limits.v[SB_LIMIT_CONNS] : sb_limit_rows[SB_LIMIT_CONNS].loopback;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < conns + 80)
		sb_complain("serve", 0, "only %llu descriptors may be open: fewer than --max-conns %llu (ulimit -Hn)",
			    (unsigned long long)limit.rlim_cur, (unsigned long long)conns);
}

/* A gate asks again after some microseconds: the usual 50 us of leeway would be most of the wait. */
static void sharpen_timers(void)
{
	prctl(PR_SET_TIMERSLACK, 1UL);
}

/* 0 or an exit code; *fd is -1 for none. */
static int open_receipts(const struct serve *s, int *fd)
{
	*fd = -1;
	if (!s->receipts)
		return 0;
	*fd = strcmp(s->receipts, "-") == 0 ? STDOUT_FILENO
					    : open(s->receipts, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (*fd < 0)
		return sb_complain("serve", SB_EXIT_IO, "--receipts %s: %s", s->receipts, sb_strerror(-errno));
	return 0;
}

static void print_example(const struct sb_endpoint *e)
{
	bool is_v4 = e->addr.family == SB_IPV4;
	struct sb_addr host = e->addr;
	char ip[INET6_ADDRSTRLEN] = "";

	if (e->on == SB_ON_UNIX) {
		printf("try: printf 'hello\\n' | nc -N -U %s\n", e->path);
		return;
	}
	if (sb_addr_is_any(&host))
		sb_addr_parse_ip(&host, sb_slice_cstr(is_v4 ? "127.0.0.1" : "::1"));
	inet_ntop(is_v4 ? AF_INET : AF_INET6, host.ip, ip, sizeof(ip));
	printf("try: printf 'hello\\n' | nc %s %s %u\n", e->on == SB_ON_TCP ? "-N" : "-u -w1", ip, e->addr.port);
}

/* On stdout, for programs too: "listening tcp://127.0.0.1:7777 ECHO". */
static void print_listeners(const struct sb_server *server)
{
	char room[SB_LINE_MAX * 4 + 256];
	bool is_tried = false;

	for (uint32_t i = 0; i < server->listeners_n; i++) {
		struct sb_text t = sb_text_in(room, sizeof(room));

		if (server->listeners[i].fd < 0)
			continue; /* the log says why */
		sb_text_listener(&t, &server->listeners[i]);
		printf("listening %s\n", sb_text_end(&t));
	}
	for (uint32_t i = 0; i < server->listeners_n && !is_tried; i++) {
		is_tried = server->listeners[i].fd >= 0;
		if (is_tried)
			print_example(&server->listeners[i].endpoint);
	}
	fflush(stdout);
}

static int tell_ready(long fd)
{
	if (fd < 0)
		return 0;
	if (write((int)fd, "\n", 1) != 1)
		return sb_complain("serve", SB_EXIT_IO, "--ready-fd %ld: %s", fd, sb_strerror(-errno));
	if (fd > 2)
		close((int)fd);
	return 0;
}

static int run(struct serve *s, struct sb_server *server)
{
	int r, code;

	catch_signals(server);
	if (geteuid() == 0 && sb_log_begin(&server->log, SB_LOG_NOTE, server->now)) {
		sb_log_text(&server->log, "text", sb_slice_cstr("running as root, which a test server does not need"));
		sb_log_end(&server->log);
	}
	print_listeners(server);
	code = tell_ready(s->ready_fd);
	if (code != 0)
		return code;
	do
		r = sb_server_step(server, -1);
	while (r > 0);
	if (r < 0)
		return sb_complain("serve", SB_EXIT_OS, "cannot wait for sockets: %s", sb_strerror(r));
	return SB_EXIT_OK;
}

static int serve(struct serve *s)
{
	struct sb_config config = {
		.listens = s->asks.listens,
		.listens_n = s->asks.listens_n,
		.options = s->asks.options,
		.options_n = s->asks.options_n,
		.log_fd = STDERR_FILENO,
	};
	struct sb_server_env env = {.sys = sb_sys_open(), .files = s->asks.files, .files_n = s->asks.files_n};
	struct sb_fault fault = {0};
	struct sb_server *server;
	long size;
	void *mem;
	int receipts_fd, code = open_receipts(s, &receipts_fd);

	if (code != 0)
		return code;
	env.receipts_fd = &receipts_fd;
	env.names = s->asks.names;
	env.names_n = s->asks.names_n;
	if (sb_config_read(&env.read, &config, &fault) < 0)
		return sb_asks_fault(&s->asks, env.read.failed, &fault);
	size = (long)sb_layout_size(&env.read.options);
	mem = calloc(1, (size_t)size);
	if (!mem)
		return sb_complain("serve", SB_EXIT_OS,
				   "no memory: %ld bytes; fewer --max-conns or --max-held need less", size);
	if (sb_server_open(&server, mem, (size_t)size, &config, &env, &fault) < 0) {
		code = sb_asks_fault(&s->asks, env.read.failed, &fault);
	} else {
		code = run(s, server);
		stop_this = NULL;
		sb_server_fini(server);
	}
	free(mem);
	return code;
}

int sb_cmd_serve(int argc, char **argv)
{
	/* Not on the stack: it is some 50 KiB. */
	static struct serve s = {.ready_fd = -1};
	struct sb_args args = {.command = "serve", .flags = s.flags, .argc = argc, .argv = argv, .at = 1};
	int code = 0;

	sb_options_init(&s.asks.checked);
	gather_flags(&s);
	args.flags_n = s.flags_n;
	while (code == 0 && sb_args_next(&args) != SB_ARG_END) {
		if (args.id == SB_ARG_HELP)
			return help(&s);
		if (args.id == FLAG_VERSION)
			return sb_cmd_version();
		code = args.id == SB_ARG_BAD ? SB_EXIT_USAGE : take(&s, &args);
	}
	if (code == 0)
		code = sb_asks_files(&s.asks);
	if (code == 0)
		code = sb_asks_names(&s.asks);
	if (code == 0) {
		raise_descriptors(&s.asks.checked);
		sharpen_timers();
		code = serve(&s);
	}
	sb_asks_fini(&s.asks);
	return code;
}
