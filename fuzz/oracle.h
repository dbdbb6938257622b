/* SPDX-License-Identifier: MIT
 *
 * What a run of the whole server must have been like, whatever the script was. Nothing here looks at how src/ does it:
 * frames are found by fuzz/ref/, services are said again in a few lines, and the rest are rules:
 *
 * - both backends: the same bytes each way, the same reason, the same end, for every connection
 * - ECHO sends back whole messages, in order, and nothing else; a SOURCE sends what it is made of
 * - the reason of a close was possible, and no timeout is a nanosecond early or late
 * - who is refused, and who is not; when accepting pauses, and goes on; when a listener closes
 * - a connection reads no further while it has something to send
 * - a datagram is answered once at most, with no more than it was, to its source, and never to a forger's victim
 * - every datagram that must be answered is
 * - what is logged and counted is what has happened
 * - a piece ends where the line says, and the next is sent when what has to be true before is true
 * - a shaped connection has one receipt, and it says what the kernel saw
 * - what a connection took it gives back: descriptor, slot, buffer, timer, place in its address's count
 *
 *   oracle.c        messages, reasons, and what must be so while the server waits
 *   oracle_time.c   what each connection waits for, since when, and until when; how it ends
 *   oracle_door.c   listeners: their options, who is let in
 *   oracle_line.c   connections that begin with a line, and throw-away ports
 *   oracle_asked.c  and what such a line asks for
 *   oracle_dgram.c  datagrams
 *   oracle_share.c  nobody is sent more datagrams' bytes than came in his name
 *   oracle_late.c   and those whose line says what becomes of their replies
 *   oracle_log.c    log lines and counters
 *   oracle_cut.c    lines that shape what is sent: pieces, gates
 *   oracle_receipt.c  what receipts say
 *   oracle_steps.c  lines with steps
 *   oracle_end.c    what must be so at the end; two backends
 */
#ifndef SB_FUZZ_ORACLE_H
#define SB_FUZZ_ORACLE_H

#include "late_model.h"
#include "plan_model.h"
#include "ref/ref.h"
#include "server/server.h"
#include "sys_sim.h"

enum { MODEL_LINE_MAX = 1200 };

enum model_service { MODEL_ECHO, MODEL_DISCARD, MODEL_SOURCE };

/* What a listener's line asks for, read by other eyes. */
struct model {
	enum model_service service;
	const struct ref_codec *ref;
	struct ref_args args;
	uint32_t recv_max;
	bool is_chargen, is_endless, is_rst, is_abrupt, is_tcp, is_udp, is_unix, is_loopback;
	bool is_door;                          /* a connection may begin with a line */
	bool is_fated, is_silent, is_refusing; /* its line says what becomes of replies; there are none */
	uint64_t stop_ns, stop_at;             /* stopread= */
	uint64_t conns;                        /* conns=, UINT64_MAX for no end */
	uint64_t syn;                          /* syn=drop: for how long, SB_NEVER for ever; 0 when it does not */
	int backlog, nodelay, quickack, rcvbuf;
	uint32_t replies, reply_n; /* SOURCE over udp: to one datagram, and bytes of each */
	bool is_odd;               /* what they say is no part of the ring */
	char line[MODEL_LINE_MAX];
	/* Of a line that shapes what is sent: the same again, by who knows about cuts. */
	bool is_shaped;
	bool has_steps; /* it is judged when it is over: oracle_steps.c */
	struct plan_model plan;
};

/* What is known of a connection besides what its kernel knows. */
struct peer {
	uint32_t listener, event; /* event: of the script's, by which it came */
	bool is_served;
	bool is_killed; /* closed when everything was */
	uint8_t reason, how;
	uint64_t in, out;
	uint32_t frames, dropped, unsent;
	/* ECHO and DISCARD: whole messages in what it has received, and whether they are followed by a broken one */
	uint32_t whole, messages;
	int broken;
	/* When: the last byte either way; what is waited for began; its service ended. mark: sent before what is being
	 * sent began. read_from: the end of stopread's pause. */
	uint64_t active, since, finished, mark, read_from;
	bool is_pause_over, is_shed, has_option;
	uint32_t in_before, held_most; /* received before the last recv; the most that was held at a rest */
	const char *refusal;           /* why it must be refused, NULL if it must not */
	int failed;                    /* the first -errno of a recv or send */
	uint32_t id;                   /* as the log calls it */
	/* Whether it begins with a line, and since when that is not known yet. */
	enum { PEER_NEW, PEER_HELD, PEER_PAYLOAD, PEER_LINE, PEER_OF_PORT } begin;
	uint64_t held_at;
	uint32_t held_n;  /* it was held when the recv that is due was asked for, and is not any more */
	bool has_receipt; /* what it was answered says so */
	bool is_unsteady; /* how far its steps come depends on when its end is seen */
};

