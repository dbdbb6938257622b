/* SPDX-License-Identifier: MIT
 *
 * chunked: the chunked transfer coding of HTTP/1.1 (RFC 9112, 7.1). Each chunk is a message; the last one, with its
 * trailer section and the empty line, is a message with nothing in it.
 *
 *   "5\r\nhello\r\n" -> "hello"        "5;a=b\r\nhello\r\n" -> "hello"        "0\r\nEtag: x\r\n\r\n" -> ""
 *
 * A size has 1 to 16 hex digits. Extensions have up to 64 bytes, a trailer section up to max bytes and 32 fields. max
 * bounds the data of a chunk. What one reader might take and the next refuse is refused: a sign, a 0x, a bare CR or
 * LF, white space the grammar only tolerates (BWS), a folded line, a space before a colon. Errors:
 * - BAD_LENGTH at a byte that is no hex digit where the size must begin, or that cannot follow its digits;
 * - OVERLONG at the 17th digit;
 * - TOO_LARGE at the digit that makes the size larger than max; at the byte that makes extensions or trailer section
 *   too large, counting what they need at least to come to their end; at the first byte of the 33rd field;
 * - BAD_DELIMITER at any other byte that the grammar does not have there.
 */
#include "codec/scan.h"

enum {
	DIGITS_MAX = 16,
	EXT_MAX = 64,
	FIELDS_MAX = 32,
};

/* What has been read. */
enum phase {
	SIZE, /* nothing, or digits */
	EXT,  /* ";" */
	EXT_NAME,
	EXT_EQUALS,
	EXT_TOKEN,
	EXT_QUOTED,  /* a quote, and some of what is quoted */
	EXT_ESCAPE,  /* a backslash in there */
	EXT_UNQUOTE, /* the closing quote */
	HEAD_CR,
	DATA, /* the head, and maybe some of the data */
	DATA_CR,
	TRAILER, /* the head of the last chunk, and any number of fields */
	FIELD_NAME,
	FIELD_COLON, /* the colon, and some of the value */
	FIELD_CR,
	LAST_CR,
	WHOLE,
};

/* The bytes that extensions or the trailer section still need. */
static const uint8_t least[] = {[EXT] = 1,        [EXT_EQUALS] = 1,  [EXT_QUOTED] = 1, [EXT_ESCAPE] = 2,
				[FIELD_NAME] = 3, [FIELD_COLON] = 2, [FIELD_CR] = 1,   [WHOLE] = 0};

struct chunk {
	enum phase phase;
	uint32_t at;     /* bytes that have been looked at */
	uint32_t size;   /* of the data, as far as it has been read */
	uint32_t mark;   /* where extensions, data or trailer section begin, whichever it was last */
	uint32_t fields; /* of the trailer section, begun */
};

