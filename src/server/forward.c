/* SPDX-License-Identifier: MIT
 *
 * FORWARD: a client's connection and one of ours to the server behind, to=. Where that may be is the operator's to say:
 * his own lines name it, and what a client may have LISTEN forward to is what --forward-to lists, by default nothing.
 */
#include "server/server.h"

/* ---- where to ---- */

static int shift(const struct sb_value *to, int r, struct sb_fault *fault)
{
	if (r < 0 && fault)
		fault->col = to->col + (fault->col ? fault->col - 1 : 0);
	return r;
}

/* A name that has been looked up: only for lines of the operator. */
static const struct sb_name *name_of(const struct sb_server *srv, const struct sb_listener *l, struct sb_slice host)
{
	for (size_t i = 0; i < srv->names_n && !l->is_port; i++)
		if (sb_slice_eq(srv->names[i].name, host))
			return &srv->names[i];
	return NULL;
}

static int read_host(const struct sb_server *srv, struct sb_listener *l, struct sb_slice text, struct sb_fault *fault)
{
	struct sb_slice scheme, host, port;
	const struct sb_name *name;
	uint64_t number;
	int r = sb_endpoint_split(text, &scheme, &host, &port, fault);

	if (r < 0)
		return r;
	name = name_of(srv, l, host);
	if (!name || sb_parse_count(port, &number) < 0 || number > UINT16_MAX)
		return sb_endpoint_parse(&l->to, text, fault);
	l->to = (struct sb_endpoint){.on = sb_slice_is(scheme, "tcp") ? SB_ON_TCP : SB_ON_UDP, .addr = name->addr};
	l->to.addr.port = (uint16_t)number;
	return 0;
}

static bool is_listed(const struct sb_server *srv, const struct sb_endpoint *to)
{
	for (size_t i = 0; i < srv->opt.forward_to_n; i++) {
		const struct sb_forward_to *f = &srv->opt.forward_to[i];

		if (to->on == SB_ON_UNIX
			    ? sb_slice_is(f->path, to->path)
			    : f->path.n == 0 && f->port == to->addr.port && sb_addr_in(&to->addr, &f->range))
			return true;
	}
	return false;
}

int sb_forward_read(struct sb_server *srv, struct sb_listener *l, struct sb_fault *fault)
{
	const struct sb_value *to = &l->line.v[SB_KEY_TO];
	bool is_unix = to->text.n >= 5 && memcmp(to->text.p, "unix:", 5) == 0;
	int r = is_unix ? sb_endpoint_parse(&l->to, to->text, fault) : read_host(srv, l, to->text, fault);

	if (r < 0)
		return shift(to, r, fault);
	if (l->to.on == SB_ON_UDP)
		return sb_fault_set(fault, SB_E_PLACE, to->col, "to= is tcp:// or unix:, datagrams are not forwarded");
	if (l->to.on == SB_ON_TCP && l->to.addr.port == 0)
		return sb_fault_set(fault, SB_E_RANGE, to->col, "to= needs a port, 1 to 65535");
	if (l->is_port && !is_listed(srv, &l->to))
		return sb_fault_set(fault, SB_E_PLACE, to->col,
				    "a port of LISTEN may not forward to %.*s: --forward-to says where it may",
				    SB_FAULT_WORD(to->text));
	return 0;
}

/* ---- never to ourselves ---- */

/* Whether who connects to this comes to the listener. */
static bool leads_to(const struct sb_endpoint *to, const struct sb_listener *l)
{
	const struct sb_endpoint *e = &l->endpoint;
	struct sb_addr any = e->addr;

	if (to->on != e->on)
		return false;
	if (e->on == SB_ON_UNIX)
		return strcmp(to->path, e->path) == 0;
	any.port = to->addr.port;
	return to->addr.port == e->addr.port &&
	       (sb_addr_eq(&any, &to->addr) ||
		((sb_addr_is_any(&e->addr) || sb_addr_is_any(&to->addr)) && e->addr.family == to->addr.family));
}

int sb_forward_check_loop(const struct sb_server *srv, uint32_t i, struct sb_fault *fault)
{
	const struct sb_listener *l = &srv->listeners[i];

	for (uint32_t k = 0; k < srv->listeners_n; k++) {
		const struct sb_listener *other = &srv->listeners[k];

		if (other->fd < 0 || (k != i && !l->is_forward && !other->is_forward))
			continue;
		if ((l->is_forward && leads_to(&l->to, other)) || (other->is_forward && leads_to(&other->to, l)))
			return sb_fault_set(fault, SB_E_PLACE,
					    l->is_forward ? l->line.v[SB_KEY_TO].col : l->line.verb_col,
					    "FORWARD would lead to a listener of this server itself");
	}
	return 0;
}

/* ---- the second connection ---- */

static void say_open(struct sb_server *srv, const struct sb_conn *c, const struct sb_conn *client)
{
	struct sb_log *log = &srv->log;

	if (!sb_log_begin(log, SB_LOG_OPEN, srv->now))
		return;
	sb_log_u64(log, "conn", c->id);
	sb_log_addr(log, "peer", &c->peer);
	sb_log_u64(log, "listener", client->listener + 1);
	sb_log_u64(log, "of", client->id);
	sb_log_end(log);
}

/* What a piece is must not be joined with the next by our own kernel. */
static void set_nodelay(struct sb_server *srv, int fd)
{
	struct sb_opt_ask ask = {.row = sb_sockopt_named(sb_slice_cstr("TCP_NODELAY")), .value = 1};
	int64_t effective;

	/* It is as good as always; without it the pieces are still proven, only later. */
	(void)sb_sockopt_set(srv->sys, fd, ask, &effective);
}

static struct sb_conn *make(struct sb_server *srv, const struct sb_conn *client, int *err)
{
	const struct sb_listener *l = &srv->listeners[client->listener];
	struct sb_addr peer = l->to.addr;
	struct sb_conn *c;
	int fd;

	if (l->to.on == SB_ON_UNIX)
		peer = (struct sb_addr){.family = SB_UNIX};
	fd = sb_sys_socket(srv->sys, peer.family, true);
	if (fd < 0) {
		*err = fd;
		return NULL;
	}
	if (l->to.on == SB_ON_TCP)
		set_nodelay(srv, fd);
	c = sb_conn_take(srv, client->listener, fd, &peer, err);
	if (!c)
		sb_sys_close(srv->sys, fd);
	return c;
}

void sb_forward_open(struct sb_server *srv, struct sb_conn *c)
{
	const struct sb_listener *l = &srv->listeners[c->listener];
	const struct sb_plan *plan = c->session.plan == &l->plan ? &l->down : &l->other;
	int err = 0;
	struct sb_conn *up = make(srv, c, &err);

	if (!up) {
		c->session.err = err;
		sb_session_kill(&c->session, SB_WHY_UPSTREAM, SB_CLOSE_RESET);
		return;
	}
	sb_session_open(&up->session, plan, sb_show_lend(srv, up), srv->now);
	sb_session_join(&c->session, &up->session);
	c->across = up;
	up->across = c;
	say_open(srv, up, c);
}

int sb_forward_dial(struct sb_server *srv, struct sb_conn *c, struct sb_op *op, struct sb_done *done)
{
	const struct sb_listener *l = &srv->listeners[c->listener];

	if (l->to.on == SB_ON_UNIX)
		op->iov[0] = sb_slice(l->to.path, strlen(l->to.path) + 1);
	else
		op->dst = &l->to.addr;
	return srv->io.backend->ops->submit(&srv->io, op, done);
}
