/* SPDX-License-Identifier: MIT
 * Bytes out and in for streambed send, and whether what came is what was to come. Nothing here waits without a
 * limit: where no byte moves for --timeout, the run is over. */
#include "cli/send.h"

#include <errno.h>

static bool is_datagrams(const struct sb_send *s)
{
	return s->peer.on == SB_ON_UDP;
}

static unsigned long long num(uint64_t n)
{
	return n;
}

int sb_send_wait(struct sb_send *s, int fd, int events, uint64_t until_ns)
{
	struct sb_pollfd fds[2] = {{.fd = fd, .events = (short)events}, {.fd = s->wake, .events = SB_POLL_IN}};

	for (;;) {
		uint64_t now = sb_sys_now(s->sys);
		int r;

		if (sb_send_is_over(s))
			return -EINTR;
		r = sb_sys_poll(s->sys, fds, 2, until_ns > now ? (int64_t)(until_ns - now) : 0);
		if (r < 0 && r != -EINTR)
			return r;
		if (r > 0 && fds[0].revents)
			return fds[0].revents;
		if (r == 0)
			return 0;
	}
}

/* wait() was answered with less than an event: a signal's reason is known, a failure's is not. */
static bool wait_failed(struct sb_send *s, int err)
{
	return err == -EINTR ? false : sb_send_fail(s, SB_EXIT_OS, "cannot wait: %s", sb_strerror(err));
}

/* ---- what came ---- */

/* Bytes of this round's reply that are there; of how many. */
static void reply_state(const struct sb_send *s, uint64_t *got, uint64_t *of)
{
	*of = s->plan.reply == SB_REPLY_SIZE ? s->plan.reply_size : s->plan.count * s->plan.size;
	*got = s->owed > 0 && (uint64_t)s->owed < *of ? *of - (uint64_t)s->owed : s->owed > 0 ? 0 : *of;
}

/* The stream ended, or a call failed, before everything was done. */
static bool lost_peer(struct sb_send *s, const char *why, int code)
{
	uint64_t got, of;

	reply_state(s, &got, &of);
	if (is_datagrams(s) || s->owed <= 0)
		return sb_send_fail(s, code, "%s", why);
	return sb_send_fail(s, code, "%s: %llu of %llu bytes of the reply had come", why, num(got), num(of));
}

static bool call_failed(struct sb_send *s, long err)
{
	return lost_peer(s, sb_send_why((int)err), sb_send_exit_of((int)err));
}

/* Where the first byte differs: at this offset of its round, or of its datagram. */
static bool say_difference(struct sb_send *s, uint64_t offset, const char *of, uint64_t n, uint8_t want, uint8_t got)
{
	return sb_send_fail(s, SB_EXIT_FOUND,
			    "the reply differs at offset %llu of %s %llu: 0x%02x was sent, 0x%02x came back",
			    num(offset), of, num(n), want, got);
}

/* n bytes that came at offset at of the whole stream: what was sent there? Every buffer sent is the same one. */
static bool judge_stream(struct sb_send *s, uint64_t at, size_t n)
{
	uint64_t per_round = s->plan.count * s->plan.size;

	if (n > s->all.sent - at)
		return sb_send_fail(s, SB_EXIT_FOUND, "more came back than was sent: %llu bytes sent, %llu received",
				    num(s->all.sent), num(s->all.received));
	for (size_t done = 0; done < n;) {
		size_t from = (size_t)((at + done) % s->plan.size), run = (size_t)s->plan.size - from;

		run = run < n - done ? run : n - done;
		if (memcmp(s->out + from, s->in + done, run) == 0) {
			done += run;
			continue;
		}
		while (s->out[from] == s->in[done]) {
			from++;
			done++;
		}
		return say_difference(s, (at + done) % per_round, "round", (at + done) / per_round + 1, s->out[from],
				      s->in[done]);
	}
	return true;
}

