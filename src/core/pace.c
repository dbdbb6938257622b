/* SPDX-License-Identifier: MIT
 * Pieces. See pace.h and cuts.h. */
#include "core/pace.h"

#include <assert.h>

#include "core/session.h"

uint64_t sb_pace_at(const struct sb_session *s)
{
	return s->pace ? s->leg.out - s->pace->base : s->leg.out;
}

void sb_pace_open(struct sb_session *s, uint64_t now)
{
	s->pace->next = SB_NEVER;
	sb_steps_open(s);
	if (sb_session_service(s)->is_source)
		sb_pace_came(s, now);
}

bool sb_pace_is_waiting(const struct sb_session *s)
{
	return s->pace && (s->pace->gate != SB_PACE_OPEN || s->pace->until != 0);
}

/* ---- units ---- */

/* Frames make units only where something cuts them. */
static bool has_frames(const struct sb_session *s)
{
	return sb_cuts_any(&s->plan->cuts) && !(s->plan->framing.flags & SB_CODEC_UNFRAMED);
}

static uint32_t frames_of_unit(const struct sb_session *s)
{
	return s->plan->cuts.join ? s->plan->cuts.join : 1;
}

/* Everything in the window is whole, so its frames are found again. */
static void collect(struct sb_session *s)
{
	struct sb_pace *pace = s->pace;
	const struct sb_leg *leg = &s->leg;
	uint32_t held = (uint32_t)(pace->end - sb_pace_at(s));

	while (pace->joined < frames_of_unit(s) && held < leg->whole) {
		struct sb_frame frame;
		int found =
			sb_framing_scan(&s->plan->framing, &pace->scan, leg->p + held, leg->whole - held, &frame, 1);

		assert(found == 1);
		held += frame.wire;
		pace->end += frame.wire;
		pace->joined++;
	}
}

/* A source's units are a function of the offset. */
static void place_source(struct sb_session *s)
{
	struct sb_pace *pace = s->pace;
	uint64_t at = sb_pace_at(s), size = s->plan->cuts.join;

	if (has_frames(s))
		size = sb_source_period(&s->plan->source) * frames_of_unit(s);
	pace->unit = size ? at - at % size : 0;
	pace->end = size ? pace->unit + size : SB_NEVER;
}

static void place_echo(struct sb_session *s)
{
	struct sb_pace *pace = s->pace;
	uint32_t join = s->plan->cuts.join;

	if (has_frames(s))
		collect(s);
	else
		pace->end = join ? pace->unit + join : SB_NEVER;
}

static void place_unit(struct sb_session *s)
{
	if (sb_steps_are_on(s))
		return;
	if (sb_session_service(s)->is_source)
		place_source(s);
	else
		place_echo(s);
}

void sb_pace_unit(struct sb_session *s, uint64_t n)
{
	struct sb_pace *pace = s->pace;
	bool is_unit = has_frames(s);

	pace->unit = is_unit ? sb_pace_at(s) : 0;
	pace->end = is_unit ? pace->unit + n : SB_NEVER;
}

/* Nothing more can come to what waits. */
static bool is_last(const struct sb_session *s)
{
	return s->state != SB_STATE_RUN || s->leg.n >= SB_SESSION_HELD_MAX;
}

/* Whether the unit is whole, or as whole as it will be. */
static bool is_ready(const struct sb_session *s)
{
	const struct sb_pace *pace = s->pace;

	if (!s->plan->cuts.join || sb_session_service(s)->is_source || is_last(s))
		return true;
	if (has_frames(s))
		return pace->joined == frames_of_unit(s);
	return pace->end - sb_pace_at(s) <= s->leg.whole;
}

bool sb_pace_is_joining(const struct sb_session *s)
{
	return s->pace && s->plan->cuts.join && s->leg.whole > 0 && !is_ready(s);
}

/* ---- pieces ---- */

