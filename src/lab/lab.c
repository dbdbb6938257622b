/* SPDX-License-Identifier: MIT
 * Running an experiment, and what it notes. See lab.h. */
#include "lab/lab.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/fault.h"

static const struct lab_row rows[] = {
#define LAB_EXPERIMENT(fn, name, verdict, claim, lesson) {name, claim, LAB_##verdict, lesson, fn},
#include "lab/experiments.def"
#undef LAB_EXPERIMENT
};

const char *const lab_verdicts[LAB_VERDICTS] = {
	[LAB_HOLDS] = "holds",
	[LAB_DIFFERS] = "holds on Linux with a difference",
	[LAB_FAILS] = "does not hold",
	[LAB_NOT_HERE] = "not here",
	[LAB_UNEXPECTED] = "not as documented",
};

const struct lab_row *lab_row_at(size_t i)
{
	return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}

/* Without a relation that could have failed nothing was shown. */
static enum lab_verdict verdict_of(const struct lab *lab)
{
	if (lab->why[0])
		return LAB_NOT_HERE;
	for (size_t i = 0; i < lab->musts; i++)
		if (!lab->must[i].is_so)
			return LAB_UNEXPECTED;
	return lab->musts > 0 ? lab->row->verdict : LAB_UNEXPECTED;
}

void lab_run(struct lab *lab, const struct lab_row *row)
{
	uint64_t began = lab_now();

	memset(lab, 0, sizeof(*lab));
	lab->row = row;
	row->run(lab);
	while (lab->opens > 0)
		lab_close(NULL, lab->open[--lab->opens]);
	lab->took = lab_now() - began;
	lab->verdict = verdict_of(lab);
}

/* ---- notes ---- */

/* What goes without saying: it is only worth a word where it is not so. */
static bool can(struct lab *lab, bool is_so, const char *what)
{
	return is_so || lab_must(lab, false, what);
}

void lab_fact(struct lab *lab, const char *key, int64_t value, const char *unit)
{
	struct lab_fact *f = &lab->fact[lab->facts];

	if (!can(lab, lab->facts < LAB_FACTS, "there is room for what is measured"))
		return;
	snprintf(f->key, sizeof(f->key), "%s", key);
	snprintf(f->unit, sizeof(f->unit), "%s", unit);
	f->value = value;
	lab->facts++;
}

void lab_picture(struct lab *lab, const char *when, int client, int server)
{
	struct lab_picture *p = &lab->picture[lab->pictures];

	if (!can(lab, lab->pictures < LAB_PICTURES, "there is room for the pictures"))
		return;
	*p = (struct lab_picture){.when = {0}};
	snprintf(p->when, sizeof(p->when), "%s", when);
	p->has_client = client >= 0;
	p->has_server = server >= 0;
	if (client >= 0)
		can(lab, lab_levels_of(client, &p->client) == 0, "the client's buffers can be looked at");
	if (server >= 0)
		can(lab, lab_levels_of(server, &p->server) == 0, "the server's buffers can be looked at");
	lab->pictures++;
}

bool lab_must(struct lab *lab, bool is_so, const char *what)
{
	if (lab->musts == LAB_MUSTS) {
		lab->must[LAB_MUSTS - 1] = (struct lab_must){"there is room for what must be so", false};
		return is_so;
	}
	lab->must[lab->musts++] = (struct lab_must){what, is_so};
	return is_so;
}

void lab_not_here(struct lab *lab, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(lab->why, sizeof(lab->why), format, args);
	va_end(args);
}

int lab_keep(struct lab *lab, int fd)
{
	if (fd < 0)
		return fd;
	if (can(lab, lab->opens < LAB_OPEN, "there is room for what it opens"))
		lab->open[lab->opens++] = fd;
	return fd;
}

int lab_forget(struct lab *lab, int fd)
{
	size_t i = 0;

	while (i < lab->opens && lab->open[i] != fd)
		i++;
	if (i < lab->opens)
		lab->open[i] = lab->open[--lab->opens];
	return fd;
}

/* ---- what most begin with ---- */

bool lab_listening(struct lab *lab, struct lab_pair *p, int rcvbuf)
{
	struct lab_calls *calls = &lab->calls;
	int r = p->listener = lab_keep(lab, lab_socket(calls, "listener", AF_INET, SOCK_STREAM));

	p->client = p->server = -1;
	if (r >= 0 && rcvbuf)
		r = lab_set(calls, p->listener, "SO_RCVBUF", rcvbuf);
	if (r >= 0)
		r = lab_bind(calls, p->listener, "127.0.0.1", 0);
	if (r >= 0)
		r = lab_listen(calls, p->listener, 10);
	if (r >= 0)
		p->port = (uint16_t)lab_port(p->listener);
	return lab_must(lab, r >= 0, "a listener can be had");
}

