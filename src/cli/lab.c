/* SPDX-License-Identifier: MIT
 * streambed lab: experiments about sockets, on the kernel that runs. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/nearest.h"
#include "lab/lab.h"

enum { COLUMNS = 80, TEXT_COLUMN = 24, ROOM = 128 * 1024 };

enum flag_id { FLAG_LIST, FLAG_CLAIMS, FLAG_JSON, FLAG_MARKDOWN };

static const struct sb_flag flags[] = {
	{"list", NULL, "name them, with their claims, and run none", FLAG_LIST},
	{"claims", NULL, "what the lecture notes claim (in which of the five), and what shows it", FLAG_CLAIMS},
	{"json", NULL, "one line of JSON for each", FLAG_JSON},
	{"markdown", NULL, "as docs/lab.md has them", FLAG_MARKDOWN},
};

enum { FLAGS = sizeof(flags) / sizeof(flags[0]) };

struct show {
	enum { SHOW_TEXT, SHOW_JSON, SHOW_MARKDOWN } how;
	bool is_fine, is_coloured; /* a terminal's box drawing, its colours */
	char *room;
	size_t n[LAB_VERDICTS];
};

static const char *name_at(const void *list, size_t i)
{
	(void)list;
	return lab_row_at(i) ? lab_row_at(i)->name : NULL;
}