static bool judge_datagram(struct sb_send *s, size_t bytes, size_t kept)
{
	if (s->all.recvs > s->all.sends)
		return sb_send_fail(s, SB_EXIT_FOUND,
				    "more came back than was sent: %llu datagrams sent, %llu received",
				    num(s->all.sends), num(s->all.recvs));
	if (bytes != s->plan.size)
		return sb_send_fail(s, SB_EXIT_FOUND, "a datagram of %llu bytes came back with %zu", num(s->plan.size),
				    bytes);
	for (size_t i = 0; i < kept; i++)
		if (s->out[i] != s->in[i])
			return say_difference(s, i, "datagram", s->all.recvs, s->out[i], s->in[i]);
	return true;
}

static void count_recv(struct sb_send *s, size_t bytes, size_t kept)
{
	bool is_message = is_datagrams(s) && s->plan.reply == SB_REPLY_ECHO;

	s->now.recvs++;
	s->all.recvs++;
	s->now.received += bytes;
	s->all.received += bytes;
	s->now.cut += kept < bytes;
	s->all.cut += kept < bytes;
	s->moved_ns = sb_sys_now(s->sys);
	if (s->plan.reply == SB_REPLY_ECHO || s->plan.reply == SB_REPLY_SIZE)
		s->owed -= is_message ? 1 : (int64_t)bytes;
	sb_report_recv(s, bytes, kept);
}

static bool take_datagram(struct sb_send *s)
{
	struct sb_addr from;
	size_t room = (size_t)s->plan.recv_size, bytes, kept;
	long n = sb_sys_recvfrom(s->sys, s->fd, s->in, room, &from, NULL);

	if (n == -EAGAIN || n == -EINTR)
		return true;
	if (n < 0)
		return call_failed(s, n);
	bytes = (size_t)n;
	kept = bytes < room ? bytes : room;
	/* What is sent to 0.0.0.0 or :: goes to this machine and is answered from another address. */
	if (!s->plan.is_udp_connected && !sb_addr_is_any(&s->peer.addr) && !sb_addr_eq(&from, &s->peer.addr)) {
		sb_report_stray(s, &from, bytes);
		return true;
	}
	count_recv(s, bytes, kept);
	return s->plan.reply == SB_REPLY_ECHO ? judge_datagram(s, bytes, kept) : true;
}

/* The peer's end. It is only an error to whom it still owes something. */
static bool take_end(struct sb_send *s)
{
	s->is_ended = true;
	return s->owed > 0 ? lost_peer(s, "closed by the peer", SB_EXIT_UNAVAILABLE) : true;
}

bool sb_send_take(struct sb_send *s)
{
	uint64_t at = s->all.received;
	size_t room = (size_t)s->plan.recv_size;
	long n;

	if (is_datagrams(s))
		return take_datagram(s);
	/* Of a reply of so many bytes not one more is taken, unless that is what keeps our sends waiting. */
	if (s->plan.reply == SB_REPLY_SIZE && !s->is_sending && s->owed > 0 && (uint64_t)s->owed < room)
		room = (size_t)s->owed;
	n = sb_sys_recv(s->sys, s->fd, s->in, room);
	if (n == -EAGAIN || n == -EINTR)
		return true;
	if (n < 0)
		return call_failed(s, n);
	if (n == 0)
		return take_end(s);
	count_recv(s, (size_t)n, (size_t)n);
	return s->plan.reply == SB_REPLY_ECHO ? judge_stream(s, at, (size_t)n) : true;
}

/* ---- what goes ---- */

static bool await_room(struct sb_send *s)
{
	char time[32];
	int r = sb_send_wait(s, s->fd, SB_POLL_OUT | (s->is_ended ? 0 : SB_POLL_IN), s->moved_ns + s->plan.timeout_ns);

	if (r < 0)
		return wait_failed(s, r);
	if (r == 0)
		return sb_send_fail(s, SB_EXIT_UNAVAILABLE,
				    "timed out: nothing was accepted for %s: the peer does not read",
				    sb_send_time(s->plan.timeout_ns, time));
	return (r & SB_POLL_IN) ? sb_send_take(s) : true;
}

