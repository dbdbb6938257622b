/* SPDX-License-Identifier: MIT
 *
 * From "ENDPOINT,LINE" to a socket that listens: the line is read, its plan made, its options set on the socket
 * (accepted connections inherit them, which saves a system call each), and what the kernel made of them said.
 */
#include "server/server.h"

#include <errno.h>

enum { STRICT_BUF = 64 * 1024, STRICT_UNSENT = 16 * 1024 };

static const char *const defaults[] = {
	"tcp://127.0.0.1:7777,ECHO",
	"tcp://[::1]:7777,ECHO",
	"udp://127.0.0.1:7777,ECHO",
	"udp://[::1]:7777,ECHO",
};

bool sb_listen_ask_at(const struct sb_config *config, size_t i, struct sb_listen_ask *ask)
{
	if (config->listens_n > 0) {
		if (i >= config->listens_n)
			return false;
		*ask = (struct sb_listen_ask){.text = sb_slice_cstr(config->listens[i])};
		return true;
	}
	if (i >= sizeof(defaults) / sizeof(defaults[0]))
		return false;
	*ask = (struct sb_listen_ask){.text = sb_slice_cstr(defaults[i])};
	ask->is_optional = memchr(ask->text.p, '[', ask->text.n) != NULL;
	return true;
}

/* Columns are of what was typed, the endpoint included. */
static int place(const struct sb_listener *l, int r, struct sb_fault *fault)
{
	if (r < 0 && fault && fault->col)
		fault->col += l->line_at;
	return r;
}

int sb_listener_parse(struct sb_listener *l, struct sb_slice text, struct sb_fault *fault)
{
	struct sb_slice endpoint = text, line = sb_slice_cstr("ECHO");
	size_t comma = 0;
	int r;

	while (comma < text.n && text.p[comma] != ',')
		comma++;
	endpoint.n = comma;
	r = sb_endpoint_parse(&l->endpoint, endpoint, fault);
	if (r < 0)
		return r;
	l->line_at = comma < text.n ? (uint32_t)comma + 1 : 0;
	if (comma < text.n)
		line = sb_slice_skip(text, comma + 1);
	r = sb_line_parse(&l->line, line, fault);
	return place(l, sb_verb_first(&l->line, false, r, fault), fault);
}

void sb_text_listener(struct sb_text *t, const struct sb_listener *l)
{
	char line[SB_LINE_MAX * 4];
	int n = sb_line_print(&l->line, line, sizeof(line));

	sb_text_endpoint(t, &l->endpoint);
	sb_text_char(t, ' ');
	sb_text_bytes(t, sb_slice(line, n > 0 ? (size_t)n : 0));
}

/* ---- options ---- */

struct asked {
	struct sb_opt_ask ask;
	bool is_said; /* the line asked for it, so what came of it is logged */
};

enum { ASKED_MAX = SB_LINE_OPTS_MAX + 16 };

struct asked_list {
	struct asked a[ASKED_MAX];
	size_t n;
};

static struct sb_opt_place place_of(const struct sb_server *srv, const struct sb_listener *l)
{
	return (struct sb_opt_place){
		.who = l->is_port ? SB_OPT_CLIENT : SB_OPT_OPERATOR,
		.when = SB_OPT_LISTENER,
		.strict = srv->is_strict,
		.is_tcp = l->endpoint.on == SB_ON_TCP,
		.is_udp = l->endpoint.on == SB_ON_UDP,
		.is_ipv4 = l->endpoint.addr.family == SB_IPV4,
		.is_ipv6 = l->endpoint.addr.family == SB_IPV6,
	};
}

static bool is_asked(const struct asked_list *list, const struct sb_sockopt *row)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->a[i].ask.row == row)
			return true;
	return false;
}

/* What every listener gets unless its line says otherwise. */
static void ask_default(struct asked_list *list, const char *name, int64_t value)
{
	const struct sb_sockopt *row = sb_sockopt_named(sb_slice_cstr(name));

	if (row && !is_asked(list, row) && list->n < ASKED_MAX)
		list->a[list->n++] = (struct asked){.ask = {.row = row, .value = value}};
}

