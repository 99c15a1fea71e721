/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 */
/*
 * Name resolution, tortured. The name server is a thread, which nothing that is delivered reaches.
 */

#include "support/torture.h"

#include "conformance/dns_server.h"

#include <arpa/inet.h>
#include <pthread.h>

static char server_address[32];

static void *server_run(void *arg)
{
	int fd = *(int *)arg;

	for (;;) {
		static struct dns_server server;
		struct dns_query q = {.server = &server};
		unsigned char out[2048];
		socklen_t length = sizeof q.from;
		ssize_t n = recvfrom(fd, q.packet, sizeof q.packet, 0, (struct sockaddr *)&q.from,
		                     &length);

		if (n < 0)
			return NULL;
		q.size = (size_t)n;
		q.size = dns_handle(&q, out);
		if (q.size > 0)
			sendto(fd, out, q.size, 0, (struct sockaddr *)&q.from, length);
	}
}

static void server_start(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof a;
	static pthread_t thread;
	static int fd;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&a, &length), 0);
	snprintf(server_address, sizeof server_address, "127.0.0.1:%d", ntohs(a.sin_port));
	CHECK_EQ(pthread_create(&thread, NULL, server_run, &fd), 0);
	CHECK_EQ(pthread_detach(thread), 0);
}

/* Short is the patience only with a server that does not answer: a stalled machine is slow. */
static int settings(cr_nsec patience)
{
	int r = cr_dns_servers_set(server_address);

	return r < 0 ? r : cr_dns_retry_set(patience, 2);
}

struct asker {
	const char *name;
	int result;
};

static int ask(struct asker *a)
{
	cr_dns_address found[8];

	a->result = cr_dns_lookup(a->name, AF_UNSPEC, found, 8);
	if (a->result > 0)
		CHECK_EQ(found[0].addr.storage.ss_family == AF_INET ||
		                 found[0].addr.storage.ss_family == AF_INET6,
		         1);
	return a->result < 0 ? a->result : 0;
}

/* Queries that nobody wants any more end in the next turn, on the loop's own account. */
static void settle(void)
{
	cr_shield(cr_seconds(60), cr_sleep(cr_millis(2)));
}

static int finds_names(struct torture *t)
{
	struct asker askers[] = {
		{"www.test", 0}, {"www.test", 0}, {"four.test", 0}, {"six.test", 0}};
	struct asker again = {"www.test", 0};
	int r = settings(cr_seconds(10));

	(void)t;
	if (r == 0)
		r = cr_gather(ask, askers, 4);
	if (r == 0)
		r = ask(&again);
	settle();
	return r;
}

static int finds_nothing(struct torture *t)
{
	struct asker askers[] = {{"none.test", 0}, {"mute.test", 0}, {"refuse.test", 0}};
	int statuses[3], r = settings(cr_millis(20));

	if (r == 0)
		r = cr_gather_collect(ask, askers, 3, statuses);
	if (!torture_delivered(t))
		CHECK_EQ(r, 3);
	settle();
	return r < 0 ? r : 0;
}

/* One of two who wait for the same name is cancelled at every moment; the other never notices. */
static int spares_the_other(struct torture *t)
{
	struct asker other = {"www.test", 0}, victim = {"www.test", 0};
	int r = settings(cr_seconds(10));

	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(others);
		cr_scope_collect(&others);
		cr_spawn(&others, ask, &other);
		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			r = ask(&victim);
			torture_victim(t, NULL);
		}
		cr_scope_wait(&others);
	}
	if (!torture_short_of_memory(t))
		CHECK_GT(other.result, 0);
	settle();
	return r;
}

int main(void)
{
	if (on_sim())
		SKIP("the simulator has no name servers");
	if (!CORAIL_WITH_DNS)
		SKIP("built without c-ares");
	server_start();
	TORTURE(finds_names);
	TORTURE(finds_nothing);
	TORTURE(spares_the_other);
	return test_done();
}
