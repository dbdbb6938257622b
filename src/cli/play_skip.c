/* SPDX-License-Identifier: MIT
 * What a peer cannot do to a real server: nothing of it is left out without being counted. */
#include "cli/play.h"

static const char *const texts[] = {
	[SB_PLAY_WHY_KERNEL] = "only a simulated kernel does so",
	[SB_PLAY_WHY_START] = "the server has to be started so",
	[SB_PLAY_WHY_PEERS] = "this machine and ENDPOINT say from where to where connections go",
	[SB_PLAY_WHY_STOP] = "a server is stopped by TERM",
	[SB_PLAY_WHY_STREAM] = "only datagrams are late, doubled or lost",
	[SB_PLAY_WHY_DGRAM] = "datagrams have no connection that could end",
	[SB_PLAY_WHY_UNIX] = "a unix socket has no reset, and was closed",
	[SB_PLAY_WHY_NOTHING] = "no knob has this letter",
};

const char *sb_play_why_text(enum sb_play_why why)
{
	return texts[why];
}

static enum sb_play_why why_knob(uint8_t letter)
{
	if (sbs_knob_is_limit(letter) || letter == 'c')
		return SB_PLAY_WHY_START;
	switch (letter) {
	case 'w':
		return SB_PLAY_PLAYED;
	case 'a':
	case 'p':
	case 'y':
		return SB_PLAY_WHY_PEERS;
	case 'X':
		return SB_PLAY_WHY_STOP;
	case 'j':
	case 'E':
	case 'L':
	case 'o':
	case 'n':
		return SB_PLAY_WHY_KERNEL;
	default:
		return SB_PLAY_WHY_NOTHING;
	}
}

enum sb_play_why sb_play_why(const struct sb_play *p, enum sbs_kind kind, uint8_t letter)
{
	switch (kind) {
	case SBS_RECV_EINTR:
	case SBS_RECV_AGAIN:
	case SBS_SEND_EINTR:
	case SBS_SEND_AGAIN:
	case SBS_SHORT:
	case SBS_MEMORY:
	case SBS_FAIL:
	case SBS_TRUNC:
		return SB_PLAY_WHY_KERNEL;
	case SBS_KNOB:
		return why_knob(letter);
	case SBS_LATE:
	case SBS_DOUBLE:
	case SBS_LOSE:
		return p->is_dgram ? SB_PLAY_PLAYED : SB_PLAY_WHY_STREAM;
	case SBS_FIN:
		return p->is_dgram ? SB_PLAY_WHY_DGRAM : SB_PLAY_PLAYED;
	case SBS_RST:
		return p->is_dgram                     ? SB_PLAY_WHY_DGRAM
		       : p->s->target.on == SB_ON_UNIX ? SB_PLAY_WHY_UNIX
						       : SB_PLAY_PLAYED;
	default:
		return SB_PLAY_PLAYED;
	}
}

bool sb_play_skip(struct sb_play *p, const struct sbs_event *e)
{
	bool has_letter = e->kind == SBS_FAIL || e->kind == SBS_KNOB;
	uint8_t letter = has_letter ? e->arg[0] : 0;
	const char *listens, *options;

	if (sb_play_why(p, e->kind, letter) == SB_PLAY_PLAYED)
		return false;
	p->skips.n[e->kind][letter]++;
	/* The first that there is counts. */
	if (e->kind == SBS_KNOB && letter == 'c' && !p->skips.config && sbs_config(e->arg[1], &listens, &options))
		p->skips.config = e->arg[1];
	return true;
}
