/* SPDX-License-Identifier: MIT
 * Formats the sentence of a fault. The words in it are somebody's, so what a terminal could obey is escaped. */
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

/* As sb_text_escaped, but a backslash stays one: the sentence quotes what was written, escapes and all. */
static void escape(struct sb_text *t, const char *s)
{
	for (; *s; s++) {
		if (*s >= ' ' && *s <= '~')
			sb_text_char(t, *s);
		else
			sb_text_escaped(t, sb_slice(s, 1), false);
	}
}

int sb_fault_set(struct sb_fault *fault, int code, uint32_t col, const char *format, ...)
{
	char raw[sizeof(fault->text)];
	struct sb_text t;
	va_list args;

	if (!fault)
		return code;
	va_start(args, format);
	/* Escaping only makes it longer: what is cut off here would not have fitted either. */
	if (vsnprintf(raw, sizeof(raw), format, args) < 0)
		raw[0] = '\0';
	va_end(args);
	fault->code = code;
	fault->col = col;
	t = sb_text_in(fault->text, sizeof(fault->text) - 1);
	escape(&t, raw);
	fault->text[t.n] = '\0';
	return code;
}
