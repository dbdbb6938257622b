/* SPDX-License-Identifier: MIT
 * base/addr.h: the C library's inet_pton and inet_ntop say what is right, tables say the rest. */
#include "check.h"

#include <arpa/inet.h>

#include "base/addr.h"

static struct sb_addr addr(const char *ip)
{
	struct sb_addr a;

	assert_int_equal(sb_addr_parse_ip(&a, sb_slice_cstr(ip)), 0);
	return a;
}

static struct sb_cidr cidr(const char *text)
{
	struct sb_cidr range;

	assert_int_equal(sb_cidr_parse(&range, sb_slice_cstr(text)), 0);
	return range;
}

static void expect_text(const struct sb_addr *a, const char *want)
{
	char room[80];
	struct sb_text t = sb_text_in(room, sizeof(room));

	sb_text_addr(&t, a);
	assert_string_equal(sb_text_end(&t), want);
}

static void written_as_rfc_5952_says(void **state)
{
	static const char *const same[] = {"::",
					   "::1",
					   "1::",
					   "2001:db8::1",
					   "2001:db8:0:1:1:1:1:1", /* one zero is not shortened */
					   "2001:0:0:1::1",        /* the longer run */
					   "2001:db8::1:0:0:1",    /* the first of two */
					   "1:2:3:4:5:6:7:8",
					   "0:1:2:3:4:5:6:7",
					   "1:2:3:4:5:6:7:0",
					   "0:0:1::",
					   "1:0:0:2::",
					   "::2:0:0:1",
					   "ff02::fb",
					   "fe80::a00:27ff:fe4e:66a1%4294967295"};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct sb_addr a = addr(same[i]);
		char want[80];
		struct sb_text t = sb_text_in(want, sizeof(want));

		a.port = 7777;
		sb_text_char(&t, '[');
		sb_text_str(&t, same[i]);
		sb_text_str(&t, "]:7777");
		expect_text(&a, sb_text_end(&t));
	}
}

static void texts(void **state)
{
	struct sb_addr a = addr("127.0.0.1");

	(void)state;
	a.port = 65535;
	expect_text(&a, "127.0.0.1:65535");
	a = addr("FE80::1%2");
	expect_text(&a, "[fe80::1%2]:0");
	a = (struct sb_addr){.family = SB_UNIX};
	expect_text(&a, "unix:");
	a = addr("64:ff9b::10.0.0.1");
	expect_text(&a, "[64:ff9b::a00:1]:0");
	a = addr("[::1]");
	expect_text(&a, "[::1]:0");
}

static void d62_mapped_addresses_are_ipv4(void **state)
{
	struct sb_addr a = addr("::ffff:192.0.2.1"), b = addr("192.0.2.1"), c = addr("[::FFFF:c000:201]");

	(void)state;
	assert_int_equal(a.family, SB_IPV4);
	assert_true(sb_addr_eq(&a, &b) && sb_addr_eq(&c, &b));
	assert_memory_equal(&a, &b, sizeof(a.ip) + offsetof(struct sb_addr, ip));
	c = addr("::ffff:192.0.2.1%5"); /* IPv4 has no zones */
	assert_int_equal(c.scope, 0);
	a = addr("::fffe:1.2.3.4");
	assert_int_equal(a.family, SB_IPV6);
	a = addr("::1.2.3.4"); /* "compatible", long gone: no IPv4 */
	assert_int_equal(a.family, SB_IPV6);
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {"",
					  " ",
					  "1",
					  "1.2.3",
					  "1.2.3.4.5",
					  "1.2.3.256",
					  "01.2.3.4",
					  "1.2.3.4 ",
					  "+1.2.3.4",
					  "1..3.4",
					  "1.2.3.",
					  ".1.2.3",
					  "1.2.3.4/8",
					  "1.2.3.4:80",
					  "localhost",
					  "0x7f.1.2.3",
					  "127.1",
					  ":",
					  ":1",
					  "1:",
					  ":::",
					  "1:::2",
					  "1::2::3",
					  "12345::",
					  "::g",
					  "1:2:3:4:5:6:7",
					  "1:2:3:4:5:6:7:8:9",
					  "1:2:3:4:5:6:7:8::",
					  "::1:2:3:4:5:6:7:8",
					  "1:2:3:4::5:6:7:8",
					  "::1.2.3",
					  "1.2.3.4::",
					  "1:2:3:4:5:6:7:1.2.3.4",
					  "::1%",
					  "::1%eth0",
					  "::1%-1",
					  "::1%4294967296",
					  "::1%1%2",
					  "127.0.0.1%1",
					  "[127.0.0.1]",
					  "[::1",
					  "::1]",
					  "[]",
					  "[[::1]]",
					  "::1%01",
					  "::ffff:1.2.3.4:1"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sb_addr a;

		if (sb_addr_parse_ip(&a, sb_slice_cstr(bad[i])) != SB_E_SYNTAX)
			fail_msg("\"%s\" was taken for an address", bad[i]);
	}
}

