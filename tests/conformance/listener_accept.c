/* SPDX-License-Identifier: MIT */
/* Listening and accepting: addresses, running out of descriptors, cancellation. */
#include "in_task.h"

#include <fcntl.h>
#include <sys/resource.h>

static int dial(cr_listener *listener, cr_conn **ret_conn)
{
	char text[CORAIL_ADDR_TEXT_SIZE];
	cr_addr addr;

	CHECK_EQ(cr_listener_addr(listener, &addr), 0);
	CHECK_GT(cr_addr_format(&addr, text, sizeof text), 0);
	return cr_conn_open(text, ret_conn);
}

static void works(const char *target)
{
	cr_listener *listener;
	cr_conn *here, *there;
	char data[4] = {0};

	CHECK_EQ(cr_listener_open(target, NULL, &listener), 0);
	CHECK_EQ(dial(listener, &here), 0);
	CHECK_EQ(cr_listener_accept(listener, &there), 0);
	CHECK_EQ(cr_conn_write(here, "hi", 2), 0);
	CHECK_EQ(cr_conn_read_exactly(there, data, 2), 0);
	CHECK_STR(data, "hi");
	cr_conn_close(here);
	cr_conn_close(there);
	cr_listener_close(listener);
}

static int targets(int *unused)
{
	cr_listener *listener;
	char abstract[48];

	(void)unused;
	works("127.0.0.1:0");
	works("localhost:0");
	/* One name space for the whole machine, where this test runs beside itself. */
	snprintf(abstract, sizeof abstract, "unix:@corail-test-%d", (int)getpid());
	works(abstract);
	CHECK_EQ(cr_listener_open("127.0.0.1", NULL, &listener), -EINVAL);
	CHECK_EQ(cr_listener_open("127.0.0.1:70000", NULL, &listener), -EINVAL);
	CHECK_EQ(cr_listener_open("unix:", NULL, &listener), -EINVAL);
	return 0;
}

static int ipv6(int *unused)
{
	cr_listener *listener;
	int r = cr_listener_open("[::1]:0", NULL, &listener);

	(void)unused;
	if (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT) {
		printf("  (no IPv6 here)\n");
		return 0;
	}
	CHECK_EQ(r, 0);
	cr_listener_close(listener);
	works("[::1]:0");
	return 0;
}

/* ":0" listens on all addresses of both families. */
static int any_address(int *unused)
{
	cr_listener *listener;
	cr_conn *here, *there;

	(void)unused;
	CHECK_EQ(cr_listener_open(":0", NULL, &listener), 0);
	CHECK_EQ(loopback_dial(cr_listener_port(listener), &here), 0);
	CHECK_EQ(cr_listener_accept(listener, &there), 0);
	cr_conn_close(here);
	cr_conn_close(there);
	cr_listener_close(listener);
	return 0;
}

static int used_port(int *unused)
{
	cr_listener *first, *second;
	char target[32];
	int r = -EADDRINUSE;

	(void)unused;
	/* Free again at once; but another program may be faster than we are, so a few times. */
	for (int i = 0; i < 50 && r == -EADDRINUSE; i++) {
		CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &first), 0);
		snprintf(target, sizeof target, "127.0.0.1:%d", cr_listener_port(first));
		CHECK_EQ(cr_listener_open(target, NULL, &second), -EADDRINUSE);
		cr_listener_close(first);
		r = cr_listener_open(target, NULL, &second);
	}
	CHECK_EQ(r, 0);
	cr_listener_close(second);
	return 0;
}

static int shared_port(int *unused)
{
	cr_listener_options options = {.reuse_port = 1, .backlog = 4};
	cr_listener *first, *second;
	char target[32];

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", &options, &first), 0);
	snprintf(target, sizeof target, "127.0.0.1:%d", cr_listener_port(first));
	CHECK_EQ(cr_listener_open(target, &options, &second), 0);
	CHECK_EQ(cr_listener_port(first), cr_listener_port(second));
	cr_listener_close(first);
	cr_listener_close(second);
	return 0;
}

struct acceptor {
	cr_listener *listener;
	cr_conn *conn;
	int result;
};

static int accept_one(struct acceptor *a)
{
	a->result = cr_listener_accept(a->listener, &a->conn);
	return 0;
}

