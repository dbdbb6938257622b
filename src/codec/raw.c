/* SPDX-License-Identifier: MIT
 *
 * raw: no framing. Whatever has arrived is one message, or several when it is larger than max; nothing is
 * ever waited for and nothing is an error. How the stream is cut is all there is to see here, so this is
 * the one framing whose messages depend on it.
 *
 *   68 65 6c 6c 6f        "hello", if it came in one piece
 *
 * encode adds nothing.
 */
#include "codec/scan.h"

static inline const uint8_t *one(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, const uint8_t *end,
				 struct sb_frame *out, int *err)
{
	(void)s;
	(void)err;
	out->p = p;
	out->n = (size_t)(end - p) < f->max ? (uint32_t)(end - p) : f->max;
	return p + out->n;
}

static int scan(const struct sb_framing *f, struct sb_scan *s, const uint8_t *p, size_t n, struct sb_frame *out,
		int cap)
{
	return sb_scan_each(f, s, p, n, out, cap, one);
}

static int encode(const struct sb_framing *f, struct sb_slice payload, struct sb_wrap *out)
{
	(void)out;
	return payload.n > f->max ? SB_E_TOO_LARGE : 0;
}

extern const struct sb_codec_ops sb_codec_raw;

const struct sb_codec_ops sb_codec_raw = {.flags = SB_CODEC_TRANSPARENT | SB_CODEC_UNFRAMED,
					  .scan = scan,
					  .encode = encode};
