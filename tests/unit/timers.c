/* SPDX-License-Identifier: MIT */
/* The heap of timers: order, removal, setting while firing, memory. */

#include "support/test.h"

#include "base/alloc.h"
#include "base/list.h"
#include "loop/timers.h"

enum { MANY = 5000 };

struct probe {
	struct cr__timer timer;
	cr_nsec when;
	int number;
	int fired;
};

static struct cr__timers timers;
static struct probe probes[MANY];
static int order[MANY], order_size;

static struct probe *probe_of(struct cr__timer *timer)
{
	return CR__CONTAINER(timer, struct probe, timer);
}

static void count(struct cr__timer *timer)
{
	CHECK(!cr__timer_is_set(timer));
	order[order_size++] = probe_of(timer)->number;
	probe_of(timer)->fired++;
}

static void begin(uint32_t count_max)
{
	CHECK_EQ(cr__timers_init(&timers, count_max), 0);
	memset(probes, 0, sizeof probes);
	order_size = 0;
	for (int i = 0; i < MANY; i++) {
		probes[i].timer.fire = count;
		probes[i].number = i;
	}
}

static void set(int i, cr_nsec when)
{
	probes[i].when = when;
	CHECK_EQ(cr__timer_set(&timers, &probes[i].timer, when), 0);
}

static void deadlines_come_in_order(void)
{
	begin(100);
	CHECK_EQ(cr__timers_next(&timers), CORAIL_NEVER);
	set(0, 20);
	set(1, 10);
	set(2, CORAIL_NEVER);
	set(3, 15);
	CHECK_EQ(cr__timers_next(&timers), 10);
	CHECK_EQ(cr__timers_fire(&timers, 9), 0);
	CHECK_EQ(cr__timers_fire(&timers, 10), 1);
	CHECK_EQ(cr__timers_fire(&timers, 100), 2);
	CHECK_EQ(order[0], 1);
	CHECK_EQ(order[1], 3);
	CHECK_EQ(order[2], 0);
	CHECK_EQ(cr__timers_next(&timers), CORAIL_NEVER);
	CHECK_EQ(timers.count, 1);
	cr__timers_destroy(&timers);
}

static void equal_deadlines_fire_as_they_were_set(void)
{
	begin(MANY);
	for (int i = 0; i < MANY; i++)
		set(i, 1000);
	/* Taking some out of the middle changes nothing for the rest. */
	for (int i = 0; i < MANY; i += 7)
		cr__timer_unset(&timers, &probes[i].timer);
	cr__timers_fire(&timers, 1000);
	for (int i = 1; i < order_size; i++)
		CHECK_LT(order[i - 1], order[i]);
	CHECK_EQ(order_size, MANY - (MANY + 6) / 7);
	cr__timers_destroy(&timers);
}

static void order_survives_the_counter_s_end(void)
{
	begin(MANY);
	timers.order_next = UINT32_MAX - 50;
	for (int i = 0; i < 100; i++)
		set(i, 1000);
	CHECK_EQ(cr__timers_fire(&timers, 1000), 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(order[i], i);
	cr__timers_destroy(&timers);
}

/* A timer for next week, on a loop that sets ten thousand others a second meanwhile. */
static void a_timer_fires_however_many_were_set_since(void)
{
	static const uint32_t since[] = {0, INT32_MAX, UINT32_C(1) << 31, UINT32_C(3) << 30,
	                                 UINT32_MAX};

	for (size_t i = 0; i < sizeof since / sizeof *since; i++) {
		begin(MANY);
		timers.order_next = 5;
		set(0, 1000);
		timers.order_next += since[i];
		set(1, 1001);
		CHECK_EQ(cr__timers_fire(&timers, 2000), 2);
		CHECK_EQ(order[0], 0);
		CHECK_EQ(order[1], 1);
		cr__timers_destroy(&timers);
	}
}

static void unsetting_is_harmless_twice(void)
{
	begin(100);
	set(0, 5);
	CHECK(cr__timer_is_set(&probes[0].timer));
	cr__timer_unset(&timers, &probes[0].timer);
	CHECK(!cr__timer_is_set(&probes[0].timer));
	cr__timer_unset(&timers, &probes[0].timer);
	CHECK_EQ(cr__timers_fire(&timers, 100), 0);
	CHECK_EQ(timers.count, 0);
	cr__timers_destroy(&timers);
}

static uint64_t random_state = 12345;

static uint32_t random_below(uint32_t bound)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return (uint32_t)(random_state >> 33) % bound;
}

