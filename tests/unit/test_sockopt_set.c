/* SPDX-License-Identifier: MIT
 * sockopt/: what gets as far as the kernel and what comes back from it; and the help. */
#include "sockopt_fake.h"

#include "sockopt/help.h"

static const struct sb_opt_place client = {SB_OPT_CLIENT, SB_OPT_CONNECTION, .is_tcp = true, .is_ipv4 = true};
static const struct sb_opt_place by_operator = {SB_OPT_OPERATOR, SB_OPT_LISTENER, .is_tcp = true, .is_ipv4 = true};

/* ---- setting ---- */

static void f102_denied_never_reaches_setsockopt(void **state)
{
	const struct sb_sockopt *row;

	(void)state;
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++) {
		struct sb_sys sys = {0};
		int64_t effective = 77;

		if (row->kind != SB_OPT_DENIED)
			continue;
		for (int64_t v = -1; v < 2; v++)
			assert_int_equal(sb_sockopt_set(&sys, 3, (struct sb_opt_ask){row, v}, &effective), SB_E_DENIED);
		assert_int_equal(sys.sets + sys.gets, 0);
		assert_int_equal(effective, 77);
	}
}

static void f107_the_effective_value_is_read_back(void **state)
{
	struct sb_sys sys = {.doubles = true};
	int64_t effective = 0;

	(void)state;
	assert_int_equal(find("SO_RCVBUF", "1", client), 0);
	assert_int_equal(sb_sockopt_set(&sys, 5, ask, &effective), 0);
	assert_int_equal(effective, 2304);
	assert_int_equal(find("SO_RCVBUF", "4k", client), 0);
	assert_int_equal(sb_sockopt_set(&sys, 5, ask, &effective), 0);
	assert_int_equal(effective, 8192);
	assert_int_equal(sys.sets, 2);
	assert_int_equal(sys.gets, 2);
	assert_int_equal(sys.fd, 5);
}

static void every_row_is_set_as_it_is_and_read_back(void **state)
{
	const struct sb_sockopt *row;

	(void)state;
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++) {
		int64_t values[] = {row->min, row->max, -1};

		if (row->kind == SB_OPT_DENIED)
			continue;
		for (size_t k = 0; k < (row->kind == SB_OPT_LINGER ? 3 : 2); k++) {
			struct sb_sys sys = {0};
			int64_t effective = 77;
			int first;

			assert_int_equal(sb_sockopt_set(&sys, 9, (struct sb_opt_ask){row, values[k]}, &effective), 0);
			assert_int_equal(effective, values[k]);
			assert_int_equal(sys.sets, 1);
			assert_int_equal(sys.level, row->level);
			assert_int_equal(sys.name, row->optname);
			assert_int_equal(sys.n, row->kind == SB_OPT_LINGER ? sizeof(struct linger) : sizeof(int));
			memcpy(&first, sys.value, sizeof(first));
			assert_int_equal(first, row->kind == SB_OPT_LINGER ? values[k] >= 0 : values[k]);
		}
	}
}

static void linger_is_a_struct(void **state)
{
	struct sb_sys sys = {0};
	struct linger linger;
	int64_t effective = 77;

	(void)state;
	assert_int_equal(find("SO_LINGER", "5", by_operator), 0);
	assert_int_equal(sb_sockopt_set(&sys, 3, ask, &effective), 0);
	memcpy(&linger, sys.value, sizeof(linger));
	assert_int_equal(linger.l_onoff, 1);
	assert_int_equal(linger.l_linger, 5);
	assert_int_equal(effective, 5);
	assert_int_equal(find("SO_LINGER", "off", by_operator), 0);
	assert_int_equal(sb_sockopt_set(&sys, 3, ask, &effective), 0);
	memcpy(&linger, sys.value, sizeof(linger));
	assert_int_equal(linger.l_onoff, 0);
	assert_int_equal(effective, -1);
}

static void values_no_check_has_seen_do_not_reach_the_kernel(void **state)
{
	const struct sb_sockopt *row;

	(void)state;
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++) {
		int64_t wild[] = {INT64_MIN, INT_MIN,      UINT32_MAX,  INT64_MAX, (int64_t)INT_MAX + 1,
				  -2,        row->max + 1, row->min - 1};
		struct sb_sys sys = {0};
		int64_t effective = 77;

		if (row->kind == SB_OPT_DENIED)
			continue;
		for (size_t k = 0; k < sizeof(wild) / sizeof(wild[0]); k++) {
			if (row->kind == SB_OPT_LINGER && wild[k] == -1) /* off */
				continue;
			assert_int_equal(sb_sockopt_set(&sys, 3, (struct sb_opt_ask){row, wild[k]}, &effective),
					 SB_E_RANGE);
		}
		assert_int_equal(sys.sets + sys.gets, 0);
		assert_int_equal(effective, 77);
	}
}

