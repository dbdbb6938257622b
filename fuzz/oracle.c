/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server, while it runs and at its end. See oracle.h. */
#include "oracle.h"

#include <errno.h>
#include <stdio.h>

#include "core/session_time.h"
#include "found.h"
#include "io/ready.h"

uint32_t oracle_number(const struct run *r, const struct sim_conn *c)
{
	return (uint32_t)(c - r->k->conn);
}

struct sb_conn *oracle_conn(const struct run *r, int fd)
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
void oracle_advance(const struct run *r, struct sim_conn *c, struct peer *p)
{
	const struct model *m = &r->model[p->listener];

	if (!line_is_payload(r, c, p))
		return;
	while (p->reason == SB_WHY_NONE && !p->broken && p->whole < c->in_n) {
		struct ref_answer a = ref_decode(m->ref, &m->args, p->whole, c->sent + p->whole, c->in_n - p->whole);

		p->broken = a.err;
		if (a.err || a.wire == 0)
			break;
		p->whole += (uint32_t)a.wire;
		p->messages++;
		if (m->is_shaped)
			cut_of(r, c)->is_end[p->whole - 1] = 1;
	}
}

/* What a recv asks for: as the line says, but no more than there is room for, and not beyond where a pause begins. */
static size_t want_of(const struct run *r, const struct sim_conn *c, const struct peer *p)
{
	const struct model *m = &r->model[p->listener];
	uint32_t part = m->service == MODEL_SOURCE ? 0 : c->in_n - p->whole;
	uint64_t want = m->recv_max;

	/* Messages that wait for more are held as well. */
	if (m->is_shaped && m->service == MODEL_ECHO)
		part = c->in_n - (uint32_t)c->out_n;
	part += p->held_n;
	if (want > SB_SESSION_HELD_MAX - part)
		want = SB_SESSION_HELD_MAX - part;
	if (m->stop_ns && c->in_n < m->stop_at && want > m->stop_at - c->in_n)
		want = m->stop_at - c->in_n;
	return want < SB_IO_BUF_SIZE ? (size_t)want : SB_IO_BUF_SIZE;
}

/* An echo has one thing at a time: what it owes, or an ear. */
void oracle_on_recv(struct sb_sys *k, struct sim_conn *c, size_t n)
{
	struct run *r = k->user;
	struct peer *p = &r->peer[oracle_number(r, c)];
	const struct model *m = &r->model[p->listener];
	const struct sb_conn *conn = oracle_conn(r, c->fd);

	if (conn)
		oracle_reason(r, c, &conn->session);
	p->in_before = c->in_n;
	if (line_is_judged_late(r, c))
		return;
	if (n > m->recv_max)
		sb_found("%s: connection %u: asks for %zu bytes, more than recv=%u", r->backend, oracle_number(r, c), n,
			 m->recv_max);
	if (c->is_shut && !cut_is_lingering(r, c) && r->limit[SB_LIMIT_DRAIN_BYTES] &&
	    c->in_n - c->shut_in_n > r->limit[SB_LIMIT_DRAIN_BYTES])
		sb_found("%s: connection %u: drains on after %u bytes, more than drain-bytes", r->backend,
			 oracle_number(r, c), c->in_n - c->shut_in_n);
	if (p->reason != SB_WHY_NONE)
		return;
	if (time_is_paused(r, c))
		sb_found("%s: connection %u: reads on while stopread says not to", r->backend, oracle_number(r, c));
	/* What was held as a part of the marker was still there when it was asked for. */
	if (n != want_of(r, c, p) && !p->held_at)
		sb_found("%s: connection %u: recv of %zu bytes, not %zu", r->backend, oracle_number(r, c), n,
			 want_of(r, c, p));
	if (m->service == MODEL_SOURCE || c->is_shut || c->is_rst)
		return;
	oracle_advance(r, c, p);
	if (p->broken)
		sb_found("%s: connection %u: reads on after a broken message", r->backend, oracle_number(r, c));
	/* A recv that was asked for while a part of the marker was held is under way. */
	if (m->service == MODEL_ECHO && c->out_n != p->whole && !cut_is_joining(r, c) && !p->held_n)
		sb_found("%s: connection %u: reads on while it owes %lld bytes", r->backend, oracle_number(r, c),
			 (long long)p->whole - (long long)c->out_n);
}

/* Of messages that wait for others, what goes depends on whether more can come. */
void oracle_on_send(struct sb_sys *k, struct sim_conn *c)
{
	struct run *r = k->user;
	const struct sb_conn *conn = cut_is_shaped(r, c) ? oracle_conn(r, c->fd) : NULL;

	if (conn)
		oracle_reason(r, c, &conn->session);
}

