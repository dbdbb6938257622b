/* SPDX-License-Identifier: MIT
 * streambed explain LINE: what a line comes to, the line itself in its canonical form first. */
#include "cli/explain_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/nearest.h"
#include "core/plan.h"
#include "scenario/print.h"
#include "service/service.h"

enum { BOUNDARIES = 12 };

bool sb_is_line(const char *text)
{
	struct sb_slice word = sb_slice(text, strcspn(text, " "));

	/* A verb with a typing error is no file either: what is wrong with it is said. */
	return access(text, F_OK) < 0 && sb_nearest(word, sb_verb_name_at, NULL);
}

static void time_of(const char *what, uint64_t ns)
{
	char room[32];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_text_time(&t, ns);
	printf("%s %s", what, sb_text_end(&t));
}

static void print_framing(const struct sb_plan *plan)
{
	char room[256];

	if (sb_framing_print(&plan->framing, room, sizeof(room)) > 0)
		printf("framing   %s, payloads of at most %u bytes\n", room, plan->framing.max);
}

/* The first boundaries, as anybody can compute them: of the stream, or of each frame. */
static void print_cuts(const struct sb_plan *plan)
{
	const struct sb_cuts *cuts = &plan->cuts;
	bool is_raw = plan->framing.flags & SB_CODEC_UNFRAMED;
	uint64_t at = 0;

	if (cuts->join)
		printf("join      %u %s leave in one send\n", cuts->join, is_raw ? "bytes" : "frames");
	if (!cuts->frag && cuts->at_n == 0)
		return;
	printf("cuts      of %s, at", is_raw ? "the stream" : "each frame");
	for (int i = 0; i < BOUNDARIES; i++) {
		at = sb_cuts_next(cuts, 0, at);
		if (at == UINT64_MAX)
			break;
		printf(" %llu", (unsigned long long)at);
	}
	printf(at == UINT64_MAX ? "\n" : " ...\n");
	if (cuts->frag == SB_FRAG_RANDOM)
		printf("seed      %llu%s\n", (unsigned long long)cuts->seed,
		       is_raw ? "" : "; offsets are of the whole stream, so each frame is cut in its own way");
}

static void print_gate(const struct sb_cuts *cuts)
{
	static const char *const gates[] = {
		[SB_GATE_READ] = "read: the next piece leaves when the peer has read the last one",
		[SB_GATE_ACK] = "ack: the next piece leaves when the peer's kernel has the last one",
		[SB_GATE_TIME] = "time: the next piece leaves some time after the last one, which proves nothing",
		[SB_GATE_BEST] = "best: read, or ack where that cannot be had, or time",
	};

	if (cuts->gate == SB_GATE_NONE)
		return;
	printf("gate      %s", gates[cuts->gate]);
	if (cuts->gate != SB_GATE_TIME)
		time_of("; reset after", cuts->gate_max);
	printf("\n");
	if (cuts->gap) {
		time_of("gap      ", cuts->gap);
		printf(" between two pieces\n");
	}
}

static void print_times(const struct sb_plan *plan)
{
	if (plan->cuts.delay) {
		time_of("delay    ", plan->cuts.delay);
		printf(" before each reply\n");
	}
	if (plan->stop_ns) {
		time_of("reading   stops for", plan->stop_ns);
		printf(" after %llu bytes\n", (unsigned long long)plan->stop_at);
	}
	if (plan->is_recv_set)
		printf("reading   %u bytes at a time\n", plan->recv_max);
}

/* The program, a step a line. */
static void print_steps(const struct sb_line *line, bool is_script)
{
	for (int i = 0; i < line->steps_n; i++) {
		char room[SB_LINE_MAX * 4];
		struct sb_text t = sb_text_in(room, sizeof(room));

		sb_text_step(&t, &line->steps[i]);
		printf("%s%2d %s\n",
		       i > 0       ? "          "
		       : is_script ? "steps     "
				   : "then      ",
		       i + 1, sb_text_end(&t));
	}
}

static void print_end(const struct sb_plan *plan)
{
	static const char *const ends[] = {
		[SB_CLOSE_CLEAN] = "FIN, then what comes is dropped until the peer's FIN",
		[SB_CLOSE_RST] = "RST",
		[SB_CLOSE_ABRUPT] = "close() at once",
		[SB_CLOSE_HALF] = "FIN, and it reads on for as long as the peer likes",
		[SB_CLOSE_STALL] = "nothing: no FIN, and nothing more is sent",
	};

	if (plan->flip != UINT64_MAX)
		printf("flip      the lowest bit of byte %llu of what is sent\n", (unsigned long long)plan->flip);
	if (plan->limit != UINT64_MAX)
		printf("limit     ends after %llu bytes sent\n", (unsigned long long)plan->limit);
	if (plan->maxlife) {
		time_of("maxlife   ends after", plan->maxlife);
		printf("\n");
	}
	printf("end       %s\n", ends[plan->close]);
}

static void print_syn(const struct sb_syn *syn)
{
	if (!syn->is_drop)
		return;
	printf("syn       nobody who connects is answered");
	if (syn->until != UINT64_MAX)
		time_of(", for", syn->until);
	printf("\n");
}

static void print_plan(const struct sb_plan *plan, const struct sb_line *line)
{
	char room[SB_LINE_MAX * 4];

	if (sb_line_print(line, room, sizeof(room)) > 0)
		printf("%s\n", room);
	printf("service   %s: %s\n", plan->service->name, plan->service->help);
	print_syn(&plan->syn);
	print_framing(plan);
	if (plan->service->ops->is_source && plan->source.count != UINT64_MAX)
		printf("sends     %llu messages of %llu bytes\n", (unsigned long long)plan->source.count,
		       (unsigned long long)sb_source_period(&plan->source));
	print_cuts(plan);
	print_gate(&plan->cuts);
	print_times(plan);
	print_steps(line, plan->service->ops->is_script);
	print_end(plan);
}

int sb_explain_line(const char *text)
{
	static uint8_t scratch[SB_FRAME_MAX];
	static struct sb_line line;
	struct sb_service_in in = {.line = &line, .scratch = scratch};
	struct sb_limits limits = {.is_set = {false}};
	struct sb_fault fault = {0};
	struct sb_plan plan = {.service = NULL};
	int r = sb_verb_first(&line, false, sb_line_parse(&line, sb_slice_cstr(text), &fault), &fault);

	sb_limits_fill(&limits, false);
	if (r == 0)
		r = sb_plan_make(&plan, &in, SB_ON_TCP, &limits, false, &fault);
	if (r < 0 || !plan.service)
		return sb_complain("explain", SB_EXIT_DATA, "col=%u %s", fault.col, fault.text);
	print_plan(&plan, &line);
	return SB_EXIT_OK;
}
