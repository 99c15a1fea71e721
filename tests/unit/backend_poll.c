/* SPDX-License-Identifier: MIT */
/* Waiting, waking, and many operations at once, on every backend with real descriptors. */

#include "backend_drive.h"
#include "support/asleep.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static void waits_are_never_short(void)
{
	static const cr_nsec durations[] = {1, 999, 50000, 1000001, 5000000, 10000000};
	int interrupted = 0;

	for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
		cr_nsec until = cr__clock_monotonic() + durations[i];

		/*
		 * The end of the ring before, which the kernel works off later, may interrupt this
		 * one.
		 */
		do
			CHECK_EQ(loop.backend->poll(&loop, until), 0);
		while (cr__clock_monotonic() < until && ++interrupted <= 50);
		CHECK_GE(cr__clock_monotonic(), until);
	}
	/* The past, and not at all. */
	CHECK_EQ(loop.backend->poll(&loop, 1), 0);
	CHECK_EQ(loop.backend->poll(&loop, 0), 0);
}

/* With operations that wait, too. */
static void waits_beside_operations(void)
{
	char buffer[8];
	struct cr__op op;
	int fds[2];

	pair(fds);
	op = op_of(CR__OP_RECV, fds[0], buffer, sizeof buffer);
	CHECK_EQ(cr__op_start(&loop, &op), 0);
	waits_are_never_short();
	CHECK_EQ(cancel(&op), -ECANCELED);
	waits_are_never_short();
	close_fd(fds[0]);
	close_fd(fds[1]);
}

static pid_t waiting_thread;

static void *wake_sleeper(void *arg)
{
	until_asleep(waiting_thread);
	loop.backend->wake(arg);
	return NULL;
}

/*
 * More than once, and each time: the counter of an eventfd that nobody reads must not hide a
 * wake-up.
 */
static void another_thread_wakes(void)
{
	waiting_thread = gettid();
	for (int i = 0; i < 5; i++) {
		pthread_t thread;

		CHECK_EQ(pthread_create(&thread, NULL, wake_sleeper, &loop), 0);
		CHECK_EQ(loop.backend->poll(&loop, CORAIL_NEVER), 0);
		pthread_join(thread, NULL);
		/* Whatever is left of it does not wake for ever. */
		poll_once(0);
		poll_once(0);
		waits_are_never_short();
	}
}

static void wake_before_waiting(void)
{
	for (int i = 0; i < 5; i++) {
		loop.backend->wake(&loop);
		loop.backend->wake(&loop);
		CHECK_EQ(loop.backend->poll(&loop, CORAIL_NEVER), 0);
		poll_once(0);
	}
}

static void on_signal(int number)
{
	(void)number;
	loop.backend->wake(&loop);
}

static void *signal_sleeper(void *arg)
{
	until_asleep(waiting_thread);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

/* In the system call that waits. */
static void a_signal_handler_wakes(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	pthread_t self = pthread_self(), thread;

	waiting_thread = gettid();
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(pthread_create(&thread, NULL, signal_sleeper, &self), 0);
	CHECK_EQ(loop.backend->poll(&loop, CORAIL_NEVER), 0);
	pthread_join(thread, NULL);
}

enum { MANY = 10000 };

struct waiter {
	struct cr__op op;
	char byte;
};

static int descriptors_allow(void)
{
	struct rlimit limit;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur < MANY + 200 ? (int)limit.rlim_cur - 200 : MANY;
}

/*
 * Far more operations than the submission queue has entries, all started in one turn, all waiting
 * at once, all served, and all cancelled.
 */
static void many_at_once(void)
{
	int count = descriptors_allow() / 2 * 2;
	struct waiter *waiters = calloc((size_t)count, sizeof *waiters);

	for (int i = 0; i < count; i += 2) {
		int fds[2];

		pair(fds);
		for (int j = 0; j < 2; j++)
			waiters[i + j].op = op_of(CR__OP_RECV, fds[j], &waiters[i + j].byte, 1);
	}
	for (int i = 0; i < count; i++)
		CHECK_EQ(cr__op_start(&loop, &waiters[i].op), 0);
	for (int i = 0; i < count; i += 2)
		CHECK_EQ(send(waiters[i].op.fd, "x", 1, 0), 1);
	while (done_count < count / 2)
		poll_once(cr_seconds(1));
	poll_once(0);
	CHECK_EQ(done_count, count / 2);
	for (int i = 0; i < count; i++) {
		if (i % 2) {
			CHECK(!waiters[i].op.done);
			CHECK_EQ(waiters[i].op.result, 1);
			CHECK_EQ(waiters[i].byte, 'x');
		} else if (cr__op_cancel(&loop, &waiters[i].op)) {
			waiters[i].op.done = NULL;
			done_count++;
		}
	}
	while (done_count < count)
		poll_once(cr_seconds(1));
	for (int i = 0; i < count; i++)
		close_fd(waiters[i].op.fd);
	free(waiters);
}

/* All complete while nobody fetches: more than the completion queue holds. */
static void many_complete_unseen(void)
{
	int count = descriptors_allow() / 2 * 2, r;
	struct waiter *waiters = calloc((size_t)count, sizeof *waiters);
	int inline_count = 0;

	for (int i = 0; i < count; i += 2) {
		int fds[2];

		pair(fds);
		for (int j = 0; j < 2; j++) {
			waiters[i + j].op = op_of(CR__OP_RECV, fds[j], &waiters[i + j].byte, 1);
			CHECK_EQ(send(fds[j], "x", 1, 0), 1);
		}
	}
	for (int i = 0; i < count; i++) {
		r = cr__op_start(&loop, &waiters[i].op);
		CHECK_GE(r, 0);
		inline_count += r;
	}
	while (done_count + inline_count < count)
		poll_once(cr_seconds(1));
	for (int i = 0; i < count; i++) {
		CHECK_EQ(waiters[i].op.result, 1);
		CHECK_EQ(waiters[i].byte, 'x');
		close_fd(waiters[i].op.fd);
	}
	free(waiters);
}

/* Operations started from done(), as many as the queue holds and more. */
static int restarts_left;

static void restart(struct cr__op *op)
{
	done_count++;
	while (restarts_left > 0) {
		int r;

		restarts_left--;
		r = cr__op_start(&loop, op);
		CHECK_GE(r, 0);
		if (r == 0)
			return;
	}
	op->done = NULL;
}

static void operations_from_done(void)
{
	char byte;
	struct cr__op op;
	int fds[2];

	pair(fds);
	restarts_left = 3000;
	op = op_of(CR__OP_RECV, fds[0], &byte, 1);
	op.done = restart;
	CHECK_EQ(cr__op_start(&loop, &op), 0);
	while (op.done) {
		CHECK_NE(send(fds[1], "abc", 3, MSG_DONTWAIT), 0);
		poll_once(cr_seconds(1));
	}
	CHECK_EQ(restarts_left, 0);
	close_fd(fds[0]);
	close_fd(fds[1]);
}

static void all(void)
{
	EACH(waits_are_never_short);
	EACH(waits_beside_operations);
	EACH(another_thread_wakes);
	EACH(wake_before_waiting);
	EACH(a_signal_handler_wakes);
	EACH(operations_from_done);
	EACH(many_at_once);
	EACH(many_complete_unseen);
}

/* Without epoll_pwait2(2), waits are in milliseconds, rounded up. */
static void all_on_an_old_kernel(void)
{
	forbid(SYS_epoll_pwait2, 0, ENOSYS);
	old_kernel = true;
	all();
}

int main(void)
{
	apart(all_on_an_old_kernel);
	all();
	return test_done();
}
