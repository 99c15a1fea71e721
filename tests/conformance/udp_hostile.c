/* SPDX-License-Identifier: MIT */
/* Datagrams that nobody wants, of sizes that nobody expects, and peers that are not there. */
#include "in_task.h"

#include <corail/udp.h>

static char big[70000];

static cr_udp *open_at(const char *local)
{
	cr_udp *udp;

	CHECK_EQ(cr_udp_open(local, NULL, &udp), 0);
	return udp;
}

/* A socket, and another one that is connected to it. */
static void open_pair(cr_udp **ret_server, cr_udp **ret_client)
{
	char target[CORAIL_ADDR_TEXT_SIZE];
	cr_addr addr;

	*ret_server = open_at("127.0.0.1:0");
	CHECK_EQ(cr_udp_local(*ret_server, &addr), 0);
	CHECK_GT(cr_addr_format(&addr, target, sizeof target), 0);
	CHECK_EQ(cr_udp_open_peer(target, NULL, ret_client), 0);
}

static void close_pair(cr_udp *server, cr_udp *client)
{
	CHECK_EQ(cr_udp_close(server), 0);
	CHECK_EQ(cr_udp_close(client), 0);
}

/* -------------------------------------------------------------------------- nobody is there --- */

/* One way to hear it, by receiving or by sending, one by one or in batches. */
static int hear(cr_udp *udp, int way)
{
	char data[8];
	cr_datagram one = {.data = data, .size = sizeof data};

	switch (way) {
	case 0:
		return (int)cr_udp_receive(udp, data, sizeof data);
	case 1:
		return cr_udp_receive_batch(udp, &one, 1);
	case 2:
		return cr_udp_send(udp, "x", 1);
	default:
		return cr_udp_send_batch(udp, &one, 1);
	}
}

/* Whoever asks next is told, once; and when the peer is back, all is well. */
static int refused(int *unused)
{
	(void)unused;
	for (int way = 0; way < 4; way++) {
		cr_udp *server, *client;
		char name[CORAIL_ADDR_TEXT_SIZE], data[8];
		cr_addr addr;

		open_pair(&server, &client);
		CHECK_EQ(cr_udp_local(server, &addr), 0);
		CHECK_GT(cr_addr_format(&addr, name, sizeof name), 0);
		CHECK_EQ(cr_udp_close(server), 0);
		CHECK_EQ(cr_udp_send(client, "x", 1), 0);
		CHECK_EQ(cr_sleep(cr_millis(5)), 0); /* in sim, the answer takes its time */
		CHECK_EQ(hear(client, way), -ECONNREFUSED);
		server = open_at(name);
		CHECK_EQ(cr_udp_send(client, "back", 4), 0);
		CHECK_EQ(cr_udp_receive_from(server, data, sizeof data, &addr), 4);
		CHECK_EQ(cr_udp_send_to(server, "you", 3, &addr), 0);
		CHECK_EQ(cr_udp_receive(client, data, sizeof data), 3);
		close_pair(server, client);
	}
	return 0;
}

/* One that is not connected hears of nothing, and goes on with the others. */
static int nobody_hears(int *unused)
{
	cr_udp *udp = open_at("127.0.0.1:0"), *gone = open_at("127.0.0.1:0");
	cr_addr to, own;
	char byte;

	(void)unused;
	CHECK_EQ(cr_udp_local(gone, &to), 0);
	CHECK_EQ(cr_udp_local(udp, &own), 0);
	CHECK_EQ(cr_udp_close(gone), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_udp_send_to(udp, "x", 1, &to), 0);
	CHECK_EQ(cr_udp_send_to(udp, "self", 4, &own), 0);
	CHECK_EQ(cr_udp_receive(udp, &byte, 1), -EMSGSIZE);
	CHECK_EQ(cr_udp_close(udp), 0);
	return 0;
}

/* ------------------------------------------------------------------------------------ sizes --- */

static int empty_ones(int *unused)
{
	cr_udp *server, *client;
	cr_datagram two[2] = {{.data = big, .size = 8}, {.data = big, .size = 8}};
	const cr_datagram none[2] = {{0}, {.data = big, .size = 1}};
	cr_addr from = {.length = 0}, own;

	(void)unused;
	open_pair(&server, &client);
	CHECK_EQ(cr_udp_send(client, "", 0), 0);
	CHECK_EQ(cr_udp_send(client, NULL, 0), 0);
	CHECK_EQ(cr_udp_send_batch(client, none, 2), 2);
	CHECK_EQ(cr_udp_receive_from(server, big, 8, &from), 0);
	CHECK_EQ(cr_udp_local(client, &own), 0);
	CHECK(cr_addr_equal(&from, &own));
	/* An empty one fits into nothing, a larger one does not. */
	CHECK_EQ(cr_udp_receive(server, NULL, 0), 0);
	CHECK_EQ(cr_udp_receive_batch(server, two, 1), 1);
	CHECK_EQ(two[0].size, 0);
	CHECK(!two[0].truncated);
	CHECK_EQ(cr_udp_receive(server, NULL, 0), -EMSGSIZE);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_udp_receive(server, NULL, 0)), -ETIMEDOUT);
	close_pair(server, client);
	return 0;
}