/* An option is the listener's, whose connections inherit it, or one that each connection has to be given. */
static int find(struct sb_opt_ask *ask, bool *is_conn, const struct sb_server *srv, const struct sb_listener *l,
		const struct sb_line_opt *opt, struct sb_fault *fault)
{
	struct sb_opt_place place = place_of(srv, l);
	const struct sb_sockopt *row = sb_sockopt_named(opt->name);

	*is_conn = row && row->when == SB_OPT_CONNECTION && l->endpoint.on != SB_ON_UDP;
	if (*is_conn)
		place.when = SB_OPT_CONNECTION;
	return sb_sockopt_find(ask, opt->name, opt->value, place, fault);
}

static int ask_for(struct asked_list *list, const struct sb_server *srv, struct sb_listener *l,
		   const struct sb_line_opt *opt, struct sb_fault *fault)
{
	struct asked a = {.is_said = true};
	bool is_conn;
	int r = find(&a.ask, &is_conn, srv, l, opt, fault);

	if (r < 0) {
		if (fault)
			fault->col = fault->col == 2 ? opt->value_col : opt->col;
		return r;
	}
	if (is_asked(list, a.ask.row))
		return sb_fault_set(fault, SB_E_DUPLICATE, opt->col, "%s is asked for twice", a.ask.row->name);
	if (!is_conn) {
		list->a[list->n++] = a;
		return 0;
	}
	if (l->conn_opts_n == SB_CONN_OPTS_MAX)
		return sb_fault_set(fault, SB_E_LIMIT, opt->col, "at most %d options of connections", SB_CONN_OPTS_MAX);
	l->conn_opts[l->conn_opts_n++] = a.ask;
	return 0;
}

/* Keys that are an option by a shorter name. */
static const struct {
	enum sb_key key;
	const char *option;
} shorter[] = {{SB_KEY_RCVBUF, "SO_RCVBUF"}, {SB_KEY_SNDBUF, "SO_SNDBUF"}, {SB_KEY_MSS, "TCP_MAXSEG"}};

enum { SHORTER = sizeof(shorter) / sizeof(shorter[0]) };

static int ask_short(struct asked_list *list, const struct sb_server *srv, struct sb_listener *l, enum sb_key key,
		     const char *name, struct sb_fault *fault)
{
	const struct sb_value *v = &l->line.v[key];
	char digits[24];
	struct sb_text t = sb_text_in(digits, sizeof(digits));
	struct sb_line_opt opt = {.name = sb_slice_cstr(name), .col = v->key_col, .value_col = v->col};

	if (!v->set)
		return 0;
	sb_text_u64(&t, v->num);
	opt.value = sb_slice(t.p, t.n);
	return ask_for(list, srv, l, &opt, fault);
}

static int collect(struct asked_list *list, const struct sb_server *srv, struct sb_listener *l, struct sb_fault *fault)
{
	int r = 0;

	for (size_t i = 0; i < SHORTER && r == 0; i++)
		r = ask_short(list, srv, l, shorter[i].key, shorter[i].option, fault);
	for (size_t i = 0; i < l->line.opts_n && r == 0; i++)
		r = ask_for(list, srv, l, &l->line.opts[i], fault);
	if (r < 0)
		return r;
	if (l->endpoint.on == SB_ON_TCP) {
		/* Linux: a restart binds although old connections are in TIME_WAIT, and no second listener can. */
		ask_default(list, "SO_REUSEADDR", 1);
		ask_default(list, "TCP_NODELAY", 1);
	}
	if (l->endpoint.on != SB_ON_UNIX && l->endpoint.addr.family == SB_IPV6)
		ask_default(list, "IPV6_V6ONLY", 1);
	if (srv->is_strict && l->endpoint.on != SB_ON_UNIX) {
		ask_default(list, "SO_RCVBUF", STRICT_BUF);
		ask_default(list, "SO_SNDBUF", STRICT_BUF);
	}
	if (srv->is_strict && l->endpoint.on == SB_ON_TCP)
		ask_default(list, "TCP_NOTSENT_LOWAT", STRICT_UNSENT);
	return 0;
}

