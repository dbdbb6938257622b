/* SPDX-License-Identifier: MIT
 *
 * service/source.c: the stream is a function of the offset, so any part of it is the same part of the whole.
 * What the whole is, test_session_source.c writes down; here are parts, and lines that are refused.
 */
#include "check.h"

#include "service/service.h"

struct made {
	struct sb_line line;
	struct sb_framing framing;
	struct sb_source source;
	struct sb_fault fault;
	uint64_t bytes_max;
};

static const struct sb_file files[] = {
	{{(const uint8_t *)"empty", 5}, {NULL, 0}},
	{{(const uint8_t *)"f", 1}, {(const uint8_t *)"a file of its own", 17}},
};

/* Reads a line that the grammar takes. 0, or why SOURCE does not take it. */
static int make(struct made *m, const char *line)
{
	struct sb_service_in in = {.line = &m->line, .framing = &m->framing, .files = files, .files_n = 2, .seed = 77};
	const struct sb_value *frame = &m->line.v[SB_KEY_FRAME], *max = &m->line.v[SB_KEY_MAX];
	uint8_t *scratch = test_malloc(SB_FRAME_MAX);
	int r;

	*m = (struct made){.bytes_max = m->bytes_max ? m->bytes_max : 1073741824};
	in.scratch = scratch;
	in.bytes_max = m->bytes_max;
	r = sb_line_parse(&m->line, sb_slice_cstr(line), &m->fault);
	if (r == 0)
		r = sb_framing_parse(&m->framing, frame->set ? frame->text : sb_slice_cstr("raw"),
				     max->set ? (uint32_t)max->num : SB_FRAME_MAX, &m->fault);
	if (r < 0)
		fail_msg("%s: %s", line, m->fault.text);
	r = sb_source_setup(&m->source, &in, &m->fault);
	test_free(scratch);
	return r;
}

static const char *const lines[] = {
	"SOURCE len=7 count=9",
	"SOURCE len=7 count=9 pattern=zero frame=u8",
	"SOURCE len=7 count=9 pattern=random seed=3 frame=u16be",
	"SOURCE len=7 count=9 pattern=random",
	"SOURCE len=8 count=9 pattern=random frame=u32le",
	"SOURCE len=7 count=9 pattern=abc frame=netstring",
	"SOURCE len=1 count=40 pattern=xyz frame=crlf",
	"SOURCE len=96 count=2 frame=line",
	"SOURCE len=3 count=20 frame=delim:0d0a0d0a",
	"SOURCE len=4 count=10 frame=fixed:4",
	"SOURCE len=5 count=10 frame=len:2,2,le,-4,0 pattern=\\0\\0\\x05\\0x",
	"SOURCE len=0 count=33 frame=varint",
	"SOURCE file=f count=4",
};

enum { LINES = sizeof(lines) / sizeof(lines[0]) };

/* Every offset, every length: into memory of exactly that length. */
static void any_part_is_that_part_of_the_whole(void **state)
{
	(void)state;
	for (int i = 0; i < LINES; i++) {
		struct made m = {.bytes_max = 0};
		uint8_t *whole;
		size_t size;

		if (make(&m, lines[i]) < 0)
			fail_msg("%s: column %u: %s", lines[i], m.fault.col, m.fault.text);
		size = (size_t)sb_source_size(&m.source);
		assert_true(size > 0 && size < 300);
		whole = test_malloc(size);
		sb_source_fill(&m.source, 0, whole, size);
		for (size_t from = 0; from <= size; from++) {
			for (size_t n = 0; n <= size - from; n++) {
				uint8_t *part = malloc(n ? n : 1);

				assert_non_null(part);
				sb_source_fill(&m.source, from, part, n);
				if (n && memcmp(part, whole + from, n) != 0)
					fail_msg("%s: %zu bytes from %zu differ", lines[i], n, from);
				free(part);
			}
		}
		test_free(whole);
	}
}

/* What it sends its own framing reads back: count messages of len bytes. */
static void its_own_framing_reads_it_back(void **state)
{
	(void)state;
	for (int i = 0; i < LINES; i++) {
		struct made m = {.bytes_max = 0};
		struct sb_frame frames[64];
		struct sb_scan scan = {0};
		uint8_t whole[300];
		size_t at = 0, n = 0;
		int found;

		assert_int_equal(make(&m, lines[i]), 0);
		if (m.framing.flags & SB_CODEC_UNFRAMED)
			continue;
		sb_source_fill(&m.source, 0, whole, (size_t)sb_source_size(&m.source));
		while ((found = sb_framing_scan(&m.framing, &scan, whole + at, (size_t)sb_source_size(&m.source) - at,
						frames, 64)) > 0) {
			for (int k = 0; k < found; k++) {
				uint8_t payload[100];

				sb_source_payload(&m.source, n++, 0, payload, m.source.len);
				assert_true(sb_slice_eq(sb_slice(frames[k].p, frames[k].n),
							sb_slice(payload, m.source.len)));
				at += frames[k].wire;
			}
		}
		assert_int_equal(found, 0);
		assert_int_equal(n, m.source.count);
		assert_int_equal(at, sb_source_size(&m.source));
	}
}