enum { CUT_OFFSETS = 256 };

/* The pieces of a shaped connection, and what its gate is at. */
struct cut {
	uint64_t unit; /* the unit being sent began here */
	uint64_t pieces, recvs, sends;
	uint64_t at[CUT_OFFSETS]; /* where the first of them ended */
	bool is_gated;            /* a piece has gone, and what has to be true before the next is not known to be */
	bool is_empty;            /* a unix socket's queue was, when it was last asked */
	bool is_asked;            /* judged when it was over: pieces and at are all there is */
	bool is_at_limit;         /* of the line: nothing more is sent */
	bool is_seen;             /* the kernel has told of the peer's socket before */
	bool has_given_way;       /* gate=best: what is best cannot be had */
	uint64_t unproven;        /* gates that opened because nobody is there who could read */
	bool is_vague;            /* and whether it could cannot be seen from here */
	bool is_hit;              /* a question about it was made to fail, and that might have been another's */
	enum sb_gate_tier tier;   /* of its line, or what is had in place of best */
	int refused;              /* why the gate cannot be had; 0: it can */
	bool is_unproven;         /* the last one is one of them */
	bool is_cut_short;        /* it ended before anybody asked about its last gate, which may be open or not */
	uint64_t gated_at, wait_until, reply_from;
	uint32_t asks, fails; /* questions since the gate closed; those that nobody answered */
	uint32_t receipts;
	uint8_t is_end[SIM_SENT_MAX]; /* a message ends with this byte */
};

/* One listener, or datagram socket. */
struct door {
	int fd;
	uint64_t served, paused_until;
	int pause_err;
	uint32_t shed;
	uint16_t port;
};

enum { RUN_SOURCES = 24, RUN_LOGS = 512, RUN_LOG_TEXT = 48 * 1024, RUN_LOG_KINDS = 32 };

/* Lines that have to come, a list for each kind of event. */
struct log_due {
	uint32_t from, n; /* text[from..from + n), and a NUL */
	uint8_t kind;
	bool is_done;
};

struct log_model {
	struct log_due due[RUN_LOGS];
	char text[RUN_LOG_TEXT];
	uint32_t n, text_n, first[RUN_LOG_KINDS];
	char line[SB_LOG_LINE_MAX + 1]; /* being read */
	size_t line_n;
	struct {
		uint64_t second, said, suppressed;
	} rate[RUN_LOG_KINDS];
	bool is_json, is_off;
	int level;
	uint64_t began;
};

/* One run of the server with one backend. */
struct run {
	const char *backend, *io; /* for what is said; as io= takes it */
	struct sb_sys *k;
	struct sb_server *srv;
	struct model model[SB_LISTENERS_MAX];
	struct peer peer[SIM_CONNS];
	struct cut cut[SIM_CONNS];
	char receipt[SB_RECEIPT_MAX]; /* being read */
	size_t receipt_n;
	bool has_receipts;
	struct door door[SB_LISTENERS_MAX];
	uint32_t doors, ports_to, ids; /* doors: of the config; behind them, up to ports_to, are throw-away ports */
	uint64_t limit[SB_LIMIT_COUNT];
	uint64_t count[SB_COUNTERS], dropped[SB_DROP_COUNT];
	struct {
		struct sb_addr from;
		uint64_t full_at;
	} source[RUN_SOURCES];
	uint32_t sources;
	uint64_t total_full_at;
	struct {
		uint64_t want, got;
		enum sb_drop why;
		bool is_open, is_failed;
		struct sim_dgram d;
	} asked; /* the datagram that is being answered */
	struct {
		struct late_model m;
		struct late_want now[LATE_MAX]; /* those that leave at once, in their order */
		uint32_t now_n, nth;            /* nth: of the datagram in hand: replies made, and still to be made */
		uint64_t left;
	} late;
	/* By address: what has come from it and what it was sent, and whether it has proved that it is who it says. */
	struct {
		struct sb_addr host;
		uint64_t in, out;
		bool is_proven;
	} shares[RUN_SOURCES];
	uint32_t shares_n;
	uint64_t memory_waits;
	uint32_t stops;      /* how often it was told to stop */
	uint64_t stopped_at; /* when it heard of the first, 0 before */
	bool stop_at_wait;   /* it will be when it waits next */
	bool is_strict, has_more_allowed, is_alone, has_stopped, has_lacked_memory;
	bool has_lines;  /* somebody has begun as a line does */
	bool is_crowded; /* several have waited to be accepted, or one at a listener that heard nothing */
	struct log_model log;
	void (*on_log)(struct sb_sys *k, struct sb_slice some); /* who else wants it, or NULL */
	char first_lines[8192]; /* of the log, written before there is anything to compare with */
	size_t first_lines_n;
};

