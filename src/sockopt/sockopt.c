/* SPDX-License-Identifier: MIT
 *
 * From a name and a value to setsockopt. The order of the checks is the policy's: what is not known, what is
 * never allowed, what is not allowed here, and only then whether the value is one. System headers are here for
 * their constants alone.
 */
#include "sockopt/sockopt.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <errno.h>

#include "base/nearest.h"
#include "base/number.h"
#include "sockopt/help.h"

/* linux/tcp.h has it since 6.7; the headers of older systems do not. */
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY 38
#endif

static const struct sb_sockopt rows[] = {
#define SB_SOCKOPT(name, level, optname, kind, min, max, strict_min, strict_max, on, when, who, help)                  \
	{name, level, optname, kind, min, max, strict_min, strict_max, on, when, who, help},
#include "sockopt/sockopts.def"
#undef SB_SOCKOPT
};

const struct sb_sockopt *sb_sockopt_at(size_t i)
{
	return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}

/* ---- the name ---- */

static const char *name_at(const void *list, size_t i)
{
	const struct sb_sockopt *row = sb_sockopt_at(i);

	(void)list;
	return row ? row->name : NULL;
}

static int say_unknown(struct sb_slice name, struct sb_fault *fault)
{
	const char *nearest = sb_nearest(name, name_at, NULL);

	if (nearest)
		return sb_fault_set(fault, SB_E_UNKNOWN, 1, "unknown socket option \"%.*s\" (did you mean %s?)",
				    SB_FAULT_WORD(name), nearest);
	return sb_fault_set(fault, SB_E_UNKNOWN, 1, "unknown socket option \"%.*s\"; --help lists the options",
			    SB_FAULT_WORD(name));
}

/* ---- the place ---- */

static unsigned on_of(struct sb_opt_place place)
{
	return place.is_tcp ? SB_OPT_ON_TCP : place.is_udp ? SB_OPT_ON_UDP : SB_OPT_ON_UNIX;
}

static int say_place(const struct sb_sockopt *row, const char *why, struct sb_fault *fault)
{
	return sb_fault_set(fault, SB_E_PLACE, 1, "%s %s", row->name, why);
}

static int check_place(const struct sb_sockopt *row, struct sb_opt_place place, struct sb_fault *fault)
{
	if (row->kind == SB_OPT_DENIED)
		return sb_fault_set(fault, SB_E_DENIED, 1, "%s is never allowed: %s", row->name, row->help);
	if ((row->who & place.who) != place.who)
		return say_place(row, "is the operator's: say it in a --listen line", fault);
	if (!(row->when & place.when))
		return say_place(row,
				 place.when == SB_OPT_CONNECTION
					 ? "is set before a connection is made: say it to the listener"
					 : "is set on connections, not on a listener",
				 fault);
	if (!(row->on & on_of(place)))
		return say_place(row, row->on == SB_OPT_ON_TCP ? "is for tcp only" : "is for tcp and udp, not for unix",
				 fault);
	if (row->level == IPPROTO_IP && !place.is_ipv4)
		return say_place(row, "is for IPv4 addresses", fault);
	if (row->level == IPPROTO_IPV6 && !place.is_ipv6)
		return say_place(row, "is for IPv6 addresses", fault);
	if (place.strict && row->strict_min > row->strict_max)
		return say_place(row, "can be set only while every listener is on a loopback address", fault);
	return 0;
}

/* ---- the value ---- */

static int say_type(const struct sb_sockopt *row, struct sb_slice value, struct sb_fault *fault)
{
	static const char *const takes[] = {
		[SB_OPT_BOOL] = "0 or 1",
		[SB_OPT_INT] = "a number",
		[SB_OPT_SIZE] = "a size (100, 64k, 1M)",
		[SB_OPT_LINGER] = "off or a number of seconds",
		[SB_OPT_DENIED] = "nothing",
	};

	return sb_fault_set(fault, SB_E_TYPE, 2, "%s takes %s, not \"%.*s\"", row->name, takes[row->kind],
			    SB_FAULT_WORD(value));
}

