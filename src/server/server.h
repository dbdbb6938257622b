/* SPDX-License-Identifier: MIT
 *
 * The server's own parts, and which file works on them:
 *
 *   layout.c    one walk that sizes all memory, and hands it out
 *   listener.c  endpoints into sockets: line, options, bind, listen
 *   accept.c    taking connections: limits, refusing, pausing when descriptors run out
 *   syn.c       not answering who wants to connect: syn=drop
 *   conn.c      one connection: its session's ops carried out, its bytes kept, its end
 *   forward.c   the second connection of a FORWARD: where it may lead, and making it
 *   show.c      what a connection whose line shapes what it sends has besides: pace, gate, receipt
 *   steps.c     what is done for the steps of a line
 *   heard.c     a line that came on a connection, and its answer
 *   control.c   verbs that ask something of the server itself
 *   ports.c     throw-away ports
 *   gate.c      waiting until peers have read
 *   udp.c       datagrams
 *   late.c      replies to datagrams of which the line says more: counted, dropped, doubled, sent later
 *   server.c    init, the turn of the loop, stopping
 *   counters.c  counting and telling
 *   public.c    streambed.h's text front ends
 */
#ifndef SB_SERVER_SERVER_H
#define SB_SERVER_SERVER_H

#include <stdatomic.h>

#include "base/pool.h"
#include "base/timer.h"
#include "core/dgram.h"
#include "core/perip.h"
#include "core/replies.h"
#include "core/session.h"
#include "io/io.h"
#include "server/endpoint.h"
#include "server/log.h"
#include "server/options.h"
#include "server/show.h"
#include "sockopt/sockopt.h"

enum {
	SB_LISTENERS_MAX = 64,
	SB_BUF_CLASSES = 3,
	SB_BACKLOG = 511,
	SB_CONN_OPTS_MAX = 4,
	SB_PEERS_MAX = 4096, /* whose replies are counted at once */
};

enum sb_counter {
#define SB_COUNTER(id, name) SB_COUNT_##id,
#include "server/counters.def"
#undef SB_COUNTER
	SB_COUNTERS
};

/* A connection. peer is what accept gave: after an RST nobody else knows it. */
struct sb_conn {
	struct sb_session session;
	struct sb_conn *across; /* of a FORWARD: the one whose socket sends what this one receives */
	struct sb_addr peer;
	void *buf; /* the pool block its held bytes lie in, or NULL */
	int fd;
	uint32_t gen, id;
	uint32_t want : 17; /* what its session's RECV asked for, 0 when none is to be armed */
	uint32_t listener : 14;
	uint32_t is_counted : 1; /* in the table of connections by address */
};

/* Of a datagram socket. */
struct sb_dgram_count {
	uint64_t in, bytes_in, out, bytes_out, dropped;
};

struct sb_listener {
	struct sb_endpoint endpoint; /* with the port that was bound */
	struct sb_line line;
	uint32_t line_at; /* where the line begins in what was typed */
	struct sb_plan plan;
	int fd; /* -1: closed */
	uint32_t gen;
	bool is_loopback;
	bool is_paused;
	bool is_bound_file; /* the path is ours to remove */
	uint64_t left;      /* connections still to be taken; UINT64_MAX for no end */
	uint64_t taken;     /* connections so far */
	uint32_t open;      /* of them, not ended yet */
	bool is_rst;        /* accept=rst */
	/* syn=drop: the connection of our own that fills its queue, and until when. */
	bool is_filled; /* it has not been taken out of the queue */
	int filler_fd;  /* -1 when it is closed */
	uint64_t fill_until;
	struct sb_addr filler; /* its own address */
	uint64_t nth;          /* the one connection that its line is for; 0: all. The others get … */
	struct sb_plan other;
	/* FORWARD: where to; plan is that of the direction up. */
	bool is_forward;
	struct sb_endpoint to;
	struct sb_plan down;
	/* A throw-away port. */
	bool is_port, is_owned;  /* is_owned: it is in use, or kept */
	uint32_t id;             /* 0 for others */
	uint64_t token, gone_at; /* gone_at: its owner has gone, and it is to go then; 0: not yet */
	struct sb_handle owner;  /* the control connection */
	struct sb_addr from;     /* whose connections it takes */
	struct sb_dgram_count dgram;
	/* Options that connections do not inherit from the listener: set on each. */
	struct sb_opt_ask conn_opts[SB_CONN_OPTS_MAX];
	uint32_t conn_opts_n;
};

/* A host's name, and the address it stands for. */
struct sb_name {
	struct sb_slice name;
	struct sb_addr addr;
};

enum sb_stage { SB_STAGE_RUN, SB_STAGE_DRAIN, SB_STAGE_KILL };

