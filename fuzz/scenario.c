/* SPDX-License-Identifier: MIT
 *
 * Target: a line of text, from its bytes to the plan of a service, held to a second reading of it.
 *
 * The first byte says where it is for: its low two bits the transport (tcp, unix, udp, tcp), then strict, then small
 * limits. '0' to '?' are all there are; the high bit asks for the help as well, in room that the line's length says.
 * What follows is the line. What must hold:
 *
 *   line       accepted or refused, code, column, values: as fuzz/again.c reads it; the sentence of a refusal names the
 *              key, the range, the nearest word; nothing stays in memory that was not there
 *   print      as fuzz/again_compare.c prints it; never longer than it was; parses to the same, and prints the same
 *   place      which keys a service takes on a transport
 *   plan       accepted or refused; every value in it; what a SOURCE sends, at any offset
 */
#include <stdio.h>

#include "again.h"
#include "again_plan.h"
#include "codec_arena.h"
#include "found.h"
#include "judge.h"
#include "naive.h"
#include "scenario/help.h"
#include "target.h"

JUDGE_BEGIN

static struct arena arena;
static struct again again;
static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

static void check_same(const struct sb_line *a, const struct sb_line *b)
{
	bool is_same = sb_slice_eq(a->verb, b->verb) && a->opts_n == b->opts_n && a->steps_n == b->steps_n;

	for (int i = 0; i < SB_KEYS_N; i++)
		is_same = is_same && a->v[i].set == b->v[i].set && a->v[i].at == b->v[i].at &&
			  (!a->v[i].set || sb_keys[i].type != SB_T_TEXT || sb_slice_eq(a->v[i].text, b->v[i].text)) &&
			  (!a->v[i].set || a->v[i].num == b->v[i].num);
	for (int i = 0; i < a->opts_n; i++)
		is_same = is_same && sb_slice_eq(a->opts[i].name, b->opts[i].name) &&
			  sb_slice_eq(a->opts[i].value, b->opts[i].value);
	for (int i = 0; i < a->steps_n && is_same; i++) {
		const struct sb_step *s = &a->steps[i], *t = &b->steps[i];

		is_same = s->kind == t->kind && sb_slice_eq(s->opt, t->opt) && s->v.num == t->v.num &&
			  s->v.at == t->v.at &&
			  (sb_step_rows[s->kind].type != SB_T_TEXT || sb_slice_eq(s->v.text, t->v.text));
	}
	if (!is_same)
		sb_found("line: what it prints is another line");
}

static void check_print(const struct sb_line *line, size_t raw_n)
{
	static char want[AGAIN_ROOM], got[AGAIN_ROOM];
	static struct sb_line back;
	struct sb_fault fault;
	size_t want_n = again_print(&again, want);
	int n = sb_line_print(line, got, sizeof(got));
	char *exact;

	if (n < 0 || (size_t)n != want_n || memcmp(want, got, want_n) != 0 || got[n] != '\0')
		sb_found("line: printed it is \"%.*s\", it should be \"%.*s\"", n < 0 ? 0 : n, got, (int)want_n, want);
	if (want_n > raw_n)
		sb_found("line: printed it has %zu bytes, and it had %zu", want_n, raw_n);
	exact = (char *)arena_open(&arena, want_n + 1);
	if (sb_line_print(line, exact, want_n + 1) != n || strcmp(exact, got) != 0)
		sb_found("line: room for %zu bytes is enough, it says", want_n);
	if (sb_line_print(line, exact, want_n) != SB_E_NO_SPACE)
		sb_found("line: room for %zu bytes is not enough", want_n - 1);
	if (sb_line_print(line, exact, want_n / 2) != SB_E_NO_SPACE)
		sb_found("line: room for half of it is enough");
	arena_close((uint8_t *)exact, want_n + 1);
	if (sb_line_parse(&back, sb_slice(got, want_n), &fault) < 0)
		sb_found("line: \"%s\" is what it prints, and it cannot be parsed: %s", got, fault.text);
	check_same(line, &back);
	digest = digest * 31 + want_n;
}