void sb_say_option(struct sb_server *srv, const char *who, uint32_t id, const struct sb_opt_ask *ask, int err,
		   int64_t effective)
{
	struct sb_log *log = &srv->log;

	if (!sb_log_begin(log, SB_LOG_OPTION, srv->now))
		return;
	sb_log_u64(log, who, id);
	sb_log_word(log, "name", ask->row->name);
	sb_log_i64(log, "asked", ask->value);
	if (err < 0)
		sb_log_word(log, "errno", sb_errname(err));
	else
		sb_log_i64(log, "effective", effective);
	sb_log_end(log);
}

void sb_listener_set_conn(struct sb_server *srv, uint32_t i, int fd)
{
	const struct sb_listener *l = &srv->listeners[i];

	for (uint32_t k = 0; k < l->conn_opts_n; k++) {
		int64_t effective = 0;
		int r = sb_sockopt_set(srv->sys, fd, l->conn_opts[k], &effective);

		sb_say_option(srv, "listener", i + 1, &l->conn_opts[k], r, effective);
	}
}

/* The key that the line asked for this option by, or NULL. */
static const char *key_of(const struct sb_line *line, const struct sb_opt_ask *ask)
{
	for (size_t i = 0; i < SHORTER; i++)
		if (line->v[shorter[i].key].set && strcmp(ask->row->name, shorter[i].option) == 0)
			return sb_keys[shorter[i].key].name;
	return NULL;
}

/* " rcvbuf=2304->4608 opt.TCP_NODELAY=0->0" */
static void tell_option(struct sb_text *t, const struct sb_line *line, const struct sb_opt_ask *ask, int64_t effective)
{
	const char *key = key_of(line, ask);

	sb_text_str(t, key ? " " : " opt.");
	sb_text_str(t, key ? key : ask->row->name);
	sb_text_char(t, '=');
	sb_text_i64(t, ask->value);
	sb_text_str(t, "->");
	sb_text_i64(t, effective);
}

static int set_options(struct sb_server *srv, uint32_t i, const struct asked_list *list, struct sb_text *said,
		       struct sb_fault *fault)
{
	const struct sb_listener *l = &srv->listeners[i];

	for (size_t k = 0; k < list->n; k++) {
		const struct asked *a = &list->a[k];
		int64_t effective = 0;
		int r = sb_sockopt_set(srv->sys, l->fd, a->ask, &effective);

		if (r < 0)
			return sb_fault_set(fault, r, 0, "%s=%lld: %s", a->ask.row->name, (long long)a->ask.value,
					    sb_strerror(r));
		if (a->is_said)
			sb_say_option(srv, "listener", i + 1, &a->ask, 0, effective);
		if (a->is_said && said)
			tell_option(said, &l->line, &a->ask, effective);
	}
	return 0;
}

/* ---- binding ---- */

static int say_why(const struct sb_listener *l, int err, const char *why, struct sb_fault *fault)
{
	char room[160];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_text_endpoint(&t, &l->endpoint);
	return sb_fault_set(fault, err, 0, "%s: %s%s", sb_text_end(&t), sb_strerror(err), why);
}

static int say_bind(const struct sb_listener *l, int err, struct sb_fault *fault)
{
	const char *fix = "";

	if (err == -EADDRINUSE && l->endpoint.on != SB_ON_UNIX)
		fix = ": something else has this port; port 0 picks a free one";
	else if (err == -EACCES && l->endpoint.on != SB_ON_UNIX)
		fix = ": ports below 1024 need a privilege; port 0 picks a free one";
	return say_why(l, err, fix, fault);
}

