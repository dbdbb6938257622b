/* SPDX-License-Identifier: MIT
 *
 * server/log.h: what a reader of the log sees, whatever a peer says and however slowly the log is read. The kernel
 * is a fake: it takes what a test lets it take. JSON is checked by a reader that is written down here.
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>

#include "core/limits.h"
#include "server/log.h"

/* ---- the fake kernel ---- */

struct sb_sys {
	char out[4 * SB_LOG_ROOM];
	size_t n;
	size_t room; /* bytes it takes before EAGAIN */
	size_t bite; /* bytes it takes at a time, 0: all */
	int eintr;   /* that many interruptions first */
	int err;     /* what it answers instead, 0: it takes */
	int calls;
};

long sb_sys_log_write(struct sb_sys *sys, int fd, const void *p, size_t n)
{
	sys->calls++;
	assert_int_equal(fd, 5);
	assert_true(n > 0);
	if (sys->eintr > 0) {
		sys->eintr--;
		return -EINTR;
	}
	if (sys->err)
		return sys->err;
	if (sys->room == 0)
		return -EAGAIN;
	n = n < sys->room ? n : sys->room;
	n = sys->bite && sys->bite < n ? sys->bite : n;
	assert_true(n <= sizeof(sys->out) - 1 - sys->n);
	memcpy(sys->out + sys->n, p, n);
	sys->n += n;
	sys->room -= n;
	return (long)n;
}

struct kit {
	struct sb_log log;
	struct sb_sys sys;
	char *room;
};

#define BEGAN (1000 * SB_S)

static struct kit *open_kit(bool is_json)
{
	struct kit *k = test_calloc(1, sizeof(*k));

	k->room = test_malloc(SB_LOG_ROOM);
	sb_log_init(&k->log, 5, k->room, BEGAN);
	k->log.is_json = is_json;
	k->sys.room = SIZE_MAX;
	return k;
}

static void close_kit(struct kit *k)
{
	test_free(k->room);
	test_free(k);
}

/* Everything that was logged since the last call. */
static const char *written(struct kit *k)
{
	k->sys.n = 0;
	sb_log_flush(&k->log, &k->sys);
	assert_int_equal(k->log.waiting, 0);
	k->sys.out[k->sys.n] = '\0';
	return k->sys.out;
}

