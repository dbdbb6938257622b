/* SPDX-License-Identifier: MIT
 * A script on the real kernel. See real.h. */
#include "real.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "arena.h"
#include "found.h"
#include "script/script.h"
#include "sys_both.h"

enum { SLOTS = 8, SPINS_MAX = 20000, DGRAMS_MAX = SIM_DGRAMS, FLUSH_MS = 2000 };

struct player {
	struct real *r;
	struct real_peer *slot[SLOTS];
	uint32_t current, listener, dgrams;   /* dgrams: sent since the last rest */
	bool has_listener, is_alone, has_rst; /* has_rst: a reset may be under way */
	const char *path;
	uint64_t asked; /* datagrams sent */
};

static uint8_t sent_room[SIM_CONNS][SIM_SENT_MAX], got_room[SIM_CONNS][SIM_OUT_MAX];

static int must(int r, const char *what)
{
	if (r < 0)
		sb_found("the machine cannot: %s: %s", what, strerror(errno));
	return r;
}

/* ---- the server's side ---- */

static struct real *watched; /* while it plays */

static struct sb_conn *conn_at_fd(struct sb_server *srv, int fd)
{
	for (uint32_t i = 0; i < srv->conns.fresh; i++) {
		struct sb_conn *c = sb_conn_at(srv, i);

		if (c && c->fd == fd)
			return c;
	}
	return NULL;
}

/* Connections of a unix socket have no names, but come one after the other. Peers of two listeners may have the same
 * port. */
static bool is_of(const struct real *r, const struct real_peer *p, const struct sb_conn *c)
{
	if (p->is_dgram || p->listener != c->listener)
		return false;
	return p->port ? p->port == c->peer.port : p == &r->peer[c->id - 1];
}

static struct sb_conn *conn_of(const struct real *r, const struct real_peer *p)
{
	for (uint32_t i = 0; !p->is_closed && i < r->srv->conns.fresh; i++) {
		struct sb_conn *c = sb_conn_at(r->srv, i);

		if (c && is_of(r, p, c))
			return c;
	}
	return NULL;
}

static uint16_t port_of(int r, const struct sockaddr_in *a)
{
	return r == 0 && a->sin_family == AF_INET ? ntohs(a->sin_port) : 0;
}

/* Whose connection this is, which is refused. */
static struct real_peer *peer_at_port(struct real *r, int fd)
{
	struct sockaddr_in a = {0};
	socklen_t n = sizeof(a);
	uint16_t port = port_of(getpeername(fd, (struct sockaddr *)&a, &n), &a), here;

	n = sizeof(a);
	here = port_of(getsockname(fd, (struct sockaddr *)&a, &n), &a);
	for (uint32_t i = 0; port && i < r->peers; i++) {
		struct real_peer *p = &r->peer[i];

		if (!p->is_dgram && !p->is_closed && p->port == port &&
		    r->srv->listeners[p->listener].endpoint.addr.port == here)
			return p;
	}
	return NULL;
}

/* What the kernel does with a close is known before: so it can be waited for. */
static void on_close(int fd)
{
	struct real *r = watched;
	const struct sb_conn *c = conn_at_fd(r->srv, fd);
	struct real_peer *p = c ? NULL : peer_at_port(r, fd);

	for (uint32_t i = 0; c && i < r->peers; i++)
		if (!r->peer[i].is_closed && is_of(r, &r->peer[i], c))
			p = &r->peer[i];
	if (!p)
		return;
	p->is_closed = true;
	p->ends_with_rst = sb_sys_queued_in(sys_real(), fd) > 0;
	if (!c)
		return;
	p->is_served = true;
	p->reason = c->session.reason;
	p->in = c->session.leg.in;
	p->out = c->session.leg.out;
	p->ends_with_rst |= c->session.how == SB_CLOSE_RESET;
}

/* ---- the peers' side ---- */

