/* SPDX-License-Identifier: MIT */
#include "exec/bind.h"
#include "exec/futex.h"
#include "exec/threads.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/panic.h"
#include "base/pause.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

/* The threads of a pool. */

enum { TAKE_MAX = 32, SPIN_MIN = 128 };

/* The worker that a thread is: the key's value. */
static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void key_make(void)
{
	if (pthread_key_create(&key, NULL))
		cr__panic("no key for thread-specific data is left");
}

struct cr__job *cr__job_current(void)
{
	struct cr__worker *worker;

	pthread_once(&key_once, key_make);
	worker = pthread_getspecific(key);
	return worker ? atomic_load_explicit(&worker->current, memory_order_relaxed) : NULL;
}

/* ---------------------------------------------------------------------------- finding work --- */

static void keep(struct cr__worker *w, struct cr__list *jobs, size_t count)
{
	cr__worker_lock(w);
	cr__list_splice(&w->local, jobs);
	w->local_count += count;
	cr__worker_unlock(w);
}

/*
 * Several at once from a deep queue, and always enough left for the others. Where the queue's
 * length is limited, what has not begun stays in it.
 */
static size_t take(struct cr__worker *w)
{
	struct cr_threads *pool = w->pool;
	size_t most = cr__pool_depth(pool) / (2 * pool->threads), count = 0;
	struct cr__job *job;
	struct cr__list jobs;

	if (most < 1 || pool->queue_limit)
		most = 1;
	if (most > TAKE_MAX)
		most = TAKE_MAX;
	cr__list_init(&jobs);
	while (count < most && (job = cr__pool_take(pool))) {
		job->holder = w;
		cr__list_push_back(&jobs, &job->link);
		count++;
	}
	if (count)
		keep(w, &jobs, count);
	return count;
}

/* Half of what another one has not begun, the oldest first. */
static size_t steal_from(struct cr__worker *w, struct cr__worker *victim)
{
	struct cr__list jobs;
	size_t count;

	cr__list_init(&jobs);
	cr__worker_lock(victim);
	count = (victim->local_count + 1) / 2;
	for (size_t i = 0; i < count; i++) {
		struct cr__list *node = cr__list_first(&victim->local);

		cr__list_remove(node);
		CR__CONTAINER(node, struct cr__job, link)->holder = w;
		cr__list_push_back(&jobs, node);
	}
	victim->local_count -= count;
	cr__worker_unlock(victim);
	if (count)
		keep(w, &jobs, count);
	return count;
}

/* Whether there is work, and then it is this worker's. `more`: and more of it than one job. */
static bool find(struct cr__worker *w, bool *more)
{
	struct cr_threads *pool = w->pool;
	size_t count = take(w);

	for (struct cr__worker *other = pool->workers; other && !count; other = other->next)
		if (other != w)
			count = steal_from(w, other);
	*more = count > 1 || pool->queued || !cr__inbox_empty(&pool->inbox);
	return count > 0;
}

/* ---------------------------------------------------------------------------------- working --- */

static struct cr__job *begin(struct cr__worker *w)
{
	struct cr__job *job = NULL;
	struct cr__list *node;

	cr__worker_lock(w);
	node = cr__list_first(&w->local);
	if (node) {
		job = CR__CONTAINER(node, struct cr__job, link);
		cr__list_remove(node);
		w->local_count--;
		atomic_store_explicit(&job->state, CR__JOB_RUNNING, memory_order_relaxed);
	}
	cr__worker_unlock(w);
	return job;
}

static void again(struct cr_threads *pool, struct cr__job *job)
{
	bool closing;

	pthread_mutex_lock(&pool->lock);
	closing = pool->closing;
	pthread_mutex_unlock(&pool->lock);
	if (!closing) {
		cr__pool_put(pool, job, false);
		return;
	}
	job->result = -ECANCELED;
	cr__job_finish(job);
}

