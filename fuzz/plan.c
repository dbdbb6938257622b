/* SPDX-License-Identifier: MIT
 *
 * Target: from text to a plan. The first byte chooses the profile (bit 0: strict) and the transport (bits 1 and 2:
 * tcp, udp, unix, tcp); the rest of the first line is a line; each further line is an option of the limits,
 * "name=value". What must hold: a limit is taken, or refused with the code that its text deserves, as a table of the
 * ranges says; what is printed is read back the same; a plan is what its line says and its limits allow, or the refusal
 * names a column of the line and says something.
 */
#include <stdio.h>
#include <stdlib.h>

#include "found.h"
#include "plan_model.h"
#include "scenario/line.h"
#include "target.h"

enum { INPUT_MAX = 4096 };

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* ---- limits ---- */

#define SECOND UINT64_C(1000000000)

static const struct range {
	const char *name;
	enum sb_limit id;
	char unit; /* # a number, B bytes, T a time */
	uint64_t min, max;
} ranges[] = {
	{"max-conns", SB_LIMIT_CONNS, '#', 1, 1000000},
	{"max-conns-per-ip", SB_LIMIT_CONNS_PER_IP, '#', 0, 1000000},
	{"first-byte-timeout", SB_LIMIT_FIRST_BYTE, 'T', 0, 3600 * SECOND},
	{"frame-timeout", SB_LIMIT_FRAME, 'T', 0, 3600 * SECOND},
	{"idle-timeout", SB_LIMIT_IDLE, 'T', 0, 86400 * SECOND},
	{"max-lifetime", SB_LIMIT_LIFE, 'T', 0, 86400 * SECOND},
	{"min-rate", SB_LIMIT_MIN_RATE, 'B', 0, 1073741824},
	{"drain-timeout", SB_LIMIT_DRAIN, 'T', 1000000, 3600 * SECOND},
	{"drain-idle-timeout", SB_LIMIT_DRAIN_IDLE, 'T', 1000000, 3600 * SECOND},
	{"drain-bytes", SB_LIMIT_DRAIN_BYTES, 'B', 0, 1073741824},
	{"stop-timeout", SB_LIMIT_STOP, 'T', 1000000, 3600 * SECOND},
	{"max-held", SB_LIMIT_HELD, 'B', 262144, UINT64_C(17179869184)},
	{"max-delay", SB_LIMIT_DELAY, 'T', 1000000, 3600 * SECOND},
	{"max-bytes", SB_LIMIT_BYTES, 'B', 1, UINT64_C(1099511627776)},
	{"max-ports", SB_LIMIT_PORTS, '#', 0, 8192},
	{"max-lines", SB_LIMIT_LINES, '#', 1, 1000000},
	{"max-pieces", SB_LIMIT_PIECES, '#', 0, UINT64_C(1099511627776)},
	{"udp-rate", SB_LIMIT_UDP_RATE, '#', 1, 10000000},
	{"udp-rate-total", SB_LIMIT_UDP_TOTAL, '#', 0, 100000000},
	{"udp-held", SB_LIMIT_UDP_HELD, 'B', 131072, 1073741824},
};

enum { RANGES = sizeof(ranges) / sizeof(ranges[0]) };

static bool is_word(struct sb_slice text, const char *word)
{
	return text.n == strlen(word) && memcmp(text.p, word, text.n) == 0;
}

/* What a unit stands for, 0 for none of this kind. */
static uint64_t factor(char kind, struct sb_slice unit)
{
	static const struct {
		char kind;
		const char *name;
		uint64_t factor;
	} units[] = {{'#', "", 1},      {'B', "", 1},         {'B', "k", 1024},   {'B', "M", 1048576},
		     {'T', "us", 1000}, {'T', "ms", 1000000}, {'T', "s", SECOND}, {'T', "m", 60 * SECOND}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].kind == kind && is_word(unit, units[i].name))
			return units[i].factor;
	return 0;
}

/* 0 and the value, or the code of the refusal. */
static int read_value(const struct range *r, struct sb_slice text, uint64_t *v)
{
	bool is_negative = text.n > 0 && text.p[0] == '-', is_large = false;
	size_t first = is_negative, i = first;
	uint64_t unit;

	*v = 0;
	if (r->min == 0 && is_word(text, "none"))
		return 0;
	for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
		*v = *v * 10 + (text.p[i] - (unsigned)'0');
		is_large |= *v > UINT64_C(1) << 44;
		*v = is_large ? 0 : *v; /* more than any limit, in any unit but a nanosecond's thousandfold */
	}
	unit = factor(r->unit, sb_slice(text.p + i, text.n - i));
	if (i == first || unit == 0)
		return SB_E_TYPE;
	if (is_negative || is_large || *v > UINT64_MAX / unit)
		return SB_E_RANGE;
	*v *= unit;
	return *v == 0 || *v < r->min || *v > r->max ? SB_E_RANGE : 0;
}

