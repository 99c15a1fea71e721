/* SPDX-License-Identifier: MIT */
/* Dialling several addresses at once, RFC 8305: steps, winners, losers, errors. In virtual time. */
#include "in_task.h"

#include "net/dial.h"

#include <netinet/in.h>

static cr_addr addr(const char *text)
{
	cr_addr a;

	CHECK_EQ(cr_addr_parse(text, &a), 0);
	return a;
}

/* What a connect to that address will do in the simulator. */
static void rule(const cr_addr *a, cr_nsec delay, int error)
{
	CHECK_EQ(cr_sim_connect_rule((const struct sockaddr *)&a->storage, a->length, delay, error),
	         0);
}

/* A listener, and the address to reach it by. */
static cr_addr listen_on(const char *target, cr_listener **ret_listener)
{
	cr_addr a;

	CHECK_EQ(cr_listener_open(target, NULL, ret_listener), 0);
	CHECK_EQ(cr_listener_addr(*ret_listener, &a), 0);
	return a;
}

static void check_peer(cr_conn *conn, const cr_addr *expected)
{
	cr_addr peer;

	CHECK_EQ(cr_conn_peer(conn, &peer), 0);
	CHECK(cr_addr_equal(&peer, expected));
}

static void check_elapsed(cr_nsec since, cr_nsec expected)
{
	CHECK_GE(cr_now() - since, expected);
	CHECK_LT(cr_now() - since, expected + cr_millis(5));
}

/* {1 s, 1 s, 0.2 s} is won by the third, at 0.7 s. */
static int third_wins(int *unused)
{
	cr_listener *l[3];
	cr_addr a[3] = {listen_on("10.0.0.1:80", &l[0]), listen_on("10.0.0.2:80", &l[1]),
	                listen_on("10.0.0.3:80", &l[2])};
	cr_nsec start = cr_now();
	cr_conn *conn;

	(void)unused;
	rule(&a[0], cr_seconds(1), 0);
	rule(&a[1], cr_seconds(1), 0);
	rule(&a[2], cr_millis(200), 0);
	CHECK_EQ(cr_conn_open_addrs(a, 3, &conn), 0);
	check_elapsed(start, cr_millis(700));
	check_peer(conn, &a[2]);
	cr_conn_close(conn);
	for (int i = 0; i < 3; i++)
		cr_listener_close(l[i]);
	return 0;
}

/* A failure starts the next attempt at once. */
static int failure_hurries(int *unused)
{
	cr_listener *l;
	cr_addr a[3] = {addr("10.0.0.1:80"), addr("10.0.0.2:80"), listen_on("10.0.0.3:80", &l)};
	cr_nsec start = cr_now();
	cr_conn *conn;

	(void)unused;
	rule(&a[0], cr_millis(100), -ECONNREFUSED);
	rule(&a[1], cr_millis(50), -ENETUNREACH);
	rule(&a[2], cr_millis(10), 0);
	CHECK_EQ(cr_conn_open_addrs(a, 3, &conn), 0);
	check_elapsed(start, cr_millis(160));
	cr_conn_close(conn);
	cr_listener_close(l);
	return 0;
}

/* The first one is slow, but comes in before the second: nothing else was lost. */
static int slow_first_wins(int *unused)
{
	cr_listener *l[2];
	cr_addr a[2] = {listen_on("10.0.0.1:80", &l[0]), listen_on("10.0.0.2:80", &l[1])};
	cr_nsec start = cr_now();
	cr_conn *conn;

	(void)unused;
	rule(&a[0], cr_millis(300), 0);
	rule(&a[1], cr_millis(300), 0);
	CHECK_EQ(cr_conn_open_addrs(a, 2, &conn), 0);
	check_elapsed(start, cr_millis(300));
	check_peer(conn, &a[0]);
	cr_conn_close(conn);
	for (int i = 0; i < 2; i++)
		cr_listener_close(l[i]);
	return 0;
}

