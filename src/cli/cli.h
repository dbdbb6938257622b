/* SPDX-License-Identifier: MIT
 * The command: what its parts share. Results go to stdout, diagnostics to stderr. */
#ifndef SB_CLI_CLI_H
#define SB_CLI_CLI_H

#include "base/fault.h"
#include "base/text.h"

/* sysexits(3), where there is one. */
enum sb_exit {
	SB_EXIT_OK = 0,
	SB_EXIT_FOUND = 1,
	SB_EXIT_USAGE = 2,
	SB_EXIT_INCONCLUSIVE = 3,
	SB_EXIT_DATA = 65,
	SB_EXIT_UNAVAILABLE = 69,
	SB_EXIT_SOFTWARE = 70,
	SB_EXIT_OS = 71,
	SB_EXIT_IO = 74,
	SB_EXIT_NO_PERM = 77,
	SB_EXIT_CONFIG = 78,
};

/* The commands: argv[0] is the command's own name. They return an exit code. */
int sb_cmd_serve(int argc, char **argv);
int sb_cmd_send(int argc, char **argv);
int sb_cmd_explain(int argc, char **argv);
int sb_cmd_lab(int argc, char **argv);
int sb_cmd_version(void);

/* ---- options ---- */

/* One --NAME of a command. arg is how its value is written, NULL for a switch. id is the command's own. */
struct sb_flag {
	const char *name, *arg, *help;
	int id;
};

/* Goes through argv. Begin with at = 1. */
struct sb_args {
	const char *command;
	const struct sb_flag *flags;
	size_t flags_n;
	int argc;
	char **argv;
	int at;
	bool is_plain; /* after "--" */
	/* What next() found: */
	int id;                     /* the flag's, or one of the ids below */
	const struct sb_flag *flag; /* NULL for a word */
	const char *value;          /* the flag's value or the word */
};

enum { SB_ARG_WORD = -1, SB_ARG_END = -2, SB_ARG_BAD = -3, SB_ARG_HELP = -4 };

/* The next argument: a flag's id, SB_ARG_WORD, SB_ARG_HELP for --help, SB_ARG_END. For SB_ARG_BAD it has said on
 * stderr what is wrong, where, and what was probably meant. "--name value" and "--name=value" are the same. */
int sb_args_next(struct sb_args *args);

/* Prints the flags of a table, aligned, to stdout. */
void sb_flags_help(const struct sb_flag *flags, size_t n);

/* "streambed serve: …" on stderr, one line. Returns code. */
int sb_complain(const char *command, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Prints a text made with base/text.h to stdout. */
void sb_print(const struct sb_text *t);

#endif
