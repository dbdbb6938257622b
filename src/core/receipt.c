/* SPDX-License-Identifier: MIT
 * Receipts: noted while it happens, written when it is over. */
#include "core/receipt.h"

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

void sb_receipt_shut(struct sb_receipt *r, uint64_t now)
{
	add(r, (struct sb_receipt_event){.kind = SB_RECEIPT_SHUT, .at = now});
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

static void write_event(struct sb_text *t, const struct sb_receipt *r, const struct sb_receipt_event *e)
{
	static const char *const kinds[] = {"recv", "send", "shut"};

	sb_text_str(t, "{\"us\":");
	sb_text_u64(t, (e->at - r->opened) / US);
	key(t, kinds[e->kind]);
	if (e->kind == SB_RECEIPT_SHUT)
		sb_text_str(t, "true");
	else
		sb_text_u64(t, e->n);
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

static void write_end(struct sb_text *t, const struct sb_receipt *r, const struct sb_session *s)
{
	word(t, "reason", sb_reasons[s->reason].name);
	word(t, "how", s->how == SB_CLOSE_RESET ? "rst" : "close");
	if (s->err)
		word(t, "errno", sb_errname(s->err));
	number(t, "life_us", (r->closed - r->opened) / US);
}

static void write_events(struct sb_text *t, const struct sb_receipt *r)
{
	key(t, "events");
	sb_text_char(t, '[');
	for (uint32_t i = 0; i < r->n; i++) {
		if (i > 0)
			sb_text_char(t, ',');
		write_event(t, r, &r->event[i]);
	}
	sb_text_char(t, ']');
	number(t, "truncated", r->truncated);
}

/* What was done by one session. */
static void write_session(struct sb_text *t, const struct sb_receipt *r, const struct sb_session *s)
{
	number(t, "in", s->leg.in);
	number(t, "out", s->leg.out);
	number(t, "frames", s->frames);
	number(t, "dropped", s->dropped);
	if (s->across)
		number(t, "unsent", s->leg.n);
	number(t, "recvs", r->recvs);
	number(t, "sends", r->sends);
	write_cuts(t, r);
	if (r->why)
		word(t, "gate_why", r->why);
	if (r->uid != UINT32_MAX)
		number(t, "reader_uid", r->uid);
	write_end(t, r, s);
	write_events(t, r);
}

/* One direction: where it leads, and what was done. */
static void write_way(struct sb_text *t, const char *name, struct sb_slice to, const struct sb_receipt *r,
		      const struct sb_session *s)
{
	key(t, name);
	sb_text_str(t, "{\"to\":\"");
	sb_text_json(t, to);
	sb_text_char(t, '"');
	write_session(t, r, s);
	sb_text_char(t, '}');
}

void sb_text_receipt(struct sb_text *t, const struct sb_receipt *r, const struct sb_receipt_head *head)
{
	sb_text_str(t, "{\"v\":");
	sb_text_u64(t, SB_RECEIPT_VERSION);
	string(t, "id", head->id);
	string(t, "peer", head->peer);
	string(t, "line", head->line);
	if (head->down) {
		write_way(t, "up", head->upstream, r, head->session);
		write_way(t, "down", head->peer, head->down, head->session->across);
	} else {
		write_session(t, r, head->session);
	}
	sb_text_str(t, "}\n");
}
