/* SPDX-License-Identifier: MIT
 * The simulated kernel: descriptors, listeners, the log, and the rest. Read sys_sim.h first. */
#include "sys_sim.h"

#include <errno.h>
#include <string.h>

#include "base/rng.h"
#include "found.h"

enum { KERNELS = 2 };

static struct sb_sys kernels[KERNELS];
static uint8_t sent_room[KERNELS][SIM_CONNS][SIM_SENT_MAX];
static uint8_t out_room[KERNELS][SIM_CONNS][SIM_OUT_MAX];

struct sb_sys *sim_open(unsigned which)
{
	struct sb_sys *k = &kernels[which];

	memset(k, 0, sizeof(*k));
	k->now = k->until = UINT64_C(1000000000000);
	k->fds_max = SIM_FDS;
	k->next_port = SIM_PORT_FIRST;
	k->target = (struct sb_addr){.family = SB_IPV4, .ip = {10, 9, 9, 9}};
	k->sweep_hit = SIM_CALLS;
	for (uint32_t i = 0; i < SIM_CONNS; i++) {
		k->conn[i].sent = sent_room[which][i];
		k->conn[i].out = out_room[which][i];
	}
	return k;
}

struct sb_sys *sb_sys_open(void)
{
	return sim_open(0);
}

/* ---- descriptors ---- */

struct sim_fd *sim_get(struct sb_sys *k, int fd, const char *call)
{
	struct sim_fd *f = &k->fd[(uint32_t)fd % SIM_FDS];

	if (fd < 0 || f->type == SIM_FREE || f->fd != fd)
		sb_found("kernel: %s on descriptor %d, which is not open", call, fd);
	return f;
}

struct sim_fd *sim_make(struct sb_sys *k, enum sim_type type)
{
	if (k->fds >= k->fds_max) {
		k->faults++;
		return NULL;
	}
	for (uint32_t i = 0; i < SIM_FDS; i++) {
		struct sim_fd *f = &k->fd[i];

		if (f->type != SIM_FREE)
			continue;
		k->used[i]++;
		*f = (struct sim_fd){.type = (uint8_t)type, .fd = (int)(i + k->used[i] * SIM_FDS)};
		f->order = ++k->orders;
		if (k->slots <= i)
			k->slots = i + 1;
		k->fds++;
		sim_progress(k);
		return f;
	}
	return NULL;
}

static int make_fd(struct sb_sys *k, enum sim_type type, enum sim_call call, const void *site)
{
	int r = sim_fault(k, call, site);
	struct sim_fd *f = r < 0 ? NULL : sim_make(k, type);

	return r < 0 ? r : f ? f->fd : -EMFILE;
}

uint32_t sim_count(const struct sb_sys *k, enum sim_type type)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->slots; i++)
		n += k->fd[i].type == type;
	return n;
}

int sim_endpoint(const struct sb_sys *k, uint32_t i)
{
	uint32_t last = 0;

	for (;;) {
		const struct sim_fd *best = NULL;

		for (uint32_t j = 0; j < k->slots; j++) {
			const struct sim_fd *f = &k->fd[j];

			if ((f->type == SIM_LISTENER || f->type == SIM_DGRAM) && f->order > last &&
			    (!best || f->order < best->order))
				best = f;
		}
		if (!best)
			return -1;
		if (i-- == 0)
			return best->fd;
		last = best->order;
	}
}

/* ---- sockets ---- */

int sb_sys_socket(struct sb_sys *k, int family, bool is_stream)
{
	int fd = make_fd(k, SIM_SOCKET, SIM_CALL_SOCKET, SIM_SITE);

	if (fd >= 0) {
		struct sim_fd *f = sim_get(k, fd, "socket");

		f->family = (uint8_t)family;
		f->is_stream = is_stream;
		f->addr.family = (uint8_t)family;
	}
	return fd;
}

