/* SPDX-License-Identifier: MIT
 * sockopt/: the policy over every row of sockopts.def: names, who and where, values. */
#include "sockopt_fake.h"

/* A place where the row may be set. */
static struct sb_opt_place place_for(const struct sb_sockopt *row, bool strict)
{
	return (struct sb_opt_place){
		.who = row->who == SB_OPT_CLIENT ? SB_OPT_CLIENT : SB_OPT_OPERATOR,
		.when = row->when & SB_OPT_CONNECTION ? SB_OPT_CONNECTION : SB_OPT_LISTENER,
		.strict = strict,
		.is_tcp = (row->on & SB_OPT_ON_TCP) != 0,
		.is_ipv4 = row->level != IPPROTO_IPV6,
		.is_ipv6 = row->level == IPPROTO_IPV6,
	};
}

static const struct sb_sockopt *row_of(const char *name)
{
	const struct sb_sockopt *row;

	for (size_t i = 0; (row = sb_sockopt_at(i)); i++)
		if (strcmp(row->name, name) == 0)
			return row;
	fail_msg("no row %s", name);
	return NULL;
}

static int find_number(const struct sb_sockopt *row, int64_t value, struct sb_opt_place place)
{
	char digits[24];
	struct sb_text t = sb_text_in(digits, sizeof(digits));

	sb_text_i64(&t, value);
	return find(row->name, sb_text_end(&t), place);
}

static void expect_says(const char *name, const char *value, struct sb_opt_place place, int code, uint32_t col,
			const char *says)
{
	int r = find(name, value, place);

	if (r != code || fault.col != col || strcmp(fault.text, says) != 0)
		fail_msg("%s=%s: %s at %u: %s", name, value, sb_errname(r), fault.col, fault.text);
}

static const struct sb_opt_place client = {SB_OPT_CLIENT, SB_OPT_CONNECTION, .is_tcp = true, .is_ipv4 = true};
static const struct sb_opt_place client_strict = {SB_OPT_CLIENT, SB_OPT_CONNECTION, true, .is_tcp = true,
						  .is_ipv4 = true};
static const struct sb_opt_place by_operator = {SB_OPT_OPERATOR, SB_OPT_LISTENER, .is_tcp = true, .is_ipv4 = true};
static const struct sb_opt_place udp = {SB_OPT_OPERATOR, SB_OPT_LISTENER, .is_udp = true, .is_ipv4 = true};
static const struct sb_opt_place unix_socket = {SB_OPT_OPERATOR, SB_OPT_LISTENER, .is_tcp = false};

/* ---- the table ---- */

static void rows_make_sense(void **state)
{
	const struct sb_sockopt *row, *other;

	(void)state;
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++) {
		for (size_t k = 0; k < i && (other = sb_sockopt_at(k)); k++) {
			assert_string_not_equal(row->name, other->name);
			assert_false(row->level == other->level && row->optname == other->optname);
		}
		assert_true(strlen(row->help) > 0);
		assert_in_range(row->when, 1, 3);
		assert_in_range(row->on, 1, SB_OPT_ON_ANY);
		assert_true((row->who == SB_OPT_NOBODY) == (row->kind == SB_OPT_DENIED));
		assert_true(row->level == SOL_SOCKET || row->level == IPPROTO_TCP || row->level == IPPROTO_IP ||
			    row->level == IPPROTO_IPV6);
		assert_true(row->level != IPPROTO_TCP || row->kind == SB_OPT_DENIED || row->on == SB_OPT_ON_TCP);
		assert_true(row->min >= 0 && row->max <= INT_MAX);
		if (row->strict_min <= row->strict_max)
			assert_true(row->strict_min >= row->min && row->strict_max <= row->max);
	}
	assert_null(sb_sockopt_at(SIZE_MAX));
}

