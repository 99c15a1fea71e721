/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 */
/* Channels between loops and plain threads. */

#include "in_task.h"

#include <corail/chan_threadsafe.h>

#include <pthread.h>

typedef cr_chan_threadsafe_of(int) int_chan;

enum { EACH = 400, SIDES = 3 };

/* Several senders and receivers, each a plain thread or a loop of its own. */
struct crowd {
	int_chan chan;
	_Atomic int senders, started;
	_Atomic int seen[EACH * SIDES];
};

static int send_some(struct crowd *crowd)
{
	int first = crowd->started++ * EACH;

	for (int i = 0; i < EACH; i++)
		CHECK_EQ(cr_chan_send_threadsafe(&crowd->chan, first + i), 0);
	if (--crowd->senders == 0)
		cr_chan_close_threadsafe(&crowd->chan);
	return 0;
}

static int receive_some(struct crowd *crowd)
{
	int value, r;

	while ((r = cr_chan_receive_threadsafe(&crowd->chan, &value)) == 0)
		crowd->seen[value]++;
	CHECK_EQ(r, -EPIPE);
	return 0;
}

static void *send_in_thread(void *arg)
{
	send_some(arg);
	return NULL;
}

static void *receive_in_thread(void *arg)
{
	receive_some(arg);
	return NULL;
}

static void *send_in_loop(void *arg)
{
	struct crowd *crowd = arg;

	CHECK_EQ(cr_run(send_some, crowd), 0);
	return NULL;
}

static int receive_by_two(struct crowd *crowd)
{
	struct crowd *crowds[] = {crowd, crowd};
	CORAIL_SCOPE(scope);

	for (int i = 0; i < 2; i++)
		cr_spawn(&scope, receive_some, crowds[i]);
	return cr_scope_wait(&scope);
}

static void *receive_in_loop(void *arg)
{
	struct crowd *crowd = arg;

	CHECK_EQ(cr_run(receive_by_two, crowd), 0);
	return NULL;
}

static void crowd_runs(size_t capacity, void *(*sender)(void *), void *(*receiver)(void *))
{
	static struct crowd crowd;
	pthread_t threads[2 * SIDES];

	memset(&crowd, 0, sizeof crowd);
	crowd.senders = SIDES;
	CHECK_EQ(cr_chan_open_threadsafe(&crowd.chan, capacity), 0);
	for (int i = 0; i < 2 * SIDES; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, i % 2 ? sender : receiver, &crowd), 0);
	for (int i = 0; i < 2 * SIDES; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < EACH * SIDES; i++)
		CHECK_EQ(crowd.seen[i], 1);
	CHECK_EQ(cr_chan_length_threadsafe(&crowd.chan), 0);
	cr_chan_free_threadsafe(&crowd.chan);
}

static void threads_to_threads(void)
{
	crowd_runs(1, send_in_thread, receive_in_thread);
	crowd_runs(8, send_in_thread, receive_in_thread);
}

static void threads_to_loops(void)
{
	crowd_runs(1, send_in_thread, receive_in_loop);
	crowd_runs(8, send_in_thread, receive_in_loop);
}

static void loops_to_threads(void)
{
	crowd_runs(1, send_in_loop, receive_in_thread);
	crowd_runs(8, send_in_loop, receive_in_thread);
}

static void loops_to_loops(void)
{
	crowd_runs(1, send_in_loop, receive_in_loop);
	crowd_runs(8, send_in_loop, receive_in_loop);
}

/* ------------------------------------------------------------------------- what one sees --- */

