/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 */
/* What loops have to do with each other, tortured: on one loop, which calls itself. */

#include "support/loopback.h"
#include "support/torture.h"

#include <corail/loops.h>
#include <corail/loops_net.h>
#include <corail/sync.h>

struct add {
	int a, b, sum;
};

static int add(struct add *a)
{
	int r = cr_sleep(cr_micros(10));

	a->sum = a->a + a->b;
	return r < 0 ? r : cr_yield();
}

static int call_add(struct add *a)
{
	int r = cr_call_loop(cr_loop_current(), add, a);

	if (r == 0)
		CHECK_EQ(a->sum, a->a + a->b);
	return r;
}

static int calls(struct torture *t)
{
	struct add a = {.a = 1, .b = 2};

	(void)t;
	return call_add(&a);
}

static int calls_at_once(struct torture *t)
{
	struct add adds[3] = {{1, 2, 0}, {3, 4, 0}, {5, 6, 0}};

	(void)t;
	return cr_gather(call_add, adds, 3);
}

static int call_calls(struct add *a)
{
	return cr_call_loop(cr_loop_current(), call_add, a);
}

static int calls_in_calls(struct torture *t)
{
	struct add a = {.a = 1, .b = 2};

	(void)t;
	return call_calls(&a);
}

/* Each letter arrives, or is given back, or was refused. */
struct letter {
	int *settled;
};

static int open_letter(struct letter *letter)
{
	++*letter->settled;
	return 0;
}

static void drop_letter(void *copy)
{
	++*((struct letter *)copy)->settled;
}

static int letters(struct torture *t)
{
	static const cr_spawn_loop_options options = {.dropped = drop_letter};
	int settled = 0, sent = 0, r = 0;
	struct letter letter = {&settled};

	(void)t;
	for (int i = 0; i < 3; i++) {
		int sent_now = cr_spawn_loop_with(&options, cr_loop_current(), open_letter,
		                                  &letter);

		sent += sent_now == 0;
		r = r < 0 ? r : sent_now;
	}
	if (r == 0)
		r = cr_sleep(cr_micros(10));
	while (settled < sent)
		cr_shield(CORAIL_NEVER, cr_yield());
	return r;
}

static int hands_over(struct torture *t)
{
	cr_conn *conns[2];
	cr_parcel *parcel;
	char byte;
	int r = cr_conn_pair(conns);

	(void)t;
	if (r < 0)
		return r;
	r = cr_conn_buffer_set(conns[0], 10, 20);
	if (r == 0)
		r = cr_conn_write(conns[0], "abc", 3);
	if (r == 0)
		r = cr_conn_detach(conns[0], &parcel);
	if (r == 0) {
		r = cr_sleep(cr_micros(10));
		if (r == 0)
			r = (int)cr_conn_read(conns[1], &byte, 1);
		if (r < 0) {
			cr_parcel_discard(parcel);
			conns[0] = NULL;
		} else {
			CHECK_EQ(byte, 'a');
			CHECK_EQ(cr_conn_attach(parcel, &conns[0]), 0);
		}
	}
	cr_conn_close(conns[0]);
	cr_conn_close(conns[1]);
	return r;
}

static int echo(cr_conn *conn, void *arg)
{
	char byte;
	ssize_t n = cr_conn_read(conn, &byte, 1);

	(void)arg;
	return n > 0 ? cr_conn_write(conn, &byte, 1) : (int)n;
}

static int distribute(cr_listener *listener)
{
	static const cr_distribute_options options = {.least_loaded = 1};

	return cr_listener_distribute(listener, &options, echo, NULL);
}

static int ask(cr_listener *listener)
{
	char byte = 0;
	cr_conn *conn;
	int r = loopback_dial(cr_listener_port(listener), &conn);

	if (r < 0)
		return r;
	r = cr_conn_write(conn, "x", 1);
	if (r == 0)
		r = cr_conn_read_exactly(conn, &byte, 1);
	if (r == 0)
		CHECK_EQ(byte, 'x');
	cr_conn_close(conn);
	return r;
}

static int ask_twice(cr_listener *listener)
{
	CORAIL_SCOPE(scope);

	cr_spawn(&scope, ask, listener);
	cr_spawn(&scope, ask, listener);
	return cr_scope_wait(&scope);
}

static int distributes(struct torture *t)
{
	cr_shared_port port = {{0}};
	cr_listener *listener;
	int r = cr_listener_open_shared("127.0.0.1:0", NULL, &port, &listener);

	(void)t;
	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, distribute, listener);
		r = ask_twice(listener);
		cr_listener_stop(listener);
		if (r == 0)
			r = cr_scope_wait(&scope);
	}
	cr_listener_close(listener);
	return r;
}

int main(void)
{
	TORTURE(calls);
	TORTURE(calls_at_once);
	TORTURE(calls_in_calls);
	TORTURE(letters);
	TORTURE(hands_over);
	TORTURE(distributes);
	return test_done();
}
