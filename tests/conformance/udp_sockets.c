/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu (qemu-user does not translate MCAST_JOIN_GROUP) */
/* Datagrams. */
#include "in_task.h"

#include <corail/udp.h>

static cr_udp *open_at(const char *local)
{
	cr_udp *udp;

	CHECK_EQ(cr_udp_open(local, NULL, &udp), 0);
	return udp;
}

static cr_addr addr_of(cr_udp *udp, const char *host)
{
	cr_addr addr, local;

	CHECK_EQ(cr_addr_parse(host, &addr), 0);
	CHECK_EQ(cr_udp_local(udp, &local), 0);
	CHECK_EQ(cr_addr_port_set(&addr, cr_addr_port(&local)), 0);
	return addr;
}

static int back_and_forth(int *unused)
{
	cr_udp *a = open_at("127.0.0.1:0"), *b = open_at("127.0.0.1:0");
	cr_addr to_a = addr_of(a, "127.0.0.1"), to_b = addr_of(b, "127.0.0.1"), from;
	char data[64] = {0};

	(void)unused;
	CHECK_GE(cr_udp_fd(a), 0);
	CHECK_EQ(cr_udp_send(a, "x", 1), -EDESTADDRREQ);
	CHECK_EQ(cr_udp_send_to(a, "hello", 5, &to_b), 0);
	CHECK_EQ(cr_udp_send_to(a, "", 0, &to_b), 0);
	CHECK_EQ(cr_udp_receive_from(b, data, sizeof data, &from), 5);
	CHECK_STR(data, "hello");
	CHECK(cr_addr_equal(&from, &to_a));
	/* An empty one is one, too. */
	CHECK_EQ(cr_udp_receive(b, data, sizeof data), 0);
	CHECK_EQ(cr_udp_send_to(b, "answer", 6, &from), 0);
	CHECK_EQ(cr_udp_receive_from(a, data, sizeof data, NULL), 6);
	CHECK_MEM(data, "answer", 6);
	CHECK_EQ(cr_udp_close(a), 0);
	CHECK_EQ(cr_udp_close(b), 0);
	CHECK_EQ(cr_udp_close(NULL), 0);
	return 0;
}

static int sizes(int *unused)
{
	static char big[70000];
	cr_udp *a = open_at("127.0.0.1:0"), *b = open_at("127.0.0.1:0");
	cr_addr to_b = addr_of(b, "127.0.0.1"), from = {.length = 0};
	char data[8] = {0};

	(void)unused;
	CHECK_EQ(cr_udp_send_to(a, big, sizeof big, &to_b), -EMSGSIZE);
	CHECK_EQ(cr_udp_send_to(a, big, 60000, &to_b), 0);
	CHECK_EQ(cr_udp_receive(b, big, sizeof big), 60000);
	/* Cut off, and said so; the next one is whole. */
	CHECK_EQ(cr_udp_send_to(a, "0123456789", 10, &to_b), 0);
	CHECK_EQ(cr_udp_send_to(a, "next", 4, &to_b), 0);
	CHECK_EQ(cr_udp_receive_from(b, data, 4, &from), -EMSGSIZE);
	CHECK_STR(data, "0123");
	CHECK_GT(cr_addr_port(&from), 0);
	CHECK_EQ(cr_udp_receive(b, data, 4), 4);
	CHECK_MEM(data, "next", 4);
	cr_udp_close(a);
	cr_udp_close(b);
	return 0;
}

