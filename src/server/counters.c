/* SPDX-License-Identifier: MIT
 * Telling the counters: by name for programs, in one log line at the end. */
#include "server/server.h"

#define SB_COUNTER(id, name) name,
static const char *const names[SB_COUNTERS] = {
#include "server/counters.def"
};
#undef SB_COUNTER

/* "closed-eof", "dropped-rate": made of the tables, once. */
#define SB_REASON(id, name, text, change) "closed-" name,
static const char *const closed_names[SB_WHY_COUNT] = {
#include "core/reasons.def"
};
#undef SB_REASON

#define SB_DROP(id, name, text, change) "dropped-" name,
static const char *const dropped_names[SB_DROP_COUNT] = {
#include "core/drops.def"
};
#undef SB_DROP

const char *sb_server_counter(const struct sb_server *server, size_t i, uint64_t *value)
{
	if (i < SB_COUNTERS) {
		*value = server->count[i];
		return names[i];
	}
	i -= SB_COUNTERS;
	if (i < SB_WHY_COUNT) {
		*value = server->closed[i];
		return closed_names[i];
	}
	i -= SB_WHY_COUNT;
	if (i < SB_DROP_COUNT) {
		*value = server->dropped[i];
		return dropped_names[i];
	}
	return NULL;
}

void sb_counters_log(struct sb_server *srv)
{
	const char *name;
	uint64_t v;

	if (!sb_log_begin(&srv->log, SB_LOG_COUNTERS, srv->now))
		return;
	for (size_t i = 0; (name = sb_server_counter(srv, i, &v)); i++)
		if (v > 0)
			sb_log_u64(&srv->log, name, v);
	sb_log_end(&srv->log);
}
