/* SPDX-License-Identifier: MIT
 * core/dgram.h: who is answered, who is not and why, and that no answer is larger than what it answers. */
#include "check.h"

#include <stdio.h>

#include "core/dgram.h"

/* A socket, its sources' rates and one datagram. */
struct place {
	struct sb_limits limits;
	struct sb_line line;
	struct sb_plan plan;
	struct sb_dgram_port port;
	struct sb_rates *rates;
	struct sb_done done;
	uint8_t *room; /* 64 KiB for a reply */
};

static const uint16_t own_ports[] = {7777, 40000};

static void open_place(struct place *p, const char *line, bool strict)
{
	static uint8_t scratch[SB_FRAME_MAX];
	struct sb_fault fault = {0};
	struct sb_service_in in = {.line = &p->line, .scratch = scratch, .seed = 1};

	*p = (struct place){.port = {.own_ports = own_ports, .own_ports_n = 2}};
	sb_limits_fill(&p->limits, strict);
	if (sb_line_parse(&p->line, sb_slice_cstr(line), &fault) < 0 ||
	    sb_plan_make(&p->plan, &in, SB_ON_UDP, &p->limits, strict, &fault) < 0)
		fail_msg("%s: column %u: %s", line, fault.col, fault.text);
	p->port.plan = &p->plan;
	p->port.is_strict = strict;
	p->port.is_loopback = !strict;
	p->rates = test_calloc(1, sizeof(*p->rates));
	p->room = test_malloc(64 * 1024);
}

static void close_place(struct place *p)
{
	test_free(p->rates);
	test_free(p->room);
}

static struct sb_addr addr(const char *ip, uint16_t port)
{
	struct sb_addr a = {.family = SB_UNIX};

	if (*ip)
		assert_int_equal(sb_addr_parse_ip(&a, sb_slice_cstr(ip)), 0);
	a.port = port;
	return a;
}

static enum sb_drop judge(struct place *p, struct sb_addr src, struct sb_slice bytes)
{
	enum sb_drop drop;
	uint8_t *data = malloc(bytes.n + 1); /* no byte more than there is */

	assert_non_null(data);
	sb_copy(data + 1, bytes.p, bytes.n);
	p->done.kind = SB_OP_DGRAM;
	p->done.src = src;
	p->done.data = data + 1;
	p->done.res = (int32_t)bytes.n;
	drop = sb_dgram_judge(&p->port, p->rates, &p->done, SB_S);
	free(data);
	p->done.data = NULL;
	return drop;
}

static void expect_drop(struct place *p, const char *ip, uint16_t port, enum sb_drop want)
{
	enum sb_drop drop = judge(p, addr(ip, port), sb_slice_cstr("hi"));

	if (drop != want)
		fail_msg("%s port %u to %s: %s, not %s", ip, port, p->port.is_strict ? "strict" : "loopback",
			 sb_drops[drop].name, sb_drops[want].name);
}

/* ---- sources ---- */

static void e83_e84_ports_of_services(void **state)
{
	static const uint16_t low[] = {1, 7, 19, 53, 123, 389, 1023};

	(void)state;
	for (int strict = 0; strict < 2; strict++) {
		const char *ip = strict ? "192.0.2.1" : "127.0.0.1";
		struct place p;

		open_place(&p, "ECHO", strict);
		expect_drop(&p, ip, 0, SB_DROP_PORT_ZERO);
		for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++)
			expect_drop(&p, ip, low[i], SB_DROP_PORT_LOW);
		expect_drop(&p, ip, 1024, SB_DROP_NONE);
		expect_drop(&p, ip, 65535, SB_DROP_NONE);
		close_place(&p);
	}
}

/* e85: whoever's address it is, a source port of ours may be ours. */
static void e85_own_ports(void **state)
{
	(void)state;
	for (int strict = 0; strict < 2; strict++) {
		struct place p;

		open_place(&p, "ECHO", strict);
		expect_drop(&p, "127.0.0.1", 7777, SB_DROP_LOOP);
		expect_drop(&p, "192.0.2.1", 40000, SB_DROP_LOOP);
		expect_drop(&p, "192.0.2.1", 40001, SB_DROP_NONE);
		p.port.own_ports_n = 1;
		expect_drop(&p, "192.0.2.1", 40000, SB_DROP_NONE);
		close_place(&p);
	}
}

