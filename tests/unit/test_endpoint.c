/* SPDX-License-Identifier: MIT
 * server/endpoint.h: ENDPOINT from text and back. */
#include "check.h"

#include "server/endpoint.h"

static int parse(struct sb_endpoint *e, const char *text, struct sb_fault *fault)
{
	*fault = (struct sb_fault){0};
	return sb_endpoint_parse(e, sb_slice_cstr(text), fault);
}

static const char *print(const struct sb_endpoint *e, char *room, size_t size)
{
	struct sb_text t = sb_text_in(room, size);

	sb_text_endpoint(&t, e);
	assert_int_equal(t.lost, 0);
	return sb_text_end(&t);
}

static void written_as_it_was_given(void **state)
{
	static const struct {
		const char *text, *again; /* NULL: the same */
		enum sb_key_on on;
	} rows[] = {
		{"tcp://127.0.0.1:7777", NULL, SB_ON_TCP},
		{"udp://0.0.0.0:0", NULL, SB_ON_UDP},
		{"tcp://[::1]:65535", NULL, SB_ON_TCP},
		{"udp://[fe80::1%2]:53", NULL, SB_ON_UDP},
		{"tcp://[0:0::1]:1", "tcp://[::1]:1", SB_ON_TCP},
		{"tcp://[FE80::A]:1", "tcp://[fe80::a]:1", SB_ON_TCP},
		{"tcp://[::ffff:10.0.0.1]:80", "tcp://10.0.0.1:80", SB_ON_TCP}, /* d62 */
		{"unix:/run/streambed.sock", NULL, SB_ON_UNIX},
		{"unix:relative", NULL, SB_ON_UNIX},
		{"unix:/a%2Cb", NULL, SB_ON_UNIX},
		{"unix:/a%2cb%25", "unix:/a%2Cb%25", SB_ON_UNIX},
		{"unix:/%61%2F", "unix:/a/", SB_ON_UNIX},
		{"unix:tcp://1", NULL, SB_ON_UNIX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_endpoint e, same;
		struct sb_fault fault;
		char room[512];

		if (parse(&e, rows[i].text, &fault) < 0)
			fail_msg("%s: %s", rows[i].text, fault.text);
		assert_int_equal(e.on, rows[i].on);
		assert_string_equal(print(&e, room, sizeof(room)), rows[i].again ? rows[i].again : rows[i].text);
		assert_int_equal(parse(&same, room, &fault), 0);
		assert_memory_equal(&e, &same, sizeof(e));
	}
}

static void the_parts(void **state)
{
	struct sb_endpoint e;
	struct sb_fault fault;

	(void)state;
	assert_int_equal(parse(&e, "udp://[fe80::1%7]:53", &fault), 0);
	assert_int_equal(e.addr.family, SB_IPV6);
	assert_int_equal(e.addr.scope, 7);
	assert_int_equal(e.addr.port, 53);
	assert_int_equal(parse(&e, "unix:/a%2Cb%25c", &fault), 0);
	assert_string_equal(e.path, "/a,b%c");
	assert_int_equal(e.addr.family, SB_UNIX);
}

/* Any bytes a path may have come back, and what is printed is one printable word. */
static void any_path_comes_back(void **state)
{
	struct dice dice = {.seed = 1};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct sb_endpoint e = {.on = SB_ON_UNIX}, same;
		struct sb_fault fault;
		char room[512];
		size_t n = i < 256 ? 1 : 1 + (size_t)roll(&dice, SB_PATH_MAX - 1);

		for (size_t k = 0; k < n; k++)
			e.path[k] = (char)(i < 256 ? (uint64_t)(i ? i : 1) : 1 + roll(&dice, 255));
		print(&e, room, sizeof(room));
		for (const char *p = room; *p; p++)
			if (*p < ' ' || *p > '~' || *p == ',')
				fail_msg("byte %02x is printed for %02x", (unsigned char)*p, (unsigned char)e.path[0]);
		if (parse(&same, room, &fault) < 0 || strcmp(same.path, e.path) != 0)
			fail_msg("%s does not come back: %s", room, fault.text);
	}
}

