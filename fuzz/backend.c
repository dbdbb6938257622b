/* SPDX-License-Identifier: MIT
 *
 * Target: the real kernel. A script is played over real sockets, once with each backend, and on the simulated kernel;
 * what each connection gets, what the server reads of it, why and how it ends must be the same three times.
 *
 * Only what needs no time and no failure can be played there, so the rest is left out first, for all three: ticks,
 * interrupted and short calls, windows, failures, timeouts. What a real kernel keeps together it hands over together:
 * the simulated one is told to as well; and that who resets has read whatever he was sent, as he has on real sockets.
 */
#include <stdio.h>
#include <unistd.h>

#include "found.h"
#include "real.h"
#include "script/script.h"
#include "server_run.h"
#include "target.h"

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* Servers that wait for no time, and are nobody's but ours. */
static const char configs[] = "0123456789abdeghklmrxyzABv";

static bool is_kept(const struct sbs_event *e)
{
	switch (e->kind) {
	case SBS_BYTES:
	case SBS_SELECT:
	case SBS_CUT:
	case SBS_RUN:
	case SBS_FIN:
	case SBS_RST:
		return true;
	case SBS_KNOB:
		return e->arg[0] == 'c' ? memchr(configs, e->arg[1], sizeof(configs) - 1) != NULL
					: e->arg[0] == 'y' || e->arg[0] == 'b' || e->arg[0] == 'o';
	default:
		return false;
	}
}

/* What is left of a script. */
static size_t reduce(const uint8_t *script, size_t n, uint8_t *out)
{
	static const uint8_t joined[] = "\\oj1", drained[] = "\\dz";
	struct sbs_event e;
	size_t at = 0, out_n = 0;

	while (sbs_next(script, n, &at, &e) && out_n + e.n + 7 < SCRIPT_MAX) {
		if (!is_kept(&e))
			continue;
		if (e.kind == SBS_RST) {
			memcpy(out + out_n, drained, 3);
			out_n += 3;
		}
		memcpy(out + out_n, e.p, e.n);
		out_n += e.n;
		if (e.kind != SBS_RUN && e.kind != SBS_KNOB) {
			memcpy(out + out_n, joined, 4);
			out_n += 4;
		}
	}
	return out_n;
}

static const char *ends_with(bool is_rst)
{
	return is_rst ? "RST" : "FIN";
}

static const char *reason_of(bool is_served, uint8_t reason)
{
	return is_served ? sb_reasons[reason].name : "a refusal";
}

static void compare_stream(const struct run *sim, const struct real *real, uint32_t i)
{
	const struct sim_conn *c = &sim->k->conn[i];
	const struct peer *q = &sim->peer[i];
	const struct real_peer *p = &real->peer[i];
	bool was_rst = c->end == SIM_END_RST;

	if (p->is_served != q->is_served || (p->is_served && p->reason != q->reason))
		sb_found("kernels differ: connection %u: ends with %s with real %s, with %s when simulated", i,
			 reason_of(p->is_served, p->reason), real->backend, reason_of(q->is_served, q->reason));
	if (p->is_served && p->in != c->in_n)
		sb_found("kernels differ: connection %u: %llu bytes were read with real %s, %u when simulated", i,
			 (unsigned long long)p->in, real->backend, c->in_n);
	/* Who resets, be it after a refusal, does not learn how it was closed. */
	if (!p->is_rst && p->has_rst != was_rst)
		sb_found("kernels differ: connection %u: ends by %s with real %s, by %s when simulated", i,
			 ends_with(p->has_rst), real->backend, ends_with(was_rst));
}

static void compare(const struct run *sim, const struct real *real)
{
	for (uint32_t i = 0; i < real->peers; i++) {
		const struct sim_conn *c = &sim->k->conn[i];
		const struct real_peer *p = &real->peer[i];
		/* Who resets does not read what was on its way to him. */
		uint64_t n = p->is_rst ? p->out : p->got_n, kept = p->got_n < SIM_OUT_MAX ? p->got_n : SIM_OUT_MAX;

		if (!p->is_dgram)
			compare_stream(sim, real, i);
		if (n != c->out_n)
			sb_found("kernels differ: connection %u: %llu bytes came with real %s, %llu when simulated", i,
				 (unsigned long long)n, real->backend, (unsigned long long)c->out_n);
		for (uint64_t at = 0; at < kept; at++)
			if (p->got[at] != c->out[at])
				sb_found("kernels differ: connection %u: byte %llu is %02x with real %s, %02x when "
					 "simulated",
					 i, (unsigned long long)at, p->got[at], real->backend, c->out[at]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const backends[] = {"poll", "epoll"};
	static uint8_t script[SCRIPT_MAX];
	static struct run sim;
	static struct real real;
	static char path[64];
	struct server_ask ask = {.which = 0, .backend = "epoll", .script = script};

	snprintf(path, sizeof(path), "/tmp/streambed-fuzz-%ld", (long)getpid());
	n = reduce(data, n, script);
	ask.n = n;
	server_run(&sim, &ask);
	digest = oracle_digest(&sim);
	for (int i = 0; i < 2; i++) {
		sb_tell("---- real %s", backends[i]);
		real_play(&real, backends[i], script, n, path);
		compare(&sim, &real);
	}
	return 0;
}
