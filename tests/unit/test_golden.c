/* SPDX-License-Identifier: MIT
 *
 * Golden logs: tests/golden/NAME/FILE.txt is a stream that a person can read, and what must come of it.
 *
 *   # any number of comments
 *   frame=netstring max=64
 *   12:hello world!,\x30:,          the stream: lines joined without their ends; \\ \n \r \t \s \0 \xNN
 *   ---
 *   frame "hello world!" wire=16    or: error NAME @OFFSET, and nothing after it
 *   end ok                          or: end truncated @OFFSET
 *
 * Each is run in pieces of 1, 2, 3, … bytes up to all of them and, when it is short, cut at every two places; it must
 * give the same log every time. Of raw, whose messages are the pieces, the frames are joined into one. A framing
 * without a golden file fails.
 */
#include <dirent.h>

#include "codec_kit.h"

#ifndef SB_GOLDEN_DIR
#define SB_GOLDEN_DIR NULL
#endif

enum { FILE_MAX = 16384, SHORT = 40 /* bytes of a stream that is cut at every two places */ };

/* How a stream is cut: every step bytes or, when step is 0, at a and b. */
struct cuts {
	size_t step, a, b;
};

static const char *golden_dir = SB_GOLDEN_DIR;

struct golden {
	char path[512];
	char text[FILE_MAX]; /* of the file */
	struct sb_framing f;
	uint8_t bytes[FILE_MAX];
	size_t n;
	const char *expected; /* in text */
};

struct lines {
	char text[FILE_MAX];
	struct sb_text t;
};

/* ---- the file ---- */

