/* SPDX-License-Identifier: MIT
 * What the command line and the config file ask the server for, each with where it was said. */
#ifndef SB_CLI_ASKS_H
#define SB_CLI_ASKS_H

#include "cli/cli.h"
#include "server/server.h"

enum { SB_OPTIONS_MAX = 128, SB_FILES_MAX = SB_LISTENERS_MAX };

/* line 0: the command line. */
struct sb_ask_place {
	const char *file;
	unsigned line;
};

struct sb_asks {
	const char *listens[SB_LISTENERS_MAX];
	struct sb_ask_place listen_at[SB_LISTENERS_MAX];
	size_t listens_n;
	const char *options[SB_OPTIONS_MAX];
	size_t options_n;
	struct sb_options checked; /* what the options came to so far */
	const char *files_dir;
	struct sb_file files[SB_FILES_MAX];
	size_t files_n;
	struct sb_name names[SB_LISTENERS_MAX];
	size_t names_n;
	char *config_text; /* the config file, whose lines the pointers above point into */
};

/* Each returns 0, or an exit code after saying on stderr what is wrong and where. */
int sb_asks_listen(struct sb_asks *asks, const char *text, struct sb_ask_place at);
int sb_asks_option(struct sb_asks *asks, const char *option, struct sb_ask_place at);
/* One listener ("tcp://…,LINE") or one option ("max-conns=100") a line; blank lines and lines that begin with #
 * mean nothing. */
int sb_asks_config(struct sb_asks *asks, const char *path);
/* Reads the files that lines name with file= from --files DIR. */
int sb_asks_files(struct sb_asks *asks);

/* Looks up the names that lines of FORWARD have in to=. */
int sb_asks_names(struct sb_asks *asks);

/* Says a fault about a listener, counted from 1, or about none of them, 0. Returns its exit code. */
int sb_asks_fault(const struct sb_asks *asks, size_t listener, const struct sb_fault *fault);

void sb_asks_fini(struct sb_asks *asks);

#endif