static const char *const denied[] = {"SO_RCVLOWAT",
				     "SO_SNDBUFFORCE",
				     "SO_RCVBUFFORCE",
				     "SO_MARK",
				     "SO_BINDTODEVICE",
				     "SO_DEBUG",
				     "SO_PRIORITY",
				     "SO_BUSY_POLL",
				     "SO_ATTACH_FILTER",
				     "SO_ATTACH_BPF",
				     "SO_ATTACH_REUSEPORT_CBPF",
				     "SO_ATTACH_REUSEPORT_EBPF",
				     "SO_BROADCAST",
				     "SO_RCVTIMEO",
				     "SO_ZEROCOPY",
				     "SO_TXTIME",
				     "SO_TIMESTAMPING",
				     "IP_TRANSPARENT",
				     "IP_HDRINCL",
				     "IP_OPTIONS",
				     "IP_ADD_MEMBERSHIP",
				     "TCP_REPAIR",
				     "TCP_ULP",
				     "TCP_MD5SIG",
				     "TCP_FASTOPEN",
				     "TCP_FASTOPEN_CONNECT",
				     "TCP_FASTOPEN_KEY",
				     "TCP_FASTOPEN_NO_COOKIE",
				     "TCP_SAVE_SYN",
				     "TCP_CONGESTION",
				     "TCP_DEFER_ACCEPT",
				     "TCP_LINGER2"};
static const struct {
	const char *name;
	int64_t min, max, strict_min, strict_max;
} allowed[] = {
	{"TCP_NODELAY", 0, 1, 0, 1},
	{"TCP_CORK", 0, 1, 0, 1},
	{"TCP_QUICKACK", 0, 1, 0, 1},
	{"SO_KEEPALIVE", 0, 1, 0, 1},
	{"TCP_KEEPIDLE", 1, 32767, 1, 600},
	{"TCP_KEEPINTVL", 1, 32767, 1, 60},
	{"TCP_KEEPCNT", 1, 127, 1, 10},
	{"TCP_USER_TIMEOUT", 0, INT_MAX, 1000, 300000},
	{"SO_SNDBUF", 1, 1073741823, 4096, 262144},
	{"SO_RCVBUF", 1, 1073741823, 4096, 262144},
	{"TCP_NOTSENT_LOWAT", 0, INT_MAX, 1, 65536},
	{"TCP_MAXSEG", 88, 32767, 536, 32767},
	{"TCP_WINDOW_CLAMP", 1, INT_MAX, 4096, INT_MAX},
};

static void a_reader_of_the_threat_model_finds_every_option(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		assert_int_equal(row_of(denied[i])->kind, SB_OPT_DENIED);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		const struct sb_sockopt *row = row_of(allowed[i].name);

		assert_int_equal(row->who, SB_OPT_CLIENT);
		assert_true(row->min == allowed[i].min && row->max == allowed[i].max);
		assert_true(row->strict_min == allowed[i].strict_min && row->strict_max == allowed[i].strict_max);
	}
	assert_int_equal(row_of("SO_REUSEADDR")->who, SB_OPT_OPERATOR);
	assert_int_equal(row_of("SO_REUSEPORT")->who, SB_OPT_OPERATOR);
	assert_int_equal(row_of("SO_REUSEADDR")->when, SB_OPT_LISTENER);
	assert_int_equal(row_of("SO_REUSEPORT")->when, SB_OPT_LISTENER);
}

/* ---- names ---- */

static void f101_unknown_options_name_the_nearest(void **state)
{
	(void)state;
	expect_says("TCP_NODELY", "1", client, SB_E_UNKNOWN, 1,
		    "unknown socket option \"TCP_NODELY\" (did you mean TCP_NODELAY?)");
	expect_says("so_rcvbuf", "1", client, SB_E_UNKNOWN, 1,
		    "unknown socket option \"so_rcvbuf\" (did you mean SO_RCVBUF?)");
	expect_says("FOO", "1", client, SB_E_UNKNOWN, 1, "unknown socket option \"FOO\"; --help lists the options");
	expect_says("", "1", client, SB_E_UNKNOWN, 1, "unknown socket option \"\"; --help lists the options");
	expect_says("SO_RCVBUF ", "1", client, SB_E_UNKNOWN, 1,
		    "unknown socket option \"SO_RCVBUF \" (did you mean SO_RCVBUF?)");
	assert_int_equal(sb_sockopt_find(&ask, sb_slice_cstr("FOO"), sb_slice_cstr("1"), client, NULL), SB_E_UNKNOWN);
}

