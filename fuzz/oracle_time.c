/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: time. What a connection waits for, since when, and until when, as the kernel
 * saw it: while the server waits nobody is overdue, and whoever is ended by the clock is due at that very moment. */
#include "find.h"
#include "found.h"
#include "oracle.h"

#include <errno.h>

#define RATE_GRACE (10 * SB_S)

static const struct model *model_of(const struct run *r, const struct sim_conn *c)
{
	return &r->model[r->peer[oracle_number(r, c)].listener];
}

static const struct peer *peer_of(const struct run *r, const struct sim_conn *c)
{
	return &r->peer[oracle_number(r, c)];
}

bool time_owes(const struct run *r, const struct sim_conn *c)
{
	const struct peer *p = peer_of(r, c);

	if (cut_is_waiting(r, c) || cut_is_joining(r, c) || cut_is_enough(r, c))
		return false;
	if (model_of(r, c)->service == MODEL_SOURCE)
		return p->reason == SB_WHY_NONE;
	return model_of(r, c)->service == MODEL_ECHO && c->out_n < p->whole;
}

bool time_is_paused(const struct run *r, const struct sim_conn *c)
{
	const struct peer *p = peer_of(r, c);

	return p->read_from != SB_NEVER && r->k->now < p->read_from;
}

/* The pause of stopread has ended: the waiting began then. */
static void end_pause(const struct run *r, struct peer *p)
{
	if (p->is_pause_over || p->read_from == SB_NEVER || r->k->now < p->read_from)
		return;
	p->is_pause_over = true;
	if (p->reason == SB_WHY_NONE)
		p->active = p->since = p->read_from;
}

/* ---- what happens ---- */

void time_on_accept(struct run *r, struct sim_conn *c)
{
	struct peer *p = &r->peer[oracle_number(r, c)];
	const struct model *m = &r->model[p->listener];

	p->has_option = false;
	p->failed = 0;
	p->active = p->since = r->k->now;
	p->read_from = m->stop_ns && m->stop_at == 0 ? r->k->now + m->stop_ns : SB_NEVER;
	cut_on_accept(r, c);
}

static void on_got(struct run *r, struct sim_conn *c, struct peer *p)
{
	const struct model *m = &r->model[p->listener];
	uint32_t whole = p->whole, messages = p->messages;
	uint64_t owed = p->whole - c->out_n;

	cut_settle(r, c, p);
	p->held_n = 0;
	p->active = r->k->now;
	if (m->stop_ns && p->read_from == SB_NEVER && c->in_n >= m->stop_at)
		p->read_from = r->k->now + m->stop_ns;
	if (p->reason != SB_WHY_NONE || m->service == MODEL_SOURCE) {
		cut_of(r, c)->recvs++;
		return;
	}
	oracle_advance(r, c, p);
	cut_on_got(r, c, owed);
	if (p->in_before == whole || p->messages > messages)
		p->since = r->k->now;
}

static void on_put(struct run *r, struct sim_conn *c, struct peer *p, size_t want, size_t n)
{
	const struct model *m = &r->model[p->listener];

	cut_settle(r, c, p);
	/* What was held because it might have become a line may be payload by now. */
	if (p->begin == PEER_HELD)
		oracle_advance(r, c, p);
	p->active = r->k->now;
	if (m->service == MODEL_ECHO && !m->is_shaped && want != p->whole - (c->out_n - n))
		sb_found("%s: connection %u: sends %zu bytes, and owes %llu", r->backend, oracle_number(r, c), want,
			 (unsigned long long)(p->whole - (c->out_n - n)));
	if (n == want) {
		p->mark = c->out_n;
		if (p->reason == SB_WHY_NONE)
			p->since = r->k->now;
	}
	cut_on_put(r, c, want, n);
}

/* recv= wants each recv to be said; an interrupted call, and one too early, is none. */
static void log_io(struct run *r, const struct sim_conn *c, enum sim_call call, long res)
{
	const struct peer *p = peer_of(r, c);
	const struct sb_conn *conn = line_is_judged_late(r, c) ? oracle_conn(r, c->fd) : NULL;
	enum sb_log_event event = call == SIM_CALL_RECV ? SB_LOG_RECV : SB_LOG_SEND;
	bool is_asked = call == SIM_CALL_RECV && (conn ? conn->session.plan->is_recv_set
						       : fuzz_find(r->model[p->listener].line, "recv=") != NULL);

	if ((r->log.level < SB_LOG_DEBUG && !is_asked) || res == -EAGAIN || res == -EINTR)
		return;
	if (res >= 0)
		log_expect(r, event, "conn=%u bytes=%ld", p->id, res);
	else
		log_expect(r, event, "conn=%u errno=%s", p->id, sb_errname((int)res));
}

