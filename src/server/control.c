/* SPDX-License-Identifier: MIT
 *
 * What a connection can ask of the server itself, a line at a time. An answer of more than a line is
 * "+OK bytes=N" and N bytes, which lie in one of a few blocks for that until they are sent.
 */
#include "server/server.h"

#include "scenario/help.h"

enum { HELP_COLUMN = 24, LIST_REST_MAX = 64 };

/* Puts its answer into the show's said. 0, or < 0 with *fault. */
typedef int verb_fn(struct sb_server *srv, struct sb_conn *c, enum sb_answer *answer, struct sb_fault *fault);

/* ---- answers of many lines ---- */

static bool begin_text(struct sb_server *srv, struct sb_show *show, struct sb_text *t, struct sb_fault *fault)
{
	if (!show->text)
		show->text = sb_pool_get(&srv->texts);
	if (!show->text) {
		sb_fault_set(fault, SB_E_LIMIT, 0, "too many long answers are on their way: ask again");
		return false;
	}
	*t = sb_text_in(show->text, SB_ANSWER_MAX);
	/* Room for what is said of it, which is known when it is whole. */
	t->n = SB_ANSWER_HEAD_MAX;
	return true;
}

static void line_of(struct sb_text *t, const char *name, const char *help)
{
	sb_text_str(t, "  ");
	sb_text_str(t, name);
	sb_text_column(t, HELP_COLUMN);
	sb_text_str(t, help);
	sb_text_char(t, '\n');
}

/* Puts "+OK bytes=N" in front of it, and that is the answer. */
static void end_text(struct sb_show *show, const struct sb_text *t)
{
	char room[SB_ANSWER_HEAD_MAX];
	struct sb_text head = sb_text_in(room, sizeof(room));

	sb_text_str(&head, "+OK bytes=");
	sb_text_u64(&head, t->n - SB_ANSWER_HEAD_MAX);
	sb_text_char(&head, '\n');
	memcpy(t->p + SB_ANSWER_HEAD_MAX - head.n, room, head.n);
	show->pace.said = sb_slice(t->p + SB_ANSWER_HEAD_MAX - head.n, t->n - SB_ANSWER_HEAD_MAX + head.n);
}

/* ---- receipts ---- */

static int say_receipt(struct sb_server *srv, struct sb_show *show, uint32_t i, struct sb_fault *fault)
{
	struct sb_text t;

	if (!begin_text(srv, show, &t, fault))
		return SB_E_LIMIT;
	sb_text_bytes(&t, sb_slice(srv->receipts.text[i], srv->receipts.size[i]));
	end_text(show, &t);
	return 0;
}

static bool is_id(struct sb_slice text, char kind, uint32_t id, uint64_t token)
{
	char room[SB_SHOW_ID_MAX];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_text_id(&t, kind, id, token);
	return sb_slice_eq(text, sb_slice(t.p, t.n));
}

/* The receipt that is kept of this id, of a port's the last: its place, or -1. */
static int kept_receipt(const struct sb_server *srv, struct sb_slice id)
{
	const struct sb_receipts *kept = &srv->receipts;

	for (uint32_t k = 1; k <= SB_RECEIPTS_KEPT; k++) {
		uint32_t i = (kept->next + SB_RECEIPTS_KEPT - k) % SB_RECEIPTS_KEPT;

		if (kept->size[i] > 0 && (is_id(id, 'c', kept->id[i], kept->token[i]) ||
					  is_id(id, 's', kept->port[i], sb_port_token(srv, kept->port[i]))))
			return (int)i;
	}
	return -1;
}

/* The open port of this id, or NULL. */
static const struct sb_listener *port_of(const struct sb_server *srv, struct sb_slice id)
{
	for (uint32_t i = srv->static_n; i < srv->listeners_n; i++) {
		const struct sb_listener *l = &srv->listeners[i];

		if (l->is_owned && is_id(id, 's', l->id, l->token))
			return l;
	}
	return NULL;
}

