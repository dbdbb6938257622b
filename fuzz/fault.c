/* SPDX-License-Identifier: MIT
 *
 * Target: one failing call. A script of target `server` is run as it is, and once more while one of its fallible calls
 * fails with one of the errnos that Linux gives there (src/script/faults.def). The script says which, by \oNX and \oeX,
 * or else a hash of it does. What must hold besides everything that holds of any run (oracle.h):
 *
 *   told iff made     what passes (EINTR, EAGAIN) leaves no trace; all else is in the log by its name, in a reason, or
 *                     in what the start says; and without a failure none is told
 *   nobody else       connections that it did not hit get the same bytes, the same reason, the same end
 *   retry             a start that failed leaves nothing open, and the second one succeeds
 *   the next          a client that comes afterwards is served
 *
 * The sweep (replay_fault -s) fails every call of a script with each of its errnos. Replayed without an engine, a short
 * script is swept as well.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "found.h"
#include "script/script.h"
#include "server_run.h"
#include "target.h"

enum { LOG_MAX = 64 * 1024, SITES_MAX = 256, ERRNOS_MAX = 16, THOROUGH_MAX = 64 };

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

/* ---- what was told ---- */

static struct told {
	char text[LOG_MAX + 1];
	size_t n;
	bool has_log;  /* the server would still write one */
	bool is_short; /* lines were left out in its last second, and nothing says so */
} told;

/* When nothing failed. */
static bool had_log, had_pause, was_told;

/* The time that every line begins with, "0.100000 " or as JSON. */
static bool is_time(const char *at)
{
	size_t whole = strspn(at, "0123456789"), part;

	if (strncmp(at, "{\"v\":1,", 7) == 0)
		return true;
	if (whole == 0 || at[whole] != '.')
		return false;
	part = strspn(at + whole + 1, "0123456789");
	return part == 6 && at[whole + 1 + part] == ' ';
}

/* However it was cut and delayed: whole lines. Only the last may be cut for good, when the log can not be written. */
static void check_log(const struct run *r)
{
	bool is_start = true, is_cut = r->k->is_log_broken || r->k->is_log_late;

	for (const char *at = told.text; *at; at++) {
		if (is_start && !is_time(at) && !(is_cut && !strchr(at, '\n')))
			sb_found("%s: a line of the log begins in its middle: %.60s", r->backend, at);
		if (!is_start && is_time(at) && strspn(at - 1, "0123456789") == 0)
			sb_found("%s: a line of the log goes on with another: %.60s", r->backend, at);
		is_start = *at == '\n';
	}
}

static void keep_state(const struct run *r)
{
	check_log(r);
	told.has_log = r->srv->log.fd >= 0;
	told.is_short = false;
	for (size_t i = 0; i < sizeof(r->srv->log.rate) / sizeof(r->srv->log.rate[0]); i++)
		told.is_short = told.is_short || r->srv->log.rate[i].suppressed > 0;
}

static void keep_log(struct sb_sys *k, struct sb_slice some)
{
	size_t n = some.n < LOG_MAX - told.n ? some.n : LOG_MAX - told.n;

	(void)k;
	memcpy(told.text + told.n, some.p, n);
	told.n += n;
	told.text[told.n] = '\0';
}

static bool is_of_line(const char *at)
{
	size_t n = strcspn(at, "\n");

	return memmem(at, n, " line conn=", 11) || memmem(at, n, "\"line\",\"conn\":", 14);
}

/* Errnos are the only words of a field that are in capitals and begin with an E. */
static bool is_any_told(void)
{
	static char text[LOG_MAX + 1];

	memcpy(text, told.text, told.n + 1);
	/* A line that a connection has sent may say anything. */
	for (char *at = text; (at = strpbrk(at, "\n")) != NULL; at++)
		if (is_of_line(at + 1))
			memset(at + 1, ' ', strcspn(at + 1, "\n"));
	return strstr(text, "=E") || strstr(text, "\":\"E");
}

/* There were too many lines, or nobody read them. */
static bool is_lost(void)
{
	return strstr(told.text, "suppressed") || told.is_short || !told.has_log;
}

static bool is_told(int err)
{
	char word[64];

	snprintf(word, sizeof(word), "=%s", sb_errname(err));
	/* What fails by a line is answered, and logged, in words. */
	if (is_lost() || strstr(told.text, word) || strstr(told.text, sb_strerror(err)))
		return true;
	snprintf(word, sizeof(word), "\":\"%s\"", sb_errname(err));
	return strstr(told.text, word) != NULL;
}

