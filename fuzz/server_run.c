/* SPDX-License-Identifier: MIT
 * One run of a server on the simulated kernel. See server_run.h. */
#include "server_run.h"

#include <errno.h>

#include "arena.h"
#include "found.h"
#include "play.h"

/* ---- opening ---- */

/* Two may want to know. */
static void on_log(struct sb_sys *k, struct sb_slice some)
{
	const struct run *r = k->user;

	if (r->on_log)
		r->on_log(k, some);
	oracle_on_log(k, some);
}

static void on_first_log(struct sb_sys *k, struct sb_slice some)
{
	const struct run *r = k->user;

	if (r->on_log)
		r->on_log(k, some);
	oracle_on_first_log(k, some);
}

static void listen_to(const struct run *r)
{
	struct sb_sys *k = r->k;

	k->on_recv = oracle_on_recv;
	k->on_send = oracle_on_send;
	k->on_close = oracle_on_close;
	k->on_reply = oracle_on_reply;
	k->on_accept = oracle_on_accept;
	k->on_done = oracle_on_done;
	k->on_dgram = oracle_on_dgram;
	k->on_unread = oracle_on_unread;
	k->on_wait_error = oracle_on_wait_error;
	k->on_unlisten = oracle_on_unlisten;
	k->on_log = on_log;
	k->on_receipt = receipt_on_write;
	k->on_ask = cut_on_ask;
	k->on_wait = play_on_wait;
}

/* One server writes none. */
static bool has_receipts(const struct fuzz_config *f)
{
	return f->letter != 'V';
}

static int try_open(struct run *r, struct fuzz_config *f, struct arena *a, struct sb_fault *fault)
{
	static const int receipts_fd = SIM_RECEIPTS_FD;
	struct sb_server_env env = {.sys = r->k, .receipts_fd = has_receipts(f) ? &receipts_fd : NULL};
	int err;

	r->has_receipts = has_receipts(f);
	r->k->on_log = on_first_log;
	r->first_lines_n = 0;
	err = sb_server_open(&r->srv, a->mem, a->size, &f->c, &env, fault);

	if (err < 0)
		return err;
	for (uint32_t i = 0; i < r->srv->listeners_n; i++) {
		struct sb_listen_ask ask;
		char text[160] = "";

		if (sb_listen_ask_at(&f->c, i, &ask))
			memcpy(text, ask.text.p, ask.text.n < sizeof(text) - 1 ? ask.text.n : sizeof(text) - 1);
		model_read(&r->model[i], text);
	}
	r->k->lent = r->srv->io.buf;
	r->k->lent_n = SB_IO_HEADROOM + SB_IO_BUF_SIZE;
	listen_to(r);
	oracle_open(r, &f->c);
	late_open(r);
	return 0;
}

/* Something was made to fail: its fault is told, and nothing has happened. */
static void check_refusal(const struct run *r, const struct fuzz_config *f, int err, const struct sb_fault *fault)
{
	const struct sb_sys *k = r->k;
	bool is_file = k->file == SIM_FILE_LEFT || k->file == SIM_FILE_LIVE || k->is_file_told;

	if (k->faults == 0 && k->file != SIM_FILE_LIVE)
		sb_found("%s: config %c: %s", r->backend, f->letter, fault->text);
	if (err != (is_file && err == -EADDRINUSE ? -EADDRINUSE : k->fault_err))
		sb_found("%s: config %c: fails with %s, and not with %s: %s", r->backend, f->letter, sb_errname(err),
			 sb_errname(k->fault_err), fault->text);
	if (fault->code != err || !strstr(fault->text, sb_strerror(err)))
		sb_found("%s: config %c: failed with %s, and says %s: %s", r->backend, f->letter, sb_errname(err),
			 sb_errname(fault->code), fault->text);
	if (k->fds)
		sb_found("%s: config %c: could not be opened, and leaves %u descriptors", r->backend, f->letter,
			 k->fds);
	if (k->files_n > 0 && !k->is_file_stuck)
		sb_found("%s: config %c: could not be opened, and leaves its file", r->backend, f->letter);
}

