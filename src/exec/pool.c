/* SPDX-License-Identifier: MIT */
#include "exec/agent.h"
#include "exec/threads.h"

#include "base/panic.h"

#include <errno.h>

/* The queue of a pool: jobs that have not begun. */

/* Room in the queue: the first that waits for it comes in. */
static void refill(struct cr_threads *pool)
{
	struct cr__list *node = cr__list_first(&pool->waiting);

	if (!node)
		return;
	cr__list_remove(node);
	pool->waiting_count--;
	cr__list_push_back(&pool->queue, node);
	pool->queued++;
	atomic_store_explicit(&CR__CONTAINER(node, struct cr__job, link)->state, CR__JOB_QUEUED,
	                      memory_order_relaxed);
}

static struct cr__job *inbox_take(struct cr_threads *pool)
{
	struct cr__inbox_node *node = cr__inbox_take(&pool->inbox);

	return node ? CR__CONTAINER(node, struct cr__job, node) : NULL;
}

static void queued_add(struct cr_threads *pool, size_t count)
{
	size_t queued = atomic_load_explicit(&pool->queued, memory_order_relaxed);

	atomic_store_explicit(&pool->queued, queued + count, memory_order_relaxed);
}

void cr__pool_collect(struct cr_threads *pool)
{
	while (!cr__inbox_empty(&pool->inbox)) {
		struct cr__job *job = inbox_take(pool);

		if (!job) {
			sched_yield(); /* to who appends */
			continue;
		}
		cr__list_push_back(&pool->queue, &job->link);
		queued_add(pool, 1);
	}
}

size_t cr__pool_depth(struct cr_threads *pool)
{
	return pool->queued + cr__inbox_depth(&pool->inbox);
}

struct cr__job *cr__pool_take(struct cr_threads *pool)
{
	struct cr__list *node = cr__list_first(&pool->queue);

	if (!node)
		return inbox_take(pool);
	cr__list_remove(node);
	queued_add(pool, (size_t)-1);
	if (pool->waiting_count)
		refill(pool);
	return CR__CONTAINER(node, struct cr__job, link);
}

/* Takes a job that has not begun out of whatever list it is in. With the pool's lock. */
static bool unlink_queued(struct cr_threads *pool, struct cr__job *job)
{
	struct cr__worker *holder = job->holder;
	bool taken;

	if (atomic_load_explicit(&job->state, memory_order_relaxed) == CR__JOB_WAITING) {
		cr__list_remove(&job->link);
		pool->waiting_count--;
		return true;
	}
	if (!holder) {
		cr__list_remove(&job->link);
		pool->queued--;
		refill(pool);
		return true;
	}
	cr__worker_lock(holder);
	taken = atomic_load_explicit(&job->state, memory_order_relaxed) == CR__JOB_QUEUED;
	if (taken) {
		cr__list_remove(&job->link);
		holder->local_count--;
	}
	cr__worker_unlock(holder);
	return taken;
}

/* Sees to it that somebody looks for a new job. With the lock, which it gives back. */
static int announce(struct cr_threads *pool, struct cr__job *job)
{
	struct cr__worker *wake = NULL;
	int r = atomic_load(&pool->searching) ? 0 : cr__worker_wanted(pool, &wake);

	if (r < 0) {
		cr__pool_collect(pool);
		unlink_queued(pool, job);
	}
	pthread_mutex_unlock(&pool->lock);
	cr__worker_wake(wake);
	return r;
}

