/* SPDX-License-Identifier: MIT
 * Addresses of peers as plain values, so that the core can judge them without a system header. */
#ifndef SB_BASE_ADDR_H
#define SB_BASE_ADDR_H

#include "base/text.h"

enum sb_family { SB_UNIX = 0, SB_IPV4 = 4, SB_IPV6 = 6 };

/* An address and port. ip is in network order: 4 bytes for IPv4 (the rest 0), 16 for IPv6. A unix peer has
 * no address here. An IPv4-mapped IPv6 address is never stored: sb_addr_unmap() makes it IPv4. */
struct sb_addr {
	uint8_t family; /* enum sb_family */
	uint16_t port;
	uint32_t scope; /* IPv6 zone, 0 for none */
	uint8_t ip[16];
};

/* An address range: the first bits bits of base. */
struct sb_cidr {
	struct sb_addr base;
	uint8_t bits;
};

/* ::ffff:a.b.c.d becomes a.b.c.d, so that one peer is counted, allowed and logged under one name. */
void sb_addr_unmap(struct sb_addr *a);

bool sb_addr_eq(const struct sb_addr *a, const struct sb_addr *b); /* family, ip and port */
/* The same address, whatever the port. */
bool sb_addr_is_host(const struct sb_addr *a, const struct sb_addr *b);
bool sb_addr_is_loopback(const struct sb_addr *a); /* 127/8, ::1, unix */
bool sb_addr_is_any(const struct sb_addr *a);      /* 0.0.0.0, :: */
/* Not an address that one host has: multicast, 255.255.255.255, 0/8, 240/4, ::. */
bool sb_addr_is_odd(const struct sb_addr *a);
bool sb_addr_in(const struct sb_addr *a, const struct sb_cidr *range);

/* "127.0.0.1:7777", "[::1]:7777", "[fe80::1%2]:7777", "unix:" — RFC 5952 for IPv6. */
void sb_text_addr(struct sb_text *t, const struct sb_addr *a);

/* Numeric addresses only. 0, or SB_E_SYNTAX. ip: "127.0.0.1", "::1", "[::1]", "fe80::1%2" (zone as a number). */
int sb_addr_parse_ip(struct sb_addr *a, struct sb_slice ip);
/* "10.0.0.0/8", "::1", "2001:db8::/32": no length means all bits, and there are no zones. SB_E_SYNTAX; SB_E_RANGE
 * for bits below the prefix that are set. A mapped range ("::ffff:10.0.0.0/104") becomes the IPv4 one. */
int sb_cidr_parse(struct sb_cidr *range, struct sb_slice text);

#endif
