/* SPDX-License-Identifier: MIT */
/* The poller: level-triggered, changed while it waits, its descriptors closed by their owner. */
#include "in_task.h"

#include <fcntl.h>

enum { MANY = 8 };

static cr_poller *poller_new(void)
{
	cr_poller *poller;

	CHECK_EQ(cr_poller_open(&poller), 0);
	return poller;
}

static int readiness(int *unused)
{
	cr_poller *poller = poller_new();
	cr_poller_event events[MANY];
	cr_conn *c[2];
	char byte;
	int fd;

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	fd = cr_conn_fd(c[0]);
	CHECK_EQ(cr_poller_set(poller, fd, POLLIN, c), 0);
	CHECK_EQ(cr_timeout(cr_millis(5), cr_poller_wait(poller, events, MANY)), -ETIMEDOUT);
	CHECK_EQ(cr_conn_write(c[1], "ab", 2), 0);
	/* What is still ready is told again. */
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(cr_poller_wait(poller, events, MANY), 1);
		CHECK_EQ(events[0].fd, fd);
		CHECK_EQ(events[0].events, POLLIN);
		CHECK(events[0].data == c);
	}
	CHECK_EQ(recv(-1, &byte, 1, 0), -1);
	CHECK_EQ(cr_poller_set(poller, fd, POLLIN | POLLOUT, &fd), 0);
	CHECK_EQ(cr_poller_wait(poller, events, MANY), 1);
	CHECK_EQ(events[0].events, POLLIN | POLLOUT);
	CHECK(events[0].data == &fd);
	CHECK_EQ(cr_poller_set(poller, fd, POLLOUT, &fd), 0);
	CHECK_EQ(cr_poller_wait(poller, events, MANY), 1);
	CHECK_EQ(events[0].events, POLLOUT);
	CHECK_EQ(cr_poller_set(poller, fd, 0, NULL), 0);
	CHECK_EQ(cr_poller_set(poller, fd, 0, NULL), -ENOENT);
	CHECK_EQ(cr_poller_set(poller, -1, POLLIN, NULL), -EBADF);
	CHECK_EQ(cr_poller_wait(poller, events, 0), -EINVAL);
	CHECK_EQ(cr_conn_read(c[0], events, 2), 2);
	cr_poller_close(poller);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

struct waiter {
	cr_poller *poller;
	cr_poller_event events[MANY];
	int result;
};

static int wait_once(struct waiter *w)
{
	w->result = cr_poller_wait(w->poller, w->events, MANY);
	return 0;
}

/* Added, changed and woken while a task waits. */
static int changed_while_waiting(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	for (int round = 0; round < 4; round++) {
		struct waiter w = {.poller = poller_new(), .result = -1};
		int fd = cr_conn_fd(c[0]);

		if (round > 1)
			CHECK_EQ(cr_poller_set(w.poller, fd, POLLIN, NULL), 0);
		{
			CORAIL_SCOPE(scope);
			cr_spawn(&scope, wait_once, &w);
			CHECK_EQ(cr_sleep(cr_millis(2)), 0);
			CHECK_EQ(w.result, -1);
			if (round % 2)
				CHECK_EQ(cr_poller_set(w.poller, fd, POLLOUT, c), 0);
			else
				cr_poller_wake(w.poller);
			CHECK_EQ(cr_scope_wait(&scope), 0);
			CHECK_EQ(w.result, round % 2);
			if (round % 2)
				CHECK_EQ(w.events[0].events, POLLOUT);
		}
		cr_poller_close(w.poller);
	}
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

static int wakes(int *unused)
{
	struct waiter w = {.poller = poller_new()};

	(void)unused;
	cr_poller_wake(w.poller);
	cr_poller_wake(w.poller);
	CHECK_EQ(cr_poller_wait(w.poller, w.events, MANY), 0);
	CHECK_EQ(cr_timeout(cr_millis(2), cr_poller_wait(w.poller, w.events, MANY)), -ETIMEDOUT);
	cr_poller_close(w.poller);
	return 0;
}

static int close_ends_wait(int *unused)
{
	struct waiter w = {.poller = poller_new()};
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_poller_set(w.poller, cr_conn_fd(c[0]), POLLIN, NULL), 0);
	{
		CORAIL_SCOPE(scope);
		cr_poller_event event;

		cr_spawn(&scope, wait_once, &w);
		CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		CHECK_EQ(cr_poller_wait(w.poller, &event, 1), -EBUSY);
		cr_poller_close(w.poller);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(w.result, -ECANCELED);
	}
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/* More are ready than there is room for: nobody is forgotten. */
static int many_ready(int *unused)
{
	cr_poller *poller = poller_new();
	cr_poller_event events[3];
	cr_conn *c[MANY][2];
	int seen[MANY] = {0};

	(void)unused;
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(cr_conn_pair(c[i]), 0);
		CHECK_EQ(cr_poller_set(poller, cr_conn_fd(c[i][0]), POLLOUT, &seen[i]), 0);
	}
	for (int i = 0; i < 20; i++) {
		int n = cr_poller_wait(poller, events, 3);

		CHECK_GE(n, 1);
		CHECK_LE(n, 3);
		while (n > 0)
			++*(int *)events[--n].data;
	}
	for (int i = 0; i < MANY; i++) {
		CHECK_GE(seen[i], 2);
		cr_conn_close(c[i][0]);
		cr_conn_close(c[i][1]);
	}
	cr_poller_close(poller);
	return 0;
}

