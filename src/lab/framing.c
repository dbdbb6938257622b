/* SPDX-License-Identifier: MIT
 * Experiment: three ways to tell where a message ends in a stream of bytes. */
#include <stdio.h>

#include "lab/lab.h"

enum { TEN = 10, HEADER = 2, FIXED = 40, STREAM = 1000 };

/* A way to frame: how the sender marks the end of a message, and how the receiver finds it. */
struct way {
	const char *name;
	/* The message as it goes out: its length. */
	size_t (*put)(uint8_t *to, struct sb_slice message);
	/* The message at the beginning of n bytes: as many as it takes up, frame and all, 0 while it is not whole. */
	size_t (*cut)(const uint8_t *p, size_t n, struct sb_slice *message);
};

/* By length: two bytes before each say how many follow, the high one first. */
static size_t put_length(uint8_t *to, struct sb_slice message)
{
	to[0] = (uint8_t)(message.n >> 8);
	to[1] = (uint8_t)message.n;
	memcpy(to + HEADER, message.p, message.n);
	return HEADER + message.n;
}

static size_t cut_length(const uint8_t *p, size_t n, struct sb_slice *message)
{
	size_t length;

	if (n < HEADER)
		return 0;
	length = (size_t)p[0] << 8 | p[1];
	if (n < HEADER + length)
		return 0;
	*message = (struct sb_slice){p + HEADER, length};
	return HEADER + length;
}

/* By delimiter: a line feed after each, which the message itself may then not contain. */
static size_t put_line(uint8_t *to, struct sb_slice message)
{
	memcpy(to, message.p, message.n);
	to[message.n] = '\n';
	return message.n + 1;
}

static size_t cut_line(const uint8_t *p, size_t n, struct sb_slice *message)
{
	const uint8_t *end = memchr(p, '\n', n);

	if (!end)
		return 0;
	*message = (struct sb_slice){p, (size_t)(end - p)};
	return message->n + 1;
}

/* By fixed size: all are as long as the longest may be, and the rest is filled with zeros. */
static size_t put_fixed(uint8_t *to, struct sb_slice message)
{
	memset(to, 0, FIXED);
	memcpy(to, message.p, message.n);
	return FIXED;
}

static size_t cut_fixed(const uint8_t *p, size_t n, struct sb_slice *message)
{
	if (n < FIXED)
		return 0;
	*message = (struct sb_slice){p, strnlen((const char *)p, FIXED)};
	return FIXED;
}

static const struct way ways[] = {
	{"length header", put_length, cut_length},
	{"delimiter", put_line, cut_line},
	{"fixed size", put_fixed, cut_fixed},
};

static const char *const messages[TEN] = {
	"Hello World!", "a",   "the second is one byte long", "four", "", "the one before is empty", "7",
	"eight",        "9th", "the tenth, and the end",
};

static size_t bytes_of_all(void)
{
	size_t n = 0;

	for (int i = 0; i < TEN; i++)
		n += strlen(messages[i]);
	return n;
}

static size_t send_all(struct lab *lab, int fd, const struct way *way)
{
	uint8_t frame[FIXED + HEADER];
	size_t sent = 0;

	for (int i = 0; i < TEN; i++) {
		size_t n = way->put(frame, sb_slice_cstr(messages[i]));

		sent += lab_send(NULL, fd, frame, n) == (long)n ? n : 0;
	}
	lab_say(&lab->calls, "send(client, a message by %s), 10 times, %zu bytes in all", way->name, sent);
	return sent;
}

/* Reads in pieces of odd sizes, keeps what is not whole yet, and cuts off what is: as many as came out as sent. */
static int receive_all(struct lab *lab, int fd, const struct way *way, size_t n)
{
	static const size_t pieces[] = {1, 7, 3, 31, 11};
	struct sb_slice message;
	uint8_t room[STREAM];
	size_t kept = 0, used;
	int recvs = 0, right = 0, at = 0;

	for (; n > 0; recvs++) {
		size_t piece = pieces[recvs % 5] < n ? pieces[recvs % 5] : n;
		long got = lab_recv(NULL, fd, room + kept, piece);

		if (got <= 0)
			break;
		kept += (size_t)got;
		n -= (size_t)got;
		for (; at < TEN && (used = way->cut(room, kept, &message)) > 0; at++) {
			right += sb_slice_eq(message, sb_slice_cstr(messages[at]));
			memmove(room, room + used, kept -= used);
		}
	}
	lab_say(&lab->calls, "recv(server, room for 1, 7, 3, 31, 11, 1, ...), %d times", recvs);
	lab_must(lab, kept == 0 && recvs > TEN, "they come in more pieces than ten, and nothing is left over");
	return right;
}

void lab_framing(struct lab *lab)
{
	struct lab_pair p;

	if (!lab_connected(lab, &p))
		return;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		size_t sent = send_all(lab, p.client, &ways[i]);
		char key[LAB_TEXT_MAX];
		int right;

		if (i == 0)
			lab_picture(lab, "ten messages with their lengths are on their way", p.client, p.server);
		right = receive_all(lab, p.server, &ways[i], sent);
		snprintf(key, sizeof(key), "by %s: messages restored", ways[i].name);
		lab_fact(lab, key, right, "");
		snprintf(key, sizeof(key), "by %s: ten messages of %zu bytes took", ways[i].name, bytes_of_all());
		lab_fact(lab, key, (int64_t)sent, "bytes");
		lab_must(lab, right == TEN, "the receiver has the sender's ten messages");
	}
}
