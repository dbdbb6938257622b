/* SPDX-License-Identifier: MIT
 *
 * A target that runs scripts, on scripts that no engine made (gen.h).
 *
 *   soak_NAME -s SEED -n RUNS        the swarm: RUNS scripts, the first of them of this seed
 *   soak_NAME -x LENGTH [CONFIGS]    every script of so many events of the small world, for each of these rows of
 *                                    configs.def
 *   ... -o FILE                      where the script goes that finds something (soak.find)
 *
 * Exit: 0 nothing was found, 2 for usage; a find ends it as it ends any target.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen.h"
#include "target.h"

__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static uint8_t script[GEN_MAX];
static size_t script_n;
static const char *find = "soak.find";

static void keep_script(void)
{
	int fd = script_n ? open(find, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;

	if (fd < 0 || write(fd, script, script_n) < 0)
		return;
	close(fd);
	script_n = 0;
	if (write(2, "input: ", 7) < 0 || write(2, find, strlen(find)) < 0 || write(2, "\n", 1) < 0)
		return;
}

static void on_abort(int sig)
{
	keep_script();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void run_swarm(uint64_t seed, uint64_t runs)
{
	for (uint64_t i = 0; i < runs; i++) {
		script_n = gen_swarm(seed + i, script);
		LLVMFuzzerTestOneInput(script, script_n);
	}
	printf("swarm: %llu scripts from seed %llu: well\n", (unsigned long long)runs, (unsigned long long)seed);
}

static void run_small(unsigned length, const char *configs)
{
	uint64_t n = gen_small_count(length);

	for (const char *c = configs; *c; c++)
		for (uint64_t i = 0; i < n; i++) {
			script_n = gen_small(i, length, (uint8_t)*c, script);
			LLVMFuzzerTestOneInput(script, script_n);
		}
	printf("small world: all %llu scripts of %u events, %zu servers: well\n", (unsigned long long)n, length,
	       strlen(configs));
}

int main(int argc, char **argv)
{
	unsigned long long seed = 1, runs = 0;
	unsigned length = 0;
	int c;

	while ((c = getopt(argc, argv, "s:n:x:o:")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'n')
			runs = strtoull(optarg, NULL, 10);
		else if (c == 'x')
			length = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'o')
			find = optarg;
		else
			return 2;
	}
	if ((runs == 0) == (length == 0) || length > 8) {
		fprintf(stderr, "usage: %s [-s SEED] -n RUNS | -x LENGTH [CONFIGS]\n", argv[0]);
		return 2;
	}
	signal(SIGABRT, on_abort);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(keep_script);
	if (runs)
		run_swarm(seed, runs);
	else
		run_small(length, optind < argc ? argv[optind] : "1");
	return 0;
}
