/* SPDX-License-Identifier: MIT */
/* Select: each kind of case, exactly one is taken, the others are undone. */

#include "in_task.h"
#include "support/settle.h"

#include <corail/chan.h>
#include <corail/io.h>
#include <corail/select.h>
#include <corail/sync.h>

#include <sys/eventfd.h>

typedef cr_chan_of(int) int_chan;

/* A task that selects over some cases, and what came of it. */
struct selector {
	cr_case *cases;
	size_t count;
	int taken, ended;
};

static int select_once(struct selector *selector)
{
	selector->taken = cr_select(selector->cases, selector->count);
	selector->ended++;
	return 0;
}

static int ready_ones(int *unused)
{
	int buffer[2], value = 0, given = 9;
	int_chan full, empty;
	cr_event event = {0};
	cr_case cases[4];

	(void)unused;
	cr_chan_init(&full, buffer, 1);
	cr_chan_init(&empty, buffer + 1, 1);
	CHECK_EQ(cr_chan_send(&full, 5), 0);
	cases[0] = cr_case_receive(&empty, &value);
	cases[1] = cr_case_send(&full, &given);
	cases[2] = cr_case_event(&event);
	CHECK_EQ(cr_select_try(cases, 3), -EAGAIN);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_select(cases, 3)), -ETIMEDOUT);
	CHECK_EQ(cr_chan_length(&full), 1);
	cr_event_set(&event);
	CHECK_EQ(cr_select(cases, 3), 2);
	CHECK_EQ(cases[2].result, 0);
	cr_event_clear(&event);
	CHECK_EQ(cr_chan_receive(&full, &value), 0);
	CHECK_EQ(cr_select_try(cases, 3), 1);
	CHECK_EQ(cr_chan_receive(&full, &value), 0);
	CHECK_EQ(value, 9);
	CHECK_EQ(cr_chan_send(&empty, 6), 0);
	CHECK_EQ(cr_chan_send(&full, 7), 0);
	CHECK_EQ(cr_select(cases, 3), 0);
	CHECK_EQ(value, 6);
	/* Closed channels are ready. */
	cr_chan_close(&empty);
	CHECK_EQ(cr_select(cases, 1), 0);
	CHECK_EQ(cases[0].result, -EPIPE);
	CHECK_EQ(cr_select(cases, 0), -EINVAL);
	CHECK_EQ(cr_select_try(cases, 0), -EINVAL);
	return 0;
}

static int quick(int *value)
{
	return cr_sleep(cr_millis(1)) < 0 ? -ECANCELED : *value;
}

static int tasks_end(int *unused)
{
	int three = 3, failure = -EPROTO, value;
	int_chan never = {0};
	cr_case cases[3];
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_task task = cr_spawn(&scope, quick, &three);
	cases[0] = cr_case_task(task);
	cases[1] = cr_case_receive(&never, &value);
	CHECK_EQ(cr_select(cases, 2), 0);
	CHECK_EQ(cases[0].result, 3);
	/* Ended already. */
	CHECK_EQ(cr_select(cases, 2), 0);
	CHECK_EQ(cases[0].result, 3);
	/* A failure that is waited for does not fail the scope. */
	task = cr_spawn(&scope, quick, &failure);
	cases[0] = cr_case_task(task);
	CHECK_EQ(cr_select(cases, 2), 0);
	CHECK_EQ(cases[0].result, -EPROTO);
	cases[0] = cr_case_task((cr_task){12345});
	CHECK_EQ(cr_select(cases, 2), 0);
	CHECK_EQ(cases[0].result, -ESRCH);
	cases[0] = cr_case_task(cr_task_self());
	CHECK_EQ(cr_select(cases, 2), 0);
	CHECK_EQ(cases[0].result, -EDEADLK);
	/* The first of two, and the other goes on. */
	cr_task tasks[2] = {cr_spawn(&scope, quick, &three), cr_spawn(&scope, quick, &three)};
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	cases[0] = cr_case_task(tasks[0]);
	cases[1] = cr_case_task(tasks[1]);
	CHECK_EQ(cr_select(cases, 2), 1);
	CHECK_EQ(cases[1].result, -ECANCELED);
	CHECK_EQ(cr_await(tasks[0]), 3);
	return 0;
}

struct told {
	cr_event go;
	int result;
};

static int end_when_told(struct told *told)
{
	int r = cr_event_wait(&told->go);

	return r < 0 ? r : told->result;
}