static long give(struct sb_send *s, struct sb_slice rest)
{
	if (is_datagrams(s))
		return sb_sys_sendto(s->sys, s->fd, rest, s->plan.is_udp_connected ? NULL : &s->peer.addr, NULL);
	return sb_sys_send(s->sys, s->fd, &rest, 1);
}

bool sb_send_buffer(struct sb_send *s)
{
	struct sb_slice rest = sb_slice(s->out, (size_t)s->plan.size);
	uint64_t blocked_since = 0;
	long n;

	do {
		if (sb_send_is_over(s))
			return false;
		n = give(s, rest);
		if (n == -EAGAIN) {
			if (blocked_since == 0)
				blocked_since = sb_sys_now(s->sys);
			if (!await_room(s))
				return false;
			continue;
		}
		if (n == -EINTR)
			continue;
		if (n < 0)
			return call_failed(s, n);
		s->moved_ns = sb_sys_now(s->sys);
		s->now.sends++;
		s->all.sends++;
		s->now.sent += (uint64_t)n;
		s->all.sent += (uint64_t)n;
		sb_report_send(s, (size_t)n, rest.n, blocked_since ? s->moved_ns - blocked_since : 0);
		rest = sb_slice_skip(rest, (size_t)n);
		blocked_since = 0;
	} while (rest.n > 0 || n < 0);
	return true;
}

/* ---- the reply ---- */

/* Nothing came for as long as we wait. A datagram may get lost: that is counted, and the next round goes on. */
static bool reply_is_late(struct sb_send *s)
{
	uint64_t got, of;
	char time[32];

	if (is_datagrams(s) && s->plan.reply == SB_REPLY_ECHO) {
		s->missing += (uint64_t)s->owed;
		return true;
	}
	reply_state(s, &got, &of);
	return sb_send_fail(s, SB_EXIT_UNAVAILABLE,
			    "timed out: nothing came for %s: %llu of %llu bytes of the reply had come",
			    sb_send_time(s->plan.timeout_ns, time), num(got), num(of));
}

bool sb_send_await_reply(struct sb_send *s)
{
	while (s->owed > 0) {
		uint64_t recvs = s->all.recvs, until_ns = s->moved_ns + s->plan.timeout_ns;
		int r;

		/* It ended while a round before this one was under way, and owed nothing then. */
		if (s->is_ended)
			return lost_peer(s, "closed by the peer", SB_EXIT_UNAVAILABLE);
		r = sb_send_wait(s, s->fd, SB_POLL_IN, until_ns);
		if (r < 0)
			return wait_failed(s, r);
		if (r == 0)
			return reply_is_late(s);
		if (!sb_send_take(s))
			return false;
		/* Datagrams of strangers come and do not count: they must not keep us here for ever. */
		if (s->all.recvs == recvs && sb_sys_now(s->sys) >= until_ns)
			return reply_is_late(s);
	}
	return true;
}

bool sb_send_await_end(struct sb_send *s)
{
	char time[32];
	int r = sb_sys_shutdown_write(s->sys, s->fd);

	if (r < 0)
		return call_failed(s, r);
	while (!s->is_ended) {
		r = sb_send_wait(s, s->fd, SB_POLL_IN, s->moved_ns + s->plan.timeout_ns);
		if (r < 0)
			return wait_failed(s, r);
		if (r == 0)
			return sb_send_fail(s, SB_EXIT_UNAVAILABLE,
					    "timed out: nothing came for %s: the peer has not closed after our end",
					    sb_send_time(s->plan.timeout_ns, time));
		if (!sb_send_take(s))
			return false;
	}
	return true;
}
