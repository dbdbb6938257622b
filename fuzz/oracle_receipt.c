/* SPDX-License-Identifier: MIT
 * The rules of a run of the whole server: receipts. Each is one line, of a connection that is over; what it says is
 * what the kernel saw. */
#include "find.h"
#include "found.h"
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>

struct reading {
	const struct run *r;
	const char *line, *at;
};

__attribute__((noreturn)) static void differs(const struct reading *in, const char *what)
{
	sb_found("%s: receipt: %s, and it goes on: %.60s", in->r->backend, what, in->at);
}

/* ---- reading ---- */

static bool has(struct reading *in, const char *text)
{
	size_t n = strlen(text);

	if (strncmp(in->at, text, n) != 0)
		return false;
	in->at += n;
	return true;
}

static void must_have(struct reading *in, const char *text)
{
	if (!has(in, text))
		differs(in, text);
}

static uint64_t number(struct reading *in)
{
	char *end;
	uint64_t v = strtoull(in->at, &end, 10);

	if (end == in->at || *in->at < '0' || *in->at > '9')
		differs(in, "there must be a number");
	in->at = end;
	return v;
}

static void must_be(struct reading *in, const char *text, uint64_t v)
{
	uint64_t is;

	must_have(in, text);
	is = number(in);
	if (is != v)
		sb_found("%s: receipt: %s%llu, not %llu", in->r->backend, text, (unsigned long long)is,
			 (unsigned long long)v);
}

/* Up to the quote that ends it. Nothing that is in ours needs an escape. */
static size_t word(struct reading *in)
{
	const char *from = in->at;

	while (*in->at && *in->at != '"')
		in->at++;
	must_have(in, "\"");
	return (size_t)(in->at - from) - 1;
}

/* ---- what it says ---- */

static uint32_t whose(struct reading *in)
{
	uint64_t id;
	size_t n;

	must_have(in, "{\"v\":1,\"id\":\"c");
	id = number(in);
	must_have(in, ".");
	n = strspn(in->at, "0123456789abcdef");
	if (n != 16)
		differs(in, "a token has 16 digits");
	in->at += n;
	must_have(in, "\"");
	for (uint32_t i = 0; i < in->r->k->conns; i++) {
		const struct sim_conn *c = &in->r->k->conn[i];

		if (!c->is_dgram && in->r->peer[i].is_served && in->r->peer[i].id == id && c->is_closed &&
		    (cut_is_shaped(in->r, c) || line_is_judged_late(in->r, c)))
			return i;
	}
	sb_found("%s: receipt: of connection %llu, which is none that ended and has one", in->r->backend,
		 (unsigned long long)id);
}

/* CRC-32, a bit at a time. */
static uint32_t crc_of(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < 8 * n; i++) {
		crc ^= i % 8 ? 0u : p[i / 8];
		crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
	}
	return ~crc;
}

/* Where what is not a line, or the answer to it, begins. */
static uint32_t payload_of(const struct run *r, const struct sim_conn *c, const uint8_t *p, size_t n)
{
	const uint8_t *end = r->peer[oracle_number(r, c)].begin == PEER_LINE ? memchr(p, '\n', n) : NULL;

	return end ? (uint32_t)(end - p) + 1 : 0;
}

/* hash=on: of what came and went. */
static void check_hash(struct reading *in, uint32_t i)
{
	const struct sim_conn *c = &in->r->k->conn[i];
	uint32_t n = c->out_n < SIM_OUT_MAX ? (uint32_t)c->out_n : 0;
	uint32_t from = payload_of(in->r, c, c->sent, c->in_n), to = payload_of(in->r, c, c->out, n);
	char want[80];

	snprintf(want, sizeof(want), "{\"name\":\"crc32\",\"in\":\"%08x\",\"out\":\"",
		 crc_of(c->sent + from, c->in_n - from));
	must_have(in, want);
	snprintf(want, sizeof(want), "%08x", crc_of(c->out + to, n - to));
	if (c->out_n < SIM_OUT_MAX)
		must_have(in, want);
	else
		in->at += 8;
	must_have(in, "\"}");
}

