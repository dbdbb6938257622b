/* SPDX-License-Identifier: MIT
 * Replies that do not just leave. See dgram_late.h. */
#include "dgram_late.h"

#include <stdalign.h>

#include "found.h"

enum { PEERS = 3, BLOCKS = 20 };

static struct sb_replies replies;
static struct sb_peer cells[PEERS];
static uint32_t heads[PEERS];
static alignas(64) uint8_t blocks[BLOCKS * SB_LATE_BLOCK];
static struct late_model model;
static uint8_t room[SB_DATAGRAM_MAX];
static uint64_t digest;

void dgram_late_start(void)
{
	sb_peers_init(&replies.peers, cells, heads, PEERS);
	sb_late_init(&replies.late, blocks, BLOCKS);
	replies.forgotten = 0;
	late_model_init(&model, BLOCKS, PEERS);
	digest = 1;
}

/* FNV-1a: what is kept of bytes that are looked at again when they leave. */
static uint32_t sum_of(struct sb_slice bytes)
{
	uint64_t sum = 2166136261;

	for (size_t i = 0; i < bytes.n; i++)
		sum = ((sum ^ bytes.p[i]) * 16777619) & UINT32_MAX;
	return (uint32_t)sum;
}

static void compare(const struct sb_late_reply *is, const struct late_want *must, const char *when)
{
	if (is->number != must->number || is->copies != must->copies || is->listener != must->listener)
		sb_found("dgram: %s reply %llu is sent %u times, not reply %llu %u times", when,
			 (unsigned long long)is->number, is->copies, (unsigned long long)must->number, must->copies);
	if (!sb_addr_eq(&is->peer, &must->peer) || !sb_addr_eq(&is->own, &must->own))
		sb_found("dgram: %s reply %llu is for somebody else", when, (unsigned long long)is->number);
}

static void check_shape(const struct sb_plan *plan, const struct late_want *must, struct sb_slice before,
			struct sb_slice bytes)
{
	size_t same = before.n < bytes.n ? before.n : bytes.n;

	if (bytes.n != must->size || (same && memcmp(bytes.p, before.p, same) != 0))
		sb_found("dgram: reply %llu has %zu bytes, not %u, or others", (unsigned long long)must->number,
			 bytes.n, must->size);
	for (size_t i = same; i < bytes.n; i++)
		if (bytes.p[i])
			sb_found("dgram: byte %zu of what a reply is filled up with is %02x", i, bytes.p[i]);
	if (bytes.n != sb_fate_size(&plan->fates, before.n))
		sb_found("dgram: a reply of %zu bytes gets %zu", before.n, bytes.n);
}

void dgram_late_reply(const struct sb_plan *plan, const char *line, const struct sb_done *done, struct sb_slice bytes,
		      uint64_t now)
{
	/* Two sockets, by whether it is known where the datagram was sent to. */
	uint32_t listener = done->dst.family == SB_UNIX ? 1 : 2;
	struct late_want must = {
		.listener = listener, .door = listener, .peer = done->src, .own = done->dst, .n = (uint32_t)bytes.n};
	struct sb_slice before = bytes;
	struct sb_late_reply what;
	enum sb_drop is, want;
	bool is_kept;

	bytes = sb_fate_shape(&plan->fates, bytes, room);
	must.from = sum_of(bytes);
	is = sb_replies_take(&replies, plan, listener, done, bytes, now, &what, &is_kept);
	want = late_model_take(&model, line, plan->limits->v[SB_LIMIT_DELAY], now, &must);
	check_shape(plan, &must, before, bytes);
	if (is != want)
		sb_found("dgram: reply %llu is %s, not %s", (unsigned long long)what.number, sb_drops[is].name,
			 sb_drops[want].name);
	if (is == SB_DROP_NONE && is_kept == must.is_answer)
		sb_found("dgram: reply %llu is %s", (unsigned long long)what.number, is_kept ? "kept" : "not kept");
	if (is == SB_DROP_NONE)
		compare(&what, &must, "now");
	if (replies.forgotten != model.forgotten)
		sb_found("dgram: %llu peers were forgotten, not %llu", (unsigned long long)replies.forgotten,
			 (unsigned long long)model.forgotten);
	digest = digest * 31 + is + must.from + must.number;
	sb_replies_passed(&replies, plan, &what, now);
	late_model_pass(&model, line, now, &must);
	dgram_late_pass(now);
}

static void leave(struct sb_late_reply *is, const struct late_want *must, const char *when)
{
	if (!is)
		sb_found("dgram: %s reply %llu is not there", when, (unsigned long long)must->number);
	compare(is, must, when);
	if (is->n != must->size || sum_of(sb_late_bytes(is, room)) != must->from)
		sb_found("dgram: reply %llu says something else after it was kept", (unsigned long long)is->number);
	digest = digest * 31 + is->number + is->copies;
	sb_late_end(&replies.late, is);
	if (replies.late.blocks.used != model.blocks)
		sb_found("dgram: %u blocks are in use, not %u", replies.late.blocks.used, model.blocks);
}

void dgram_late_pass(uint64_t now)
{
	struct late_want must;

	while (late_model_due(&model, now, &must))
		leave(sb_replies_due(&replies, now), &must, "when it is due");
	if (sb_replies_due(&replies, now))
		sb_found("dgram: a reply is due too early");
}

uint64_t dgram_late_end(void)
{
	struct late_want must;

	if (sb_replies_of(&replies, 0))
		sb_found("dgram: a reply waits for another socket");
	for (uint32_t i = 2; i > 0; i--)
		while (late_model_of(&model, i, &must))
			leave(sb_replies_of(&replies, i), &must, "at the end");
	if (sb_late_first(&replies.late) || replies.late.blocks.used)
		sb_found("dgram: something is left at the end");
	return digest;
}
