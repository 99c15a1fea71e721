/* SPDX-License-Identifier: MIT */
/* Functions on threads: results, errors, cancellation, deadlines, copies. */

#include <corail/debug.h>
#include <corail/exec.h>
#include <corail/local.h>

#include "held_job.h"
#include "support/child.h"
#include "support/core.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

struct sum {
	int a, b, sum;
	pthread_t thread;
};

static int add(struct sum *s)
{
	s->sum = s->a + s->b;
	s->thread = pthread_self();
	return s->sum;
}

TEST(result_in_the_struct)
{
	struct sum s = {.a = 20, .b = 22};

	CHECK_EQ(cr_offload(add, &s), 42);
	CHECK_EQ(s.sum, 42);
	CHECK(!pthread_equal(s.thread, pthread_self()));
	s.a = -100;
	CHECK_EQ(cr_offload(add, &s), -78);
	return 0;
}

static int add_many(struct sum *s)
{
	for (int i = 0; i < 10; i++) {
		s->a = i;
		CHECK_EQ(cr_offload(add, s), i + s->b);
	}
	return 0;
}

TEST(many_at_once)
{
	enum { COUNT = 200 };
	struct sum sums[COUNT];

	for (int i = 0; i < COUNT; i++)
		sums[i] = (struct sum){.b = i};
	CHECK_EQ(cr_gather(add_many, sums, COUNT), 0);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(sums[i].sum, 9 + i);
	return 0;
}

TEST(cancelled_before)
{
	struct sum s = {.a = 1};
	CORAIL_SCOPE(scope);

	cr_scope_cancel(&scope);
	CHECK_EQ(cr_offload(add, &s), -ECANCELED);
	CHECK_EQ(cr_offload_copy(add, &s), -ECANCELED);
	CHECK_EQ(cr_offload_map(add, &s, 1), -ECANCELED);
	CHECK_EQ(cr_offload_cancelled(), 1);
	return 0;
}

TEST(running_job_is_waited_for)
{
	struct held h;

	if (on_sim())
		return 0; /* a loop that holds still cannot open the gate */
	held_init(&h, NULL);
	CHECK_EQ(cr_offload_cancelled(), 0);
	{
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, hold_offloaded, &h);
		CHECK_EQ(cr_event_wait(&h.begun), 0);
		cr_scope_cancel(&scope);
		for (int i = 0; i < 100; i++)
			CHECK_EQ(cr_shield(CORAIL_NEVER, cr_yield()), 0);
		CHECK_EQ(cr_scope_count(&scope), 1);
		CHECK_EQ(h.ended, 0);
		sem_post(&h.open);
		CHECK_EQ(cr_shield(CORAIL_NEVER, cr_await(task)), HELD_RESULT);
	}
	CHECK_EQ(h.saw_cancel, 1);
	CHECK_EQ(h.status, HELD_RESULT); /* what it did is not lost */
	return 0;
}

TEST(queued_job_leaves_at_once)
{
	cr_threads_options options = {.thread_count_max = 1};
	struct held first, second;

	if (on_sim())
		return 0;
	held_init(&first, NULL);
	held_init(&second, NULL);
	CHECK_EQ(cr_threads_open(&options, &first.pool), 0);
	second.pool = first.pool;
	{
		CORAIL_SCOPE(outer);
		cr_spawn(&outer, hold_offloaded, &first);
		CHECK_EQ(cr_event_wait(&first.begun), 0);
		{
			CORAIL_SCOPE(scope);
			cr_spawn(&scope, hold_offloaded, &second);
			CHECK_EQ(cr_yield(), 0);
			cr_scope_cancel(&scope);
			CHECK_EQ(cr_scope_wait(&scope), 0);
		}
		CHECK_EQ(second.status, -ECANCELED);
		sem_post(&first.open);
		CHECK_EQ(cr_scope_wait(&outer), 0);
	}
	CHECK_EQ(first.status, HELD_RESULT);
	CHECK_EQ(second.runs, 0);
	cr_threads_close(first.pool);
	return 0;
}

static int until_cancelled(int *unused)
{
	(void)unused;
	while (!cr_offload_cancelled())
		sched_yield();
	return -ETIME;
}

TEST(deadline_is_seen)
{
	int unused = 0;
	int r = -ETIMEDOUT;

	if (on_sim())
		return 0; /* its clock stands still while the job runs */
	/* On a busy machine the deadline may come before the job has begun. */
	for (int ms = 5; r == -ETIMEDOUT; ms *= 2)
		r = cr_timeout(cr_millis(ms), cr_offload(until_cancelled, &unused));
	CHECK_EQ(r, -ETIME);
	return 0;
}