static int lines_of(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* ---- a JSON reader: strict, for one object of strings and numbers on a line ---- */

static const char *json_string(const char *p, char *out, size_t *n)
{
	static const char esc[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";

	*n = 0;
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if (*p < ' ' || *p > '~') /* ours is ASCII; a control byte is nobody's */
			return NULL;
		if (*p != '\\') {
			out[(*n)++] = *p;
		} else if (*++p == 'u') {
			unsigned v;

			if (sscanf(p + 1, "%4x", &v) != 1 || v > 0xff)
				return NULL;
			out[(*n)++] = (char)v;
			p += 4;
		} else {
			const char *at = *p ? strchr(esc, *p) : NULL;

			if (!at)
				return NULL;
			out[(*n)++] = is[at - esc];
		}
	}
	return p + 1;
}

static const char *json_number(const char *p)
{
	char *end;

	if ((*p != '-' && (*p < '0' || *p > '9')) || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
		return NULL;
	strtod(p, &end);
	return end;
}

/* Reads a line, and finds the string value of key in it (found stays -1 when there is none). Where it ends, or NULL. */
static const char *json_line(const char *p, const char *key, char *value, long *found)
{
	char name[2 * SB_LOG_LINE_MAX], text[2 * SB_LOG_LINE_MAX];
	size_t n, text_n;

	*found = -1;
	if (*p != '{')
		return NULL;
	do {
		p = json_string(p + 1, name, &n);
		if (!p || *p++ != ':')
			return NULL;
		text_n = 0;
		p = *p == '"' ? json_string(p, text, &text_n) : json_number(p);
		if (!p)
			return NULL;
		if (n == strlen(key) && memcmp(name, key, n) == 0) {
			memcpy(value, text, text_n);
			*found = (long)text_n;
		}
	} while (*p == ',');
	return p[0] == '}' && p[1] == '\n' ? p + 2 : NULL;
}

/* ---- lines ---- */

static void say_all_kinds(struct kit *k)
{
	struct sb_addr a = {.family = SB_IPV4, .port = 80, .ip = {127, 0, 0, 1}};

	assert_true(sb_log_begin(&k->log, SB_LOG_CLOSE, BEGAN + 3 * SB_S + 25 * SB_MS));
	sb_log_u64(&k->log, "conn", UINT64_MAX);
	sb_log_i64(&k->log, "res", -104);
	sb_log_word(&k->log, "reason", "eof");
	sb_log_text(&k->log, "why", sb_slice_cstr("the peer said \"bye\""));
	sb_log_addr(&k->log, "peer", &a);
	sb_log_time(&k->log, "after", 250 * SB_MS);
	sb_log_end(&k->log);
}

static void one_event_one_line(void **state)
{
	struct kit *k = open_kit(false);

	(void)state;
	say_all_kinds(k);
	assert_string_equal(written(k), "3.025000 close conn=18446744073709551615 res=-104 reason=eof "
					"why=\"the peer said \\x22bye\\x22\" peer=127.0.0.1:80 after=250ms\n");
	k->log.is_json = true;
	say_all_kinds(k);
	assert_string_equal(written(k), "{\"v\":1,\"t\":3.025000,\"event\":\"close\",\"conn\":18446744073709551615,"
					"\"res\":-104,\"reason\":\"eof\",\"why\":\"the peer said \\\"bye\\\"\","
					"\"peer\":\"127.0.0.1:80\",\"after\":\"250ms\"}\n");
	assert_string_equal(written(k), "");
	close_kit(k);
}

/* h134: whatever a peer says, it is one printable line, and it cannot end the quotes it is in. */
static void h134_a_peer_cannot_write_the_log(void **state)
{
	struct kit *k = open_kit(false);

	(void)state;
	assert_true(sb_log_begin(&k->log, SB_LOG_DROP, BEGAN));
	sb_log_text(&k->log, "said", sb_slice("\n[fake]\x1b[2J\" x=\"\\\x9b\x7f\0\xc3\xa9", 22));
	sb_log_word(&k->log, "end", "yes");
	sb_log_end(&k->log);
	assert_string_equal(written(k),
			    "0.000000 drop said=\"\\n[fake]\\x1b[2J\\x22 x=\\x22\\\\\\x9b\\x7f\\0\\xc3\\xa9\" "
			    "end=yes\n");
	for (int i = 0; i < 256; i++) {
		uint8_t c = (uint8_t)i;
		const char *text;

		assert_true(sb_log_begin(&k->log, SB_LOG_LISTENING, BEGAN));
		sb_log_text(&k->log, "c", sb_slice(&c, 1));
		sb_log_end(&k->log);
		text = written(k);
		assert_int_equal(lines_of(text), 1);
		for (; *text != '\n'; text++)
			assert_true(*text >= ' ' && *text <= '~');
	}
	close_kit(k);
}

static void h134_json_loses_no_byte(void **state)
{
	struct kit *k = open_kit(true);
	struct dice dice = {.seed = 134};

	(void)state;
	for (int i = 0; i < 3000; i++) {
		char bytes[120], value[2 * SB_LOG_LINE_MAX];
		size_t n = (size_t)roll(&dice, sizeof(bytes) + 1);
		const char *text;
		long found;

		for (size_t at = 0; at < n; at++)
			bytes[at] =
				(char)(one_in(&dice, 3) ? "\"\\\n\0\x7f/u{},"[roll(&dice, 11)] : (int)roll(&dice, 256));
		assert_true(sb_log_begin(&k->log, SB_LOG_LISTENING, BEGAN + (uint64_t)i * SB_MS));
		sb_log_text(&k->log, "said", sb_slice(bytes, n));
		sb_log_u64(&k->log, "i", (uint64_t)i);
		sb_log_end(&k->log);
		text = written(k);
		if (json_line(text, "said", value, &found) != text + k->sys.n)
			fail_msg("no JSON: %s", text);
		assert_int_equal(found, n);
		assert_memory_equal(value, bytes, n);
	}
	close_kit(k);
}

/* Around the end of a line: a field is there whole or not at all, what still fits comes after it. */
static void a_field_that_does_not_fit_is_left_out_whole(void **state)
{
	static char bytes[SB_LOG_LINE_MAX + 1];
	bool was_in = true;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	for (int is_json = 0; is_json < 2; is_json++) {
		struct kit *k = open_kit(is_json);

		was_in = true;
		for (size_t n = SB_LOG_LINE_MAX - 130; n <= SB_LOG_LINE_MAX; n++) {
			char value[2 * SB_LOG_LINE_MAX], *at;
			const char *text;
			long found = -1;

			assert_true(sb_log_begin(&k->log, SB_LOG_LISTENING, BEGAN));
			sb_log_text(&k->log, "long", sb_slice(bytes, n));
			sb_log_u64(&k->log, "n", 5);
			sb_log_end(&k->log);
			text = written(k);
			assert_true(k->sys.n <= SB_LOG_LINE_MAX);
			assert_int_equal(lines_of(text), 1);
			if (is_json)
				assert_ptr_equal(json_line(text, "long", value, &found), text + k->sys.n);
			else if ((at = strstr(text, " long=\"")) != NULL)
				found = (long)strspn(at + 7, "x") - (at[7 + strspn(at + 7, "x")] != '"');
			assert_true(found == (long)n || found == -1);
			assert_true(was_in || found == -1);
			was_in = found >= 0;
			if (!was_in)
				assert_non_null(strstr(text, is_json ? "\"n\":5" : " n=5"));
		}
		assert_false(was_in);
		close_kit(k);
	}
}

/* ---- rates and levels ---- */

static bool say(struct kit *k, enum sb_log_event event, uint64_t now)
{
	if (!sb_log_begin(&k->log, event, now))
		return false;
	sb_log_u64(&k->log, "n", 1);
	sb_log_end(&k->log);
	return true;
}

/* The rate of "refuse" is 10 a second. */
static void what_is_over_the_rate_is_counted_and_said_once(void **state)
{
	struct kit *k = open_kit(false);
	int n = 0;

	(void)state;
	for (int i = 0; i < 25; i++)
		n += say(k, SB_LOG_REFUSE, BEGAN + (uint64_t)i * SB_MS);
	assert_int_equal(n, 10);
	assert_int_equal(lines_of(written(k)), 10);
	assert_true(say(k, SB_LOG_DROP, BEGAN)); /* each kind has its own */
	written(k);
	sb_log_sum_up(&k->log, BEGAN + SB_S - 1, false);
	assert_string_equal(written(k), ""); /* the second is not over */
	sb_log_sum_up(&k->log, BEGAN + SB_S, false);
	assert_string_equal(written(k), "1.000000 suppressed of=refuse lines=15\n");
	sb_log_sum_up(&k->log, BEGAN + SB_S, false);
	sb_log_sum_up(&k->log, BEGAN + 9 * SB_S, false);
	assert_string_equal(written(k), "");
	for (int i = 0; i < 12; i++)
		n += say(k, SB_LOG_REFUSE, BEGAN + SB_S);
	assert_int_equal(n, 20);
	written(k);
	sb_log_sum_up(&k->log, BEGAN + 5 * SB_S, false);
	assert_string_equal(written(k), "5.000000 suppressed of=refuse lines=2\n");
	for (int i = 0; i < 11; i++)
		say(k, SB_LOG_REFUSE, BEGAN + 6 * SB_S);
	written(k);
	sb_log_sum_up(&k->log, BEGAN + 6 * SB_S, true); /* the end comes first */
	assert_string_equal(written(k), "6.000000 suppressed of=refuse lines=1\n");
	for (int i = 0; i < 500; i++) /* no rate, no limit */
		assert_true(say(k, SB_LOG_LISTENING, BEGAN));
	close_kit(k);
}

static void levels(void **state)
{
	static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
	struct kit *k = open_kit(false);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(sb_log_level_named(sb_slice_cstr(names[i])), i);
	assert_int_equal(sb_log_level_named(sb_slice_cstr("Error")), -1);
	assert_int_equal(sb_log_level_named(sb_slice_cstr("")), -1);
	assert_true(say(k, SB_LOG_CLOSE, BEGAN));
	assert_false(say(k, SB_LOG_RECV, BEGAN));
	assert_true(sb_log_begin_asked(&k->log, SB_LOG_RECV, BEGAN)); /* somebody wants it all the same */
	sb_log_end(&k->log);
	k->log.level = SB_LOG_DEBUG;
	assert_true(say(k, SB_LOG_RECV, BEGAN));
	k->log.level = SB_LOG_WARNING;
	assert_false(say(k, SB_LOG_CLOSE, BEGAN));
	assert_false(say(k, SB_LOG_LISTENING, BEGAN));
	assert_true(say(k, SB_LOG_REFUSE, BEGAN));
	k->log.fd = -1;
	assert_false(say(k, SB_LOG_REFUSE, BEGAN));
	assert_false(sb_log_begin_asked(&k->log, SB_LOG_RECV, BEGAN));
	close_kit(k);
}

/* ---- handing out ---- */

/* d78: a reader that does not read. Nothing blocks, nothing is cut, and what was lost is said. */
static void d78_a_full_ring_loses_whole_lines_and_says_so(void **state)
{
	struct kit *k = open_kit(false);
	const char *text;
	int n = 0, fit;

	(void)state;
	k->sys.room = 0;
	for (; k->log.lost == 0; n++) {
		assert_true(say(k, SB_LOG_LISTENING, BEGAN + (uint64_t)n * SB_MS));
		sb_log_flush(&k->log, &k->sys);
	}
	fit = n - 1;
	for (int i = 0; i < 99; i++)
		say(k, SB_LOG_LISTENING, BEGAN);
	assert_int_equal(k->log.lost, 100);
	sb_log_sum_up(&k->log, BEGAN, false);
	assert_int_equal(k->log.lost, 100); /* not while it is full */
	k->sys.room = SIZE_MAX;
	text = written(k);
	assert_int_equal(lines_of(text), fit);
	assert_true(k->sys.n > SB_LOG_ROOM - 40 && k->sys.n <= SB_LOG_ROOM);
	assert_int_equal(text[k->sys.n - 1], '\n');
	sb_log_sum_up(&k->log, BEGAN + SB_S, false);
	assert_string_equal(written(k), "1.000000 suppressed of=all lines=100\n");
	sb_log_sum_up(&k->log, BEGAN + 2 * SB_S, false);
	assert_string_equal(written(k), "");
	close_kit(k);
}

/* g113, g115: however the kernel takes it, it is the same. */
static void g113_g115_short_writes_change_nothing(void **state)
{
	struct kit *whole = open_kit(false), *k = open_kit(false);
	struct dice dice = {.seed = 115};
	size_t n = 0;

	(void)state;
	k->sys.room = 0;
	for (int i = 0; i < 2000; i++) {
		say(whole, SB_LOG_LISTENING, BEGAN + (uint64_t)i * SB_MS);
		say(k, SB_LOG_LISTENING, BEGAN + (uint64_t)i * SB_MS);
		k->sys.room = (size_t)roll(&dice, 200);
		k->sys.bite = (size_t)roll(&dice, 5);
		k->sys.eintr = (int)roll(&dice, 3);
		sb_log_flush(&k->log, &k->sys);
		n += whole->log.waiting;
		sb_log_flush(&whole->log, &whole->sys);
	}
	k->sys.room = SIZE_MAX;
	sb_log_flush(&k->log, &k->sys);
	assert_int_equal(k->log.lost, 0);
	assert_int_equal(k->sys.n, n);
	assert_memory_equal(k->sys.out, whole->sys.out, n);
	close_kit(k);
	close_kit(whole);
}

/* d78: a reader that is gone. There is no log any more, and nobody tries again. */
static void d78_a_broken_pipe_ends_the_log(void **state)
{
	static const int errs[] = {-EPIPE, -EIO, 0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct kit *k = open_kit(false);

		say(k, SB_LOG_LISTENING, BEGAN);
		k->sys.err = errs[i];
		k->sys.room = errs[i] ? 1 : 0;
		sb_log_flush(&k->log, &k->sys);
		if (errs[i]) {
			assert_int_equal(k->log.fd, -1);
			assert_false(say(k, SB_LOG_LISTENING, BEGAN));
		} else {
			assert_int_equal(k->log.fd, 5); /* only full */
		}
		assert_int_equal(k->sys.calls, 1);
		sb_log_flush(&k->log, &k->sys);
		assert_int_equal(k->sys.calls, errs[i] ? 1 : 2);
		close_kit(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_event_one_line),
		cmocka_unit_test(h134_a_peer_cannot_write_the_log),
		cmocka_unit_test(h134_json_loses_no_byte),
		cmocka_unit_test(a_field_that_does_not_fit_is_left_out_whole),
		cmocka_unit_test(what_is_over_the_rate_is_counted_and_said_once),
		cmocka_unit_test(levels),
		cmocka_unit_test(d78_a_full_ring_loses_whole_lines_and_says_so),
		cmocka_unit_test(g113_g115_short_writes_change_nothing),
		cmocka_unit_test(d78_a_broken_pipe_ends_the_log),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