/* Far into a stream: nothing is counted up from its start, nothing wraps. */
static void far_offsets(void **state)
{
	struct made m = {.bytes_max = UINT64_C(1) << 40};
	uint8_t a[64], b[64];
	uint64_t at = (UINT64_C(1) << 39) + 12345;

	(void)state;
	assert_int_equal(make(&m, "SOURCE len=1023 count=1073741824 pattern=random seed=9"), 0);
	sb_source_fill(&m.source, at, a, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++) {
		sb_source_fill(&m.source, at + i, b + i, 1);
		assert_int_equal(b[i], (sb_rng_at(9, (at + i) / 8) >> 8 * ((at + i) % 8)) & 0xff);
	}
	assert_memory_equal(a, b, sizeof(a));
	sb_source_fill(&m.source, sb_source_size(&m.source) - 1, a, 1);
	assert_int_equal(make(&m, "SOURCE len=1023 count=1073741824"), 0);
	sb_source_fill(&m.source, at, a, 1);
	assert_int_equal(a[0], ' ' + (at / 1023 + at % 1023) % 95);
}

static void what_is_said_and_what_is_not(void **state)
{
	struct made m = {.bytes_max = 0};

	(void)state;
	assert_int_equal(make(&m, "SOURCE"), 0);
	assert_int_equal(m.source.len, 1024);
	assert_int_equal(m.source.count, 1);
	assert_int_equal(m.source.pattern, SB_PATTERN_CHARGEN);
	assert_int_equal(m.source.seed, 77); /* the server's, which it prints */
	assert_int_equal(make(&m, "SOURCE max=10"), 0);
	assert_int_equal(m.source.len, 10);
	assert_int_equal(make(&m, "SOURCE seed=0 pattern=random"), 0);
	assert_int_equal(m.source.seed, 0);
	assert_int_equal(make(&m, "SOURCE len=64k count=16384"), 0); /* just what one may ask for */
	assert_int_equal(sb_source_size(&m.source), 1073741824);
	assert_int_equal(make(&m, "SOURCE pattern=zeros"), 0); /* a text like any other */
	assert_int_equal(m.source.pattern, SB_PATTERN_TEXT);
}

static void refused_with_its_column(void **state)
{
	static const struct {
		const char *line;
		int code;
		uint32_t col;
	} rows[] = {
		{"SOURCE len=0", SB_E_RANGE, 12},
		{"SOURCE max=10 len=11", SB_E_RANGE, 19},
		{"SOURCE len=64k count=16385", SB_E_RANGE, 22},
		{"SOURCE count=1073741824", SB_E_RANGE, 14},
		{"SOURCE frame=fixed:4 len=5", SB_E_BAD_PAYLOAD, 14},
		{"SOURCE frame=fixed:4", SB_E_BAD_PAYLOAD, 14},
		{"SOURCE frame=u8 len=256", SB_E_BAD_PAYLOAD, 14},
		{"SOURCE frame=line pattern=a\\nb", SB_E_BAD_PAYLOAD, 14},
		{"SOURCE frame=line pattern=random", SB_E_BAD_PAYLOAD, 14},
		{"SOURCE len=1 frame=crlf pattern=random", SB_E_BAD_PAYLOAD, 20},
		{"SOURCE frame=delim:41", SB_E_BAD_PAYLOAD, 14},       /* the ring has an A in it */
		{"SOURCE len=1 frame=delim:7e", SB_E_BAD_PAYLOAD, 20}, /* as the 95th payload */
		{"SOURCE frame=len:0,4,be,0 pattern=random", SB_E_BAD_PAYLOAD, 14},
		{"SOURCE frame=len:0,1,be,0 len=1 pattern=random", SB_E_BAD_PAYLOAD, 14},
		{"SOURCE frame=len:0,1,be,0 len=33", SB_E_BAD_PAYLOAD, 14}, /* ' ' is 32: payload 0 alone is right */
		{"SOURCE file=nobody", SB_E_UNKNOWN, 13},
		{"SOURCE file=empty", SB_E_RANGE, 13},
		{"SOURCE len=3 file=f", SB_E_PLACE, 8},
		{"SOURCE file=f pattern=zero", SB_E_PLACE, 15},
		{"SOURCE file=f frame=line", SB_E_PLACE, 15},
		{"SOURCE file=f count=1073741824", SB_E_RANGE, 21},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made m = {.bytes_max = 0};
		int r = make(&m, rows[i].line);

		if (r != rows[i].code || m.fault.code != r || m.fault.col != rows[i].col)
			fail_msg("%s: %s, column %u: %s", rows[i].line, sb_errname(r), m.fault.col, m.fault.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_part_is_that_part_of_the_whole),
		cmocka_unit_test(its_own_framing_reads_it_back),
		cmocka_unit_test(far_offsets),
		cmocka_unit_test(what_is_said_and_what_is_not),
		cmocka_unit_test(refused_with_its_column),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