/* The one option of connections that a row of configs.def asks for. */
static void log_option(struct run *r, struct peer *p, enum sim_call call, long res)
{
	int asked = r->model[p->listener].quickack;

	p->has_option = p->has_option || call == SIM_CALL_GETOPT || res < 0;
	if (res < 0)
		log_expect(r, SB_LOG_OPTION, "listener=%u name=TCP_QUICKACK asked=%d errno=%s", p->listener + 1, asked,
			   sb_errname((int)res));
	else if (call == SIM_CALL_GETOPT)
		log_expect(r, SB_LOG_OPTION, "listener=%u name=TCP_QUICKACK asked=%d effective=%d", p->listener + 1,
			   asked, asked);
}

void oracle_on_done(struct sb_sys *k, struct sim_conn *c, enum sim_call call, size_t n, long res)
{
	struct run *r = k->user;
	struct peer *p = &r->peer[oracle_number(r, c)];
	const struct model *m = &r->model[p->listener];
	bool is_late = line_is_judged_late(r, c);

	if (call == SIM_CALL_SHUTDOWN && !is_late && (m->is_rst || m->is_abrupt || fuzz_find(m->line, "close=stall")))
		sb_found("%s: connection %u: sends a FIN, though its line says otherwise", r->backend,
			 oracle_number(r, c));
	if ((call == SIM_CALL_SETOPT || call == SIM_CALL_GETOPT) && !is_late)
		log_option(r, p, call, res);
	else if (call == SIM_CALL_SEND || call == SIM_CALL_RECV)
		log_io(r, c, call, res);
	if (res < 0 && res != -EAGAIN && res != -EINTR && p->failed == 0 &&
	    (call == SIM_CALL_RECV || call == SIM_CALL_SEND || call == SIM_CALL_DIALED))
		p->failed = (int)res;
	if (res <= 0 || is_late)
		return;
	if (call == SIM_CALL_RECV)
		on_got(r, c, p);
	else if (call == SIM_CALL_SEND)
		on_put(r, c, p, n, (size_t)res);
}

/* ---- until when ---- */

static uint64_t after(uint64_t from, uint64_t limit)
{
	return limit ? from + limit : SB_NEVER;
}

static uint64_t rate_after(const struct run *r, uint64_t from, uint64_t n)
{
	uint64_t rate = r->limit[SB_LIMIT_MIN_RATE], enough = 0;

	if (rate)
		enough = n / rate * SB_S + n % rate * SB_S / rate;

	return rate ? from + (enough > RATE_GRACE ? enough : RATE_GRACE) : SB_NEVER;
}

/* When this reason ends a connection that is served; SB_NEVER if it cannot now. */
static uint64_t due_at(const struct run *r, const struct sim_conn *c, const struct peer *p, uint8_t reason)
{
	const struct model *m = &r->model[p->listener];
	bool owes = m->service == MODEL_SOURCE ||
		    (m->service == MODEL_ECHO && c->out_n < p->whole && !cut_is_joining(r, c));
	uint32_t part = m->service == MODEL_SOURCE ? 0 : c->in_n - p->whole;
	bool waits_first = !owes && c->in_n == 0,
	     waits_frame = !owes && c->in_n > 0 && part > 0 && p->begin != PEER_HELD;

	if (reason == SB_WHY_LIFE)
		return after(c->opened, r->limit[SB_LIMIT_LIFE]);
	if (time_is_paused(r, c) || cut_is_waiting(r, c))
		return SB_NEVER;
	switch (reason) {
	case SB_WHY_IDLE:
		return owes ? SB_NEVER : after(p->active, r->limit[SB_LIMIT_IDLE]);
	case SB_WHY_STALLED:
		return owes ? after(p->active, r->limit[SB_LIMIT_IDLE]) : SB_NEVER;
	case SB_WHY_FIRST_BYTE:
		return waits_first ? after(p->since, r->limit[SB_LIMIT_FIRST_BYTE]) : SB_NEVER;
	case SB_WHY_FRAME:
		return waits_frame ? after(p->since, r->limit[SB_LIMIT_FRAME]) : SB_NEVER;
	case SB_WHY_SLOW:
		return waits_frame ? rate_after(r, p->since, part) : SB_NEVER;
	case SB_WHY_SLOW_READER:
		return owes ? rate_after(r, p->since, c->out_n - p->mark) : SB_NEVER;
	default:
		return SB_NEVER;
	}
}

static const uint8_t timeouts[] = {SB_WHY_LIFE,  SB_WHY_IDLE, SB_WHY_STALLED,    SB_WHY_FIRST_BYTE,
				   SB_WHY_FRAME, SB_WHY_SLOW, SB_WHY_SLOW_READER};

enum { TIMEOUTS = sizeof(timeouts) / sizeof(timeouts[0]) };

/* Waits that our own want of memory caused begin anew, at moments that nobody outside knows. */
static bool is_vague(const struct run *r)
{
	return r->has_lacked_memory || r->k->slept || r->srv->count[SB_COUNT_HELD_WAITS];
}

