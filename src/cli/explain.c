/* SPDX-License-Identifier: MIT
 * * streambed explain: a script an event a line, and back; or what a line comes to. */
#include "cli/explain_line.h"
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "script/script.h"
#include "service/service.h"

enum flag_id { FLAG_COMPILE, FLAG_OUT };

static const struct sb_flag flags[] = {
	{"compile", NULL, "FILE is a listing: write the script's bytes", FLAG_COMPILE},
	{"out", "PATH", "write to this file, not to stdout", FLAG_OUT},
};

enum { FLAGS = sizeof(flags) / sizeof(flags[0]) };

struct explain {
	const char *file, *out;
	bool is_compile;
};

static void help_events(void)
{
	static const struct {
		char letter;
		int args;
		const char *word, *help;
	} events[] = {
#define SBS_EVENT(id, letter, args, word, help) {letter, args, word, help},
#include "script/events.def"
#undef SBS_EVENT
	};

	printf("\nevents: in a script, in a listing, what they are\n"
	       "  %-6s %-13s %s\n",
	       "", "bytes \"ab\\n\"", "payload for the current connection; a backslash is \\\\ in both");
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		static const char *const args[] = {"", "X", "XY"};
		char letters[8];

		snprintf(letters, sizeof(letters), events[i].letter == '0' ? "\\0..7" : "\\%c%s", events[i].letter,
			 args[events[i].args]);
		printf("  %-6s %-13s %s\n", letters, events[i].word, events[i].help);
	}
	printf("X and Y are any characters, \\xNN in a listing if need be. As numbers: 0 to 9, then a is 10, b 12, c "
	       "16,\n"
	       "d 24, e 32, f 48, g 64 and so on to z, 65536; any other is its byte. What is behind # is a remark.\n");
}

/* "  A recv: ECONNRESET     B …", three a line. */
static void help_letters(const char *title, const uint8_t *letters, size_t n, bool is_knob)
{
	char room[4096];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_text_str(&t, title);
	for (size_t i = 0; i < n; i++) {
		char one[64];
		struct sb_text what = sb_text_in(one, sizeof(one));

		sb_text_str(&what, i % 3 ? "" : "\n");
		sb_text_str(&what, "  ");
		sb_text_char(&what, (char)letters[i]);
		sb_text_char(&what, ' ');
		if (is_knob)
			sbs_say_knob(&what, letters[i]);
		else
			sbs_say_fault(&what, letters[i]);
		if (i % 3 < 2 && i + 1 < n)
			sb_text_column(&what, 32 + (i % 3 == 0));
		sb_text_bytes(&t, sb_slice(what.p, what.n));
	}
	sb_text_char(&t, '\n');
	sb_print(&t);
}

static int help(void)
{
	static const uint8_t faults[] = {
#define SBS_FAULT(letter, call, err) letter,
#include "script/faults.def"
#undef SBS_FAULT
	};
	static const uint8_t knobs[] = {
#define SBS_KNOB_LIMIT(letter, limit) letter,
#define SBS_KNOB(letter, id) letter,
#include "script/knobs.def"
#undef SBS_KNOB_LIMIT
#undef SBS_KNOB
	};

	printf("usage: streambed explain FILE [--compile] [--out PATH]\n"
	       "       streambed explain LINE\n\n"
	       "LINE, as 'ECHO frag=1': what it comes to, and where it cuts.\n\n"
	       "Lists a script an event a line. Every file is a script: what peers of a server send, and what goes\n"
	       "wrong meanwhile. An input of fuzz target server is one, and so is a capture without backslashes.\n"
	       "With --compile FILE is a listing, and the script's bytes are written: those that it came from, "
	       "whatever\n"
	       "they were. FILE - is stdin.\n\n");
	sb_flags_help(flags, FLAGS);
	help_events();
	help_letters("\nfail X:", faults, sizeof(faults), false);
	help_letters("\nknob X Y (the server's limits, in bytes, items or ticks; and what else there is):", knobs,
		     sizeof(knobs), true);
	printf("\nexit: 0 done; 2 usage; 65 the listing is wrong, or FILE too large; 74 FILE cannot be read, or the\n"
	       "output not written; 77 no permission\n\n"
	       "example: a crash's input, changed by hand, and played against a server\n"
	       "  streambed explain crash >crash.txt\n"
	       "  streambed explain --compile crash.txt --out changed\n"
	       "  streambed send --script changed tcp://127.0.0.1:7777\n");
	return SB_EXIT_OK;
}

