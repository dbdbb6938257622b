/* SPDX-License-Identifier: MIT
 * What a server does for the steps of a line: it notes that they begin, and sets the options they name. */
#include "server/server.h"

#include <assert.h>

struct sb_opt_place sb_opt_place_of_conn(const struct sb_server *srv, const struct sb_listener *l, bool is_clients)
{
	return (struct sb_opt_place){
		.who = is_clients ? SB_OPT_CLIENT : SB_OPT_OPERATOR,
		.when = SB_OPT_CONNECTION,
		.strict = srv->is_strict,
		.is_tcp = l->endpoint.on == SB_ON_TCP,
		.is_ipv4 = l->endpoint.addr.family == SB_IPV4,
		.is_ipv6 = l->endpoint.addr.family == SB_IPV6,
	};
}

int sb_steps_check_options(const struct sb_server *srv, const struct sb_listener *l, const struct sb_line *line,
			   bool is_clients, struct sb_fault *fault)
{
	for (int i = 0; i < line->steps_n; i++) {
		const struct sb_step *step = &line->steps[i];
		struct sb_opt_ask ask;
		int r = step->kind == SB_STEP_OPT ? sb_sockopt_find(&ask, step->opt, step->v.text,
								    sb_opt_place_of_conn(srv, l, is_clients), fault)
						  : 0;

		if (r < 0) {
			if (fault)
				fault->col = fault->col == 2 ? step->v.col : step->v.key_col;
			return r;
		}
	}
	return 0;
}

void sb_step_begins(struct sb_server *srv, struct sb_conn *c, uint64_t step)
{
	struct sb_show *show = sb_show_of(&c->session);
	struct sb_done done = {.kind = SB_OP_STEP};

	if (step < c->session.plan->steps_n)
		sb_receipt_step(&show->receipt, (uint32_t)step, srv->now);
	sb_session_event(&c->session, &done, srv->now);
}

void sb_step_sets(struct sb_server *srv, struct sb_conn *c, struct sb_slice name, struct sb_slice value)
{
	struct sb_show *show = sb_show_of(&c->session);
	bool is_own = show->talk && c->session.plan == &show->talk->plan;
	const struct sb_listener *l = &srv->listeners[c->listener];
	struct sb_done done = {.kind = SB_OP_SETOPT};
	struct sb_opt_ask ask;
	int64_t effective = 0;

	/* Who said the line: the peer, here or to make its port; or the operator. It has been found before. */
	done.res = sb_sockopt_find(&ask, name, value, sb_opt_place_of_conn(srv, l, is_own || l->is_port), NULL);
	assert(done.res == 0);
	done.res = sb_sockopt_set(srv->sys, c->fd, ask, &effective);
	sb_say_option(srv, "conn", c->id, &ask, done.res, effective);
	if (done.res >= 0)
		sb_receipt_option(&show->receipt, show->pace.steps.at, effective, srv->now);
	sb_session_event(&c->session, &done, srv->now);
}
