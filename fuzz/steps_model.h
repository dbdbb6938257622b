/* SPDX-License-Identifier: MIT
 * For target server: what steps send, as an interpreter has it that is given everything at once. */
#ifndef SB_FUZZ_STEPS_MODEL_H
#define SB_FUZZ_STEPS_MODEL_H

#include "plan_steps.h"

struct steps_sent {
	size_t n;     /* the most that they may send; as much of it as there is room for is in out */
	size_t least; /* … and must, when the peer has ended and nothing else has */
};

/* The peer sends in[0..in_n), and then its end. is_free: it is not known what they find to read, so each read finds
 * what it waits for. */
struct steps_sent steps_model_run(const struct plan_steps *p, const struct ref_codec *ref, const struct ref_args *args,
				  const uint8_t *in, size_t in_n, bool is_free, uint8_t *out, size_t cap);

#endif
