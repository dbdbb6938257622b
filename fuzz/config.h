/* SPDX-License-Identifier: MIT
 * Servers to be fuzzed: a row of script/configs.def, with the limits that a script sets (knobs.def) on top. */
#ifndef SB_FUZZ_CONFIG_H
#define SB_FUZZ_CONFIG_H

#include "streambed.h"

#include <stdbool.h>

enum { FUZZ_LISTENS_MAX = 4, FUZZ_OPTIONS_MAX = 32 };

struct fuzz_config {
	uint8_t letter;
	bool is_alone; /* the server runs after every event */
	struct sb_config c;
	const char *listens[FUZZ_LISTENS_MAX];
	const char *options[FUZZ_OPTIONS_MAX];
	char text[1024]; /* of both */
	size_t text_n;
};

/* The server that a script asks for, with this backend. */
void fuzz_config_read(struct fuzz_config *f, const uint8_t *script, size_t n, const char *backend);
/* Sets one more option, which is kept as it is; again, it takes the place of the first. */
void fuzz_config_set(struct fuzz_config *f, const char *option);
/* Where among n options the first is whose name is that of `option`, "NAME=…"; n: there is none. */
size_t fuzz_option_at(const char *const *options, size_t n, const char *option);
/* What the option "NAME=" is set to, or "". */
const char *fuzz_option(const struct sb_config *config, const char *name);

#endif
