/* SPDX-License-Identifier: MIT
 * Options of a server, one "name=value" at a time. */
#include "server/options.h"

#include "base/nearest.h"
#include "base/number.h"

static int say_backends(struct sb_slice value, struct sb_fault *fault)
{
	char room[96];
	struct sb_text t = sb_text_in(room, sizeof(room));

	for (size_t i = 0; sb_backend_at(i); i++) {
		sb_text_str(&t, ", ");
		sb_text_str(&t, sb_backend_at(i)->name);
	}
	return sb_fault_set(fault, SB_E_UNKNOWN, 0, "io is one of auto%s, not \"%.*s\"", sb_text_end(&t),
			    SB_FAULT_WORD(value));
}

static int set_io(struct sb_options *o, struct sb_slice value, struct sb_fault *fault)
{
	if (o->has_io)
		return sb_fault_set(fault, SB_E_DUPLICATE, 0, "io is given twice");
	o->has_io = true;
	o->backend = sb_backend_named(value);
	if (!o->backend && !sb_slice_is(value, "auto"))
		return say_backends(value, fault);
	return 0;
}

static int set_log(struct sb_options *o, struct sb_slice value, struct sb_fault *fault)
{
	if (o->has_log)
		return sb_fault_set(fault, SB_E_DUPLICATE, 0, "log is given twice");
	o->has_log = true;
	o->is_json = sb_slice_is(value, "json");
	if (!o->is_json && !sb_slice_is(value, "text"))
		return sb_fault_set(fault, SB_E_UNKNOWN, 0, "log is text or json, not \"%.*s\"", SB_FAULT_WORD(value));
	return 0;
}

static int set_level(struct sb_options *o, struct sb_slice value, struct sb_fault *fault)
{
	int level = sb_log_level_named(value);

	if (o->has_level)
		return sb_fault_set(fault, SB_E_DUPLICATE, 0, "log-level is given twice");
	if (level < 0)
		return sb_fault_set(fault, SB_E_UNKNOWN, 0,
				    "log-level is error, warning, notice, info or debug, not \"%.*s\"",
				    SB_FAULT_WORD(value));
	o->has_level = true;
	o->level = (enum sb_log_level)level;
	return 0;
}

static int set_allow(struct sb_options *o, struct sb_slice value, struct sb_fault *fault)
{
	int r;

	if (o->allow_n == SB_ALLOW_MAX)
		return sb_fault_set(fault, SB_E_LIMIT, 0, "allow is given more than %d times", SB_ALLOW_MAX);
	r = sb_cidr_parse(&o->allow[o->allow_n], value);
	if (r == SB_E_RANGE)
		return sb_fault_set(fault, r, 0, "allow=%.*s has bits set behind its prefix", SB_FAULT_WORD(value));
	if (r < 0)
		return sb_fault_set(fault, r, 0, "allow takes a range as 10.0.0.0/8 or 2001:db8::/32, not \"%.*s\"",
				    SB_FAULT_WORD(value));
	o->allow_n++;
	return 0;
}

static int say_forward_to(int code, struct sb_slice value, struct sb_fault *fault)
{
	return sb_fault_set(
		fault, code, 0,
		"forward-to takes CIDR:PORT, as 127.0.0.1/32:6379 or [::1/128]:6379, or unix:PATH, not \"%.*s\"",
		SB_FAULT_WORD(value));
}

static int set_forward_to(struct sb_options *o, struct sb_slice value, struct sb_fault *fault)
{
	struct sb_forward_to *to = &o->forward_to[o->forward_to_n];
	struct sb_slice range = value;
	uint64_t port;
	int r;

	if (o->forward_to_n == SB_FORWARD_TO_MAX)
		return sb_fault_set(fault, SB_E_LIMIT, 0, "forward-to is given more than %d times", SB_FORWARD_TO_MAX);
	*to = (struct sb_forward_to){.port = 0};
	if (value.n > 5 && memcmp(value.p, "unix:", 5) == 0) {
		to->path = sb_slice_skip(value, 5);
		o->forward_to_n++;
		return 0;
	}
	while (range.n > 0 && range.p[range.n - 1] != ':')
		range.n--;
	if (range.n < 2 || sb_parse_count(sb_slice_skip(value, range.n), &port) < 0 || port < 1 || port > UINT16_MAX)
		return say_forward_to(SB_E_TYPE, value, fault);
	range.n--;
	if (range.p[0] == '[' && range.p[range.n - 1] == ']')
		range = sb_slice(range.p + 1, range.n - 2);
	r = sb_cidr_parse(&to->range, range);
	if (r < 0)
		return say_forward_to(r, value, fault);
	to->port = (uint16_t)port;
	o->forward_to_n++;
	return 0;
}

