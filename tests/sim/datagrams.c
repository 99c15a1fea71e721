/* SPDX-License-Identifier: MIT */
/* Datagrams in the simulator: lost, doubled, overtaking each other, as the seed says. */
#include "../conformance/in_task.h"

#include <corail/udp.h>

enum { COUNT = 500 };

struct outcome {
	int came, doubled, overtook;
};

static int seen[COUNT];

/* Sends numbers through a network and says what became of them. */
static struct outcome through(const cr_sim_network *network)
{
	struct outcome outcome = {0};
	int number, last = -1;
	cr_udp *a, *b;
	cr_addr to;
	ssize_t n;

	memset(seen, 0, sizeof seen);
	CHECK_EQ(cr_sim_network_set(network), 0);
	CHECK_EQ(cr_udp_open("10.0.0.1:0", NULL, &a), 0);
	CHECK_EQ(cr_udp_open("10.0.0.2:0", NULL, &b), 0);
	CHECK_EQ(cr_udp_local(b, &to), 0);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(cr_udp_send_to(a, &i, sizeof i, &to), 0);
	for (;;) {
		n = cr_timeout(cr_seconds(60), cr_udp_receive(b, &number, sizeof number));
		if (n < 0)
			break;
		CHECK_EQ(n, sizeof number);
		outcome.came++;
		outcome.overtook += number < last;
		last = number;
		outcome.doubled += seen[number]++;
	}
	CHECK_EQ(n, -ETIMEDOUT);
	cr_udp_close(a);
	cr_udp_close(b);
	return outcome;
}

static int usually_all_in_order(int *unused)
{
	cr_sim_network network = {.latency = cr_millis(1), .jitter = cr_millis(9)};
	struct outcome o = through(&network);

	(void)unused;
	CHECK_EQ(o.came, COUNT);
	CHECK_EQ(o.doubled, 0);
	CHECK_EQ(o.overtook, 0);
	return 0;
}

static int lost(int *unused)
{
	cr_sim_network network = {.latency = cr_millis(1), .loss_permille = 250};
	struct outcome o = through(&network);

	(void)unused;
	CHECK_GT(o.came, COUNT / 2);
	CHECK_LT(o.came, COUNT);
	network.loss_permille = 1000;
	o = through(&network);
	CHECK_EQ(o.came, 0);
	return 0;
}

static int doubled(int *unused)
{
	cr_sim_network network = {.latency = cr_millis(1), .duplicate_permille = 1000};
	struct outcome o = through(&network);

	(void)unused;
	CHECK_EQ(o.came, 2 * COUNT);
	CHECK_EQ(o.doubled, COUNT);
	return 0;
}

static int overtaking(int *unused)
{
	cr_sim_network network = {.latency = cr_millis(1), .jitter = cr_millis(9), .reorder = 1};
	struct outcome o = through(&network);

	(void)unused;
	CHECK_EQ(o.came, COUNT);
	CHECK_GT(o.overtook, COUNT / 10);
	return 0;
}

/* What is held back by a partition comes afterwards; a full queue loses what is too much. */
static int partition_and_overflow(int *unused)
{
	static char block[1000];
	cr_sim_network network = {.latency = cr_millis(1), .buffer_bytes = 5000};
	cr_nsec start = cr_now();
	cr_udp *a, *b;
	cr_addr to;
	int count = 0;

	(void)unused;
	CHECK_EQ(cr_sim_network_set(&network), 0);
	CHECK_EQ(cr_udp_open("10.0.0.1:0", NULL, &a), 0);
	CHECK_EQ(cr_udp_open("10.0.0.2:0", NULL, &b), 0);
	CHECK_EQ(cr_udp_local(b, &to), 0);
	CHECK_EQ(cr_sim_partition(start + cr_seconds(5)), 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(cr_udp_send_to(a, block, sizeof block, &to), 0);
	while (cr_timeout(cr_seconds(60), cr_udp_receive(b, block, sizeof block)) >= 0) {
		if (count++ == 0)
			CHECK_EQ(cr_now() - start, cr_seconds(5));
	}
	CHECK_EQ(count, 10);
	cr_udp_close(a);
	cr_udp_close(b);
	return 0;
}

/* The receiver sees who sent it, and its answer gets there. */
static int answers(int *unused)
{
	cr_sim_network network = {.latency = cr_millis(1)};
	cr_addr a_name, b_name, from;
	cr_udp *a, *b;
	char data[8];

	(void)unused;
	CHECK_EQ(cr_sim_network_set(&network), 0);
	CHECK_EQ(cr_udp_open("10.0.0.1:0", NULL, &a), 0);
	CHECK_EQ(cr_udp_open("10.0.0.2:0", NULL, &b), 0);
	CHECK_EQ(cr_udp_local(a, &a_name), 0);
	CHECK_EQ(cr_udp_local(b, &b_name), 0);
	CHECK_EQ(cr_udp_send_to(a, "question", 8, &b_name), 0);
	CHECK_EQ(cr_udp_receive_from(b, data, sizeof data, &from), 8);
	CHECK(cr_addr_equal(&from, &a_name));
	CHECK_EQ(cr_udp_connect(a, &b_name), 0);
	CHECK_EQ(cr_udp_send_to(b, "answer", 6, &from), 0);
	CHECK_EQ(cr_timeout(cr_seconds(60), cr_udp_receive(a, data, sizeof data)), 6);
	cr_udp_close(a);
	cr_udp_close(b);
	return 0;
}

int main(void)
{
	RUN_TASK(usually_all_in_order);
	RUN_TASK(lost);
	RUN_TASK(doubled);
	RUN_TASK(overtaking);
	RUN_TASK(partition_and_overflow);
	RUN_TASK(answers);
	return test_done();
}
