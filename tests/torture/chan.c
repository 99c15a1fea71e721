/* SPDX-License-Identifier: MIT */
/* ctest: timeout=180 */
/* Channels and select, tortured: whatever is cancelled, each value arrives once or stays. */

#include "support/torture.h"

#include <corail/chan.h>
#include <corail/chan_threadsafe.h>
#include <corail/net.h>
#include <corail/select.h>
#include <corail/sync.h>
#include <corail/task.h>

typedef cr_chan_of(int) int_chan;
typedef cr_chan_threadsafe_of(int) int_chan_threadsafe;

enum { VALUES = 12 };

/* Two channels, and what happened to each value. */
struct ledger {
	int_chan chans[2];
	int_chan_threadsafe shared;
	cr_event stop;
	int sent[VALUES], received[VALUES];
	int next;
	int ended; /* producers */
};

/* Every value was sent once and received once, or neither; or lies in a buffer. */
static void ledger_check(struct ledger *ledger)
{
	int value;

	for (int i = 0; i < 2; i++) {
		while (cr_chan_try_receive(&ledger->chans[i], &value) == 0)
			ledger->received[value]++;
		cr_chan_free(&ledger->chans[i]);
	}
	for (int i = 0; i < VALUES; i++) {
		CHECK_LE(ledger->sent[i], 1);
		CHECK_EQ(ledger->received[i], ledger->sent[i]);
	}
}

static int produce(struct ledger *ledger)
{
	int r = 0;

	while (ledger->next < VALUES && r == 0) {
		int value = ledger->next++;

		r = cr_chan_send(&ledger->chans[value % 2], value);
		if (r == 0)
			ledger->sent[value]++;
		if (r == 0 && value % 3 == 0)
			r = cr_yield();
	}
	return r;
}

static int consume(struct ledger *ledger)
{
	int value, r;

	while ((r = cr_chan_receive(&ledger->chans[0], &value)) == 0) {
		ledger->received[value]++;
		r = cr_chan_receive(&ledger->chans[1], &value);
		if (r < 0)
			break;
		ledger->received[value]++;
	}
	return r;
}

static int select_both(struct ledger *ledger)
{
	int values[2];
	cr_case cases[] = {
		cr_case_receive(&ledger->chans[0], &values[0]),
		cr_case_receive(&ledger->chans[1], &values[1]),
		cr_case_event(&ledger->stop),
	};
	int taken;

	while ((taken = cr_select(cases, 3)) >= 0 && taken < 2) {
		if (cases[taken].result < 0)
			return cases[taken].result;
		ledger->received[values[taken]]++;
	}
	return taken < 0 ? taken : 0;
}

static int select_to_send(struct ledger *ledger)
{
	int r = 0;

	while (ledger->next < VALUES && r == 0) {
		int value = ledger->next++;
		cr_case cases[] = {
			cr_case_send(&ledger->chans[0], &value),
			cr_case_send(&ledger->chans[1], &value),
		};
		int taken = cr_select(cases, 2);

		r = taken < 0 ? taken : cases[taken].result;
		if (r == 0)
			ledger->sent[value]++;
	}
	return r;
}

/* The victim is the scope of some of them; the others go on until all is passed. */
static int passes(struct torture *t, size_t capacity, int (*producer)(struct ledger *),
                  int (*consumer)(struct ledger *))
{
	struct ledger ledger = {.next = 0};
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++)
		r = cr_chan_open(&ledger.chans[i], capacity);
	if (r == 0) {
		CORAIL_SCOPE(around);
		cr_scope_collect(&around);
		{
			CORAIL_SCOPE(scope);
			cr_task consuming[2];

			torture_victim(t, &scope);
			for (int i = 0; i < 2; i++)
				consuming[i] = cr_spawn(&scope, consumer, &ledger);
			cr_spawn(&scope, producer, &ledger);
			cr_spawn(&scope, producer, &ledger);
			while (ledger.next < VALUES && r == 0)
				r = cr_yield();
			if (r == 0)
				r = cr_yield();
			cr_event_set(&ledger.stop);
			for (int i = 0; i < 2; i++)
				cr_task_cancel(consuming[i]);
			torture_victim(t, NULL);
		}
	}
	ledger_check(&ledger);
	return r;
}

static int passes_by_rendezvous(struct torture *t)
{
	return passes(t, 0, produce, consume);
}

static int passes_by_buffers(struct torture *t)
{
	return passes(t, 2, produce, consume);
}

static int selects_what_comes(struct torture *t)
{
	return passes(t, 0, produce, select_both);
}

static int selects_what_comes_from_buffers(struct torture *t)
{
	return passes(t, 1, produce, select_both);
}

static int selects_on_both_sides(struct torture *t)
{
	return passes(t, 0, select_to_send, select_both);
}

/* ------------------------------------------------------------- survivors see every value --- */

static int receive_in_order(struct ledger *ledger)
{
	int value, r;

	while ((r = cr_chan_receive(&ledger->chans[0], &value)) == 0)
		CHECK_EQ(value, ledger->received[0]++);
	return r;
}

static int send_in_order(struct ledger *ledger)
{
	int r = 0;

	while (ledger->sent[0] < VALUES && r == 0) {
		r = cr_chan_send(&ledger->chans[0], ledger->sent[0]);
		if (r == 0)
			ledger->sent[0]++;
	}
	if (r == 0)
		cr_chan_close(&ledger->chans[0]);
	return r;
}

