/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: datagrams. Each is answered as often as it must be, or not at all. */
#include <errno.h>

#include "found.h"
#include "oracle.h"

#include <errno.h>

#define BURST (2 * SB_S)

/* No host's address: nobody's, or many hosts'. */
static bool is_odd(const struct sb_addr *a)
{
	uint8_t any = 0;

	for (int i = 0; i < 16; i++)
		any |= a->ip[i];
	return a->family == SB_IPV6 ? a->ip[0] == 0xff || any == 0 : a->ip[0] >= 224 || a->ip[0] == 0;
}

static bool is_port_of_ours(const struct run *r, uint16_t port)
{
	for (uint32_t i = 0; i < r->ports_to; i++)
		if (r->model[i].is_udp && r->door[i].fd >= 0 && r->door[i].port == port)
			return true;
	return false;
}

static bool is_reflector(uint16_t port)
{
	static const uint16_t ports[] = {1900, 2049, 3283, 3702, 5351, 5353, 5683, 10001, 11211, 27015, 27960, 37810};

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (ports[i] == port)
			return true;
	return false;
}

static bool is_malformed(const struct model *m, const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		struct ref_answer a = ref_decode(m->ref, &m->args, at, p + at, n - at);

		if (a.err || a.wire == 0)
			return true;
		at += a.wire;
	}
	return false;
}

/* One more from a bucket that holds two seconds' worth. */
static bool has(uint64_t full_at, uint64_t rate, uint64_t now)
{
	return (full_at > now ? full_at : now) + SB_S / rate <= now + BURST;
}

static bool take(uint64_t *full_at, uint64_t rate, uint64_t now)
{
	if (!has(*full_at, rate, now))
		return false;
	*full_at = (*full_at > now ? *full_at : now) + SB_S / rate;
	return true;
}

static bool is_same(const struct sb_addr *a, const struct sb_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, a->family == SB_IPV6 ? 8 : 4) == 0;
}

static bool is_over_rate(struct run *r, const struct sb_addr *src)
{
	uint32_t i = 0;

	while (i < r->sources && !is_same(&r->source[i].from, src))
		i++;
	if (i == RUN_SOURCES)
		sb_found("%s: more than %d sources of datagrams", r->backend, RUN_SOURCES);
	if (i == r->sources) {
		r->source[i].from = *src;
		r->source[i].full_at = 0;
		r->sources++;
	}
	return !take(&r->source[i].full_at, r->limit[SB_LIMIT_UDP_RATE], r->k->now);
}

/* Why this source is not answered; NONE if it may. A strict server listens on IPv4 alone. */
static enum sb_drop judge_source(const struct run *r, const struct sim_dgram *d)
{
	if (d->src.port == 0)
		return SB_DROP_PORT_ZERO;
	if (d->src.port < 1024)
		return SB_DROP_PORT_LOW;
	if (is_port_of_ours(r, d->src.port))
		return SB_DROP_LOOP;
	if (r->is_strict && is_reflector(d->src.port))
		return SB_DROP_REFLECTOR;
	if (is_odd(&d->src))
		return SB_DROP_SOURCE;
	if (r->is_strict && is_odd(&d->dst))
		return SB_DROP_TARGET;
	if (r->is_strict && d->src.ip[0] == 127 && d->dst.ip[0] != 127)
		return SB_DROP_LOOPBACK;
	return SB_DROP_NONE;
}

static enum sb_drop judge(struct run *r, const struct model *m, const struct sim_dgram *d)
{
	enum sb_drop why = judge_source(r, d);
	uint64_t total = r->limit[SB_LIMIT_UDP_TOTAL];
	uint8_t src = d->src.ip[0];

	if (why != SB_DROP_NONE)
		return why;
	if (line_refusal(r, &r->k->conn[d->conn], r->peer[d->conn].listener))
		return SB_DROP_OWNER;
	if (d->extra)
		return SB_DROP_TRUNCATED;
	if (r->is_strict && src != 10 && src != 127 && !(r->has_more_allowed && src == 192))
		return SB_DROP_ALLOW;
	if (is_malformed(m, r->k->conn[d->conn].sent + d->from, d->n))
		return SB_DROP_MALFORMED;
	if (total && !has(r->total_full_at, total, r->k->now))
		return SB_DROP_TOTAL;
	if (is_over_rate(r, &d->src))
		return SB_DROP_RATE;
	if (total)
		take(&r->total_full_at, total, r->k->now);
	return SB_DROP_NONE;
}

/* ---- being answered ---- */

static void log_drop(struct run *r, enum sb_drop why, const char *err)
{
	const struct sim_dgram *d = &r->asked.d;
	const char *change = sb_drops[why].change;
	char from[MODEL_ADDR_MAX];

	r->dropped[why]++;
	log_expect(r, SB_LOG_DROP, "peer=%s listener=%u reason=%s bytes=%u%s%s%s%s", model_addr(from, &d->src),
		   r->peer[d->conn].listener + 1, sb_drops[why].name,
		   d->n + (d->extra ? SB_IO_BUF_SIZE - d->n + d->extra : 0), err[0] ? " errno=" : "", err,
		   change[0] ? " change=" : "", change);
}

