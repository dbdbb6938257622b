/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: what must be so when everything is over. See oracle.h. */
#include "oracle.h"

#include "found.h"

static uint32_t kept_of(const struct sim_conn *c)
{
	return c->out_n < SIM_OUT_MAX ? (uint32_t)c->out_n : SIM_OUT_MAX;
}

/* ---- streams ---- */

/* The byte whose lowest bit is wrong, as the line wants it. */
static uint64_t flip_of(const struct run *r, uint32_t i)
{
	const struct model *m = &r->model[r->peer[i].listener];

	return m->is_shaped ? m->plan.flip : UINT64_MAX;
}

static void check_echo(const struct run *r, uint32_t i)
{
	const struct sim_conn *c = &r->k->conn[i];
	const struct peer *p = &r->peer[i];

	if (c->out_n > p->whole)
		sb_found("%s: connection %u: %llu bytes came back of %u that were whole messages", r->backend, i,
			 (unsigned long long)c->out_n, p->whole);
	for (uint32_t at = 0; at < c->out_n; at++)
		if ((c->out[at] ^ (at == flip_of(r, i))) != c->sent[at])
			sb_found("%s: connection %u: byte %u came back as %02x, not %02x", r->backend, i, at,
				 c->out[at], c->sent[at]);
	if (p->is_served && p->in != p->out + p->dropped + p->unsent)
		sb_found("%s: connection %u: of %llu bytes in, %llu went out, %u were dropped, %u were left",
			 r->backend, i, (unsigned long long)p->in, (unsigned long long)p->out, p->dropped, p->unsent);
}

/* RFC 864: line i begins with character i of the ring. That is always the same, and made once. */
static const uint8_t *chargen(void)
{
	static const char ends[] = "\r\n";
	static uint8_t stream[SIM_OUT_MAX];

	if (stream[0])
		return stream;
	for (size_t at = 0, first = 0, column = 0, ring = 0; at < sizeof(stream); at++) {
		stream[at] = (uint8_t)(column < 72 ? ' ' + ring : (unsigned char)ends[column - 72]);
		ring = ring == 94 ? 0 : ring + 1;
		if (++column == 74) {
			first = first == 94 ? 0 : first + 1;
			ring = first;
			column = 0;
		}
	}
	return stream;
}

static void check_source(const struct run *r, uint32_t i)
{
	static uint8_t whole[SIM_OUT_MAX];
	const struct sim_conn *c = &r->k->conn[i];
	const struct sb_listener *l = &r->srv->listeners[r->peer[i].listener];
	uint32_t n = kept_of(c);

	if (n == 0)
		return;
	if (r->model[r->peer[i].listener].is_chargen)
		memcpy(whole, chargen(), n);
	else
		sb_source_fill(&l->plan.source, 0, whole, n);
	if (flip_of(r, i) < n)
		whole[flip_of(r, i)] ^= 1;
	for (uint32_t at = 0; memcmp(c->out, whole, n) != 0 && at < n; at++)
		if (c->out[at] != whole[at])
			sb_found("%s: connection %u: byte %u of the source is %02x, not %02x", r->backend, i, at,
				 c->out[at], whole[at]);
	if (c->out_n > r->limit[SB_LIMIT_BYTES])
		sb_found("%s: connection %u: %llu bytes, more than max-bytes", r->backend, i,
			 (unsigned long long)c->out_n);
}

