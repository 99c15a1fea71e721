/* SPDX-License-Identifier: MIT */
/* Semaphore and limiter: counts, order, cancellation, whose permit it is. */

#include <corail/corail.h>

#include "support/child.h"
#include "support/core.h"
#include "support/settle.h"

struct user {
	cr_semaphore *semaphore;
	size_t count;
	int seen;
};

static int acquire(struct user *user)
{
	user->seen = cr_semaphore_acquire(user->semaphore, user->count);
	if (user->seen == 0)
		note("%zu", user->count);
	return user->seen;
}

static cr_task start(cr_scope *scope, struct user *user)
{
	cr_task task = cr_spawn(scope, acquire, user);

	settle();
	return task;
}

TEST(counts)
{
	cr_semaphore semaphore = CORAIL_SEMAPHORE(3), none = {0};
	cr_semaphore bounded = CORAIL_SEMAPHORE_BOUNDED(2);

	CHECK_EQ(cr_semaphore_acquire(&semaphore, 2), 0);
	CHECK_EQ(cr_semaphore_count(&semaphore), 1);
	CHECK_EQ(cr_semaphore_try_acquire(&semaphore, 2), -EAGAIN);
	CHECK_EQ(cr_semaphore_try_acquire(&semaphore, 1), 0);
	CHECK_EQ(cr_semaphore_release(&semaphore, 10), 0);
	CHECK_EQ(cr_semaphore_count(&semaphore), 10);
	CHECK_EQ(cr_semaphore_release(&semaphore, SIZE_MAX), -EOVERFLOW);
	CHECK_EQ(cr_semaphore_count(&semaphore), 10);
	CHECK_EQ(cr_semaphore_try_acquire(&none, 1), -EAGAIN);
	CHECK_EQ(cr_semaphore_acquire(&none, 0), 0);
	CHECK_EQ(cr_semaphore_release(&bounded, 1), -EOVERFLOW);
	CHECK_EQ(cr_semaphore_acquire(&bounded, 2), 0);
	CHECK_EQ(cr_semaphore_release(&bounded, 3), -EOVERFLOW);
	CHECK_EQ(cr_semaphore_release(&bounded, 2), 0);
	return 0;
}

