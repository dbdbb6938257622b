/* SPDX-License-Identifier: MIT
 * DISCARD (RFC 863): every message is read, checked against its framing, and dropped. */
#include "service/service.h"

const struct sb_service_ops sb_service_discard = {.route = SB_ROUTE_NONE};