static int put_limited(struct cr_threads *pool, struct cr__job *job, bool refuse)
{
	size_t free;
	bool full;

	pthread_mutex_lock(&pool->lock);
	/* A job for which a thread is free, or can be made, is not one that waits. */
	free = atomic_load(&pool->searching) + atomic_load(&pool->spare);
	full = pool->queued >= pool->queue_limit + free;
	if (full && refuse) {
		pthread_mutex_unlock(&pool->lock);
		return -EAGAIN;
	}
	if (full) {
		cr__list_push_back(&pool->waiting, &job->link);
		pool->waiting_count++;
		atomic_store_explicit(&job->state, CR__JOB_WAITING, memory_order_relaxed);
	} else {
		cr__list_push_back(&pool->queue, &job->link);
		queued_add(pool, 1);
		atomic_store_explicit(&job->state, CR__JOB_QUEUED, memory_order_relaxed);
	}
	return announce(pool, job);
}

int cr__pool_put(struct cr_threads *pool, struct cr__job *job, bool refuse)
{
	job->holder = NULL;
	if (pool->queue_limit)
		return put_limited(pool, job, refuse);
	atomic_store_explicit(&job->state, CR__JOB_QUEUED, memory_order_relaxed);
	cr__inbox_append(&pool->inbox, &job->node);
	/* From here on it may be running, or over. */
	if (atomic_load(&pool->searching) || !atomic_load(&pool->spare))
		return 0;
	pthread_mutex_lock(&pool->lock);
	return announce(pool, job);
}

int cr__job_submit(struct cr_threads *pool, struct cr__job *job, bool refuse)
{
	struct cr__agent *agent = cr__agent_self();
	int r;

	if (!agent)
		return -ENOMEM;
	job->agent = agent;
	job->pool = pool;
	job->result = 0;
	if (agent->sim) {
		if (refuse && pool->queue_limit && cr__agent_held(agent, pool) >= pool->queue_limit)
			return -EAGAIN;
		cr__agent_hold(agent, job);
	} else {
		r = cr__pool_put(pool, job, refuse);
		if (r < 0)
			return r;
	}
	agent->loop->owed++;
	return 0;
}

bool cr__job_withdraw(struct cr__job *job)
{
	struct cr_threads *pool = job->pool;
	uint32_t state = atomic_load_explicit(&job->state, memory_order_acquire);
	bool taken = false;

	switch (state) {
	case CR__JOB_HELD:
		cr__list_remove(&job->link);
		taken = true;
		break;
	case CR__JOB_QUEUED:
	case CR__JOB_WAITING:
		pthread_mutex_lock(&pool->lock);
		cr__pool_collect(pool);
		state = atomic_load_explicit(&job->state, memory_order_relaxed);
		if (state == CR__JOB_QUEUED || state == CR__JOB_WAITING)
			taken = unlink_queued(pool, job);
		pthread_mutex_unlock(&pool->lock);
		break;
	default:
		break;
	}
	if (!taken)
		return false;
	atomic_store_explicit(&job->state, CR__JOB_IDLE, memory_order_relaxed);
	job->agent->loop->owed--;
	return true;
}

void cr__job_ended(struct cr__job *job)
{
	atomic_store_explicit(&job->state, CR__JOB_DONE, memory_order_release);
	cr__agent_push(job->agent, job);
}

void cr__job_finish(struct cr__job *job)
{
	job->ahead = NULL;
	cr__job_ended(job);
}

size_t cr__pool_width(const struct cr_threads *pool)
{
	return pool->thread_count_max;
}

void cr_threads_stats_get(cr_threads *pool, cr_threads_stats *ret_stats)
{
	cr_threads_stats stats = {.thread_count_max = pool->thread_count_max};

	pthread_mutex_lock(&pool->lock);
	cr__pool_collect(pool);
	stats.threads = pool->threads;
	stats.queued = pool->queued;
	stats.waiting = pool->waiting_count;
	for (struct cr__worker *w = pool->workers; w; w = w->next) {
		cr__worker_lock(w);
		stats.queued += w->local_count;
		cr__worker_unlock(w);
		stats.running += atomic_load_explicit(&w->current, memory_order_relaxed) != NULL;
		stats.jobs += atomic_load_explicit(&w->jobs, memory_order_relaxed);
	}
	pthread_mutex_unlock(&pool->lock);
	*ret_stats = stats;
}
