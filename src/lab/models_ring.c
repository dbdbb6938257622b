/* SPDX-License-Identifier: MIT
 * A socket model: nobody asks what is ready. A recv for each connection is under way, and what is done is told of. See
 * models.h; Winsock calls it overlapped, and its queue a completion port. */
#include "lab/models.h"
#include "lab/ring.h"

enum { PLACES = 256, BATCH = 64 };

/* A buffer for each connection, lent to the kernel as long as nothing comes: also when the connection is idle. */
static char lent[LAB_MODELS_MAX][LAB_MODELS_MESSAGE];

/* The tags: a recv has the number of its connection, a send the same and this. */
enum { SENT = LAB_MODELS_MAX };

/* The recv is done: send what came. The send is done: receive again. False: it was the last. */
static bool go_on(struct lab_service *s, struct lab_ring *ring, const struct lab_done *done)
{
	int i = (int)(done->tag % SENT);

	if (done->tag < SENT)
		return done->result > 1 &&
		       lab_ring_send(ring, s->fd[i], lent[i], (size_t)done->result, SENT + done->tag) == 0;
	s->messages++;
	return done->result > 0 && lab_ring_recv(ring, s->fd[i], lent[i], sizeof(lent[i]), done->tag - SENT) == 0;
}

static void serve(struct lab_service *s, struct lab_ring *ring)
{
	struct lab_done done[BATCH];
	struct lab_meter began;
	bool goes_on = true;

	for (int i = 0; goes_on && i < s->n; i++)
		goes_on = lab_ring_recv(ring, s->fd[i], lent[i], sizeof(lent[i]), (uint64_t)i) == 0;
	lab_ring_submit(ring);
	s->is_ready = true;
	began = lab_meter_now();
	while (goes_on) {
		int n = lab_ring_wait(ring, done, BATCH, -1);

		goes_on = n > 0;
		s->waits++;
		s->looked += n;
		for (int i = 0; goes_on && i < n; i++)
			goes_on = go_on(s, ring, &done[i]);
	}
	lab_meter_add(s, began, lab_meter_now());
}

void lab_by_ring(struct lab_service *s)
{
	struct lab_ring ring;
	int r = lab_ring_open(NULL, &ring, PLACES);

	if (r < 0) {
		s->why = lab_ring_reason(r);
		s->is_ready = true;
		return;
	}
	s->memory = (size_t)s->n * sizeof(lent[0]);
	serve(s, &ring);
	lab_ring_close(&ring);
}
