/* SPDX-License-Identifier: MIT
 *
 * One connection: what its session wants is carried out, what its session still needs is kept, and it is
 * woken when its session says. The session decides everything; here is only how.
 */
#include "server/server.h"

#include <assert.h>

/* Sends of a source, and steps of a line, in one go, before others get their turn. */
enum { FILLS_MAX = 4, STEPS_MAX = 256 };

_Static_assert(SB_RECV_MAX < 1 << 17 && SB_LISTENERS_MAX + SB_PORTS_MAX <= 1 << 14,
	       "they fit the fields of struct sb_conn");
_Static_assert((int)SB_SESSION_HELD_MAX <= (int)SB_IO_BUF_SIZE, "one receive holds the largest frame");

static struct sb_handle handle_of(const struct sb_server *srv, const struct sb_conn *c)
{
	return (struct sb_handle){.slot = sb_pool_index(&srv->conns, c), .gen = c->gen};
}

struct sb_conn *sb_conn_at(struct sb_server *srv, uint32_t slot)
{
	struct sb_conn *c;

	if (slot >= srv->conns.fresh)
		return NULL;
	c = sb_pool_at(&srv->conns, slot);
	return c->fd >= 0 ? c : NULL;
}

static struct sb_log *log_of(struct sb_server *srv)
{
	return &srv->log;
}

/* ---- memory ---- */

static struct sb_pool *pool_of(struct sb_server *srv, const void *p)
{
	for (int i = 0; i < SB_BUF_CLASSES; i++)
		if (sb_pool_owns(&srv->bufs[i], p))
			return &srv->bufs[i];
	return NULL;
}

/* The largest class is what lets anything be read at all: see sb_io's is_held. */
static void watch_memory(struct sb_server *srv)
{
	bool is_held = sb_pool_left(&srv->bufs[SB_BUF_CLASSES - 1]) == 0;

	if (is_held == srv->io.is_held)
		return;
	srv->io.is_held = is_held;
	if (!is_held)
		return;
	srv->count[SB_COUNT_HELD_WAITS]++;
	if (sb_log_begin(log_of(srv), SB_LOG_MEMORY, srv->now)) {
		sb_log_text(log_of(srv), "why",
			    sb_slice_cstr(
				    "all buffers are in use; connections without one wait to be read (--max-held)"));
		sb_log_end(log_of(srv));
	}
}

static void give_back(struct sb_server *srv, struct sb_conn *c)
{
	if (c->buf)
		sb_pool_put(pool_of(srv, c->buf), c->buf);
	c->buf = NULL;
}

/* The smallest block that n bytes fit into, of what is left. */
static void *get_buf(struct sb_server *srv, size_t n)
{
	void *block = NULL;

	for (int i = 0; i < SB_BUF_CLASSES && !block; i++)
		if (srv->bufs[i].block_size >= n)
			block = sb_pool_get(&srv->bufs[i]);
	return block;
}

/* After the session has had its say the loop's buffer goes back: what is still needed of it gets its own. There is
 * always a block: nothing is read without one to spare, and what is joined in the loop's buffer leaves its own. */
static void keep(struct sb_server *srv, struct sb_conn *c)
{
	struct sb_slice held = sb_session_held(&c->session);
	const struct sb_pool *pool = c->buf ? pool_of(srv, c->buf) : NULL;
	bool is_kept = pool && held.p >= (uint8_t *)c->buf && held.p < (uint8_t *)c->buf + pool->block_size;

	if (held.n == 0) {
		if (c->buf) {
			/* An outstanding RECV may have counted on it: it is submitted again. */
			if (!c->want)
				c->want = sb_session_want(&c->session) & 0x1ffff;
			give_back(srv, c);
			watch_memory(srv);
		}
		return;
	}
	/* A tail that is long must have room behind it, when more may come. */
	if (is_kept && (held.n <= SB_IO_HEADROOM || held.p == c->buf || (!c->want && !c->session.leg.is_receiving)))
		return;
	if (!is_kept) {
		give_back(srv, c);
		c->buf = get_buf(srv, held.n);
		assert(c->buf);
		watch_memory(srv);
	}
	memmove(c->buf, held.p, held.n);
	sb_session_moved(&c->session, c->buf);
}

