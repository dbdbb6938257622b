/* SPDX-License-Identifier: MIT
 * What a line comes to: everything a session has to know about how it behaves, in plain values. Made once for
 * a listener, shared by its sessions, never changed. */
#ifndef SB_CORE_PLAN_H
#define SB_CORE_PLAN_H

#include "core/cuts.h"
#include "core/fate.h"
#include "core/limits.h"
#include "core/syn.h"
#include "service/service.h"

/* The words of close=, in their order. */
enum sb_close_mode {
	SB_CLOSE_CLEAN,  /* everything sent, FIN, drain until the peer's */
	SB_CLOSE_RST,    /* everything handed to the kernel, then RST */
	SB_CLOSE_ABRUPT, /* everything handed to the kernel, then close(): the kernel resets if it has unread bytes */
	SB_CLOSE_HALF,   /* everything sent, FIN, and read on until the peer's */
	SB_CLOSE_STALL,  /* nothing more is sent, not even a FIN */
};

enum {
	SB_UDP_SOURCE_MAX = 1000, /* datagrams SOURCE answers one with, on loopback */
	/* Bytes of a recv unless the line says otherwise: the largest frame, whole. A little more than 64 KiB, so that
	 * a message of 64 KiB is a short read, after which nobody has to ask whether there is more. */
	SB_RECV_MAX = SB_FRAME_MAX + SB_FRAME_OVERHEAD_MAX,
};

struct sb_plan {
	const struct sb_service *service;
	const struct sb_line *line;
	const struct sb_limits *limits;
	struct sb_framing framing;
	struct sb_source source;
	uint32_t recv_max; /* bytes of each recv */
	bool is_recv_set;  /* the line asked for that size: each recv is to be logged */
	uint64_t stop_ns;  /* stop reading for so long, 0 for never … */
	uint64_t stop_at;  /* … once so many bytes have come */
	bool is_hashed;    /* hash=on */
	bool is_door;      /* a connection may begin with a line that says how we shall behave */
	enum sb_close_mode close;
	uint64_t maxlife; /* nanoseconds, 0 for no end */
	/* How what is sent is shaped. is_paced: something here is not as usual: sessions need a struct sb_pace. */
	bool is_paced;
	uint8_t steps_n; /* steps of the line: core/steps.h */
	struct sb_cuts cuts;
	uint64_t limit;        /* bytes sent after which it ends, SB_NEVER for no end */
	uint64_t flip;         /* offset of the byte whose lowest bit is flipped, SB_NEVER for none */
	struct sb_fates fates; /* of replies that are datagrams */
	struct sb_syn syn;     /* of who wants to connect */
};

/* Reads a checked line into a plan. in->line and limits must outlive it; in->framing is not looked at.
 * on is the transport (one SB_ON_*); strict: who sends datagrams has not proved that his address is his. 0, or < 0 with
 * *fault at the line's column. */
int sb_plan_make(struct sb_plan *plan, const struct sb_service_in *in, unsigned on, const struct sb_limits *limits,
		 bool strict, struct sb_fault *fault);

/* Whether something of it is random, so that a seed is to be told. */
bool sb_plan_has_seed(const struct sb_plan *plan);

/* Reads frame= and max= of a line; raw and 64k when it has none. 0, or < 0 with *fault at the line's column. */
int sb_plan_framing(struct sb_framing *f, const struct sb_line *line, struct sb_fault *fault);

#endif