/* limit= is of the service: steps that follow one are no part of it. */
static uint64_t limit_of(const struct sb_session *s)
{
	return sb_steps_follow(s) ? SB_NEVER : s->plan->limit;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint32_t sb_pace_piece(struct sb_session *s, uint64_t left)
{
	struct sb_pace *pace = s->pace;
	uint64_t at = sb_pace_at(s), end;

	/* An answer waits for nothing. */
	if (pace->said.n > 0)
		return (uint32_t)pace->said.n;
	/* While it waits as well: whether the unit is whole says whether more is to be read. */
	if (left > 0)
		place_unit(s);
	if (sb_pace_is_waiting(s) || left == 0 || !is_ready(s))
		return 0;
	pace->next = lesser(pace->end, sb_cuts_next(&s->plan->cuts, pace->unit, at));
	pace->next = lesser(pace->next, limit_of(s));
	end = lesser(pace->next, at + left);
	/* What is made to be sent is made in a buffer; what is held leaves as it is, be it the largest frame. */
	return (uint32_t)(sb_session_service(s)->is_source ? lesser(end - at, SB_FRAME_MAX) : end - at);
}

void sb_pace_came(struct sb_session *s, uint64_t now)
{
	if (s->plan->cuts.delay == 0)
		return;
	s->pace->not_before = now + s->plan->cuts.delay;
	if (s->pace->gate == SB_PACE_OPEN && s->pace->until < s->pace->not_before)
		s->pace->until = s->pace->not_before;
}

void sb_pace_opened(struct sb_session *s, uint64_t now)
{
	struct sb_pace *pace = s->pace;
	uint64_t until = now + (pace->is_asked ? 0 : s->plan->cuts.gap);

	/* It was the peer that was waited for, and it has read. */
	sb_session_excuse(s, now);
	pace->gate = SB_PACE_OPEN;
	pace->is_asked = false;
	until = until > pace->not_before ? until : pace->not_before;
	pace->until = until > now ? until : 0;
	sb_steps_opened(s);
	if (s->state == SB_STATE_FINISH)
		s->since = now;
}

static void close_gate(struct sb_session *s, uint64_t now)
{
	if (s->plan->cuts.gate == SB_GATE_TIME) {
		sb_pace_opened(s, now);
		return;
	}
	s->pace->gate = SB_PACE_DUE;
	s->pace->until = now + s->plan->cuts.gate_max;
}

/* A boundary has been reached. Where nothing is cut it is the one of limit=, and there is nothing to prove. */
static void pass(struct sb_session *s, uint64_t now)
{
	struct sb_pace *pace = s->pace;

	if (!sb_cuts_any(&s->plan->cuts))
		return;
	pace->pieces++;
	if (sb_pace_at(s) == pace->end) {
		pace->unit = pace->end;
		pace->joined = 0;
	}
	close_gate(s, now);
}

bool sb_pace_sent(struct sb_session *s, uint64_t now)
{
	bool is_limit = sb_pace_at(s) == limit_of(s);

	if (sb_pace_at(s) == s->pace->next)
		pass(s, now);
	if (is_limit)
		sb_session_finish(s, SB_WHY_LIMIT, now);
	return is_limit;
}

bool sb_pace_is_enough(const struct sb_session *s)
{
	uint64_t most = s->plan->limits->v[SB_LIMIT_PIECES];

	return most > 0 && s->pace->pieces >= most;
}

bool sb_pace_is_speaking(const struct sb_session *s)
{
	return s->pace && s->pace->said.n > 0;
}

/* A gate follows, so that the answer is read by itself; but who speaks in lines reads lines. */
void sb_pace_said(struct sb_session *s, uint32_t n, uint64_t now)
{
	struct sb_pace *pace = s->pace;

	pace->said = sb_slice_skip(pace->said, n);
	pace->base += n;
	if (pace->said.n == 0 && s->door == SB_DOOR_NONE && s->state == SB_STATE_RUN)
		close_gate(s, now);
}

void sb_pace_ask(struct sb_session *s, enum sb_gate_tier tier, uint64_t now)
{
	s->pace->is_asked = true;
	s->pace->tier = (uint8_t)tier;
	s->pace->gate = SB_PACE_DUE;
	s->pace->until = now + s->plan->cuts.gate_max;
}

int sb_pace_say_gate(struct sb_session *s, struct sb_op *op)
{
	uint8_t gate = s->pace->is_asked ? s->pace->tier : s->plan->cuts.gate;

	s->pace->gate = SB_PACE_ASKED;
	*op = (struct sb_op){.kind = SB_OP_GATE, .arg = gate == SB_GATE_NONE ? SB_GATE_BEST : gate};
	return 1;
}

bool sb_pace_flip(const struct sb_session *s, uint8_t *p, uint64_t n)
{
	uint64_t at = sb_pace_at(s);

	if (s->plan->flip < at || s->plan->flip - at >= n)
		return false;
	p[s->plan->flip - at] ^= 1;
	return true;
}
