/* SPDX-License-Identifier: MIT */
#include "exec/loops.h"
#include "exec/bind.h"
#include "exec/pool.h"

#include "base/alloc.h"
#include "loop/attach.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

/*
 * A loop on each of several threads, and one task that waits for them all: the caller, or, where
 * no loop runs, the main task of one that is made for it. So there is one way in which cancellation
 * and SIGINT arrive, and all that the threads have to tell arrives as posts to that loop.
 */

enum { LOOPS_MAX = 1024, NAME_SIZE = 12 };

struct member {
	struct cr__loops *loops;
	size_t index;
	pthread_t thread;
	const cr_options *run;
	const void *arg;
	int result;
	bool arrived; /* under the lock, like loop and task: its main task exists */
	cr_loop loop;
	cr_task task;
	struct cr__wait gate; /* where it waits for the others */
	struct cr__post go, cancel, ended;
};

struct cr__loops {
	pthread_mutex_t lock;
	const cr_loops_options *options;
	cr__fn fn;
	cr__site site;
	cr_loop home;
	size_t count;
	size_t missing; /* under the lock: how many have not arrived */
	bool cancelled; /* likewise */

	/* For the caller's thread only. */
	struct cr__list link; /* in its exchange */
	struct cr__wait wait;
	size_t begun, alive;
	size_t failed;
	int error;
	bool asked; /* the caller was cancelled */

	struct member members[];
};

/* Under this key a loop keeps its member. */
static const char member_key;

/* ----------------------------------------------------------------------- on each new thread --- */

static void go(void *arg)
{
	cr__unpark(((struct member *)arg)->gate.task, 0);
}

static void cancel(void *arg)
{
	cr_task_cancel(((struct member *)arg)->task);
}

/* The loop ended first. Nothing is owed to it, nor to us. */
static void drop(void *arg)
{
	(void)arg;
}

/* Under the lock: so many more will not be waited for. Opens the gate for those who wait. */
static void arrived(struct cr__loops *loops, size_t count)
{
	loops->missing -= count;
	for (size_t i = 0; loops->missing == 0 && i < loops->count; i++) {
		struct member *m = &loops->members[i];

		if (m->arrived)
			cr__loop_post_handle(m->loop, &m->go);
	}
}

/* Waits until all loops run, so that each can reach the others from the start. */
static void gate_pass(struct member *m)
{
	struct cr__loops *loops = m->loops;
	bool cancelled;

	m->gate = (struct cr__wait){.reason = "loops", .fd = -1};
	pthread_mutex_lock(&loops->lock);
	m->arrived = true;
	m->loop = cr_loop_current();
	m->task = cr_task_self();
	cancelled = loops->cancelled;
	arrived(loops, 1);
	pthread_mutex_unlock(&loops->lock);
	if (cancelled)
		cr_task_cancel(m->task);
	cr__park(&m->gate);
}

static int member_main(struct member *m)
{
	int r = cr__loop_attach(cr__loop_self(), &member_key, m, drop);

	gate_pass(m);
	if (r == 0)
		r = cr__fn_call(m->loops->fn, m->arg);
	return r;
}

static void dress(const struct member *m)
{
	const cr_loops_options *options = m->loops->options;
	char name[NAME_SIZE + 5];

	snprintf(name, sizeof name, "%.11s/%u", options->name ? options->name : "loop",
	         (unsigned)m->index % 1000);
	name[15] = '\0';
	pthread_setname_np(pthread_self(), name);
	if (options->pin)
		cr__bind_self(m->index);
}

static void *member_thread(void *arg)
{
	struct member *m = arg;
	struct cr__loops *loops = m->loops;

	dress(m);
	m->result = cr__run(m->run, CORAIL__FN(member_main, m), m, loops->site);
	pthread_mutex_lock(&loops->lock);
	if (!m->arrived)
		arrived(loops, 1);
	pthread_mutex_unlock(&loops->lock);
	/* Refused when the caller was abandoned: then its loop's end joins this thread. */
	cr__loop_post_handle(loops->home, &m->ended);
	return NULL;
}

