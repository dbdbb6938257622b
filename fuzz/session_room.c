/* SPDX-License-Identifier: MIT
 * The memory of a session's life: what is lent to it, and where what it holds is kept. See session_life.h. */
#include "session_life.h"

static void open_block(struct life_block *b, size_t n)
{
	if (!b->is_ready)
		arena_poison(b->room, sizeof(b->room));
	b->is_ready = true;
	arena_unpoison(b->room, n);
	b->n = n;
}

static void close_block(struct life_block *b)
{
	if (b->n)
		arena_poison(b->room, arena_round(b->n));
	b->n = 0;
}

void life_give_back(struct life *l)
{
	if (l->at_block >= 0)
		close_block(&l->room->block[l->at_block]);
	l->at_block = -1;
}

/* What conn.c does for a connection: a tail that fits the headroom may lie anywhere, a longer one at the start of a
 * block with room behind it. */
void life_keep(struct life *l)
{
	struct sb_slice held = sb_session_held(&l->s);
	struct life_block *b = l->at_block >= 0 ? &l->room->block[l->at_block] : NULL;
	bool is_kept = b && held.p >= b->room && held.p < b->room + sizeof(b->room);

	if (held.n == 0) {
		life_give_back(l);
	} else if (!is_kept || (held.n > l->headroom && held.p != b->room)) {
		int to = l->at_block == 0 ? 1 : 0;

		open_block(&l->room->block[to], held.n);
		memcpy(l->room->block[to].room, held.p, held.n);
		life_give_back(l);
		l->at_block = to;
		sb_session_moved(&l->s, l->room->block[to].room);
	}
	if (l->lent)
		arena_close(l->lent, l->lent_n);
	l->lent = NULL;
}

/* A buffer for n bytes that come, and room for them where the session may put them. */
uint8_t *life_lend(struct life *l, const uint8_t *p, size_t n)
{
	struct life_block *b = l->at_block >= 0 ? &l->room->block[l->at_block] : NULL;
	size_t held = sb_session_held(&l->s).n;

	if (l->lent)
		arena_close(l->lent, l->lent_n);
	l->lent_n = l->headroom + n;
	l->lent = arena_open(&l->room->lent, l->lent_n);
	memcpy(l->lent + l->headroom, p, n);
	if (held > l->headroom && b && held + n <= SB_SESSION_HELD_MAX)
		open_block(b, held + n);
	return l->lent + l->headroom;
}