static void read_file(struct golden *g)
{
	FILE *file = fopen(g->path, "r");
	size_t n;

	if (file == NULL) {
		fail_msg("%s: cannot be read", g->path);
		return;
	}
	n = fread(g->text, 1, sizeof(g->text) - 1, file);
	fclose(file);
	g->text[n] = '\0';
	if (n == 0 || n == sizeof(g->text) - 1 || g->text[n - 1] != '\n')
		fail_msg("%s: empty, larger than %d bytes, or without an end of line", g->path, FILE_MAX);
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Reads one byte, escaped or not, from *p on. */
static uint8_t unescape(const struct golden *g, const char **p)
{
	static const char names[] = "\\nrts0", bytes[] = "\\\n\r\t \0";
	const char *name;

	if (**p != '\\')
		return (uint8_t)*(*p)++;
	++*p;
	if (**p == 'x' && hex((*p)[1]) >= 0 && hex((*p)[2]) >= 0) {
		*p += 3;
		return (uint8_t)(hex((*p)[-2]) * 16 + hex((*p)[-1]));
	}
	name = **p ? strchr(names, **p) : NULL;
	if (name == NULL)
		fail_msg("%s: \\%c is no escape", g->path, **p);
	++*p;
	return (uint8_t)bytes[name - names];
}

static void read_frame_line(struct golden *g, const char *line, const char *row)
{
	char value[128];
	const char *from = line + strlen("frame="), *to = strstr(line, " max=");
	char *end;
	unsigned long max;

	if (strncmp(line, "frame=", strlen("frame=")) != 0 || to == NULL || to - from >= (long)sizeof(value)) {
		fail_msg("%s: the first line is frame=… max=N", g->path);
		return;
	}
	snprintf(value, sizeof(value), "%.*s", (int)(to - from), from);
	max = strtoul(to + strlen(" max="), &end, 10);
	if (*end != '\n')
		fail_msg("%s: max is a number of bytes", g->path);
	if (strcspn(value, ":") != strlen(row) || strncmp(value, row, strlen(row)) != 0)
		fail_msg("%s: frame=%s is not of this folder", g->path, value);
	g->f = framing(value, (uint32_t)max);
}

static void parse(struct golden *g, const char *row)
{
	const char *p = g->text;

	while (*p == '#')
		p += strcspn(p, "\n") + 1;
	read_frame_line(g, p, row);
	p += strcspn(p, "\n") + 1;
	g->n = 0;
	while (*p && strncmp(p, "---\n", 4) != 0) {
		while (*p != '\n')
			g->bytes[g->n++] = unescape(g, &p);
		p++;
	}
	if (*p == '\0')
		fail_msg("%s: no line of ---", g->path);
	g->expected = p + 4;
}

/* ---- the run ---- */

static void say(struct lines *l, const char *word, int err, uint64_t offset)
{
	sb_text_str(&l->t, word);
	sb_text_str(&l->t, err ? sb_errname(err) : "ok");
	if (err) {
		sb_text_str(&l->t, " @");
		sb_text_u64(&l->t, offset);
	}
	sb_text_char(&l->t, '\n');
}

static void say_frame(struct lines *l, struct sb_slice payload, uint64_t wire)
{
	sb_text_str(&l->t, "frame \"");
	sb_text_escaped(&l->t, payload, false);
	sb_text_str(&l->t, "\" wire=");
	sb_text_u64(&l->t, wire);
	sb_text_char(&l->t, '\n');
}

/* Where the piece that begins at at ends. */
static size_t piece_end(struct cuts cuts, size_t at, size_t n)
{
	size_t end = cuts.step ? at + cuts.step : at < cuts.a ? cuts.a : at < cuts.b ? cuts.b : n;

	return end < n ? end : n;
}

static void decode(const struct golden *g, struct cuts cuts, struct lines *l)
{
	size_t hold_n = sb_decoder_hold_size(&g->f);
	uint8_t *hold = malloc(hold_n ? hold_n : 1);
	bool unframed = g->f.flags & SB_CODEC_UNFRAMED;
	struct sb_decoder d;
	struct sb_frame out[3];
	int r = 0;

	l->t = sb_text_in(l->text, sizeof(l->text) - 1);
	assert_int_equal(sb_decoder_setup(&d, &g->f, hold, hold_n), 0);
	for (size_t at = 0, end; at < g->n && r >= 0; at = end) {
		struct sb_slice piece, in;

		end = piece_end(cuts, at, g->n);
		in = piece = guarded(g->bytes + at, end - at);

		while ((r = sb_decoder_next(&d, &in, out, 3)) > 0)
			for (int i = 0; i < r && !unframed; i++)
				say_frame(l, sb_slice(out[i].p, out[i].n), out[i].wire);
		unguard(piece);
	}
	if (unframed && sb_decoder_offset(&d) > 0)
		say_frame(l, sb_slice(g->bytes, g->n), sb_decoder_offset(&d));
	if (r < 0) {
		say(l, "error ", r, sb_decoder_offset(&d));
	} else {
		r = sb_decoder_end(&d);
		say(l, "end ", r, sb_decoder_offset(&d));
	}
	free(hold);
	assert_int_equal(l->t.lost, 0);
	l->text[l->t.n] = '\0';
}

static void run_cut(const struct golden *g, struct cuts cuts)
{
	static struct lines l;

	decode(g, cuts, &l);
	if (strcmp(l.text, g->expected) != 0)
		fail_msg("%s, every %zu or cut at %zu and %zu:\n%s-- not --\n%s", g->path, cuts.step, cuts.a, cuts.b,
			 l.text, g->expected);
}

static void run_file(const char *row, const char *name)
{
	static struct golden g;

	if (snprintf(g.path, sizeof(g.path), "%s/%s/%s", golden_dir, row, name) >= (int)sizeof(g.path))
		fail_msg("%s: the path is too long", name);
	read_file(&g);
	parse(&g, row);
	for (size_t step = 1; step <= (g.n ? g.n : 1); step++)
		run_cut(&g, (struct cuts){.step = step});
	for (size_t a = 1; g.n <= SHORT && a < g.n; a++)
		for (size_t b = a; b < g.n; b++)
			run_cut(&g, (struct cuts){.a = a, .b = b});
}

/* How many files the row's folder has, each of them run. */
static size_t run_row(const char *row)
{
	char path[512];
	DIR *dir;
	size_t files = 0;

	snprintf(path, sizeof(path), "%s/%s", golden_dir, row);
	dir = opendir(path);
	if (dir == NULL) {
		fail_msg("%s: framing %s has no folder of golden files", path, row);
		return 0;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		size_t n = strlen(e->d_name);

		if (n < 4 || strcmp(e->d_name + n - 4, ".txt") != 0)
			continue;
		run_file(row, e->d_name);
		files++;
	}
	closedir(dir);
	return files;
}

static void every_framing_at_every_piece_size(void **state)
{
	const struct sb_codec *c;

	(void)state;
	for (size_t i = 0; (c = sb_codec_at(i)) != NULL; i++)
		if (run_row(c->name) == 0)
			fail_msg("framing %s has no golden file", c->name);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_framing_at_every_piece_size),
	};

	if (argc > 1)
		golden_dir = argv[1];
	if (golden_dir == NULL) {
		fprintf(stderr, "usage: test_golden DIR\n");
		return 2;
	}
	return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