/* Waits first, then each of the cases becomes ready in turn: nothing of the others remains. */
static int woken_by_each(int *unused)
{
	int_chan in = {0}, out = {0};
	cr_event event = {0};
	int received = 0, given = 5, value = 0;

	(void)unused;
	for (int turn = 0; turn < 4; turn++) {
		struct told told = {.result = 8};
		cr_event hold = {0};
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, end_when_told, &told);
		cr_case cases[] = {
			cr_case_receive(&in, &received),
			cr_case_send(&out, &given),
			cr_case_event(&event),
			turn == 3 ? cr_case_task(task) : cr_case_event(&hold),
		};
		struct selector selector = {.cases = cases, .count = 4};
		cr_task selecting = cr_spawn(&scope, select_once, &selector);

		settle();
		CHECK_EQ(selector.ended, 0);
		if (turn == 0)
			CHECK_EQ(cr_chan_try_send(&in, 70), 0);
		if (turn == 1)
			CHECK_EQ(cr_chan_try_receive(&out, &value), 0);
		if (turn == 2)
			cr_event_set(&event);
		if (turn == 3)
			cr_event_set(&told.go);
		/* It has been taken: the other sides find nobody any more. */
		if (turn < 3) {
			CHECK_EQ(cr_chan_try_send(&in, 1), -EAGAIN);
			CHECK_EQ(cr_chan_try_receive(&out, &value), -EAGAIN);
		}
		CHECK_EQ(cr_await(selecting), 0);
		CHECK_EQ(selector.taken, turn);
		CHECK_EQ(cases[turn].result, turn == 3 ? 8 : 0);
		CHECK_EQ(cr_chan_try_send(&in, 1), -EAGAIN);
		CHECK_EQ(cr_chan_try_receive(&out, &value), -EAGAIN);
		cr_event_set(&event);
		cr_event_clear(&event);
	}
	CHECK_EQ(received, 70);
	CHECK_EQ(value, 5);
	return 0;
}

/* Both sides select. */
static int meets_another_select(int *unused)
{
	int_chan first = {0}, second = {0};
	int received = 0, given = 4, taken;
	cr_case there[] = {cr_case_send(&first, &given), cr_case_send(&second, &given)};
	cr_case here[] = {cr_case_receive(&second, &received), cr_case_receive(&first, &received)};
	struct selector selector = {.cases = there, .count = 2};
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_spawn(&scope, select_once, &selector);
	settle();
	taken = cr_select(here, 2);
	CHECK_GE(taken, 0);
	CHECK_EQ(received, 4);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(selector.taken, 1 - taken);
	CHECK_EQ(cr_select_try(here, 2), -EAGAIN);
	CHECK_EQ(cr_select_try(there, 2), -EAGAIN);
	return 0;
}

/* One select on both ends of a channel does not meet itself, and leaves both ends when closed. */
static int both_ends(int *unused)
{
	int_chan chan = {0};
	cr_event event = {0};
	int received = 0, given = 4;
	cr_case cases[] = {
		cr_case_send(&chan, &given),
		cr_case_receive(&chan, &received),
		cr_case_event(&event),
		cr_case_event(&event),
	};
	struct selector selector = {.cases = cases, .count = 4};
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_spawn(&scope, select_once, &selector);
	settle();
	CHECK_EQ(selector.ended, 0);
	cr_event_set(&event);
	cr_event_clear(&event);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_GE(selector.taken, 2);
	cr_spawn(&scope, select_once, &selector);
	settle();
	cr_chan_close(&chan);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(selector.ended, 2);
	CHECK_LT(selector.taken, 2);
	CHECK_EQ(cases[selector.taken].result, -EPIPE);
	return 0;
}

static int cancelled(int *unused)
{
	int_chan in = {0}, out = {0};
	cr_event event = {0};
	int received = 0, given = 1;
	cr_case cases[] = {
		cr_case_receive(&in, &received),
		cr_case_send(&out, &given),
		cr_case_event(&event),
	};
	struct selector selector = {.cases = cases, .count = 3};
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_task task = cr_spawn(&scope, select_once, &selector);
	settle();
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_chan_try_send(&in, 1), -EAGAIN);
	CHECK_EQ(cr_await(task), 0);
	CHECK_EQ(selector.taken, -ECANCELED);
	/* Taken and cancelled in the same turn: what was taken counts. */
	task = cr_spawn(&scope, select_once, &selector);
	settle();
	CHECK_EQ(cr_chan_try_send(&in, 7), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), 0);
	CHECK_EQ(selector.taken, 0);
	CHECK_EQ(received, 7);
	{
		CORAIL_SCOPE(inner);
		cr_scope_cancel(&inner);
		cr_event_set(&event);
		CHECK_EQ(cr_select(cases, 3), -ECANCELED);
		CHECK_EQ(cr_select_try(cases, 3), 2);
	}
	return 0;
}

/* ------------------------------------------------------------------------------ descriptors --- */

struct ends {
	cr_conn *conns[2];
	int fds[2];
};

static void ends_open(struct ends *ends)
{
	CHECK_EQ(cr_conn_pair(ends->conns), 0);
	for (int i = 0; i < 2; i++)
		ends->fds[i] = cr_conn_fd(ends->conns[i]);
}

static void ends_close(struct ends *ends)
{
	cr_conn_close(ends->conns[0]);
	cr_conn_close(ends->conns[1]);
}

static int write_later(int *fd)
{
	settle();
	CHECK_EQ(cr_fd_write(*fd, "x", 1), 1);
	return 0;
}

