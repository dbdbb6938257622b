/* SPDX-License-Identifier: MIT
 * streambed send --script: the events of a script, in order. */
#include "cli/play.h"

#include <errno.h>
#include <stdlib.h>

enum { QUIET_NS = 1000 * 1000, DELIVER_NS = 1000 * 1000 * 1000 };

static struct sb_play_conn *current(struct sb_play *p)
{
	if (!p->slot[p->current])
		p->slot[p->current] = sb_play_open(p, p->current);
	return p->slot[p->current];
}

/* ---- waiting ---- */

static uint64_t soonest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Waits until what was sent has been taken, and the server has had time to say something. */
static void settle(struct sb_play *p)
{
	uint64_t now = sb_sys_now(p->s->sys);

	sb_play_pass(p, soonest(now + DELIVER_NS, p->over_ns), QUIET_NS);
}

/* Everything that was collected is delivered. */
static void deliver(struct sb_play *p)
{
	for (uint32_t i = 0; i < p->conns; i++) {
		struct sb_play_conn *c = &p->conn[i];

		if (!p->is_dgram)
			sb_play_flush(p, c);
		else if (c->n > c->gone)
			sb_play_dgram_cut(p, c);
	}
	sb_play_dgram_flush(p);
	settle(p);
}

static void wait_ticks(struct sb_play *p, uint64_t ticks)
{
	uint64_t until_ns;

	deliver(p);
	until_ns = sb_sys_now(p->s->sys) + ticks * SB_PLAY_TICK;
	if (until_ns > p->over_ns) {
		p->hurried++;
		p->hurry_ns += soonest(until_ns - p->over_ns, ticks * SB_PLAY_TICK);
		until_ns = p->over_ns;
	}
	sb_play_pass(p, until_ns, 0);
}

/* ---- events ---- */

static void choose(struct sb_play *p, uint32_t slot)
{
	struct sb_play_conn *c = p->slot[slot];

	p->current = slot;
	if (c && sb_play_can_send(c))
		return;
	c = sb_play_open(p, slot);
	if (c)
		p->slot[slot] = c;
}

static void payload(struct sb_play *p, const struct sbs_event *e)
{
	struct sb_play_conn *c = current(p);
	size_t n;

	if (!c)
		return;
	n = sbs_unescape(e, c->bytes + c->n);
	if (sb_play_can_send(c))
		c->n += n;
	else
		c->unsent += n;
}

static void cut(struct sb_play *p)
{
	struct sb_play_conn *c = current(p);

	if (!c)
		return;
	if (p->is_dgram) {
		sb_play_dgram_cut(p, c);
		return;
	}
	sb_play_flush(p, c);
	settle(p);
}

/* Bytes that the peer takes from now on: fewer than any number only once a window has been set. */
static void set_window(struct sb_play *p, uint64_t n)
{
	struct sb_play_conn *c = p->slot[p->current];

	if (!c)
		return;
	c->has_window = true;
	c->window = n;
}

static void of_current(struct sb_play *p, const struct sbs_event *e)
{
	struct sb_play_conn *c = current(p);

	if (!c)
		return;
	if (e->kind == SBS_DRAIN)
		c->window += e->v;
	else if (e->kind == SBS_FIN && !p->is_dgram && sb_play_can_send(c))
		c->wants_fin = true;
	else if (e->kind == SBS_RST && !p->is_dgram)
		sb_play_reset(p, c);
}

static void play(struct sb_play *p, const struct sbs_event *e)
{
	bool is_skipped = sb_play_skip(p, e);

	switch (e->kind) {
	case SBS_BYTES:
		payload(p, e);
		break;
	case SBS_RUN:
	case SBS_CUT_OFF:
		deliver(p);
		break;
	case SBS_TICKS:
		wait_ticks(p, e->v);
		break;
	case SBS_SELECT:
		choose(p, e->v);
		break;
	case SBS_CUT:
		cut(p);
		break;
	case SBS_KNOB:
		if (!is_skipped)
			set_window(p, e->v);
		break;
	case SBS_LATE:
		sb_play_dgram_late(p);
		break;
	case SBS_DOUBLE:
		sb_play_dgram_double(p);
		break;
	case SBS_LOSE:
		sb_play_dgram_lose(p);
		break;
	case SBS_FAIL:
	case SBS_MEMORY:
	case SBS_TRUNC:
		break;
	default:
		/* Also what is skipped opens the connection it is for. */
		of_current(p, e);
		break;
	}
}

/* ---- all of it ---- */

/* Does the server, after all this, still take connections? */
static void try_another(struct sb_play *p)
{
	struct sb_send *s = p->s;
	int fd;

	if (p->is_dgram || sb_send_is_over(s))
		return;
	fd = sb_send_dial(s);
	p->after = fd < 0 ? fd : sb_send_is_itself(s) ? -ECONNREFUSED : 0;
	if (fd >= 0)
		sb_sys_close(s->sys, fd);
}

static void judge(struct sb_play *p)
{
	struct sb_send *s = p->s;
	uint64_t hung = 0;

	for (uint32_t i = 0; i < p->conns; i++)
		hung += p->conn[i].end == SB_PLAY_TIMEOUT;
	if (sb_send_is_over(s))
		return;
	if (p->after < 0)
		sb_send_fail(s, SB_EXIT_FOUND, "after the script there is no new connection: %s",
			     sb_send_why(p->after));
	else if (hung > 0)
		sb_send_fail(s, SB_EXIT_FOUND, "%llu connection%s not ended by the server: nothing came after our end",
			     (unsigned long long)hung, hung == 1 ? " was" : "s were");
}

void sb_play_script(struct sb_send *s, const uint8_t *script, size_t n)
{
	/* Not on the stack: it is some 30 KiB. */
	static struct sb_play p;
	struct sbs_event e;
	size_t at = 0;

	p.s = s;
	p.is_dgram = s->target.on == SB_ON_UDP;
	p.script_n = n;
	s->began_ns = p.moved_ns = sb_sys_now(s->sys);
	p.over_ns = s->began_ns + s->plan.max_time_ns;
	while (!sb_send_is_over(s) && sbs_next(script, n, &at, &e))
		play(&p, &e);
	if (s->exit == SB_EXIT_OK) {
		if (!sb_send_is_over(s))
			deliver(&p);
		sb_play_finish(&p);
		try_another(&p);
		sb_play_report(&p);
		judge(&p);
		sb_play_summary(&p);
	}
	for (uint32_t i = 0; i < p.conns; i++) {
		free(p.conn[i].bytes);
		free(p.conn[i].log);
	}
}
