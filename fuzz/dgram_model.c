/* SPDX-License-Identifier: MIT
 * The rules of datagrams. See dgram_model.h. */
#include "dgram_model.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "found.h"

#define SECOND UINT64_C(1000000000)

/* ---- addresses ---- */

static bool is_v4(const struct sb_addr *a, uint8_t from, uint8_t to)
{
	return a->family == SB_IPV4 && a->ip[0] >= from && a->ip[0] <= to;
}

static bool is_loopback(const struct sb_addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return is_v4(a, 127, 127) || (a->family == SB_IPV6 && memcmp(a->ip, one, 16) == 0);
}

/* Multicast, "this network", and what was never given out, broadcast among it; nothing at all. */
static bool is_not_one_host(const struct sb_addr *a)
{
	static const uint8_t nothing[16];

	return is_v4(a, 0, 0) || is_v4(a, 224, 255) ||
	       (a->family == SB_IPV6 && (a->ip[0] == 0xff || memcmp(a->ip, nothing, 16) == 0));
}

void dgram_model_allow(struct dgram_model *m, const char *words)
{
	char room[64];

	m->allow_n = 0;
	while (*words) {
		struct dgram_range *r = &m->allow[m->allow_n++];
		size_t n = strcspn(words, " ");
		char *slash;

		memcpy(room, words, n);
		room[n] = '\0';
		slash = strchr(room, '/');
		*slash = '\0';
		r->bits = (unsigned)strtoul(slash + 1, NULL, 10);
		r->size = strchr(room, ':') ? 16 : 4;
		if (inet_pton(r->size == 16 ? AF_INET6 : AF_INET, room, r->ip) != 1)
			sb_found("model: cannot read the range %s", room);
		words += n + (words[n] == ' ');
	}
}

static bool is_in(const struct sb_addr *a, const struct dgram_range *r)
{
	if (r->size != (a->family == SB_IPV4 ? 4 : 16))
		return false;
	for (unsigned i = 0; i < r->bits; i++)
		if ((a->ip[i / 8] >> (7 - i % 8) & 1) != (r->ip[i / 8] >> (7 - i % 8) & 1))
			return false;
	return true;
}

static bool is_allowed(const struct dgram_model *m, const struct sb_addr *a)
{
	for (size_t i = 0; i < m->allow_n; i++)
		if (is_in(a, &m->allow[i]))
			return true;
	return m->allow_n == 0 || is_loopback(a);
}

/* ---- ports ---- */

static bool is_own(const struct dgram_model *m, uint16_t port)
{
	for (size_t i = 0; i < m->own_n; i++)
		if (m->own[i] == port)
			return true;
	return false;
}

static bool is_reflector(uint16_t port)
{
	switch (port) {
	case 1900:  /* SSDP */
	case 2049:  /* NFS */
	case 3702:  /* WS-Discovery */
	case 5353:  /* mDNS */
	case 5683:  /* CoAP */
	case 11211: /* memcached */
	case 27015: /* Steam */
	case 3283:  /* Apple Remote Desktop */
	case 5351:  /* NAT-PMP */
	case 10001: /* Ubiquiti */
	case 27960: /* Quake III */
	case 37810: /* DHDiscover */
		return true;
	default:
		return false;
	}
}

/* ---- frames ---- */

static bool is_whole(const struct dgram_model *m, const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		struct ref_answer a = ref_decode(m->plan->ref, &m->plan->args, at, p + at, n - at);

		if (a.err || a.wire == 0)
			return false;
		at += a.wire;
	}
	return true;
}

/* ---- rates: who has sent runs ahead by a share of a second each time, and may be two seconds ahead ---- */

static uint64_t debt_at(uint64_t debt, uint64_t since, uint64_t now)
{
	return debt > now - since ? debt - (now - since) : 0;
}

static bool can_take(uint64_t debt, uint64_t rate)
{
	return debt + SECOND / rate <= 2 * SECOND;
}

static bool is_same(const struct dgram_source *s, const struct sb_addr *a)
{
	return s->family == a->family && memcmp(s->ip, a->ip, 8) == 0;
}

static struct dgram_source *source_of(const struct dgram_model *m, const struct sb_addr *a)
{
	for (size_t i = 0; i < m->sources; i++)
		if (is_same(&m->source[i], a))
			return (struct dgram_source *)&m->source[i];
	return NULL;
}