static void check_print(const struct range *r, uint64_t v)
{
	struct sb_limits again = {{0}, {0}};
	char room[64];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_text_limit(&t, r->id, v);
	if (sb_limits_set(&again, sb_slice_cstr(r->name), sb_slice_cstr(sb_text_end(&t)), NULL) < 0 ||
	    again.v[r->id] != v)
		sb_found("limits: %s of %llu is printed as %s", r->name, (unsigned long long)v, room);
}

static void set_limit(struct sb_limits *limits, uint64_t expected[SB_LIMIT_COUNT], bool is_set[SB_LIMIT_COUNT],
		      struct sb_slice text)
{
	const uint8_t *equals = text.n ? memchr(text.p, '=', text.n) : NULL;
	size_t n = equals ? (size_t)(equals - text.p) : text.n;
	struct sb_slice name = sb_slice(text.p, n), value = sb_slice_skip(text, equals ? n + 1 : n);
	struct sb_fault fault = {0};
	const struct range *r = NULL;
	uint64_t v = 0;
	int is, must = SB_E_UNKNOWN;

	for (int i = 0; i < RANGES; i++)
		if (is_word(name, ranges[i].name))
			r = &ranges[i];
	if (r)
		must = is_set[r->id] ? SB_E_DUPLICATE : read_value(r, value, &v);
	is = sb_limits_set(limits, name, value, &fault);
	if (is != must)
		sb_found("limits: %.*s: %s, not %s", (int)text.n, (const char *)text.p, sb_errname(is),
			 sb_errname(must));
	if (is < 0 && r && (!fault.text[0] || !strstr(fault.text, r->name)))
		sb_found("limits: %.*s: refused without a word about it", (int)text.n, (const char *)text.p);
	if (is < 0)
		return;
	is_set[r->id] = true;
	expected[r->id] = v;
	check_print(r, v);
}

/* Once, and before main: in the first run it would be what makes that one differ. */
__attribute__((constructor)) static void check_help(void)
{
	static char room[8192];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_limits_help(&t);
	for (int i = 0; i < RANGES; i++)
		if (!strstr(sb_text_end(&t), ranges[i].name) || !sb_limit_name_at(NULL, (size_t)i))
			sb_found("limits: the help does not name %s", ranges[i].name);
	if (t.lost || sb_limit_name_at(NULL, RANGES))
		sb_found("limits: the help is too long, or there are too many");
}

/* ---- the plan ---- */

static void differs(const char *what, bool is_so)
{
	if (!is_so)
		sb_found("plan: %s is not what the line says, or more than is allowed", what);
}

/* Keys that have no place: a service takes those of its own, a datagram those that mean something for it. */
static bool is_misplaced(const struct sb_line *line, bool is_udp)
{
	static const enum sb_key streams[] = {SB_KEY_RECV,     SB_KEY_STOPREAD, SB_KEY_FILE,  SB_KEY_CLOSE,
					      SB_KEY_BACKLOG,  SB_KEY_CONNS,    SB_KEY_FRAG,  SB_KEY_CUT,
					      SB_KEY_JOIN,     SB_KEY_GAP,      SB_KEY_DELAY, SB_KEY_GATE,
					      SB_KEY_GATE_MAX, SB_KEY_LIMIT,    SB_KEY_FLIP,  SB_KEY_MAXLIFE,
					      SB_KEY_PREAMBLE, SB_KEY_SYN,      SB_KEY_HASH,  SB_KEY_MSS,
					      SB_KEY_NTH,      SB_KEY_ACCEPT};
	static const enum sb_key sources[] = {SB_KEY_LEN, SB_KEY_COUNT, SB_KEY_PATTERN, SB_KEY_FILE};
	static const enum sb_key senders[] = {SB_KEY_FRAG, SB_KEY_CUT,      SB_KEY_JOIN,  SB_KEY_GAP,  SB_KEY_DELAY,
					      SB_KEY_GATE, SB_KEY_GATE_MAX, SB_KEY_LIMIT, SB_KEY_FLIP, SB_KEY_SEED};
	static const enum sb_key datagrams[] = {SB_KEY_DROP,  SB_KEY_DUP,  SB_KEY_REORDER, SB_KEY_HOLD,
						SB_KEY_TRUNC, SB_KEY_SIZE, SB_KEY_REPLY};
	bool is_bad = false;

	for (size_t i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++)
		is_bad |= line->v[datagrams[i]].set && (!is_udp || is_word(line->verb, "DISCARD"));
	for (size_t i = 0; is_udp && i < sizeof(streams) / sizeof(streams[0]); i++)
		is_bad |= line->v[streams[i]].set;
	for (size_t i = 0; !is_word(line->verb, "SOURCE") && i < sizeof(sources) / sizeof(sources[0]); i++)
		is_bad |= line->v[sources[i]].set;
	for (size_t i = 0; is_word(line->verb, "DISCARD") && i < sizeof(senders) / sizeof(senders[0]); i++)
		is_bad |= line->v[senders[i]].set;
	if (is_word(line->verb, "CHARGEN"))
		is_bad |= line->v[SB_KEY_FRAME].set || line->v[SB_KEY_MAX].set;
	return is_bad;
}

