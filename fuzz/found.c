/* SPDX-License-Identifier: MIT
 * Saying what was found. */
#include "found.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "target.h"

int sb_fuzz_is_verbose, sb_found_is_muted;

void sb_found(const char *format, ...)
{
	va_list args;

	if (sb_found_is_muted)
		_exit(SB_FOUND_MUTED);
	fflush(stdout);
	fputs("FOUND ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	fflush(stderr);
	abort();
}

void sb_tell(const char *format, ...)
{
	va_list args;

	if (!sb_fuzz_is_verbose)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}