static void keep(struct real_peer *p, const uint8_t *bytes, size_t n)
{
	size_t room = p->got_n < SIM_OUT_MAX ? (size_t)(SIM_OUT_MAX - p->got_n) : 0;

	sb_copy(p->got + (p->got_n < SIM_OUT_MAX ? p->got_n : 0), bytes, n < room ? n : room);
	p->got_n += n;
}

static bool is_told(const struct real_peer *p)
{
	if (p->is_rst)
		return true;
	return p->got_n >= p->out && (p->ends_with_rst ? p->has_rst : p->has_end);
}

/* Whether there is something to come: a look costs a system call. */
static bool is_expecting(const struct real *r, const struct real_peer *p)
{
	const struct sb_conn *c = p->is_dgram ? NULL : conn_of(r, p);

	if (c)
		return p->got_n < c->session.leg.out || p->has_end != c->session.leg.is_shut;
	return p->is_dgram || (p->is_closed && !is_told(p));
}

static void drain(const struct real *r, struct real_peer *p)
{
	static uint8_t room[64 * 1024];

	while (p->fd >= 0 && is_expecting(r, p) && !p->has_rst) {
		ssize_t n = recv(p->fd, room, sizeof(room), MSG_DONTWAIT);
		uint8_t head[2] = {(uint8_t)(n >> 8), (uint8_t)n};

		if (n < 0 && errno != EAGAIN)
			p->has_rst = true;
		if (n == 0 && !p->is_dgram) {
			int err = 0;
			socklen_t size = sizeof(err);

			/* A reset behind the end shows only here. */
			p->has_end = true;
			getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &size);
			p->has_rst |= err != 0;
		}
		if (n < 0 || (n == 0 && !p->is_dgram))
			return;
		if (p->is_dgram)
			keep(p, head, 2);
		keep(p, room, (size_t)n);
	}
}

/* ---- until nothing is under way ---- */

static bool is_at_rest(const struct real *r, const struct real_peer *p)
{
	const struct sb_conn *c = conn_of(r, p);
	const struct sb_leg *leg = c ? &c->session.leg : NULL;

	if (p->is_dgram)
		return true;
	if (p->is_closed)
		return is_told(p);
	if (!c)
		return false;
	if (p->is_rst || leg->in < p->sent_n || leg->is_sending || leg->whole > 0)
		return false;
	return p->got_n == leg->out && p->is_fin == leg->is_eof && p->has_end == leg->is_shut;
}

static bool is_all_at_rest(const struct player *p)
{
	const struct real *r = p->r;
	const uint64_t *count = r->srv->count;
	uint64_t streams = 0, replies = 0;

	if (count[SB_COUNT_DATAGRAMS_IN] < p->asked)
		return false;
	for (uint32_t i = 0; i < r->peers; i++) {
		const struct real_peer *q = &r->peer[i];

		streams += !q->is_dgram;
		for (uint64_t at = 0; q->is_dgram && at + 1 < q->got_n; replies++)
			at += 2 + (uint64_t)(q->got[at] << 8 | q->got[at + 1]);
	}
	if (count[SB_COUNT_ACCEPTED] + count[SB_COUNT_REFUSED] < streams || replies < count[SB_COUNT_DATAGRAMS_OUT])
		return false;
	for (uint32_t i = 0; i < r->peers; i++)
		if (!is_at_rest(r, &r->peer[i]))
			return false;
	return true;
}

/* Tells us that what was sent before has come: the loopback device has one queue. Open for as long as the program. */
static int messenger(void)
{
	static int fd = -1;
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof(a);

	if (fd >= 0)
		return fd;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	must(bind(fd, (struct sockaddr *)&a, n), "bind");
	must(getsockname(fd, (struct sockaddr *)&a, &n), "getsockname");
	must(connect(fd, (struct sockaddr *)&a, n), "connect");
	return fd;
}

