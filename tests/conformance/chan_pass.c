/* SPDX-License-Identifier: MIT */
/* Channels: capacity, rendezvous, order, closing, cancellation. */

#include "in_task.h"
#include "support/settle.h"

#include <corail/chan.h>

typedef cr_chan_of(int) int_chan;

/* A task that sends or receives once, and what became of it. */
struct one {
	int_chan *chan;
	int value, result, ended;
	int *order, place;
};

static int send_one(struct one *one)
{
	one->result = cr_chan_send(one->chan, one->value);
	one->ended = 1;
	if (one->order)
		one->place = ++*one->order;
	return 0;
}

static int receive_one(struct one *one)
{
	one->result = cr_chan_receive(one->chan, &one->value);
	one->ended = 1;
	if (one->order)
		one->place = ++*one->order;
	return 0;
}

/* Spawns it and lets it get to where it waits. */
static cr_task begin(cr_scope *scope, int (*fn)(struct one *), struct one *one)
{
	cr_task task = cr_spawn(scope, fn, one);

	settle();
	return task;
}

static int third_send_waits(int *unused)
{
	int buffer[2], value = 0;
	int_chan chan;
	struct one third = {.chan = &chan, .value = 3};
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_chan_init(&chan, buffer, 2);
	CHECK_EQ(cr_chan_capacity(&chan), 2);
	CHECK_EQ(cr_chan_send(&chan, 1), 0);
	CHECK_EQ(cr_chan_send(&chan, 2), 0);
	CHECK_EQ(cr_chan_length(&chan), 2);
	CHECK_EQ(cr_chan_try_send(&chan, 9), -EAGAIN);
	begin(&scope, send_one, &third);
	CHECK_EQ(third.ended, 0);
	CHECK_EQ(cr_chan_receive(&chan, &value), 0);
	CHECK_EQ(value, 1);
	/* Its place was taken at once: nobody slips in before it. */
	CHECK_EQ(cr_chan_try_send(&chan, 9), -EAGAIN);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(third.result, 0);
	for (int i = 2; i <= 3; i++) {
		CHECK_EQ(cr_chan_receive(&chan, &value), 0);
		CHECK_EQ(value, i);
	}
	CHECK_EQ(cr_chan_try_receive(&chan, &value), -EAGAIN);
	return 0;
}

static int rendezvous(int *unused)
{
	int_chan chan = {0};
	struct one sender = {.chan = &chan, .value = 7};
	int value = 0;
	CORAIL_SCOPE(scope);

	(void)unused;
	CHECK_EQ(cr_chan_capacity(&chan), 0);
	CHECK_EQ(cr_chan_try_send(&chan, 1), -EAGAIN);
	CHECK_EQ(cr_chan_try_receive(&chan, &value), -EAGAIN);
	begin(&scope, send_one, &sender);
	CHECK_EQ(sender.ended, 0);
	CHECK_EQ(cr_chan_length(&chan), 0);
	CHECK_EQ(cr_chan_try_receive(&chan, &value), 0);
	CHECK_EQ(value, 7);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(sender.result, 0);

	struct one receiver = {.chan = &chan};
	begin(&scope, receive_one, &receiver);
	CHECK_EQ(cr_chan_try_send(&chan, 8), 0);
	/* Handed over before the receiver has run. */
	CHECK_EQ(receiver.value, 8);
	CHECK_EQ(receiver.ended, 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(receiver.result, 0);
	return 0;
}

static int served_in_order(int *unused)
{
	int_chan chan = {0};
	struct one waiting[5];
	int order = 0, value;
	CORAIL_SCOPE(scope);

	(void)unused;
	for (int i = 0; i < 5; i++) {
		waiting[i] = (struct one){.chan = &chan, .order = &order};
		begin(&scope, receive_one, &waiting[i]);
	}
	for (int i = 0; i < 5; i++)
		CHECK_EQ(cr_chan_send(&chan, 10 + i), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(waiting[i].value, 10 + i);
		if (!on_sim())
			CHECK_EQ(waiting[i].place, i + 1);
	}
	for (int i = 0; i < 5; i++) {
		waiting[i] = (struct one){.chan = &chan, .value = 20 + i};
		begin(&scope, send_one, &waiting[i]);
	}
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(cr_chan_receive(&chan, &value), 0);
		CHECK_EQ(value, 20 + i);
	}
	return cr_scope_wait(&scope);
}