static void the_longest_path(void **state)
{
	char text[5 + SB_PATH_MAX + 1] = "unix:";
	struct sb_endpoint e;
	struct sb_fault fault;

	(void)state;
	memset(text + 5, 'a', SB_PATH_MAX);
	text[5 + SB_PATH_MAX] = '\0';
	assert_int_equal(parse(&e, text, &fault), SB_E_RANGE);
	assert_int_equal(fault.col, 6);
	text[5 + SB_PATH_MAX - 1] = '\0';
	assert_int_equal(parse(&e, text, &fault), 0);
	assert_int_equal(strlen(e.path), SB_PATH_MAX - 1);
}

static void refused_with_its_column(void **state)
{
	static const struct {
		const char *text;
		int code;
		uint32_t col;
	} rows[] = {
		{"", SB_E_SYNTAX, 1},
		{"7777", SB_E_SYNTAX, 1},
		{"tcp:127.0.0.1:1", SB_E_SYNTAX, 1},
		{"TCP://127.0.0.1:1", SB_E_SYNTAX, 1},
		{"http://127.0.0.1:1", SB_E_SYNTAX, 1},
		{"tcp://127.0.0.1", SB_E_SYNTAX, 1},
		{"tcp://:80", SB_E_SYNTAX, 1},
		{"tcp://::1:80", SB_E_SYNTAX, 7},
		{"tcp://localhost:80", SB_E_SYNTAX, 7},
		{"tcp://1.2.3.256:80", SB_E_SYNTAX, 7},
		{"tcp://[::1]:", SB_E_RANGE, 13},
		{"tcp://127.0.0.1:", SB_E_RANGE, 17},
		{"tcp://127.0.0.1:65536", SB_E_RANGE, 17},
		{"tcp://127.0.0.1:-1", SB_E_RANGE, 17},
		{"tcp://127.0.0.1:http", SB_E_RANGE, 17},
		{"tcp://127.0.0.1:80 ", SB_E_RANGE, 17},
		{"udp://127.0.0.1:99999999999999999999999", SB_E_RANGE, 17},
		{"unix:", SB_E_SYNTAX, 6},
		{"unix:/a%", SB_E_SYNTAX, 8},
		{"unix:/a%2", SB_E_SYNTAX, 8},
		{"unix:/a%2g", SB_E_SYNTAX, 8},
		{"unix:/a%+1", SB_E_SYNTAX, 8},
		{"unix:/a%00b", SB_E_SYNTAX, 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_endpoint e;
		struct sb_fault fault;
		int r = parse(&e, rows[i].text, &fault);

		if (r != rows[i].code || fault.code != r || fault.col != rows[i].col)
			fail_msg("\"%s\": %s, column %u: %s", rows[i].text, sb_errname(r), fault.col, fault.text);
	}
}

/* For names, which are the command's business: the parts as written. */
static void split_for_names(void **state)
{
	struct sb_slice scheme, host, port;
	struct sb_fault fault;

	(void)state;
	assert_int_equal(sb_endpoint_split(sb_slice_cstr("udp://example.org:echo"), &scheme, &host, &port, &fault), 0);
	assert_true(sb_slice_is(scheme, "udp") && sb_slice_is(host, "example.org") && sb_slice_is(port, "echo"));
	assert_int_equal(sb_endpoint_split(sb_slice_cstr("tcp://[::1]:7"), &scheme, &host, &port, &fault), 0);
	assert_true(sb_slice_is(host, "::1") && sb_slice_is(port, "7"));
	assert_int_equal(sb_endpoint_split(sb_slice_cstr("unix:/a"), &scheme, &host, &port, &fault), SB_E_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_as_it_was_given), cmocka_unit_test(the_parts),
		cmocka_unit_test(any_path_comes_back),     cmocka_unit_test(the_longest_path),
		cmocka_unit_test(refused_with_its_column), cmocka_unit_test(split_for_names),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
