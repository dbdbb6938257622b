/* SPDX-License-Identifier: MIT
 * A whole file, or all of stdin, for a command that needs it at once. */
#ifndef SB_CLI_INPUT_H
#define SB_CLI_INPUT_H

#include "cli/cli.h"

/* Bytes of a script; and of a listing, of which even that of the worst script is not larger. */
enum { SB_SCRIPT_MAX = 1024 * 1024, SB_LISTING_MAX = 64 * SB_SCRIPT_MAX };

struct sb_input {
	const char *name; /* for messages: the path, or "stdin" */
	char *text;       /* n bytes; the caller frees it */
	size_t n;
};

/* Reads path, or stdin for "-", of max bytes at most. 0, or an exit code after saying on stderr what is wrong: it
 * cannot be opened or read, is a directory, or is larger. */
int sb_input_read(struct sb_input *in, const char *command, const char *path, size_t max);

#endif
