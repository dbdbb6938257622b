/* SPDX-License-Identifier: MIT
 * streambed --version: what it was built from, and which backends work on this machine now. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "io/io.h"

#ifndef SB_BUILD_SANITIZERS
#define SB_BUILD_SANITIZERS ""
#endif

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* 0, or why it does not work: it is opened for a moment. */
static int try_backend(const struct sb_backend *b)
{
	enum { SLOTS = 4 };
	struct sb_io io = {.backend = b, .sys = sb_sys_open(), .slots = SLOTS, .fd = -1};
	int r;

	io.mem = calloc(1, b->ops->size(SLOTS));
	if (!io.mem)
		return SB_E_NO_SPACE;
	r = b->ops->open(&io);
	if (r == 0)
		b->ops->close(&io);
	free(io.mem);
	return r;
}

int sb_cmd_version(void)
{
	const struct sb_backend *b;

	printf("streambed %s\n", SB_VERSION);
	printf("compiler: %s\n", COMPILER);
	printf("sanitizers: %s\n", SB_BUILD_SANITIZERS[0] ? SB_BUILD_SANITIZERS : "none");
	for (size_t i = 0; (b = sb_backend_at(i)); i++) {
		int r = try_backend(b);

		if (r == 0)
			printf("backend: %s (usable): %s\n", b->name, b->help);
		else
			printf("backend: %s (not usable: %s): %s\n", b->name, sb_strerror(r), b->help);
	}
	return SB_EXIT_OK;
}
