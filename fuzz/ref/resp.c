/* SPDX-License-Identifier: MIT
 * resp: a value of the Redis protocol. Values inside values are read by calling itself; owed is how many bytes must
 * come behind a value at least, for those that it is in. */
#include <string.h>

#include "ref.h"

enum { LEAST = 3 }; /* bytes of the shortest value */

static int is_in(const char *types, int c)
{
	return c != 0 && strchr(types, c) != NULL;
}

/* The values that are in an array, map... with this count. */
static uint64_t values_in(int type, uint64_t count)
{
	return is_in("%|", type) ? 2 * count + (type == '|') : count;
}

/* What comes behind the digits of a number at least. */
static uint64_t behind(int type, uint64_t number)
{
	return 2 + (is_in("$!=", type) ? number + 2 : LEAST * values_in(type, number));
}

/* CR LF at p[at]: a frame of at + 2 bytes. */
static struct ref_answer crlf(const uint8_t *p, size_t n, size_t at)
{
	for (size_t i = 0; i < 2; i++) {
		if (at + i >= n)
			return ref_more();
		if (p[at + i] != "\r\n"[i])
			return ref_broken(SB_E_BAD_DELIMITER, at + i);
	}
	return ref_frame(at + 2, 0, at + 2);
}

/* "-1" and CR LF at p[at]. */
static struct ref_answer none(const struct ref_args *a, const uint8_t *p, size_t n, size_t at, uint64_t owed)
{
	if (at + 1 + strlen("1\r\n") + owed > a->max)
		return ref_broken(SB_E_TOO_LARGE, at);
	if (at + 1 < n && p[at + 1] != '1')
		return ref_broken(SB_E_BAD_LENGTH, at + 1);
	if (at + 2 < n && p[at + 2] != '\r' && p[at + 2] != '\n')
		return ref_broken(SB_E_BAD_LENGTH, at + 2);
	return crlf(p, n, at + 2);
}

/* Digits and CR LF at p[at]; the frame's n is the number. */
static struct ref_answer digits(const struct ref_args *a, int type, const uint8_t *p, size_t n, size_t from,
				uint64_t owed)
{
	struct ref_answer r;
	uint64_t number = 0;
	size_t at = from;

	for (; at < n && p[at] >= '0' && p[at] <= '9'; at++) {
		if (at > from && p[from] == '0')
			return ref_broken(SB_E_OVERLONG, at);
		number = number * 10 + (p[at] - '0');
		if (at + 1 + behind(type, number) + owed > a->max)
			return ref_broken(SB_E_TOO_LARGE, at);
	}
	if (at < n && (at == from || (p[at] != '\r' && p[at] != '\n')))
		return ref_broken(SB_E_BAD_LENGTH, at);
	r = crlf(p, n, at);
	r.n = number;
	return r;
}

static struct ref_answer line(const struct ref_args *a, const uint8_t *p, size_t n, size_t at, uint64_t owed)
{
	for (; at < n && p[at] != '\r'; at++) {
		if (p[at] == '\n')
			return ref_broken(SB_E_BAD_DELIMITER, at);
		if (at + 1 + strlen("\r\n") + owed > a->max)
			return ref_broken(SB_E_TOO_LARGE, at);
	}
	return crlf(p, n, at);
}

/* The value at p[at]; the frame's size is where it ends. */
static struct ref_answer value(const struct ref_args *a, const uint8_t *p, size_t n, size_t at, uint64_t owed)
{
	struct ref_answer r;
	uint64_t values;
	uint8_t type;

	if (at == n)
		return ref_more();
	type = p[at];
	if (!is_in("+-:,(#_$!=*~>%|", type))
		return ref_broken(SB_E_BAD_DELIMITER, at);
	if (is_in("+-:,(#_", type))
		return line(a, p, n, at, owed); /* the type as well: it is as good as any other byte of a line */
	if (at + 1 + (type == '$' ? strlen("-1\r\n") : 1 + behind(type, 0)) + owed > a->max)
		return ref_broken(SB_E_TOO_LARGE, at);
	if (is_in("$*", type) && at + 1 < n && p[at + 1] == '-')
		return none(a, p, n, at + 1, owed);
	r = digits(a, type, p, n, at + 1, owed);
	if (r.wire == 0)
		return r;
	if (is_in("$!=", type))
		return crlf(p, n, r.wire + r.n);
	for (values = values_in(type, r.n); r.wire && values > 0; values--)
		r = value(a, p, n, r.wire, owed + LEAST * (values - 1));
	return r;
}

static struct ref_answer decode(const struct ref_args *a, const uint8_t *p, size_t n)
{
	struct ref_answer r = value(a, p, n, 0, 0);

	r.n = r.wire;
	return r;
}

static long encode(const struct ref_args *a, const uint8_t *p, size_t n, uint8_t *out)
{
	if (n > a->max)
		return SB_E_TOO_LARGE;
	if (n == 0 || decode(a, p, n).wire != n)
		return SB_E_BAD_PAYLOAD;
	return ref_put(out, p, n);
}

const struct ref_codec ref_resp = {.decode = decode, .encode = encode};
