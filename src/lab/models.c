/* SPDX-License-Identifier: MIT
 * Experiment: the same echo for the same thousand connections, by each socket model. See models.h. */
#include "lab/models.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lab/lab.h"

/* In each round AT_ONCE of the clients send one message and wait for its echo; in the next it is others' turn. */
enum { ROUNDS = 40, AT_ONCE = 50, MESSAGES = ROUNDS * AT_ONCE, PATIENCE = 20000 };

/* What is open beside the connections, at most. */
enum { OTHERS = 24 };

static const char message[LAB_MODELS_MESSAGE] = "Hello World!";

enum { THREADS, SELECT, POLL, EPOLL, RING, MODELS };

/* The last is io_uring: a recv that it has asked for may outlive it. */
static const struct model {
	const char *name, *call, *echoes;
	void (*serve)(struct lab_service *s);
} models[MODELS] = {
	[THREADS] = {"threads", "recv, each in its thread", "threads: each message is echoed", lab_by_threads},
	[SELECT] = {"select", "select of all", "select: each message is echoed", lab_by_select},
	[POLL] = {"poll", "poll of all", "poll: each message is echoed", lab_by_poll},
	[EPOLL] = {"epoll", "epoll_wait", "epoll: each message is echoed", lab_by_epoll},
	[RING] = {"io_uring", "io_uring_submit_and_wait", "io_uring: each message is echoed", lab_by_ring},
};

static struct lab_service services[MODELS];

/* ---- for the models ---- */

bool lab_echo(struct lab_service *s, int fd)
{
	char room[LAB_MODELS_MESSAGE];
	long got = lab_recv(NULL, fd, room, sizeof(room));

	if (got <= 1 || lab_send(NULL, fd, room, (size_t)got) != got)
		return false;
	s->messages++;
	return true;
}

struct lab_meter lab_meter_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return (struct lab_meter){lab_cpu_time(), usage.ru_nvcsw};
}

void lab_meter_add(struct lab_service *s, struct lab_meter from, struct lab_meter to)
{
	s->cpu += (long)(to.cpu - from.cpu);
	s->switches += to.switches - from.switches;
}

/* ---- the connections ---- */

/* The ends of the server have the low numbers, as they have where clients are elsewhere; clients have those from
 * `high` on. */
struct crowd {
	int server[LAB_MODELS_MAX], client[LAB_MODELS_MAX];
	int n, high;
	struct rlimit limit; /* as it was */
};

static struct crowd crowd;

/* As many descriptors as may be had: how many connections they are for. */
static int make_room(void)
{
	struct rlimit more;
	rlim_t half;

	getrlimit(RLIMIT_NOFILE, &crowd.limit);
	more = (struct rlimit){crowd.limit.rlim_max, crowd.limit.rlim_max};
	if (setrlimit(RLIMIT_NOFILE, &more) < 0)
		more = crowd.limit;
	half = more.rlim_cur / 2;
	crowd.high = half < FD_SETSIZE ? (int)half : FD_SETSIZE;
	return crowd.high - OTHERS < LAB_MODELS_MAX ? crowd.high - OTHERS : LAB_MODELS_MAX;
}

/* The next client and the server's end of it: 0, or -errno. */
static int connect_one(const struct lab_pair *p)
{
	int low = lab_socket(NULL, NULL, AF_INET, SOCK_STREAM);
	int client = fcntl(low, F_DUPFD_CLOEXEC, crowd.high), server, r;

	if (low >= 0)
		lab_close(NULL, low);
	if (client < 0)
		return -errno;
	r = lab_connect(NULL, client, "127.0.0.1", p->port);
	server = r < 0 ? r : lab_accept(NULL, NULL, p->listener);
	if (server < 0) {
		lab_close(NULL, client);
		return server;
	}
	crowd.client[crowd.n] = client;
	crowd.server[crowd.n++] = server;
	return 0;
}

static bool connect_all(struct lab *lab)
{
	struct lab_pair p;
	int n = make_room();

	crowd.n = 0;
	if (!lab_listening(lab, &p, 0))
		return false;
	while (crowd.n < n && connect_one(&p) == 0)
		continue;
	lab_say(&lab->calls, "connect(a client, 127.0.0.1 port %u) = 0, %d times", p.port, crowd.n);
	lab_say(&lab->calls, "accept(listener), %d times", crowd.n);
	lab_fact(lab, "connections", crowd.n, "");
	return lab_must(lab, crowd.n >= 2 * AT_ONCE, "some hundred connections can be had");
}

/* By a reset, so that no port is left in TIME_WAIT. */
static void close_all(void)
{
	while (crowd.n > 0) {
		lab_set(NULL, crowd.client[--crowd.n], "SO_LINGER", 0);
		lab_close(NULL, crowd.client[crowd.n]);
		lab_close(NULL, crowd.server[crowd.n]);
	}
	setrlimit(RLIMIT_NOFILE, &crowd.limit);
}

/* ---- the clients ---- */

