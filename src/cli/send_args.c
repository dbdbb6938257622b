/* SPDX-License-Identifier: MIT
 * The command line of streambed send: its flags, their ranges, and which of them go together. */
#include "cli/send.h"

#include <stdio.h>

#include "base/nearest.h"

enum flag_id {
	FLAG_COUNT,
	FLAG_SIZE,
	FLAG_TEXT,
	FLAG_EVERY,
	FLAG_ROUNDS,
	FLAG_RECV_SIZE,
	FLAG_TIMEOUT,
	FLAG_REPLY,
	FLAG_UDP_CONNECTED,
	FLAG_NO_CORK,
	FLAG_JSON,
	FLAG_LINE,
	FLAG_SCRIPT,
	FLAG_MAX_TIME,
};

static const struct sb_flag flags[] = {
	{"count", "N", "sends of a round (default 10)", FLAG_COUNT},
	{"size", "SIZE", "bytes of a send: TEXT, then NULs (default 100)", FLAG_SIZE},
	{"text", "TEXT", "what a send begins with (default \"Hello World!\")", FLAG_TEXT},
	{"every", "TIME", "begin a round each TIME, without end unless --rounds is given", FLAG_EVERY},
	{"rounds", "N", "end after N rounds (default 1)", FLAG_ROUNDS},
	{"recv-size", "SIZE", "bytes a recv takes at most (default 1000)", FLAG_RECV_SIZE},
	{"timeout", "TIME", "give up when nothing moves for so long (default 5s)", FLAG_TIMEOUT},
	{"reply", "echo|none|eof|SIZE", "what a round waits for (default echo: the same bytes)", FLAG_REPLY},
	{"udp-connected", NULL, "connect the UDP socket once, then send and recv", FLAG_UDP_CONNECTED},
	{"no-cork", NULL, "TCP: let each send leave at once", FLAG_NO_CORK},
	{"json", NULL, "one JSON object a line", FLAG_JSON},
	{"line", "LINE", "say SB1 LINE first, and print the receipt at the end; --size is then that of --text",
	 FLAG_LINE},
	{"script", "FILE", "play the peers of this script (streambed explain), - is stdin", FLAG_SCRIPT},
	{"max-time", "TIME", "of a script, and of its end if --timeout is not longer (default 10s)", FLAG_MAX_TIME},
};

enum { FLAGS = sizeof(flags) / sizeof(flags[0]), UDP_SIZE_MAX = 65507 };

#define MIB (UINT64_C(1024) * 1024)
#define REPLY_MAX (UINT64_C(1024) * 1024 * MIB)
#define MS UINT64_C(1000000)
#define DAY (UINT64_C(86400) * 1000 * MS)

/* Flags whose value is a number: how it is written, its range, and where it goes. */
static const struct number_row {
	enum flag_id id;
	int (*parse)(struct sb_slice text, uint64_t *v);
	void (*print)(struct sb_text *t, uint64_t v);
	uint64_t min, max;
	size_t at;
} numbers[] = {
	{FLAG_COUNT, sb_parse_count, sb_text_u64, 1, 1000000, offsetof(struct sb_send_plan, count)},
	{FLAG_SIZE, sb_parse_size, sb_text_size, 0, 64 * MIB, offsetof(struct sb_send_plan, size)},
	{FLAG_EVERY, sb_parse_time, sb_text_time, MS, DAY, offsetof(struct sb_send_plan, every_ns)},
	{FLAG_ROUNDS, sb_parse_count, sb_text_u64, 1, 1000000000, offsetof(struct sb_send_plan, rounds)},
	{FLAG_RECV_SIZE, sb_parse_size, sb_text_size, 1, 64 * MIB, offsetof(struct sb_send_plan, recv_size)},
	{FLAG_TIMEOUT, sb_parse_time, sb_text_time, MS, DAY, offsetof(struct sb_send_plan, timeout_ns)},
	{FLAG_MAX_TIME, sb_parse_time, sb_text_time, MS, DAY, offsetof(struct sb_send_plan, max_time_ns)},
};

enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static void help_script(void)
{
	printf("\n--script plays the peers' side of a script, which streambed explain lists, against a real server:\n"
	       "connections, payload, fin, rst, cut, run, ticks of 10 ms, datagrams late, doubled and lost. A real "
	       "kernel\n"
	       "is not told but asked, so this is as good as it can be: a cut is a send of its own, made when the "
	       "peer's\n"
	       "kernel has all that went before (unix: when the peer has read it), and run also waits until nothing "
	       "has\n"
	       "come for 1 ms, 1 s at most. The server may still read two pieces at once. Everything is read as it "
	       "comes;\n"
	       "behind knob w X no more than X bytes and what drain adds, but the kernels' buffers lie between. At the "
	       "end\n"
	       "windows open, each connection gets our FIN and is read to its end, UDP for 200 ms. What only a "
	       "simulated\n"
	       "kernel can do is skipped, counted and named, and so are the waits beyond --max-time.\n");
}

