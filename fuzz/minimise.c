/* SPDX-License-Identifier: MIT
 *
 * Makes a find small. Each try is a child process; what it writes to standard error before it dies says how it failed,
 * and a smaller input counts only when it fails in the same way: by the same oracle, or by the same kind of sanitizer
 * report. So one bug does not turn into another on the way.
 */
#include "minimise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_MAX = 20, TRY_MS_MAX = 12000, TEXT_MAX = 64 * 1024, KIND_MAX = 256 };

struct small {
	void (*check)(const uint8_t *bytes, size_t n);
	bool is_leak; /* such a find shows only when the child exits in order */
	char kind[KIND_MAX];
	uint8_t *bytes; /* the smallest so far */
	size_t n;
	unsigned tries;
	time_t until;
};

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* ---- how it failed ---- */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* A word that says how many or which, not what. */
static bool is_number(const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (word[i] >= '0' && word[i] <= '9')
			return true;
	return n == 2 && is_hex(word[0]) && is_hex(word[1]);
}

/* What is the same each time a line says the same thing: no numbers, nothing quoted; of "split≠whole at cut 3: …" the
 * first word. */
static void say_kind(char *kind, const char *line)
{
	size_t at = 0, n;
	bool is_rule = false;

	while (*line && *line != '\n' && *line != '"' && *line != '(' && *line != '/' && !is_rule) {
		n = strcspn(line, " \n,:");
		is_rule = memmem(line, n, "\xe2\x89\xa0", 3) || (n == 7 && memcmp(line, "promise", n) == 0);
		n += strspn(line + n, " ,:");
		if (at + n >= KIND_MAX)
			break;
		if (!is_number(line, strcspn(line, " \n,:"))) {
			memcpy(kind + at, line, n);
			at += n;
		}
		line += n;
	}
	kind[at] = '\0';
}

static const char *start_of_line(const char *text, const char *at)
{
	while (at > text && at[-1] != '\n')
		at--;
	return at;
}

/* How a child failed; "" when it did not. */
static void judge(char *kind, const char *text, int status)
{
	const char *found = strstr(text, "FOUND "), *undefined = strstr(text, ": runtime error: ");
	const char *summary = strstr(text, "SUMMARY: ");

	kind[0] = '\0';
	if (status == 0)
		return;
	if (found && start_of_line(text, found) == found) {
		say_kind(kind, found + strlen("FOUND "));
	} else if (undefined) {
		const char *place = start_of_line(text, undefined);

		snprintf(kind, KIND_MAX, "%.*s", (int)(undefined - place), place);
	} else if (summary) {
		say_kind(kind, summary + strlen("SUMMARY: "));
	} else if (WIFSIGNALED(status)) {
		snprintf(kind, KIND_MAX, "signal %d", WTERMSIG(status));
	} else {
		snprintf(kind, KIND_MAX, "exit %d", WEXITSTATUS(status));
	}
}

/* ---- one try ---- */

static void child(const struct small *s, const uint8_t *bytes, size_t n, int to)
{
	struct rlimit none = {0, 0};
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	setrlimit(RLIMIT_CORE, &none);
	if (nowhere < 0 || dup2(nowhere, 1) < 0 || dup2(to, 2) < 0)
		_exit(0);
	s->check(bytes, n);
	if (s->is_leak || !s->kind[0])
		exit(0);
	_exit(0);
}

/* All that a child writes, as far as there is room. One that takes too long is ended. */
static void listen_to(int from, pid_t pid, char *text)
{
	size_t at = 0;
	struct pollfd p = {.fd = from, .events = POLLIN};

	for (;;) {
		char room[4096];
		int r = poll(&p, 1, TRY_MS_MAX);
		ssize_t n;

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			kill(pid, SIGKILL);
			break;
		}
		n = read(from, room, sizeof(room));
		if (n <= 0)
			break;
		if ((size_t)n > TEXT_MAX - 1 - at)
			n = (ssize_t)(TEXT_MAX - 1 - at);
		memcpy(text + at, room, (size_t)n);
		at += (size_t)n;
	}
	for (size_t i = 0; i < at; i++)
		text[i] = text[i] ? text[i] : ' ';
	text[at] = '\0';
}

static void try(struct small *s, const uint8_t *bytes, size_t n, char *kind)
{
	static char text[TEXT_MAX];
	int ends[2], status = 0;
	pid_t pid;

	s->tries++;
	kind[0] = '\0';
	fflush(NULL);
	if (pipe(ends) < 0)
		return;
	pid = fork();
	if (pid == 0)
		child(s, bytes, n, ends[1]);
	close(ends[1]);
	if (pid > 0) {
		listen_to(ends[0], pid, text);
		waitpid(pid, &status, 0);
		judge(kind, text, status);
	}
	close(ends[0]);
}

/* Without n bytes from at on, does it fail the same? Then that is what is left. */
static bool leave_out(struct small *s, size_t at, size_t n)
{
	/* As large as it is, so that a byte too many is seen in the child as it was in the first place. */
	uint8_t *exact = malloc(s->n - n ? s->n - n : 1);
	char kind[KIND_MAX] = "";

	if (!exact)
		return false;
	memcpy(exact, s->bytes, at);
	memcpy(exact + at, s->bytes + at + n, s->n - at - n);
	try(s, exact, s->n - n, kind);
	if (strcmp(kind, s->kind) == 0) {
		s->n -= n;
		memcpy(s->bytes, exact, s->n);
	}
	free(exact);
	return strcmp(kind, s->kind) == 0;
}

long minimise(uint8_t *bytes, size_t n, void (*check)(const uint8_t *bytes, size_t n))
{
	struct small s = {.check = check, .bytes = bytes, .n = n, .until = seconds() + SECONDS_MAX};
	char first[KIND_MAX];
	size_t before;

	try(&s, bytes, n, first);
	if (!first[0])
		return -1;
	memcpy(s.kind, first, sizeof(first));
	s.is_leak = strstr(first, "leaked") != NULL;
	do {
		before = s.n;
		for (size_t size = s.n; size > 0; size /= 2)
			for (size_t at = 0; at < s.n && seconds() < s.until;) {
				size_t some = size < s.n - at ? size : s.n - at;

				if (!leave_out(&s, at, some))
					at += some;
			}
	} while (s.n < before && seconds() < s.until);
	printf("%zu of %zu bytes do, after %u tries: %s\n", s.n, n, s.tries, s.kind);
	return (long)s.n;
}
