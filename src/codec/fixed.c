/* SPDX-License-Identifier: MIT
 *
 * fixed:N: every message is N bytes, and nothing marks where it ends.
 *
 *   fixed:4    61 62 63 64 65 66 67 68 -> "abcd" "efgh"
 *
 * N is 1 to max. No byte can break the stream. encode adds nothing, and refuses (BAD_PAYLOAD) any other size.
 */
#include "codec/args.h"
#include "codec/scan.h"

static inline const uint8_t *one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
				 struct sb_frame *out, int *err)
{
	(void)err;
	if ((size_t)(end - p) < f->fixed.n) {
		s->need = f->fixed.n;
		return NULL;
	}
	out->p = p;
	out->n = f->fixed.n;
	return p + f->fixed.n;
}

static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	return sb_scan_each(f, s, p, n, out, cap, one);
}

static int parse(struct sb_framing *f, struct sb_slice args, size_t *at, const char **why)
{
	int32_t n = 0;
	int r = sb_args_int(args, at, 1, (int32_t)f->max, &n);

	*why = r == SB_E_RANGE ? "N is 1 to max" : "N is a number of bytes, as fixed:16";
	if (r < 0)
		return r;
	if (*at != args.n)
		return SB_E_SYNTAX;
	f->fixed.n = (uint32_t)n;
	return 0;
}

static void print(const struct sb_framing *f, struct sb_text *t)
{
	sb_text_u64(t, f->fixed.n);
}

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	(void)out;
	if (payload.n > f->max)
		return SB_E_TOO_LARGE;
	return payload.n == f->fixed.n ? 0 : SB_E_BAD_PAYLOAD;
}

extern const struct sb_codec_ops sb_codec_fixed;

const struct sb_codec_ops sb_codec_fixed = {
	.flags = SB_CODEC_TRANSPARENT, .parse = parse, .print = print, .scan = scan, .encode = encode};
