/* SPDX-License-Identifier: MIT
 * In place of reliable.c where there is no ENet. */
#include "lab/lab.h"

void lab_reliable(struct lab *lab)
{
	lab_not_here(lab, "this build has no ENet, the reliable UDP that this experiment runs");
}
