/* SPDX-License-Identifier: MIT */
#include <corail/chan_threadsafe.h>

#include "base/alloc.h"
#include "base/list.h"
#include "task/sched.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/*
 * Channels between threads: the same hand-over as in chan.c, under a lock. A value goes directly
 * into the frame of whoever waits, on whatever thread; then the task is woken by a post to its loop
 * that lies in the same frame, so that nothing is allocated and nothing can fail. A frame stays
 * until its own post has arrived: a cancellation that comes in between finds the wait done.
 */

struct cr_chan_threadsafe {
	pthread_mutex_t lock;
	struct cr__list receivers, senders;
	size_t capacity, size, length, head;
	bool closed;
	unsigned char ring[];
};

struct waiter {
	struct cr__wait wait;
	struct cr__list link;    /* in the channel's queue; under its lock */
	struct cr__list on_loop; /* in its loop's list; by that loop's thread only */
	cr_chan_threadsafe *chan;
	struct cr__loop *loop; /* NULL: a plain thread */
	struct cr__post post;
	pthread_cond_t woken; /* of a plain thread */
	void *value;
	int result;
	bool done, posted;
};

/*
 * The waiters of a loop. A loop ends when its tasks have, or when it had to abandon them: then
 * their frames vanish, and have to be taken out of the channels before.
 */
struct waiters {
	struct cr__closer closer;
	struct cr__list list;
};

/* ------------------------------------------------------------------------------------ loops --- */

static void waiters_abandon(struct cr__closer *closer)
{
	struct waiters *waiters = CR__CONTAINER(closer, struct waiters, closer);
	struct cr__list *node;

	while ((node = cr__list_first(&waiters->list)) != NULL) {
		struct waiter *waiter = CR__CONTAINER(node, struct waiter, on_loop);

		cr__list_remove(node);
		/* Whoever is just handing it something holds the lock until that is done. */
		pthread_mutex_lock(&waiter->chan->lock);
		cr__list_remove(&waiter->link);
		pthread_mutex_unlock(&waiter->chan->lock);
	}
}

static void waiters_free(struct cr__closer *closer)
{
	cr__free(CR__CONTAINER(closer, struct waiters, closer));
}

static struct waiters *waiters_of(struct cr__loop *loop)
{
	struct waiters *waiters;

	for (struct cr__closer *each = loop->closers; each; each = each->next)
		if (each->close == waiters_abandon)
			return CR__CONTAINER(each, struct waiters, closer);
	waiters = cr__alloc(sizeof *waiters);
	if (!waiters)
		return NULL;
	waiters->closer = (struct cr__closer){loop->closers, waiters_abandon, waiters_free};
	cr__list_init(&waiters->list);
	loop->closers = &waiters->closer;
	return waiters;
}

/* ------------------------------------------------------------------------ under the lock --- */

/* Ends the wait of the first in a queue, whose value was copied. */
static void finish_first(struct cr__list *queue, int result)
{
	struct waiter *waiter = CR__CONTAINER(queue->next, struct waiter, link);

	cr__list_remove(&waiter->link);
	waiter->result = result;
	waiter->done = true;
	if (!waiter->loop) {
		pthread_cond_signal(&waiter->woken);
	} else if (waiter->loop == cr__loop_self()) {
		cr__unpark(waiter->wait.task, result);
	} else {
		waiter->posted = true;
		cr__loop_post_foreign(waiter->loop, &waiter->post);
	}
}

static void *value_of_first(struct cr__list *queue)
{
	return CR__CONTAINER(queue->next, struct waiter, link)->value;
}

static void put(cr_chan_threadsafe *chan, const void *value)
{
	size_t place = chan->head + chan->length++;

	if (place >= chan->capacity)
		place -= chan->capacity;
	memcpy(chan->ring + place * chan->size, value, chan->size);
}

static int send_now(cr_chan_threadsafe *chan, const void *value)
{
	if (!cr__list_empty(&chan->receivers)) {
		memcpy(value_of_first(&chan->receivers), value, chan->size);
		finish_first(&chan->receivers, 0);
		return 0;
	}
	if (chan->closed)
		return -EPIPE;
	if (chan->length == chan->capacity)
		return -EAGAIN;
	put(chan, value);
	return 0;
}

static int receive_now(cr_chan_threadsafe *chan, void *ret_value)
{
	if (chan->length == 0)
		return chan->closed ? -EPIPE : -EAGAIN;
	memcpy(ret_value, chan->ring + chan->head * chan->size, chan->size);
	if (++chan->head == chan->capacity)
		chan->head = 0;
	chan->length--;
	if (!cr__list_empty(&chan->senders)) {
		put(chan, value_of_first(&chan->senders));
		finish_first(&chan->senders, 0);
	}
	return 0;
}

/* ---------------------------------------------------------------------------------- waiting --- */

static void post_arrived(void *arg)
{
	struct waiter *waiter = arg;

	cr__unpark(waiter->wait.task, waiter->result);
}

/* Its loop was ended around it, with the frame that it lies in. */
static void post_dropped(void *arg)
{
	(void)arg;
}

static enum cr__abort waiter_abort(struct cr__wait *wait)
{
	struct waiter *waiter = CR__CONTAINER(wait, struct waiter, wait);
	enum cr__abort answer = CR__ABORT_DONE;

	pthread_mutex_lock(&waiter->chan->lock);
	if (waiter->done)
		answer = CR__ABORT_LATER;
	else
		cr__list_remove(&waiter->link);
	pthread_mutex_unlock(&waiter->chan->lock);
	return answer;
}

