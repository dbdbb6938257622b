/* SPDX-License-Identifier: MIT
 *
 * A simulated kernel behind src/sys/sys.h, linked in place of sys_linux.c: the very same server, loop and backends run
 * on it, and a script plays the peers, the clock and what goes wrong. Nothing happens by itself: peers act between two
 * turns of the server, time passes only while it waits.
 *
 *   sys_sim.c    descriptors, listeners, the log, the rest
 *   sim_opts.c   socket options
 *   sim_faults.c calls that are made to fail
 *   sim_bytes.c  recv, send and datagrams
 *   sim_wait.c   readiness: poll (level), epoll (edge and level), the clock
 *   sim_gate.c   what peers have read
 *   sim_fill.c   a listener whose queue is full of a connection of the server's own
 *   sim_dial.c   connections that the server makes
 *   sim_peer.c   the peers' side, which a target plays
 *
 * It behaves as Linux was measured to (the threat model's table): accept succeeds on a connection that was reset, and
 * recv then says so; what had arrived before an RST can still be read, and when that ends with a FIN, recv finds the
 * end and never hears of the RST; a unix socket has no reset; a send after the peer's close succeeds once; a close with
 * unread bytes resets; a short send is followed by an edge when there is room; epoll reports all that is true of a
 * socket when anything about it has changed, and only then.
 *
 * It is also the witness. What it never lets pass: a call on a descriptor that is closed (numbers are not used twice),
 * a send of nothing, a socket option outside of the list, waiting again and again without anything done, a look at the
 * receive buffer after it has been given back (under AddressSanitizer), a log line that is not one.
 *
 * Completion rings will be a third file beside sim_wait.c: an operation is put into a queue of struct sim_op, carried
 * out by the functions of sim_bytes.c when the script delivers, and completed in any order; its memory is poisoned
 * meanwhile. recv_now() and send_now() there therefore know nothing of readiness.
 */
#ifndef SB_FUZZ_SYS_SIM_H
#define SB_FUZZ_SYS_SIM_H

#include "sys/sys.h"

enum {
	SIM_FDS = 64,
	SIM_CONNS = 24,           /* connections and datagram peers of one run, all together */
	SIM_SENT_MAX = 16 * 1024, /* bytes a peer sends */
	SIM_OUT_MAX = 32 * 1024,  /* bytes of what it is sent that are kept */
	SIM_CUTS_MAX = 256,       /* segments of a connection */
	SIM_DGRAMS = 128,         /* datagrams under way */
	SIM_IDLE_WAITS = 64,      /* waits in a row in which nothing is done: a busy loop */
	SIM_CALLS_SEEN = 4096,    /* fallible calls of a run that are noted */
	SIM_LOG_FD = 2,
	SIM_RECEIPTS_FD = 3,
	SIM_PORT_FIRST = 40001, /* of those that nobody chose, given in order */
	SIM_FILES = 16,
	SIM_PATH_MAX = 112,
};

#define SIM_UPSTREAM_PATH "/up"     /* where somebody else listens */
#define SIM_TICK UINT64_C(10000000) /* 10 ms */

enum sim_type {
	SIM_FREE,
	SIM_SOCKET,
	SIM_LISTENER,
	SIM_STREAM,
	SIM_DGRAM,
	SIM_EPOLL,
	SIM_WAKE,
	SIM_SPARE,
	SIM_DIAG,
	SIM_FILLER,
	SIM_FILLED
};

/* Calls that can be made to fail. */
enum sim_call {
#define SIM_CALL(id, name) SIM_CALL_##id,
#include "sim_calls.def"
#undef SIM_CALL
	SIM_CALLS
};

/* A fallible call that was made, and from where in the server. */
struct sim_seen {
	const void *site;
	uint8_t call;
};

/* What lies where a unix socket of ours is to be: nothing, a file that nobody listens on, another server. */
enum sim_file { SIM_FILE_NONE, SIM_FILE_LEFT, SIM_FILE_LIVE };

struct sim_opt {
	int level, name, value;
};

