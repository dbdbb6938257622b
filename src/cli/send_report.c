/* SPDX-License-Identifier: MIT
 * What streambed send says: one event a line, as text for people or as JSON Lines for programs. Both are made
 * here side by side, from the same numbers. Errors are a line on stderr in either case. */
#include "cli/send.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- lines ---- */

enum { ROOM = 4096 }; /* a unix path of 107 bytes that all need escapes, twice, and the numbers */

static void emit(struct sb_send *s, struct sb_text *t)
{
	sb_text_char(t, '\n');
	sb_print(t);
	s->is_mute = s->is_mute || ferror(stdout);
}

/* "3 sends", "1 recv". */
static void say_count(struct sb_text *t, uint64_t n, const char *noun)
{
	sb_text_u64(t, n);
	sb_text_char(t, ' ');
	sb_text_str(t, noun);
	if (n != 1)
		sb_text_char(t, 's');
}

/* For people: two places are enough. */
static void say_span(struct sb_text *t, uint64_t ns)
{
	char room[48];

	if (ns < UINT64_C(1000000000))
		snprintf(room, sizeof(room), "%.2fms", (double)ns / 1e6);
	else
		snprintf(room, sizeof(room), "%.2fs", (double)ns / 1e9);
	sb_text_str(t, room);
}

static void json_name(struct sb_text *t, const char *name)
{
	sb_text_str(t, ",\"");
	sb_text_str(t, name);
	sb_text_str(t, "\":");
}

static void json_num(struct sb_text *t, const char *name, uint64_t v)
{
	json_name(t, name);
	sb_text_u64(t, v);
}

static void json_bool(struct sb_text *t, const char *name, bool v)
{
	json_name(t, name);
	sb_text_str(t, v ? "true" : "false");
}

static void json_str(struct sb_text *t, const char *name, const char *v)
{
	json_name(t, name);
	sb_text_char(t, '"');
	sb_text_json(t, sb_slice_cstr(v));
	sb_text_char(t, '"');
}

static void json_begin(struct sb_text *t, const char *event)
{
	sb_text_str(t, "{\"v\":1");
	json_str(t, "event", event);
}

static void json_tally(struct sb_text *t, const struct sb_tally *n)
{
	json_num(t, "sends", n->sends);
	json_num(t, "sent", n->sent);
	json_num(t, "recvs", n->recvs);
	json_num(t, "received", n->received);
	json_num(t, "cut", n->cut);
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
		json_begin(&t, "connect");
		json_str(&t, "endpoint", peer);
		if (s->peer.on != SB_ON_UNIX)
			json_str(&t, "from", from);
		json_bool(&t, "connected", is_connected);
		json_bool(&t, "corked", s->plan.is_corked);
		sb_text_char(&t, '}');
		emit(s, &t);
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
	emit(s, &t);
}

void sb_report_send(struct sb_send *s, size_t bytes, size_t asked, uint64_t blocked_ns)
{
	char room[256];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (s->plan.is_json) {
		json_begin(&t, "send");
		json_num(&t, "round", s->round);
		json_num(&t, "n", s->now.sends);
		json_num(&t, "bytes", bytes);
		json_num(&t, "asked", asked);
		json_bool(&t, "blocked", blocked_ns > 0);
		json_num(&t, "blocked_ns", blocked_ns);
		sb_text_char(&t, '}');
		emit(s, &t);
		return;
	}
	sb_text_str(&t, "send ");
	sb_text_u64(&t, s->now.sends);
	sb_text_str(&t, ": ");
	if (bytes < asked) {
		sb_text_u64(&t, bytes);
		sb_text_str(&t, " of ");
	}
	say_count(&t, asked, "byte");
	if (blocked_ns > 0) {
		sb_text_str(&t, ", blocked ");
		say_span(&t, blocked_ns);
	}
	emit(s, &t);
}

void sb_report_recv(struct sb_send *s, size_t bytes, size_t kept)
{
	char room[256];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (s->plan.is_json) {
		json_begin(&t, "recv");
		json_num(&t, "round", s->round);
		json_num(&t, "n", s->now.recvs);
		json_num(&t, "bytes", bytes);
		json_num(&t, "kept", kept);
		sb_text_char(&t, '}');
		emit(s, &t);
		return;
	}
	sb_text_str(&t, "recv ");
	sb_text_u64(&t, s->now.recvs);
	sb_text_str(&t, ": ");
	say_count(&t, bytes, "byte");
	if (kept < bytes) {
		sb_text_str(&t, ", of which ");
		sb_text_u64(&t, kept);
		sb_text_str(&t, " fitted: the rest of the datagram is gone (--recv-size)");
	}
	emit(s, &t);
}

