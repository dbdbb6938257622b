/* SPDX-License-Identifier: MIT
 * Three socket models: one thread asks which connections are ready, and its recv does not wait then. See models.h. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "lab/models.h"

/* select: a bit for each descriptor, in and out. Only those below FD_SETSIZE have one; and it is all set again for
 * each call, and all looked through after it. */
void lab_by_select(struct lab_service *s)
{
	struct lab_meter began;
	bool goes_on = true;
	int most = 0;
	fd_set set;

	while (most < s->n && s->fd[most] < FD_SETSIZE)
		most++;
	s->n = most;
	s->memory = sizeof(set);
	s->is_ready = true;
	began = lab_meter_now();
	while (goes_on) {
		int last = 0;

		FD_ZERO(&set);
		for (int i = 0; i < s->n; i++) {
			FD_SET(s->fd[i], &set);
			last = s->fd[i] > last ? s->fd[i] : last;
		}
		goes_on = lab_select(last + 1, &set) > 0;
		s->waits++;
		s->looked += s->n;
		for (int i = 0; goes_on && i < s->n; i++)
			goes_on = !FD_ISSET(s->fd[i], &set) || lab_echo(s, s->fd[i]);
	}
	lab_meter_add(s, began, lab_meter_now());
}

/* poll: an entry for each descriptor, whatever its number. The kernel looks at all of them in each call, and then so
 * does the program. */
void lab_by_poll(struct lab_service *s)
{
	static struct pollfd all[LAB_MODELS_MAX];
	struct lab_meter began;
	bool goes_on = true;

	for (int i = 0; i < s->n; i++)
		all[i] = (struct pollfd){.fd = s->fd[i], .events = POLLIN};
	s->memory = (size_t)s->n * sizeof(all[0]);
	s->is_ready = true;
	began = lab_meter_now();
	while (goes_on) {
		goes_on = lab_poll_all(all, (size_t)s->n) > 0;
		s->waits++;
		s->looked += s->n;
		for (int i = 0; goes_on && i < s->n; i++)
			goes_on = !all[i].revents || lab_echo(s, all[i].fd);
	}
	lab_meter_add(s, began, lab_meter_now());
}

/* epoll: the kernel is told once which descriptors there are, and each call returns those that are ready, no other. */
void lab_by_epoll(struct lab_service *s)
{
	struct epoll_event ready[64];
	struct lab_meter began;
	int epoll = lab_epoll();
	bool goes_on = epoll >= 0;

	for (int i = 0; i < s->n; i++)
		goes_on = lab_epoll_add(epoll, s->fd[i]) == 0 && goes_on;
	s->memory = sizeof(ready);
	s->is_ready = true;
	began = lab_meter_now();
	while (goes_on) {
		int n = lab_epoll_wait(epoll, ready, 64);

		goes_on = n > 0;
		s->waits++;
		s->looked += n;
		for (int i = 0; goes_on && i < n; i++)
			goes_on = lab_echo(s, ready[i].data.fd);
	}
	lab_close(NULL, epoll);
	lab_meter_add(s, began, lab_meter_now());
}
