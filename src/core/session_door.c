/* SPDX-License-Identifier: MIT
 * A session at its door: the line it may begin with, and what comes of it. See door.h. */
#include "core/session_door.h"

/* Whether what is in the window is a line, or may be the beginning of one. */
bool sb_session_is_at_door(struct sb_session *s, bool is_new, bool is_last, uint64_t now)
{
	uint32_t line_n;

	if (is_new)
		s->since = now;
	switch (sb_door_look((enum sb_door)s->door, s->leg.p, s->leg.n, is_last, &line_n)) {
	case SB_DOOR_WAIT:
		return true;
	case SB_DOOR_LINE:
		s->door = SB_DOOR_DUE;
		return true;
	default:
		s->door = SB_DOOR_NONE;
		return false;
	}
}

/* Bytes of the line at the start of the window, which does not grow while it is DUE or ASKED. */
static uint32_t line_of(const struct sb_session *s)
{
	uint32_t n = 0;

	(void)sb_door_look(SB_DOOR_CONTROL, s->leg.p, s->leg.n, true, &n);
	return n;
}

bool sb_session_is_half_marked(const struct sb_session *s)
{
	return s->door == SB_DOOR_MARKED && s->leg.n > 0 && s->leg.n < SB_DOOR_MARK_N;
}

/* What was held because it might have become a line is payload. */
void sb_session_give_up_line(struct sb_session *s, uint64_t now)
{
	s->door = SB_DOOR_NONE;
	sb_session_take_in(s, true, now);
}

int sb_session_say_line(struct sb_session *s, struct sb_op *op)
{
	s->door = SB_DOOR_ASKED;
	*op = (struct sb_op){.kind = SB_OP_LINE, .iov_n = 1};
	op->iov[0] = sb_slice(s->leg.p, line_of(s));
	return 1;
}

void sb_session_answer(struct sb_session *s, enum sb_answer what, const struct sb_plan *plan, struct sb_pace *pace,
		       uint64_t now)
{
	static const enum sb_reason ends[] = {
		[SB_ANSWER_REFUSE] = SB_WHY_LINE,
		[SB_ANSWER_FOREIGN] = SB_WHY_FOREIGN,
		[SB_ANSWER_QUIT] = SB_WHY_DONE,
		[SB_ANSWER_LATER] = SB_WHY_NONE,
	};
	struct sb_leg *leg = &s->leg;
	uint32_t n = line_of(s);

	leg->p += n;
	leg->n -= n;
	s->door = what == SB_ANSWER_CONTROL ? SB_DOOR_CONTROL : SB_DOOR_NONE;
	s->since = now;
	if (what == SB_ANSWER_SERVE)
		s->plan = plan;
	sb_session_begin(s, pace, now);
	if (ends[what]) {
		sb_session_finish(s, ends[what], now);
		return;
	}
	if (s->door == SB_DOOR_CONTROL && leg->n > 0 && sb_session_is_at_door(s, true, leg->is_eof, now))
		return;
	if (leg->n > 0)
		sb_session_take_in(s, true, now);
	if (leg->is_eof)
		sb_session_end_in(s, now);
}
