/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: listeners. What they are opened with, who is let in, and until when. */
#include "config.h"
#include "find.h"
#include "found.h"
#include "oracle.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define PAUSE (100 * SB_MS)

enum { SHED_MAX = 16 };

/* ---- what they are opened with ---- */

/* An option's value, -1 when it was not set. */
static int option(const struct sim_fd *f, int level, int name)
{
	for (uint32_t i = 0; i < f->opts_n; i++)
		if (f->opts[i].level == level && f->opts[i].name == name)
			return f->opts[i].value;
	return -1;
}

static void expect_option(const struct run *r, uint32_t i, const struct sim_fd *f, int level, int name, int want)
{
	int v = option(f, level, name);

	if (v != want)
		sb_found("%s: listener %u: option %d, %d is %d, not %d", r->backend, i + 1, level, name, v, want);
}

static void check_options(const struct run *r, uint32_t i, const struct sim_fd *f)
{
	const struct model *m = &r->model[i];
	bool is_strict = r->is_strict && !m->is_unix;
	int buf = is_strict ? 2 * 65536 : -1;

	expect_option(r, i, f, SOL_SOCKET, SO_REUSEADDR, m->is_tcp ? 1 : -1);
	expect_option(r, i, f, IPPROTO_TCP, TCP_NODELAY, m->is_tcp ? m->nodelay : -1);
	expect_option(r, i, f, IPPROTO_IPV6, IPV6_V6ONLY, f->family == SB_IPV6 ? 1 : -1);
	expect_option(r, i, f, IPPROTO_TCP, TCP_QUICKACK, -1);
	expect_option(r, i, f, IPPROTO_TCP, TCP_NOTSENT_LOWAT, is_strict && m->is_tcp ? 16384 : -1);
	expect_option(r, i, f, SOL_SOCKET, SO_RCVBUF, m->rcvbuf >= 0 ? 2 * m->rcvbuf : buf);
	expect_option(r, i, f, SOL_SOCKET, SO_SNDBUF, buf);
	if (f->has_dst != (m->is_udp && r->is_strict))
		sb_found("%s: listener %u: is %stold where datagrams were sent to", r->backend, i + 1,
			 f->has_dst ? "" : "not ");
	if (!m->is_udp && f->backlog != m->backlog)
		sb_found("%s: listener %u: its backlog is %d, not %d", r->backend, i + 1, f->backlog, m->backlog);
}

/* ---- limits ---- */

static void read_limits(uint64_t limit[SB_LIMIT_COUNT], const struct sb_config *config, bool is_strict)
{
	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		const struct sb_limit_row *row = &sb_limit_rows[i];
		size_t at = fuzz_option_at(config->options, config->options_n, row->name);

		limit[i] = is_strict ? row->strict : row->loopback;
		if (at < config->options_n)
			limit[i] = model_number(strchr(config->options[at], '=') + 1, NULL);
	}
}

/* Without a listener in the config there are four, two of them on ::1, which not every machine has. */
static bool is_missing(const struct run *r, const struct sb_config *config, uint32_t i)
{
	int err = r->k->fault_err;

	return config->listens_n == 0 && i % 2 == 1 && r->srv->listeners[i].fd < 0 &&
	       (err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL);
}

/* What the first lines say: the profile, options that were asked for, and each listener. */
static void expect_first_lines(struct run *r, uint32_t i)
{
	const struct model *m = &r->model[i];
	const char *on = m->is_unix ? "unix:" : m->is_tcp ? "tcp://" : "udp://";
	char room[MODEL_ADDR_MAX];
	const char *address = m->is_unix ? "/sim" : model_addr(room, &r->k->fd[(uint32_t)r->door[i].fd % SIM_FDS].addr);

	if (m->rcvbuf >= 0)
		log_expect(r, SB_LOG_OPTION, "listener=%u name=SO_RCVBUF asked=%d effective=%d", i + 1, m->rcvbuf,
			   2 * m->rcvbuf);
	if (m->is_tcp && fuzz_find(m->line, "TCP_NODELAY"))
		log_expect(r, SB_LOG_OPTION, "listener=%u name=TCP_NODELAY asked=%d effective=%d", i + 1, m->nodelay,
			   m->nodelay);
	log_expect(r, SB_LOG_LISTENING, "listener=%u on='%s%s %s'%s", i + 1, on, address, m->line,
		   fuzz_find(m->line, "random") || strchr(m->line, '%') ? " seed=7" : "");
}