static int idles(int *unused)
{
	cr_poller *poller = poller_new();
	cr_poller_event events[MANY];
	cr_conn *c[2];
	int fd;

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	fd = cr_conn_fd(c[0]);
	CHECK_EQ(cr_poller_idle(poller, fd), -ENOENT);
	CHECK_EQ(cr_poller_set(poller, fd, POLLIN, NULL), 0);
	CHECK_EQ(cr_timeout(cr_millis(2), cr_poller_wait(poller, events, MANY)), -ETIMEDOUT);
	CHECK_EQ(cr_poller_idle(poller, fd), 0);
	CHECK_EQ(cr_conn_write(c[1], "x", 1), 0);
	CHECK_EQ(cr_timeout(cr_millis(2), cr_poller_wait(poller, events, MANY)), -ETIMEDOUT);
	CHECK_EQ(cr_poller_set(poller, fd, POLLIN, NULL), 0);
	CHECK_EQ(cr_poller_wait(poller, events, MANY), 1);
	cr_poller_close(poller);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/*
 * The owner removes a descriptor that is being waited for and closes it at once, as callback
 * libraries do, and the number comes back as another file, is added again, and used by tasks.
 */
static int number_reused(int *unused)
{
	cr_poller *poller = poller_new();
	cr_poller_event events[MANY];
	int fds[2], other[2];
	char byte;

	(void)unused;
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
		CHECK_EQ(cr_poller_set(poller, fds[0], POLLIN, fds), 0);
		CHECK_EQ(cr_timeout(0, cr_poller_wait(poller, events, MANY)), -ETIMEDOUT);
		CHECK_EQ(cr_poller_set(poller, fds[0], 0, NULL), 0);
		CHECK_EQ(close(fds[0]), 0);
		CHECK_EQ(close(fds[1]), 0);
		CHECK_EQ(pipe2(other, O_CLOEXEC | O_NONBLOCK), 0);
		CHECK_EQ(other[0], fds[0]);
		CHECK_EQ(write(other[1], "z", 1), 1);
		if (i % 2) {
			CHECK_EQ(cr_poller_set(poller, other[0], POLLIN, other), 0);
			CHECK_EQ(cr_poller_wait(poller, events, MANY), 1);
			CHECK(events[0].data == other);
			CHECK_EQ(read(other[0], &byte, 1), 1);
			CHECK_EQ(cr_poller_set(poller, other[0], 0, NULL), 0);
		} else {
			CHECK_EQ(cr_fd_read(other[0], &byte, 1), 1);
		}
		CHECK_EQ(cr_fd_close(other[0]), 0);
		CHECK_EQ(cr_fd_close(other[1]), 0);
	}
	cr_poller_close(poller);
	return 0;
}

/* Closed without being removed: reported, not hung. */
static int closed_descriptor(int *unused)
{
	cr_poller *poller = poller_new();
	cr_poller_event events[MANY];
	int fds[2];

	(void)unused;
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	CHECK_EQ(close(fds[0]), 0);
	CHECK_EQ(cr_poller_set(poller, fds[0], POLLIN, NULL), 0);
	CHECK_EQ(cr_poller_wait(poller, events, MANY), 1);
	CHECK_EQ(events[0].events, POLLNVAL);
	CHECK_EQ(cr_poller_set(poller, fds[0], 0, NULL), 0);
	CHECK_EQ(close(fds[1]), 0);
	cr_poller_close(poller);
	return 0;
}

static int hangup(int *unused)
{
	cr_poller *poller = poller_new();
	cr_poller_event events[MANY];
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_poller_set(poller, cr_conn_fd(c[0]), POLLIN, NULL), 0);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_poller_wait(poller, events, MANY)), -ETIMEDOUT);
	cr_conn_close(c[1]);
	CHECK_EQ(cr_poller_wait(poller, events, MANY), 1);
	CHECK(events[0].events & POLLIN);
	cr_poller_close(poller);
	cr_conn_close(c[0]);
	return 0;
}

int main(void)
{
	cr_poller *poller;

	CHECK_EQ(cr_poller_open(&poller), -ESRCH);
	RUN_TASK(readiness);
	RUN_TASK(changed_while_waiting);
	RUN_TASK(wakes);
	RUN_TASK(close_ends_wait);
	RUN_TASK(many_ready);
	RUN_TASK(idles);
	RUN_TASK(hangup);
	if (!on_sim()) {
		RUN_TASK(number_reused);
		RUN_TASK(closed_descriptor);
	}
	return test_done();
}