/* ---- the end ---- */

static void say_close(struct sb_server *srv, struct sb_conn *c, uint64_t unsent)
{
	const struct sb_session *s = &c->session;
	const struct sb_reason_row *why = &sb_reasons[s->reason];
	struct sb_log *log = log_of(srv);

	if (!sb_log_begin(log, SB_LOG_CLOSE, srv->now))
		return;
	sb_log_u64(log, "conn", c->id);
	sb_log_addr(log, "peer", &c->peer);
	if (c->across)
		sb_log_word(log, "way", s->is_down ? "down" : "up");
	sb_log_word(log, "reason", why->name);
	sb_log_word(log, "how", s->how == SB_CLOSE_RESET ? "rst" : "close");
	sb_log_u64(log, "in", s->leg.in);
	sb_log_u64(log, "out", s->leg.out);
	sb_log_u64(log, "frames", s->frames);
	if (s->dropped)
		sb_log_u64(log, "dropped", s->dropped);
	if (unsent)
		sb_log_u64(log, "unsent", unsent);
	if (s->leg.scan.err)
		sb_log_u64(log, "offset", s->leg.scan.base);
	if (s->err)
		sb_log_word(log, "errno", sb_errname(s->err));
	if (why->change[0])
		sb_log_word(log, "change", why->change);
	sb_log_end(log);
}

/* A FORWARD is one connection in the counters, ended by what ended it; its bytes are those of both directions. */
static void add_up(struct sb_server *srv, const struct sb_session *s, uint64_t unsent)
{
	if (!s->is_down) {
		srv->closed[s->reason == SB_WHY_ACROSS ? s->across->reason : s->reason]++;
		srv->count[SB_COUNT_OPEN]--;
	}
	srv->count[SB_COUNT_BYTES_IN] += s->leg.in;
	srv->count[SB_COUNT_BYTES_OUT] += s->leg.out;
	srv->count[SB_COUNT_BYTES_DROPPED] += s->dropped;
	srv->count[SB_COUNT_BYTES_UNSENT] += unsent;
	srv->count[SB_COUNT_FRAMES] += s->frames;
}

static void end_one(struct sb_server *srv, struct sb_conn *c, enum sb_close_how how)
{
	uint32_t slot = sb_pool_index(&srv->conns, c), gen = c->gen;
	uint64_t unsent = sb_session_held(&c->session).n;
	struct sb_listener *l = &srv->listeners[c->listener];

	if (c->session.pace && sb_show_of(&c->session)->is_control)
		sb_ports_of_gone(srv, c);
	if (how == SB_CLOSE_RESET)
		sb_sys_reset_on_close(srv->sys, c->fd);
	srv->io.backend->ops->detach(&srv->io, slot);
	sb_sys_close(srv->sys, c->fd);
	say_close(srv, c, unsent);
	add_up(srv, &c->session, unsent);
	sb_show_end(srv, c);
	if (!c->session.is_down)
		l->open--;
	sb_port_settle(srv, c->listener);
	sb_timers_set(&srv->timers, slot, SB_NEVER);
	give_back(srv, c);
	watch_memory(srv);
	if (c->is_counted)
		sb_perip_drop(&srv->perip, &c->peer);
	c->fd = -1;
	c->gen = gen + 1;
	sb_pool_put(&srv->conns, c);
}

