/* SPDX-License-Identifier: MIT
 * core/replies.h, peers.h, late.h: replies counted for each peer, and those that leave later. */
#include "check.h"

#include <stdio.h>

#include "core/replies.h"

enum { PEERS = 4, BLOCKS = 8 };

struct place {
	struct sb_limits limits;
	struct sb_line line;
	struct sb_plan plan;
	struct sb_replies replies;
	struct sb_peer *cells;
	uint32_t *heads;
	uint8_t *blocks;
	char log[256]; /* what has left: the number, and a comma; a dropped one in brackets */
	uint64_t now;
};

static void open_place(struct place *p, const char *line)
{
	static uint8_t scratch[SB_FRAME_MAX];
	struct sb_fault fault = {0};
	struct sb_service_in in = {.line = &p->line, .scratch = scratch, .seed = 1};

	*p = (struct place){.now = SB_S};
	sb_limits_fill(&p->limits, false);
	if (sb_line_parse(&p->line, sb_slice_cstr(line), &fault) < 0 ||
	    sb_plan_make(&p->plan, &in, SB_ON_UDP, &p->limits, false, &fault) < 0)
		fail_msg("%s: column %u: %s", line, fault.col, fault.text);
	p->cells = test_malloc(PEERS * sizeof(*p->cells));
	p->heads = test_malloc(PEERS * sizeof(*p->heads));
	p->blocks = test_malloc((size_t)BLOCKS * SB_LATE_BLOCK);
	memset(p->cells, 0x5a, PEERS * sizeof(*p->cells));
	memset(p->heads, 0x5a, PEERS * sizeof(*p->heads));
	sb_peers_init(&p->replies.peers, p->cells, p->heads, PEERS);
	sb_late_init(&p->replies.late, p->blocks, BLOCKS);
}

static void close_place(struct place *p)
{
	test_free(p->cells);
	test_free(p->heads);
	test_free(p->blocks);
}

static void note(struct place *p, uint64_t number, bool is_dropped)
{
	size_t n = strlen(p->log);

	snprintf(p->log + n, sizeof(p->log) - n, "%s%llu%s,", is_dropped ? "(" : "", (unsigned long long)number,
		 is_dropped ? ")" : "");
}

static void pass(struct place *p, uint64_t ns)
{
	struct sb_late_reply *reply;

	p->now += ns;
	while ((reply = sb_replies_due(&p->replies, p->now))) {
		for (int i = 0; i < reply->copies; i++)
			note(p, reply->number, false);
		sb_late_end(&p->replies.late, reply);
	}
}

static uint32_t gen; /* of the socket */

static enum sb_drop answer(struct place *p, uint16_t port, struct sb_slice bytes)
{
	struct sb_done done = {.src = {.family = SB_IPV4, .port = port, .ip = {127, 0, 0, 1}}};
	struct sb_late_reply what;
	bool is_kept;
	enum sb_drop why;

	done.handle.gen = gen;
	why = sb_replies_take(&p->replies, &p->plan, 0, &done, bytes, p->now, &what, &is_kept);

	if (why != SB_DROP_NONE)
		note(p, what.number, true);
	for (int i = 0; why == SB_DROP_NONE && !is_kept && i < what.copies; i++)
		note(p, what.number, false);
	sb_replies_passed(&p->replies, &p->plan, &what, p->now);
	pass(p, 0);
	return why;
}

static void answer_all(struct place *p, uint16_t port, int n)
{
	for (int i = 0; i < n; i++)
		answer(p, port, sb_slice_cstr("hi"));
}

static void expect(struct place *p, const char *want)
{
	assert_string_equal(p->log, want);
	p->log[0] = '\0';
}

