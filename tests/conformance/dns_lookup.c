/* SPDX-License-Identifier: MIT */
/* Names looked up from a server that answers well, badly, slowly, or not at all. */
#include "dns_server.h"

enum { MANY = 40 };

/* A test with a name server beside it. */
#define WITH_SERVER(name)                                                                          \
	static int name##_with(struct dns_server *server);                                         \
	static int name(int *unused)                                                               \
	{                                                                                          \
		struct dns_server server = {0};                                                    \
                                                                                                   \
		(void)unused;                                                                      \
		CORAIL_SCOPE(scope);                                                               \
		dns_server_start(&server, &scope);                                                 \
		CHECK_EQ(name##_with(&server), 0);                                                 \
		dns_server_stop(&server);                                                          \
		CHECK_EQ(cr_scope_wait(&scope), 0);                                                \
		return 0;                                                                          \
	}                                                                                          \
	static int name##_with(struct dns_server *server)

static void check_address(const cr_dns_address *address, const char *text)
{
	char formatted[CORAIL_ADDR_TEXT_SIZE];

	CHECK_GT(cr_addr_format(&address->addr, formatted, sizeof formatted), 0);
	CHECK_STR(formatted, text);
}

WITH_SERVER(families)
{
	cr_dns_address found[MANY];

	CHECK_EQ(cr_dns_lookup("www.test", AF_INET, found, MANY), 1);
	check_address(&found[0], "127.0.0.9:0");
	CHECK_EQ(found[0].ttl_seconds, 300);
	CHECK_EQ(cr_dns_lookup("www.test", AF_INET6, found, MANY), 1);
	check_address(&found[0], "[::9]:0");
	CHECK_EQ(cr_dns_lookup("www.test", AF_UNSPEC, found, MANY), 2);
	CHECK_EQ(cr_dns_lookup("www.test", AF_UNSPEC, found, 1), 1);
	CHECK_EQ(cr_dns_lookup("four.test", AF_INET6, found, MANY), -CORAIL_E_DNS_NODATA);
	CHECK_EQ(cr_dns_lookup("four.test", AF_UNSPEC, found, MANY), 1);
	CHECK_EQ(cr_dns_lookup("six.test", AF_UNSPEC, found, MANY), 1);
	check_address(&found[0], "[::9]:0");
	CHECK_EQ(server->asked, 4);
	return 0;
}

/* Upper case is the same name; the second time, the server is not asked. */
WITH_SERVER(cached)
{
	cr_dns_address found[MANY];

	CHECK_EQ(cr_dns_lookup("www.test", AF_INET, found, MANY), 1);
	CHECK_EQ(cr_dns_lookup("WWW.Test", AF_INET, found, MANY), 1);
	CHECK_LE(found[0].ttl_seconds, 300);
	CHECK_GE(found[0].ttl_seconds, 290);
	CHECK_EQ(server->asked, 1);
	cr_dns_cache_clear();
	CHECK_EQ(cr_dns_lookup("www.test", AF_INET, found, MANY), 1);
	CHECK_EQ(server->asked, 2);
	return 0;
}

/* A name that ends in a dot is whole; others are looked for in the search domains, too. */
WITH_SERVER(search_domains)
{
	cr_dns_address found[MANY];

	(void)server;
	setenv("LOCALDOMAIN", "test", 1);
	cr_dns_retry_set(0, 0); /* a new channel, which reads it */
	CHECK_EQ(cr_dns_lookup("www", AF_INET, found, MANY), 1);
	check_address(&found[0], "127.0.0.9:0");
	CHECK_EQ(cr_dns_lookup("www.", AF_INET, found, MANY), -CORAIL_E_DNS_NOTFOUND);
	CHECK_EQ(cr_dns_lookup("www.test.", AF_INET, found, MANY), 1);
	unsetenv("LOCALDOMAIN");
	return 0;
}

WITH_SERVER(ttl)
{
	cr_dns_address found[MANY];
	cr_nsec start;

	CHECK_EQ(cr_dns_lookup("zero.test", AF_INET, found, MANY), 1);
	CHECK_EQ(found[0].ttl_seconds, 0);
	CHECK_EQ(cr_dns_lookup("zero.test", AF_INET, found, MANY), 1);
	CHECK_EQ(server->asked, 2);
	/* One second; unless the machine stalled for as long. */
	do {
		cr_dns_cache_clear();
		server->asked = 0;
		start = cr_now();
		CHECK_EQ(cr_dns_lookup("brief.test", AF_INET, found, MANY), 1);
		CHECK_EQ(cr_dns_lookup("brief.test", AF_INET, found, MANY), 1);
	} while (cr_now() - start >= cr_seconds(1));
	CHECK_EQ(server->asked, 1);
	CHECK_EQ(cr_sleep(cr_millis(1010)), 0);
	CHECK_EQ(cr_dns_lookup("brief.test", AF_INET, found, MANY), 1);
	CHECK_EQ(server->asked, 2);
	return 0;
}

static int server_trouble(int r)
{
	return r == -CORAIL_E_DNS_SERVFAIL || r == -CORAIL_E_DNS_REFUSED;
}

WITH_SERVER(negative)
{
	cr_dns_address found[MANY];
	int asked;

	CHECK_EQ(cr_dns_lookup("none.test", AF_INET, found, MANY), -CORAIL_E_DNS_NOTFOUND);
	asked = server->asked;
	CHECK_EQ(cr_dns_lookup("none.test", AF_INET, found, MANY), -CORAIL_E_DNS_NOTFOUND);
	CHECK_EQ(server->asked, asked);
	/* A server in trouble is asked again. */
	CHECK(server_trouble(cr_dns_lookup("fail.test", AF_INET, found, MANY)));
	asked = server->asked;
	CHECK(server_trouble(cr_dns_lookup("fail.test", AF_INET, found, MANY)));
	CHECK_GT(server->asked, asked);
	CHECK_EQ(cr_dns_lookup("refuse.test", AF_INET, found, MANY), -CORAIL_E_DNS_REFUSED);
	return 0;
}

WITH_SERVER(truncated)
{
	cr_dns_address found[MANY];

	CHECK_EQ(cr_dns_lookup("big.test", AF_INET, found, MANY), 30);
	CHECK_EQ(server->asked, 2);
	CHECK_EQ(server->asked_tcp, 1);
	return 0;
}

WITH_SERVER(malformed)
{
	cr_dns_address found[MANY];
	int r;

	(void)server;
	CHECK_EQ(cr_dns_retry_set(cr_millis(50), 2), 0);
	r = cr_dns_lookup("garbage.test", AF_INET, found, MANY);
	CHECK(r == -CORAIL_E_DNS_BADREPLY || r == -CORAIL_E_DNS_TIMEOUT);
	return 0;
}

static void asked_wait(const struct dns_server *server, int count)
{
	while (server->asked < count)
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
}

WITH_SERVER(silent)
{
	cr_dns_address found[MANY];

	CHECK_EQ(cr_dns_retry_set(cr_millis(20), 2), 0);
	CHECK_EQ(cr_dns_lookup("mute.test", AF_INET, found, MANY), -CORAIL_E_DNS_TIMEOUT);
	/* The second one may still be under way. */
	asked_wait(server, 2);
	CHECK_EQ(server->asked, 2);
	return 0;
}

struct asker {
	const char *name;
	int result;
};

static int ask(struct asker *a)
{
	cr_dns_address found[MANY];

	a->result = cr_dns_lookup(a->name, AF_INET, found, MANY);
	return 0;
}

/* A deadline is a scope's. */
WITH_SERVER(deadline)
{
	cr_dns_address found[MANY];

	(void)server;
	CHECK_EQ(cr_timeout(cr_millis(20), cr_dns_lookup("mute.test", AF_INET, found, MANY)),
	         -ETIMEDOUT);
	/* The resolver is whole. */
	CHECK_EQ(cr_dns_lookup("www.test", AF_INET, found, MANY), 1);
	return 0;
}

/* The query ends with the last who waits for it, and is not repeated. */
WITH_SERVER(given_up)
{
	struct asker mute = {"mute.test", 0};
	cr_dns_address found[MANY];
	int asked;

	CHECK_EQ(cr_dns_retry_set(cr_millis(300), 10), 0);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, ask, &mute);
		asked_wait(server, 1);
		cr_scope_cancel(&scope);
	}
	CHECK_EQ(mute.result, -ECANCELED);
	/* What was sent before has arrived when this is answered. */
	CHECK_EQ(cr_dns_lookup("www.test", AF_INET, found, MANY), 1);
	asked = server->asked_mute;
	CHECK_EQ(cr_sleep(cr_millis(700)), 0);
	CHECK_EQ(server->asked_mute, asked);
	return 0;
}

