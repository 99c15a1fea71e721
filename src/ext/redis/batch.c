/* SPDX-License-Identifier: MIT */
/* Commands on a link: queued in one piece, answered in order, abandoned at any moment. */

#include "client.h"

int cr__redis_queue(struct link *link, struct batch *batch, size_t weight)
{
	int r = cr__redis_words_append(&link->out, batch->calls, batch->count);

	if (r < 0)
		return r;
	batch->number = link->next++;
	link->slots[batch->number & link->slot_mask] =
		(struct slot){.batch = batch, .missing = batch->count, .weight = weight};
	cr_event_set(&link->queued);
	return 0;
}

/* Between the last test and the caller's next step nothing suspends. */
static int wait_ready(struct link *link, const struct batch *batch)
{
	size_t unsent_max = link->redis->options.unsent_size_max;
	int r = 0;

	while (r == 0) {
		if (link->closed || (link->redis->closed && !batch->internal))
			return -ESHUTDOWN;
		if (!link->up)
			r = cr__redis_link_need(link);
		else if (link->out.size > unsent_max)
			r = cr__turns_wait(&link->sent);
		else
			break;
	}
	return r;
}

int cr__redis_send(struct link *link, struct batch *batch)
{
	size_t weight = batch->count < link->in_flight_max ? batch->count : link->in_flight_max;
	int r = cr_semaphore_acquire(&link->permits, weight);

	if (r < 0)
		return r;
	r = wait_ready(link, batch);
	if (r == 0)
		r = cr__redis_queue(link, batch, weight);
	if (r < 0)
		cr_semaphore_release(&link->permits, weight);
	return r;
}

void cr__redis_abandon(struct link *link, struct batch *batch)
{
	link->slots[batch->number & link->slot_mask].batch = NULL;
	batch->error = -ECANCELED;
}

int cr__redis_batch_finish(struct batch *batch)
{
	int r = 0;

	for (size_t i = batch->answered; i < batch->count; i++)
		batch->calls[i].status = batch->error;
	for (size_t i = 0; r == 0 && i < batch->count; i++)
		r = batch->calls[i].status;
	return batch->error < 0 ? batch->error : r;
}

int cr__redis_run(struct link *link, struct batch *batch)
{
	int r = cr__redis_send(link, batch);

	if (r < 0) {
		batch->error = r;
	} else {
		cr_event_wait(&batch->done);
		if (!cr_event_is_set(&batch->done))
			cr__redis_abandon(link, batch);
	}
	return cr__redis_batch_finish(batch);
}
