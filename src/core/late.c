/* SPDX-License-Identifier: MIT
 * Two lists in the order of time, and chains of blocks. See late.h. */
#include "core/late.h"

_Static_assert(sizeof(struct sb_late_more) == SB_LATE_BLOCK, "a block is one of these");
_Static_assert(sizeof(struct sb_late_reply) + SB_LATE_FIRST == SB_LATE_BLOCK, "or one of those");

static uint8_t *first_bytes(const struct sb_late_reply *reply)
{
	return (uint8_t *)(uintptr_t)(reply + 1);
}

/* ---- lists ---- */

static struct sb_late_list *list_of(struct sb_late *late, const struct sb_late_reply *reply)
{
	return reply->waits_for ? &late->waiting : &late->timed;
}

/* From the end: with one hold= for all, that is where its place is. */
static void put(struct sb_late_list *list, struct sb_late_reply *reply)
{
	struct sb_late_reply *before = list->last;

	while (before && before->due > reply->due)
		before = before->prev;
	reply->prev = before;
	reply->next = before ? before->next : list->first;
	*(reply->next ? &reply->next->prev : &list->last) = reply;
	*(before ? &before->next : &list->first) = reply;
}

static void take_out(struct sb_late_list *list, struct sb_late_reply *reply)
{
	*(reply->next ? &reply->next->prev : &list->last) = reply->prev;
	*(reply->prev ? &reply->prev->next : &list->first) = reply->next;
}

/* ---- bytes ---- */

static uint32_t blocks_for(size_t n)
{
	return 1 + (n > SB_LATE_FIRST ? (uint32_t)((n - SB_LATE_FIRST + SB_LATE_MORE - 1) / SB_LATE_MORE) : 0);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void keep(struct sb_late *late, struct sb_late_reply *reply, struct sb_slice bytes)
{
	struct sb_late_more **link = &reply->more;
	size_t n = least(bytes.n, SB_LATE_FIRST);

	sb_copy(first_bytes(reply), bytes.p, n);
	while ((bytes = sb_slice_skip(bytes, n)).n) {
		*link = sb_pool_get(&late->blocks);
		n = least(bytes.n, SB_LATE_MORE);
		sb_copy((*link)->bytes, bytes.p, n);
		link = &(*link)->next;
	}
	*link = NULL;
}

struct sb_slice sb_late_bytes(const struct sb_late_reply *reply, uint8_t *room)
{
	size_t at = least(reply->n, SB_LATE_FIRST);

	sb_copy(room, first_bytes(reply), at);
	for (const struct sb_late_more *more = reply->more; more; more = more->next) {
		size_t n = least(reply->n - at, SB_LATE_MORE);

		sb_copy(room + at, more->bytes, n);
		at += n;
	}
	return sb_slice(room, at);
}

/* ---- replies ---- */

void sb_late_init(struct sb_late *late, void *mem, uint32_t blocks)
{
	*late = (struct sb_late){.timed = {NULL, NULL}};
	sb_pool_init(&late->blocks, mem, SB_LATE_BLOCK, blocks);
}

bool sb_late_add(struct sb_late *late, const struct sb_late_reply *what, struct sb_slice bytes)
{
	struct sb_late_reply *reply;

	if (blocks_for(bytes.n) > sb_pool_left(&late->blocks))
		return false;
	reply = sb_pool_get(&late->blocks);
	*reply = *what;
	reply->n = (uint32_t)bytes.n;
	keep(late, reply, bytes);
	put(list_of(late, reply), reply);
	return true;
}

void sb_late_passed(struct sb_late *late, uint32_t listener, const struct sb_addr *peer, uint64_t number, uint64_t due)
{
	struct sb_late_reply *reply, *next;

	for (reply = late->waiting.first; reply; reply = next) {
		next = reply->next;
		if (reply->listener != listener || reply->waits_for > number || !sb_addr_eq(&reply->peer, peer))
			continue;
		take_out(&late->waiting, reply);
		reply->waits_for = 0;
		reply->due = due;
		put(&late->timed, reply);
	}
}

struct sb_late_reply *sb_late_first(const struct sb_late *late)
{
	struct sb_late_reply *timed = late->timed.first, *waiting = late->waiting.first;

	if (!timed || !waiting)
		return timed ? timed : waiting;
	return waiting->due < timed->due ? waiting : timed;
}

void sb_late_end(struct sb_late *late, struct sb_late_reply *reply)
{
	struct sb_late_more *more = reply->more;

	take_out(list_of(late, reply), reply);
	while (more) {
		struct sb_late_more *next = more->next;

		sb_pool_put(&late->blocks, more);
		more = next;
	}
	sb_pool_put(&late->blocks, reply);
}