void oracle_open(struct run *r, const struct sb_config *config)
{
	r->is_strict = false;
	for (size_t i = 0; i < config->listens_n; i++)
		r->is_strict = r->is_strict || fuzz_find(config->listens[i], "0.0.0.0");
	r->has_more_allowed = false;
	for (size_t i = 0; i < config->options_n; i++)
		r->has_more_allowed = r->has_more_allowed || strcmp(config->options[i], "allow=192.0.2.0/24") == 0;
	read_limits(r->limit, config, r->is_strict);
	log_open(r, config);
	log_expect(r, SB_LOG_PROFILE, "name=%s io=%s max-conns=%llu%s", r->is_strict ? "strict" : "loopback", r->io,
		   (unsigned long long)r->limit[SB_LIMIT_CONNS],
		   r->is_strict ? " why='an address is not a loopback one: others can reach this server'" : "");
	r->doors = r->ports_to = 0;
	for (uint32_t i = 0; i < r->srv->listeners_n; i++) {
		int fd = r->srv->listeners[i].fd;
		const struct sim_fd *f = &r->k->fd[(uint32_t)fd % SIM_FDS];

		r->door[i] = (struct door){.fd = fd};
		r->doors++;
		if (is_missing(r, config, i)) {
			log_expect(r, SB_LOG_UNLISTENED,
				   "listener=%u on='%s://[::1]:7777,ECHO' "
				   "why='this machine does not have the address' errno=%s",
				   i + 1, r->model[i].is_udp ? "udp" : "tcp", sb_errname(r->k->fault_err));
			continue;
		}
		if (fd < 0 || f->fd != fd || f->type != (r->model[i].is_udp ? SIM_DGRAM : SIM_LISTENER))
			sb_found("%s: listener %u: does not listen", r->backend, i + 1);
		r->door[i].port = f->addr.port;
		if (!r->model[i].is_unix && sb_server_port(r->srv, i) != f->addr.port)
			sb_found("%s: listener %u: says port %d, and has %u", r->backend, i + 1,
				 sb_server_port(r->srv, i), f->addr.port);
		check_options(r, i, f);
	}
	r->ports_to = r->doors;
	for (uint32_t i = 0; i < r->doors; i++)
		door_open(r, i);
	for (uint32_t i = 0; i < r->doors; i++)
		if (!is_missing(r, config, i))
			expect_first_lines(r, i);
	oracle_on_log(r->k, sb_slice(r->first_lines, r->first_lines_n));
	for (int i = 0; i < SB_LIMIT_COUNT; i++)
		if (r->srv->opt.limits.v[i] != r->limit[i])
			sb_found("%s: limit %s is %llu, not %llu", r->backend, sb_limit_rows[i].name,
				 (unsigned long long)r->srv->opt.limits.v[i], (unsigned long long)r->limit[i]);
}

/* ---- who is not answered at all ---- */

/* When it stops dropping, 0 when it never began. */
static uint64_t drops_until(const struct run *r, uint32_t i)
{
	const struct sim_fd *f = &r->k->fd[(uint32_t)r->door[i].fd % SIM_FDS];
	uint64_t syn = r->model[i].syn;

	return r->door[i].fd < 0 || syn == 0 ? 0 : syn == SB_NEVER ? SB_NEVER : f->at + syn;
}

void door_open(struct run *r, uint32_t i)
{
	r->door[i].paused_until = drops_until(r, i);
}

/* While it drops its queue is full; of connections to itself there is one for each that does, and then none. */
static void check_fillers(struct run *r)
{
	uint32_t n = 0;

	for (uint32_t i = r->doors; i < r->srv->listeners_n; i++)
		if (r->srv->listeners[i].fd >= 0)
			line_port(r, i);
	for (uint32_t i = 0; i < r->ports_to; i++) {
		const struct sim_fd *f = &r->k->fd[(uint32_t)r->door[i].fd % SIM_FDS];

		if (drops_until(r, i) <= r->k->now)
			continue;
		n++;
		if (!f->is_filled || f->backlog > 0)
			sb_found("%s: listener %u: syn=drop, and its queue is not full", r->backend, i + 1);
	}
	if (sim_count(r->k, SIM_FILLER) != n || sim_count(r->k, SIM_FILLED) > 0)
		sb_found("%s: %u connections of the server to itself are open, and %u ends that it has taken, for %u",
			 r->backend, sim_count(r->k, SIM_FILLER), sim_count(r->k, SIM_FILLED), n);
}

