/* SPDX-License-Identifier: MIT */
/* Queues: by priority, last in first out, without bound; join and task_done. */

#include "in_task.h"
#include "support/settle.h"

#include <corail/queue.h>
#include <corail/select.h>

struct job {
	int urgency, number;
};

typedef cr_queue_of(struct job) job_queue;
typedef cr_queue_of(int) int_queue;

static int by_urgency(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	return (x->urgency > y->urgency) - (x->urgency < y->urgency);
}

static int least_first(int *unused)
{
	cr_queue_options options = {.order = CORAIL_QUEUE_PRIORITY, .compare = by_urgency};
	unsigned random = 1;
	job_queue queue;
	struct job job, last = {-1, -1};

	(void)unused;
	cr_queue_init(&queue, &options);
	for (int i = 0; i < 1000; i++) {
		random = random * 1103515245 + 12345;
		job = (struct job){(int)(random >> 16) % 20, i};
		CHECK_EQ(cr_chan_send(&queue, job), 0);
	}
	CHECK_EQ(cr_chan_length(&queue), 1000);
	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(cr_chan_receive(&queue, &job), 0);
		CHECK_GE(job.urgency, last.urgency);
		/* Equal ones keep their order. */
		if (job.urgency == last.urgency)
			CHECK_GT(job.number, last.number);
		last = job;
	}
	CHECK_EQ(cr_chan_try_receive(&queue, &job), -EAGAIN);
	cr_queue_free(&queue);
	return 0;
}

static int mixed_with_receives(int *unused)
{
	cr_queue_options options = {.order = CORAIL_QUEUE_PRIORITY, .compare = by_urgency};
	int counts[50] = {0}, held = 0;
	unsigned random = 7;
	job_queue queue;
	struct job job;

	(void)unused;
	cr_queue_init(&queue, &options);
	for (int i = 0; i < 5000; i++) {
		random = random * 1103515245 + 12345;
		if ((random >> 20) % 3 > 0) {
			job = (struct job){(int)(random >> 8) % 50, i};
			counts[job.urgency]++;
			held++;
			CHECK_EQ(cr_chan_send(&queue, job), 0);
		} else if (held) {
			CHECK_EQ(cr_chan_try_receive(&queue, &job), 0);
			for (int urgency = 0; urgency < job.urgency; urgency++)
				CHECK_EQ(counts[urgency], 0);
			counts[job.urgency]--;
			held--;
		}
	}
	cr_queue_free(&queue);
	return 0;
}

static int last_in_first_out(int *unused)
{
	cr_queue_options options = {.order = CORAIL_QUEUE_LIFO};
	int_queue queue;
	int value;

	(void)unused;
	cr_queue_init(&queue, &options);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(cr_chan_try_send(&queue, i), 0);
	for (int i = 99; i >= 50; i--) {
		CHECK_EQ(cr_chan_receive(&queue, &value), 0);
		CHECK_EQ(value, i);
	}
	CHECK_EQ(cr_chan_send(&queue, 1000), 0);
	CHECK_EQ(cr_chan_receive(&queue, &value), 0);
	CHECK_EQ(value, 1000);
	cr_queue_free(&queue);
	return 0;
}

/* A ring that grows while its head is anywhere. */
static int first_in_first_out(int *unused)
{
	int next = 0, expected = 0, value;
	int_queue queue;

	(void)unused;
	cr_queue_init(&queue, NULL);
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 3 * round; i++)
			CHECK_EQ(cr_chan_send(&queue, next++), 0);
		for (int i = 0; i < 2 * round; i++) {
			CHECK_EQ(cr_chan_receive(&queue, &value), 0);
			CHECK_EQ(value, expected++);
		}
	}
	while (cr_chan_try_receive(&queue, &value) == 0)
		CHECK_EQ(value, expected++);
	CHECK_EQ(expected, next);
	cr_queue_free(&queue);
	return 0;
}

