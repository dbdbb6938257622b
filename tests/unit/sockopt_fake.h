/* SPDX-License-Identifier: MIT
 * What the tests of socket options share: a small fake kernel that counts, and asking as a line asks. Included by
 * one file of a program: the two functions of sys/sys.h that options need are defined here. */
#ifndef SB_TESTS_SOCKOPT_FAKE_H
#define SB_TESTS_SOCKOPT_FAKE_H

#include "check.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "sockopt/sockopt.h"

/* ---- the fake kernel ---- */

struct sb_sys {
	int sets, gets;       /* calls */
	int set_err, get_err; /* what they answer, when not 0 */
	size_t short_by;      /* bytes getsockopt leaves out */
	int fd, level, name;
	uint8_t value[16];
	size_t n;
	bool doubles; /* as Linux does with buffers, from 2304 on */
};

int sb_sys_setopt(struct sb_sys *sys, int fd, int level, int name, const void *value, size_t n)
{
	sys->sets++;
	if (sys->set_err)
		return sys->set_err;
	assert_in_range(n, 1, sizeof(sys->value));
	sys->fd = fd;
	sys->level = level;
	sys->name = name;
	memcpy(sys->value, value, n);
	sys->n = n;
	return 0;
}

int sb_sys_getopt(struct sb_sys *sys, int fd, int level, int name, void *value, size_t *n)
{
	int v;

	sys->gets++;
	if (sys->get_err)
		return sys->get_err;
	assert_int_equal(fd, sys->fd);
	assert_int_equal(level, sys->level);
	assert_int_equal(name, sys->name);
	assert_int_equal(*n, sys->n);
	memcpy(&v, sys->value, sizeof(v));
	if (sys->doubles) {
		v = v < 1152 ? 2304 : v * 2;
		memcpy(sys->value, &v, sizeof(v));
	}
	*n -= sys->short_by;
	memcpy(value, sys->value, *n);
	return 0;
}

/* ---- asking ---- */

static struct sb_fault fault;
static struct sb_opt_ask ask;

static inline int find(const char *name, const char *value, struct sb_opt_place place)
{
	/* Memory of exactly their size: ASan sees one byte too many. */
	size_t name_n = strlen(name), value_n = strlen(value);
	char *n = malloc(name_n), *v = malloc(value_n);
	int r;

	memcpy(n, name, name_n);
	memcpy(v, value, value_n);
	fault = (struct sb_fault){0};
	ask = (struct sb_opt_ask){0};
	r = sb_sockopt_find(&ask, sb_slice(n, name_n), sb_slice(v, value_n), place, &fault);
	free(n);
	free(v);
	assert_int_equal(fault.code, r);
	assert_int_equal(r == 0, ask.row != NULL);
	return r;
}

#endif
