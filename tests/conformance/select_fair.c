/* SPDX-License-Identifier: MIT */
/* Select is fair: whatever is ready each time, each case has its turn. */

#include "in_task.h"

#include <corail/chan.h>
#include <corail/io.h>
#include <corail/select.h>
#include <corail/sync.h>

typedef cr_chan_of(int) int_chan;

enum { CHANNELS = 4, ROUNDS = 4000 };

static int all_ready(int *unused)
{
	int_chan chans[CHANNELS];
	int counts[CHANNELS] = {0}, value;
	cr_case cases[CHANNELS];

	(void)unused;
	for (int i = 0; i < CHANNELS; i++) {
		CHECK_EQ(cr_chan_open(&chans[i], 1), 0);
		CHECK_EQ(cr_chan_send(&chans[i], i), 0);
		cases[i] = cr_case_receive(&chans[i], &value);
	}
	for (int i = 0; i < ROUNDS; i++) {
		int taken = cr_select(cases, CHANNELS);

		CHECK_EQ(value, taken);
		CHECK_EQ(cr_chan_send(&chans[taken], taken), 0);
		counts[taken]++;
	}
	for (int i = 0; i < CHANNELS; i++) {
		CHECK_GT(counts[i], ROUNDS / CHANNELS / 2);
		cr_chan_free(&chans[i]);
	}
	return 0;
}

/* Several tasks that select in turn: each sees only every n-th decision of the loop. */
struct chooser {
	cr_event *always;
	int counts[2];
};

static int choose(struct chooser *chooser)
{
	cr_case cases[] = {cr_case_event(chooser->always), cr_case_event(chooser->always)};

	for (int i = 0; i < 400; i++) {
		int taken = cr_select(cases, 2);

		CHECK_GE(taken, 0);
		chooser->counts[taken]++;
		CHECK_EQ(cr_yield(), 0);
	}
	return 0;
}

static int in_step(int *unused)
{
	(void)unused;
	for (int tasks = 1; tasks <= 6; tasks++) {
		cr_event always = {0};
		struct chooser choosers[6] = {{NULL, {0, 0}}};

		cr_event_set(&always);
		for (int i = 0; i < tasks; i++)
			choosers[i].always = &always;
		CHECK_EQ(cr_gather(choose, choosers, (size_t)tasks), 0);
		for (int i = 0; i < tasks; i++) {
			CHECK_GT(choosers[i].counts[0], 50);
			CHECK_GT(choosers[i].counts[1], 50);
		}
	}
	return 0;
}

/*
 * A descriptor that is always ready is not passed over for an event that always is, nor the other
 * way around.
 */
static int descriptor_and_event(int *unused)
{
	cr_event always = {0};
	int counts[2] = {0};
	cr_conn *conns[2];
	int fd;

	(void)unused;
	CHECK_EQ(cr_conn_pair(conns), 0);
	fd = cr_conn_fd(conns[0]);
	cr_event_set(&always);
	cr_case cases[] = {cr_case_event(&always), cr_case_writable(fd)};
	for (int i = 0; i < 200; i++) {
		int taken = cr_select(cases, 2);

		CHECK_GE(taken, 0);
		counts[taken]++;
	}
	CHECK_GT(counts[0], 20);
	CHECK_GT(counts[1], 20);
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	return 0;
}

static int select_for_ever(cr_event *always)
{
	cr_event stop = {0};
	cr_case cases[] = {cr_case_event(always), cr_case_event(&stop)};

	while (cr_select(cases, 2) == 0)
		;
	return 0;
}

/* One who selects for ever, and never has to wait, lets the others run, and can be cancelled. */
static int starves_nobody(int *unused)
{
	cr_event always = {0};
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_event_set(&always);
	cr_spawn(&scope, select_for_ever, &always);
	CHECK_EQ(cr_sleep(cr_millis(2)), 0);
	return 0;
}

int main(void)
{
	RUN_TASK(all_ready);
	RUN_TASK(in_step);
	RUN_TASK(descriptor_and_event);
	RUN_TASK(starves_nobody);
	return test_done();
}
