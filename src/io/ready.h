/* SPDX-License-Identifier: MIT
 *
 * What poll and epoll share: sockets that are ready, ops that wait for them, and the one buffer everything
 * is received into. They differ in how they learn of readiness, and in when they forget it:
 * level (poll) forgets after each operation, because it will be told again; edge (epoll) forgets only when
 * the kernel has said "no more", because it is told once.
 *
 * A slot is in the queue exactly when some bit of armed is also in ready; while memory has run out (is_held),
 * streams that have no room stay in it and are passed over. Each turn of the queue does one
 * operation of a socket, so that no connection can keep the others waiting.
 */
#ifndef SB_IO_READY_H
#define SB_IO_READY_H

#include "io/io.h"

/* Bits of armed and ready. */
enum sb_ready_bits {
	SB_READY_IN = 1,   /* RECV, ACCEPT, DGRAM, WAKE */
	SB_READY_OUT = 2,  /* SEND, CONNECT */
	SB_READY_LAST = 4, /* ready only: FIN, RST or urgent data is near, so a short read proves nothing */
	SB_READY_GONE = 8, /* WATCH: an error, or the end of both directions */
};

struct sb_ready_slot {
	int fd;
	uint32_t gen;
	uint32_t next, prev; /* in the queue; index + 1 */
	uint32_t want_max;
	uint32_t place; /* poll: index + 1 in its array */
	uint8_t class, armed, ready;
	bool is_queued, is_open, is_edge, has_room;
	bool is_dialing; /* a CONNECT is under way: OUT says that something has come of it */
	bool is_off;     /* epoll: a level that is not listened to now */
};

/* How one backend hears of what is armed. */
struct sb_ready_ops {
	/* armed of the slot has changed. */
	void (*interest)(struct sb_io *io, uint32_t slot);
};

struct sb_ready {
	const struct sb_ready_ops *ops;
	uint32_t head, tail; /* of the queue; index + 1 */
	uint32_t turn;       /* operations left in this turn of the queue */
	uint32_t queued;
	bool has_deaf; /* epoll: a level that is to be heard could not be switched on */
	bool is_stuck; /* nothing that is queued can be done */
	struct sb_ready_slot slot[];
};

static inline size_t sb_ready_size(uint32_t slots)
{
	return sizeof(struct sb_ready) + (size_t)slots * sizeof(struct sb_ready_slot);
}

/* Takes the first sb_ready_size() bytes of io->mem. */
void sb_ready_open(struct sb_io *io, const struct sb_ready_ops *ops);

void sb_ready_attach(struct sb_io *io, struct sb_handle handle, int fd, enum sb_io_class class, bool is_edge);
void sb_ready_detach(struct sb_io *io, uint32_t slot);

/* The kernel has reported these SB_POLL_* bits. */
void sb_ready_report(struct sb_io *io, uint32_t slot, uint32_t bits);

/* How long to wait for the kernel: not at all while something is queued that can be done. */
int64_t sb_ready_patience(const struct sb_io *io, int64_t wait_ns);

/* Begins a turn: what is queued now gets one operation each. */
void sb_ready_begin(struct sb_io *io);

/* The bits of a slot that can be carried out now. */
static inline unsigned sb_ready_can(const struct sb_io *io, const struct sb_ready_slot *s)
{
	unsigned can = s->armed & s->ready;

	return io->is_held && s->class == SB_IO_STREAM && !s->has_room ? can & ~(unsigned)SB_READY_IN : can;
}

int sb_ready_submit(struct sb_io *io, const struct sb_op *op, struct sb_done *done);
int sb_ready_next(struct sb_io *io, struct sb_done *done);

#endif