static void work(struct cr__worker *w)
{
	struct cr__job *job;

	while ((job = begin(w))) {
		const uint64_t number = atomic_load_explicit(&w->jobs, memory_order_relaxed);
		enum cr__fate fate;

		atomic_store_explicit(&w->current, job, memory_order_relaxed);
		fate = job->run(job);
		atomic_store_explicit(&w->current, NULL, memory_order_relaxed);
		if (fate == CR__FATE_AGAIN) {
			again(w->pool, job);
			continue;
		}
		atomic_store_explicit(&w->jobs, number + 1, memory_order_relaxed);
		if (fate == CR__FATE_DONE) {
			struct cr__job **earlier = &w->ended[number % CR__ENDED_AHEAD];

			job->ahead = *earlier;
			*earlier = job;
			cr__job_ended(job);
		}
	}
}

/* ---------------------------------------------------------------------------------- resting --- */

/*
 * A job that comes soon is found without a sleep and a wake-up, which cost ten times as much as a
 * short one. Only one worker of a pool does this, and it learns from how it went.
 */
static void spin(struct cr_threads *pool)
{
	size_t left = pool->spin;

	pthread_mutex_unlock(&pool->lock);
	while (left && !cr__inbox_promises(&pool->inbox) &&
	       !atomic_load_explicit(&pool->queued, memory_order_relaxed)) {
		cr__pause_briefly();
		left--;
	}
	pthread_mutex_lock(&pool->lock);
	if (left)
		pool->spin = pool->spin * 2 < pool->spin_max ? pool->spin * 2 : pool->spin_max;
	else
		pool->spin = pool->spin / 2 > SPIN_MIN ? pool->spin / 2 : SPIN_MIN;
}

/*
 * Sleeps until it is wanted, not at all if a job came just now. Returns false when it was not
 * wanted for so long that it had better go.
 */
static bool rest(struct cr__worker *w)
{
	struct cr_threads *pool = w->pool;
	cr_nsec now = cr__clock_monotonic(), until = cr__nsec_add(now, pool->idle);

	atomic_store_explicit(&w->awake, 0, memory_order_relaxed);
	cr__list_push_front(&pool->sleepers, &w->sleeper);
	atomic_fetch_add(&pool->spare, 1);
	if (!cr__inbox_empty(&pool->inbox)) {
		cr__list_remove(&w->sleeper);
		atomic_fetch_sub(&pool->spare, 1);
		atomic_fetch_add(&pool->searching, 1);
		return true;
	}
	for (;;) {
		pthread_mutex_unlock(&pool->lock);
		cr__futex_wait(&w->awake, 0, until - now);
		now = cr__clock_monotonic();
		pthread_mutex_lock(&pool->lock);
		if (atomic_load_explicit(&w->awake, memory_order_relaxed))
			return true;
		if (now >= until)
			break;
	}
	cr__list_remove(&w->sleeper);
	atomic_fetch_sub(&pool->spare, 1);
	return false;
}

/* ---------------------------------------------------------------------- threads come and go --- */

static void dress(const struct cr__worker *w)
{
	char name[16];

	snprintf(name, sizeof name, "%s/%u", w->pool->name, (unsigned)(w->number % 1000));
	pthread_setname_np(pthread_self(), name);
	cr__bind_release();
	/* On Linux the caller's thread alone, not its process: setpriority(2), notes. */
	if (w->pool->nice)
		setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + w->pool->nice);
}

/* With the pool's lock, which it gives back. A closing pool joins its threads. */
static void leave(struct cr__worker *w)
{
	struct cr_threads *pool = w->pool;
	bool last;

	pool->threads--;
	atomic_fetch_add(&pool->spare, 1);
	if (!pool->closing) {
		w->alive = false;
		pthread_detach(pthread_self());
	}
	last = pool->closing && pool->threads == 0;
	pthread_mutex_unlock(&pool->lock);
	if (!last)
		return;
	if (pool->closer) {
		cr__job_finish(&pool->closed);
		return;
	}
	atomic_store(&pool->gone, 1);
	cr__futex_wake(&pool->gone, 1);
}