/* A string of the characters of addresses, from a random one and random damage. */
static size_t random_text(uint64_t i, char *out, size_t cap)
{
	static const char letters[] = "0123456789abcdefF::::....";
	uint8_t ip[16];
	size_t n;

	for (size_t k = 0; k < 16; k++)
		ip[k] = sb_rng_at(i, k) % 3 ? 0 : (uint8_t)sb_rng_at(i, 100 + k);
	assert_non_null(inet_ntop(i % 2 ? AF_INET6 : AF_INET, ip, out, (socklen_t)cap));
	n = strlen(out);
	for (uint64_t k = sb_rng_at(i, 200) % 3; k > 0; k--) {
		size_t at = (size_t)(sb_rng_at(i, 300 + k) % n);
		char c = letters[sb_rng_at(i, 400 + k) % (sizeof(letters) - 1)];

		if (sb_rng_at(i, 500 + k) % 2 && n + 1 < cap) {
			memmove(out + at + 1, out + at, n - at);
			n++;
		}
		out[at] = c;
	}
	out[n] = '\0';
	return n;
}

static void reads_what_inet_pton_reads(void **state)
{
	int taken = 0, refused = 0;

	(void)state;
	for (uint64_t i = 0; i < 40000; i++) {
		char text[64];
		struct sb_addr a, want = {0};
		size_t n = random_text(i, text, sizeof(text));
		char *exact = malloc(n); /* no NUL behind it: ASan sees one byte too many */
		int ok;

		want.family = memchr(text, ':', n) ? SB_IPV6 : SB_IPV4;
		ok = inet_pton(want.family == SB_IPV6 ? AF_INET6 : AF_INET, text, want.ip);
		memcpy(exact, text, n);
		if ((sb_addr_parse_ip(&a, sb_slice(exact, n)) == 0) != (ok == 1))
			fail_msg("\"%s\": inet_pton says %d", text, ok);
		free(exact);
		if (ok != 1) {
			refused++;
			continue;
		}
		taken++;
		sb_addr_unmap(&want);
		assert_true(sb_addr_eq(&a, &want));
	}
	assert_true(taken > 10000 && refused > 5000);
}

static void writes_what_inet_ntop_writes(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		struct sb_addr a = {.family = SB_IPV6, .port = 1};
		char theirs[64], ours[80];
		struct sb_text t = sb_text_in(ours, sizeof(ours));

		a.ip[0] = 0x20; /* glibc writes ::1.2.3.4 for what begins with zeros */
		for (size_t k = 2; k < 16; k++)
			a.ip[k] = sb_rng_at(i, k / 2) % 2 ? 0
							  : (uint8_t)(sb_rng_at(i, 50 + k) >> sb_rng_at(i, 90 + k) % 9);
		assert_non_null(inet_ntop(AF_INET6, a.ip, theirs, sizeof(theirs)));
		sb_text_addr(&t, &a);
		sb_text_end(&t);
		assert_memory_equal(ours + 1, theirs, strlen(theirs));
		assert_string_equal(ours + 1 + strlen(theirs), "]:1");
	}
}

static void kinds_of_addresses(void **state)
{
	static const struct {
		const char *ip;
		bool loopback, any, odd;
	} rows[] = {
		{"127.0.0.1", true, false, false},
		{"127.255.255.255", true, false, false},
		{"126.0.0.1", false, false, false},
		{"128.0.0.1", false, false, false},
		{"::1", true, false, false},
		{"::2", false, false, false},
		{"1::1", false, false, false},
		{"::1:1", false, false, false},
		{"0.0.0.0", false, true, true},
		{"::", false, true, true},
		{"0.1.2.3", false, false, true},
		{"1.0.0.0", false, false, false},
		{"223.255.255.255", false, false, false},
		{"224.0.0.1", false, false, true},
		{"239.1.2.3", false, false, true},
		{"240.0.0.1", false, false, true},
		{"255.255.255.255", false, false, true},
		{"ff02::1", false, false, true},
		{"fe80::1%1", false, false, false},
		{"::ffff:127.0.0.1", true, false, false},
		{"::ffff:224.0.0.1", false, false, true},
		{"::ffff:0.0.0.0", false, true, true},
	};
	struct sb_addr local = {.family = SB_UNIX};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_addr a = addr(rows[i].ip);

		assert_int_equal(sb_addr_is_loopback(&a), rows[i].loopback);
		assert_int_equal(sb_addr_is_any(&a), rows[i].any);
		assert_int_equal(sb_addr_is_odd(&a), rows[i].odd);
	}
	assert_true(sb_addr_is_loopback(&local));
	assert_false(sb_addr_is_any(&local));
	assert_false(sb_addr_is_odd(&local));
}