/* ---- who is let in ---- */

static bool is_same_source(const struct sb_addr *a, const struct sb_addr *b)
{
	return a->family == b->family && a->family != SB_UNIX &&
	       memcmp(a->ip, b->ip, a->family == SB_IPV4 ? 4 : 8) == 0;
}

static const char *refusal_of(const struct run *r, const struct sim_conn *c)
{
	uint32_t open = 0, same = 0;
	uint64_t per_ip = r->limit[SB_LIMIT_CONNS_PER_IP];
	const char *of_port = line_refusal(r, c, r->peer[oracle_number(r, c)].listener);

	if (of_port)
		return of_port;
	if (r->is_strict && !r->model[r->peer[oracle_number(r, c)].listener].is_loopback && c->addr.ip[0] != 127 &&
	    c->addr.ip[0] != 10 && !(r->has_more_allowed && c->addr.ip[0] == 192))
		return "reason=not-allowed change=--allow";
	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *other = &r->k->conn[i];

		if (other == c || other->fd < 0 || !r->peer[i].is_served)
			continue;
		open++;
		same += is_same_source(&other->addr, &c->addr);
	}
	if (open >= r->limit[SB_LIMIT_CONNS])
		return "reason=max-conns change=--max-conns";
	if (per_ip && same >= per_ip)
		return "reason=max-conns-per-ip change=--max-conns-per-ip";
	return NULL;
}

static struct door *door_of(struct run *r, int fd, uint32_t *number)
{
	for (*number = 0; *number < r->doors; ++*number)
		if (r->door[*number].fd == fd)
			return &r->door[*number];
	for (; *number < r->srv->listeners_n; ++*number)
		if (r->srv->listeners[*number].fd == fd) {
			line_port(r, *number);
			return &r->door[*number];
		}
	sb_found("%s: descriptor %d is no listener's", r->backend, fd);
}

