/* SPDX-License-Identifier: MIT */
/* Broadcasts and watches. */

#include "in_task.h"
#include "support/settle.h"

#include <corail/broadcast.h>

typedef cr_broadcast_of(int) int_broadcast;
typedef cr_subscriber_of(int) int_subscriber;
typedef cr_watch_of(int) int_watch;

static int each_gets_each(int *unused)
{
	int_broadcast broadcast;
	int_subscriber first, second;
	int value;

	(void)unused;
	CHECK_EQ(cr_broadcast_open(&broadcast, 0, CORAIL_BROADCAST_DROP), -EINVAL);
	CHECK_EQ(cr_broadcast_open(&broadcast, 4, CORAIL_BROADCAST_DROP), 0);
	CHECK_EQ(cr_broadcast_send(&broadcast, 0), 0);
	cr_broadcast_subscribe(&broadcast, &first);
	CHECK_EQ(cr_broadcast_send(&broadcast, 1), 1);
	cr_broadcast_subscribe(&broadcast, &second);
	CHECK_EQ(cr_broadcast_send(&broadcast, 2), 2);
	for (int i = 1; i <= 2; i++) {
		CHECK_EQ(cr_subscriber_receive(&first, &value), 0);
		CHECK_EQ(value, i);
	}
	CHECK_EQ(cr_subscriber_try_receive(&first, &value), -EAGAIN);
	CHECK_EQ(cr_subscriber_receive(&second, &value), 0);
	CHECK_EQ(value, 2);
	CHECK_EQ(cr_broadcast_send(&broadcast, 3), 2);
	cr_subscriber_leave(&first);
	cr_subscriber_leave(&first);
	CHECK_EQ(cr_subscriber_receive(&first, &value), -EPIPE);
	CHECK_EQ(cr_broadcast_send(&broadcast, 4), 1);
	cr_broadcast_close(&broadcast);
	CHECK_EQ(cr_broadcast_send(&broadcast, 5), -EPIPE);
	for (int i = 3; i <= 4; i++) {
		CHECK_EQ(cr_subscriber_receive(&second, &value), 0);
		CHECK_EQ(value, i);
	}
	CHECK_EQ(cr_subscriber_receive(&second, &value), -EPIPE);
	cr_broadcast_free(&broadcast);
	cr_subscriber_leave(&second);
	return 0;
}

static int lag_is_reported(int *unused)
{
	int_broadcast broadcast;
	int_subscriber slow;
	int value;

	(void)unused;
	CHECK_EQ(cr_broadcast_open(&broadcast, 3, CORAIL_BROADCAST_DROP), 0);
	cr_broadcast_subscribe(&broadcast, &slow);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(cr_broadcast_send(&broadcast, i), 1);
	CHECK_EQ(cr_subscriber_receive(&slow, &value), 7);
	CHECK_EQ(value, 7);
	CHECK_EQ(cr_subscriber_receive(&slow, &value), 0);
	CHECK_EQ(value, 8);
	CHECK_EQ(cr_subscriber_receive(&slow, &value), 0);
	CHECK_EQ(value, 9);
	cr_subscriber_leave(&slow);
	cr_broadcast_free(&broadcast);
	return 0;
}

enum { VALUES = 100 };

struct party {
	int_broadcast broadcast;
	int_subscriber subscriber;
	int sent, received, slow;
};

static int send_all(struct party *party)
{
	int r = 0;

	while (party->sent < VALUES && r >= 0) {
		r = cr_broadcast_send(&party->broadcast, party->sent);
		if (r >= 0)
			party->sent++;
	}
	cr_broadcast_close(&party->broadcast);
	return r < 0 ? r : 0;
}

static int receive_all(struct party *party)
{
	int value, r;

	while ((r = cr_subscriber_receive(&party->subscriber, &value)) == 0) {
		CHECK_EQ(value, party->received++);
		for (int i = 0; i < party->slow; i++)
			CHECK_EQ(cr_yield(), 0);
	}
	CHECK_EQ(r, -EPIPE);
	cr_subscriber_leave(&party->subscriber);
	return 0;
}

static int senders_wait_for_the_slowest(int *unused)
{
	struct party party = {.slow = 0}, others[3];
	CORAIL_SCOPE(scope);

	(void)unused;
	CHECK_EQ(cr_broadcast_open(&party.broadcast, 2, CORAIL_BROADCAST_WAIT), 0);
	cr_broadcast_subscribe(&party.broadcast, &party.subscriber);
	for (int i = 0; i < 3; i++) {
		others[i] = (struct party){.slow = i};
		cr_broadcast_subscribe(&party.broadcast, &others[i].subscriber);
	}
	cr_spawn(&scope, send_all, &party);
	settle();
	CHECK_EQ(party.sent, 2);
	/* One who leaves is waited for no more. */
	cr_subscriber_leave(&party.subscriber);
	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, receive_all, &others[i]);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(others[i].received, VALUES);
	cr_broadcast_free(&party.broadcast);
	return 0;
}

