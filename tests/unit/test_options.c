/* SPDX-License-Identifier: MIT
 * server/options.h: every way to say something to a server comes through sb_options_set(). */
#include "check.h"

#include <stdio.h>

#include "server/options.h"

static int set(struct sb_options *o, const char *option, struct sb_fault *fault)
{
	*fault = (struct sb_fault){0};
	return sb_options_set(o, sb_slice_cstr(option), fault);
}

static void set_all(struct sb_options *o, const char *const *options, size_t n)
{
	struct sb_fault fault;

	sb_options_init(o);
	for (size_t i = 0; i < n; i++)
		if (set(o, options[i], &fault) < 0)
			fail_msg("%s: %s", options[i], fault.text);
}

static void nothing_chosen(void **state)
{
	struct sb_options o;

	(void)state;
	memset(&o, 0xff, sizeof(o));
	sb_options_init(&o);
	assert_null(o.backend);
	assert_int_equal(o.level, SB_LOG_INFO);
	assert_false(o.is_json || o.has_io || o.has_log || o.has_level);
	assert_int_equal(o.allow_n, 0);
	for (int i = 0; i < SB_LIMIT_COUNT; i++)
		assert_false(o.limits.is_set[i]);
}

static void each_of_them(void **state)
{
	static const char *const options[] = {"io=poll",     "allow=10.0.0.0/8", "log=json",          "log-level=debug",
					      "max-conns=3", "allow=::1",        "frame-timeout=none"};
	struct sb_options o;

	(void)state;
	set_all(&o, options, 7);
	assert_string_equal(o.backend->name, "poll");
	assert_true(o.is_json);
	assert_int_equal(o.level, SB_LOG_DEBUG);
	assert_int_equal(o.allow_n, 2);
	assert_int_equal(o.allow[0].bits, 8);
	assert_int_equal(o.allow[1].bits, 128);
	assert_int_equal(o.limits.v[SB_LIMIT_CONNS], 3);
	assert_true(o.limits.is_set[SB_LIMIT_FRAME]);
	assert_int_equal(o.ports_from, 0);
	set_all(&o, (const char *const[]){"io=auto", "log=text", "log-level=error"}, 3);
	assert_null(o.backend);
	assert_false(o.is_json);
	assert_int_equal(o.level, SB_LOG_ERROR);
}

static void ports_of_control(void **state)
{
	static const struct {
		const char *option;
		int from, to;
	} rows[] = {
		{"control-ports=40000-40099", 40000, 40099},
		{"control-ports=1-65535", 1, 65535},
		{"control-ports=7-7", 7, 7},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sb_options o;

		set_all(&o, &rows[i].option, 1);
		assert_int_equal(o.ports_from, rows[i].from);
		assert_int_equal(o.ports_to, rows[i].to);
	}
}

static void every_limit_and_every_backend(void **state)
{
	const struct sb_backend *b;

	(void)state;
	for (int i = 0; i < SB_LIMIT_COUNT; i++) {
		char text[80], value[32];
		struct sb_text t = sb_text_in(value, sizeof(value));
		struct sb_options o;

		sb_text_limit(&t, (enum sb_limit)i, sb_limit_rows[i].strict);
		snprintf(text, sizeof(text), "%s=%s", sb_limit_rows[i].name, sb_text_end(&t));
		set_all(&o, (const char *const[]){text}, 1);
		assert_int_equal(o.limits.v[i], sb_limit_rows[i].strict);
	}
	for (size_t i = 0; (b = sb_backend_at(i)) != NULL; i++) {
		char text[32];
		struct sb_options o;

		snprintf(text, sizeof(text), "io=%s", b->name);
		set_all(&o, (const char *const[]){text}, 1);
		assert_ptr_equal(o.backend, b);
	}
}

/* An option that is refused, after another one or none, and a part of what is said. */
struct bad {
	const char *first, *option;
	int code;
	const char *says;
};

static void refuse(const struct bad *bad)
{
	struct sb_options o;
	struct sb_fault fault;
	int r;

	set_all(&o, &bad->first, bad->first != NULL);
	r = set(&o, bad->option, &fault);
	if (r != bad->code || fault.code != r || !strstr(fault.text, bad->says))
		fail_msg("%s: %s: %s", bad->option, sb_errname(r), fault.text);
	if (!bad->first)
		assert_int_equal(o.ports_from, 0);
}

