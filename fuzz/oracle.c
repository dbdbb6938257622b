/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server, while it runs and at its end. See oracle.h. */
#include "oracle.h"

#include <errno.h>

#include "found.h"

static uint32_t number(const struct run *r, const struct sim_conn *c)
{
	return (uint32_t)(c - r->k->conn);
}

static struct sb_conn *conn_of(const struct run *r, int fd)
{
	for (uint32_t i = 0; fd >= 0 && i < r->srv->conns.fresh; i++) {
		struct sb_conn *c = sb_conn_at(r->srv, i);

		if (c && c->fd == fd)
			return c;
	}
	return NULL;
}

static const char *why(uint8_t reason)
{
	return sb_reasons[reason].name;
}

/* ---- messages ---- */

/* Finds the messages that are whole now. */
static void advance(const struct run *r, struct sim_conn *c, struct peer *p)
{
	const struct model *m = &r->model[p->listener];

	while (!p->broken && p->whole < c->in_n) {
		struct ref_answer a = m->ref->decode(&m->args, c->sent + p->whole, c->in_n - p->whole);

		p->broken = a.err;
		if (a.err || a.wire == 0)
			break;
		p->whole += (uint32_t)a.wire;
		p->messages++;
	}
}

/* An echo has one thing at a time: what it owes, or an ear. */
void oracle_on_recv(struct sb_sys *k, struct sim_conn *c)
{
	const struct run *r = k->user;
	struct peer *p = &((struct run *)k->user)->peer[number(r, c)];
	const struct model *m = &r->model[p->listener];

	if (c->asked > m->recv_max)
		sb_found("%s: connection %u: a recv of %zu bytes, more than recv=", r->backend, number(r, c), c->asked);
	if (c->is_shut && r->limit[SB_LIMIT_DRAIN_BYTES] && c->in_n - c->shut_in_n > r->limit[SB_LIMIT_DRAIN_BYTES])
		sb_found("%s: connection %u: drains on after %u bytes, more than drain-bytes", r->backend, number(r, c),
			 c->in_n - c->shut_in_n);
	if (m->service == MODEL_SOURCE || c->is_shut || c->is_rst)
		return;
	advance(r, c, p);
	if (p->broken)
		sb_found("%s: connection %u: reads on after a broken message", r->backend, number(r, c));
	if (m->service == MODEL_ECHO && c->out_n != p->whole)
		sb_found("%s: connection %u: reads on while it owes %lld bytes", r->backend, number(r, c),
			 (long long)p->whole - (long long)c->out_n);
}

/* ---- reasons ---- */

static bool is_past(const struct run *r, enum sb_limit which, uint64_t since)
{
	return r->limit[which] > 0 && r->k->now - since >= r->limit[which];
}

static bool is_timeout_due(const struct run *r, const struct sim_conn *c, uint8_t reason)
{
	switch (reason) {
	case SB_WHY_FIRST_BYTE:
		return c->in_n == 0 && is_past(r, SB_LIMIT_FIRST_BYTE, c->opened);
	case SB_WHY_FRAME:
		return c->in_n > 0 && is_past(r, SB_LIMIT_FRAME, c->opened);
	case SB_WHY_IDLE:
		return is_past(r, SB_LIMIT_IDLE, c->active);
	case SB_WHY_LIFE:
		return is_past(r, SB_LIMIT_LIFE, c->opened);
	case SB_WHY_STALLED:
		return is_past(r, SB_LIMIT_IDLE, c->active);
	case SB_WHY_SLOW:
	case SB_WHY_SLOW_READER:
		return r->limit[SB_LIMIT_MIN_RATE] > 0 && r->k->now - c->opened >= 10 * SB_S;
	default:
		return true;
	}
}

static bool is_reason_possible(const struct run *r, const struct sim_conn *c, const struct peer *p, uint8_t reason)
{
	const struct model *m = &r->model[p->listener];

	switch (reason) {
	case SB_WHY_EOF:
		return c->is_fin || c->is_rst;
	case SB_WHY_DONE:
		return m->service == MODEL_SOURCE && !m->is_endless;
	case SB_WHY_BYTES:
		return m->service == MODEL_SOURCE && c->out_n == r->limit[SB_LIMIT_BYTES];
	case SB_WHY_TRUNCATED:
		return (c->is_fin || c->is_rst) && p->whole < c->in_n && !p->broken;
	case SB_WHY_TOO_LARGE:
		return p->broken == SB_E_TOO_LARGE;
	case SB_WHY_BAD_LENGTH:
		return p->broken == SB_E_BAD_LENGTH;
	case SB_WHY_OVERLONG:
		return p->broken == SB_E_OVERLONG;
	case SB_WHY_BAD_DELIMITER:
		return p->broken == SB_E_BAD_DELIMITER;
	case SB_WHY_RESET:
	case SB_WHY_IO:
		return c->is_rst || c->is_gone || c->is_spoilt;
	case SB_WHY_STOP:
	case SB_WHY_KILLED:
		return r->has_stopped;
	default:
		return is_timeout_due(r, c, reason);
	}
}

static void note_reason(struct run *r, struct sim_conn *c, uint8_t reason)
{
	struct peer *p = &r->peer[number(r, c)];

	if (p->reason == reason)
		return;
	if (p->reason != SB_WHY_NONE)
		sb_found("%s: connection %u: its reason was %s, and is %s now", r->backend, number(r, c),
			 why(p->reason), why(reason));
	p->reason = reason;
	if (r->model[p->listener].service != MODEL_SOURCE)
		advance(r, c, p);
	if (!is_reason_possible(r, c, p, reason))
		sb_found("%s: connection %u: ends with %s, which cannot be", r->backend, number(r, c), why(reason));
}

