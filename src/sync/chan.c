/* SPDX-License-Identifier: MIT */
#include "sync/chan.h"
#include "task/handover.h"

#include "base/alloc.h"

#include <errno.h>

/*
 * Sending and receiving. Both end in a tail call of the switch, and the record of the wait lies in
 * the caller's frame: what a round trip between two tasks costs is two switches and little else.
 *
 * Only what goes through the store counts against the budget: handing over makes another task
 * runnable, and of those that wait there are only so many until this one suspends.
 */

static struct cr__chan_waiter *waiter_of(struct cr__chan_node *node)
{
	return CR__CONTAINER(node, struct cr__chan_waiter, node);
}

static inline void unlink_first(struct cr__chan_list *list)
{
	struct cr__chan_node *next = list->first->next;

	list->first = next;
	if (next)
		next->prev = NULL;
	else
		list->last = NULL;
}

/* Wakes the first in a list, which is no case of a select, and whose value was copied. */
static inline void wake_waiter(struct cr__sched *s, struct cr__chan_list *list, int result)
{
	struct cr__task *task = waiter_of(list->first)->wait.task;

	unlink_first(list);
	cr__wake(s, task, result);
}

/* The same for whatever is the first. */
static void wake_first(struct cr__sched *s, struct cr__chan_list *list, int result)
{
	struct cr__case *of_case = list->first->of_case;

	if (!of_case) {
		wake_waiter(s, list, result);
		return;
	}
	unlink_first(list);
	of_case->result = result;
	cr__case_take(of_case);
}

/* ------------------------------------------------------------------------------------ store --- */

static inline unsigned char *ring_at(cr_chan *chan, size_t place, size_t size)
{
	return (unsigned char *)chan->cr__buffer + place * size;
}

static inline unsigned char *ring_end(cr_chan *chan, size_t size)
{
	size_t place = chan->cr__head + chan->cr__length;

	return ring_at(chan, place < chan->cr__capacity ? place : place - chan->cr__capacity, size);
}

static inline void ring_advance(cr_chan *chan)
{
	if (++chan->cr__head == chan->cr__capacity)
		chan->cr__head = 0;
	chan->cr__length--;
}

static int store_put(cr_chan *chan, const void *value, size_t size)
{
	if (chan->cr__store)
		return chan->cr__store->put(chan, value, size);
	memcpy(ring_end(chan, size), value, size);
	chan->cr__length++;
	return 0;
}

static void store_take(cr_chan *chan, void *ret_value, size_t size)
{
	if (chan->cr__store) {
		chan->cr__store->take(chan, ret_value, size);
		return;
	}
	memcpy(ret_value, ring_at(chan, chan->cr__head, size), size);
	ring_advance(chan);
}

/* ------------------------------------------------------------------------- without waiting --- */

int cr__chan_send_now(cr_chan *chan, const void *value, size_t size)
{
	if (chan->cr__receivers.first) {
		memcpy(chan->cr__receivers.first->value, value, size);
		if (chan->cr__store)
			chan->cr__store->pass(chan);
		wake_first(cr__sched_self(), &chan->cr__receivers, 0);
		return 0;
	}
	if (chan->cr__closed)
		return -EPIPE;
	return chan->cr__length < chan->cr__capacity ? store_put(chan, value, size) : -EAGAIN;
}

int cr__chan_receive_now(cr_chan *chan, void *ret_value, size_t size)
{
	struct cr__chan_node *sender = chan->cr__senders.first;

	if (chan->cr__length > 0) {
		store_take(chan, ret_value, size);
		/* The place goes to who waited longest, before anybody else can have it. */
		if (sender)
			wake_first(cr__sched_self(), &chan->cr__senders,
			           store_put(chan, sender->value, size));
		return 0;
	}
	if (sender) {
		memcpy(ret_value, sender->value, size);
		wake_first(cr__sched_self(), &chan->cr__senders, 0);
		return 0;
	}
	return chan->cr__closed ? -EPIPE : -EAGAIN;
}

/* ---------------------------------------------------------------------------------- waiting --- */

static enum cr__abort waiter_abort(struct cr__wait *wait)
{
	cr__chan_unlink(&CR__CONTAINER(wait, struct cr__chan_waiter, wait)->node);
	return CR__ABORT_DONE;
}

static inline int wait_in(struct cr__sched *s, struct cr__chan_list *list, void *value,
                          cr__chan_wait *opaque, const char *reason)
{
	struct cr__chan_waiter *waiter = (struct cr__chan_waiter *)(void *)opaque;

	waiter->wait.abort = waiter_abort;
	waiter->wait.reason = reason;
	waiter->wait.fd = -1;
	waiter->wait.holder = NULL;
	waiter->node.value = value;
	waiter->node.of_case = NULL;
	cr__chan_link(list, &waiter->node);
	return cr__park_in(s, cr__running(s), &waiter->wait);
}

/* What went through the store, and may have to let the others run. */
static inline int stored(struct cr__sched *s)
{
	return __builtin_expect(cr__budget_used_up(s), 0) ? cr__budget_yield(s) : 0;
}

/* What is rare, kept out of the hot functions so that they need no frame. */
static __attribute__((noinline)) int send_slowly(struct cr__sched *s, cr_chan *chan,
                                                 const void *value, size_t size,
                                                 cr__chan_wait *wait)
{
	int r;

	if (cr__node_cancelled(cr__running(s)->inner))
		return cr__park_refuse();
	r = cr__chan_send_now(chan, value, size);
	if (r == -EAGAIN)
		return wait_in(s, &chan->cr__senders, (void *)value, wait, "send");
	cr__budget_spend();
	return r;
}