/* Both of a FORWARD end together; what the client's has is what is told of both. */
static void end(struct sb_server *srv, struct sb_conn *c, enum sb_close_how how)
{
	struct sb_conn *other = c->across;
	struct sb_op op = {.kind = SB_OP_NONE};

	if (!other) {
		end_one(srv, c, how);
		return;
	}
	while (op.kind != SB_OP_CLOSE && sb_session_next(&other->session, &op))
		continue;
	assert(op.kind == SB_OP_CLOSE);
	end_one(srv, c->session.is_down ? other : c, how);
	end_one(srv, c->session.is_down ? c : other, how);
}

/* ---- ops ---- */

static void say_io(struct sb_server *srv, const struct sb_conn *c, enum sb_log_event event, int res)
{
	struct sb_log *log = log_of(srv);
	bool is_asked = event == SB_LOG_RECV && c->session.plan->is_recv_set;

	if (log->level < SB_LOG_DEBUG && !is_asked)
		return;
	if (!sb_log_begin_asked(log, event, srv->now))
		return;
	sb_log_u64(log, "conn", c->id);
	if (res >= 0)
		sb_log_i64(log, "bytes", res);
	else
		sb_log_word(log, "errno", sb_errname(res));
	sb_log_end(log);
}

/* What is made for the moment is sent at once or, if there is no room, made again when there is. After some of it
 * the others get their turn: an empty send completes when it is ours again. */
static void fill(struct sb_server *srv, struct sb_conn *c, struct sb_op *op, int fills)
{
	op->iov[0] = sb_slice(srv->scratch, op->want_max);
	op->iov_n = 1;
	if (fills < FILLS_MAX)
		sb_session_fill(&c->session, srv->scratch, op->want_max);
	else
		op->iov[0].n = 0;
}

/* Whatever happens to a shaped connection is on its receipt. A piece that has gone up to a boundary is a cut; where
 * only time is to pass, nothing more has to be asked. */
static void note(struct sb_server *srv, struct sb_show *show, const struct sb_done *done, uint64_t pieces)
{
	bool is_cut = show->pace.gate == SB_PACE_DUE || show->pace.pieces > pieces;

	if (done->kind == SB_OP_RECV && done->res > 0)
		sb_receipt_recv(&show->receipt, (uint32_t)done->res, srv->now);
	if (done->kind != SB_OP_SEND || done->res <= 0)
		return;
	sb_receipt_send(&show->receipt, (uint32_t)done->res, is_cut, srv->now);
	if (is_cut && show->pace.gate == SB_PACE_OPEN)
		sb_receipt_gate(&show->receipt, SB_GATE_TIME, srv->now);
}

/* What has come, before anything is done with it: a line that it may begin with has no such key before it. */
static void hash_in(struct sb_conn *c, const struct sb_done *done)
{
	if (c->session.pace && c->session.plan->is_hashed && done->kind == SB_OP_RECV && done->res > 0)
		sb_receipt_hash_in(&sb_show_of(&c->session)->receipt, sb_slice(done->data, (size_t)done->res));
}

/* What the kernel took of it, unless it is an answer. */
static void hash_out(struct sb_conn *c, const struct sb_op *op, int64_t sent)
{
	struct sb_show *show = sb_show_of(&c->session);

	if (!show || !c->session.plan->is_hashed || show->pace.said.n > 0)
		return;
	for (int i = 0; i < op->iov_n && sent > 0; i++) {
		size_t n = (size_t)sent < op->iov[i].n ? (size_t)sent : op->iov[i].n;

		sb_receipt_hash_out(&show->receipt, sb_slice(op->iov[i].p, n));
		sent -= (int64_t)n;
	}
}

static void event(struct sb_server *srv, struct sb_conn *c, const struct sb_done *done)
{
	struct sb_show *show = sb_show_of(&c->session);
	uint64_t pieces = show ? show->pace.pieces : 0;

	sb_session_event(&c->session, done, srv->now);
	if (show)
		note(srv, show, done, pieces);
}

