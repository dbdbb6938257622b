/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: connections that begin with a line, and throw-away ports. Whether there is a
 * line is read again; what comes of it is judged when the connection is over, by what can be said simply: each answer
 * is a line, in order, and long ones are as long as they say; -ERR ends it; a service sends what it is made of. */
#include "find.h"
#include "found.h"
#include "oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE (200 * SB_MS) /* a part of the marker is held for so long */

static const char mark[] = "SB1 ";

enum { MARK_N = 4, LINE_MOST = 4 + 1024 + 2 };

/* ---- is it a line ---- */

/* The marker as far as it goes, with whatever digit. */
static bool is_mark(const uint8_t *p, uint32_t n)
{
	return memcmp(p, mark, n < 2 ? n : 2) == 0 && (n < 3 || (p[2] >= '0' && p[2] <= '9')) && (n < 4 || p[3] == ' ');
}

/* Its time is over before that of the marker. */
static bool ends_before(const struct run *r, const struct sim_conn *c, const struct peer *p, uint64_t at)
{
	uint64_t idle = r->limit[SB_LIMIT_IDLE], life = r->limit[SB_LIMIT_LIFE];

	return (idle && p->active + idle <= at) || (life && c->opened + life <= at);
}

static bool note_held(struct peer *p, const struct sim_conn *c, bool is_over)
{
	p->held_n = is_over ? c->in_n : 0;
	return is_over;
}

/* A part of the marker is there: for how long yet? */
static bool is_given_up(const struct run *r, const struct sim_conn *c, struct peer *p)
{
	uint64_t at = p->held_at + PATIENCE;
	const struct sb_conn *conn = oracle_conn(r, c->fd);

	if (p->reason != SB_WHY_NONE)
		return false;
	if (c->is_fin_seen)
		return true;
	/* Where memory was lacking the waiting began anew, at moments that nobody outside knows. */
	if (r->has_lacked_memory || r->k->slept || r->srv->count[SB_COUNT_HELD_WAITS])
		return note_held(p, c, conn && conn->session.door == SB_DOOR_NONE);
	if (r->k->now < at || ends_before(r, c, p, at))
		return false;
	p->active = p->since = at;
	return note_held(p, c, true);
}

bool line_is_payload(const struct run *r, const struct sim_conn *c, struct peer *p)
{
	uint32_t n = c->in_n < MARK_N ? c->in_n : MARK_N;

	if (p->begin > PEER_HELD || !r->model[p->listener].is_door || c->in_n == 0)
		return p->begin < PEER_LINE;
	if (!is_mark(c->sent, n)) {
		p->begin = PEER_PAYLOAD;
		return true;
	}
	if (n == MARK_N) {
		p->begin = PEER_LINE;
		return false;
	}
	if (p->begin == PEER_NEW)
		p->held_at = r->k->now;
	p->begin = PEER_HELD;
	if (!is_given_up(r, c, p))
		return false;
	p->begin = PEER_PAYLOAD;
	return true;
}

bool line_is_judged_late(const struct run *r, const struct sim_conn *c)
{
	const struct peer *p = &r->peer[oracle_number(r, c)];

	return !c->is_dgram && (p->begin >= PEER_LINE || r->model[p->listener].has_steps);
}

bool line_is_reason_possible(const struct run *r, const struct sim_conn *c, uint8_t reason)
{
	const struct peer *p = &r->peer[oracle_number(r, c)];

	switch (reason) {
	case SB_WHY_EOF:
	case SB_WHY_TRUNCATED:
		return c->is_fin;
	case SB_WHY_RESET:
	case SB_WHY_IO:
		return p->failed != 0;
	case SB_WHY_STOP:
	case SB_WHY_KILLED:
		return r->stops > 0;
	case SB_WHY_LINE:
	case SB_WHY_FOREIGN:
		return p->begin == PEER_LINE;
	case SB_WHY_OWNER:
		return p->begin == PEER_OF_PORT;
	default:
		return true;
	}
}

/* ---- what it was answered ---- */

