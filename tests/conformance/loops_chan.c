/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/* Channels between loops of one cr_loops(): each value once, in order, whatever ends meanwhile. */

#include <corail/chan_threadsafe.h>
#include <corail/loops.h>

#include "support/core.h"

#include <stdatomic.h>

enum { COUNT = 4, EACH = 1000, VALUES = (COUNT - 1) * EACH };

typedef cr_chan_threadsafe_of(int) int_chan;

struct hall {
	int_chan values;
	_Atomic int senders, received, sent, sum;
};

static void hall_open(struct hall *hall, size_t capacity)
{
	memset(hall, 0, sizeof *hall);
	CHECK_EQ(cr_chan_open_threadsafe(&hall->values, capacity), 0);
}

/* -------------------------------------------------------------------------------- into one --- */

static int send_all(struct hall *hall)
{
	int first = ((int)cr_loops_index() - 1) * EACH;

	for (int i = 0; i < EACH; i++)
		CHECK_EQ(cr_chan_send_threadsafe(&hall->values, first + i), 0);
	if (atomic_fetch_add(&hall->senders, 1) == COUNT - 2)
		cr_chan_close_threadsafe(&hall->values);
	return 0;
}

static int receive_all(struct hall *hall)
{
	int last[COUNT - 1], value;

	for (int i = 0; i < COUNT - 1; i++)
		last[i] = -1;
	while (cr_chan_receive_threadsafe(&hall->values, &value) == 0) {
		CHECK_EQ(value % EACH, last[value / EACH] + 1);
		last[value / EACH]++;
		hall->received++;
	}
	return 0;
}

static int send_or_receive(struct hall *hall)
{
	return cr_loops_index() ? send_all(hall) : receive_all(hall);
}

/* Of each sender all values come, in its order. */
static void many_into_one(void)
{
	for (size_t capacity = 1; capacity <= 16; capacity *= 16) {
		struct hall hall;

		hall_open(&hall, capacity);
		CHECK_EQ(cr_loops(COUNT, send_or_receive, &hall), 0);
		CHECK_EQ(hall.received, VALUES);
		cr_chan_free_threadsafe(&hall.values);
	}
}

/* -------------------------------------------------------------------------------- among all --- */

static int take_part(struct hall *hall)
{
	int value;

	while (cr_chan_receive_threadsafe(&hall->values, &value) == 0) {
		hall->received++;
		hall->sum += value;
	}
	return 0;
}

/* Every loop has several tasks that receive, and one that sends. */
static int take_and_give(struct hall *hall)
{
	CORAIL_SCOPE(scope);

	for (int i = 0; i < 5; i++)
		cr_spawn(&scope, take_part, hall);
	for (int i = 0; i < EACH; i++)
		CHECK_EQ(cr_chan_send_threadsafe(&hall->values, 1), 0);
	if (atomic_fetch_add(&hall->senders, 1) == COUNT - 1)
		cr_chan_close_threadsafe(&hall->values);
	return cr_scope_wait(&scope);
}

static void all_among_all(void)
{
	struct hall hall;

	hall_open(&hall, 3);
	CHECK_EQ(cr_loops(COUNT, take_and_give, &hall), 0);
	CHECK_EQ(hall.received, COUNT * EACH);
	CHECK_EQ(hall.sum, COUNT * EACH);
	cr_chan_free_threadsafe(&hall.values);
}

/* ------------------------------------------------------------------------ cancelled, ended --- */

/* Counts what it has sent and received, until it is cancelled. */
static int count_sent(struct hall *hall)
{
	int r;

	while ((r = cr_chan_send_threadsafe(&hall->values, 1)) == 0)
		hall->sent++;
	return r;
}

static int count_received(struct hall *hall)
{
	int value, r;

	while ((r = cr_chan_receive_threadsafe(&hall->values, &value)) == 0)
		hall->received++;
	return r;
}

static int trade_until_one_fails(struct hall *hall)
{
	switch (cr_loops_index()) {
	case 0:
		while (atomic_load(&hall->received) < 100)
			CHECK_EQ(cr_sleep(cr_micros(100)), 0);
		return -EPROTO;
	case 1:
		return count_sent(hall);
	default:
		return count_received(hall);
	}
}

/* One loop fails, the others are cancelled where they wait: no value is lost, none comes twice. */
static void cancelled_where_they_wait(void)
{
	for (int i = 0; i < 10; i++) {
		struct hall hall;

		hall_open(&hall, 2);
		CHECK_EQ(cr_loops(COUNT, trade_until_one_fails, &hall), -EPROTO);
		CHECK_EQ(hall.sent, hall.received + (int)cr_chan_length_threadsafe(&hall.values));
		cr_chan_free_threadsafe(&hall.values);
	}
}

/* A loop whose main function returns while tasks of its wait in the channel. */
static int leave_while_waiting(struct hall *hall)
{
	if (cr_loops_index() == 0) {
		for (int i = 0; i < 3; i++)
			cr_spawn(cr_scope_program(), count_received, hall);
		while (atomic_load(&hall->received) == 0)
			CHECK_EQ(cr_sleep(cr_micros(100)), 0);
		return 0;
	}
	for (int i = 0; i < EACH; i++) {
		CHECK_EQ(cr_chan_send_threadsafe(&hall->values, 1), 0);
		hall->sent++;
	}
	return 0;
}

static void ended_while_they_wait(void)
{
	struct hall hall;

	/* Room for all: those who stay need nobody to receive. */
	hall_open(&hall, VALUES);
	CHECK_EQ(cr_loops(COUNT, leave_while_waiting, &hall), 0);
	CHECK_EQ(hall.sent, VALUES);
	CHECK_EQ(hall.received + (int)cr_chan_length_threadsafe(&hall.values), VALUES);
	cr_chan_free_threadsafe(&hall.values);
}

int main(void)
{
	if (on_sim())
		SKIP("the simulator has one loop");
	RUN(many_into_one);
	RUN(all_among_all);
	RUN(cancelled_where_they_wait);
	RUN(ended_while_they_wait);
	return test_done();
}