/* Of a refused line: whether its verb is what is said, where services are taken alone, and where control verbs are. */
static void check_verb_first(const struct sb_line *line, int r)
{
	static const char *const control[] = {"LISTEN", "RECEIPT", "LIST", "LIMITS", "HELP", "QUIT"};
	struct sb_fault fault = {.code = 1};
	bool is_control = false;
	int with, alone = sb_verb_first(line, false, r, &fault);

	if (alone == SB_E_UNKNOWN && fault.code == 1 && r != SB_E_UNKNOWN)
		sb_found("line: its verb is unknown, and that is not said");
	with = sb_verb_first(line, true, r, NULL);
	again_verb_first(&again);
	for (size_t i = 0; i < sizeof(control) / sizeof(control[0]); i++)
		is_control = is_control || naive_is(again.verb.p, again.verb.n, control[i]);
	if (alone != again.code || with != (is_control ? r : again.code))
		sb_found("line: of its verb \"%.*s\" it says %s and %s, it should be %s", (int)again.verb.n,
			 (const char *)again.verb.p, sb_errname(alone), sb_errname(with), sb_errname(again.code));
}

/* Whether a line of these bytes is good. */
static bool check_line(struct sb_line *line, const uint8_t *p, size_t n)
{
	uint8_t *copy = arena_copy(&arena, p, n);
	struct sb_fault fault = {.code = 1};
	int r = sb_line_parse(line, sb_slice(copy, n), &fault);

	if (sb_line_parse(line, sb_slice(copy, n), NULL) != r)
		sb_found("line: without a fault to fill it says something else");
	arena_close(copy, n); /* it keeps what it needs */
	again_read(&again, p, n);
	digest = digest * 31 + (uint64_t)-r;
	if (r != again.code)
		sb_found("line: it is %s (%s), it should be %s", r < 0 ? sb_errname(r) : "good",
			 r < 0 ? fault.text : "", again.code < 0 ? sb_errname(again.code) : "good");
	if (r < 0) {
		again_compare_fault(&again, &fault);
		if (fault.col < 1 || fault.col > n + 1)
			sb_found("line: it is refused at column %u of %zu", fault.col, n);
		check_verb_first(line, r);
		return false;
	}
	if (fault.code != 1)
		sb_found("line: it is good, and a fault was filled");
	again_compare(&again, line);
	check_print(line, n);
	return true;
}

static char help[16384]; /* whole */
static size_t help_n;

/* It has every key, in lines that are not too long. Before main: in the first run it would be what makes that one
 * differ. */
__attribute__((constructor)) static void make_help(void)
{
	struct sb_text t = sb_text_in(help, sizeof(help));
	size_t from = 0;

	sb_keys_help(&t);
	help_n = t.n;
	for (int i = 0; i < SB_KEYS_N; i++) {
		char line[64];

		snprintf(line, sizeof(line), "\n  %s=%s", sb_keys[i].name, sb_keys[i].arg);
		if (!memmem(help, help_n, line, strlen(line)) || sb_key_name_at(NULL, (size_t)i) != sb_keys[i].name)
			sb_found("help: it lacks %s=", sb_keys[i].name);
	}
	for (int i = 0; i < SB_STEPS_N; i++) {
		char line[64];

		snprintf(line, sizeof(line), "\n  %s%s%s", sb_step_rows[i].name,
			 i == SB_STEP_OPT         ? ".NAME:"
			 : sb_step_rows[i].arg[0] ? ":"
						  : "",
			 sb_step_rows[i].arg);
		if (!memmem(help, help_n, line, strlen(line)) ||
		    sb_step_name_at(NULL, (size_t)i) != sb_step_rows[i].name)
			sb_found("help: it lacks the step %s", sb_step_rows[i].name);
	}
	for (size_t i = 0; i < help_n; i++) {
		if (help[i] != '\n')
			continue;
		if (i - from > 100)
			sb_found("help: a line of %zu characters", i - from);
		from = i + 1;
	}
}

/* With less room it is the beginning of it. */
static void check_help(size_t room)
{
	static char some[sizeof(help)];
	struct sb_text t = sb_text_in(some, room % sizeof(some));

	sb_keys_help(&t);
	if (t.n != (t.cap < help_n ? t.cap : help_n) || (t.lost > 0) != (t.n < help_n) || memcmp(some, help, t.n) != 0)
		sb_found("help: in %zu bytes it is another", t.cap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const unsigned ons[] = {SB_ON_TCP, SB_ON_UNIX, SB_ON_UDP, SB_ON_TCP};
	static struct sb_line line;
	uint8_t how = n ? data[0] : '0';

	digest = n;
	n = n ? n - 1 : 0;
	if (n > 2000)
		n = 2000;
	if (how & 128)
		check_help(n * 37);
	if (check_line(&line, data + 1, n))
		digest = digest * 31 + again_check_plan(&again, &line, ons[how & 3], how & 4, how & 8);
	return 0;
}

JUDGE_END
