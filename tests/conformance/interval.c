/* SPDX-License-Identifier: MIT */
/* Intervals: a grid that is kept, and what becomes of missed ticks. */

#include <corail/corail.h>

#include "support/core.h"

/* Exact where time is virtual; elsewhere work may take longer, and more is missed. */
#define CHECK_MISSED(interval, count)                                                              \
	do {                                                                                       \
		int missed = cr_interval_wait(interval);                                           \
                                                                                                   \
		if (on_sim())                                                                      \
			CHECK_EQ(missed, (count));                                                 \
		else                                                                               \
			CHECK_GE(missed, (count));                                                 \
	} while (0)

TEST(keeps_to_its_grid)
{
	cr_nsec start = cr_now();
	cr_interval interval;

	cr_interval_start(&interval, cr_millis(10), CORAIL_MISSED_BURST);
	for (int i = 1; i <= 5; i++) {
		CHECK_MISSED(&interval, 0);
		CHECK_GE(cr_now() - start, cr_millis(10) * i);
		/* The work does not push the next tick back. */
		CHECK_EQ(cr_sleep(cr_millis(3)), 0);
	}
	if (on_sim())
		CHECK_EQ(cr_now() - start, cr_millis(53));
	CHECK_GE(cr_interval_next(&interval), start + cr_millis(60));
	return 0;
}

TEST(starts_when_told)
{
	cr_nsec start = cr_now();
	cr_interval interval;

	cr_interval_start_at(&interval, start, cr_millis(10), CORAIL_MISSED_SKIP);
	CHECK_MISSED(&interval, 0);
	if (on_sim())
		CHECK_EQ(cr_now(), start);
	CHECK_MISSED(&interval, 0);
	CHECK_ELAPSED(start, cr_millis(10));
	cr_interval_start_at(&interval, start + cr_millis(35), cr_millis(10), CORAIL_MISSED_SKIP);
	CHECK_MISSED(&interval, 0);
	CHECK_GE(cr_now() - start, cr_millis(35));
	return 0;
}

TEST(skips)
{
	cr_nsec start = cr_now();
	cr_interval interval;

	cr_interval_start(&interval, cr_millis(10), CORAIL_MISSED_SKIP);
	CHECK_EQ(cr_sleep(cr_millis(35)), 0);
	/* Of 10, 20 and 30 the last is given, at once; then 40. */
	CHECK_MISSED(&interval, 2);
	if (on_sim())
		CHECK_EQ(cr_now() - start, cr_millis(35));
	CHECK_MISSED(&interval, 0);
	if (on_sim())
		CHECK_EQ(cr_now() - start, cr_millis(40));
	return 0;
}

TEST(bursts)
{
	cr_nsec start = cr_now();
	cr_interval interval;

	cr_interval_start(&interval, cr_millis(10), CORAIL_MISSED_BURST);
	CHECK_EQ(cr_sleep(cr_millis(35)), 0);
	CHECK_MISSED(&interval, 2);
	CHECK_MISSED(&interval, 1);
	CHECK_MISSED(&interval, 0);
	if (on_sim())
		CHECK_EQ(cr_now() - start, cr_millis(35));
	CHECK_MISSED(&interval, 0);
	CHECK_GE(cr_now() - start, cr_millis(40));
	if (on_sim())
		CHECK_EQ(cr_now() - start, cr_millis(40));
	return 0;
}

TEST(delays)
{
	cr_nsec start = cr_now();
	cr_interval interval;

	cr_interval_start(&interval, cr_millis(10), CORAIL_MISSED_DELAY);
	CHECK_EQ(cr_sleep(cr_millis(35)), 0);
	CHECK_MISSED(&interval, 2);
	CHECK_MISSED(&interval, 0);
	CHECK_GE(cr_now() - start, cr_millis(45));
	if (on_sim())
		CHECK_EQ(cr_now() - start, cr_millis(45));
	return 0;
}

static int yields(int *turns)
{
	while (cr_yield() == 0)
		++*turns;
	return 0;
}

/* A consumer that never catches up starves nobody. */
TEST(behind_for_ever)
{
	cr_interval interval;
	int turns = 0;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, yields, &turns);
	cr_interval_start_at(&interval, 0, 1, CORAIL_MISSED_BURST);
	for (int i = 0; i < 100; i++)
		CHECK_GT(cr_interval_wait(&interval), 0);
	CHECK_GE(turns, 50);
	return 0;
}

/* A tick that was waited for in vain is still to come. */
TEST(cancelled)
{
	cr_nsec start = cr_now();
	cr_interval interval;

	cr_interval_start(&interval, cr_millis(40), CORAIL_MISSED_SKIP);
	CHECK_EQ(cr_timeout(cr_millis(10), cr_interval_wait(&interval)), -ETIMEDOUT);
	CHECK_GE(cr_now() - start, cr_millis(10));
	CHECK_MISSED(&interval, 0);
	CHECK_GE(cr_now() - start, cr_millis(40));
	if (on_sim())
		CHECK_EQ(cr_now() - start, cr_millis(40));
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_interval_wait(&interval), -ECANCELED);
	}
	return 0;
}

/* Periods that are none, and ends of time. */
TEST(extremes)
{
	cr_interval interval;

	cr_interval_start(&interval, 0, CORAIL_MISSED_SKIP);
	CHECK_GE(cr_interval_wait(&interval), 0);
	cr_interval_start(&interval, -5, CORAIL_MISSED_DELAY);
	CHECK_GE(cr_interval_wait(&interval), 0);
	cr_interval_start_at(&interval, INT64_MIN, 1, CORAIL_MISSED_BURST);
	CHECK_GE(cr_interval_wait(&interval), 0);
	cr_interval_start(&interval, CORAIL_NEVER, CORAIL_MISSED_SKIP);
	CHECK_EQ(cr_interval_next(&interval), CORAIL_NEVER);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_interval_wait(&interval)), -ETIMEDOUT);
	return 0;
}

int main(void)
{
	RUN_TASK(keeps_to_its_grid);
	RUN_TASK(starts_when_told);
	RUN_TASK(skips);
	RUN_TASK(bursts);
	RUN_TASK(delays);
	RUN_TASK(behind_for_ever);
	RUN_TASK(cancelled);
	RUN_TASK(extremes);
	return test_done();
}
