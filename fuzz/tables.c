/* SPDX-License-Identifier: MIT
 *
 * Target: core/perip and core/rate, the tables by address, against plain lists.
 *
 * The first byte is the size of the table of connections, and the rate; then two bytes a call, of which the first says
 * what (high three bits) and which address (low five), and the second how many or how long:
 *
 *   0 1   one more connection from the address, if it has fewer than V
 *   2     one less
 *   3 4   a datagram from the address            5  one counted in all together, at the rate V
 *   6     V milliseconds pass                    7  much time passes
 *
 * Addresses are made so that many share a place in the small tables, and so that some are the same to a table: an IPv6
 * address counts as its /64.
 */
#include "core/perip.h"

#include "base/rng.h"
#include "codec_arena.h"
#include "core/limits.h"
#include "found.h"
#include "judge.h"
#include "target.h"

JUDGE_BEGIN

enum { ADDRS = 32, CELLS_MAX = 64, BURST_S = 2, WAYS = 4 };

static const uint64_t secrets[2] = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};

static struct arena arena;
static struct sb_rates rates;
static uint64_t digest;

/* An address, and the first of those that count as the same. */
static struct who {
	struct sb_addr addr;
	uint32_t same;
} who[ADDRS];

/* What is known of each: connections; how much of its rate it has used, at which time. */
static struct {
	uint64_t conns, debt, at;
	bool is_known;
} known[ADDRS];

static struct model {
	struct sb_perip perip;
	struct sb_perip_cell *cells;
	uint32_t size;
	uint64_t conns, rate, now, total_debt, total_at;
} m;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* ---- addresses ---- */

static uint32_t set_of(const struct sb_addr *a)
{
	return (uint32_t)((sb_addr_key(a, secrets[1]) >> 32) % SB_RATE_SETS);
}

/* The first half are IPv4, of which 12 share a set of the rates. The second half are IPv6: some in one /64, and some
 * whose first bytes are those of an IPv4 one. */
static void make_addresses(void)
{
	struct sb_addr a = {.family = SB_IPV4, .ip = {10}};
	uint32_t n = 0, want;

	who[n++].addr = a;
	want = set_of(&a);
	for (uint32_t i = 1; n < 12; i++) {
		a.ip[1] = (uint8_t)(i >> 16);
		a.ip[2] = (uint8_t)(i >> 8 & 255);
		a.ip[3] = (uint8_t)(i & 255);
		if (set_of(&a) == want)
			who[n++].addr = a;
	}
	for (; n < 16; n++)
		who[n].addr = (struct sb_addr){.family = SB_IPV4, .ip = {192, 0, 2, (uint8_t)n}};
	for (; n < ADDRS; n++) {
		who[n].addr = (struct sb_addr){.family = SB_IPV6, .ip = {0x20, 1, 0x0d, 0xb8}};
		who[n].addr.ip[7] = (uint8_t)(n / 4);
		who[n].addr.ip[15] = (uint8_t)n;
		who[n].addr.ip[8] = (uint8_t)(n % 3);
		if (n >= 28) /* as an IPv4 one begins */
			who[n].addr = (struct sb_addr){.family = SB_IPV6, .ip = {192, 0, 2, (uint8_t)(n - 16)}};
		who[n].addr.port = (uint16_t)n;
		who[n].addr.scope = n % 5;
	}
	for (n = 0; n < ADDRS; n++)
		for (who[n].same = 0; who[who[n].same].addr.family != who[n].addr.family ||
				      memcmp(who[who[n].same].addr.ip, who[n].addr.ip, 8) != 0;)
			who[n].same++;
}

/* ---- connections ---- */