/* What a reason promises about the bytes. */
static void check_reason(const struct run *r, uint32_t i)
{
	const struct sim_conn *c = &r->k->conn[i];
	const struct peer *p = &r->peer[i];
	const struct model *m = &r->model[p->listener];
	bool is_whole = p->reason == SB_WHY_EOF || p->reason == SB_WHY_TRUNCATED;

	if (is_whole && m->service != MODEL_SOURCE && c->in_n != c->sent_n)
		sb_found("%s: connection %u: ends with %s, but read %u of %u bytes", r->backend, i,
			 sb_reasons[p->reason].name, c->in_n, c->sent_n);
	if (is_whole && m->service == MODEL_ECHO && p->how == SB_CLOSE_PLAIN && !c->is_rst && !c->is_spoilt &&
	    !cut_is_enough(r, c) && !p->is_killed && c->out_n != p->whole)
		sb_found("%s: connection %u: ends with %s, but answered %llu of %u bytes", r->backend, i,
			 sb_reasons[p->reason].name, (unsigned long long)c->out_n, p->whole);
	if (is_whole && m->service != MODEL_SOURCE && m->ref != &ref_raw && p->frames != p->messages)
		sb_found("%s: connection %u: counts %u messages of %u", r->backend, i, p->frames, p->messages);
	if (p->how == SB_CLOSE_RESET && c->end != SIM_END_RST)
		sb_found("%s: connection %u: was to be reset, and was not", r->backend, i);
	if (m->is_rst && p->reason == SB_WHY_EOF && c->end != SIM_END_RST)
		sb_found("%s: connection %u: close=rst, and it was not reset", r->backend, i);
}

void oracle_end(struct run *r)
{
	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *c = &r->k->conn[i];
		const struct model *m = &r->model[r->peer[i].listener];

		if (c->is_dgram)
			continue;
		if (!c->is_accepted && m->syn == SB_NEVER)
			continue;
		if (!c->is_closed)
			sb_found("%s: connection %u: %s though its peer has left", r->backend, i,
				 c->is_accepted ? "is still open" : "still waits to be accepted");
		if (!r->peer[i].is_served || line_is_judged_late(r, c))
			continue;
		if (m->service == MODEL_ECHO)
			check_echo(r, i);
		else if (m->service == MODEL_SOURCE)
			check_source(r, i);
		else if (c->out_n)
			sb_found("%s: connection %u: DISCARD sent %llu bytes", r->backend, i,
				 (unsigned long long)c->out_n);
		check_reason(r, i);
	}
}

/* ---- what is left ---- */

void oracle_leaks(const struct run *r)
{
	const struct sb_server *srv = r->srv;
	uint32_t fds = sim_count(r->k, SIM_LISTENER) + sim_count(r->k, SIM_DGRAM);

	if (sim_count(r->k, SIM_STREAM))
		sb_found("%s: %u descriptors of connections are left open", r->backend, sim_count(r->k, SIM_STREAM));
	if (r->k->fds != fds + sim_count(r->k, SIM_WAKE) + sim_count(r->k, SIM_EPOLL) + sim_count(r->k, SIM_SPARE) +
				 sim_count(r->k, SIM_DIAG) + sim_count(r->k, SIM_FILLER) ||
	    sim_count(r->k, SIM_SPARE) > 1)
		sb_found("%s: %u descriptors are open, %u of them listen", r->backend, r->k->fds, fds);
	if (srv->own_ports_n != sim_count(r->k, SIM_DGRAM))
		sb_found("%s: %u ports of datagrams are held for its own, and it has %u", r->backend, srv->own_ports_n,
			 sim_count(r->k, SIM_DGRAM));
	if (srv->shows.used || srv->gate.n || srv->talks.used || srv->texts.used || srv->receipts.waiting)
		sb_found("%s: of shaped connections are left: %u shows, %u gates, %u lines, %u answers, %u who wait",
			 r->backend, srv->shows.used, srv->gate.n, srv->talks.used, srv->texts.used,
			 srv->receipts.waiting);
	if (srv->conns.used)
		sb_found("%s: %u slots of connections are left in use", r->backend, srv->conns.used);
	for (int i = 0; i < SB_BUF_CLASSES; i++)
		if (srv->bufs[i].used)
			sb_found("%s: %u buffers of %u bytes are left in use", r->backend, srv->bufs[i].used,
				 srv->bufs[i].block_size);
	if (srv->timers.n)
		sb_found("%s: %u timers are left set", r->backend, srv->timers.n);
	if (srv->count[SB_COUNT_OPEN])
		sb_found("%s: counts %llu connections as open", r->backend,
			 (unsigned long long)srv->count[SB_COUNT_OPEN]);
	if (srv->io.is_held)
		sb_found("%s: reading is still held back, though all memory is there", r->backend);
	for (uint32_t i = 0; i < srv->perip.size; i++)
		if (srv->perip.cells[i].count)
			sb_found("%s: an address is counted with %llu connections", r->backend,
				 (unsigned long long)srv->perip.cells[i].count);
}

