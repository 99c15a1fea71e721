/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_BROADCAST_H
#define CORAIL_BROADCAST_H

/*
 * One value for many: broadcasts, of which each subscriber gets every value, and watches, of which
 * everybody gets the latest.
 *
 *	typedef cr_broadcast_of(struct event) event_broadcast;
 *	typedef cr_subscriber_of(struct event) event_subscriber;
 *
 *	event_subscriber own;
 *	cr_broadcast_subscribe(&events, &own);
 *	while ((missed = cr_subscriber_receive(&own, &event)) >= 0)
 *		...
 *	cr_subscriber_leave(&own);
 *
 * A broadcast keeps its last `capacity` values, for those who are slower. What happens to one who
 * is slower than that is chosen at cr_broadcast_open(): it misses values, and its next receive says
 * how many; or senders wait for it.
 *
 * A watch is one value that changes: a configuration, a state. Who waits is woken by the next
 * change, and sees the latest value; changes that came too fast are skipped.
 *
 * Tasks and callbacks of one loop only. Structs in your own frame or object, which must outlive the
 * tasks that use them. Cancellation loses no value: it is there for the subscriber's next call.
 */

#include <corail/chan.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------------------- broadcast --- */

struct cr_subscriber;

/* What to do about subscribers that are more than the capacity behind. */
enum cr_broadcast_policy {
	CORAIL_BROADCAST_DROP = 0, /* they miss the oldest values */
	CORAIL_BROADCAST_WAIT,     /* senders wait for them */
};

/* A broadcast without its type, and a subscriber; their fields are private. */
typedef struct cr_broadcast {
	struct cr_subscriber *cr__first, *cr__last;
	struct cr__chan_list cr__senders;
	unsigned char *cr__buffer;
	size_t cr__capacity, cr__size, cr__count;
	uint64_t cr__sent;
	enum cr_broadcast_policy cr__policy;
	unsigned cr__closed;
} cr_broadcast;

typedef struct cr_subscriber {
	cr_broadcast *cr__broadcast;
	struct cr_subscriber *cr__next, *cr__prev;
	struct cr__chan_list cr__receivers;
	uint64_t cr__received;
} cr_subscriber;

/* The type of a broadcast of T; see cr_chan_of(). */
#define cr_broadcast_of(T)                                                                         \
	union {                                                                                    \
		cr_broadcast cr__broadcast;                                                        \
		__typeof__(T) *cr__type;                                                           \
	}

/* The type of a subscriber to a broadcast of T. */
#define cr_subscriber_of(T)                                                                        \
	union {                                                                                    \
		cr_subscriber cr__subscriber;                                                      \
		__typeof__(T) *cr__type;                                                           \
	}

/*
 * Opens a broadcast that keeps `capacity` values (at least one), with an enum cr_broadcast_policy.
 * Returns 0; -EINVAL for a capacity of 0; -ENOMEM.
 */
#define cr_broadcast_open(broadcast, capacity, policy)                                             \
	(cr__broadcast_open(&(broadcast)->cr__broadcast, (capacity),                               \
	                    sizeof *(broadcast)->cr__type, (policy)))

/*
 * Sends a copy of a value to all who have subscribed; to nobody, if there is none. With
 * CORAIL_BROADCAST_WAIT, suspends while the slowest subscriber is `capacity` values behind.
 * Returns how many subscribers there were; -EPIPE when it is closed, or is while waiting;
 * -ECANCELED. With an error, the value was not sent.
 */
#define cr_broadcast_send(broadcast, ...)                                                          \
	CORAIL__BROADCAST_SEND(broadcast, CORAIL__UNIQUE(value), CORAIL__UNIQUE(wait),             \
	                       (__VA_ARGS__))
#define CORAIL__BROADCAST_SEND(broadcast, value, wait, expression)                                 \
	__extension__({                                                                            \
		__typeof__(*(broadcast)->cr__type) value = expression;                             \
		cr__chan_wait wait;                                                                \
		cr__broadcast_send(&(broadcast)->cr__broadcast, &value, &wait);                    \
	})

/*
 * Says that nothing more will be sent: subscribers get what they have not received yet, then
 * -EPIPE. Does not suspend; closing twice is harmless.
 */
#define cr_broadcast_close(broadcast) (cr__broadcast_close(&(broadcast)->cr__broadcast))

/*
 * Closes the broadcast and gives the memory back. Subscribers that have not left have nothing more
 * to receive, and may leave later.
 */
#define cr_broadcast_free(broadcast) (cr__broadcast_free(&(broadcast)->cr__broadcast))

/* Subscribes: from now on, values are this subscriber's too. Does not suspend. */
#define cr_broadcast_subscribe(broadcast, subscriber)                                              \
	((void)sizeof(CORAIL__CHAN_POINTER(broadcast, (subscriber)->cr__type)),                    \
	 cr__broadcast_subscribe(&(broadcast)->cr__broadcast, &(subscriber)->cr__subscriber))

/*
 * Receives the subscriber's next value. Suspends while there is none. Returns how many values were
 * dropped before this one: 0, as a rule; -EPIPE when the broadcast is closed and all was received;
 * -ECANCELED.
 */
#define cr_subscriber_receive(subscriber, ret_value)                                               \
	CORAIL__SUBSCRIBER_RECEIVE(subscriber, ret_value, CORAIL__UNIQUE(wait))
