/* SPDX-License-Identifier: MIT
 * What a line asks for, read a second time and as simply as possible: lines of configs.def are well-formed. */
#include <stdlib.h>
#include <string.h>

#include "found.h"
#include "oracle.h"

static const struct {
	const char *name, *preset;
	const struct ref_codec *ref;
} codecs[] = {
#define SB_CODEC(name, impl, preset, args, help) {#name, preset, &ref_##impl},
#include "codec/codecs.def"
#undef SB_CODEC
};

/* The value of key= in a line, copied to room; NULL when it is not there. */
static const char *value_of(const char *line, const char *key, char room[64])
{
	const char *at = strstr(line, key);
	size_t n = 0;

	if (!at)
		return NULL;
	at += strlen(key);
	while (at[n] && at[n] != ' ' && n < 63)
		n++;
	memcpy(room, at, n);
	room[n] = '\0';
	return room;
}

static void read_framing(struct model *m, const char *name)
{
	size_t n = strcspn(name, ":");

	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		if (strlen(codecs[i].name) != n || memcmp(codecs[i].name, name, n) != 0)
			continue;
		m->ref = codecs[i].ref;
		if (m->ref->parse && m->ref->parse(&m->args, codecs[i].preset[0] ? codecs[i].preset : name + n + 1) < 0)
			break;
		return;
	}
	sb_found("model: cannot read the framing %s", name);
}

void model_read(struct model *m, const char *listen)
{
	const char *line = strchr(listen, ',');
	char room[64];

	line = line ? line + 1 : "ECHO";
	*m = (struct model){.args.max = SB_FRAME_MAX, .recv_max = SB_SESSION_HELD_MAX};
	m->is_chargen = m->is_endless = strstr(line, "CHARGEN") != NULL;
	if (m->is_chargen || strstr(line, "SOURCE"))
		m->service = MODEL_SOURCE;
	else if (strstr(line, "DISCARD"))
		m->service = MODEL_DISCARD;
	m->has_stopread = strstr(line, "stopread=") != NULL;
	m->is_rst = strstr(line, "close=rst") != NULL;
	m->is_abrupt = strstr(line, "close=abrupt") != NULL;
	if (value_of(line, "max=", room))
		m->args.max = (uint32_t)strtoul(room, NULL, 10);
	if (value_of(line, "recv=", room))
		m->recv_max = (uint32_t)strtoul(room, NULL, 10);
	read_framing(m, value_of(line, "frame=", room) ? room : "raw");
}
