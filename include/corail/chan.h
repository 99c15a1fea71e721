/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CHAN_H
#define CORAIL_CHAN_H

/*
 * Channels: values that pass from task to task.
 *
 *	typedef cr_chan_of(struct job) job_chan;
 *
 *	job_chan jobs = {0};               all zero: a rendezvous, needs no memory and no end
 *	r = cr_chan_send(&jobs, job);       copies the value; suspends until somebody takes it
 *	r = cr_chan_receive(&jobs, &job);   suspends until there is one
 *
 * A channel holds up to `capacity` values: a sender suspends when it is full, a receiver when it is
 * empty. With capacity 0 a send lasts until a receiver takes the value. Values come out in the
 * order in which they went in, and receivers, like senders, are served in the order in which they
 * came: a sender hands its value directly to a receiver that waits, who runs after the sender's
 * next suspension. Any number of tasks may send and receive.
 *
 * A channel is a struct in your own frame or object. All zero is a valid rendezvous channel. A
 * buffer comes from you (cr_chan_init()) or is allocated (cr_chan_open(), and then cr_chan_free()).
 * The struct must outlive the tasks that use it, as anything declared before their scope does.
 *
 * cr_chan_close() says that nothing more will be sent: what is in the buffer is still received,
 * then receivers get -EPIPE. That is how a stream of values ends:
 *
 *	while (cr_chan_receive(&jobs, &job) == 0)
 *		work_on(&job);
 *
 * No value is lost or invented by cancellation: a send that returns 0 has delivered its value once,
 * one that returns an error has not, and a value that a receiver was handed in the moment of its
 * cancellation is returned by it.
 *
 * Tasks and callbacks of one loop only. Between loops, and from plain threads, the channels that
 * <corail/chan_threadsafe.h> has. To wait for several at once: <corail/select.h>. Queues by
 * priority, last in first out or without bound: <corail/queue.h>.
 *
 * A value is any type that can be assigned (a struct, not an array); its size should be small, as
 * it is copied. The macros check types at compile time, and evaluate their arguments once.
 */

#include <corail/base.h>
#include <corail/task.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cr__chan_node;
struct cr__chan_store;

struct cr__chan_list {
	struct cr__chan_node *first, *last;
};

/* A channel without its type; its fields are private. All zero is valid. */
typedef struct cr_chan {
	struct cr__chan_list cr__receivers, cr__senders; /* who waits */
	void *cr__buffer;
	size_t cr__capacity, cr__length, cr__head;
	const struct cr__chan_store *cr__store; /* of a queue; NULL: a ring */
	unsigned cr__closed, cr__owned;
} cr_chan;

/* One wait, in the frame of whoever waits; private. */
typedef struct cr__chan_wait {
	uint64_t cr__private[12];
} cr__chan_wait;

/*
 * The type of a channel of T. Each use is a type of its own: name it by a typedef, or make it a
 * field, to speak of it twice.
 */
#define cr_chan_of(T)                                                                              \
	union {                                                                                    \
		cr_chan cr__chan;                                                                  \
		__typeof__(T) *cr__type;                                                           \
	}

/* `pointer`, if it is one to the channel's type; does not compile otherwise. */
#ifdef __cplusplus
extern "C++" {
template <class T> inline T *cr__same_type(T *pointer)
{
	return pointer;
}
}
#define CORAIL__CHAN_POINTER(chan, pointer) (cr__same_type<__typeof__(*(chan)->cr__type)>(pointer))
#else
#define CORAIL__CHAN_POINTER(chan, pointer)                                                        \
	(_Generic((pointer), __typeof__((chan)->cr__type) : (pointer)))
#endif

/*
 * Opens a channel of `capacity` values, allocated (none for 0). Give it back by cr_chan_free().
 * Returns 0 or -ENOMEM.
 */
#define cr_chan_open(chan, capacity)                                                               \
	(cr__chan_open(&(chan)->cr__chan, (capacity), sizeof *(chan)->cr__type))

/*
 * Opens a channel over `count` values of an array of yours, which it uses until it is closed and
 * empty. Cannot fail, and needs no cr_chan_free().
 */
#define cr_chan_init(chan, array, count)                                                           \
	(cr__chan_init(&(chan)->cr__chan, CORAIL__CHAN_POINTER(chan, array), (count)))

/*
 * Says that nothing more will be sent. Senders that wait get -EPIPE and keep their values;
 * receivers that wait get -EPIPE. What is buffered can still be received. Does not suspend; closing
 * twice is harmless.
 */