static void check_cells(void)
{
	uint64_t used = 0, seen = 0;

	for (uint32_t i = 0; i < ADDRS; i++)
		used += who[i].same == i && known[i].conns > 0;
	for (uint32_t c = 0; c < m.size; c++) {
		if (m.cells[c].key == 0 && m.cells[c].count != 0)
			sb_found("tables: cell %u is unused, and counts %llu", c, (unsigned long long)m.cells[c].count);
		seen += m.cells[c].key != 0;
	}
	if (seen != used)
		sb_found("tables: %llu cells are used for %llu addresses", (unsigned long long)seen,
			 (unsigned long long)used);
}

/* In one cell and with the right number. */
static void check_count(uint32_t i)
{
	uint64_t key = sb_addr_key(&who[i].addr, secrets[0]), count = 0;
	uint32_t cells = 0;

	for (uint32_t c = 0; c < m.size; c++)
		if (m.cells[c].key == key) {
			cells++;
			count = m.cells[c].count;
		}
	if (cells != (known[i].conns > 0) || count != known[i].conns)
		sb_found("tables: address %u is in %u cells, with %llu connections; it has %llu", i, cells,
			 (unsigned long long)count, (unsigned long long)known[i].conns);
}

static void add(uint32_t i, uint64_t most)
{
	uint32_t same = who[i].same;
	bool may = known[same].conns < most, is;

	if (m.conns * 2 >= m.size) /* so many the server has never */
		return;
	is = sb_perip_add(&m.perip, &who[i].addr, most);
	if (is != may)
		sb_found("tables: address %u has %llu connections, one more of %llu is %s", i,
			 (unsigned long long)known[same].conns, (unsigned long long)most, is ? "taken" : "refused");
	known[same].conns += is;
	m.conns += is;
	digest = digest * 31 + is;
	check_count(same);
}

static void drop(uint32_t i)
{
	uint32_t same = who[i].same;

	if (known[same].conns == 0)
		return;
	sb_perip_drop(&m.perip, &who[i].addr);
	known[same].conns--;
	m.conns--;
	check_count(same);
}

static void check_size(uint64_t conns)
{
	uint64_t size = sb_perip_size(conns);

	if ((size & (size - 1)) != 0 || size < 2 * conns || size < 16 || (size > 16 && size / 2 >= 2 * conns))
		sb_found("tables: %llu cells for %llu connections", (unsigned long long)size,
			 (unsigned long long)conns);
}

/* ---- rates: what is used up runs off, one nanosecond in one ---- */

/* Whether one more is in the bucket, of which used is taken; takes it. */
static bool take(uint64_t *debt, uint64_t *at, uint64_t rate)
{
	uint64_t one = UINT64_C(1000000000) / rate, over = m.now - *at;

	*debt = *debt > over ? *debt - over : 0;
	*at = m.now;
	if (*debt + one > BURST_S * UINT64_C(1000000000))
		return false;
	*debt += one;
	return true;
}

static bool is_in_table(uint32_t i)
{
	uint64_t key = sb_addr_key(&who[i].addr, secrets[1]);
	uint32_t cells = 0;

	for (int c = 0; c < WAYS; c++)
		cells += rates.cell[set_of(&who[i].addr)][c].key == key;
	if (cells > 1)
		sb_found("tables: address %u has %u buckets", i, cells);
	return cells == 1;
}

/* When its bucket is full again: the quietest is the one whose was full first. */
static uint64_t full_at(uint32_t i)
{
	return known[i].at + known[i].debt;
}

/* Somebody may have been forgotten for it: one, the quietest of its set, and only if there was no other place. */
static void forget(uint32_t newcomer)
{
	uint32_t set = set_of(&who[newcomer].addr), there = 0, gone = 0;
	uint64_t lost = 0, quietest = UINT64_MAX;

	for (uint32_t i = 0; i < ADDRS; i++) {
		if (i == newcomer || !known[i].is_known || set_of(&who[i].addr) != set)
			continue;
		there++;
		quietest = full_at(i) < quietest ? full_at(i) : quietest;
		if (is_in_table(i))
			continue;
		known[i].is_known = false;
		gone++;
		lost = full_at(i);
	}
	if (gone != (there == WAYS))
		sb_found("tables: %u of %u were forgotten for address %u", gone, there, newcomer);
	if (gone && lost != quietest)
		sb_found("tables: for address %u one was forgotten, and another was quiet longer", newcomer);
}

