/* SPDX-License-Identifier: MIT
 * Judging and answering datagrams. See dgram.h. */
#include "core/dgram.h"

const struct sb_drop_row sb_drops[SB_DROP_COUNT] = {
#define SB_DROP(id, name, text, change) {name, text, change},
#include "core/drops.def"
#undef SB_DROP
};

enum { PORT_CLIENT_MIN = 1024, BATCH = 64 };

/* SSDP, NFS, WS-Discovery, NAT-PMP, mDNS, CoAP, memcached, Steam, Ubiquiti, CLDAP is below 1024: UDP services that
 * answer anybody, with more than they were asked. */
static bool is_reflector(uint16_t port)
{
	static const uint16_t known[] = {1900, 2049, 3283, 3702, 5351, 5353, 5683, 10001, 11211, 27015, 27960, 37810};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == port)
			return true;
	return false;
}

static bool is_own(const struct sb_dgram_port *port, uint16_t p)
{
	for (size_t i = 0; i < port->own_ports_n; i++)
		if (port->own_ports[i] == p)
			return true;
	return false;
}

static enum sb_drop judge_source(const struct sb_dgram_port *port, const struct sb_done *done)
{
	const struct sb_addr *src = &done->src;

	if (src->port == 0)
		return SB_DROP_PORT_ZERO;
	if (src->port < PORT_CLIENT_MIN)
		return SB_DROP_PORT_LOW;
	if (is_own(port, src->port))
		return SB_DROP_LOOP;
	if (port->is_strict && is_reflector(src->port))
		return SB_DROP_REFLECTOR;
	if (sb_addr_is_odd(src)) /* which 0.0.0.0 and :: are, too */
		return SB_DROP_SOURCE;
	if (done->dst.family != SB_UNIX && sb_addr_is_odd(&done->dst))
		return SB_DROP_TARGET;
	if (!port->is_loopback && sb_addr_is_loopback(src) &&
	    !(done->dst.family != SB_UNIX && sb_addr_is_loopback(&done->dst)))
		return SB_DROP_LOOPBACK;
	return SB_DROP_NONE;
}

static bool is_owners(const struct sb_dgram_port *port, const struct sb_addr *src)
{
	return !port->owner || sb_addr_is_host(src, port->owner);
}

static bool is_allowed(const struct sb_dgram_port *port, const struct sb_addr *src)
{
	if (port->allow_n == 0 || sb_addr_is_loopback(src))
		return true;
	for (size_t i = 0; i < port->allow_n; i++)
		if (sb_addr_in(src, &port->allow[i]))
			return true;
	return false;
}

/* Whether it is whole frames and nothing else. */
static bool is_framed(const struct sb_framing *f, const struct sb_done *done)
{
	struct sb_scan scan = {0};
	struct sb_frame frames[BATCH];
	const uint8_t *p = done->data;
	size_t left = (size_t)done->res;
	int found;

	do {
		found = sb_framing_scan(f, &scan, p, left, frames, BATCH);
		for (int i = 0; i < found; i++) {
			p += frames[i].wire;
			left -= frames[i].wire;
		}
	} while (found > 0 && left > 0);
	return found >= 0 && left == 0;
}

enum sb_drop sb_dgram_judge(const struct sb_dgram_port *port, struct sb_rates *rates, const struct sb_done *done,
			    uint64_t now)
{
	const struct sb_limits *limits = port->plan->limits;
	enum sb_drop drop = judge_source(port, done);

	if (drop != SB_DROP_NONE)
		return drop;
	if (!is_owners(port, &done->src))
		return SB_DROP_OWNER;
	if (done->flags & SB_DONE_TRUNC)
		return SB_DROP_TRUNCATED;
	if (!is_allowed(port, &done->src))
		return SB_DROP_ALLOW;
	if (!is_framed(&port->plan->framing, done))
		return SB_DROP_MALFORMED;
	/* Who is not answered for what all others send is not counted for it. */
	if (!sb_rate_has_total(rates, limits->v[SB_LIMIT_UDP_TOTAL], now))
		return SB_DROP_TOTAL;
	if (!sb_rate_take(rates, &done->src, limits->v[SB_LIMIT_UDP_RATE], now))
		return SB_DROP_RATE;
	sb_rate_take_total(rates, limits->v[SB_LIMIT_UDP_TOTAL], now);
	return SB_DROP_NONE;
}

uint64_t sb_dgram_replies(const struct sb_dgram_port *port)
{
	const struct sb_service_ops *ops = port->plan->service->ops;

	if (ops->is_source)
		return port->plan->source.count == UINT64_MAX ? 1 : port->plan->source.count;
	return ops->route == SB_ROUTE_BACK ? 1 : 0;
}

struct sb_slice sb_dgram_reply(const struct sb_dgram_port *port, const struct sb_done *done, uint64_t i, uint8_t *room)
{
	const struct sb_source *source = &port->plan->source;
	size_t size;

	if (!port->plan->service->ops->is_source)
		return sb_slice(done->data, (size_t)done->res);
	/* Without an end it has no size of its own: as much as was sent to us. */
	if (source->count == UINT64_MAX) {
		sb_source_fill(source, 0, room, (size_t)done->res);
		return sb_slice(room, (size_t)done->res);
	}
	size = (size_t)(sb_source_size(source) / source->count);
	sb_source_fill(source, i * size, room, size);
	return sb_slice(room, size);
}