/* The path is taken: what is known of it. */
static int say_taken(const struct sb_listener *l, const char *known, int err, struct sb_fault *fault)
{
	char room[160];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_text_str(&t, ": ");
	sb_text_str(&t, known);
	if (err < 0) {
		sb_text_str(&t, ": ");
		sb_text_str(&t, sb_strerror(err));
	}
	return say_why(l, -EADDRINUSE, sb_text_end(&t), fault);
}

/* A socket's file outlives its server. If nobody answers there it is a leftover, and goes. */
static int take_over(struct sb_server *srv, struct sb_listener *l, struct sb_fault *fault)
{
	int probe = sb_sys_socket(srv->sys, SB_UNIX, true);
	int r;

	if (probe < 0)
		return say_bind(l, probe, fault);
	r = sb_sys_connect_unix(srv->sys, probe, l->endpoint.path);
	sb_sys_close(srv->sys, probe);
	if (r == 0 || r == -EAGAIN) /* the second: more wait there than it lets wait */
		return say_taken(l, "a server listens there", 0, fault);
	if (r != -ECONNREFUSED)
		return say_taken(l, "whether anybody listens there cannot be told", r, fault);
	r = sb_sys_unlink_socket(srv->sys, l->endpoint.path);
	if (r < 0)
		return say_taken(l, "nobody listens there, and it cannot be removed", r, fault);
	r = sb_sys_bind_unix(srv->sys, l->fd, l->endpoint.path);
	return r < 0 ? say_bind(l, r, fault) : 0;
}

static int bind_unix(struct sb_server *srv, struct sb_listener *l, struct sb_fault *fault)
{
	int r = sb_sys_bind_unix(srv->sys, l->fd, l->endpoint.path);

	if (r == -EADDRINUSE)
		r = take_over(srv, l, fault);
	else if (r < 0)
		say_bind(l, r, fault);
	l->is_bound_file = r == 0;
	return r;
}

static int bind_addr(struct sb_server *srv, struct sb_listener *l, struct sb_fault *fault)
{
	int r = sb_sys_bind(srv->sys, l->fd, &l->endpoint.addr);

	if (r == 0 && l->endpoint.on == SB_ON_UDP && !l->is_loopback)
		r = sb_sys_want_dst(srv->sys, l->fd, l->endpoint.addr.family);
	if (r == 0)
		r = sb_sys_sockname(srv->sys, l->fd, &l->endpoint.addr);
	/* A socket that is connected takes datagrams of its peer alone, and all others are refused. Its peer is itself:
	 * the port stays taken, and nobody else can be that peer. */
	if (r == 0 && l->plan.fates.how == SB_REPLY_REFUSED)
		r = sb_sys_connect(srv->sys, l->fd, &l->endpoint.addr);
	return r < 0 ? say_bind(l, r, fault) : 0;
}

static int bind_it(struct sb_server *srv, struct sb_listener *l, struct sb_fault *fault)
{
	return l->endpoint.on == SB_ON_UNIX ? bind_unix(srv, l, fault) : bind_addr(srv, l, fault);
}

static int backlog_of(const struct sb_listener *l)
{
	const struct sb_value *backlog = &l->line.v[SB_KEY_BACKLOG];

	if (l->plan.syn.is_drop)
		return 0;
	return backlog->set ? (int)backlog->num : SB_BACKLOG;
}

static int say_fill(const struct sb_listener *l, int err, struct sb_fault *fault)
{
	return say_why(l, err, ": syn=drop needs a connection of our own in its queue", fault);
}

