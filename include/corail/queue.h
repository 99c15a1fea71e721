/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_QUEUE_H
#define CORAIL_QUEUE_H

/*
 * Queues of work: by priority, last in first out, or first in first out, bounded or not, and a way
 * to wait until all of it is done.
 *
 *	typedef cr_queue_of(struct job) job_queue;
 *	job_queue jobs;
 *
 *	cr_queue_options by_urgency = {.order = CORAIL_QUEUE_PRIORITY, .compare = urgency};
 *
 *	cr_queue_init(&jobs, &by_urgency);
 *	r = cr_chan_send(&jobs, job);
 *
 *	while (cr_chan_receive(&jobs, &job) == 0) {          in each worker
 *		work_on(&job);
 *		cr_queue_task_done(&jobs);
 *	}
 *
 *	r = cr_queue_join(&jobs);                            until every job was done
 *	cr_chan_close(&jobs);                                the workers end
 *	cr_queue_free(&jobs);
 *
 * A queue is a channel with another store: all that <corail/chan.h> has for channels (send,
 * receive, the forms that do not wait, close, length) and the cases of cr_select() take queues as
 * well. What asyncio calls put and get is cr_chan_send() and cr_chan_receive().
 *
 * Memory is taken as the queue grows, so that a send to one that is not bounded never waits, and
 * may fail with -ENOMEM.
 */

#include <corail/chan.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cr_queue_order {
	CORAIL_QUEUE_FIFO = 0,
	CORAIL_QUEUE_LIFO,
	CORAIL_QUEUE_PRIORITY, /* the least first; of equal ones, the first that was sent */
};

/* All zero means: first in first out, without bound. */
typedef struct cr_queue_options {
	enum cr_queue_order order;
	size_t capacity; /* most values at once; 0: no bound */
	/*
	 * For CORAIL_QUEUE_PRIORITY: as qsort(3)'s, negative when the value at `a` comes before
	 * that at `b`. Must not suspend
	 */
	int (*compare)(const void *a, const void *b);
} cr_queue_options;

/* A queue without its type; its fields are private. */
typedef struct cr_queue {
	cr_chan cr__chan;
	struct cr__chan_list cr__joiners;
	int (*cr__compare)(const void *a, const void *b);
	size_t cr__room; /* of the memory, in values */
	size_t cr__unfinished;
	uint64_t cr__sent;
} cr_queue;

/* The type of a queue of T; see cr_chan_of(). */
#define cr_queue_of(T)                                                                             \
	union {                                                                                    \
		cr_queue cr__queue;                                                                \
		cr_chan cr__chan;                                                                  \
		__typeof__(T) *cr__type;                                                           \
	}

/*
 * Prepares a queue; `options` may be NULL. Cannot fail: memory is taken as values come. A priority
 * queue without a compare function is a programmer's error.
 */
#define cr_queue_init(queue, options) (cr__queue_init(&(queue)->cr__queue, (options)))

/*
 * Says that one received value was worked on. Returns 0, or -EINVAL when that was said as often as
 * values were sent. Does not suspend.
 */
#define cr_queue_task_done(queue) (cr__queue_task_done(&(queue)->cr__queue))

/*
 * Waits until cr_queue_task_done() was called for every value that was sent. Returns 0, without
 * suspending when it is so already; -EPIPE when the queue was freed, or is while waiting, with work
 * left undone; -ECANCELED.
 */
#define cr_queue_join(queue) CORAIL__QUEUE_JOIN(queue, CORAIL__UNIQUE(wait))
#define CORAIL__QUEUE_JOIN(queue, wait)                                                            \
	__extension__({                                                                            \
		cr__chan_wait wait;                                                                \
		cr__queue_join(&(queue)->cr__queue, &wait);                                        \
	})

/* How many values were sent and are not done yet. */
#define cr_queue_unfinished(queue) (cr__queue_unfinished(&(queue)->cr__queue))

/*
 * Closes the queue, drops what it still holds and gives the memory back. Those who wait in
 * cr_queue_join() get -EPIPE if work was left undone.
 */
#define cr_queue_free(queue) (cr__queue_free(&(queue)->cr__queue))

CORAIL_API void cr__queue_init(cr_queue *queue, const cr_queue_options *options);
CORAIL_API int cr__queue_task_done(cr_queue *queue);
CORAIL_API CORAIL_SUSPENDS int cr__queue_join(cr_queue *queue, cr__chan_wait *wait);
CORAIL_API void cr__queue_free(cr_queue *queue);

static inline size_t cr__queue_unfinished(const cr_queue *queue)
{
	return queue->cr__unfinished;
}

#ifdef __cplusplus
}
#endif
#endif
