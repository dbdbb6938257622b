/* SPDX-License-Identifier: MIT
 *
 * resp: a value of the Redis serialization protocol, RESP2 and RESP3, with all that is in it.
 *
 *   "+OK\r\n"        "$5\r\nhello\r\n"        "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"        "*-1\r\n"
 *
 *   + - : , ( # _    a line
 *   $ ! =            a length, so many bytes, CR LF; or $-1, which is nothing
 *   * ~ >            a count, so many values; or *-1
 *   % |              a count, twice so many values; behind those of | the value that they are about
 *
 * The payload is the whole value, type and all. max bounds it. How values are nested does not matter to where the frame
 * ends: how many are still to come does, and that is one number. So there is no stack, and no limit of depth but max.
 * Lengths and counts are decimal, as Redis takes them: no sign but in -1, no leading zero. What a line says is not
 * looked at. Errors:
 * - BAD_LENGTH at a byte of a length or count that is none, or at a CR with no digit before it;
 * - OVERLONG at a digit behind a leading zero;
 * - TOO_LARGE at the byte that makes the value larger than max, as each value that must come has 3 bytes at least;
 * - BAD_DELIMITER at a byte that is no type, at an LF without CR, at what follows a CR and is no LF, and where the CR
 *   behind a string should be. Inline commands are refused by this.
 * encode adds nothing, and refuses (BAD_PAYLOAD) what is not exactly one value.
 */
#include "codec/scan.h"

enum { VALUE_MIN = 3 }; /* "_\r\n" */

/* What has been read of a value. */
enum phase {
	NOTHING,
	LINE, /* a type, and some of the line */
	LINE_CR,
	NUMBER, /* a type that a length or a count follows */
	MINUS,
	NONE, /* "-1" */
	ZERO,
	DIGITS,
	NUMBER_CR,
	DATA, /* the length, and maybe some of the bytes */
	DATA_CR,
	WHOLE, /* this value, and all that were still to come */
};

struct value {
	enum phase phase;
	uint8_t type;
	size_t at;        /* bytes of the frame that have been looked at */
	uint32_t number;  /* a length or a count, as far as it has been read; in DATA, where the bytes end */
	uint32_t pending; /* values that are to come behind this one */
};

static bool is_string(uint8_t type)
{
	return type == '$' || type == '!' || type == '=';
}

/* The values that a count stands for. */
static uint64_t inside(uint8_t type, uint32_t count)
{
	if (type == '%')
		return UINT64_C(2) * count;
	return type == '|' ? UINT64_C(2) * count + 1 : count;
}

/* The bytes that must come at least; of DATA only those behind it, as the rest was asked for by its length. */
static uint64_t least(const struct value *v)
{
	static const uint8_t own[] = {
		[NOTHING] = VALUE_MIN, [LINE] = 2,      [LINE_CR] = 1, [NUMBER] = 3,
		[MINUS] = 3,           [NONE] = 2,      [ZERO] = 2,    [DIGITS] = 2,
		[DATA_CR] = 1,         [NUMBER_CR] = 1, [WHOLE] = 0,
	};
	uint64_t most = own[v->phase] + (uint64_t)VALUE_MIN * v->pending;

	if (v->phase < NUMBER || v->phase == MINUS || v->phase == NONE || v->phase > NUMBER_CR)
		return most;
	if (!is_string(v->type))
		return most + VALUE_MIN * inside(v->type, v->number);
	if (v->phase == NUMBER)
		return most + (v->type == '$' ? 1 : 2); /* "-1\r\n", "0\r\n\r\n" */
	return most + v->number + 2;
}

/* ---- what c makes of it: 0, or SB_E_* ---- */

static int begin(struct value *v, uint8_t c)
{
	if (c == '\0' || !strchr("+-:,(#_$!=*~>%|", c))
		return SB_E_BAD_DELIMITER;
	v->type = c;
	v->number = 0;
	v->phase = strchr("+-:,(#_", c) ? LINE : NUMBER;
	return 0;
}

