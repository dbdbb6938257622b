/* SPDX-License-Identifier: MIT
 * For target config: addresses and ranges as text, and the texts of decoders, held to a second reading. */
#include <stdio.h>
#include <string.h>

#include "again_config.h"
#include "again_plan.h"
#include "base/addr.h"
#include "codec/decoder.h"
#include "found.h"

/* ---- addresses and ranges ---- */

static bool is_same(const struct sb_addr *a, const struct again_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, 16) == 0 && a->scope == b->scope;
}

static void check_kinds(const struct sb_addr *a, const struct again_addr *b)
{
	static const uint8_t zeros[16];
	bool is_any = memcmp(b->ip, zeros, 16) == 0;
	bool is_odd = b->family == 4 ? b->ip[0] == 0 || b->ip[0] >= 224 : b->ip[0] == 255 || is_any;
	struct sb_addr other = *a;

	if (sb_addr_is_loopback(a) != again_is_loopback(b) || sb_addr_is_any(a) != is_any ||
	    sb_addr_is_odd(a) != is_odd)
		sb_found("config: an address of family %d that begins with %d is %s, %s, %s, it says", b->family,
			 b->ip[0], sb_addr_is_loopback(a) ? "loopback" : "not loopback",
			 sb_addr_is_any(a) ? "any" : "not any", sb_addr_is_odd(a) ? "odd" : "not odd");
	if (!sb_addr_eq(a, &other))
		sb_found("config: an address is not itself");
	other.ip[b->family == 4 ? 3 : 15] ^= 1;
	if (sb_addr_eq(a, &other))
		sb_found("config: an address is its neighbour");
	other = *a;
	other.port ^= 256;
	if (sb_addr_eq(a, &other))
		sb_found("config: an address with another port is the same");
	other = (struct sb_addr){.family = SB_UNIX};
	if (sb_addr_eq(a, &other) || !sb_addr_eq(&other, &(struct sb_addr){.family = SB_UNIX, .port = 1}) ||
	    sb_addr_is_any(&other) || sb_addr_is_odd(&other) || !sb_addr_is_loopback(&other))
		sb_found("config: a unix peer is not told from others");
}

/* Written and read again it is the same. */
static void check_text(const struct sb_addr *a)
{
	struct sb_addr back;
	char room[80];
	struct sb_text t = sb_text_in(room, sizeof(room));
	size_t n;

	sb_text_addr(&t, a);
	for (n = t.n; n > 0 && room[n - 1] != ':'; n--)
		;
	if (t.lost || n == 0 || sb_addr_parse_ip(&back, sb_slice(room, n - 1)) < 0)
		sb_found("config: an address is written \"%.*s\", and that cannot be read", (int)t.n, room);
	back.port = a->port;
	if (!sb_addr_eq(a, &back) || back.scope != a->scope)
		sb_found("config: an address is written \"%.*s\", and that is another", (int)t.n, room);
}

uint64_t again_check_range(const char *text)
{
	size_t n = strcspn(text, " "), rest = text[n] ? strlen(text) - n - 1 : 0;
	const uint8_t *p = (const uint8_t *)text;
	struct again_addr a;
	struct again_range r;
	struct sb_addr addr;
	struct sb_cidr range;
	int want_a = again_ip(&a, p, n), want_r = again_cidr(&r, p + n + (text[n] != '\0'), rest);
	int got_a = sb_addr_parse_ip(&addr, sb_slice(p, n));
	int got_r = sb_cidr_parse(&range, sb_slice(p + n + (text[n] != '\0'), rest));

	if (got_a != want_a || (got_a == 0 && !is_same(&addr, &a)))
		sb_found("config: \"%.*s\" is %s as an address", (int)n, text,
			 got_a < 0    ? "none"
			 : want_a < 0 ? "taken"
				      : "another");
	if (got_r != want_r || (got_r == 0 && (!is_same(&range.base, &r.base) || range.bits != r.bits)))
		sb_found("config: \"%s\" is %s as a range, it should be %s", text + n,
			 got_r < 0 ? sb_errname(got_r) : "taken", want_r < 0 ? sb_errname(want_r) : "this one");
	if (got_a == 0) {
		check_kinds(&addr, &a);
		check_text(&addr);
	}
	if (got_a == 0 && got_r == 0 && sb_addr_in(&addr, &range) != again_is_in(&a, &r))
		sb_found("config: %.*s is %sin %s, it says", (int)n, text, sb_addr_in(&addr, &range) ? "" : "not ",
			 text + n + 1);
	/* Ranges that no text makes. */
	if (got_a == 0 && sb_addr_in(&addr, &(struct sb_cidr){.base = addr, .bits = 129}))
		sb_found("config: an address is in a range of more bits than it has");
	if (sb_addr_in(&(struct sb_addr){.family = SB_UNIX}, &(struct sb_cidr){.base.family = SB_UNIX}))
		sb_found("config: a unix peer is in a range");
	if (got_r == 0 && sb_addr_in(&(struct sb_addr){.family = SB_UNIX}, &range))
		sb_found("config: a unix peer is in %s", text + n + 1);
	return (uint64_t)-got_a * 31 + (uint64_t)-got_r;
}

/* ---- decoders ---- */

uint64_t again_check_decoder(const char *text)
{
	static char room[AGAIN_LINE_MAX + 64];
	static struct again line;
	static _Alignas(16) uint8_t memory[sizeof(struct sb_decoder) + SB_FRAME_MAX + 1024];
	struct sb_fault fault = {.code = 1};
	struct sb_decoder *d = NULL;
	long size = sb_decoder_size(text, &fault);
	struct sb_limits limits = {.is_set = {false}};
	struct sb_wrap wrap;
	uint32_t col;
	int code;

	snprintf(room, sizeof(room), "ECHO %.1050s", text);
	again_read(&line, (const uint8_t *)room, strlen(room));
	sb_limits_fill(&limits, false);
	code = line.code;
	col = line.col;
	if (code == 0 && again_misplaced(&line, SB_G_FRAMING, SB_ON_TCP)) {
		code = SB_E_PLACE;
		col = again_misplaced(&line, SB_G_FRAMING, SB_ON_TCP);
	} else if (code == 0) {
		code = again_plan_code(&line, SB_ON_TCP, false, &limits, &col);
	}
	if (strlen(text) > AGAIN_LINE_MAX + 3) { /* a bit more than fits is still read, and then refused as a line */
		code = SB_E_TOO_LARGE;
		col = 0;
	}
	if ((size < 0 ? size : 0) != code)
		sb_found("config: a decoder for \"%s\" takes %ld, it should be %d", text, size, code);
	if (sb_decoder_size(text, NULL) != size)
		sb_found("config: without a fault to fill a decoder is another");
	if (size < 0) {
		naive_fault("config: decoder", &fault, code, col > 5 ? col - 5 : col);
		if (sb_decoder_init(&d, memory, sizeof(memory), text, NULL) != code || d)
			sb_found("config: a decoder for \"%s\" can be made", text);
		return (uint64_t)-code;
	}
	if (sb_decoder_init(&d, memory, (size_t)size - 1, text, &fault) != SB_E_NO_SPACE || d)
		sb_found("config: a decoder for \"%s\" needs %ld bytes, and one less will do", text, size);
	if (sb_decoder_init(&d, memory, (size_t)size, text, &fault) != 0 || d != (void *)memory)
		sb_found("config: a decoder for \"%s\" cannot be made in %ld bytes", text, size);
	return (uint64_t)size * 31 + (uint64_t)-sb_encode(d, sb_slice_cstr("hello"), &wrap);
}
