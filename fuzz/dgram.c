/* SPDX-License-Identifier: MIT
 *
 * Target: datagrams. A script is datagrams, each judged and answered by core/dgram.h and by a model (dgram_model.h),
 * which must say the same: answered, or the one reason why not; and then the same replies. \ocX chooses the socket, see
 * dgram_lines.def. Then:
 *
 *   payload          of the next datagram
 *   \~               sends it, also when it is empty; \| and the end send what there is
 *   \uX              the next is larger than the room for it, by v(X) + 1 bytes
 *   \D               the last one again
 *   \tX              v(X) ticks of 10 ms pass
 *   \oaX \opX        the next come from address, port X of the tables below
 *   \ovX             they are sent to address X
 *   \ofX             each address of the crowd sends v(X) of one byte, as many as 8: their rates share a set
 *   \onX             the next datagram is sent v(X) times
 *   \oNX             v(X) nanoseconds pass
 *   \oWX             time passes until the last source may come again by its rate; 1: a nanosecond less, 2: more
 *   \ouX \oUX        the rate of a source, of all: v(X) a second, before the start
 *
 * Of lines that say more of replies, each goes through core/replies.h as well: see dgram_late.h.
 *
 * The payload lies alone (codec_arena.h), and what replies are written to is as large as they are.
 */
#include "dgram_late.h"
#include "dgram_model.h"

#include "codec_arena.h"
#include "found.h"
#include "script/script.h"
#include "target.h"

enum { SCRIPT_MAX = 8192, TIMES_MAX = 250, REPLIES_MAX = 3 };

#define TICK (10 * SB_MS)

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* ---- who, from where, to where ---- */

static const uint16_t own_ports[] = {7777, 40000, 5000};

static const char *const addresses[] = {
	"127.0.0.1",
	"10.0.0.1",
	"10.0.0.2",
	"10.1.2.3",
	"10.1.2.4",
	"10.128.0.1",
	"192.0.2.1",
	"192.0.2.128",
	"223.255.255.255",
	"224.0.0.1",
	"239.1.2.3",
	"240.0.0.1",
	"255.255.255.255",
	"0.0.0.0",
	"0.1.2.3",
	"1.0.0.1",
	"126.255.255.255",
	"127.255.0.9",
	"128.0.0.1",
	"::1",
	"::2",
	"::",
	"::ffff:10.0.0.1",
	"::ffff:127.0.0.1",
	"::ffff:224.0.0.1",
	"2001:db8::1",
	"2001:db8::2",
	"2001:db8:0:1::1",
	"2001:db8:0:1:8000::1",
	"2001:db8:7fff::1",
	"2001:db8:8000::1",
	"fe80::1",
	"febf::1",
	"fec0::1",
	"ff02::1",
	"ff00::",
	"fe00::1",
	"a00:1::",
	"11.0.0.1",
	"9.255.255.255",
	"192.0.2.127",
	"10.0.0.0",
	"",
};

static const uint16_t ports[] = {
	50000, 0,     1,    19,    53,   123,   1023, 1024, 1025, 7777,  40000, 5000,
	1900,  1899,  1901, 2049,  3283, 3702,  5351, 5353, 5683, 10001, 11211, 27015,
	27960, 37810, 5352, 65535, 7776, 40001, 5001, 2048, 5354, 5684,  11212, 27016,
};

enum {
	ADDRESSES = sizeof(addresses) / sizeof(addresses[0]),
	PORTS = sizeof(ports) / sizeof(ports[0]),
	NOWHERE = ADDRESSES - 1, /* unknown, as a destination may be */
	NEIGHBOURS = 6,          /* addresses whose rates lie in one set of the table; X from 'A' on */
};

static struct place {
	struct sb_addr addr;
	uint32_t set;
} places[ADDRESSES + NEIGHBOURS];

static uint32_t set_of(const struct sb_addr *a)
{
	return (uint32_t)(sb_addr_key(a, 0) >> 32) % SB_RATE_SETS;
}

static void find_places(void)
{
	struct sb_addr a = {.family = SB_IPV4, .ip = {10, 7, 0, 0}};
	int found = 0;

	for (int i = 0; i < ADDRESSES; i++) {
		struct place *p = &places[i];

		p->addr = (struct sb_addr){.family = SB_UNIX};
		if (addresses[i][0] && sb_addr_parse_ip(&p->addr, sb_slice_cstr(addresses[i])) < 0)
			sb_found("dgram: cannot read the address %s", addresses[i]);
		p->set = set_of(&p->addr);
	}
	for (uint32_t k = 1; found < NEIGHBOURS; k++) {
		a.ip[1] = (uint8_t)(7 + (k >> 16));
		a.ip[2] = (uint8_t)(k >> 8 & 255);
		a.ip[3] = (uint8_t)(k & 255);
		if (set_of(&a) != 700)
			continue;
		places[ADDRESSES + found].addr = a;
		places[ADDRESSES + found++].set = 700;
	}
}