static int send_to(int_queue *queue)
{
	return cr_chan_send(queue, 0);
}

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int bounded(int *unused)
{
	cr_queue_options options = {.order = CORAIL_QUEUE_PRIORITY,
	                            .capacity = 3,
	                            .compare = compare_ints};
	int_queue queue;
	int value;
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_queue_init(&queue, &options);
	CHECK_EQ(cr_chan_capacity(&queue), 3);
	for (int i = 5; i < 8; i++)
		CHECK_EQ(cr_chan_send(&queue, i), 0);
	CHECK_EQ(cr_chan_try_send(&queue, 1), -EAGAIN);
	cr_task sender = cr_spawn(&scope, send_to, &queue);
	settle();
	CHECK_EQ(cr_chan_receive(&queue, &value), 0);
	/* The most urgent one was still outside. */
	CHECK_EQ(value, 5);
	CHECK_EQ(cr_await(sender), 0);
	CHECK_EQ(cr_chan_receive(&queue, &value), 0);
	CHECK_EQ(value, 0);
	cr_chan_close(&queue);
	CHECK_EQ(cr_chan_receive(&queue, &value), 0);
	CHECK_EQ(cr_chan_receive(&queue, &value), 0);
	CHECK_EQ(value, 7);
	CHECK_EQ(cr_chan_receive(&queue, &value), -EPIPE);
	CHECK_EQ(cr_chan_send(&queue, 1), -EPIPE);
	cr_queue_free(&queue);
	return 0;
}

struct work {
	int_queue queue;
	int done, joined;
};

static int worker(struct work *work)
{
	int value;

	while (cr_chan_receive(&work->queue, &value) == 0) {
		CHECK_EQ(cr_yield(), 0);
		work->done++;
		CHECK_EQ(cr_queue_task_done(&work->queue), 0);
	}
	return 0;
}

static int joins(struct work *work)
{
	int r = cr_queue_join(&work->queue);

	work->joined++;
	return r;
}

static int join_waits_for_all(int *unused)
{
	struct work work = {.done = 0};
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_queue_init(&work.queue, NULL);
	CHECK_EQ(cr_queue_join(&work.queue), 0);
	CHECK_EQ(cr_queue_task_done(&work.queue), -EINVAL);
	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, worker, &work);
	settle();
	/* Some are handed over directly, others go through the store: all count. */
	for (int i = 0; i < 20; i++)
		CHECK_EQ(cr_chan_send(&work.queue, i), 0);
	CHECK_EQ(cr_queue_unfinished(&work.queue), 20);
	cr_task joiner = cr_spawn(&scope, joins, &work);
	CHECK_EQ(cr_timeout(0, cr_queue_join(&work.queue)), -ETIMEDOUT);
	CHECK_EQ(cr_queue_join(&work.queue), 0);
	CHECK_EQ(work.done, 20);
	CHECK_EQ(cr_await(joiner), 0);
	CHECK_EQ(cr_queue_unfinished(&work.queue), 0);
	cr_chan_close(&work.queue);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_chan_try_send(&work.queue, 1), -EPIPE);
	cr_queue_free(&work.queue);
	return 0;
}

static int free_ends_a_join(int *unused)
{
	struct work work = {.done = 0};
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_queue_init(&work.queue, NULL);
	CHECK_EQ(cr_chan_send(&work.queue, 1), 0);
	cr_task joiner = cr_spawn(&scope, joins, &work);
	cr_scope_collect(&scope);
	settle();
	cr_queue_free(&work.queue);
	CHECK_EQ(cr_await(joiner), -EPIPE);
	/* What was dropped will never be done: who comes later does not wait for it either. */
	CHECK_EQ(cr_timeout(cr_seconds(1), cr_queue_join(&work.queue)), -EPIPE);
	CHECK_EQ(cr_queue_task_done(&work.queue), 0);
	CHECK_EQ(cr_queue_join(&work.queue), 0);
	return 0;
}

static int in_a_select(int *unused)
{
	cr_queue_options options = {.order = CORAIL_QUEUE_LIFO};
	int_queue queue;
	int value, given = 3;
	cr_case receive, send;

	(void)unused;
	cr_queue_init(&queue, &options);
	receive = cr_case_receive(&queue, &value);
	send = cr_case_send(&queue, &given);
	CHECK_EQ(cr_select_try(&receive, 1), -EAGAIN);
	CHECK_EQ(cr_select(&send, 1), 0);
	given = 4;
	CHECK_EQ(cr_select(&send, 1), 0);
	CHECK_EQ(cr_select(&receive, 1), 0);
	CHECK_EQ(receive.result, 0);
	CHECK_EQ(value, 4);
	cr_queue_free(&queue);
	return 0;
}

int main(void)
{
	RUN_TASK(least_first);
	RUN_TASK(mixed_with_receives);
	RUN_TASK(last_in_first_out);
	RUN_TASK(first_in_first_out);
	RUN_TASK(bounded);
	RUN_TASK(join_waits_for_all);
	RUN_TASK(free_ends_a_join);
	RUN_TASK(in_a_select);
	return test_done();
}