static int digit(struct value *v, uint8_t c)
{
	bool is_digit = c >= '0' && c <= '9';

	if (v->phase == ZERO && is_digit)
		return SB_E_OVERLONG;
	if (v->phase != NUMBER && c == '\r') {
		v->phase = NUMBER_CR;
		return 0;
	}
	if (v->phase == NUMBER && c == '-' && (v->type == '$' || v->type == '*')) {
		v->phase = MINUS;
		return 0;
	}
	if (!is_digit)
		return v->phase != NUMBER && c == '\n' ? SB_E_BAD_DELIMITER : SB_E_BAD_LENGTH;
	v->phase = v->phase == NUMBER && c == '0' ? ZERO : DIGITS;
	v->number = v->number * 10 + (uint32_t)(c - '0');
	return 0;
}

/* "-1": behind the CR nothing is told from the end of a line any more. */
static int none(struct value *v, uint8_t c)
{
	if (v->phase == NONE && c == '\n')
		return SB_E_BAD_DELIMITER;
	if (c != (v->phase == MINUS ? '1' : '\r'))
		return SB_E_BAD_LENGTH;
	v->phase = v->phase == MINUS ? NONE : LINE_CR;
	return 0;
}

static int line(struct value *v, uint8_t c)
{
	if (c == '\n')
		return SB_E_BAD_DELIMITER;
	v->phase = c == '\r' ? LINE_CR : LINE;
	return 0;
}

/* A value, or the number at its front, has come to its end. */
static int end_line(struct value *v, uint8_t c)
{
	if (c != '\n')
		return SB_E_BAD_DELIMITER;
	if (v->phase == NUMBER_CR && is_string(v->type)) {
		v->phase = DATA;
		v->number += (uint32_t)v->at + 1;
		return 0;
	}
	if (v->phase == NUMBER_CR)
		v->pending += (uint32_t)inside(v->type, v->number);
	v->phase = v->pending ? NOTHING : WHOLE;
	v->pending -= v->pending > 0;
	return 0;
}

/* Looks at one more byte. 0 or SB_E_*. */
static int take(struct value *v, uint8_t c)
{
	switch (v->phase) {
	case NOTHING:
		return begin(v, c);
	case LINE:
		return line(v, c);
	case NUMBER:
	case ZERO:
	case DIGITS:
		return digit(v, c);
	case MINUS:
	case NONE:
		return none(v, c);
	case DATA:
		v->phase = DATA_CR;
		return c == '\r' ? 0 : SB_E_BAD_DELIMITER;
	default: /* a CR */
		return end_line(v, c);
	}
}

/* ---- a frame ---- */

static inline const uint8_t *one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
				 struct sb_frame *out, int *err)
{
	struct value v = {.phase = s->step & 0xff,
			  .type = (uint8_t)(s->step >> 8),
			  .at = s->seen,
			  .number = (uint32_t)s->acc,
			  .pending = (uint32_t)(s->acc >> 32)};
	size_t n = (size_t)(end - p);
	uint32_t need = 0;

	while (v.phase != WHOLE) {
		struct value next;

		if (v.phase == DATA) { /* the bytes are not looked at */
			need = v.number + 1;
			v.at = n < need ? v.at : v.number;
		}
		if (v.at == n || n < need)
			break;
		need = 0;
		next = v;
		*err = take(&next, p[v.at]);
		next.at++;
		if (*err == 0 && next.at + least(&next) > f->max)
			*err = SB_E_TOO_LARGE;
		if (*err)
			break;
		v = next;
	}
	if (v.phase == WHOLE) {
		out->p = p;
		out->n = (uint32_t)v.at;
		return p + v.at;
	}
	s->seen = (uint32_t)v.at;
	s->need = need;
	s->acc = v.number | (uint64_t)v.pending << 32;
	s->step = v.phase | (uint32_t)v.type << 8;
	return NULL;
}

static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	return sb_scan_each(f, s, p, n, out, cap, one);
}

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	struct sb_scan s = {.base = 0};
	struct sb_frame frame;

	(void)out;
	if (payload.n > f->max)
		return SB_E_TOO_LARGE;
	if (payload.n == 0 || scan(f, &s, payload.p, payload.n, &frame, 1) != 1 || s.base != payload.n)
		return SB_E_BAD_PAYLOAD;
	return 0;
}

extern const struct sb_codec_ops sb_codec_resp;

const struct sb_codec_ops sb_codec_resp = {.scan = scan, .encode = encode};