/* ---- two backends ---- */

/* A source that closes when it is through, without a look at what has come: how much of that it has read by then is no
 * promise; and a close with some unread is a reset. */
static bool is_blind(const struct run *r, uint32_t i)
{
	const struct model *m = &r->model[r->peer[i].listener];
	uint8_t reason = r->peer[i].reason;

	return (m->is_rst || m->is_abrupt || line_is_judged_late(r, &r->k->conn[i])) &&
	       (reason == SB_WHY_DONE || reason == SB_WHY_BYTES);
}

/* As many would not do: a call that only one of them makes may fail, and another later for the other. */
static bool have_other_faults(const struct run *a, const struct run *b)
{
	return a->k->faults != b->k->faults || memcmp(a->k->failed, b->k->failed, sizeof(a->k->failed)) != 0;
}

/* A receipt has times in it, and one that could not wait is later than the other; a port may fail for one of them.
 * Where several come at once, or after a lack of memory, who asks what there is may be read before what it is about. */
static bool is_told_otherwise(const struct run *a, const struct run *b, uint32_t i)
{
	return line_is_judged_late(a, &a->k->conn[i]) &&
	       (a->count[SB_COUNT_WAIT_ERRORS] != b->count[SB_COUNT_WAIT_ERRORS] || have_other_faults(a, b) ||
		a->has_lacked_memory || b->has_lacked_memory || a->is_crowded || b->is_crowded);
}

static void compare_bytes(const struct run *a, const struct run *b, uint32_t i, uint32_t j, bool is_prefix)
{
	const struct sim_conn *x = &a->k->conn[i], *y = &b->k->conn[j];
	uint32_t n = kept_of(x) < kept_of(y) ? kept_of(x) : kept_of(y);

	/* Of datagrams one may be missing in the middle. */
	if (is_prefix && x->is_dgram)
		return;
	if (is_told_otherwise(a, b, i))
		return;
	if (!is_prefix && x->out_n != y->out_n)
		sb_found("backends differ: connection %u: %s sent %llu bytes, %s %llu", i, a->backend,
			 (unsigned long long)x->out_n, b->backend, (unsigned long long)y->out_n);
	/* A reset takes with it what has not been read yet. */
	if (!is_prefix && x->in_n != y->in_n && !is_blind(a, i) && !(x->is_rst && y->is_rst))
		sb_found("backends differ: connection %u: %s received %u bytes, %s %u", i, a->backend, x->in_n,
			 b->backend, y->in_n);
	for (uint32_t at = 0; memcmp(x->out, y->out, n) != 0 && at < n; at++)
		if (x->out[at] != y->out[at])
			sb_found("backends differ: connection %u: byte %u is %02x with %s, %02x with %s", i, at,
				 x->out[at], a->backend, y->out[at], b->backend);
}

/* It was hit by something that hits whoever comes next. */
static bool is_spoilt_one(const struct run *r, uint32_t i)
{
	const struct sim_conn *c = &r->k->conn[i];

	return c->is_spoilt || (!c->is_dgram && cut_is_shaped(r, c) && r->cut[i].is_hit);
}

/* A failure of one connection's may be another's luck, where they share a limit. */
static bool is_any_spoilt(const struct run *r)
{
	for (uint32_t i = 0; i < r->k->conns; i++)
		if (is_spoilt_one(r, i))
			return true;
	return false;
}

bool oracle_has_places(const struct run *r)
{
	for (uint32_t i = 0; i < r->doors; i++)
		if (r->model[i].conns != UINT64_MAX)
			return true;
	return r->is_alone;
}

/* Memory has run out more than once, or in the end: whose turn it is then to be read is no promise. */
static bool is_memory_raced(const struct run *r)
{
	return r->has_lacked_memory && (r->has_stopped || r->memory_waits > 1);
}

/* Only poll can lack memory, and then it is later there from then on: what time ends may end before more has come. */
static bool is_later(const struct run *a, const struct run *b)
{
	return a->k->slept != b->k->slept;
}

