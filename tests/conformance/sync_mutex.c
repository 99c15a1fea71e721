/* SPDX-License-Identifier: MIT */
/* The mutex: order, ownership, cancellation, owners that end. */

#include <corail/corail.h>

#include "support/core.h"
#include "support/settle.h"

struct user {
	cr_mutex *mutex;
	const char *name;
	int yields; /* while it has the mutex */
	int seen;   /* what locking gave */
};

static int use(struct user *user)
{
	user->seen = cr_mutex_lock(user->mutex);
	if (user->seen < 0)
		return user->seen;
	note("%s", user->name);
	for (int i = 0; i < user->yields; i++)
		cr_yield();
	CHECK_EQ(cr_mutex_unlock(user->mutex), 0);
	return 0;
}

TEST(uncontended)
{
	cr_mutex mutex = {0};
	int turns = 0;

	CHECK_EQ(cr_mutex_owner(&mutex).id, 0);
	for (int i = 0; i < 3; i++, turns++) {
		CHECK_EQ(cr_mutex_lock(&mutex), 0);
		CHECK_EQ(cr_mutex_owner(&mutex).id, cr_task_self().id);
		CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	}
	CHECK_EQ(cr_mutex_try_lock(&mutex), 0);
	CHECK_EQ(cr_mutex_lock(&mutex), -EDEADLK);
	CHECK_EQ(cr_mutex_try_lock(&mutex), -EDEADLK);
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	CHECK_EQ(cr_mutex_unlock(&mutex), -EPERM);
	CHECK_EQ(cr_mutex_recover(&mutex), -EPERM);
	return 0;
}

static int count_turns(int *turns)
{
	while (cr_yield() == 0)
		++*turns;
	return 0;
}

/*
 * Locking what is free gives nobody else the processor; doing so for ever does,
 * now and then.
 */
TEST(uncontended_does_not_suspend)
{
	cr_mutex mutex = {0};
	int turns = 0;

	CORAIL_SCOPE(scope);
	cr_spawn(&scope, count_turns, &turns);
	settle();
	turns = 0;
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(cr_mutex_lock(&mutex), 0);
		CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	}
	CHECK_EQ(turns, 0);
	for (int i = 0; i < 10000 && turns == 0; i++) {
		CHECK_EQ(cr_mutex_lock(&mutex), 0);
		CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	}
	CHECK_GT(turns, 0);
	return 0;
}

/*
 * They get it in the order in which they came, and the one who had it comes
 * last.
 */
TEST(order_without_barging)
{
	cr_mutex mutex = {0};
	struct user users[3] = {{.mutex = &mutex, .name = "a", .yields = 2},
	                        {.mutex = &mutex, .name = "b", .yields = 1},
	                        {.mutex = &mutex, .name = "c"}};

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_mutex_lock(&mutex), 0);
	for (int i = 0; i < 3; i++) {
		cr_spawn(&scope, use, &users[i]);
		settle();
	}
	note("me");
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	/* Handed over: it is not free, though the new owner has not run yet. */
	CHECK_EQ(cr_mutex_try_lock(&mutex), -EBUSY);
	CHECK_EQ(cr_mutex_unlock(&mutex), -EPERM);
	CHECK_EQ(cr_mutex_lock(&mutex), 0);
	note("me");
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "me a b c me");
	return 0;
}

TEST(cancelled_while_waiting)
{
	cr_mutex mutex = {0};
	struct user users[3] = {{.mutex = &mutex, .name = "a"},
	                        {.mutex = &mutex, .name = "b"},
	                        {.mutex = &mutex, .name = "c"}};
	cr_task tasks[3];

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_mutex_lock(&mutex), 0);
	for (int i = 0; i < 3; i++) {
		tasks[i] = cr_spawn(&scope, use, &users[i]);
		settle();
	}
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	CHECK_EQ(cr_await(tasks[1]), -ECANCELED);
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "a c");
	CHECK_EQ(cr_mutex_owner(&mutex).id, 0);
	/* All who wait are cancelled: it is free when its owner is done. */
	CHECK_EQ(cr_mutex_lock(&mutex), 0);
	{
		CORAIL_SCOPE(inner);
		for (int i = 0; i < 3; i++)
			cr_spawn(&inner, use, &users[i]);
		settle();
	}
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	CHECK_EQ(cr_mutex_owner(&mutex).id, 0);
	return 0;
}