/* -1, which is no exit code: all is said. */
static int help(void)
{
	printf("usage: streambed send ENDPOINT [OPTION...]\n\n"
	       "Sends messages and reports each send and each recv. ENDPOINT is tcp://HOST:PORT, udp://HOST:PORT or\n"
	       "unix:PATH; HOST is a name or an address in numbers, as 127.0.0.1 or [::1].\n\n");
	sb_flags_help(flags, FLAGS);
	printf("\nSIZE is 100, 64k or 1M; TIME is 250us, 50ms, 3s or 10m.\n"
	       "--reply echo: as many bytes (UDP: datagrams) as were sent, and the same ones.\n"
	       "        none: nothing is waited for; a TCP peer that replies all the same gets a reset at the end.\n"
	       "        eof:  our end after the last round, then everything up to the peer's.\n"
	       "        SIZE: so many bytes a round, whatever they are.\n"
	       "TCP: the sends of a round are corked: they leave together. The connection is kept over the rounds.\n"
	       "INT or TERM: ends with the summary; the second time at once.\n");
	help_script();
	printf("\n"
	       "exit: 0 all went well; 1 the reply differs, or after a script the server takes no connection or has "
	       "not\n"
	       "ended one; 2 usage; 65 the script is too large; 69 refused, unreachable, reset, closed too early, "
	       "timed\n"
	       "out, or name not found; 71 the system refused; 74 stdout takes no more, or the script cannot be read;\n"
	       "77 no permission\n\n"
	       "example: one reply, cut into bytes that are read one by one, and the receipt that proves it\n"
	       "  streambed send tcp://127.0.0.1:7777 --line 'ECHO frag=1 gate=read' --text hello --count 1\n"
	       "example: ten sends of 100 bytes once a second, to a server that takes them in one recv of 1000\n"
	       "  streambed serve --listen 'tcp://127.0.0.1:7777,ECHO recv=1000' &\n"
	       "  streambed send tcp://127.0.0.1:7777 --every 1s --rounds 3\n");
	return -1;
}

static int take_number(struct sb_send_plan *plan, const struct sb_args *args, const struct number_row *row)
{
	char room[64];
	struct sb_text range = sb_text_in(room, sizeof(room));
	uint64_t v = 0;

	if (row->parse(sb_slice_cstr(args->value), &v) == 0 && v >= row->min && v <= row->max) {
		memcpy((char *)plan + row->at, &v, sizeof(v));
		return 0;
	}
	row->print(&range, row->min);
	sb_text_str(&range, " to ");
	row->print(&range, row->max);
	return sb_complain("send", SB_EXIT_USAGE, "--%s is %s, not \"%.40s\"", args->flag->name, sb_text_end(&range),
			   args->value);
}

static const char *const reply_words[] = {
	[SB_REPLY_ECHO] = "echo", [SB_REPLY_NONE] = "none", [SB_REPLY_EOF] = "eof", [SB_REPLY_SIZE] = NULL};

static const char *reply_word_at(const void *list, size_t i)
{
	(void)list;
	return reply_words[i];
}

static int take_reply(struct sb_send_plan *plan, const char *value)
{
	const char *nearest;

	for (size_t i = 0; reply_words[i]; i++) {
		if (strcmp(value, reply_words[i]) == 0) {
			plan->reply = (enum sb_reply)i;
			return 0;
		}
	}
	if (sb_parse_size(sb_slice_cstr(value), &plan->reply_size) == 0 && plan->reply_size >= 1 &&
	    plan->reply_size <= REPLY_MAX) {
		plan->reply = SB_REPLY_SIZE;
		return 0;
	}
	nearest = sb_nearest(sb_slice_cstr(value), reply_word_at, NULL);
	if (nearest)
		return sb_complain("send", SB_EXIT_USAGE, "--reply \"%.40s\" is unknown (did you mean %s?)", value,
				   nearest);
	return sb_complain("send", SB_EXIT_USAGE,
			   "--reply is echo, none, eof or a SIZE of 1 to 1048576M, not \"%.40s\"", value);
}

static int take_flag(struct sb_send_plan *plan, const struct sb_args *args)
{
	for (size_t i = 0; i < NUMBERS; i++)
		if ((int)numbers[i].id == args->id)
			return take_number(plan, args, &numbers[i]);
	switch (args->id) {
	case FLAG_TEXT:
		plan->text = args->value;
		return 0;
	case FLAG_REPLY:
		return take_reply(plan, args->value);
	case FLAG_UDP_CONNECTED:
		plan->is_udp_connected = true;
		return 0;
	case FLAG_NO_CORK:
		plan->is_corked = false;
		return 0;
	case FLAG_LINE:
		plan->line = args->value;
		return 0;
	case FLAG_SCRIPT:
		plan->script = args->value;
		return 0;
	default:
		plan->is_json = true;
		return 0;
	}
}