/* Another listens there. */
static bool is_taken(const struct sb_sys *k, const struct sb_addr *addr)
{
	for (uint32_t i = 0; i < k->slots && addr->port > 0; i++)
		if (k->fd[i].type == SIM_LISTENER && sb_addr_eq(&k->fd[i].addr, addr))
			return true;
	return false;
}

int sb_sys_bind(struct sb_sys *k, int fd, const struct sb_addr *addr)
{
	struct sim_fd *f = sim_get(k, fd, "bind");
	int r = sim_fault(k, SIM_CALL_BIND, SIM_SITE);

	if (r < 0)
		return r;
	if (f->type != SIM_SOCKET || addr->family != f->family)
		sb_found("kernel: bind on descriptor %d, which is not a new socket of that family", fd);
	if (f->is_stream && is_taken(k, addr))
		return -EADDRINUSE;
	f->addr = *addr;
	if (addr->port == 0)
		f->addr.port = k->next_port++;
	if (!f->is_stream)
		f->type = SIM_DGRAM;
	return 0;
}

/* The file of ours at this path, files_n for none. */
static uint32_t file_at(const struct sb_sys *k, const char *path)
{
	uint32_t i = 0;

	while (i < k->files_n && strcmp(k->files[i], path) != 0)
		i++;
	return i;
}

int sb_sys_bind_unix(struct sb_sys *k, int fd, const char *path)
{
	int r = sim_fault(k, SIM_CALL_BIND, SIM_SITE);
	size_t n = strlen(path);

	sim_get(k, fd, "bind");
	k->is_file_told = k->is_file_told || r == -EADDRINUSE;
	if (r < 0)
		return r;
	if (k->file != SIM_FILE_NONE || file_at(k, path) < k->files_n)
		return -EADDRINUSE;
	if (n >= SIM_PATH_MAX || k->files_n == SIM_FILES)
		return -ENOSPC;
	memcpy(k->files[k->files_n++], path, n + 1);
	return 0;
}

int sb_sys_listen(struct sb_sys *k, int fd, int backlog)
{
	struct sim_fd *f = sim_get(k, fd, "listen");
	int r = sim_fault(k, SIM_CALL_LISTEN, SIM_SITE);

	f->backlog = backlog;
	if (r < 0)
		return r;
	if (f->type != SIM_SOCKET || !f->is_stream)
		sb_found("kernel: listen on descriptor %d, which is not a new stream socket", fd);
	f->type = SIM_LISTENER;
	f->at = k->now;
	return 0;
}

static struct sim_conn *first_waiting(struct sb_sys *k, int fd)
{
	for (uint32_t i = 0; i < k->conns; i++)
		if (k->conn[i].listener_fd == fd && !k->conn[i].is_dgram && !k->conn[i].is_accepted)
			return &k->conn[i];
	return NULL;
}

/* An accept that fails holds back the listener that is looked at first: which of several that is, is no promise. */
static void note_race(struct sb_sys *k, int fd)
{
	for (uint32_t i = 0; i < k->conns; i++)
		if (!k->conn[i].is_dgram && !k->conn[i].is_accepted && k->conn[i].listener_fd != fd)
			k->is_accept_raced = true;
}

