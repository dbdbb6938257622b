/* SPDX-License-Identifier: MIT
 *
 * Throw-away ports: LISTEN on a control connection makes one, with its behaviour, for clients that cannot send a line.
 * It is on the address that the control connection came in on, takes connections (or, with proto=udp, answers
 * datagrams) of that connection's peer only, and goes with it, its connections reset; keep= lets it live on for a
 * while. No state is shared, so tests that run side by side never meet.
 */
#include "base/rng.h"
#include "server/server.h"

#include <errno.h>

static uint32_t index_of(const struct sb_server *srv, const struct sb_listener *l)
{
	return (uint32_t)(l - srv->listeners);
}

/* Nothing of it is left: it may become another. */
static bool is_free(const struct sb_listener *l)
{
	return l->fd < 0 && l->open == 0;
}

static struct sb_listener *find_free(struct sb_server *srv)
{
	uint32_t end = srv->static_n + (uint32_t)srv->opt.limits.v[SB_LIMIT_PORTS];

	for (uint32_t i = srv->static_n; i < end; i++)
		if (i >= srv->listeners_n || is_free(&srv->listeners[i]))
			return &srv->listeners[i];
	return NULL;
}

/* ---- making one ---- */

/* The address of the control connection's own end, and no port yet. */
static int place_it(struct sb_server *srv, const struct sb_conn *c, struct sb_listener *l, struct sb_fault *fault)
{
	int r;

	if (c->peer.family == SB_UNIX)
		return sb_fault_set(
			fault, SB_E_PLACE, 0,
			"LISTEN makes ports of the address its connection came in on: a unix socket has none");
	r = sb_sys_sockname(srv->sys, c->fd, &l->endpoint.addr);
	if (r < 0)
		return sb_fault_set(fault, r, 0, "the kernel does not name our end: %s", sb_strerror(r));
	l->endpoint.addr.port = 0;
	l->is_loopback = sb_addr_is_loopback(&l->endpoint.addr);
	l->from = c->peer;
	return 0;
}

/* Any port, or the next free one of --control-ports. */
static int open_it(struct sb_server *srv, uint32_t i, struct sb_text *said, struct sb_fault *fault)
{
	const struct sb_options *o = &srv->opt;
	uint32_t n = o->ports_from ? (uint32_t)(o->ports_to - o->ports_from) + 1 : 0;
	int r = 0;

	if (n == 0)
		return sb_listener_open(srv, i, said, fault);
	for (uint32_t k = 0; k < n; k++) {
		*fault = (struct sb_fault){0};
		srv->listeners[i].endpoint.addr.port = (uint16_t)(o->ports_from + srv->next_port++ % n);
		r = sb_listener_open(srv, i, said, fault);
		if (r != -EADDRINUSE)
			return r;
	}
	return sb_fault_set(fault, r, 0, "all %u ports of --control-ports are in use", n);
}

static void say_port(struct sb_text *t, const struct sb_listener *l)
{
	sb_text_str(t, " port=");
	sb_text_u64(t, l->endpoint.addr.port);
	sb_text_str(t, " id=");
	sb_text_id(t, 's', l->id, l->token);
	if (sb_plan_has_seed(&l->plan)) {
		sb_text_str(t, " seed=");
		sb_text_u64(t, l->plan.cuts.seed);
	}
}

uint64_t sb_port_token(const struct sb_server *srv, uint32_t id)
{
	return sb_rng_at(srv->token_secret, UINT64_MAX - id);
}

int sb_port_make(struct sb_server *srv, struct sb_conn *c, struct sb_slice line, uint32_t col, struct sb_text *t,
		 struct sb_fault *fault)
{
	struct sb_listener *l = find_free(srv);
	char room[300];
	struct sb_text said = sb_text_in(room, sizeof(room));
	uint32_t gen;
	int r;