static void what_a_line_says_happens(void **state)
{
	static const struct {
		const char *line, *first, *later;
	} rows[] = {
		{"ECHO drop=2,4", "1,(2),3,(4),5,6,", ""},
		{"ECHO dup=2", "1,2,2,3,4,5,6,", ""},
		{"ECHO reorder=2:2", "1,3,4,2,5,6,", ""},
		/* Whoever waits himself has had his turn for those who wait for him. */
		{"ECHO reorder=1-3:1", "1,2,4,3,5,6,", ""},
		{"ECHO dup=2 reorder=2:3", "1,3,4,5,2,2,6,", ""},
		/* A dropped one has had its turn, too. */
		{"ECHO drop=3 reorder=2:1", "1,(3),2,4,5,6,", ""},
		{"ECHO reorder=6:1", "1,2,3,4,5,", "6,"},
		{"ECHO hold=50ms", "", "1,2,3,4,5,6,"},
		{"ECHO hold=50ms reorder=2:2 drop=5", "(5),", "1,3,4,2,6,"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct place p;

		open_place(&p, rows[i].line);
		answer_all(&p, 5000, 6);
		expect(&p, rows[i].first);
		pass(&p, 10 * SB_S);
		expect(&p, rows[i].later);
		assert_int_equal(p.replies.late.blocks.used, 0);
		close_place(&p);
	}
}

static void a_nanosecond_before_nothing_leaves(void **state)
{
	struct place p;

	(void)state;
	open_place(&p, "ECHO hold=50ms");
	answer_all(&p, 5000, 1);
	pass(&p, 20 * SB_MS);
	answer_all(&p, 5001, 1);
	pass(&p, 30 * SB_MS - 1);
	expect(&p, "");
	pass(&p, 1);
	expect(&p, "1,");
	pass(&p, 20 * SB_MS - 1);
	expect(&p, "");
	pass(&p, 1);
	expect(&p, "1,");
	close_place(&p);
}

static void who_is_never_overtaken_leaves_after_ten_seconds(void **state)
{
	struct place p;

	(void)state;
	open_place(&p, "ECHO reorder=1:2");
	answer_all(&p, 5000, 2);
	expect(&p, "2,");
	pass(&p, 10 * SB_S - 1);
	expect(&p, "");
	pass(&p, 1);
	expect(&p, "1,");
	p.limits.v[SB_LIMIT_DELAY] = 3 * SB_S;
	answer_all(&p, 5001, 1);
	pass(&p, 3 * SB_S - 1);
	expect(&p, "");
	pass(&p, 1);
	expect(&p, "1,");
	close_place(&p);
}

static void each_peer_and_port_counts_by_itself(void **state)
{
	struct place p;

	(void)state;
	open_place(&p, "ECHO drop=2 reorder=1:1");
	answer_all(&p, 5000, 1);
	answer_all(&p, 5001, 1);
	expect(&p, "");
	answer_all(&p, 5001, 1);
	expect(&p, "(2),1,");
	answer_all(&p, 5000, 2);
	expect(&p, "(2),1,3,");
	close_place(&p);
}

static void the_quietest_peer_is_forgotten(void **state)
{
	struct place p;

	(void)state;
	open_place(&p, "ECHO drop=2");
	for (uint16_t port = 5000; port < 5000 + PEERS; port++)
		answer_all(&p, port, 1);
	answer_all(&p, 5000, 2); /* heard of again: now 5001 is the quietest */
	p.log[0] = '\0';
	assert_int_equal(p.replies.forgotten, 0);
	answer_all(&p, 6000, 1);
	assert_int_equal(p.replies.forgotten, 1);
	answer_all(&p, 5000, 1);
	answer_all(&p, 5002, 1);
	answer_all(&p, 5003, 1);
	expect(&p, "1,4,(2),(2),");
	answer_all(&p, 5001, 1);
	assert_int_equal(p.replies.forgotten, 2);
	expect(&p, "1,");
	for (int i = 0; i < 1000; i++)
		answer_all(&p, (uint16_t)(7000 + i), 1);
	assert_int_equal(p.replies.forgotten, 1002);
	close_place(&p);
}

static void there_is_no_room_for_more(void **state)
{
	static uint8_t bytes[BLOCKS * SB_LATE_BLOCK], room[sizeof(bytes)];
	size_t most = SB_LATE_FIRST + (BLOCKS - 1) * (size_t)SB_LATE_MORE;
	struct place p;
	struct sb_slice s;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	open_place(&p, "ECHO hold=50ms");
	assert_int_equal(answer(&p, 5000, sb_slice(bytes, most + 1)), SB_DROP_HELD_FULL);
	assert_int_equal(p.replies.late.blocks.used, 0);
	assert_int_equal(answer(&p, 5000, sb_slice(bytes, most)), SB_DROP_NONE);
	assert_int_equal(answer(&p, 5000, sb_slice(bytes, 0)), SB_DROP_HELD_FULL);
	s = sb_late_bytes(sb_late_first(&p.replies.late), room);
	assert_true(sb_slice_eq(s, sb_slice(bytes, most)));
	expect(&p, "(1),(3),");
	pass(&p, SB_S);
	expect(&p, "2,");
	for (int i = 0; i < BLOCKS; i++)
		assert_int_equal(answer(&p, 5000, sb_slice(bytes, SB_LATE_FIRST)), SB_DROP_NONE);
	assert_int_equal(answer(&p, 5000, sb_slice(bytes, 0)), SB_DROP_HELD_FULL);
	pass(&p, SB_S);
	assert_int_equal(p.replies.late.blocks.used, 0);
	for (int i = 0; i < BLOCKS / 2; i++)
		assert_int_equal(answer(&p, 5000, sb_slice(bytes, SB_LATE_FIRST + 1)), SB_DROP_NONE);
	assert_int_equal(p.replies.late.blocks.used, BLOCKS);
	close_place(&p);
}

static void what_a_socket_leaves_is_found(void **state)
{
	struct place p;
	struct sb_late_reply *reply;

	(void)state;
	open_place(&p, "ECHO hold=50ms reorder=2:5");
	answer_all(&p, 5000, 3);
	assert_null(sb_replies_of(&p.replies, 1));
	for (uint64_t i = 0; (reply = sb_replies_of(&p.replies, 0)); i++) {
		static const uint64_t order[] = {1, 3, 2};

		assert_int_equal(reply->number, order[i]);
		sb_late_end(&p.replies.late, reply);
	}
	assert_null(sb_late_first(&p.replies.late));
	close_place(&p);
}

/* Another socket in the place of one that was closed. */
static void a_new_socket_counts_from_one(void **state)
{
	struct place p;

	(void)state;
	open_place(&p, "ECHO drop=2");
	gen = 7;
	answer_all(&p, 5000, 3);
	expect(&p, "1,(2),3,");
	gen = 8;
	answer_all(&p, 5000, 3);
	expect(&p, "1,(2),3,");
	gen = 0;
	close_place(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_line_says_happens),
		cmocka_unit_test(a_nanosecond_before_nothing_leaves),
		cmocka_unit_test(who_is_never_overtaken_leaves_after_ten_seconds),
		cmocka_unit_test(each_peer_and_port_counts_by_itself),
		cmocka_unit_test(the_quietest_peer_is_forgotten),
		cmocka_unit_test(there_is_no_room_for_more),
		cmocka_unit_test(what_a_socket_leaves_is_found),
		cmocka_unit_test(a_new_socket_counts_from_one),
	};

	return cmocka_run_group_tests_name("replies", tests, NULL, NULL);
}
