/* SPDX-License-Identifier: MIT
 * Addresses: judging, writing (RFC 5952) and reading them. Numbers only; names are looked up elsewhere. */
#include "base/addr.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static const uint8_t zeros[16];

static bool is_mapped(const struct sb_addr *a)
{
	return a->family == SB_IPV6 && memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

void sb_addr_unmap(struct sb_addr *a)
{
	if (!is_mapped(a))
		return;
	a->family = SB_IPV4;
	a->scope = 0;
	memcpy(a->ip, a->ip + 12, 4);
	memset(a->ip + 4, 0, 12);
}

/* ---- judging ---- */

static size_t ip_size(const struct sb_addr *a)
{
	return a->family == SB_IPV4 ? 4 : a->family == SB_IPV6 ? 16 : 0;
}

bool sb_addr_eq(const struct sb_addr *a, const struct sb_addr *b)
{
	if (a->family != b->family)
		return false;
	return a->family == SB_UNIX || (a->port == b->port && memcmp(a->ip, b->ip, ip_size(a)) == 0);
}

bool sb_addr_is_host(const struct sb_addr *a, const struct sb_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool sb_addr_is_loopback(const struct sb_addr *a)
{
	if (a->family == SB_IPV6)
		return memcmp(a->ip, zeros, 15) == 0 && a->ip[15] == 1;
	return a->family == SB_UNIX || a->ip[0] == 127;
}

bool sb_addr_is_any(const struct sb_addr *a)
{
	return a->family != SB_UNIX && memcmp(a->ip, zeros, ip_size(a)) == 0;
}

bool sb_addr_is_odd(const struct sb_addr *a)
{
	if (a->family == SB_IPV6)
		return a->ip[0] == 0xff || sb_addr_is_any(a);
	/* 224/4 is multicast, 240/4 was never given out and ends with 255.255.255.255. */
	return a->family == SB_IPV4 && (a->ip[0] == 0 || a->ip[0] >= 224);
}

bool sb_addr_in(const struct sb_addr *a, const struct sb_cidr *range)
{
	size_t bytes = range->bits / 8;
	unsigned rest = range->bits % 8;

	if (a->family != range->base.family || a->family == SB_UNIX || range->bits > ip_size(a) * 8)
		return false;
	if (memcmp(a->ip, range->base.ip, bytes) != 0)
		return false;
	return rest == 0 || (a->ip[bytes] ^ range->base.ip[bytes]) >> (8 - rest) == 0;
}

/* ---- writing ---- */

static void text_ipv4(struct sb_text *t, const uint8_t *ip)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			sb_text_char(t, '.');
		sb_text_u64(t, ip[i]);
	}
}