static int connected(int *unused)
{
	cr_udp *a = open_at("127.0.0.1:0"), *b = open_at("127.0.0.1:0"), *c;
	cr_addr to_b = addr_of(b, "127.0.0.1"), to_a = addr_of(a, "127.0.0.1"), peer, v6;
	char target[CORAIL_ADDR_TEXT_SIZE], data[16] = {0};

	(void)unused;
	CHECK_EQ(cr_udp_peer(a, &peer), -ENOTCONN);
	CHECK_GT(cr_addr_format(&to_b, target, sizeof target), 0);
	CHECK_EQ(cr_udp_open_peer(target, NULL, &c), 0);
	CHECK_EQ(cr_udp_peer(c, &peer), 0);
	CHECK(cr_addr_equal(&peer, &to_b));
	CHECK_EQ(cr_udp_send(c, "one", 3), 0);
	CHECK_EQ(cr_udp_receive_from(b, data, sizeof data, &peer), 3);
	/* From nobody else. */
	CHECK_EQ(cr_udp_send_to(a, "stranger", 8, &peer), 0);
	CHECK_EQ(cr_udp_send_to(b, "friend", 6, &peer), 0);
	CHECK_EQ(cr_udp_receive(c, data, sizeof data), 6);
	CHECK_MEM(data, "friend", 6);
	/* To another one, and to nobody. */
	CHECK_EQ(cr_udp_connect(c, &to_a), 0);
	CHECK_EQ(cr_udp_send(c, "two", 3), 0);
	CHECK_EQ(cr_udp_receive(a, data, sizeof data), 3);
	CHECK_EQ(cr_udp_connect(c, NULL), 0);
	CHECK_EQ(cr_udp_send(c, "x", 1), -EDESTADDRREQ);
	CHECK_EQ(cr_addr_parse("[::1]:9", &v6), 0);
	CHECK_EQ(cr_udp_connect(c, &v6), -EAFNOSUPPORT);
	CHECK_EQ(cr_udp_send_to(c, "x", 1, &v6), -EAFNOSUPPORT);
	cr_udp_close(a);
	cr_udp_close(b);
	cr_udp_close(c);
	return 0;
}

/* Nobody is there: the peer's host says so, and the next call hears it. */
static int refused(int *unused)
{
	cr_udp *gone = open_at("127.0.0.1:0"), *udp;
	cr_addr to = addr_of(gone, "127.0.0.1");
	char target[CORAIL_ADDR_TEXT_SIZE], data[8];

	(void)unused;
	CHECK_GT(cr_addr_format(&to, target, sizeof target), 0);
	cr_udp_close(gone);
	CHECK_EQ(cr_udp_open_peer(target, NULL, &udp), 0);
	CHECK_EQ(cr_udp_send(udp, "x", 1), 0);
	CHECK_EQ(cr_udp_receive(udp, data, sizeof data), -ECONNREFUSED);
	/* It was told once. */
	CHECK_EQ(cr_timeout(cr_millis(10), cr_udp_receive(udp, data, sizeof data)), -ETIMEDOUT);
	cr_udp_close(udp);
	return 0;
}

static int openings(int *unused)
{
	cr_udp_options share = {.reuse_port = 1,
	                        .reuse_address = 1,
	                        .broadcast = 1,
	                        .send_buffer_bytes = 100000,
	                        .receive_buffer_bytes = 100000};
	cr_udp *a = open_at("127.0.0.1:0"), *b, *c;
	cr_addr addr = addr_of(a, "127.0.0.1");
	char name[CORAIL_ADDR_TEXT_SIZE];

	(void)unused;
	CHECK_GT(cr_addr_format(&addr, name, sizeof name), 0);
	CHECK_EQ(cr_udp_open(name, NULL, &b), -EADDRINUSE);
	cr_udp_close(a);
	CHECK_EQ(cr_udp_open(name, &share, &b), 0);
	CHECK_EQ(cr_udp_open(name, &share, &c), 0);
	cr_udp_close(b);
	cr_udp_close(c);
	CHECK_EQ(cr_udp_open("unix:/tmp/x", NULL, &b), -EAFNOSUPPORT);
	CHECK_EQ(cr_udp_open_peer("unix:/tmp/x", NULL, &b), -EAFNOSUPPORT);
	CHECK_EQ(cr_udp_open("nonsense", NULL, &b), -EINVAL);
	CHECK_EQ(cr_udp_open_peer("nonsense", NULL, &b), -EINVAL);
	share.send_buffer_bytes = (size_t)-1;
	CHECK_EQ(cr_udp_open(":0", &share, &b), -EINVAL);
	return 0;
}

