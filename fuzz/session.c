/* SPDX-License-Identifier: MIT
 *
 * Target: one session, driven by a script, beside a model that says what it must do (session_model.h). There is no
 * server: the script decides what the kernel answers. \ocX chooses the line, see session_lines.def. Then:
 *
 *   payload, \~      the peer sends; a recv takes a piece at most, and no more than it asked for
 *   \|               what is under way is received; if the session waits for room and there is some, it is told
 *   \E \R            the peer ends; resets: after what it has sent
 *   \wX \AX          the next send takes v(X) bytes; the next v(X) sends find no room
 *   \dX              there is room for v(X) more bytes
 *   \tX              v(X) ticks of 10 ms pass
 *   \mX              the session is excused
 *   \eX              the next recv or send fails, as faults.def has it; a recv's EAGAIN is its cancellation
 *   \ohX             headroom of v(X) bytes, before the start (4096)
 *   \omX             the next v(X) recvs are not the last of their op
 *   \oKX             odd: sends complete with bytes, as of a ring, not with "there is room"
 *   \oSX             odd: a recv completes while SHUT is carried out
 *   \oRX             the next payload comes v(X) times
 *   \oVX             it is old: its counters are v(X) from their end, before the start
 *   \oQX             0: timers are on time, 1: late, 2: nobody looks at the clock
 *   \oXX             0: told to stop, 1: killed, 2: killed by RST, 3: ended for its lifetime
 *   \owX             there is room for v(X) bytes
 *   \ogX             0: the gate opens, the peer having read, 1: and from now on only when told, 2: by itself again,
 *                    3: it is refused, 4: it opens for a lesser reason
 *   \oAX             an answer of v(X) bytes goes first, of a session whose line shapes what it sends; before the start
 *
 * and limits as in knobs.def. When nothing but bytes is in the script, the same bytes one at a time must come to the
 * same end.
 */
#include <errno.h>

#include "found.h"
#include "knob.h"
#include "script/script.h"
#include "session_life.h"
#include "target.h"

enum {
	SCRIPT_MAX = 8192,
	TWIN_MAX = 100,
	SOURCE_WINDOW = 400,
	REPEAT_MAX = 1000,
	RECVS_MAX = 200,
	SOURCE_ROOM = 3000,
	PAYLOAD_LARGE = 64,
	SMALL_MAX = 4000,
	PIECES_BYTES = 2000,
};

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* ---- lines ---- */

enum { LOOPBACK = 0, STRICT = 1 };