void sb_report_stray(struct sb_send *s, const struct sb_addr *from, size_t bytes)
{
	char room[512], name[96];
	struct sb_text t = sb_text_in(room, sizeof(room));

	address(from, name, sizeof(name));
	if (s->plan.is_json) {
		json_begin(&t, "recv");
		json_num(&t, "round", s->round);
		json_num(&t, "bytes", bytes);
		json_str(&t, "stray_from", name);
		sb_text_char(&t, '}');
		emit(s, &t);
		return;
	}
	sb_text_str(&t, "not counted: ");
	say_count(&t, bytes, "byte");
	sb_text_str(&t, " from ");
	sb_text_str(&t, name);
	sb_text_str(&t, ", to whom nothing was sent");
	emit(s, &t);
}

/* "sent 1000 bytes in 10 sends, received 1000 bytes in 1 recv, in 0.21ms" */
static void say_tally(struct sb_text *t, const struct sb_tally *n, uint64_t ns)
{
	sb_text_str(t, "sent ");
	say_count(t, n->sent, "byte");
	sb_text_str(t, " in ");
	say_count(t, n->sends, "send");
	sb_text_str(t, ", received ");
	say_count(t, n->received, "byte");
	sb_text_str(t, " in ");
	say_count(t, n->recvs, "recv");
	sb_text_str(t, ", in ");
	say_span(t, ns);
}

void sb_report_round(struct sb_send *s, uint64_t ns)
{
	uint64_t missing = s->peer.on == SB_ON_UDP && s->owed > 0 ? (uint64_t)s->owed : 0;
	char room[512];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (s->plan.is_json) {
		json_begin(&t, "round");
		json_num(&t, "round", s->round);
		json_tally(&t, &s->now);
		json_num(&t, "missing", missing);
		if (s->plan.reply == SB_REPLY_ECHO)
			json_bool(&t, "same", missing == 0);
		json_num(&t, "ns", ns);
		sb_text_char(&t, '}');
		emit(s, &t);
		return;
	}
	sb_text_str(&t, "round ");
	sb_text_u64(&t, s->round);
	sb_text_str(&t, ": ");
	say_tally(&t, &s->now, ns);
	if (missing > 0) {
		sb_text_str(&t, ": ");
		sb_text_u64(&t, s->plan.count - missing);
		sb_text_str(&t, " of ");
		sb_text_u64(&t, s->plan.count);
		sb_text_str(&t, " came back");
	} else if (s->plan.reply == SB_REPLY_ECHO) {
		sb_text_str(&t, s->now.cut ? ": the same bytes, as far as they fitted" : ": the same bytes");
	}
	emit(s, &t);
}

void sb_report_summary(struct sb_send *s)
{
	uint64_t ns = sb_sys_now(s->sys) - s->began_ns;
	char room[512];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (s->plan.is_json) {
		json_begin(&t, "summary");
		json_num(&t, "rounds", s->rounds_done);
		json_tally(&t, &s->all);
		json_num(&t, "missing", s->missing);
		json_bool(&t, "stopped", *s->stop != 0);
		json_num(&t, "exit", (uint64_t)s->exit);
		json_num(&t, "ns", ns);
		sb_text_char(&t, '}');
		emit(s, &t);
		return;
	}
	sb_text_str(&t, "summary: ");
	say_count(&t, s->rounds_done, "round");
	sb_text_str(&t, ", ");
	say_tally(&t, &s->all, ns);
	if (*s->stop)
		sb_text_str(&t, *s->stop == SIGINT ? ", ended by INT" : ", ended by TERM");
	emit(s, &t);
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
		json_begin(&t, "error");
		json_str(&t, "endpoint", s->plan.endpoint);
		json_str(&t, "text", what);
		json_num(&t, "exit", (uint64_t)code);
		sb_text_char(&t, '}');
		emit(s, &t);
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
