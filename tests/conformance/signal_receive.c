/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/* Signals as values: who gets them, what they carry, what is left afterwards. */

#include "child.h"
#include "ctx/sanitize.h"
#include "in_task.h"

#include <pthread.h>
#include <stdatomic.h>

static void no_handler(int number)
{
	struct sigaction now;

	CHECK_EQ(sigaction(number, NULL, &now), 0);
	CHECK(now.sa_handler == SIG_DFL);
}

/* The thread sanitizer keeps signals back until it sees fit, and only one of each number. */
static void queued_values(cr_signal *s)
{
	cr_signal_info info;

	for (intptr_t i = 1; i <= 5; i++)
		CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_ptr = (void *)i}), 0);
	for (int i = 1; i <= 5; i++) {
		CHECK_EQ(cr_signal_wait(s, &info), 0);
		CHECK_EQ(info.number, SIGRTMIN);
		CHECK_EQ(info.code, SI_QUEUE);
		CHECK_EQ(info.value, i);
	}
}

static int value_and_sender(int *unused)
{
	cr_signal_info info;
	cr_signal *s;

	(void)unused;
	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1, SIGRTMIN), &s), 0);
	CHECK_EQ(cr_signal_poll(s, &info), -EAGAIN);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(cr_signal_wait(s, &info), 0);
	CHECK_EQ(info.number, SIGUSR1);
	CHECK_EQ(info.code, SI_USER);
	CHECK_EQ(info.pid, getpid());
	CHECK_EQ(info.uid, getuid());
	CHECK_EQ(info.count, 1);
	if (!CR__TSAN)
		queued_values(s);
	CHECK_EQ(cr_signal_poll(s, &info), -EAGAIN);
	cr_signal_close(s);
	no_handler(SIGUSR1);
	return 0;
}

/* Standard signals that nobody has taken yet are one, and say how many came. */
static int coalesced(int *unused)
{
	cr_signal_info info;
	unsigned sum = 0;
	cr_signal *s;

	(void)unused;
	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1, SIGUSR2), &s), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(raise(SIGUSR2), 0);
	while (cr_signal_wait(s, &info) == 0 && info.number == SIGUSR1)
		sum += info.count;
	CHECK_EQ(sum, 5);
	CHECK_EQ(info.number, SIGUSR2);
	cr_signal_close(s);
	return 0;
}

/* A flood fills the pipe; no kind of signal gets lost by it. */
static int flood(int *unused)
{
	int last = 0, seen = 0;
	cr_signal_info info;
	cr_signal *s;

	(void)unused;
	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1, SIGUSR2), &s), 0);
	for (int i = 0; i < 3000; i++)
		CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(raise(SIGUSR2), 0);
	while (last != SIGUSR2) {
		CHECK_EQ(cr_signal_wait(s, &info), 0);
		last = info.number;
		seen += info.number == SIGUSR1;
	}
	CHECK_GE(seen, 1);
	cr_signal_close(s);
	return 0;
}

struct receiver {
	cr_signal *s;
	int result;
	cr_signal_info info;
};

static int receive(struct receiver *receiver)
{
	receiver->result = cr_signal_wait(receiver->s, &receiver->info);
	return 0;
}

static int several_receivers(int *unused)
{
	struct receiver receivers[3] = {{NULL, -1, {0}}, {NULL, -1, {0}}, {NULL, -1, {0}}};

	(void)unused;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1), &receivers[i].s), 0);
	{
		CORAIL_SCOPE(scope);
		for (int i = 0; i < 2; i++)
			cr_spawn(&scope, receive, &receivers[i]);
		CHECK_EQ(raise(SIGUSR1), 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	/* The third one was not waiting, and has its own all the same. */
	CHECK_EQ(receive(&receivers[2]), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(receivers[i].result, 0);
		CHECK_EQ(receivers[i].info.number, SIGUSR1);
		cr_signal_close(receivers[i].s);
		/* The others go on without it. */
		if (i == 0)
			CHECK_EQ(raise(SIGUSR1), 0);
	}
	no_handler(SIGUSR1);
	return 0;
}

static int busy_and_closed(int *unused)
{
	struct receiver receiver = {.result = -1};
	cr_signal_info info;

	(void)unused;
	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1), &receiver.s), 0);
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, receive, &receiver);
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_signal_wait(receiver.s, &info), -EBUSY);
	cr_signal_close(receiver.s);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(receiver.result, -ECANCELED);
	cr_signal_close(NULL);
	return 0;
}