static void check_source(const struct sb_plan *plan, const uint64_t *limit, bool is_udp, bool is_strict)
{
	const struct sb_source *s = &plan->source;
	uint64_t size = (uint64_t)s->wrap.head_n + s->len + s->wrap.tail_n;

	if (s->count == UINT64_MAX) {
		differs("an endless source", is_word(sb_slice_cstr(plan->service->name), "CHARGEN"));
		return;
	}
	differs("the size of a source", size > 0 && s->count <= limit[SB_LIMIT_BYTES] / size);
	differs("a source over udp", !is_udp || (!is_strict && s->count <= 1000 && size <= 65507));
}

/* The i-th number of cut=, 0 when there is none. */
static uint64_t cut_at(struct sb_slice text, int i)
{
	uint64_t n = 0;

	for (size_t k = 0; k < text.n && i >= 0; k++) {
		if (text.p[k] == ',')
			i--;
		else if (i == 0)
			n = n * 10 + (text.p[k] - (unsigned)'0');
	}
	return n;
}

/* Boundaries come from frag and cut and nowhere else, and none is left out. */
static void check_boundaries(const struct sb_cuts *cuts, const struct sb_value *v)
{
	struct sb_slice text = v[SB_KEY_FRAG].text;
	bool is_k = text.n > 0 && text.p[text.n - 1] == 'k';
	uint64_t frag =
		cuts->frag == SB_FRAG_FIXED ? cut_at(sb_slice(text.p, text.n - is_k), 0) * (is_k ? 1024 : 1) : 0;
	uint64_t unit = 40, at = unit;

	differs("frag", (cuts->frag != SB_FRAG_NONE) == v[SB_KEY_FRAG].set);
	for (int k = 0; k < 70; k++) {
		uint64_t must = UINT64_MAX, next = sb_cuts_next(cuts, unit, at);

		if (frag)
			must = unit + ((at - unit) / frag + 1) * frag;
		for (int i = SB_CUTS_MAX; v[SB_KEY_CUT].set && i >= 0; i--) {
			uint64_t offset = unit + cut_at(v[SB_KEY_CUT].text, i);

			must = offset > at && offset < must ? offset : must;
		}
		if (cuts->frag == SB_FRAG_RANDOM)
			differs("a random cut", next > at && next <= at + 1024 && next <= must);
		else
			differs("a cut", next == must);
		if (next == UINT64_MAX)
			break;
		at = next;
	}
}