static int closes(int *unused)
{
	int_chan chan, empty = {0};
	struct one sender = {.chan = &chan, .value = 3}, receivers[2];
	int value;
	CORAIL_SCOPE(scope);

	(void)unused;
	CHECK_EQ(cr_chan_open(&chan, 2), 0);
	CHECK_EQ(cr_chan_send(&chan, 1), 0);
	CHECK_EQ(cr_chan_send(&chan, 2), 0);
	begin(&scope, send_one, &sender);
	for (int i = 0; i < 2; i++) {
		receivers[i] = (struct one){.chan = &empty};
		begin(&scope, receive_one, &receivers[i]);
	}
	CHECK_EQ(cr_chan_is_closed(&chan), 0);
	cr_chan_close(&chan);
	cr_chan_close(&chan);
	cr_chan_close(&empty);
	CHECK_EQ(cr_chan_is_closed(&chan), 1);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(sender.result, -EPIPE);
	CHECK_EQ(receivers[0].result, -EPIPE);
	CHECK_EQ(receivers[1].result, -EPIPE);
	CHECK_EQ(cr_chan_send(&chan, 4), -EPIPE);
	CHECK_EQ(cr_chan_try_send(&chan, 4), -EPIPE);
	for (int i = 1; i <= 2; i++) {
		CHECK_EQ(cr_chan_receive(&chan, &value), 0);
		CHECK_EQ(value, i);
	}
	CHECK_EQ(cr_chan_receive(&chan, &value), -EPIPE);
	CHECK_EQ(cr_chan_try_receive(&chan, &value), -EPIPE);
	cr_chan_free(&chan);
	cr_chan_free(&chan);
	CHECK_EQ(cr_chan_send(&chan, 4), -EPIPE);
	return 0;
}

static int cancelled_waits_leave_nothing(int *unused)
{
	int_chan chan = {0};
	struct one ones[3];
	cr_task tasks[3];
	int value;
	CORAIL_SCOPE(scope);

	(void)unused;
	for (int i = 0; i < 3; i++) {
		ones[i] = (struct one){.chan = &chan};
		tasks[i] = begin(&scope, receive_one, &ones[i]);
	}
	CHECK_EQ(cr_task_cancel(tasks[1]), 0);
	CHECK_EQ(cr_await(tasks[1]), 0);
	CHECK_EQ(ones[1].result, -ECANCELED);
	CHECK_EQ(cr_chan_send(&chan, 1), 0);
	CHECK_EQ(cr_chan_send(&chan, 2), 0);
	CHECK_EQ(cr_chan_try_send(&chan, 3), -EAGAIN);
	/* Handed over and cancelled in the same turn: the value counts. */
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(ones[0].result, 0);
	CHECK_EQ(ones[0].value, 1);
	CHECK_EQ(ones[2].value, 2);

	for (int i = 0; i < 3; i++) {
		ones[i] = (struct one){.chan = &chan, .value = i};
		tasks[i] = begin(&scope, send_one, &ones[i]);
	}
	CHECK_EQ(cr_task_cancel(tasks[0]), 0);
	CHECK_EQ(cr_await(tasks[0]), 0);
	CHECK_EQ(ones[0].result, -ECANCELED);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_chan_send(&chan, 9)), -ETIMEDOUT);
	for (int i = 1; i < 3; i++) {
		CHECK_EQ(cr_chan_receive(&chan, &value), 0);
		CHECK_EQ(value, i);
	}
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(cr_chan_try_receive(&chan, &value), -EAGAIN);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_chan_receive(&chan, &value)), -ETIMEDOUT);
	return 0;
}

static int refused_in_a_cancelled_scope(int *unused)
{
	int buffer[1], value;
	int_chan chan;
	CORAIL_SCOPE(scope);

	(void)unused;
	cr_chan_init(&chan, buffer, 1);
	cr_scope_cancel(&scope);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(cr_chan_send(&chan, 1), -ECANCELED);
		CHECK_EQ(cr_chan_receive(&chan, &value), -ECANCELED);
	}
	/* What does not suspend works. */
	CHECK_EQ(cr_chan_try_send(&chan, 1), 0);
	CHECK_EQ(cr_chan_try_receive(&chan, &value), 0);
	return 0;
}

/* A value of any size arrives whole. */
struct large {
	int number;
	char text[300];
};

typedef cr_chan_of(struct large) large_chan;
typedef cr_chan_of(char) char_chan;

static int produce(large_chan *chan)
{
	struct large large = {.number = 0};
	int r = 0;

	for (int i = 0; i < 100 && r == 0; i++) {
		large.number = i;
		snprintf(large.text, sizeof large.text, "number %d", i);
		r = cr_chan_send(chan, large);
	}
	cr_chan_close(chan);
	return r;
}

