/* SPDX-License-Identifier: MIT
 * Memory for the servers that targets run. See arena.h. */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#include "found.h"
#include "server/server.h"

enum { LETTERS = 256 };

static struct arena arenas[LETTERS];

struct arena *arena_of(const struct fuzz_config *f)
{
	struct arena *a = &arenas[f->letter];
	struct sb_fault fault = {0};
	long size;

	/* No knob changes how much it is. */
	if (a->mem)
		return a;
	size = sb_server_size(&f->c, &fault);
	if (size < 0)
		sb_found("config %c: %s", f->letter, fault.text);
	a->mem = calloc(1, (size_t)size);
	a->size = (size_t)size;
	if (!a->mem)
		abort();
	return a;
}

/* Before main: made when they are needed, they would be what makes two runs of an input differ. */
__attribute__((constructor)) static void make_arenas(void)
{
	static struct fuzz_config config;

	for (int letter = 0; letter < LETTERS; letter++) {
		const uint8_t script[] = {'\\', 'o', 'c', (uint8_t)letter};

		fuzz_config_read(&config, script, sizeof(script), "poll");
		arena_of(&config);
	}
}

static void clear(void *p, size_t n)
{
	memset(p, 0, n);
}

void arena_clean(struct arena *a)
{
	const struct sb_server *srv = (const struct sb_server *)(const void *)a->mem; /* it lies at its start */
	uint8_t *rates = (uint8_t *)srv->rates, *listeners = (uint8_t *)srv->listeners;
	uint32_t n = srv->listeners_n, slots = srv->io.slots;
	void *io = srv->io.mem;
	size_t io_size = srv->io.backend ? srv->io.backend->ops->size(slots) : 0;

	clear(rates, srv->count[SB_COUNT_DATAGRAMS_IN] > 0 ? sizeof(struct sb_rates) : sizeof(srv->rates->secret));
	clear(listeners, n * sizeof(struct sb_listener));
	clear(io, io_size);
	clear(a->mem, (size_t)(rates - a->mem));
}
