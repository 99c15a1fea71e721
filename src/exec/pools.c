/* SPDX-License-Identifier: MIT */
#include "exec/agent.h"
#include "exec/futex.h"
#include "exec/threads.h"

#include "base/alloc.h"
#include "base/panic.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Life and death of pools. */

enum {
	FILES_MAX =
		8, /* threads that wait for disks: more than the processors, but not many more */
	NAMES_MAX = 4,
	NICE_MAX = 19,
	/* Some five to thirty microseconds, depending on what a pause takes on the machine. */
	SPIN_MAX = 1024,
};

static const cr_nsec idle_default = INT64_C(10000000000);

enum own { OWN_DEFAULT, OWN_FILES, OWN_NAMES, OWN_COUNT };

static struct cr_threads own[OWN_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static size_t processors;

/* All pools, for the child of a fork(2). */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cr_threads *all;

static void mutex_init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;

	/* It is held for some instructions: better to try again for a moment than to sleep. */
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

static void pool_reset(struct cr_threads *pool)
{
	mutex_init(&pool->lock);
	cr__list_init(&pool->queue);
	cr__list_init(&pool->waiting);
	cr__list_init(&pool->sleepers);
	pool->queued = 0;
	pool->waiting_count = pool->threads = 0;
	cr__inbox_init(&pool->inbox);
	pool->searching = 0;
	pool->spare = pool->thread_count_max;
	pool->closing = false;
	for (struct cr__worker *w = pool->workers; w; w = w->next) {
		w->locked = false;
		cr__list_init(&w->local);
		cr__list_init(&w->sleeper);
		w->local_count = 0;
		w->alive = false;
		w->current = NULL;
	}
}

static void pool_init(struct cr_threads *pool, const cr_threads_options *o)
{
	pool->thread_count_max = o->thread_count_max ? o->thread_count_max : processors;
	pool->queue_limit = o->queue_limit;
	pool->stack_size_bytes = o->stack_size_bytes;
	pool->nice = o->nice;
	pool->idle = o->idle > 0 ? o->idle : idle_default;
	/* On a single processor nothing can come while one looks for it. */
	pool->spin_max = processors > 1 ? SPIN_MAX : 0;
	pool->spin = pool->spin_max;
	snprintf(pool->name, sizeof pool->name, "%s", o->name ? o->name : "worker");
	pool_reset(pool);
	pthread_mutex_lock(&all_lock);
	pool->next = all;
	all = pool;
	pthread_mutex_unlock(&all_lock);
}

static void fork_prepare(void)
{
	pthread_mutex_lock(&all_lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&all_lock);
}

/* None of the threads is here, and what they were about to do is not ours. */
static void fork_child(void)
{
	pthread_mutex_init(&all_lock, NULL);
	for (struct cr_threads *pool = all; pool; pool = pool->next)
		pool_reset(pool);
}

static void own_init(void)
{
	processors = cr_cpu_count();
	pool_init(&own[OWN_DEFAULT], &(cr_threads_options){.name = "worker"});
	pool_init(&own[OWN_FILES],
	          &(cr_threads_options){.name = "files", .thread_count_max = FILES_MAX});
	pool_init(&own[OWN_NAMES],
	          &(cr_threads_options){.name = "names", .thread_count_max = NAMES_MAX});
	if (pthread_atfork(fork_prepare, fork_parent, fork_child))
		cr__panic("pthread_atfork(): no memory");
}

static struct cr_threads *own_get(enum own which)
{
	pthread_once(&once, own_init);
	return &own[which];
}

cr_threads *cr_threads_default(void)
{
	return own_get(OWN_DEFAULT);
}

struct cr_threads *cr__files_pool(void)
{
	return own_get(OWN_FILES);
}

struct cr_threads *cr__names_pool(void)
{
	return own_get(OWN_NAMES);
}

int cr_threads_open(const cr_threads_options *options, cr_threads **ret_pool)
{
	static const cr_threads_options defaults;
	const cr_threads_options *o = options ? options : &defaults;
	struct cr_threads *pool;

	pthread_once(&once, own_init);
	if (o->thread_count_max > CR__THREADS_MAX || o->nice < 0 || o->nice > NICE_MAX)
		return -EINVAL;
	if (o->stack_size_bytes && o->stack_size_bytes < (size_t)PTHREAD_STACK_MIN)
		return -EINVAL;
	pool = cr__alloc_zero(1, sizeof *pool);
	if (!pool)
		return -ENOMEM;
	pool_init(pool, o);
	*ret_pool = pool;
	return 0;
}

/* ---------------------------------------------------------------------------------- closing --- */

/* Takes all that has not begun. With the pool's lock. */
static void drop_queued(struct cr_threads *pool, struct cr__list *ret_dropped)
{
	cr__pool_collect(pool);
	cr__list_splice(ret_dropped, &pool->queue);
	cr__list_splice(ret_dropped, &pool->waiting);
	pool->queued = 0;
	pool->waiting_count = 0;
	for (struct cr__worker *w = pool->workers; w; w = w->next) {
		cr__worker_lock(w);
		cr__list_splice(ret_dropped, &w->local);
		w->local_count = 0;
		cr__worker_unlock(w);
	}
	for (struct cr__list *node = ret_dropped->next; node != ret_dropped; node = node->next) {
		struct cr__job *job = CR__CONTAINER(node, struct cr__job, link);

		job->result = -ECANCELED;
		atomic_store(&job->state, CR__JOB_DONE);
	}
}

static void finish_dropped(struct cr__list *dropped)
{
	struct cr__list *node;

	while ((node = cr__list_first(dropped))) {
		cr__list_remove(node);
		cr__job_finish(CR__CONTAINER(node, struct cr__job, link));
	}
}

/* With the pool's lock. */
static void wake_all(struct cr_threads *pool)
{
	while (cr__list_first(&pool->sleepers)) {
		struct cr__worker *wake = NULL;

		cr__worker_wanted(pool, &wake);
		cr__worker_wake(wake);
	}
}

static void closed_done(struct cr__job *job)
{
	struct cr_threads *pool = CR__CONTAINER(job, struct cr_threads, closed);

	cr__unpark(pool->closer->task, 0);
}

/*
 * Waits until the last thread is about to end. In a task of a real loop the others go on meanwhile;
 * in the simulator the jobs are over by now.
 */
static void threads_wait(struct cr_threads *pool, struct cr__list *dropped)
{
	struct cr__agent *agent = cr__task_loop() ? cr__agent_self() : NULL;
	struct cr__wait wait = {.reason = "the end of a pool's threads", .fd = -1};
	bool park;

	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	drop_queued(pool, dropped);
	wake_all(pool);
	park = pool->threads && agent && !agent->sim;
	if (park) {
		pool->closer = &wait;
		pool->closed.done = closed_done;
		pool->closed.agent = agent;
		agent->loop->owed++;
	} else if (!pool->threads) {
		atomic_store(&pool->gone, 1);
	}
	pthread_mutex_unlock(&pool->lock);
	finish_dropped(dropped);
	if (park) {
		cr__park(&wait);
		return;
	}
	while (!atomic_load(&pool->gone))
		cr__futex_wait(&pool->gone, 0, CORAIL_NEVER);
}

/* Simulated jobs that wait for an answer from their loop get it only if it goes on. */
static void sim_wait(struct cr_threads *pool)
{
	struct cr__agent *agent = cr__agent_self();

	if (!agent || !agent->sim)
		return;
	cr__agent_forget(agent, pool);
	while (cr__agent_out(agent, pool))
		cr_yield();
}

void cr_threads_close(cr_threads *pool)
{
	struct cr__list dropped;

	if (!pool)
		return;
	if (pool >= own && pool < own + OWN_COUNT)
		cr__panic("cr_threads_close(): the default pool is nobody's to close");
	if (cr__task_loop())
		sim_wait(pool);
	cr__list_init(&dropped);
	threads_wait(pool, &dropped);
	pthread_mutex_lock(&all_lock);
	for (struct cr_threads **link = &all; *link; link = &(*link)->next) {
		if (*link == pool) {
			*link = pool->next;
			break;
		}
	}
	pthread_mutex_unlock(&all_lock);
	while (pool->workers) {
		struct cr__worker *w = pool->workers;

		pool->workers = w->next;
		if (w->alive)
			pthread_join(w->thread, NULL);
		cr__free(w);
	}
	pthread_mutex_destroy(&pool->lock);
	cr__free(pool);
}