static void equal_is_family_address_and_port(void **state)
{
	struct sb_addr a = addr("1.2.3.4"), b = addr("1.2.3.4"), c = addr("1.2.3.5"), d = addr("102:304::");
	struct sb_addr u = {.family = SB_UNIX}, v = {.family = SB_UNIX, .port = 1};

	(void)state;
	assert_true(sb_addr_eq(&a, &b));
	assert_false(sb_addr_eq(&a, &c));
	assert_false(sb_addr_eq(&a, &d));
	b.port = 1;
	assert_false(sb_addr_eq(&a, &b));
	assert_true(sb_addr_eq(&u, &v));
	assert_false(sb_addr_eq(&u, &a));
}

static void ranges_hold_what_they_say(void **state)
{
	static const struct {
		const char *range, *in, *out;
	} rows[] = {
		{"10.0.0.0/8", "10.255.1.2", "11.0.0.0"},
		{"10.0.0.0/9", "10.127.0.1", "10.128.0.0"},
		{"10.1.2.3", "10.1.2.3", "10.1.2.2"},
		{"10.1.2.2/31", "10.1.2.3", "10.1.2.4"},
		{"0.0.0.0/0", "255.1.2.3", "::1"},
		{"::/0", "2001:db8::1", "1.2.3.4"},
		{"2001:db8::/32", "2001:db8:ffff::", "2001:db9::"},
		{"fe80::/10", "febf::1", "fec0::1"},
		{"::1", "::1", "::2"},
		{"::1/128", "::1", "::"},
		{"::ffff:10.0.0.0/104", "10.200.9.9", "11.0.0.1"},
		{"::ffff:0:0/96", "1.2.3.4", "::1"},
		{"255.255.255.255", "255.255.255.255", "255.255.255.254"},
	};
	struct sb_addr local = {.family = SB_UNIX};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_cidr range = cidr(rows[i].range);
		struct sb_addr in = addr(rows[i].in), out = addr(rows[i].out);

		assert_true(sb_addr_in(&in, &range));
		assert_false(sb_addr_in(&out, &range));
		assert_false(sb_addr_in(&local, &range));
	}
}

static void ranges_that_say_two_things_are_refused(void **state)
{
	static const char *const bad[] = {
		"10.0.0.0/33", "::/129",    "10.0.0.0/",           "10.0.0.0/-1", "10.0.0.0/08",
		"/8",          "",          "10.0.0.0/8/8",        "10/8",        "fe80::1%2",
		"10.0.0.0/8 ", "[::1]/128", "10.0.0.0/4294967304", "::1/"};
	static const char *const loose[] = {"10.0.0.1/8",    "10.0.0.1/31",       "2001:db8::1/32",     "::1/0",
					    "::ffff:0:0/95", "::ffff:10.0.0.0/0", "::ffff:10.1.0.0/104"};
	struct sb_cidr range;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sb_cidr_parse(&range, sb_slice_cstr(bad[i])), SB_E_SYNTAX);
	for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++)
		assert_int_equal(sb_cidr_parse(&range, sb_slice_cstr(loose[i])), SB_E_RANGE);
}

static void every_prefix_length(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct sb_cidr range = {.base = {.family = SB_IPV6}, .bits = (uint8_t)bits};
		struct sb_addr a = {.family = SB_IPV6};

		assert_true(sb_addr_in(&a, &range));
		for (unsigned k = 0; k < 128; k++) {
			memset(a.ip, 0, sizeof(a.ip));
			a.ip[k / 8] = (uint8_t)(0x80 >> k % 8);
			assert_int_equal(sb_addr_in(&a, &range), k >= bits);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_as_rfc_5952_says),
		cmocka_unit_test(texts),
		cmocka_unit_test(d62_mapped_addresses_are_ipv4),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(reads_what_inet_pton_reads),
		cmocka_unit_test(writes_what_inet_ntop_writes),
		cmocka_unit_test(kinds_of_addresses),
		cmocka_unit_test(equal_is_family_address_and_port),
		cmocka_unit_test(ranges_hold_what_they_say),
		cmocka_unit_test(ranges_that_say_two_things_are_refused),
		cmocka_unit_test(every_prefix_length),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
