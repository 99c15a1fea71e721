/* SPDX-License-Identifier: MIT */
#include "exec/processes.h"

#include <errno.h>
#include <string.h>

/* Workers as the pool sees them: starting them, ending them, handing them jobs. */

static const size_t channel_size = sizeof(struct cr__channel);

/* ------------------------------------------------------------------------------------- life --- */

void cr__crewman_forget(struct cr__crewman *worker)
{
	cr__zygote_close(worker->memory);
	cr__zygote_close(worker->socket);
	cr__zygote_close(worker->their_socket);
	cr__zygote_memory_free(worker->channel, channel_size);
	worker->memory = worker->socket = worker->their_socket = -1;
	worker->channel = NULL;
	worker->alive = worker->start_owed = worker->kill_owed = worker->dirty = false;
	worker->pid = 0;
	cr__list_remove(&worker->idle);
	worker->pool->alive--;
}

/* Asks the zygote for the process. Returns 0, also when the socket was full, or an error. */
static int ask_to_start(struct cr__crewman *worker)
{
	struct cr__zygote_note note = {CR__ZYGOTE_START, worker->number, worker->generation, 0};
	int fds[2] = {worker->memory, worker->their_socket};
	int r = cr__packet_send(worker->pool->zygote, &note, sizeof note, fds, 2);

	worker->start_owed = r == -EAGAIN;
	if (worker->start_owed)
		return 0;
	cr__zygote_close(worker->memory);
	cr__zygote_close(worker->their_socket);
	worker->memory = worker->their_socket = -1;
	return r == -EPIPE || r == -ECONNRESET ? -CORAIL_E_PROCESSES_LOST : r;
}

int cr__crewman_start(struct cr__crewman *worker)
{
	void *memory;
	int pair[2], r;

	r = cr__zygote_pair(pair);
	if (r < 0)
		return r;
	r = cr__zygote_memory("corail-channel", channel_size, &memory);
	if (r < 0) {
		cr__zygote_close(pair[0]);
		cr__zygote_close(pair[1]);
		return r;
	}
	worker->memory = r;
	worker->channel = memory;
	worker->socket = pair[0];
	worker->their_socket = pair[1];
	worker->generation++;
	worker->alive = true;
	worker->killed = false;
	worker->submitted = worker->consumed = worker->live = worker->head = worker->tail = 0;
	worker->pool->alive++;
	cr__list_push_front(&worker->pool->idle, &worker->idle);
	r = ask_to_start(worker);
	if (r < 0)
		cr__crewman_forget(worker);
	return r;
}

static void ask_to_kill(struct cr__crewman *worker)
{
	struct cr__zygote_note note = {CR__ZYGOTE_KILL, worker->number, worker->generation, 0};

	worker->kill_owed = worker->start_owed || cr__packet_send(worker->pool->zygote, &note,
	                                                          sizeof note, NULL, 0) == -EAGAIN;
}

void cr__crewman_kill(struct cr__crewman *worker)
{
	cr__crewman_take_back(worker, SIZE_MAX);
	cr__list_remove(&worker->idle);
	if (worker->killed)
		return;
	worker->killed = true;
	ask_to_kill(worker);
}

int cr__crewman_remind(struct cr__crewman *worker)
{
	if (worker->start_owed)
		return ask_to_start(worker);
	if (worker->kill_owed)
		ask_to_kill(worker);
	return 0;
}

/* ------------------------------------------------------------------------------------- jobs --- */

/* Room in the arena, a ring in which nothing is split. Returns whether there is any. */
static bool arena_take(struct cr__crewman *worker, size_t size, uint32_t *ret_offset)
{
	const uint32_t need = (uint32_t)(size + CR__CHANNEL_ALIGN - 1) & ~(CR__CHANNEL_ALIGN - 1U);

	/* Start anew where it is warm. */
	if (worker->submitted == worker->consumed)
		worker->head = worker->tail = 0;
	if (worker->head >= worker->tail) {
		if (need > CR__CHANNEL_ARENA - worker->head) {
			if (need >= worker->tail)
				return false;
			worker->head = 0;
		}
	} else if (need >= worker->tail - worker->head) {
		return false;
	}
	*ret_offset = worker->head;
	worker->head += need;
	return true;
}