static void f102_denied_is_denied_to_all_and_everywhere(void **state)
{
	const struct sb_sockopt *row;
	int n = 0;

	(void)state;
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++) {
		if (row->kind != SB_OPT_DENIED)
			continue;
		n++;
		for (unsigned bits = 0; bits < 64; bits++) {
			struct sb_opt_place place = {
				.who = bits & 1 ? SB_OPT_CLIENT : SB_OPT_OPERATOR,
				.when = bits & 2 ? SB_OPT_CONNECTION : SB_OPT_LISTENER,
				.strict = bits & 4,
				.is_tcp = bits & 8,
				.is_ipv4 = bits & 16,
				.is_ipv6 = bits & 32,
			};

			assert_int_equal(find(row->name, bits & 1 ? "1" : "junk", place), SB_E_DENIED);
			assert_int_equal(fault.col, 1);
		}
	}
	assert_true(n > 50);
	expect_says("SO_RCVLOWAT", "1", by_operator, SB_E_DENIED, 1,
		    "SO_RCVLOWAT is never allowed: the kernel then wakes nobody, and the peer pins memory");
}

/* ---- places ---- */

static void options_have_their_places(void **state)
{
	struct sb_opt_place v6 = client, strict = by_operator, listener = by_operator;

	(void)state;
	v6.is_ipv4 = false;
	v6.is_ipv6 = true;
	strict.strict = true;
	listener.who = SB_OPT_CLIENT;
	expect_says("TCP_NODELAY", "1", udp, SB_E_PLACE, 1, "TCP_NODELAY is for tcp only");
	expect_says("SO_KEEPALIVE", "1", unix_socket, SB_E_PLACE, 1, "SO_KEEPALIVE is for tcp only");
	expect_says("IP_TTL", "64", unix_socket, SB_E_PLACE, 1, "IP_TTL is for tcp and udp, not for unix");
	expect_says("IP_TTL", "64", v6, SB_E_PLACE, 1, "IP_TTL is for IPv4 addresses");
	expect_says("IPV6_UNICAST_HOPS", "64", client, SB_E_PLACE, 1, "IPV6_UNICAST_HOPS is for IPv6 addresses");
	expect_says("IP_TOS", "64", client, SB_E_PLACE, 1, "IP_TOS is the operator's: say it in a --listen line");
	expect_says("TCP_MAXSEG", "1000", client, SB_E_PLACE, 1,
		    "TCP_MAXSEG is set before a connection is made: say it to the listener");
	expect_says("TCP_QUICKACK", "1", by_operator, SB_E_PLACE, 1,
		    "TCP_QUICKACK is set on connections, not on a listener");
	expect_says("IP_TTL", "64", strict, SB_E_PLACE, 1,
		    "IP_TTL can be set only while every listener is on a loopback address");
	expect_says("IP_TTL", "junk", client_strict, SB_E_PLACE, 1,
		    "IP_TTL can be set only while every listener is on a loopback address");
	assert_int_equal(find("IP_TTL", "64", client), 0);
	assert_int_equal(find("IPV6_UNICAST_HOPS", "64", v6), 0);
	assert_int_equal(find("SO_RCVBUF", "64k", udp), 0);
	assert_int_equal(find("SO_RCVBUF", "64k", unix_socket), 0);
	assert_int_equal(find("TCP_MAXSEG", "1000", listener), 0);
	assert_int_equal(find("IP_TOS", "16", by_operator), 0);
}

static void m8_reuse_is_for_the_operators_tcp_listeners(void **state)
{
	static const char *const names[] = {"SO_REUSEADDR", "SO_REUSEPORT"};
	struct sb_opt_place connection = by_operator, theirs = by_operator;

	(void)state;
	connection.when = SB_OPT_CONNECTION;
	theirs.who = SB_OPT_CLIENT;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(find(names[i], "1", by_operator), 0);
		assert_int_equal(find(names[i], "1", udp), SB_E_PLACE);
		assert_int_equal(find(names[i], "1", unix_socket), SB_E_PLACE);
		assert_int_equal(find(names[i], "1", connection), SB_E_PLACE);
		assert_int_equal(find(names[i], "1", theirs), SB_E_PLACE);
	}
}

