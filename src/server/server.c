/* SPDX-License-Identifier: MIT
 *
 * The server: made from a config, turned step by step, stopped in order or at once.
 *
 * A turn is: wait for sockets, one operation of each that is ready, the timers that are due, the log.
 */
#include "server/server.h"

#include <errno.h>
#include <stdalign.h>

/* How long a log line may wait when nothing else happens, while its reader is slow. */
#define LOG_PATIENCE (100 * SB_MS)

/* How long it is until the kernel may have memory again. */
#define WAIT_PAUSE (10 * SB_MS)

/* ---- the config ---- */

static int read_options(struct sb_options *o, const struct sb_config *config, struct sb_fault *fault)
{
	int r = 0;

	sb_options_init(o);
	for (size_t i = 0; i < config->options_n && r == 0; i++)
		r = sb_options_set(o, sb_slice_cstr(config->options[i]), fault);
	return r;
}

/* Strict as soon as one address is not a loopback one. */
static int read_listens(struct sb_config_read *read, const struct sb_config *config, struct sb_fault *fault)
{
	struct sb_listener l;
	struct sb_listen_ask ask;

	for (size_t i = 0; sb_listen_ask_at(config, i, &ask); i++) {
		int r = sb_listener_parse(&l, ask.text, fault);

		read->failed = i + 1;
		if (r < 0)
			return r;
		if (l.endpoint.on == SB_ON_UNIX || sb_addr_is_loopback(&l.endpoint.addr))
			continue;
		read->is_strict = true;
		if (read->options.allow_n == 0)
			return sb_fault_set(fault, SB_E_PLACE, 1,
					    "%.*s is not a loopback address: say who may connect with --allow CIDR",
					    SB_FAULT_WORD(ask.text));
	}
	read->failed = 0;
	return 0;
}

int sb_config_read(struct sb_config_read *read, const struct sb_config *config, struct sb_fault *fault)
{
	int r;

	*read = (struct sb_config_read){.failed = 0};
	r = read_options(&read->options, config, fault);
	if (r == 0 && config->listens_n > SB_LISTENERS_MAX)
		r = sb_fault_set(fault, SB_E_LIMIT, 0, "at most %d listeners", SB_LISTENERS_MAX);
	if (r == 0)
		r = read_listens(read, config, fault);
	if (r == 0 && read->options.allow_n > 0 && !read->is_strict)
		r = sb_fault_set(fault, SB_E_PLACE, 0,
				 "allow is about addresses that are not loopback, and no listener has one");
	if (r == 0)
		sb_limits_fill(&read->options.limits, read->is_strict);
	return r;
}

long sb_server_size(const struct sb_config *config, struct sb_fault *fault)
{
	struct sb_config_read read;
	int r = sb_config_read(&read, config, fault);

	return r < 0 ? r : (long)sb_layout_size(&read.options);
}

/* ---- opening ---- */

/* The backend that was asked for, or the first that works. */
static int open_io(struct sb_server *srv, struct sb_fault *fault)
{
	const struct sb_backend *b;
	int r = -ENOSYS;

	srv->io.sys = srv->sys;
	srv->io.want_dst = srv->is_strict;
	for (size_t i = 0; (b = sb_backend_at(i)); i++) {
		if (srv->opt.backend && srv->opt.backend != b)
			continue;
		srv->io.backend = b;
		r = b->ops->open(&srv->io);
		if (r == 0)
			return 0;
	}
	srv->io.backend = NULL;
	sb_fault_set(fault, r, 0, "no backend works: %s", sb_strerror(r));
	return r;
}

static int open_wake(struct sb_server *srv, struct sb_fault *fault)
{
	struct sb_handle handle = {.slot = sb_slot_of_wake(srv)};
	struct sb_op op = {.handle = handle, .kind = SB_OP_WAKE};
	struct sb_done done;
	int r;

	srv->wake_fd = sb_sys_wake_open(srv->sys);
	r = srv->wake_fd < 0 ? srv->wake_fd : srv->io.backend->ops->attach(&srv->io, handle, srv->wake_fd, SB_IO_WAKE);
	if (r < 0)
		return sb_fault_set(fault, r, 0, "cannot make a wake fd: %s", sb_strerror(r));
	srv->io.backend->ops->submit(&srv->io, &op, &done);
	return 0;
}

