/* SPDX-License-Identifier: MIT
 * SCRIPT: nothing but the steps of its line, one after the other, for a peer of any protocol. Other services are
 * followed by theirs when they have ended. core/steps.c does them. */
#include "service/service.h"

static int setup(struct sb_source *source, const struct sb_service_in *in, struct sb_fault *fault)
{
	const struct sb_line *line = in->line;

	*source = (struct sb_source){.count = UINT64_MAX};
	if (line->steps_n == 0)
		return sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)(line->verb_col + line->verb.n),
				    "SCRIPT needs steps, as SCRIPT | read:frame | send:+OK\\r\\n | again");
	return 0;
}

const struct sb_service_ops sb_service_script = {.route = SB_ROUTE_NONE,
						 .is_source = true,
						 .is_script = true,
						 .setup = setup};
