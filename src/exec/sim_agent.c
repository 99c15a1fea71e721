/* SPDX-License-Identifier: MIT */
#include "exec/agent.h"
#include "exec/futex.h"
#include "exec/threads.h"

#include <sched.h>

/*
 * Jobs in the simulator. A job runs on a real thread of its pool, so that whatever it does works as
 * it does elsewhere; but its loop holds still meanwhile, and so no virtual time passes and one job
 * runs at a time. The one exception is a job that waits for an answer from that loop: the loop goes
 * on until it has the answer, and then holds still again. So whatever happens, one of the two runs,
 * and the run is the same with the same seed.
 */

static void again_soon(struct cr__agent *agent)
{
	if (agent->sim_posted || cr__list_empty(&agent->sim_queue))
		return;
	agent->sim_posted = true;
	cr__loop_post(agent->loop, &agent->sim_post);
}

/* Waits until the job that runs has ended, or waits for the loop. */
void cr__agent_stand(struct cr__agent *agent)
{
	for (;;) {
		uint32_t signal = atomic_load(&agent->signal);

		if (atomic_load(&agent->done) || !atomic_load(&agent->sim_active))
			break;
		cr__futex_wait(&agent->signal, signal, CORAIL_NEVER);
	}
	while (atomic_load_explicit(&agent->posting, memory_order_acquire))
		sched_yield();
	if (!atomic_load(&agent->done))
		return;
	atomic_store(&agent->sim_active, false);
	for (struct cr__job *job = atomic_load(&agent->done); job; job = job->next)
		if (job->out.next)
			cr__list_remove(&job->out);
	cr__agent_drain(agent);
	again_soon(agent);
}

void cr__agent_release(struct cr__agent *agent)
{
	atomic_store(&agent->sim_active, false);
	atomic_fetch_add(&agent->signal, 1);
	cr__futex_wake(&agent->signal, 1);
}

void cr__agent_resume(struct cr__agent *agent)
{
	atomic_store(&agent->sim_active, true);
}

static size_t count_of(const struct cr__list *list, size_t offset, const struct cr_threads *pool)
{
	size_t count = 0;

	for (const struct cr__list *node = list->next; node != list; node = node->next) {
		const struct cr__job *job =
			(const struct cr__job *)(const void *)((const char *)node - offset);

		count += job->pool == pool;
	}
	return count;
}

size_t cr__agent_held(const struct cr__agent *agent, const struct cr_threads *pool)
{
	return count_of(&agent->sim_queue, offsetof(struct cr__job, link), pool);
}

size_t cr__agent_out(const struct cr__agent *agent, const struct cr_threads *pool)
{
	return count_of(&agent->sim_out, offsetof(struct cr__job, out), pool);
}

/* The next job whose pool has a free thread: the first, or one that the seed chooses. */
static struct cr__job *choose(struct cr__agent *agent)
{
	struct cr__loop *loop = agent->loop;
	uint64_t count = 0, chosen = 0;

	for (struct cr__list *node = agent->sim_queue.next; node != &agent->sim_queue;
	     node = node->next) {
		struct cr__job *job = CR__CONTAINER(node, struct cr__job, link);

		count += cr__agent_out(agent, job->pool) < cr__pool_width(job->pool);
	}
	if (!count)
		return NULL;
	if (loop->seed)
		chosen = loop->backend->shuffle(loop, count);
	for (struct cr__list *node = agent->sim_queue.next;; node = node->next) {
		struct cr__job *job = CR__CONTAINER(node, struct cr__job, link);

		if (cr__agent_out(agent, job->pool) < cr__pool_width(job->pool) && chosen-- == 0)
			return job;
	}
}

/* One job in each turn: what its end leads to happens before the next one. */
static void turn(void *arg)
{
	struct cr__agent *agent = arg;
	struct cr__job *job;
	int r;

	agent->sim_posted = false;
	job = choose(agent);
	if (job) {
		cr__list_remove(&job->link);
		cr__list_push_back(&agent->sim_out, &job->out);
		atomic_store(&agent->sim_active, true);
		r = cr__pool_put(job->pool, job, false);
		if (r < 0) {
			job->result = r;
			cr__job_finish(job);
		}
		cr__agent_stand(agent);
		again_soon(agent);
	}
}

static void drop(void *arg)
{
	(void)arg;
}

void cr__agent_sim_init(struct cr__agent *agent)
{
	agent->sim = agent->loop->backend == &cr__backend_sim;
	agent->watched = agent->sim;
	agent->sim_post = (struct cr__post){.fn = turn, .arg = agent, .drop = drop};
	cr__list_init(&agent->sim_queue);
	cr__list_init(&agent->sim_out);
}

void cr__agent_hold(struct cr__agent *agent, struct cr__job *job)
{
	atomic_store_explicit(&job->state, CR__JOB_HELD, memory_order_relaxed);
	cr__list_init(&job->out);
	cr__list_push_back(&agent->sim_queue, &job->link);
	again_soon(agent);
}

void cr__agent_forget(struct cr__agent *agent, const struct cr_threads *pool)
{
	struct cr__list *node = agent->sim_queue.next;

	while (node != &agent->sim_queue) {
		struct cr__job *job = CR__CONTAINER(node, struct cr__job, link);

		node = node->next;
		if (pool && job->pool != pool)
			continue;
		cr__list_remove(&job->link);
		job->result = -ECANCELED;
		cr__job_finish(job);
	}
	cr__agent_drain(agent);
}
