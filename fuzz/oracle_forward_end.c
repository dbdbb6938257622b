/* SPDX-License-Identifier: MIT
 * The rules of a FORWARD: how it ends, and what is told of it. See oracle_forward.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "find.h"
#include "found.h"
#include "oracle_forward.h"

/* ---- ends ---- */

/* How the kernel sees that it ended, against what was the reason. */
static void check_close(struct fw_run *r, struct fw_pair *p, int way, const struct sb_session *s)
{
	struct fw_way *w = &p->way[way];
	const struct sim_conn *from = fw_from(p, way), *to = fw_to(p, way);
	uint64_t out = to ? to->out_n : 0;

	fw_advance(p, way);
	w->reason = s->reason;
	w->is_closed = true;
	w->is_reset = s->how == SB_CLOSE_RESET;
	w->in = s->leg.in;
	w->out = s->leg.out;
	w->dropped = s->dropped;
	w->unsent = s->leg.n;
	if (s->reason == SB_WHY_NONE)
		sb_found(WHO "closed without a reason", who(r, p, way));
	if (w->in != from->in_n || w->out != out)
		sb_found(WHO "counts %llu bytes in, %llu out; the kernel %u and %llu", who(r, p, way),
			 (unsigned long long)w->in, (unsigned long long)w->out, from->in_n, (unsigned long long)out);
	if (w->in != w->out + w->dropped + w->unsent)
		sb_found(WHO "of %llu bytes %llu left, %llu were dropped, %llu held", who(r, p, way),
			 (unsigned long long)w->in, (unsigned long long)w->out, (unsigned long long)w->dropped,
			 (unsigned long long)w->unsent);
	if (s->reason == SB_WHY_EOF && !from->is_fin_seen)
		sb_found(WHO "ends with eof, and has not seen it", who(r, p, way));
	if (s->reason == SB_WHY_LIMIT && w->out != w->plan.limit)
		sb_found(WHO "ends with limit after %llu bytes", who(r, p, way), (unsigned long long)w->out);
	if ((s->reason == SB_WHY_RESET || s->reason == SB_WHY_IO) && p->failed == 0)
		sb_found(WHO "ends with %s, and nothing has failed", who(r, p, way), sb_reasons[s->reason].name);
}

void fw_note_reason(struct fw_run *r, struct fw_pair *p, int way, const struct sb_session *s)
{
	uint64_t active = p->client->active, up = p->up ? p->up->active : 0;
	bool is_joining = p->way[SB_WAY_UP].plan.shape.join > 1;

	if (s->reason == SB_WHY_NONE || p->way[way].is_noted)
		return;
	p->way[way].is_noted = true;
	/* What was held back for more to join it goes out with the end itself, which is then due already. */
	if (up > active && !(is_joining && up >= active + r->idle_timeout))
		active = up;
	if (s->reason == SB_WHY_IDLE && p->up && r->k->now < active + r->idle_timeout)
		sb_found(WHO "ends with %s before its time", who(r, p, way), sb_reasons[s->reason].name);
}

/* Why a server could not be reached is what the kernel said. */
static void check_reason(struct fw_run *r, struct fw_pair *p, int way, const struct sb_session *s)
{
	uint64_t now = r->k->now;

	fw_note_reason(r, p, way, s);
	if (s->reason == SB_WHY_GATE && s->err == 0 && r->k->faults == 0 &&
	    fw_to(p, way)->read_n == fw_to(p, way)->out_n && !fw_to(p, way)->is_net_slow &&
	    p->way[way].plan.shape.gate != SB_GATE_TIME)
		sb_found(WHO "its gate stays closed, and all has been read", who(r, p, way));
	if (way == SB_WAY_UP && p->up && p->up->dial_err && s->reason != SB_WHY_UPSTREAM && !r->is_stopped)
		sb_found(WHO "could not connect, and ends with %s", who(r, p, way), sb_reasons[s->reason].name);
	if (s->reason != SB_WHY_UPSTREAM)
		return;
	p->dial_failed = s->err;
	if (s->err == -ETIMEDOUT && r->k->faults == 0 && now != p->opened + r->connect_timeout)
		sb_found(WHO "gives up connecting at another time than connect-timeout", who(r, p, way));
	if (s->err != -ETIMEDOUT && r->k->faults == 0 && !r->is_hurt)
		sb_found(WHO "could not connect: %s, and nothing has failed", who(r, p, way), sb_errname(s->err));
}

