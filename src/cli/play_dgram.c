/* SPDX-License-Identifier: MIT
 * The datagrams of a script: collected, under way, late, doubled or lost there, and sent when it delivers. */
#include "cli/play.h"

#include <errno.h>
#include <stdlib.h>

void sb_play_dgram_cut(struct sb_play *p, struct sb_play_conn *c)
{
	struct sb_play_dgram d = {.c = c, .from = c->gone, .n = c->n - c->gone};

	c->gone = c->n;
	if (p->dgrams == SB_PLAY_DGRAMS) {
		p->skips.dgrams++;
		return;
	}
	p->dgram[p->dgrams++] = d;
}

void sb_play_dgram_late(struct sb_play *p)
{
	struct sb_play_dgram d;

	if (p->dgrams < 2)
		return;
	d = p->dgram[p->dgrams - 1];
	p->dgram[p->dgrams - 1] = p->dgram[p->dgrams - 2];
	p->dgram[p->dgrams - 2] = d;
}

void sb_play_dgram_double(struct sb_play *p)
{
	if (p->dgrams == 0 || p->dgrams == SB_PLAY_DGRAMS)
		return;
	p->dgram[p->dgrams] = p->dgram[p->dgrams - 1];
	p->dgrams++;
}

void sb_play_dgram_lose(struct sb_play *p)
{
	if (p->dgrams > 0)
		p->dgrams--;
}

/* ---- sending ---- */

static void keep(struct sb_play_conn *c, struct sb_slice bytes)
{
	if (bytes.n > c->log_room - c->log_n) {
		size_t room = (c->log_n + bytes.n) * 2;
		uint8_t *log = realloc(c->log, room);

		c->is_different = c->is_different || !log; /* not known, so not said */
		if (!log)
			return;
		c->log = log;
		c->log_room = room;
	}
	if (bytes.n > 0)
		memcpy(c->log + c->log_n, bytes.p, bytes.n);
	c->log_n += bytes.n;
}

/* Whether n bytes that came at this offset of all are those that were sent there. */
static bool is_sent(const struct sb_play_conn *c, size_t at, const uint8_t *p, size_t n)
{
	return n == 0 || (n <= c->log_n - at && memcmp(c->log + at, p, n) == 0);
}

static void give(struct sb_play *p, const struct sb_play_dgram *d)
{
	struct sb_play_conn *c = d->c;
	struct sb_slice bytes = sb_slice(c->bytes + d->from, d->n);
	long r = -EINTR;

	/* What is told is what became of the one before: this one has not been sent then. */
	for (int i = 0; i < 3 && (r == -EINTR || r == -ECONNREFUSED); i++) {
		r = sb_sys_sendto(p->s->sys, c->fd, bytes, NULL, NULL);
		if (r == -ECONNREFUSED)
			c->end = SB_PLAY_REFUSED;
	}
	if (r < 0) {
		c->err = (int)r;
		c->unsent += d->n;
		return;
	}
	c->t.sends++;
	c->t.sent += (uint64_t)r;
	keep(c, bytes);
	p->moved_ns = sb_sys_now(p->s->sys);
}

void sb_play_dgram_flush(struct sb_play *p)
{
	for (uint32_t i = 0; i < p->dgrams; i++)
		if (p->dgram[i].c->fd >= 0)
			give(p, &p->dgram[i]);
	p->dgrams = 0;
}

/* ---- reading ---- */

void sb_play_dgram_take(struct sb_play *p, struct sb_play_conn *c)
{
	static uint8_t in[SB_PLAY_IN];
	size_t at = (size_t)c->t.received;
	struct sb_addr from;
	long r = sb_sys_recvfrom(p->s->sys, c->fd, in, sizeof(in), &from, NULL);

	if (r == -ECONNREFUSED) {
		c->end = SB_PLAY_REFUSED;
		c->err = (int)r;
	}
	if (r < 0)
		return;
	c->is_different = c->is_different || !is_sent(c, at, in, (size_t)r);
	c->t.recvs++;
	c->t.received += (uint64_t)r;
	c->window -= c->has_window && c->window >= (uint64_t)r ? (uint64_t)r : c->has_window ? c->window : 0;
	p->moved_ns = sb_sys_now(p->s->sys);
}