static void every_row_has_its_place_and_no_other(void **state)
{
	const struct sb_sockopt *row;

	(void)state;
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++) {
		struct sb_opt_place place = place_for(row, false);

		if (row->kind == SB_OPT_DENIED)
			continue;
		assert_int_equal(find_number(row, row->min, place), 0);
		place.who = SB_OPT_CLIENT;
		assert_int_equal(find_number(row, row->min, place), row->who == SB_OPT_CLIENT ? 0 : SB_E_PLACE);
		place = place_for(row, false);
		place.who = SB_OPT_OPERATOR;
		assert_int_equal(find_number(row, row->min, place), 0);
		for (unsigned when = SB_OPT_LISTENER; when <= SB_OPT_CONNECTION; when++) {
			place.when = when;
			assert_int_equal(find_number(row, row->min, place), row->when & when ? 0 : SB_E_PLACE);
		}
		place = place_for(row, false);
		place.is_tcp = false;
		place.is_udp = true;
		assert_int_equal(find_number(row, row->min, place), row->on & SB_OPT_ON_UDP ? 0 : SB_E_PLACE);
		place.is_udp = place.is_ipv4 = place.is_ipv6 = false;
		assert_int_equal(find_number(row, row->min, place), row->on & SB_OPT_ON_UNIX ? 0 : SB_E_PLACE);
	}
}

/* ---- values ---- */

static void expect_range(const struct sb_sockopt *row, int64_t value, struct sb_opt_place place)
{
	if (find_number(row, value, place) != SB_E_RANGE)
		fail_msg("%s=%lld was let through", row->name, (long long)value);
	assert_int_equal(fault.col, 2);
	assert_non_null(strstr(fault.text, row->name));
}

static void f103_f104_ranges_end_where_they_say(void **state)
{
	const struct sb_sockopt *row;

	(void)state;
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++) {
		for (int strict = 0; strict < 2; strict++) {
			struct sb_opt_place place = place_for(row, strict);
			int64_t min = strict ? row->strict_min : row->min, max = strict ? row->strict_max : row->max;

			if (row->kind == SB_OPT_DENIED || min > max)
				continue;
			if (row->kind == SB_OPT_LINGER)
				place.who = SB_OPT_OPERATOR;
			assert_int_equal(find_number(row, min, place), 0);
			assert_int_equal(ask.value, min);
			assert_ptr_equal(ask.row, row);
			assert_int_equal(find_number(row, max, place), 0);
			assert_int_equal(ask.value, max);
			expect_range(row, min - 1, place);
			expect_range(row, max + 1, place);
			expect_range(row, INT_MIN, place);
			expect_range(row, -1, place);
			expect_range(row, INT64_MAX, place);
			expect_range(row, INT64_MIN, place);
			expect_range(row, UINT32_MAX, place); /* would be -1 as an int */
			if (max < INT_MAX)
				expect_range(row, INT_MAX, place);
			assert_int_equal(find(row->name, "18446744073709551616", place), SB_E_RANGE);
		}
	}
}

static void f103_ranges_are_named(void **state)
{
	struct sb_opt_place listener = client;

	(void)state;
	listener.when = SB_OPT_LISTENER;
	expect_says("TCP_KEEPIDLE", "0", client, SB_E_RANGE, 2, "TCP_KEEPIDLE is 1 to 32767, not 0");
	expect_says("TCP_KEEPIDLE", "601", client_strict, SB_E_RANGE, 2, "TCP_KEEPIDLE is 1 to 600, not 601");
	expect_says("TCP_NODELAY", "2", client, SB_E_RANGE, 2, "TCP_NODELAY is 0 or 1, not 2");
	expect_says("TCP_NODELAY", "-5", client, SB_E_RANGE, 2, "TCP_NODELAY is 0 or 1, not -5");
	expect_says("SO_RCVBUF", "257k", client_strict, SB_E_RANGE, 2, "SO_RCVBUF is 4k to 256k, not 257k");
	expect_says("TCP_MAXSEG", "87", listener, SB_E_RANGE, 2, "TCP_MAXSEG is 88 to 32767, not 87");
	expect_says("TCP_USER_TIMEOUT", "0", client_strict, SB_E_RANGE, 2, "TCP_USER_TIMEOUT is 1000 to 300000, not 0");
}

