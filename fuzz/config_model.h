/* SPDX-License-Identifier: MIT
 * For target config: the memory of a server, reckoned a second time from its options. */
#ifndef SB_FUZZ_CONFIG_MODEL_H
#define SB_FUZZ_CONFIG_MODEL_H

#include "again_config.h"
#include "server/server.h"

/* What a server of these options is said to need is what its blocks take, and not much more. */
void config_model_size(const struct again_config *want, long size);

/* No part lies in another, and all of them in the size bytes that begin with srv. */
void config_model_parts(const struct again_config *want, const struct sb_server *srv, size_t size);

#endif