/* A place for a new source. When its set is full, that of the one that was quiet longest: of the one whose debt was or
 * will be paid first. */
static struct dgram_source *new_source(struct dgram_model *m, const struct dgram *d)
{
	struct dgram_source *quiet = NULL;
	size_t n = 0;

	for (size_t i = 0; i < m->sources; i++) {
		struct dgram_source *s = &m->source[i];

		if (s->set != d->set)
			continue;
		n++;
		if (!quiet || s->since + s->debt < quiet->since + quiet->debt)
			quiet = s;
	}
	if (n < DGRAM_WAYS) {
		if (m->sources == DGRAM_SOURCES_MAX)
			sb_found("model: too many sources");
		quiet = &m->source[m->sources++];
	}
	*quiet = (struct dgram_source){.family = d->src.family, .set = d->set};
	memcpy(quiet->ip, d->src.ip, 8);
	return quiet;
}

static uint64_t source_debt(const struct dgram_model *m, const struct dgram *d, uint64_t now)
{
	const struct dgram_source *s = source_of(m, &d->src);

	return s ? debt_at(s->debt, s->since, now) : 0;
}

static bool is_over_total(const struct dgram_model *m, uint64_t now)
{
	uint64_t rate = m->limit[SB_LIMIT_UDP_TOTAL];

	return rate > 0 && !can_take(debt_at(m->total_debt, m->total_since, now), rate);
}

static void count(struct dgram_model *m, const struct dgram *d, uint64_t now)
{
	struct dgram_source *s = source_of(m, &d->src);

	if (!s)
		s = new_source(m, d);
	s->debt = debt_at(s->debt, s->since, now) + SECOND / m->limit[SB_LIMIT_UDP_RATE];
	s->since = now;
	if (m->limit[SB_LIMIT_UDP_TOTAL] == 0)
		return;
	m->total_debt = debt_at(m->total_debt, m->total_since, now) + SECOND / m->limit[SB_LIMIT_UDP_TOTAL];
	m->total_since = now;
}

uint64_t dgram_model_wait(const struct dgram_model *m, const struct dgram *d, uint64_t now)
{
	uint64_t debt = source_debt(m, d, now) + SECOND / m->limit[SB_LIMIT_UDP_RATE];

	return debt > 2 * SECOND ? debt - 2 * SECOND : 0;
}

/* ---- judging ---- */

enum sb_drop dgram_model_judge(struct dgram_model *m, const struct dgram *d, uint64_t now)
{
	bool is_here = d->dst.family != SB_UNIX && is_loopback(&d->dst);
	bool holds[SB_DROP_COUNT] = {
		[SB_DROP_PORT_ZERO] = d->src.port == 0,
		[SB_DROP_PORT_LOW] = d->src.port < 1024,
		[SB_DROP_LOOP] = is_own(m, d->src.port),
		[SB_DROP_REFLECTOR] = m->is_strict && is_reflector(d->src.port),
		[SB_DROP_SOURCE] = is_not_one_host(&d->src),
		[SB_DROP_TARGET] = d->dst.family != SB_UNIX && is_not_one_host(&d->dst),
		[SB_DROP_LOOPBACK] = is_loopback(&d->src) && !m->is_here && !is_here,
		[SB_DROP_OWNER] = m->is_owned && (d->src.family != SB_IPV4 ||
						  memcmp(d->src.ip, (const uint8_t[16]){10, 0, 0, 1}, 16) != 0),
		[SB_DROP_TRUNCATED] = d->is_cut_off,
		[SB_DROP_ALLOW] = !is_allowed(m, &d->src),
		[SB_DROP_MALFORMED] = !is_whole(m, d->p, d->n),
		[SB_DROP_TOTAL] = is_over_total(m, now),
		[SB_DROP_RATE] = !can_take(source_debt(m, d, now), m->limit[SB_LIMIT_UDP_RATE]),
	};

	for (int i = 0; i < SB_DROP_COUNT; i++)
		if (holds[i])
			return (enum sb_drop)i;
	count(m, d, now);
	return SB_DROP_NONE;
}

uint64_t dgram_model_replies(const struct dgram_model *m)
{
	return m->plan->service == PLAN_DISCARD ? 0 : m->plan->service == PLAN_SOURCE ? m->plan->count : 1;
}

size_t dgram_model_size(const struct dgram_model *m, const struct dgram *d)
{
	return m->plan->service == PLAN_SOURCE ? (size_t)m->plan->period : d->n;
}
