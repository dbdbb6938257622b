/* SPDX-License-Identifier: MIT
 *
 * streambed send: sends messages to an endpoint, round by round, and reports each send and each recv.
 *
 * By default ten sends of 100 bytes, then a recv of up to 1000. Read from the bottom: the command opens the
 * connection once, and repeats the round. With --script all that is another file's: play.h.
 */
#include "cli/input.h"
#include "cli/play.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the end, on demand ---- */

static volatile sig_atomic_t stop_signal;
static int stop_wake;

static void on_signal(int sig)
{
	int err = errno;

	stop_signal = sig;
	sb_sys_wake_post(sb_sys_open(), stop_wake);
	errno = err;
}

static void catch_signals(int wake)
{
	/* The second one finds the default action again: at once. */
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};

	stop_wake = wake;
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

/* ---- rounds ---- */

static bool set_cork(struct sb_send *s, bool on)
{
	int r = s->plan.is_corked ? sb_sys_cork(s->sys, s->fd, on) : 0;

	return r < 0 ? sb_send_fail(s, SB_EXIT_OS, "cannot %scork: %s", on ? "" : "un", sb_strerror(r)) : true;
}

/* What this round waits for. A stream's bytes that came early count; a datagram that came late does not. */
static void set_owed(struct sb_send *s)
{
	uint64_t count = s->plan.count, target = 0;
	bool is_udp = s->peer.on == SB_ON_UDP;

	if (s->plan.reply == SB_REPLY_ECHO)
		target = is_udp ? count : count * s->plan.size;
	if (s->plan.reply == SB_REPLY_SIZE)
		target = s->plan.reply_size;
	s->owed = (int64_t)target + (is_udp ? 0 : s->owed);
}

static bool run_sends(struct sb_send *s)
{
	/* Of datagrams, those that wait are taken between sends: there is no telling the peer to slow down. */
	bool is_taking = s->peer.on == SB_ON_UDP && s->plan.reply != SB_REPLY_NONE;
	bool is_well = set_cork(s, true);

	s->is_sending = true;
	for (uint64_t i = 0; i < s->plan.count && is_well; i++)
		is_well = sb_send_buffer(s) && (!is_taking || sb_send_take(s));
	s->is_sending = false;
	return is_well && set_cork(s, false);
}

static bool run_round(struct sb_send *s)
{
	uint64_t from_ns = sb_sys_now(s->sys);

	s->round++;
	s->now = (struct sb_tally){0};
	s->moved_ns = from_ns;
	set_owed(s);
	if (!run_sends(s))
		return false;
	if (s->plan.reply == SB_REPLY_EOF && s->round == s->plan.rounds) {
		if (!sb_send_await_end(s))
			return false;
	} else if (!sb_send_await_reply(s)) {
		return false;
	}
	s->rounds_done++;
	sb_report_round(s, sb_sys_now(s->sys) - from_ns);
	return true;
}

/* Until the next round is due. Who waits for echoes watches meanwhile: a peer that goes away, or sends what was
 * never sent, is told of when it happens. */
static bool run_pause(struct sb_send *s, uint64_t until_ns)
{
	int fd = s->plan.reply == SB_REPLY_ECHO ? s->fd : -1;

	while (!s->is_ended) {
		int r = sb_send_wait(s, fd, SB_POLL_IN, until_ns);

		if (r == -EINTR)
			return false;
		if (r < 0)
			return sb_send_fail(s, SB_EXIT_OS, "cannot wait: %s", sb_strerror(r));
		if (r == 0)
			return true;
		if (!sb_send_take(s))
			return false;
		/* A busy stranger must not keep us here for ever. */
		if (sb_sys_now(s->sys) >= until_ns)
			return true;
	}
	if (s->plan.reply == SB_REPLY_ECHO)
		return sb_send_fail(s, SB_EXIT_UNAVAILABLE, "closed by the peer between two rounds");
	return sb_send_wait(s, -1, 0, until_ns) == 0;
}

static void run(struct sb_send *s)
{
	char time[32];
	bool is_well = true;

	s->began_ns = sb_sys_now(s->sys);
	while (is_well && !sb_send_is_over(s)) {
		uint64_t due_ns = sb_sys_now(s->sys) + s->plan.every_ns;

		is_well = run_round(s);
		if (s->round == s->plan.rounds)
			break;
		if (is_well && s->plan.every_ns > 0)
			is_well = run_pause(s, due_ns);
	}
	if (s->missing > 0 && s->exit == SB_EXIT_OK)
		sb_send_fail(s, SB_EXIT_UNAVAILABLE, "timed out: %llu of %llu came back, and nothing more for %s",
			     (unsigned long long)(s->all.sends - s->missing), (unsigned long long)s->all.sends,
			     sb_send_time(s->plan.timeout_ns, time));
	sb_report_summary(s);
}

/* ---- the command ---- */

static int run_open(struct sb_send *s, const struct sb_input *script)
{
	struct sb_fault fault = {0};

	if (sb_target_look_up(&s->target, &fault) < 0) {
		sb_send_fail(s, SB_EXIT_UNAVAILABLE, "%s", fault.text);
		return s->exit;
	}
	catch_signals(s->wake);
	if (s->plan.script) {
		sb_play_script(s, (const uint8_t *)script->text, script->n);
	} else if (sb_send_open(s)) {
		if (!s->plan.line || sb_send_line(s))
			run(s);
		/* To the end, so that the receipt has all of it. */
		if (s->id[0] && s->exit == SB_EXIT_OK && !s->is_ended)
			sb_send_await_end(s);
		sb_sys_close(s->sys, s->fd);
		sb_send_receipt(s);
	}
	if (fflush(stdout) != 0 || s->is_mute)
		return sb_complain("send", SB_EXIT_IO, "stdout takes no more of the results");
	return s->exit;
}

int sb_cmd_send(int argc, char **argv)
{
	struct sb_send s = {.sys = sb_sys_open(), .stop = &stop_signal};
	struct sb_input script = {0};
	int code = sb_send_args(&s, argc, argv);

	if (code != 0)
		return code < 0 ? SB_EXIT_OK : code;
	if (s.plan.script)
		code = sb_input_read(&script, "send", s.plan.script, SB_SCRIPT_MAX);
	if (code != 0)
		return code;
	/* A line at a time, also into a pipe: who reads along sees a send when it happens. */
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	s.wake = sb_sys_wake_open(s.sys);
	if (s.wake < 0)
		return sb_complain("send", SB_EXIT_OS, "cannot begin: %s", sb_strerror(s.wake));
	s.out = calloc(1, (size_t)s.plan.size + 1);
	s.in = malloc((size_t)s.plan.recv_size);
	if (s.out && s.in) {
		memcpy(s.out, s.plan.text, strlen(s.plan.text));
		code = run_open(&s, &script);
	} else {
		code = sb_complain("send", SB_EXIT_OS, "no memory for --size and --recv-size");
	}
	free(script.text);
	free(s.in);
	free(s.out);
	sb_sys_close(s.sys, s.wake);
	return code;
}