struct sim_fd {
	uint8_t type, family;
	bool is_stream;
	int fd; /* its number; slot + SIM_FDS * how often the slot was used */
	struct sb_addr addr;
	uint32_t conn;  /* STREAM: index + 1 */
	uint32_t posts; /* WAKE */
	bool has_dst;
	bool is_refusing;      /* DGRAM: connected to itself, so that nobody else reaches it */
	bool is_late;          /* DGRAM: what is sent need not answer what was received last */
	int backlog;           /* LISTENER */
	uint64_t at;           /* LISTENER: when it began to */
	bool is_filled;        /* LISTENER: the first in its queue is the server's own connection */
	bool is_through;       /* FILLER, such a connection: it has come to the queue; FILLED is its other end, taken */
	struct sb_addr filler; /* LISTENER: the address of that */
	struct sim_opt opts[8];
	uint32_t opts_n;
	/* Its registration with the one epoll descriptor there is. */
	bool is_added, is_pending;
	uint32_t bits, order;
	uint64_t token;
	uint64_t deaf_at; /* when it last could not be changed, 0 for never */
};

enum sim_end { SIM_END_NONE, SIM_END_FIN, SIM_END_RST };

/* A connection, both ends of it; or a peer that sends datagrams. */
struct sim_conn {
	uint8_t *sent, *out; /* what the peer sends, and what it is sent: room for SIM_SENT_MAX and SIM_OUT_MAX bytes */
	uint32_t sent_n, in_n; /* what the peer has sent, and what the server has read of it; between them … */
	uint32_t here_n;       /* … what has arrived: one segment at a time, the next when that is read */
	uint64_t out_n;
	uint64_t come_n, read_n;   /* of it: what has come to the peer's kernel, and what the peer has read */
	uint64_t come_at, read_at; /* when the last of that */
	struct sb_addr addr;       /* the peer's */
	int listener_fd, fd;       /* fd: -1 until accepted and after close */
	bool is_dgram, is_accepted, is_closed; /* closed by the server */
	bool is_fin, is_fin_apart, is_fin_here,
		is_fin_seen;           /* the peer's: sent, as a segment of its own, arrived, read */
	bool is_gone, is_rst, is_shut; /* the peer has closed both ways; has reset; the server's FIN is out */
	bool is_dialed, is_dialing;    /* the server connects to this peer; it has not answered yet */
	int dial_err;                  /* what it has answered, -errno */
	bool is_lost;                  /* reset by a made-up failure, which the peer does not know of */
	bool is_joined;                /* segments arrive together */
	bool is_reader_slow;           /* the peer reads what it is told to, not all that comes */
	bool is_net_slow;              /* nothing comes to the peer's kernel */
	bool wants_room, is_late_in, is_late_out, is_linger0;
	int err;                    /* what the kernel will say next */
	uint64_t window, drained;   /* bytes that a send still takes; that the peer has read, so far */
	uint16_t cut[SIM_CUTS_MAX]; /* ends of segments */
	uint32_t cuts, cut_at;
	uint32_t shut_in_n;  /* in_n when the server's FIN went out */
	uint32_t dgram_from; /* of the datagram being written */
	/* hung on its next calls */
	uint32_t eintr_in, again_in, eintr_out, again_out, short_out;
	int fail_in, fail_out, fail_shut;
	bool is_full;                           /* a send was told so, and nothing has been heard since */
	int add_err;                            /* why it could not be registered */
	bool is_spoilt;                         /* a failure was made up: it may end another way */
	bool is_swept;                          /* and it was the one of the sweep */
	enum sim_end end;                       /* how the server closed */
	uint64_t opened, active, in_at, out_at; /* when: come, then accepted; the last byte either way, in, out */
	uint32_t recvs, sends;
	void *user;
};

struct sim_dgram {
	uint32_t conn, from, n;
	int fd;
	struct sb_addr src, dst;
	uint32_t extra; /* so much larger than the room it was given */
	uint32_t replies;
};

