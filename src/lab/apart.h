/* SPDX-License-Identifier: MIT
 *
 * A network of an experiment's own (a network namespace), where a machine can be taken away and brought back: what a
 * network does to TCP, seen without a network and without root.
 */
#ifndef SB_LAB_APART_H
#define SB_LAB_APART_H

#include "lab/lab.h"

/* Addresses for documentation, which no machine has; in such a network this one has both. What is to go from one to the
 * other is bound to lab_home first. */
extern const char lab_home[], lab_away[];

/* Runs it in a process of its own, in a network of its own; what it notes is noted in *lab. False: there can be no
 * such network here, and nothing was run. */
bool lab_run_apart(struct lab *lab, void (*run)(struct lab *lab));

/* In there: lab_away is nobody's address any more, and what is sent to it comes to nothing, without a word; and it is
 * somebody's again. False: it could not be done, and that is noted. */
bool lab_take_away(struct lab *lab);
bool lab_bring_back(struct lab *lab);

#endif
