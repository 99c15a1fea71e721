/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu (qemu-user's own assertions fail when many threads come and go) */
/* The threads of pools: their names, their end, several loops' use of them, fork(2). */

#include <corail/exec.h>

#include "support/child.h"
#include "support/core.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

/* ---------------------------------------------------------------------------------- threads --- */

struct look {
	char name[16];
	int blocked, faults_blocked;
};

static int look(struct look *l)
{
	sigset_t set;

	CHECK_EQ(pthread_getname_np(pthread_self(), l->name, sizeof l->name), 0);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
	l->blocked = sigismember(&set, SIGINT) && sigismember(&set, SIGTERM) &&
	             sigismember(&set, SIGCHLD) && sigismember(&set, SIGUSR1);
	l->faults_blocked = sigismember(&set, SIGSEGV);
	return 0;
}

TEST(names_and_signals)
{
	cr_threads_options options = {.name = "a-long-name-for-a-pool",
	                              .nice = 1,
	                              .stack_size_bytes = 256 * 1024};
	cr_offload_options with = {.pool = NULL};
	struct look l;

	CHECK_EQ(cr_threads_open(&options, &with.pool), 0);
	CHECK_EQ(cr_offload_with(&with, look, &l), 0);
	CHECK_STR(l.name, "a-long-name/1");
	CHECK_EQ(l.blocked, 1);
	CHECK_EQ(l.faults_blocked, 0);
	cr_threads_close(with.pool);
	CHECK_EQ(cr_offload(look, &l), 0);
	CHECK_EQ(strncmp(l.name, "worker/", 7), 0);
	return 0;
}

TEST(idle_threads_go)
{
	cr_threads_options options = {.thread_count_max = 3, .idle = cr_micros(10)};
	cr_offload_options with = {.pool = NULL};
	cr_threads_stats stats;
	struct look l;

	CHECK_EQ(cr_threads_open(&options, &with.pool), 0);
	for (int round = 0; round < 3; round++) {
		CHECK_EQ(cr_offload_with(&with, look, &l), 0);
		do {
			sched_yield();
			cr_threads_stats_get(with.pool, &stats);
		} while (stats.threads);
	}
	CHECK_EQ(stats.jobs, 3);
	cr_threads_close(with.pool);
	return 0;
}

/* ---------------------------------------------------------------------------- several loops --- */

enum { LOOPS = 3, ROUNDS = 300, WITHDRAWALS = 30, CALLERS = 8 };

struct counter {
	int count;
};

static int count_one(struct counter *c)
{
	c->count++;
	return 0;
}

static int count_on_a_loop(cr_threads **pool)
{
	cr_offload_options options = {.pool = *pool};
	struct counter c = {0};

	for (int i = 0; i < ROUNDS; i++)
		CHECK_EQ(cr_offload_with(&options, count_one, &c), 0);
	CHECK_EQ(c.count, ROUNDS);
	return 0;
}

static void *loop_thread(void *arg)
{
	cr_threads **pool = arg;

	CHECK_EQ(cr_run(count_on_a_loop, pool), 0);
	return NULL;
}

/* Jobs until it is cancelled: what cr_offload() says and what was done agree. */
struct counting {
	cr_threads *pool;
	struct counter counter;
};

static int count_until_cancelled(struct counting *c)
{
	cr_offload_options options = {.pool = c->pool};
	int done = 0, r;

	while ((r = cr_offload_with(&options, count_one, &c->counter)) == 0)
		done++;
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(c->counter.count, done);
	return r;
}

/* Jobs are taken back while others are handed in, on this loop and on the others. */
static int withdraw_on_a_loop(cr_threads **pool)
{
	for (int round = 0; round < WITHDRAWALS; round++) {
		struct counting counting[CALLERS];
		CORAIL_SCOPE(scope);

		for (int i = 0; i < CALLERS; i++) {
			counting[i] = (struct counting){.pool = *pool};
			cr_spawn(&scope, count_until_cancelled, &counting[i]);
		}
		for (int i = 0; i < round; i++)
			cr_yield();
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	return 0;
}

static void *withdrawing_thread(void *arg)
{
	cr_threads **pool = arg;

	CHECK_EQ(cr_run(withdraw_on_a_loop, pool), 0);
	return NULL;
}

static void run_on_loops(void *(*thread)(void *arg))
{
	cr_threads_options options = {.thread_count_max = 2};
	pthread_t threads[LOOPS];
	cr_threads *pool;

	CHECK_EQ(cr_threads_open(&options, &pool), 0);
	for (int i = 0; i < LOOPS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, thread, &pool), 0);
	for (int i = 0; i < LOOPS; i++)
		pthread_join(threads[i], NULL);
	cr_threads_close(pool);
}

static void one_pool_for_several_loops(void)
{
	run_on_loops(loop_thread);
	run_on_loops(withdrawing_thread);
}

/* The parent's threads are not in the child; its pools make new ones. */
static int after_fork(void *arg)
{
	cr_threads **pool = arg;

	for (int i = 0; i < 2; i++)
		CHECK_EQ(cr_run(count_on_a_loop, pool), 0);
	return 0;
}

static void a_child_has_its_own_threads(void)
{
	struct child c;
	cr_threads *pool;

	CHECK_EQ(cr_threads_open(NULL, &pool), 0);
	CHECK_EQ(cr_run(count_on_a_loop, &pool), 0);
	child_run(&c, after_fork, &pool);
	CHECK_EQ(c.status, 0);
	cr_threads_close(pool);
}

int main(void)
{
	RUN(one_pool_for_several_loops);
	RUN_TASK(names_and_signals);
	RUN_TASK(idle_threads_go);
	if (!CR__TSAN) /* which wants no threads after a fork */
		RUN(a_child_has_its_own_threads);
	return test_done();
}