struct sb_sys {
	uint64_t now, until; /* the clock; how far the script lets it go */
	bool is_idle;        /* the server waits, and nothing will come before until */
	uint32_t idle_waits, waits;
	uint64_t slept; /* time that it let pass on its own, waiting for nobody */
	struct sim_fd fd[SIM_FDS];
	uint32_t used[SIM_FDS];               /* how often each slot was used: survives closing */
	uint32_t fds, fds_max, orders, slots; /* slots: below it are all that were ever used */
	bool is_reversed;                     /* epoll reports the latest registration first */
	uint32_t events_max;                  /* epoll reports no more at a time; 0: as many as asked for */
	struct sim_conn conn[SIM_CONNS];
	uint32_t conns;
	struct sim_dgram dgram[SIM_DGRAMS], last; /* under way, in order; the last one received */
	uint32_t dgrams;
	struct sb_addr reply_from; /* the address that a datagram is being sent from, if it was said */
	int fail[SIM_CALLS];       /* -errno of the next such call, 0 for none */
	uint32_t calls, sweep_at;  /* fallible calls made; the one that fails, 0 for none */
	uint32_t sweep_nth;        /* with which of its errnos */
	enum sim_call sweep_hit;   /* SIM_CALLS until then */
	const void *sweep_site;
	int sweep_err;
	bool is_sweep_shed;         /* it was an accept through the spare descriptor */
	bool is_sweep_over;         /* it would have failed anyway */
	bool is_spared;             /* calls are not counted, and a sweep passes them over */
	struct sim_seen *seen;      /* room for SIM_CALLS_SEEN of them, or NULL */
	bool is_accept_raced;       /* an accept failed, where somebody waited at another listener too */
	uint32_t faults;            /* calls that were made to fail, so far; hung on a connection: its is_spoilt */
	uint32_t failed[SIM_CALLS]; /* of each call, without those for which there was no descriptor */
	int fault_err;              /* of the last that somebody hears of */
	enum sim_file file;         /* at every path that has none of ours */
	char files[SIM_FILES][SIM_PATH_MAX]; /* of ours */
	uint32_t files_n;
	bool is_file_stuck; /* it could not be removed */
	bool is_file_told;  /* a bind was made to say that there is one */
	bool is_black_hole; /* nobody answers the server's connects */
	bool is_dial_quick; /* a connect is answered at once */
	bool is_foreign;    /* peers are in another network namespace: nobody tells of their sockets */
	bool is_log_full, is_log_broken;
	bool has_held_receipts; /* the file of receipts took none, for a while */
	bool is_log_late;       /* the last write of the log failed: what it had waits */
	bool is_shedding;       /* the spare descriptor has been closed, and not been taken again */
	uint64_t spare_at;      /* when it was last asked for */
	uint32_t log_max;       /* bytes that a write of the log takes, 0: all */
	uint64_t log_bytes;
	uint16_t next_port;
	uint64_t random;
	struct sb_addr target; /* where datagrams to an any-address are said to have gone */
	/* The server's receive buffer: good from a recv to the next wait. */
	uint8_t *lent;
	size_t lent_n;
	bool is_taken_back; /* nobody may touch it */
	/* What a target wants to know. Each may be NULL. */
	void (*on_recv)(struct sb_sys *k, struct sim_conn *c, size_t n);
	void (*on_send)(struct sb_sys *k, struct sim_conn *c);
	/* After accept (what it came to on this listener), recv, send and shutdown (of n bytes: r). */
	void (*on_accept)(struct sb_sys *k, int listener_fd, struct sim_conn *c, int r);
	void (*on_done)(struct sb_sys *k, struct sim_conn *c, enum sim_call call, size_t n, long r);
	/* The server connects to somebody new, which is c. */
	void (*on_dial)(struct sb_sys *k, struct sim_conn *c);
	void (*on_dgram)(struct sb_sys *k, const struct sim_dgram *d);
	void (*on_unread)(struct sb_sys *k, int fd, int err); /* recvfrom failed */
	void (*on_wait_error)(struct sb_sys *k, int err);
	void (*on_unlisten)(struct sb_sys *k, int fd);
	void (*on_wait)(struct sb_sys *k);
	void (*on_close)(struct sb_sys *k, struct sim_conn *c);
	void (*on_reply)(struct sb_sys *k, const struct sim_dgram *request, const struct sb_addr *to,
			 struct sb_slice bytes, int r);
	void (*on_log)(struct sb_sys *k, struct sb_slice some);
	void (*on_receipt)(struct sb_sys *k, struct sb_slice some);
	/* Somebody wants to know whether the peer has read (PEERS), or its kernel has everything (QUEUED_OUT; of a unix
	 * socket, whether the peer has read): 1 it has, 0 it has not, or -errno; so also when where
	 * our end is cannot be had (OWN_NAME). Of DIAG_OPEN, c is NULL. */
	void (*on_ask)(struct sb_sys *k, struct sim_conn *c, enum sim_call call, int r);
	void *user;
};

/* ---- for a target ---- */

/* Two kernels, for two backends; both exist always. Forgets everything it has done. */
struct sb_sys *sim_open(unsigned which);

