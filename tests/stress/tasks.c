/* SPDX-License-Identifier: MIT */
/* ctest: timeout=180 labels=slow */
/*
 * Loops on several threads, full of tasks that sleep, yield, talk, fail, clean up and cancel each
 * other, while the other threads cancel tasks too. Whatever happens when, each round must end,
 * with nothing left: no task, no timer, no descriptor.
 */

#include "support/core.h"

#include "loop/op.h"
#include "task/park.h"

#include <corail/debug.h>
#include <corail/io.h>
#include <corail/sync.h>

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 3, ROUNDS = 2000, CHILDREN = 12, TARGETS = 16 };

/* What the other threads may cancel: a loop and one of its tasks, as they were not long ago. */
struct target {
	_Atomic int64_t loop, task;
};

static struct target targets[THREADS][TARGETS];

struct player {
	int number;
	uint64_t random;
	enum cr_backend backend;
	int rounds, unavailable;
	cr_task last[CHILDREN];
	cr_event event;
};

struct child {
	struct player *player;
	int action;
	int depth;
};

static uint32_t random_below(struct player *p, uint32_t bound)
{
	p->random = p->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(p->random >> 33) % bound;
}

static int play_round(struct player *p, int depth);

static int talk(struct player *p)
{
	char bytes[100] = {0};
	int fds[2], r = cr__sock_pair(cr__task_loop(), AF_UNIX, SOCK_STREAM, fds);

	if (r < 0)
		return r;
	for (uint32_t i = random_below(p, 5); i > 0 && r >= 0; i--) {
		r = (int)cr_fd_send(fds[1], bytes, sizeof bytes, 0);
		if (r >= 0 && random_below(p, 2))
			r = (int)cr_fd_recv(fds[0], bytes, sizeof bytes, 0);
	}
	/* Nothing comes: only cancellation, or its own deadline, ends this one. */
	if (r >= 0 && random_below(p, 4) == 0)
		r = cr_timeout(cr_micros(random_below(p, 2000)),
		               (int)cr_fd_recv(fds[1], bytes, sizeof bytes, 0));
	CHECK_EQ(cr_fd_close(fds[0]), 0);
	CHECK_EQ(cr_fd_close(fds[1]), 0);
	return r < 0 ? r : 0;
}

static int clean_up(struct player *p)
{
	int r = cr_sleep(cr_micros(random_below(p, 3000)));
	int s = cr_shield(cr_micros(random_below(p, 500)),
	                  cr_sleep(cr_micros(random_below(p, 500))));

	CHECK(s == 0 || s == -ECANCELED);
	return r;
}

static int cancel_somebody(struct player *p)
{
	int r = cr_task_cancel(p->last[random_below(p, CHILDREN)]);

	CHECK(r == 0 || r == -ESRCH || r == -ENOMEM);
	return cr_yield();
}

static int await_somebody(struct player *p)
{
	cr_task task = p->last[random_below(p, CHILDREN)];

	cr_timeout(cr_micros(random_below(p, 2000)), cr_await(task));
	return 0;
}

static int act(struct child *c)
{
	struct player *p = c->player;

	switch (c->action) {
	case 0:
		return cr_sleep(cr_micros(random_below(p, 1000)));
	case 1:
		for (uint32_t i = random_below(p, 20); i > 0; i--)
			if (cr_yield() < 0)
				return -ECANCELED;
		return 0;
	case 2:
		return talk(p);
	case 3:
		return clean_up(p);
	case 4:
		return cancel_somebody(p);
	case 5:
		return await_somebody(p);
	case 6:
		return random_below(p, 10) ? 0 : -EPROTO;
	case 7:
		return c->depth < 4 ? play_round(p, c->depth + 1) : cr_yield();
	case 8:
		cr_event_set(&p->event);
		cr_event_clear(&p->event);
		return 0;
	case 9:
		return cr_timeout(cr_micros(random_below(p, 1000)), cr_event_wait(&p->event));
	default:
		cr_task_started(1);
		return cr_sleep(cr_micros(random_below(p, 300)));
	}
}

static void publish(struct player *p, cr_task task)
{
	struct target *t = &targets[p->number][random_below(p, TARGETS)];

	atomic_store(&t->loop, cr_loop_current().id);
	atomic_store(&t->task, task.id);
}