/* Two come through in the same instant: one is returned, the other closed (the harness counts). */
static int tie(int *unused)
{
	cr_listener *l[2];
	cr_addr a[2] = {listen_on("10.0.0.1:80", &l[0]), listen_on("10.0.0.2:80", &l[1])};
	cr_conn *conn;

	(void)unused;
	rule(&a[0], cr_millis(500), 0);
	rule(&a[1], cr_millis(250), 0);
	CHECK_EQ(cr_conn_open_addrs(a, 2, &conn), 0);
	cr_conn_close(conn);
	for (int i = 0; i < 2; i++)
		cr_listener_close(l[i]);
	return 0;
}

static int most_telling_error(int *unused)
{
	cr_addr a[3] = {addr("10.0.0.1:80"), addr("10.0.0.2:80"), addr("[2001:db8::1]:80")};
	cr_conn *conn;

	(void)unused;
	rule(&a[0], cr_millis(10), -EHOSTUNREACH);
	rule(&a[1], cr_millis(10), -ECONNREFUSED);
	rule(&a[2], cr_millis(10), -ENETUNREACH);
	CHECK_EQ(cr_conn_open_addrs(a, 3, &conn), -ECONNREFUSED);
	rule(&a[1], cr_millis(10), -ENETUNREACH);
	CHECK_EQ(cr_conn_open_addrs(a, 3, &conn), -EHOSTUNREACH);
	CHECK_EQ(cr_conn_open_addrs(a, 0, &conn), -EINVAL);
	return 0;
}

/* Nobody answers: the deadline ends all attempts. */
static int deadline(int *unused)
{
	cr_addr a[3] = {addr("10.0.0.1:80"), addr("10.0.0.2:80"), addr("[2001:db8::1]:80")};
	cr_nsec start = cr_now();
	cr_conn *conn;

	(void)unused;
	for (int i = 0; i < 3; i++)
		rule(&a[i], CORAIL_NEVER, 0);
	CHECK_EQ(cr_timeout(cr_seconds(2), cr_conn_open_addrs(a, 3, &conn)), -ETIMEDOUT);
	check_elapsed(start, cr_seconds(2));
	CHECK_EQ(cr_timeout(cr_seconds(2), cr_conn_open_addrs(a, 1, &conn)), -ETIMEDOUT);
	return 0;
}

/* By name: the families in turn, beginning with the first address's. */
static int by_name(int *unused)
{
	cr_listener *l;
	cr_addr a[4] = {addr("[2001:db8::1]:80"), listen_on("10.0.0.1:80", &l),
	                addr("[2001:db8::2]:80"), addr("[2001:db8::3]:80")};
	cr_nsec start = cr_now();
	cr_conn *conn;

	(void)unused;
	CHECK_EQ(cr_dns_host_set("Shop.Example.", "2001:db8::1,2001:db8::2,2001:db8::3,10.0.0.1"),
	         0);
	rule(&a[0], CORAIL_NEVER, 0);
	rule(&a[1], cr_millis(10), 0);
	rule(&a[2], CORAIL_NEVER, 0);
	rule(&a[3], CORAIL_NEVER, 0);
	CHECK_EQ(cr_conn_open("shop.example:80", &conn), 0);
	check_elapsed(start, cr_millis(260));
	check_peer(conn, &a[1]);
	cr_conn_close(conn);
	cr_listener_close(l);
	CHECK_EQ(cr_conn_open("nowhere.example:80", &conn), -EOPNOTSUPP);
	return 0;
}

static void interleaves(void)
{
	cr_addr a[5] = {addr("[::1]:1"), addr("[::2]:1"), addr("[::3]:1"), addr("1.1.1.1:1"),
	                addr("2.2.2.2:1")};
	const char *const order[5] = {"[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"};

	cr__dial_interleave(a, 5);
	for (int i = 0; i < 5; i++) {
		cr_addr expected = addr(order[i]);

		CHECK(cr_addr_equal(&a[i], &expected));
	}
	cr__dial_interleave(a, 1);
	cr__dial_interleave(a, 0);
}

int main(void)
{
	RUN(interleaves);
	if (!on_sim())
		SKIP("connect delays are scripted in the simulator only");
	RUN_TASK(third_wins);
	RUN_TASK(failure_hurries);
	RUN_TASK(slow_first_wins);
	RUN_TASK(tie);
	RUN_TASK(most_telling_error);
	RUN_TASK(deadline);
	RUN_TASK(by_name);
	return test_done();
}
