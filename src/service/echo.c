/* SPDX-License-Identifier: MIT
 * ECHO (RFC 862): every complete message goes back as it came, byte for byte, its framing included. */
#include "service/service.h"

const struct sb_service_ops sb_service_echo = {.route = SB_ROUTE_BACK};
