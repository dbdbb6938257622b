/* SPDX-License-Identifier: MIT
 * Where to send to: an endpoint whose host may be a name, and the addresses that the name stands for. */
#ifndef SB_CLI_RESOLVE_H
#define SB_CLI_RESOLVE_H

#include "server/endpoint.h"

enum {
	SB_TARGET_MAX = 16 /* addresses of one name that are tried */,
	SB_HOST_MAX = 256 /* a name, its NUL included */
};

struct sb_target {
	enum sb_key_on on;
	char host[SB_HOST_MAX]; /* a name; "" when the address was written in numbers */
	uint16_t port;
	struct sb_endpoint at[SB_TARGET_MAX]; /* in the order in which to try them */
	int n;                                /* 0 until a name has been looked up */
};

/* Parses text and looks nothing up. 0, or SB_E_SYNTAX, SB_E_RANGE with *fault: port 0 is refused. */
int sb_target_parse(struct sb_target *t, struct sb_slice text, struct sb_fault *fault);

/* Looks the name up, if it is one: this may take as long as the system's resolver takes. 0, or SB_E_UNKNOWN with
 * *fault. */
int sb_target_look_up(struct sb_target *t, struct sb_fault *fault);

#endif
