/* SPDX-License-Identifier: MIT
 *
 * io/: the same of poll and of epoll, over real sockets. Two disciplines, one behaviour: level is told again,
 * edge is told once and must not forget. See loop.h for what a turn is; times are patience, never expectations.
 */
#include "loop.h"

/* ---- streams ---- */

/* epoll(7): a short read has emptied the queue. The next turn does not try again to find that out. */
static void a_short_read_needs_no_eagain(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		loop_pair(&l, 2);
		loop_say(&l, 2, "hello");
		assert_int_equal(loop_turn(&l, 0), 0); /* nobody has asked */
		assert_int_equal(l.io.recvs, 0);
		loop_recv(&l, 2);
		loop_await(&l);
		loop_expect(&l, 2, SB_OP_RECV, 5, "hello");
		assert_int_equal(l.done[0].flags, SB_DONE_BUF);
		assert_int_equal(l.done[0].headroom, SB_IO_HEADROOM);
		assert_int_equal(loop_turn(&l, 0), 0);
		loop_recv(&l, 2);
		assert_int_equal(loop_turn(&l, 0), 0);
		assert_int_equal(l.io.recvs, 1);
		loop_say(&l, 2, "again");
		loop_await(&l);
		loop_expect(&l, 2, SB_OP_RECV, 5, "again");
		assert_int_equal(l.io.recvs, 2);
	}
}

static void no_more_than_asked_for(void **state)
{
	static const char *const parts[] = {"he", "ll", "o, ", "world"};
	static const uint32_t wants[] = {2, 2, 3, 5};
	struct loop l;
	uint64_t recvs;

	(void)state;
	EACH_BACKEND(l)
	{
		loop_pair(&l, 0);
		loop_say(&l, 0, "hello, world");
		for (int i = 0; i < 4; i++) {
			loop_arm(&l, 0, SB_OP_RECV, wants[i], 0);
			loop_await(&l);
			loop_expect(&l, 0, SB_OP_RECV, (int)wants[i], parts[i]);
		}
		/* The last was as long as asked for: only asking shows that there is no more. */
		loop_recv(&l, 0);
		assert_int_equal(loop_turn(&l, 0), 0);
		recvs = l.io.recvs;
		for (int i = 0; i < 3; i++)
			assert_int_equal(loop_turn(&l, 0), 0);
		assert_int_equal(l.io.recvs, recvs); /* and that once */
		assert_int_equal(sb_ready_patience(&l.io, 77), 77);
		loop_say(&l, 0, "!");
		loop_await(&l);
		loop_expect(&l, 0, SB_OP_RECV, 1, "!");
	}
}

static void the_end_comes_after_the_data(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		for (uint32_t slot = 0; slot < 2; slot++) {
			if (slot)
				loop_tcp_pair(&l, slot);
			else
				loop_pair(&l, slot);
			loop_say(&l, slot, "bye");
			loop_hang_up(&l, slot);
			loop_recv(&l, slot);
			loop_await(&l);
			loop_expect(&l, slot, SB_OP_RECV, 3, "bye");
			loop_recv(&l, slot);
			loop_await(&l);
			loop_expect(&l, slot, SB_OP_RECV, 0, "");
			assert_int_equal(l.done[0].flags, 0); /* nothing is lent */
		}
	}
}

/* The end comes later than the short read that emptied the queue: it is a new edge. */
static void an_end_that_comes_later(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		loop_tcp_pair(&l, 1);
		loop_say(&l, 1, "bye");
		loop_recv(&l, 1);
		loop_await(&l);
		loop_expect(&l, 1, SB_OP_RECV, 3, "bye");
		assert_int_equal(shutdown(l.peer[1], SHUT_WR), 0);
		assert_int_equal(loop_turn(&l, 10), 0); /* reported while nobody asks */
		loop_recv(&l, 1);
		loop_await(&l);
		loop_expect(&l, 1, SB_OP_RECV, 0, "");
	}
}

