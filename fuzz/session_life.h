/* SPDX-License-Identifier: MIT
 *
 * For target session: one session with a peer, a kernel and a clock, as the server has it, beside a model of it. Each
 * thing that happens is told to both, and whatever the session then asks for, holds and says is compared.
 *
 * Memory is exact: what is received lies in a lent buffer of its own, with headroom in front, and is poisoned once the
 * session has had its say; what it still needs is copied to a block that ends where it ends (codec_arena.h).
 */
#ifndef SB_FUZZ_SESSION_LIFE_H
#define SB_FUZZ_SESSION_LIFE_H

#include "codec_arena.h"
#include "session_model.h"

enum { LIFE_SENT_MAX = 1 << 17, LIFE_CUTS_MAX = 4096 };

#define LIFE_TICK (10 * SB_MS)
#define LIFE_OPEN_WINDOW (UINT64_C(1) << 40)

/* Memory of lives, used again and again. */
struct life_room {
	struct arena lent;
	struct life_block {
		_Alignas(16) uint8_t room[SB_SESSION_HELD_MAX + 16];
		size_t n;      /* may be read */
		bool is_ready; /* poisoned once */
	} block[2];
	uint8_t sent[LIFE_SENT_MAX], stream[MODEL_STREAM_MAX], is_end[MODEL_STREAM_MAX];
	uint32_t cut[LIFE_CUTS_MAX];
};

struct life {
	struct sb_session s;
	struct sb_pace pace;
	struct session_model m;
	const char *name;
	struct life_room *room;
	uint64_t now;
	uint32_t headroom;
	uint32_t answer; /* bytes of an answer to its line, which goes first */
	uint32_t age;    /* messages and bytes that it has had, as if it were old */
	/* The peer: room->sent[at..sent_n) is under way, and then its end. */
	size_t sent_n, at, cuts, cut_at;
	bool is_fin, is_rst, has_ended;
	/* The kernel. */
	uint64_t window;   /* bytes that it will take */
	size_t bite;       /* bytes of a recv at most, 0: as many as asked for */
	uint32_t takes;    /* bytes the next send takes, UINT32_MAX: any */
	uint32_t bite_out; /* bytes of any send at most */
	uint32_t again;    /* sends that find no room */
	uint32_t more;     /* recvs that are not the last of their op */
	int recv_err, send_err, opt_err;
	bool is_keeping; /* sends complete with bytes, as a ring has it, not with "there is room" */
	bool holds_gate; /* a gate opens when the script says so, not at once */
	bool is_hasty;   /* a recv completes while SHUT is carried out */
	/* Outstanding ops. */
	bool is_receiving, is_sending, is_fill, had_more, is_gated, is_watching;
	uint32_t want, send_n;
	/* What was lent in this round, and where held bytes are. */
	uint8_t *lent;
	size_t lent_n;
	int at_block; /* -1: nowhere */
	/* What came of it. */
	bool is_closed;
	uint64_t out_hash, hash;
};

/* name, headroom, window, bite, bite_out, answer and age are set before. */
void life_open(struct life *l, struct life_room *room, const struct sb_plan *plan, const struct plan_model *model,
	       const uint64_t *limit);

/* The peer sends, unless it has ended. */
void life_send(struct life *l, const uint8_t *p, size_t n);
void life_cut(struct life *l);

/* Delivers what is under way, and says that there is room. */
void life_run(struct life *l);
/* Says that there is room, if the session waits for it and there is. */
void life_settle(struct life *l);

/* The gate opens, res being what is proved by that; or it cannot be had, res < 0. Nothing when it is not asked for. */
void life_gate(struct life *l, int res);

/* Time passes: every deadline is tried a nanosecond before, and at its time; or only then (is_late). */
void life_wait(struct life *l, uint64_t ns, bool is_late);
/* Time passes and nobody looks at the clock. */
void life_tick(struct life *l);
void life_excuse(struct life *l);
void life_finish(struct life *l, enum sb_reason why);
void life_kill(struct life *l, enum sb_reason why, enum sb_close_how how);

/* Nothing goes wrong any more, the peer reads and ends: it must come to an end, and then do nothing. */
void life_end(struct life *l);

/* ---- between its files ---- */

/* What the session holds is kept, and what was lent goes back. */
void life_keep(struct life *l);
/* A buffer for n bytes that come, and room for them where the session may put them. */
uint8_t *life_lend(struct life *l, const uint8_t *p, size_t n);
void life_give_back(struct life *l);
/* What can be seen of the session is as the model has it; and one value of it. */
void life_compare(const struct life *l);
void life_same(const struct life *l, const char *what, uint64_t is, uint64_t must);

#endif
