/* SPDX-License-Identifier: MIT
 * A hash of chains, and a list by age. See peers.h. */
#include "core/peers.h"

#include "base/rng.h"

#include <string.h>

static uint64_t word(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static uint32_t *head_of(const struct sb_peers *peers, uint32_t listener, const struct sb_addr *a)
{
	uint64_t h = sb_rng_at(peers->secret ^ ((uint64_t)listener << 32 | (uint64_t)a->family << 16 | a->port),
			       word(a->ip));

	return &peers->head[sb_rng_at(h, word(a->ip + 8)) % peers->cap];
}

void sb_peers_init(struct sb_peers *peers, struct sb_peer *cell, uint32_t *head, uint32_t cap)
{
	*peers = (struct sb_peers){.cell = cell, .head = head, .cap = cap};
	memset(head, 0, cap * sizeof(*head));
}

static struct sb_peer *at(const struct sb_peers *peers, uint32_t place)
{
	return &peers->cell[place - 1];
}

static void take_out(struct sb_peers *peers, struct sb_peer *p)
{
	*(p->older ? &at(peers, p->older)->newer : &peers->oldest) = p->newer;
	*(p->newer ? &at(peers, p->newer)->older : &peers->newest) = p->older;
}

static void put_last(struct sb_peers *peers, struct sb_peer *p)
{
	uint32_t place = (uint32_t)(p - peers->cell) + 1;

	p->older = peers->newest;
	p->newer = 0;
	*(p->older ? &at(peers, p->older)->newer : &peers->oldest) = place;
	peers->newest = place;
}

static struct sb_peer *forget_oldest(struct sb_peers *peers)
{
	uint32_t place = peers->oldest;
	struct sb_peer *p = at(peers, place);
	uint32_t *from = head_of(peers, p->listener, &p->addr);

	take_out(peers, p);
	while (*from != place)
		from = &at(peers, *from)->same;
	*from = p->same;
	return p;
}

struct sb_peer *sb_peers_get(struct sb_peers *peers, uint32_t listener, uint32_t gen, const struct sb_addr *addr,
			     bool *has_taken)
{
	uint32_t *head = head_of(peers, listener, addr);
	struct sb_peer *p;

	*has_taken = false;
	for (uint32_t i = *head; i; i = p->same) {
		p = at(peers, i);
		if (p->listener != listener || p->gen != gen || !sb_addr_eq(&p->addr, addr))
			continue;
		take_out(peers, p);
		put_last(peers, p);
		return p;
	}
	*has_taken = peers->n == peers->cap;
	p = *has_taken ? forget_oldest(peers) : &peers->cell[peers->n++];
	*p = (struct sb_peer){.addr = *addr, .listener = listener, .gen = gen, .same = *head};
	*head = (uint32_t)(p - peers->cell) + 1;
	put_last(peers, p);
	return p;
}