static int nothing_waits(int *unused)
{
	int_chan chan, huge;
	int value = 0;

	(void)unused;
	CHECK_EQ(cr_chan_open_threadsafe(&chan, 0), -EINVAL);
	CHECK_EQ(cr_chan_open_threadsafe(&huge, SIZE_MAX / 2), -ENOMEM);
	CHECK_EQ(cr_chan_open_threadsafe(&chan, 2), 0);
	CHECK_EQ(cr_chan_try_receive_threadsafe(&chan, &value), -EAGAIN);
	CHECK_EQ(cr_chan_send_threadsafe(&chan, 1), 0);
	CHECK_EQ(cr_chan_try_send_threadsafe(&chan, 2), 0);
	CHECK_EQ(cr_chan_try_send_threadsafe(&chan, 3), -EAGAIN);
	CHECK_EQ(cr_chan_length_threadsafe(&chan), 2);
	CHECK_EQ(cr_chan_receive_threadsafe(&chan, &value), 0);
	CHECK_EQ(value, 1);
	{
		CORAIL_SCOPE(cancelled);
		cr_scope_cancel(&cancelled);
		CHECK_EQ(cr_chan_send_threadsafe(&chan, 4), -ECANCELED);
		CHECK_EQ(cr_chan_receive_threadsafe(&chan, &value), -ECANCELED);
	}
	cr_chan_close_threadsafe(&chan);
	CHECK_EQ(cr_chan_send_threadsafe(&chan, 5), -EPIPE);
	CHECK_EQ(cr_chan_try_send_threadsafe(&chan, 5), -EPIPE);
	CHECK_EQ(cr_chan_receive_threadsafe(&chan, &value), 0);
	CHECK_EQ(value, 2);
	CHECK_EQ(cr_chan_receive_threadsafe(&chan, &value), -EPIPE);
	CHECK_EQ(cr_chan_try_receive_threadsafe(&chan, &value), -EPIPE);
	cr_chan_free_threadsafe(&chan);
	return 0;
}

struct one {
	int_chan *chan;
	int value, result;
};

static int send_one(struct one *one)
{
	one->result = cr_chan_send_threadsafe(one->chan, one->value);
	return 0;
}

static int receive_one(struct one *one)
{
	one->result = cr_chan_receive_threadsafe(one->chan, &one->value);
	return 0;
}

static cr_task begin(cr_scope *scope, int (*fn)(struct one *), struct one *one)
{
	cr_task task = cr_spawn(scope, fn, one);

	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_yield(), 0);
	return task;
}

static int cancelled_waits_leave_nothing(int *unused)
{
	int_chan chan;
	struct one ones[3];
	cr_task tasks[3];
	int value = 0;
	CORAIL_SCOPE(scope);

	(void)unused;
	CHECK_EQ(cr_chan_open_threadsafe(&chan, 1), 0);
	for (int i = 0; i < 3; i++) {
		ones[i] = (struct one){.chan = &chan};
		tasks[i] = begin(&scope, receive_one, &ones[i]);
	}
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_await(tasks[0]), 0);
	CHECK_EQ(ones[0].result, -ECANCELED);
	CHECK_EQ(cr_chan_send_threadsafe(&chan, 1), 0);
	/* Handed over and cancelled in the same turn: the value counts. */
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	CHECK_EQ(cr_await(tasks[1]), 0);
	CHECK_EQ(ones[1].result, 0);
	CHECK_EQ(ones[1].value, 1);
	CHECK_EQ(cr_task_cancel(tasks[2]), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < 3; i++) {
		ones[i] = (struct one){.chan = &chan, .value = i};
		tasks[i] = begin(&scope, send_one, &ones[i]);
	}
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	for (int i = 0; i < 3; i += 2) {
		CHECK_EQ(cr_chan_receive_threadsafe(&chan, &value), 0);
		CHECK_EQ(value, i);
	}
	CHECK_EQ(cr_chan_try_receive_threadsafe(&chan, &value), -EAGAIN);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	/* A close wakes who waits. */
	for (int i = 0; i < 3; i++) {
		ones[i] = (struct one){.chan = &chan};
		tasks[i] = begin(&scope, receive_one, &ones[i]);
	}
	cr_chan_close_threadsafe(&chan);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(ones[i].result, -EPIPE);
	cr_chan_free_threadsafe(&chan);
	return 0;
}