static void check_cuts(const struct sb_plan *plan, const struct sb_value *v, const uint64_t *limit)
{
	const struct sb_cuts *cuts = &plan->cuts;
	bool is_cut = v[SB_KEY_FRAG].set || v[SB_KEY_CUT].set, is_any = is_cut || v[SB_KEY_JOIN].set;

	differs("join", cuts->join == (v[SB_KEY_JOIN].set ? v[SB_KEY_JOIN].num : 0));
	differs("join beside cuts", !is_cut || !v[SB_KEY_JOIN].set);
	differs("gap", is_any || (!v[SB_KEY_GAP].set && !v[SB_KEY_GATE].set && !v[SB_KEY_GATE_MAX].set));
	differs("gate", cuts->gate == (v[SB_KEY_GATE].set ? v[SB_KEY_GATE].num : is_any ? 3 : 4));
	differs("gap", cuts->gap == (v[SB_KEY_GAP].set ? v[SB_KEY_GAP].num : cuts->gate == 2 ? 1000000 : 0));
	differs("delay", cuts->delay == (v[SB_KEY_DELAY].set ? v[SB_KEY_DELAY].num : 0));
	differs("max-delay", cuts->gap <= limit[SB_LIMIT_DELAY] || !v[SB_KEY_GAP].set);
	differs("max-delay", cuts->delay <= limit[SB_LIMIT_DELAY] && cuts->gate_max <= limit[SB_LIMIT_DELAY]);
	differs("seed", cuts->seed == (v[SB_KEY_SEED].set ? v[SB_KEY_SEED].num : PLAN_SEED));
	differs("limit", plan->limit == (v[SB_KEY_LIMIT].set ? v[SB_KEY_LIMIT].num : UINT64_MAX));
	differs("flip", plan->flip == (v[SB_KEY_FLIP].set ? v[SB_KEY_FLIP].num : UINT64_MAX));
	differs("maxlife", plan->maxlife == (v[SB_KEY_MAXLIFE].set ? v[SB_KEY_MAXLIFE].num : 0));
	differs("maxlife", limit[SB_LIMIT_LIFE] == 0 || plan->maxlife <= limit[SB_LIMIT_LIFE]);
	differs("whether it is paced",
		plan->is_paced == (is_any || v[SB_KEY_DELAY].set || v[SB_KEY_LIMIT].set || v[SB_KEY_FLIP].set));
	check_boundaries(cuts, v);
}

/* No peer can be answered with more than it has sent. */
static void check_fates(const struct sb_fates *fates, const struct sb_value *v, const uint64_t *limit, bool is_strict)
{
	bool is_any = v[SB_KEY_DROP].set || v[SB_KEY_DUP].set || v[SB_KEY_REORDER].set || v[SB_KEY_HOLD].set ||
		      v[SB_KEY_TRUNC].set || v[SB_KEY_SIZE].set;

	differs("whether replies are counted", fates->is_any == is_any);
	differs("reply", fates->how == (v[SB_KEY_REPLY].set ? v[SB_KEY_REPLY].num : 2));
	differs("reply beside what is about replies", !is_any || fates->how == 2);
	differs("hold", fates->hold == (v[SB_KEY_HOLD].set ? v[SB_KEY_HOLD].num : 0));
	differs("hold", fates->hold <= limit[SB_LIMIT_DELAY]);
	differs("trunc beside size", !v[SB_KEY_TRUNC].set || !v[SB_KEY_SIZE].set);
	for (uint64_t i = 1; i < 200; i++) {
		struct sb_fate fate = sb_fate_of(fates, i);

		differs("a reply sent twice", fate.copies < 2 || (v[SB_KEY_DUP].set && !is_strict));
		differs("a reply not sent", fate.copies > 0 || v[SB_KEY_DROP].set);
		differs("a reply sent after others", fate.after <= 1000 && (fate.after == 0 || v[SB_KEY_REORDER].set));
		differs("the size of a reply", !is_strict || sb_fate_size(fates, i) <= i);
	}
}

static uint64_t times(const char *unit)
{
	return is_word(sb_slice_cstr(unit), "m")    ? 60 * SECOND
	       : is_word(sb_slice_cstr(unit), "s")  ? SECOND
	       : is_word(sb_slice_cstr(unit), "ms") ? SECOND / 1000
						    : 1000;
}

/* "drop" or "drop:1500ms". */
static void check_syn(const struct sb_syn *syn, const struct sb_value *v, const uint64_t *limit, unsigned on)
{
	char text[64], *unit;
	uint64_t number;

	differs("whether it drops", syn->is_drop == v[SB_KEY_SYN].set);
	if (!syn->is_drop)
		return;
	differs("who drops", on == SB_ON_TCP && !v[SB_KEY_BACKLOG].set);
	snprintf(text, sizeof(text), "%.*s", (int)v[SB_KEY_SYN].text.n, (const char *)v[SB_KEY_SYN].text.p);
	differs("syn", strncmp(text, "drop", 4) == 0 && (text[4] == '\0' || text[4] == ':'));
	number = text[4] ? strtoull(text + 5, &unit, 10) : 0;
	differs("for how long it drops", syn->until == (text[4] ? number * times(unit) : UINT64_MAX));
	differs("max-delay", !text[4] || (syn->until <= limit[SB_LIMIT_DELAY] && syn->until >= 1000));
}

