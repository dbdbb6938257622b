/* SPDX-License-Identifier: MIT
 * The simulated kernel: files of unix sockets. A file stays when its socket is closed; somebody else's must be left. */
#include <errno.h>
#include <string.h>

#include "found.h"
#include "sys_sim.h"

static struct sim_path *path_of(struct sb_sys *k, const char *name)
{
	size_t n = strlen(name);
	struct sim_path *p;

	for (uint32_t i = 0; i < k->paths_n; i++)
		if (strcmp(k->paths[i].name, name) == 0)
			return &k->paths[i];
	if (k->paths_n == SIM_PATHS || n >= sizeof(p->name))
		return NULL;
	p = &k->paths[k->paths_n++];
	memcpy(p->name, name, n + 1);
	p->owner = k->paths_before;
	return p;
}

int sb_sys_bind_unix(struct sb_sys *k, int fd, const char *name)
{
	struct sim_fd *f = sim_get(k, fd, "bind");
	struct sim_path *p = path_of(k, name);
	int r = sim_fault(k, SIM_CALL_BIND);

	if (r < 0)
		return r;
	if (f->type != SIM_SOCKET || f->family != SB_UNIX)
		sb_found("kernel: bind on descriptor %d, which is not a new unix socket", fd);
	if (!p)
		return -ENOSPC;
	if (p->owner != SIM_NOBODY)
		return -EADDRINUSE;
	p->owner = SIM_SERVER;
	return 0;
}

int sb_sys_connect_unix(struct sb_sys *k, int fd, const char *name)
{
	const struct sim_path *p = path_of(k, name);

	sim_get(k, fd, "connect");
	if (!p || p->owner == SIM_NOBODY)
		return -ENOENT;
	return p->owner == SIM_LEFT_OVER ? -ECONNREFUSED : 0;
}

int sb_sys_unlink_socket(struct sb_sys *k, const char *name)
{
	struct sim_path *p = path_of(k, name);
	int r = sim_fault(k, SIM_CALL_UNLINK);

	if (r < 0)
		return r;
	if (!p || p->owner == SIM_NOBODY)
		return -ENOENT;
	if (p->owner == SIM_SOMEBODY)
		sb_found("kernel: unlink of %s, where somebody else listens", name);
	p->owner = SIM_NOBODY;
	return 0;
}

uint32_t sim_count_paths(const struct sb_sys *k)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->paths_n; i++)
		n += k->paths[i].owner == SIM_SERVER;
	return n;
}