uint32_t oracle_same_as(const struct run *a, uint32_t i, const struct run *b)
{
	uint32_t j = 0;

	while (j < b->k->conns && b->peer[j].event != a->peer[i].event)
		j++;
	return j;
}

static void compare_ends(const struct run *a, const struct run *b, uint32_t i)
{
	const struct peer *p = &a->peer[i], *q = &b->peer[i];
	enum sim_end x = a->k->conn[i].end, y = b->k->conn[i].end;

	if (is_told_otherwise(a, b, i))
		return;
	if (p->reason != q->reason || p->is_served != q->is_served)
		sb_found("backends differ: connection %u: %s ends it with %s, %s with %s", i, a->backend,
			 p->is_served ? sb_reasons[p->reason].name : "a refusal", b->backend,
			 q->is_served ? sb_reasons[q->reason].name : "a refusal");
	if (x != y && !(is_blind(a, i) && a->model[p->listener].is_abrupt))
		sb_found("backends differ: connection %u: ended by %s with %s, by %s with %s", i,
			 x == SIM_END_RST ? "RST" : "FIN", a->backend, y == SIM_END_RST ? "RST" : "FIN", b->backend);
}

/* Lines and ports have run out: who came first is no promise. */
static bool is_line_raced(const struct run *r)
{
	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *c = &r->k->conn[i];

		if (line_is_judged_late(r, c) && memmem(c->out, kept_of(c), "(--max-", 7))
			return true;
	}
	return false;
}

/* A call that failed for one of them alone may have cost it a port, and whoever would have come there; or a connection,
 * and those after it have other numbers. */
static bool has_other_ports(const struct run *a, const struct run *b)
{
	bool is_other = have_other_faults(a, b) || a->count[SB_COUNT_ACCEPTED] != b->count[SB_COUNT_ACCEPTED] ||
			a->count[SB_COUNT_REFUSED] != b->count[SB_COUNT_REFUSED] || is_line_raced(a) ||
			is_line_raced(b);

	for (uint32_t i = 0; is_other && i < a->k->conns; i++)
		if (line_is_judged_late(a, &a->k->conn[i]))
			return true;
	return false;
}

/* Of a throw-away port and its owner that end together, who is first is a race. */
void oracle_compare(const struct run *a, const struct run *b)
{
	bool is_any_crowded = a->is_crowded || b->is_crowded || is_any_spoilt(a) || is_any_spoilt(b);
	bool is_all_spoilt = (oracle_has_places(a) && is_any_crowded) || is_memory_raced(a) || is_memory_raced(b) ||
			     is_later(a, b) || a->k->is_accept_raced || b->k->is_accept_raced;

	if (has_other_ports(a, b))
		return;
	if (!is_all_spoilt && a->k->conns != b->k->conns)
		sb_found("backends differ: %u connections with %s, %u with %s", a->k->conns, a->backend, b->k->conns,
			 b->backend);
	for (uint32_t i = 0; i < a->k->conns; i++) {
		uint32_t j = oracle_same_as(a, i, b);
		bool is_spoilt = is_all_spoilt || is_spoilt_one(a, i) || (j < b->k->conns && is_spoilt_one(b, j)) ||
				 a->peer[i].begin == PEER_OF_PORT || a->peer[i].is_unsteady;

		if (j == b->k->conns && is_spoilt)
			continue;
		if (j != i && !is_all_spoilt)
			sb_found("backends differ: connection %u of %s is %u of %s", i, a->backend, j, b->backend);
		compare_bytes(a, b, i, j, is_spoilt);
		if (!is_spoilt)
			compare_ends(a, b, i);
	}
}

uint64_t oracle_digest(const struct run *r)
{
	uint64_t h = r->k->conns;

	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *c = &r->k->conn[i];

		h = (h * 31 + c->in_n) * 31 + c->out_n;
		h = (h * 31 + r->peer[i].reason) * 31 + (uint64_t)c->end;
		h = (h * 31 + c->recvs) * 31 + c->sends;
	}
	return h * 31 + r->k->waits;
}
