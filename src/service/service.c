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

static const char *const verbs[] = {
#define SB_VERB(name, fn, takes_keys, help) #name,
#include "service/verbs.def"
#undef SB_VERB
};

enum { SERVICES = sizeof(services) / sizeof(services[0]), VERBS = sizeof(verbs) / sizeof(verbs[0]) };

/* Services first, then control verbs. */
const char *sb_verb_name_at(const void *list, size_t i)
{
	(void)list;
	if (i < SERVICES)
		return services[i].name;
	return i - SERVICES < VERBS ? verbs[i - SERVICES] : NULL;
}

static bool is_control(struct sb_slice name)
{
	for (size_t i = 0; i < VERBS; i++)
		if (sb_slice_is(name, verbs[i]))
			return true;
	return false;
}

static void say_unknown(struct sb_slice name, uint32_t col, struct sb_fault *fault)
{
	const char *nearest = sb_nearest(name, sb_verb_name_at, NULL);

	if (is_control(name))
		sb_fault_set(
			fault, SB_E_UNKNOWN, col,
			"%.*s is a control verb: it is said on a connection, as SB1 %.*s; here a service is needed",
			SB_FAULT_WORD(name), SB_FAULT_WORD(name));
	else if (nearest)
		sb_fault_set(fault, SB_E_UNKNOWN, col, "unknown verb \"%.*s\" (did you mean %s?)", SB_FAULT_WORD(name),
			     nearest);
	else
		sb_fault_set(fault, SB_E_UNKNOWN, col, "unknown verb \"%.*s\": a line begins with one, as ECHO",
			     SB_FAULT_WORD(name));
}

static bool is_service(struct sb_slice name)
{
	for (size_t i = 0; i < SERVICES; i++)
		if (sb_slice_is(name, services[i].name))
			return true;
	return false;
}

int sb_verb_first(const struct sb_line *line, bool is_control_taken, int err, struct sb_fault *fault)
{
	if (err >= 0 || line->verb.n == 0 || is_service(line->verb) || (is_control_taken && is_control(line->verb)))
		return err;
	say_unknown(line->verb, line->verb_col, fault);
	return SB_E_UNKNOWN;
}

const struct sb_service *sb_service_named(struct sb_slice name, uint32_t col, struct sb_fault *fault)
{
	const struct sb_service *s;

	for (size_t i = 0; (s = sb_service_at(i)); i++)
		if (sb_slice_is(name, s->name))
			return s;
	say_unknown(name, col, fault);
	return NULL;
}
