/* SPDX-License-Identifier: MIT
 * streambed send --line: tells the server on this connection how to behave, and asks for the receipt at the end. */
#include "cli/send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "cli/say.h"

enum { ANSWER_MAX = 1024, RECEIPT_MAX = 256 * 1024 };

/* ---- a little reading and writing ---- */

static bool give_text(struct sb_send *s, struct sb_slice rest)
{
	while (rest.n > 0) {
		long n = sb_sys_send(s->sys, s->fd, &rest, 1);

		if (n == -EINTR)
			continue;
		/* A new connection's buffer holds a line. */
		if (n < 0)
			return sb_send_fail(s, sb_send_exit_of((int)n), "%s", sb_send_why((int)n));
		rest = sb_slice_skip(rest, (size_t)n);
	}
	return true;
}

/* At least one byte, n at most: how many, 0 after what is wrong has been said. */
static size_t take_some(struct sb_send *s, char *to, size_t n)
{
	char time[32];

	for (;;) {
		long got = sb_sys_recv(s->sys, s->fd, to, n);
		int r;

		if (got > 0)
			return (size_t)got;
		if (got == 0)
			sb_send_fail(s, SB_EXIT_UNAVAILABLE, "closed by the peer before its answer to the line");
		else if (got != -EAGAIN && got != -EINTR)
			sb_send_fail(s, sb_send_exit_of((int)got), "%s", sb_send_why((int)got));
		if (got == 0 || s->exit != SB_EXIT_OK)
			return 0;
		r = sb_send_wait(s, s->fd, SB_POLL_IN, sb_sys_now(s->sys) + s->plan.timeout_ns);
		if (r == 0)
			sb_send_fail(s, SB_EXIT_UNAVAILABLE, "timed out: no answer to the line within %s",
				     sb_send_time(s->plan.timeout_ns, time));
		if (r <= 0)
			return 0;
	}
}

/* One line, without its end: not a byte more is taken, for what follows is the reply. */
static bool take_line(struct sb_send *s, char line[static ANSWER_MAX])
{
	size_t n = 0;

	for (; n < ANSWER_MAX - 1; n++) {
		if (take_some(s, line + n, 1) == 0)
			return false;
		if (line[n] == '\n')
			break;
	}
	line[n] = '\0';
	return true;
}

/* ---- what is said ---- */

/* "said LINE" and the answer to it. */
static void report(struct sb_send *s, const char *answer)
{
	char room[8192];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (s->plan.is_json) {
		sb_json_begin(&t, "line");
		sb_json_str(&t, "line", s->plan.line);
		sb_json_str(&t, "answer", answer);
		sb_text_char(&t, '}');
	} else {
		sb_text_str(&t, "said   SB1 ");
		sb_text_str(&t, s->plan.line);
		sb_text_str(&t, "\nanswer ");
		sb_text_escaped(&t, sb_slice_cstr(answer), false);
	}
	sb_send_emit(s, &t);
}

static void report_receipt(struct sb_send *s, struct sb_slice json)
{
	/* It is a line of JSON already. */
	printf(s->plan.is_json ? "{\"v\":1,\"event\":\"receipt\",\"receipt\":%.*s}\n" : "receipt %.*s\n", (int)json.n,
	       (const char *)json.p);
}

/* ---- the line ---- */

static bool ask(struct sb_send *s, const char *line, char answer[static ANSWER_MAX])
{
	return give_text(s, sb_slice_cstr("SB1 ")) && give_text(s, sb_slice_cstr(line)) &&
	       give_text(s, sb_slice_cstr("\n")) && take_line(s, answer);
}

bool sb_send_line(struct sb_send *s)
{
	char answer[ANSWER_MAX];
	const char *id, *end;

	if (!ask(s, s->plan.line, answer))
		return false;
	report(s, answer);
	if (strncmp(answer, "+OK", 3) != 0)
		return sb_send_fail(s, SB_EXIT_USAGE, "the server refuses the line: %s", answer);
	id = strstr(answer, " id=");
	if (!id)
		return true;
	id += strlen(" id=");
	end = strchr(id, ' ');
	snprintf(s->id, sizeof(s->id), "%.*s", end ? (int)(end - id) : (int)strlen(id), id);
	return true;
}

/* ---- the receipt ---- */

static bool take_receipt(struct sb_send *s, size_t size)
{
	char *text = malloc(size);
	size_t n = 0;

	if (!text)
		return sb_send_fail(s, SB_EXIT_OS, "no memory for the receipt");
	while (n < size) {
		size_t some = take_some(s, text + n, size - n);

		if (some == 0)
			break;
		n += some;
	}
	if (n == size)
		report_receipt(s, sb_slice(text, n > 0 && text[n - 1] == '\n' ? n - 1 : n));
	free(text);
	return n == size;
}

/* N of "+OK bytes=N", 0 when it is anything else. */
static size_t size_of(const char *answer)
{
	static const char head[] = "+OK bytes=";
	uint64_t n = 0;

	if (strncmp(answer, head, sizeof(head) - 1) != 0 ||
	    sb_parse_count(sb_slice_cstr(answer + sizeof(head) - 1), &n) < 0)
		return 0;
	return n <= RECEIPT_MAX ? (size_t)n : 0;
}

bool sb_send_receipt(struct sb_send *s)
{
	char line[128], answer[ANSWER_MAX], room[32];
	struct sb_text wait = sb_text_in(room, sizeof(room));
	size_t size;
	bool is_well;

	if (!s->id[0])
		return true;
	s->fd = sb_send_dial(s);
	if (s->fd < 0)
		return sb_send_not_open(s, s->fd);
	sb_text_time(&wait, s->plan.timeout_ns / 2 / 1000 * 1000);
	snprintf(line, sizeof(line), "RECEIPT id=%s wait=%s", s->id, sb_text_end(&wait));
	is_well = ask(s, line, answer);
	size = is_well ? size_of(answer) : 0;
	if (size > 0)
		is_well = take_receipt(s, size);
	else if (is_well)
		is_well = sb_send_fail(s, SB_EXIT_UNAVAILABLE, "no receipt: %s", answer);
	sb_sys_close(s->sys, s->fd);
	return is_well;
}