static int take_word(struct sb_send_plan *plan, const char *word)
{
	if (plan->endpoint)
		return sb_complain("send", SB_EXIT_USAGE, "one ENDPOINT, not two: \"%.100s\" and \"%.100s\"",
				   plan->endpoint, word);
	plan->endpoint = word;
	return 0;
}

/* A script says itself what is sent, when, and over how many connections. */
static int check_script(struct sb_send *s, unsigned given)
{
	const unsigned free = 1u << FLAG_SCRIPT | 1u << FLAG_MAX_TIME | 1u << FLAG_TIMEOUT | 1u << FLAG_JSON;

	for (size_t i = 0; i < FLAGS; i++)
		if (given & ~free & 1u << flags[i].id)
			return sb_complain("send", SB_EXIT_USAGE,
					   "--script and --%s do not go together: the script says what is sent",
					   flags[i].name);
	s->plan.is_udp_connected = s->target.on == SB_ON_UDP;
	s->plan.is_corked = false;
	return 0;
}

/* What only the endpoint tells: does everything that was asked for apply? */
static int check(struct sb_send *s, unsigned given)
{
	struct sb_send_plan *plan = &s->plan;
	bool is_udp = s->target.on == SB_ON_UDP;

	if (plan->script)
		return check_script(s, given);
	if (given & 1u << FLAG_MAX_TIME)
		return sb_complain("send", SB_EXIT_USAGE, "--max-time is for --script: --timeout limits each wait");
	if (is_udp && plan->line)
		return sb_complain("send", SB_EXIT_USAGE, "--line is for tcp:// and unix: a datagram has no line");
	if (plan->line && (given & 1u << FLAG_TEXT) && !(given & 1u << FLAG_SIZE))
		plan->size = strlen(plan->text);
	if (plan->line && strpbrk(plan->line, "\r\n"))
		return sb_complain("send", SB_EXIT_USAGE, "--line is one line: write \\n for a line end in a value");
	if (!is_udp && plan->is_udp_connected)
		return sb_complain("send", SB_EXIT_USAGE, "--udp-connected is for udp://, and this is %.200s",
				   plan->endpoint);
	if (s->target.on != SB_ON_TCP && !plan->is_corked)
		return sb_complain("send", SB_EXIT_USAGE, "--no-cork is for tcp://: there is no cork in %.200s",
				   plan->endpoint);
	if (is_udp && plan->reply == SB_REPLY_EOF)
		return sb_complain("send", SB_EXIT_USAGE, "--reply eof is for tcp:// and unix: UDP has no end");
	if (is_udp && plan->size > UDP_SIZE_MAX)
		return sb_complain("send", SB_EXIT_USAGE, "--size is 0 to %d for udp://: no datagram holds more",
				   UDP_SIZE_MAX);
	if (!is_udp && plan->size == 0)
		return sb_complain("send", SB_EXIT_USAGE, "--size is 1 to 64M, not \"0\": only UDP can send nothing");
	if (strlen(plan->text) > plan->size)
		return sb_complain("send", SB_EXIT_USAGE, "--text has %zu bytes%s, more than --size %llu",
				   strlen(plan->text),
				   (given & 1u << FLAG_TEXT) ? "" : " (\"Hello World!\" unless given)",
				   (unsigned long long)plan->size);
	plan->is_corked = plan->is_corked && s->target.on == SB_ON_TCP;
	if (plan->rounds == 0 && plan->every_ns == 0)
		plan->rounds = 1;
	return 0;
}

int sb_send_args(struct sb_send *s, int argc, char **argv)
{
	struct sb_args args = {
		.command = "send", .flags = flags, .flags_n = FLAGS, .argc = argc, .argv = argv, .at = 1};
	struct sb_fault fault = {0};
	unsigned given = 0;
	int code = 0;

	s->plan = (struct sb_send_plan){.text = "Hello World!",
					.count = 10,
					.size = 100,
					.recv_size = 1000,
					.timeout_ns = 5000 * MS,
					.max_time_ns = 10000 * MS,
					.is_corked = true};
	while (code == 0 && sb_args_next(&args) != SB_ARG_END) {
		if (args.id == SB_ARG_HELP)
			return help();
		if (args.id == SB_ARG_BAD)
			return SB_EXIT_USAGE;
		if (args.id == SB_ARG_WORD) {
			code = take_word(&s->plan, args.value);
			continue;
		}
		if (given & 1u << args.id)
			return sb_complain("send", SB_EXIT_USAGE, "--%s is given twice", args.flag->name);
		given |= 1u << args.id;
		code = take_flag(&s->plan, &args);
	}
	if (code != 0)
		return code;
	if (!s->plan.endpoint)
		return sb_complain("send", SB_EXIT_USAGE, "where to? streambed send tcp://127.0.0.1:7777; see --help");
	if (sb_target_parse(&s->target, sb_slice_cstr(s->plan.endpoint), &fault) < 0)
		return sb_complain("send", SB_EXIT_USAGE, "%s", fault.text);
	return check(s, given);
}