static void check_plan(const struct sb_plan *plan, const struct sb_line *line, const uint64_t *limit, unsigned on,
		       bool is_strict)
{
	const struct sb_value *v = line->v;
	bool is_udp = on == SB_ON_UDP;

	differs("hash", plan->is_hashed == (v[SB_KEY_HASH].set && v[SB_KEY_HASH].num == 1));
	differs("mss",
		!v[SB_KEY_MSS].set || (on == SB_ON_TCP && v[SB_KEY_MSS].num >= 88 && v[SB_KEY_MSS].num <= 32767));
	differs("the service", sb_slice_is(line->verb, plan->service->name));
	differs("the place of a key", !is_misplaced(line, is_udp));
	differs("recv", plan->recv_max == (v[SB_KEY_RECV].set ? v[SB_KEY_RECV].num : 65536 + 96));
	differs("recv", plan->is_recv_set == v[SB_KEY_RECV].set);
	differs("stopread", plan->stop_ns == (v[SB_KEY_STOPREAD].set ? v[SB_KEY_STOPREAD].num : 0));
	differs("stopread", plan->stop_ns <= limit[SB_LIMIT_DELAY]);
	differs("stopread", !plan->stop_ns || plan->stop_at == v[SB_KEY_STOPREAD].at);
	differs("close", (uint64_t)plan->close == (v[SB_KEY_CLOSE].set ? v[SB_KEY_CLOSE].num : 0));
	differs("max", plan->framing.max == (v[SB_KEY_MAX].set ? v[SB_KEY_MAX].num : 65536));
	check_cuts(plan, v, limit);
	check_fates(&plan->fates, v, limit, is_strict);
	check_syn(&plan->syn, v, limit, on);
	if (plan->service->ops->is_source)
		check_source(plan, limit, is_udp, is_strict);
}

static void make(struct sb_slice text, const struct sb_limits *limits, unsigned on, bool is_strict)
{
	static uint8_t scratch[SB_FRAME_MAX];
	static struct sb_line line;
	const struct sb_file file = {sb_slice_cstr(plan_file_name), sb_slice_cstr(plan_file_bytes)};
	struct sb_service_in in = {.line = &line, .files = &file, .files_n = 1, .seed = PLAN_SEED, .scratch = scratch};
	struct sb_fault fault = {0};
	struct sb_plan plan;
	int r = sb_line_parse(&line, text, &fault);
	bool is_line;

	is_line = r == 0;
	if (is_line)
		r = sb_plan_make(&plan, &in, on, limits, is_strict, &fault);
	digest = digest * 31 + (uint64_t)-r + fault.col;
	sb_tell("%.*s: %s %s", (int)text.n, (const char *)text.p, r < 0 ? sb_errname(r) : "well", fault.text);
	if (r < 0 && (fault.code != r || !fault.text[0] || fault.col > text.n + 1))
		sb_found("plan: refused with \"%s\", column %u of %zu", fault.text, fault.col, text.n);
	if (is_line && sb_plan_make(&plan, &in, on, limits, is_strict, NULL) != r)
		sb_found("plan: %s, and without a fault to fill another", sb_errname(r));
	if (r == 0)
		check_plan(&plan, &line, limits->v, on, is_strict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const unsigned transports[] = {SB_ON_TCP, SB_ON_UDP, SB_ON_UNIX, SB_ON_TCP};
	struct sb_limits limits = {{0}, {0}};
	uint64_t expected[SB_LIMIT_COUNT];
	bool is_set[SB_LIMIT_COUNT] = {false}, is_strict = n > 0 && data[0] & 1;
	struct sb_slice line = {0};
	size_t at = 1;

	digest = 1;
	plan_model_limits(expected, is_strict, "");
	for (int k = 0; at <= n && n <= INPUT_MAX; k++) {
		const uint8_t *end = at < n ? memchr(data + at, '\n', n - at) : NULL;
		size_t size = end ? (size_t)(end - (data + at)) : n - at;

		if (k == 0)
			line = sb_slice(data + at, size);
		else
			set_limit(&limits, expected, is_set, sb_slice(data + at, size));
		at += size + 1;
	}
	sb_limits_fill(&limits, is_strict);
	for (int i = 0; i < SB_LIMIT_COUNT; i++)
		if (limits.v[i] != expected[i])
			sb_found("limits: %s is %llu, not %llu", sb_limit_rows[i].name, (unsigned long long)limits.v[i],
				 (unsigned long long)expected[i]);
	if (line.p)
		make(line, &limits, transports[data[0] >> 1 & 3], is_strict);
	return 0;
}
