/* SPDX-License-Identifier: MIT */
#include "exec/processes.h"

#include <errno.h>

/*
 * Who gets which job. A worker that has nothing to do gets the next job at once. When all are busy
 * and the queue is deep, jobs are handed out in advance, so that one wake-up serves many; a worker
 * that has run dry while others have a stock gets half of the largest.
 */

enum { STOCK_MAX = 32 };

static struct cr__errand *queue_first(const struct cr_processes *pool)
{
	struct cr__list *node = cr__list_first(&pool->queue);

	return node ? CR__CONTAINER(node, struct cr__errand, link) : NULL;
}

/* A record without a process, if there may be one more. */
static struct cr__crewman *vacant(struct cr_processes *pool)
{
	if (pool->alive == pool->crew_count || pool->lost)
		return NULL;
	for (size_t i = 0; i < pool->crew_count; i++)
		if (!pool->crew[i].alive)
			return &pool->crew[i];
	return NULL;
}

static bool hand_first(struct cr__crewman *worker)
{
	struct cr_processes *pool = worker->pool;
	struct cr__errand *errand = queue_first(pool);

	cr__list_remove(&errand->link);
	pool->queued--;
	if (cr__crewman_hand(worker, errand))
		return true;
	cr__list_push_front(&pool->queue, &errand->link);
	pool->queued++;
	return false;
}

static void dispatch_later(struct cr_processes *pool)
{
	if (pool->posted)
		return;
	pool->posted = true;
	cr__loop_post(pool->loop, &pool->post);
}

/* One job for each worker that has none. */
static void serve_idle(struct cr_processes *pool)
{
	while (pool->queued) {
		struct cr__list *node = cr__list_first(&pool->idle);
		struct cr__crewman *worker;
		int r;

		if (node) {
			worker = CR__CONTAINER(node, struct cr__crewman, idle);
		} else {
			worker = vacant(pool);
			if (!worker)
				return;
			r = cr__crewman_start(worker);
			if (r < 0) {
				pool->start_error = r;
				dispatch_later(pool);
				return;
			}
		}
		if (!hand_first(worker))
			return;
	}
}

/* More than they can begin now, but never so many that nothing is left for who is done first. */
static void stock_up(struct cr_processes *pool)
{
	size_t stock = 1 + pool->queued / (2 * pool->crew_count);

	if (stock > STOCK_MAX)
		stock = STOCK_MAX;
	for (size_t i = 0; i < pool->crew_count; i++) {
		struct cr__crewman *worker = &pool->crew[i];

		while (worker->alive && worker->live < stock && pool->queued)
			if (!hand_first(worker))
				break;
	}
}

/* Takes half of the largest stock back to the queue. Returns whether there was any. */
static bool take_stock(struct cr_processes *pool)
{
	struct cr__crewman *richest = NULL;

	for (size_t i = 0; i < pool->crew_count; i++) {
		struct cr__crewman *worker = &pool->crew[i];

		if (worker->alive && worker->live > (richest ? richest->live : 1))
			richest = worker;
	}
	if (!richest)
		return false;
	return cr__crewman_take_back(richest, richest->live / 2) > 0;
}

void cr__crew_dispatch(struct cr_processes *pool)
{
	size_t busy;

	if (pool->closing || pool->holding)
		return;
	serve_idle(pool);
	if (pool->queued)
		stock_up(pool);
	busy = pool->alive;
	for (struct cr__list *node = pool->idle.next; node != &pool->idle; node = node->next)
		busy--;
	if (!pool->queued && !cr__list_empty(&pool->idle) && pool->running > busy &&
	    take_stock(pool))
		serve_idle(pool);
	for (size_t i = 0; i < pool->crew_count; i++)
		if (pool->crew[i].dirty)
			cr__crewman_publish(&pool->crew[i]);
}

void cr__queue_fail(struct cr_processes *pool, int error)
{
	struct cr__errand *errand;

	while ((errand = queue_first(pool))) {
		cr__list_remove(&errand->link);
		pool->queued--;
		pool->jobs++;
		errand->result = error;
		errand->done(errand);
	}
}

int cr__errand_submit(struct cr_processes *pool, struct cr__errand *errand, bool refuse)
{
	if (pool->closing)
		return -ECANCELED;
	if (pool->lost)
		return -CORAIL_E_PROCESSES_LOST;
	if (refuse && pool->queue_limit && pool->queued >= pool->queue_limit)
		return -EAGAIN;
	errand->pool = pool;
	errand->worker = NULL;
	errand->cancelled = false;
	cr__list_push_back(&pool->queue, &errand->link);
	pool->queued++;
	if (pool->queued == 1 && (!cr__list_empty(&pool->idle) || pool->alive < pool->crew_count))
		cr__crew_dispatch(pool);
	else
		dispatch_later(pool);
	return 0;
}

bool cr__errand_withdraw(struct cr__errand *errand)
{
	struct cr__crewman *worker = errand->worker;
	struct cr_processes *pool = errand->pool;
	uint32_t state = CR__CELL_READY;

	if (!worker) {
		cr__list_remove(&errand->link);
		pool->queued--;
		return true;
	}
	if (!atomic_compare_exchange_strong(&worker->channel->cells[errand->cell].state, &state,
	                                    CR__CELL_WITHDRAWN))
		return false;
	worker->errands[errand->cell] = NULL;
	worker->live--;
	pool->running--;
	return true;
}

bool cr__errand_cancel(struct cr__errand *errand)
{
	struct cr__crewman *worker = errand->worker;

	if (cr__errand_withdraw(errand))
		return true;
	/*
	 * Nothing else may begin there between the look and the kill: it would die for nothing. So
	 * what has not begun is taken back first.
	 */
	cr__crewman_take_back(worker, SIZE_MAX);
	if (atomic_load(&worker->channel->cells[errand->cell].state) == CR__CELL_BEGUN) {
		errand->cancelled = true;
		cr__crewman_kill(worker);
	}
	dispatch_later(errand->pool);
	return false;
}
