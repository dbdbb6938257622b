/* SPDX-License-Identifier: MIT
 * Configs, read a second time. The numbers are those of the design's table of profiles and of docs/; a limit that is
 * not written again here is taken from its table as it is. */
#include "again_config.h"

#include <stdio.h>
#include <string.h>

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static const struct sb_limit_row rows[] = {
	{"max-conns", SB_UNIT_COUNT, 4096, 1024, 1, 1000000, NULL},
	{"max-conns-per-ip", SB_UNIT_COUNT, 0, 64, 0, 1000000, NULL},
	{"first-byte-timeout", SB_UNIT_TIME, 0, 10 * S, 0, 3600 * S, NULL},
	{"connect-timeout", SB_UNIT_TIME, 10 * S, 10 * S, MS, 3600 * S, NULL},
	{"frame-timeout", SB_UNIT_TIME, 60 * S, 30 * S, 0, 3600 * S, NULL},
	{"idle-timeout", SB_UNIT_TIME, 600 * S, 60 * S, 0, 86400 * S, NULL},
	{"max-lifetime", SB_UNIT_TIME, 0, 300 * S, 0, 86400 * S, NULL},
	{"min-rate", SB_UNIT_SIZE, 0, 64, 0, UINT64_C(1) << 30, NULL},
	{"drain-timeout", SB_UNIT_TIME, 30 * S, 30 * S, MS, 3600 * S, NULL},
	{"drain-idle-timeout", SB_UNIT_TIME, 5 * S, 5 * S, MS, 3600 * S, NULL},
	{"drain-bytes", SB_UNIT_SIZE, 16 << 20, 1 << 20, 0, UINT64_C(1) << 30, NULL},
	{"stop-timeout", SB_UNIT_TIME, 10 * S, 10 * S, MS, 3600 * S, NULL},
	{"max-held", SB_UNIT_SIZE, 64 << 20, 64 << 20, 256 << 10, UINT64_C(16) << 30, NULL},
	{"max-delay", SB_UNIT_TIME, 60 * S, 10 * S, MS, 3600 * S, NULL},
	{"max-bytes", SB_UNIT_SIZE, 1 << 30, 16 << 20, 1, UINT64_C(1) << 40, NULL},
	{"udp-rate", SB_UNIT_COUNT, 100000, 100, 1, 10000000, NULL},
	{"udp-rate-total", SB_UNIT_COUNT, 0, 10000, 0, 100000000, NULL},
	{"udp-held", SB_UNIT_SIZE, 4 << 20, 1 << 20, 128 << 10, UINT64_C(1) << 30, NULL},
};

static const char *const switches[] = {"io", "allow", "log", "log-level", "forward-to"};
static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), SWITCHES = 5, FORWARD_TO_MAX = 16 };

static const struct sb_limit_row *row_of(int i)
{
	for (int k = 0; k < ROWS; k++)
		if (strcmp(rows[k].name, sb_limit_rows[i].name) == 0)
			return &rows[k];
	return &sb_limit_rows[i];
}

/* ---- addresses ---- */

static bool is_mapped(const struct again_addr *a)
{
	static const uint8_t zeros[10];

	return a->family == 6 && memcmp(a->ip, zeros, 10) == 0 && a->ip[10] == 255 && a->ip[11] == 255;
}

/* A number without leading zeros. */
static bool plain(const uint8_t *p, size_t n, uint64_t max, uint64_t *v)
{
	return n > 0 && (n == 1 || p[0] != '0') && p[0] != '-' && naive_count(p, n, v) == 0 && *v <= max;
}

static int bare(struct again_addr *a, const uint8_t *p, size_t n)
{
	const uint8_t *zone = n ? memchr(p, '%', n) : NULL;
	size_t ip_n = zone ? (size_t)(zone - p) : n;
	uint64_t scope = 0;

	*a = (struct again_addr){.family = 0};
	a->family = naive_ip((const char *)p, ip_n, a->ip);
	if (a->family == 0 || (zone && (a->family == 4 || !plain(zone + 1, n - ip_n - 1, UINT32_MAX, &scope))))
		return SB_E_SYNTAX;
	a->scope = (uint32_t)scope;
	return 0;
}