/* One who wants many is not overtaken by those who want few, and nobody by who comes later. */
TEST(order)
{
	cr_semaphore semaphore = {0};
	struct user three = {&semaphore, 3, 0}, one = {&semaphore, 1, 0}, two = {&semaphore, 2, 0};

	CORAIL_SCOPE(scope);
	start(&scope, &three);
	start(&scope, &one);
	start(&scope, &two);
	CHECK_EQ(cr_semaphore_release(&semaphore, 2), 0);
	settle();
	CHECK_STR(core_log, "");
	CHECK_EQ(cr_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
	CHECK_EQ(cr_semaphore_release(&semaphore, 2), 0);
	/* Handed out, though nobody has run yet. */
	CHECK_EQ(cr_semaphore_count(&semaphore), 0);
	settle();
	CHECK_EQ(three.seen + one.seen, 0);
	CHECK_EQ(cr_semaphore_release(&semaphore, 2), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_semaphore_count(&semaphore), 0);
	return 0;
}

/* The first wants more than there is and is cancelled: those behind it may want less. */
TEST(cancelled_while_waiting)
{
	cr_semaphore semaphore = CORAIL_SEMAPHORE(2);
	struct user three = {&semaphore, 3, 0}, one = {&semaphore, 1, 0};
	cr_task task;

	CORAIL_SCOPE(scope);
	task = start(&scope, &three);
	start(&scope, &one);
	CHECK_EQ(cr_semaphore_count(&semaphore), 2);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(three.seen, -ECANCELED);
	CHECK_STR(core_log, "1");
	CHECK_EQ(cr_semaphore_count(&semaphore), 1);
	return 0;
}

TEST(cancelled_when_handed)
{
	cr_semaphore semaphore = {0};
	struct user two = {&semaphore, 2, 0}, one = {&semaphore, 1, 0};
	cr_task task;

	CORAIL_SCOPE(scope);
	task = start(&scope, &two);
	start(&scope, &one);
	CHECK_EQ(cr_semaphore_release(&semaphore, 2), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(two.seen, -ECANCELED);
	CHECK_EQ(one.seen, 0);
	CHECK_EQ(cr_semaphore_count(&semaphore), 1);
	CHECK_EQ(cr_timeout(0, cr_semaphore_acquire(&semaphore, 1)), -ETIMEDOUT);
	CHECK_EQ(cr_semaphore_count(&semaphore), 1);
	return 0;
}

struct workers {
	cr_semaphore semaphore;
	cr_limiter limiter;
	int inside, most, done;
};

static void work(struct workers *workers)
{
	if (++workers->inside > workers->most)
		workers->most = workers->inside;
	CHECK_EQ(cr_sleep(cr_micros(50)), 0);
	workers->inside--;
	workers->done++;
}

static int worker(struct workers *workers)
{
	CHECK_EQ(cr_semaphore_acquire(&workers->semaphore, 1), 0);
	work(workers);
	CHECK_EQ(cr_semaphore_release(&workers->semaphore, 1), 0);
	return 0;
}

TEST(three_of_twenty)
{
	struct workers workers = {.semaphore = CORAIL_SEMAPHORE(3)};

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 20; i++)
		cr_spawn(&scope, worker, &workers);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(workers.most, 3);
	CHECK_EQ(workers.done, 20);
	CHECK_EQ(cr_semaphore_count(&workers.semaphore), 3);
	return 0;
}

static void release_one(void *semaphore)
{
	cr_semaphore_release(semaphore, 1);
}

TEST(released_by_a_callback)
{
	cr_semaphore semaphore = {0};

	CHECK_EQ(cr_loop_post(release_one, &semaphore), 0);
	CHECK_EQ(cr_semaphore_acquire(&semaphore, 1), 0);
	return 0;
}

/* ---------------------------------------------------------------------------------- limiter --- */

static int limited(struct workers *workers)
{
	CORAIL_PERMIT(permit, &workers->limiter);
	if (permit.status < 0)
		return permit.status;
	work(workers);
	return 0;
}

TEST(limits)
{
	struct workers workers = {.limiter = CORAIL_LIMITER(3)};

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 20; i++)
		cr_spawn(&scope, limited, &workers);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(workers.most, 3);
	CHECK_EQ(workers.done, 20);
	CHECK_EQ(cr_limiter_used(&workers.limiter), 0);
	return 0;
}

struct borrower {
	cr_limiter *limiter;
	cr_permit permit;
	cr_event leave;
	int seen;
};

static int borrow(struct borrower *borrower)
{
	borrower->seen = cr_limiter_acquire(borrower->limiter, &borrower->permit);
	if (borrower->seen < 0)
		return borrower->seen;
	note("in");
	cr_event_wait(&borrower->leave);
	CHECK_EQ(cr_limiter_release(&borrower->permit), 0);
	return 0;
}

TEST(owned)
{
	cr_limiter limiter = CORAIL_LIMITER(2), other = CORAIL_LIMITER(1), none = {0};
	cr_permit permit, again, third, fourth;
	struct borrower borrower = {.limiter = &limiter};

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_limiter_acquire(&limiter, &permit), 0);
	CHECK_EQ(cr_limiter_acquire(&limiter, &again), -EDEADLK);
	CHECK_EQ(cr_limiter_try_acquire(&limiter, &again), -EDEADLK);
	CHECK_EQ(cr_limiter_try_acquire(&other, &third), 0);
	CHECK_EQ(cr_limiter_try_acquire(&none, &fourth), -EAGAIN);
	cr_spawn(&scope, borrow, &borrower);
	settle();
	CHECK_EQ(cr_limiter_used(&limiter), 2);
	/* Nobody gives back another one's, or what was given back. */
	CHECK_EQ(cr_limiter_release(&borrower.permit), -EPERM);
	CHECK_EQ(cr_limiter_release(&permit), 0);
	CHECK_EQ(cr_limiter_release(&permit), -EPERM);
	CHECK_EQ(cr_limiter_release(&third), 0);
	cr_event_set(&borrower.leave);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_limiter_used(&limiter), 0);
	return 0;
}

