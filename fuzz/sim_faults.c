/* SPDX-License-Identifier: MIT
 * The simulated kernel: calls that fail because a script or a sweep says so. */
#include <errno.h>
#include <string.h>

#include "found.h"
#include "sys_sim.h"

static const struct {
	uint8_t letter;
	enum sim_call call;
	int err;
} faults[] = {
#define SBS_FAULT(letter, call, err) {letter, SIM_CALL_##call, -err},
#include "script/faults.def"
#undef SBS_FAULT
};

enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

const char *sim_call_name(enum sim_call call)
{
	static const char *const names[SIM_CALLS + 1] = {
#define SIM_CALL(id, name) name,
#include "sim_calls.def"
#undef SIM_CALL
		"nothing",
	};

	return names[call];
}

int sim_fault_at(enum sim_call call, uint32_t nth)
{
	for (int i = 0; i < FAULTS; i++)
		if (faults[i].call == call && nth-- == 0)
			return faults[i].err;
	return 0;
}

static int sweep_err(struct sb_sys *k, enum sim_call call, const void *site)
{
	k->sweep_hit = call;
	k->sweep_site = site;
	k->is_sweep_shed = k->is_shedding;
	return k->sweep_err = sim_fault_at(call, k->sweep_nth);
}

int sim_fault(struct sb_sys *k, enum sim_call call, const void *site)
{
	int err = k->fail[call];

	k->fail[call] = 0;
	if (k->is_spared)
		return err;
	if (k->seen && k->calls < SIM_CALLS_SEEN)
		k->seen[k->calls] = (struct sim_seen){.call = (uint8_t)call, .site = site};
	if (++k->calls == k->sweep_at) {
		k->is_sweep_over = err != 0;
		err = sweep_err(k, call, site);
	}
	if (err) {
		k->faults++;
		k->failed[call]++;
		k->fault_err = call == SIM_CALL_CLOSE ? k->fault_err : err; /* nobody hears of that */
		sb_tell("  kernel: %s fails with %d", sim_call_name(call), -err);
		sim_progress(k);
	}
	return err;
}

int sim_fault_of(struct sb_sys *k, struct sim_conn *c, enum sim_call call, const void *site)
{
	int err = sim_fault(k, call, site);

	c->is_swept = c->is_swept || (err && k->calls == k->sweep_at && k->sweep_hit == call);
	return err;
}

static int row_of(uint8_t letter)
{
	for (int i = 0; i < FAULTS; i++)
		if (faults[i].letter == letter)
			return i;
	return letter % FAULTS;
}

void sim_fail(struct sb_sys *k, struct sim_conn *c, uint8_t letter)
{
	int row = row_of(letter);

	switch (faults[row].call) {
	case SIM_CALL_RECV:
		if (c)
			c->fail_in = faults[row].err;
		break;
	case SIM_CALL_SEND:
		if (c)
			c->fail_out = faults[row].err;
		break;
	case SIM_CALL_SHUTDOWN:
		if (c)
			c->fail_shut = faults[row].err;
		break;
	default:
		k->fail[faults[row].call] = faults[row].err;
	}
}

bool sim_is_start(uint8_t letter)
{
	switch (faults[row_of(letter)].call) {
	case SIM_CALL_SOCKET:
	case SIM_CALL_BIND:
	case SIM_CALL_LISTEN:
	case SIM_CALL_SOCKNAME:
	case SIM_CALL_CONNECT:
	case SIM_CALL_UNLINK:
	case SIM_CALL_WANT_DST:
	case SIM_CALL_EPOLL_OPEN:
	case SIM_CALL_WAKE_OPEN:
	case SIM_CALL_RANDOM:
		return true;
	default:
		return false;
	}
}

void sim_calm(struct sb_sys *k)
{
	memset(k->fail, 0, sizeof(k->fail));
	k->fds_max = SIM_FDS;
	k->is_log_full = false;
	k->log_max = 0;
	k->is_foreign = false;
	for (uint32_t i = 0; i < k->conns; i++) {
		struct sim_conn *c = &k->conn[i];

		c->eintr_in = c->again_in = c->eintr_out = c->again_out = c->short_out = 0;
		c->fail_in = c->fail_out = c->fail_shut = 0;
		c->is_reader_slow = c->is_net_slow = false;
	}
}