/* Blocks this thread, which has the lock, until somebody ends the wait. */
static int block_in(struct cr__list *queue, struct waiter *waiter)
{
	pthread_cond_init(&waiter->woken, NULL);
	cr__list_push_back(queue, &waiter->link);
	while (!waiter->done)
		pthread_cond_wait(&waiter->woken, &waiter->chan->lock);
	pthread_mutex_unlock(&waiter->chan->lock);
	pthread_cond_destroy(&waiter->woken);
	return waiter->result;
}

/* Suspends the calling task, and lets go of the lock. */
static int park_in(struct cr__list *queue, struct waiter *waiter, const char *reason)
{
	struct cr__loop *loop = cr__loop_self();
	struct waiters *waiters = waiters_of(loop);
	int r;

	if (!waiters) {
		pthread_mutex_unlock(&waiter->chan->lock);
		return -ENOMEM;
	}
	waiter->wait = (struct cr__wait){.abort = waiter_abort, .reason = reason, .fd = -1};
	waiter->loop = loop;
	waiter->post = (struct cr__post){NULL, post_arrived, waiter, post_dropped};
	waiter->wait.task = cr__task_current(reason);
	cr__list_push_back(&waiters->list, &waiter->on_loop);
	cr__list_push_back(queue, &waiter->link);
	pthread_mutex_unlock(&waiter->chan->lock);
	r = cr__park(&waiter->wait);
	/* Whoever posted may still be waking the loop, which must not end meanwhile. */
	if (waiter->posted) {
		pthread_mutex_lock(&waiter->chan->lock);
		pthread_mutex_unlock(&waiter->chan->lock);
	}
	cr__list_remove(&waiter->on_loop);
	return r;
}

static int wait_in(cr_chan_threadsafe *chan, struct cr__list *queue, void *value,
                   const char *reason)
{
	struct waiter waiter = {.chan = chan, .value = value};

	return cr__loop_self() ? park_in(queue, &waiter, reason) : block_in(queue, &waiter);
}

/* Nothing to check for a plain thread; a task may be cancelled, and a callback may not wait. */
static int check(const char *caller)
{
	return cr__loop_self() ? cr__park_check(caller) : 0;
}

static int finished(int result)
{
	if (cr__loop_self())
		cr__budget_spend();
	return result;
}

int cr__chan_send_threadsafe(cr_chan_threadsafe *chan, const void *value)
{
	int r = check("cr_chan_send_threadsafe");

	if (r < 0)
		return r;
	pthread_mutex_lock(&chan->lock);
	r = send_now(chan, value);
	if (r == -EAGAIN)
		return wait_in(chan, &chan->senders, (void *)value, "send");
	pthread_mutex_unlock(&chan->lock);
	return finished(r);
}

int cr__chan_receive_threadsafe(cr_chan_threadsafe *chan, void *ret_value)
{
	int r = check("cr_chan_receive_threadsafe");

	if (r < 0)
		return r;
	pthread_mutex_lock(&chan->lock);
	r = receive_now(chan, ret_value);
	if (r == -EAGAIN)
		return wait_in(chan, &chan->receivers, ret_value, "receive");
	pthread_mutex_unlock(&chan->lock);
	return finished(r);
}

int cr__chan_try_send_threadsafe(cr_chan_threadsafe *chan, const void *value)
{
	int r;

	pthread_mutex_lock(&chan->lock);
	r = send_now(chan, value);
	pthread_mutex_unlock(&chan->lock);
	return r;
}

int cr__chan_try_receive_threadsafe(cr_chan_threadsafe *chan, void *ret_value)
{
	int r;

	pthread_mutex_lock(&chan->lock);
	r = receive_now(chan, ret_value);
	pthread_mutex_unlock(&chan->lock);
	return r;
}

size_t cr__chan_length_threadsafe(cr_chan_threadsafe *chan)
{
	size_t length;

	pthread_mutex_lock(&chan->lock);
	length = chan->length;
	pthread_mutex_unlock(&chan->lock);
	return length;
}

/* ------------------------------------------------------------------------------------- life --- */

int cr__chan_open_threadsafe(size_t capacity, size_t size, cr_chan_threadsafe **ret_chan)
{
	cr_chan_threadsafe *chan;

	if (capacity == 0)
		return -EINVAL;
	if (capacity > (SIZE_MAX - sizeof *chan) / size)
		return -ENOMEM;
	chan = cr__alloc(sizeof *chan + capacity * size);
	if (!chan)
		return -ENOMEM;
	memset(chan, 0, sizeof *chan);
	pthread_mutex_init(&chan->lock, NULL);
	cr__list_init(&chan->receivers);
	cr__list_init(&chan->senders);
	chan->capacity = capacity;
	chan->size = size;
	*ret_chan = chan;
	return 0;
}

void cr__chan_close_threadsafe(cr_chan_threadsafe *chan)
{
	pthread_mutex_lock(&chan->lock);
	chan->closed = true;
	while (!cr__list_empty(&chan->receivers))
		finish_first(&chan->receivers, -EPIPE);
	while (!cr__list_empty(&chan->senders))
		finish_first(&chan->senders, -EPIPE);
	pthread_mutex_unlock(&chan->lock);
}

void cr__chan_free_threadsafe(cr_chan_threadsafe *chan)
{
	if (!chan)
		return;
	if (!cr__list_empty(&chan->receivers) || !cr__list_empty(&chan->senders))
		cr__panic("cr_chan_free_threadsafe(): somebody still waits in it");
	pthread_mutex_destroy(&chan->lock);
	cr__free(chan);
}
