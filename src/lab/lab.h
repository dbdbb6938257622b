/* SPDX-License-Identifier: MIT
 *
 * Experiments: each shows one claim about sockets on the kernel that runs. It makes calls, looks, and says which
 * relations must be true for the result that is documented for it; when one is not, the result is another.
 *
 * A new experiment is a function in the file of its group and a row of experiments.def:
 *
 *   void lab_coalesce(struct lab *lab)
 *   {
 *           struct lab_pair p;
 *
 *           if (!lab_connected(lab, &p))
 *                   return;
 *           for (int i = 0; i < 10; i++)
 *                   lab_send(&lab->calls, p.client, message, 100);
 *           lab_picture(lab, "after ten sends", p.client, p.server);
 *           got = lab_recv(&lab->calls, p.server, room, sizeof(room));
 *           lab_fact(lab, "recv returned", got, "bytes");
 *           lab_must(lab, got == 1000, "one recv returns all ten messages");
 *   }
 */
#ifndef SB_LAB_LAB_H
#define SB_LAB_LAB_H

#include "base/text.h"
#include "lab/sock.h"

enum lab_verdict {
	LAB_HOLDS,
	LAB_DIFFERS,    /* holds on Linux with a difference */
	LAB_FAILS,      /* does not hold */
	LAB_NOT_HERE,   /* cannot be shown here */
	LAB_UNEXPECTED, /* what must be true for the documented result was not */
	LAB_VERDICTS
};

extern const char *const lab_verdicts[LAB_VERDICTS];

struct lab;

struct lab_row {
	const char *name, *claim;
	enum lab_verdict verdict; /* as documented: HOLDS, DIFFERS or FAILS */
	const char *lesson;       /* in which way, or why; what one takes home */
	void (*run)(struct lab *lab);
};

/* The i-th of experiments.def, NULL when there are no more. */
const struct lab_row *lab_row_at(size_t i);

/* What the lecture notes claim, which of them ("1 2"), and where that is shown: an experiment, or NULL and a page of
 * docs/. */
struct lab_claim {
	const char *id, *notes, *claim;
	const struct lab_row *row;
	const char *page;
};

/* The i-th of claims.def: 0, or -1 when there are no more. */
int lab_claim_at(size_t i, struct lab_claim *claim);

enum { LAB_FACTS = 32, LAB_PICTURES = 6, LAB_MUSTS = 32, LAB_OPEN = 64, LAB_TEXT_MAX = 72 };

struct lab_fact {
	char key[LAB_TEXT_MAX], unit[16];
	int64_t value;
};

struct lab_picture {
	char when[LAB_TEXT_MAX];
	struct lab_levels client, server;
	bool has_client, has_server; /* there was a socket to ask */
};

struct lab_must {
	const char *what;
	bool is_so;
};

/* What an experiment leaves. Texts of rows and musts are constants. */
struct lab {
	const struct lab_row *row;
	struct lab_calls calls;
	struct lab_fact fact[LAB_FACTS];
	struct lab_picture picture[LAB_PICTURES];
	struct lab_must must[LAB_MUSTS];
	size_t facts, pictures, musts;
	int open[LAB_OPEN]; /* closed when it is over */
	size_t opens;
	char why[LAB_LINE_MAX]; /* it is not here */
	uint64_t took;          /* nanoseconds */
	enum lab_verdict verdict;
};

/* Runs it: the verdict is in *lab. Whatever it opened by lab_keep() is closed. */
void lab_run(struct lab *lab, const struct lab_row *row);

#define LAB_EXPERIMENT(fn, name, verdict, claim, lesson) void fn(struct lab *lab);
#include "lab/experiments.def"
#undef LAB_EXPERIMENT

/* ---- for experiments ---- */

/* Something measured. */
void lab_fact(struct lab *lab, const char *key, int64_t value, const char *unit);
/* The four buffers at this moment; -1 for a side that there is not. */
void lab_picture(struct lab *lab, const char *when, int client, int server);
/* What must be true for the documented result. Returns is_so. */
bool lab_must(struct lab *lab, bool is_so, const char *what);
/* It cannot be shown here: a network namespace, IPv6 or io_uring is missing. */
void lab_not_here(struct lab *lab, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Closes it at the end, if it is one. Returns fd, or -errno as it came. */
int lab_keep(struct lab *lab, int fd);
/* No longer: the experiment closes it itself. Returns fd. */
int lab_forget(struct lab *lab, int fd);

struct lab_pair {
	int listener, client, server;
	uint16_t port;
};

/* A TCP listener of 127.0.0.1 on a free port; with buffers of so many bytes as setsockopt takes them, 0: as they are.
 * False: it could not be had, and that is noted. */
bool lab_listening(struct lab *lab, struct lab_pair *p, int rcvbuf);
/* And a client connected to it, and the server's end of it. */
bool lab_connected(struct lab *lab, struct lab_pair *p);
/* The same, with SO_RCVBUF of the server and SO_SNDBUF of the client set before, 0: as they are. */
bool lab_connected_with(struct lab *lab, struct lab_pair *p, int rcvbuf, int sndbuf);

/* So many bytes, and no more, lie in the receive buffer. Waits for them: what is sent on loopback arrives soon, and not
 * always at once. */
bool lab_has_arrived(int fd, uint64_t n);

/* Sends n bytes at a time until nothing more is taken, and for a while nothing is: acknowledgements may still make
 * room. How many bytes were taken; that it ended by EAGAIN is a must. */
long lab_fill(struct lab *lab, int fd, const void *p, size_t n);
/* Receives n bytes, in as many calls as that takes, or what there is before the end: how many. */
long lab_drain(struct lab *lab, int fd, long n);

/* A UDP socket of 127.0.0.1 on a free port, which is *port where that is not NULL. Its descriptor, or -errno, and that
 * is noted. */
int lab_datagram_socket(struct lab *lab, const char *name, uint16_t *port);

/* Somebody else at work at the same time: a blocking call that may take long. */
struct lab_aside {
	pthread_t thread;
	void (*work)(struct lab_aside *aside);
	struct lab *lab;
	int fd;
	const void *from;
	size_t n;
	_Atomic long result; /* of its call */
	_Atomic bool is_done;
};

/* Begins work() on another thread; everything of *aside but thread, result and is_done is set before. */
bool lab_begin(struct lab_aside *aside);
/* Waits until it is done, ms at most. True: it is, and its thread has ended. */
bool lab_ended(struct lab_aside *aside, unsigned ms);

/* ---- for who shows them ---- */

/* The picture as text: two boxes side by side, 78 columns. is_fine: with line drawing characters of UTF-8. */
void lab_draw(struct sb_text *t, const struct lab_picture *picture, bool is_fine);
/* All of it as one line of JSON. */
void lab_json(struct sb_text *t, const struct lab *lab);

#endif