/* ---- how a failure has to show ---- */

enum show {
	PASSES, /* it is tried again, or was not needed: nothing is another for it */
	LATER,  /* tried again after a while: all is well, but times may differ */
	ENDS,   /* ends one connection, which says why */
	TOLD,   /* the log names it */
	NO_LOG, /* there is no log any more */
	STARTS, /* the server does not start, and says why; if it does start, as TOLD */
};

static enum show show_of(enum sim_call call, int err)
{
	switch (call) {
	case SIM_CALL_CLOSE:
	case SIM_CALL_WAKE_CLEAR:
		return PASSES;
	case SIM_CALL_SPARE:
	case SIM_CALL_EPOLL_MOD:
	case SIM_CALL_UNLINK:
	/* What waits for a gate asks again, is content with less, or ends: oracle_cut.c. */
	case SIM_CALL_OWN_NAME:
	case SIM_CALL_DIAG_OPEN:
	case SIM_CALL_PEERS:
	case SIM_CALL_QUEUED_OUT:
		return LATER;
	case SIM_CALL_RECV:
	case SIM_CALL_SEND:
		return err == -EINTR || err == -EAGAIN ? PASSES : ENDS;
	case SIM_CALL_SHUTDOWN:
		return ENDS;
	case SIM_CALL_LOG:
		return err == -EPIPE || err == -EIO ? NO_LOG : PASSES;
	case SIM_CALL_SENDTO:
		return err == -EINTR ? PASSES : TOLD;
	default:
		return err == -EINTR || err == -EAGAIN ? PASSES : TOLD;
	}
}

/* Whoever was hit by it, and only he, ends by it; unless he was ending already. */
static void check_ends(const struct run *base, const struct run *hurt, int err)
{
	for (uint32_t i = 0; i < hurt->k->conns; i++) {
		const struct peer *p = &hurt->peer[i];
		uint32_t j = oracle_same_as(hurt, i, base);
		/* Who was gone before he was served has nothing that could end. */
		bool is_hit =
			j < base->k->conns && p->is_served && hurt->k->conn[i].is_swept && !base->k->conn[j].is_spoilt;
		bool is_ended = p->reason == SB_WHY_RESET || p->reason == SB_WHY_IO;

		if (is_hit && !is_ended && p->reason != base->peer[j].reason)
			sb_found("%s: connection %u: ends with %s", hurt->backend, i, sb_reasons[p->reason].name);
		if (is_hit && is_ended && !is_told(err) && hurt->k->sweep_hit != SIM_CALL_SHUTDOWN)
			sb_found("%s: connection %u: ends with %s, and does not say why", hurt->backend, i,
				 sb_reasons[p->reason].name);
	}
}

/* What the script hangs on the next call of a connection comes at another time after what passes, and may be told. */
static bool is_any_spoilt(const struct run *r)
{
	for (uint32_t i = 0; i < r->k->conns; i++)
		if (r->k->conn[i].is_spoilt)
			return true;
	return false;
}

/* Connections that come later may find another state of a limit that is everybody's. */
static bool is_comparable(const struct run *base, const struct run *hurt, enum sim_call call, int err)
{
	/* Who says a line may ask for what became of others. */
	if (hurt->k->is_sweep_over || base->has_lines)
		return false;
	switch (call) {
	case SIM_CALL_ACCEPT:
		/* Whoever is not shed is served later. */
		return err == -EINTR || (err == -EAGAIN && !hurt->k->is_sweep_shed);
	case SIM_CALL_SHUTDOWN: /* whose connection is gone comes again */
		return base->k->conns == hurt->k->conns && !base->has_lacked_memory;
	case SIM_CALL_POLL:   /* it is later now */
	case SIM_CALL_SOCKET: /* and a listener less */
	case SIM_CALL_BIND:
		return false;
	case SIM_CALL_RECV:
	case SIM_CALL_SEND:
	case SIM_CALL_EPOLL_ADD:
		return !oracle_has_places(base);
	default:
		return !base->has_lacked_memory;
	}
}