static void e86_reflectors_only_where_it_is_strict(void **state)
{
	static const uint16_t ports[] = {1900, 2049, 3702, 5353, 5683, 11211, 27015};

	(void)state;
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		struct place p;

		open_place(&p, "ECHO", true);
		expect_drop(&p, "192.0.2.1", ports[i], SB_DROP_REFLECTOR);
		expect_drop(&p, "192.0.2.1", (uint16_t)(ports[i] + 2), SB_DROP_NONE);
		close_place(&p);
		open_place(&p, "ECHO", false);
		expect_drop(&p, "127.0.0.1", ports[i], SB_DROP_NONE);
		close_place(&p);
	}
}

static void e87_loopback_sources_belong_on_loopback(void **state)
{
	struct place p;

	(void)state;
	open_place(&p, "ECHO", true);
	expect_drop(&p, "127.0.0.1", 5000, SB_DROP_LOOPBACK);
	expect_drop(&p, "127.255.1.2", 5000, SB_DROP_LOOPBACK);
	expect_drop(&p, "::1", 5000, SB_DROP_LOOPBACK);
	expect_drop(&p, "::ffff:127.0.0.1", 5000, SB_DROP_LOOPBACK); /* e89 */
	p.done.dst = addr("192.0.2.9", 0);
	expect_drop(&p, "127.0.0.1", 5000, SB_DROP_LOOPBACK);
	p.done.dst = addr("127.0.0.1", 0); /* bound to all addresses, sent to this one */
	expect_drop(&p, "127.0.0.1", 5000, SB_DROP_NONE);
	p.done.dst = addr("", 0);
	p.port.is_loopback = true;
	expect_drop(&p, "127.0.0.1", 5000, SB_DROP_NONE);
	expect_drop(&p, "::1", 5000, SB_DROP_NONE);
	close_place(&p);
}

static void e88_many_are_not_one(void **state)
{
	static const char *const odd[] = {"224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "0.0.0.0",
					  "0.1.2.3",   "ff02::1",         "ff05::fb",        "::"};

	(void)state;
	for (int strict = 0; strict < 2; strict++) {
		struct place p;

		open_place(&p, "ECHO", strict);
		for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
			p.done.dst = addr("", 0);
			expect_drop(&p, odd[i], 5000, SB_DROP_SOURCE);
			p.done.dst = addr(odd[i], 0);
			expect_drop(&p, "192.0.2.1", 5000, SB_DROP_TARGET);
		}
		p.done.dst = addr("192.0.2.7", 0);
		expect_drop(&p, "223.255.255.255", 5000, SB_DROP_NONE);
		close_place(&p);
	}
}

static void who_is_allowed(void **state)
{
	struct place p;
	struct sb_cidr allow[2];

	(void)state;
	open_place(&p, "ECHO", true);
	assert_int_equal(sb_cidr_parse(&allow[0], sb_slice_cstr("192.0.2.0/25")), 0);
	assert_int_equal(sb_cidr_parse(&allow[1], sb_slice_cstr("2001:db8::/32")), 0);
	expect_drop(&p, "198.51.100.1", 5000, SB_DROP_NONE); /* no list, no question */
	p.port.allow = allow;
	p.port.allow_n = 2;
	expect_drop(&p, "192.0.2.127", 5000, SB_DROP_NONE);
	expect_drop(&p, "192.0.2.128", 5000, SB_DROP_ALLOW);
	expect_drop(&p, "2001:db8:1::1", 5000, SB_DROP_NONE);
	expect_drop(&p, "2001:db9::1", 5000, SB_DROP_ALLOW);
	p.port.is_loopback = true;
	expect_drop(&p, "127.0.0.1", 5000, SB_DROP_NONE);
	close_place(&p);
}

/* ---- what it says ---- */

static void e82_larger_than_we_take(void **state)
{
	static uint8_t largest[65507];
	struct place p;

	(void)state;
	open_place(&p, "ECHO", false);
	assert_int_equal(judge(&p, addr("127.0.0.1", 5000), sb_slice(largest, sizeof(largest))), SB_DROP_NONE);
	p.done.flags = SB_DONE_TRUNC;
	assert_int_equal(judge(&p, addr("127.0.0.1", 5000), sb_slice(largest, 100)), SB_DROP_TRUNCATED);
	close_place(&p);
}