/* A receiver that is cancelled anywhere: the next one goes on with the next value. */
static int loses_no_value(struct torture *t)
{
	struct ledger ledger = {.next = 0};
	int r;

	CORAIL_SCOPE(senders);
	cr_scope_collect(&senders);
	cr_spawn(&senders, send_in_order, &ledger);
	{
		CORAIL_SCOPE(scope);
		torture_victim(t, &scope);
		r = receive_in_order(&ledger);
		torture_victim(t, NULL);
	}
	if (r == -ECANCELED)
		r = receive_in_order(&ledger);
	if (!torture_short_of_memory(t)) {
		CHECK_EQ(r, -EPIPE);
		CHECK_EQ(ledger.received[0], VALUES);
	}
	return r == -EPIPE ? 0 : r;
}

/* A sender that is cancelled anywhere sends the same value again, and it comes once. */
static int sends_no_value_twice(struct torture *t)
{
	struct ledger ledger = {.next = 0};
	int r;

	CORAIL_SCOPE(receivers);
	cr_scope_collect(&receivers);
	cr_task receiver = cr_spawn(&receivers, receive_in_order, &ledger);
	{
		CORAIL_SCOPE(scope);
		torture_victim(t, &scope);
		r = send_in_order(&ledger);
		torture_victim(t, NULL);
	}
	if (r == -ECANCELED)
		r = send_in_order(&ledger);
	if (!torture_short_of_memory(t)) {
		CHECK_EQ(r, 0);
		CHECK_EQ(cr_await(receiver), -EPIPE);
		CHECK_EQ(ledger.received[0], VALUES);
	}
	return r;
}

/* --------------------------------------------------------------------- all kinds of cases --- */

static int write_some(cr_conn *conn)
{
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++) {
		r = cr_conn_write(conn, "x", 1);
		if (r == 0)
			r = cr_sleep(cr_micros(20));
	}
	return r;
}

static int send_some(struct ledger *ledger)
{
	int r = 0;

	for (int i = 0; i < 4 && r == 0; i++) {
		r = cr_sleep(cr_micros(15));
		if (r == 0)
			r = cr_chan_send(&ledger->chans[0], i);
		if (r == 0)
			ledger->sent[i]++;
	}
	return r;
}

/* Descriptors, a channel, a task, an event: until all have had their turn. */
static int select_all(struct ledger *ledger, cr_conn *conn, cr_task writer)
{
	int value, r = 0, bytes = 0, values = 0, taken;
	char byte;
	cr_case cases[] = {
		cr_case_readable(cr_conn_fd(conn)),
		cr_case_receive(&ledger->chans[0], &value),
		cr_case_task(writer),
		cr_case_event(&ledger->stop),
	};

	while (r >= 0 && (bytes < 3 || values < 4)) {
		taken = cr_select(cases, bytes < 3 ? 4 : 2);
		r = taken < 0 ? taken : cases[taken].result;
		if (taken == 0 && r >= 0) {
			r = (int)cr_conn_read(conn, &byte, 1);
			bytes += r > 0;
			r = r == 0 ? -ENODATA : r;
		} else if (taken == 1 && r == 0) {
			ledger->received[value]++;
			values++;
		} else if (taken >= 2) {
			r = cr_yield();
		}
	}
	return r < 0 ? r : 0;
}

static int selects_all_kinds(struct torture *t)
{
	struct ledger ledger = {.next = 0};
	cr_conn *conns[2];
	int r = cr_conn_pair(conns);

	(void)t;
	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope);
		cr_task writer = cr_spawn(&scope, write_some, conns[1]);

		cr_spawn(&scope, send_some, &ledger);
		r = select_all(&ledger, conns[0], writer);
	}
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	ledger_check(&ledger);
	return r;
}

/* ----------------------------------------------------------------------- between threads --- */

static int send_shared(struct ledger *ledger)
{
	int r = 0;

	while (ledger->sent[0] < VALUES && r == 0) {
		r = cr_chan_send_threadsafe(&ledger->shared, ledger->sent[0]);
		if (r == 0)
			ledger->sent[0]++;
	}
	cr_chan_close_threadsafe(&ledger->shared);
	return r;
}

static int receive_shared(struct ledger *ledger)
{
	int value, r;

	while ((r = cr_chan_receive_threadsafe(&ledger->shared, &value)) == 0)
		CHECK_EQ(value, ledger->received[0]++);
	return r;
}

static int loses_no_shared_value(struct torture *t)
{
	struct ledger ledger = {.next = 0};
	int r = cr_chan_open_threadsafe(&ledger.shared, 1);

	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(senders);
		cr_scope_collect(&senders);
		cr_spawn(&senders, send_shared, &ledger);
		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			r = receive_shared(&ledger);
			torture_victim(t, NULL);
		}
		if (r == -ECANCELED)
			r = receive_shared(&ledger);
		if (!torture_short_of_memory(t)) {
			CHECK_EQ(r, -EPIPE);
			CHECK_EQ(ledger.received[0], VALUES);
		}
	}
	cr_chan_free_threadsafe(&ledger.shared);
	return r == -EPIPE ? 0 : r;
}

int main(void)
{
	TORTURE(passes_by_rendezvous);
	TORTURE(passes_by_buffers);
	TORTURE(selects_what_comes);
	TORTURE(selects_what_comes_from_buffers);
	TORTURE(selects_on_both_sides);
	TORTURE(loses_no_value);
	TORTURE(sends_no_value_twice);
	TORTURE(selects_all_kinds);
	TORTURE(loses_no_shared_value);
	return test_done();
}