static int cancelled_wait_loses_nothing(int *unused)
{
	struct receiver receiver = {.result = -1};
	cr_signal_info info;

	(void)unused;
	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1), &receiver.s), 0);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, receive, &receiver);
		CHECK_EQ(cr_yield(), 0);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_signal_simulate(SIGUSR1), 1);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(receiver.result, -ECANCELED);
		CHECK_EQ(cr_signal_wait(receiver.s, &info), -ECANCELED);
	}
	CHECK_EQ(cr_signal_wait(receiver.s, &info), 0);
	CHECK_EQ(info.number, SIGUSR1);
	/* Woken and cancelled in the same turn: what came is returned. */
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, receive, &receiver);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_signal_simulate(SIGUSR1), 1);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(receiver.result, 0);
		CHECK_EQ(receiver.info.number, SIGUSR1);
	}
	CHECK_EQ(cr_signal_poll(receiver.s, &info), -EAGAIN);
	cr_signal_close(receiver.s);
	return 0;
}

static int simulated(int *unused)
{
	cr_signal_info info;
	cr_signal *s;

	(void)unused;
	CHECK_EQ(cr_signal_simulate(SIGTERM), 0);
	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGTERM, SIGHUP, SIGRTMAX), &s), 0);
	CHECK_EQ(cr_signal_simulate(SIGTERM), 1);
	CHECK_EQ(cr_signal_simulate(SIGHUP), 1);
	CHECK_EQ(cr_signal_simulate(SIGTERM), 1);
	CHECK_EQ(cr_signal_simulate(SIGINT), 0);
	CHECK_EQ(cr_signal_simulate(0), 0);
	CHECK_EQ(cr_signal_wait(s, &info), 0);
	CHECK_EQ(info.number, SIGTERM);
	CHECK_EQ(info.count, 2);
	CHECK_EQ(cr_signal_poll(s, &info), 0);
	CHECK_EQ(info.number, SIGHUP);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(cr_signal_simulate(SIGRTMAX), 1);
	for (int i = 0; i < 96; i++)
		CHECK_EQ(cr_signal_poll(s, &info), 0);
	CHECK_EQ(cr_signal_poll(s, &info), -EAGAIN);
	cr_signal_close(s);
	return 0;
}

static int not_to_be_received(int *unused)
{
	const int wrong[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGABRT, -1, 32, 65, 1000};
	cr_signal *s;

	(void)unused;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1, wrong[i]), &s), -EINVAL);
	CHECK_EQ(cr_signal_open((const int[]){0}, &s), -EINVAL);
	CHECK_EQ(cr_signal_open(NULL, &s), -EINVAL);
	no_handler(SIGUSR1);
	return 0;
}

/* ------------------------------------------------------------ dispositions, masks, threads --- */

static atomic_int caught;

static void count_it(int number)
{
	(void)number;
	caught++;
}

static int blocked(int number)
{
	sigset_t set;

	CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
	return sigismember(&set, number);
}

static int restored_on_close(int *unused)
{
	struct sigaction action = {.sa_handler = count_it}, now;
	cr_signal_info info;
	cr_signal *s, *second;
	sigset_t set, before;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(raise(SIGUSR2), 0); /* pending, until it is received */
	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1, SIGUSR2), &s), 0);
	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1, SIGUSR2), &second), 0);
	CHECK(!blocked(SIGUSR2));
	CHECK_EQ(cr_signal_wait(s, &info), 0);
	CHECK_EQ(info.number, SIGUSR2);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(cr_signal_wait(s, &info), 0);
	CHECK_EQ(info.number, SIGUSR1);
	CHECK_EQ(caught, 0);
	cr_signal_close(s);
	CHECK(!blocked(SIGUSR2));
	cr_signal_close(second);
	CHECK(blocked(SIGUSR2));
	CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
	CHECK(now.sa_handler == count_it);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(caught, 1);
	action.sa_handler = SIG_DFL;
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
	return 0;
}

