/* SPDX-License-Identifier: MIT
 * The table of services. */
#include "service/service.h"

#include "base/nearest.h"

#define SB_SERVICE(name, impl, groups, help) extern const struct sb_service_ops sb_service_##impl;
#include "service/services.def"
#undef SB_SERVICE

static const struct sb_service services[] = {
#define SB_SERVICE(name, impl, groups, help) {#name, help, groups, &sb_service_##impl},
#include "service/services.def"
#undef SB_SERVICE
};

const struct sb_service *sb_service_at(size_t i)
{
	return i < sizeof(services) / sizeof(services[0]) ? &services[i] : NULL;
}

static const char *name_at(const void *list, size_t i)
{
	const struct sb_service *s = sb_service_at(i);

	(void)list;
	return s ? s->name : NULL;
}

const struct sb_service *sb_service_named(struct sb_slice name, uint32_t col, struct sb_fault *fault)
{
	const struct sb_service *s;
	const char *nearest;

	for (size_t i = 0; (s = sb_service_at(i)); i++)
		if (sb_slice_is(name, s->name))
			return s;
	nearest = sb_nearest(name, name_at, NULL);
	if (nearest)
		sb_fault_set(fault, SB_E_UNKNOWN, col, "unknown service \"%.*s\" (did you mean %s?)",
			     SB_FAULT_WORD(name), nearest);
	else
		sb_fault_set(fault, SB_E_UNKNOWN, col,
			     "unknown service \"%.*s\": a line begins with one of them, as ECHO", SB_FAULT_WORD(name));
	return NULL;
}
