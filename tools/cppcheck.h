/* SPDX-License-Identifier: MIT */
/*
 * Read by cppcheck before each file. It sees through no statement expression and no _Generic, and
 * gives a __COUNTER__ a new number wherever a macro's parameter stands: so here is what those
 * macros mean that check a type, or write through a pointer of the caller's.
 */
#include <corail/broadcast.h>
#include <corail/chan.h>
#include <corail/task.h>

#undef CORAIL__FN
#define CORAIL__FN(fn, arg) ((cr__fn)(fn))

#undef CORAIL__FN_ELEMENT
#define CORAIL__FN_ELEMENT(fn, array) ((cr__fn)(fn))

#undef CORAIL__CHAN_POINTER
#define CORAIL__CHAN_POINTER(chan, pointer) (pointer)

#undef cr_timeout
#define cr_timeout(duration, expression) ((void)(duration), (expression))

#undef cr_shield
#define cr_shield(grace, expression) ((void)(grace), (expression))

#undef cr_chan_receive
#define cr_chan_receive(chan, ret_value) (cr__chan_receive(&(chan)->cr__chan, (ret_value), 0, 0))

#undef cr_subscriber_receive
#define cr_subscriber_receive(subscriber, ret_value)                                               \
	(cr__subscriber_receive(&(subscriber)->cr__subscriber, (ret_value), 0))

#undef cr_watch_get
#define cr_watch_get(watch, ret_value) (*(ret_value) = (watch)->cr__value, 0)

#undef cr_watch_wait
#define cr_watch_wait(watch, version, ret_value)                                                   \
	(*(ret_value) = (watch)->cr__value, cr__watch_wait(&(watch)->cr__watch, *(version), 0))
