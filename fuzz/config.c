/* SPDX-License-Identifier: MIT
 * From a script to the config of the server it is for. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "found.h"
#include "knob.h"
#include "script/script.h"
#include "sys_sim.h"

enum { ALONE = 1 };

#define LIFE_LEAST (300 * SB_MS)

static const struct {
	uint8_t letter, flags;
	const char *listens, *options;
} rows[] = {
#define SB_CONFIG(letter, listens, options, flags) {letter, flags, listens, options},
#include "script/configs.def"
#undef SB_CONFIG
};

/* What every row gets unless it says otherwise: as little memory as will do for a run. */
static const char *const always[] = {"max-conns=24", "max-ports=8", "max-held=1M", "udp-held=128k", "log-level=info"};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static const char *keep(struct fuzz_config *f, const char *text, size_t n)
{
	char *at = f->text + f->text_n;

	if (n + 1 > sizeof(f->text) - f->text_n)
		sb_found("config: no room for %.*s", (int)n, text);
	memcpy(at, text, n);
	at[n] = '\0';
	f->text_n += n + 1;
	return at;
}

/* The words of text, kept; returns how many. */
static size_t split(struct fuzz_config *f, const char *text, char by, const char **out)
{
	size_t n = 0;

	while (*text) {
		const char *end = strchr(text, by);
		size_t len = end ? (size_t)(end - text) : strlen(text);

		out[n++] = keep(f, text, len);
		text += len + (end != NULL);
	}
	return n;
}

/* There may be several of it. */
static bool is_list(const char *option)
{
	return strncmp(option, "allow=", 6) == 0 || strncmp(option, "forward-to=", 11) == 0;
}

static char name_char(const char *at)
{
	return *at == '=' ? '\0' : *at;
}

/* By hand: under sanitizers strncmp looks at the whole of both, and this is asked for each limit of each run. */
static bool is_same_name(const char *a, const char *b)
{
	while (name_char(a) && *a == *b) {
		a++;
		b++;
	}
	return name_char(a) == name_char(b);
}

size_t fuzz_option_at(const char *const *options, size_t n, const char *option)
{
	size_t i = 0;

	while (i < n && !is_same_name(options[i], option))
		i++;
	return i;
}

const char *fuzz_option(const struct sb_config *config, const char *name)
{
	size_t i = fuzz_option_at(config->options, config->options_n, name);

	return i < config->options_n ? config->options[i] + strlen(name) : "";
}

/* An option again takes the place of the first. */
void fuzz_config_set(struct fuzz_config *f, const char *option)
{
	size_t n = f->c.options_n, i = is_list(option) ? n : fuzz_option_at(f->options, n, option);

	f->options[i] = option;
	f->c.options_n += i == n;
}

static bool has_maxlife(const struct fuzz_config *f)
{
	for (size_t i = 0; i < f->c.listens_n; i++)
		if (strstr(f->listens[i], "maxlife="))
			return true;
	return false;
}

static void set_limit(struct fuzz_config *f, enum sb_limit which, uint64_t v)
{
	const struct sb_limit_row *row = &sb_limit_rows[which];
	uint64_t value = row->unit == SB_UNIT_TIME ? v * SIM_TICK : v;
	char room[64];
	int n;

	/* Less would be refused by the rows with a SOURCE, and by those with maxlife=. */
	if (which == SB_LIMIT_BYTES && value < 1000)
		value = 1000;
	if (which == SB_LIMIT_LIFE && value > 0 && value < LIFE_LEAST && has_maxlife(f))
		value = LIFE_LEAST;
	if (value < row->min)
		value = row->min;
	if (value > row->max)
		value = row->max;
	if (value == 0)
		n = snprintf(room, sizeof(room), "%s=none", row->name);
	else if (row->unit == SB_UNIT_TIME)
		n = snprintf(room, sizeof(room), "%s=%llums", row->name, (unsigned long long)(value / SB_MS));
	else
		n = snprintf(room, sizeof(room), "%s=%llu", row->name, (unsigned long long)value);
	fuzz_config_set(f, keep(f, room, (size_t)n));
}

static void choose(struct fuzz_config *f, int row, const char *backend)
{
	const char *words[FUZZ_OPTIONS_MAX];
	char room[16];
	size_t n;

	f->letter = rows[row].letter;
	f->is_alone = rows[row].flags & ALONE;
	f->c.listens_n = split(f, rows[row].listens, ';', f->listens);
	n = split(f, rows[row].options, ' ', words);
	snprintf(room, sizeof(room), "io=%s", backend);
	fuzz_config_set(f, keep(f, room, strlen(room)));
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		fuzz_config_set(f, always[i]);
	for (size_t i = 0; i < n; i++)
		fuzz_config_set(f, words[i]);
}

static int row_of(uint8_t letter)
{
	for (int i = 0; i < ROWS; i++)
		if (rows[i].letter == letter)
			return i;
	return -1;
}

void fuzz_config_read(struct fuzz_config *f, const uint8_t *script, size_t n, const char *backend)
{
	uint64_t value[SB_LIMIT_COUNT];
	int order[SB_LIMIT_COUNT], set = 0, row = -1;
	bool is_set[SB_LIMIT_COUNT] = {false};
	struct sbs_event e;
	size_t at = 0;

	f->c = (struct sb_config){.listens = f->listens, .options = f->options, .log_fd = SIM_LOG_FD};
	f->text_n = 0;
	while (sbs_next(script, n, &at, &e)) {
		int i = e.kind == SBS_KNOB ? fuzz_knob_limit(e.arg[0]) : -1;

		if (e.kind == SBS_KNOB && e.arg[0] == 'c' && row < 0)
			row = row_of(e.arg[1]);
		if (i < 0 || is_set[i])
			continue;
		is_set[i] = true;
		value[i] = e.v;
		order[set++] = i;
	}
	choose(f, row < 0 ? 0 : row, backend);
	for (int i = 0; i < set; i++)
		set_limit(f, (enum sb_limit)order[i], value[order[i]]);
}
