/* SPDX-License-Identifier: MIT */
#include <corail/broadcast.h>

#include "base/alloc.h"
#include "sync/chan.h"

#include <errno.h>
#include <limits.h>

/*
 * The broadcast: one ring for all, and a place in it for each subscriber. Places are counted from
 * the first value ever sent, so that being behind is a subtraction. A subscriber that waits has
 * received everything: the next value goes directly into its frame.
 */

static unsigned char *place_of(const cr_broadcast *broadcast, uint64_t number)
{
	return broadcast->cr__buffer + number % broadcast->cr__capacity * broadcast->cr__size;
}

int cr__broadcast_open(cr_broadcast *broadcast, size_t capacity, size_t size,
                       enum cr_broadcast_policy policy)
{
	unsigned char *buffer;

	if (capacity == 0)
		return -EINVAL;
	buffer = capacity <= SIZE_MAX / size ? cr__alloc(capacity * size) : NULL;
	if (!buffer)
		return -ENOMEM;
	*broadcast = (cr_broadcast){
		.cr__buffer = buffer,
		.cr__capacity = capacity,
		.cr__size = size,
		.cr__policy = policy,
	};
	return 0;
}

/* Whether a value can be sent: nobody who counts is a whole ring behind. */
static bool has_room(const cr_broadcast *broadcast)
{
	if (broadcast->cr__policy == CORAIL_BROADCAST_DROP)
		return true;
	for (const cr_subscriber *each = broadcast->cr__first; each; each = each->cr__next)
		if (broadcast->cr__sent - each->cr__received >= broadcast->cr__capacity)
			return false;
	return true;
}

/* Returns how many subscribers there are. */
static int publish(cr_broadcast *broadcast, const void *value)
{
	memcpy(place_of(broadcast, broadcast->cr__sent), value, broadcast->cr__size);
	broadcast->cr__sent++;
	for (cr_subscriber *each = broadcast->cr__first; each; each = each->cr__next) {
		if (!each->cr__receivers.first)
			continue;
		memcpy(each->cr__receivers.first->value, value, broadcast->cr__size);
		each->cr__received = broadcast->cr__sent;
		cr__chan_wake_first(&each->cr__receivers, 0);
	}
	return broadcast->cr__count > INT_MAX ? INT_MAX : (int)broadcast->cr__count;
}

/* Lets senders that wait go on, first come first, for as long as there is room. */
static void admit(cr_broadcast *broadcast)
{
	while (broadcast->cr__senders.first && has_room(broadcast)) {
		int count = publish(broadcast, broadcast->cr__senders.first->value);

		cr__chan_wake_first(&broadcast->cr__senders, count);
	}
}

int cr__broadcast_send(cr_broadcast *broadcast, const void *value, cr__chan_wait *wait)
{
	int r = cr__park_check("cr_broadcast_send");

	if (r < 0)
		return r;
	if (broadcast->cr__closed)
		r = -EPIPE;
	else if (broadcast->cr__senders.first || !has_room(broadcast))
		return cr__chan_park(&broadcast->cr__senders, (void *)value, wait, "send");
	else
		r = publish(broadcast, value);
	cr__budget_spend();
	return r;
}

void cr__broadcast_close(cr_broadcast *broadcast)
{
	broadcast->cr__closed = 1;
	cr__chan_wake_all(&broadcast->cr__senders, -EPIPE);
	for (cr_subscriber *each = broadcast->cr__first; each; each = each->cr__next)
		cr__chan_wake_all(&each->cr__receivers, -EPIPE);
}

void cr__broadcast_free(cr_broadcast *broadcast)
{
	cr__broadcast_close(broadcast);
	while (broadcast->cr__first)
		cr__subscriber_leave(broadcast->cr__first);
	cr__free(broadcast->cr__buffer);
	broadcast->cr__buffer = NULL;
}

/* ------------------------------------------------------------------------------ subscribers --- */

void cr__broadcast_subscribe(cr_broadcast *broadcast, cr_subscriber *subscriber)
{
	*subscriber = (cr_subscriber){
		.cr__broadcast = broadcast,
		.cr__prev = broadcast->cr__last,
		.cr__received = broadcast->cr__sent,
	};
	if (broadcast->cr__last)
		broadcast->cr__last->cr__next = subscriber;
	else
		broadcast->cr__first = subscriber;
	broadcast->cr__last = subscriber;
	broadcast->cr__count++;
}

int cr__subscriber_try_receive(cr_subscriber *subscriber, void *ret_value)
{
	cr_broadcast *broadcast = subscriber->cr__broadcast;
	uint64_t behind, missed = 0;

	if (!broadcast)
		return -EPIPE;
	behind = broadcast->cr__sent - subscriber->cr__received;
	if (behind == 0)
		return broadcast->cr__closed ? -EPIPE : -EAGAIN;
	if (behind > broadcast->cr__capacity)
		missed = behind - broadcast->cr__capacity;
	subscriber->cr__received += missed;
	memcpy(ret_value, place_of(broadcast, subscriber->cr__received), broadcast->cr__size);
	subscriber->cr__received++;
	admit(broadcast);
	return missed > INT_MAX ? INT_MAX : (int)missed;
}

int cr__subscriber_receive(cr_subscriber *subscriber, void *ret_value, cr__chan_wait *wait)
{
	int r = cr__park_check("cr_subscriber_receive");

	if (r < 0)
		return r;
	r = cr__subscriber_try_receive(subscriber, ret_value);
	if (r == -EAGAIN)
		return cr__chan_park(&subscriber->cr__receivers, ret_value, wait, "receive");
	cr__budget_spend();
	return r;
}

void cr__subscriber_leave(cr_subscriber *subscriber)
{
	cr_broadcast *broadcast = subscriber->cr__broadcast;

	if (!broadcast)
		return;
	if (subscriber->cr__prev)
		subscriber->cr__prev->cr__next = subscriber->cr__next;
	else
		broadcast->cr__first = subscriber->cr__next;
	if (subscriber->cr__next)
		subscriber->cr__next->cr__prev = subscriber->cr__prev;
	else
		broadcast->cr__last = subscriber->cr__prev;
	subscriber->cr__broadcast = NULL;
	broadcast->cr__count--;
	cr__chan_wake_all(&subscriber->cr__receivers, -EPIPE);
	admit(broadcast);
}