/* A new peer of the listener or datagram socket fd: its connection waits to be accepted. NULL: it was refused. */
struct sim_conn *sim_connect(struct sb_sys *k, int fd, const struct sb_addr *from);
/* Bytes the peer sends. For a datagram peer they are kept until sim_cut(). */
void sim_send(struct sb_sys *k, struct sim_conn *c, const uint8_t *p, size_t n);
/* What comes next is another segment; or the datagram is whole. */
void sim_cut(struct sb_sys *k, struct sim_conn *c);
void sim_fin(struct sb_sys *k, struct sim_conn *c);
void sim_rst(struct sb_sys *k, struct sim_conn *c);
/* The peer closes: it reads nothing any more. */
void sim_leave(struct sb_sys *k, struct sim_conn *c);
void sim_drain(struct sb_sys *k, struct sim_conn *c, uint64_t n);
/* Time for the peer: what was sent comes, and is read, if nothing is in the way. */
void sim_read(struct sb_sys *k, struct sim_conn *c);
/* Whether bytes of the peer's can still get there. */
bool sim_can_send(const struct sim_conn *c);
/* The last datagram under way is late, doubled, lost. */
void sim_dgram_late(struct sb_sys *k);
void sim_dgram_double(struct sb_sys *k);
void sim_dgram_lose(struct sb_sys *k);

/* Hangs the fault of this letter (script/faults.def) on the connection's next call of the kind, or on the kernel's. */
void sim_fail(struct sb_sys *k, struct sim_conn *c, uint8_t letter);
/* Whether it is of a call that is made only while a server opens: to be hung before. */
bool sim_is_start(uint8_t letter);
/* The nth errno of faults.def that the call can give, as -errno; 0 when there are no more. */
int sim_fault_at(enum sim_call call, uint32_t nth);
/* From now on nothing goes wrong. */
void sim_calm(struct sb_sys *k);

/* Descriptors of this kind that are open. */
uint32_t sim_count(const struct sb_sys *k, enum sim_type type);
/* The i-th listener or datagram socket that is open, in the order they were made, or -1. */
int sim_endpoint(const struct sb_sys *k, uint32_t i);

const char *sim_call_name(enum sim_call call);

/* ---- between its files ---- */

/* A connect on a new stream socket: 0, -EINPROGRESS, or why not. */
int sim_dial(struct sb_sys *k, struct sim_fd *f, const struct sb_addr *to, const void *site);
/* It is answered. True when it was waited for. */
bool sim_answer(struct sb_sys *k, struct sim_conn *c);
/* A new connection or peer of fd; NULL when there are too many. */
struct sim_conn *sim_new(struct sb_sys *k, int fd, const struct sb_addr *from);

/* A descriptor, or NULL when there can be no more. */
struct sim_fd *sim_make(struct sb_sys *k, enum sim_type type);
struct sim_fd *sim_get(struct sb_sys *k, int fd, const char *call);
struct sim_conn *sim_stream(struct sb_sys *k, int fd, const char *call);
/* Where in the server the call came from: to be taken in the sb_sys_ function itself. */
#define SIM_SITE __builtin_return_address(0)
/* -errno if this call is to fail, else 0. */
int sim_fault(struct sb_sys *k, enum sim_call call, const void *site);
/* The same, of a call on one connection. */
int sim_fault_of(struct sb_sys *k, struct sim_conn *c, enum sim_call call, const void *site);
/* Everything the peer has sent is here. */
void sim_push(struct sim_conn *c);
/* Something has changed about this descriptor: an edge. */
void sim_wake(struct sb_sys *k, int fd);
/* Something was done. */
void sim_progress(struct sb_sys *k);
unsigned sim_ready(const struct sb_sys *k, const struct sim_fd *f);
/* Somebody waits in its queue, the server itself not counted. */
bool sim_is_awaited(const struct sb_sys *k, const struct sim_fd *f);
/* Takes the server's own connection out of the queue. */
int sim_take_filler(struct sb_sys *k, struct sim_fd *l, struct sb_addr *peer, const void *site);
/* A connect of a stream socket: to a listener of the server's own. */
/* Whether a listener of the server is there. */
bool sim_is_own(struct sb_sys *k, const struct sb_addr *to);
int sim_fill(struct sb_sys *k, struct sim_fd *f, const struct sb_addr *to, const void *site);
/* The receive buffer: [p, p + n) may be written; afterwards nothing behind p + n of it may be touched. */
void sim_lend(struct sb_sys *k, uint8_t *p, size_t n);
void sim_lent(struct sb_sys *k, uint8_t *p, size_t n);
void sim_take_back(struct sb_sys *k);

#endif