void oracle_turn(struct run *r)
{
	for (uint32_t i = 0; i < r->k->conns; i++) {
		struct sim_conn *c = &r->k->conn[i];
		struct sb_conn *conn = conn_of(r, c->fd);

		if (conn) {
			r->peer[i].is_served = true;
			note_reason(r, c, conn->session.reason);
		} else if (c->fd >= 0) {
			sb_found("%s: connection %u: accepted, and forgotten", r->backend, i);
		}
	}
}

/* ---- the end of a connection ---- */

void oracle_on_close(struct sb_sys *k, struct sim_conn *c)
{
	struct run *r = k->user;
	struct peer *p = &r->peer[number(r, c)];
	struct sb_conn *conn = conn_of(r, c->fd);
	const struct sb_session *s;

	if (!conn)
		return; /* refused */
	s = &conn->session;
	p->is_served = true;
	note_reason(r, c, s->reason);
	p->how = s->how;
	p->in = s->leg.in;
	p->out = s->leg.out;
	p->frames = s->frames;
	p->dropped = s->dropped;
	p->unsent = s->leg.n;
	if (s->reason == SB_WHY_NONE)
		sb_found("%s: connection %u: closed without a reason", r->backend, number(r, c));
	if (p->in != c->in_n || p->out != c->out_n)
		sb_found("%s: connection %u: counts %llu bytes in, %llu out; the kernel %u and %llu", r->backend,
			 number(r, c), (unsigned long long)p->in, (unsigned long long)p->out, c->in_n,
			 (unsigned long long)c->out_n);
}

/* ---- deadlines ---- */

static void check_deadlines(const struct run *r, const struct sim_conn *c, const struct sb_session *s)
{
	const struct model *m = &r->model[r->peer[number(r, c)].listener];
	uint64_t slack = SIM_TICK, now = r->k->now;
	const char *late = NULL;

	if (s->state != SB_STATE_RUN)
		return;
	if (r->limit[SB_LIMIT_LIFE] && now > c->opened + r->limit[SB_LIMIT_LIFE] + slack)
		late = "max-lifetime";
	if (!r->has_lacked_memory && !m->has_stopread) {
		if (r->limit[SB_LIMIT_IDLE] && now > c->active + r->limit[SB_LIMIT_IDLE] + slack)
			late = "idle-timeout";
		if (r->limit[SB_LIMIT_FIRST_BYTE] && c->in_n == 0 && m->service != MODEL_SOURCE &&
		    now > c->opened + r->limit[SB_LIMIT_FIRST_BYTE] + slack)
			late = "first-byte-timeout";
	}
	if (late)
		sb_found("%s: connection %u: is still served, past its %s", r->backend, number(r, c), late);
}

static void check_unread(const struct run *r, const struct sim_conn *c, const struct sb_session *s)
{
	const struct model *m = &r->model[r->peer[number(r, c)].listener];
	bool has_more = c->in_n < c->sent_n || ((c->is_fin || c->is_rst) && !c->is_fin_seen);

	/* Whoever owes nothing and is not told to wait has read everything there is. */
	if (s->state != SB_STATE_RUN || m->has_stopread || r->has_lacked_memory || !has_more)
		return;
	if (m->service == MODEL_ECHO && (s->leg.whole > 0 || c->window == 0))
		return;
	sb_found("%s: connection %u: does not read what is there: %u of %u bytes, %s", r->backend, number(r, c),
		 c->in_n, c->sent_n, c->is_fin ? "and the end" : "more to come");
}

static void check_unsent(const struct run *r, const struct sim_conn *c, const struct sb_session *s)
{
	if (s->leg.is_sending && c->window > 0 && !c->is_rst)
		sb_found("%s: connection %u: does not send, though there is room for %llu bytes", r->backend,
			 number(r, c), (unsigned long long)c->window);
}

/* Who waits at a listener that is not told to pause is taken; after a failure, a moment later. */
static void check_waiting(const struct run *r)
{
	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *c = &r->k->conn[i];
		const struct sb_listener *l = &r->srv->listeners[r->peer[i].listener];

		if (!c->is_dgram && !c->is_accepted && !l->is_paused && r->k->now > c->opened + SB_S / 4)
			sb_found("%s: connection %u: still waits to be accepted", r->backend, i);
	}
}

void oracle_rest(struct run *r)
{
	check_waiting(r);
	for (uint32_t i = 0; i < r->k->dgrams; i++)
		if (r->k->fd[(uint32_t)r->k->dgram[i].fd % SIM_FDS].fd == r->k->dgram[i].fd &&
		    r->k->fd[(uint32_t)r->k->dgram[i].fd % SIM_FDS].type == SIM_DGRAM)
			sb_found("%s: a datagram is there, and not received", r->backend);
	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *c = &r->k->conn[i];
		const struct sb_conn *conn = conn_of(r, c->fd);

		if (!conn)
			continue;
		check_deadlines(r, c, &conn->session);
		check_unread(r, c, &conn->session);
		check_unsent(r, c, &conn->session);
		if (conn->session.state == SB_STATE_DRAIN && conn->session.leg.n > 0)
			sb_found("%s: connection %u: holds %u bytes, though it only drains", r->backend, i,
				 conn->session.leg.n);
	}
}
