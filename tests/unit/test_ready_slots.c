/* SPDX-License-Identifier: MIT
 *
 * io/: slots that come and go, memory that has run out, and everything that is not a stream, the same on poll and
 * on epoll. Streams are in test_ready.c.
 */
#include "loop.h"

/* ---- memory has run out ---- */

static void streams_without_room_are_passed_over(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		for (uint32_t i = 0; i < 3; i++) {
			loop_pair(&l, i);
			loop_say(&l, i, "hello");
		}
		l.io.is_held = true;
		loop_recv(&l, 0);
		loop_arm(&l, 1, SB_OP_RECV, 100, SB_OP_ROOM);
		loop_recv(&l, 2);
		loop_await(&l);
		loop_expect(&l, 1, SB_OP_RECV, 5, "hello");
		for (int i = 0; i < 3; i++)
			assert_int_equal(loop_turn(&l, 0), 0);
		assert_int_equal(sb_ready_patience(&l.io, 77), 77); /* and there is no spinning: */
		if (l.io.fd < 0) /* on a level, what nobody can take must not be reported */
			assert_false(l.io.ready->slot[0].is_queued || l.io.ready->slot[2].is_queued);
		assert_int_equal(loop_send(&l, 2, "", 0), -EAGAIN); /* sending frees memory: it goes on */
		loop_await(&l);
		loop_expect(&l, 2, SB_OP_SEND, 0, "");
		l.io.is_held = false;
		assert_int_equal(loop_await(&l), 2);
		assert_string_equal(l.text[0], "hello");
		assert_string_equal(l.text[1], "hello");
	}
}

/* One with room asks while the others are stuck, and its bytes were reported before: it is not waited for. */
static void room_that_comes_late_is_used_at_once(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		loop_pair(&l, 0);
		loop_pair(&l, 1);
		loop_say(&l, 0, "stuck");
		loop_say(&l, 1, "ready");
		l.io.is_held = true;
		loop_recv(&l, 0);
		assert_int_equal(loop_turn(&l, 10), 0);
		assert_int_equal(loop_turn(&l, 0), 0);
		loop_arm(&l, 1, SB_OP_RECV, 100, SB_OP_ROOM);
		if (l.io.ready->slot[1].is_queued)
			assert_int_equal(sb_ready_patience(&l.io, 77), 0);
		loop_await(&l);
		loop_expect(&l, 1, SB_OP_RECV, 5, "ready");
	}
}

/* Listeners and datagrams go on: they hold nothing. */
static void listeners_are_not_held(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		struct sockaddr_in at;
		int client;

		loop_attach(&l, 0, loop_listener(&at), SB_IO_LISTENER);
		l.io.is_held = true;
		loop_arm(&l, 0, SB_OP_ACCEPT, 0, 0);
		client = loop_connect(&at);
		loop_await(&l);
		assert_int_equal(l.done[0].kind, SB_OP_ACCEPT);
		assert_true(l.done[0].res >= 0);
		close(l.done[0].res);
		close(client);
	}
}

/* ---- slots ---- */

static void detached_while_queued(void **state)
{
	struct loop l;

	(void)state;
	for (uint32_t gone = 0; gone < 4; gone++) {
		EACH_BACKEND(l)
		{
			struct sb_done done;
			unsigned seen = 0;

			for (uint32_t i = 0; i < 4; i++) {
				loop_pair(&l, i);
				loop_recv(&l, i);
				loop_say(&l, i, "x");
			}
			assert_int_equal(l.ops->wait(&l.io, 0), 4);
			loop_detach(&l, gone);
			loop_hang_up(&l, gone);
			while (l.ops->next(&l.io, &done))
				seen |= 1u << done.handle.slot;
			assert_int_equal(seen, 15u & ~(1u << gone));
			assert_int_equal(l.io.ready->queued, 0);
			/* The others are where they were, and the slot is free for somebody else. */
			loop_pair(&l, gone);
			assert_int_equal(loop_turn(&l, 0), 0);
			for (uint32_t i = 0; i < 4; i++) {
				loop_recv(&l, i);
				loop_say(&l, i, "y");
			}
			assert_int_equal(loop_await(&l), 4);
			for (int i = 0; i < 4; i++)
				assert_int_equal(l.done[i].handle.gen, l.done[i].handle.slot == gone);
		}
	}
}