/* ---- output ---- */

static int not_written(const struct explain *x, int err)
{
	return sb_complain("explain", err == -EACCES || err == -EPERM ? SB_EXIT_NO_PERM : SB_EXIT_IO,
			   "cannot write %.300s: %s", x->out ? x->out : "to stdout", sb_strerror(err));
}

static int put(const struct explain *x, const void *bytes, size_t n)
{
	int fd = STDOUT_FILENO, err = 0;
	const char *p = bytes;

	if (x->out)
		fd = open(x->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return not_written(x, -errno);
	while (n > 0 && err == 0) {
		ssize_t r = write(fd, p, n);

		if (r < 0)
			err = errno == EINTR ? 0 : -errno;
		else
			p += r;
		n -= r < 0 ? 0 : (size_t)r;
	}
	if (x->out && close(fd) < 0 && err == 0)
		err = -errno;
	return err < 0 ? not_written(x, err) : SB_EXIT_OK;
}

/* ---- both ways ---- */

static int list(const struct explain *x, const struct sb_input *in)
{
	static const char nothing[] = "# no events: the script is empty\n";
	const uint8_t *script = (const uint8_t *)in->text;
	size_t n = sbs_print(script, in->n, NULL, 0);
	char *text;
	int code;

	if (n == 0)
		return put(x, nothing, sizeof(nothing) - 1);
	text = malloc(n);
	if (!text)
		return sb_complain("explain", SB_EXIT_OS, "no memory for a listing of %zu bytes", n);
	sbs_print(script, in->n, text, n);
	code = put(x, text, n);
	free(text);
	return code;
}

static int compile(const struct explain *x, const struct sb_input *in)
{
	/* Not one byte more than the listing has. */
	uint8_t *script = malloc(in->n + 1);
	struct sb_fault fault = {0};
	uint32_t line;
	long n;
	int code;

	if (!script)
		return sb_complain("explain", SB_EXIT_OS, "no memory for a script of %zu bytes", in->n);
	n = sbs_compile(in->text, in->n, script, in->n, &line, &fault);
	if (n < 0)
		code = sb_complain("explain", SB_EXIT_DATA, "%.200s:%u: col=%u %s", in->name, line, fault.col,
				   fault.text);
	else
		code = put(x, script, (size_t)n);
	free(script);
	return code;
}

static int run(const struct explain *x)
{
	struct sb_input in;
	int code;

	if (!x->file)
		return sb_complain("explain", SB_EXIT_USAGE, "which file? streambed explain FILE or LINE; see --help");
	if (sb_is_line(x->file) && (x->is_compile || x->out))
		return sb_complain("explain", SB_EXIT_USAGE,
				   "\"%.100s\" is a line and no file: --compile and --out are for scripts", x->file);
	if (sb_is_line(x->file))
		return sb_explain_line(x->file);
	if (x->is_compile && !x->out && isatty(STDOUT_FILENO))
		return sb_complain("explain", SB_EXIT_USAGE,
				   "a script's bytes are not for a terminal: --out PATH, or send them on with > or |");
	code = sb_input_read(&in, "explain", x->file, x->is_compile ? SB_LISTING_MAX : SB_SCRIPT_MAX);
	if (code != 0)
		return code;
	code = x->is_compile ? compile(x, &in) : list(x, &in);
	free(in.text);
	return code;
}

int sb_cmd_explain(int argc, char **argv)
{
	struct sb_args args = {
		.command = "explain", .flags = flags, .flags_n = FLAGS, .argc = argc, .argv = argv, .at = 1};
	struct explain x = {0};

	while (sb_args_next(&args) != SB_ARG_END) {
		if (args.id == SB_ARG_HELP)
			return help();
		if (args.id == SB_ARG_BAD)
			return SB_EXIT_USAGE;
		if ((args.id == FLAG_COMPILE && x.is_compile) || (args.id == FLAG_OUT && x.out))
			return sb_complain("explain", SB_EXIT_USAGE, "--%s is given twice", args.flag->name);
		if (args.id == SB_ARG_WORD && x.file)
			return sb_complain("explain", SB_EXIT_USAGE, "one FILE, not two: \"%.100s\" and \"%.100s\"",
					   x.file, args.value);
		if (args.id == FLAG_COMPILE)
			x.is_compile = true;
		else
			*(args.id == FLAG_OUT ? &x.out : &x.file) = args.value;
	}
	return run(&x);
}