/* A datagram to ourselves: when it is here, so is the reset before it. */
static void settle(struct player *p)
{
	char byte = 0;
	ssize_t n;

	must((int)send(messenger(), &byte, 1, 0), "send");
	do
		n = recv(messenger(), &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	must((int)n, "recv");
	p->has_rst = false;
}

/* Sends what the script has let it say since the last time, all at once. */
static void push(struct real_peer *q)
{
	if (q->is_dgram || q->is_rst || q->is_closed || q->pushed_n == q->sent_n)
		return;
	must((int)send(q->fd, q->sent + q->pushed_n, q->sent_n - q->pushed_n, MSG_NOSIGNAL), "send");
	q->pushed_n = q->sent_n;
}

/* Until all of it has left: a reset would leave out the rest. */
static void flush(struct real_peer *q)
{
	int n = 0;

	push(q);
	for (int i = 0; q->port && i < FLUSH_MS && ioctl(q->fd, SIOCOUTQNSD, &n) == 0 && n > 0; i++)
		poll(NULL, 0, 1);
	if (n > 0)
		sb_found("the machine cannot: %d bytes of a peer's are not sent", n);
}

/* Grows with whatever is done. */
static uint64_t done_of(const struct real *r)
{
	uint64_t done = r->srv->count[SB_COUNT_ACCEPTED] + r->srv->count[SB_COUNT_REFUSED] +
			r->srv->count[SB_COUNT_DATAGRAMS_IN];

	for (uint32_t i = 0; i < r->peers; i++) {
		const struct real_peer *p = &r->peer[i];
		const struct sb_conn *c = p->is_dgram ? NULL : conn_of(r, p);

		done += p->got_n + p->is_closed + (c ? c->session.leg.in + c->session.leg.out : p->in + p->out);
	}
	return done;
}

static void rest(struct player *p)
{
	struct real *r = p->r;
	uint64_t done = 0;

	p->dgrams = 0;
	for (uint32_t i = 0; i < r->peers; i++)
		push(&r->peer[i]);
	if (p->has_rst)
		settle(p);
	for (uint32_t spins = 0;; spins++) {
		int err = sb_server_step(r->srv, 0);
		uint64_t before = done;

		if (err < 0)
			sb_found("%s: the server cannot go on: %s", r->backend, sb_errname(err));
		for (uint32_t i = 0; i < r->peers; i++)
			drain(r, &r->peer[i]);
		if (is_all_at_rest(p))
			return;
		done = done_of(r);
		spins = done > before ? 0 : spins;
		if (spins > 100)
			sched_yield();
		if (spins > 1000)
			poll(NULL, 0, 1);
		if (spins > 1000 + SPINS_MAX / 10)
			break;
	}
	for (uint32_t i = 0; i < r->peers; i++) {
		const struct real_peer *q = &r->peer[i];

		if (!is_at_rest(r, q))
			sb_found("%s: connection %u comes to no rest: %u bytes sent%s, %llu came back%s%s", r->backend,
				 i, q->sent_n,
				 q->is_rst   ? " and a reset"
				 : q->is_fin ? " and the end"
					     : "",
				 (unsigned long long)q->got_n, q->has_end ? " and the end" : "",
				 q->has_rst ? " and a reset" : "");
	}
	sb_found("%s: no rest: connections or datagrams are not taken", r->backend);
}

/* ---- events ---- */

static bool can_send(const struct real_peer *p)
{
	return !p->is_fin && !p->is_rst;
}

static void send_dgram(struct player *p, struct real_peer *q)
{
	if (p->dgrams < DGRAMS_MAX) {
		must((int)send(q->fd, q->sent + q->dgram_from, q->sent_n - q->dgram_from, MSG_NOSIGNAL), "send");
		p->dgrams++;
		p->asked++;
	}
	q->dgram_from = q->sent_n;
}

static void run(struct player *p)
{
	for (uint32_t i = 0; i < p->r->peers; i++)
		if (p->r->peer[i].is_dgram && p->r->peer[i].sent_n > p->r->peer[i].dgram_from)
			send_dgram(p, &p->r->peer[i]);
	rest(p);
}

/* An engine's clock interrupts it now and then. */
static void connect_to(int fd, const void *addr, socklen_t n)
{
	int r;

	do
		r = connect(fd, addr, n);
	while (r < 0 && errno == EINTR);
	must(r, "connect");
}

static int dial(const struct player *p, const struct sb_listener *l, uint16_t *port)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(l->endpoint.addr.port)};
	bool is_unix = l->endpoint.on == SB_ON_UNIX;
	int kind = l->endpoint.on == SB_ON_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = must(socket(is_unix ? AF_UNIX : AF_INET, kind | SOCK_CLOEXEC, 0), "socket");
	socklen_t n = sizeof(in);
	int on = 1;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", p->path);
	memcpy(&in.sin_addr, l->endpoint.addr.ip, 4);
	if (is_unix)
		connect_to(fd, &un, sizeof(un));
	else
		connect_to(fd, &in, sizeof(in));
	*port = 0;
	/* Who waits for acknowledgements has them lost by a reset. */
	if (kind == SOCK_STREAM && !is_unix)
		must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), "setsockopt");
	if (!is_unix) {
		must(getsockname(fd, (struct sockaddr *)&in, &n), "getsockname");
		*port = ntohs(in.sin_port);
	}
	return fd;
}