/* A small MSS is what testers come for, and what strangers must not have. */
static void f106_mss_88(void **state)
{
	struct sb_opt_place listener = client, strict = client_strict;

	(void)state;
	listener.when = strict.when = SB_OPT_LISTENER;
	assert_int_equal(find("TCP_MAXSEG", "88", listener), 0);
	expect_says("TCP_MAXSEG", "88", strict, SB_E_RANGE, 2, "TCP_MAXSEG is 536 to 32767, not 88");
}

static void a22_values_of_the_wrong_kind(void **state)
{
	static const char *const junk[] = {"",   "x",  "on", "true", "1.5", "1e3", "0x1",
					   " 1", "1 ", "+1", "off ", "1,0", "1s"};
	const struct sb_sockopt *row;

	(void)state;
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++) {
		if (row->kind == SB_OPT_DENIED)
			continue;
		for (size_t k = 0; k < sizeof(junk) / sizeof(junk[0]); k++) {
			assert_int_equal(find(row->name, junk[k], place_for(row, false)), SB_E_TYPE);
			assert_int_equal(fault.col, 2);
		}
		assert_int_equal(find(row->name, "1k", place_for(row, false)),
				 row->kind == SB_OPT_SIZE ? 0 : SB_E_TYPE);
		assert_int_equal(find(row->name, "off", place_for(row, false)),
				 row->kind == SB_OPT_LINGER ? 0 : SB_E_TYPE);
	}
	expect_says("TCP_NODELAY", "on", client, SB_E_TYPE, 2, "TCP_NODELAY takes 0 or 1, not \"on\"");
	expect_says("TCP_KEEPCNT", "1k", client, SB_E_TYPE, 2, "TCP_KEEPCNT takes a number, not \"1k\"");
	expect_says("SO_SNDBUF", "1G", client, SB_E_TYPE, 2, "SO_SNDBUF takes a size (100, 64k, 1M), not \"1G\"");
	expect_says("SO_LINGER", "1,0", client, SB_E_TYPE, 2,
		    "SO_LINGER takes off or a number of seconds, not \"1,0\"");
}

static void linger_with_seconds_is_the_operators(void **state)
{
	struct sb_opt_place strict = by_operator;

	(void)state;
	strict.strict = true;
	assert_int_equal(find("SO_LINGER", "off", client), 0);
	assert_int_equal(ask.value, -1);
	assert_int_equal(find("SO_LINGER", "0", client_strict), 0);
	assert_int_equal(ask.value, 0);
	expect_says("SO_LINGER", "1", client, SB_E_RANGE, 2, "SO_LINGER is off or 0, not 1");
	assert_int_equal(find("SO_LINGER", "60", by_operator), 0);
	expect_says("SO_LINGER", "61", by_operator, SB_E_RANGE, 2, "SO_LINGER is off or 0 to 60, not 61");
	expect_says("SO_LINGER", "-1", by_operator, SB_E_RANGE, 2, "SO_LINGER is off or 0 to 60, not -1");
	expect_says("SO_LINGER", "1", strict, SB_E_RANGE, 2, "SO_LINGER is off or 0, not 1");
	assert_int_equal(find("SO_LINGER", "off", strict), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_make_sense),
		cmocka_unit_test(a_reader_of_the_threat_model_finds_every_option),
		cmocka_unit_test(f101_unknown_options_name_the_nearest),
		cmocka_unit_test(f102_denied_is_denied_to_all_and_everywhere),
		cmocka_unit_test(options_have_their_places),
		cmocka_unit_test(m8_reuse_is_for_the_operators_tcp_listeners),
		cmocka_unit_test(every_row_has_its_place_and_no_other),
		cmocka_unit_test(f103_f104_ranges_end_where_they_say),
		cmocka_unit_test(f103_ranges_are_named),
		cmocka_unit_test(f106_mss_88),
		cmocka_unit_test(a22_values_of_the_wrong_kind),
		cmocka_unit_test(linger_with_seconds_is_the_operators),
	};

	return cmocka_run_group_tests_name("sockopt", tests, NULL, NULL);
}