struct answers {
	struct run *r;
	const struct sim_conn *c;
	const struct sb_session *s;
	uint32_t at, n;      /* in what it was sent: where the next answer begins; as much as is kept */
	uint32_t lines_from; /* in what it has sent: behind the lines that are answered */
};

static uint32_t number_of(const struct answers *a)
{
	return oracle_number(a->r, a->c);
}

/* Behind this line of its own, which is too long if it has no end by then. */
static void skip_line(struct answers *a)
{
	uint32_t left = a->c->in_n - a->lines_from, most = left < LINE_MOST ? left : LINE_MOST;
	const uint8_t *from = a->c->sent + a->lines_from, *end = memchr(from, '\n', most);

	if (left == 0)
		sb_found("%s: connection %u: has more answers than lines", a->r->backend, number_of(a));
	a->lines_from += end ? (uint32_t)(end - from) + 1 : most;
}

/* The answer at at, and whether it is whole. */
static bool take_answer(struct answers *a, const char **text)
{
	const uint8_t *from = a->c->out + a->at, *end = memchr(from, '\n', a->n - a->at);
	uint32_t n = end ? (uint32_t)(end - from) + 1 : a->n - a->at;

	*text = (const char *)from;
	sb_tell("  connection %u was answered: %.*s", number_of(a), (int)n - (end != NULL), *text);
	if (memcmp(from, "+OK", n < 3 ? n : 3) != 0 && memcmp(from, "-ERR ", n < 5 ? n : 5) != 0)
		sb_found("%s: connection %u: an answer begins with %.*s", a->r->backend, number_of(a), (int)n, *text);
	skip_line(a);
	a->at += n;
	return end != NULL;
}

/* Nothing but its end has kept it from being answered, and from seeing it. */
static bool has_all(const struct answers *a)
{
	return a->s->reason == SB_WHY_EOF && a->c->out_n < SIM_OUT_MAX && !a->c->is_spoilt && !a->c->is_rst &&
	       !a->c->is_gone && a->s->how != SB_CLOSE_RESET && !a->r->peer[number_of(a)].is_killed;
}

