/* SPDX-License-Identifier: MIT
 *
 * What the core wants and what it learns: ops out, completions in. Everything that happens on a socket goes
 * through these two structs, whatever the backend: readiness (poll, epoll) or completion (io_uring).
 *
 * The rules, once (docs/decisions/0001-ops-and-completions.md walks through them):
 * - A handle is a slot and its generation. A completion whose generation is not the slot's is for a socket
 *   that is gone: it is refused, and its buffer is given back all the same.
 * - A completion with BUF lends a buffer; it is given back exactly once.
 * - A completion without MORE is the last of its op. A closed socket's slot is free when no op is left.
 * - A SEND completion says how many bytes were accepted; 0 means there is room again, ask again.
 */
#ifndef SB_BASE_OP_H
#define SB_BASE_OP_H

#include "base/addr.h"

enum sb_op_kind {
	SB_OP_NONE = 0,
	SB_OP_RECV,    /* stream bytes, at most want_max. Submitted again, it takes the place of the one before */
	SB_OP_SEND,    /* stream bytes from iov, or FILL; without bytes: say when there is room */
	SB_OP_SHUT,    /* our FIN */
	SB_OP_CLOSE,   /* arg: enum sb_close_how */
	SB_OP_STEP,    /* a step of the line begins; arg: its index */
	SB_OP_SETOPT,  /* a socket option; iov[0]: its name, iov[1]: its value, as the line has them */
	SB_OP_LINE,    /* iov[0] is a line for the server: it answers by sb_session_answer() */
	SB_OP_GATE,    /* wait until the peer has read what was sent; arg: tier */
	SB_OP_WATCH,   /* say when the connection has gone: res is why. Given up for the next RECV, which says so too */
	SB_OP_LISTEN,  /* make a port; arg: the program's index */
	SB_OP_CONNECT, /* a stream, to dst or to the path in iov[0], its NUL included */
	SB_OP_DGRAM,   /* receive one datagram, at most want_max bytes */
	SB_OP_REPLY,   /* send one datagram from iov to dst */
	SB_OP_ACCEPT,  /* take a connection: the completion's res is its fd */
	SB_OP_WAKE,    /* somebody asked the loop to look up */
};

enum sb_op_flags {
	SB_OP_MULTI = 1, /* may go on completing until it is cancelled */
	SB_OP_ROOM = 4,  /* RECV: there is a place to keep what comes, also when memory has run out */
	SB_OP_FILL = 2,  /* SEND: the bytes are a function of the stream's offset; ask sb_session_fill() for them */
};

enum sb_close_how {
	SB_CLOSE_PLAIN, /* close(): a FIN if everything was read, else the kernel resets */
	SB_CLOSE_RESET, /* RST, and the kernel's send queue is dropped */
};

struct sb_handle {
	uint32_t slot, gen;
};

struct sb_op {
	struct sb_handle handle; /* filled by whoever owns the socket; the core leaves it */
	uint8_t kind, leg, flags, iov_n;
	uint32_t want_max;
	struct sb_slice iov[2];
	const struct sb_addr *src, *dst; /* REPLY: from which of our addresses (NULL: any), to whom */
	uint64_t arg;
};

enum sb_done_flags {
	SB_DONE_MORE = 1,  /* the op goes on */
	SB_DONE_BUF = 2,   /* data lies in a lent buffer, buf_id */
	SB_DONE_TRUNC = 4, /* the datagram was larger than want_max */
	SB_DONE_NOTIF = 8, /* zero-copy send: the kernel has let go of the memory */
};

struct sb_done {
	struct sb_handle handle;
	uint8_t kind, leg, flags;
	uint16_t seg_size; /* datagrams that came as one: bytes of each, 0 for one */
	uint32_t buf_id;
	int32_t res;       /* >= 0, or -errno; for a datagram its whole size */
	uint32_t headroom; /* bytes in front of data that are lent too, so that a tail kept from before can be joined */
	uint8_t *data;     /* what was received: res bytes, or want_max of a datagram that was larger */
	struct sb_addr src, dst;
};

#endif
