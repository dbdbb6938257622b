/* SPDX-License-Identifier: MIT
 *
 * Backends: who carries out ops and says what came of them. A row of backends.def each, chosen by --io.
 *
 * Sockets are known by slot, 0 .. slots - 1, as the caller numbers them. A turn of the loop is: submit ops,
 * wait(), then next() until it returns 0. The rules of ops and completions are in base/op.h.
 */
#ifndef SB_IO_IO_H
#define SB_IO_IO_H

#include "base/op.h"
#include "sys/sys.h"

enum {
	SB_IO_HEADROOM = 4096,      /* bytes in front of what is received */
	SB_IO_BUF_SIZE = 65 * 1024, /* bytes of one receive, at most; a datagram of any size fits */
};

enum sb_io_class { SB_IO_STREAM, SB_IO_LISTENER, SB_IO_DGRAM, SB_IO_WAKE };

struct sb_io;

struct sb_backend_ops {
	/* Bytes of memory it needs for so many slots. */
	size_t (*size)(uint32_t slots);
	/* Takes io->mem. 0 or -errno. */
	int (*open)(struct sb_io *io);
	void (*close)(struct sb_io *io);
	/* The slot is this fd from now on, in this generation. 0 or -errno. */
	int (*attach)(struct sb_io *io, struct sb_handle handle, int fd, enum sb_io_class class);
	/* Forgets the slot; a readiness backend has no completion of it left after this. Closes nothing. */
	void (*detach)(struct sb_io *io, uint32_t slot);
	/* RECV, SEND, CONNECT, ACCEPT, DGRAM, REPLY, WAKE. 1: done holds its completion; 0: it completes later. */
	int (*submit)(struct sb_io *io, const struct sb_op *op, struct sb_done *done);
	/* Waits for something to complete, at most wait_ns (< 0: for ever). Number of sockets that are ready, or
	 * -errno. */
	int (*wait)(struct sb_io *io, int64_t wait_ns);
	/* 1 and a completion, or 0. A lent buffer is good until the next call of next() or wait(). */
	int (*next)(struct sb_io *io, struct sb_done *done);
};

struct sb_backend {
	const char *name, *help;
	const struct sb_backend_ops *ops;
};

/* The i-th row of backends.def in the order --io=auto tries them, or NULL after the last. */
const struct sb_backend *sb_backend_at(size_t i);

/* The row of this name, NULL if there is none. */
const struct sb_backend *sb_backend_named(struct sb_slice name);

struct sb_io {
	const struct sb_backend *backend;
	struct sb_sys *sys;
	uint32_t slots;
	void *mem;                    /* backend->ops->size(slots) zero-filled bytes; the caller's */
	uint8_t *buf;                 /* SB_IO_HEADROOM + SB_IO_BUF_SIZE bytes; the caller's */
	bool want_dst;                /* datagrams come with the address they were sent to */
	bool is_held;                 /* there is no memory to keep what is received: RECVs without SB_OP_ROOM wait */
	int fd;                       /* the backend's own, -1 for none */
	uint64_t waits, recvs, sends; /* system calls made */
	struct sb_ready *ready;
};

#endif