static int descriptors(int *unused)
{
	int_chan chan = {0};
	struct ends ends;
	int value, taken;
	char byte;
	CORAIL_SCOPE(scope);

	(void)unused;
	ends_open(&ends);
	cr_case cases[] = {
		cr_case_readable(ends.fds[0]),
		cr_case_receive(&chan, &value),
		cr_case_writable(ends.fds[0]),
	};
	CHECK_EQ(cr_select_try(cases, 2), -EAGAIN);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_select(cases, 2)), -ETIMEDOUT);
	CHECK_EQ(cr_select(cases, 3), 2);
	CHECK(cases[2].result & POLLOUT);
	cr_spawn(&scope, write_later, &ends.fds[1]);
	CHECK_EQ(cr_select(cases, 2), 0);
	CHECK(cases[0].result & POLLIN);
	CHECK_EQ(cr_select_try(cases, 2), 0);
	CHECK_EQ(cr_fd_read(ends.fds[0], &byte, 1), 1);
	/* Another case wins while the kernel watches: the direction is free again afterwards. */
	for (int i = 0; i < 20; i++) {
		struct selector selector = {.cases = cases, .count = 2};

		cr_spawn(&scope, select_once, &selector);
		settle();
		CHECK_EQ(cr_chan_send(&chan, i), 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(selector.taken, 1);
		CHECK_EQ(value, i);
		CHECK_EQ(cr_fd_write(ends.fds[1], "y", 1), 1);
		CHECK_EQ(cr_fd_read(ends.fds[0], &byte, 1), 1);
	}
	/* Two directions of one descriptor. */
	cases[1] = cr_case_poll(ends.fds[0], POLLIN | POLLOUT);
	taken = cr_select(cases, 2);
	CHECK_EQ(taken, 1);
	CHECK_EQ(cases[1].result, POLLOUT);
	ends_close(&ends);
	cases[0] = cr_case_readable(-1);
	CHECK_EQ(cr_select(cases, 1), 0);
	CHECK_EQ(cases[0].result, -EBADF);
	return 0;
}

static int taken_directions(int *unused)
{
	int_chan chan = {0};
	struct ends ends;
	int value;

	(void)unused;
	ends_open(&ends);
	cr_case mine[] = {cr_case_readable(ends.fds[0]), cr_case_receive(&chan, &value)};
	cr_case other[] = {cr_case_receive(&chan, &value), cr_case_readable(ends.fds[0])};
	struct selector selector = {.cases = mine, .count = 2};
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, select_once, &selector);
		settle();
		/* Somebody reads there: that is this case's result, and nothing else is left. */
		CHECK_EQ(cr_select(other, 2), 1);
		CHECK_EQ(other[1].result, -EBUSY);
		CHECK_EQ(selector.ended, 0);
		/* A close ends the case, and waits for it. */
		cr_conn_close(ends.conns[0]);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(selector.taken, 0);
		CHECK_EQ(mine[0].result, -ECANCELED);
		CHECK_EQ(cr_chan_try_send(&chan, 1), -EAGAIN);
	}
	cr_conn_close(ends.conns[1]);
	return 0;
}

static int cancelled_with_descriptors(int *unused)
{
	int_chan chan = {0};
	struct ends ends;
	int value;
	char byte;

	(void)unused;
	ends_open(&ends);
	for (int i = 0; i < 20; i++) {
		cr_case cases[] = {cr_case_readable(ends.fds[0]), cr_case_receive(&chan, &value),
		                   cr_case_readable(ends.fds[1])};
		struct selector selector = {.cases = cases, .count = 3};
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, select_once, &selector);

		settle();
		CHECK_EQ(cr_task_cancel(task), 0);
		/* On io_uring the task still waits for the kernel; no case can win any more. */
		CHECK_EQ(cr_chan_try_send(&chan, 1), -EAGAIN);
		CHECK_EQ(cr_await(task), 0);
		CHECK_EQ(selector.taken, -ECANCELED);
	}
	CHECK_EQ(cr_fd_write(ends.fds[0], "z", 1), 1);
	CHECK_EQ(cr_fd_read(ends.fds[1], &byte, 1), 1);
	ends_close(&ends);
	return 0;
}

/* A descriptor of the system's. */
static int foreign_descriptor(int *unused)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t one = 1;
	cr_case wait = cr_case_readable(fd);

	(void)unused;
	CHECK_GE(fd, 0);
	if (on_sim()) {
		CHECK_EQ(cr_select(&wait, 1), 0);
		CHECK_EQ(wait.result, -EOPNOTSUPP);
	} else {
		CHECK_EQ(cr_timeout(cr_millis(1), cr_select(&wait, 1)), -ETIMEDOUT);
		CHECK_EQ(write(fd, &one, sizeof one), sizeof one);
		CHECK_EQ(cr_select(&wait, 1), 0);
		CHECK_EQ(wait.result, POLLIN);
	}
	CHECK_EQ(cr_fd_forget(fd), 0);
	close(fd);
	return 0;
}

int main(void)
{
	RUN_TASK(ready_ones);
	RUN_TASK(tasks_end);
	RUN_TASK(woken_by_each);
	RUN_TASK(meets_another_select);
	RUN_TASK(both_ends);
	RUN_TASK(cancelled);
	RUN_TASK(descriptors);
	RUN_TASK(taken_directions);
	RUN_TASK(cancelled_with_descriptors);
	RUN_TASK(foreign_descriptor);
	return test_done();
}