static int wait_for_one(struct party *party)
{
	return cr_subscriber_receive(&party->subscriber, &party->received);
}

static int waiting_subscribers(int *unused)
{
	int_broadcast broadcast;
	struct party waiting[3];
	cr_task tasks[3];
	int value;
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_scope_collect(&scope);
	CHECK_EQ(cr_broadcast_open(&broadcast, 1, CORAIL_BROADCAST_WAIT), 0);
	for (int i = 0; i < 3; i++) {
		waiting[i] = (struct party){.received = -1};
		cr_broadcast_subscribe(&broadcast, &waiting[i].subscriber);
		tasks[i] = cr_spawn(&scope, wait_for_one, &waiting[i]);
	}
	settle();
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	CHECK_EQ(cr_broadcast_send(&broadcast, 5), 3);
	/* Handed over and cancelled in the same turn: received. */
	CHECK_EQ(cr_task_cancel(tasks[2]), 0);
	CHECK_EQ(cr_await(tasks[0]), 0);
	CHECK_EQ(cr_await(tasks[1]), -ECANCELED);
	CHECK_EQ(cr_await(tasks[2]), 0);
	CHECK_EQ(waiting[0].received, 5);
	CHECK_EQ(waiting[2].received, 5);
	/* The cancelled one has lost nothing. */
	CHECK_EQ(cr_subscriber_receive(&waiting[1].subscriber, &value), 0);
	CHECK_EQ(value, 5);
	tasks[0] = cr_spawn(&scope, wait_for_one, &waiting[0]);
	tasks[1] = cr_spawn(&scope, wait_for_one, &waiting[1]);
	settle();
	cr_subscriber_leave(&waiting[0].subscriber);
	CHECK_EQ(cr_await(tasks[0]), -EPIPE);
	cr_broadcast_free(&broadcast);
	CHECK_EQ(cr_await(tasks[1]), -EPIPE);
	return 0;
}

/* ------------------------------------------------------------------------------------ watch --- */

struct watcher {
	int_watch *watch;
	uint64_t version;
	int value, changes;
};

static int watch_to_the_end(struct watcher *watcher)
{
	int r;

	while ((r = cr_watch_wait(watcher->watch, &watcher->version, &watcher->value)) == 0)
		watcher->changes++;
	return r == -EPIPE ? 0 : r;
}

static int latest_value(int *unused)
{
	int_watch watch = {0};
	struct watcher watcher = {.watch = &watch};
	uint64_t version = 0;
	int value = 0;
	CORAIL_SCOPE(scope);

	(void)unused;
	CHECK_EQ(cr_watch_get(&watch, &value), -ENODATA);
	cr_spawn(&scope, watch_to_the_end, &watcher);
	settle();
	CHECK_EQ(watcher.changes, 0);
	cr_watch_set(&watch, 1);
	CHECK_EQ(cr_watch_get(&watch, &value), 0);
	CHECK_EQ(value, 1);
	CHECK_EQ(cr_watch_wait(&watch, &version, &value), 0);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_watch_wait(&watch, &version, &value)), -ETIMEDOUT);
	CHECK_EQ(watcher.changes, 1);
	CHECK_EQ(watcher.value, 1);
	/* Two at once: one change, the latest value. */
	cr_watch_set(&watch, 2);
	cr_watch_set(&watch, 3);
	settle();
	CHECK_EQ(watcher.changes, 2);
	CHECK_EQ(watcher.value, 3);
	cr_watch_set(&watch, 4);
	cr_watch_close(&watch);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(watcher.changes, 3);
	CHECK_EQ(watcher.value, 4);
	CHECK_EQ(cr_watch_wait(&watch, &version, &value), 0);
	CHECK_EQ(value, 4);
	CHECK_EQ(cr_watch_wait(&watch, &version, &value), -EPIPE);
	return 0;
}

int main(void)
{
	RUN_TASK(each_gets_each);
	RUN_TASK(lag_is_reported);
	RUN_TASK(senders_wait_for_the_slowest);
	RUN_TASK(waiting_subscribers);
	RUN_TASK(latest_value);
	return test_done();
}
