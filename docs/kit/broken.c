/* SPDX-License-Identifier: MIT
 * Lines that end in CR LF, by a parser that is broken: a CR that is the last byte of a piece is lost on it. */
#include "streambed_fuzz.h" /* sbf_event, sbf_bytes, sbf_number */

static char line[256];
static size_t line_n;

static void init(void)
{
	line_n = 0;
}

static int feed(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n') {
			sbf_event("line", line, line_n);
			line_n = 0;
			i++;
		} else if (line_n == sizeof(line)) {
			return -1;
		} else {
			line[line_n++] = (char)p[i];
		}
	}
	return 0;
}

static int finish(void)
{
	return line_n ? -2 : 0;
}

#define SBF_INIT init
#define SBF_FEED feed
#define SBF_FINISH finish
#include "streambed_fuzz.h" /* the target */