/* ---- reasons ---- */

int oracle_error_of(uint8_t reason)
{
	switch (reason) {
	case SB_WHY_TOO_LARGE:
		return SB_E_TOO_LARGE;
	case SB_WHY_BAD_LENGTH:
		return SB_E_BAD_LENGTH;
	case SB_WHY_OVERLONG:
		return SB_E_OVERLONG;
	case SB_WHY_BAD_DELIMITER:
		return SB_E_BAD_DELIMITER;
	default:
		return 0;
	}
}

static bool is_reason_possible(const struct run *r, const struct sim_conn *c, const struct peer *p, uint8_t reason)
{
	const struct model *m = &r->model[p->listener];

	if (line_is_judged_late(r, c))
		return line_is_reason_possible(r, c, reason);
	switch (reason) {
	case SB_WHY_EOF:
		return c->is_fin;
	case SB_WHY_DONE:
		return m->service == MODEL_SOURCE && !m->is_endless;
	case SB_WHY_BYTES:
		return m->service == MODEL_SOURCE && c->out_n == r->limit[SB_LIMIT_BYTES];
	case SB_WHY_TRUNCATED:
		return c->is_fin && p->whole < c->in_n && !p->broken;
	case SB_WHY_TOO_LARGE:
	case SB_WHY_BAD_LENGTH:
	case SB_WHY_OVERLONG:
	case SB_WHY_BAD_DELIMITER:
		return p->broken == oracle_error_of(reason);
	case SB_WHY_RESET:
		return p->failed == -ECONNRESET || p->failed == -EPIPE;
	case SB_WHY_IO:
		return p->failed && p->failed != -ECONNRESET && p->failed != -EPIPE;
	case SB_WHY_STOP:
	case SB_WHY_KILLED:
		return r->stops > 0;
	case SB_WHY_LIMIT:
	case SB_WHY_PIECES:
	case SB_WHY_MAXLIFE:
	case SB_WHY_GATE:
		return cut_is_reason_possible(r, c, reason);
	default:
		return time_is_due(r, c, reason);
	}
}

void oracle_reason(struct run *r, struct sim_conn *c, const struct sb_session *s)
{
	struct peer *p = &r->peer[oracle_number(r, c)];
	uint8_t reason = s->reason;

	if (p->reason == reason)
		return;
	if (p->reason != SB_WHY_NONE)
		sb_found("%s: connection %u: its reason was %s, and is %s now", r->backend, oracle_number(r, c),
			 why(p->reason), why(reason));
	if (r->model[p->listener].service != MODEL_SOURCE)
		oracle_advance(r, c, p);
	if (!is_reason_possible(r, c, p, reason))
		sb_found("%s: connection %u: ends with %s, which cannot be", r->backend, oracle_number(r, c),
			 why(reason));
	p->reason = reason;
	p->finished = r->k->now;
}

void oracle_turn(struct run *r)
{
	if (r->stops && !r->stopped_at)
		r->stopped_at = r->k->now;
	for (uint32_t i = 0; i < r->k->conns; i++) {
		struct sim_conn *c = &r->k->conn[i];
		struct sb_conn *conn = oracle_conn(r, c->fd);

		if (conn && !r->peer[i].is_served)
			sb_found("%s: connection %u: is served, and must be refused: %s", r->backend, i,
				 r->peer[i].refusal ? r->peer[i].refusal : "shed");
		if (conn && r->model[r->peer[i].listener].quickack >= 0 && !r->peer[i].has_option)
			sb_found("%s: connection %u: an option of its line is not set on it", r->backend, i);
		if (conn)
			oracle_reason(r, c, &conn->session);
		else if (c->fd >= 0)
			sb_found("%s: connection %u: accepted, and forgotten", r->backend, i);
	}
}

void oracle_stop(struct run *r)
{
	uint32_t open = sim_count(r->k, SIM_STREAM);

	r->stops++;
	if (r->stops <= 2)
		log_expect(r, SB_LOG_STOP, "how=%s open=%u", r->stops == 1 ? "drain" : "now", open);
}

void oracle_wait(struct run *r)
{
	dgram_settle(r);
	door_settle(r);
}

/* ---- the end of a connection ---- */