static bool is_exhausted(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

static void check_hurt(const struct run *base, const struct run *hurt)
{
	enum sim_call call = hurt->k->sweep_hit;
	int err = hurt->k->sweep_err;
	enum show show = show_of(call, err);

	/* So is a file that nobody listens on, which goes. */
	if (call == SIM_CALL_BIND && err == -EADDRINUSE)
		show = LATER;
	/* Of a range of ports the next is tried. */
	if (call == SIM_CALL_LISTEN && err == -EADDRINUSE && base->has_lines)
		show = LATER;
	/* Accept may fail again while it is told that it did. */
	if (call == SIM_CALL_ACCEPT && had_pause)
		show = LATER;
	if (show == PASSES && !was_told && is_any_told() && !hurt->k->is_sweep_over && !is_any_spoilt(hurt))
		sb_found("%s: it passes, and is told: %s", hurt->backend, told.text);
	if (call == SIM_CALL_ACCEPT && show == TOLD && is_exhausted(err) && !is_lost() &&
	    !strstr(told.text, "accept-pause"))
		sb_found("%s: there is nothing left to accept with, and it does not pause", hurt->backend);
	if (show == TOLD && !is_told(err))
		sb_found("%s: it is not told", hurt->backend);
	if (show == ENDS)
		check_ends(base, hurt, err);
	if (show == NO_LOG && told.has_log)
		sb_found("%s: goes on writing a log that nobody reads", hurt->backend);
	if (show != NO_LOG && had_log && !told.has_log && hurt->k->faults == 1)
		sb_found("%s: gives up its log", hurt->backend);
	if (show != LATER && is_comparable(base, hurt, call, err))
		oracle_compare(base, hurt);
}

/* ---- runs ---- */

static struct sim_seen seen[SIM_CALLS_SEEN];
static bool is_base_open;

/* Nothing was made to fail by the script: nothing is told. */
static void check_base(const struct run *base)
{
	if (base->k->faults)
		return;
	for (uint32_t i = 0; i < base->k->conns; i++)
		if (base->k->conn[i].is_spoilt || base->k->conn[i].is_rst || base->k->conn[i].is_gone)
			return;
	if (is_any_told())
		sb_found("%s: tells of a failure, and there was none: %s", base->backend, told.text);
}

static void run_base(struct run *base, const char *backend, const uint8_t *script, size_t n)
{
	told.n = 0;
	told.text[0] = '\0';
	is_base_open = server_run(base, &(struct server_ask){.which = 0,
							     .backend = backend,
							     .script = script,
							     .n = n,
							     .seen = seen,
							     .option = "log-level=info",
							     .on_log = keep_log,
							     .on_end = keep_state});
	had_log = told.has_log;
	had_pause = strstr(told.text, "accept-pause");
	was_told = is_any_told();
	check_base(base);
}

static void run_hurt(const struct run *base, struct run *hurt, const struct sim_seen *which, uint32_t at, uint32_t nth,
		     const uint8_t *script, size_t n)
{
	static char name[64];
	int err = sim_fault_at(which->call, nth);
	bool is_open;

	snprintf(name, sizeof(name), "%s, call %u (%s) fails: %s", base->backend, at, sim_call_name(which->call),
		 sb_errname(err));
	told.n = 0;
	told.text[0] = '\0';
	is_open = server_run(hurt, &(struct server_ask){.which = 1,
							.backend = base->backend,
							.name = name,
							.script = script,
							.n = n,
							.sweep_at = at,
							.sweep_nth = nth,
							.option = "log-level=info",
							.on_log = keep_log,
							.on_end = keep_state});
	if (hurt->k->sweep_hit != which->call || hurt->k->sweep_err != err)
		sb_found("%s: it did not come to that", name);
	if (is_open)
		check_hurt(base, hurt);
	else if (is_base_open && which->call != SIM_CALL_UNLINK && show_of(which->call, err) != TOLD)
		sb_found("%s: and so the server does not start", name);
}

static uint32_t errnos_of(enum sim_call call)
{
	uint32_t n = 0;

	while (sim_fault_at(call, n))
		n++;
	return n;
}

/* ---- one of them ---- */

struct choice {
	uint32_t at, nth;
};

static struct choice choose(const uint8_t *script, size_t n)
{
	struct choice c = {.at = 2166136261u, .nth = 0};
	struct sbs_event e;
	bool has_at = false;

	for (size_t i = 0; i < n; i++)
		c.at = (c.at ^ script[i]) * UINT64_C(16777619) & UINT32_MAX;
	c.nth = c.at >> 16;
	for (size_t at = 0; sbs_next(script, n, &at, &e);) {
		if (e.kind != SBS_KNOB)
			continue;
		if (e.arg[0] == 'N' && !has_at) {
			c.at = e.v;
			has_at = true;
		} else if (e.arg[0] == 'e') {
			c.nth = e.v;
		}
	}
	return c;
}

static uint32_t calls_of(const struct run *base)
{
	return base->k->calls < SIM_CALLS_SEEN ? base->k->calls : SIM_CALLS_SEEN;
}

/* ---- all of them ---- */

/* Where calls come from, and with what they have failed. */
static struct site {
	const void *site;
	uint8_t call;
	bool has[ERRNOS_MAX];
} sites[SITES_MAX];

static uint32_t sites_n;
static uint64_t scripts_n, runs_n;

/* Waits, questions about a closed gate, single bytes: of what comes again and again, each 16th will do. */
static bool is_again(const struct sim_seen *s, uint32_t at)
{
	enum { ENOUGH = 12, EACH = 32 };
	uint32_t n = 0;

	for (uint32_t i = 0; i < at; i++)
		n += s[i].call == s[at].call && s[i].site == s[at].site;
	return n > ENOUGH && n % EACH != 0;
}

static struct site *site_of(const struct sim_seen *s)
{
	for (uint32_t i = 0; i < sites_n; i++)
		if (sites[i].site == s->site && sites[i].call == s->call)
			return &sites[i];
	if (sites_n == SITES_MAX)
		sb_found("sweep: more than %d places", SITES_MAX);
	sites[sites_n] = (struct site){.site = s->site, .call = s->call};
	return &sites[sites_n++];
}

void sb_fuzz_sweep(const uint8_t *data, size_t n)
{
	static const char *const backends[] = {"poll", "epoll"};
	static struct run base, hurt;

	scripts_n++;
	for (int i = 0; i < 2; i++) {
		uint32_t calls;

		run_base(&base, backends[i], data, n);
		calls = calls_of(&base);
		for (uint32_t at = 0; at < calls; at++) {
			struct site *s = site_of(&seen[at]);

			if (is_again(seen, at))
				continue;
			for (uint32_t nth = 0; sim_fault_at(seen[at].call, nth); nth++) {
				run_hurt(&base, &hurt, &seen[at], at + 1, nth, data, n);
				s->has[nth] = true;
				runs_n++;
			}
		}
	}
}

/* A server connects only for a FORWARD, which has a target of its own, and that a sweep. */
static bool is_of_forward(enum sim_call call)
{
	return call == SIM_CALL_DIAL || call == SIM_CALL_DIALED;
}

int sb_fuzz_sweep_end(void)
{
	uint32_t pairs = 0, pairs_all = 0, cells = 0, cells_all = 0;

	for (enum sim_call call = 0; call < SIM_CALLS; call++)
		for (uint32_t nth = 0; !is_of_forward(call) && nth < errnos_of(call); nth++) {
			bool has = false;

			for (uint32_t i = 0; i < sites_n; i++)
				has |= sites[i].call == call && sites[i].has[nth];
			pairs_all++;
			pairs += has;
			if (!has)
				printf("never: %s fails with %s\n", sim_call_name(call),
				       sb_errname(sim_fault_at(call, nth)));
		}
	for (uint32_t i = 0; i < sites_n; i++)
		for (uint32_t nth = 0; nth < errnos_of(sites[i].call); nth++) {
			cells_all++;
			cells += sites[i].has[nth];
		}
	printf("sweep: %llu scripts, %llu runs, %u of %u (call, errno), %u of %u (place, errno) at %u places\n",
	       (unsigned long long)scripts_n, (unsigned long long)runs_n, pairs, pairs_all, cells, cells_all, sites_n);
	return pairs == pairs_all && cells == cells_all ? 0 : 1;
}

/* ---- both ---- */

/* Defined by the engines. Without one there is time. */
__attribute__((weak)) int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *data, size_t n));
__attribute__((weak)) int __afl_persistent_loop(unsigned rounds);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const backends[] = {"poll", "epoll"};
	static struct run base, hurt;
	struct choice c = choose(data, n);

	digest = 0;
	for (int i = 0; i < 2; i++) {
		uint32_t at;

		run_base(&base, backends[i], data, n);
		at = c.at % calls_of(&base);
		run_hurt(&base, &hurt, &seen[at], at + 1, c.nth % errnos_of(seen[at].call), data, n);
		digest = (digest * 31 + oracle_digest(&base)) * 31 + oracle_digest(&hurt);
	}
	if (!LLVMFuzzerRunDriver && !__afl_persistent_loop && n <= THOROUGH_MAX)
		sb_fuzz_sweep(data, n);
	return 0;
}