static int leave_open(int *unused)
{
	cr_signal *s;

	(void)unused;
	return cr_signal_open(CORAIL_SIGNALS(SIGUSR1), &s);
}

static void left_open(void)
{
	int unused = 0, fds = test_open_fds();

	CHECK_EQ(cr_run(leave_open, &unused), 0);
	no_handler(SIGUSR1);
	CHECK_EQ(test_open_fds(), fds);
}

struct other {
	pthread_t thread;
	pthread_barrier_t *ready;
	int number;
};

static int receive_on_another_loop(struct other *other)
{
	cr_signal_info info;
	cr_signal *s;

	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1), &s), 0);
	pthread_barrier_wait(other->ready);
	CHECK_EQ(cr_signal_wait(s, &info), 0);
	other->number = info.number;
	/* All have theirs before the first one closes. */
	pthread_barrier_wait(other->ready);
	cr_signal_close(s);
	return 0;
}

static void *other_thread(void *arg)
{
	CHECK_EQ(cr_run(receive_on_another_loop, (struct other *)arg), 0);
	return NULL;
}

/* Whichever thread takes the signal, each loop gets its own. */
static void several_loops(void)
{
	pthread_barrier_t ready;
	struct other others[3];

	CHECK_EQ(pthread_barrier_init(&ready, NULL, 4), 0);
	for (int i = 0; i < 3; i++) {
		others[i] = (struct other){.ready = &ready};
		CHECK_EQ(pthread_create(&others[i].thread, NULL, other_thread, &others[i]), 0);
	}
	pthread_barrier_wait(&ready);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	pthread_barrier_wait(&ready);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_join(others[i].thread, NULL), 0);
		CHECK_EQ(others[i].number, SIGUSR1);
	}
	pthread_barrier_destroy(&ready);
	no_handler(SIGUSR1);
}

/* ---------------------------------------------------------------------------------- SIGINT --- */

static int interrupt_as_value(int *unused)
{
	cr_signal_info info;
	cr_signal *s;

	(void)unused;
	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGINT), &s), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(kill(getpid(), SIGINT), 0);
		CHECK_EQ(cr_signal_wait(s, &info), 0);
		CHECK_EQ(info.number, SIGINT);
	}
	CHECK_EQ(cr_yield(), 0); /* not cancelled */
	cr_signal_close(s);
	/* Now it means again what it always means. */
	CHECK_EQ(raise(SIGINT), 0);
	return cr_sleep(cr_seconds(100));
}

static int interrupted(void *unused)
{
	int number = 0;

	(void)unused;
	CHECK_EQ(cr_run(interrupt_as_value, &number), -EINTR);
	no_handler(SIGINT);
	return 0;
}

static void sigint_does_not_cancel_main(void)
{
	struct child c;

	child_run(&c, interrupted, NULL);
	CHECK_EXITED(&c, 0);
}

static void outside_a_loop(void)
{
	cr_signal *s;

	CHECK_EQ(cr_signal_open(CORAIL_SIGNALS(SIGUSR1), &s), -ESRCH);
	CHECK_EQ(cr_signal_simulate(SIGUSR1), -ESRCH);
}

int main(void)
{
	RUN_TASK(busy_and_closed);
	RUN_TASK(cancelled_wait_loses_nothing);
	RUN_TASK(simulated);
	RUN_TASK(not_to_be_received);
	RUN(outside_a_loop);
	if (!on_sim()) {
		RUN_TASK(value_and_sender);
		RUN_TASK(coalesced);
		RUN_TASK(flood);
		RUN_TASK(several_receivers);
		RUN_TASK(restored_on_close);
		RUN(left_open);
		RUN(several_loops);
		RUN(sigint_does_not_cancel_main);
	}
	return test_done();
}