/* It was taken, and closed again without being served. */
static void check_refused(struct run *r, const struct sim_conn *c, struct peer *p)
{
	char from[MODEL_ADDR_MAX];

	if (p->refusal || p->is_shed)
		return;
	if (!c->is_spoilt)
		sb_found("%s: connection %u: is refused, and must be served", r->backend, oracle_number(r, c));
	/* It could not be registered. */
	p->is_served = false;
	r->ids--;
	r->door[p->listener].served--;
	r->count[SB_COUNT_ACCEPTED]--;
	r->count[SB_COUNT_REFUSED]++;
	log_forget(r, SB_LOG_OPEN);
	log_expect(r, SB_LOG_REFUSE, "peer=%s listener=%u reason=%s", model_addr(from, &c->addr), p->listener + 1,
		   sb_errname(c->add_err));
}

/* "key=N", with a space before, when there is something to say. */
static const char *field(char room[48], const char *key, uint64_t v)
{
	room[0] = '\0';
	if (v)
		snprintf(room, 48, " %s=%llu", key, (unsigned long long)v);
	return room;
}

static void log_close(struct run *r, const struct sim_conn *c, const struct peer *p, const struct sb_session *s)
{
	char from[MODEL_ADDR_MAX], dropped[48], unsent[48], offset[48], error[48] = "";
	const char *change = sb_reasons[p->reason].change;

	offset[0] = '\0';
	if (s->leg.scan.err)
		snprintf(offset, sizeof(offset), " offset=%llu", (unsigned long long)s->leg.scan.base);
	if (s->err)
		snprintf(error, sizeof(error), " errno=%s", sb_errname(s->err));
	log_expect(r, SB_LOG_CLOSE, "conn=%u peer=%s reason=%s how=%s in=%u out=%llu frames=%u%s%s%s%s%s%s", p->id,
		   model_addr(from, &c->addr), why(p->reason), p->how == SB_CLOSE_RESET ? "rst" : "close", c->in_n,
		   (unsigned long long)c->out_n, p->frames, field(dropped, "dropped", p->dropped),
		   field(unsent, "unsent", p->unsent), offset, error, change[0] ? " change=" : "", change);
}

void oracle_on_close(struct sb_sys *k, struct sim_conn *c)
{
	struct run *r = k->user;
	struct peer *p = &r->peer[oracle_number(r, c)];
	struct sb_conn *conn = oracle_conn(r, c->fd);
	const struct sb_session *s;

	if (!conn) {
		check_refused(r, c, p);
		return;
	}
	s = &conn->session;
	oracle_reason(r, c, s);
	p->how = s->how;
	p->is_killed = r->stops > 1;
	p->in = s->leg.in;
	p->out = s->leg.out;
	p->frames = s->frames;
	p->dropped = s->dropped;
	p->unsent = s->leg.n;
	if (s->reason == SB_WHY_NONE)
		sb_found("%s: connection %u: closed without a reason", r->backend, oracle_number(r, c));
	if (p->in != c->in_n || p->out != c->out_n)
		sb_found("%s: connection %u: counts %llu bytes in, %llu out; the kernel %u and %llu", r->backend,
			 oracle_number(r, c), (unsigned long long)p->in, (unsigned long long)p->out, c->in_n,
			 (unsigned long long)c->out_n);
	if ((p->how == SB_CLOSE_RESET) != c->is_linger0)
		sb_found("%s: connection %u: is to be closed by %s, and is not", r->backend, oracle_number(r, c),
			 p->how == SB_CLOSE_RESET ? "RST" : "close");
	cut_on_close(r, c);
	if (line_is_judged_late(r, c))
		line_check_close(r, c, s);
	else
		time_check_close(r, c, s);
	log_close(r, c, p, s);
}

/* ---- while it waits ---- */

static void check_unread(const struct run *r, const struct sim_conn *c, const struct sb_session *s)
{
	const struct model *m = &r->model[r->peer[oracle_number(r, c)].listener];
	bool has_more = c->in_n < c->sent_n || ((c->is_fin || c->is_rst) && !c->is_fin_seen);

	/* Whoever owes nothing and is not told to wait has read everything there is. */
	if (r->peer[oracle_number(r, c)].reason != SB_WHY_NONE || time_is_paused(r, c) || r->has_lacked_memory ||
	    r->srv->count[SB_COUNT_HELD_WAITS] || !has_more)
		return;
	if (m->service == MODEL_ECHO && (s->leg.whole > 0 || c->window == 0))
		return;
	sb_found("%s: connection %u: does not read what is there: %u of %u bytes, %s", r->backend, oracle_number(r, c),
		 c->in_n, c->sent_n, c->is_fin ? "and the end" : "more to come");
}