/* One socket for both families: IPv4 addresses look like IPv4 addresses. */
static int both_families(int *unused)
{
	cr_udp *any, *four = open_at("127.0.0.1:0"), *six;
	cr_addr to_four, to_any, from;
	char data[8];

	(void)unused;
	any = open_at(":0");
	to_four = addr_of(four, "127.0.0.1");
	to_any = addr_of(any, "127.0.0.1");
	CHECK_EQ(cr_udp_send_to(four, "4", 1, &to_any), 0);
	CHECK_EQ(cr_udp_receive_from(any, data, sizeof data, &from), 1);
	CHECK(cr_addr_equal(&from, &to_four));
	CHECK_EQ(cr_udp_send_to(any, "4", 1, &from), 0);
	CHECK_EQ(cr_udp_receive_from(four, data, sizeof data, &from), 1);
	CHECK(cr_addr_equal(&from, &to_any));
	if (cr_udp_open("[::1]:0", NULL, &six) == 0) {
		to_any = addr_of(any, "::1");
		CHECK_EQ(cr_udp_send_to(six, "6", 1, &to_any), 0);
		CHECK_EQ(cr_udp_receive_from(any, data, sizeof data, &from), 1);
		CHECK_EQ(cr_udp_send_to(any, "66", 2, &from), 0);
		CHECK_EQ(cr_udp_receive(six, data, sizeof data), 2);
		cr_udp_close(six);
	}
	cr_udp_close(any);
	cr_udp_close(four);
	return 0;
}

static int batches(int *unused)
{
	enum { COUNT = 20 };
	cr_udp *a = open_at(":0"), *b = open_at("127.0.0.1:0");
	cr_addr to_b = addr_of(b, "127.0.0.1"), to_a = addr_of(a, "127.0.0.1");
	cr_datagram out[COUNT], in[COUNT];
	char texts[COUNT][8], back[COUNT][8];
	int came = 0;

	(void)unused;
	CHECK_EQ(cr_udp_send_batch(a, out, 0), 0);
	CHECK_EQ(cr_udp_receive_batch(a, in, 0), 0);
	for (int i = 0; i < COUNT; i++) {
		int size = snprintf(texts[i], sizeof texts[i], "n%d", i);

		out[i] = (cr_datagram){.data = texts[i], .size = (size_t)size, .addr = to_b};
	}
	out[COUNT - 1].addr = (cr_addr){.length = 0};
	/* The last one has no target: those before it go. */
	CHECK_EQ(cr_udp_send_batch(a, out, COUNT), COUNT - 1);
	CHECK_EQ(cr_udp_send_batch(a, out + COUNT - 1, 1), -EDESTADDRREQ);
	while (came < COUNT - 1) {
		int n;

		for (int i = 0; i < COUNT; i++)
			in[i] = (cr_datagram){.data = back[i], .size = i == 3 && came == 0 ? 1 : 8};
		n = cr_udp_receive_batch(b, in, COUNT);
		CHECK_GT(n, 0);
		for (int i = 0; i < n; i++, came++) {
			CHECK(cr_addr_equal(&in[i].addr, &to_a));
			CHECK_EQ(in[i].truncated, came == 3 && i == 3);
			if (in[i].truncated)
				CHECK_EQ(in[i].size, 1);
			else
				CHECK_EQ(in[i].size, strlen(texts[came]));
			CHECK_MEM(in[i].data, texts[came], in[i].size);
		}
	}
	/* Connected: without addresses. */
	CHECK_EQ(cr_udp_connect(a, &to_b), 0);
	out[0].addr = (cr_addr){.length = 0};
	CHECK_EQ(cr_udp_send_batch(a, out, 1), 1);
	CHECK_EQ(cr_udp_receive_batch(b, in, COUNT), 1);
	cr_udp_close(a);
	cr_udp_close(b);
	return 0;
}

struct receiver {
	cr_udp *udp;
	int batch;
	ssize_t result;
	char data[16];
};

static int receive(struct receiver *r)
{
	cr_datagram one = {.data = r->data, .size = sizeof r->data};

	r->result = r->batch ? cr_udp_receive_batch(r->udp, &one, 1)
	                     : cr_udp_receive(r->udp, r->data, sizeof r->data);
	return 0;
}