void dgram_settle(struct run *r)
{
	late_settle(r);
	if (!r->asked.is_open)
		return;
	r->asked.is_open = false;
	if (r->asked.is_failed || r->asked.got == r->asked.want)
		return;
	sb_found("%s: a datagram was answered %llu times, not %llu (%s)", r->backend, (unsigned long long)r->asked.got,
		 (unsigned long long)r->asked.want, sb_drops[r->asked.why].name);
}

void oracle_on_dgram(struct sb_sys *k, const struct sim_dgram *d)
{
	struct run *r = k->user;
	const struct model *m = &r->model[r->peer[d->conn].listener];
	char from[MODEL_ADDR_MAX];
	uint32_t n = d->extra ? SB_IO_BUF_SIZE + d->extra : d->n;

	dgram_settle(r);
	share_in(r, &d->src, d->n);
	r->asked.is_open = true;
	r->asked.is_failed = false;
	r->asked.got = r->asked.want = 0;
	r->asked.d = *d;
	r->asked.why = judge(r, m, d);
	if (m->is_refusing && r->asked.why == SB_DROP_NONE)
		sb_found("%s: a datagram came to a socket that refuses them", r->backend);
	if (m->is_silent && r->asked.why == SB_DROP_NONE)
		r->asked.why = SB_DROP_ASKED;
	r->count[SB_COUNT_DATAGRAMS_IN]++;
	r->count[SB_COUNT_BYTES_IN] += n;
	log_expect(r, SB_LOG_RECV, "peer=%s listener=%u bytes=%u", model_addr(from, &d->src),
		   r->peer[d->conn].listener + 1, n);
	if (r->asked.why != SB_DROP_NONE)
		log_drop(r, r->asked.why, "");
	else if (m->service == MODEL_SOURCE && !m->is_endless)
		r->asked.want = m->replies;
	else
		r->asked.want = m->service != MODEL_DISCARD;
	if (!m->is_fated)
		return;
	r->asked.is_open = false;
	late_on_dgram(r, r->asked.want);
}

/* A datagram that the kernel could not hand over. */
void oracle_on_unread(struct sb_sys *k, int fd, int err)
{
	struct run *r = k->user;
	uint32_t i = 0;

	dgram_settle(r);
	if (err == -EINTR || err == -EAGAIN)
		return;
	while (i < r->ports_to && r->door[i].fd != fd)
		i++;
	r->dropped[SB_DROP_UNREAD]++;
	log_expect(r, SB_LOG_DROP, "listener=%u reason=unread errno=%s", i + 1, sb_errname(err));
}

static void note_reply(struct run *r, struct sb_slice bytes, int res)
{
	bool is_full = res == -EAGAIN || res == -ENOBUFS || res == -ENOMEM;

	if (res == -EINTR) /* it is sent again */
		return;
	r->asked.got++;
	if (r->asked.is_failed || r->asked.got > r->asked.want)
		sb_found("%s: a datagram was answered once more, %llu times", r->backend,
			 (unsigned long long)r->asked.got);
	if (res < 0) {
		r->asked.is_failed = true;
		log_drop(r, is_full ? SB_DROP_NO_ROOM : SB_DROP_UNSENT, sb_errname(res));
		return;
	}
	r->count[SB_COUNT_DATAGRAMS_OUT]++;
	r->count[SB_COUNT_BYTES_OUT] += bytes.n;
}

void oracle_on_reply(struct sb_sys *k, const struct sim_dgram *d, const struct sb_addr *to, struct sb_slice bytes,
		     int res)
{
	struct run *r = k->user;
	const struct model *m = &r->model[r->peer[d->conn].listener];
	const uint8_t *request = k->conn[d->conn].sent + d->from;

	if (res >= 0)
		share_out(r, to, bytes.n);
	if (m->is_fated) {
		late_on_reply(r, to, bytes, res);
		return;
	}
	if (m->service == MODEL_DISCARD)
		sb_found("%s: a datagram was answered by DISCARD", r->backend);
	if (!sb_addr_eq(to, &d->src))
		sb_found("%s: a datagram was answered to somebody else", r->backend);
	if (r->asked.why != SB_DROP_NONE)
		sb_found("%s: a datagram was answered that must not be: %s", r->backend, sb_drops[r->asked.why].text);
	if ((m->service == MODEL_ECHO || m->is_endless) && bytes.n != d->n)
		sb_found("%s: a datagram of %u bytes was answered with %zu", r->backend, d->n, bytes.n);
	if (m->service == MODEL_ECHO && !sb_slice_eq(bytes, sb_slice(request, d->n)))
		sb_found("%s: a datagram came back changed", r->backend);
	/* The ring, from where the message of that number begins; lines of 72 for CHARGEN. */
	for (size_t i = 0; m->service == MODEL_SOURCE && !m->is_odd && i < bytes.n && i < 72; i++)
		if (bytes.p[i] != ' ' + (uint8_t)((i + r->asked.got) % 95))
			sb_found("%s: a datagram's reply %llu is not what it is made of", r->backend,
				 (unsigned long long)r->asked.got + 1);
	note_reply(r, bytes, res);
}