static void unmap(struct again_addr *a)
{
	if (!is_mapped(a))
		return;
	memmove(a->ip, a->ip + 12, 4);
	memset(a->ip + 4, 0, 12);
	a->family = 4;
	a->scope = 0;
}

int again_ip(struct again_addr *a, const uint8_t *p, size_t n)
{
	bool has_brackets = n > 2 && p[0] == '[' && p[n - 1] == ']';
	int r = has_brackets ? bare(a, p + 1, n - 2) : bare(a, p, n);

	if (r == 0 && has_brackets && a->family == 4)
		r = SB_E_SYNTAX;
	unmap(a);
	return r;
}

int again_cidr(struct again_range *r, const uint8_t *p, size_t n)
{
	const uint8_t *slash = n ? memchr(p, '/', n) : NULL;
	size_t ip_n = slash ? (size_t)(slash - p) : n;
	uint64_t bits;

	if (bare(&r->base, p, ip_n) < 0 || (ip_n && memchr(p, '%', ip_n)))
		return SB_E_SYNTAX;
	bits = r->base.family == 4 ? 32 : 128;
	if (slash && !plain(slash + 1, n - ip_n - 1, bits, &bits))
		return SB_E_SYNTAX;
	for (uint64_t i = bits; i < 128; i++)
		if (r->base.ip[i / 8] & (128 >> i % 8))
			return SB_E_RANGE;
	r->bits = (unsigned)(is_mapped(&r->base) ? bits - 96 : bits);
	unmap(&r->base);
	return 0;
}

bool again_is_loopback(const struct again_addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->family == 4 ? a->ip[0] == 127 : a->family == 0 || memcmp(a->ip, one, 16) == 0;
}

bool again_is_in(const struct again_addr *a, const struct again_range *r)
{
	if (a->family != r->base.family)
		return false;
	for (unsigned i = 0; i < r->bits; i++)
		if ((a->ip[i / 8] ^ r->base.ip[i / 8]) & (128 >> i % 8))
			return false;
	return true;
}

/* ---- endpoints ---- */

static int refuse(uint32_t *col, int code, size_t at)
{
	*col = (uint32_t)at;
	return code;
}