static const struct row {
	uint8_t letter;
	const char *line;
	bool is_strict;
	const char *limits;
} rows[] = {
#define SB_SESSION_LINE(letter, line, profile, limits) {letter, line, profile, limits},
#include "session_lines.def"
#undef SB_SESSION_LINE
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* A row, read once: by src/, and by the model. */
static struct subject {
	struct plan_made made;
	struct plan_model model;
	uint64_t limit[SB_LIMIT_COUNT];
} subjects[ROWS];

/* Before main: made when they are needed, they would be what makes two runs of an input differ. */
__attribute__((constructor)) static void make_subjects(void)
{
	for (int row = 0; row < ROWS; row++) {
		struct subject *s = &subjects[row];

		plan_make(&s->made, rows[row].line, SB_ON_TCP, rows[row].is_strict, rows[row].limits);
		plan_model_read(&s->model, rows[row].line);
		plan_model_limits(s->limit, rows[row].is_strict, rows[row].limits);
	}
}

/* ---- what the script sets before the start ---- */

struct setup {
	int row;
	uint32_t headroom, age, answer;
	uint64_t limit[SB_LIMIT_COUNT];
	bool is_set[SB_LIMIT_COUNT];
	bool is_plain; /* only bytes */
};

static uint64_t limit_value(enum sb_limit which, uint64_t v)
{
	const struct sb_limit_row *row = &sb_limit_rows[which];

	if (row->unit == SB_UNIT_TIME)
		v *= LIFE_TICK;
	if (v < row->min)
		v = row->min;
	return v > row->max ? row->max : v;
}

static void set_up_knob(struct setup *s, const struct sbs_event *e)
{
	int limit = fuzz_knob_limit(e->arg[0]);

	for (int i = 0; e->arg[0] == 'c' && s->row < 0 && i < ROWS; i++)
		if (rows[i].letter == e->arg[1])
			s->row = i;
	if (e->arg[0] == 'h' && s->headroom == UINT32_MAX)
		s->headroom = e->v < 4096 ? e->v : 4096;
	if (e->arg[0] == 'A')
		s->answer = e->v;
	if (e->arg[0] == 'V')
		s->age = UINT32_MAX - e->v;
	if (limit >= 0 && !s->is_set[limit]) {
		s->is_set[limit] = true;
		s->limit[limit] = limit_value((enum sb_limit)limit, e->v);
	}
	if (!strchr("chwmKSRVA", e->arg[0]) || e->arg[0] == '\0')
		s->is_plain = false;
}

static void set_up(struct setup *s, const uint8_t *script, size_t n)
{
	struct sbs_event e;
	size_t at = 0;

	*s = (struct setup){.row = -1, .headroom = UINT32_MAX, .is_plain = true};
	while (sbs_next(script, n, &at, &e)) {
		if (e.kind == SBS_KNOB)
			set_up_knob(s, &e);
		if (e.kind == SBS_TICKS || e.kind == SBS_FAIL || e.kind == SBS_RST || e.kind == SBS_MEMORY)
			s->is_plain = false;
	}
	if (s->row < 0)
		s->row = 0;
	if (s->headroom == UINT32_MAX)
		s->headroom = 4096;
}

/* ---- playing ---- */

struct play {
	struct life *l;
	uint32_t repeat, late;
};

static void payload(struct play *p, const struct sbs_event *e)
{
	static uint8_t room[SCRIPT_MAX];
	const struct plan_model *m = p->l->m.plan;
	size_t n = sbs_unescape(e, room);
	uint64_t most = (m->recv_max < m->args.max ? m->recv_max : m->args.max) * RECVS_MAX;

	if (m->shape.is_any && !m->shape.join && most > PIECES_BYTES)
		most = PIECES_BYTES;
	/* Many bytes are for large messages, not for many small ones: those would take long. */
	if (n < PAYLOAD_LARGE && most > SMALL_MAX)
		most = SMALL_MAX;

	for (uint32_t i = 0; i < p->repeat && (i == 0 || (i < REPEAT_MAX && p->l->sent_n < most)); i++)
		life_send(p->l, room, n);
	p->repeat = 1;
}

static void stop(struct play *p, uint32_t how)
{
	if (how % 4 == 0)
		life_finish(p->l, SB_WHY_STOP);
	else if (how % 4 == 3)
		life_finish(p->l, SB_WHY_LIFE);
	else
		life_kill(p->l, SB_WHY_KILLED, how % 4 == 1 ? SB_CLOSE_PLAIN : SB_CLOSE_RESET);
}

/* What a source sends is made and looked at twice, so it is not much. */
static uint32_t room_of(const struct life *l, uint32_t v)
{
	return plan_is_source(l->m.plan) && v > SOURCE_ROOM ? SOURCE_ROOM : v;
}

static void gate(struct life *l, uint32_t how)
{
	if (how % 5 == 1 || how % 5 == 2)
		l->holds_gate = how % 5 == 1;
	else
		life_gate(l, how % 5 == 3 ? -EPERM : how % 5 == 4 ? SB_GATE_TIME : SB_GATE_READ);
	if (how % 5 == 2)
		life_gate(l, SB_GATE_ACK);
}

static void knob(struct play *p, const struct sbs_event *e)
{
	struct life *l = p->l;

	switch (e->arg[0]) {
	case 'w':
		l->window = room_of(l, e->v);
		break;
	case 'm':
		l->more = e->v;
		break;
	case 'K':
		l->is_keeping = e->v & 1;
		break;
	case 'S':
		l->is_hasty = e->v & 1;
		break;
	case 'R':
		p->repeat = e->v;
		break;
	case 'g':
		gate(l, e->v);
		break;
	case 'Q':
		p->late = e->v;
		break;
	case 'X':
		stop(p, e->v);
		break;
	default:
		break;
	}
}

static void fail(struct life *l, uint8_t letter)
{
	enum { RECV, SEND, OTHER };
	static const struct {
		uint8_t letter;
		const char *call;
		int err;
	} faults[] = {
#define SBS_FAULT(letter, call, err) {letter, #call, err},
#include "script/faults.def"
#undef SBS_FAULT
	};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (faults[i].letter != letter || faults[i].err == EINTR)
			continue;
		if (strcmp(faults[i].call, "RECV") == 0)
			l->recv_err = faults[i].err == EAGAIN ? -ECANCELED : -faults[i].err;
		else if (strcmp(faults[i].call, "SEND") == 0 && faults[i].err != EAGAIN)
			l->send_err = -faults[i].err;
		else if (strcmp(faults[i].call, "SETOPT") == 0)
			l->opt_err = -faults[i].err;
	}
}

