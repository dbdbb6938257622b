/* SPDX-License-Identifier: MIT
 * ENDPOINT: tcp://HOST:PORT, udp://HOST:PORT, unix:PATH. Hosts are numeric here; names are the command's business. */
#ifndef SB_SERVER_ENDPOINT_H
#define SB_SERVER_ENDPOINT_H

#include "base/addr.h"
#include "base/fault.h"
#include "scenario/line.h"

enum { SB_PATH_MAX = 108 }; /* sun_path, its NUL included */

struct sb_endpoint {
	enum sb_key_on on; /* SB_ON_TCP, SB_ON_UDP or SB_ON_UNIX */
	struct sb_addr addr;
	char path[SB_PATH_MAX];
};

/* Parses text. In a path %2C is a comma and %25 a percent sign. 0, or SB_E_SYNTAX, SB_E_RANGE with *fault. */
int sb_endpoint_parse(struct sb_endpoint *e, struct sb_slice text, struct sb_fault *fault);

/* The parts of "tcp://HOST:PORT" as written, HOST without its brackets: for names. Errors as above. */
int sb_endpoint_split(struct sb_slice text, struct sb_slice *scheme, struct sb_slice *host, struct sb_slice *port,
		      struct sb_fault *fault);

/* Writes it as it would be given, in one word. */
void sb_text_endpoint(struct sb_text *t, const struct sb_endpoint *e);

#endif
