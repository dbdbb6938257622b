/* SPDX-License-Identifier: MIT
 *
 * Target: how many connections each address has. The first byte is the secret, the second how many an address may have
 * (1 to 4); each further byte is one connection more or, with its high bit, one less, of the address its low four bits
 * choose. After each, every address must have as many as an array says, and the table nothing else.
 */
#include "core/perip.h"
#include "found.h"
#include "target.h"

enum { CONNS = 8, SIZE = 16, NAMES = 16, KINDS = 13 };

/* Of IPv6 the first 64 bits count. */
static const struct {
	const char *name;
	uint8_t kind;
} names[NAMES] = {{"10.0.0.1", 0},     {"10.0.0.2", 1},        {"10.0.0.3", 2},          {"10.0.0.4", 3},
		  {"192.0.2.1", 4},    {"::ffff:10.0.0.1", 0}, {"2001:db8::1", 5},       {"2001:db8::2", 5},
		  {"2001:db8:1::", 6}, {"2001:db8:0:1::", 7},  {"a00:1::", 8},           {"127.0.0.1", 9},
		  {"::1", 10},         {"fe80::1", 11},        {"fe80::8000:0:0:1", 11}, {"1.0.0.10", 12}};

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* A table that is asked for one more than an address has says no, and is as before. */
static void check(struct sb_perip *p, const uint64_t count[KINDS])
{
	uint64_t must = 0, is = 0;

	for (int i = 0; i < NAMES; i++) {
		struct sb_addr a;

		sb_addr_parse_ip(&a, sb_slice_cstr(names[i].name));
		if (count[names[i].kind] > 0 && sb_perip_add(p, &a, count[names[i].kind]))
			sb_found("perip: %s has fewer than %llu", names[i].name,
				 (unsigned long long)count[names[i].kind]);
	}
	for (int k = 0; k < KINDS; k++)
		must += count[k];
	for (int i = 0; i < SIZE; i++) {
		is += p->cells[i].count;
		if ((p->cells[i].key != 0) != (p->cells[i].count > 0))
			sb_found("perip: place %d is kept for nobody, or is somebody's and free", i);
	}
	if (is != must)
		sb_found("perip: counts %llu connections, not %llu", (unsigned long long)is, (unsigned long long)must);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sb_perip_cell cells[SIZE] = {{0}};
	struct sb_perip p;
	uint64_t count[KINDS] = {0}, conns = 0, most = n > 1 ? 1u + data[1] % 4 : 1;

	digest = n;
	if (sb_perip_size(CONNS) != SIZE || sb_perip_size(CONNS + 1) < 2 * (CONNS + 1))
		sb_found("perip: has too little room");
	sb_perip_init(&p, cells, SIZE, n ? data[0] : 0);
	for (size_t i = 2; i < n && i < 400; i++) {
		const uint8_t kind = names[data[i] % NAMES].kind;
		struct sb_addr a;

		sb_addr_parse_ip(&a, sb_slice_cstr(names[data[i] % NAMES].name));
		if (data[i] >= 128 && count[kind] > 0) {
			sb_perip_drop(&p, &a);
			count[kind]--;
			conns--;
		} else if (data[i] < 128 && conns < CONNS) {
			bool is_taken = sb_perip_add(&p, &a, most);

			if (is_taken != (count[kind] < most))
				sb_found("perip: %s has %llu of %llu, and one more is %s", names[data[i] % NAMES].name,
					 (unsigned long long)count[kind], (unsigned long long)most,
					 is_taken ? "taken" : "refused");
			count[kind] += is_taken;
			conns += is_taken;
		}
		check(&p, count);
		digest = digest * 31 + conns;
	}
	return 0;
}