static int start(struct sb_server *srv, uint32_t i, struct sb_text *said, struct sb_fault *fault)
{
	struct sb_listener *l = &srv->listeners[i];
	int r = l->endpoint.on == SB_ON_UDP ? 0 : sb_sys_listen(srv->sys, l->fd, backlog_of(l));

	if (r < 0)
		return say_bind(l, r, fault);
	r = l->plan.syn.is_drop ? sb_syn_fill(srv, i) : 0;
	if (r < 0)
		return say_fill(l, r, fault);
	if (l->plan.syn.is_drop && said)
		sb_text_syn(said, l);
	r = srv->io.backend->ops->attach(&srv->io, sb_handle_of_listener(srv, i), l->fd,
					 l->endpoint.on == SB_ON_UDP ? SB_IO_DGRAM : SB_IO_LISTENER);
	if (r < 0)
		return say_bind(l, r, fault);
	srv->listening++;
	if (l->endpoint.on == SB_ON_UDP) {
		sb_udp_own(srv, l->endpoint.addr.port);
		sb_udp_arm(srv, i);
	} else if (l->is_paused) {
		sb_timers_set(&srv->timers, sb_slot_of_listener(srv, i), l->fill_until);
	} else {
		sb_accept_arm(srv, i);
	}
	return 0;
}

/* ---- opening and closing ---- */

/* A line that says nothing but a service that waits for the client leaves the rest to him. */
static bool is_bare(const struct sb_line *line)
{
	for (int i = 0; i < SB_KEYS_N; i++)
		if (line->v[i].set)
			return false;
	return line->opts_n == 0 && line->steps_n == 0;
}

static int set_door(struct sb_listener *l, struct sb_fault *fault)
{
	const struct sb_value *preamble = &l->line.v[SB_KEY_PREAMBLE];
	bool waits = !l->plan.service->ops->is_source && !l->is_forward;

	if (preamble->set && preamble->num && l->is_port)
		return sb_fault_set(fault, SB_E_PLACE, preamble->key_col,
				    "a port that LISTEN makes has its line already: its connections begin with none");
	if (preamble->set && preamble->num && !waits)
		return sb_fault_set(fault, SB_E_PLACE, preamble->key_col,
				    "%s does not wait for the client: it cannot begin with a line of his",
				    l->plan.service->name);
	if (preamble->set && preamble->num && l->plan.is_hashed)
		return sb_fault_set(fault, SB_E_PLACE, l->line.v[SB_KEY_HASH].key_col,
				    "hash= is for the line that a connection begins with where there may be one");
	l->plan.is_door = l->endpoint.on != SB_ON_UDP && waits && !l->is_port &&
			  (preamble->set ? preamble->num : is_bare(&l->line));
	return 0;
}

static int make_plan(struct sb_server *srv, struct sb_listener *l, struct sb_fault *fault)
{
	struct sb_service_in in = {
		.line = &l->line,
		.without = SB_G_CONTROL | (l->is_port ? 0u : SB_G_PORT),
		.files = srv->files,
		.files_n = srv->files_n,
		.seed = srv->seed ^ l->token,
		.scratch = srv->scratch,
	};

	/* Whom a port of LISTEN answers has proved that his address is his. */
	bool is_strict = srv->is_strict && !l->is_port;
	struct sb_plan ways[SB_WAYS];
	int r;

	l->is_forward = sb_line_is_forward(&l->line);
	if (l->is_forward) {
		r = sb_plan_make_ways(ways, &in, l->endpoint.on, &srv->opt.limits, is_strict, fault);
		l->plan = ways[SB_WAY_UP];
		l->down = ways[SB_WAY_DOWN];
		if (r == 0)
			r = sb_forward_read(srv, l, fault);
	} else {
		r = sb_plan_make(&l->plan, &in, l->endpoint.on, &srv->opt.limits, is_strict, fault);
	}

	/* Connected, the socket would have one address, and on the others its port would be free. */
	if (r == 0 && l->plan.fates.how == SB_REPLY_REFUSED && sb_addr_is_any(&l->endpoint.addr))
		r = sb_fault_set(fault, SB_E_PLACE, l->line.v[SB_KEY_REPLY].key_col,
				 "reply=refused is for one address, not for all of a machine: name one");
	if (r == 0)
		r = sb_steps_check_options(srv, l, &l->line, l->is_port, fault);
	if (r == 0)
		r = set_door(l, fault);
	/* Those that nth= leaves out. */
	l->other = (struct sb_plan){.service = l->plan.service, .limits = l->plan.limits, .line = l->plan.line};
	l->other.framing = l->plan.framing;
	l->other.source = l->plan.source;
	l->other.recv_max = SB_RECV_MAX;
	l->other.limit = l->other.flip = SB_NEVER;
	return r;
}

