/* SPDX-License-Identifier: MIT
 * What the tests of lines share: reading one out of memory that ends where it does. */
#ifndef SB_TESTS_UNIT_LINE_KIT_H
#define SB_TESTS_UNIT_LINE_KIT_H

#include "check.h"

#include "scenario/line.h"

static struct sb_line line;
static struct sb_fault fault;

/* The text lies in memory of exactly its size, and is gone when the line is looked at. */
static inline int parse_n(struct sb_line *to, const char *text, size_t n)
{
	char *exact = malloc(n);
	int r;

	memcpy(exact, text, n);
	fault = (struct sb_fault){0};
	r = sb_line_parse(to, sb_slice(exact, n), &fault);
	free(exact);
	return r;
}

static inline int parse(const char *text)
{
	return parse_n(&line, text, strlen(text));
}

static inline void expect_ok(const char *text)
{
	if (parse(text) != 0)
		fail_msg("\"%s\": column %u: %s", text, fault.col, fault.text);
}

#endif
