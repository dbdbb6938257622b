/* SPDX-License-Identifier: MIT
 * Target: any bytes are a script, its listing compiles back to the same bytes, and compiling any text is safe. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t text_n = sbs_print(data, n, NULL, 0);
	char *text = malloc(text_n + 1);
	uint8_t *back = malloc(n + 1);
	long r;

	digest = text_n;
	check_events(data, n);
	if (!text || !back)
		abort();
	sbs_print(data, n, text, text_n);
	text[text_n] = '\0';
	sb_tell("%s", text);
	r = sbs_compile(text, text_n, back, n);
	if (r < 0)
		sb_found("script: line %ld of its own listing does not compile:\n%s", -r, text);
	if ((size_t)r != n || memcmp(back, data, n) != 0)
		sb_found("script: %zu bytes came back as %ld:\n%s", n, r, text);
	/* And what is no listing is refused, or read, but never more. */
	sbs_compile((const char *)data, n, back, n);
	free(text);
	free(back);
	return 0;
}