/*
 * Ten ask for the same name at once: one query. Those who are cancelled do no harm to the others.
 */
WITH_SERVER(single_flight)
{
	struct asker askers[10];
	cr_task tasks[10];

	server->hold = 1;
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 10; i++) {
		askers[i] = (struct asker){"slow.test", 0};
		tasks[i] = cr_spawn(&scope, ask, &askers[i]);
	}
	asked_wait(server, 1);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(cr_task_cancel(tasks[i]), 0);
	server->hold = 0;
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(askers[i].result, i < 5 ? -ECANCELED : 1);
	CHECK_EQ(server->asked, 1);
	return 0;
}

/* Different names are asked for together. */
WITH_SERVER(together)
{
	struct asker askers[4] = {
		{"slow.a.test", 0}, {"slow.b.test", 0}, {"slow.c.test", 0}, {"www.test", 0}};

	server->hold = 1;
	CORAIL_SCOPE(scope);
	for (int i = 0; i < 4; i++)
		cr_spawn(&scope, ask, &askers[i]);
	asked_wait(server, 4);
	server->hold = 0;
	CHECK_EQ(cr_scope_wait(&scope), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(askers[i].result, 1);
	CHECK_EQ(server->asked, 4);
	return 0;
}

/* The settings change while a query is under way: it ends as it began, new ones go elsewhere. */
WITH_SERVER(settings_change)
{
	struct asker slow = {"slow.test", 0};
	cr_dns_address found[MANY];

	server->hold = 1;
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, ask, &slow);
	asked_wait(server, 1);
	CHECK_EQ(cr_dns_servers_set("127.0.0.1:1"), 0);
	CHECK_LT(cr_dns_lookup("www.test", AF_INET, found, MANY), 0);
	server->hold = 0;
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(slow.result, 1);
	CHECK_EQ(cr_dns_servers_set(server->address), 0);
	CHECK_EQ(cr_dns_lookup("www.test", AF_INET, found, MANY), 1);
	CHECK_EQ(cr_dns_servers_set("no address"), -EINVAL);
	CHECK_EQ(cr_dns_lookup("other.test", AF_INET, found, MANY), 1);
	return 0;
}

