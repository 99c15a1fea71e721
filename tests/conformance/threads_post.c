/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/*
 * Posts from other threads: they wake a sleeping loop, keep their order, and are refused when it
 * has ended.
 */

#include "support/asleep.h"
#include "support/core.h"

#include <corail/debug.h>
#include <corail/sync.h>

#include <pthread.h>
#include <stdatomic.h>

struct mailbox {
	cr_loop loop;
	pid_t thread;
	cr_event done;
	int next, wanted;
	bool wrong_order;
};

struct letter {
	struct mailbox *box;
	int number;
};

static void receive(void *arg)
{
	struct letter *letter = arg;
	struct mailbox *box = letter->box;

	if (letter->number != box->next)
		box->wrong_order = true;
	if (++box->next == box->wanted)
		cr_event_set(&box->done);
}

static void *post_in_order(void *arg)
{
	static struct letter letters[1000];
	struct mailbox *box = arg;

	for (int i = 0; i < 1000; i++) {
		letters[i] = (struct letter){box, i};
		CHECK_EQ(cr_loop_post_threadsafe(box->loop, receive, &letters[i]), 0);
	}
	return NULL;
}

TEST(a_thousand_posts_arrive_in_order)
{
	struct mailbox box = {.loop = cr_loop_current(), .wanted = 1000};
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, post_in_order, &box), 0);
	CHECK_EQ(cr_event_wait(&box.done), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(!box.wrong_order);
	return 0;
}

static void *post_to_sleeper(void *arg)
{
	struct mailbox *box = arg;
	static struct letter letter;

	until_asleep(box->thread);
	letter = (struct letter){box, 0};
	CHECK_EQ(cr_loop_post_threadsafe(box->loop, receive, &letter), 0);
	return NULL;
}

/* No timer, nothing to do: asleep in the kernel, and yet it comes at once. */
TEST(an_idle_loop_is_woken)
{
	struct mailbox box = {.loop = cr_loop_current(), .thread = gettid(), .wanted = 1};
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, post_to_sleeper, &box), 0);
	CHECK_EQ(cr_event_wait(&box.done), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return 0;
}

enum { POSTERS = 4, EACH = 20000 };

struct counter {
	cr_loop loop;
	cr_event done;
	int count; /* written on the loop only */
};

static void count(void *arg)
{
	struct counter *c = arg;

	if (++c->count == POSTERS * EACH)
		cr_event_set(&c->done);
}

static void *post_many(void *arg)
{
	struct counter *c = arg;

	for (int i = 0; i < EACH; i++)
		CHECK_EQ(cr_loop_post_threadsafe(c->loop, count, c), 0);
	return NULL;
}

TEST(four_threads_post_and_none_is_lost)
{
	struct counter c = {.loop = cr_loop_current()};
	pthread_t threads[POSTERS];

	for (int i = 0; i < POSTERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, post_many, &c), 0);
	CHECK_EQ(cr_event_wait(&c.done), 0);
	for (int i = 0; i < POSTERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(c.count, POSTERS * EACH);
	return 0;
}

struct ping {
	_Atomic int64_t peer; /* loop */
	cr_event arrived;
	int waiting; /* pings that arrived and were not answered */
	int rounds;
	struct ping *other;
};

static void arrive(void *arg)
{
	struct ping *p = arg;

	p->waiting++;
	cr_event_set(&p->arrived);
}

/* Each loop sleeps until the other one posts: a wake-up that is lost once would hang for ever. */
static int play(struct ping *p)
{
	cr_loop peer;

	atomic_store(&p->other->peer, cr_loop_current().id);
	while ((peer.id = atomic_load(&p->peer)) == 0)
		CHECK_EQ(cr_sleep(cr_micros(100)), 0);
	for (int i = 0; i < p->rounds; i++) {
		CHECK_EQ(cr_loop_post_threadsafe(peer, arrive, p->other), 0);
		while (p->waiting == 0) {
			cr_event_clear(&p->arrived);
			CHECK_EQ(cr_event_wait(&p->arrived), 0);
		}
		p->waiting--;
	}
	return 0;
}

static void *play_in_thread(void *arg)
{
	struct ping *p = arg;

	CHECK_EQ(cr_run(play, p), 0);
	return NULL;
}

static void two_loops_wake_each_other(void)
{
	struct ping a = {.rounds = 5000}, b = {.rounds = 5000};
	pthread_t thread;

	a.other = &b;
	b.other = &a;
	CHECK_EQ(pthread_create(&thread, NULL, play_in_thread, &b), 0);
	CHECK_EQ(cr_run(play, &a), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static _Atomic int64_t latest_loop;
static _Atomic bool posting_over;

static void nothing(void *unused)
{
	(void)unused;
}

static void *post_to_whatever_runs(void *arg)
{
	_Atomic int *accepted = arg;

	while (!atomic_load(&posting_over)) {
		int r = cr_loop_post_threadsafe((cr_loop){atomic_load(&latest_loop)}, nothing,
		                                NULL);

		CHECK(r == 0 || r == -ESRCH);
		if (r == 0)
			atomic_fetch_add(accepted, 1);
	}
	return NULL;
}

static int live_until_reached(_Atomic int *accepted)
{
	atomic_store(&latest_loop, cr_loop_current().id);
	while (atomic_load(accepted) == 0)
		CHECK_EQ(cr_sleep(cr_micros(100)), 0);
	return 0;
}

static int live_briefly(int *unused)
{
	(void)unused;
	atomic_store(&latest_loop, cr_loop_current().id);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(cr_yield(), 0);
	return 0;
}

/* Loops end while others post to them: they are reached or refused, never touched afterwards. */
static void posts_race_with_the_end_of_loops(void)
{
	_Atomic int accepted = 0;
	int unused = 0;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, post_to_whatever_runs, &accepted), 0);
	for (int i = 0; i < 300; i++)
		CHECK_EQ(cr_run(live_briefly, &unused), 0);
	CHECK_EQ(cr_run(live_until_reached, &accepted), 0);
	atomic_store(&posting_over, true);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_GT(atomic_load(&accepted), 0);
	CHECK_EQ(cr_loop_post_threadsafe((cr_loop){atomic_load(&latest_loop)}, nothing, NULL),
	         -ESRCH);
	CHECK_EQ(cr_loop_post_threadsafe((cr_loop){0}, nothing, NULL), -ESRCH);
	CHECK_EQ(cr_loop_post(nothing, NULL), -ESRCH);
}

int main(void)
{
	RUN_TASK(a_thousand_posts_arrive_in_order);
	RUN_TASK(an_idle_loop_is_woken);
	RUN_TASK(four_threads_post_and_none_is_lost);
	RUN(two_loops_wake_each_other);
	RUN(posts_race_with_the_end_of_loops);
	return test_done();
}