static int large_ones(int *unused)
{
	cr_udp *server, *client;
	cr_datagram out[3] = {{.data = big, .size = 1},
	                      {.data = big, .size = 65508},
	                      {.data = big, .size = 2}};

	(void)unused;
	open_pair(&server, &client);
	CHECK_EQ(cr_udp_send(client, big, 65508), -EMSGSIZE);
	CHECK_EQ(cr_udp_send(client, big, sizeof big), -EMSGSIZE);
	/* Those before it go; then the error is the first one's. */
	CHECK_EQ(cr_udp_send_batch(client, out, 3), 1);
	CHECK_EQ(cr_udp_send_batch(client, out + 1, 2), -EMSGSIZE);
	CHECK_EQ(cr_udp_receive(server, big, sizeof big), 1);
	CHECK_EQ(cr_udp_send(client, big, 65507), 0);
	CHECK_EQ(cr_udp_receive(server, big, sizeof big), 65507);
	CHECK_EQ(cr_udp_send(client, big, 65507), 0);
	CHECK_EQ(cr_udp_receive(server, big, 65506), -EMSGSIZE);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_udp_receive(server, big, 8)), -ETIMEDOUT);
	close_pair(server, client);
	return 0;
}

/* -------------------------------------------------------------------------------- addresses --- */

/* Connecting gives a socket that has none an address, as long as it is connected. */
static void own_address_of(const char *local)
{
	cr_udp *server = open_at("127.0.0.1:0"), *client = open_at(local);
	cr_addr to, before, own, from;

	CHECK_EQ(cr_udp_local(server, &to), 0);
	CHECK_EQ(cr_udp_local(client, &before), 0);
	CHECK_EQ(cr_udp_connect(client, &to), 0);
	CHECK_EQ(cr_udp_local(client, &own), 0);
	CHECK(!cr_addr_equal(&own, &before));
	CHECK_EQ(cr_addr_port(&own), cr_addr_port(&before));
	CHECK_EQ(cr_udp_send(client, "x", 1), 0);
	CHECK_EQ(cr_udp_receive_from(server, big, 8, &from), 1);
	CHECK(cr_addr_equal(&own, &from));
	CHECK_EQ(cr_udp_send_to(server, "yy", 2, &own), 0);
	CHECK_EQ(cr_udp_receive(client, big, 8), 2);
	CHECK_EQ(cr_udp_connect(client, NULL), 0);
	CHECK_EQ(cr_udp_local(client, &own), 0);
	/* Linux takes a port that it chose itself away, too. */
	CHECK_EQ(cr_addr_port_set(&own, cr_addr_port(&before)), 0);
	CHECK(cr_addr_equal(&own, &before));
	close_pair(server, client);
}

static int own_address(int *unused)
{
	(void)unused;
	own_address_of("0.0.0.0:0");
	own_address_of(":0"); /* of both families */
	return 0;
}

/* A socket of both families names its senders by the family that they have, in batches too. */
static int families(int *unused)
{
	cr_udp *any = open_at(":0"), *four = open_at("127.0.0.1:0"), *six;
	cr_datagram in[2] = {{.data = big, .size = 8}, {.data = big, .size = 8}};
	cr_addr to, own;
	int port, came = 0, sent = 1;

	(void)unused;
	CHECK_EQ(cr_udp_local(any, &own), 0);
	port = cr_addr_port(&own);
	CHECK_EQ(cr_addr_parse("127.0.0.1", &to), 0);
	CHECK_EQ(cr_addr_port_set(&to, port), 0);
	CHECK_EQ(cr_udp_send_to(four, "4", 1, &to), 0);
	if (cr_udp_open("[::1]:0", NULL, &six) == 0) {
		CHECK_EQ(cr_addr_parse("::1", &to), 0);
		CHECK_EQ(cr_addr_port_set(&to, port), 0);
		CHECK_EQ(cr_udp_send_to(six, "6", 1, &to), 0);
		CHECK_EQ(cr_udp_send_to(four, "4", 1, &to), -EAFNOSUPPORT);
		cr_udp_close(six);
		sent++;
	}
	while (came < sent) {
		int n = cr_udp_receive_batch(any, in, 2);

		CHECK_GT(n, 0);
		for (int i = 0; i < n; i++, came++)
			CHECK_EQ(in[i].addr.storage.ss_family, came == 0 ? AF_INET : AF_INET6);
	}
	close_pair(any, four);
	return 0;
}

/* ----------------------------------------------------------------------------- cancellation --- */

/* In a cancelled scope nothing is sent and nothing is taken. */
static int cancelled(int *unused)
{
	cr_udp *server, *client;
	cr_datagram one = {.data = big, .size = 1};
	cr_addr to;
	char data[8];

	(void)unused;
	open_pair(&server, &client);
	CHECK_EQ(cr_udp_peer(client, &to), 0);
	CHECK_EQ(cr_udp_send(client, "kept", 4), 0);
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_udp_send(client, "x", 1), -ECANCELED);
		CHECK_EQ(cr_udp_send_to(client, "x", 1, &to), -ECANCELED);
		CHECK_EQ(cr_udp_send_batch(client, &one, 1), -ECANCELED);
		CHECK_EQ(cr_udp_connect(client, &to), -ECANCELED);
		CHECK_EQ(cr_udp_receive(server, data, sizeof data), -ECANCELED);
		CHECK_EQ(cr_udp_receive_batch(server, &one, 1), -ECANCELED);
		CHECK_EQ(cr_udp_open("127.0.0.1:0", NULL, &client), -ECANCELED);
	}
	CHECK_EQ(cr_udp_receive(server, data, sizeof data), 4);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_udp_receive(server, data, sizeof data)), -ETIMEDOUT);
	close_pair(server, client);
	return 0;
}

int main(void)
{
	RUN_TASK(refused);
	RUN_TASK(nobody_hears);
	RUN_TASK(empty_ones);
	RUN_TASK(large_ones);
	RUN_TASK(own_address);
	RUN_TASK(families);
	RUN_TASK(cancelled);
	return test_done();
}
