/* SPDX-License-Identifier: MIT
 * The text front ends of streambed.h: from what a line says to a decoder; from a config to a server. */
#include "codec/decoder.h"
#include "server/server.h"

#include <errno.h>

/* "frame=u32be max=64k", read by the same table of keys as everything else. */
static int read_framing(struct sb_framing *f, const char *text, struct sb_fault *fault)
{
	char room[SB_LINE_MAX + 8];
	struct sb_line line;
	struct sb_text t = sb_text_in(room, sizeof(room));
	int r;

	/* A line begins with a verb; columns are then off by what was put in front. */
	sb_text_str(&t, "ECHO ");
	sb_text_str(&t, text);
	if (t.lost)
		return sb_fault_set(fault, SB_E_TOO_LARGE, 0, "a framing is at most %d bytes of text", SB_LINE_MAX);
	r = sb_line_parse(&line, sb_slice(t.p, t.n), fault);
	if (r == 0)
		r = sb_line_check(&line, SB_G_FRAMING, SB_ON_TCP, "a framing", fault);
	if (r == 0)
		r = sb_plan_framing(f, &line, fault);
	if (r < 0 && fault && fault->col > 5)
		fault->col -= 5;
	return r;
}

static size_t hold_at(void)
{
	return (sizeof(struct sb_decoder) + 15) & ~(size_t)15;
}

long sb_decoder_size(const char *framing, struct sb_fault *fault)
{
	struct sb_framing f;
	int r = read_framing(&f, framing, fault);

	return r < 0 ? r : (long)(hold_at() + sb_decoder_hold_size(&f));
}

int sb_decoder_init(struct sb_decoder **d, void *mem, size_t size, const char *framing, struct sb_fault *fault)
{
	struct sb_framing f;
	int r = read_framing(&f, framing, fault);

	if (r < 0)
		return r;
	if (size < hold_at() + sb_decoder_hold_size(&f))
		return sb_fault_set(fault, SB_E_NO_SPACE, 0, "this decoder needs %zu bytes",
				    hold_at() + sb_decoder_hold_size(&f));
	*d = mem;
	sb_decoder_setup(*d, &f, (uint8_t *)mem + hold_at(), size - hold_at());
	return 0;
}

int sb_encode(const struct sb_decoder *d, struct sb_slice payload, struct sb_wrap *out)
{
	return sb_framing_encode(&d->framing, payload, out);
}

int sb_server_init(struct sb_server **server, void *mem, size_t size, const struct sb_config *config,
		   struct sb_fault *fault)
{
	struct sb_server_env env = {.sys = sb_sys_open()};

	return sb_server_open(server, mem, size, config, &env, fault);
}
