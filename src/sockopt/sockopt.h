/* SPDX-License-Identifier: MIT
 *
 * Socket options that a line may name, and those that it may never. One table, sockopts.def, is the whole
 * policy: what is not in it, and what it denies, never reaches setsockopt.
 */
#ifndef SB_SOCKOPT_SOCKOPT_H
#define SB_SOCKOPT_SOCKOPT_H

#include "base/fault.h"
#include "sys/sys.h"

enum sb_opt_kind {
	SB_OPT_BOOL,   /* 0 or 1 */
	SB_OPT_INT,    /* a number in [min, max] */
	SB_OPT_SIZE,   /* a number of bytes, k and M allowed */
	SB_OPT_LINGER, /* off, or a number of seconds (struct linger); a client: off or 0 */
	SB_OPT_DENIED, /* never */
};

enum sb_opt_when { SB_OPT_LISTENER = 1, SB_OPT_CONNECTION = 2, SB_OPT_BOTH = 3 };

/* The sockets it means something on. Its level says more: IPPROTO_IP needs an IPv4 socket, IPPROTO_IPV6 an IPv6 one. */
enum sb_opt_on {
	SB_OPT_ON_TCP = 1,
	SB_OPT_ON_UDP = 2,
	SB_OPT_ON_UNIX = 4,
	SB_OPT_ON_IP = SB_OPT_ON_TCP | SB_OPT_ON_UDP,
	SB_OPT_ON_ANY = SB_OPT_ON_IP | SB_OPT_ON_UNIX,
};

/* Who may set it. */
enum sb_opt_who { SB_OPT_NOBODY = 0, SB_OPT_OPERATOR = 1, SB_OPT_CLIENT = 3 /* and the operator */ };

struct sb_sockopt {
	const char *name;
	int level, optname;
	enum sb_opt_kind kind;
	int64_t min, max;               /* the kernel's own range: the loopback profile's */
	int64_t strict_min, strict_max; /* the strict profile's; min above max: it cannot be set there */
	unsigned on, when, who;
	const char *help; /* of a denied one: why */
};

/* The i-th row, or NULL after the last. */
const struct sb_sockopt *sb_sockopt_at(size_t i);

/* The row of this name, or NULL. */
const struct sb_sockopt *sb_sockopt_named(struct sb_slice name);

/* An option somebody asked for: the row and the value it is to get. For LINGER: -1 is off, else seconds. */
struct sb_opt_ask {
	const struct sb_sockopt *row;
	int64_t value;
};

/* Who asks, under which profile, for a socket of which kind. */
struct sb_opt_place {
	unsigned who;  /* SB_OPT_OPERATOR or SB_OPT_CLIENT */
	unsigned when; /* SB_OPT_LISTENER or SB_OPT_CONNECTION */
	bool strict;
	bool is_tcp, is_udp, is_ipv4, is_ipv6; /* none of them: a unix socket */
};

/* Finds the row and checks the value. 0, or < 0 with fault->col 1 for the name, 2 for the value (the caller
 * knows their columns): SB_E_UNKNOWN (with the nearest), SB_E_DENIED, SB_E_PLACE (a TCP option on UDP, an
 * operator's option from a client, a listener's option on a connection, a loopback option under strict), SB_E_TYPE,
 * SB_E_RANGE (names the range). *ask is filled only with 0. */
int sb_sockopt_find(struct sb_opt_ask *ask, struct sb_slice name, struct sb_slice value, struct sb_opt_place place,
		    struct sb_fault *fault);

/* Sets it and reads it back: *effective is what the kernel made of it, -1 for SO_LINGER off. 0 or -errno. What no
 * sb_sockopt_find() has filled in is refused without asking the kernel: SB_E_DENIED for a denied row, SB_E_RANGE
 * for a value outside min to max. */
int sb_sockopt_set(struct sb_sys *sys, int fd, struct sb_opt_ask ask, int64_t *effective);

#endif