/*
 * Tasks that are cancelled again and again while a thread sends: what the cancellation meets on its
 * way is received all the same.
 */
enum { RACED = 2000 };

struct race {
	int_chan chan;
	int expected;
};

static void *send_all(void *arg)
{
	struct race *race = arg;

	for (int i = 0; i < RACED; i++)
		CHECK_EQ(cr_chan_send_threadsafe(&race->chan, i), 0);
	cr_chan_close_threadsafe(&race->chan);
	return NULL;
}

static int receive_in_order(struct race *race)
{
	int value, r;

	while ((r = cr_chan_receive_threadsafe(&race->chan, &value)) == 0)
		CHECK_EQ(value, race->expected++);
	return r;
}

static int cancels_between(struct race *race)
{
	int r = 0;

	while (r != -EPIPE) {
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, receive_in_order, race);

		cr_scope_collect(&scope);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(cr_yield(), 0);
		cr_task_cancel(task);
		r = cr_await(task);
	}
	return 0;
}

static void cancellation_loses_nothing(void)
{
	struct race race = {.expected = 0};
	pthread_t thread;

	CHECK_EQ(cr_chan_open_threadsafe(&race.chan, 3), 0);
	CHECK_EQ(pthread_create(&thread, NULL, send_all, &race), 0);
	CHECK_EQ(cr_run(cancels_between, &race), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(race.expected, RACED);
	cr_chan_free_threadsafe(&race.chan);
}

/* A loop that ends while a task of its program waits: the channel goes on without it. */
static int leave_one_waiting(struct one *one)
{
	begin(cr_scope_program(), receive_one, one);
	return 0;
}

static void loop_ends(void)
{
	int_chan chan;
	struct one one = {.chan = &chan};
	int value;

	CHECK_EQ(cr_chan_open_threadsafe(&chan, 1), 0);
	CHECK_EQ(cr_run(leave_one_waiting, &one), 0);
	CHECK_EQ(one.result, -ECANCELED);
	CHECK_EQ(cr_chan_send_threadsafe(&chan, 1), 0);
	CHECK_EQ(cr_chan_receive_threadsafe(&chan, &value), 0);
	cr_chan_free_threadsafe(&chan);
}

/* One that has to be abandoned, because it goes on waiting under a shield. */
static int receive_shielded(struct one *one)
{
	CORAIL_SCOPE(scope);

	cr_scope_shield(&scope, cr_seconds(1000));
	return receive_one(one);
}

static int leave_one_shielded(struct one *one)
{
	begin(cr_scope_program(), receive_shielded, one);
	return 0;
}

static void loop_abandons(void)
{
	cr_options options = {.exit_grace = cr_millis(1)};
	int_chan chan;
	struct one one = {.chan = &chan, .result = 1};
	int value;

	CHECK_EQ(cr_chan_open_threadsafe(&chan, 1), 0);
	CHECK_EQ(cr_run_with(&options, leave_one_shielded, &one), 0);
	CHECK_EQ(one.result, 1);
	CHECK_EQ(cr_chan_send_threadsafe(&chan, 1), 0);
	CHECK_EQ(cr_chan_length_threadsafe(&chan), 1);
	CHECK_EQ(cr_chan_receive_threadsafe(&chan, &value), 0);
	cr_chan_free_threadsafe(&chan);
}

int main(void)
{
	RUN_TASK(nothing_waits);
	RUN_TASK(cancelled_waits_leave_nothing);
	RUN(loop_ends);
	RUN(loop_abandons);
	if (on_sim())
		return test_done(); /* a simulated loop's clock would run away from the threads */
	RUN(cancellation_loses_nothing);
	RUN(threads_to_threads);
	RUN(threads_to_loops);
	RUN(loops_to_threads);
	RUN(loops_to_loops);
	return test_done();
}
