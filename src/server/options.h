/* SPDX-License-Identifier: MIT
 * What a server is told besides its listeners: limits (core/limits.def) and switches, each as "name=value". The
 * command line, the config file and the library all come through here. */
#ifndef SB_SERVER_OPTIONS_H
#define SB_SERVER_OPTIONS_H

#include "core/limits.h"
#include "io/io.h"
#include "server/log.h"

enum { SB_ALLOW_MAX = 32, SB_FORWARD_TO_MAX = 16 };

/* Where FORWARD of a throw-away port may lead. */
struct sb_forward_to {
	struct sb_cidr range;
	uint16_t port;
	struct sb_slice path; /* of a unix socket, as it was written; then nothing else counts */
};

struct sb_options {
	struct sb_limits limits;
	const struct sb_backend *backend; /* NULL: the first of the table that works */
	bool has_io, has_log, has_level;
	bool is_json;
	uint16_t ports_from, ports_to; /* of throw-away ports; 0: any */
	enum sb_log_level level;
	struct sb_cidr allow[SB_ALLOW_MAX];
	size_t allow_n;
	struct sb_forward_to forward_to[SB_FORWARD_TO_MAX];
	size_t forward_to_n;
};

/* A switch of the command that is not a limit: its name, how its value is written, and help. */
struct sb_switch_row {
	const char *name, *arg, *help;
};

/* The i-th switch that sb_options_set() knows besides the limits, or NULL. */
const struct sb_switch_row *sb_switch_at(size_t i);

/* Starts with nothing chosen. */
void sb_options_init(struct sb_options *o);

/* Reads one "name=value". 0, or < 0 with *fault (SB_E_UNKNOWN names the nearest). */
int sb_options_set(struct sb_options *o, struct sb_slice option, struct sb_fault *fault);

#endif