/* Raised from 2 to 4, it lets two more in; lowered to 1, it evicts nobody. */
TEST(resized)
{
	cr_limiter limiter = CORAIL_LIMITER(2);
	struct borrower borrowers[6];

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 6; i++) {
		borrowers[i] = (struct borrower){.limiter = &limiter};
		cr_spawn(&scope, borrow, &borrowers[i]);
		settle();
	}
	CHECK_STR(core_log, "in in");
	CHECK_EQ(cr_limiter_waiting(&limiter), 4);
	cr_limiter_resize(&limiter, 4);
	settle();
	CHECK_STR(core_log, "in in in in");
	cr_limiter_resize(&limiter, 1);
	CHECK_EQ(cr_limiter_capacity(&limiter), 1);
	CHECK_EQ(cr_limiter_used(&limiter), 4);
	for (int i = 0; i < 3; i++)
		cr_event_set(&borrowers[i].leave);
	settle();
	CHECK_EQ(cr_limiter_used(&limiter), 1);
	CHECK_STR(core_log, "in in in in");
	cr_event_set(&borrowers[3].leave);
	settle();
	CHECK_STR(core_log, "in in in in in");
	for (int i = 4; i < 6; i++)
		cr_event_set(&borrowers[i].leave);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	return 0;
}

TEST(limiter_cancelled)
{
	cr_limiter limiter = CORAIL_LIMITER(1);
	struct borrower borrowers[3];
	cr_task tasks[3];
	cr_permit permit;

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_limiter_acquire(&limiter, &permit), 0);
	for (int i = 0; i < 3; i++) {
		borrowers[i] = (struct borrower){.limiter = &limiter, .leave = {.cr__set = 1}};
		tasks[i] = cr_spawn(&scope, borrow, &borrowers[i]);
		settle();
	}
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	CHECK_EQ(cr_limiter_waiting(&limiter), 2);
	/* It was on its way to the first. */
	CHECK_EQ(cr_limiter_release(&permit), 0);
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(borrowers[0].seen, -ECANCELED);
	CHECK_EQ(borrowers[1].seen, -ECANCELED);
	CHECK_EQ(borrowers[2].seen, 0);
	CHECK_EQ(cr_limiter_used(&limiter), 0);
	CHECK_EQ(cr_limiter_waiting(&limiter), 0);
	return 0;
}

static int keep(cr_limiter *limiter)
{
	static cr_permit permit;

	return cr_limiter_acquire(limiter, &permit);
}

static int keeper(int *unused)
{
	cr_limiter limiter = CORAIL_LIMITER(1);

	(void)unused;
	CORAIL_SCOPE(scope);
	return cr_await(cr_spawn(&scope, keep, &limiter));
}

static int ends_with_a_permit(void *nothing)
{
	int unused = 0;

	(void)nothing;
	return cr_run(keeper, &unused);
}

static void permit_not_released(void)
{
	struct child c;

	child_run(&c, ends_with_a_permit, NULL);
	CHECK_DIED(&c, SIGABRT, "task 'keep' ended without releasing its permit");
}

int main(void)
{
	RUN_TASK(counts);
	RUN_TASK(order);
	RUN_TASK(cancelled_while_waiting);
	RUN_TASK(cancelled_when_handed);
	RUN_TASK(three_of_twenty);
	RUN_TASK(released_by_a_callback);
	RUN_TASK(limits);
	RUN_TASK(owned);
	RUN_TASK(resized);
	RUN_TASK(limiter_cancelled);
	RUN(permit_not_released);
	return test_done();
}
