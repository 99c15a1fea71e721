/* SPDX-License-Identifier: MIT */
/* ctest: timeout=180 */
/* Queues, broadcasts and watched values, tortured: nobody misses what was not lost by rule. */

#include "support/torture.h"

#include <corail/broadcast.h>
#include <corail/queue.h>
#include <corail/task.h>

typedef cr_queue_of(int) int_queue;
typedef cr_broadcast_of(int) int_broadcast;
typedef cr_subscriber_of(int) int_subscriber;
typedef cr_watch_of(int) int_watch;

enum { VALUES = 12 };

static int work(int_queue *queue)
{
	int value, r;

	while ((r = cr_chan_receive(queue, &value)) == 0) {
		r = cr_yield();
		CHECK_EQ(cr_queue_task_done(queue), 0);
		if (r < 0)
			break;
	}
	return r == -EPIPE ? 0 : r;
}

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int works_a_queue_off(struct torture *t)
{
	cr_queue_options options = {.order = CORAIL_QUEUE_PRIORITY,
	                            .capacity = 3,
	                            .compare = compare_ints};
	int_queue queue;
	int r = 0;

	(void)t;
	cr_queue_init(&queue, &options);
	{
		CORAIL_SCOPE(scope);
		for (int i = 0; i < 2; i++)
			cr_spawn(&scope, work, &queue);
		for (int i = VALUES; i > 0 && r == 0; i--)
			r = cr_chan_send(&queue, i);
		if (r == 0)
			r = cr_queue_join(&queue);
		cr_chan_close(&queue);
		if (r == 0)
			r = cr_scope_wait(&scope);
	}
	cr_queue_free(&queue);
	return r;
}

struct listener {
	int_subscriber subscriber;
	int expected;
};

static int listen_to(struct listener *listener)
{
	int value, r;

	while ((r = cr_subscriber_receive(&listener->subscriber, &value)) == 0)
		CHECK_EQ(value, listener->expected++);
	cr_subscriber_leave(&listener->subscriber);
	return r == -EPIPE ? 0 : r;
}

static int broadcasts(struct torture *t)
{
	struct listener listeners[3];
	int_broadcast broadcast;
	int r = cr_broadcast_open(&broadcast, 2, CORAIL_BROADCAST_WAIT);

	(void)t;
	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope);
		for (int i = 0; i < 3; i++) {
			listeners[i].expected = 0;
			cr_broadcast_subscribe(&broadcast, &listeners[i].subscriber);
			if (cr_task_error(cr_spawn(&scope, listen_to, &listeners[i])) < 0)
				cr_subscriber_leave(&listeners[i].subscriber);
		}
		for (int i = 0; i < VALUES && r >= 0; i++)
			r = cr_broadcast_send(&broadcast, i);
		cr_broadcast_close(&broadcast);
		if (r >= 0)
			r = cr_scope_wait(&scope);
	}
	cr_broadcast_free(&broadcast);
	return r;
}

static int watch_it(int_watch *watch)
{
	uint64_t version = 0;
	int value, last = -1, r;

	while ((r = cr_watch_wait(watch, &version, &value)) == 0) {
		CHECK_GT(value, last);
		last = value;
	}
	return r == -EPIPE ? 0 : r;
}

static int watches(struct torture *t)
{
	int_watch watch = {0};
	int r = 0;

	(void)t;
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 2; i++)
		cr_spawn(&scope, watch_it, &watch);
	for (int i = 0; i < 5 && r == 0; i++) {
		cr_watch_set(&watch, i);
		r = cr_yield();
	}
	cr_watch_close(&watch);
	return r < 0 ? r : cr_scope_wait(&scope);
}

int main(void)
{
	TORTURE(works_a_queue_off);
	TORTURE(broadcasts);
	TORTURE(watches);
	return test_done();
}
