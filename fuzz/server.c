/* SPDX-License-Identifier: MIT
 *
 * Target: the whole server. A script is played against it once with each backend, on a simulated kernel, and what came
 * of it is judged (oracle.h). The script also chooses the server: configs.def, knobs.def.
 *
 *   replay_server -v FILE    tells what happens
 */
#include <stdlib.h>

#include "config.h"
#include "found.h"
#include "play.h"
#include "target.h"

enum { SCRIPT_MAX = 16 * 1024, LETTERS = 256 };

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* ---- memory ---- */

/* One arena for each config, used again and again: a fresh one would cost more than the run. */
struct arena {
	uint8_t *mem;
	size_t size;
};

static struct arena arenas[LETTERS];

static struct arena *arena_of(const struct fuzz_config *f)
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

static void clear(void *p, size_t n)
{
	memset(p, 0, n);
}

/* As init must find it: zeros. But for what a run has not touched, and the big buffers, which nobody may read before
 * he has written them. */
static void clean(struct arena *a, const struct sb_server *srv)
{
	uint8_t *rates = (uint8_t *)srv->rates, *listeners = (uint8_t *)srv->listeners;
	uint32_t n = srv->listeners_n, slots = srv->io.slots;
	void *io = srv->io.mem;
	size_t io_size = srv->io.backend ? srv->io.backend->ops->size(slots) : 0;
	bool has_rates = srv->own_ports_n > 0;

	if (has_rates)
		clear(rates, sizeof(struct sb_rates));
	clear(listeners, n * sizeof(struct sb_listener));
	clear(io, io_size);
	clear(a->mem, (size_t)(rates - a->mem));
}

/* ---- a run ---- */

static void open_server(struct run *r, struct fuzz_config *f, struct arena *a)
{
	struct sb_server_env env = {.sys = r->k};
	struct sb_fault fault = {0};
	int err;

	r->k->user = r;
	r->k->on_log = oracle_on_first_log;
	r->first_lines_n = 0;
	err = sb_server_open(&r->srv, a->mem, a->size, &f->c, &env, &fault);

	if (err < 0)
		sb_found("%s: config %c: %s", r->backend, f->letter, fault.text);
	for (uint32_t i = 0; i < r->srv->listeners_n; i++) {
		struct sb_listen_ask ask;
		char text[160] = "";

		if (sb_listen_ask_at(&f->c, i, &ask))
			memcpy(text, ask.text.p, ask.text.n < sizeof(text) - 1 ? ask.text.n : sizeof(text) - 1);
		model_read(&r->model[i], text);
	}
	r->k->lent = r->srv->io.buf;
	r->k->lent_n = SB_IO_HEADROOM + SB_IO_BUF_SIZE;
	r->k->on_recv = oracle_on_recv;
	r->k->on_close = oracle_on_close;
	r->k->on_reply = oracle_on_reply;
	r->k->on_accept = oracle_on_accept;
	r->k->on_done = oracle_on_done;
	r->k->on_dgram = oracle_on_dgram;
	r->k->on_unlisten = oracle_on_unlisten;
	r->k->on_log = oracle_on_log;
	r->k->on_wait = play_on_wait;
	oracle_open(r, &f->c);
}

/* Stops in order, or is ended in the middle; then nothing at all is open. */
static void close_server(struct play *p, bool is_sudden)
{
	struct run *r = p->r;
	int turns = 0;

	if (is_sudden && !p->is_over)
		play_last(p);
	else if (!p->is_over)
		play_stop(p);
	while (!is_sudden && !p->is_over && sb_server_step(r->srv, -1) > 0)
		if (++turns > 100)
			sb_found("%s: told to stop, and does not", r->backend);
	/* What is left now is closed at once. */
	r->stops = 2;
	sb_server_fini(r->srv);
	oracle_over(r);
	if (r->k->fds)
		sb_found("%s: %u descriptors are open after the end", r->backend, r->k->fds);
}

static void unlend(struct sb_sys *k)
{
	if (k->lent)
		sim_lend(k, k->lent, k->lent_n);
	k->lent = NULL;
}

static void run(struct run *r, unsigned which, const char *backend, const uint8_t *script, size_t n)
{
	static struct fuzz_config config;
	struct play p = {.r = r};
	struct sbs_event e;
	struct arena *a;
	size_t at = 0;

	r->backend = backend;
	r->k = sim_open(which);
	r->has_stopped = r->has_lacked_memory = false;
	r->stops = r->sources = r->ids = 0;
	r->total_full_at = 0;
	memset(r->count, 0, sizeof(r->count));
	memset(r->dropped, 0, sizeof(r->dropped));
	r->asked.is_open = r->stop_at_wait = false;
	fuzz_config_read(&config, script, n, backend);
	a = arena_of(&config);
	r->is_alone = config.is_alone;
	sb_tell("---- %s, config %c", backend, config.letter);
	open_server(r, &config, a);
	while (sbs_next(script, n, &at, &e))
		play_event(&p, &e);
	play_end(&p);
	oracle_end(r);
	if (!r->has_stopped) {
		play_probe(&p);
		oracle_end(r);
		oracle_leaks(r);
	}
	close_server(&p, n % 2);
	unlend(r->k);
	clean(a, r->srv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct run polled, edged;

	if (n > SCRIPT_MAX)
		n = SCRIPT_MAX;
	run(&polled, 0, "poll", data, n);
	run(&edged, 1, "epoll", data, n);
	oracle_compare(&polled, &edged);
	digest = oracle_digest(&polled) * 31 + oracle_digest(&edged);
	return 0;
}