	if (!l)
		return sb_fault_set(fault, SB_E_LIMIT, 0, "there are as many ports as there may be (--max-ports)");
	gen = l->gen;
	*l = (struct sb_listener){.fd = -1, .gen = gen, .is_port = true, .line_at = col};
	l->id = ++srv->port_ids;
	l->token = sb_port_token(srv, l->id);
	if (index_of(srv, l) >= srv->listeners_n)
		srv->listeners_n = index_of(srv, l) + 1;
	r = place_it(srv, c, l, fault);
	if (r == 0)
		r = sb_verb_first(&l->line, false, sb_line_parse(&l->line, line, fault), fault);
	l->endpoint.on = l->line.v[SB_KEY_PROTO].num ? SB_ON_UDP : SB_ON_TCP;
	if (r < 0) {
		if (fault->col)
			fault->col += col;
		return r;
	}
	r = open_it(srv, index_of(srv, l), &said, fault);
	if (r < 0)
		return r;
	l->is_owned = true;
	l->owner = (struct sb_handle){.slot = sb_pool_index(&srv->conns, c), .gen = c->gen};
	sb_text_str(t, "+OK");
	say_port(t, l);
	sb_text_bytes(t, sb_slice(said.p, said.n));
	return 0;
}

/* ---- its end ---- */

static void reset_conns(struct sb_server *srv, uint32_t i)
{
	for (uint32_t k = 0; srv->listeners[i].open > 0 && k < srv->conns.fresh; k++) {
		struct sb_conn *c = sb_conn_at(srv, k);

		if (c && c->listener == i)
			sb_conn_reset(srv, c);
	}
}

static void end_it(struct sb_server *srv, uint32_t i)
{
	srv->listeners[i].is_owned = false;
	sb_timers_set(&srv->timers, sb_slot_of_listener(srv, i), SB_NEVER);
	sb_listener_close(srv, i);
	reset_conns(srv, i);
}

void sb_ports_of_gone(struct sb_server *srv, const struct sb_conn *c)
{
	struct sb_handle h = {.slot = sb_pool_index(&srv->conns, c), .gen = c->gen};

	for (uint32_t i = srv->static_n; i < srv->listeners_n; i++) {
		struct sb_listener *l = &srv->listeners[i];
		uint64_t keep = l->line.v[SB_KEY_KEEP].set ? l->line.v[SB_KEY_KEEP].num : 0;

		if (!l->is_owned || l->owner.slot != h.slot || l->owner.gen != h.gen)
			continue;
		l->owner.slot = UINT32_MAX;
		if (keep == 0 || srv->stage != SB_STAGE_RUN) {
			end_it(srv, i);
			continue;
		}
		l->gone_at = srv->now + keep;
		/* It may be pausing, and goes on before that. */
		if (l->gone_at < sb_timers_get(&srv->timers, sb_slot_of_listener(srv, i)))
			sb_timers_set(&srv->timers, sb_slot_of_listener(srv, i), l->gone_at);
	}
}

bool sb_port_tick(struct sb_server *srv, uint32_t i)
{
	struct sb_listener *l = &srv->listeners[i];

	if (!l->is_owned || l->gone_at == 0)
		return false;
	if (srv->now >= l->gone_at)
		end_it(srv, i);
	else
		sb_timers_set(&srv->timers, sb_slot_of_listener(srv, i), l->gone_at);
	return srv->now >= l->gone_at;
}

void sb_port_settle(struct sb_server *srv, uint32_t i)
{
	struct sb_listener *l = &srv->listeners[i];

	if (!l->is_port || l->fd >= 0 || l->open > 0)
		return;
	l->is_owned = false;
	sb_timers_set(&srv->timers, sb_slot_of_listener(srv, i), SB_NEVER);
}

void sb_text_port(struct sb_text *t, const struct sb_listener *l)
{
	sb_text_listener(t, l);
	if (l->is_port)
		say_port(t, l);
	if (l->endpoint.on == SB_ON_UDP)
		sb_text_dgram_count(t, &l->dgram);
}