/* From here on it is served. */
static void check_service(const struct answers *a, bool has_answer)
{
	struct asked asked = {.r = a->r, .c = a->c, .s = a->s, .i = number_of(a)};

	if (steps_check(a->r, a->c, a->s, a->lines_from, a->at)) {
		a->r->peer[asked.i].has_receipt = true;
		return;
	}
	asked.in_from = a->lines_from;
	asked.out_from = a->at;
	asked_check(&asked, has_answer);
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* -ERR was the first answer: that was all. */
static void check_refused(const struct answers *a)
{
	if (a->at < a->n)
		sb_found("%s: connection %u: its line is refused, and it is sent more", a->r->backend, number_of(a));
	if (a->s->reason != SB_WHY_LINE)
		sb_found("%s: connection %u: its line is refused, and it ends with %s", a->r->backend, number_of(a),
			 sb_reasons[a->s->reason].name);
}

/* The line between the two is of no control connection: it has no end, bytes that are no text, nothing in it but CR LF,
 * or is one of HTTP. */
static bool is_foreign(const struct answers *a, uint32_t from, uint32_t to)
{
	const char *line = (const char *)a->c->sent + from;
	uint32_t n = to - from;

	if (line[n - 1] != '\n')
		return n == LINE_MOST;
	n -= n > 1 && line[n - 2] == '\r' ? 2 : 1;
	for (uint32_t i = 0; i < n; i++)
		if (line[i] < 0x20 || line[i] > 0x7e)
			return true;
	return n == 0 ? to - from == 2 : n >= 9 && starts(line + n - 9, " HTTP/1.");
}

/* Of a line behind the first: that was all, exactly when nobody would have said it. Who was told to stop before, or has
 * lived as long as he may, ends by that. */
static void check_foreign(const struct answers *a, bool is_one)
{
	bool is_stopped = a->s->reason == SB_WHY_STOP || a->s->reason == SB_WHY_KILLED || a->s->reason == SB_WHY_LIFE;

	if (is_one && (a->at < a->n || (a->s->reason != SB_WHY_FOREIGN && !is_stopped)))
		sb_found("%s: connection %u: is refused a line of another protocol, and goes on, to end with %s",
			 a->r->backend, number_of(a), sb_reasons[a->s->reason].name);
	if (!is_one && a->at == a->n && a->lines_from == a->c->in_n && a->s->reason == SB_WHY_FOREIGN)
		sb_found("%s: connection %u: ends with cross-protocol, and it was a line of ours", a->r->backend,
			 number_of(a));
}

/* The bytes that an answer says come. */
static void skip_bytes(struct answers *a, const char *text)
{
	uint64_t bytes = strtoull(text + strlen("+OK bytes="), NULL, 10), left = a->n - a->at;

	if (bytes > left && has_all(a))
		sb_found("%s: connection %u: an answer says %llu bytes, and is %llu", a->r->backend, number_of(a),
			 (unsigned long long)bytes, (unsigned long long)left);
	a->at += (uint32_t)(bytes < left ? bytes : left);
}

static bool is_listen(const char *line)
{
	return starts(starts(line, mark) ? line + MARK_N : line, "LISTEN ");
}

/* All who are through have been answered as often as they have asked. */
static void check_all(const struct answers *a, uint32_t answers)
{
	const uint8_t *rest = a->c->sent + a->lines_from;

	if (has_all(a) && a->lines_from < a->c->in_n)
		sb_found("%s: connection %u: has %u answers, and goes on with %.*s", a->r->backend, number_of(a),
			 answers, (int)(a->c->in_n - a->lines_from), (const char *)rest);
}

/* " opt.NAME=ASKED->EFFECTIVE": it is set on the connection, and that is what came of it. */
static void check_options(const struct answers *a, const char *text)
{
	const struct sim_fd *f = &a->r->k->fd[(uint32_t)a->c->fd % SIM_FDS];
	const char *end = text + strcspn(text, "\n"), *at = text;
	const struct sb_sockopt *row;

	for (; (at = memmem(at, (size_t)(end - at), " opt.", 5)) != NULL; at++) {
		const char *is = memchr(at, '>', (size_t)(end - at));

		for (size_t i = 0; is && (row = sb_sockopt_at(i)) != NULL; i++)
			for (uint32_t k = 0; k < f->opts_n; k++)
				if (f->opts[k].level == row->level && f->opts[k].name == row->optname &&
				    starts(at + 5, row->name) && at[5 + strlen(row->name)] == '=' &&
				    f->opts[k].value != strtol(is + 1, NULL, 10))
					sb_found("%s: connection %u: an option is %d, and it says %.*s", a->r->backend,
						 number_of(a), f->opts[k].value, (int)(end - at), at);
	}
	if (memmem(text, (size_t)(end - text), " opt.", 5) && f->opts_n == 0 && !a->c->is_spoilt)
		sb_found("%s: connection %u: its options are set on another", a->r->backend, number_of(a));
}

static void check_answers(struct answers *a)
{
	const char *text;
	bool is_control = is_listen((const char *)a->c->sent), is_first = true;
	uint32_t answers = 0, from = 0;

	for (; a->at < a->n; is_first = false, from = a->lines_from) {
		if (!take_answer(a, &text))
			return;
		if (starts(text, "-ERR"))
			check_foreign(a, !is_first && is_foreign(a, from, a->lines_from));
		answers++;
		if (is_first && starts(text, "+OK id=c")) {
			check_options(a, text);
			check_service(a, true);
			return;
		}
		is_control = is_control || starts(text, "+OK");
		if (starts(text, "+OK bytes="))
			skip_bytes(a, text);
		/* RECEIPT may have been waited for, and is refused all the same. */
		if (!is_control && !starts(text, "-ERR the connection is still open\n")) {
			check_refused(a);
			return;
		}
		is_control = true;
	}
	if (answers)
		check_all(a, answers);
}

void line_check_close(struct run *r, const struct sim_conn *c, const struct sb_session *s)
{
	struct peer *p = &r->peer[oracle_number(r, c)];
	struct answers a = {.r = r, .c = c, .s = s};

	a.n = c->out_n < SIM_OUT_MAX ? (uint32_t)c->out_n : SIM_OUT_MAX;
	if (p->begin == PEER_OF_PORT || r->model[p->listener].has_steps) {
		check_service(&a, false);
		return;
	}
	check_answers(&a);
	if (!s->pace && p->reason == SB_WHY_LINE)
		sb_found("%s: connection %u: ends with line, and was not answered", r->backend, oracle_number(r, c));
}

/* ---- throw-away ports ---- */

static uint64_t line_syn(const struct sb_listener *l)
{
	const struct sb_slice text = l->line.v[SB_KEY_SYN].text;
	char room[64];

	snprintf(room, sizeof(room), "ECHO syn=%.*s", (int)text.n, (const char *)text.p);
	return l->line.v[SB_KEY_SYN].set ? model_syn(room) : 0;
}

/* A socket of datagrams: as if its line were one of the config. Of its seed the server alone knows. */
static void read_udp_port(struct run *r, uint32_t i)
{
	const struct sb_listener *l = &r->srv->listeners[i];
	struct model *m = &r->model[i];
	char line[1100], text[MODEL_LINE_MAX];

	sb_line_print(&l->line, line, sizeof(line));
	snprintf(text, sizeof(text), "udp://,%s seed=%llu", line, (unsigned long long)l->plan.fates.seed);
	model_read(m, text);
	m->is_loopback = l->is_loopback;
	if (m->service == MODEL_SOURCE && !m->is_endless) {
		m->replies = (uint32_t)l->plan.source.count;
		m->reply_n = (uint32_t)(sb_source_size(&l->plan.source) / l->plan.source.count);
		m->is_odd = fuzz_find(line, "pattern=") || fuzz_find(line, "frame=");
	}
	late_door(r, i);
	r->door[i].port = l->endpoint.addr.port;
	share_prove(r, &l->from);
}

void line_port(struct run *r, uint32_t i)
{
	const struct sb_listener *l = &r->srv->listeners[i];
	const struct sb_value *conns = &l->line.v[SB_KEY_CONNS];

	if (i < r->ports_to && r->door[i].fd == l->fd)
		return;
	while (r->ports_to <= i)
		r->door[r->ports_to++] = (struct door){.fd = -1};
	r->door[i] = (struct door){.fd = l->fd};
	if (l->endpoint.on == SB_ON_UDP && l->fd >= 0) {
		read_udp_port(r, i);
		return;
	}
	r->model[i] = (struct model){.ref = &ref_raw,
				     .is_tcp = true,
				     .is_loopback = l->is_loopback,
				     .quickack = -1,
				     .rcvbuf = -1,
				     .conns = conns->set ? conns->num : UINT64_MAX,
				     .syn = line_syn(l)};
	door_open(r, i);
}

const char *line_refusal(const struct run *r, const struct sim_conn *c, uint32_t i)
{
	const struct sb_listener *l = &r->srv->listeners[i];

	if (i < r->doors)
		return NULL;
	if (memcmp(l->from.ip, c->addr.ip, sizeof(c->addr.ip)) != 0)
		return "reason=not-owner";
	return l->line.v[SB_KEY_ACCEPT].set && l->line.v[SB_KEY_ACCEPT].num ? "reason=accept-rst change=accept=" : NULL;
}

/* What it says of its listener. */
bool line_is_of_port(const struct run *r, uint32_t kind, const char *line, size_t n)
{
	const char *word = r->log.is_json ? "\"listener\":" : " listener=", *at;

	if (kind != SB_LOG_LISTENING && kind != SB_LOG_UNLISTENED && kind != SB_LOG_OPTION)
		return false;
	at = memmem(line, n, word, strlen(word));
	/* An option that a step sets is no listener's. */
	return at ? strtoul(at + strlen(word), NULL, 10) > r->doors : kind == SB_LOG_OPTION;
}
