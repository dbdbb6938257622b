/* SPDX-License-Identifier: MIT
 * Doing steps. See steps.h. */
#include "core/steps.h"

#include "core/session.h"

static struct sb_steps *steps_of(const struct sb_session *s)
{
	return &s->pace->steps;
}

static const struct sb_step *step_of(const struct sb_session *s)
{
	return &s->plan->line->steps[steps_of(s)->at];
}

bool sb_steps_follow(const struct sb_session *s)
{
	return sb_steps_are_on(s) && !s->plan->service->ops->is_script;
}

/* ---- from one to the next ---- */

void sb_steps_open(struct sb_session *s)
{
	if (s->plan->service->ops->is_script)
		steps_of(s)->state = SB_STEPS_DUE;
}

bool sb_steps_take_over(struct sb_session *s, uint8_t why)
{
	bool is_own = why == SB_WHY_EOF || why == SB_WHY_DONE || why == SB_WHY_LIMIT;

	if (!is_own || s->plan->steps_n == 0 || steps_of(s)->state != SB_STEPS_OFF)
		return false;
	steps_of(s)->state = SB_STEPS_FLUSH;
	steps_of(s)->why = why;
	return true;
}

void sb_steps_settle(struct sb_session *s)
{
	if (s->pace && steps_of(s)->state == SB_STEPS_FLUSH && s->leg.whole == 0 && !s->leg.is_sending)
		steps_of(s)->state = SB_STEPS_DUE;
}

static void next(struct sb_session *s)
{
	steps_of(s)->at++;
	steps_of(s)->state = SB_STEPS_DUE;
}

/* In order, with the reason the service had, if one ended before. */
static void finish(struct sb_session *s, enum sb_reason why, uint64_t now)
{
	enum sb_reason first = (enum sb_reason)steps_of(s)->why;

	sb_session_finish(s, first == SB_WHY_NONE ? why : first, now);
}

int sb_steps_next(struct sb_session *s, struct sb_op *op)
{
	struct sb_steps *steps;

	if (s->state != SB_STATE_RUN || s->leg.is_sending || sb_pace_is_waiting(s) || sb_pace_is_speaking(s))
		return 0;
	steps = steps_of(s);
	if (steps->state == SB_STEPS_DUE) {
		steps->state = SB_STEPS_ASKED;
		*op = (struct sb_op){.kind = SB_OP_STEP, .arg = steps->at};
		return 1;
	}
	if (steps->state == SB_STEPS_SHUT) {
		s->leg.is_shut = true;
		*op = (struct sb_op){.kind = SB_OP_SHUT};
		next(s);
		return 1;
	}
	if (steps->state == SB_STEPS_OPT) {
		steps->state = SB_STEPS_OPT_ASKED;
		*op = (struct sb_op){.kind = SB_OP_SETOPT, .iov_n = 2};
		op->iov[0] = step_of(s)->opt;
		op->iov[1] = step_of(s)->v.text;
		return 1;
	}
	return 0;
}

/* ---- what a step sends ---- */

/* What goes around the text: of frame, what the framing puts there. That it can has been checked. */
static struct sb_wrap wrap_of(const struct sb_session *s)
{
	struct sb_wrap wrap = {.head_n = 0};

	if (step_of(s)->kind == SB_STEP_FRAME)
		(void)sb_framing_encode(&s->plan->framing, step_of(s)->v.text, &wrap);
	return wrap;
}

static uint64_t size_of(const struct sb_session *s)
{
	struct sb_wrap wrap = wrap_of(s);

	return wrap.head_n + step_of(s)->v.text.n + wrap.tail_n;
}

uint64_t sb_steps_left(const struct sb_session *s)
{
	const struct sb_steps *steps = steps_of(s);
	uint64_t most = s->plan->limits->v[SB_LIMIT_BYTES] - steps->sent;

	if (steps->state != SB_STEPS_SEND)
		return 0;
	return steps->left < most ? steps->left : most;
}

