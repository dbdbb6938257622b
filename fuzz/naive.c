/* SPDX-License-Identifier: MIT
 * Numbers, addresses and words, plainly. */
#include "naive.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "found.h"

__extension__ typedef unsigned __int128 wide;

struct unit {
	const char *name;
	uint64_t factor;
};

/* Whether it is digits and the unit; v is as large as it gets. */
static bool reads_as(const uint8_t *p, size_t n, const struct unit *unit, wide *v)
{
	size_t name_n = strlen(unit->name), digits = n - name_n;

	if (n <= name_n || memcmp(p + digits, unit->name, name_n) != 0)
		return false;
	*v = 0;
	for (size_t i = 0; i < digits; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*v = *v * 10 + (p[i] - '0');
		if (*v > UINT64_MAX)
			*v = (wide)UINT64_MAX + 1;
	}
	*v *= unit->factor;
	return true;
}

static int read(const uint8_t *p, size_t n, const struct unit *units, size_t units_n, uint64_t *out)
{
	bool is_negative = n && p[0] == '-';
	wide v;

	for (size_t i = 0; i < units_n; i++) {
		if (!reads_as(p + is_negative, n - is_negative, &units[i], &v))
			continue;
		if (is_negative || v > UINT64_MAX)
			return SB_E_RANGE;
		*out = (uint64_t)v;
		return 0;
	}
	return SB_E_TYPE;
}

int naive_size(const uint8_t *p, size_t n, uint64_t *v)
{
	static const struct unit units[] = {{"k", 1024}, {"M", 1048576}, {"", 1}};

	return read(p, n, units, 3, v);
}

int naive_count(const uint8_t *p, size_t n, uint64_t *v)
{
	static const struct unit units[] = {{"", 1}};

	return read(p, n, units, 1, v);
}

int naive_time(const uint8_t *p, size_t n, uint64_t *v)
{
	static const struct unit units[] = {{"us", 1000},
					    {"ms", 1000000},
					    {"s", 1000000000},
					    {"m", UINT64_C(60000000000)}};

	return read(p, n, units, 4, v);
}

const char *naive_size_text(char *room, uint64_t v)
{
	if (v == 0 || v % 1024)
		snprintf(room, 32, "%" PRIu64, v);
	else if (v % 1048576)
		snprintf(room, 32, "%" PRIu64 "k", v / 1024);
	else
		snprintf(room, 32, "%" PRIu64 "M", v / 1048576);
	return room;
}

const char *naive_time_text(char *room, uint64_t ns)
{
	if (ns == 0)
		snprintf(room, 32, "0s");
	else if (ns % 1000)
		snprintf(room, 32, "%" PRIu64 "ns", ns);
	else if (ns % 1000000)
		snprintf(room, 32, "%" PRIu64 "us", ns / 1000);
	else if (ns % 1000000000)
		snprintf(room, 32, "%" PRIu64 "ms", ns / 1000000);
	else if (ns % 60000000000)
		snprintf(room, 32, "%" PRIu64 "s", ns / 1000000000);
	else
		snprintf(room, 32, "%" PRIu64 "m", ns / 60000000000);
	return room;
}

int naive_ip(const char *p, size_t n, uint8_t ip[16])
{
	char text[64];

	memset(ip, 0, 16);
	if (n >= sizeof(text) || memchr(p, '\0', n))
		return 0;
	memcpy(text, p, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, ip) == 1)
		return 4;
	return inet_pton(AF_INET6, text, ip) == 1 ? 6 : 0;
}

/* ---- the nearest word ---- */

enum { WORD_MAX = 48 };

static int lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours, the whole table of it. */
static size_t distance(const uint8_t *a, size_t a_n, const char *b, size_t b_n)
{
	static size_t d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= a_n; i++)
		for (size_t j = 0; j <= b_n; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = i + j;
				continue;
			}
			d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
					d[i - 1][j - 1] + (lower(a[i - 1]) != lower((uint8_t)b[j - 1])));
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower((uint8_t)b[j - 2]) &&
			    lower(a[i - 2]) == lower((uint8_t)b[j - 1]))
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[a_n][b_n];
}

const char *naive_nearest(const uint8_t *p, size_t n, const char *const *words, size_t words_n)
{
	const char *best = NULL;
	size_t best_d = SIZE_MAX;

	if (n == 0 || n > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < words_n; i++) {
		size_t letters = strlen(words[i]), d;

		if (letters > WORD_MAX)
			continue;
		d = distance(p, n, words[i], letters);
		if (3 * d <= (letters > n ? letters : n) && d < best_d) {
			best = words[i];
			best_d = d;
		}
	}
	return best;
}

/* ---- what is said ---- */

void naive_fault(const char *what, const struct sb_fault *fault, int code, uint32_t col)
{
	size_t n = strnlen(fault->text, sizeof(fault->text));

	if (fault->code != code || fault->col != col)
		sb_found("%s: refused with %s at column %u, \"%.*s\"; it should be %s at column %u", what,
			 sb_errname(fault->code), fault->col, (int)n, fault->text, sb_errname(code), col);
	if (n == 0 || n == sizeof(fault->text))
		sb_found("%s: the sentence of a fault has %zu bytes", what, n);
	for (size_t i = 0; i < n; i++)
		if (fault->text[i] < ' ' || fault->text[i] > '~')
			sb_found("%s: the sentence of a fault has byte %02x in it: %s", what, (uint8_t)fault->text[i],
				 fault->text);
}

/* A sentence that is as long as there is room may have lost the word. */
static bool is_cut(const struct sb_fault *fault)
{
	return strlen(fault->text) + 5 > sizeof(fault->text);
}

void naive_says(const char *what, const struct sb_fault *fault, const char *word)
{
	if (!strstr(fault->text, word) && !is_cut(fault))
		sb_found("%s: \"%s\" does not say \"%s\"", what, fault->text, word);
}

void naive_says_nearest(const char *what, const struct sb_fault *fault, const char *nearest)
{
	size_t n = strlen(fault->text);
	char text[96];

	if (nearest) {
		snprintf(text, sizeof(text), "(did you mean %s?)", nearest);
		naive_says(what, fault, text);
	} else if (n > 2 && strcmp(fault->text + n - 2, "?)") == 0) {
		sb_found("%s: \"%s\", and nothing is near enough", what, fault->text);
	}
}
