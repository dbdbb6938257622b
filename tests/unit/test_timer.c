/* SPDX-License-Identifier: MIT
 * base/timer.h: against an array of deadlines that is searched from end to end. */
#include "check.h"

#include "base/timer.h"

enum { CAP = 61 };

struct both {
	struct sb_timers t;
	struct sb_timer *heap;
	uint32_t *place;
	uint64_t model[CAP];
};

static void open_both(struct both *b)
{
	b->heap = test_malloc(CAP * sizeof(*b->heap));
	b->place = test_calloc(CAP, sizeof(*b->place));
	sb_timers_init(&b->t, b->heap, b->place, CAP);
	for (int i = 0; i < CAP; i++)
		b->model[i] = SB_NEVER;
}

static void close_both(struct both *b)
{
	test_free(b->heap);
	test_free(b->place);
}

static uint64_t earliest(const struct both *b)
{
	uint64_t at = SB_NEVER;

	for (int i = 0; i < CAP; i++)
		at = b->model[i] < at ? b->model[i] : at;
	return at;
}

static void set(struct both *b, uint32_t id, uint64_t at)
{
	sb_timers_set(&b->t, id, at);
	b->model[id] = at;
}

static void compare(const struct both *b)
{
	uint32_t n = 0;

	assert_int_equal(sb_timers_next(&b->t), earliest(b));
	for (uint32_t i = 0; i < CAP; i++) {
		assert_int_equal(sb_timers_get(&b->t, i), b->model[i]);
		n += b->model[i] != SB_NEVER;
	}
	assert_int_equal(b->t.n, n);
	for (uint32_t i = 0; i < b->t.n; i++) {
		assert_true(i == 0 || b->t.heap[(i - 1) / 2].at <= b->t.heap[i].at);
		assert_int_equal(b->t.place[b->t.heap[i].id], i + 1);
	}
}

/* What pop gives must be due, and the earliest there is. */
static void pop_due(struct both *b, uint64_t now)
{
	uint32_t id = CAP;

	while (sb_timers_pop(&b->t, now, &id)) {
		assert_true(id < CAP);
		assert_true(b->model[id] <= now);
		assert_int_equal(b->model[id], earliest(b));
		b->model[id] = SB_NEVER;
	}
	assert_true(earliest(b) > now);
}

static void nothing_is_due_when_nothing_is_set(void **state)
{
	struct both b;
	uint32_t id = 7;

	(void)state;
	open_both(&b);
	assert_int_equal(sb_timers_next(&b.t), SB_NEVER);
	assert_int_equal(sb_timers_pop(&b.t, SB_NEVER, &id), 0);
	assert_int_equal(id, 7);
	set(&b, 3, SB_NEVER);
	compare(&b);
	close_both(&b);
}

/* b37: one before its time, nothing; at its time, once. */
static void b37_due_at_its_time_and_once(void **state)
{
	struct both b;
	uint32_t id;

	(void)state;
	open_both(&b);
	set(&b, CAP - 1, 1000);
	assert_int_equal(sb_timers_pop(&b.t, 999, &id), 0);
	assert_int_equal(sb_timers_pop(&b.t, 1000, &id), 1);
	assert_int_equal(id, CAP - 1);
	assert_int_equal(sb_timers_pop(&b.t, 1000, &id), 0);
	assert_int_equal(sb_timers_get(&b.t, CAP - 1), SB_NEVER);
	close_both(&b);
}

static void never_removes(void **state)
{
	struct both b;
	uint32_t id;

	(void)state;
	open_both(&b);
	set(&b, 1, 10);
	set(&b, 2, 20);
	set(&b, 1, SB_NEVER);
	compare(&b);
	assert_int_equal(sb_timers_pop(&b.t, UINT64_MAX, &id), 1);
	assert_int_equal(id, 2);
	set(&b, 2, SB_NEVER - 1); /* the last moment there is */
	assert_int_equal(sb_timers_pop(&b.t, SB_NEVER - 2, &id), 0);
	assert_int_equal(sb_timers_pop(&b.t, SB_NEVER - 1, &id), 1);
	close_both(&b);
}

