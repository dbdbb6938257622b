/* SPDX-License-Identifier: MIT
 * A session and time: what is due when, and what comes of it. Read session.h first. */
#include "core/session_time.h"

#include <errno.h>

#include "core/session_across.h"
#include "core/session_door.h"

#define RATE_GRACE (10 * SB_S) /* a rate is not judged before this */

struct due {
	uint64_t at;
	enum sb_reason why; /* NONE: reading goes on */
};

static void sooner(struct due *due, uint64_t from, uint64_t after, enum sb_reason why)
{
	if (after > 0 && from + after < due->at)
		*due = (struct due){.at = from + after, .why = why};
}

/* When n bytes since then are no longer the least rate. */
static uint64_t rate_after(const struct sb_session *s, uint64_t n)
{
	uint64_t rate = sb_session_limit(s, SB_LIMIT_MIN_RATE);
	uint64_t seconds, enough;

	if (rate == 0)
		return 0;
	seconds = n / rate < UINT32_MAX ? n / rate : UINT32_MAX;
	enough = seconds * SB_S + n % rate * SB_S / rate;
	return enough > RATE_GRACE ? enough : RATE_GRACE;
}

static struct due next_due_of_ending(const struct sb_session *s)
{
	struct due due = {.at = SB_NEVER, .why = SB_WHY_NONE};
	uint64_t active = sb_session_last(s), last = active > s->since ? active : s->since;

	if (s->told != SB_NEVER)
		sooner(&due, s->told, sb_session_limit(s, SB_LIMIT_STOP), SB_WHY_STALLED);
	/* What else there is to wait for is the other direction's. */
	if (sb_session_is_through(s) || (s->state == SB_STATE_DRAIN && s->across && s->across->state == SB_STATE_RUN))
		return due;
	if (sb_session_is_lingering(s)) {
		sooner(&due, s->opened, sb_session_limit(s, SB_LIMIT_LIFE), SB_WHY_STALLED);
		sooner(&due, last, sb_session_limit(s, SB_LIMIT_IDLE), SB_WHY_STALLED);
		return due;
	}
	if (sb_pace_is_waiting(s))
		sooner(&due, 0, s->pace->until, s->pace->gate == SB_PACE_OPEN ? SB_WHY_NONE : SB_WHY_GATE);
	/* Where it is we who wait, the peer is not late. */
	if (s->reason != SB_WHY_STOP && !(sb_pace_is_waiting(s) && s->pace->gate == SB_PACE_OPEN))
		sooner(&due, s->since, sb_session_limit(s, SB_LIMIT_DRAIN), SB_WHY_STALLED);
	if (s->state == SB_STATE_DRAIN)
		sooner(&due, last, sb_session_limit(s, SB_LIMIT_DRAIN_IDLE), SB_WHY_STALLED);
	return due;
}

/* Bytes of what is waited for that have come, while it is not whole. */
static uint64_t begun(const struct sb_session *s)
{
	return sb_session_service(s)->is_script ? sb_steps_begun(s) : s->leg.n - s->leg.whole;
}

/* What a script or an echo waits for, before anything has come. The client of a FORWARD may wait for the server to
 * speak first, and that one for the client. */
static bool waits_first(const struct sb_session *s)
{
	if (s->is_down || (s->across && s->across->leg.in > 0))
		return false;
	return !sb_session_service(s)->is_source || sb_steps_are_reading(s);
}

static struct due next_due(const struct sb_session *s)
{
	const struct sb_leg *leg = &s->leg;
	struct due due = {.at = SB_NEVER, .why = SB_WHY_NONE};
	uint64_t pause = sb_steps_are_on(s) ? sb_steps_until(s) : 0;

	if (s->state == SB_STATE_CLOSED)
		return due;
	if (s->state != SB_STATE_RUN)
		return next_due_of_ending(s);
	sooner(&due, s->opened, sb_session_limit(s, SB_LIMIT_LIFE), SB_WHY_LIFE);
	sooner(&due, s->opened, s->plan->maxlife, SB_WHY_MAXLIFE);
	if (sb_pace_is_waiting(s))
		sooner(&due, 0, s->pace->until, s->pace->gate == SB_PACE_OPEN ? SB_WHY_NONE : SB_WHY_GATE);
	if (sb_session_is_paused(s))
		sooner(&due, 0, s->read_from, SB_WHY_NONE);
	sooner(&due, 0, pause, SB_WHY_NONE);
	if (s->dial != SB_DIAL_NONE) {
		if (!s->is_down)
			sooner(&due, s->opened, sb_session_limit(s, SB_LIMIT_CONNECT), SB_WHY_UPSTREAM);
		return due;
	}
	if (sb_pace_is_waiting(s) || sb_session_is_paused(s) || pause)
		return due;
	if (!sb_session_is_across_held(s))
		sooner(&due, sb_session_last(s), sb_session_limit(s, SB_LIMIT_IDLE),
		       leg->is_sending ? SB_WHY_STALLED : SB_WHY_IDLE);
	if (leg->is_sending) {
		sooner(&due, s->since, rate_after(s, leg->out - s->mark), SB_WHY_SLOW_READER);
	} else if (leg->in == 0 && waits_first(s)) {
		sooner(&due, s->since, sb_session_limit(s, SB_LIMIT_FIRST_BYTE), SB_WHY_FIRST_BYTE);
	} else if (sb_session_is_half_marked(s)) {
		sooner(&due, s->since, SB_DOOR_PATIENCE, SB_WHY_NONE);
	} else if (begun(s) > 0 && s->door != SB_DOOR_ASKED) {
		sooner(&due, s->since, sb_session_limit(s, SB_LIMIT_FRAME), SB_WHY_FRAME);
		sooner(&due, s->since, rate_after(s, begun(s)), SB_WHY_SLOW);
	}
	return due;
}

uint64_t sb_session_deadline(const struct sb_session *s)
{
	return next_due(s).at;
}

void sb_session_excuse(struct sb_session *s, uint64_t now)
{
	if (s->state != SB_STATE_RUN)
		return;
	s->active = now;
	s->since = now;
}

/* A pause of ours is over: of reading, or between two pieces. */
static void go_on(struct sb_session *s, uint64_t now)
{
	if (sb_session_is_paused(s) && s->read_from <= now)
		s->read_from = 0;
	if (sb_pace_is_waiting(s) && s->pace->gate == SB_PACE_OPEN && s->pace->until <= now) {
		s->pace->until = 0;
		if (s->state == SB_STATE_FINISH)
			s->since = now;
	}
	sb_steps_tick(s, now);
	if (sb_session_is_half_marked(s) && now - s->since >= SB_DOOR_PATIENCE)
		sb_session_give_up_line(s, now);
	sb_session_excuse(s, now);
}

void sb_session_tick(struct sb_session *s, uint64_t now)
{
	struct due due = next_due(s);

	if (due.at > now)
		return;
	if (due.why == SB_WHY_UPSTREAM)
		sb_session_connected(s, -ETIMEDOUT, now);
	else if (due.why == SB_WHY_NONE)
		go_on(s, now);
	else if (s->state != SB_STATE_RUN || due.why == SB_WHY_STALLED || due.why == SB_WHY_SLOW_READER ||
		 due.why == SB_WHY_GATE)
		sb_session_kill(s, due.why, SB_CLOSE_RESET);
	else
		sb_session_finish(s, due.why, now);
}