static int accept_now(struct sb_sys *k, int fd, struct sim_conn *c, struct sb_addr *peer, const void *site)
{
	const struct sim_fd *l = sim_get(k, fd, "accept");
	struct sim_fd *f;
	int r;

	if (l->type != SIM_LISTENER)
		sb_found("kernel: accept on descriptor %d, which does not listen", fd);
	if (!c)
		return -EAGAIN;
	r = sim_fault(k, SIM_CALL_ACCEPT, site);
	/* An aborted connection is gone for good; after the other errors it still waits. */
	if (r == -ECONNABORTED || r == -EPERM) {
		c->is_accepted = c->is_closed = c->is_spoilt = true;
		c->end = SIM_END_RST;
	}
	if (r < 0) {
		note_race(k, fd);
		return r;
	}
	f = sim_make(k, SIM_STREAM);
	if (!f)
		return -EMFILE;
	f->family = l->family;
	f->addr = l->addr;
	if (sb_addr_is_any(&l->addr))
		memcpy(f->addr.ip, sb_addr_is_loopback(&c->addr) ? c->addr.ip : (const uint8_t[16]){10, 9, 9, 9}, 16);
	f->conn = (uint32_t)(c - k->conn) + 1;
	c->fd = f->fd;
	c->is_accepted = true;
	c->opened = c->active = c->in_at = c->out_at = k->now;
	*peer = c->addr;
	return f->fd;
}

int sb_sys_accept(struct sb_sys *k, int fd, struct sb_addr *peer)
{
	struct sim_fd *l = sim_get(k, fd, "accept");
	bool is_filled = l->is_filled;
	struct sim_conn *c = is_filled ? NULL : first_waiting(k, fd);
	int r = is_filled ? sim_take_filler(k, l, peer, SIM_SITE) : accept_now(k, fd, c, peer, SIM_SITE);

	/* Of itself nobody is told. */
	if (k->on_accept && (!is_filled || r < 0))
		k->on_accept(k, fd, c, r);
	return r;
}

/* To a server of somebody else, to a listener of our own to fill its queue, or a datagram socket to itself. */
int sb_sys_connect(struct sb_sys *k, int fd, const struct sb_addr *addr)
{
	struct sim_fd *f = sim_get(k, fd, "connect");
	int r;

	if (f->type == SIM_SOCKET && f->is_stream)
		return sim_is_own(k, addr) ? sim_fill(k, f, addr, SIM_SITE) : sim_dial(k, f, addr, SIM_SITE);
	if (f->type != SIM_DGRAM || !sb_addr_eq(addr, &f->addr))
		return -ECONNREFUSED;
	r = sim_fault(k, SIM_CALL_CONNECT, SIM_SITE);
	f->is_refusing = r == 0;
	return r;
}

int sb_sys_connect_unix(struct sb_sys *k, int fd, const char *path)
{
	static const struct sb_addr nameless = {.family = SB_UNIX};
	int r;

	if (strcmp(path, SIM_UPSTREAM_PATH) == 0)
		return sim_dial(k, sim_get(k, fd, "connect"), &nameless, SIM_SITE);
	r = sim_fault(k, SIM_CALL_CONNECT, SIM_SITE);
	sim_get(k, fd, "connect");
	if (r < 0)
		return r;
	if (k->file == SIM_FILE_LIVE || file_at(k, path) < k->files_n)
		return 0;
	return k->file == SIM_FILE_LEFT ? -ECONNREFUSED : -ENOENT;
}

int sb_sys_sockname(struct sb_sys *k, int fd, struct sb_addr *addr)
{
	const struct sim_fd *f = sim_get(k, fd, "getsockname");
	int r = sim_fault(k, f->type == SIM_STREAM ? SIM_CALL_OWN_NAME : SIM_CALL_SOCKNAME, SIM_SITE);

	if (r == 0)
		*addr = f->addr;
	else if (f->type == SIM_STREAM && k->on_ask)
		k->on_ask(k, &k->conn[f->conn - 1], SIM_CALL_OWN_NAME, r);
	return r;
}

int sb_sys_peername(struct sb_sys *k, int fd, struct sb_addr *addr)
{
	const struct sim_conn *c = sim_stream(k, fd, "getpeername");

	if (c->is_rst)
		return -ENOTCONN;
	*addr = c->addr;
	return 0;
}

struct sim_conn *sim_stream(struct sb_sys *k, int fd, const char *call)
{
	const struct sim_fd *f = sim_get(k, fd, call);