static int any_size(int *unused)
{
	int capacities[] = {0, 1, 7};
	char_chan letters;
	int_chan numbers;
	char letter = 0, text[32];
	struct large large;

	(void)unused;
	for (int c = 0; c < 3; c++) {
		int expected = 0;
		large_chan chan;
		CORAIL_SCOPE(scope);

		CHECK_EQ(cr_chan_open(&chan, (size_t)capacities[c]), 0);
		cr_spawn(&scope, produce, &chan);
		while (cr_chan_receive(&chan, &large) == 0) {
			CHECK_EQ(large.number, expected);
			snprintf(text, sizeof text, "number %d", expected++);
			CHECK_STR(large.text, text);
		}
		CHECK_EQ(expected, 100);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		cr_chan_free(&chan);
	}
	CHECK_EQ(cr_chan_open(&letters, 3), 0);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(cr_chan_send(&letters, (char)i), 0);
		CHECK_EQ(cr_chan_receive(&letters, &letter), 0);
		CHECK_EQ(letter, i);
	}
	cr_chan_free(&letters);
	CHECK_EQ(cr_chan_open(&numbers, SIZE_MAX / 2), -ENOMEM);
	return 0;
}

/* Several producers and consumers: every value arrives once. */
enum { EACH = 200, PRODUCERS = 4, CONSUMERS = 3 };

struct crowd {
	int_chan chan;
	int seen[EACH * PRODUCERS], producers, started;
};

static int produce_some(struct crowd *crowd)
{
	int first = crowd->started++ * EACH;

	for (int i = 0; i < EACH; i++)
		CHECK_EQ(cr_chan_send(&crowd->chan, first + i), 0);
	if (--crowd->producers == 0)
		cr_chan_close(&crowd->chan);
	return 0;
}

static int consume_some(struct crowd *crowd)
{
	int value;

	while (cr_chan_receive(&crowd->chan, &value) == 0)
		crowd->seen[value]++;
	return 0;
}

static int many_to_many(int *unused)
{
	(void)unused;
	for (size_t capacity = 0; capacity < 6; capacity++) {
		static struct crowd crowd;
		CORAIL_SCOPE(scope);

		memset(&crowd, 0, sizeof crowd);
		crowd.producers = PRODUCERS;
		CHECK_EQ(cr_chan_open(&crowd.chan, capacity), 0);
		for (int i = 0; i < PRODUCERS; i++)
			cr_spawn(&scope, produce_some, &crowd);
		for (int i = 0; i < CONSUMERS; i++)
			cr_spawn(&scope, consume_some, &crowd);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		for (int i = 0; i < EACH * PRODUCERS; i++)
			CHECK_EQ(crowd.seen[i], 1);
		cr_chan_free(&crowd.chan);
	}
	return 0;
}

/* One who sends and receives for ever, and never has to wait, lets the others run. */
struct selfish {
	int_chan chan;
	int stop;
};

static int send_to_oneself(struct selfish *selfish)
{
	int value;

	while (!selfish->stop) {
		CHECK_EQ(cr_chan_send(&selfish->chan, 1), 0);
		CHECK_EQ(cr_chan_receive(&selfish->chan, &value), 0);
	}
	return 0;
}

static int starves_nobody(int *unused)
{
	struct selfish selfish = {.stop = 0};
	CORAIL_SCOPE(scope);

	(void)unused;
	CHECK_EQ(cr_chan_open(&selfish.chan, 4), 0);
	cr_spawn(&scope, send_to_oneself, &selfish);
	settle();
	CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	selfish.stop = 1;
	CHECK_EQ(cr_scope_wait(&scope), 0);
	cr_chan_free(&selfish.chan);
	return 0;
}

static void from_a_callback(void *arg)
{
	int_chan *chan = arg;

	CHECK_EQ(cr_chan_try_send(chan, 42), 0);
}

static int callbacks_send(int *unused)
{
	int_chan chan = {0};
	int value = 0;

	(void)unused;
	CHECK_EQ(cr_loop_post(from_a_callback, &chan), 0);
	CHECK_EQ(cr_chan_receive(&chan, &value), 0);
	CHECK_EQ(value, 42);
	return 0;
}

int main(void)
{
	RUN_TASK(third_send_waits);
	RUN_TASK(rendezvous);
	RUN_TASK(served_in_order);
	RUN_TASK(closes);
	RUN_TASK(cancelled_waits_leave_nothing);
	RUN_TASK(refused_in_a_cancelled_scope);
	RUN_TASK(any_size);
	RUN_TASK(many_to_many);
	RUN_TASK(starves_nobody);
	RUN_TASK(callbacks_send);
	return test_done();
}
