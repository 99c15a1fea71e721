/* SPDX-License-Identifier: MIT */
/* The condition: the mutex is held again, and no signal is lost. */

#include <corail/corail.h>

#include "support/core.h"
#include "support/settle.h"

struct shared {
	cr_mutex mutex;
	cr_cond cond;
	int ready;
};

struct user {
	struct shared *shared;
	const char *name;
	int seen;
};

static int waiter(struct user *user)
{
	struct shared *shared = user->shared;

	CHECK_EQ(cr_mutex_lock(&shared->mutex), 0);
	while (!shared->ready && user->seen == 0)
		user->seen = cr_cond_wait(&shared->cond, &shared->mutex);
	if (user->seen != -EOWNERDEAD)
		CHECK_EQ(cr_mutex_owner(&shared->mutex).id, cr_task_self().id);
	if (user->seen == 0) {
		shared->ready--;
		note("%s", user->name);
	}
	if (user->seen != -EOWNERDEAD)
		CHECK_EQ(cr_mutex_unlock(&shared->mutex), 0);
	return user->seen;
}

static void start(cr_scope *scope, struct user *users, cr_task *tasks, int count)
{
	for (int i = 0; i < count; i++) {
		tasks[i] = cr_spawn(scope, waiter, &users[i]);
		settle();
	}
}

TEST(signal_wakes_the_first)
{
	struct shared shared = {.ready = 0};
	struct user users[3] = {{&shared, "a", 0}, {&shared, "b", 0}, {&shared, "c", 0}};
	cr_task tasks[3];

	CORAIL_SCOPE(scope);
	cr_cond_signal(&shared.cond); /* nobody is there: it is not remembered */
	start(&scope, users, tasks, 3);
	CHECK_EQ(cr_mutex_owner(&shared.mutex).id, 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(cr_mutex_lock(&shared.mutex), 0);
		shared.ready++;
		cr_cond_signal(&shared.cond);
		note("me");
		CHECK_EQ(cr_mutex_unlock(&shared.mutex), 0);
		settle();
	}
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "me a me b me c");
	return 0;
}

TEST(signal_without_the_mutex)
{
	struct shared shared = {.ready = 0};
	struct user users[1] = {{&shared, "a", 0}};
	cr_task tasks[1];

	CORAIL_SCOPE(scope);
	start(&scope, users, tasks, 1);
	shared.ready = 1;
	cr_cond_signal(&shared.cond);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "a");
	return 0;
}

TEST(broadcast_wakes_all_in_order)
{
	struct shared shared = {.ready = 0};
	struct user users[3] = {{&shared, "a", 0}, {&shared, "b", 0}, {&shared, "c", 0}};
	cr_task tasks[3];

	CORAIL_SCOPE(scope);
	cr_cond_broadcast(&shared.cond);
	start(&scope, users, tasks, 3);
	CHECK_EQ(cr_mutex_lock(&shared.mutex), 0);
	shared.ready = 3;
	cr_cond_broadcast(&shared.cond);
	settle();
	CHECK_STR(core_log, "");
	CHECK_EQ(cr_mutex_unlock(&shared.mutex), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "a b c");
	return 0;
}

TEST(without_the_mutex)
{
	struct shared shared = {.ready = 0};

	CHECK_EQ(cr_cond_wait(&shared.cond, &shared.mutex), -EPERM);
	return 0;
}

/* Cancelled while the mutex is free, and while somebody else has it: held again both times. */
TEST(cancelled_while_waiting)
{
	struct shared shared = {.ready = 0};
	struct user users[3] = {{&shared, "a", 0}, {&shared, "b", 0}, {&shared, "c", 0}};
	cr_task tasks[3];

	CORAIL_SCOPE(scope);
	start(&scope, users, tasks, 3);
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_await(tasks[0]), -ECANCELED);
	CHECK_EQ(cr_mutex_lock(&shared.mutex), 0);
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	settle();
	CHECK_EQ(users[1].seen, 0); /* it waits for the mutex still */
	shared.ready = 1;
	cr_cond_signal(&shared.cond); /* to the one who is left */
	CHECK_EQ(cr_mutex_unlock(&shared.mutex), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(users[1].seen, -ECANCELED);
	CHECK_STR(core_log, "c");
	return 0;
}

/* Signalled, and cancelled before it runs: the signal goes to the next one. */
TEST(cancelled_when_signalled)
{
	struct shared shared = {.ready = 0};
	struct user users[2] = {{&shared, "a", 0}, {&shared, "b", 0}};
	cr_task tasks[2];

	CORAIL_SCOPE(scope);
	start(&scope, users, tasks, 2);
	shared.ready = 1;
	cr_cond_signal(&shared.cond);
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(users[0].seen, -ECANCELED);
	CHECK_STR(core_log, "b");
	return 0;
}

