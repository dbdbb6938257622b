/* SPDX-License-Identifier: MIT
 * What streambed send says: one event a line, as text for people or as JSON Lines for programs. Both are made
 * here side by side, from the same numbers. Errors are a line on stderr in either case. */
#include "cli/send.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- lines ---- */

enum { ROOM = 4096 }; /* a unix path of 107 bytes that all need escapes, twice, and the numbers */

void sb_send_emit(struct sb_send *s, struct sb_text *t)
{
	sb_text_char(t, '\n');
	sb_print(t);
	s->is_mute = s->is_mute || ferror(stdout);
}

/* ---- events ---- */

static const char *endpoint(const struct sb_endpoint *e, char *room, size_t n)
{
	struct sb_text t = sb_text_in(room, n);

	sb_text_endpoint(&t, e);
	return sb_text_end(&t);
}

static const char *address(const struct sb_addr *a, char *room, size_t n)
{
	struct sb_text t = sb_text_in(room, n);

	sb_text_addr(&t, a);
	return sb_text_end(&t);
}

void sb_report_open(struct sb_send *s)
{
	bool is_connected = s->peer.on != SB_ON_UDP || s->plan.is_udp_connected;
	char room[ROOM], peer[768], from[96];
	struct sb_text t = sb_text_in(room, sizeof(room));

	endpoint(&s->peer, peer, sizeof(peer));
	address(&s->local, from, sizeof(from));
	if (s->plan.is_json) {
		sb_json_begin(&t, "connect");
		sb_json_str(&t, "endpoint", peer);
		if (s->peer.on != SB_ON_UNIX)
			sb_json_str(&t, "from", from);
		sb_json_bool(&t, "connected", is_connected);
		sb_json_bool(&t, "corked", s->plan.is_corked);
		sb_text_char(&t, '}');
		sb_send_emit(s, &t);
		return;
	}
	sb_text_str(&t, is_connected ? "connected " : "sending to ");
	sb_text_str(&t, peer);
	if (s->peer.on != SB_ON_UNIX) {
		sb_text_str(&t, " from ");
		sb_text_str(&t, from);
	}
	if (s->plan.is_corked)
		sb_text_str(
			&t,
			"\ncorked: the sends of a round leave together, and one recv can take them all; with --no-cork"
			" each leaves at once");
	sb_send_emit(s, &t);
}

void sb_report_send(struct sb_send *s, size_t bytes, size_t asked, uint64_t blocked_ns)
{
	char room[256];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (s->plan.is_json) {
		sb_json_begin(&t, "send");
		sb_json_num(&t, "round", s->round);
		sb_json_num(&t, "n", s->now.sends);
		sb_json_num(&t, "bytes", bytes);
		sb_json_num(&t, "asked", asked);
		sb_json_bool(&t, "blocked", blocked_ns > 0);
		sb_json_num(&t, "blocked_ns", blocked_ns);
		sb_text_char(&t, '}');
		sb_send_emit(s, &t);
		return;
	}
	sb_text_str(&t, "send ");
	sb_text_u64(&t, s->now.sends);
	sb_text_str(&t, ": ");
	if (bytes < asked) {
		sb_text_u64(&t, bytes);
		sb_text_str(&t, " of ");
	}
	sb_say_count(&t, asked, "byte");
	if (blocked_ns > 0) {
		sb_text_str(&t, ", blocked ");
		sb_say_span(&t, blocked_ns);
	}
	sb_send_emit(s, &t);
}

void sb_report_recv(struct sb_send *s, size_t bytes, size_t kept)
{
	char room[256];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (s->plan.is_json) {
		sb_json_begin(&t, "recv");
		sb_json_num(&t, "round", s->round);
		sb_json_num(&t, "n", s->now.recvs);
		sb_json_num(&t, "bytes", bytes);
		sb_json_num(&t, "kept", kept);
		sb_text_char(&t, '}');
		sb_send_emit(s, &t);
		return;
	}
	sb_text_str(&t, "recv ");
	sb_text_u64(&t, s->now.recvs);
	sb_text_str(&t, ": ");
	sb_say_count(&t, bytes, "byte");
	if (kept < bytes) {
		sb_text_str(&t, ", of which ");
		sb_text_u64(&t, kept);
		sb_text_str(&t, " fitted: the rest of the datagram is gone (--recv-size)");
	}
	sb_send_emit(s, &t);
}

void sb_report_stray(struct sb_send *s, const struct sb_addr *from, size_t bytes)
{
	char room[512], name[96];
	struct sb_text t = sb_text_in(room, sizeof(room));

	address(from, name, sizeof(name));
	if (s->plan.is_json) {
		sb_json_begin(&t, "recv");
		sb_json_num(&t, "round", s->round);
		sb_json_num(&t, "bytes", bytes);
		sb_json_str(&t, "stray_from", name);
		sb_text_char(&t, '}');
		sb_send_emit(s, &t);
		return;
	}
	sb_text_str(&t, "not counted: ");
	sb_say_count(&t, bytes, "byte");
	sb_text_str(&t, " from ");
	sb_text_str(&t, name);
	sb_text_str(&t, ", to whom nothing was sent");
	sb_send_emit(s, &t);
}

