/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CHAN_THREADSAFE_H
#define CORAIL_CHAN_THREADSAFE_H

/*
 * Channels between threads: from loop to loop, and between loops and plain threads.
 *
 *	typedef cr_chan_threadsafe_of(struct frame) frame_chan;
 *	frame_chan frames;
 *
 *	r = cr_chan_open_threadsafe(&frames, 64);
 *	r = cr_chan_send_threadsafe(&frames, frame);      in a task: suspends while it is full
 *	                                                  in a plain thread: blocks it
 *	r = cr_chan_receive_threadsafe(&frames, &frame);
 *	cr_chan_close_threadsafe(&frames);
 *	cr_chan_free_threadsafe(&frames);                 when no thread uses it any more
 *
 * As the channels of <corail/chan.h>, with three differences: they are always bounded, with a
 * capacity of one at least; they are allocated; and all calls may come from any thread. A thread
 * without a loop waits by blocking, and nothing cancels it but the channel's close. On the loop's
 * own stack, in a callback, only the forms that do not wait are allowed.
 *
 * Values are handed over in the order in which they were sent and to those who waited longest,
 * whatever thread they are on. A loop that sleeps is woken. A task that is cancelled while it waits
 * loses no value: what was handed to it already is returned by it. Tasks that wait here when their
 * loop ends are cancelled as all others are, and leave the channel.
 */

#include <corail/chan.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A channel without its type, shared by those who have its handle. */
typedef struct cr_chan_threadsafe cr_chan_threadsafe;

/* The type of a handle to a channel of T between threads; see cr_chan_of(). */
#define cr_chan_threadsafe_of(T)                                                                   \
	union {                                                                                    \
		cr_chan_threadsafe *cr__shared;                                                    \
		__typeof__(T) *cr__type;                                                           \
	}

/* Opens a channel of `capacity` values. Returns 0; -EINVAL for a capacity of 0; -ENOMEM. */
#define cr_chan_open_threadsafe(chan, capacity)                                                    \
	(cr__chan_open_threadsafe((capacity), sizeof *(chan)->cr__type, &(chan)->cr__shared))

/*
 * Sends a copy of a value. While the channel is full, suspends the calling task, or blocks a thread
 * that has no loop. Returns 0; -EPIPE when the channel is closed, or is while waiting; in tasks
 * also -ECANCELED, and -ENOMEM at the first wait on a loop. With an error, the value was not sent.
 */
#define cr_chan_send_threadsafe(chan, ...)                                                         \
	CORAIL__CHAN_SEND_THREADSAFE(chan, CORAIL__UNIQUE(value), (__VA_ARGS__))
#define CORAIL__CHAN_SEND_THREADSAFE(chan, value, expression)                                      \
	__extension__({                                                                            \
		__typeof__(*(chan)->cr__type) value = expression;                                  \
		cr__chan_send_threadsafe((chan)->cr__shared, &value);                              \
	})

/*
 * Receives the next value. While there is none, suspends the calling task, or blocks a thread that
 * has no loop. Returns 0; -EPIPE when the channel is closed and empty; in tasks also -ECANCELED,
 * and -ENOMEM at the first wait on a loop: then nothing was taken.
 */
#define cr_chan_receive_threadsafe(chan, ret_value)                                                \
	(cr__chan_receive_threadsafe((chan)->cr__shared, CORAIL__CHAN_POINTER(chan, ret_value)))

/* The same without waiting, from anywhere: -EAGAIN instead. */
#define cr_chan_try_send_threadsafe(chan, ...)                                                     \
	CORAIL__CHAN_TRY_SEND_THREADSAFE(chan, CORAIL__UNIQUE(value), (__VA_ARGS__))
#define CORAIL__CHAN_TRY_SEND_THREADSAFE(chan, value, expression)                                  \
	__extension__({                                                                            \
		__typeof__(*(chan)->cr__type) value = expression;                                  \
		cr__chan_try_send_threadsafe((chan)->cr__shared, &value);                          \
	})
#define cr_chan_try_receive_threadsafe(chan, ret_value)                                            \
	(cr__chan_try_receive_threadsafe((chan)->cr__shared, CORAIL__CHAN_POINTER(chan, ret_value)))

/* As cr_chan_close(). */
#define cr_chan_close_threadsafe(chan) (cr__chan_close_threadsafe((chan)->cr__shared))

/* How many values are buffered, at this moment. */
#define cr_chan_length_threadsafe(chan) (cr__chan_length_threadsafe((chan)->cr__shared))

/*
 * Gives the memory back. No thread may use the channel any more, and calls that a close has ended
 * must have returned; one that still waits in it is a programmer's error.
 */
#define cr_chan_free_threadsafe(chan) (cr__chan_free_threadsafe((chan)->cr__shared))

CORAIL_API int cr__chan_open_threadsafe(size_t capacity, size_t size,
                                        cr_chan_threadsafe **ret_chan);
CORAIL_API CORAIL_SUSPENDS int cr__chan_send_threadsafe(cr_chan_threadsafe *chan,
                                                        const void *value);
CORAIL_API CORAIL_SUSPENDS int cr__chan_receive_threadsafe(cr_chan_threadsafe *chan,
                                                           void *ret_value);
CORAIL_API int cr__chan_try_send_threadsafe(cr_chan_threadsafe *chan, const void *value);
CORAIL_API int cr__chan_try_receive_threadsafe(cr_chan_threadsafe *chan, void *ret_value);
CORAIL_API void cr__chan_close_threadsafe(cr_chan_threadsafe *chan);
CORAIL_API size_t cr__chan_length_threadsafe(cr_chan_threadsafe *chan);
CORAIL_API void cr__chan_free_threadsafe(cr_chan_threadsafe *chan);

#ifdef __cplusplus
}
#endif
#endif