bool time_is_due(const struct run *r, const struct sim_conn *c, uint8_t reason)
{
	struct peer p;
	uint64_t at;

	cut_settle(r, c, &((struct run *)(uintptr_t)r)->peer[oracle_number(r, c)]);
	p = *peer_of(r, c);
	end_pause(r, &p);
	at = due_at(r, c, &p, reason);
	return is_vague(r) || at <= r->k->now;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When nobody waits any longer for the end of a peer of one that lingers. */
static uint64_t linger_end(const struct run *r, const struct sim_conn *c, const struct peer *p)
{
	uint64_t last = p->active > p->finished ? p->active : p->finished;

	return sooner(after(c->opened, r->limit[SB_LIMIT_LIFE]), after(last, r->limit[SB_LIMIT_IDLE]));
}

/* When what is left of a connection whose service has ended is cut off. Once the server is told to stop, whoever had
 * ended before has no longer than those that end by it. */
static uint64_t end_at(const struct run *r, const struct sim_conn *c, const struct peer *p)
{
	uint64_t last = p->active > p->finished ? p->active : p->finished, at = SB_NEVER;
	bool is_ours = cut_is_waiting(r, c) && !cut_of(r, c)->is_gated;

	if (r->stops)
		at = after(r->stopped_at ? r->stopped_at : r->k->now, r->limit[SB_LIMIT_STOP]);
	/* Who lingers and sees the peer's end is done. */
	if (cut_is_lingering(r, c) && c->is_fin_seen)
		return at;
	if (cut_is_lingering(r, c))
		return sooner(at, linger_end(r, c, p));
	if (p->reason != SB_WHY_STOP && !is_ours)
		at = sooner(at, after(p->finished, r->limit[SB_LIMIT_DRAIN]));
	at = sooner(at, cut_gate_end(r, c));
	return c->is_shut ? sooner(at, after(last, r->limit[SB_LIMIT_DRAIN_IDLE])) : at;
}

/* ---- rules ---- */

void time_check_rest(const struct run *r, const struct sim_conn *c)
{
	struct peer *p = &((struct run *)(uintptr_t)r)->peer[oracle_number(r, c)];

	end_pause(r, p);
	cut_settle(r, c, p);
	if (p->reason != SB_WHY_NONE) {
		if (end_at(r, c, p) <= r->k->now)
			sb_found("%s: connection %u: ended with %s, and is still there, past its time", r->backend,
				 oracle_number(r, c), sb_reasons[p->reason].name);
		return;
	}
	if (r->stops)
		sb_found("%s: connection %u: is still served after a stop", r->backend, oracle_number(r, c));
	for (int i = 0; i < TIMEOUTS && !is_vague(r); i++)
		if (due_at(r, c, p, timeouts[i]) <= r->k->now)
			sb_found("%s: connection %u: is still served, past its time: %s", r->backend,
				 oracle_number(r, c), sb_reasons[timeouts[i]].name);
}

void time_check_close(const struct run *r, const struct sim_conn *c, const struct sb_session *s)
{
	const struct peer *p = peer_of(r, c);
	const struct model *m = model_of(r, c);
	uint64_t most = r->limit[SB_LIMIT_DRAIN_BYTES];
	bool owes = m->service == MODEL_ECHO && c->out_n < p->whole && !cut_is_enough(r, c);
	bool is_reset = s->how == SB_CLOSE_RESET, is_over, is_early;

	if (c->is_rst || c->is_gone || c->is_spoilt || c->err || r->stops > 1)
		return;
	cut_settle(r, c, &((struct run *)(uintptr_t)r)->peer[oracle_number(r, c)]);
	/* The clock, and too many bytes, end it with a reset. */
	is_over = p->reason == SB_WHY_STALLED || p->reason == SB_WHY_SLOW_READER || p->reason == SB_WHY_GATE ||
		  end_at(r, c, p) <= r->k->now || (m->is_shaped && cut_of(r, c)->refused) ||
		  (c->is_shut && !cut_is_lingering(r, c) && most && c->in_n - c->shut_in_n > most);
	if (is_reset && (is_over || (m->is_shaped && cut_of(r, c)->is_vague)))
		return;
	/* A stop, or the end of its life, comes before a source asks for its next send, or behind: from here one cannot
	 * tell. */
	if (is_reset && (p->reason == SB_WHY_STOP || p->reason == SB_WHY_LIFE) && cut_may_linger(r, c) &&
	    linger_end(r, c, p) <= r->k->now)
		return;
	/* Whose life is over as soon as reading goes on: the peer's end may be read at that very moment. */
	if (!is_reset && c->is_fin_seen && cut_is_lingering(r, c) && (end_at(r, c, p) == r->k->now || is_vague(r)))
		return;
	is_early = m->is_rst != is_reset || owes || (!m->is_rst && !m->is_abrupt && !c->is_fin_seen);
	if (is_over || is_early)
		sb_found("%s: connection %u: ends with %s, and is closed too %s by %s, its peer's end %sseen",
			 r->backend, oracle_number(r, c), sb_reasons[p->reason].name, is_early ? "early" : "late",
			 is_reset ? "RST" : "close", c->is_fin_seen ? "" : "not ");
}
