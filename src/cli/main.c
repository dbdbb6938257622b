/* SPDX-License-Identifier: MIT
 * streambed COMMAND: which command it is. */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>

#include "base/nearest.h"

static int cmd_version(int argc, char **argv)
{
	if (argc > 1)
		return sb_complain("version", SB_EXIT_USAGE, "takes no arguments, not \"%s\"", argv[1]);
	return sb_cmd_version();
}

static const struct {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"serve", "run the server: ECHO on tcp and udp 127.0.0.1:7777 and [::1]:7777 unless told otherwise",
	 sb_cmd_serve},
	{"send", "send messages to an endpoint and report each send and each recv", sb_cmd_send},
	{"explain", "a script, as a crash's input is one, an event a line; and such a listing back", sb_cmd_explain},
	{"lab", "experiments: what is claimed of sockets, measured on this kernel", sb_cmd_lab},
	{"version", "what this is built from and what works here (also --version)", cmd_version},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const char *name_at(const void *list, size_t i)
{
	(void)list;
	return i < COMMANDS ? commands[i].name : NULL;
}

static int help(void)
{
	printf("streambed %s: a protocol test server for raw TCP and UDP sockets\n\n", SB_VERSION);
	printf("usage: streambed COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	printf("\nstreambed COMMAND --help tells more. Exit codes: 0 ok, 1 a finding, 2 usage, 65 wrong data,\n"
	       "69 unavailable, 71 the system refused, 74 input or output failed, 77 no permission, 78 "
	       "configuration.\n");
	return SB_EXIT_OK;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "", *nearest;

	struct sigaction ignore = {.sa_handler = SIG_IGN};

	/* A reader that goes away is an error of a write, not the end of the process. */
	sigaction(SIGPIPE, &ignore, NULL);
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
		return help();
	if (strcmp(word, "--version") == 0)
		return cmd_version(argc - 1, argv + 1);
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(word, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argc < 2)
		return sb_complain("", SB_EXIT_USAGE,
				   "which command? serve, send, explain, lab or version; see streambed --help");
	nearest = sb_nearest(sb_slice_cstr(word), name_at, NULL);
	if (nearest)
		return sb_complain("", SB_EXIT_USAGE, "unknown command \"%s\" (did you mean %s?)", word, nearest);
	return sb_complain("", SB_EXIT_USAGE, "unknown command \"%s\": see streambed --help", word);
}
