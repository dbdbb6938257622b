/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: datagrams whose line says what becomes of their replies. Each reply is
 * written down as the line has it (late_model.h), and every one that is sent must be the next on the list. */
#include <errno.h>
#include <stdlib.h>

#include "found.h"
#include "oracle.h"

static const struct model *model_of(const struct run *r, const struct late_want *w)
{
	return &r->model[w->listener];
}

static void log_drop(struct run *r, const struct late_want *w, enum sb_drop why, const char *err)
{
	const char *change = sb_drops[why].change;
	char from[MODEL_ADDR_MAX];

	r->dropped[why]++;
	log_expect(r, SB_LOG_DROP, "peer=%s listener=%u reason=%s reply=%llu bytes=%u%s%s%s%s",
		   model_addr(from, &w->peer), w->listener + 1, sb_drops[why].name, (unsigned long long)w->number,
		   w->size, err[0] ? " errno=" : "", err, change[0] ? " change=" : "", change);
}

static void push(struct run *r, const struct late_want *w)
{
	if (r->late.now_n == LATE_MAX)
		sb_found("%s: more than %d replies at once", r->backend, LATE_MAX);
	r->late.now[r->late.now_n++] = *w;
}

/* Whatever is due leaves, and not later than that: unless the server could not wait. */
static void flush(struct run *r)
{
	struct late_want w;

	while (late_model_due(&r->late.m, r->k->now, &w)) {
		if (w.due < r->k->now && r->count[SB_COUNT_WAIT_ERRORS] == 0)
			sb_found("%s: reply %llu of connection %u is late by %llu ns", r->backend,
				 (unsigned long long)w.number, w.conn, (unsigned long long)(r->k->now - w.due));
		w.is_answer = false;
		push(r, &w);
	}
}

/* The next reply to the datagram in hand. */
static void make_one(struct run *r)
{
	const struct sim_dgram *d = &r->asked.d;
	struct late_want w = {.listener = r->peer[d->conn].listener, .peer = d->src, .own = d->dst, .conn = d->conn};
	const struct model *m = model_of(r, &w);
	enum sb_drop why;

	r->late.left--;
	w.nth = r->late.nth++;
	w.from = d->from;
	w.n = m->service == MODEL_ECHO ? d->n : m->reply_n;
	w.door = (uint32_t)r->door[w.listener].fd;
	why = late_model_take(&r->late.m, m->line, r->limit[SB_LIMIT_DELAY], r->k->now, &w);
	if (why != SB_DROP_NONE)
		log_drop(r, &w, why, "");
	else if (w.is_answer)
		push(r, &w);
	late_model_pass(&r->late.m, m->line, r->k->now, &w);
	flush(r);
}

static void advance(struct run *r)
{
	while (r->late.now_n == 0 && r->late.left > 0)
		make_one(r);
}

/* ---- what happens ---- */

void late_open(struct run *r)
{
	late_model_init(&r->late.m, (uint32_t)(r->limit[SB_LIMIT_UDP_HELD] / SB_LATE_BLOCK), SIM_CONNS);
	r->late.now_n = 0;
	r->late.left = 0;
	for (uint32_t i = 0; i < r->doors; i++)
		late_door(r, i);
}

void late_door(struct run *r, uint32_t i)
{
	if (r->model[i].is_fated && r->door[i].fd >= 0)
		r->k->fd[(uint32_t)r->door[i].fd % SIM_FDS].is_late = true;
}

void late_on_dgram(struct run *r, uint64_t replies)
{
	r->late.left = replies;
	r->late.nth = 0;
	advance(r);
}

void late_settle(const struct run *r)
{
	if (r->late.now_n > 0)
		sb_found("%s: reply %llu of connection %u is not sent", r->backend,
			 (unsigned long long)r->late.now[0].number, r->late.now[0].conn);
}

/* Nobody's time is over. */
void late_rest(const struct run *r)
{
	const struct late_want *w = late_model_first(&r->late.m);

	if (w && w->due <= r->k->now)
		sb_found("%s: reply %llu of connection %u is late by %llu ns", r->backend,
			 (unsigned long long)w->number, w->conn, (unsigned long long)(r->k->now - w->due));
}

static uint8_t byte_of(const struct run *r, const struct late_want *w, uint32_t i)
{
	if (i >= w->n)
		return 0;
	if (model_of(r, w)->service == MODEL_ECHO)
		return r->k->conn[w->conn].sent[w->from + i];
	return (uint8_t)(' ' + (i + w->nth) % 95);
}

static void check_reply(const struct run *r, const struct late_want *w, const struct sb_addr *to, struct sb_slice bytes)
{
	if (!sb_addr_eq(to, &w->peer))
		sb_found("%s: reply %llu is sent to somebody else", r->backend, (unsigned long long)w->number);
	if (r->is_strict && r->k->fd[w->door % SIM_FDS].has_dst && !sb_addr_eq(&r->k->reply_from, &w->own))
		sb_found("%s: reply %llu comes from another address", r->backend, (unsigned long long)w->number);
	if (bytes.n != w->size)
		sb_found("%s: reply %llu has %zu bytes, not %u", r->backend, (unsigned long long)w->number, bytes.n,
			 w->size);
	if (r->is_strict && w->listener < r->doors && w->copies * bytes.n > w->n)
		sb_found("%s: %u bytes are answered with more", r->backend, w->n);
	for (uint32_t i = 0; i < w->size && !model_of(r, w)->is_odd; i++)
		if (bytes.p[i] != byte_of(r, w, i))
			sb_found("%s: reply %llu: byte %u is %02x", r->backend, (unsigned long long)w->number, i,
				 bytes.p[i]);
}

void late_on_reply(struct run *r, const struct sb_addr *to, struct sb_slice bytes, int res)
{
	bool is_full = res == -EAGAIN || res == -ENOBUFS || res == -ENOMEM;
	struct late_want *w = &r->late.now[0];
	char peer[MODEL_ADDR_MAX];

	if (r->late.now_n == 0)
		flush(r);
	if (r->late.now_n == 0)
		sb_found("%s: a reply is sent that is not to be sent, or not yet", r->backend);
	check_reply(r, w, to, bytes);
	if (res == -EINTR) /* it is sent again */
		return;
	if (res >= 0) {
		r->count[SB_COUNT_DATAGRAMS_OUT]++;
		r->count[SB_COUNT_BYTES_OUT] += bytes.n;
		log_expect(r, SB_LOG_SEND, "peer=%s listener=%u reply=%llu bytes=%u", model_addr(peer, &w->peer),
			   w->listener + 1, (unsigned long long)w->number, w->size);
		w->copies--;
	} else {
		log_drop(r, w, is_full ? SB_DROP_NO_ROOM : SB_DROP_UNSENT, sb_errname(res));
		/* The rest of an answer is left out. */
		r->late.left = w->is_answer ? 0 : r->late.left;
		w->copies = 0;
	}
	if (w->copies == 0)
		memmove(w, w + 1, --r->late.now_n * sizeof(*w));
	advance(r);
}

void late_on_unlisten(struct run *r, uint32_t listener)
{
	struct late_want w;

	late_settle(r);
	while (late_model_of(&r->late.m, listener, &w))
		log_drop(r, &w, SB_DROP_STOPPED, "");
}
