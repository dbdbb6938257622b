/* SPDX-License-Identifier: MIT
 * FORWARD: what a client sends goes to a server of its own, to=, and what that says comes back to the client. Each
 * direction is cut, read and ended as its own keys say: up.frag=1, down.close=rst. */
#include "service/service.h"

const struct sb_service_ops sb_service_forward = {.route = SB_ROUTE_ACROSS};