struct sb_server {
	struct sb_sys *sys;
	struct sb_options opt;
	bool is_strict;
	enum sb_stage stage;
	atomic_uint stops; /* how often it was asked to stop */
	uint64_t now;
	struct sb_io io;
	struct sb_log log;
	struct sb_timers timers; /* ids are the io slots */
	struct sb_pool conns;
	struct sb_pool bufs[SB_BUF_CLASSES];
	struct sb_pool shows, talks, texts;
	struct sb_gate gate;
	struct sb_receipts receipts;
	struct sb_log receipt_log; /* where --receipts writes: lines of JSON, no events */
	uint64_t token_secret;
	struct sb_perip perip;
	struct sb_rates *rates;
	struct sb_replies replies; /* of listeners whose line says what becomes of them */
	struct sb_listener *listeners;
	uint32_t listeners_n, listeners_cap; /* in use so far; that there may be */
	uint32_t static_n;                   /* of them, those of the config; ports come behind them */
	uint32_t listening;                  /* that are open */
	uint32_t port_ids, next_port;
	uint16_t *own_ports; /* of the datagram sockets that are open: room for listeners_cap */
	uint32_t own_ports_n;
	uint8_t *scratch; /* SB_IO_BUF_SIZE bytes for what is made and sent at once */
	const struct sb_file *files;
	size_t files_n;
	const struct sb_name *names;
	size_t names_n;
	uint64_t seed;
	int spare_fd, wake_fd;
	uint32_t conn_ids;
	uint64_t count[SB_COUNTERS];
	uint64_t closed[SB_WHY_COUNT];
	uint64_t dropped[SB_DROP_COUNT];
};

/* ---- slots: connections first, then listeners, then the wake fd ---- */

static inline uint32_t sb_slot_of_listener(const struct sb_server *srv, uint32_t i)
{
	return srv->conns.cap + i;
}

static inline struct sb_handle sb_handle_of_listener(const struct sb_server *srv, uint32_t i)
{
	return (struct sb_handle){.slot = sb_slot_of_listener(srv, i), .gen = srv->listeners[i].gen};
}

static inline uint32_t sb_slot_of_wake(const struct sb_server *srv)
{
	return srv->conns.cap + srv->listeners_cap;
}

/* ---- layout.c ---- */

/* Bytes for a server with these options, its own struct included. */
size_t sb_layout_size(const struct sb_options *o);
/* Hands mem (zero-filled, of that size) out to srv, which lies at its start. */
void sb_layout_take(struct sb_server *srv, void *mem);

/* ---- listener.c ---- */

struct sb_listen_ask {
	struct sb_slice text; /* "ENDPOINT" or "ENDPOINT,LINE" */
	bool is_optional;     /* one of the defaults: without its address the server goes on */
};

/* What the server is asked to listen on: config's, or the defaults. The i-th, or false after the last. */
bool sb_listen_ask_at(const struct sb_config *config, size_t i, struct sb_listen_ask *ask);
/* Parses one into l (endpoint and line only). 0, or < 0 with *fault. */
int sb_listener_parse(struct sb_listener *l, struct sb_slice text, struct sb_fault *fault);
/* Makes the plan and the socket, and begins to listen. 0, or < 0 with *fault and nothing left open. said, unless it is
 * NULL, gets what the options that were asked for came to. */
int sb_listener_open(struct sb_server *srv, uint32_t i, struct sb_text *said, struct sb_fault *fault);
void sb_listener_close(struct sb_server *srv, uint32_t i);
/* Logs that an option of a connection or listener was set, or why not: who is "conn" or "listener". */
void sb_say_option(struct sb_server *srv, const char *who, uint32_t id, const struct sb_opt_ask *ask, int err,
		   int64_t effective);
/* Sets what a connection of this listener does not inherit; what fails is logged. */
void sb_listener_set_conn(struct sb_server *srv, uint32_t i, int fd);
/* "tcp://127.0.0.1:7777 ECHO frame=line" */
void sb_text_listener(struct sb_text *t, const struct sb_listener *l);

/* ---- accept.c ---- */

void sb_accept_arm(struct sb_server *srv, uint32_t i);
void sb_accept_done(struct sb_server *srv, uint32_t i, const struct sb_done *done);
/* The pause is over. */
void sb_accept_resume(struct sb_server *srv, uint32_t i);
/* Whether this peer may come to this listener. */
bool sb_is_allowed(const struct sb_server *srv, const struct sb_listener *l, const struct sb_addr *peer);

/* ---- syn.c ---- */

/* Fills the queue of a listener that listens with a backlog of 0: from here on it is paused, until the plan's time is
 * over. 0, or -errno, and it is to be closed; -ETIMEDOUT: somebody else came first. */
