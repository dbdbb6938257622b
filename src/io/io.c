/* SPDX-License-Identifier: MIT
 * The table of backends. */
#include "io/io.h"

#define SB_BACKEND(name, impl, help) extern const struct sb_backend_ops sb_io_##impl;
#include "io/backends.def"
#undef SB_BACKEND

static const struct sb_backend backends[] = {
#define SB_BACKEND(name, impl, help) {#name, help, &sb_io_##impl},
#include "io/backends.def"
#undef SB_BACKEND
};

const struct sb_backend *sb_backend_at(size_t i)
{
	return i < sizeof(backends) / sizeof(backends[0]) ? &backends[i] : NULL;
}

const struct sb_backend *sb_backend_named(struct sb_slice name)
{
	const struct sb_backend *b;

	for (size_t i = 0; (b = sb_backend_at(i)); i++)
		if (sb_slice_is(name, b->name))
			return b;
	return NULL;
}