#define CORAIL__SUBSCRIBER_RECEIVE(subscriber, ret_value, wait)                                    \
	__extension__({                                                                            \
		cr__chan_wait wait;                                                                \
		cr__subscriber_receive(&(subscriber)->cr__subscriber,                              \
		                       CORAIL__CHAN_POINTER(subscriber, ret_value), &wait);        \
	})

/* The same without suspending: -EAGAIN when there is none. */
#define cr_subscriber_try_receive(subscriber, ret_value)                                           \
	(cr__subscriber_try_receive(&(subscriber)->cr__subscriber,                                 \
	                            CORAIL__CHAN_POINTER(subscriber, ret_value)))

/*
 * Ends a subscription; who waits for its next value gets -EPIPE. Does not suspend; leaving twice is
 * harmless.
 */
#define cr_subscriber_leave(subscriber) (cr__subscriber_leave(&(subscriber)->cr__subscriber))

CORAIL_API int cr__broadcast_open(cr_broadcast *broadcast, size_t capacity, size_t size,
                                  enum cr_broadcast_policy policy);
CORAIL_API CORAIL_SUSPENDS int cr__broadcast_send(cr_broadcast *broadcast, const void *value,
                                                  cr__chan_wait *wait);
CORAIL_API void cr__broadcast_close(cr_broadcast *broadcast);
CORAIL_API void cr__broadcast_free(cr_broadcast *broadcast);
CORAIL_API void cr__broadcast_subscribe(cr_broadcast *broadcast, cr_subscriber *subscriber);
CORAIL_API CORAIL_SUSPENDS int cr__subscriber_receive(cr_subscriber *subscriber, void *ret_value,
                                                      cr__chan_wait *wait);
CORAIL_API int cr__subscriber_try_receive(cr_subscriber *subscriber, void *ret_value);
CORAIL_API void cr__subscriber_leave(cr_subscriber *subscriber);

/* ------------------------------------------------------------------------------------ watch --- */

/* A watch without its value; its fields are private. All zero is valid: not set yet. */
typedef struct cr_watch {
	struct cr__chan_list cr__waiters;
	uint64_t cr__version;
	unsigned cr__closed;
} cr_watch;

/* The type of a watch of T. All zero is valid. It needs no memory and no end. */
#define cr_watch_of(T)                                                                             \
	struct {                                                                                   \
		cr_watch cr__watch;                                                                \
		__typeof__(T) cr__value;                                                           \
	}

/* Sets the value, and wakes all who wait for a change. Does not suspend. */
#define cr_watch_set(watch, ...) CORAIL__WATCH_SET(watch, CORAIL__UNIQUE(own), (__VA_ARGS__))
#define CORAIL__WATCH_SET(watch, own, expression)                                                  \
	__extension__({                                                                            \
		__typeof__(watch) own = (watch);                                                   \
		own->cr__value = expression;                                                       \
		cr__watch_changed(&own->cr__watch);                                                \
	})

/* Reads the value. Returns 0, or -ENODATA when it was never set. Does not suspend. */
#define cr_watch_get(watch, ret_value)                                                             \
	CORAIL__WATCH_GET(watch, ret_value, CORAIL__UNIQUE(own), CORAIL__UNIQUE(result))
#define CORAIL__WATCH_GET(watch, ret_value, own, result)                                           \
	__extension__({                                                                            \
		__typeof__(watch) own = (watch);                                                   \
		int result = own->cr__watch.cr__version ? 0 : -ENODATA;                            \
		if (result == 0)                                                                   \
			*(ret_value) = own->cr__value;                                             \
		result;                                                                            \
	})

/*
 * Waits until the value is another than the one that the caller saw last, and reads it. *version (a
 * uint64_t *) says which one that was, 0 for none, and is set to the one that is returned. Returns
 * 0, without suspending when there is one; -EPIPE when the watch is closed and there is nothing
 * new; -ECANCELED.
 */
#define cr_watch_wait(watch, version, ret_value)                                                   \
	CORAIL__WATCH_WAIT(watch, version, ret_value, CORAIL__UNIQUE(own), CORAIL__UNIQUE(seen),   \
	                   CORAIL__UNIQUE(wait), CORAIL__UNIQUE(result))
#define CORAIL__WATCH_WAIT(watch, version, ret_value, own, seen, wait, result)                     \
	__extension__({                                                                            \
		__typeof__(watch) own = (watch);                                                   \
		uint64_t *seen = (version);                                                        \
		cr__chan_wait wait;                                                                \
		int result = cr__watch_wait(&own->cr__watch, *seen, &wait);                        \
		if (result == 0) {                                                                 \
			*seen = own->cr__watch.cr__version;                                        \
			*(ret_value) = own->cr__value;                                             \
		}                                                                                  \
		result;                                                                            \
	})

/* Says that the value will not change any more: who waits gets -EPIPE. Does not suspend. */
#define cr_watch_close(watch) (cr__watch_close(&(watch)->cr__watch))

CORAIL_API void cr__watch_changed(cr_watch *watch);
CORAIL_API CORAIL_SUSPENDS int cr__watch_wait(cr_watch *watch, uint64_t seen, cr__chan_wait *wait);
CORAIL_API void cr__watch_close(cr_watch *watch);

#ifdef __cplusplus
}
#endif
#endif