static int hex(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static int read_path(struct again_endpoint *e, const uint8_t *p, size_t n, uint32_t *col)
{
	size_t out = 0;

	for (size_t i = 5; i < n;) {
		int c = p[i];

		if (c == '%' && (n - i < 3 || hex(p[i + 1]) < 0 || hex(p[i + 2]) < 0))
			return refuse(col, SB_E_SYNTAX, i + 1);
		if (c == '%')
			c = hex(p[i + 1]) * 16 + hex(p[i + 2]);
		if (c == 0)
			return refuse(col, SB_E_SYNTAX, i + 1);
		if (out == 107)
			return refuse(col, SB_E_RANGE, 6);
		e->path[out++] = (char)c;
		i += p[i] == '%' ? 3 : 1;
	}
	e->path[out] = '\0';
	return out ? 0 : refuse(col, SB_E_SYNTAX, 6);
}

int again_endpoint(struct again_endpoint *e, const uint8_t *p, size_t n, uint32_t *col)
{
	size_t colon = n;
	bool has_brackets;
	uint64_t port = 0;

	*e = (struct again_endpoint){.on = SB_ON_UNIX};
	if (n >= 5 && memcmp(p, "unix:", 5) == 0)
		return read_path(e, p, n, col);
	if (n < 6 || (memcmp(p, "tcp://", 6) != 0 && memcmp(p, "udp://", 6) != 0))
		return refuse(col, SB_E_SYNTAX, 1);
	e->on = p[0] == 't' ? SB_ON_TCP : SB_ON_UDP;
	while (colon > 6 && p[colon - 1] != ':')
		colon--;
	if (colon <= 7) /* no colon, or no host before it */
		return refuse(col, SB_E_SYNTAX, 1);
	has_brackets = p[6] == '[' && colon > 8 && p[colon - 2] == ']';
	if (has_brackets != (memchr(p + 6, ':', colon - 7) != NULL))
		return refuse(col, SB_E_SYNTAX, 7);
	if ((has_brackets ? bare(&e->addr, p + 7, colon - 9) : bare(&e->addr, p + 6, colon - 7)) < 0)
		return refuse(col, SB_E_SYNTAX, 7);
	unmap(&e->addr);
	if (naive_count(p + colon, n - colon, &port) < 0 || port > 65535)
		return refuse(col, SB_E_RANGE, colon + 1);
	e->addr.port = (uint16_t)port;
	return 0;
}

/* ---- options ---- */

/* "CIDR:PORT", the range in brackets or not; "unix:PATH". */
static int set_forward_to(struct again_config *c, const uint8_t *p, size_t n)
{
	struct again_range range;
	size_t colon = n;
	uint64_t port;

	if (c->forward_to_n == FORWARD_TO_MAX)
		return SB_E_LIMIT;
	c->forward_to_n++;
	if (n > 5 && memcmp(p, "unix:", 5) == 0)
		return 0;
	while (colon > 0 && p[colon - 1] != ':')
		colon--;
	if (colon < 2 || naive_count(p + colon, n - colon, &port) < 0 || port < 1 || port > 65535)
		return SB_E_TYPE;
	n = colon - 1;
	return p[0] == '[' && p[n - 1] == ']' ? again_cidr(&range, p + 1, n - 2) : again_cidr(&range, p, n);
}

static int set_switch(struct again_config *c, size_t i, const uint8_t *p, size_t n)
{
	bool *has = i == 0 ? &c->has_io : i == 2 ? &c->has_log : &c->has_level;

	if (i == 1) {
		if (c->allow_n == AGAIN_ALLOW_MAX)
			return SB_E_LIMIT;
		return again_cidr(&c->allow[c->allow_n++], p, n);
	}
	if (i == 4)
		return set_forward_to(c, p, n);
	if (*has)
		return SB_E_DUPLICATE;
	*has = true;
	if (i == 0) {
		c->io = naive_is(p, n, "epoll") ? "epoll" : naive_is(p, n, "poll") ? "poll" : NULL;
		return c->io || naive_is(p, n, "auto") ? 0 : SB_E_UNKNOWN;
	}
	c->is_json = c->is_json || (i == 2 && naive_is(p, n, "json"));
	if (i == 2)
		return c->is_json || naive_is(p, n, "text") ? 0 : SB_E_UNKNOWN;
	for (c->level = 0; c->level < 5; c->level++)
		if (naive_is(p, n, levels[c->level]))
			return 0;
	return SB_E_UNKNOWN;
}

static int set_limit(struct again_config *c, int i, const uint8_t *p, size_t n)
{
	const struct sb_limit_row *row = row_of(i);
	uint64_t v = 0;
	int r = 0;

	if (c->is_set[i])
		return SB_E_DUPLICATE;
	c->is_set[i] = true;
	c->v[i] = 0;
	if (row->min == 0 && naive_is(p, n, "none"))
		return 0;
	r = row->unit == SB_UNIT_COUNT  ? naive_count(p, n, &v)
	    : row->unit == SB_UNIT_SIZE ? naive_size(p, n, &v)
					: naive_time(p, n, &v);
	c->v[i] = v;
	return r < 0 ? r : v == 0 || v < row->min || v > row->max ? SB_E_RANGE : 0;
}

static int set_option(struct again_config *c, const char *option)
{
	size_t n = strcspn(option, "=");
	const uint8_t *value = (const uint8_t *)option + n + 1;
	size_t value_n;

	if (!option[n])
		return SB_E_SYNTAX;
	value_n = strlen(option) - n - 1;
	for (size_t i = 0; i < SWITCHES; i++)
		if (naive_is((const uint8_t *)option, n, switches[i]))
			return set_switch(c, i, value, value_n);
	for (int i = 0; i < SB_LIMIT_COUNT; i++)
		if (naive_is((const uint8_t *)option, n, sb_limit_rows[i].name))
			return set_limit(c, i, value, value_n);
	return SB_E_UNKNOWN;
}

const char *again_option_meant(const char *option)
{
	const char *names[64];
	size_t n = 0;

	for (size_t i = 0; i < SWITCHES; i++)
		names[n++] = switches[i];
	for (int i = 0; i < SB_LIMIT_COUNT; i++)
		names[n++] = sb_limit_rows[i].name;
	return naive_nearest((const uint8_t *)option, strcspn(option, "="), names, n);
}

static const char *say(char *room, enum sb_unit unit, uint64_t v)
{
	if (unit == SB_UNIT_TIME)
		return naive_time_text(room, v);
	if (unit == SB_UNIT_SIZE)
		return naive_size_text(room, v);
	snprintf(room, 32, "%llu", (unsigned long long)v);
	return room;
}

const char *again_limit_range(const char *option, char room[96])
{
	char min[32], max[32];

	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		const struct sb_limit_row *row = row_of(i);

		if (!naive_is((const uint8_t *)option, strcspn(option, "="), row->name))
			continue;
		snprintf(room, 96, "%s is %s to %s%s, not ", row->name,
			 say(min, row->unit,
			     row->min                    ? row->min
			     : row->unit == SB_UNIT_TIME ? 1000
							 : 1),
			 say(max, row->unit, row->max), row->min ? "" : " or none");
		return room;
	}
	return "";
}