static void send(struct sb_server *srv, struct sb_conn *c, const struct sb_op *op)
{
	struct sb_done done;

	if (!srv->io.backend->ops->submit(&srv->io, op, &done))
		return;
	say_io(srv, sb_conn_out(c), SB_LOG_SEND, done.res);
	hash_out(c, op, done.res);
	event(srv, c, &done);
}

/* It fails only when the connection is gone. */
static void shut(struct sb_server *srv, struct sb_conn *c)
{
	struct sb_done done = {.kind = SB_OP_SHUT};

	done.res = sb_sys_shutdown_write(srv->sys, sb_conn_out(c)->fd);
	if (c->session.pace)
		sb_receipt_shut(&sb_show_of(&c->session)->receipt, srv->now);
	event(srv, c, &done);
}

static void dial(struct sb_server *srv, struct sb_conn *c, struct sb_op *op)
{
	struct sb_done done;

	if (sb_forward_dial(srv, c, op, &done))
		event(srv, c, &done);
}

/* Whether there is a place for what it receives, also when memory has run out. */
static bool has_room(struct sb_server *srv, const struct sb_conn *c)
{
	return c->buf && pool_of(srv, c->buf) == &srv->bufs[SB_BUF_CLASSES - 1];
}

static void arm(struct sb_server *srv, struct sb_conn *c)
{
	struct sb_op op = {.handle = handle_of(srv, c), .kind = SB_OP_RECV, .want_max = c->want};
	struct sb_done done;

	if (has_room(srv, c))
		op.flags = SB_OP_ROOM;
	c->want = 0;
	srv->io.backend->ops->submit(&srv->io, &op, &done);
}

static void watch(struct sb_server *srv, const struct sb_op *op)
{
	struct sb_done done;

	srv->io.backend->ops->submit(&srv->io, op, &done);
}

/* Later is looked at when the earlier comes. */
static void set_timer(struct sb_server *srv, const struct sb_conn *c)
{
	uint32_t slot = sb_pool_index(&srv->conns, c);
	uint64_t at = sb_session_deadline(&c->session);

	if (c->session.pace && ((const struct sb_show *)c->session.pace)->wait_until < at)
		at = ((const struct sb_show *)c->session.pace)->wait_until;
	if (at < sb_timers_get(&srv->timers, slot))
		sb_timers_set(&srv->timers, slot, at);
}

/* False when it has ended. */
static bool run_one(struct sb_server *srv, struct sb_conn *c)
{
	struct sb_op op;
	int fills = 0, steps = 0;

	while (steps < STEPS_MAX && sb_session_next(&c->session, &op)) {
		op.handle = handle_of(srv, sb_conn_out(c));
		switch (op.kind) {
		case SB_OP_SEND:
			if (op.flags & SB_OP_FILL)
				fill(srv, c, &op, fills++);
			send(srv, c, &op);
			break;
		case SB_OP_RECV:
			c->want = op.want_max & 0x1ffff;
			break;
		case SB_OP_WATCH:
			watch(srv, &op);
			break;
		case SB_OP_SHUT:
			shut(srv, c);
			break;
		case SB_OP_STEP:
			sb_step_begins(srv, c, op.arg);
			steps++;
			break;
		case SB_OP_SETOPT:
			sb_step_sets(srv, c, op.iov[0], op.iov[1]);
			break;
		case SB_OP_LINE:
			sb_heard(srv, c, op.iov[0]);
			break;
		case SB_OP_CONNECT:
			dial(srv, c, &op);
			break;
		case SB_OP_GATE:
			sb_gate_ask(srv, c, (enum sb_gate_tier)op.arg);
			break;
		default:
			assert(op.kind == SB_OP_CLOSE);
			end(srv, c, (enum sb_close_how)op.arg);
			return false;
		}
	}
	keep(srv, c);
	if (c->want)
		arm(srv, c);
	set_timer(srv, c);
	if (steps == STEPS_MAX)
		sb_timers_set(&srv->timers, sb_pool_index(&srv->conns, c), srv->now);
	return true;
}