static int say_range(const struct sb_sockopt *row, uint64_t min, uint64_t max, struct sb_slice value,
		     struct sb_fault *fault)
{
	char room[64];
	struct sb_text t = sb_text_in(room, sizeof(room));

	if (row->kind == SB_OPT_LINGER)
		sb_text_str(&t, "off or ");
	sb_text_opt_range(&t, row->kind, min, max);
	return sb_fault_set(fault, SB_E_RANGE, 2, "%s is %s, not %.*s", row->name, sb_text_end(&t),
			    SB_FAULT_WORD(value));
}

static int read_value(const struct sb_sockopt *row, struct sb_opt_place place, struct sb_slice value, int64_t *out,
		      struct sb_fault *fault)
{
	uint64_t min = (uint64_t)(place.strict ? row->strict_min : row->min);
	uint64_t max = (uint64_t)(place.strict ? row->strict_max : row->max);
	uint64_t v = 0;
	int r;

	if (row->kind == SB_OPT_LINGER && sb_slice_is(value, "off")) {
		*out = -1;
		return 0;
	}
	if (row->kind == SB_OPT_LINGER && place.who == SB_OPT_CLIENT)
		max = 0;
	r = row->kind == SB_OPT_SIZE ? sb_parse_size(value, &v) : sb_parse_count(value, &v);
	if (r == SB_E_TYPE)
		return say_type(row, value, fault);
	if (r < 0 || v < min || v > max)
		return say_range(row, min, max, value, fault);
	*out = (int64_t)v;
	return 0;
}

const struct sb_sockopt *sb_sockopt_named(struct sb_slice name)
{
	const struct sb_sockopt *row;
	size_t i = 0;

	while ((row = sb_sockopt_at(i)) && !sb_slice_is(name, row->name))
		i++;
	return row;
}

int sb_sockopt_find(struct sb_opt_ask *ask, struct sb_slice name, struct sb_slice value, struct sb_opt_place place,
		    struct sb_fault *fault)
{
	const struct sb_sockopt *row = sb_sockopt_named(name);
	int64_t v = 0;
	int r;

	if (!row)
		return say_unknown(name, fault);
	r = check_place(row, place, fault);
	if (r == 0)
		r = read_value(row, place, value, &v, fault);
	if (r == 0)
		*ask = (struct sb_opt_ask){.row = row, .value = v};
	return r;
}

/* ---- the kernel ---- */

static int set_linger(struct sb_sys *sys, int fd, struct sb_opt_ask ask, int64_t *effective)
{
	struct linger linger = {.l_onoff = ask.value >= 0, .l_linger = ask.value >= 0 ? (int)ask.value : 0};
	size_t n = sizeof(linger);
	int r = sb_sys_setopt(sys, fd, ask.row->level, ask.row->optname, &linger, n);

	if (r == 0)
		r = sb_sys_getopt(sys, fd, ask.row->level, ask.row->optname, &linger, &n);
	if (r < 0)
		return r;
	if (n != sizeof(linger))
		return -EPROTO;
	*effective = linger.l_onoff ? linger.l_linger : -1;
	return 0;
}

int sb_sockopt_set(struct sb_sys *sys, int fd, struct sb_opt_ask ask, int64_t *effective)
{
	int64_t min = ask.row->kind == SB_OPT_LINGER ? -1 : ask.row->min;
	int value = 0, r;
	size_t n = sizeof(value);

	if (ask.row->kind == SB_OPT_DENIED)
		return SB_E_DENIED;
	if (ask.value < min || ask.value > ask.row->max)
		return SB_E_RANGE;
	if (ask.row->kind == SB_OPT_LINGER)
		return set_linger(sys, fd, ask, effective);
	value = (int)ask.value;
	r = sb_sys_setopt(sys, fd, ask.row->level, ask.row->optname, &value, n);
	if (r == 0)
		r = sb_sys_getopt(sys, fd, ask.row->level, ask.row->optname, &value, &n);
	if (r < 0)
		return r;
	if (n != sizeof(value))
		return -EPROTO;
	*effective = value;
	return 0;
}
