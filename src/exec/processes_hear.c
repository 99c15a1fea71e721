/* SPDX-License-Identifier: MIT */
#include "exec/processes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Hearing from workers, and of their ends from the zygote. */

/* So many workers in a row that die before they begin anything, and the pool gives up. */
enum { STILLBORN_MAX = 16 };

static void hear(struct cr__crewman *worker)
{
	uint32_t completed = atomic_load(&worker->channel->completed);
	uint64_t wanted = atomic_exchange_explicit(&worker->channel->wanted, 0,
	                                           memory_order_relaxed);

	if (wanted)
		cr__shared_answer(worker->socket, wanted);
	/* One that claims more than it was given has gone mad. */
	if (completed - worker->consumed > worker->submitted - worker->consumed) {
		cr__crewman_kill(worker);
		return;
	}
	if (completed == worker->consumed)
		return;
	while (worker->consumed != completed)
		cr__crewman_consume(worker, NULL);
	if (worker->consumed == worker->submitted && !worker->killed &&
	    (!worker->pool->limits.jobs_max || worker->submitted < worker->pool->limits.jobs_max))
		cr__list_push_front(&worker->pool->idle, &worker->idle);
}

/* Whether there is more to hear, now that it was asked to say so. */
static bool arm(struct cr__crewman *worker)
{
	if (!atomic_load_explicit(&worker->channel->armed, memory_order_relaxed))
		atomic_store(&worker->channel->armed, 1);
	return atomic_load(&worker->channel->completed) != worker->consumed ||
	       atomic_load_explicit(&worker->channel->wanted, memory_order_relaxed);
}

static void hear_all(struct cr_processes *pool)
{
	pool->holding = true;
	for (size_t i = 0; i < pool->crew_count; i++) {
		struct cr__crewman *worker = &pool->crew[i];

		if (!worker->alive)
			continue;
		hear(worker);
		if (arm(worker))
			hear(worker);
	}
	pool->holding = false;
	cr__crew_dispatch(pool);
}

static void describe(cr_processes_fault *fault, pid_t pid, int status)
{
	const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

	*fault = (cr_processes_fault){.pid = pid, .code = -1};
	if (WIFSIGNALED(status)) {
		fault->signal = WTERMSIG(status);
		snprintf(fault->text, sizeof fault->text, "worker %d was killed by SIG%s (%s)", pid,
		         name ? name : "?", name ? sigdescr_np(fault->signal) : "unknown signal");
	} else {
		fault->code = WEXITSTATUS(status);
		snprintf(fault->text, sizeof fault->text, "worker %d exited with status %d", pid,
		         fault->code);
	}
}

/* The process is dead: nobody writes to its channel any more. */
static void bury(struct cr__crewman *worker, int status)
{
	struct cr_processes *pool = worker->pool;
	bool began = atomic_load(&worker->channel->completed) != 0;
	cr_processes_fault fault;

	describe(&fault, worker->pid, status);
	cr__list_remove(&worker->idle);
	cr__crewman_take_back(worker, SIZE_MAX);
	for (uint32_t i = worker->consumed; i != worker->submitted; i++)
		began |= worker->errands[i % CR__CHANNEL_CELLS] != NULL;
	pool->stillborn = began || worker->killed ? 0 : pool->stillborn + 1;
	worker->killed = true; /* whoever hears of it now must not hand it anything */
	while (worker->consumed != worker->submitted)
		cr__crewman_consume(worker, &fault);
	pool->deaths++;
	cr__crewman_forget(worker);
	if (pool->stillborn > STILLBORN_MAX) {
		pool->stillborn = 0;
		cr__queue_fail(pool, -CORAIL_E_PROCESSES_START);
	}
}

static void no_start(struct cr__crewman *worker, int error)
{
	struct cr_processes *pool = worker->pool;

	cr__crewman_take_back(worker, SIZE_MAX);
	cr__crewman_forget(worker);
	if (pool->alive == 0)
		cr__queue_fail(pool, error);
}

static void on_note(struct cr_processes *pool, const struct cr__zygote_note *note)
{
	struct cr__crewman *worker = note->number < pool->crew_count ? &pool->crew[note->number]
	                                                             : NULL;

	if (!worker || !worker->alive || worker->generation != note->generation)
		return;
	if (note->verb == CR__ZYGOTE_ENDED)
		bury(worker, note->value);
	else if (note->value > 0)
		worker->pid = note->value;
	else
		no_start(worker, note->value);
}