/* ---- bytes ---- */

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* tchar of RFC 9110, 5.6.2 */
static bool is_token(uint8_t c)
{
	uint8_t lower = c | 0x20;

	return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Of a field's value, or quoted. */
static bool is_text(uint8_t c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* ---- what c makes of what has been read: a phase, or SB_E_* ---- */

static int next_if(bool is_good, enum phase next)
{
	return is_good ? (int)next : (int)SB_E_BAD_DELIMITER;
}

static int after_size(const struct sb_framing *f, struct chunk *k, uint8_t c)
{
	int digit = hex_digit(c);

	if (digit < 0 && k->at > 0 && (c == ';' || c == '\r'))
		return c == ';' ? EXT : HEAD_CR;
	if (digit < 0)
		return k->at > 0 && c == '\n' ? SB_E_BAD_DELIMITER : SB_E_BAD_LENGTH;
	if (k->at == DIGITS_MAX)
		return SB_E_OVERLONG;
	if (k->size * 16 + (uint32_t)digit > f->max)
		return SB_E_TOO_LARGE;
	k->size = k->size * 16 + (uint32_t)digit;
	return SIZE;
}

static int after_ext(enum phase phase, uint8_t c)
{
	switch (phase) {
	case EXT:
		return next_if(is_token(c), EXT_NAME);
	case EXT_EQUALS:
		if (c == '"')
			return EXT_QUOTED;
		return next_if(is_token(c), EXT_TOKEN);
	case EXT_QUOTED:
		if (c == '"')
			return EXT_UNQUOTE;
		if (c == '\\')
			return EXT_ESCAPE;
		return next_if(is_text(c), EXT_QUOTED);
	case EXT_ESCAPE:
		return next_if(is_text(c), EXT_QUOTED);
	default: /* here they may end, and the head with them */
		if (c == '\r')
			return HEAD_CR;
		if (c == ';')
			return EXT;
		if (c == '=' && phase == EXT_NAME)
			return EXT_EQUALS;
		return next_if(phase != EXT_UNQUOTE && is_token(c), phase);
	}
}

static int after_trailer(struct chunk *k, uint8_t c)
{
	switch (k->phase) {
	case TRAILER:
		if (c == '\r')
			return LAST_CR;
		if (!is_token(c))
			return SB_E_BAD_DELIMITER;
		return ++k->fields > FIELDS_MAX ? (int)SB_E_TOO_LARGE : (int)FIELD_NAME;
	case FIELD_NAME:
		if (c == ':')
			return FIELD_COLON;
		return next_if(is_token(c), FIELD_NAME);
	case FIELD_COLON:
		if (c == '\r')
			return FIELD_CR;
		return next_if(is_text(c), FIELD_COLON);
	case FIELD_CR:
		return next_if(c == '\n', TRAILER);
	default: /* LAST_CR */
		return next_if(c == '\n', WHOLE);
	}
}

/* Behind a CR that ends the head, or the data. */
static int after_cr(const struct chunk *k, uint8_t c)
{
	if (c != '\n')
		return SB_E_BAD_DELIMITER;
	if (k->phase == DATA_CR)
		return WHOLE;
	return k->size ? DATA : TRAILER;
}

/* The bytes up to c, and what they need at least, fit into what bounds them. */
static bool fits(const struct sb_framing *f, const struct chunk *k, int next)
{
	uint32_t most = k->phase < HEAD_CR ? EXT_MAX : f->max;

	return k->at + 1 - k->mark + least[next] <= most;
}

/* Looks at one more byte. 0 or SB_E_*. */
static int take(const struct sb_framing *f, struct chunk *k, uint8_t c)
{
	int next;

	if (k->phase == SIZE) {
		next = after_size(f, k, c);
		k->mark = k->at;
	} else if (k->phase < HEAD_CR) {
		next = after_ext(k->phase, c);
		if (next > 0 && next != HEAD_CR && !fits(f, k, next))
			return SB_E_TOO_LARGE;
	} else if (k->phase >= TRAILER) {
		next = after_trailer(k, c);
		if (next > 0 && next < LAST_CR && !fits(f, k, next))
			return SB_E_TOO_LARGE;
	} else if (k->phase == DATA) {
		next = next_if(c == '\r', DATA_CR);
	} else {
		next = after_cr(k, c);
		k->mark = next == DATA || next == TRAILER ? k->at + 1 : k->mark;
	}
	if (next < 0)
		return next;
	k->phase = (enum phase)next;
	k->at++;
	return 0;
}

/* ---- a frame ---- */

static inline const uint8_t *one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
				 struct sb_frame *out, int *err)
{
	struct chunk k = {.phase = s->step & 0xff,
			  .at = s->seen,
			  .size = (uint32_t)s->acc,
			  .mark = (uint32_t)(s->acc >> 32),
			  .fields = s->step >> 8};
	size_t n = (size_t)(end - p);
	uint32_t need = 0;

	while (k.phase != WHOLE && *err == 0) {
		if (k.phase == DATA) { /* the data is not looked at */
			need = k.mark + k.size + 1;
			k.at = n < need ? k.at : need - 1;
		}
		if (k.at == n || n < need)
			break;
		*err = take(f, &k, p[k.at]);
		need = 0;
	}
	if (k.phase == WHOLE) {
		out->p = p + k.mark;
		out->n = k.size;
		return p + k.at;
	}
	s->seen = k.at;
	s->need = need;
	s->acc = k.size | (uint64_t)k.mark << 32;
	s->step = k.phase | k.fields << 8;
	return NULL;
}

static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	return sb_scan_each(f, s, p, n, out, cap, one);
}

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	struct sb_text head = sb_text_in((char *)out->head, sizeof(out->head));
	int digits = 1;

	if (payload.n > f->max)
		return SB_E_TOO_LARGE;
	while (payload.n >> 4 * digits)
		digits++;
	sb_text_hex(&head, payload.n, digits);
	sb_text_str(&head, "\r\n");
	out->head_n = (uint8_t)head.n;
	memcpy(out->tail, "\r\n", 2);
	out->tail_n = 2;
	return 0;
}

extern const struct sb_codec_ops sb_codec_chunked;

const struct sb_codec_ops sb_codec_chunked = {.flags = SB_CODEC_TRANSPARENT, .scan = scan, .encode = encode};