/* m5: reads stop at an urgent byte, so a short read proves nothing. "ab" "!" "cd" comes without the "!". */
static void an_urgent_byte_does_not_stall(void **state)
{
	struct loop l;

	(void)state;
	for (int is_late = 0; is_late < 2; is_late++) {
		EACH_BACKEND(l)
		{
			loop_tcp_pair(&l, 3);
			if (!is_late)
				loop_recv(&l, 3);
			loop_say(&l, 3, "ab");
			if (is_late)
				assert_int_equal(loop_turn(&l, 10), 0);
			assert_int_equal(send(l.peer[3], "!", 1, MSG_OOB), 1);
			loop_say(&l, 3, "cd");
			if (is_late)
				loop_recv(&l, 3);
			loop_await(&l);
			loop_expect(&l, 3, SB_OP_RECV, 2, "ab");
			loop_recv(&l, 3);
			loop_await(&l);
			loop_expect(&l, 3, SB_OP_RECV, 2, "cd");
			loop_recv(&l, 3);
			assert_int_equal(loop_turn(&l, 0), 0);
			loop_say(&l, 3, "ef");
			loop_await(&l);
			loop_expect(&l, 3, SB_OP_RECV, 2, "ef");
		}
	}
}

/* g116, m4: a reset behind data. What was received is read first, then the reset is said. */
static void g116_a_hang_up_comes_after_the_data(void **state)
{
	static const struct linger now = {.l_onoff = 1};
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		loop_tcp_pair(&l, 0);
		loop_say(&l, 0, "data");
		assert_int_equal(loop_turn(&l, 10), 0);
		assert_int_equal(setsockopt(l.peer[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
		loop_hang_up(&l, 0);
		l.want = 2;
		for (int i = 0; i < 2; i++) {
			loop_recv(&l, 0);
			loop_await(&l);
			loop_expect(&l, 0, SB_OP_RECV, 2, i ? "ta" : "da");
		}
		loop_recv(&l, 0);
		loop_await(&l);
		loop_expect(&l, 0, SB_OP_RECV, -ECONNRESET, "");
		assert_true(loop_send(&l, 0, "x", 1) < 0);
	}
}

/* Only that it is gone is told, and nothing is read; RECV takes its place. */
static void b43_a_watch_completes_when_the_connection_has_gone(void **state)
{
	static const struct linger now = {.l_onoff = 1};
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		for (uint32_t slot = 0; slot < 2; slot++) {
			loop_tcp_pair(&l, slot);
			loop_arm(&l, slot, SB_OP_WATCH, 0, 0);
			loop_say(&l, slot, "data");
			assert_int_equal(loop_turn(&l, 10), 0);
			if (slot)
				loop_recv(&l, slot);
			if (slot)
				loop_await(&l);
			assert_int_equal(setsockopt(l.peer[slot], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
			loop_hang_up(&l, slot);
			if (slot) {
				assert_int_equal(loop_turn(&l, 10), 0); /* nobody watches it any longer */
				continue;
			}
			loop_await(&l);
			loop_expect(&l, slot, SB_OP_WATCH, -ECONNRESET, "");
			assert_int_equal(loop_turn(&l, 10), 0);
		}
	}
}

/* Both have closed in order: that is no error, and costs no turn after turn. */
static void a_watch_says_nothing_of_an_end_in_order(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		loop_pair(&l, 0);
		loop_arm(&l, 0, SB_OP_WATCH, 0, 0);
		loop_hang_up(&l, 0);
		assert_int_equal(loop_turn(&l, 10), 0);
		assert_int_equal(l.io.ready->queued, 0);
		assert_int_equal(l.io.ready->slot[0].armed, 0);
	}
}

/* ---- sending ---- */

static void an_empty_send_completes_when_there_is_room(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		loop_pair(&l, 0);
		assert_int_equal(loop_send(&l, 0, "", 0), -EAGAIN); /* never at once: others get their turn */
		loop_await(&l);
		loop_expect(&l, 0, SB_OP_SEND, 0, "");
		assert_int_equal(loop_turn(&l, 0), 0);
		assert_int_equal(l.io.sends, 0);
	}
}

static void a_full_socket_says_when_there_is_room(void **state)
{
	static uint8_t block[4096];
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		size_t sent = 0, left;
		int r;

		loop_pair(&l, 0);
		while ((r = loop_send(&l, 0, block, sizeof(block))) > 0)
			sent += (size_t)r;
		assert_int_equal(r, -EAGAIN);
		assert_int_equal(loop_turn(&l, 0), 0);
		assert_int_equal(loop_turn(&l, 10), 0);
		for (left = sent; left > 0; left -= (size_t)r)
			assert_true((r = (int)recv(l.peer[0], block, sizeof(block), 0)) > 0);
		loop_await(&l);
		loop_expect(&l, 0, SB_OP_SEND, 0, "");
		assert_int_equal(loop_send(&l, 0, "hello", 5), 5);
		assert_int_equal(recv(l.peer[0], block, sizeof(block), 0), 5);
		assert_memory_equal(block, "hello", 5);
	}
}