/* A second receiver is refused, a close ends the first, a cancelled one loses nothing. */
static int one_at_a_time(int *unused)
{
	(void)unused;
	for (int batch = 0; batch < 2; batch++) {
		cr_udp *a = open_at("127.0.0.1:0"), *b = open_at("127.0.0.1:0");
		cr_addr to_a = addr_of(a, "127.0.0.1");
		struct receiver r = {.udp = a, .batch = batch}, second = r;

		{
			CORAIL_SCOPE(scope);
			cr_spawn(&scope, receive, &r);
			CHECK_EQ(cr_yield(), 0);
			CHECK_EQ(receive(&second), 0);
			CHECK_EQ(second.result, -EBUSY);
			cr_scope_cancel(&scope);
		}
		CHECK_EQ(r.result, -ECANCELED);
		CHECK_EQ(cr_udp_send_to(b, "kept", 4, &to_a), 0);
		CHECK_EQ(receive(&r), 0);
		CHECK_EQ(r.result, batch ? 1 : 4);
		{
			CORAIL_SCOPE(scope);
			cr_spawn(&scope, receive, &r);
			CHECK_EQ(cr_yield(), 0);
			CHECK_EQ(cr_udp_close(a), 0);
		}
		CHECK_EQ(r.result, -ECANCELED);
		cr_udp_close(b);
	}
	return 0;
}

static int multicast(int *unused)
{
	cr_udp_options share = {.reuse_address = 1};
	cr_udp *a, *b, *sender = open_at("127.0.0.1:0");
	cr_addr group, addr, v6;
	char name[32], data[16];
	int r;

	(void)unused;
	CHECK_EQ(cr_udp_open("0.0.0.0:0", &share, &a), 0);
	CHECK_EQ(cr_udp_local(a, &addr), 0);
	snprintf(name, sizeof name, "0.0.0.0:%d", cr_addr_port(&addr));
	CHECK_EQ(cr_udp_open(name, &share, &b), 0);
	snprintf(name, sizeof name, "239.255.7.9:%d", cr_addr_port(&addr));
	CHECK_EQ(cr_addr_parse(name, &group), 0);
	CHECK_EQ(cr_addr_parse("[ff02::99]:1", &v6), 0);
	CHECK_EQ(cr_udp_join(a, &addr, "lo"), -EINVAL);
	CHECK_EQ(cr_udp_join(a, &v6, "lo"), -EAFNOSUPPORT);
	CHECK_EQ(cr_udp_join(a, &group, "no-such-one"), -ENODEV);
	CHECK_EQ(cr_udp_leave(a, &group, "lo"), -EADDRNOTAVAIL);
	r = cr_udp_join(a, &group, "lo");
	CHECK_EQ(r, 0);
	CHECK_EQ(cr_udp_join(a, &group, "lo"), -EADDRINUSE);
	CHECK_EQ(cr_udp_join(b, &group, "lo"), 0);
	CHECK_EQ(cr_udp_multicast_interface_set(sender, "no-such-one"), -ENODEV);
	CHECK_EQ(cr_udp_multicast_interface_set(sender, "lo"), 0);
	CHECK_EQ(cr_udp_multicast_ttl_set(sender, 256), -EINVAL);
	CHECK_EQ(cr_udp_multicast_ttl_set(sender, 3), 0);
	CHECK_EQ(cr_udp_multicast_loop_set(sender, 1), 0);
	CHECK_EQ(cr_udp_send_to(sender, "all", 3, &group), 0);
	CHECK_EQ(cr_udp_receive(a, data, sizeof data), 3);
	CHECK_EQ(cr_udp_receive(b, data, sizeof data), 3);
	CHECK_EQ(cr_udp_leave(a, &group, "lo"), 0);
	CHECK_EQ(cr_udp_send_to(sender, "more", 4, &group), 0);
	CHECK_EQ(cr_udp_receive(b, data, sizeof data), 4);
	cr_udp_close(a);
	cr_udp_close(b);
	cr_udp_close(sender);
	return 0;
}

static int broadcast(int *unused)
{
	cr_udp *a = open_at("127.0.0.1:0");
	cr_addr everybody;

	(void)unused;
	CHECK_EQ(cr_addr_parse("255.255.255.255:9", &everybody), 0);
	CHECK_EQ(cr_udp_send_to(a, "x", 1, &everybody), -EACCES);
	cr_udp_close(a);
	return 0;
}

int main(void)
{
	RUN_TASK(back_and_forth);
	RUN_TASK(sizes);
	RUN_TASK(connected);
	RUN_TASK(refused);
	RUN_TASK(openings);
	RUN_TASK(both_families);
	RUN_TASK(batches);
	RUN_TASK(one_at_a_time);
	RUN_TASK(multicast);
	RUN_TASK(broadcast);
	return test_done();
}