/* Reads the model of a listener's text, "tcp://127.0.0.1:0,ECHO frame=line". */
uint64_t model_number(const char *text, char **end);
void model_read(struct model *m, const char *listen);
/* For how long a line drops who wants to connect. */
uint64_t model_syn(const char *line);
/* An address as the log says it; not always in room. */
enum { MODEL_ADDR_MAX = 64 };
const char *model_addr(char room[MODEL_ADDR_MAX], const struct sb_addr *a);

/* To be called by the kernel: see sys_sim.h. */
void oracle_on_recv(struct sb_sys *k, struct sim_conn *c, size_t n);
void oracle_on_send(struct sb_sys *k, struct sim_conn *c);
void oracle_on_done(struct sb_sys *k, struct sim_conn *c, enum sim_call call, size_t n, long r);
void oracle_on_accept(struct sb_sys *k, int fd, struct sim_conn *c, int r);
void oracle_on_unlisten(struct sb_sys *k, int fd);
void oracle_on_dgram(struct sb_sys *k, const struct sim_dgram *d);
void oracle_on_unread(struct sb_sys *k, int fd, int err);
/* A wait failed with it. */
void oracle_on_wait_error(struct sb_sys *k, int err);
void oracle_on_log(struct sb_sys *k, struct sb_slice some);
void oracle_on_close(struct sb_sys *k, struct sim_conn *c);
void oracle_on_reply(struct sb_sys *k, const struct sim_dgram *request, const struct sb_addr *to, struct sb_slice bytes,
		     int r);

/* While it is being opened. */
void oracle_on_first_log(struct sb_sys *k, struct sb_slice some);
/* The server has been opened for this config. */
void oracle_open(struct run *r, const struct sb_config *config);
/* It is told to stop. */
void oracle_stop(struct run *r);
/* The server begins to wait: whatever it was asked is answered. */
void oracle_wait(struct run *r);
/* After every turn: reasons that have just come up. */
void oracle_turn(struct run *r);
/* The server waits: nobody is overdue. */
void oracle_rest(struct run *r);
/* Every peer has left and all time has passed. */
void oracle_end(struct run *r);
/* Nothing is left of any connection. */
void oracle_leaks(const struct run *r);
void oracle_compare(const struct run *a, const struct run *b);
uint64_t oracle_digest(const struct run *r);
/* The server is gone: its log is complete, and its counters add up. */
void oracle_over(struct run *r);

/* ---- between its files ---- */

/* What one connection leaves free, or leaves later, is another's. */
bool oracle_has_places(const struct run *r);
/* Who came to b by the same event; b->k->conns for nobody. Where somebody found no listener any more, or one more came,
 * those after him have other numbers. */
uint32_t oracle_same_as(const struct run *a, uint32_t i, const struct run *b);
uint32_t oracle_number(const struct run *r, const struct sim_conn *c);
struct sb_conn *oracle_conn(const struct run *r, int fd);
/* Finds the messages that are whole now. */
void oracle_advance(const struct run *r, struct sim_conn *c, struct peer *p);
/* Its reason, as soon as there is one. */
void oracle_reason(struct run *r, struct sim_conn *c, const struct sb_session *s);

bool time_owes(const struct run *r, const struct sim_conn *c);
bool time_is_paused(const struct run *r, const struct sim_conn *c);
/* Whether it may end with this reason now, as far as time goes. */
bool time_is_due(const struct run *r, const struct sim_conn *c, uint8_t reason);
void time_on_accept(struct run *r, struct sim_conn *c);
void time_check_rest(const struct run *r, const struct sim_conn *c);
void time_check_close(const struct run *r, const struct sim_conn *c, const struct sb_session *s);

