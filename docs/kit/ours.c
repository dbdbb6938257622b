/* SPDX-License-Identifier: MIT
 * Our own netstrings: needs libstreambed. */
#include <streambed.h>

#include "streambed_fuzz.h"

static char room[4096];
static struct sb_decoder *d;

static void init(void)
{
	if (sb_decoder_init(&d, room, sizeof(room), "frame=netstring max=64", NULL) < 0)
		abort();
}

static int feed(const unsigned char *p, size_t n)
{
	struct sb_slice in = {.p = p, .n = n};
	struct sb_frame frame;
	int r;

	while ((r = sb_decoder_next(d, &in, &frame, 1)) > 0)
		sbf_event("frame", frame.p, frame.n);
	if (r < 0)
		sbf_number("offset", (long long)sb_decoder_offset(d));
	return r;
}

static int finish(void)
{
	return sb_decoder_end(d);
}

#define SBF_INIT init
#define SBF_FEED feed
#define SBF_FINISH finish
#define SBF_EMPTY 1
#include "streambed_fuzz.h"
