/* SPDX-License-Identifier: MIT
 *
 * A fuzz target without an engine: runs files, and every file of folders, twice each. So gcc, a debugger and ctest
 * need no fuzzer, and a target that remembers something from one input to the next is found out.
 *
 *   replay_NAME [-v] FILE|FOLDER...       -v tells what happens, where the target can
 *   replay_NAME -b ROUNDS FILE|FOLDER...  runs all of them so often and prints how many executions a second
 *   replay_NAME -m SMALL FILE             writes to SMALL what of FILE is enough to fail in the same way
 *   replay_NAME -s FILE|FOLDER...         sweeps them, where the target can: fault.c
 *   replay_NAME -q FILE|FOLDER...         once each, and what the target finds ends only that input: what is left to
 *                                         end the process are the sanitizers and the asserts
 *
 * Exit: 0 when all is well, 1 when a folder is empty or a file cannot be read or does not fail, 2 for usage.
 */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "found.h"
#include "minimise.h"
#include "target.h"

enum { INPUT_MAX = 1 << 20, PATH_ROOM = 4096 };

/* As the engines have it. */
#define MEMORY_MAX (2ULL << 30)

/* The C library's name for it is the sanitizers' own; absent without one. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));
/* The compiler's, where coverage is recorded: it writes at exit, and an abort is none. */
__attribute__((weak)) int __llvm_profile_write_file(void);

struct inputs {
	struct input {
		char *path;
		uint8_t *bytes;
		size_t n;
	} *v;
	size_t n, cap;
};

static const char *running = "";
static unsigned long ran;

/* Whatever ends the process, the file that did it is named. */
static void say_running(void)
{
	if (running[0])
		dprintf(2, "input: %s\nafter %lu executions\n", running, ran);
	running = "";
}

static void on_abort(int sig)
{
	say_running();
	if (__llvm_profile_write_file)
		__llvm_profile_write_file();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void *must(void *p)
{
	if (!p) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static int read_file(struct inputs *in, const char *path)
{
	FILE *f = fopen(path, "rb");
	struct input *i;
	uint8_t *room;

	if (!f) {
		perror(path);
		return 1;
	}
	if (in->n == in->cap) {
		in->cap = in->cap ? 2 * in->cap : 64;
		in->v = must(realloc(in->v, in->cap * sizeof(*in->v)));
	}
	room = must(malloc(INPUT_MAX));
	i = &in->v[in->n++];
	i->n = fread(room, 1, INPUT_MAX, f);
	/* As large as the input and not more, so that a byte too many is seen. */
	i->bytes = must(malloc(i->n ? i->n : 1));
	memcpy(i->bytes, room, i->n);
	i->path = must(strdup(path));
	free(room);
	fclose(f);
	return 0;
}

static int read_path(struct inputs *in, const char *path);

static int read_folder(struct inputs *in, const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), bad = 0;
	size_t before = in->n;

	for (int i = 0; i < n; i++) {
		char room[PATH_ROOM];

		if (names[i]->d_name[0] != '.') {
			snprintf(room, sizeof(room), "%s/%s", path, names[i]->d_name);
			bad |= read_path(in, room);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	if (in->n == before) {
		fprintf(stderr, "%s: no inputs in this folder\n", path);
		return 1;
	}
	return bad;
}

static int read_path(struct inputs *in, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		perror(path);
		return 1;
	}
	return S_ISDIR(st.st_mode) ? read_folder(in, path) : read_file(in, path);
}

static uint64_t run(const struct input *i)
{
	running = i->path;
	ran++;
	LLVMFuzzerTestOneInput(i->bytes, i->n);
	running = "";
	return sb_fuzz_digest ? sb_fuzz_digest() : 0;
}

static void run_twice(const struct input *i)
{
	uint64_t first = run(i);

	if (run(i) == first)
		return;
	fprintf(stderr, "FOUND the second run differs from the first: %s\n", i->path);
	exit(1);
}

static int replay(const struct inputs *in)
{
	for (size_t i = 0; i < in->n; i++)
		run_twice(&in->v[i]);
	printf("%zu inputs, each twice: well\n", in->n);
	return 0;
}

/* ---- without what the target finds ---- */

/* In a child, from input i on: exit 0 after the last, or where the target found something. */
static void run_muted(const struct inputs *in, size_t i, int out)
{
	sb_found_is_muted = 1;
	for (; i < in->n; i++) {
		if (write(out, &i, sizeof(i)) < 0)
			_exit(1);
		run(&in->v[i]);
	}
	exit(0);
}

/* A new child goes on behind each input that was ended. */
static int replay_muted(const struct inputs *in)
{
	size_t found = 0, at = 0;

	for (size_t i = 0; i < in->n; i = at + 1) {
		int ends[2], status = 0;
		pid_t child;

		at = i;
		if (pipe(ends) < 0)
			return 1;
		fflush(stdout);
		child = fork();
		if (child == 0)
			run_muted(in, i, ends[1]);
		close(ends[1]);
		while (read(ends[0], &at, sizeof(at)) > 0)
			;
		close(ends[0]);
		if (child < 0 || waitpid(child, &status, 0) < 0)
			return 1;
		if (status == 0)
			break;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != SB_FOUND_MUTED)
			return 1;
		found++;
	}
	printf("%zu inputs, %zu of them ended by what the target found: no other end\n", in->n, found);
	return 0;
}

/* ---- smaller ---- */

static void check(const uint8_t *bytes, size_t n)
{
	char path[] = "";

	run_twice(&(struct input){.path = path, .bytes = (uint8_t *)(uintptr_t)bytes, .n = n});
}

static int make_small(const struct inputs *in, const char *path)
{
	long n = minimise(in->v[0].bytes, in->v[0].n, check);
	FILE *f;

	if (n < 0) {
		fprintf(stderr, "%s: well\n", in->v[0].path);
		return 1;
	}
	f = fopen(path, "wb");
	if (!f || fwrite(in->v[0].bytes, 1, (size_t)n, f) != (size_t)n || fclose(f) != 0) {
		perror(path);
		return 1;
	}
	return 0;
}

static int bench(const struct inputs *in, unsigned long rounds)
{
	struct timespec from, to;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned long k = 0; k < rounds; k++)
		for (size_t i = 0; i < in->n; i++)
			run(&in->v[i]);
	clock_gettime(CLOCK_MONOTONIC, &to);
	seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("%zu inputs, %lu rounds: %.0f executions a second\n", in->n, rounds,
	       (double)in->n * (double)rounds / seconds);
	return 0;
}

