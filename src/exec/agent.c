/* SPDX-License-Identifier: MIT */
#include "exec/agent.h"

#include "base/alloc.h"
#include "exec/futex.h"
#include "loop/loop.h"

#include <sched.h>

/* Some three to ten microseconds, depending on what a pause takes on the machine. */
enum { SPIN_MAX = 256 };

/* Wakes the loop's thread where it holds still. */
static void raise_signal(struct cr__agent *agent)
{
	atomic_fetch_add(&agent->signal, 1);
	cr__futex_wake(&agent->signal, 1);
}

/*
 * Who finds the stack empty posts, and touches the agent after its push: from there on whoever
 * empties the stack may let the loop end, and waits for those in `posting`. The others are done
 * with their push. Sequentially consistent with the loop's side in closing: either it sees the job,
 * or we see that it watches.
 */
void cr__agent_push(struct cr__agent *agent, struct cr__job *job)
{
	struct cr__job *first = atomic_load_explicit(&agent->done, memory_order_relaxed);

	while (first) {
		job->next = first;
		if (atomic_compare_exchange_weak(&agent->done, &first, job))
			return;
	}
	atomic_fetch_add_explicit(&agent->posting, 1, memory_order_relaxed);
	do {
		job->next = first;
	} while (!atomic_compare_exchange_weak(&agent->done, &first, job));
	if (!first && !agent->sim)
		cr__loop_post_foreign(agent->loop, &agent->post);
	if (!first && atomic_load(&agent->watched))
		raise_signal(agent);
	atomic_fetch_sub_explicit(&agent->posting, 1, memory_order_release);
}

void cr__agent_drain(struct cr__agent *agent)
{
	struct cr__job *job = atomic_exchange(&agent->done, NULL), *oldest = NULL;

	while (job) {
		struct cr__job *next = job->next;

		__builtin_prefetch(job->ahead, 1);
		job->next = oldest;
		oldest = job;
		job = next;
	}
	while (oldest) {
		job = oldest;
		oldest = job->next;
		agent->loop->owed--;
		job->done(job);
	}
}

static void drain(void *arg)
{
	cr__agent_drain(arg);
}

/* The loop ends: whoever would still come finds an empty stack. */
static void drop(void *arg)
{
	(void)arg;
}

static void wait_for_posters(struct cr__agent *agent)
{
	while (atomic_load_explicit(&agent->posting, memory_order_acquire))
		sched_yield();
}

/*
 * The loop's memory, and that of its tasks, is about to go. As a rule nothing flies any more. If
 * tasks were abandoned, jobs may still use their memory: so they are waited for.
 */
static void agent_close(struct cr__closer *closer)
{
	struct cr__agent *agent = CR__CONTAINER(closer, struct cr__agent, closer);

	cr__calls_fail(agent);
	cr__agent_forget(agent, NULL);
	atomic_store(&agent->watched, true);
	for (;;) {
		uint32_t signal = atomic_load(&agent->signal);

		cr__agent_drain(agent);
		if (!agent->loop->owed)
			break;
		if (!atomic_load(&agent->done))
			cr__futex_wait(&agent->signal, signal, CORAIL_NEVER);
	}
	wait_for_posters(agent);
}

static void agent_free(struct cr__closer *closer)
{
	cr__free(CR__CONTAINER(closer, struct cr__agent, closer));
}

static struct cr__agent *agent_make(struct cr__loop *loop)
{
	struct cr__agent *agent = cr__alloc_zero(1, sizeof *agent);

	if (!agent)
		return NULL;
	agent->loop = loop;
	agent->post = (struct cr__post){.fn = drain, .arg = agent, .drop = drop};
	agent->closer.close = agent_close;
	agent->closer.free = agent_free;
	agent->closer.next = loop->closers;
	loop->closers = &agent->closer;
	loop->agent = agent;
	cr__list_init(&agent->calls);
	cr__agent_sim_init(agent);
	/* On a single processor nothing can come while one looks for it. */
	loop->spin.most = !agent->sim && cr_cpu_count() > 1 ? SPIN_MAX : 0;
	return agent;
}

struct cr__agent *cr__agent_self(void)
{
	struct cr__loop *loop = cr__loop_self();

	return loop->agent ? loop->agent : agent_make(loop);
}