	if (f->type != SIM_STREAM)
		sb_found("kernel: %s on descriptor %d, which is not a connection", call, fd);
	return &k->conn[f->conn - 1];
}

int sb_sys_shutdown_write(struct sb_sys *k, int fd)
{
	struct sim_conn *c = sim_stream(k, fd, "shutdown");
	int r = c->fail_shut ? c->fail_shut : sim_fault_of(k, c, SIM_CALL_SHUTDOWN, SIM_SITE);

	c->fail_shut = 0;
	if (k->on_done)
		k->on_done(k, c, SIM_CALL_SHUTDOWN, 0, r);
	if (r < 0) {
		/* It only fails when the connection is gone. */
		c->is_spoilt = true;
		c->is_lost = !c->is_rst;
		if (!c->is_rst)
			sim_rst(k, c);
	}
	if (c->is_rst)
		return -ENOTCONN;
	if (c->is_shut)
		sb_found("kernel: shutdown twice on descriptor %d", fd);
	c->is_shut = true;
	c->shut_in_n = c->in_n;
	sim_progress(k);
	sim_wake(k, fd);
	return 0;
}

static void close_conn(struct sb_sys *k, struct sim_conn *c)
{
	if (k->on_close)
		k->on_close(k, c);
	c->end = c->is_linger0 || c->is_rst || c->in_n < c->sent_n ? SIM_END_RST : SIM_END_FIN;
	c->is_closed = true;
	c->fd = -1;
}

int sb_sys_close(struct sb_sys *k, int fd)
{
	struct sim_fd *f = sim_get(k, fd, "close");

	if (f->type == SIM_STREAM)
		close_conn(k, &k->conn[f->conn - 1]);
	if ((f->type == SIM_LISTENER || f->type == SIM_DGRAM) && k->on_unlisten)
		k->on_unlisten(k, fd);
	if (f->type == SIM_SPARE)
		k->is_shedding = true;
	/* What waits for a listener that goes is reset. */
	for (struct sim_conn *c; f->type == SIM_LISTENER && (c = first_waiting(k, fd));) {
		c->is_accepted = c->is_closed = true;
		c->end = SIM_END_RST;
	}
	f->type = SIM_FREE;
	k->fds--;
	sim_progress(k);
	/* Whatever it says, the descriptor is gone. */
	return sim_fault(k, SIM_CALL_CLOSE, SIM_SITE);
}

int sb_sys_reset_on_close(struct sb_sys *k, int fd)
{
	/* One that has never been connected has nothing to reset. */
	if (sim_get(k, fd, "setsockopt")->type != SIM_FILLER && sim_get(k, fd, "setsockopt")->type != SIM_SOCKET)
		sim_stream(k, fd, "setsockopt")->is_linger0 = true;
	return 0;
}

int sb_sys_queued_in(struct sb_sys *k, int fd)
{
	const struct sim_conn *c = sim_stream(k, fd, "ioctl");

	return (int)(c->sent_n - c->in_n);
}

int sb_sys_queued_out(struct sb_sys *k, int fd)
{
	struct sim_conn *c = sim_stream(k, fd, "ioctl");
	int r = sim_fault(k, SIM_CALL_QUEUED_OUT, SIM_SITE);
	uint64_t done = c->addr.family == SB_UNIX ? c->read_n : c->come_n;

	if (r == 0 && !c->is_rst && !c->is_gone)
		r = (int)(c->out_n - done);
	if (k->on_ask)
		k->on_ask(k, c, SIM_CALL_QUEUED_OUT, r < 0 ? r : r == 0);
	return r;
}

/* ---- the rest ---- */

uint64_t sb_sys_now(struct sb_sys *k)
{
	return k->now;
}

int sb_sys_random(struct sb_sys *k, void *p, size_t n)
{
	int r = sim_fault(k, SIM_CALL_RANDOM, SIM_SITE);

	for (size_t i = 0; r == 0 && i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)sb_rng_at(1, k->random++);
	return r < 0 ? r : (int)n;
}

