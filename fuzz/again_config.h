/* SPDX-License-Identifier: MIT
 * A config, read a second time: endpoints, ranges of addresses, options, limits. */
#ifndef SB_FUZZ_AGAIN_CONFIG_H
#define SB_FUZZ_AGAIN_CONFIG_H

#include "again.h"
#include "core/limits.h"
#include "sockopt/sockopt.h"

enum { AGAIN_ALLOW_MAX = 32, AGAIN_LISTENS_MAX = 64 };

/* An address in numbers. family is 4 or 6, 0 for none. */
struct again_addr {
	int family;
	uint8_t ip[16];
	uint32_t scope;
	uint16_t port;
};

struct again_range {
	struct again_addr base;
	unsigned bits;
};

struct again_endpoint {
	unsigned on;
	struct again_addr addr;
	char path[128];
};

struct again_config {
	int code;
	uint32_t col;
	size_t failed;      /* the listener it is refused for, from 1 */
	const char *option; /* or the option */
	uint64_t v[SB_LIMIT_COUNT];
	bool is_set[SB_LIMIT_COUNT], has_io, has_log, has_level, is_json, is_strict;
	const char *io; /* NULL: any */
	int level;
	struct again_range allow[AGAIN_ALLOW_MAX];
	size_t allow_n;
	size_t forward_to_n;
	struct again_endpoint endpoint[AGAIN_LISTENS_MAX];
};

/* Each: 0, or why not. */
int again_ip(struct again_addr *a, const uint8_t *p, size_t n);
int again_cidr(struct again_range *r, const uint8_t *p, size_t n);
int again_endpoint(struct again_endpoint *e, const uint8_t *p, size_t n, uint32_t *col);

bool again_is_loopback(const struct again_addr *a);
bool again_is_in(const struct again_addr *a, const struct again_range *r);

/* All of it. line is room for one. */
void again_config(struct again_config *c, const char *const *listens, size_t listens_n, const char *const *options,
		  size_t options_n, struct again *line);

/* The nearest option to this one, or NULL. */
const char *again_option_meant(const char *option);
/* A limit's name, and what its range is in a sentence. */
const char *again_limit_range(const char *option, char room[96]);

/* "ADDRESS RANGE", and what a decoder is told. Say FOUND unless both readings agree. Return a number for it. */
uint64_t again_check_range(const char *text);
uint64_t again_check_decoder(const char *text);

/* Whether options that steps set may be set in this place: 0, or why not, and at which column. */
int again_step_opts(const struct again *a, struct sb_opt_place place, uint32_t *col);

/* reply=refused is for one address, and this is all of a machine. */
bool again_is_refused_anywhere(const struct again *a, const struct again_addr *addr);

#endif