/* Whoever goes, the others are still who they are. */
static void the_others_keep_their_places(void **state)
{
	struct loop l;

	(void)state;
	for (uint32_t gone = 0; gone < 4; gone++) {
		EACH_BACKEND(l)
		{
			for (uint32_t i = 0; i < 4; i++)
				loop_pair(&l, i);
			loop_detach(&l, gone);
			loop_hang_up(&l, gone);
			for (uint32_t i = 0; i < 4; i++) {
				if (i == gone)
					continue;
				loop_recv(&l, i);
				loop_say(&l, i, "x");
				loop_await(&l);
				loop_expect(&l, i, SB_OP_RECV, 1, "x");
			}
		}
	}
}

/* The socket lives on in another descriptor, so the kernel goes on reporting it: nobody listens. */
static void an_event_of_an_old_generation_is_ignored(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		int other, old_peer;

		loop_pair(&l, 0);
		other = dup(l.fd[0]);
		assert_true(other >= 0);
		old_peer = l.peer[0];
		loop_detach(&l, 0);
		loop_pair(&l, 0);
		loop_recv(&l, 0);
		assert_int_equal(send(old_peer, "old", 3, MSG_NOSIGNAL), 3);
		assert_int_equal(loop_turn(&l, 10), 0);
		assert_int_equal(l.io.recvs, 0);
		loop_say(&l, 0, "new");
		loop_await(&l);
		loop_expect(&l, 0, SB_OP_RECV, 3, "new");
		close(other);
		close(old_peer);
	}
}

/* A slot's old readiness is not its successor's. */
static void a_new_socket_begins_anew(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		loop_pair(&l, 0);
		loop_say(&l, 0, "never read");
		assert_int_equal(loop_turn(&l, 0), 0);
		loop_detach(&l, 0);
		loop_hang_up(&l, 0);
		loop_pair(&l, 0);
		loop_recv(&l, 0);
		assert_int_equal(loop_turn(&l, 0), 0);
		assert_int_equal(l.io.recvs, 0);
		assert_int_equal(loop_send(&l, 0, "x", 1), 1); /* a new one has room */
	}
}

/* ---- the other classes ---- */

static void accepts_one_when_asked_and_rests_when_not(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		struct sockaddr_in at;
		struct sb_epoll_event event;
		int clients[3];

		loop_attach(&l, 7, loop_listener(&at), SB_IO_LISTENER);
		for (int i = 0; i < 3; i++)
			clients[i] = loop_connect(&at);
		for (int i = 0; i < 3; i++) {
			struct sockaddr_in from;
			socklen_t n = sizeof(from);

			assert_int_equal(getsockname(clients[i], (struct sockaddr *)&from, &n), 0);
			loop_arm(&l, 7, SB_OP_ACCEPT, 0, 0);
			loop_await(&l);
			assert_int_equal(l.done_n, 1);
			assert_int_equal(l.done[0].kind, SB_OP_ACCEPT);
			assert_true(l.done[0].res >= 0);
			assert_int_equal(l.done[0].src.port, ntohs(from.sin_port));
			assert_true(sb_addr_is_loopback(&l.done[0].src));
			close(l.done[0].res);
			/* Others wait; who does not ask is not told, and is not woken. */
			assert_int_equal(loop_turn(&l, 0), 0);
			assert_int_equal(l.ops->wait(&l.io, 0), 0);
			if (l.io.fd >= 0)
				assert_int_equal(sb_sys_epoll_wait(l.io.sys, l.io.fd, &event, 1, 0), 0);
		}
		loop_arm(&l, 7, SB_OP_ACCEPT, 0, 0);
		assert_int_equal(loop_turn(&l, 0), 0); /* nobody is left */
		for (int i = 0; i < 3; i++)
			close(clients[i]);
	}
}