bool cr__crewman_hand(struct cr__crewman *worker, struct cr__errand *errand)
{
	const uint32_t index = worker->submitted % CR__CHANNEL_CELLS;
	struct cr__cell *cell = &worker->channel->cells[index];
	const uint64_t jobs_max = worker->pool->limits.jobs_max;

	if (worker->killed || worker->submitted - worker->consumed == CR__CHANNEL_CELLS ||
	    (jobs_max && worker->submitted >= jobs_max) ||
	    !arena_take(worker, errand->size, &cell->offset))
		return false;
	memcpy(worker->channel->arena + cell->offset, errand->arg, errand->size);
	cell->fn = errand->fn;
	atomic_store_explicit(&cell->state, CR__CELL_READY, memory_order_relaxed);
	worker->errands[index] = errand;
	worker->ends[index] = worker->head;
	worker->submitted++;
	worker->live++;
	worker->pool->running++;
	worker->dirty = true;
	errand->worker = worker;
	errand->cell = index;
	cr__list_remove(&worker->idle);
	return true;
}

void cr__crewman_publish(struct cr__crewman *worker)
{
	struct cr__channel *channel = worker->channel;

	worker->dirty = false;
	if (!atomic_load_explicit(&channel->armed, memory_order_relaxed))
		atomic_store(&channel->armed, 1);
	atomic_store(&channel->submitted, worker->submitted);
	if (atomic_load(&channel->sleeping))
		cr__channel_wake(channel);
}

size_t cr__crewman_take_back(struct cr__crewman *worker, size_t most)
{
	struct cr_processes *pool = worker->pool;
	size_t taken = 0;

	for (uint32_t i = worker->submitted; i != worker->consumed && taken < most; i--) {
		const uint32_t index = (i - 1) % CR__CHANNEL_CELLS;
		struct cr__errand *errand = worker->errands[index];
		uint32_t state = CR__CELL_READY;

		if (!errand || !atomic_compare_exchange_strong(&worker->channel->cells[index].state,
		                                               &state, CR__CELL_WITHDRAWN))
			continue;
		worker->errands[index] = NULL;
		worker->live--;
		errand->worker = NULL;
		cr__list_push_front(&pool->queue, &errand->link);
		pool->queued++;
		pool->running--;
		taken++;
	}
	return taken;
}

/* What the job wrote goes back; one that only read may have read what nobody can write. */
static void copy_back(const void *from, const struct cr__errand *errand)
{
	if (memcmp(from, errand->arg, errand->size) != 0)
		memcpy((void *)(uintptr_t)errand->arg, from, errand->size);
}

void cr__crewman_consume(struct cr__crewman *worker, const cr_processes_fault *fault)
{
	const uint32_t index = worker->consumed % CR__CHANNEL_CELLS;
	const struct cr__cell *cell = &worker->channel->cells[index];
	struct cr__errand *errand = worker->errands[index];
	/* Where its arguments begin is ours to say, not the worker's. */
	uint32_t size, offset;

	worker->consumed++;
	worker->tail = worker->ends[index];
	if (!errand)
		return;
	size = (uint32_t)(errand->size + CR__CHANNEL_ALIGN - 1) & ~(CR__CHANNEL_ALIGN - 1U);
	offset = worker->ends[index] - size;
	worker->errands[index] = NULL;
	worker->live--;
	worker->pool->running--;
	worker->pool->jobs++;
	if (atomic_load_explicit(&cell->state, memory_order_acquire) == CR__CELL_DONE) {
		copy_back(worker->channel->arena + offset, errand);
		errand->result = cell->result;
	} else {
		errand->result = errand->cancelled ? -ECANCELED : -CORAIL_E_PROCESSES_DIED;
		if (errand->fault && fault && !errand->cancelled)
			*errand->fault = *fault;
	}
	errand->done(errand);
}