/* In order, each direction has had its end and passed it on, or its keys say otherwise. */
static void check_order(struct fw_run *r, struct fw_pair *p)
{
	for (int way = 0; way < SB_WAYS; way++) {
		struct fw_way *w = &p->way[way];
		enum plan_close how = w->plan.close;

		if (w->is_reset || r->is_stopped)
			return;
		if (how == PLAN_ABRUPT || p->way[!way].plan.close == PLAN_ABRUPT)
			return;
		if (!fw_from(p, way)->is_fin_seen)
			sb_found(WHO "is closed in order, and had not ended", who(r, p, way));
		if (w->reason == SB_WHY_EOF && w->unsent)
			sb_found(WHO "is closed in order with %llu bytes unsent", who(r, p, way),
				 (unsigned long long)w->unsent);
		if (how != PLAN_STALL && !fw_to(p, way)->is_shut)
			sb_found(WHO "is closed in order, and its end was not passed on", who(r, p, way));
	}
}

/* Whoever is asked for first has both sessions at hand. */
void fw_on_close(struct sb_sys *k, struct sim_conn *c)
{
	struct fw_run *r = k->user;
	struct fw_pair *p = fw_pair_of(r, c);
	struct sb_conn *conn = fw_conn(r, c);
	int way;

	if (!p)
		sb_found("%s: closes what was nobody's", r->backend);
	if (!conn && c == p->client) {
		p->is_refused = true;
		return;
	}
	if (!conn)
		return;
	way = conn->session.is_down ? SB_WAY_DOWN : SB_WAY_UP;
	if (way == SB_WAY_UP)
		p->id = conn->id;
	check_close(r, p, way, &conn->session);
	check_reason(r, p, way, &conn->session);
	if ((conn->session.how == SB_CLOSE_RESET) != c->is_linger0)
		sb_found(WHO "is to be closed by %s, and is not", who(r, p, way),
			 conn->session.how == SB_CLOSE_RESET ? "RST" : "close");
	if (p->failed && !c->is_linger0 && !r->is_stopped && p->way[way].reason != SB_WHY_EOF &&
	    p->way[way].reason != SB_WHY_KILLED)
		sb_found(WHO "one end broke, and this one is not reset", who(r, p, way));
	if (way == SB_WAY_DOWN && p->way[SB_WAY_UP].is_closed)
		check_order(r, p);
}

void fw_on_log(struct sb_sys *k, struct sb_slice some)
{
	struct fw_run *r = k->user;
	size_t n = some.n < FW_LOG_MAX - r->log_n ? some.n : FW_LOG_MAX - r->log_n;

	memcpy(r->log + r->log_n, some.p, n);
	r->log_n += n;
	r->log[r->log_n] = '\0';
}

/* ---- receipts ---- */

static uint64_t field(const struct fw_run *r, const char *from, const char *name)
{
	const char *at = from ? fuzz_find(from, name) : NULL;

	if (!at)
		sb_found("%s: receipt: there is no %s in %.80s", r->backend, name, r->receipt);
	return strtoull(at + strlen(name), NULL, 10);
}