/*
 * It was on its way to one who is cancelled before it runs: the next one has it
 * instead.
 */
TEST(cancelled_when_handed)
{
	cr_mutex mutex = {0};
	struct user users[2] = {{.mutex = &mutex, .name = "a"}, {.mutex = &mutex, .name = "b"}};
	cr_task first;

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_mutex_lock(&mutex), 0);
	first = cr_spawn(&scope, use, &users[0]);
	settle();
	cr_spawn(&scope, use, &users[1]);
	settle();
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	CHECK_EQ(cr_task_cancel(first), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(users[0].seen, -ECANCELED);
	CHECK_EQ(users[1].seen, 0);
	CHECK_STR(core_log, "b");
	CHECK_EQ(cr_mutex_owner(&mutex).id, 0);
	return 0;
}

TEST(in_a_cancelled_scope)
{
	cr_mutex mutex = {0};

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_mutex_lock(&mutex), 0);
	cr_scope_cancel(&scope);
	/* Giving back works; taking is refused even when it is free. */
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	CHECK_EQ(cr_mutex_lock(&mutex), -ECANCELED);
	CHECK_EQ(cr_mutex_lock(&mutex), -ECANCELED);
	CHECK_EQ(cr_mutex_try_lock(&mutex), 0);
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	return 0;
}

TEST(deadline)
{
	cr_mutex mutex = {0};
	struct user user = {.mutex = &mutex, .name = "a"};
	cr_nsec start = cr_now();

	CHECK_EQ(cr_mutex_lock(&mutex), 0);
	CHECK_EQ(cr_mutex_owner(&mutex).id, cr_task_self().id);
	{
		CORAIL_SCOPE(scope);
		cr_scope_timeout_set(&scope, cr_millis(20));
		cr_spawn(&scope, use, &user);
		CHECK_EQ(cr_scope_wait(&scope), -ETIMEDOUT);
		CHECK_EQ(user.seen, -ECANCELED);
		CHECK_ELAPSED(start, cr_millis(20));
	}
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	return 0;
}

static int take_and_end(struct user *user)
{
	user->seen = cr_mutex_lock(user->mutex);
	for (int i = 0; i < user->yields; i++)
		cr_yield();
	return 0;
}

TEST(owner_ended_before)
{
	cr_mutex mutex = {0};
	struct user user = {.mutex = &mutex};

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_await(cr_spawn(&scope, take_and_end, &user)), 0);
	/* All who come are told, and none of them has it. */
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(cr_mutex_lock(&mutex), -EOWNERDEAD);
		CHECK_EQ(cr_mutex_try_lock(&mutex), -EOWNERDEAD);
		CHECK_EQ(cr_mutex_unlock(&mutex), -EPERM);
	}
	CHECK_EQ(cr_mutex_recover(&mutex), 0);
	CHECK_EQ(cr_mutex_owner(&mutex).id, cr_task_self().id);
	CHECK_EQ(cr_mutex_recover(&mutex), -EPERM);
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	CHECK_EQ(cr_mutex_lock(&mutex), 0);
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	return 0;
}

/*
 * Those who wait already do not wait for ever; and those behind one who was
 * handed it do neither.
 */
TEST(owner_ends_while_others_wait)
{
	cr_mutex mutex = {0};
	struct user first = {.mutex = &mutex, .yields = 30}, second = first;
	struct user users[3] = {{.mutex = &mutex}, {.mutex = &mutex}, {.mutex = &mutex}};

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	CHECK_EQ(cr_mutex_lock(&mutex), 0);
	cr_spawn(&scope, take_and_end, &first);
	settle();
	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, use, &users[i]);
	settle();
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	CHECK_EQ(cr_scope_wait(&scope), -EOWNERDEAD);
	CHECK_EQ(first.seen, 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(users[i].seen, -EOWNERDEAD);
	CHECK_EQ(cr_mutex_recover(&mutex), 0);
	CHECK_EQ(cr_mutex_unlock(&mutex), 0);
	/* The same when the one who had it is the first owner. */
	cr_spawn(&scope, take_and_end, &second);
	settle();
	CHECK_EQ(cr_mutex_lock(&mutex), -EOWNERDEAD);
	return 0;
}