static unsigned group_of(const uint8_t *ip, size_t i)
{
	return (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
}

/* The first of the longest runs of zero groups: where it begins, and in *n how long it is. One zero is no run. */
static size_t zero_run(const uint8_t *ip, size_t *n)
{
	size_t best = 0, best_n = 1;

	for (size_t i = 0; i < 8; i++) {
		size_t k = i;

		while (k < 8 && group_of(ip, k) == 0)
			k++;
		if (k - i > best_n) {
			best = i;
			best_n = k - i;
		}
	}
	*n = best_n > 1 ? best_n : 0;
	return best;
}

static void text_ipv6(struct sb_text *t, const uint8_t *ip)
{
	size_t run_n, run = zero_run(ip, &run_n);

	for (size_t i = 0; i < 8; i++) {
		unsigned group = group_of(ip, i);

		if (run_n && i == run) {
			sb_text_str(t, "::");
			i += run_n - 1;
			continue;
		}
		if (i && !(run_n && i == run + run_n))
			sb_text_char(t, ':');
		sb_text_hex(t, group, group > 0xfff ? 4 : group > 0xff ? 3 : group > 0xf ? 2 : 1);
	}
}

void sb_text_addr(struct sb_text *t, const struct sb_addr *a)
{
	if (a->family == SB_UNIX) {
		sb_text_str(t, "unix:");
		return;
	}
	if (a->family == SB_IPV4) {
		text_ipv4(t, a->ip);
	} else {
		sb_text_char(t, '[');
		text_ipv6(t, a->ip);
		if (a->scope) {
			sb_text_char(t, '%');
			sb_text_u64(t, a->scope);
		}
		sb_text_char(t, ']');
	}
	sb_text_char(t, ':');
	sb_text_u64(t, a->port);
}

/* ---- reading: each takes what it reads from the front of *s ---- */

/* A decimal number of at most max, without leading zeros. */
static bool read_number(struct sb_slice *s, uint32_t max, uint32_t *v)
{
	uint64_t n = 0;
	size_t i = 0;

	while (i < s->n && s->p[i] >= '0' && s->p[i] <= '9' && n <= max)
		n = n * 10 + (s->p[i++] - (unsigned)'0');
	if (i == 0 || n > max || (i > 1 && s->p[0] == '0'))
		return false;
	*s = sb_slice_skip(*s, i);
	*v = (uint32_t)n;
	return true;
}

static bool read_char(struct sb_slice *s, char c)
{
	if (s->n == 0 || s->p[0] != (uint8_t)c)
		return false;
	*s = sb_slice_skip(*s, 1);
	return true;
}

static bool read_ipv4(struct sb_slice *s, uint8_t *ip)
{
	for (int i = 0; i < 4; i++) {
		uint32_t v;

		if ((i && !read_char(s, '.')) || !read_number(s, 255, &v))
			return false;
		ip[i] = (uint8_t)v;
	}
	return true;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One group of up to four hex digits. */
static bool read_group(struct sb_slice *s, uint8_t *ip)
{
	unsigned v = 0;
	size_t i = 0;

	while (i < 4 && i < s->n && hex_value(s->p[i]) >= 0)
		v = v << 4 | (unsigned)hex_value(s->p[i++]);
	if (i == 0)
		return false;
	*s = sb_slice_skip(*s, i);
	ip[0] = (uint8_t)(v >> 8);
	ip[1] = (uint8_t)(v & 0xff);
	return true;
}

/* The last four bytes may be written as an IPv4 address: 64:ff9b::10.0.0.1. */
static bool read_tail(struct sb_slice *s, uint8_t *ip)
{
	struct sb_slice rest = *s;

	if (!read_ipv4(&rest, ip))
		return false;
	*s = rest;
	return true;
}

/* Groups until there is no more; *gap becomes the offset at which "::" stood, or stays -1. */
static bool read_groups(struct sb_slice *s, uint8_t *ip, int *n, int *gap)
{
	if (s->n >= 2 && memcmp(s->p, "::", 2) == 0) {
		*s = sb_slice_skip(*s, 2);
		*gap = 0;
	}
	while (*n < 16 && s->n && s->p[0] != '%') {
		if (*n <= 12 && read_tail(s, ip + *n)) {
			*n += 4;
			return true;
		}
		if (!read_group(s, ip + *n))
			return false;
		*n += 2;
		if (!read_char(s, ':'))
			return true;
		if (read_char(s, ':')) {
			if (*gap >= 0)
				return false;
			*gap = *n;
		} else if (s->n == 0 || s->p[0] == '%') {
			return false;
		}
	}
	return true;
}

static bool read_ipv6(struct sb_slice *s, uint8_t *out)
{
	uint8_t ip[16] = {0};
	int n = 0, gap = -1;

	/* With all 16 bytes written, "::" would stand for nothing. */
	if (!read_groups(s, ip, &n, &gap) || (gap < 0) != (n == 16))
		return false;
	if (gap < 0)
		gap = n;
	memset(out, 0, 16);
	memcpy(out, ip, (size_t)gap);
	sb_copy(out + 16 - (n - gap), ip + gap, (size_t)(n - gap));
	return true;
}

/* An address without brackets, mapped ones as they are. */
static int read_bare(struct sb_addr *a, struct sb_slice s)
{
	*a = (struct sb_addr){.family = memchr(s.n ? (const void *)s.p : "", ':', s.n) ? SB_IPV6 : SB_IPV4};
	if (a->family == SB_IPV4)
		return read_ipv4(&s, a->ip) && s.n == 0 ? 0 : SB_E_SYNTAX;
	if (!read_ipv6(&s, a->ip))
		return SB_E_SYNTAX;
	if (read_char(&s, '%') && !read_number(&s, UINT32_MAX, &a->scope))
		return SB_E_SYNTAX;
	return s.n == 0 ? 0 : SB_E_SYNTAX;
}

int sb_addr_parse_ip(struct sb_addr *a, struct sb_slice ip)
{
	bool bracketed = ip.n >= 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']';
	int r = read_bare(a, bracketed ? sb_slice(ip.p + 1, ip.n - 2) : ip);

	if (r == 0 && bracketed && a->family != SB_IPV6)
		return SB_E_SYNTAX;
	sb_addr_unmap(a);
	return r;
}

static bool has_bits_below(const struct sb_addr *a, unsigned bits)
{
	for (unsigned i = bits; i < ip_size(a) * 8; i++)
		if (a->ip[i / 8] >> (7 - i % 8) & 1)
			return true;
	return false;
}

int sb_cidr_parse(struct sb_cidr *range, struct sb_slice text)
{
	const uint8_t *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	size_t n = slash ? (size_t)(slash - text.p) : text.n;
	struct sb_slice rest = sb_slice_skip(text, slash ? n + 1 : n);
	uint32_t bits;
	int r = read_bare(&range->base, sb_slice(text.p, n));

	/* Also a zone of 0, which an address may have. */
	if (r < 0 || memchr(text.p, '%', n))
		return SB_E_SYNTAX;
	bits = (uint32_t)ip_size(&range->base) * 8;
	if (slash && (!read_number(&rest, bits, &bits) || rest.n))
		return SB_E_SYNTAX;
	if (has_bits_below(&range->base, bits))
		return SB_E_RANGE;
	/* A mapped range has its first 96 bits set as they are, so it reaches into the IPv4 part. */
	if (is_mapped(&range->base)) {
		bits -= 96;
		sb_addr_unmap(&range->base);
	}
	range->bits = (uint8_t)bits;
	return 0;
}
