/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu (qemu-user's own assertions fail when many threads come and go) */
/* Pools of threads: how many at once, limits of queues, closing. */

#include <corail/exec.h>

#include "held_job.h"
#include "support/child.h"
#include "support/core.h"

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

/* ----------------------------------------------------------------------- never more than so --- */

struct crowd {
	cr_threads *pool;
	_Atomic int now, most, runs;
};

static int enter(struct crowd *crowd)
{
	int now = ++crowd->now, most = crowd->most;

	while (now > most && !atomic_compare_exchange_weak(&crowd->most, &most, now))
		;
	usleep(1000); /* so that there would be room for more of them at once */
	crowd->runs++;
	crowd->now--;
	return 0;
}

struct visitor {
	struct crowd *crowd;
};

static int visit(struct visitor *v)
{
	cr_offload_options options = {.pool = v->crowd->pool};

	return cr_offload_with(&options, enter, v->crowd);
}

TEST(two_threads_eight_jobs)
{
	cr_threads_options options = {.name = "two", .thread_count_max = 2};
	struct crowd crowd = {.now = 0};
	struct visitor visitors[8];
	cr_threads_stats stats;

	CHECK_EQ(cr_threads_open(&options, &crowd.pool), 0);
	for (int i = 0; i < 8; i++)
		visitors[i].crowd = &crowd;
	CHECK_EQ(cr_gather(visit, visitors, 8), 0);
	CHECK_EQ(crowd.runs, 8);
	CHECK_LE(crowd.most, 2);
	cr_threads_stats_get(crowd.pool, &stats);
	CHECK_EQ(stats.thread_count_max, 2);
	CHECK_LE(stats.threads, 2);
	CHECK_EQ(stats.queued + stats.waiting + stats.running, 0);
	cr_threads_close(crowd.pool);
	return 0;
}

/* Two jobs that wait for each other need two threads, also when they came in one batch. */
struct pair {
	sem_t *mine, *other;
};

static int meet(struct pair *p)
{
	sem_post(p->other);
	while (sem_wait(p->mine) < 0)
		CHECK_EQ(errno, EINTR);
	return 0;
}

static cr_threads *meeting_pool;

static int meet_offloaded(struct pair *p)
{
	cr_offload_options options = {.pool = meeting_pool};

	return cr_offload_with(&options, meet, p);
}

TEST(jobs_that_wait_for_each_other)
{
	enum { PAIRS = 50 };
	cr_threads_options options = {.thread_count_max = 2 * PAIRS};
	struct pair pairs[2 * PAIRS];
	sem_t sems[2 * PAIRS];

	if (on_sim())
		return 0; /* one at a time */
	CHECK_EQ(cr_threads_open(&options, &meeting_pool), 0);
	for (int i = 0; i < 2 * PAIRS; i++) {
		CHECK_EQ(sem_init(&sems[i], 0, 0), 0);
		pairs[i] = (struct pair){&sems[i], &sems[2 * PAIRS - 1 - i]};
	}
	CHECK_EQ(cr_gather(meet_offloaded, pairs, 2 * PAIRS), 0);
	cr_threads_close(meeting_pool);
	return 0;
}

/* ----------------------------------------------------------------------------- waiting jobs --- */

static int order_next;

struct numbered {
	cr_threads *pool;
	int place, status, refuse;
};

static int number(struct numbered *n)
{
	n->place = ++order_next;
	return 0;
}

static int number_offloaded(struct numbered *n)
{
	cr_offload_options options = {.pool = n->pool, .refuse_when_full = n->refuse != 0};

	n->status = cr_offload_with(&options, number, n);
	return 0;
}

TEST(limit_of_the_queue)
{
	cr_threads_options options = {.thread_count_max = 1, .queue_limit = 2};
	struct numbered n[6];
	struct held h;
	cr_threads *pool;
	cr_threads_stats stats;
	CORAIL_SCOPE(scope);

	if (on_sim())
		return 0;
	order_next = 0;
	CHECK_EQ(cr_threads_open(&options, &pool), 0);
	held_init(&h, pool);
	cr_spawn(&scope, hold_offloaded, &h);
	CHECK_EQ(cr_event_wait(&h.begun), 0);
	for (int i = 0; i < 6; i++) {
		n[i] = (struct numbered){.pool = pool, .refuse = i == 5, .status = 99};
		cr_spawn(&scope, number_offloaded, &n[i]);
	}
	CHECK_EQ(cr_yield(), 0);
	cr_threads_stats_get(pool, &stats);
	CHECK_EQ(stats.running, 1);
	CHECK_EQ(stats.queued, 2);
	CHECK_EQ(stats.waiting, 3);
	CHECK_EQ(n[5].status, -EAGAIN);
	sem_post(&h.open);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(n[i].place, i + 1); /* first come, first served */
	cr_threads_close(pool);
	return 0;
}

static int hold_unless_full(struct held *h)
{
	cr_offload_options options = {.pool = h->pool, .refuse_when_full = 1};

	h->status = cr_offload_with(&options, hold, h);
	return 0;
}

/* Whom a thread is free for does not wait: two run, three wait, one is refused. */
TEST(limit_of_an_idle_pool)
{
	cr_threads_options options = {.thread_count_max = 2, .queue_limit = 3};
	struct held h[6];
	cr_threads *pool;
	CORAIL_SCOPE(scope);

	if (on_sim())
		return 0;
	CHECK_EQ(cr_threads_open(&options, &pool), 0);
	for (int i = 0; i < 6; i++) {
		held_init(&h[i], pool);
		cr_spawn(&scope, hold_unless_full, &h[i]);
	}
	CHECK_EQ(cr_yield(), 0);
	for (int i = 0; i < 6; i++)
		sem_post(&h[i].open);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(h[i].status, i < 5 ? HELD_RESULT : -EAGAIN);
	cr_threads_close(pool);
	return 0;
}

/* Of those that wait for room, one is cancelled, and so is one that has room. */
TEST(cancelled_while_waiting_for_room)
{
	cr_threads_options options = {.thread_count_max = 1, .queue_limit = 1};
	struct numbered n[3];
	struct held h;
	cr_threads *pool;
	cr_task tasks[3];
	CORAIL_SCOPE(scope);

	if (on_sim())
		return 0;
	order_next = 0;
	CHECK_EQ(cr_threads_open(&options, &pool), 0);
	held_init(&h, pool);
	cr_spawn(&scope, hold_offloaded, &h);
	CHECK_EQ(cr_event_wait(&h.begun), 0);
	for (int i = 0; i < 3; i++) {
		n[i] = (struct numbered){.pool = pool, .status = 99};
		tasks[i] = cr_spawn(&scope, number_offloaded, &n[i]);
	}
	CHECK_EQ(cr_yield(), 0);
	cr_task_cancel(tasks[1]);
	cr_task_cancel(tasks[0]);
	sem_post(&h.open);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(n[0].status, -ECANCELED);
	CHECK_EQ(n[1].status, -ECANCELED);
	CHECK_EQ(n[2].status, 0);
	CHECK_EQ(order_next, 1);
	cr_threads_close(pool);
	return 0;
}

/* ---------------------------------------------------------------------------------- closing --- */

static int close_pool(cr_threads **pool)
{
	cr_threads_close(*pool);
	return 0;
}

TEST(close_with_jobs)
{
	cr_threads_options options = {.thread_count_max = 1};
	struct numbered n = {.status = 99};
	struct held h;
	cr_threads *pool;
	cr_task closer;
	CORAIL_SCOPE(scope);

	if (on_sim())
		return 0;
	CHECK_EQ(cr_threads_open(&options, &pool), 0);
	held_init(&h, pool);
	n.pool = pool;
	cr_spawn(&scope, hold_offloaded, &h);
	CHECK_EQ(cr_event_wait(&h.begun), 0);
	cr_spawn(&scope, number_offloaded, &n);
	CHECK_EQ(cr_yield(), 0);
	closer = cr_spawn(&scope, close_pool, &pool);
	while (n.status == 99)
		CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(n.status, -ECANCELED);
	CHECK_EQ(h.status, 99);
	sem_post(&h.open);
	CHECK_EQ(cr_await(closer), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(h.status, HELD_RESULT);
	return 0;
}

static int use_once(cr_threads **pool)
{
	struct numbered n = {.pool = *pool};

	CHECK_EQ(number_offloaded(&n), 0);
	return n.status;
}

/* A pool lives longer than a loop, and closes without one. */
static void close_outside(void)
{
	cr_threads *pool;

	cr_threads_close(NULL);
	CHECK_EQ(cr_threads_open(NULL, &pool), 0);
	cr_threads_close(pool);
	CHECK_EQ(cr_threads_open(NULL, &pool), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_run(use_once, &pool), 0);
	cr_threads_close(pool);
}

static int close_default(void *unused)
{
	(void)unused;
	cr_threads_close(cr_threads_default());
	return 0;
}

static void panics(void)
{
	struct child c;

	child_run(&c, close_default, NULL);
	CHECK_DIED(&c, SIGABRT, "the default pool is nobody's to close");
}

static void refused_options(void)
{
	cr_threads *pool;

	CHECK_EQ(cr_threads_open(&(cr_threads_options){.thread_count_max = 1025}, &pool), -EINVAL);
	CHECK_EQ(cr_threads_open(&(cr_threads_options){.nice = 20}, &pool), -EINVAL);
	CHECK_EQ(cr_threads_open(&(cr_threads_options){.nice = -1}, &pool), -EINVAL);
	CHECK_EQ(cr_threads_open(&(cr_threads_options){.stack_size_bytes = 1}, &pool), -EINVAL);
	CHECK_GE(cr_cpu_count(), 1);
}

int main(void)
{
	RUN(refused_options);
	RUN(close_outside);
	RUN(panics);
	RUN_TASK(two_threads_eight_jobs);
	RUN_TASK(jobs_that_wait_for_each_other);
	RUN_TASK(limit_of_the_queue);
	RUN_TASK(limit_of_an_idle_pool);
	RUN_TASK(cancelled_while_waiting_for_room);
	RUN_TASK(close_with_jobs);
	return test_done();
}