static void check_unsent(const struct run *r, const struct sim_conn *c)
{
	if (time_owes(r, c) && c->window > 0 && !c->is_rst)
		sb_found("%s: connection %u: does not send, though there is room for %llu bytes", r->backend,
			 oracle_number(r, c), (unsigned long long)c->window);
}

/* What is held is what has not become a message yet, or not gone out, and lies where it fits best. */
static void check_held(const struct run *r, const struct sim_conn *c, const struct sb_conn *conn)
{
	struct peer *p = &((struct run *)(uintptr_t)r)->peer[oracle_number(r, c)];
	const struct model *m = &r->model[p->listener];
	uint32_t held = conn->session.leg.n, want = 0, size = 0;

	if (m->service == MODEL_ECHO)
		want = (p->reason == SB_WHY_NONE ? c->in_n : p->whole) - (uint32_t)c->out_n;
	else if (m->service == MODEL_DISCARD && p->reason == SB_WHY_NONE)
		want = c->in_n - p->whole;
	if (cut_is_enough(r, c))
		want = 0;
	if (held != want)
		sb_found("%s: connection %u: holds %u bytes, not %u", r->backend, oracle_number(r, c), held, want);
	if (!conn->buf != !held)
		sb_found("%s: connection %u: holds %u bytes, and %s buffer", r->backend, oracle_number(r, c), held,
			 conn->buf ? "a" : "no");
	p->held_most = held > p->held_most ? held : p->held_most;
	for (int i = SB_BUF_CLASSES - 1; i >= 0; i--)
		if (conn->buf && sb_pool_owns(&r->srv->bufs[i], conn->buf))
			size = r->srv->bufs[i].block_size;
	/* It may have been more within a turn, but never more than had come. */
	if (size > 256 && c->in_n <= 256 && !r->has_lacked_memory)
		sb_found("%s: connection %u: holds %u bytes in a buffer of %u", r->backend, oracle_number(r, c), held,
			 size);
}

/* Whoever is reset ends at once, whatever else was waited for; only who is not to read does not see it. Where both had
 * ended in order that has been seen, and nobody looks on: a level would report it again and again. */
static void check_gone(const struct run *r, const struct sim_conn *c, const struct sb_session *s)
{
	if (c->is_shut && c->is_fin_seen)
		return;
	if (c->is_rst && c->err && !c->is_late_in && !sb_session_is_paused(s) && !r->srv->io.is_held)
		sb_found("%s: connection %u: was reset, and is still there", r->backend, oracle_number(r, c));
}

/* Who reads hears from that that its peer has gone, and must not hear it twice: told before what is still to be read,
 * it would be the end. */
static void check_watch(const struct run *r, const struct sim_conn *c, const struct sb_conn *conn)
{
	unsigned armed = r->srv->io.ready->slot[sb_pool_index(&r->srv->conns, conn)].armed;

	if ((armed & SB_READY_IN) && (armed & SB_READY_GONE))
		sb_found("%s: connection %u: is read, and still watched as well", r->backend, oracle_number(r, c));
}

/* After the second stop nobody is left, and after the first nobody comes. */
static void check_stopped(const struct run *r)
{
	if (r->stops > 1 && sim_count(r->k, SIM_STREAM))
		sb_found("%s: %u connections are left open after the second stop", r->backend,
			 sim_count(r->k, SIM_STREAM));
}

void oracle_rest(struct run *r)
{
	check_stopped(r);
	for (uint32_t i = 0; i < r->k->dgrams; i++)
		if (r->k->fd[(uint32_t)r->k->dgram[i].fd % SIM_FDS].fd == r->k->dgram[i].fd &&
		    r->k->fd[(uint32_t)r->k->dgram[i].fd % SIM_FDS].type == SIM_DGRAM)
			sb_found("%s: a datagram is there, and not received", r->backend);
	for (uint32_t i = 0; i < r->k->conns; i++) {
		struct sim_conn *c = &r->k->conn[i];
		const struct sb_conn *conn = oracle_conn(r, c->fd);

		if (conn) {
			check_gone(r, c, &conn->session);
			check_watch(r, c, conn);
		}
		if (conn && line_is_judged_late(r, c))
			asked_check_rest(r, c, &conn->session);
		if (!conn || line_is_judged_late(r, c))
			continue;
		if (r->peer[i].begin == PEER_HELD)
			oracle_advance(r, c, &r->peer[i]);
		time_check_rest(r, c);
		cut_check_rest(r, c);
		check_unread(r, c, &conn->session);
		check_unsent(r, c);
		check_held(r, c, conn);
	}
	late_rest(r);
	door_check_rest(r);
}
