/* SPDX-License-Identifier: MIT
 * For a target whose file is all judgement: what stands between the two is not watched by the engine, whose corpus is
 * about src/, and not by the undefined-behaviour sanitizer, as both cost more than what is judged. */
#ifndef SB_FUZZ_JUDGE_H
#define SB_FUZZ_JUDGE_H

#if defined(__clang__)
#define JUDGE_ATTRIBUTE(text) _Pragma(#text)
#define JUDGE_BEGIN                                                                                                    \
	JUDGE_ATTRIBUTE(                                                                                               \
		clang attribute push(__attribute__((no_sanitize("coverage", "undefined"))), apply_to = function))
#define JUDGE_END _Pragma("clang attribute pop")
#else
#define JUDGE_BEGIN
#define JUDGE_END
#endif

#endif