/* ----------------------------------------------------------------------------------- copies --- */

TEST(copy_comes_back)
{
	struct sum s = {.a = 1, .b = 2};

	CHECK_EQ(cr_offload_copy(add, &s), 3);
	CHECK_EQ(s.sum, 3);
	return 0;
}

static int peek(const int *value)
{
	return *value;
}

TEST(copy_of_what_cannot_be_written)
{
	static const int constant = 17;

	CHECK_EQ(cr_offload_copy(peek, &constant), 17);
	return 0;
}

struct look {
	struct held *held;
	int *abandoned;
	int seen;
};

static int look(struct look *l)
{
	l->seen = 1;
	return hold(l->held);
}

static void look_abandoned(void *copy)
{
	struct look *l = copy;

	CHECK_EQ(l->seen, 1);
	*l->abandoned = 1;
}

static int look_offloaded(struct look *l)
{
	cr_offload_options options = {.pool = l->held->pool, .abandoned = look_abandoned};

	l->held->status = cr_offload_copy_with(&options, look, l);
	return l->held->status;
}

TEST(copied_job_is_abandoned)
{
	cr_threads_options options = {.thread_count_max = 1};
	int abandoned = 0;
	struct held h;
	struct look l = {.held = &h, .abandoned = &abandoned};

	if (on_sim())
		return 0;
	held_init(&h, NULL);
	CHECK_EQ(cr_threads_open(&options, &h.pool), 0);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, look_offloaded, &l);
		CHECK_EQ(cr_event_wait(&h.begun), 0);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(h.status, -ECANCELED);
	CHECK_EQ(h.ended, 0);
	CHECK_EQ(l.seen, 0);
	sem_post(&h.open);
	cr_threads_close(h.pool); /* waits for the abandoned one */
	CHECK_EQ(h.ended, 1);
	CHECK_EQ(h.saw_cancel, 1);
	CHECK_EQ(abandoned, 1);
	return 0;
}

/* ------------------------------------------------------------------------------- the others --- */

static int tick(sem_t *ticked)
{
	int r;

	while ((r = cr_sleep(cr_millis(1))) == 0)
		sem_post(ticked);
	return r;
}

/* Blocks its thread until the loop has ticked so often. */
static int block(sem_t *ticked)
{
	for (int i = 0; i < 20; i++)
		while (sem_wait(ticked) < 0)
			CHECK_EQ(errno, EINTR);
	return 0;
}

TEST(loop_goes_on_while_a_thread_blocks)
{
	sem_t ticked;
	CORAIL_SCOPE(scope);

	if (on_sim())
		return 0;
	CHECK_EQ(sem_init(&ticked, 0, 0), 0);
	cr_spawn(&scope, tick, &ticked);
	CHECK_EQ(cr_offload(block, &ticked), 0);
	return 0;
}

static cr_local request;

static int look_up(void **value)
{
	*value = cr_local_get(&request);
	return 0;
}

TEST(locals_travel)
{
	int value;
	void *seen[3] = {NULL, NULL, NULL};

	CHECK_EQ(cr_local_set(&request, &value), 0);
	CHECK_EQ(cr_offload(look_up, &seen[0]), 0);
	CHECK(seen[0] == &value);
	CHECK_EQ(cr_offload_map(look_up, seen, 3), 0);
	CHECK(seen[2] == &value);
	CHECK_EQ(cr_offload_copy(look_up, &seen[0]), 0);
	CHECK(seen[0] == NULL);
	return cr_local_set(&request, NULL);
}

static int suspends(int *unused)
{
	(void)unused;
	return cr_sleep(1);
}

static int offload_suspends(int *unused)
{
	return cr_offload(suspends, unused);
}

static int suspends_in_a_job(void *unused)
{
	int nothing = 0;

	(void)unused;
	return cr_run(offload_suspends, &nothing);
}

static void panics(void)
{
	struct child c;

	child_run(&c, suspends_in_a_job, NULL);
	CHECK_DIED(&c, SIGABRT, "cr_sleep() called outside a task");
}

int main(void)
{
	RUN(panics);
	RUN_TASK(result_in_the_struct);
	RUN_TASK(many_at_once);
	RUN_TASK(cancelled_before);
	RUN_TASK(running_job_is_waited_for);
	RUN_TASK(queued_job_leaves_at_once);
	RUN_TASK(deadline_is_seen);
	RUN_TASK(copy_comes_back);
	RUN_TASK(copy_of_what_cannot_be_written);
	RUN_TASK(copied_job_is_abandoned);
	RUN_TASK(loop_goes_on_while_a_thread_blocks);
	RUN_TASK(locals_travel);
	return test_done();
}