static int sweep(const struct inputs *in)
{
	for (size_t i = 0; i < in->n; i++) {
		running = in->v[i].path;
		sb_fuzz_sweep(in->v[i].bytes, in->v[i].n);
		running = "";
	}
	return sb_fuzz_sweep_end();
}

static void release(struct inputs *in)
{
	for (size_t i = 0; i < in->n; i++) {
		free(in->v[i].path);
		free(in->v[i].bytes);
	}
	free(in->v);
}

/* An input that eats memory ends the process and not the machine; so with the children of -m and -q. Not RLIMIT_AS: a
 * sanitizer reserves more than there is. */
static void limit_memory(void)
{
	struct rlimit limit;
	unsigned long long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && kib == 0 && fgets(line, sizeof(line), f))
		sscanf(line, "VmData: %llu", &kib);
	if (f)
		fclose(f);
	if (kib == 0 || getrlimit(RLIMIT_DATA, &limit) < 0)
		return;
	limit.rlim_cur = (rlim_t)((kib << 10) + MEMORY_MAX);
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_cur <= limit.rlim_max)
		setrlimit(RLIMIT_DATA, &limit);
}

int main(int argc, char **argv)
{
	struct inputs in = {0};
	const char *small = NULL;
	unsigned long rounds = 0;
	bool is_sweep = false, is_muted = false;
	int bad = 0, c;

	while ((c = getopt(argc, argv, "vsqb:m:")) != -1) {
		if (c == 'v' && &sb_fuzz_is_verbose)
			sb_fuzz_is_verbose = 1;
		else if (c == 'b')
			rounds = strtoul(optarg, NULL, 10);
		else if (c == 's' && sb_fuzz_sweep)
			is_sweep = true;
		else if (c == 'q')
			is_muted = true;
		else if (c == 'm')
			small = optarg;
		else if (c != 'v')
			return 2;
	}
	if (optind == argc) {
		fprintf(stderr, "usage: %s [-v] [-s | -q | -b ROUNDS | -m SMALL] FILE|FOLDER...\n", argv[0]);
		return 2;
	}
	limit_memory();
	signal(SIGABRT, on_abort);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(say_running);
	for (; optind < argc; optind++)
		bad |= read_path(&in, argv[optind]);
	if (in.n > 0)
		bad |= small      ? make_small(&in, small)
		       : is_sweep ? sweep(&in)
		       : is_muted ? replay_muted(&in)
		       : rounds   ? bench(&in, rounds)
				  : replay(&in);
	release(&in);
	return bad;
}