/* Nobody listens where the server should be. */
static int no_server(int *unused)
{
	cr_dns_address found[MANY];
	int r;

	(void)unused;
	CHECK_EQ(cr_dns_servers_set("127.0.0.1:1"), 0);
	CHECK_EQ(cr_dns_retry_set(cr_millis(50), 1), 0);
	r = cr_dns_lookup("www.test", AF_UNSPEC, found, MANY);
	CHECK(r == -CORAIL_E_DNS_REFUSED || r == -CORAIL_E_DNS_TIMEOUT);
	return 0;
}

WITH_SERVER(dialled)
{
	cr_listener *listener;
	cr_conn *here, *there;
	char target[32];

	(void)server;
	CHECK_EQ(cr_listener_open("127.0.0.9:0", NULL, &listener), 0);
	snprintf(target, sizeof target, "four.test:%d", cr_listener_port(listener));
	CHECK_EQ(cr_conn_open(target, &here), 0);
	CHECK_EQ(cr_listener_accept(listener, &there), 0);
	cr_conn_close(here);
	cr_conn_close(there);
	cr_listener_close(listener);
	CHECK_EQ(cr_conn_open("none.test:80", &here), -CORAIL_E_DNS_NOTFOUND);
	return 0;
}

int main(void)
{
	if (on_sim())
		SKIP("the simulator has no name servers");
	if (!CORAIL_WITH_DNS)
		SKIP("built without c-ares");
	RUN_TASK(families);
	RUN_TASK(cached);
	RUN_TASK(search_domains);
	RUN_TASK(ttl);
	RUN_TASK(negative);
	RUN_TASK(truncated);
	RUN_TASK(malformed);
	RUN_TASK(silent);
	RUN_TASK(deadline);
	RUN_TASK(given_up);
	RUN_TASK(single_flight);
	RUN_TASK(together);
	RUN_TASK(settings_change);
	RUN_TASK(no_server);
	RUN_TASK(dialled);
	return test_done();
}
