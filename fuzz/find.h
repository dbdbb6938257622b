/* SPDX-License-Identifier: MIT */
#ifndef SB_FUZZ_FIND_H
#define SB_FUZZ_FIND_H

#include <stddef.h>

/* As strstr. Under sanitizers that measures and checks the whole of both each time, and judges look for words all the
 * time. */
static inline const char *fuzz_find(const char *text, const char *what)
{
	for (; *text; text++) {
		size_t n = 0;

		while (what[n] && text[n] == what[n])
			n++;
		if (!what[n])
			return text;
	}
	return *what ? NULL : text;
}

#endif
