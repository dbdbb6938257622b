/* SPDX-License-Identifier: MIT
 * A socket model: a thread for each connection. Nothing is simpler: each may wait in recv. See models.h. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lab/models.h"

/* What a thread asks for. The usual stack is 8 MiB of address space; it is not memory before it is used. */
enum { STACK = 64 * 1024 };

struct one {
	pthread_t thread;
	struct lab_service *service;
	int fd;
};

static struct one all[LAB_MODELS_MAX];

static void *serve_one(void *arg)
{
	struct one *one = arg;
	struct lab_service *s = one->service;
	struct lab_meter began = lab_meter_now(), done = began;

	s->at_work++;
	while (lab_echo(s, one->fd)) {
		s->waits++;
		done = lab_meter_now();
	}
	lab_meter_add(s, began, done);
	return NULL;
}

/* As many as there can be: how many. */
static int start(struct lab_service *s)
{
	pthread_attr_t attr;
	int n = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	for (; n < s->n; n++) {
		all[n] = (struct one){.service = s, .fd = s->fd[n]};
		if (pthread_create(&all[n].thread, &attr, serve_one, &all[n]) != 0)
			break;
	}
	pthread_attr_destroy(&attr);
	while (s->at_work < n)
		lab_sleep(1);
	return n;
}

/* The number behind a name in what /proc says. */
static long number_of(const char *text, const char *name)
{
	const char *p = strstr(text, name);
	long n = 0;

	if (!p)
		return 0;
	for (p += strlen(name); *p == ' ' || *p == '\t'; p++)
		continue;
	for (; *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (*p - '0');
	return n;
}

/* What the kernel says of this process: threads, and bytes of memory. */
static void look(long *threads, long *resident)
{
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	*threads = number_of(text, "\nThreads:");
	*resident = number_of(text, "\nVmRSS:") * 1024;
	close(fd);
}

void lab_by_threads(struct lab_service *s)
{
	long threads, resident;

	look(&threads, &resident);
	s->n = start(s);
	look(&s->threads, &s->resident);
	s->threads -= threads;
	s->resident -= resident;
	s->memory = (size_t)s->n * STACK;
	s->is_ready = true;
	for (int i = 0; i < s->n; i++)
		pthread_join(all[i].thread, NULL);
}
