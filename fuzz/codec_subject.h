/* SPDX-License-Identifier: MIT
 *
 * For codec.c: which framing an input is about. Its first byte picks from the tables here.
 */
#ifndef SB_FUZZ_CODEC_SUBJECT_H
#define SB_FUZZ_CODEC_SUBJECT_H

#include <stdio.h>

#include "codec/decoder.h"
#include "found.h"
#include "ref/ref.h"

static const uint32_t maxes[16] = {1, 2, 3, 4, 5, 7, 8, 12, 16, 32, 64, 127, 128, 255, 300, SB_FRAME_MAX};

static const struct {
	const char *codec;
	const char *args[16];
} arguments[] = {
	{"delim",
	 {"00", "0a", "616162", "0d0a", "0d0a0d0a", "6161", "61", "61626162", "616261626163", "0d0d0a", "2d2d", "ff",
	  "00ff00", "303030", "6161616161616161", "61616161616161616161616161616162"}},
	{"fixed", {"1", "2", "3", "4", "5", "7", "8", "10", "15", "16", "17", "31", "63", "64", "65", "300"}},
	{"len",
	 {"0,2,le,-2,2", "0,1,be,0", "1,1,be,0,2", "2,1,be,1,0", "1,8,le,-9,9", "0,8,be,0,8", "0,3,le,0,3",
	  "4,2,be,-6,0", "0,2,be,2,4", "0,1,be,5,6", "64,2,be,0,72", "0,4,be,-4,4", "3,2,le,-1,2", "0,1,be,-3,1",
	  "0,4,le,-65536,4", "0,2,be,0,4"}},
};

/* A framing as src/ reads it and as fuzz/ref/ does. */
struct subject {
	struct sb_framing f;
	struct ref_args args;
	const struct ref_codec *ref;
	char text[64];
};

/* The row's reference decoder, and its arguments: those of the table above when it takes any, and is_given then. */
static const char *pick_args(struct subject *s, unsigned high, bool *is_given)
{
	const struct ref_row *row = ref_row_of(SB_FUZZ_CODEC);
	const char *args = row->preset;

	s->ref = row->codec;
	*is_given = false;
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
		if (strcmp(arguments[i].codec, SB_FUZZ_CODEC) == 0) {
			args = arguments[i].args[high];
			*is_given = true;
		}
	if (!args)
		sb_found("no arguments for frame=%s: add them to arguments[]", SB_FUZZ_CODEC);
	return args;
}

static void make_subject(struct subject *s, uint8_t mode)
{
	bool is_given;
	const char *args = pick_args(s, mode >> 4, &is_given);
	struct sb_fault fault;
	struct sb_framing first;
	char value[64];
	int r = SB_E_RANGE;

	snprintf(value, sizeof(value), "%s%s%s", SB_FUZZ_CODEC, is_given ? ":" : "", is_given ? args : "");
	for (size_t i = mode & 15; r < 0 && i < 16; i++)
		r = sb_framing_parse(&first, sb_slice_cstr(value), maxes[i], &fault);
	if (r < 0 || (s->ref->parse && s->ref->parse(&s->args, args) < 0))
		sb_found("frame=%s: %s", value, r < 0 ? fault.text : "the reference cannot read it");
	s->args.max = first.max;
	/* Printed and read once more: if anything is lost on the way, the reference will say so. */
	if (sb_framing_print(&first, s->text, sizeof(s->text)) < 0 ||
	    sb_framing_parse(&s->f, sb_slice_cstr(s->text), first.max, &fault) < 0)
		sb_found("print≠parse: frame=%s is printed as %s", value, s->text);
}

#endif
