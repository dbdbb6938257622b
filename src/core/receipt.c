/* SPDX-License-Identifier: MIT
 * Receipts: noted while it happens, written when it is over. */
#include "core/receipt.h"

#include "base/crc32.h"

#define US UINT64_C(1000)

static const char *const tiers[] = {
	[SB_GATE_READ] = "read", [SB_GATE_ACK] = "ack",   [SB_GATE_TIME] = "time",
	[SB_GATE_BEST] = "best", [SB_GATE_NONE] = "none",
};

void sb_receipt_open(struct sb_receipt *r, uint64_t now)
{
	*r = (struct sb_receipt){.opened = now, .uid = UINT32_MAX};
}

static void add(struct sb_receipt *r, struct sb_receipt_event event)
{
	if (r->n < SB_RECEIPT_EVENTS)
		r->event[r->n++] = event;
	else
		r->truncated++;
}

void sb_receipt_recv(struct sb_receipt *r, uint32_t n, uint64_t now)
{
	r->recvs++;
	add(r, (struct sb_receipt_event){.kind = SB_RECEIPT_RECV, .n = n, .at = now});
}

/* A cut counts as not proven until its gate opens. */
void sb_receipt_send(struct sb_receipt *r, uint32_t n, bool is_cut, uint64_t now)
{
	struct sb_receipt_event event = {.kind = SB_RECEIPT_SEND, .n = n, .at = now, .tier = SB_GATE_NONE};

	r->sends++;
	event.end = is_cut ? SB_RECEIPT_CUT : SB_RECEIPT_ARRIVAL;
	event.waited = UINT32_MAX;
	r->has_cut = is_cut && r->n < SB_RECEIPT_EVENTS;
	if (is_cut)
		r->cuts[SB_GATE_NONE]++;
	add(r, event);
}

void sb_receipt_hash_in(struct sb_receipt *r, struct sb_slice bytes)
{
	r->hash_in = sb_crc32(r->hash_in, bytes);
}

void sb_receipt_hash_out(struct sb_receipt *r, struct sb_slice bytes)
{
	r->hash_out = sb_crc32(r->hash_out, bytes);
}

void sb_receipt_shut(struct sb_receipt *r, uint64_t now)
{
	add(r, (struct sb_receipt_event){.kind = SB_RECEIPT_SHUT, .at = now});
}

void sb_receipt_step(struct sb_receipt *r, uint32_t step, uint64_t now)
{
	r->steps++;
	add(r, (struct sb_receipt_event){.kind = SB_RECEIPT_STEP, .n = step, .at = now});
}

void sb_receipt_option(struct sb_receipt *r, uint32_t step, int64_t effective, uint64_t now)
{
	add(r, (struct sb_receipt_event){.kind = SB_RECEIPT_OPTION, .n = step, .value = (int32_t)effective, .at = now});
}

/* The last cut is the last send; what came after it is only what was received meanwhile. */
static struct sb_receipt_event *last_send(struct sb_receipt *r)
{
	for (uint32_t i = r->n; i > 0; i--)
		if (r->event[i - 1].kind == SB_RECEIPT_SEND)
			return &r->event[i - 1];
	return NULL;
}

void sb_receipt_gate(struct sb_receipt *r, enum sb_gate_tier tier, uint64_t now)
{
	struct sb_receipt_event *event = r->has_cut ? last_send(r) : NULL;

	r->cuts[SB_GATE_NONE]--;
	r->cuts[tier]++;
	r->has_cut = false;
	if (!event)
		return;
	event->tier = (uint8_t)tier;
	event->waited = (now - event->at) / US < UINT32_MAX ? (uint32_t)((now - event->at) / US) : UINT32_MAX - 1;
}

/* ---- JSON ---- */

static void key(struct sb_text *t, const char *name)
{
	sb_text_str(t, ",\"");
	sb_text_str(t, name);
	sb_text_str(t, "\":");
}

static void number(struct sb_text *t, const char *name, uint64_t v)
{
	key(t, name);
	sb_text_u64(t, v);
}

static void string(struct sb_text *t, const char *name, struct sb_slice v)
{
	key(t, name);
	sb_text_char(t, '"');
	sb_text_json(t, v);
	sb_text_char(t, '"');
}