static bool is_open(struct sb_server *srv, struct sb_slice id)
{
	for (uint32_t i = 0; i < srv->conns.fresh; i++) {
		struct sb_conn *c = sb_conn_at(srv, i);

		if (c && c->session.pace && is_id(id, 'c', c->id, sb_show_of(&c->session)->token))
			return true;
	}
	return port_of(srv, id) != NULL;
}

/* It has no connections, and so no receipts: its counters. */
static int say_counters(struct sb_server *srv, struct sb_show *show, const struct sb_listener *l,
			struct sb_fault *fault)
{
	struct sb_text t;

	if (!begin_text(srv, show, &t, fault))
		return SB_E_LIMIT;
	sb_text_port(&t, l);
	sb_text_char(&t, '\n');
	end_text(show, &t);
	return 0;
}

static int receipt(struct sb_server *srv, struct sb_conn *c, enum sb_answer *answer, struct sb_fault *fault)
{
	struct sb_show *show = sb_show_of(&c->session);
	const struct sb_value *id = &show->talk->line.v[SB_KEY_ID], *wait = &show->talk->line.v[SB_KEY_WAIT];
	const struct sb_listener *port;
	int i;

	if (!id->set)
		return sb_fault_set(fault, SB_E_SYNTAX, show->talk->line.verb_col,
				    "RECEIPT needs id=, as the answer to the line said it");
	if (wait->set && wait->num > srv->opt.limits.v[SB_LIMIT_DELAY])
		return sb_fault_set(fault, SB_E_RANGE, wait->col, "wait is at most %llu ms here (--max-delay)",
				    (unsigned long long)(srv->opt.limits.v[SB_LIMIT_DELAY] / SB_MS));
	port = port_of(srv, id->text);
	if (port && port->endpoint.on == SB_ON_UDP)
		return say_counters(srv, show, port, fault);
	i = kept_receipt(srv, id->text);
	if (i >= 0)
		return say_receipt(srv, show, (uint32_t)i, fault);
	if (!is_open(srv, id->text))
		return sb_fault_set(fault, SB_E_UNKNOWN, id->col,
				    "no receipt of this id: it is wrong, or older than the last %d", SB_RECEIPTS_KEPT);
	if (!wait->set)
		return sb_fault_set(fault, SB_E_PLACE, id->col,
				    "no connection of it has ended yet: wait=5s waits for that");
	show->wait_until = srv->now + wait->num;
	srv->receipts.waiting++;
	*answer = SB_ANSWER_LATER;
	return 0;
}

void sb_control_forget(struct sb_server *srv, struct sb_show *show)
{
	if (show->wait_until == SB_NEVER)
		return;
	show->wait_until = SB_NEVER;
	srv->receipts.waiting--;
}

/* Somebody may wait for the receipt that there is now: he looks in this turn. */
void sb_control_wake(struct sb_server *srv)
{
	for (uint32_t i = 0; srv->receipts.waiting > 0 && i < srv->conns.fresh; i++) {
		struct sb_conn *c = sb_conn_at(srv, i);

		if (c && c->session.pace && sb_show_of(&c->session)->wait_until != SB_NEVER)
			sb_timers_set(&srv->timers, i, srv->now);
	}
}

void sb_control_tick(struct sb_server *srv, struct sb_conn *c)
{
	struct sb_show *show = sb_show_of(&c->session);
	struct sb_fault fault = {0};
	int i = kept_receipt(srv, show->talk->line.v[SB_KEY_ID].text);

	if (i < 0 && srv->now < show->wait_until)
		return;
	sb_control_forget(srv, show);
	if (i < 0)
		sb_fault_set(&fault, SB_E_LIMIT, 0, "the connection is still open");
	else
		say_receipt(srv, show, (uint32_t)i, &fault);
	if (fault.code)
		sb_show_fault(show, &fault);
	sb_session_answer(&c->session, SB_ANSWER_CONTROL, NULL, &show->pace, srv->now);
}

/* ---- what there is ---- */

/* A listener in a line of its own; false: it does not fit. */
static bool list_one(struct sb_text *t, const struct sb_listener *l)
{
	struct sb_text before = *t;

	sb_text_port(t, l);
	sb_text_char(t, '\n');
	if (t->lost == 0)
		return true;
	*t = before;
	return false;
}

