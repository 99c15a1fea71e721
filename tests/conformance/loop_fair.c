/* SPDX-License-Identifier: MIT */
/*
 * Nobody starves: neither timers, nor sockets, nor posts, nor tasks, beside those that never rest.
 */

#include "support/core.h"

#include "loop/op.h"
#include "task/park.h"

#include <corail/debug.h>
#include <corail/io.h>

#include <pthread.h>

static int yield_until(bool *stop)
{
	while (!*stop) {
		int r = cr_yield();

		if (r < 0)
			return r;
	}
	return 0;
}

static void spawn_restless(cr_scope *scope, int count, bool *stop)
{
	for (int i = 0; i < count; i++)
		cr_spawn(scope, yield_until, stop);
}

TEST(a_timer_fires_beside_tasks_that_always_yield)
{
	for (int count = 1; count <= core_many(1000); count *= 10) {
		cr_nsec start = cr_now();
		bool stop = false;

		CORAIL_SCOPE(scope);
		spawn_restless(&scope, count, &stop);
		CHECK_EQ(cr_sleep(cr_millis(10)), 0);
		CHECK_GE(cr_now() - start, cr_millis(10));
		CHECK_LT(cr_now() - start, cr_seconds(20));
		stop = true;
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	return 0;
}

struct ends {
	int fds[2];
	int received;
};

static int receive_hundred(struct ends *e)
{
	char byte;

	for (e->received = 0; e->received < 100; e->received++) {
		ssize_t n = cr_fd_recv(e->fds[0], &byte, 1, 0);

		if (n <= 0)
			return n < 0 ? (int)n : -EPIPE;
		CHECK_EQ(cr_fd_send(e->fds[0], &byte, 1, 0), 1);
	}
	return 0;
}

static int send_hundred(struct ends *e)
{
	char byte = 'x';

	for (int i = 0; i < 100; i++) {
		CHECK_EQ(cr_fd_send(e->fds[1], &byte, 1, 0), 1);
		CHECK_EQ(cr_fd_recv(e->fds[1], &byte, 1, 0), 1);
	}
	return 0;
}

TEST(sockets_are_served_beside_tasks_that_always_yield)
{
	struct ends e = {{-1, -1}, 0};
	bool stop = false;

	CHECK_EQ(cr__sock_pair(cr__task_loop(), AF_UNIX, SOCK_STREAM, e.fds), 0);
	{
		CORAIL_SCOPE(restless);
		CORAIL_SCOPE(scope);
		spawn_restless(&restless, 10, &stop);
		cr_spawn(&scope, receive_hundred, &e);
		cr_spawn(&scope, send_hundred, &e);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(e.received, 100);
		stop = true;
	}
	CHECK_EQ(cr_fd_close(e.fds[0]), 0);
	CHECK_EQ(cr_fd_close(e.fds[1]), 0);
	return 0;
}

static int talk_for_ever(struct ends *e)
{
	char bytes[64] = {0};

	for (;;) {
		ssize_t n = cr_fd_send(e->fds[1], bytes, sizeof bytes, 0);

		if (n > 0)
			n = cr_fd_recv(e->fds[0], bytes, sizeof bytes, 0);
		if (n <= 0)
			return n < 0 ? (int)n : -EPIPE;
	}
}

/* Whose every call could complete at once, it would never suspend: the budget makes it. */
TEST(a_socket_that_is_always_ready_starves_nobody)
{
	struct ends e = {{-1, -1}, 0};

	CHECK_EQ(cr__sock_pair(cr__task_loop(), AF_UNIX, SOCK_STREAM, e.fds), 0);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, talk_for_ever, &e);
		for (int i = 0; i < 5; i++)
			CHECK_EQ(cr_sleep(cr_millis(2)), 0);
		CHECK_EQ(cr_yield(), 0);
	}
	CHECK_EQ(cr_fd_close(e.fds[0]), 0);
	CHECK_EQ(cr_fd_close(e.fds[1]), 0);
	return 0;
}

struct poster {
	cr_loop loop;
	int count;
	bool stop;
};

static void count_post(void *arg)
{
	struct poster *p = arg;

	if (++p->count == 1000)
		p->stop = true;
}

static void *post_thousand(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < 1000; i++)
		CHECK_EQ(cr_loop_post_threadsafe(p->loop, count_post, p), 0);
	return NULL;
}

TEST(posts_of_other_threads_arrive_beside_tasks_that_always_yield)
{
	struct poster p = {cr_loop_current(), 0, false};
	pthread_t thread;

	CORAIL_SCOPE(scope);
	spawn_restless(&scope, 3, &p.stop);
	CHECK_EQ(pthread_create(&thread, NULL, post_thousand, &p), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(p.count, 1000);
	return 0;
}

static void post_again(void *arg)
{
	struct poster *p = arg;

	p->count++;
	if (!p->stop)
		CHECK_EQ(cr_loop_post(post_again, p), 0);
}

TEST(a_callback_that_always_queues_itself_starves_nobody)
{
	struct poster p = {.count = 0};

	CHECK_EQ(cr_loop_post(post_again, &p), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	CHECK_GT(p.count, 1);
	p.stop = true;
	CHECK_EQ(cr_yield(), 0);
	CHECK_EQ(cr_yield(), 0);
	return 0;
}

struct turn {
	int number;
	int *next;
};

/* Each in its turn, a hundred times over, however often the loop polls in between. */
static int take_turns(struct turn *t)
{
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(*t->next, t->number);
		*t->next = (t->number + 1) % 50;
		CHECK_EQ(cr_yield(), 0);
	}
	return 0;
}

TEST(tasks_that_yield_go_round_in_order)
{
	struct turn turns[50];
	int next = 0;

	for (int i = 0; i < 50; i++)
		turns[i] = (struct turn){i, &next};
	return cr_gather(take_turns, turns, 50);
}

static int compute_and_yield(bool *stop)
{
	while (!*stop) {
		cr_nsec until = cr_now() + cr_micros(300);

		while (!on_sim() && cr_now() < until)
			;
		CHECK_EQ(cr_yield(), 0);
	}
	return 0;
}

/* After a time of short turns come long ones: the loop may not go on as if they were short. */
TEST(a_timer_fires_when_short_turns_become_long)
{
	bool stop_short = false, stop_long = false;
	cr_nsec start;

	CORAIL_SCOPE(scope);
	spawn_restless(&scope, 2, &stop_short);
	CHECK_EQ(cr_sleep(cr_millis(20)), 0);
	stop_short = true;
	for (int i = 0; i < 10; i++)
		cr_spawn(&scope, compute_and_yield, &stop_long);
	start = cr_now();
	CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	CHECK_LT(cr_now() - start, cr_seconds(10));
	stop_long = true;
	return cr_scope_wait(&scope);
}

int main(void)
{
	RUN_TASK(a_timer_fires_beside_tasks_that_always_yield);
	RUN_TASK(sockets_are_served_beside_tasks_that_always_yield);
	RUN_TASK(a_socket_that_is_always_ready_starves_nobody);
	RUN_TASK(posts_of_other_threads_arrive_beside_tasks_that_always_yield);
	RUN_TASK(a_callback_that_always_queues_itself_starves_nobody);
	RUN_TASK(tasks_that_yield_go_round_in_order);
	RUN_TASK(a_timer_fires_when_short_turns_become_long);
	return test_done();
}