/* What happens to one direction of a FORWARD may be what the other has waited for. */
static void run(struct sb_server *srv, struct sb_conn *c)
{
	struct sb_conn *across = c->across;

	if (run_one(srv, c) && across)
		run_one(srv, across);
}

/* ---- events ---- */

struct sb_conn *sb_conn_take(struct sb_server *srv, uint32_t listener, int fd, const struct sb_addr *peer, int *err)
{
	struct sb_conn *c = sb_pool_get(&srv->conns);
	uint32_t gen;

	*err = SB_E_LIMIT;
	if (!c)
		return NULL;
	gen = c->gen;
	*c = (struct sb_conn){.peer = *peer, .fd = fd, .gen = gen, .listener = listener & 0x3fff};
	*err = srv->io.backend->ops->attach(&srv->io, handle_of(srv, c), fd, SB_IO_STREAM);
	if (*err < 0) {
		c->fd = -1;
		sb_pool_put(&srv->conns, c);
		return NULL;
	}
	c->id = ++srv->conn_ids;
	return c;
}

int sb_conn_open(struct sb_server *srv, uint32_t listener, int fd, const struct sb_addr *peer, bool is_counted)
{
	int err;
	struct sb_conn *c = sb_conn_take(srv, listener, fd, peer, &err);
	struct sb_listener *l = &srv->listeners[listener];
	const struct sb_plan *plan = l->nth == 0 || l->nth == l->taken + 1 ? &l->plan : &l->other;
	struct sb_log *log = log_of(srv);
	struct sb_pace *pace;

	if (!c)
		return err;
	l->open++;
	l->taken++;
	pace = plan->is_paced || plan->is_hashed || l->is_port || l->is_forward ? sb_show_lend(srv, c) : NULL;
	c->is_counted = is_counted;
	srv->count[SB_COUNT_ACCEPTED]++;
	srv->count[SB_COUNT_OPEN]++;
	if (sb_log_begin(log, SB_LOG_OPEN, srv->now)) {
		sb_log_u64(log, "conn", c->id);
		sb_log_addr(log, "peer", peer);
		sb_log_u64(log, "listener", listener + 1);
		sb_log_end(log);
	}
	sb_listener_set_conn(srv, listener, fd);
	sb_session_open(&c->session, plan, pace, srv->now);
	if (l->is_forward)
		sb_forward_open(srv, c);
	run(srv, c);
	return 0;
}

void sb_conn_done(struct sb_server *srv, struct sb_conn *c, const struct sb_done *done)
{
	if (done->kind == SB_OP_RECV)
		say_io(srv, c, SB_LOG_RECV, done->res);
	/* What this socket sends is what the other's session has received. */
	else if (done->kind != SB_OP_GATE)
		c = sb_conn_out(c);
	hash_in(c, done);
	event(srv, c, done);
	run(srv, c);
}

void sb_conn_tick(struct sb_server *srv, struct sb_conn *c)
{
	/* While it is we who do not read, the peer is not late. */
	if (srv->io.is_held && c->session.leg.is_receiving && !has_room(srv, c))
		sb_session_excuse(&c->session, srv->now);
	if (c->session.pace && sb_show_of(&c->session)->wait_until != SB_NEVER)
		sb_control_tick(srv, c);
	sb_session_tick(&c->session, srv->now);
	run(srv, c);
}

void sb_conn_reset(struct sb_server *srv, struct sb_conn *c)
{
	sb_session_kill(&c->session, SB_WHY_OWNER, SB_CLOSE_RESET);
	run(srv, c);
}

void sb_conn_stop(struct sb_server *srv, struct sb_conn *c)
{
	if (srv->stage == SB_STAGE_KILL)
		sb_session_kill(&c->session, SB_WHY_KILLED, SB_CLOSE_PLAIN);
	else
		sb_session_finish(&c->session, SB_WHY_STOP, srv->now);
	run(srv, c);
}
