/* SPDX-License-Identifier: MIT
 * The table of framings, and what is the same for all of them. */
#include "codec/codec.h"

#include "base/fault.h"
#include "base/nearest.h"

#define SB_CODEC(name, impl, preset, args, help) extern const struct sb_codec_ops sb_codec_##impl;
#include "codec/codecs.def"
#undef SB_CODEC

static const struct sb_codec codecs[] = {
#define SB_CODEC(name, impl, preset, args, help) {#name, preset, args, help, &sb_codec_##impl},
#include "codec/codecs.def"
#undef SB_CODEC
};

const struct sb_codec *sb_codec_at(size_t i)
{
	return i < sizeof(codecs) / sizeof(codecs[0]) ? &codecs[i] : NULL;
}

/* ---- scan and encode ---- */

int sb_framing_scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		    int cap)
{
	if (s->err)
		return s->err;
	if (n <= s->seen || n < s->need || cap <= 0)
		return 0;
	return f->codec->ops->scan(f, s, p, n, out, cap);
}

int sb_framing_end(const struct sb_framing *f, struct sb_scan *s, size_t n)
{
	(void)f;
	if (s->err == 0 && n > 0) {
		s->base += n;
		s->err = SB_E_TRUNCATED;
	}
	return s->err;
}

int sb_framing_encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	*out = (struct sb_wrap){.head_n = 0};
	return f->codec->ops->encode(f, payload, out);
}

/* ---- text ---- */

static const char *name_at(const void *list, size_t i)
{
	const struct sb_codec *c = sb_codec_at(i);

	(void)list;
	return c ? c->name : NULL;
}

static const struct sb_codec *codec_named(struct sb_slice name, struct sb_fault *fault)
{
	const struct sb_codec *c;
	const char *nearest;

	for (size_t i = 0; (c = sb_codec_at(i)) != NULL; i++)
		if (sb_slice_is(name, c->name))
			return c;
	nearest = sb_nearest(name, name_at, NULL);
	if (nearest)
		sb_fault_set(fault, SB_E_UNKNOWN, 1, "unknown framing \"%.*s\" (did you mean %s?)", SB_FAULT_WORD(name),
			     nearest);
	else
		sb_fault_set(fault, SB_E_UNKNOWN, 1, "unknown framing \"%.*s\": frame= takes one of them, as u32be",
			     SB_FAULT_WORD(name));
	return NULL;
}

/* The arguments: what the row stands for, or what follows the colon at value.p[colon]; colon is value.n for none. */
static int read_args(struct sb_framing *f, struct sb_slice value, size_t colon, struct sb_fault *fault)
{
	const struct sb_codec *c = f->codec;
	bool is_given = c->args[0] != '\0';
	struct sb_slice args = sb_slice_cstr(c->preset);
	const char *why = "";
	size_t at = 0;
	int r;

	if (is_given && colon == value.n)
		return sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)colon + 1, "frame=%s is written %s%s", c->name,
				    c->name, c->args);
	if (!is_given && colon < value.n)
		return sb_fault_set(fault, SB_E_SYNTAX, (uint32_t)colon + 1, "frame=%s takes no arguments", c->name);
	if (is_given)
		args = sb_slice_skip(value, colon + 1);
	r = c->ops->parse ? c->ops->parse(f, args, &at, &why) : 0;
	if (r < 0)
		return sb_fault_set(fault, r, (uint32_t)(is_given ? colon + at + 2 : 1), "frame=%s%s: %s", c->name,
				    c->args, why);
	return 0;
}

int sb_framing_parse(struct sb_framing *f, struct sb_slice value, uint32_t max, struct sb_fault *fault)
{
	const uint8_t *colon = value.n ? memchr(value.p, ':', value.n) : NULL;
	size_t name_n = colon ? (size_t)(colon - value.p) : value.n;

	*f = (struct sb_framing){.max = max};
	f->codec = codec_named(sb_slice(value.p, name_n), fault);
	if (f->codec == NULL)
		return SB_E_UNKNOWN;
	if (max < 1 || max > SB_FRAME_MAX)
		return sb_fault_set(fault, SB_E_RANGE, 0, "max is 1 to %d, not %u", SB_FRAME_MAX, max);
	f->flags = f->codec->ops->flags;
	return read_args(f, value, name_n, fault);
}

int sb_framing_print(const struct sb_framing *f, char *out, size_t cap)
{
	struct sb_text t = sb_text_in(out, cap);

	sb_text_str(&t, f->codec->name);
	if (f->codec->args[0] != '\0' && f->codec->ops->print) {
		sb_text_char(&t, ':');
		f->codec->ops->print(f, &t);
	}
	if (t.lost || t.n == cap)
		return SB_E_NO_SPACE;
	sb_text_end(&t);
	return (int)t.n;
}