int sb_syn_fill(struct sb_server *srv, uint32_t i);
/* Its time is over. */
void sb_syn_empty(struct sb_server *srv, uint32_t i);
/* The listener closes, or could not be opened. */
void sb_syn_close(struct sb_server *srv, uint32_t i);
/* In the log, of a listener that has dropped until now, or begins to. */
void sb_syn_say(struct sb_server *srv, uint32_t i);
/* The first connection that is taken after that: whether it is our own. */
bool sb_syn_take(struct sb_listener *l, const struct sb_addr *peer);
/* " syn=drop:1500ms->backlog=0,filler=127.0.0.1:40321": asked, and what was done. */
void sb_text_syn(struct sb_text *t, const struct sb_listener *l);

/* ---- conn.c ---- */

/* Takes over fd: 0, or < 0 when it cannot be served (fd is still the caller's). */
int sb_conn_open(struct sb_server *srv, uint32_t listener, int fd, const struct sb_addr *peer, bool is_counted);
void sb_conn_done(struct sb_server *srv, struct sb_conn *c, const struct sb_done *done);
void sb_conn_tick(struct sb_server *srv, struct sb_conn *c);
/* A connection of this listener on fd, which it takes over, without a session yet. NULL with *err when it cannot be. */
struct sb_conn *sb_conn_take(struct sb_server *srv, uint32_t listener, int fd, const struct sb_addr *peer, int *err);
/* RST, now. */
void sb_conn_reset(struct sb_server *srv, struct sb_conn *c);
/* The server stops: in order, or at once. */
void sb_conn_stop(struct sb_server *srv, struct sb_conn *c);
/* The connection in this slot, NULL when there is none. */
struct sb_conn *sb_conn_at(struct sb_server *srv, uint32_t slot);
/* Whose socket sends what the session of c has to send. */
static inline struct sb_conn *sb_conn_out(struct sb_conn *c)
{
	return c->across ? c->across : c;
}

/* ---- forward.c ---- */

/* Reads to= of a listener's line. 0, or < 0 with *fault at the line's column. */
int sb_forward_read(struct sb_server *srv, struct sb_listener *l, struct sb_fault *fault);
/* Listener i has its port: nobody may forward to himself, not by others either. */
int sb_forward_check_loop(const struct sb_server *srv, uint32_t i, struct sb_fault *fault);
/* c has been accepted, its session opened: the second connection, to be dialed. */
void sb_forward_open(struct sb_server *srv, struct sb_conn *c);
/* Carries out CONNECT. */
int sb_forward_dial(struct sb_server *srv, struct sb_conn *c, struct sb_op *op, struct sb_done *done);

/* ---- show.c ---- */

/* NULL when there are no more. */
struct sb_pace *sb_show_lend(struct sb_server *srv, struct sb_conn *c);
/* The connection has ended: its receipt is written, what was lent goes back. */
void sb_show_end(struct sb_server *srv, struct sb_conn *c);
/* Writes receipts that wait, as much as is taken now; that they cannot be written any more is logged. */
void sb_receipts_flush(struct sb_server *srv);
/* The server ends: what cannot be written now is lost, and logged. */
void sb_receipts_end(struct sb_server *srv);
/* "c7.0123456789abcdef": c is a connection, s a port. */
void sb_text_id(struct sb_text *t, char kind, uint32_t id, uint64_t token);

/* ---- steps.c ---- */

/* Where an option of a connection of this listener is set. is_clients: the peer has said it, not the operator. */
struct sb_opt_place sb_opt_place_of_conn(const struct sb_server *srv, const struct sb_listener *l, bool is_clients);
/* That the options which steps of the line name may be set: 0, or < 0 with *fault. */
int sb_steps_check_options(const struct sb_server *srv, const struct sb_listener *l, const struct sb_line *line,
			   bool is_clients, struct sb_fault *fault);
/* The ops STEP and SETOPT, which complete at once. */
void sb_step_begins(struct sb_server *srv, struct sb_conn *c, uint64_t step);
void sb_step_sets(struct sb_server *srv, struct sb_conn *c, struct sb_slice name, struct sb_slice value);

/* ---- ports.c ---- */

/* LISTEN: makes a port with this line, which begins at column col + 1 of what was said. 0 and the answer in t, or < 0
 * with *fault. */
int sb_port_make(struct sb_server *srv, struct sb_conn *c, struct sb_slice line, uint32_t col, struct sb_text *t,
		 struct sb_fault *fault);