static void check_receipt(struct fw_run *r)
{
	uint64_t id = field(r, r->receipt, "\"id\":\"c");

	for (uint32_t i = 0; i < r->pairs; i++) {
		struct fw_pair *p = &r->pair[i];

		if (p->id != id || !p->is_served)
			continue;
		p->receipts++;
		for (int way = 0; way < SB_WAYS && p->up; way++) {
			const struct fw_way *w = &p->way[way];
			const char *at = fuzz_find(r->receipt, way ? ",\"down\":{" : ",\"up\":{");
			char reason[64];

			snprintf(reason, sizeof(reason), "\"reason\":\"%s\"", sb_reasons[w->reason].name);
			if (way == SB_WAY_UP &&
			    (field(r, at, "\"in\":") != w->in || field(r, at, "\"out\":") != w->out ||
			     field(r, at, "\"dropped\":") != w->dropped || field(r, at, "\"unsent\":") != w->unsent))
				sb_found(WHO "its receipt says otherwise: %.200s", who(r, p, way), at);
			if (way == SB_WAY_UP && !fuzz_find(at, reason))
				sb_found(WHO "its receipt does not say %s", who(r, p, way), reason);
			/* What is cut is counted. */
			if (way == SB_WAY_UP && field(r, at, "\"cuts\":{\"all\":") != w->pieces)
				sb_found(WHO "its receipt says %llu pieces, not %llu", who(r, p, way),
					 (unsigned long long)field(r, at, "\"cuts\":{\"all\":"),
					 (unsigned long long)w->pieces);
		}
		return;
	}
	sb_found("%s: a receipt of nobody: %.80s", r->backend, r->receipt);
}

void fw_on_receipt(struct sb_sys *k, struct sb_slice some)
{
	struct fw_run *r = k->user;

	for (size_t i = 0; i < some.n; i++) {
		if (r->receipt_n == sizeof(r->receipt) - 1)
			sb_found("%s: a receipt is too long", r->backend);
		r->receipt[r->receipt_n++] = (char)some.p[i];
		if (some.p[i] != '\n')
			continue;
		r->receipt[r->receipt_n] = '\0';
		check_receipt(r);
		r->receipt_n = 0;
	}
}

/* ---- at the end ---- */

static bool is_any_spoilt(const struct fw_pair *p)
{
	return p->client->is_spoilt || (p->up && p->up->is_spoilt);
}

void fw_end(struct fw_run *r)
{
	for (uint32_t i = 0; i < r->pairs; i++) {
		struct fw_pair *p = &r->pair[i];

		if (!p->client->is_closed)
			sb_found("%s: pair %u: the client is %s though everybody has left", r->backend, i,
				 p->client->is_accepted ? "still there" : "still not accepted");
		if (p->up && p->up->fd >= 0)
			sb_found("%s: pair %u: the server's end is still open", r->backend, i);
		for (int way = 0; way < SB_WAYS && p->up && p->is_served; way++)
			if (p->way[way].reason == SB_WHY_EOF && p->way[!way].reason == SB_WHY_EOF &&
			    p->way[way].plan.limit == UINT64_MAX && !p->way[way].is_reset && !is_any_spoilt(p) &&
			    p->way[way].out + p->way[way].dropped != fw_from(p, way)->sent_n)
				sb_found(WHO "ended in order, and of %u bytes %llu have left", who(r, p, way),
					 fw_from(p, way)->sent_n, (unsigned long long)p->way[way].out);
	}
}

/* Each end has one line that says what the kernel saw. */
static void check_log(const struct fw_run *r, const struct fw_pair *p, int way)
{
	const struct fw_way *w = &p->way[way];
	char want[200];

	snprintf(want, sizeof(want), " way=%s reason=%s how=%s in=%llu out=%llu ", fw_way_names[way],
		 sb_reasons[w->reason].name, w->is_reset ? "rst" : "close", (unsigned long long)w->in,
		 (unsigned long long)w->out);
	if (!fuzz_find(r->log, want))
		sb_found(WHO "the log does not say %s", who(r, p, way), want);
}