static void refused(void **state)
{
	static const struct bad rows[] = {
		{NULL, "max-conns", SB_E_SYNTAX, "max-conns=VALUE"},
		{NULL, "", SB_E_SYNTAX, ""},
		{NULL, "max-con=3", SB_E_UNKNOWN, "max-conns?"},
		{NULL, "log-levle=info", SB_E_UNKNOWN, "log-level?"},
		{NULL, "zzzzzzzzz=3", SB_E_UNKNOWN, "zzzzzzzzz"},
		{NULL, "=3", SB_E_UNKNOWN, ""},
		{NULL, "max-conns =3", SB_E_UNKNOWN, "max-conns?"},
		{NULL, "max-conns=", SB_E_TYPE, "max-conns"},
		{NULL, "max-conns=0", SB_E_RANGE, "1 to 1000000"},
		{"max-conns=3", "max-conns=3", SB_E_DUPLICATE, "max-conns"},
		{"io=auto", "io=poll", SB_E_DUPLICATE, "io"},
		{"log=text", "log=text", SB_E_DUPLICATE, "log"},
		{"log-level=info", "log-level=info", SB_E_DUPLICATE, "log-level"},
		{NULL, "io=kqueue", SB_E_UNKNOWN, "epoll"},
		{NULL, "io=", SB_E_UNKNOWN, "epoll"},
		{NULL, "log=xml", SB_E_UNKNOWN, "json"},
		{NULL, "log-level=5", SB_E_UNKNOWN, "debug"},
		{NULL, "allow=10.0.0.1/8", SB_E_RANGE, "10.0.0.1/8"},
		{NULL, "allow=10.0.0.0/33", SB_E_SYNTAX, "10.0.0.0/33"},
		{NULL, "allow=all", SB_E_SYNTAX, "all"},
		{NULL, "allow=\x1b[2J", SB_E_SYNTAX, "\\x1b[2J"}, /* h134: also in our own complaints */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refuse(&rows[i]);
}

static void no_ports_of_control(void **state)
{
	static const struct bad rows[] = {
		{NULL, "control-ports=", SB_E_TYPE, "40000-40099"},
		{NULL, "control-ports=7", SB_E_TYPE, "\"7\""},
		{NULL, "control-ports=-", SB_E_TYPE, "\"-\""},
		{NULL, "control-ports=7-", SB_E_TYPE, "\"7-\""},
		{NULL, "control-ports=-7", SB_E_TYPE, "\"-7\""},
		{NULL, "control-ports=7-8-9", SB_E_TYPE, "\"7-8-9\""},
		{NULL, "control-ports=7--9", SB_E_TYPE, "\"7--9\""},
		{NULL, "control-ports= 7-9", SB_E_TYPE, "\" 7-9\""},
		{NULL, "control-ports=7 - 9", SB_E_TYPE, "\"7 - 9\""},
		{NULL, "control-ports=+7-9", SB_E_TYPE, "\"+7-9\""},
		{NULL, "control-ports=7-0x9", SB_E_TYPE, "\"7-0x9\""},
		{NULL, "control-ports=7-9k", SB_E_TYPE, "\"7-9k\""},
		{NULL, "control-ports=a-b", SB_E_TYPE, "\"a-b\""},
		{NULL, "control-ports=7,9", SB_E_TYPE, "\"7,9\""},
		{NULL, "control-ports=\x1b[2J", SB_E_TYPE, "\\x1b[2J"},
		{NULL, "control-ports=0-9", SB_E_RANGE, "within 1-65535, not 0-9"},
		{NULL, "control-ports=0-0", SB_E_RANGE, "0-0"},
		{NULL, "control-ports=9-7", SB_E_RANGE, "9-7"},
		{NULL, "control-ports=7-65536", SB_E_RANGE, "7-65536"},
		{NULL, "control-ports=65536-65537", SB_E_RANGE, "65536-65537"},
		{NULL, "control-ports=7-18446744073709551615", SB_E_RANGE, "7-18446744073709551615"},
		{"control-ports=7-9", "control-ports=7-9", SB_E_DUPLICATE, "control-ports"},
		{"control-ports=7-9", "control-ports=x", SB_E_DUPLICATE, "control-ports"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refuse(&rows[i]);
}

static void so_many_ranges_and_no_more(void **state)
{
	struct sb_options o;
	struct sb_fault fault;

	(void)state;
	sb_options_init(&o);
	for (int i = 0; i < SB_ALLOW_MAX; i++)
		assert_int_equal(set(&o, "allow=192.0.2.0/24", &fault), 0);
	assert_int_equal(o.allow_n, SB_ALLOW_MAX);
	assert_int_equal(set(&o, "allow=192.0.2.0/24", &fault), SB_E_LIMIT);
	assert_int_equal(o.allow_n, SB_ALLOW_MAX);
}

/* The help's list of switches is what can be set. */
static void switches_are_listed(void **state)
{
	const struct sb_switch_row *row;
	size_t n = 0;

	(void)state;
	for (; (row = sb_switch_at(n)) != NULL; n++) {
		struct sb_options o;
		struct sb_fault fault;
		char text[64];

		assert_true(row->arg[0] && row->help[0]);
		snprintf(text, sizeof(text), "%s=", row->name);
		sb_options_init(&o);
		assert_true(set(&o, text, &fault) < 0);
		assert_null(strstr(fault.text, "unknown option"));
	}
	assert_true(n >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_chosen),
		cmocka_unit_test(each_of_them),
		cmocka_unit_test(ports_of_control),
		cmocka_unit_test(every_limit_and_every_backend),
		cmocka_unit_test(refused),
		cmocka_unit_test(no_ports_of_control),
		cmocka_unit_test(so_many_ranges_and_no_more),
		cmocka_unit_test(switches_are_listed),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