static void say_profile(struct sb_server *srv)
{
	struct sb_log *log = &srv->log;

	if (!sb_log_begin(log, SB_LOG_PROFILE, srv->now))
		return;
	sb_log_word(log, "name", srv->is_strict ? "strict" : "loopback");
	sb_log_word(log, "io", srv->io.backend->name);
	sb_log_u64(log, "max-conns", srv->opt.limits.v[SB_LIMIT_CONNS]);
	if (srv->is_strict)
		sb_log_text(log, "why",
			    sb_slice_cstr("an address is not a loopback one: others can reach this server"));
	sb_log_end(log);
}

/* One of the defaults whose address this machine does not have. */
static bool is_missing(const struct sb_listen_ask *ask, int err)
{
	return ask->is_optional && (err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT);
}

static int open_listeners(struct sb_server *srv, const struct sb_config *config, struct sb_fault *fault)
{
	struct sb_listen_ask ask;

	for (size_t i = 0; sb_listen_ask_at(config, i, &ask); i++) {
		struct sb_listener *l = &srv->listeners[i];
		int r = sb_listener_parse(l, ask.text, fault);

		l->fd = -1;
		srv->listeners_n = srv->static_n = (uint32_t)i + 1;
		l->is_loopback = l->endpoint.on == SB_ON_UNIX || sb_addr_is_loopback(&l->endpoint.addr);
		if (r == 0)
			r = sb_listener_open(srv, (uint32_t)i, NULL, fault);
		if (r < 0 && is_missing(&ask, r)) {
			if (sb_log_begin(&srv->log, SB_LOG_UNLISTENED, srv->now)) {
				sb_log_u64(&srv->log, "listener", i + 1);
				sb_log_text(&srv->log, "on", ask.text);
				sb_log_text(&srv->log, "why", sb_slice_cstr("this machine does not have the address"));
				sb_log_word(&srv->log, "errno", sb_errname(r));
				sb_log_end(&srv->log);
			}
		} else if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int open_parts(struct sb_server *srv, const struct sb_config *config, struct sb_fault *fault)
{
	uint64_t secrets[4];
	int r;

	do
		r = sb_sys_random(srv->sys, secrets, sizeof(secrets));
	while (r == -EINTR);
	if (r < 0)
		return sb_fault_set(fault, r, 0, "no random numbers: %s", sb_strerror(r));
	srv->perip.secret = secrets[0];
	srv->rates->secret = srv->replies.peers.secret = secrets[1];
	srv->seed = secrets[2];
	srv->token_secret = secrets[3];
	r = open_io(srv, fault);
	if (r == 0)
		r = open_wake(srv, fault);
	if (r < 0)
		return r;
	say_profile(srv);
	r = open_listeners(srv, config, fault);
	if (r == 0)
		srv->spare_fd = sb_sys_spare_fd(srv->sys);
	return r;
}

int sb_server_open(struct sb_server **server, void *mem, size_t size, const struct sb_config *config,
		   struct sb_server_env *env, struct sb_fault *fault)
{
	struct sb_server *srv = mem;
	int r = sb_config_read(&env->read, config, fault);
	size_t needed;

	if (r < 0)
		return r;
	needed = sb_layout_size(&env->read.options);
	if (size < needed || (uintptr_t)mem % alignof(max_align_t))
		return sb_fault_set(fault, SB_E_NO_SPACE, 0, "the server needs %zu bytes, aligned", needed);
	srv->sys = env->sys;
	srv->files = env->files;
	srv->files_n = env->files_n;
	srv->names = env->names;
	srv->names_n = env->names_n;
	srv->opt = env->read.options;
	srv->is_strict = env->read.is_strict;
	srv->spare_fd = srv->wake_fd = -1;
	sb_layout_take(srv, mem);
	srv->now = sb_sys_now(srv->sys);
	sb_log_init(&srv->log, config->log_fd, srv->log.room, srv->now);
	srv->log.is_json = srv->opt.is_json;
	srv->log.level = srv->opt.level;
	sb_log_init(&srv->receipt_log, env->receipts_fd ? *env->receipts_fd : -1, srv->receipt_log.room, srv->now);
	r = open_parts(srv, config, fault);
	if (r < 0) {
		/* The fault says it all. */
		srv->log.fd = -1;
		env->read.failed = srv->listeners_n;
		sb_server_fini(srv);
		return r;
	}
	sb_log_flush(&srv->log, srv->sys);
	*server = srv;
	return 0;
}

void sb_server_fini(struct sb_server *server)
{
	server->stage = SB_STAGE_KILL;
	for (uint32_t i = 0; i < server->listeners_n; i++)
		sb_listener_close(server, i);
	for (uint32_t i = 0; i < server->conns.fresh; i++) {
		struct sb_conn *c = sb_conn_at(server, i);

		if (c)
			sb_conn_stop(server, c);
	}
	if (server->io.backend)
		server->io.backend->ops->close(&server->io);
	if (server->gate.fd >= 0)
		sb_sys_close(server->sys, server->gate.fd);
	server->gate.fd = -1;
	if (server->wake_fd >= 0)
		sb_sys_close(server->sys, server->wake_fd);
	if (server->spare_fd >= 0)
		sb_sys_close(server->sys, server->spare_fd);
	server->wake_fd = server->spare_fd = -1;
	sb_receipts_end(server);
	sb_log_flush(&server->log, server->sys);
	sb_log_sum_up(&server->log, server->now, true);
	sb_counters_log(server);
	sb_log_flush(&server->log, server->sys);
}

int sb_server_port(const struct sb_server *server, size_t i)
{
	if (i >= server->listeners_n || server->listeners[i].fd < 0)
		return SB_E_UNKNOWN;
	return server->listeners[i].endpoint.addr.port;
}

/* ---- stopping ---- */

void sb_server_stop(struct sb_server *server)
{
	atomic_fetch_add(&server->stops, 1);
	sb_sys_wake_post(server->sys, server->wake_fd);
}

static void enter(struct sb_server *srv, enum sb_stage stage)
{
	if (srv->stage >= stage)
		return;
	srv->stage = stage;
	if (sb_log_begin(&srv->log, SB_LOG_STOP, srv->now)) {
		sb_log_word(&srv->log, "how", stage == SB_STAGE_DRAIN ? "drain" : "now");
		sb_log_u64(&srv->log, "open", srv->count[SB_COUNT_OPEN]);
		sb_log_end(&srv->log);
	}
	for (uint32_t i = 0; i < srv->listeners_n; i++)
		sb_listener_close(srv, i);
	for (uint32_t i = 0; i < srv->conns.fresh; i++) {
		struct sb_conn *c = sb_conn_at(srv, i);

		if (c)
			sb_conn_stop(srv, c);
	}
}

static void heed_stops(struct sb_server *srv)
{
	unsigned stops = atomic_load(&srv->stops);

	if (stops > 0)
		enter(srv, stops == 1 ? SB_STAGE_DRAIN : SB_STAGE_KILL);
}

/* ---- a turn ---- */

static void wake_done(struct sb_server *srv)
{
	struct sb_op op = {.handle = {.slot = sb_slot_of_wake(srv)}, .kind = SB_OP_WAKE};
	struct sb_done done;

	srv->io.backend->ops->submit(&srv->io, &op, &done);
}

static void listener_done(struct sb_server *srv, uint32_t i, const struct sb_done *done)
{
	if (done->kind == SB_OP_ACCEPT)
		sb_accept_done(srv, i, done);
	else
		sb_udp_done(srv, i, done);
}

/* A completion for something that is gone is counted and goes no further. */
static void dispatch(struct sb_server *srv, const struct sb_done *done)
{
	uint32_t slot = done->handle.slot, cap = srv->conns.cap;
	uint32_t i = slot < cap ? 0 : slot - cap;

	if (slot < cap) {
		struct sb_conn *c = sb_conn_at(srv, slot);

		if (c && c->gen == done->handle.gen) {
			sb_conn_done(srv, c, done);
			return;
		}
	} else if (slot == sb_slot_of_wake(srv)) {
		wake_done(srv);
		return;
	} else if (i < srv->listeners_n && srv->listeners[i].fd >= 0 && srv->listeners[i].gen == done->handle.gen) {
		listener_done(srv, i, done);
		return;
	}
	srv->count[SB_COUNT_STALE]++;
}

static void listener_tick(struct sb_server *srv, uint32_t i)
{
	if (!sb_port_tick(srv, i))
		sb_accept_resume(srv, i);
}

static void run_timers(struct sb_server *srv)
{
	uint32_t slot;

	/* As many as there can be: one whose deadline has moved to now would else be popped for ever. */
	for (uint32_t n = srv->timers.n; n > 0 && sb_timers_pop(&srv->timers, srv->now, &slot); n--) {
		if (slot >= srv->conns.cap)
			listener_tick(srv, slot - srv->conns.cap);
		else
			sb_conn_tick(srv, sb_conn_at(srv, slot));
	}
}

static int64_t patience(struct sb_server *srv, int64_t wait_ns)
{
	uint64_t next = sb_timers_next(&srv->timers), gate = sb_gate_next(srv), late = sb_late_due(srv), until;

	next = gate < next ? gate : next;
	next = late < next ? late : next;
	if (srv->log.waiting + srv->receipt_log.waiting > 0 && (wait_ns < 0 || wait_ns > (int64_t)LOG_PATIENCE))
		wait_ns = (int64_t)LOG_PATIENCE;
	if (next == SB_NEVER)
		return wait_ns;
	until = next > srv->now ? next - srv->now : 0;
	return wait_ns < 0 || until < (uint64_t)wait_ns ? (int64_t)until : wait_ns;
}

static bool is_over(const struct sb_server *srv)
{
	return srv->count[SB_COUNT_OPEN] == 0 && srv->listening == 0;
}

/* poll needs memory for many descriptors. To ask again at once would burn the CPU; to ask about none needs nothing. */
static void wait_without_memory(struct sb_server *srv, int err)
{
	srv->count[SB_COUNT_WAIT_ERRORS]++;
	if (sb_log_begin(&srv->log, SB_LOG_WAIT, srv->now)) {
		sb_log_word(&srv->log, "errno", sb_errname(err));
		sb_log_time(&srv->log, "for", WAIT_PAUSE);
		sb_log_end(&srv->log);
	}
	sb_sys_poll(srv->sys, NULL, 0, (int64_t)WAIT_PAUSE);
}

int sb_server_step(struct sb_server *server, int64_t wait_ns)
{
	struct sb_done done;
	int r;

	heed_stops(server);
	if (is_over(server))
		return 0;
	r = server->io.backend->ops->wait(&server->io, patience(server, wait_ns));
	if (r == -ENOMEM)
		wait_without_memory(server, r);
	else if (r < 0)
		return r;
	server->now = sb_sys_now(server->sys);
	while (server->io.backend->ops->next(&server->io, &done))
		dispatch(server, &done);
	run_timers(server);
	if (server->gate.n > 0)
		sb_gate_turn(server);
	sb_late_turn(server);
	sb_log_sum_up(&server->log, server->now, false);
	if (server->receipt_log.waiting > 0)
		sb_receipts_flush(server);
	if (server->log.waiting > 0)
		sb_log_flush(&server->log, server->sys);
	heed_stops(server);
	return is_over(server) ? 0 : 1;
}
