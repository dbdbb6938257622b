/* SPDX-License-Identifier: MIT
 *
 * A line that came on a connection: read, and answered with one line of text, +OK or -ERR. A line that names a service
 * makes the connection behave so; one that names a verb of control.c is answered, and another may follow.
 */
#include "server/server.h"

#include <assert.h>

#define LISTEN "LISTEN "

enum { LISTEN_N = sizeof(LISTEN) - 1 };

/* ---- answers ---- */

static struct sb_text begin_answer(struct sb_show *show)
{
	return sb_text_in(show->answer, sizeof(show->answer));
}

static void say(struct sb_show *show, struct sb_text *t)
{
	/* What is longer than a line of ours is cut, and is a line all the same. */
	t->lost = 0;
	if (t->n == t->cap)
		t->n--;
	sb_text_char(t, '\n');
	show->pace.said = sb_slice(t->p, t->n);
}

void sb_show_fault(struct sb_show *show, const struct sb_fault *fault)
{
	struct sb_text t = begin_answer(show);

	sb_text_str(&t, "-ERR ");
	if (fault->col) {
		sb_text_str(&t, "col=");
		sb_text_u64(&t, fault->col);
		sb_text_char(&t, ' ');
	}
	sb_text_str(&t, fault->text);
	say(show, &t);
}

static void log_line(struct sb_server *srv, const struct sb_conn *c, struct sb_slice text, const struct sb_fault *fault)
{
	struct sb_log *log = &srv->log;

	if (!sb_log_begin(log, SB_LOG_LINE, srv->now))
		return;
	sb_log_u64(log, "conn", c->id);
	sb_log_text(log, "text", text);
	if (fault->code) {
		sb_log_u64(log, "col", fault->col);
		sb_log_text(log, "error", sb_slice_cstr(fault->text));
	}
	sb_log_end(log);
}

/* ---- a line of a service ---- */

/* All of them are good before the first is set. */
static int check_options(const struct sb_server *srv, const struct sb_conn *c, const struct sb_line *line,
			 struct sb_opt_ask *asks, struct sb_fault *fault)
{
	struct sb_opt_place place = sb_opt_place_of_conn(srv, &srv->listeners[c->listener], true);

	for (int i = 0; i < line->opts_n; i++) {
		const struct sb_line_opt *opt = &line->opts[i];
		int r = sb_sockopt_find(&asks[i], opt->name, opt->value, place, fault);

		if (r < 0) {
			fault->col = fault->col == 2 ? opt->value_col : opt->col;
			return r;
		}
	}
	return 0;
}

/* " opt.TCP_NODELAY=0->0": asked for, and what the kernel made of it. */
static int set_options(struct sb_server *srv, const struct sb_conn *c, const struct sb_line *line,
		       const struct sb_opt_ask *asks, struct sb_text *said, struct sb_fault *fault)
{
	for (int i = 0; i < line->opts_n; i++) {
		int64_t effective = 0;
		int r;

		assert(asks[i].row);
		r = sb_sockopt_set(srv->sys, c->fd, asks[i], &effective);

		if (r < 0)
			return sb_fault_set(fault, r, line->opts[i].col, "%s=%lld: %s", asks[i].row->name,
					    (long long)asks[i].value, sb_strerror(r));
		sb_text_str(said, " opt.");
		sb_text_str(said, asks[i].row->name);
		sb_text_char(said, '=');
		sb_text_i64(said, asks[i].value);
		sb_text_str(said, "->");
		sb_text_i64(said, effective);
	}
	return 0;
}

static int serve_line(struct sb_server *srv, struct sb_conn *c, struct sb_show *show, struct sb_fault *fault)
{
	struct sb_talk *talk = show->talk;
	struct sb_opt_ask asks[SB_LINE_OPTS_MAX] = {0};
	struct sb_text t = begin_answer(show);
	struct sb_service_in in = {
		.line = &talk->line,
		.without = SB_G_LISTEN | SB_G_PORT | SB_G_CONTROL,
		.files = srv->files,
		.files_n = srv->files_n,
		.seed = show->token ^ srv->seed,
		.scratch = srv->scratch,
	};
	int r = sb_plan_make(&talk->plan, &in, srv->listeners[c->listener].endpoint.on, &srv->opt.limits,
			     srv->is_strict, fault);

	if (r == 0)
		r = check_options(srv, c, &talk->line, asks, fault);
	if (r == 0)
		r = sb_steps_check_options(srv, &srv->listeners[c->listener], &talk->line, true, fault);
	if (r < 0)
		return r;
	sb_text_str(&t, "+OK id=");
	sb_text_id(&t, 'c', c->id, show->token);
	if (sb_plan_has_seed(&talk->plan)) {
		sb_text_str(&t, " seed=");
		sb_text_u64(&t, talk->plan.cuts.seed);
	}
	r = set_options(srv, c, &talk->line, asks, &t, fault);
	if (r < 0)
		return r;
	say(show, &t);
	return 0;
}