static void word(struct sb_text *t, const char *name, const char *v)
{
	string(t, name, sb_slice_cstr(v));
}

/* Which step of the line, counted from 1, and what it is called there. */
static void write_step(struct sb_text *t, uint32_t at, const struct sb_step *step)
{
	number(t, "step", at + 1);
	word(t, "does", sb_step_rows[step->kind].name);
}

static void write_option(struct sb_text *t, const struct sb_receipt_event *e, const struct sb_step *step)
{
	string(t, "set", step->opt);
	key(t, "effective");
	sb_text_i64(t, e->value);
}

static void write_event(struct sb_text *t, const struct sb_receipt *r, const struct sb_receipt_event *e,
			const struct sb_line *line)
{
	sb_text_str(t, "{\"us\":");
	sb_text_u64(t, (e->at - r->opened) / US);
	switch (e->kind) {
	case SB_RECEIPT_RECV:
		number(t, "recv", e->n);
		break;
	case SB_RECEIPT_SEND:
		number(t, "send", e->n);
		break;
	case SB_RECEIPT_STEP:
		write_step(t, e->n, &line->steps[e->n]);
		break;
	case SB_RECEIPT_OPTION:
		write_option(t, e, &line->steps[e->n]);
		break;
	default:
		key(t, "shut");
		sb_text_str(t, "true");
		break;
	}
	if (e->kind == SB_RECEIPT_SEND && e->end == SB_RECEIPT_CUT) {
		word(t, "cut", tiers[e->tier]);
		if (e->waited != UINT32_MAX)
			number(t, "waited_us", e->waited);
	}
	sb_text_char(t, '}');
}

static void write_cuts(struct sb_text *t, const struct sb_receipt *r)
{
	uint64_t all = 0;

	for (int i = 0; i <= SB_GATE_NONE; i++)
		all += r->cuts[i];
	key(t, "cuts");
	sb_text_str(t, "{\"all\":");
	sb_text_u64(t, all);
	for (int i = 0; i <= SB_GATE_NONE; i++)
		if (i != SB_GATE_BEST)
			number(t, tiers[i], r->cuts[i]);
	sb_text_char(t, '}');
}

static void write_hash(struct sb_text *t, const struct sb_receipt *r)
{
	sb_text_str(t, ",\"hash\":{\"name\":\"crc32\",\"in\":\"");
	sb_text_hex(t, r->hash_in, 8);
	sb_text_str(t, "\",\"out\":\"");
	sb_text_hex(t, r->hash_out, 8);
	sb_text_str(t, "\"}");
}

static void write_end(struct sb_text *t, const struct sb_receipt *r, const struct sb_session *s)
{
	word(t, "reason", sb_reasons[s->reason].name);
	word(t, "how", s->how == SB_CLOSE_RESET ? "rst" : "close");
	if (s->err)
		word(t, "errno", sb_errname(s->err));
	number(t, "life_us", (r->closed - r->opened) / US);
}

void sb_text_receipt(struct sb_text *t, const struct sb_receipt *r, const struct sb_receipt_head *head)
{
	const struct sb_session *s = head->session;

	sb_text_str(t, "{\"v\":");
	sb_text_u64(t, SB_RECEIPT_VERSION);
	string(t, "id", head->id);
	string(t, "peer", head->peer);
	string(t, "line", head->line);
	number(t, "in", s->leg.in);
	number(t, "out", s->leg.out);
	number(t, "frames", s->frames);
	number(t, "dropped", s->dropped);
	number(t, "recvs", r->recvs);
	number(t, "sends", r->sends);
	if (s->plan->steps_n > 0)
		number(t, "steps", r->steps);
	if (s->plan->is_hashed)
		write_hash(t, r);
	write_cuts(t, r);
	if (r->why)
		word(t, "gate_why", r->why);
	if (r->uid != UINT32_MAX)
		number(t, "reader_uid", r->uid);
	write_end(t, r, s);
	key(t, "events");
	sb_text_char(t, '[');
	for (uint32_t i = 0; i < r->n; i++) {
		if (i > 0)
			sb_text_char(t, ',');
		write_event(t, r, &r->event[i], s->plan->line);
	}
	sb_text_char(t, ']');
	number(t, "truncated", r->truncated);
	sb_text_str(t, "}\n");
}