/* ----------------------------------------------------------------------- where it is waited --- */

struct cr__loops *cr__loops_of_link(struct cr__list *link)
{
	return CR__CONTAINER(link, struct cr__loops, link);
}

void cr__loops_cancel(struct cr__loops *loops)
{
	pthread_mutex_lock(&loops->lock);
	for (size_t i = 0; !loops->cancelled && i < loops->begun; i++) {
		struct member *m = &loops->members[i];

		if (m->arrived)
			cr__loop_post_handle(m->loop, &m->cancel);
	}
	loops->cancelled = true;
	pthread_mutex_unlock(&loops->lock);
}

static enum cr__abort loops_abort(struct cr__wait *wait)
{
	struct cr__loops *loops = CR__CONTAINER(wait, struct cr__loops, wait);

	loops->asked = true;
	cr__loops_cancel(loops);
	return CR__ABORT_LATER;
}

/* The first failure that is one, rather than the consequence of another. */
static void note_failure(struct cr__loops *loops, int error)
{
	loops->failed++;
	if (!loops->error || loops->error == -ECANCELED)
		loops->error = error;
}

static void ended(void *arg)
{
	struct member *m = arg;
	struct cr__loops *loops = m->loops;

	if (m->result < 0)
		note_failure(loops, m->result);
	if (m->result < 0 && !loops->options->collect)
		cr__loops_cancel(loops);
	if (--loops->alive == 0)
		cr__unpark(loops->wait.task, 0);
}

static void join(struct cr__loops *loops)
{
	for (size_t i = 0; i < loops->begun; i++)
		pthread_join(loops->members[i].thread, NULL);
}

static void loops_free(struct cr__loops *loops)
{
	pthread_mutex_destroy(&loops->lock);
	cr__free(loops);
}

void cr__loops_outlive(struct cr__loops *loops)
{
	join(loops);
	loops_free(loops);
}

/* -------------------------------------------------------------------------------- beginning --- */

struct order {
	const cr_loops_options *options;
	size_t count;
	cr__fn fn;
	const void *arg;
	size_t element_size; /* 0: all get the same */
	cr__site site;
};

static const cr_options *run_options(const cr_loops_options *options, size_t index)
{
	return options->run_each ? &options->run_each[index] : options->run;
}

static int order_check(const struct order *order)
{
	const cr_loops_options *options = order->options;

	if (order->count > LOOPS_MAX)
		return -EINVAL;
	if (options->stack_size_bytes && options->stack_size_bytes < (size_t)PTHREAD_STACK_MIN)
		return -EINVAL;
	for (size_t i = 0; i < order->count; i++) {
		const cr_options *run = run_options(options, i);
		const struct cr__backend *backend;
		int r = cr__loop_backend_find(run ? run->backend : CORAIL_BACKEND_AUTO, &backend);

		if (r < 0)
			return r;
		if (backend == &cr__backend_sim)
			return -EOPNOTSUPP;
		if (backend && backend->probe(NULL, 0) < 0)
			return -ENOSYS;
		if (!options->run_each)
			break;
	}
	return 0;
}

static struct cr__loops *loops_new(const struct order *order)
{
	struct cr__loops *loops =
		cr__alloc_zero(1, sizeof *loops + order->count * sizeof loops->members[0]);

	if (!loops)
		return NULL;
	pthread_mutex_init(&loops->lock, NULL);
	loops->options = order->options;
	loops->fn = order->fn;
	loops->site = order->site;
	loops->home = cr_loop_current();
	loops->count = loops->missing = order->count;
	loops->wait = (struct cr__wait){.abort = loops_abort, .reason = "loops", .fd = -1};
	for (size_t i = 0; i < order->count; i++) {
		struct member *m = &loops->members[i];

		*m = (struct member){
			.loops = loops,
			.index = i,
			.run = run_options(order->options, i),
			.arg = (const char *)order->arg + i * order->element_size,
			.result = -ECANCELED,
			.go = {.fn = go, .arg = m, .drop = drop},
			.cancel = {.fn = cancel, .arg = m, .drop = drop},
			.ended = {.fn = ended, .arg = m, .drop = drop},
		};
	}
	return loops;
}