void sb_report_round(struct sb_send *s, uint64_t ns)
{
	uint64_t missing = s->peer.on == SB_ON_UDP && s->owed > 0 ? (uint64_t)s->owed : 0;
	char room[512];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (s->plan.is_json) {
		sb_json_begin(&t, "round");
		sb_json_num(&t, "round", s->round);
		sb_json_tally(&t, &s->now);
		sb_json_num(&t, "cut", s->now.cut);
		sb_json_num(&t, "missing", missing);
		if (s->plan.reply == SB_REPLY_ECHO)
			sb_json_bool(&t, "same", missing == 0);
		sb_json_num(&t, "ns", ns);
		sb_text_char(&t, '}');
		sb_send_emit(s, &t);
		return;
	}
	sb_text_str(&t, "round ");
	sb_text_u64(&t, s->round);
	sb_text_str(&t, ": ");
	sb_say_tally(&t, &s->now);
	sb_text_str(&t, ", in ");
	sb_say_span(&t, ns);
	if (missing > 0) {
		sb_text_str(&t, ": ");
		sb_text_u64(&t, s->plan.count - missing);
		sb_text_str(&t, " of ");
		sb_text_u64(&t, s->plan.count);
		sb_text_str(&t, " came back");
	} else if (s->plan.reply == SB_REPLY_ECHO) {
		sb_text_str(&t, s->now.cut ? ": the same bytes, as far as they fitted" : ": the same bytes");
	}
	sb_send_emit(s, &t);
}

void sb_report_end(struct sb_send *s, struct sb_text *t, uint64_t ns, const char *well)
{
	if (s->plan.is_json) {
		sb_json_bool(t, "stopped", *s->stop != 0);
		sb_json_num(t, "exit", (uint64_t)s->exit);
		sb_json_num(t, "ns", ns);
		sb_text_char(t, '}');
	} else {
		sb_text_str(t, ", in ");
		sb_say_span(t, ns);
		sb_text_str(t, *s->stop == 0 ? well : *s->stop == SIGINT ? ", ended by INT" : ", ended by TERM");
	}
	sb_send_emit(s, t);
}

void sb_report_summary(struct sb_send *s)
{
	uint64_t ns = sb_sys_now(s->sys) - s->began_ns;
	char room[512];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (s->plan.is_json) {
		sb_json_begin(&t, "summary");
		sb_json_num(&t, "rounds", s->rounds_done);
		sb_json_tally(&t, &s->all);
		sb_json_num(&t, "cut", s->all.cut);
		sb_json_num(&t, "missing", s->missing);
		sb_report_end(s, &t, ns, "");
		return;
	}
	sb_text_str(&t, "summary: ");
	sb_say_count(&t, s->rounds_done, "round");
	sb_text_str(&t, ", ");
	sb_say_tally(&t, &s->all);
	sb_report_end(s, &t, ns, "");
}

/* ---- errors ---- */

bool sb_send_fail(struct sb_send *s, int code, const char *format, ...)
{
	char what[256], room[ROOM];
	struct sb_text t = sb_text_in(room, sizeof(room));
	va_list list;

	va_start(list, format);
	vsnprintf(what, sizeof(what), format, list);
	va_end(list);
	s->exit = code;
	if (s->plan.is_json) {
		sb_json_begin(&t, "error");
		sb_json_str(&t, "endpoint", s->plan.endpoint);
		sb_json_str(&t, "text", what);
		sb_json_num(&t, "exit", (uint64_t)code);
		sb_text_char(&t, '}');
		sb_send_emit(s, &t);
	}
	/* stdout first, so that the two are in order where they are one. */
	fflush(stdout);
	sb_complain("send", code, "%s: %s", s->plan.endpoint, what);
	return false;
}

int sb_send_exit_of(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return SB_EXIT_NO_PERM;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:
		return SB_EXIT_OS;
	default:
		return SB_EXIT_UNAVAILABLE;
	}
}

const char *sb_send_why(int err)
{
	switch (err) {
	case -ECONNREFUSED:
		return "connection refused: nothing listens there";
	case -ENOENT:
		return "there is no such socket: nothing listens there";
	case -ECONNRESET:
		return "reset by the peer";
	case -EPIPE:
		return "closed by the peer";
	case -ETIMEDOUT:
		return "timed out: the peer does not answer any more";
	default:
		return sb_strerror(err);
	}
}

const char *sb_send_time(uint64_t ns, char room[static 32])
{
	struct sb_text t = sb_text_in(room, 32);

	sb_text_time(&t, ns);
	return sb_text_end(&t);
}
