/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: amplification. Of a server that others can reach nobody is sent more bytes in
 * datagrams than have come in his name, all sockets and all time together; but who has made a port of datagrams over a
 * TCP connection has proved that his address is his. */
#include "found.h"
#include "oracle.h"

static bool is_host(const struct sb_addr *a, const struct sb_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static uint32_t share_of(struct run *r, const struct sb_addr *host)
{
	uint32_t i = 0;

	while (i < r->shares_n && !is_host(&r->shares[i].host, host))
		i++;
	if (i == RUN_SOURCES)
		sb_found("%s: more than %d sources of datagrams", r->backend, RUN_SOURCES);
	if (i < r->shares_n)
		return i;
	r->shares[i].host = *host;
	r->shares[i].in = r->shares[i].out = 0;
	r->shares[i].is_proven = false;
	return r->shares_n++;
}

void share_in(struct run *r, const struct sb_addr *from, uint32_t n)
{
	r->shares[share_of(r, from)].in += n;
}

void share_prove(struct run *r, const struct sb_addr *host)
{
	r->shares[share_of(r, host)].is_proven = true;
}

void share_out(struct run *r, const struct sb_addr *to, size_t n)
{
	uint32_t i = share_of(r, to);

	r->shares[i].out += n;
	if (r->is_strict && !r->shares[i].is_proven && r->shares[i].out > r->shares[i].in)
		sb_found("%s: an address that has proved nothing is sent %llu bytes for %llu", r->backend,
			 (unsigned long long)r->shares[i].out, (unsigned long long)r->shares[i].in);
}