static bool open_server(struct run *r, struct fuzz_config *f, struct arena *a)
{
	struct sb_fault fault = {0};
	int err = try_open(r, f, a, &fault);

	if (err == 0)
		return true;
	check_refusal(r, f, err, &fault);
	sb_tell("  cannot open: %s", fault.text);
	sim_calm(r->k);
	r->k->is_spared = true;
	r->k->file = SIM_FILE_NONE;
	r->k->files_n = 0;
	arena_clean(a);
	err = try_open(r, f, a, &fault);
	if (err < 0)
		sb_found("%s: config %c: the second attempt fails too: %s", r->backend, f->letter, fault.text);
	return false;
}

/* What a script says in front of everything else is for the start as well. */
static void prepare(struct sb_sys *k, const uint8_t *script, size_t n)
{
	struct sbs_event e;
	size_t at = 0;

	while (sbs_next(script, n, &at, &e) && (e.kind == SBS_FAIL || e.kind == SBS_KNOB)) {
		if (e.kind == SBS_FAIL && sim_is_start(e.arg[0]))
			sim_fail(k, NULL, e.arg[0]);
		else if (e.kind == SBS_KNOB && e.arg[0] == 'P' && e.v % 3 == 1)
			k->file = SIM_FILE_LEFT;
		else if (e.kind == SBS_KNOB && e.arg[0] == 'P' && e.v % 3 == 2)
			k->file = SIM_FILE_LIVE;
	}
}

/* ---- closing ---- */

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

/* ---- a run ---- */

static struct sb_sys *kernel_for(struct run *r, const struct server_ask *ask)
{
	struct sb_sys *k = sim_open(ask->which);

	k->sweep_at = ask->sweep_at;
	k->sweep_nth = ask->sweep_nth;
	k->seen = ask->seen;
	k->user = r;
	prepare(k, ask->script, ask->n);
	return k;
}

static uint32_t endpoints(const struct sb_sys *k)
{
	return sim_count(k, SIM_LISTENER) + sim_count(k, SIM_DGRAM);
}

/* Nothing but conns=N, and being told to stop, ends a listener. */
static void check_listeners(const struct run *r, const struct fuzz_config *f, uint32_t before)
{
	for (size_t i = 0; i < f->c.listens_n; i++)
		if (strstr(f->listens[i], "conns="))
			return;
	if (endpoints(r->k) != before)
		sb_found("%s: %u of %u listeners are left", r->backend, endpoints(r->k), before);
}

static void probe(struct play *p)
{
	struct run *r = p->r;
	bool was_spared = r->k->is_spared;

	r->k->is_spared = true;
	play_probe(p);
	oracle_end(r);
	oracle_leaks(r);
	r->k->is_spared = was_spared;
}

bool server_run(struct run *r, const struct server_ask *ask)
{
	static struct fuzz_config config;
	size_t at = 0, n = ask->n < SCRIPT_MAX ? ask->n : SCRIPT_MAX;
	struct play p = {.r = r};
	struct sbs_event e;
	struct arena *a;
	uint32_t before;
	bool is_open;

	r->backend = ask->name ? ask->name : ask->backend;
	r->io = ask->backend;
	r->on_log = ask->on_log;
	r->has_stopped = r->has_lacked_memory = r->is_crowded = false;
	r->stops = r->sources = r->shares_n = r->ids = 0;
	r->receipt_n = 0;
	r->total_full_at = r->stopped_at = 0;
	memset(r->count, 0, sizeof(r->count));
	memset(r->dropped, 0, sizeof(r->dropped));
	r->asked.is_open = r->stop_at_wait = false;
	fuzz_config_read(&config, ask->script, n, ask->backend);
	if (ask->option)
		fuzz_config_set(&config, ask->option);
	a = arena_of(&config);
	r->is_alone = config.is_alone;
	r->has_lines = false;
	r->k = kernel_for(r, ask);
	sb_tell("---- %s, config %c", r->backend, config.letter);
	is_open = open_server(r, &config, a);
	before = endpoints(r->k);
	while (is_open && sbs_next(ask->script, n, &at, &e))
		play_event(&p, &e);
	play_end(&p);
	oracle_end(r);
	if (!r->has_stopped) {
		check_listeners(r, &config, before);
		probe(&p);
	}
	close_server(&p, n % 2);
	if (ask->on_end)
		ask->on_end(r);
	unlend(r->k);
	arena_clean(a);
	return is_open;
}