static void spawn_children(struct player *p, cr_scope *scope, int depth)
{
	for (uint32_t i = 1 + random_below(p, CHILDREN - 1); i > 0; i--) {
		struct child c = {p, (int)random_below(p, 10), depth};
		cr_task task = cr_spawn_copy(scope, act, &c);

		CHECK_EQ(cr_task_error(task), 0);
		p->last[random_below(p, CHILDREN)] = task;
		publish(p, task);
	}
}

/* A scope with children; joined, or left as they are. What comes of it does not matter here. */
static int play_round(struct player *p, int depth)
{
	struct child starter = {p, 10, depth};
	cr_task task;
	int r = 0;

	CORAIL_SCOPE(scope);
	if (random_below(p, 3) == 0)
		cr_scope_timeout_set(&scope, cr_micros(random_below(p, 3000)));
	if (random_below(p, 2))
		cr_scope_collect(&scope);
	spawn_children(p, &scope, depth);
	switch (random_below(p, 5)) {
	case 0:
		while (cr_scope_next(&scope, &task) == 0)
			;
		break;
	case 1:
		r = cr_scope_start(&scope, act, &starter, NULL);
		if (r == 1)
			r = cr_scope_wait(&scope);
		else
			cr_scope_cancel(&scope);
		break;
	case 2:
		cr_scope_cancel(&scope);
		r = cr_scope_wait(&scope);
		break;
	case 3:
		break;
	default:
		r = cr_scope_wait(&scope);
	}
	/* `starter` is borrowed: its task ends before this frame does. */
	return r == -EPROTO || r == -ETIMEDOUT ? 0 : r < 0 ? r : 0;
}

static void cancel_posted(void *arg)
{
	int r = cr_task_cancel((cr_task){(int64_t)(intptr_t)arg});

	CHECK(r == 0 || r == -ESRCH);
}

/* One of another thread's tasks, which may have ended, as may its loop. */
static void cancel_elsewhere(struct player *p)
{
	int other = (p->number + 1 + (int)random_below(p, THREADS - 1)) % THREADS;
	struct target *t = &targets[other][random_below(p, TARGETS)];
	cr_loop loop = {atomic_load(&t->loop)};
	int r = cr_loop_post_threadsafe(loop, cancel_posted,
	                                (void *)(intptr_t)atomic_load(&t->task));

	CHECK(r == 0 || r == -ESRCH);
}

static int play(struct player *p)
{
	cr_loop_stats stats;

	for (int i = 0; i < p->rounds; i++) {
		int r = play_round(p, 0);

		CHECK(r == 0 || r == -ECANCELED);
		CHECK_EQ(cr_yield(), 0);
		cancel_elsewhere(p);
		CHECK_EQ(cr_debug_stats(&stats), 0);
		CHECK_EQ(stats.tasks_alive, 1);
		CHECK_EQ(stats.timers_pending, 0);
	}
	return 0;
}

static void *run_player(void *arg)
{
	struct player *p = arg;
	cr_options options = {.backend = p->backend};
	int r = cr_run_with(&options, play, p);

	p->unavailable = r == -ENOSYS;
	CHECK(r == 0 || r == -ENOSYS);
	return NULL;
}

static void play_on(enum cr_backend backend)
{
	static struct player players[THREADS];
	pthread_t threads[THREADS];
	int fds = test_open_fds();

	memset(players, 0, sizeof players);
	for (int i = 0; i < THREADS; i++) {
		players[i].number = i;
		players[i].random = 77 + (uint64_t)i;
		players[i].backend = backend;
		players[i].rounds = core_many(ROUNDS);
		CHECK_EQ(pthread_create(&threads[i], NULL, run_player, &players[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	if (players[0].unavailable)
		printf("  not available here\n");
	CHECK_EQ(test_open_fds(), fds);
}

static void on_uring(void)
{
	play_on(CORAIL_BACKEND_URING);
}

static void on_epoll(void)
{
	play_on(CORAIL_BACKEND_EPOLL);
}

static void on_the_simulator(void)
{
	play_on(CORAIL_BACKEND_SIM);
}

int main(void)
{
	RUN(on_uring);
	RUN(on_epoll);
	RUN(on_the_simulator);
	return test_done();
}