/* Against a model without cleverness: who is set, and that what fires is always the earliest. */
static void at_random_as_the_model_says(void)
{
	cr_nsec now = 0;

	begin(MANY);
	for (int round = 0; round < 200000; round++) {
		struct probe *p = &probes[random_below(1000)];
		cr_nsec last = 0;

		if (cr__timer_is_set(&p->timer))
			cr__timer_unset(&timers, &p->timer);
		else
			set(p->number, now + random_below(500));
		if (random_below(50))
			continue;
		now += random_below(100);
		order_size = 0;
		cr__timers_fire(&timers, now);
		for (int i = 0; i < order_size; i++) {
			CHECK_GE(probes[order[i]].when, last);
			last = probes[order[i]].when;
			CHECK_LE(last, now);
		}
		for (int i = 0; i < 1000; i++)
			CHECK(!cr__timer_is_set(&probes[i].timer) || probes[i].when > now);
	}
	cr__timers_destroy(&timers);
}

static void set_again(struct cr__timer *timer)
{
	count(timer);
	CHECK_EQ(cr__timer_set(&timers, timer, probe_of(timer)->when), 0);
}

/* A timer that sets itself, already due, must not keep the loop in here. */
static void one_that_sets_itself_waits_for_the_next_turn(void)
{
	begin(100);
	probes[0].timer.fire = set_again;
	set(0, 10);
	set(1, 10);
	CHECK_EQ(cr__timers_fire(&timers, 50), 2);
	CHECK_EQ(order[0], 0);
	CHECK_EQ(order[1], 1);
	CHECK_EQ(cr__timers_fire(&timers, 50), 1);
	CHECK_EQ(order[2], 0);
	cr__timer_unset(&timers, &probes[0].timer);
	cr__timers_destroy(&timers);
}

static void unset_others(struct cr__timer *timer)
{
	count(timer);
	cr__timer_unset(&timers, &probes[1].timer);
	cr__timer_unset(&timers, &probes[2].timer);
}

static void one_may_unset_another_that_is_due(void)
{
	begin(100);
	probes[0].timer.fire = unset_others;
	set(0, 10);
	set(1, 10);
	set(2, 11);
	set(3, 12);
	CHECK_EQ(cr__timers_fire(&timers, 50), 2);
	CHECK_EQ(order[1], 3);
	CHECK_EQ(timers.count, 0);
	cr__timers_destroy(&timers);
}

static void without_memory_it_stays_unset(void)
{
	begin(100000);
	cr__alloc_fail_at(1);
	CHECK_EQ(cr__timer_set(&timers, &probes[0].timer, 5), -ENOMEM);
	CHECK(!cr__timer_is_set(&probes[0].timer));
	CHECK_EQ(cr__timers_next(&timers), CORAIL_NEVER);
	cr__alloc_fail_at(0);
	set(0, 5);
	/* Slots are used again: no memory is needed any more for the next one. */
	for (int i = 0; i < 100000; i++) {
		cr__alloc_fail_at(1);
		cr__timer_unset(&timers, &probes[0].timer);
		CHECK_EQ(cr__timer_set(&timers, &probes[0].timer, i), 0);
	}
	cr__alloc_fail_at(0);
	cr__timers_destroy(&timers);
	cr__alloc_fail_at(2);
	CHECK_EQ(cr__timers_init(&timers, 100), -ENOMEM);
	cr__alloc_fail_at(0);
}

static void the_capacity_is_a_limit(void)
{
	static struct cr__timer many[9000];
	uint32_t held = 0;

	begin(4000);
	while (held < 9000 && cr__timer_set(&timers, &many[held], held) == 0)
		held++;
	CHECK_GE(held, 4000);
	CHECK_LT(held, 9000);
	for (uint32_t i = 0; i < held; i++)
		cr__timer_unset(&timers, &many[i]);
	CHECK_EQ(timers.count, 0);
	CHECK_EQ(cr__timer_set(&timers, &many[0], 1), 0);
	cr__timers_destroy(&timers);
}

int main(void)
{
	RUN(deadlines_come_in_order);
	RUN(equal_deadlines_fire_as_they_were_set);
	RUN(order_survives_the_counter_s_end);
	RUN(a_timer_fires_however_many_were_set_since);
	RUN(unsetting_is_harmless_twice);
	RUN(at_random_as_the_model_says);
	RUN(one_that_sets_itself_waits_for_the_next_turn);
	RUN(one_may_unset_another_that_is_due);
	RUN(without_memory_it_stays_unset);
	RUN(the_capacity_is_a_limit);
	return test_done();
}