static void open_slot(struct player *p)
{
	struct real *r = p->r;
	uint32_t i = (p->has_listener ? p->listener : p->current) % r->srv->listeners_n;
	struct real_peer *q = &r->peer[r->peers];

	p->slot[p->current] = NULL;
	if (r->peers == SIM_CONNS)
		return;
	*q = (struct real_peer){.listener = i, .sent = sent_room[r->peers], .got = got_room[r->peers]};
	q->is_dgram = r->srv->listeners[i].endpoint.on == SB_ON_UDP;
	q->fd = dial(p, &r->srv->listeners[i], &q->port);
	r->peers++;
	p->slot[p->current] = q;
}

static struct real_peer *current(struct player *p)
{
	if (!p->slot[p->current])
		open_slot(p);
	return p->slot[p->current];
}

static void payload(struct player *p, struct real_peer *q, const struct sbs_event *e)
{
	static uint8_t room[SIM_SENT_MAX];
	struct sbs_event some = *e;
	size_t n;

	if (some.n > sizeof(room))
		some.n = sizeof(room);
	n = sbs_unescape(&some, room);
	if (!q || !can_send(q) || q->is_closed)
		return;
	/* As play.c has it: who may begin with a line makes one thing happen at a time from then on. */
	if (n > 0 && room[0] == 'S' && q->sent_n == 0 && p->r->srv->listeners[q->listener].plan.is_door) {
		run(p);
		p->is_alone = true;
	}
	if (n > SIM_SENT_MAX - q->sent_n)
		n = SIM_SENT_MAX - q->sent_n;
	sb_copy(q->sent + q->sent_n, room, n);
	q->sent_n += (uint32_t)n;
}

static void fin(struct real_peer *q)
{
	if (!q || q->is_dgram || !can_send(q))
		return;
	push(q);
	q->is_fin = true;
	if (!q->is_closed)
		shutdown(q->fd, SHUT_WR);
}