/* e81, e82: an empty one is no end; a larger one says its whole size. */
static void datagrams(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t n = sizeof(at);
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		static const char *const sent[] = {"hello", "", "x", "four"};

		assert_true(fd >= 0 && client >= 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
		assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
		loop_attach(&l, 0, fd, SB_IO_DGRAM);
		l.want = 4;
		for (int i = 0; i < 4; i++)
			assert_int_equal(send(client, sent[i], strlen(sent[i]), 0), strlen(sent[i]));
		for (int i = 0; i < 4; i++) {
			struct sb_op op = {.handle = loop_handle(&l, 0), .kind = SB_OP_REPLY, .iov_n = 1};
			struct sb_done done;
			char got[8];

			loop_arm(&l, 0, SB_OP_DGRAM, 4, 0);
			loop_await(&l);
			loop_expect(&l, 0, SB_OP_DGRAM, (int)strlen(sent[i]), i ? sent[i] : "hell");
			assert_int_equal(l.done[0].flags, SB_DONE_BUF | (i == 0 ? SB_DONE_TRUNC : 0));
			op.iov[0] = sb_slice_cstr(sent[i]);
			op.dst = &l.done[0].src;
			assert_int_equal(l.ops->submit(&l.io, &op, &done), 1);
			assert_int_equal(done.res, strlen(sent[i]));
			assert_int_equal(recv(client, got, sizeof(got), 0), strlen(sent[i]));
		}
		close(client);
	}
}

/* An error is reported without being readable: it is what the next receive says. */
static void an_error_of_a_datagram_socket_is_said(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		struct sockaddr_in at;
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), nobody = loop_listener(&at);

		assert_true(fd >= 0); /* a TCP port: for UDP nobody is there, as far as anybody can know */
		assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
		loop_attach(&l, 0, fd, SB_IO_DGRAM);
		loop_arm(&l, 0, SB_OP_DGRAM, 100, 0);
		assert_int_equal(send(fd, "x", 1, 0), 1);
		loop_await(&l);
		loop_expect(&l, 0, SB_OP_DGRAM, -ECONNREFUSED, "");
		assert_int_equal(l.done[0].flags, 0);
		close(nobody);
	}
}

static void a_wake_wakes_once(void **state)
{
	struct loop l;

	(void)state;
	EACH_BACKEND(l)
	{
		loop_attach(&l, 6, sb_sys_wake_open(l.io.sys), SB_IO_WAKE);
		loop_arm(&l, 6, SB_OP_WAKE, 0, 0);
		assert_int_equal(loop_turn(&l, 0), 0);
		for (int i = 0; i < 3; i++)
			assert_true(sb_sys_wake_post(l.io.sys, l.fd[6]) > 0);
		loop_await(&l);
		assert_int_equal(l.done[0].kind, SB_OP_WAKE);
		loop_arm(&l, 6, SB_OP_WAKE, 0, 0);
		assert_int_equal(loop_turn(&l, 0), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_without_room_are_passed_over),
		cmocka_unit_test(room_that_comes_late_is_used_at_once),
		cmocka_unit_test(listeners_are_not_held),
		cmocka_unit_test(detached_while_queued),
		cmocka_unit_test(the_others_keep_their_places),
		cmocka_unit_test(an_event_of_an_old_generation_is_ignored),
		cmocka_unit_test(a_new_socket_begins_anew),
		cmocka_unit_test(accepts_one_when_asked_and_rests_when_not),
		cmocka_unit_test(datagrams),
		cmocka_unit_test(an_error_of_a_datagram_socket_is_said),
		cmocka_unit_test(a_wake_wakes_once),
	};

	return cmocka_run_group_tests_name("ready_slots", tests, NULL, NULL);
}
