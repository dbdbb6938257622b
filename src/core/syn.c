/* SPDX-License-Identifier: MIT
 * Reading syn=. See syn.h. */
#include "core/syn.h"

enum { DROP_N = sizeof("drop") - 1, TIME_LEAST = 1000 };

static int read_time(struct sb_syn *syn, const struct sb_value *v, uint64_t most, struct sb_fault *fault)
{
	struct sb_slice time = sb_slice_skip(v->text, DROP_N + 1);
	uint32_t col = (uint32_t)(v->col + DROP_N + 1);
	int r = sb_parse_time(time, &syn->until);

	if (r == SB_E_TYPE)
		return sb_fault_set(fault, r, col, "syn=drop: takes a time (1500ms, 3s), not \"%.*s\"",
				    SB_FAULT_WORD(time));
	if (r < 0 || syn->until < TIME_LEAST || syn->until > most)
		return sb_fault_set(fault, SB_E_RANGE, col,
				    "syn drops for 1 us to %llu ms here (--max-delay), not %.*s",
				    (unsigned long long)(most / 1000000), SB_FAULT_WORD(time));
	return 0;
}

int sb_syn_read(struct sb_syn *syn, const struct sb_line *line, uint64_t most, struct sb_fault *fault)
{
	const struct sb_value *v = &line->v[SB_KEY_SYN], *backlog = &line->v[SB_KEY_BACKLOG];

	*syn = (struct sb_syn){.until = UINT64_MAX};
	if (!v->set)
		return 0;
	if (v->text.n < DROP_N || memcmp(v->text.p, "drop", DROP_N) != 0 ||
	    (v->text.n > DROP_N && v->text.p[DROP_N] != ':'))
		return sb_fault_set(fault, SB_E_TYPE, v->col,
				    "syn takes drop, or drop and for how long (drop:1500ms), not \"%.*s\"",
				    SB_FAULT_WORD(v->text));
	if (backlog->set)
		return sb_fault_set(fault, SB_E_PLACE, backlog->key_col,
				    "syn= needs a backlog of 0: backlog= beside it has nothing to do");
	syn->is_drop = true;
	return v->text.n == DROP_N ? 0 : read_time(syn, v, most, fault);
}