static void read_head(struct reading *in, uint32_t i)
{
	const struct sim_conn *c = &in->r->k->conn[i];
	const struct peer *p = &in->r->peer[i];
	const struct cut *cut = &in->r->cut[i];
	char room[MODEL_ADDR_MAX];

	must_have(in, ",\"peer\":\"");
	must_have(in, model_addr(room, &c->addr));
	must_have(in, "\",\"line\":\"");
	must_have(in, in->r->model[p->listener].line);
	must_be(in, "\",\"in\":", c->in_n);
	must_be(in, ",\"out\":", c->out_n);
	must_be(in, ",\"frames\":", p->frames);
	must_be(in, ",\"dropped\":", p->dropped);
	must_be(in, ",\"recvs\":", cut->recvs);
	must_be(in, ",\"sends\":", cut->sends);
	if (has(in, ",\"hash\":") != (fuzz_find(in->r->model[p->listener].line, " hash=on") != NULL))
		differs(in, "it has a hash, or has none");
	else if (in->at[0] == '{')
		check_hash(in, i);
}

/* Which proofs there can be. A gate opens unproven ("none") when its peer has closed and cannot read any more. */
static void read_cuts(struct reading *in, uint32_t i)
{
	const struct cut *cut = &in->r->cut[i];
	enum sb_gate_tier gate = in->r->model[in->r->peer[i].listener].plan.shape.gate;
	uint64_t read, ack, by_time, none;

	must_be(in, ",\"cuts\":{\"all\":", cut->pieces);
	must_have(in, ",\"read\":");
	read = number(in);
	must_have(in, ",\"ack\":");
	ack = number(in);
	must_have(in, ",\"time\":");
	by_time = number(in);
	must_have(in, ",\"none\":");
	none = number(in);
	must_have(in, "}");
	if (read + ack + by_time + none != cut->pieces || none > cut->unproven + 1)
		sb_found("%s: receipt: %llu and %llu and %llu and %llu cuts are not %llu", in->r->backend,
			 (unsigned long long)read, (unsigned long long)ack, (unsigned long long)by_time,
			 (unsigned long long)none, (unsigned long long)cut->pieces);
	if ((gate == SB_GATE_READ && ack + by_time) || (gate == SB_GATE_ACK && read) ||
	    (gate == SB_GATE_TIME && read + ack) ||
	    (gate == SB_GATE_BEST && ack && !cut->has_given_way && !cut->is_vague))
		differs(in, "cuts have another proof than their gate");
	if (!cut->is_vague && none != cut->unproven + (cut->is_gated || cut->refused) &&
	    !(cut->is_cut_short && none == cut->unproven + 1))
		differs(in, "the last gate was open");
}

static void read_end(struct reading *in, uint32_t i, uint64_t *life)
{
	const struct peer *p = &in->r->peer[i];
	const struct cut *cut = &in->r->cut[i];
	bool has_why = has(in, ",\"gate_why\":\"");

	if (has_why && word(in) == 0)
		differs(in, "why the gate is not the best is not said");
	if (has_why != cut->has_given_way && !cut->is_vague)
		differs(in, has_why ? "the gate was the best" : "the gate was not the best");
	if (has(in, ",\"reader_uid\":") != (cut->is_seen && number(in) == 1000))
		differs(in, "the reader is another");
	must_have(in, ",\"reason\":\"");
	must_have(in, sb_reasons[p->reason].name);
	must_have(in, p->how == SB_CLOSE_RESET ? "\",\"how\":\"rst\"" : "\",\"how\":\"close\"");
	if (has(in, ",\"errno\":\"") && (*in->at != 'E' || word(in) == 0))
		differs(in, "that is no errno");
	must_have(in, ",\"life_us\":");
	*life = number(in);
}

static void read_event(struct reading *in, uint32_t i, uint64_t *sent, uint64_t *received, uint64_t *cuts)
{
	const struct cut *cut = &in->r->cut[i];
	bool is_cut, must;

	if (has(in, ",\"recv\":")) {
		*received += number(in);
	} else if (has(in, ",\"send\":")) {
		*sent += number(in);
		must = *cuts < cut->pieces && *cuts < CUT_OFFSETS && cut->at[*cuts] == *sent;
		is_cut = has(in, ",\"cut\":\"");
		if (is_cut && word(in) == 0)
			differs(in, "a cut has a proof");
		if (is_cut != must)
			sb_found("%s: receipt: a cut at %llu is %ssaid, and there is %s", in->r->backend,
				 (unsigned long long)*sent, is_cut ? "" : "not ", must ? "one" : "none");
		*cuts += is_cut;
		if (has(in, ",\"waited_us\":"))
			number(in);
	} else {
		must_have(in, ",\"shut\":true");
	}
}