static bool comes_back(int fd)
{
	char room[LAB_MODELS_MESSAGE];
	size_t got = 0;

	while (got < sizeof(room)) {
		long r = -1;

		if (lab_poll(NULL, fd, POLLIN, PATIENCE) > 0)
			r = lab_recv(NULL, fd, room + got, sizeof(room) - got);
		if (r <= 0)
			return false;
		got += (size_t)r;
	}
	return memcmp(room, message, sizeof(room)) == 0;
}

/* AT_ONCE clients from this one on, of n. */
static bool one_round(int first, int n)
{
	bool is_well = true;

	for (int i = first; i < first + AT_ONCE; i++)
		lab_send(NULL, crowd.client[i % n], message, sizeof(message));
	for (int i = first; is_well && i < first + AT_ONCE; i++)
		is_well = comes_back(crowd.client[i % n]);
	return is_well;
}

/* ---- the experiment ---- */

/* n is which model. */
static void serve(struct lab_aside *aside)
{
	models[aside->n].serve(&services[aside->n]);
}

/* A number of a model, under its name. */
static void fact(struct lab *lab, const struct model *m, const char *what, long value, const char *unit)
{
	char key[LAB_TEXT_MAX];

	snprintf(key, sizeof(key), "%s: %s", m->name, what);
	lab_fact(lab, key, value, unit);
}

static void tell(struct lab *lab, const struct model *m, const struct lab_service *s)
{
	if (s->why) {
		lab_say(&lab->calls, "%s", s->why);
		fact(lab, m, "not here", s->messages, "messages");
		return;
	}
	lab_say(&lab->calls, "%s, %ld times", m->call, s->waits);
	fact(lab, m, "CPU for each message", s->cpu / MESSAGES, "ns");
	fact(lab, m, "context switches", s->switches, "");
	fact(lab, m, "waits", s->waits, "calls");
	if (s->looked)
		fact(lab, m, "looked at for messages", s->looked, "times");
	fact(lab, m, "memory that it keeps for the connections", (long)s->memory, "bytes");
	if (s->threads)
		fact(lab, m, "memory in use, more than before them", s->resident, "bytes");
}

/* False: it did not end when it was told to, and there are no connections any more. */
static bool measure(struct lab *lab, size_t which)
{
	struct lab_service *s = &services[which];
	struct lab_aside aside = {.work = serve, .lab = lab, .n = which};
	int rounds = 0;

	memset(s, 0, sizeof(*s));
	memcpy(s->fd, crowd.server, sizeof(s->fd));
	s->n = crowd.n;
	if (!lab_begin(&aside))
		return false;
	while (!s->is_ready)
		lab_sleep(1);
	while (!s->why && rounds < ROUNDS && one_round(rounds * AT_ONCE, s->n))
		rounds++;
	for (int i = 0; i < (s->threads ? s->n : 1); i++)
		lab_send_now(NULL, crowd.client[i], "!", 1);
	if (!lab_must(lab, lab_ended(&aside, PATIENCE), "the model ends when it is told to")) {
		close_all(); /* a reset ends it as well */
		lab_ended(&aside, PATIENCE);
		return false;
	}
	lab_must(lab, s->why || (rounds == ROUNDS && s->messages == MESSAGES), models[which].echoes);
	tell(lab, &models[which], s);
	return true;
}

/* By counts: what time it takes is another thing on each machine. */
static void compare(struct lab *lab)
{
	const struct lab_service *threads = &services[THREADS], *select = &services[SELECT], *poll = &services[POLL],
				 *epoll = &services[EPOLL], *ring = &services[RING];

	lab_must(lab, threads->threads == threads->n, "threads: as many as connections");
	lab_must(lab, threads->switches >= MESSAGES / 2, "threads: a context switch for each message, about");
	lab_must(lab, select->looked >= (long)select->n * ROUNDS,
		 "select looks at all of them for each round at least");
	lab_must(lab, poll->looked >= (long)poll->n * ROUNDS, "poll does as well");
	lab_must(lab, epoll->looked == MESSAGES + 1, "epoll looks at those that are ready: one for each message");
	lab_must(lab, ring->why || ring->looked == 2 * MESSAGES + 1, "io_uring: done are a recv and a send for each");
}

static void show_limit(struct lab *lab)
{
	int within = lab_fd_set_alone(FD_SETSIZE - 1), beyond = lab_fd_set_alone(FD_SETSIZE);

	lab_say(&lab->calls, "FD_SET(%d), in a process of its own: signal %d", FD_SETSIZE - 1, within);
	lab_say(&lab->calls, "FD_SET(%d), in a process of its own: signal %d", FD_SETSIZE, beyond);
	lab_fact(lab, "select: descriptors that have a bit in an fd_set", FD_SETSIZE, "");
	lab_fact(lab, "select: connections served of those", services[SELECT].n, "");
	lab_must(lab, within == 0 && beyond == SIGABRT, "FD_SET of the next one ends a hardened process: SIGABRT");
}

void lab_models(struct lab *lab)
{
	bool goes_on = connect_all(lab);

	for (size_t i = 0; goes_on && i < MODELS; i++)
		goes_on = measure(lab, i);
	if (goes_on) {
		compare(lab);
		show_limit(lab);
	}
	close_all();
}