/* ---- all of it ---- */

static int read_listen(struct again_config *c, size_t i, const char *text, struct again *line)
{
	size_t n = strlen(text), comma = strcspn(text, ",");
	const uint8_t *p = (const uint8_t *)text;
	int r = again_endpoint(&c->endpoint[i], p, comma, &c->col);

	if (r < 0)
		return r;
	again_read(line, comma < n ? p + comma + 1 : (const uint8_t *)"ECHO", comma < n ? n - comma - 1 : 4);
	again_verb_first(line);
	if (line->code < 0)
		return refuse(&c->col, line->code, line->col + (comma < n ? comma + 1 : 0));
	if (c->endpoint[i].on == SB_ON_UNIX || again_is_loopback(&c->endpoint[i].addr))
		return 0;
	c->is_strict = true;
	return c->allow_n ? 0 : refuse(&c->col, SB_E_PLACE, 1);
}

void again_config(struct again_config *c, const char *const *listens, size_t listens_n, const char *const *options,
		  size_t options_n, struct again *line)
{
	*c = (struct again_config){.level = 3};
	for (size_t i = 0; i < options_n && c->code == 0; i++) {
		c->code = set_option(c, options[i]);
		c->option = c->code < 0 ? options[i] : NULL;
	}
	if (c->code == 0 && listens_n > AGAIN_LISTENS_MAX)
		c->code = SB_E_LIMIT;
	for (size_t i = 0; i < listens_n && c->code == 0; i++) {
		c->code = read_listen(c, i, listens[i], line);
		c->failed = c->code < 0 ? i + 1 : 0;
	}
	if (c->code == 0 && c->allow_n && !c->is_strict)
		c->code = SB_E_PLACE;
	for (int i = 0; i < SB_LIMIT_COUNT; i++)
		if (!c->is_set[i])
			c->v[i] = c->is_strict ? row_of(i)->strict : row_of(i)->loopback;
}

/* ---- what a server adds to a plan ---- */

int again_step_opts(const struct again *a, struct sb_opt_place place, uint32_t *col)
{
	for (size_t i = 0; i < a->steps_n; i++) {
		const struct again_step *s = &a->steps[i];
		struct sb_slice name = sb_slice(s->opt.p, s->opt.n), value = sb_slice(s->v.text.p, s->v.text.n);
		struct sb_opt_ask found;
		struct sb_fault fault = {0};
		int r = 0;

		if (s->kind == SB_STEP_OPT)
			r = sb_sockopt_find(&found, name, value, place, &fault);
		*col = fault.col == 2 ? s->v.col : s->v.key_col;
		if (r < 0)
			return r;
	}
	return 0;
}

bool again_is_refused_anywhere(const struct again *a, const struct again_addr *addr)
{
	const struct again_value *v = &a->v[SB_KEY_REPLY];

	for (size_t i = 0; i < sizeof(addr->ip); i++)
		if (addr->ip[i])
			return false;
	return v->set && naive_is(v->text.p, v->text.n, "refused");
}
