/* SPDX-License-Identifier: MIT
 * Target: any bytes are a script, its listing compiles back to the same bytes; and any bytes as a listing compile to a
 * script whose listing compiles to the same, or are refused with a line and a column that there are. */
#include <stdlib.h>
#include <string.h>

#include "found.h"
#include "script/script.h"
#include "target.h"

static uint64_t digest;

uint64_t sb_fuzz_digest(void)
{
	return digest;
}

static void check_events(const uint8_t *data, size_t n)
{
	struct sbs_event e;
	size_t at = 0, before = 0;

	while (sbs_next(data, n, &at, &e)) {
		if (at <= before || at > n || e.p != data + before || e.n != at - before)
			sb_found("script: an event at %zu ends at %zu of %zu", before, at, n);
		before = at;
		digest = digest * 31 + (uint64_t)e.kind + e.v;
	}
	if (at != n)
		sb_found("script: events end at %zu of %zu", at, n);
}

/* The listing of a script compiles back. */
static void check_back(const uint8_t *script, size_t n)
{
	size_t text_n = sbs_print(script, n, NULL, 0);
	char *text = malloc(text_n + 1);
	uint8_t *back = malloc(n + 1);
	struct sb_fault fault = {0};
	uint32_t line;
	long r;

	if (!text || !back)
		abort();
	sbs_print(script, n, text, text_n);
	text[text_n] = '\0';
	sb_tell("%s", text);
	r = sbs_compile(text, text_n, back, n, &line, &fault);
	if (r < 0)
		sb_found("script: its own listing does not compile: %u:%u: %s\n%s", line, fault.col, fault.text, text);
	if ((size_t)r != n || memcmp(back, script, n) != 0)
		sb_found("script: %zu bytes came back as %ld:\n%s", n, r, text);
	digest = digest * 31 + text_n;
	free(text);
	free(back);
}

/* How long a line is, the first being 1; 0 when there is no such line. */
static size_t line_length(const char *text, size_t n, uint32_t line)
{
	const char *end = text + n, *next;

	for (; line > 1; line--) {
		next = memchr(text, '\n', (size_t)(end - text));
		if (!next)
			return 0;
		text = next + 1;
	}
	next = memchr(text, '\n', (size_t)(end - text));
	return (size_t)((next ? next : end) - text);
}

/* The word of the next line that is an event and no payload; 0 bytes at the end. */
static size_t next_word(const char **text, const char *end, const char **word)
{
	while (*text < end) {
		const char *from = *text, *next = memchr(from, '\n', (size_t)(end - from)), *to;

		next = next ? next : end;
		*text = next + (next < end);
		while (from < next && (*from == ' ' || *from == '\t' || *from == '\r'))
			from++;
		to = from;
		while (to < next && *to != ' ' && *to != '\t' && *to != '\r')
			to++;
		*word = from;
		if (to > from && *from != '#' && (to - from != 5 || memcmp(from, "bytes", 5) != 0))
			return (size_t)(to - from);
	}
	return 0;
}

/* Each line is the event that it names. */
static void check_words(const char *text, size_t n, const uint8_t *script, size_t script_n)
{
	const char *end = text + n, *word = text;
	struct sbs_event e;
	size_t at = 0, word_n;

	while (sbs_next(script, script_n, &at, &e)) {
		const char *want = sbs_word(e.kind);

		if (e.kind == SBS_BYTES)
			continue;
		word_n = next_word(&text, end, &word);
		if (word_n != strlen(want) || memcmp(word, want, word_n) != 0)
			sb_found("script: a line \"%.*s\" became the event %s", (int)word_n, word, want);
	}
	word_n = next_word(&text, end, &word);
	if (word_n > 0)
		sb_found("script: a line \"%.*s\" became nothing", (int)word_n, word);
}

static void check_listing(const char *text, size_t n)
{
	uint8_t *script = malloc(n + 1);
	struct sb_fault fault = {0};
	uint32_t line;
	long r;

	if (!script)
		abort();
	r = sbs_compile(text, n, script, n, &line, &fault);
	digest = digest * 31 + (uint64_t)r;
	if (r < 0 && (fault.code != r || !fault.text[0] || fault.col < 1 || fault.col > line_length(text, n, line) + 1))
		sb_found("script: refused in line %u, column %u of %zu: %s", line, fault.col,
			 line_length(text, n, line), fault.text);
	if (r > (long)n)
		sb_found("script: a listing of %zu bytes became %ld", n, r);
	if (r >= 0)
		check_words(text, n, script, (size_t)r);
	if (r > 0)
		check_back(script, (size_t)r);
	free(script);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	digest = n;
	check_events(data, n);
	check_back(data, n);
	check_listing((const char *)data, n);
	return 0;
}