static void e94_malformed_is_not_answered(void **state)
{
	static const struct {
		const char *line;
		struct sb_slice bytes;
		bool is_good;
	} rows[] = {
		{"ECHO", {(const uint8_t *)"", 0}, true}, /* e81 */
		{"ECHO frame=u16be", {(const uint8_t *)"\0\2hi", 4}, true},
		{"ECHO frame=u16be", {(const uint8_t *)"\0\2hi\0\0\0\1x", 9}, true},
		{"ECHO frame=u16be", {(const uint8_t *)"\0\2h", 3}, false},
		{"ECHO frame=u16be", {(const uint8_t *)"\0\2hi\0", 5}, false},
		{"ECHO frame=u16be", {(const uint8_t *)"\0\2hi!!", 6}, false},
		{"ECHO frame=u16be", {(const uint8_t *)"\0", 1}, false},
		{"ECHO frame=u16be max=4", {(const uint8_t *)"\0\5fives", 7}, false},
		{"ECHO frame=netstring", {(const uint8_t *)"2:hi,", 5}, true},
		{"ECHO frame=netstring", {(const uint8_t *)"2:hi,x", 6}, false},
		{"ECHO frame=line", {(const uint8_t *)"a\nb\n", 4}, true},
		{"ECHO frame=line", {(const uint8_t *)"a\nb", 3}, false},
		{"DISCARD frame=line", {(const uint8_t *)"a", 1}, false},
		{"ECHO frame=u8", {(const uint8_t *)"", 0}, true}, /* no frames are whole frames */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct place p;
		enum sb_drop drop;

		open_place(&p, rows[i].line, false);
		drop = judge(&p, addr("127.0.0.1", 5000), rows[i].bytes);
		if (drop != (rows[i].is_good ? SB_DROP_NONE : SB_DROP_MALFORMED))
			fail_msg("row %zu: %s", i, sb_drops[drop].name);
		close_place(&p);
	}
}

/* More frames than a scan finds at a time, with and without a beginning of one behind them. */
static void many_frames_in_a_datagram(void **state)
{
	uint8_t bytes[300] = {0};
	struct place p;

	(void)state;
	open_place(&p, "ECHO frame=u8", false);
	for (size_t n = 1; n < sizeof(bytes); n++) {
		assert_int_equal(judge(&p, addr("127.0.0.1", 5000), sb_slice(bytes, n)), SB_DROP_NONE);
		bytes[n - 1] = 9;
		assert_int_equal(judge(&p, addr("127.0.0.1", 5000), sb_slice(bytes, n)), SB_DROP_MALFORMED);
		bytes[n - 1] = 0;
	}
	close_place(&p);
}

/* ---- rates ---- */

static uint32_t answered(struct place *p, const char *ip, int tries, const char *text)
{
	uint32_t n = 0;

	for (int i = 0; i < tries; i++)
		n += judge(p, addr(ip, (uint16_t)(2100 + i % 1000)), sb_slice_cstr(text)) == SB_DROP_NONE;
	return n;
}

static void e96_a_flood_from_one_source(void **state)
{
	struct place p;

	(void)state;
	open_place(&p, "ECHO frame=line", true);
	/* What is dropped for another reason does not count. */
	assert_int_equal(answered(&p, "192.0.2.1", 1000, "no end"), 0);
	assert_int_equal(answered(&p, "192.0.2.1", 100000, "flood\n"), 200);
	expect_drop(&p, "192.0.2.1", 0, SB_DROP_PORT_ZERO); /* the reason is the first that holds */
	assert_int_equal(judge(&p, addr("192.0.2.1", 5000), sb_slice_cstr("x\n")), SB_DROP_RATE);
	assert_int_equal(answered(&p, "192.0.2.2", 10, "other\n"), 10);
	assert_int_equal(answered(&p, "2001:db8::1", 150, "six\n"), 150);
	assert_int_equal(answered(&p, "2001:db8::2", 150, "six\n"), 50); /* one /64 */
	close_place(&p);
}

