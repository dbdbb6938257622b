/* SPDX-License-Identifier: MIT
 *
 * Socket models: the ways in which one program serves many connections. Each is a function that echoes what comes, and
 * counts what that takes; read them side by side:
 *
 *   models_threads.c   a thread for each connection, and each waits in its recv
 *   models_ready.c     one thread waits for all of them, by select, poll or epoll, and recv does not wait then
 *   models_ring.c      one thread asks the kernel for all recvs beforehand, and waits for what is done
 *
 * A message of one byte is not echoed: it ends the server, or with threads the one of its connection.
 */
#ifndef SB_LAB_MODELS_H
#define SB_LAB_MODELS_H

#include "lab/sock.h"

enum { LAB_MODELS_MAX = 1000, LAB_MODELS_MESSAGE = 100 };

/* What a model is given, and what it counts. Threads share it. */
struct lab_service {
	int fd[LAB_MODELS_MAX];
	int n;                 /* connections: the model makes it fewer when it cannot serve more */
	_Atomic int at_work;   /* threads that are about to wait for the first message */
	_Atomic bool is_ready; /* the model is: set by it, also when it cannot serve at all */
	const char *why;       /* it cannot */

	_Atomic long messages; /* echoed */
	_Atomic long waits;    /* calls that wait for messages */
	_Atomic long looked;   /* connections that were looked at for them */
	_Atomic long switches; /* context switches because a thread had to wait */
	_Atomic long cpu;      /* nanoseconds of its threads */
	long threads;          /* of the process, more than before */
	long resident;         /* bytes of memory of the process, more than before */
	size_t memory;         /* bytes that it keeps for its connections */
};

/* Receives one message and sends it back. False: it was the last, or the connection is gone. */
bool lab_echo(struct lab_service *s, int fd);

/* What this thread has used by now; and what it has used between two moments goes on the bill. */
struct lab_meter {
	uint64_t cpu;
	long switches;
};

struct lab_meter lab_meter_now(void);
void lab_meter_add(struct lab_service *s, struct lab_meter from, struct lab_meter to);

/* The models. */
void lab_by_threads(struct lab_service *s);
void lab_by_select(struct lab_service *s);
void lab_by_poll(struct lab_service *s);
void lab_by_epoll(struct lab_service *s);
void lab_by_ring(struct lab_service *s);

/* FD_SET of a descriptor, in a process of its own that it may cost: the signal that ended it, 0 when none did. */
int lab_fd_set_alone(int fd);

#endif
