/* SPDX-License-Identifier: MIT
 * What becomes of each reply, and when. See replies.h. */
#include "core/replies.h"

/* How long a reply waits for those that are to overtake it: longer than a peer that sends one a second needs. */
#define OVERTAKE_MAX (10 * SB_S)

static uint64_t due_of(const struct sb_plan *plan, const struct sb_late_reply *what, uint64_t now)
{
	uint64_t most = plan->limits->v[SB_LIMIT_DELAY];

	if (what->waits_for)
		return now + (most < OVERTAKE_MAX ? most : OVERTAKE_MAX);
	return now + plan->fates.hold;
}

enum sb_drop sb_replies_take(struct sb_replies *replies, const struct sb_plan *plan, uint32_t listener,
			     const struct sb_done *done, struct sb_slice bytes, uint64_t now,
			     struct sb_late_reply *what, bool *is_kept)
{
	bool has_taken;
	struct sb_peer *peer = sb_peers_get(&replies->peers, listener, done->handle.gen, &done->src, &has_taken);
	struct sb_fate fate = sb_fate_of(&plan->fates, ++peer->replies);

	replies->forgotten += has_taken;
	*what = (struct sb_late_reply){.number = peer->replies, .listener = listener, .copies = fate.copies};
	what->peer = done->src;
	what->own = done->dst;
	what->waits_for = fate.after ? what->number + fate.after : 0;
	what->due = due_of(plan, what, now);
	*is_kept = fate.copies > 0 && what->due > now;
	if (fate.copies == 0)
		return SB_DROP_ASKED;
	return *is_kept && !sb_late_add(&replies->late, what, bytes) ? SB_DROP_HELD_FULL : SB_DROP_NONE;
}

void sb_replies_passed(struct sb_replies *replies, const struct sb_plan *plan, const struct sb_late_reply *what,
		       uint64_t now)
{
	sb_late_passed(&replies->late, what->listener, &what->peer, what->number, now + plan->fates.hold);
}

struct sb_late_reply *sb_replies_due(struct sb_replies *replies, uint64_t now)
{
	struct sb_late_reply *first = sb_late_first(&replies->late);

	return first && first->due <= now ? first : NULL;
}

struct sb_late_reply *sb_replies_of(struct sb_replies *replies, uint32_t listener)
{
	struct sb_late_reply *reply = replies->late.timed.first;

	while (reply && reply->listener != listener)
		reply = reply->next;
	if (!reply)
		reply = replies->late.waiting.first;
	while (reply && reply->listener != listener)
		reply = reply->next;
	return reply;
}