void sb_steps_fill(const struct sb_session *s, uint8_t *out, size_t n)
{
	struct sb_wrap wrap = wrap_of(s);
	struct sb_slice parts[] = {sb_slice(wrap.head, wrap.head_n), step_of(s)->v.text,
				   sb_slice(wrap.tail, wrap.tail_n)};
	uint64_t skip = size_of(s) - steps_of(s)->left;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && n > 0; i++) {
		size_t over = skip < parts[i].n ? (size_t)skip : parts[i].n;
		size_t some = parts[i].n - over < n ? parts[i].n - over : n;

		skip -= over;
		if (some > 0)
			memcpy(out, parts[i].p + over, some);
		out += some;
		n -= some;
	}
}

void sb_steps_sent(struct sb_session *s, uint32_t n, uint64_t now)
{
	struct sb_steps *steps = steps_of(s);

	steps->left -= n;
	steps->sent += n;
	if (steps->sent == s->plan->limits->v[SB_LIMIT_BYTES])
		sb_session_finish(s, SB_WHY_BYTES, now);
	else if (steps->left == 0)
		next(s);
}

static void begin_send(struct sb_session *s)
{
	steps_of(s)->state = SB_STEPS_SEND;
	steps_of(s)->left = size_of(s);
	sb_pace_unit(s, steps_of(s)->left);
}

/* ---- what a step reads ---- */

static void take(struct sb_session *s, uint32_t n)
{
	s->leg.p += n;
	s->leg.n -= n;
	steps_of(s)->has_read = true;
}

/* Bytes as they come. The next message begins behind them. */
static void read_bytes(struct sb_session *s)
{
	struct sb_steps *steps = steps_of(s);
	uint32_t n = steps->left < s->leg.n ? (uint32_t)steps->left : s->leg.n;

	s->leg.scan = (struct sb_scan){.base = s->leg.scan.base + n};
	take(s, n);
	steps->left -= n;
	if (steps->left == 0)
		next(s);
}

static void read_frame(struct sb_session *s, uint64_t now)
{
	struct sb_frame frame;
	int found = sb_framing_scan(&s->plan->framing, &s->leg.scan, s->leg.p, s->leg.n, &frame, 1);

	if (found < 0)
		sb_session_finish(s, sb_session_reason_of(found), now);
	if (found <= 0)
		return;
	take(s, frame.wire);
	sb_session_count_frames(s, 1);
	next(s);
}

static void read_on(struct sb_session *s, uint64_t now)
{
	if (step_of(s)->kind == SB_STEP_READ)
		read_bytes(s);
	else
		read_frame(s, now);
}

/* It waits for what will not come. */
static void miss(struct sb_session *s, uint64_t now)
{
	int r = step_of(s)->kind == SB_STEP_READ_FRAME ? sb_framing_end(&s->plan->framing, &s->leg.scan, s->leg.n) : 0;

	if (r < 0)
		sb_session_finish(s, sb_session_reason_of(r), now);
	else
		finish(s, SB_WHY_EOF, now);
}

static void begin_read(struct sb_session *s, uint64_t now)
{
	steps_of(s)->state = SB_STEPS_READ;
	steps_of(s)->left = step_of(s)->v.num;
	if (s->leg.n > 0)
		read_on(s, now);
	if (steps_of(s)->state == SB_STEPS_READ && s->leg.is_eof)
		miss(s, now);
}

/* What comes while the peer's end is waited for is dropped. */
static void drop_all(struct sb_session *s)
{
	sb_session_drop(s, s->leg.n);
	s->leg.scan = (struct sb_scan){.base = s->leg.scan.base + s->leg.n};
	s->leg.n = 0;
}

void sb_steps_came(struct sb_session *s, bool is_new, uint64_t now)
{
	struct sb_steps *steps = steps_of(s);

	if (steps->state == SB_STEPS_EOF)
		drop_all(s);
	if (steps->state != SB_STEPS_READ)
		return;
	if (is_new && (step_of(s)->kind == SB_STEP_READ_FRAME || steps->left == step_of(s)->v.num))
		s->since = now;
	read_on(s, now);
}

void sb_steps_end_in(struct sb_session *s, uint64_t now)
{
	if (steps_of(s)->state == SB_STEPS_READ)
		miss(s, now);
	else if (steps_of(s)->state == SB_STEPS_EOF)
		next(s);
}

bool sb_steps_are_reading(const struct sb_session *s)
{
	return sb_steps_are_on(s) && steps_of(s)->state == SB_STEPS_READ;
}