/* Their file failed, or took no more. */
static bool is_receipt_lost(const struct fw_run *r)
{
	return r->srv->receipt_log.fd < 0 || r->srv->count[SB_COUNT_RECEIPTS_LOST] > 0;
}

void fw_over(struct fw_run *r)
{
	bool is_whole = r->srv->log.level >= SB_LOG_INFO && !r->k->is_log_broken && !r->k->is_log_late &&
			r->log_n < FW_LOG_MAX && !fuzz_find(r->log, "suppressed");

	for (uint32_t i = 0; i < r->pairs; i++) {
		const struct fw_pair *p = &r->pair[i];

		if (!p->is_served || p->is_refused)
			continue;
		if (p->receipts != 1 && (p->receipts > 1 || !is_receipt_lost(r)))
			sb_found("%s: pair %u: %u receipts", r->backend, i, p->receipts);
		for (int way = 0; way < SB_WAYS && p->up && is_whole; way++)
			if (p->way[way].is_closed)
				check_log(r, p, way);
		if (p->dial_failed && is_whole && !fuzz_find(r->log, sb_errname(p->dial_failed)))
			sb_found("%s: pair %u: %s is not told", r->backend, i, sb_errname(p->dial_failed));
	}
	if (r->k->fds)
		sb_found("%s: %u descriptors are open after the end", r->backend, r->k->fds);
}

/* ---- two backends ---- */

static void compare_end(const struct fw_run *a, const struct fw_run *b, uint32_t i, const struct sim_conn *x,
			const struct sim_conn *y)
{
	if (x->in_n != y->in_n || x->out_n != y->out_n || memcmp(x->out, y->out, x->out_n) != 0)
		sb_found("backends differ: pair %u: %s %u bytes in and %llu out, %s %u and %llu", i, a->backend,
			 x->in_n, (unsigned long long)x->out_n, b->backend, y->in_n, (unsigned long long)y->out_n);
	if (x->end != y->end)
		sb_found("backends differ: pair %u: ended by %s with %s", i, x->end == SIM_END_RST ? "RST" : "FIN",
			 a->backend);
}

/* What of the one side is read before it is seen that the other has closed altogether is no promise. */
static bool is_any_gone(const struct fw_pair *p)
{
	return p->client->is_gone || (p->up && p->up->is_gone);
}

void fw_compare(const struct fw_run *a, const struct fw_run *b)
{
	if (a->k->faults || b->k->faults || a->pairs != b->pairs)
		return;
	for (uint32_t i = 0; i < a->pairs; i++) {
		const struct fw_pair *p = &a->pair[i], *q = &b->pair[i];

		if (is_any_spoilt(p) || is_any_spoilt(q) || is_any_gone(p) || is_any_gone(q))
			continue;
		if (!p->up != !q->up)
			sb_found("backends differ: pair %u: one of them connects", i);
		compare_end(a, b, i, p->client, q->client);
		if (p->up)
			compare_end(a, b, i, p->up, q->up);
		for (int way = 0; way < SB_WAYS && p->up; way++)
			if (p->way[way].reason != q->way[way].reason)
				sb_found("backends differ: pair %u %s: %s ends it with %s, %s with %s", i,
					 fw_way_names[way], a->backend, sb_reasons[p->way[way].reason].name, b->backend,
					 sb_reasons[q->way[way].reason].name);
	}
}

uint64_t fw_digest(const struct fw_run *r)
{
	uint64_t h = r->k->conns;

	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *c = &r->k->conn[i];

		h = ((h * 31 + c->in_n) * 31 + c->out_n) * 31 + (uint64_t)c->end;
		h = (h * 31 + c->recvs) * 31 + c->sends;
	}
	for (uint32_t i = 0; i < r->pairs; i++)
		h = (h * 31 + r->pair[i].way[0].reason) * 31 + r->pair[i].way[1].reason;
	return h * 31 + r->k->waits;
}