/* Makes the threads, as many as can be. Returns 0, or why there are fewer. */
static int threads_make(struct cr__loops *loops)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);

	if (error)
		return -error;
	if (loops->options->stack_size_bytes)
		error = pthread_attr_setstacksize(&attributes, loops->options->stack_size_bytes);
	if (loops->options->pin)
		cr__bind_prepare();
	while (!error && loops->begun < loops->count) {
		struct member *m = &loops->members[loops->begun];

		error = pthread_create(&m->thread, &attributes, member_thread, m);
		loops->begun += !error;
	}
	pthread_attr_destroy(&attributes);
	loops->alive = loops->begun;
	return -error;
}

static int outcome(const struct cr__loops *loops)
{
	const cr_loops_options *options = loops->options;

	for (size_t i = 0; options->statuses && i < loops->count; i++)
		options->statuses[i] = loops->members[i].result;
	if (!options->collect || (loops->asked && loops->error == -ECANCELED))
		return loops->error;
	return (int)loops->failed;
}

static int loops_run(struct order *order)
{
	struct cr__exchange *exchange = cr__exchange_self();
	struct cr__loops *loops = exchange ? loops_new(order) : NULL;
	int r, result;

	if (!loops)
		return -ENOMEM;
	r = threads_make(loops);
	if (r < 0) {
		note_failure(loops, r);
		cr__loops_cancel(loops);
		pthread_mutex_lock(&loops->lock);
		arrived(loops, loops->count - loops->begun);
		pthread_mutex_unlock(&loops->lock);
	}
	if (loops->begun) {
		cr__list_push_back(&exchange->groups, &loops->link);
		cr__park(&loops->wait);
		cr__list_remove(&loops->link);
		join(loops);
	}
	result = outcome(loops);
	loops_free(loops);
	return r < 0 ? r : result;
}

static int loops_begin(struct order *order)
{
	static const cr_loops_options defaults;
	const cr_options *run;
	cr_options own = {.name = "loops"};
	int r;

	if (!order->options)
		order->options = &defaults;
	r = order_check(order);
	if (r < 0 || order->count == 0)
		return r;
	if (cr__loop_self()) {
		r = cr__park_check("cr_loops");
		if (r == 0 && cr__loop_self()->backend == &cr__backend_sim)
			r = -EOPNOTSUPP;
		return r < 0 ? r : loops_run(order);
	}
	run = run_options(order->options, 0);
	if (run) {
		own.backend = run->backend;
		own.keep_sigint = run->keep_sigint;
	}
	return cr__run(&own, CORAIL__FN(loops_run, order), order, order->site);
}

int cr__loops(const cr_loops_options *options, size_t count, cr__fn fn, const void *arg,
              cr__site site)
{
	struct order order = {options, count ? count : cr_cpu_count(), fn, arg, 0, site};

	return loops_begin(&order);
}

int cr__loops_each(const cr_loops_options *options, cr__fn fn, const void *array, size_t count,
                   size_t element_size, cr__site site)
{
	struct order order = {options, count, fn, array, element_size, site};

	return loops_begin(&order);
}

/* ----------------------------------------------------------------------------- who is where --- */

static const struct member *member_self(struct cr__loop *loop)
{
	return loop ? cr__loop_attached(loop, &member_key) : NULL;
}

size_t cr_loops_index(void)
{
	const struct member *m = member_self(cr__loop_self());

	return m ? m->index : 0;
}

size_t cr_loops_count(void)
{
	struct cr__loop *loop = cr__loop_self();
	const struct member *m = member_self(loop);

	return m ? m->loops->count : loop != NULL;
}

cr_loop cr_loops_at(size_t index)
{
	const struct member *m = member_self(cr__loop_self());

	if (m)
		return index < m->loops->count ? m->loops->members[index].loop : (cr_loop){0};
	return index == 0 ? cr_loop_current() : (cr_loop){0};
}