/* ---- sockets ---- */

/* OWNED: a port that LISTEN has made on a strict server, for who is at 10.0.0.1. */
enum { LOOPBACK = 0, STRICT = 1, OWNED = 2, ANYWHERE = 0, HERE = 1 };

static const struct sb_addr owner = {.family = SB_IPV4, .ip = {10, 0, 0, 1}, .port = 50001};

static const struct row {
	uint8_t letter;
	const char *line;
	int profile;
	bool is_here;
	const char *limits, *allow;
} rows[] = {
#define SB_DGRAM_LINE(letter, line, profile, where, limits, allow) {letter, line, profile, where, limits, allow},
#include "dgram_lines.def"
#undef SB_DGRAM_LINE
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct subject {
	struct plan_made made;
	struct plan_model plan;
	struct sb_cidr allow[DGRAM_RANGES_MAX];
	struct sb_dgram_port port;
	struct dgram_model model; /* fresh */
	uint64_t limit[SB_LIMIT_COUNT];
} subjects[ROWS];

static void read_allow(struct subject *s, const char *words)
{
	while (*words) {
		size_t n = strcspn(words, " ");

		if (sb_cidr_parse(&s->allow[s->port.allow_n++], sb_slice(words, n)) < 0)
			sb_found("dgram: cannot read the range %s", words);
		words += n + (words[n] == ' ');
	}
}

static void make_subject(struct subject *s, const struct row *r)
{
	plan_make(&s->made, r->line, SB_ON_UDP, r->profile == STRICT, r->limits);
	plan_model_read(&s->plan, r->line);
	plan_model_limits(s->limit, r->profile == STRICT, r->limits);
	s->port = (struct sb_dgram_port){.plan = &s->made.plan,
					 .own_ports = own_ports,
					 .own_ports_n = sizeof(own_ports) / sizeof(own_ports[0]),
					 .allow = s->allow,
					 .owner = r->profile == OWNED ? &owner : NULL,
					 .is_strict = r->profile != LOOPBACK,
					 .is_loopback = r->is_here};
	read_allow(s, r->allow);
	s->model = (struct dgram_model){.plan = &s->plan,
					.limit = s->limit,
					.is_strict = r->profile != LOOPBACK,
					.is_owned = r->profile == OWNED,
					.is_here = r->is_here,
					.own = own_ports,
					.own_n = s->port.own_ports_n};
	dgram_model_allow(&s->model, r->allow);
}

/* Before main: made when they are needed, they would be what makes two runs of an input differ. */
__attribute__((constructor)) static void make_subjects(void)
{
	for (int row = 0; row < ROWS; row++)
		make_subject(&subjects[row], &rows[row]);
}

/* ---- a run ---- */

struct run {
	const struct subject *s;
	struct dgram_model m;
	uint64_t now;
	uint8_t bytes[SCRIPT_MAX];
	size_t n;
	uint32_t from, to, port, extra, times;
	struct dgram last;
	uint8_t last_bytes[SCRIPT_MAX];
	uint32_t last_extra;
	bool has_last;
};

static struct sb_rates rates; /* zeros at the start of a run */
static struct arena arena;

/* What a run has used of the table. */
static void forget(const struct run *r)
{
	for (size_t i = 0; i < r->m.sources; i++)
		memset(rates.cell[r->m.source[i].set], 0, sizeof(rates.cell[0]));
	rates.total_full_at = 0;
}

static void check_reply(struct run *r, const struct dgram *d, const struct sb_done *done, uint64_t i)
{
	static uint8_t must[PLAN_MESSAGE_MAX];
	bool is_made = plan_is_source(&r->s->plan);
	size_t size = dgram_model_size(&r->m, d);
	uint8_t *slot = arena_open(&arena, is_made ? size : 0);
	struct sb_slice reply = sb_dgram_reply(&r->s->port, done, i, slot);

	if (reply.n != size)
		sb_found("dgram: reply %llu has %zu bytes, not %zu", (unsigned long long)i, reply.n, size);
	if (is_made)
		plan_model_bytes(&r->s->plan, r->s->plan.service == PLAN_CHARGEN ? 0 : i * size, must, size);
	if (size && memcmp(reply.p, is_made ? must : d->p, size) != 0)
		sb_found("dgram: reply %llu says something else", (unsigned long long)i);
	arena_close(slot, is_made ? size : 0);
}

/* And what becomes of each, if the line says so. */
static void send_replies(struct run *r, const struct dgram *d, const struct sb_done *done)
{
	const struct sb_plan *plan = r->s->port.plan;
	const char *line = rows[r->s - subjects].line;
	size_t size = plan_is_source(&r->s->plan) ? dgram_model_size(&r->m, d) : 0;

	for (uint64_t i = 0; plan->fates.is_any && i < sb_dgram_replies(&r->s->port); i++) {
		uint8_t *slot = arena_open(&arena, size);

		dgram_late_reply(plan, line, done, sb_dgram_reply(&r->s->port, done, i, slot), r->now);
		arena_close(slot, size);
	}
}

static void check_replies(struct run *r, const struct dgram *d, const struct sb_done *done)
{
	uint64_t n = sb_dgram_replies(&r->s->port), bytes = n * dgram_model_size(&r->m, d);

	if (n != dgram_model_replies(&r->m))
		sb_found("dgram: is answered %llu times, not %llu", (unsigned long long)n,
			 (unsigned long long)dgram_model_replies(&r->m));
	/* Never more out than in towards who has proved nothing; and to nobody else where one has. */
	if (r->s->port.owner && (d->src.family != SB_IPV4 || memcmp(d->src.ip, owner.ip, sizeof(owner.ip)) != 0))
		sb_found("dgram: a port of somebody else answers");
	if (r->s->port.is_strict && !r->s->port.owner && bytes > d->n)
		sb_found("dgram: %zu bytes are answered with %llu", d->n, (unsigned long long)bytes);
	for (uint64_t i = 0; i < n; i++)
		if (i < REPLIES_MAX || i + 1 == n)
			check_reply(r, d, done, i);
}

static void judge(struct run *r, const struct dgram *d, uint32_t extra, bool is_heard)
{
	uint8_t *data = arena_copy(&arena, d->p, d->n);
	struct sb_done done = {.kind = SB_OP_DGRAM, .res = (int32_t)(d->n + extra), .src = d->src, .dst = d->dst};
	enum sb_drop is, must;

	done.data = data;
	if (d->is_cut_off)
		done.flags = SB_DONE_TRUNC;
	is = sb_dgram_judge(&r->s->port, &rates, &done, r->now);
	must = dgram_model_judge(&r->m, d, r->now);
	if (sb_fuzz_is_verbose)
		sb_tell("%zu bytes, port %u, at %llu: %s", d->n, d->src.port, (unsigned long long)r->now,
			sb_drops[is].name);
	if (is != must)
		sb_found("dgram: the verdict is %s, not %s", sb_drops[is].name, sb_drops[must].name);
	digest = digest * 31 + is + d->n;
	if (is == SB_DROP_NONE && is_heard)
		check_replies(r, d, &done);
	if (is == SB_DROP_NONE)
		send_replies(r, d, &done);
	arena_close(data, d->n);
}

static void send(struct run *r)
{
	struct dgram *d = &r->last;
	uint32_t times = r->times < TIMES_MAX ? r->times : TIMES_MAX;

	*d = (struct dgram){.src = places[r->from].addr, .dst = places[r->to].addr, .set = places[r->from].set};
	d->src.port = ports[r->port];
	d->p = r->last_bytes;
	d->n = r->n;
	d->is_cut_off = r->extra > 0;
	memcpy(r->last_bytes, r->bytes, r->n);
	r->last_extra = r->extra;
	r->has_last = true;
	for (uint32_t i = 0; i < times; i++)
		judge(r, d, r->extra, i < 2); /* all replies are the same */
	r->n = r->extra = 0;
	r->times = 1;
}

/* X of \oaX: '0'.. 'o' the table, and from 'A' on the neighbours. */
static uint32_t place_of(uint8_t x)
{
	if (x >= 'A' && x < 'A' + NEIGHBOURS)
		return ADDRESSES + x - (uint32_t)'A';
	return x >= 'a'   ? (x - (uint32_t)'a' + 10) % ADDRESSES
	       : x >= '0' ? (x - (uint32_t)'0') % ADDRESSES
			  : x % ADDRESSES;
}

static uint32_t port_of(uint8_t x)
{
	return x >= 'a' ? (x - (uint32_t)'a' + 10) % PORTS : x >= '0' ? (x - (uint32_t)'0') % PORTS : x % PORTS;
}

static void crowd(struct run *r, uint32_t times)
{
	uint32_t from = r->from;

	for (uint32_t i = 0; i < NEIGHBOURS; i++) {
		r->from = ADDRESSES + i;
		r->bytes[0] = 'x';
		r->n = 1;
		r->times = times < 8 ? times : 8;
		send(r);
	}
	r->from = from;
}

static void pass(struct run *r, uint64_t ns)
{
	r->now += ns;
	dgram_late_pass(r->now);
}

static void knob(struct run *r, const struct sbs_event *e)
{
	uint64_t wait = 0;

	switch (e->arg[0]) {
	case 'a':
		r->from = place_of(e->arg[1]);
		if (r->from == NOWHERE)
			r->from = 0;
		break;
	case 'v':
		r->to = place_of(e->arg[1]);
		break;
	case 'p':
		r->port = port_of(e->arg[1]);
		break;
	case 'f':
		crowd(r, e->v);
		break;
	case 'n':
		r->times = e->v;
		break;
	case 'N':
		pass(r, e->v);
		break;
	case 'W':
		if (r->has_last)
			wait = dgram_model_wait(&r->m, &r->last, r->now) + (e->v == 2);
		pass(r, wait - (wait > 0 && e->v == 1));
		break;
	default:
		break;
	}
}

static void play(struct run *r, const struct sbs_event *e)
{
	switch (e->kind) {
	case SBS_BYTES:
		if (e->n <= sizeof(r->bytes) - r->n)
			r->n += sbs_unescape(e, r->bytes + r->n);
		break;
	case SBS_CUT:
		send(r);
		break;
	case SBS_RUN:
	case SBS_CUT_OFF:
		if (r->n)
			send(r);
		break;
	case SBS_TRUNC:
		r->extra = e->v + 1;
		break;
	case SBS_DOUBLE:
		if (r->has_last)
			judge(r, &r->last, r->last_extra, true);
		break;
	case SBS_TICKS:
		pass(r, e->v * TICK);
		break;
	case SBS_KNOB:
		knob(r, e);
		break;
	default:
		break;
	}
}

/* Before the start: the socket, and rates on top of its own. */
static struct subject *set_up(const uint8_t *script, size_t n, uint64_t rate[2])
{
	struct sbs_event e;
	size_t at = 0;
	int row = -1;

	rate[0] = rate[1] = UINT64_MAX;
	while (sbs_next(script, n, &at, &e)) {
		if (e.kind != SBS_KNOB)
			continue;
		for (int i = 0; e.arg[0] == 'c' && row < 0 && i < ROWS; i++)
			if (rows[i].letter == e.arg[1])
				row = i;
		if (e.arg[0] == 'u' && rate[0] == UINT64_MAX)
			rate[0] = e.v ? e.v : 1;
		if (e.arg[0] == 'U' && rate[1] == UINT64_MAX)
			rate[1] = e.v;
	}
	return &subjects[row < 0 ? 0 : row];
}

static void set_rates(struct subject *s, const uint64_t rate[2], uint64_t before[2])
{
	static const enum sb_limit which[] = {SB_LIMIT_UDP_RATE, SB_LIMIT_UDP_TOTAL};

	for (int i = 0; i < 2; i++) {
		before[i] = s->limit[which[i]];
		if (rate[i] != UINT64_MAX)
			s->limit[which[i]] = s->made.limits.v[which[i]] = rate[i];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct run r;
	uint64_t rate[2], before[2], ignored[2];
	struct subject *s;
	struct sbs_event e;
	size_t at = 0;

	if (places[0].addr.family == SB_UNIX)
		find_places();
	if (n > SCRIPT_MAX)
		n = SCRIPT_MAX;
	s = set_up(data, n, rate);
	set_rates(s, rate, before);
	r.s = s;
	r.m = s->model;
	r.now = 77 * SB_S;
	r.n = r.from = r.port = r.extra = 0;
	r.to = NOWHERE;
	r.times = 1;
	r.has_last = false;
	digest = 1;
	dgram_late_start();
	sb_tell("---- %s", rows[s - subjects].line);
	while (sbs_next(data, n, &at, &e))
		play(&r, &e);
	if (r.n)
		send(&r);
	digest = digest * 31 + dgram_late_end();
	forget(&r);
	set_rates(s, before, ignored);
	return 0;
}