static void rst(struct player *p, struct real_peer *q)
{
	struct linger now = {.l_onoff = 1};

	if (!q || q->is_dgram || q->is_rst)
		return;
	flush(q);
	q->is_rst = p->has_rst = true;
	setsockopt(q->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(q->fd);
	q->fd = -1;
}

static void act(struct player *p, const struct sbs_event *e)
{
	struct real_peer *q;

	switch (e->kind) {
	case SBS_BYTES:
		payload(p, current(p), e);
		break;
	case SBS_SELECT:
		p->current = e->v;
		if (!p->slot[e->v] || !can_send(p->slot[e->v]))
			open_slot(p);
		break;
	case SBS_CUT:
		q = current(p);
		if (q && q->is_dgram)
			send_dgram(p, q);
		break;
	case SBS_DRAIN: /* it has read whatever there was */
		break;
	case SBS_FIN:
		fin(current(p));
		break;
	case SBS_RST:
		rst(p, current(p));
		break;
	case SBS_KNOB:
		p->has_listener |= e->arg[0] == 'y';
		p->listener = e->arg[0] == 'y' ? e->v : p->listener;
		break;
	default:
		run(p);
		return;
	}
	if (p->is_alone)
		run(p);
}

/* ---- the whole ---- */

/* The number that the next descriptor gets: when one is left open, it is another. */
static int next_fd(void)
{
	int fd = must(open("/dev/null", O_RDONLY | O_CLOEXEC), "open");

	close(fd);
	return fd;
}

/* Another address of the loopback device for each server. At one and the same there would soon be hardly a port that no
 * connection of before still lingers at (TIME_WAIT), and bind looks for one for milliseconds. */
static void choose_address(char out[16])
{
	static unsigned servers;
	unsigned x = (unsigned)getpid() * 7919 + servers++;

	snprintf(out, 16, "127.%u.%u.%u", 1 + x / 62500 % 250, 1 + x / 250 % 250, 1 + x % 250);
}

/* The listener's text, with an address, or a path, of ours. */
static void place(const char **listen, char room[256], const char *path, const char *address)
{
	static const char here[] = "127.0.0.1:";
	const char *line = strchr(*listen, ','), *at = strstr(*listen, here);

	if (strncmp(*listen, "unix:", 5) == 0)
		snprintf(room, 256, "unix:%s%s", path, line ? line : "");
	else if (at)
		snprintf(room, 256, "%.*s%s:%s", (int)(at - *listen), *listen, address, at + sizeof(here) - 1);
	else
		return;
	*listen = room;
}

static void open_server(struct player *p, struct fuzz_config *f, struct arena *a)
{
	static char listen[FUZZ_LISTENS_MAX][256];
	char address[16];
	struct sb_server_env env = {.sys = sys_real()};
	struct sb_fault fault = {0};

	f->c.log_fd = -1;
	choose_address(address);
	for (size_t i = 0; i < f->c.listens_n; i++)
		place(&f->listens[i], listen[i], p->path, address);
	if (sb_server_open(&p->r->srv, a->mem, a->size, &f->c, &env, &fault) < 0)
		sb_found("%s: config %c: %s", p->r->backend, f->letter, fault.text);
}

static void end(struct player *p)
{
	struct real *r = p->r;
	int turns = 0;

	run(p);
	for (uint32_t i = 0; i < r->peers; i++)
		fin(&r->peer[i]);
	rest(p);
	for (uint32_t i = 0; i < r->peers; i++)
		if (!r->peer[i].is_dgram && !r->peer[i].is_closed && !(r->peer[i].is_rst && !conn_of(r, &r->peer[i])))
			sb_found("%s: connection %u is still open though its peer has left", r->backend, i);
	sb_server_stop(r->srv);
	while (sb_server_step(r->srv, 0) > 0)
		if (++turns > 100)
			sb_found("%s: told to stop, and does not", r->backend);
	sb_server_fini(r->srv);
	for (uint32_t i = 0; i < r->peers; i++)
		if (r->peer[i].fd >= 0)
			close(r->peer[i].fd);
}

void real_play(struct real *r, const char *backend, const uint8_t *script, size_t n, const char *path)
{
	static struct fuzz_config config;
	struct player p = {.r = r, .path = path};
	struct sbs_event e;
	struct arena *a;
	int fd;

	messenger();
	fd = next_fd();
	*r = (struct real){.backend = backend};
	watched = r;
	fuzz_config_read(&config, script, n, backend);
	a = arena_of(&config);
	p.is_alone = config.is_alone;
	open_server(&p, &config, a);
	sys_real_on_close = on_close;
	for (size_t at = 0; sbs_next(script, n, &at, &e);)
		act(&p, &e);
	end(&p);
	sys_real_on_close = NULL;
	arena_clean(a);
	if (next_fd() != fd)
		sb_found("%s: a descriptor is left open", backend);
}