static int list(struct sb_server *srv, struct sb_conn *c, enum sb_answer *answer, struct sb_fault *fault)
{
	struct sb_show *show = sb_show_of(&c->session);
	struct sb_text t;
	uint64_t rest = 0;

	(void)answer;
	if (!begin_text(srv, show, &t, fault))
		return SB_E_LIMIT;
	t.cap -= LIST_REST_MAX;
	for (uint32_t i = 0; i < srv->listeners_n; i++)
		if (srv->listeners[i].fd >= 0)
			rest += !list_one(&t, &srv->listeners[i]);
	t.cap += LIST_REST_MAX;
	if (rest > 0) {
		sb_text_u64(&t, rest);
		sb_text_str(&t, " more, for which the answer has no room\n");
	}
	end_text(show, &t);
	return 0;
}

static int limits(struct sb_server *srv, struct sb_conn *c, enum sb_answer *answer, struct sb_fault *fault)
{
	struct sb_show *show = sb_show_of(&c->session);
	struct sb_text t;

	(void)answer;
	if (!begin_text(srv, show, &t, fault))
		return SB_E_LIMIT;
	sb_text_str(&t, "profile ");
	sb_text_str(&t, srv->is_strict ? "strict\n" : "loopback\n");
	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		sb_text_str(&t, sb_limit_rows[i].name);
		sb_text_char(&t, ' ');
		sb_text_limit(&t, (enum sb_limit)i, srv->opt.limits.v[i]);
		sb_text_char(&t, '\n');
	}
	end_text(show, &t);
	return 0;
}

static int quit(struct sb_server *srv, struct sb_conn *c, enum sb_answer *answer, struct sb_fault *fault)
{
	(void)srv;
	(void)fault;
	sb_show_of(&c->session)->pace.said = sb_slice_cstr("+OK\n");
	*answer = SB_ANSWER_QUIT;
	return 0;
}

/* LISTEN has a line behind it: see heard.c. */
static int unspoken(struct sb_server *srv, struct sb_conn *c, enum sb_answer *answer, struct sb_fault *fault)
{
	(void)srv;
	(void)answer;
	return sb_fault_set(fault, SB_E_SYNTAX, sb_show_of(&c->session)->talk->line.verb_col,
			    "LISTEN needs a line, as LISTEN ECHO cut=7");
}

static verb_fn help;

static const struct {
	const char *name, *help;
	bool takes_keys;
	verb_fn *fn;
} verbs[] = {
#define SB_VERB(name, fn, takes_keys, help) {#name, help, takes_keys, fn},
#include "service/verbs.def"
#undef SB_VERB
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static int help(struct sb_server *srv, struct sb_conn *c, enum sb_answer *answer, struct sb_fault *fault)
{
	struct sb_show *show = sb_show_of(&c->session);
	struct sb_text t;

	(void)answer;
	if (!begin_text(srv, show, &t, fault))
		return SB_E_LIMIT;
	sb_text_str(&t, "SB1 VERB key=value key=value | step | step:value\nservices:\n");
	for (size_t i = 0; sb_service_at(i); i++)
		line_of(&t, sb_service_at(i)->name, sb_service_at(i)->help);
	sb_text_str(&t, "control:\n");
	for (size_t i = 0; i < VERBS; i++)
		line_of(&t, verbs[i].name, verbs[i].help);
	sb_keys_help(&t);
	end_text(show, &t);
	return 0;
}

bool sb_control(struct sb_server *srv, struct sb_conn *c, enum sb_answer *answer, struct sb_fault *fault)
{
	const struct sb_line *line = &sb_show_of(&c->session)->talk->line;

	for (size_t i = 0; i < VERBS; i++) {
		int r;

		if (!sb_slice_is(line->verb, verbs[i].name))
			continue;
		*answer = SB_ANSWER_CONTROL;
		r = sb_line_check(line, verbs[i].takes_keys ? SB_G_CONTROL : 0, SB_ON_STREAM, verbs[i].name, fault);
		if (r == 0)
			verbs[i].fn(srv, c, answer, fault);
		return true;
	}
	return false;
}