/* A short send has filled the socket: until the kernel says otherwise, nobody tries. */
static void a_short_send_needs_no_eagain(void **state)
{
	enum { LOTS = 32 << 20 };
	uint8_t *lots = calloc(1, LOTS);
	struct loop l;

	(void)state;
	assert_non_null(lots);
	EACH_BACKEND(l)
	{
		int r;

		loop_tcp_pair(&l, 0);
		r = loop_send(&l, 0, lots, LOTS);
		assert_true(r > 0 && r < LOTS);
		assert_int_equal(loop_send(&l, 0, lots, LOTS), -EAGAIN);
		assert_int_equal(l.io.sends, 1);
	}
	free(lots);
}

static void two_slices_are_one_send(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		struct sb_op op = {.kind = SB_OP_SEND, .iov_n = 2};
		struct sb_done done;
		char got[16];

		loop_pair(&l, 5);
		op.handle = loop_handle(&l, 5);
		op.iov[0] = sb_slice("+OK ", 4);
		op.iov[1] = sb_slice("hello", 5);
		assert_int_equal(l.ops->submit(&l.io, &op, &done), 1);
		assert_int_equal(done.res, 9);
		assert_int_equal(l.io.sends, 1);
		assert_int_equal(recv(l.peer[5], got, sizeof(got), 0), 9);
		assert_memory_equal(got, "+OK hello", 9);
	}
}

/* ---- turns ---- */

/* However much one has to say, a turn is one operation of each. */
static void a_turn_is_one_operation_of_each(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		l.rearms = true;
		l.want = 1;
		for (uint32_t i = 0; i < 3; i++) {
			loop_pair(&l, i);
			loop_recv(&l, i);
			loop_say(&l, i, i == 1 ? "0123456789" : "01234");
		}
		for (int turn = 0; turn < 5; turn++) {
			unsigned seen = 0;

			assert_int_equal(loop_turn(&l, PATIENCE_MS), 3);
			for (int i = 0; i < 3; i++) {
				assert_int_equal(l.text[i][0], '0' + turn);
				seen |= 1u << l.done[i].handle.slot;
			}
			assert_int_equal(seen, 7);
		}
		for (int turn = 5; turn < 10; turn++) {
			loop_await(&l);
			loop_expect(&l, 1, SB_OP_RECV, 1, (const char[]){(char)('0' + turn), '\0'});
		}
	}
}

static void sending_and_receiving_take_two_turns(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		loop_pair(&l, 0);
		loop_say(&l, 0, "in");
		loop_recv(&l, 0);
		assert_int_equal(loop_send(&l, 0, "", 0), -EAGAIN);
		loop_await(&l);
		loop_expect(&l, 0, SB_OP_SEND, 0, ""); /* what is sent frees what is read into */
		loop_await(&l);
		loop_expect(&l, 0, SB_OP_RECV, 2, "in");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_read_needs_no_eagain),
		cmocka_unit_test(no_more_than_asked_for),
		cmocka_unit_test(the_end_comes_after_the_data),
		cmocka_unit_test(an_end_that_comes_later),
		cmocka_unit_test(an_urgent_byte_does_not_stall),
		cmocka_unit_test(g116_a_hang_up_comes_after_the_data),
		cmocka_unit_test(b43_a_watch_completes_when_the_connection_has_gone),
		cmocka_unit_test(a_watch_says_nothing_of_an_end_in_order),
		cmocka_unit_test(an_empty_send_completes_when_there_is_room),
		cmocka_unit_test(a_full_socket_says_when_there_is_room),
		cmocka_unit_test(a_short_send_needs_no_eagain),
		cmocka_unit_test(two_slices_are_one_send),
		cmocka_unit_test(a_turn_is_one_operation_of_each),
		cmocka_unit_test(sending_and_receiving_take_two_turns),
	};

	return cmocka_run_group_tests_name("ready", tests, NULL, NULL);
}