/*
 * Two mutexes, one after the other unlocked or not, each with somebody who
 * waits for it.
 */
TEST(owner_of_two_ends)
{
	cr_mutex one = {0}, two = {0};
	struct user a = {.mutex = &one, .name = "a"}, b = {.mutex = &two, .name = "b"};

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	{
		struct user first = {.mutex = &one, .yields = 30};
		struct user second = {.mutex = &two, .yields = 40};
		CORAIL_SCOPE(owners);
		cr_spawn(&owners, take_and_end, &first);
		cr_spawn(&owners, take_and_end, &second);
		settle();
		cr_spawn(&scope, use, &a);
		cr_spawn(&scope, use, &b);
		CHECK_EQ(cr_scope_wait(&owners), 0);
	}
	CHECK_EQ(cr_scope_wait(&scope), -EOWNERDEAD);
	CHECK_EQ(a.seen, -EOWNERDEAD);
	CHECK_EQ(b.seen, -EOWNERDEAD);
	return 0;
}

static cr_mutex outlives = {0};

TEST(owner_from_another_run)
{
	if (cr_mutex_owner(&outlives).id == 0)
		CHECK_EQ(cr_mutex_lock(&outlives), 0);
	else
		CHECK_EQ(cr_mutex_lock(&outlives), -EOWNERDEAD);
	return 0;
}

static int guarded(struct user *user)
{
	CORAIL_LOCK(lock, user->mutex);
	user->seen = lock.status;
	if (lock.status < 0)
		return lock.status;
	note("%s", user->name);
	for (int i = 0; i < user->yields; i++) {
		int r = cr_yield();

		if (r < 0)
			return r;
	}
	return 0;
}

TEST(guard)
{
	cr_mutex mutex = {0};
	struct user users[3] = {{.mutex = &mutex, .name = "a", .yields = 1000000},
	                        {.mutex = &mutex, .name = "b"},
	                        {.mutex = &mutex, .name = "c"}};
	cr_task tasks[3];

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 3; i++) {
		tasks[i] = cr_spawn(&scope, guarded, &users[i]);
		settle();
	}
	/* Cancelled with it, and waiting for it: the last one gets it. */
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "a c");
	CHECK_EQ(users[1].seen, -ECANCELED);
	CHECK_EQ(cr_mutex_owner(&mutex).id, 0);
	return 0;
}

struct counter {
	cr_mutex mutex;
	int inside, total;
};

static int add(struct counter *counter)
{
	for (int i = 0; i < 20; i++) {
		CORAIL_LOCK(lock, &counter->mutex);
		CHECK_EQ(lock.status, 0);
		CHECK_EQ(counter->inside++, 0);
		CHECK_EQ(cr_yield(), 0);
		counter->total++;
		CHECK_EQ(--counter->inside, 0);
	}
	return 0;
}

TEST(excludes)
{
	struct counter counter = {.total = 0};

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 50; i++)
		cr_spawn(&scope, add, &counter);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(counter.total, 1000);
	return 0;
}

int main(void)
{
	RUN_TASK(uncontended);
	RUN_TASK(uncontended_does_not_suspend);
	RUN_TASK(order_without_barging);
	RUN_TASK(cancelled_while_waiting);
	RUN_TASK(cancelled_when_handed);
	RUN_TASK(in_a_cancelled_scope);
	RUN_TASK(deadline);
	RUN_TASK(owner_ended_before);
	RUN_TASK(owner_ends_while_others_wait);
	RUN_TASK(owner_of_two_ends);
	RUN_TASK(owner_from_another_run);
	RUN_TASK(owner_from_another_run);
	RUN_TASK(guard);
	RUN_TASK(excludes);
	return test_done();
}
