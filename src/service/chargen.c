/* SPDX-License-Identifier: MIT
 *
 * CHARGEN (RFC 864): lines of 72 characters from the ring of the 95 printable ones, each line beginning one
 * further than the last, until the peer closes. It is a SOURCE without an end.
 */
#include "service/service.h"

enum { LINE = 72 };

static int setup(struct sb_source *source, const struct sb_service_in *in, struct sb_fault *fault)
{
	(void)in;
	(void)fault;
	*source = (struct sb_source){.count = UINT64_MAX, .len = LINE, .pattern = SB_PATTERN_CHARGEN};
	source->wrap.tail[0] = '\r';
	source->wrap.tail[1] = '\n';
	source->wrap.tail_n = 2;
	return 0;
}

const struct sb_service_ops sb_service_chargen = {.route = SB_ROUTE_NONE, .is_source = true, .setup = setup};