/* Whoever asked for this thread counted it as searching. */
static void *worker_main(void *arg)
{
	struct cr__worker *w = arg;
	struct cr_threads *pool = w->pool;
	bool more, spun = false;

	pthread_setspecific(key, w);
	dress(w);
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		if (find(w, &more)) {
			struct cr__worker *wake = NULL;

			if (atomic_fetch_sub(&pool->searching, 1) == 1 &&
			    (more || !cr__inbox_empty(&pool->inbox)))
				cr__worker_wanted(pool, &wake);
			pthread_mutex_unlock(&pool->lock);
			cr__worker_wake(wake);
			work(w);
			pthread_mutex_lock(&pool->lock);
			atomic_fetch_add(&pool->searching, 1);
			spun = false;
		} else if (!spun && !pool->closing && pool->searching == 1 && pool->spin_max) {
			spin(pool);
			spun = true;
		} else {
			atomic_fetch_sub(&pool->searching, 1);
			if (pool->closing || !rest(w))
				break;
			spun = false;
		}
	}
	leave(w);
	return NULL;
}

/* The record of a thread that has gone, or a new one. */
static struct cr__worker *record(struct cr_threads *pool)
{
	struct cr__worker *w;
	size_t count = 1;

	for (w = pool->workers; w && w->alive; w = w->next)
		count++;
	if (w)
		return w;
	w = cr__alloc_zero(1, sizeof *w);
	if (!w)
		return NULL;
	w->pool = pool;
	w->number = count;
	cr__list_init(&w->local);
	cr__list_init(&w->sleeper);
	w->next = pool->workers;
	pool->workers = w;
	return w;
}

/* All signals but those that a fault of the thread's own raises. */
static void signals_block(sigset_t *ret_old)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGSEGV);
	sigdelset(&set, SIGBUS);
	sigdelset(&set, SIGFPE);
	sigdelset(&set, SIGILL);
	sigdelset(&set, SIGTRAP);
	sigdelset(&set, SIGABRT);
	sigdelset(&set, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &set, ret_old);
}

static int thread_make(struct cr_threads *pool)
{
	struct cr__worker *w = record(pool);
	pthread_attr_t attributes;
	sigset_t old;
	int error;

	if (!w)
		return -ENOMEM;
	pthread_once(&key_once, key_make);
	error = pthread_attr_init(&attributes);
	if (error)
		return -error;
	if (pool->stack_size_bytes)
		error = pthread_attr_setstacksize(&attributes, pool->stack_size_bytes);
	if (!error) {
		signals_block(&old);
		error = pthread_create(&w->thread, &attributes, worker_main, w);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	pthread_attr_destroy(&attributes);
	if (error)
		return -error;
	w->alive = true;
	pool->threads++;
	atomic_fetch_sub(&pool->spare, 1);
	atomic_fetch_add(&pool->searching, 1);
	return 0;
}

int cr__worker_wanted(struct cr_threads *pool, struct cr__worker **ret_wake)
{
	struct cr__list *node = cr__list_first(&pool->sleepers);
	int r;

	if (node) {
		*ret_wake = CR__CONTAINER(node, struct cr__worker, sleeper);
		cr__list_remove(node);
		atomic_store_explicit(&(*ret_wake)->awake, 1, memory_order_relaxed);
		atomic_fetch_sub(&pool->spare, 1);
		atomic_fetch_add(&pool->searching, 1);
		return 0;
	}
	if (pool->threads >= pool->thread_count_max)
		return 0;
	r = thread_make(pool);
	return pool->threads ? 0 : r;
}

void cr__worker_wake(struct cr__worker *worker)
{
	if (worker)
		cr__futex_wake(&worker->awake, 1);
}
