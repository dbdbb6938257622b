/* SPDX-License-Identifier: MIT
 * Experiments: the four buffers in the kernel, and who waits for what. */
#include "lab/lab.h"

void lab_send_returns(struct lab *lab)
{
	static const char hello[100] = "Hello World!";
	struct lab_levels there = {.recv.used = 0};
	struct lab_pair p;
	long sent;

	if (!lab_connected(lab, &p))
		return;
	lab_picture(lab, "before", p.client, p.server);
	sent = lab_send(&lab->calls, p.client, hello, sizeof(hello));
	for (int i = 0; i < 1000 && there.recv.used < sizeof(hello); i++) {
		lab_levels_of(p.server, &there);
		lab_sleep(1);
	}
	lab_picture(lab, "send has returned, and nobody has called recv", p.client, p.server);
	lab_fact(lab, "send returned", sent, "bytes");
	lab_must(lab, sent == (long)sizeof(hello), "send returns, with all its bytes taken");
	lab_must(lab, there.recv.used == sizeof(hello), "they lie in the server's receive buffer");
}
