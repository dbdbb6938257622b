/* SPDX-License-Identifier: MIT
 *
 * Listings of scripts: printing. A line is a word and its arguments, each a character or \xNN, and a remark:
 *
 *   bytes "any\n\x00"    run    run Z (a letter that means nothing else)    select 3    knob c 2    cut-off "i"
 */
#include "script/script.h"

enum { COLUMNS = 96 }; /* of a line of payload; the next line goes on */

static void put_byte(struct sb_text *t, uint8_t c, bool is_quoted)
{
	if (c == '\\' || (c == '"' && is_quoted)) {
		sb_text_char(t, '\\');
		sb_text_char(t, (char)c);
	} else if (c == '\n' || c == '\r') {
		sb_text_str(t, c == '\n' ? "\\n" : "\\r");
	} else if ((c > ' ' && c < 0x7f && (is_quoted || c != '#')) || (c == ' ' && is_quoted)) {
		sb_text_char(t, (char)c);
	} else {
		sb_text_str(t, "\\x");
		sb_text_hex(t, c, 2);
	}
}

/* How much of the text there is, whether it fitted or not. */
static size_t length(const struct sb_text *t)
{
	return t->n + t->lost;
}

/* Payload is broken into lines behind each line end, as it is easiest to read, and where a line gets long. */
static void print_bytes(struct sb_text *t, const struct sbs_event *e)
{
	bool is_open = false;
	size_t from = 0;

	for (size_t i = 0; i < e->n; i++) {
		if (!is_open) {
			from = length(t);
			sb_text_str(t, "bytes \"");
		}
		put_byte(t, e->p[i], true);
		i += e->p[i] == '\\';
		is_open = i + 1 < e->n && e->p[i] != '\n' && length(t) - from < COLUMNS;
		if (!is_open)
			sb_text_str(t, "\"\n");
	}
}

/* "config: tcp://127.0.0.1:0,ECHO frame=line max=48; log-level=info" */
static void remark_config(struct sb_text *t, uint8_t letter)
{
	const char *listens, *options;

	if (!sbs_config(letter, &listens, &options)) {
		sb_text_str(t, ": there is none of this letter");
		return;
	}
	sb_text_str(t, ": ");
	sb_text_str(t, listens[0] ? listens : "serve's own");
	if (options[0]) {
		sb_text_str(t, "; ");
		sb_text_str(t, options);
	}
}

static void remark_knob(struct sb_text *t, const struct sbs_event *e)
{
	sb_text_str(t, "  # ");
	if (!sbs_say_knob(t, e->arg[0])) {
		sb_text_str(t, "no knob has this letter");
		return;
	}
	if (e->arg[0] == 'c') {
		remark_config(t, e->arg[1]);
		return;
	}
	sb_text_str(t, ": ");
	sb_text_u64(t, e->v);
}

/* What the characters do not say by themselves. */
static void remark(struct sb_text *t, const struct sbs_event *e)
{
	switch (e->kind) {
	case SBS_CUT_OFF:
		sb_text_str(t, "  # the script ends inside an escape: as run");
		break;
	case SBS_RUN:
		if (e->letter != '|')
			sb_text_str(t, "  # no event has this letter: as run");
		break;
	case SBS_FAIL:
		sb_text_str(t, "  # ");
		sbs_say_fault(t, e->arg[0]);
		break;
	case SBS_KNOB:
		remark_knob(t, e);
		break;
	case SBS_TICKS:
		sb_text_str(t, "  # ");
		sb_text_time(t, e->v * UINT64_C(10000000));
		break;
	default:
		if (sbs_args(e->kind) > 0 && e->v + '0' != e->arg[0]) {
			sb_text_str(t, "  # ");
			sb_text_u64(t, e->v);
		}
		break;
	}
}

static void print_event(struct sb_text *t, const struct sbs_event *e)
{
	if (e->kind == SBS_BYTES) {
		print_bytes(t, e);
		return;
	}
	sb_text_str(t, sbs_word(e->kind));
	if (e->kind == SBS_CUT_OFF) {
		sb_text_str(t, " \"");
		for (size_t i = 1; i < e->n; i++)
			put_byte(t, e->p[i], true);
		sb_text_char(t, '"');
	}
	if (e->kind == SBS_SELECT || (e->kind == SBS_RUN && e->letter != '|')) {
		sb_text_char(t, ' ');
		put_byte(t, e->letter, false);
	}
	for (size_t i = 0; i < sbs_args(e->kind); i++) {
		sb_text_char(t, ' ');
		put_byte(t, e->arg[i], false);
	}
	remark(t, e);
	sb_text_char(t, '\n');
}

size_t sbs_print(const uint8_t *script, size_t n, char *out, size_t room)
{
	char none[1];
	struct sb_text t = sb_text_in(room ? out : none, room);
	struct sbs_event e;
	size_t at = 0;

	while (sbs_next(script, n, &at, &e))
		print_event(&t, &e);
	return length(&t);
}