static int set_ports(struct sb_options *o, struct sb_slice value, struct sb_fault *fault)
{
	uint64_t from = 0, to = 0;
	size_t n = 0;

	if (o->ports_from)
		return sb_fault_set(fault, SB_E_DUPLICATE, 0, "control-ports is given twice");
	while (n < value.n && value.p[n] != '-')
		n++;
	if (n == value.n || sb_parse_count(sb_slice(value.p, n), &from) < 0 ||
	    sb_parse_count(sb_slice_skip(value, n + 1), &to) < 0)
		return sb_fault_set(fault, SB_E_TYPE, 0, "control-ports is a range as 40000-40099, not \"%.*s\"",
				    SB_FAULT_WORD(value));
	if (from < 1 || to > UINT16_MAX || from > to)
		return sb_fault_set(fault, SB_E_RANGE, 0, "control-ports is a range within 1-65535, not %.*s",
				    SB_FAULT_WORD(value));
	o->ports_from = (uint16_t)from;
	o->ports_to = (uint16_t)to;
	return 0;
}

static const struct {
	struct sb_switch_row row;
	int (*set)(struct sb_options *o, struct sb_slice value, struct sb_fault *fault);
} switches[] = {
	{{"io", "NAME", "the backend: auto (default: the first that works), or one that --version names"}, set_io},
	{{"allow", "CIDR", "who may connect to addresses that are not loopback; may be given again"}, set_allow},
	{{"control-ports", "A-B", "the ports that LISTEN takes (default: any free one)"}, set_ports},
	{{"forward-to", "CIDR:PORT",
	  "where FORWARD of a port that LISTEN makes may lead (default: nowhere); may be given again"},
	 set_forward_to},
	{{"log", "text|json", "how the log is written (default text)"}, set_log},
	{{"log-level", "LEVEL", "error, warning, notice, info or debug (default info)"}, set_level},
};

enum { SWITCHES = sizeof(switches) / sizeof(switches[0]) };

const struct sb_switch_row *sb_switch_at(size_t i)
{
	return i < SWITCHES ? &switches[i].row : NULL;
}

/* Switches first, then limits. */
static const char *name_at(const void *list, size_t i)
{
	return i < SWITCHES ? switches[i].row.name : sb_limit_name_at(list, i - SWITCHES);
}

void sb_options_init(struct sb_options *o)
{
	*o = (struct sb_options){.level = SB_LOG_INFO};
}

int sb_options_set(struct sb_options *o, struct sb_slice option, struct sb_fault *fault)
{
	struct sb_slice name = option, value;
	const char *nearest;
	size_t n = 0;
	int r;

	while (n < option.n && option.p[n] != '=')
		n++;
	name.n = n;
	if (n == option.n)
		return sb_fault_set(fault, SB_E_SYNTAX, 0, "%.*s needs a value: %.*s=VALUE", SB_FAULT_WORD(name),
				    SB_FAULT_WORD(name));
	value = sb_slice_skip(option, n + 1);
	for (size_t i = 0; i < SWITCHES; i++)
		if (sb_slice_is(name, switches[i].row.name))
			return switches[i].set(o, value, fault);
	r = sb_limits_set(&o->limits, name, value, fault);
	if (r != SB_E_UNKNOWN)
		return r;
	nearest = sb_nearest(name, name_at, NULL);
	if (nearest)
		return sb_fault_set(fault, r, 0, "unknown option \"%.*s\" (did you mean %s?)", SB_FAULT_WORD(name),
				    nearest);
	return sb_fault_set(fault, r, 0, "unknown option \"%.*s\"", SB_FAULT_WORD(name));
}