/* What the zygote's socket had no room for. */
static void pay_debts(struct cr_processes *pool)
{
	for (size_t i = 0; i < pool->crew_count; i++) {
		int r = cr__crewman_remind(&pool->crew[i]);

		if (r < 0)
			no_start(&pool->crew[i], r);
	}
}

static void closer_wake(struct cr_processes *pool)
{
	if (!pool->closer_parked)
		return;
	pool->closer_parked = false;
	cr__unpark(pool->closer.task, 0);
}

/* The zygote is dead, and so are the workers, or they are dying. */
static void on_loss(struct cr_processes *pool)
{
	pool->lost = true;
	cr__zygote_lost(pool->zygote_pid);
	for (size_t i = 0; i < pool->crew_count; i++)
		if (pool->crew[i].alive)
			bury(&pool->crew[i], SIGKILL);
	cr__queue_fail(pool, -CORAIL_E_PROCESSES_LOST);
	closer_wake(pool);
}

static void on_op(struct cr__op *op);

/*
 * Listens again. What is complete at once is heard in the loop's next turn: the others get theirs.
 */
static int ear_start(struct cr__ear *ear)
{
	struct cr_processes *pool = ear->pool;
	int r;

	ear->op = ear->zygote ? (struct cr__op){.done = on_op,
	                                        .code = CR__OP_RECV,
	                                        .fd = pool->zygote,
	                                        .buffer = &pool->note,
	                                        .size = sizeof pool->note}
	                      : (struct cr__op){.done = on_op,
	                                        .code = CR__OP_READ,
	                                        .fd = pool->event,
	                                        .buffer = &pool->events,
	                                        .size = sizeof pool->events};
	r = cr__op_start(pool->loop, &ear->op);
	ear->listens = r >= 0;
	ear->posted = r > 0;
	if (ear->posted)
		cr__loop_post(pool->loop, &ear->post);
	return r < 0 ? r : 0;
}

/* There was no memory to listen with: looks by itself, as long as it has to. */
static void ear_again(struct cr__ear *ear)
{
	if (ear_start(ear) == 0)
		return;
	ear->op.result = -EAGAIN;
	ear->listens = ear->posted = true;
	cr__loop_post(ear->pool->loop, &ear->post);
}

static void on_event(struct cr__ear *ear)
{
	hear_all(ear->pool);
	ear_again(ear);
}

static void on_zygote(struct cr__ear *ear)
{
	struct cr_processes *pool = ear->pool;
	const ssize_t result = ear->op.result;

	if (result == (ssize_t)sizeof pool->note) {
		on_note(pool, &pool->note);
	} else if (result != -EAGAIN) {
		on_loss(pool);
		return;
	}
	pay_debts(pool);
	cr__crew_dispatch(pool);
	ear_again(ear);
	if (pool->alive == 0)
		closer_wake(pool);
}

static void heard(void *arg)
{
	struct cr__ear *ear = arg;

	ear->listens = ear->posted = false;
	if (ear->pool->deaf)
		closer_wake(ear->pool);
	else if (ear->zygote)
		on_zygote(ear);
	else
		on_event(ear);
}

static void on_op(struct cr__op *op)
{
	heard(CR__CONTAINER(op, struct cr__ear, op));
}

/* The loop ends before its pool was closed. */
static void drop(void *arg)
{
	(void)arg;
}

static int listen_to(struct cr_processes *pool, struct cr__ear *ear, bool zygote)
{
	ear->pool = pool;
	ear->zygote = zygote;
	ear->post = (struct cr__post){.fn = heard, .arg = ear, .drop = drop};
	return ear_start(ear);
}

int cr__crew_listen(struct cr_processes *pool)
{
	int r = listen_to(pool, &pool->events_ear, false);

	return r < 0 ? r : listen_to(pool, &pool->zygote_ear, true);
}

static void ear_stop(struct cr__ear *ear)
{
	if (ear->listens && !ear->posted && cr__op_cancel(ear->pool->loop, &ear->op))
		ear->listens = false;
}

bool cr__crew_deafen(struct cr_processes *pool)
{
	pool->deaf = true;
	ear_stop(&pool->events_ear);
	ear_stop(&pool->zygote_ear);
	return !pool->events_ear.listens && !pool->zygote_ear.listens;
}
