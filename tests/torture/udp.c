/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 */
/* Datagrams, tortured. */

#include "support/torture.h"

#include <corail/task.h>
#include <corail/udp.h>

struct sender {
	cr_udp *udp;
	cr_addr to;
};

static int send_numbers(struct sender *s)
{
	int r = 0;

	for (unsigned char i = 0; i < 6 && r == 0; i++) {
		cr_datagram one = {.data = &i, .size = 1, .addr = s->to};

		if (i & 1)
			r = cr_udp_send_to(s->udp, &i, 1, &s->to);
		else
			r = cr_udp_send_batch(s->udp, &one, 1);
		r = r < 0 ? r : cr_yield();
	}
	return r;
}

static int receive_numbers(cr_udp *udp, int *next)
{
	while (*next < 6) {
		unsigned char bytes[2];
		cr_datagram both[2] = {{.data = bytes, .size = 1}, {.data = bytes + 1, .size = 1}};
		int n = *next % 3 ? cr_udp_receive_batch(udp, both, 2)
		                  : (int)cr_udp_receive(udp, bytes, 1);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			CHECK_EQ(bytes[i], (*next)++);
	}
	return 0;
}

static int loses_no_datagram(struct torture *t)
{
	struct sender sender = {0};
	cr_udp *udp;
	int next = 0, r = cr_udp_open("127.0.0.1:0", NULL, &udp);

	if (r < 0)
		return r;
	r = cr_udp_open("127.0.0.1:0", NULL, &sender.udp);
	if (r == 0)
		r = cr_udp_local(udp, &sender.to);
	if (r == 0) {
		CORAIL_SCOPE(senders);
		cr_scope_collect(&senders);
		cr_spawn(&senders, send_numbers, &sender);
		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			r = receive_numbers(udp, &next);
			torture_victim(t, NULL);
		}
		if (r == -ECANCELED)
			r = receive_numbers(udp, &next);
		if (!torture_excused(t))
			CHECK_EQ(r, 0);
	}
	cr_udp_close(sender.udp);
	cr_udp_close(udp);
	return r;
}

static int receive_for_ever(cr_udp **udp)
{
	char byte;

	return *udp ? (int)cr_udp_receive(*udp, &byte, 1) : -ECANCELED;
}

static int closes_under_a_receiver(struct torture *t)
{
	cr_udp *udp, *closing;
	int r = cr_udp_open("127.0.0.1:0", NULL, &udp);

	(void)t;
	if (r < 0)
		return r;
	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	cr_spawn(&scope, receive_for_ever, &udp);
	r = cr_yield();
	closing = udp;
	udp = NULL;
	cr_udp_close(closing);
	return r;
}

/* Told that nobody is there, in one of two ways, and connected to somebody else after that. */
static int hears_of_nobody(struct torture *t)
{
	char byte, target[CORAIL_ADDR_TEXT_SIZE];
	cr_datagram one = {.data = &byte, .size = 1};
	cr_udp *gone, *udp;
	cr_addr addr;
	int r = cr_udp_open("127.0.0.1:0", NULL, &gone);

	if (r < 0)
		return r;
	cr_udp_local(gone, &addr);
	cr_addr_format(&addr, target, sizeof target);
	cr_udp_close(gone);
	r = cr_udp_open_peer(target, NULL, &udp);
	if (r < 0)
		return r;
	for (int i = 0; i < 2 && r == 0; i++) {
		r = cr_udp_send(udp, "x", 1);
		if (r < 0)
			break;
		r = i ? cr_udp_receive_batch(udp, &one, 1) : (int)cr_udp_receive(udp, &byte, 1);
		if (!torture_delivered(t) && !torture_excused(t))
			CHECK_EQ(r, -ECONNREFUSED);
		r = r == -ECONNREFUSED ? cr_sleep(cr_micros(50)) : r;
	}
	if (r == 0)
		r = cr_udp_local(udp, &addr);
	if (r == 0)
		r = cr_udp_connect(udp, &addr);
	if (r == 0)
		r = cr_udp_send(udp, "y", 1);
	if (r == 0) {
		r = (int)cr_udp_receive(udp, &byte, 1);
		r = r == 1 ? 0 : r;
	}
	cr_udp_close(udp);
	return r;
}

int main(void)
{
	TORTURE(loses_no_datagram);
	TORTURE(closes_under_a_receiver);
	TORTURE(hears_of_nobody);
	return test_done();
}