static void send(uint32_t i)
{
	uint32_t same = who[i].same;
	bool is_new = !known[same].is_known, may, is;

	if (is_new)
		known[same].debt = 0;
	known[same].at = is_new ? m.now : known[same].at;
	may = take(&known[same].debt, &known[same].at, m.rate);
	known[same].is_known = true;
	is = sb_rate_take(&rates, &who[i].addr, m.rate, m.now);
	if (is != may)
		sb_found("tables: a datagram of address %u is %s at %llu a second, having used %llu ns", i,
			 is ? "taken" : "dropped", (unsigned long long)m.rate, (unsigned long long)known[same].debt);
	digest = digest * 31 + is;
	if (!is_in_table(same))
		sb_found("tables: address %u has just sent, and has no bucket", i);
	if (is_new)
		forget(same);
}

static void send_any(uint64_t rate)
{
	bool may = rate == 0 || take(&m.total_debt, &m.total_at, rate);
	bool is = sb_rate_take_total(&rates, rate, m.now);

	if (is != may)
		sb_found("tables: one of all is %s at %llu a second", is ? "taken" : "dropped",
			 (unsigned long long)rate);
	digest = digest * 31 + is;
}

/* ---- the calls ---- */

static void act(uint8_t op, uint8_t v)
{
	static const uint64_t totals[] = {0, 1, 2, 3, 7, 10000, 10000000, 100000000};
	uint32_t i = op & 31;

	switch (op >> 5) {
	case 0:
	case 1:
		add(i, 1 + (op & 32 ? v : v % 4));
		break;
	case 2:
		drop(i);
		break;
	case 3:
	case 4:
		for (int k = 0; k <= (op & 128 ? v % 8 : 0); k++)
			send(i);
		break;
	case 5:
		send_any(totals[v % 8]);
		break;
	case 6:
		m.now += v * SB_MS * (1 + i);
		break;
	default:
		m.now += (uint64_t)v << (i + 16);
		check_size((uint64_t)v << i % 13);
	}
}

static void start(uint8_t how)
{
	static const uint64_t some[] = {1, 2, 3, 5, 7, 100, 100000, 10000000};

	m = (struct model){.size = sb_perip_size(8u << how % 3),
			   .rate = some[how >> 3 & 7],
			   .now = how & 64 ? 1 : SB_H};
	m.total_at = 0;
	memset(known, 0, sizeof(known));
	for (uint32_t i = 0; i < ADDRS; i++)
		memset(rates.cell[set_of(&who[i].addr)], 0, sizeof(rates.cell[0]));
	rates.total_full_at = 0;
	rates.secret = secrets[1];
	m.cells = (struct sb_perip_cell *)(void *)arena_open(&arena, m.size * sizeof(*m.cells));
	memset(m.cells, 0, m.size * sizeof(*m.cells));
	sb_perip_init(&m.perip, m.cells, m.size, secrets[0]);
}

/* All go, and the table is as it was. */
static void finish(void)
{
	for (uint32_t i = 0; i < ADDRS; i++)
		check_count(who[i].same);
	check_cells();
	for (uint32_t i = 0; i < ADDRS; i++)
		while (known[i].conns > 0)
			drop(i);
	check_cells();
	arena_close((uint8_t *)m.cells, m.size * sizeof(*m.cells));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (who[0].addr.family != SB_IPV4)
		make_addresses();
	digest = n;
	start(n ? data[0] : 0);
	for (size_t i = 1; i + 1 < n; i += 2) {
		act(data[i], data[i + 1]);
		if (i % 16 == 1)
			check_cells();
	}
	finish();
	return 0;
}

JUDGE_END
