/* SPDX-License-Identifier: MIT */
#include <corail/queue.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/panic.h"
#include "sync/chan.h"

#include <errno.h>

/*
 * Stores for channels that are queues: a ring that grows, a stack, a binary heap. A heap's entry is
 * the value, and behind it the number of its sending, which puts equal ones into their order.
 */

enum { ROOM_FIRST = 16, ALIGNMENT = 16 };

static cr_queue *queue_of(cr_chan *chan)
{
	return CR__CONTAINER(chan, cr_queue, cr__chan);
}

static size_t stride_of(const cr_queue *queue, size_t size)
{
	if (!queue->cr__compare)
		return size;
	return (size + sizeof(uint64_t) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static unsigned char *entry_at(const cr_queue *queue, size_t index, size_t stride)
{
	return (unsigned char *)queue->cr__chan.cr__buffer + index * stride;
}

/* Makes room for one more. Afterwards the oldest entry is the memory's first, if it moved. */
static int grow(cr_queue *queue, size_t stride)
{
	cr_chan *chan = &queue->cr__chan;
	size_t room = queue->cr__room ? 2 * queue->cr__room : ROOM_FIRST;
	size_t straight = queue->cr__room - chan->cr__head;
	unsigned char *buffer;

	if (chan->cr__length < queue->cr__room)
		return 0;
	if (room > chan->cr__capacity)
		room = chan->cr__capacity;
	buffer = room <= SIZE_MAX / stride ? cr__alloc(room * stride) : NULL;
	if (!buffer)
		return -ENOMEM;
	/* It is full: from the head to the end, and from the beginning to the head. */
	if (chan->cr__length > 0) {
		memcpy(buffer, entry_at(queue, chan->cr__head, stride), straight * stride);
		memcpy(buffer + straight * stride, chan->cr__buffer, chan->cr__head * stride);
	}
	cr__free(chan->cr__buffer);
	chan->cr__buffer = buffer;
	chan->cr__head = 0;
	queue->cr__room = room;
	return 0;
}

static void pass(cr_chan *chan)
{
	queue_of(chan)->cr__unfinished++;
}

/* ----------------------------------------------------------------------------- ring, stack --- */

static int ring_put(cr_chan *chan, const void *value, size_t size)
{
	cr_queue *queue = queue_of(chan);
	size_t place;
	int r = grow(queue, size);

	if (r < 0)
		return r;
	place = chan->cr__head + chan->cr__length++;
	if (place >= queue->cr__room)
		place -= queue->cr__room;
	memcpy(entry_at(queue, place, size), value, size);
	queue->cr__unfinished++;
	return 0;
}

static void ring_take(cr_chan *chan, void *ret_value, size_t size)
{
	const cr_queue *queue = queue_of(chan);

	memcpy(ret_value, entry_at(queue, chan->cr__head, size), size);
	if (++chan->cr__head == queue->cr__room)
		chan->cr__head = 0;
	chan->cr__length--;
}

static void stack_take(cr_chan *chan, void *ret_value, size_t size)
{
	memcpy(ret_value, entry_at(queue_of(chan), --chan->cr__length, size), size);
}

/* ------------------------------------------------------------------------------------- heap --- */

static uint64_t number_of(const unsigned char *entry, size_t size)
{
	uint64_t number;

	memcpy(&number, entry + size, sizeof number);
	return number;
}

static bool before(const cr_queue *queue, const unsigned char *a, const unsigned char *b,
                   size_t size)
{
	int order = queue->cr__compare(a, b);

	return order < 0 || (order == 0 && number_of(a, size) < number_of(b, size));
}

static int heap_put(cr_chan *chan, const void *value, size_t size)
{
	cr_queue *queue = queue_of(chan);
	size_t stride = stride_of(queue, size), hole = chan->cr__length;
	int r = grow(queue, stride);

	if (r < 0)
		return r;
	/* The newest one: it rises only above what really comes after it. */
	while (hole > 0) {
		unsigned char *parent = entry_at(queue, (hole - 1) / 2, stride);

		if (queue->cr__compare(value, parent) >= 0)
			break;
		memcpy(entry_at(queue, hole, stride), parent, stride);
		hole = (hole - 1) / 2;
	}
	memcpy(entry_at(queue, hole, stride), value, size);
	memcpy(entry_at(queue, hole, stride) + size, &queue->cr__sent, sizeof queue->cr__sent);
	queue->cr__sent++;
	chan->cr__length++;
	queue->cr__unfinished++;
	return 0;
}

static void heap_take(cr_chan *chan, void *ret_value, size_t size)
{
	const cr_queue *queue = queue_of(chan);
	size_t stride = stride_of(queue, size), hole = 0, length = --chan->cr__length, child;
	const unsigned char *last = entry_at(queue, length, stride);

	memcpy(ret_value, entry_at(queue, 0, stride), size);
	for (; (child = 2 * hole + 1) < length; hole = child) {
		if (child + 1 < length && before(queue, entry_at(queue, child + 1, stride),
		                                 entry_at(queue, child, stride), size))
			child++;
		if (!before(queue, entry_at(queue, child, stride), last, size))
			break;
		memcpy(entry_at(queue, hole, stride), entry_at(queue, child, stride), stride);
	}
	if (hole != length)
		memcpy(entry_at(queue, hole, stride), last, stride);
}

/* -------------------------------------------------------------------------------- the queue --- */

void cr__queue_init(cr_queue *queue, const cr_queue_options *given)
{
	static const struct cr__chan_store ring = {ring_put, ring_take, pass},
					   stack = {ring_put, stack_take, pass},
					   heap = {heap_put, heap_take, pass};
	static const cr_queue_options defaults;
	const cr_queue_options *options = given ? given : &defaults;

	memset(queue, 0, sizeof *queue);
	queue->cr__chan.cr__capacity = options->capacity ? options->capacity : SIZE_MAX;
	queue->cr__chan.cr__store = &ring;
	if (options->order == CORAIL_QUEUE_LIFO)
		queue->cr__chan.cr__store = &stack;
	if (options->order != CORAIL_QUEUE_PRIORITY)
		return;
	if (!options->compare)
		cr__panic("cr_queue_init(): a priority queue without a compare function");
	queue->cr__chan.cr__store = &heap;
	queue->cr__compare = options->compare;
}

int cr__queue_task_done(cr_queue *queue)
{
	if (queue->cr__unfinished == 0)
		return -EINVAL;
	if (--queue->cr__unfinished == 0)
		cr__chan_wake_all(&queue->cr__joiners, 0);
	return 0;
}

int cr__queue_join(cr_queue *queue, cr__chan_wait *wait)
{
	int r = cr__park_check("cr_queue_join");

	if (r < 0)
		return r;
	if (queue->cr__unfinished > 0 && queue->cr__chan.cr__capacity > 0)
		return cr__chan_park(&queue->cr__joiners, NULL, wait, "join");
	/* No capacity: it was freed, and what it held will never be done. */
	r = queue->cr__unfinished > 0 ? -EPIPE : 0;
	cr__budget_spend();
	return r;
}

void cr__queue_free(cr_queue *queue)
{
	queue->cr__chan.cr__owned = queue->cr__chan.cr__buffer != NULL;
	cr__chan_free(&queue->cr__chan);
	cr__chan_wake_all(&queue->cr__joiners, -EPIPE);
	queue->cr__room = 0;
}
