/* SPDX-License-Identifier: MIT */
/* The queue that jobs are appended to without a lock. */

#include "exec/inbox.h"
#include "support/test.h"

#include <pthread.h>
#include <sched.h>

enum { APPENDERS = 3, EACH = 20000 };

struct record {
	struct cr__inbox_node node; /* first */
	int appender, number;
};

static void first_in_first_out(void)
{
	struct cr__inbox inbox;
	struct cr__inbox_node nodes[3];

	cr__inbox_init(&inbox);
	CHECK(cr__inbox_empty(&inbox));
	CHECK(!cr__inbox_promises(&inbox));
	CHECK(cr__inbox_take(&inbox) == NULL);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			cr__inbox_append(&inbox, &nodes[i]);
		CHECK_EQ(cr__inbox_depth(&inbox), 3);
		for (int i = 0; i < 3; i++) {
			CHECK(!cr__inbox_empty(&inbox));
			CHECK(cr__inbox_take(&inbox) == &nodes[i]);
		}
		CHECK(cr__inbox_empty(&inbox));
		CHECK_EQ(cr__inbox_depth(&inbox), 0);
	}
}

/* Somebody appends while the last one is being taken: the stub then lies behind both. */
static void appended_before_the_stub(void)
{
	struct cr__inbox inbox;
	struct cr__inbox_node a, b;

	cr__inbox_init(&inbox);
	cr__inbox_append(&inbox, &a);
	inbox.first = &a;
	cr__inbox_append(&inbox, &b);
	cr__inbox_link(&inbox, &inbox.stub);
	CHECK(!cr__inbox_empty(&inbox));
	CHECK(cr__inbox_take(&inbox) == &a);
	CHECK(!cr__inbox_empty(&inbox));
	CHECK_EQ(cr__inbox_depth(&inbox), 1);
	CHECK(cr__inbox_take(&inbox) == &b);
	CHECK(cr__inbox_empty(&inbox));
}

/* Between the two steps of an append: out of reach, and not forgotten. */
static void being_appended(void)
{
	struct cr__inbox inbox;
	struct cr__inbox_node a, b;

	cr__inbox_init(&inbox);
	cr__inbox_append(&inbox, &a);
	b.next = NULL;
	CHECK(atomic_exchange(&inbox.last, &b) == &a);
	CHECK(cr__inbox_take(&inbox) == NULL);
	CHECK(!cr__inbox_empty(&inbox));
	a.next = &b;
	CHECK(cr__inbox_take(&inbox) == &a);
	CHECK(cr__inbox_take(&inbox) == &b);
	CHECK(cr__inbox_empty(&inbox));
}

struct appender {
	struct cr__inbox *inbox;
	struct record records[EACH];
};

static void *append_all(void *arg)
{
	struct appender *appender = arg;

	for (int i = 0; i < EACH; i++)
		cr__inbox_append(appender->inbox, &appender->records[i].node);
	return NULL;
}

/* Each is taken once, and those of one thread in their order. */
static void many_append(void)
{
	static struct appender appenders[APPENDERS];
	pthread_t threads[APPENDERS];
	int seen[APPENDERS] = {0}, taken = 0;
	struct cr__inbox inbox;

	cr__inbox_init(&inbox);
	for (int i = 0; i < APPENDERS; i++) {
		appenders[i].inbox = &inbox;
		for (int k = 0; k < EACH; k++)
			appenders[i].records[k] = (struct record){.appender = i, .number = k};
		CHECK_EQ(pthread_create(&threads[i], NULL, append_all, &appenders[i]), 0);
	}
	while (taken < APPENDERS * EACH) {
		struct record *record = (struct record *)cr__inbox_take(&inbox);

		if (!record) {
			sched_yield();
			continue;
		}
		CHECK_EQ(record->number, seen[record->appender]);
		seen[record->appender]++;
		taken++;
	}
	CHECK(cr__inbox_empty(&inbox));
	for (int i = 0; i < APPENDERS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	RUN(first_in_first_out);
	RUN(appended_before_the_stub);
	RUN(being_appended);
	RUN(many_append);
	return test_done();
}