static void all_sources_together_have_a_rate_too(void **state)
{
	struct place p;
	char ip[32];
	uint32_t n = 0;

	(void)state;
	open_place(&p, "ECHO", true);
	p.limits.v[SB_LIMIT_UDP_TOTAL] = 50;
	for (int i = 1; i < 200; i++) {
		snprintf(ip, sizeof(ip), "192.0.2.%d", i);
		n += answered(&p, ip, 1, "hi");
	}
	assert_int_equal(n, 100);
	expect_drop(&p, "192.0.2.222", 5000, SB_DROP_TOTAL);
	close_place(&p);
}

/* Nobody's own rate is used up by what others send. */
static void what_all_send_is_not_counted_for_one(void **state)
{
	struct place p;

	(void)state;
	open_place(&p, "ECHO", true);
	p.limits.v[SB_LIMIT_UDP_TOTAL] = 1;
	p.limits.v[SB_LIMIT_UDP_RATE] = 1;
	assert_int_equal(answered(&p, "192.0.2.1", 2, "hi"), 2);
	expect_drop(&p, "192.0.2.2", 5000, SB_DROP_TOTAL);
	p.limits.v[SB_LIMIT_UDP_TOTAL] = 0;
	assert_int_equal(answered(&p, "192.0.2.2", 3, "hi"), 2);
	close_place(&p);
}

/* e90: two servers, one forged datagram. Each hop takes 10 us; ten seconds of it. */
static void e90_a_loop_of_two_servers_is_held_to_the_rate(void **state)
{
	struct place a, b;
	uint32_t hops = 0;

	(void)state;
	open_place(&a, "ECHO", true);
	open_place(&b, "ECHO", true);
	b.rates->secret = 9;
	for (uint64_t now = SB_S; now < 11 * SB_S; now += SB_S / 100000) {
		struct place *to = hops % 2 ? &b : &a;

		to->done.src = hops % 2 ? addr("192.0.2.1", 7001) : addr("192.0.2.2", 7002);
		to->done.data = to->room;
		to->done.res = 4;
		memcpy(to->room, "ping", 4);
		hops += sb_dgram_judge(&to->port, to->rates, &to->done, now) == SB_DROP_NONE;
	}
	/* The one that drops it would have ended it; here it is sent again, as a patient attacker would. */
	assert_in_range(hops, 2000, 2 * (200 + 10 * 100));
	close_place(&a);
	close_place(&b);
}

/* ---- replies ---- */

/* What CHARGEN says at an offset. */
static uint8_t ring_at(size_t at)
{
	size_t line = at / 74, k = at % 74;

	return (uint8_t)(k == 72 ? '\r' : k == 73 ? '\n' : (int)(' ' + (line + k) % 95));
}

/* The bytes of all replies to n bytes, each checked. */
static size_t replies_to(struct place *p, uint8_t *bytes, size_t n, bool is_chargen)
{
	size_t sum = 0;

	p->done.data = bytes;
	p->done.res = (int32_t)n;
	for (uint64_t i = 0; i < sb_dgram_replies(&p->port); i++) {
		struct sb_slice reply = sb_dgram_reply(&p->port, &p->done, i, p->room);

		sum += reply.n;
		for (size_t at = 0; at < reply.n; at += 1 + n / 100)
			assert_int_equal(reply.p[at], is_chargen ? ring_at(at) : bytes[at]);
	}
	return sum;
}

/* e91, and never larger: every service but SOURCE, every size. */
static void e91_replies_are_never_larger_than_the_request(void **state)
{
	static const char *const lines[] = {"ECHO", "ECHO frame=fixed:1", "CHARGEN", "DISCARD"};
	static uint8_t bytes[65507];
	struct dice dice = {.seed = 91};

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)sb_rng_at(4, i);
	for (int k = 0; k < 4; k++) {
		for (int i = 0; i < 60; i++) {
			size_t n = i < 4 ? (size_t)i / 2 : (size_t)roll(&dice, sizeof(bytes) + 1);
			struct place p;

			open_place(&p, lines[k], i % 2);
			assert_int_equal(replies_to(&p, bytes, n, k == 2), k == 3 ? 0 : n);
			assert_int_equal(sb_dgram_replies(&p.port), k == 3 ? 0 : 1);
			close_place(&p);
		}
	}
}