static void f109_what_the_kernel_refuses_is_reported(void **state)
{
	static const char *const names[] = {"TCP_NODELAY", "SO_LINGER"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sb_sys sys = {.set_err = -EINVAL};
		int64_t effective = 77;

		assert_int_equal(find(names[i], "0", by_operator), 0);
		assert_int_equal(sb_sockopt_set(&sys, 3, ask, &effective), -EINVAL);
		assert_int_equal(sys.gets, 0);
		sys = (struct sb_sys){.get_err = -ENOTCONN};
		assert_int_equal(sb_sockopt_set(&sys, 3, ask, &effective), -ENOTCONN);
		sys = (struct sb_sys){.short_by = 3};
		assert_int_equal(sb_sockopt_set(&sys, 3, ask, &effective), -EPROTO);
		assert_int_equal(effective, 77);
	}
}

/* ---- everything at once ---- */

static struct sb_opt_place random_place(struct dice *d)
{
	struct sb_opt_place place = {.strict = one_in(d, 2)};

	place.who = one_in(d, 2) ? SB_OPT_CLIENT : SB_OPT_OPERATOR;
	place.when = one_in(d, 2) ? SB_OPT_CONNECTION : SB_OPT_LISTENER;
	place.is_tcp = one_in(d, 2);
	place.is_udp = !place.is_tcp && one_in(d, 2);
	place.is_ipv4 = one_in(d, 2);
	place.is_ipv6 = !place.is_ipv4;
	return place;
}

static void f105_random_names_values_and_places(void **state)
{
	static const char *const values[] = {"0",  "1",   "88", "600",        "4096", "64k",
					     "1M", "off", "-1", "2147483648", "x"};
	size_t rows_n = 0, taken = 0;

	(void)state;
	while (sb_sockopt_at(rows_n))
		rows_n++;
	for (uint64_t seed = 0; seed < 8000; seed++) {
		struct dice d = {.seed = seed};
		struct sb_opt_place place = random_place(&d);
		struct sb_sys sys = {0};
		int64_t effective;
		char name[40];
		struct sb_text t = sb_text_in(name, sizeof(name));

		sb_text_str(&t, sb_sockopt_at((size_t)roll(&d, rows_n))->name);
		if (one_in(&d, 2))
			name[roll(&d, t.n)] = (char)roll(&d, 128);
		if (find(sb_text_end(&t), values[roll(&d, 11)], place) < 0) {
			assert_in_range(fault.col, 1, 2);
			continue;
		}
		taken++;
		assert_int_not_equal(ask.row->kind, SB_OPT_DENIED);
		assert_int_equal(sb_sockopt_set(&sys, 3, ask, &effective), 0);
		assert_int_equal(effective, ask.value);
	}
	assert_true(taken > 100);
}

/* ---- help ---- */

static void help_names_every_option_in_100_columns(void **state)
{
	char room[16384];
	struct sb_text t = sb_text_in(room, sizeof(room));
	const struct sb_sockopt *row;
	size_t width = 0;

	(void)state;
	sb_sockopts_help(&t);
	assert_int_equal(t.lost, 0);
	for (size_t i = 0; i < t.n; i++) {
		width = room[i] == '\n' ? 0 : width + 1;
		assert_true(width <= 100);
	}
	sb_text_end(&t);
	for (size_t i = 0; (row = sb_sockopt_at(i)); i++)
		assert_non_null(strstr(room, row->name));
	assert_non_null(strstr(room, "\n  TCP_KEEPIDLE      client   1 to 32767      1 to 600         seconds of"));
	assert_non_null(strstr(room, "\n  SO_LINGER         client   off or 0 to 60  off or 0         0: close with"));
	assert_non_null(strstr(room, "\n  IP_TTL            client   1 to 255        no               hops a packet"));
	assert_non_null(strstr(room, "\n  IP_TOS            operator 0 to 255"));
	assert_true(strstr(room, "SO_RCVLOWAT") > strstr(room, "\nnever:\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(f102_denied_never_reaches_setsockopt),
		cmocka_unit_test(f107_the_effective_value_is_read_back),
		cmocka_unit_test(every_row_is_set_as_it_is_and_read_back),
		cmocka_unit_test(linger_is_a_struct),
		cmocka_unit_test(values_no_check_has_seen_do_not_reach_the_kernel),
		cmocka_unit_test(f109_what_the_kernel_refuses_is_reported),
		cmocka_unit_test(f105_random_names_values_and_places),
		cmocka_unit_test(help_names_every_option_in_100_columns),
	};

	return cmocka_run_group_tests_name("sockopt_set", tests, NULL, NULL);
}