/* ---- any line ---- */

/* Without its marker; *skipped is how many bytes that is, so that columns are of what was sent. */
static struct sb_slice unmarked(struct sb_slice text, uint32_t *skipped, struct sb_fault *fault)
{
	*skipped = 0;
	if (!sb_door_is_marked(text))
		return text;
	if (memcmp(text.p, SB_DOOR_MARK, SB_DOOR_MARK_N) == 0)
		*skipped = SB_DOOR_MARK_N;
	else
		sb_fault_set(fault, SB_E_UNKNOWN, SB_DOOR_MARK_N - 1,
			     "version %c of the lines is not known here: this server speaks SB1",
			     text.p[SB_DOOR_MARK_N - 2]);
	return sb_slice_skip(text, *skipped);
}

static int read_line(struct sb_server *srv, struct sb_show *show, struct sb_slice line, struct sb_fault *fault)
{
	int r;

	if (!show->talk)
		show->talk = sb_pool_get(&srv->talks);
	if (!show->talk)
		return sb_fault_set(fault, SB_E_LIMIT, 0,
				    "too many connections have a line of their own now (--max-lines)");
	r = sb_verb_first(&show->talk->line, true, sb_line_parse(&show->talk->line, line, fault), fault);
	if (r == 0 && line.p[line.n - 1] != '\n')
		r = sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)line.n + 1, "the line does not end: LF is missing");
	return r;
}

/* *answer says how it goes on, unless there is a fault. */
static void obey(struct sb_server *srv, struct sb_conn *c, struct sb_show *show, enum sb_answer *answer,
		 struct sb_fault *fault)
{
	const struct sb_line *line = &show->talk->line;

	if (sb_control(srv, c, answer, fault))
		return;
	*answer = SB_ANSWER_SERVE;
	if (show->is_control && sb_service_named(line->verb, line->verb_col, fault))
		sb_fault_set(fault, SB_E_PLACE, line->verb_col,
			     "%.*s: this connection is for control; a service needs one of its own",
			     SB_FAULT_WORD(line->verb));
	else if (!show->is_control)
		serve_line(srv, c, show, fault);
}

/* "LISTEN " and a line: what is behind it is the line of the port that is made. */
static void listen(struct sb_server *srv, struct sb_conn *c, struct sb_show *show, struct sb_slice line,
		   struct sb_fault *fault)
{
	struct sb_text t = begin_answer(show);

	if (line.n == 0 || line.p[line.n - 1] != '\n')
		sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)line.n + LISTEN_N + 1,
			     "the line does not end: LF is missing");
	else if (sb_port_make(srv, c, line, LISTEN_N, &t, fault) == 0)
		say(show, &t);
}

/* What has come behind the line that asks for it. */
static void hash_rest(struct sb_conn *c, struct sb_show *show, struct sb_slice text)
{
	struct sb_slice all = sb_slice(c->session.leg.p, c->session.leg.n);

	if (show->talk->plan.is_hashed)
		sb_receipt_hash_in(&show->receipt, sb_slice_skip(all, text.n));
}

/* A typing error on a control connection is no reason to take its ports away. */
static enum sb_answer refusal(const struct sb_show *show, struct sb_slice text)
{
	if (!show->is_control)
		return SB_ANSWER_REFUSE;
	return sb_door_is_foreign(text) ? SB_ANSWER_FOREIGN : SB_ANSWER_CONTROL;
}

void sb_heard(struct sb_server *srv, struct sb_conn *c, struct sb_slice text)
{
	struct sb_fault fault = {0};
	enum sb_answer answer = SB_ANSWER_REFUSE;
	uint32_t skipped;
	struct sb_slice line = unmarked(text, &skipped, &fault);
	struct sb_show *show;

	if (!c->session.pace)
		c->session.pace = sb_show_lend(srv, c);
	show = sb_show_of(&c->session);
	if (!fault.code && line.n >= LISTEN_N && memcmp(line.p, LISTEN, LISTEN_N) == 0) {
		listen(srv, c, show, sb_slice_skip(line, LISTEN_N), &fault);
		answer = SB_ANSWER_CONTROL;
	} else if (!fault.code && read_line(srv, show, line, &fault) == 0) {
		obey(srv, c, show, &answer, &fault);
	}
	if (fault.code) {
		fault.col += fault.col ? skipped : 0;
		sb_show_fault(show, &fault);
		answer = refusal(show, text);
	}
	log_line(srv, c, text, &fault);
	if (answer == SB_ANSWER_SERVE)
		hash_rest(c, show, text);
	show->is_control = show->is_control || answer == SB_ANSWER_CONTROL || answer == SB_ANSWER_LATER;
	if (answer != SB_ANSWER_LATER)
		sb_session_answer(&c->session, answer, show->talk ? &show->talk->plan : NULL, &show->pace, srv->now);
}