/* e95: nothing is kept, so the order and the number of the requests change no answer. */
static void e95_the_same_question_has_the_same_answer(void **state)
{
	uint8_t question[200] = "question";
	struct place p;

	(void)state;
	open_place(&p, "CHARGEN", false);
	p.done.data = question;
	for (int i = 0; i < 10; i++) {
		struct sb_slice reply;

		p.done.res = 1 + i * 17 % 100;
		reply = sb_dgram_reply(&p.port, &p.done, 0, p.room);
		assert_int_equal(reply.n, p.done.res);
		assert_memory_equal(reply.p,
				    " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg"
				    "\r\n!\"#$%&'()*+,-./0123456789:",
				    reply.n);
	}
	close_place(&p);
}

/* On loopback SOURCE sends its messages, one a datagram, each framed. */
static void source_sends_its_messages_on_loopback(void **state)
{
	struct place p;
	uint8_t question[1] = {'?'};

	(void)state;
	open_place(&p, "SOURCE len=300 count=7 frame=u16be", false);
	p.done.data = question;
	p.done.res = 1;
	assert_int_equal(sb_dgram_replies(&p.port), 7);
	for (uint64_t i = 0; i < 7; i++) {
		struct sb_slice reply = sb_dgram_reply(&p.port, &p.done, i, p.room);

		assert_int_equal(reply.n, 302);
		assert_memory_equal(reply.p, "\x01\x2c", 2);
		for (size_t k = 0; k < 300; k++)
			assert_int_equal(reply.p[2 + k], ' ' + (i + k) % 95);
	}
	close_place(&p);
}

/* A port of LISTEN: its maker's address alone, whatever the port, and more than he has sent although it is strict. */
static void a_port_answers_its_maker_alone(void **state)
{
	struct sb_addr owner = addr("10.0.0.1", 50001), mapped = addr("::1", 50001);
	struct place p;

	(void)state;
	open_place(&p, "ECHO dup=1 size=100", false);
	p.port.is_strict = true;
	p.port.owner = &owner;
	p.port.is_loopback = false;
	assert_int_equal(judge(&p, addr("10.0.0.1", 2000), sb_slice_cstr("x")), SB_DROP_NONE);
	assert_int_equal(judge(&p, addr("10.0.0.2", 50001), sb_slice_cstr("x")), SB_DROP_OWNER);
	assert_int_equal(judge(&p, addr("2001:db8::1", 50001), sb_slice_cstr("x")), SB_DROP_OWNER);
	/* What holds for everybody holds for him. */
	assert_int_equal(judge(&p, addr("10.0.0.1", 53), sb_slice_cstr("x")), SB_DROP_PORT_LOW);
	assert_int_equal(judge(&p, addr("10.0.0.1", 1900), sb_slice_cstr("x")), SB_DROP_REFLECTOR);
	p.port.owner = &mapped;
	assert_int_equal(judge(&p, addr("10.0.0.1", 2000), sb_slice_cstr("x")), SB_DROP_OWNER);
	p.port.owner = NULL;
	assert_int_equal(judge(&p, addr("10.0.0.2", 2000), sb_slice_cstr("x")), SB_DROP_NONE);
	close_place(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(e83_e84_ports_of_services),
		cmocka_unit_test(e85_own_ports),
		cmocka_unit_test(e86_reflectors_only_where_it_is_strict),
		cmocka_unit_test(e87_loopback_sources_belong_on_loopback),
		cmocka_unit_test(e88_many_are_not_one),
		cmocka_unit_test(who_is_allowed),
		cmocka_unit_test(e82_larger_than_we_take),
		cmocka_unit_test(e94_malformed_is_not_answered),
		cmocka_unit_test(many_frames_in_a_datagram),
		cmocka_unit_test(e96_a_flood_from_one_source),
		cmocka_unit_test(all_sources_together_have_a_rate_too),
		cmocka_unit_test(what_all_send_is_not_counted_for_one),
		cmocka_unit_test(e90_a_loop_of_two_servers_is_held_to_the_rate),
		cmocka_unit_test(e91_replies_are_never_larger_than_the_request),
		cmocka_unit_test(e95_the_same_question_has_the_same_answer),
		cmocka_unit_test(source_sends_its_messages_on_loopback),
		cmocka_unit_test(a_port_answers_its_maker_alone),
	};

	return cmocka_run_group_tests_name("dgram", tests, NULL, NULL);
}