/* The control connection has ended: so do its ports, or they begin to count what keep= gave them. */
void sb_ports_of_gone(struct sb_server *srv, const struct sb_conn *c);
/* The timer of listener i: true when it was the end of a port. */
bool sb_port_tick(struct sb_server *srv, uint32_t i);
/* A port that takes no more, and whose connections have ended, is nobody's. */
void sb_port_settle(struct sb_server *srv, uint32_t i);
uint64_t sb_port_token(const struct sb_server *srv, uint32_t id);
/* The listener, and of a port its number and id. */
void sb_text_port(struct sb_text *t, const struct sb_listener *l);

/* ---- heard.c ---- */

/* The connection has sent this line: it is answered, or will be. */
void sb_heard(struct sb_server *srv, struct sb_conn *c, struct sb_slice text);
/* The answer is what is wrong. */
void sb_show_fault(struct sb_show *show, const struct sb_fault *fault);

/* ---- control.c ---- */

/* Whether the verb of the connection's line is a control verb. Then it is done: said is the answer unless there is a
 * *fault, and *answer how it goes on. */
bool sb_control(struct sb_server *srv, struct sb_conn *c, enum sb_answer *answer, struct sb_fault *fault);
/* What a connection waits for may be there, or it has waited long enough. */
void sb_control_tick(struct sb_server *srv, struct sb_conn *c);
void sb_control_wake(struct sb_server *srv);
void sb_control_forget(struct sb_server *srv, struct sb_show *show);

/* ---- gate.c ---- */

void sb_gate_ask(struct sb_server *srv, struct sb_conn *c, enum sb_gate_tier tier);
void sb_gate_drop(struct sb_server *srv, struct sb_show *show);
/* Asks for all that are due; those whose gate opens go on. */
void sb_gate_turn(struct sb_server *srv);
/* When to ask next, SB_NEVER when nobody waits. */
uint64_t sb_gate_next(struct sb_server *srv);

/* ---- udp.c ---- */

void sb_udp_arm(struct sb_server *srv, uint32_t i);
void sb_udp_done(struct sb_server *srv, uint32_t i, const struct sb_done *done);
/* One reply, sent at once from own to peer: 0 or -errno. */
int sb_udp_send(struct sb_server *srv, uint32_t i, const struct sb_addr *peer, const struct sb_addr *own,
		struct sb_slice bytes);
/* The port of a datagram socket is ours from here on, or no longer. */
void sb_udp_own(struct sb_server *srv, uint16_t port);
void sb_udp_disown(struct sb_server *srv, uint16_t port);
/* " in=3 bytes-in=30 out=2 bytes-out=20 dropped=1" */
void sb_text_dgram_count(struct sb_text *t, const struct sb_dgram_count *n);
/* What sending failed with, as a reason. */
enum sb_drop sb_udp_drop_of(int err);
/* A datagram of peer was not answered. number: of the reply, 0 when it has none; err: -errno, or 0. */
void sb_udp_say_drop(struct sb_server *srv, uint32_t i, const struct sb_addr *peer, int64_t bytes, uint64_t number,
		     enum sb_drop why, int err);

/* ---- late.c ---- */

/* Does with a reply what its listener's line says. False when it could not be sent: whatever else answers the same
 * datagram is left out. */
bool sb_late_reply(struct sb_server *srv, uint32_t i, const struct sb_done *done, struct sb_slice bytes);
/* Sends what is due. */
void sb_late_turn(struct sb_server *srv);
/* When to look again, SB_NEVER when nothing waits. */
uint64_t sb_late_due(const struct sb_server *srv);
/* The socket goes: what waits for it is dropped. */
void sb_late_stop(struct sb_server *srv, uint32_t i);

/* ---- server.c ---- */

/* A config, read: what its options come to, limits filled in. */
struct sb_config_read {
	struct sb_options options;
	bool is_strict;
	size_t failed; /* the listener that is at fault, counted from 1; 0 for none */
};

/* 0, or < 0 with *fault. */
int sb_config_read(struct sb_config_read *read, const struct sb_config *config, struct sb_fault *fault);

/* What streambed.h does not say of a server: which kernel, and files for SOURCE, which stay the caller's and must
 * outlive the server. */
struct sb_server_env {
	struct sb_sys *sys;
	const struct sb_file *files;
	size_t files_n;
	const struct sb_name *names; /* hosts of to=, which stay the caller's */
	size_t names_n;
	const int *receipts_fd;     /* where receipts are written, NULL for nowhere; it stays the caller's */
	struct sb_config_read read; /* out */
};

/* sb_server_init with an env. */
int sb_server_open(struct sb_server **server, void *mem, size_t size, const struct sb_config *config,
		   struct sb_server_env *env, struct sb_fault *fault);

/* ---- counters.c ---- */

void sb_counters_log(struct sb_server *srv);

#endif