#define cr_chan_close(chan) (cr__chan_close(&(chan)->cr__chan))

/*
 * Closes the channel, drops what it still holds and gives the memory back. It stays closed. Does
 * not suspend. Accepts one that is all zero.
 */
#define cr_chan_free(chan) (cr__chan_free(&(chan)->cr__chan))

/*
 * Sends a copy of a value. Suspends while the channel is full (with capacity 0: until a receiver
 * takes it). Returns 0; -EPIPE when the channel is closed, or is while waiting; -ECANCELED; for
 * queues also -ENOMEM. With an error, the value was not sent.
 */
#define cr_chan_send(chan, ...)                                                                    \
	CORAIL__CHAN_SEND(chan, CORAIL__UNIQUE(value), CORAIL__UNIQUE(wait), (__VA_ARGS__))
#define CORAIL__CHAN_SEND(chan, value, wait, expression)                                           \
	__extension__({                                                                            \
		__typeof__(*(chan)->cr__type) value = expression;                                  \
		cr__chan_wait wait;                                                                \
		cr__chan_send(&(chan)->cr__chan, &value, sizeof value, &wait);                     \
	})

/*
 * Receives the next value into *ret_value. Suspends while there is none. Returns 0; -EPIPE when the
 * channel is closed and empty; -ECANCELED, and then nothing was taken.
 */
#define cr_chan_receive(chan, ret_value) CORAIL__CHAN_RECEIVE(chan, ret_value, CORAIL__UNIQUE(wait))
#define CORAIL__CHAN_RECEIVE(chan, ret_value, wait)                                                \
	__extension__({                                                                            \
		cr__chan_wait wait;                                                                \
		cr__chan_receive(&(chan)->cr__chan, CORAIL__CHAN_POINTER(chan, ret_value),         \
		                 sizeof *(chan)->cr__type, &wait);                                 \
	})

/*
 * The same without suspending, from tasks and callbacks of the loop: -EAGAIN when it would have to
 * wait.
 */
#define cr_chan_try_send(chan, ...)                                                                \
	CORAIL__CHAN_TRY_SEND(chan, CORAIL__UNIQUE(value), (__VA_ARGS__))
#define CORAIL__CHAN_TRY_SEND(chan, value, expression)                                             \
	__extension__({                                                                            \
		__typeof__(*(chan)->cr__type) value = expression;                                  \
		cr__chan_try_send(&(chan)->cr__chan, &value, sizeof value);                        \
	})
#define cr_chan_try_receive(chan, ret_value)                                                       \
	(cr__chan_try_receive(&(chan)->cr__chan, CORAIL__CHAN_POINTER(chan, ret_value),            \
	                      sizeof *(chan)->cr__type))

/* How many values are buffered; how many can be; whether it was closed: 1 or 0. */
#define cr_chan_length(chan) (cr__chan_length(&(chan)->cr__chan))
#define cr_chan_capacity(chan) (cr__chan_capacity(&(chan)->cr__chan))
#define cr_chan_is_closed(chan) (cr__chan_is_closed(&(chan)->cr__chan))

CORAIL_API int cr__chan_open(cr_chan *chan, size_t capacity, size_t size);
CORAIL_API void cr__chan_init(cr_chan *chan, void *buffer, size_t capacity);
CORAIL_API void cr__chan_close(cr_chan *chan);
CORAIL_API void cr__chan_free(cr_chan *chan);
CORAIL_API CORAIL_SUSPENDS int cr__chan_send(cr_chan *chan, const void *value, size_t size,
                                             cr__chan_wait *wait);
CORAIL_API CORAIL_SUSPENDS int cr__chan_receive(cr_chan *chan, void *ret_value, size_t size,
                                                cr__chan_wait *wait);
CORAIL_API int cr__chan_try_send(cr_chan *chan, const void *value, size_t size);
CORAIL_API int cr__chan_try_receive(cr_chan *chan, void *ret_value, size_t size);

static inline size_t cr__chan_length(const cr_chan *chan)
{
	return chan->cr__length;
}

static inline size_t cr__chan_capacity(const cr_chan *chan)
{
	return chan->cr__capacity;
}

static inline int cr__chan_is_closed(const cr_chan *chan)
{
	return chan->cr__closed != 0;
}

#ifdef __cplusplus
}
#endif
#endif