static int close_ends_accept(int *unused)
{
	struct acceptor a = {.result = 1};

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &a.listener), 0);
	{
		CORAIL_SCOPE(scope);
		cr_conn *conn;

		cr_spawn(&scope, accept_one, &a);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_listener_accept(a.listener, &conn), -EBUSY);
		cr_listener_close(a.listener);
		CHECK_EQ(a.result, -ECANCELED);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	return 0;
}

static int deadline(int *unused)
{
	cr_listener *listener;
	cr_conn *here, *there;

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &listener), 0);
	CHECK_EQ(cr_timeout(cr_millis(10), cr_listener_accept(listener, &there)), -ETIMEDOUT);
	CHECK_EQ(dial(listener, &here), 0);
	CHECK_EQ(cr_listener_accept(listener, &there), 0);
	cr_conn_close(here);
	cr_conn_close(there);
	cr_listener_close(listener);
	return 0;
}

/*
 * Accepts that are cancelled at about the moment when a client comes: it is either served or still
 * in the backlog, never lost. The descriptor count of the harness sees what is dropped.
 */
static int cancelled_accept_loses_nothing(int *unused)
{
	enum { ROUNDS = 100 };
	cr_listener *listener;

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &listener), 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct acceptor a = {.listener = listener, .result = 1};
		cr_conn *here;

		{
			CORAIL_SCOPE(scope);
			cr_spawn(&scope, accept_one, &a);
			CHECK_EQ(cr_yield(), 0);
			CHECK_EQ(dial(listener, &here), 0);
			for (int turns = i % 4; turns > 0; turns--)
				cr_yield();
			cr_scope_cancel(&scope);
		}
		CHECK(a.result == 0 || a.result == -ECANCELED);
		if (a.result < 0)
			CHECK_EQ(cr_listener_accept(listener, &a.conn), 0);
		CHECK_EQ(cr_conn_write(here, "x", 1), 0);
		CHECK_EQ(cr_conn_read_exactly(a.conn, (char[1]){0}, 1), 0);
		cr_conn_close(here);
		cr_conn_close(a.conn);
	}
	cr_listener_close(listener);
	return 0;
}

/* Every descriptor is taken while a client waits: the listener neither fails nor spins. */
static int no_descriptors(int *unused)
{
	struct rlimit limit, low;
	struct acceptor a = {.result = 1};
	cr_loop_stats before, after;
	cr_conn *here;
	int spare[64], count = 0;

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &a.listener), 0);
	CHECK_EQ(dial(a.listener, &here), 0);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)cr_conn_fd(here) + 8;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (count < 64 && (spare[count] = dup(0)) >= 0)
		count++;
	CHECK_EQ(errno, EMFILE);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, accept_one, &a);
		CHECK_EQ(cr_debug_stats(&before), 0);
		CHECK_EQ(cr_sleep(cr_millis(300)), 0);
		CHECK_EQ(cr_debug_stats(&after), 0);
		CHECK_EQ(a.result, 1);
		/* A spinning accept would take a turn each time. */
		CHECK_LT(after.turns - before.turns, 100);
		while (count > 0)
			close(spare[--count]);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(a.result, 0);
	}
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_conn_close(here);
	cr_conn_close(a.conn);
	cr_listener_close(a.listener);
	return 0;
}

/* The same in virtual time, with other failures, which cost the client nothing either. */
static int failing_accepts(int *unused)
{
	const int errors[] = {-EMFILE, -ENFILE, -ENOBUFS, -ECONNABORTED, -EPROTO};
	cr_listener *listener;

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &listener), 0);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		cr_conn *here, *there;

		CHECK_EQ(cr_sim_accept_fail(5, errors[i]), 0);
		CHECK_EQ(dial(listener, &here), 0);
		CHECK_EQ(cr_listener_accept(listener, &there), 0);
		cr_conn_close(here);
		cr_conn_close(there);
	}
	cr_listener_close(listener);
	return 0;
}

int main(void)
{
	RUN_TASK(targets);
	RUN_TASK(ipv6);
	RUN_TASK(any_address);
	RUN_TASK(used_port);
	RUN_TASK(shared_port);
	RUN_TASK(close_ends_accept);
	RUN_TASK(deadline);
	RUN_TASK(cancelled_accept_loses_nothing);
	if (on_sim())
		RUN_TASK(failing_accepts);
	else
		RUN_TASK(no_descriptors);
	return test_done();
}