static long write_receipt(struct sb_sys *k, const void *p, size_t n, const void *site)
{
	int r = sim_fault(k, SIM_CALL_RECEIPT, site);

	k->has_held_receipts = k->has_held_receipts || k->is_log_full;
	if (r < 0)
		return r;
	if (k->is_log_full)
		return -EAGAIN;
	if (k->log_max && n > k->log_max)
		n = k->log_max;
	if (k->on_receipt)
		k->on_receipt(k, sb_slice(p, n));
	return (long)n;
}

/* Peers' bytes must not break a line: every line is printable, and ends. */
long sb_sys_log_write(struct sb_sys *k, int fd, const void *p, size_t n)
{
	const uint8_t *s = p;
	int r;

	if (fd == SIM_RECEIPTS_FD && n > 0)
		return write_receipt(k, p, n, SIM_SITE);
	r = sim_fault(k, SIM_CALL_LOG, SIM_SITE);
	if (fd != SIM_LOG_FD || n == 0)
		sb_found("kernel: %zu bytes of log for descriptor %d", n, fd);
	if (k->is_log_full || (r < 0 && r != -EAGAIN && r != -EINTR))
		k->is_log_broken = true;
	k->is_log_late = r < 0;
	if (r < 0)
		return r;
	if (k->is_log_full)
		return -EAGAIN;
	if (k->log_max && n > k->log_max)
		n = k->log_max;
	for (size_t i = 0; i < n; i++)
		if ((s[i] < ' ' && s[i] != '\n') || s[i] >= 0x7f)
			sb_found("log: byte %02x in a line: %.*s", s[i], (int)(n < 200 ? n : 200), (const char *)s);
	k->log_bytes += n;
	if (k->on_log)
		k->on_log(k, sb_slice(p, n));
	sb_tell("  log: %.*s", (int)(s[n - 1] == '\n' ? n - 1 : n), (const char *)s);
	return (long)n;
}

int sb_sys_spare_fd(struct sb_sys *k)
{
	k->is_shedding = false;
	k->spare_at = k->now;
	return make_fd(k, SIM_SPARE, SIM_CALL_SPARE, SIM_SITE);
}

int sb_sys_wake_open(struct sb_sys *k)
{
	return make_fd(k, SIM_WAKE, SIM_CALL_WAKE_OPEN, SIM_SITE);
}

int sb_sys_wake_post(struct sb_sys *k, int fd)
{
	sim_get(k, fd, "write")->posts++;
	sim_wake(k, fd);
	return 8;
}

int sb_sys_wake_clear(struct sb_sys *k, int fd)
{
	struct sim_fd *f = sim_get(k, fd, "read");
	int r = sim_fault(k, SIM_CALL_WAKE_CLEAR, SIM_SITE);

	if (r < 0)
		return r;
	if (f->posts == 0)
		return -EAGAIN;
	f->posts = 0;
	sim_progress(k);
	return 8;
}

int sb_sys_unlink_socket(struct sb_sys *k, const char *path)
{
	int err = k->fault_err, r = sim_fault(k, SIM_CALL_UNLINK, SIM_SITE);
	uint32_t i = file_at(k, path);

	/* What comes away with its listener: nobody hears of that. */
	if (i < k->files_n)
		k->fault_err = err;
	if (i == k->files_n && k->file == SIM_FILE_LIVE)
		sb_found("kernel: unlink of the file of a server that is alive");
	if (i == k->files_n && k->file == SIM_FILE_NONE)
		sb_found("kernel: unlink of a file that is not there");
	if (r < 0) {
		k->is_file_stuck = true;
		return r;
	}
	if (i == k->files_n)
		k->file = SIM_FILE_NONE;
	else if (i != --k->files_n)
		memcpy(k->files[i], k->files[k->files_n], SIM_PATH_MAX);
	return r;
}