static void read_events(struct reading *in, uint32_t i, uint64_t life)
{
	const struct sim_conn *c = &in->r->k->conn[i];
	uint64_t sent = 0, received = 0, cuts = 0, last = 0, us, n = 0;
	bool is_own = in->r->peer[i].begin == PEER_LINE;

	must_have(in, ",\"events\":[");
	while (!has(in, "]")) {
		must_have(in, n++ ? ",{\"us\":" : "{\"us\":");
		us = number(in);
		if (us < last || us > life)
			differs(in, "an event is not in its time");
		last = us;
		read_event(in, i, &sent, &received, &cuts);
		must_have(in, "}");
	}
	must_have(in, ",\"truncated\":");
	/* A line of its own, and what came with it, came before there was a receipt. */
	if (number(in) == 0 ? sent != c->out_n || (received != c->in_n && !(is_own && received < c->in_n))
			    : n != SB_RECEIPT_EVENTS)
		differs(in, "its events are not all");
	must_have(in, "}\n");
	if (*in->at)
		differs(in, "that is its end");
}

/* What came and went. */
static void must_say(struct reading *in, uint32_t i)
{
	const struct sim_conn *c = &in->r->k->conn[i];
	const char *at = fuzz_find(in->at, "\",\"in\":");

	if (!at)
		differs(in, "it does not say what came");
	in->at = at;
	must_be(in, "\",\"in\":", c->in_n);
	must_be(in, ",\"out\":", c->out_n);
	at = fuzz_find(in->at, ",\"hash\":");
	if (at) {
		in->at = at + strlen(",\"hash\":");
		check_hash(in, i);
	}
}

static void skip_to(struct reading *in, const char *text)
{
	const char *at = fuzz_find(in->at, text);

	if (!at)
		differs(in, text);
	in->at = at;
}

/* Where its pieces ended, and nothing of what was waited for. */
static void read_asked(struct reading *in, uint32_t i)
{
	uint64_t life;

	if (!in->r->cut[i].is_asked)
		return;
	skip_to(in, ",\"cuts\":{\"all\":");
	must_be(in, ",\"cuts\":{\"all\":", in->r->cut[i].pieces);
	skip_to(in, ",\"life_us\":");
	must_have(in, ",\"life_us\":");
	life = number(in);
	read_events(in, i, life);
}

static void read_receipt(struct run *r)
{
	struct reading in = {.r = r, .line = r->receipt, .at = r->receipt};
	uint64_t life;
	uint32_t i;

	r->receipt[r->receipt_n] = '\0';
	i = whose(&in);
	if (r->cut[i].receipts++)
		sb_found("%s: receipt: a second one of connection %u", r->backend, i);
	steps_receipt(r, i, r->receipt);
	if (line_is_judged_late(r, &r->k->conn[i])) {
		must_say(&in, i);
		read_asked(&in, i);
		return;
	}
	read_head(&in, i);
	read_cuts(&in, i);
	read_end(&in, i, &life);
	read_events(&in, i, life);
}

void receipt_on_write(struct sb_sys *k, struct sb_slice some)
{
	struct run *r = k->user;

	for (size_t i = 0; i < some.n; i++) {
		if (r->receipt_n + 1 >= sizeof(r->receipt))
			sb_found("%s: receipt: a line without an end", r->backend);
		r->receipt[r->receipt_n++] = (char)some.p[i];
		if (some.p[i] != '\n')
			continue;
		read_receipt(r);
		r->receipt_n = 0;
	}
}

void receipt_over(const struct run *r)
{
	uint64_t lost = r->srv->count[SB_COUNT_RECEIPTS_LOST], missing = 0;

	if (r->receipt_n && r->srv->receipt_log.fd >= 0)
		sb_found("%s: receipt: a line without an end", r->backend);
	if (lost > 0 && !r->k->has_held_receipts && r->k->faults == 0)
		sb_found("%s: %llu receipts are lost, and their file takes all", r->backend, (unsigned long long)lost);
	for (uint32_t i = 0; i < r->k->conns; i++) {
		const struct sim_conn *c = &r->k->conn[i];

		if (c->is_dgram || !r->peer[i].is_served || r->cut[i].receipts ||
		    !(cut_is_shaped(r, c) || r->peer[i].has_receipt))
			continue;
		if (r->has_receipts && r->srv->receipt_log.fd >= 0 && ++missing > lost)
			sb_found("%s: connection %u: has no receipt", r->backend, i);
	}
}
