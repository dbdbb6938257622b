/* SPDX-License-Identifier: MIT
 *
 * Target: the whole server. A script is played against it once with each backend, on a simulated kernel, and what came
 * of it is judged (oracle.h). The script also chooses the server: configs.def, knobs.def.
 *
 *   replay_server -v FILE    tells what happens
 */
#include "server_run.h"
#include "target.h"

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct run polled, edged;
	struct server_ask ask = {.which = 0, .backend = "poll", .script = data, .n = n};
	bool is_open = server_run(&polled, &ask);

	ask.which = 1;
	ask.backend = "epoll";
	/* A start that fails with one may succeed with the other. */
	if (server_run(&edged, &ask) == is_open)
		oracle_compare(&polled, &edged);
	digest = oracle_digest(&polled) * 31 + oracle_digest(&edged);
	return 0;
}