static const struct lab_row *row_named(const char *name)
{
	const struct lab_row *row;

	for (size_t i = 0; (row = lab_row_at(i)) != NULL; i++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

static int help(void)
{
	printf("usage: streambed lab [NAME...] [OPTION...]\n\n"
	       "Experiments about sockets on this machine's kernel, over the loopback, without privileges: what is\n"
	       "claimed, the calls that were made, what was measured, the kernel's buffers, and whether it holds.\n"
	       "All of them, or those named.\n\n");
	sb_flags_help(flags, FLAGS);
	printf("\nA buffer's bar is the memory that is taken of what it may take (SO_MEMINFO); the number is bytes of\n"
	       "payload (SIOCINQ, SIOCOUTQ), - where there is no socket to ask.\n\n"
	       "exit: 0 each comes out as documented, or cannot be shown here, since network namespaces, IPv6,\n"
	       "io_uring or ENet are missing; 1 one does not; 2 usage\n");
	return SB_EXIT_OK;
}

/* "folder/name    text, on from a column of its own" */
static void put_row(const char *folder, const char *name, const char *text)
{
	char room[1024];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_text_str(&t, folder);
	sb_text_str(&t, name);
	sb_text_column(&t, TEXT_COLUMN);
	sb_text_wrapped(&t, sb_slice_cstr(text), TEXT_COLUMN, COLUMNS);
	sb_text_char(&t, '\n');
	sb_print(&t);
}

static int list(void)
{
	const struct lab_row *row;

	for (size_t i = 0; (row = lab_row_at(i)) != NULL; i++)
		put_row("", row->name, row->claim);
	return SB_EXIT_OK;
}

static int claims(void)
{
	struct lab_claim claim;
	char room[512];

	for (size_t i = 0; lab_claim_at(i, &claim) == 0; i++) {
		snprintf(room, sizeof(room), "%s: %s (%s)", claim.id, claim.claim, claim.notes);
		put_row(claim.row ? "" : "docs/", claim.row ? claim.row->name : claim.page, room);
	}
	return SB_EXIT_OK;
}

/* ---- one of them ---- */

static void paint(const struct show *show, struct sb_text *t, const char *colour, const char *text)
{
	sb_text_str(t, show->is_coloured ? colour : "");
	sb_text_str(t, text);
	sb_text_str(t, show->is_coloured ? "\033[0m" : "");
}

static void wrapped(struct sb_text *t, const char *before, const char *text, size_t indent)
{
	sb_text_str(t, before);
	sb_text_wrapped(t, sb_slice_cstr(text), indent, COLUMNS);
	sb_text_char(t, '\n');
}

static void put_calls(struct sb_text *t, const struct lab_calls *calls)
{
	for (const char *at = calls->text; *at;) {
		size_t n = strcspn(at, "\n");

		sb_text_str(t, "    ");
		sb_text_wrapped(t, sb_slice(at, n), 4, COLUMNS);
		sb_text_char(t, '\n');
		at += n + (at[n] == '\n');
	}
	if (calls->left_out) {
		sb_text_str(t, "    and ");
		sb_text_u64(t, calls->left_out);
		sb_text_str(t, " more\n");
	}
}

/* "3 segments", "1 segment", "1 ms". */
static void put_unit(struct sb_text *t, const char *unit, int64_t value)
{
	size_t n = strlen(unit);

	if (n == 0)
		return;
	if (value == 1 && n > 2 && unit[n - 1] == 's')
		n--;
	sb_text_char(t, ' ');
	sb_text_bytes(t, sb_slice(unit, n));
}

static void put_facts(struct sb_text *t, const struct lab *lab)
{
	for (size_t i = 0; i < lab->facts; i++) {
		sb_text_str(t, "    ");
		sb_text_str(t, lab->fact[i].key);
		sb_text_str(t, ": ");
		sb_text_i64(t, lab->fact[i].value);
		put_unit(t, lab->fact[i].unit, lab->fact[i].value);
		sb_text_char(t, '\n');
	}
}

static void put_verdict(const struct show *show, struct sb_text *t, const struct lab *lab)
{
	static const char *const colours[LAB_VERDICTS] = {"\033[32m", "\033[33m", "\033[35m", "\033[2m", "\033[31m"};

	sb_text_str(t, "  verdict: ");
	paint(show, t, colours[lab->verdict], lab_verdicts[lab->verdict]);
	sb_text_char(t, '\n');
	if (lab->verdict == LAB_NOT_HERE)
		wrapped(t, "    ", lab->why, 4);
	else if (lab->verdict != LAB_UNEXPECTED)
		wrapped(t, "    ", lab->row->lesson, 4);
	for (size_t i = 0; i < lab->musts; i++)
		if (!lab->must[i].is_so)
			wrapped(t, "    not so: ", lab->must[i].what, 12);
}

static void put_body(const struct show *show, struct sb_text *t, const struct lab *lab)
{
	sb_text_str(t, "  calls:\n");
	put_calls(t, &lab->calls);
	if (lab->facts > 0)
		sb_text_str(t, "  measured:\n");
	put_facts(t, lab);
	for (size_t i = 0; i < lab->pictures; i++)
		lab_draw(t, &lab->picture[i], show->is_fine);
	put_verdict(show, t, lab);
}

static void put(const struct show *show, struct sb_text *t, const struct lab *lab)
{
	if (show->how == SHOW_JSON) {
		lab_json(t, lab);
		return;
	}
	if (show->how == SHOW_MARKDOWN)
		sb_text_str(t, "## ");
	paint(show, t, "\033[1m", lab->row->name);
	sb_text_char(t, '\n');
	if (show->how == SHOW_MARKDOWN) {
		sb_text_char(t, '\n');
		sb_text_wrapped(t, sb_slice_cstr(lab->row->claim), 0, 120);
		sb_text_str(t, "\n\n```\n");
	} else {
		wrapped(t, "  claim: ", lab->row->claim, 9);
	}
	put_body(show, t, lab);
	sb_text_str(t, show->how == SHOW_MARKDOWN ? "```\n\n" : "\n");
}

static void show_one(struct show *show, const struct lab_row *row)
{
	static struct lab lab;
	struct sb_text t = sb_text_in(show->room, ROOM);

	lab_run(&lab, row);
	show->n[lab.verdict]++;
	put(show, &t, &lab);
	sb_print(&t);
	fflush(stdout);
}

static int sum_up(const struct show *show)
{
	const char *between = "";

	if (show->how == SHOW_TEXT) {
		for (int i = 0; i < LAB_VERDICTS; i++)
			if (show->n[i]) {
				printf("%s%zu %s", between, show->n[i], lab_verdicts[i]);
				between = ", ";
			}
		printf("\n");
	}
	return show->n[LAB_UNEXPECTED] ? SB_EXIT_FOUND : SB_EXIT_OK;
}

static int no_such(const char *name)
{
	const char *nearest = sb_nearest(sb_slice_cstr(name), name_at, NULL);

	if (nearest)
		return sb_complain("lab", SB_EXIT_USAGE, "no experiment \"%s\" (did you mean %s?)", name, nearest);
	return sb_complain("lab", SB_EXIT_USAGE, "no experiment \"%s\": --list names them", name);
}

/* Names were looked at before: nothing runs when one of them is wrong. */
static int run(struct show *show, char **names, int n)
{
	const struct lab_row *row;

	show->room = malloc(ROOM);
	if (!show->room)
		return sb_complain("lab", SB_EXIT_OS, "no memory");
	if (show->how == SHOW_MARKDOWN && n == 0)
		printf("# The lab\n\n"
		       "`streambed lab --markdown` has written this: each experiment with its claim, the calls that "
		       "were made,\n"
		       "what was measured, and whether it holds. Numbers are those of one machine; claims, verdicts "
		       "and what\n"
		       "one takes home are checked against the program. A bar is the memory that a buffer takes of "
		       "what it\n"
		       "may, the number beside it bytes of payload, - where there is no socket to ask.\n"
		       "[winsock.md](winsock.md) has the same calls on Windows.\n\n");
	for (int i = 0; i < n; i++)
		show_one(show, row_named(names[i]));
	for (size_t i = 0; n == 0 && (row = lab_row_at(i)) != NULL; i++)
		show_one(show, row);
	free(show->room);
	return sum_up(show);
}

int sb_cmd_lab(int argc, char **argv)
{
	struct sb_args args = {.command = "lab", .flags = flags, .flags_n = FLAGS, .argc = argc, .argv = argv, .at = 1};
	struct show show = {.how = SHOW_TEXT};
	int n = 0;

	show.is_fine = isatty(STDOUT_FILENO);
	show.is_coloured = show.is_fine && !getenv("NO_COLOR");
	while (sb_args_next(&args) != SB_ARG_END) {
		if (args.id == SB_ARG_BAD)
			return SB_EXIT_USAGE;
		if (args.id == SB_ARG_HELP)
			return help();
		if (args.id == FLAG_LIST)
			return list();
		if (args.id == FLAG_CLAIMS)
			return claims();
		if (args.id == FLAG_JSON)
			show.how = SHOW_JSON;
		else if (args.id == FLAG_MARKDOWN)
			show.how = SHOW_MARKDOWN;
		else if (!row_named(args.value))
			return no_such(args.value);
		else
			argv[n++] = argv[args.at - 1];
	}
	show.is_coloured = show.is_coloured && show.how == SHOW_TEXT;
	show.is_fine = show.is_fine && show.how == SHOW_TEXT;
	return run(&show, argv, n);
}