static bool is_exhausted(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

/* "listener=1 errno=EMFILE ...", when it is known how many were shed. */
void door_settle(struct run *r)
{
	for (uint32_t i = 0; i < r->ports_to; i++) {
		struct door *d = &r->door[i];

		if (!d->pause_err)
			continue;
		log_expect(r, SB_LOG_PAUSE, "listener=%u errno=%s why='%s' shed=%u for=100ms%s", i + 1,
			   sb_errname(d->pause_err), sb_strerror(d->pause_err), d->shed,
			   d->pause_err == -EMFILE ? " change='ulimit -n'" : "");
		d->pause_err = 0;
	}
}

static void count_error(struct run *r, struct door *d, uint32_t i, int res)
{
	if (res == -EAGAIN || res == -EINTR || r->k->is_shedding)
		return;
	if (!is_exhausted(res)) {
		r->count[SB_COUNT_ACCEPT_ERRORS]++;
		log_expect(r, SB_LOG_ACCEPT, "listener=%u errno=%s", i + 1, sb_errname(res));
		return;
	}
	r->count[SB_COUNT_ACCEPT_PAUSES]++;
	d->paused_until = r->k->now + PAUSE;
	d->pause_err = res;
	d->shed = 0;
}

static void let_in(struct run *r, struct sim_conn *c, struct door *d, uint32_t i)
{
	struct peer *p = &r->peer[oracle_number(r, c)];
	char from[MODEL_ADDR_MAX];

	p->refusal = refusal_of(r, c);
	if (p->refusal || c->is_spoilt) {
		r->count[SB_COUNT_REFUSED]++;
		if (p->refusal)
			log_expect(r, SB_LOG_REFUSE, "peer=%s listener=%u %s", model_addr(from, &c->addr), i + 1,
				   p->refusal);
		return;
	}
	p->is_served = true;
	p->id = ++r->ids;
	d->served++;
	r->count[SB_COUNT_ACCEPTED]++;
	time_on_accept(r, c);
	log_expect(r, SB_LOG_OPEN, "conn=%u peer=%s listener=%u", p->id, model_addr(from, &c->addr), i + 1);
}

void oracle_on_accept(struct sb_sys *k, int fd, struct sim_conn *c, int res)
{
	struct run *r = k->user;
	uint32_t i;
	struct door *d = door_of(r, fd, &i);

	if (!k->is_shedding)
		door_settle(r);
	else if ((d->pause_err != -EMFILE && d->pause_err != -ENFILE) || ++d->shed > SHED_MAX + (res < 0))
		sb_found("%s: listener %u: sheds %u connections after %s", r->backend, i + 1, d->shed,
			 sb_errname(d->pause_err));
	if (res < 0 && d->shed)
		d->shed--;
	if (k->now < d->paused_until && !k->is_shedding)
		sb_found("%s: listener %u: accepts too early: it is pausing", r->backend, i + 1);
	if (d->served >= r->model[i].conns)
		sb_found("%s: listener %u: accepts more than conns=", r->backend, i + 1);
	if (res < 0) {
		count_error(r, d, i, res);
	} else if (k->is_shedding) {
		r->peer[oracle_number(r, c)].is_shed = true;
		r->count[SB_COUNT_SHED]++;
	} else {
		/* Registering it may fail yet, and only then is it known: see oracle_turn(). */
		let_in(r, c, d, i);
	}
}

void oracle_on_unlisten(struct sb_sys *k, int fd)
{
	struct run *r = k->user;
	uint32_t i;

	if (!r->doors)
		return;
	door_of(r, fd, &i)->fd = -1;
	if (i >= r->doors) {
		late_on_unlisten(r, i);
		return;
	}
	if (!r->stops && r->door[i].served < r->model[i].conns)
		sb_found("%s: listener %u: closes too early, after %llu connections", r->backend, i + 1,
			 (unsigned long long)r->door[i].served);
	late_on_unlisten(r, i);
	log_expect(r, SB_LOG_UNLISTENED, "listener=%u", i + 1);
}

/* While nothing pauses the spare descriptor is there, or could not be had when it was last asked for in vain. */
static void check_spare(const struct run *r)
{
	uint64_t resumed = 0;

	for (uint32_t i = 0; i < r->ports_to; i++)
		if (r->door[i].paused_until > resumed && r->door[i].fd >= 0)
			resumed = r->door[i].paused_until;
	if (sim_count(r->k, SIM_SPARE) == 0 && r->k->now >= resumed && r->k->spare_at < resumed && !r->stops)
		sb_found("%s: accepting goes on, and there is no spare descriptor", r->backend);
	if (r->k->is_shedding)
		sb_found("%s: the spare descriptor is not taken again", r->backend);
}

/* A socket that epoll could not listen to is tried again a little later. */
static uint64_t heard_from(const struct run *r, int fd)
{
	uint64_t deaf_at = r->k->fd[(uint32_t)fd % SIM_FDS].deaf_at;

	return deaf_at ? deaf_at + PAUSE : 0;
}

/* Who finds a place when those are taken who waited, and others leave at the same time, is a race. */
static void note_crowd(struct run *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *c = &r->k->conn[i];

		if (c->is_dgram || c->is_accepted)
			continue;
		n++;
		r->is_crowded = r->is_crowded || n > 1 || heard_from(r, c->listener_fd) > r->k->now;
	}
}

void door_check_rest(struct run *r)
{
	check_spare(r);
	check_fillers(r);
	note_crowd(r);
	for (uint32_t i = 0; i < r->ports_to; i++) {
		const struct door *d = &r->door[i];

		if (d->fd < 0)
			continue;
		if (r->stops || d->served >= r->model[i].conns)
			sb_found("%s: listener %u: is still open, %s", r->backend, i + 1,
				 r->stops ? "after a stop" : "though it has served all");
		if (d->paused_until <= r->k->now && !r->model[i].is_udp && r->k->now >= heard_from(r, d->fd) &&
		    sim_ready(r->k, &r->k->fd[(uint32_t)d->fd % SIM_FDS]))
			sb_found("%s: listener %u: does not accept who waits", r->backend, i + 1);
	}
}
