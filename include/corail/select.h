/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_SELECT_H
#define CORAIL_SELECT_H

/*
 * Select: waits for several things at once and takes exactly one of them.
 *
 *	cr_case cases[] = {
 *		cr_case_receive(&jobs, &job),
 *		cr_case_send(&log, &line),
 *		cr_case_task(worker),
 *		cr_case_readable(fd),
 *		cr_case_event(&stop),
 *	};
 *	int taken = cr_timeout(cr_seconds(5), cr_select(cases, 5));
 *
 *	switch (taken) {
 *	case 0: work_on(&job); break;              cases[0].result: 0, or -EPIPE, ...
 *	...
 *
 * One case is taken, with all its effects; the others are left as if they had never been asked for:
 * no value is received or sent by them. Which one, when several are ready, goes around, so that
 * none that is ready is passed over for ever (in sim it is the seed's choice). A deadline is the
 * scope's, as everywhere; cancellation ends all cases.
 *
 * What was taken is the index that cr_select() returns; how it went is that case's `result`. A case
 * that fails (a closed channel, a bad descriptor) is taken as well, with a negative result. The
 * array is yours, and holds what the wait needs, so that nothing is allocated. It can be used again
 * and again, by one task at a time.
 */

#include <corail/base.h>
#include <corail/task.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cr_chan;
struct cr_event;

/* One case; build it by the functions below. `result` is set when it was taken. */
typedef struct cr_case {
	int result;
	int cr__spare;
	uint64_t cr__private[19];
} cr_case;

/*
 * Waits until one of `count` cases can be taken, and takes it. Does not suspend when one can be at
 * once. Returns its index; -EINVAL for no case; -ECANCELED, and then none was taken.
 */
CORAIL_API CORAIL_SUSPENDS int cr_select(cr_case *cases, size_t count);

/* The same without waiting: -EAGAIN when none can be taken now. Does not suspend. */
CORAIL_API int cr_select_try(cr_case *cases, size_t count);

/*
 * Receives from a channel or queue into *ret_value, which is written if this case is taken.
 * Result: 0, or -EPIPE when it is closed and empty.
 */
#define cr_case_receive(chan, ret_value)                                                           \
	(cr__case_receive(&(chan)->cr__chan, CORAIL__CHAN_POINTER(chan, ret_value),                \
	                  sizeof *(chan)->cr__type))

/*
 * Sends a copy of *value to a channel or queue, read when this case is taken. Result: 0; -EPIPE
 * when it is closed; -ENOMEM of a queue.
 */
#define cr_case_send(chan, value)                                                                  \
	(cr__case_send(&(chan)->cr__chan, CORAIL__CHAN_POINTER(chan, value),                       \
	               sizeof *(chan)->cr__type))

/* Waits for a task to end. Result: the task's own, or as cr_await(): -ESRCH, -EDEADLK. */
CORAIL_API cr_case cr_case_task(cr_task task);

/*
 * Waits until a descriptor can be read, or written, without waiting; or for these events of
 * poll(2). Result: the events that hold (positive), or as cr_fd_poll(): -EBUSY, -EBADF, -ECANCELED
 * when it was closed meanwhile.
 */
CORAIL_API cr_case cr_case_readable(int fd);
CORAIL_API cr_case cr_case_writable(int fd);
CORAIL_API cr_case cr_case_poll(int fd, int events);

/* Waits until an event is set. Result: 0. */
CORAIL_API cr_case cr_case_event(struct cr_event *event);

CORAIL_API cr_case cr__case_receive(struct cr_chan *chan, void *ret_value, size_t size);
CORAIL_API cr_case cr__case_send(struct cr_chan *chan, const void *value, size_t size);

#ifdef __cplusplus
}
#endif
#endif