uint64_t sb_steps_begun(const struct sb_session *s)
{
	if (!sb_steps_are_reading(s))
		return 0;
	return step_of(s)->kind == SB_STEP_READ ? step_of(s)->v.num - steps_of(s)->left : s->leg.n;
}

bool sb_steps_want(const struct sb_session *s)
{
	uint8_t state = steps_of(s)->state;

	return s->leg.n < SB_STEPS_AHEAD || state == SB_STEPS_READ || state == SB_STEPS_EOF;
}

/* ---- time, and the rest ---- */

uint64_t sb_steps_until(const struct sb_session *s)
{
	return sb_steps_are_on(s) && steps_of(s)->state == SB_STEPS_PAUSE ? steps_of(s)->until : 0;
}

void sb_steps_tick(struct sb_session *s, uint64_t now)
{
	uint64_t until = sb_steps_until(s);

	if (until > 0 && until <= now)
		next(s);
}

void sb_steps_opened(struct sb_session *s)
{
	if (sb_steps_are_on(s) && steps_of(s)->state == SB_STEPS_GATE)
		next(s);
}

void sb_steps_set(struct sb_session *s, int res, uint64_t now)
{
	if (s->state != SB_STATE_RUN)
		return;
	if (res >= 0) {
		next(s);
		return;
	}
	s->err = res;
	sb_session_finish(s, SB_WHY_OPTION, now);
}

static void begin_stopread(struct sb_session *s, uint64_t now)
{
	const struct sb_value *v = &step_of(s)->v;
	struct sb_steps *steps = steps_of(s);

	steps->stop_ns = v->num;
	steps->stop_at = v->at < UINT64_MAX - s->leg.in ? s->leg.in + v->at : UINT64_MAX;
	s->read_from = v->at > 0 ? SB_NEVER : now + v->num;
	next(s);
}

static void begin_wait(struct sb_session *s, uint64_t now)
{
	static const enum sb_gate_tier tiers[] = {[SB_WAIT_ACK] = SB_GATE_ACK, [SB_WAIT_READ] = SB_GATE_READ};
	uint64_t what = step_of(s)->v.num;

	if (what != SB_WAIT_EOF) {
		steps_of(s)->state = SB_STEPS_GATE;
		sb_pace_ask(s, tiers[what], now);
		return;
	}
	steps_of(s)->state = SB_STEPS_EOF;
	drop_all(s);
	if (s->leg.is_eof)
		next(s);
}

/* When the peer has closed, what is left of what it sent is still to be answered: by steps that read. */
static void begin_again(struct sb_session *s, uint64_t now)
{
	struct sb_steps *steps = steps_of(s);

	if (s->leg.is_eof && (s->leg.n == 0 || !steps->has_read)) {
		finish(s, SB_WHY_EOF, now);
		return;
	}
	steps->at = 0;
	steps->has_read = false;
	steps->state = SB_STEPS_DUE;
}

void sb_steps_begin(struct sb_session *s, uint64_t now)
{
	struct sb_steps *steps = steps_of(s);

	if (s->state != SB_STATE_RUN)
		return;
	s->since = now;
	if (steps->at == s->plan->steps_n) {
		finish(s, SB_WHY_DONE, now);
		return;
	}
	switch (step_of(s)->kind) {
	case SB_STEP_SEND:
	case SB_STEP_FRAME:
		begin_send(s);
		break;
	case SB_STEP_READ:
	case SB_STEP_READ_FRAME:
		begin_read(s, now);
		break;
	case SB_STEP_PAUSE:
		steps->state = SB_STEPS_PAUSE;
		steps->until = now + step_of(s)->v.num;
		break;
	case SB_STEP_STOPREAD:
		begin_stopread(s, now);
		break;
	case SB_STEP_OPT:
		steps->state = SB_STEPS_OPT;
		break;
	case SB_STEP_HALF:
		steps->state = SB_STEPS_SHUT;
		break;
	case SB_STEP_WAIT:
		begin_wait(s, now);
		break;
	case SB_STEP_AGAIN:
		begin_again(s, now);
		break;
	case SB_STEP_RST:
		sb_session_kill(s, steps->why == SB_WHY_NONE ? SB_WHY_DONE : (enum sb_reason)steps->why,
				SB_CLOSE_RESET);
		break;
	case SB_STEP_FIN:
	case SB_STEPS_N:
		finish(s, SB_WHY_DONE, now);
		break;
	}
}
