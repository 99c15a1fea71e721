/* SPDX-License-Identifier: MIT */
/* Dialling: targets, errors, cancellation, the same on every backend. */
#include "in_task.h"

static int port_of(cr_listener *listener)
{
	int port = cr_listener_port(listener);

	CHECK_GT(port, 0);
	return port;
}

static int refused(int *unused)
{
	cr_listener *listener;
	cr_conn *conn;
	char target[32];
	int held = -1, held6 = -1, port;

	(void)unused;
	if (on_sim()) {
		CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &listener), 0);
		port = port_of(listener);
		cr_listener_close(listener);
	} else {
		held = port_hold(AF_INET, 0);
		CHECK_GE(held, 0);
		port = port_held(held);
		held6 = port_hold(AF_INET6, port);
	}
	snprintf(target, sizeof target, "127.0.0.1:%d", port);
	CHECK_EQ(cr_conn_open(target, &conn), -ECONNREFUSED);
	snprintf(target, sizeof target, "localhost:%d", port);
	CHECK_EQ(cr_conn_open(target, &conn), -ECONNREFUSED);
	CHECK_EQ(cr_conn_open("unix:@corail-nobody-is-here", &conn), -ECONNREFUSED);
	if (held >= 0)
		close(held);
	if (held6 >= 0)
		close(held6);
	return 0;
}

static int bad_targets(int *unused)
{
	const char *const bad[] = {"",          "host",       "host:", ":",
	                           "host:http", "host:99999", "a:b:1", "[::1]",
	                           "[::1]80",   "[::1:80",    "unix:", "127.0.0.1:-1"};
	cr_conn *conn;

	(void)unused;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int r = cr_conn_open(bad[i], &conn);

		if (r != -EINVAL)
			fprintf(stderr, "target \"%s\"\n", bad[i]);
		CHECK_EQ(r, -EINVAL);
	}
	CHECK_EQ(cr_conn_open(":80", &conn), -CORAIL_E_DNS_BADNAME);
	CHECK_EQ(cr_conn_open("bad name:80", &conn), -CORAIL_E_DNS_BADNAME);
	return 0;
}

/* The listener has the IPv4 loopback only; "localhost" may begin with the other family. */
static int localhost(int *unused)
{
	cr_listener *listener;
	cr_conn *here, *there;
	char target[32];
	int held6;

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &listener), 0);
	held6 = on_sim() ? -1 : port_hold(AF_INET6, port_of(listener));
	snprintf(target, sizeof target, "LocalHost:%d", port_of(listener));
	CHECK_EQ(cr_conn_open(target, &here), 0);
	CHECK_EQ(cr_listener_accept(listener, &there), 0);
	cr_conn_close(here);
	cr_conn_close(there);
	CHECK_EQ(cr_dns_host_set("box.test", "::1,127.0.0.1"), 0);
	snprintf(target, sizeof target, "box.test:%d", port_of(listener));
	CHECK_EQ(cr_conn_open(target, &here), 0);
	CHECK_EQ(cr_listener_accept(listener, &there), 0);
	cr_conn_close(here);
	cr_conn_close(there);
	cr_listener_close(listener);
	if (held6 >= 0)
		close(held6);
	return 0;
}

struct dialler {
	char target[32];
	cr_conn *conn;
	int result;
};

static int dial(struct dialler *d)
{
	d->result = cr_conn_open(d->target, &d->conn);
	return 0;
}

/* Cancelled at about the moment of success: connected or cancelled, and no descriptor lost. */
static int cancelled_connect(int *unused)
{
	cr_listener *listener;

	(void)unused;
	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &listener), 0);
	for (int i = 0; i < 60; i++) {
		struct dialler d = {.result = 1};

		snprintf(d.target, sizeof d.target, i & 1 ? "127.0.0.1:%d" : "localhost:%d",
		         port_of(listener));
		{
			CORAIL_SCOPE(scope);
			cr_spawn(&scope, dial, &d);
			for (int turns = i / 2 % 6; turns > 0; turns--)
				cr_yield();
			cr_scope_cancel(&scope);
		}
		CHECK(d.result == 0 || d.result == -ECANCELED);
		if (d.result == 0)
			cr_conn_close(d.conn);
	}
	cr_listener_close(listener);
	return 0;
}

static void addresses(void)
{
	const char *const same[] = {"127.0.0.1:80", "[::1]:80",       "[fe80::1%1]:443",
	                            "unix:/tmp/x",  "unix:@abstract", "0.0.0.0:0"};
	char text[CORAIL_ADDR_TEXT_SIZE], path[200];
	cr_addr a, b;

	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		CHECK_EQ(cr_addr_parse(same[i], &a), 0);
		CHECK_EQ(cr_addr_format(&a, text, sizeof text), (int)strlen(same[i]));
		CHECK_STR(text, same[i]);
	}
	CHECK_EQ(cr_addr_parse("::1", &a), 0);
	CHECK_EQ(cr_addr_port(&a), 0);
	CHECK_EQ(cr_addr_port_set(&a, 8080), 0);
	CHECK_EQ(cr_addr_port_set(&a, 65536), -EINVAL);
	CHECK_EQ(cr_addr_parse("[::1]:8080", &b), 0);
	CHECK(cr_addr_equal(&a, &b));
	CHECK_EQ(cr_addr_parse("127.0.0.1:8080", &b), 0);
	CHECK(!cr_addr_equal(&a, &b));
	CHECK_EQ(cr_addr_format(&a, text, 5), -EMSGSIZE);
	CHECK_EQ(cr_addr_parse("localhost:80", &a), -EINVAL);
	CHECK_EQ(cr_addr_parse("1.2.3:80", &a), -EINVAL);
	CHECK_EQ(cr_addr_parse("unix:@x", &a), 0);
	CHECK_EQ(cr_addr_port(&a), -EAFNOSUPPORT);
	memset(path, 'p', sizeof path);
	memcpy(path, "unix:", 5);
	path[5 + 107] = '\0';
	CHECK_EQ(cr_addr_parse(path, &a), 0);
	CHECK_EQ(cr_addr_format(&a, text, sizeof text), 112);
	path[5 + 107] = 'p';
	path[5 + 108] = '\0';
	CHECK_EQ(cr_addr_parse(path, &a), -ENAMETOOLONG);
}

int main(void)
{
	RUN(addresses);
	RUN_TASK(refused);
	RUN_TASK(bad_targets);
	RUN_TASK(localhost);
	RUN_TASK(cancelled_connect);
	return test_done();
}
