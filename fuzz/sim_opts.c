/* SPDX-License-Identifier: MIT
 * The simulated kernel: socket options. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "found.h"
#include "sockopt/sockopt.h"
#include "sys_sim.h"

static const struct sb_sockopt *row_of(int level, int name)
{
	const struct sb_sockopt *row;

	for (size_t i = 0; (row = sb_sockopt_at(i)); i++)
		if (row->level == level && row->optname == name && row->kind != SB_OPT_DENIED)
			return row;
	return NULL;
}

/* What the kernel makes of a value. */
static int effective(int level, int name, int value)
{
	if (level == SOL_SOCKET && name == SO_RCVBUF)
		return value > 1152 ? 2 * value : 2304;
	if (level == SOL_SOCKET && name == SO_SNDBUF)
		return value > 2304 ? 2 * value : 4608;
	return value;
}

static struct sim_opt *opt_of(struct sim_fd *f, int level, int name)
{
	for (uint32_t i = 0; i < f->opts_n; i++)
		if (f->opts[i].level == level && f->opts[i].name == name)
			return &f->opts[i];
	return NULL;
}

/* Of a connection's own options a target is told. */
static int told(struct sb_sys *k, const struct sim_fd *f, enum sim_call call, const void *site)
{
	int r = sim_fault(k, call, site);

	if (f->type == SIM_STREAM && k->on_done)
		k->on_done(k, &k->conn[f->conn - 1], call, 0, r);
	return r;
}

int sb_sys_setopt(struct sb_sys *k, int fd, int level, int name, const void *value, size_t n)
{
	struct sim_fd *f = sim_get(k, fd, "setsockopt");
	const struct sb_sockopt *row = row_of(level, name);
	struct sim_opt *opt = opt_of(f, level, name);
	int v, r;

	if (!row)
		sb_found("kernel: setsockopt %d, %d is not an option that may be set", level, name);
	if (n != (row->kind == SB_OPT_LINGER ? sizeof(struct linger) : sizeof(int)))
		sb_found("kernel: setsockopt %s with %zu bytes", row->name, n);
	memcpy(&v, row->kind == SB_OPT_LINGER ? (const char *)value + offsetof(struct linger, l_linger) : value,
	       sizeof(v));
	if (row->kind != SB_OPT_LINGER && (v < row->min || v > row->max))
		sb_found("kernel: setsockopt %s=%d is out of its range", row->name, v);
	r = told(k, f, SIM_CALL_SETOPT, SIM_SITE);
	if (r < 0)
		return r;
	if (!opt && f->opts_n < sizeof(f->opts) / sizeof(f->opts[0]))
		opt = &f->opts[f->opts_n++];
	if (opt)
		*opt = (struct sim_opt){level, name, effective(level, name, v)};
	return 0;
}

int sb_sys_getopt(struct sb_sys *k, int fd, int level, int name, void *value, size_t *n)
{
	struct sim_fd *f = sim_get(k, fd, "getsockopt");
	const struct sim_opt *opt = opt_of(f, level, name);
	int r = told(k, f, SIM_CALL_GETOPT, SIM_SITE);
	int v = opt ? opt->value : 0;

	if (r < 0)
		return r;
	if (*n == sizeof(struct linger)) {
		struct linger linger = {.l_onoff = 1, .l_linger = v};

		memcpy(value, &linger, sizeof(linger));
	} else if (*n == sizeof(v)) {
		memcpy(value, &v, sizeof(v));
	} else {
		return -EINVAL;
	}
	return 0;
}

int sb_sys_want_dst(struct sb_sys *k, int fd, int family)
{
	struct sim_fd *f = sim_get(k, fd, "setsockopt");
	int r = sim_fault(k, SIM_CALL_WANT_DST, SIM_SITE);

	(void)family;
	f->has_dst = r == 0;
	return r;
}

int sb_sys_cork(struct sb_sys *k, int fd, bool on)
{
	(void)on;
	sim_stream(k, fd, "setsockopt");
	return 0;
}