static void wait(struct play *p, uint64_t ns)
{
	if (p->late >= 2)
		p->l->now += ns;
	else
		life_wait(p->l, ns, p->late == 1);
}

static void play_event(struct play *p, const struct sbs_event *e)
{
	struct life *l = p->l;

	switch (e->kind) {
	case SBS_BYTES:
		payload(p, e);
		break;
	case SBS_CUT:
		life_cut(l);
		break;
	case SBS_FIN:
		l->is_fin = true;
		break;
	case SBS_RST:
		l->is_rst = true;
		break;
	case SBS_SHORT:
		l->takes = e->v;
		break;
	case SBS_SEND_AGAIN:
		l->again = e->v;
		break;
	case SBS_DRAIN:
		l->window = l->window < LIFE_OPEN_WINDOW ? l->window + room_of(l, e->v) : LIFE_OPEN_WINDOW;
		life_settle(l);
		break;
	case SBS_TICKS:
		wait(p, e->v * LIFE_TICK);
		break;
	case SBS_MEMORY:
		life_excuse(l);
		break;
	case SBS_FAIL:
		fail(l, e->arg[0]);
		break;
	case SBS_KNOB:
		knob(p, e);
		break;
	case SBS_RUN:
	case SBS_CUT_OFF:
		life_run(l);
		break;
	default:
		break;
	}
}

static void live(struct life *l, struct subject *s, const struct setup *set, const uint8_t *script, size_t n,
		 bool is_twin)
{
	static struct life_room rooms[2];
	struct play p = {.l = l, .repeat = 1};
	struct sbs_event e;
	size_t at = 0;

	l->headroom = set->headroom;
	l->age = set->age;
	l->answer = set->answer;
	l->name = is_twin ? "byte by byte" : "session";
	sb_tell("---- %s: %s", l->name, rows[set->row].line);
	l->window = plan_is_source(&s->model) ? SOURCE_WINDOW : LIFE_OPEN_WINDOW;
	l->bite = is_twin;
	l->bite_out = is_twin ? 3 : UINT32_MAX;
	life_open(l, &rooms[is_twin], &s->made.plan, &s->model, s->limit);
	while (!l->is_closed && sbs_next(script, n, &at, &e))
		play_event(&p, &e);
	life_end(l);
}

/* ---- split = whole ---- */

static void compare(const struct life *a, const struct life *b)
{
	if (a->s.reason != b->s.reason)
		sb_found("whole, it ends with %s, and byte by byte with %s", sb_reasons[a->s.reason].name,
			 sb_reasons[b->s.reason].name);
	if (a->m.plan->ref != &ref_raw && a->s.frames != b->s.frames)
		sb_found("whole, it has %u messages, and byte by byte %u", a->s.frames, b->s.frames);
	if (a->s.leg.out != b->s.leg.out || a->out_hash != b->out_hash)
		sb_found("whole, it answers %llu bytes, and byte by byte %llu, or others",
			 (unsigned long long)a->s.leg.out, (unsigned long long)b->s.leg.out);
}

/* Where time has no part in it, and how much has come when it ends neither. */
static bool has_twin(const struct plan_model *m)
{
	bool is_timed = m->stop_ns || m->shape.gap || m->shape.delay || m->maxlife;

	return !plan_is_source(m) && !is_timed && m->steps.is_timeless && m->limit == UINT64_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct life whole, twin;
	uint64_t before[SB_LIMIT_COUNT][2];
	struct setup set;
	struct subject *s;

	if (n > SCRIPT_MAX)
		n = SCRIPT_MAX;
	set_up(&set, data, n);
	s = &subjects[set.row];
	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		before[i][0] = s->made.limits.v[i];
		before[i][1] = s->limit[i];
		if (set.is_set[i])
			s->made.limits.v[i] = s->limit[i] = set.limit[i];
	}
	live(&whole, s, &set, data, n, false);
	digest = whole.hash * 31 + whole.out_hash;
	if (set.is_plain && has_twin(&s->model) && whole.sent_n <= TWIN_MAX) {
		live(&twin, s, &set, data, n, true);
		compare(&whole, &twin);
		digest = digest * 31 + twin.hash;
	}
	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		s->made.limits.v[i] = before[i][0];
		s->limit[i] = before[i][1];
	}
	return 0;
}