/* The same while it waits for the mutex. */
TEST(cancelled_between_signal_and_mutex)
{
	struct shared shared = {.ready = 0};
	struct user users[2] = {{&shared, "a", 0}, {&shared, "b", 0}};
	cr_task tasks[2];

	CORAIL_SCOPE(scope);
	start(&scope, users, tasks, 2);
	CHECK_EQ(cr_mutex_lock(&shared.mutex), 0);
	shared.ready = 1;
	cr_cond_signal(&shared.cond);
	settle();
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	settle();
	CHECK_EQ(users[0].seen, 0);
	CHECK_EQ(cr_mutex_unlock(&shared.mutex), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(users[0].seen, -ECANCELED);
	CHECK_STR(core_log, "b");
	return 0;
}

TEST(in_a_cancelled_scope)
{
	struct shared shared = {.ready = 0};

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_mutex_lock(&shared.mutex), 0);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_cond_wait(&shared.cond, &shared.mutex), -ECANCELED);
	CHECK_EQ(cr_mutex_unlock(&shared.mutex), 0);
	return 0;
}

static int take_and_end(struct shared *shared)
{
	CHECK_EQ(cr_mutex_lock(&shared->mutex), 0);
	cr_cond_broadcast(&shared->cond);
	cr_yield();
	return 0;
}

static int take_silently_and_end(struct shared *shared)
{
	CHECK_EQ(cr_mutex_lock(&shared->mutex), 0);
	return 0;
}

TEST(owner_ended)
{
	struct shared shared = {.ready = 0};
	struct user users[2] = {{&shared, "a", 0}, {&shared, "b", 0}};
	cr_task tasks[2];

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	start(&scope, users, tasks, 2);
	CHECK_EQ(cr_await(cr_spawn(&scope, take_and_end, &shared)), 0);
	CHECK_EQ(cr_scope_wait(&scope), -EOWNERDEAD);
	CHECK_EQ(users[0].seen, -EOWNERDEAD);
	CHECK_EQ(users[1].seen, -EOWNERDEAD);
	CHECK_EQ(cr_mutex_recover(&shared.mutex), 0);
	CHECK_EQ(cr_mutex_unlock(&shared.mutex), 0);
	return 0;
}

/* It has ended when they are signalled, or cancelled. */
TEST(owner_ended_before)
{
	struct shared shared = {.ready = 0};
	struct user users[2] = {{&shared, "a", 0}, {&shared, "b", 0}};
	cr_task tasks[2];

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	start(&scope, users, tasks, 2);
	CHECK_EQ(cr_await(cr_spawn(&scope, take_silently_and_end, &shared)), 0);
	cr_cond_signal(&shared.cond);
	CHECK_EQ(cr_await(tasks[0]), -EOWNERDEAD);
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	CHECK_EQ(cr_await(tasks[1]), -EOWNERDEAD);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

enum { SLOTS = 2, ITEMS = 100 };

struct queue {
	cr_mutex mutex;
	cr_cond filled, emptied;
	int slots[SLOTS], count, taken, sum;
};

static int produce(struct queue *queue)
{
	for (int i = 1; i <= ITEMS; i++) {
		CORAIL_LOCK(lock, &queue->mutex);
		CHECK_EQ(lock.status, 0);
		while (queue->count == SLOTS)
			CHECK_EQ(cr_cond_wait(&queue->emptied, &queue->mutex), 0);
		queue->slots[queue->count++] = i;
		cr_cond_signal(&queue->filled);
	}
	return 0;
}

static int consume(struct queue *queue)
{
	for (;;) {
		CORAIL_LOCK(lock, &queue->mutex);
		CHECK_EQ(lock.status, 0);
		while (queue->count == 0 && queue->taken < 3 * ITEMS)
			CHECK_EQ(cr_cond_wait(&queue->filled, &queue->mutex), 0);
		if (queue->taken == 3 * ITEMS)
			return 0;
		queue->sum += queue->slots[--queue->count];
		if (++queue->taken == 3 * ITEMS)
			cr_cond_broadcast(&queue->filled);
		cr_cond_signal(&queue->emptied);
	}
}

TEST(bounded_queue)
{
	struct queue queue = {.sum = 0};

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, produce, &queue);
	for (int i = 0; i < 5; i++)
		cr_spawn(&scope, consume, &queue);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(queue.sum, 3 * ITEMS * (ITEMS + 1) / 2);
	return 0;
}

int main(void)
{
	RUN_TASK(signal_wakes_the_first);
	RUN_TASK(signal_without_the_mutex);
	RUN_TASK(broadcast_wakes_all_in_order);
	RUN_TASK(without_the_mutex);
	RUN_TASK(cancelled_while_waiting);
	RUN_TASK(cancelled_when_signalled);
	RUN_TASK(cancelled_between_signal_and_mutex);
	RUN_TASK(in_a_cancelled_scope);
	RUN_TASK(owner_ended);
	RUN_TASK(owner_ended_before);
	RUN_TASK(bounded_queue);
	return test_done();
}