/* Of connections whose line shapes what is sent; of others they say and do nothing. */
bool cut_is_shaped(const struct run *r, const struct sim_conn *c);
/* It is, and no more is sent though there may be more: limit= is reached, or another piece would be one too many. */
bool cut_is_enough(const struct run *r, const struct sim_conn *c);
struct cut *cut_of(const struct run *r, const struct sim_conn *c);
/* It is on its way. */
void cut_open(struct run *r, const struct sim_conn *c);
void cut_on_accept(struct run *r, struct sim_conn *c);
/* Bytes have come: owed before that. */
void cut_on_got(struct run *r, struct sim_conn *c, uint64_t owed);
/* n of want bytes have gone. */
void cut_on_put(struct run *r, struct sim_conn *c, size_t want, size_t n);
/* The same for n bytes that have gone, behind base others, when it is over: where pieces ended. */
void cut_pieces(const struct plan_model *plan, const struct peer *p, struct cut *cut, uint64_t base, uint64_t n);
void cut_on_close(struct run *r, const struct sim_conn *c);
void cut_on_ask(struct sb_sys *k, struct sim_conn *c, enum sim_call call, int res);
/* Nothing may leave yet, by our own will. */
bool cut_is_waiting(const struct run *r, const struct sim_conn *c);
/* More has to come before anything leaves. */
bool cut_is_joining(const struct run *r, const struct sim_conn *c);
/* Our side has ended, and reading goes on. may: but for a send of a source, if it is under way. */
bool cut_may_linger(const struct run *r, const struct sim_conn *c);
bool cut_is_lingering(const struct run *r, const struct sim_conn *c);
/* When a closed gate ends it, SB_NEVER when none is closed. */
uint64_t cut_gate_end(const struct run *r, const struct sim_conn *c);
bool cut_is_reason_possible(const struct run *r, const struct sim_conn *c, uint8_t reason);
void cut_check_rest(const struct run *r, const struct sim_conn *c);
/* A wait of ours that is over by now has been ended then. */
void cut_settle(const struct run *r, const struct sim_conn *c, struct peer *p);
/* Whole receipts, and only of who has one. */
void receipt_on_write(struct sb_sys *k, struct sb_slice some);
void receipt_over(const struct run *r);

/* Whether what it has sent is payload, as far as is known; what is held because it may become a line is not yet. */
bool line_is_payload(const struct run *r, const struct sim_conn *c, struct peer *p);
/* A connection that has said a line, or of a throw-away port: what it is sent is judged when it is over. */
bool line_is_judged_late(const struct run *r, const struct sim_conn *c);
bool line_is_reason_possible(const struct run *r, const struct sim_conn *c, uint8_t reason);
/* It is over: what it was answered was in order. */
/* A line of its own, or that of a throw-away port, when the connection is over; what it was sent begins behind its
 * answer, what it sent behind the line. */
struct asked {
	struct run *r;
	const struct sim_conn *c;
	const struct sb_session *s;
	uint32_t i, in_from, out_from;
	struct plan_model plan;
};

void asked_check(struct asked *a, bool has_answer);
void asked_check_rest(const struct run *r, const struct sim_conn *c, const struct sb_session *s);

/* The error behind a reason of framing, 0 when it is another. */
int oracle_error_of(uint8_t reason);

void line_check_close(struct run *r, const struct sim_conn *c, const struct sb_session *s);
/* It is over, and its line has steps: they sent what they had to. False when it has none. in_from, out_from: where its
 * service begins in what it has sent, and was sent. */
bool steps_check(struct run *r, const struct sim_conn *c, const struct sb_session *s, uint32_t in_from,
		 uint32_t out_from);
/* What its receipt tells of steps: each after the one before, and as many as there are. */
void steps_receipt(const struct run *r, uint32_t i, const char *text);
/* Listener i is a throw-away port: its place here is made ready. */
void line_port(struct run *r, uint32_t i);
/* Why this one may not come to a throw-away port, NULL if it may. */
const char *line_refusal(const struct run *r, const struct sim_conn *c, uint32_t i);
/* A line of the log about a throw-away port, which nobody foresees. */
bool line_is_of_port(const struct run *r, uint32_t kind, const char *line, size_t n);

/* Listener i has begun to listen: not to accept before its line lets it. */
void door_open(struct run *r, uint32_t i);
void door_settle(struct run *r);
void door_check_rest(struct run *r);
void dgram_settle(struct run *r);

/* Datagrams of this size have come from there, and been sent there. */
void share_in(struct run *r, const struct sb_addr *from, uint32_t n);
void share_out(struct run *r, const struct sb_addr *to, size_t n);
/* He has made a port of datagrams: he came over TCP. */
void share_prove(struct run *r, const struct sb_addr *host);

void late_open(struct run *r);
/* A listener whose line says what becomes of replies. */
void late_door(struct run *r, uint32_t i);
/* The datagram in r->asked is answered so often. */
void late_on_dgram(struct run *r, uint64_t replies);
void late_on_reply(struct run *r, const struct sb_addr *to, struct sb_slice bytes, int res);
void late_on_unlisten(struct run *r, uint32_t listener);
void late_settle(const struct run *r);
void late_rest(const struct run *r);

void log_open(struct run *r, const struct sb_config *config);
/* A line of this kind has to come: what follows its time and name, as "key=value key=value". */
__attribute__((format(printf, 3, 4))) void log_expect(struct run *r, enum sb_log_event kind, const char *format, ...);
/* The last line of this kind that has to come was not to come after all. */
void log_forget(struct run *r, enum sb_log_event kind);
void log_over(struct run *r);

#endif