bool lab_connected_with(struct lab *lab, struct lab_pair *p, int rcvbuf, int sndbuf)
{
	struct lab_calls *calls = &lab->calls;
	int r;

	if (!lab_listening(lab, p, rcvbuf))
		return false;
	r = p->client = lab_keep(lab, lab_socket(calls, "client", AF_INET, SOCK_STREAM));
	if (r >= 0 && sndbuf)
		r = lab_set(calls, p->client, "SO_SNDBUF", sndbuf);
	if (r >= 0)
		r = lab_connect(calls, p->client, "127.0.0.1", p->port);
	if (r >= 0)
		r = p->server = lab_keep(lab, lab_accept(calls, "server", p->listener));
	return lab_must(lab, r >= 0, "a connection can be had");
}

bool lab_connected(struct lab *lab, struct lab_pair *p)
{
	return lab_connected_with(lab, p, 0, 0);
}

bool lab_has_arrived(int fd, uint64_t n)
{
	struct lab_levels there = {.recv.used = 0};

	for (int i = 0; i < 10000 && there.recv.used < n; i++) {
		if (lab_levels_of(fd, &there) < 0)
			return false;
		lab_sleep(1);
	}
	return there.recv.used == n;
}

long lab_fill(struct lab *lab, int fd, const void *p, size_t n)
{
	enum { QUIET = 25, TIMES = 3 };
	char name[LAB_NAME_MAX];
	long first = lab_send_now(NULL, fd, p, n), r = first, sent = r > 0 ? r : 0;

	for (int quiet = 0; quiet < TIMES && (r > 0 || r == -EAGAIN);) {
		if (r == -EAGAIN)
			lab_sleep(QUIET);
		r = lab_send_now(NULL, fd, p, n);
		sent += r > 0 ? r : 0;
		quiet = r > 0 ? 0 : quiet + 1;
	}
	lab_say(&lab->calls, "send(%s, %zu bytes, MSG_DONTWAIT) = %ld at first, in all %ld, until %s",
		lab_name_of(&lab->calls, fd, name), n, first, sent, r == -EAGAIN ? "EAGAIN" : "it fails");
	lab_must(lab, r == -EAGAIN, "a send that may not wait is EAGAIN when there is no room");
	return sent;
}

long lab_drain(struct lab *lab, int fd, long n)
{
	enum { PATIENCE = 10000 };
	static char room[64 * 1024];
	char name[LAB_NAME_MAX];
	unsigned calls = 0;
	long got = 0, r = 1;

	while (got < n && r > 0 && lab_poll(NULL, fd, POLLIN, PATIENCE) > 0) {
		r = lab_recv_now(NULL, fd, room, sizeof(room));
		got += r > 0 ? r : 0;
		calls++;
	}
	lab_say(&lab->calls, "recv(%s) = %ld bytes, in %u calls", lab_name_of(&lab->calls, fd, name), got, calls);
	return got;
}

int lab_datagram_socket(struct lab *lab, const char *name, uint16_t *port)
{
	int fd = lab_keep(lab, lab_socket(&lab->calls, name, AF_INET, SOCK_DGRAM));
	int r = fd;

	if (r >= 0)
		r = lab_bind(&lab->calls, fd, "127.0.0.1", 0);
	if (r >= 0 && port)
		*port = (uint16_t)lab_port(fd);
	lab_must(lab, r >= 0, "a UDP socket can be had");
	return r < 0 ? r : fd;
}

/* ---- somebody else ---- */

static void *go(void *arg)
{
	struct lab_aside *aside = arg;

	aside->work(aside);
	aside->is_done = true;
	return NULL;
}

bool lab_begin(struct lab_aside *aside)
{
	aside->is_done = false;
	aside->result = 0;
	return lab_must(aside->lab, pthread_create(&aside->thread, NULL, go, aside) == 0, "a thread can be had");
}

bool lab_ended(struct lab_aside *aside, unsigned ms)
{
	for (unsigned i = 0; i < ms && !aside->is_done; i++)
		lab_sleep(1);
	return aside->is_done && pthread_join(aside->thread, NULL) == 0;
}