static void a_full_heap_can_be_set_again(void **state)
{
	struct both b;

	(void)state;
	open_both(&b);
	for (uint32_t i = 0; i < CAP; i++)
		set(&b, i, 1000 - i);
	compare(&b);
	for (uint32_t i = 0; i < CAP; i++)
		set(&b, i, 2000 + i);
	compare(&b);
	pop_due(&b, 5000);
	assert_int_equal(b.t.n, 0);
	close_both(&b);
}

/* A deadline that moves to later is set when the earlier one comes: it fires once, at the later. */
static void a_later_deadline_set_lazily_fires_once(void **state)
{
	struct both b;
	uint64_t wanted = 50;
	uint32_t id;
	int looked = 0;

	(void)state;
	open_both(&b);
	set(&b, 4, wanted);
	set(&b, 9, 75);
	wanted = 100; /* nothing is set: it is looked at when 50 comes */
	for (uint64_t now = 0; now < 200; now++) {
		while (sb_timers_pop(&b.t, now, &id)) {
			if (id == 9) {
				assert_int_equal(now, 75);
				continue;
			}
			assert_int_equal(id, 4);
			looked++;
			if (now < wanted)
				sb_timers_set(&b.t, id, wanted);
			else
				assert_int_equal(now, 100);
		}
	}
	assert_int_equal(looked, 2);
	close_both(&b);
}

/* b39: all that are overdue come out, each once, earliest first. */
static void b39_a_jump_fires_each_once(void **state)
{
	struct both b;
	struct dice dice = {.seed = 39};

	(void)state;
	open_both(&b);
	for (uint32_t i = 0; i < CAP; i++)
		set(&b, i, 1 + roll(&dice, 1000));
	pop_due(&b, UINT64_MAX - 1);
	assert_int_equal(b.t.n, 0);
	close_both(&b);
}

/* b40: so many of one moment come out, each once. */
static void b40_ten_thousand_of_one_moment(void **state)
{
	enum { MANY = 10000 };
	struct sb_timer *heap = test_malloc(MANY * sizeof(*heap));
	uint32_t *place = test_calloc(MANY, sizeof(*place)), id = 0, n = 0;
	bool *is_out = test_calloc(MANY, sizeof(*is_out));
	struct sb_timers t;

	(void)state;
	sb_timers_init(&t, heap, place, MANY);
	for (uint32_t i = 0; i < MANY; i++)
		sb_timers_set(&t, i, 1000);
	assert_int_equal(sb_timers_pop(&t, 999, &id), 0);
	while (sb_timers_pop(&t, 1000, &id)) {
		assert_true(id < MANY && !is_out[id]);
		is_out[id] = true;
		n++;
	}
	assert_int_equal(n, MANY);
	assert_int_equal(t.n, 0);
	test_free(heap);
	test_free(place);
	test_free(is_out);
}

static void step(struct both *b, struct dice *dice, uint64_t *now)
{
	uint32_t id = (uint32_t)roll(dice, CAP);

	switch (roll(dice, 8)) {
	case 0:
		set(b, id, SB_NEVER);
		break;
	case 1:
		*now += roll(dice, 200);
		pop_due(b, *now);
		break;
	case 2: /* many of the same moment */
		set(b, id, *now + 100 - *now % 100);
		break;
	default:
		set(b, id, *now + roll(dice, 1000));
		break;
	}
}

static void random_operations(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 6; seed++) {
		struct dice dice = {.seed = seed};
		struct both b;
		uint64_t now = seed * 1000000;

		open_both(&b);
		for (int i = 0; i < 4000; i++) {
			step(&b, &dice, &now);
			compare(&b);
		}
		close_both(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_due_when_nothing_is_set),
		cmocka_unit_test(b37_due_at_its_time_and_once),
		cmocka_unit_test(never_removes),
		cmocka_unit_test(a_full_heap_can_be_set_again),
		cmocka_unit_test(a_later_deadline_set_lazily_fires_once),
		cmocka_unit_test(b39_a_jump_fires_each_once),
		cmocka_unit_test(b40_ten_thousand_of_one_moment),
		cmocka_unit_test(random_operations),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
