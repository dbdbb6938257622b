/* SPDX-License-Identifier: MIT
 * Which framings there are, by name. */
#include "ref/ref.h"

#include <string.h>

#define SB_CODEC(name, impl, preset, args, help) {#name, preset, &ref_##impl},
static const struct ref_row rows[] = {
#include "codec/codecs.def"
};
#undef SB_CODEC

const struct ref_row *ref_row_of(const char *text)
{
	size_t n = strcspn(text, ":");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].name) == n && memcmp(rows[i].name, text, n) == 0)
			return &rows[i];
	return NULL;
}

const struct ref_codec *ref_read(struct ref_args *a, const char *text)
{
	const struct ref_row *row = ref_row_of(text);
	const char *args = row && row->preset[0] ? row->preset : strchr(text, ':');

	if (!row || !row->codec->parse)
		return row ? row->codec : NULL;
	if (args && args != row->preset)
		args++;
	return row->codec->parse(a, args ? args : "") < 0 ? NULL : row->codec;
}
