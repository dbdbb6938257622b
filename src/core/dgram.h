/* SPDX-License-Identifier: MIT
 *
 * Datagrams: whether one is answered, and with what. Nothing is kept of a datagram but its source's rate.
 *
 * UDP sources can be forged, so the rules are about third parties: never more bytes out than in towards an
 * address that has proved nothing (the maker of a port of LISTEN has: he came over TCP), never an answer to what may be
 * a service or ourselves, to many, or to something malformed. The order of the checks is cheapest first, and only what
 * passes them all is counted against its source's rate.
 */
#ifndef SB_CORE_DGRAM_H
#define SB_CORE_DGRAM_H

#include "base/op.h"
#include "core/plan.h"
#include "core/rate.h"

enum sb_drop {
#define SB_DROP(id, name, text, change) SB_DROP_##id,
#include "core/drops.def"
#undef SB_DROP
	SB_DROP_COUNT
};

struct sb_drop_row {
	const char *name, *text, *change;
};

extern const struct sb_drop_row sb_drops[SB_DROP_COUNT];

/* What a datagram socket knows besides the datagram. Lists are the caller's. */
struct sb_dgram_port {
	const struct sb_plan *plan;
	const uint16_t *own_ports; /* of all our datagram sockets */
	size_t own_ports_n;
	const struct sb_cidr *allow; /* none: everybody */
	size_t allow_n;
	const struct sb_addr *owner; /* a port of LISTEN: its maker, whose address alone is answered; else NULL */
	bool is_strict, is_loopback; /* the profile; whether the socket's own address is a loopback one */
};

/* Whether this datagram may be answered: NONE, or why not. Counts it against its source's rate if it may. */
enum sb_drop sb_dgram_judge(const struct sb_dgram_port *port, struct sb_rates *rates, const struct sb_done *done,
			    uint64_t now);

/* How many datagrams answer it: 0 for DISCARD, 1, or a SOURCE's count. */
uint64_t sb_dgram_replies(const struct sb_dgram_port *port);

/* The i-th reply. What it says is either in the request (data) or written to room, which has 64 KiB. */
struct sb_slice sb_dgram_reply(const struct sb_dgram_port *port, const struct sb_done *done, uint64_t i, uint8_t *room);

#endif