/* Most values are words: no call for those. */
static inline void copy_word(void *to, const void *from, size_t size)
{
	if (size == 8)
		memcpy(to, from, 8);
	else
		memcpy(to, from, 4);
}

/* Whether the hot functions leave it to the slow ones, which know everything. */
static inline bool is_rare(const struct cr__sched *s, const cr_chan *chan, size_t size)
{
	return s->special || chan->cr__closed || chan->cr__store || (size != 8 && size != 4);
}

int cr__chan_send(cr_chan *chan, const void *value, size_t size, cr__chan_wait *wait)
{
	struct cr__sched *s = cr__sched_in_task("cr_chan_send");
	const struct cr__chan_node *receiver = chan->cr__receivers.first;

	if (__builtin_expect(is_rare(s, chan, size), 0))
		return send_slowly(s, chan, value, size, wait);
	if (receiver) {
		if (__builtin_expect(receiver->of_case != NULL, 0))
			return send_slowly(s, chan, value, size, wait);
		copy_word(receiver->value, value, size);
		wake_waiter(s, &chan->cr__receivers, 0);
		return 0;
	}
	if (chan->cr__length < chan->cr__capacity) {
		copy_word(ring_end(chan, size), value, size);
		chan->cr__length++;
		return stored(s);
	}
	return wait_in(s, &chan->cr__senders, (void *)value, wait, "send");
}

static __attribute__((noinline)) int receive_slowly(struct cr__sched *s, cr_chan *chan,
                                                    void *ret_value, size_t size,
                                                    cr__chan_wait *wait)
{
	int r;

	if (cr__node_cancelled(cr__running(s)->inner))
		return cr__park_refuse();
	r = cr__chan_receive_now(chan, ret_value, size);
	if (r == -EAGAIN)
		return wait_in(s, &chan->cr__receivers, ret_value, wait, "receive");
	cr__budget_spend();
	return r;
}

int cr__chan_receive(cr_chan *chan, void *ret_value, size_t size, cr__chan_wait *wait)
{
	struct cr__sched *s = cr__sched_in_task("cr_chan_receive");
	const struct cr__chan_node *sender = chan->cr__senders.first;

	if (__builtin_expect(is_rare(s, chan, size), 0))
		return receive_slowly(s, chan, ret_value, size, wait);
	if (sender) {
		if (__builtin_expect(sender->of_case || chan->cr__length > 0, 0))
			return receive_slowly(s, chan, ret_value, size, wait);
		copy_word(ret_value, sender->value, size);
		wake_waiter(s, &chan->cr__senders, 0);
		return 0;
	}
	if (chan->cr__length > 0) {
		copy_word(ret_value, ring_at(chan, chan->cr__head, size), size);
		ring_advance(chan);
		return stored(s);
	}
	return wait_in(s, &chan->cr__receivers, ret_value, wait, "receive");
}

int cr__chan_park(struct cr__chan_list *list, void *value, cr__chan_wait *wait, const char *reason)
{
	return wait_in(cr__sched_self(), list, value, wait, reason);
}

void cr__chan_wake_first(struct cr__chan_list *list, int result)
{
	wake_first(cr__sched_self(), list, result);
}

/* One by one: a cr_select() may stand in a list twice, and leaves it at once. */
void cr__chan_wake_all(struct cr__chan_list *list, int result)
{
	while (list->first)
		wake_first(cr__sched_self(), list, result);
}

static void check_loop(const char *caller)
{
	if (!cr__sched_self())
		cr__panic("%s() called without a loop; see cr_run()", caller);
}

int cr__chan_try_send(cr_chan *chan, const void *value, size_t size)
{
	check_loop("cr_chan_try_send");
	return cr__chan_send_now(chan, value, size);
}

int cr__chan_try_receive(cr_chan *chan, void *ret_value, size_t size)
{
	check_loop("cr_chan_try_receive");
	return cr__chan_receive_now(chan, ret_value, size);
}

/* ------------------------------------------------------------------------- opening, closing --- */

int cr__chan_open(cr_chan *chan, size_t capacity, size_t size)
{
	void *buffer = NULL;

	if (capacity > 0) {
		buffer = capacity <= SIZE_MAX / size ? cr__alloc(capacity * size) : NULL;
		if (!buffer)
			return -ENOMEM;
	}
	cr__chan_init(chan, buffer, capacity);
	chan->cr__owned = buffer != NULL;
	return 0;
}

void cr__chan_init(cr_chan *chan, void *buffer, size_t capacity)
{
	memset(chan, 0, sizeof *chan);
	chan->cr__buffer = buffer;
	chan->cr__capacity = capacity;
}

void cr__chan_close(cr_chan *chan)
{
	chan->cr__closed = 1;
	cr__chan_wake_all(&chan->cr__receivers, -EPIPE);
	cr__chan_wake_all(&chan->cr__senders, -EPIPE);
}

void cr__chan_free(cr_chan *chan)
{
	cr__chan_close(chan);
	if (chan->cr__owned)
		cr__free(chan->cr__buffer);
	chan->cr__buffer = NULL;
	chan->cr__owned = 0;
	chan->cr__capacity = chan->cr__length = chan->cr__head = 0;
}