static void say_listening(struct sb_server *srv, uint32_t i)
{
	const struct sb_listener *l = &srv->listeners[i];
	char room[SB_LOG_LINE_MAX];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (!sb_log_begin(&srv->log, SB_LOG_LISTENING, srv->now))
		return;
	sb_text_listener(&t, l);
	sb_log_u64(&srv->log, "listener", i + 1);
	sb_log_text(&srv->log, "on", sb_slice(t.p, t.n));
	if (sb_plan_has_seed(&l->plan) || (l->is_forward && sb_plan_has_seed(&l->down)))
		sb_log_u64(&srv->log, "seed", l->plan.cuts.seed);
	sb_log_end(&srv->log);
}

int sb_listener_open(struct sb_server *srv, uint32_t i, struct sb_text *said, struct sb_fault *fault)
{
	struct sb_listener *l = &srv->listeners[i];
	struct asked_list list = {.n = 0};
	int r = make_plan(srv, l, fault);

	l->filler_fd = -1;
	if (r == 0)
		r = collect(&list, srv, l, fault);
	if (r < 0)
		return place(l, r, fault);
	l->left = l->line.v[SB_KEY_CONNS].set ? l->line.v[SB_KEY_CONNS].num : UINT64_MAX;
	l->nth = l->line.v[SB_KEY_NTH].set ? l->line.v[SB_KEY_NTH].num : 0;
	l->is_rst = l->line.v[SB_KEY_ACCEPT].set && l->line.v[SB_KEY_ACCEPT].num;
	l->fd = sb_sys_socket(srv->sys, l->endpoint.addr.family, l->endpoint.on != SB_ON_UDP);
	if (l->fd < 0)
		return say_bind(l, l->fd, fault);
	r = set_options(srv, i, &list, said, fault);
	if (r == 0)
		r = bind_it(srv, l, fault);
	if (r == 0)
		r = place(l, sb_forward_check_loop(srv, i, fault), fault);
	if (r == 0)
		r = start(srv, i, said, fault);
	if (r < 0) {
		sb_syn_close(srv, i);
		sb_sys_close(srv->sys, l->fd);
		if (l->is_bound_file)
			sb_sys_unlink_socket(srv->sys, l->endpoint.path);
		l->is_bound_file = false;
		l->fd = -1;
		return r;
	}
	say_listening(srv, i);
	sb_syn_say(srv, i);
	return 0;
}

void sb_listener_close(struct sb_server *srv, uint32_t i)
{
	struct sb_listener *l = &srv->listeners[i];

	if (l->fd < 0)
		return;
	sb_late_stop(srv, i);
	sb_syn_close(srv, i);
	if (l->endpoint.on == SB_ON_UDP)
		sb_udp_disown(srv, l->endpoint.addr.port);
	srv->io.backend->ops->detach(&srv->io, sb_slot_of_listener(srv, i));
	/* The connections of a port that is kept are, too, until then. */
	sb_timers_set(&srv->timers, sb_slot_of_listener(srv, i), l->is_owned && l->gone_at ? l->gone_at : SB_NEVER);
	sb_sys_close(srv->sys, l->fd);
	l->fd = -1;
	l->gen++;
	srv->listening--;
	if (l->is_bound_file)
		sb_sys_unlink_socket(srv->sys, l->endpoint.path);
	l->is_bound_file = false;
	if (sb_log_begin(&srv->log, SB_LOG_UNLISTENED, srv->now)) {
		sb_log_u64(&srv->log, "listener", i + 1);
		sb_log_end(&srv->log);
	}
	sb_port_settle(srv, i);
}
