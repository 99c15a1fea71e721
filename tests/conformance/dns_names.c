/* SPDX-License-Identifier: MIT */
/*
 * Names that need no server: numeric, localhost, the program's own table; and names that are none.
 */
#include "in_task.h"

#include <netinet/in.h>

static void check_first(const char *host, int family, int count, const char *text)
{
	cr_dns_address found[8];
	char formatted[CORAIL_ADDR_TEXT_SIZE];

	CHECK_EQ(cr_dns_lookup(host, family, found, 8), count);
	CHECK_GT(cr_addr_format(&found[0].addr, formatted, sizeof formatted), 0);
	CHECK_STR(formatted, text);
}

static int direct(int *unused)
{
	cr_dns_address found[8];

	(void)unused;
	check_first("192.0.2.7", AF_UNSPEC, 1, "192.0.2.7:0");
	check_first("2001:db8::7", AF_UNSPEC, 1, "[2001:db8::7]:0");
	check_first("localhost", AF_INET, 1, "127.0.0.1:0");
	check_first("LOCALHOST.", AF_INET6, 1, "[::1]:0");
	check_first("deep.below.localhost", AF_UNSPEC, 2, "127.0.0.1:0");
	CHECK_EQ(cr_dns_lookup("192.0.2.7", AF_INET6, found, 8), -CORAIL_E_DNS_NODATA);
	CHECK_EQ(cr_dns_lookup("localhost", AF_UNSPEC, found, 1), 1);
	return 0;
}

static int table(int *unused)
{
	cr_dns_address found[8];

	(void)unused;
	CHECK_EQ(cr_dns_host_set("db.internal", "10.0.0.5,2001:db8::5"), 0);
	check_first("DB.internal", AF_UNSPEC, 2, "10.0.0.5:0");
	check_first("db.internal.", AF_INET6, 1, "[2001:db8::5]:0");
	CHECK_EQ(cr_dns_host_set("db.internal", "10.0.0.6"), 0);
	check_first("db.internal", AF_UNSPEC, 1, "10.0.0.6:0");
	CHECK_EQ(cr_dns_lookup("db.internal", AF_INET6, found, 8), -CORAIL_E_DNS_NODATA);
	CHECK_EQ(cr_dns_host_set("db.internal", "10.0.0"), -EINVAL);
	CHECK_EQ(cr_dns_host_set("db.internal", ""), -EINVAL);
	check_first("db.internal", AF_UNSPEC, 1, "10.0.0.6:0");
	CHECK_EQ(cr_dns_host_set("localhost", "10.0.0.7"), 0);
	check_first("localhost", AF_UNSPEC, 1, "10.0.0.7:0");
	CHECK_EQ(cr_dns_host_set("localhost", NULL), 0);
	check_first("localhost", AF_INET, 1, "127.0.0.1:0");
	return 0;
}

static int bad(int *unused)
{
	cr_dns_address found[8];
	const char *const names[] = {"",    ".",   "..",          "a..b", ".a",
	                             "a b", "a/b", "caf\xc3\xa9", "a:1"};
	char label[70], name[300];

	(void)unused;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		CHECK_EQ(cr_dns_lookup(names[i], AF_UNSPEC, found, 8), -CORAIL_E_DNS_BADNAME);
	memset(label, 'x', 64);
	label[64] = '\0';
	CHECK_EQ(cr_dns_lookup(label, AF_UNSPEC, found, 8), -CORAIL_E_DNS_BADNAME);
	memset(name, 'x', sizeof name);
	for (size_t i = 50; i < sizeof name; i += 51)
		name[i] = '.';
	name[254] = '\0';
	CHECK_EQ(cr_dns_lookup(name, AF_UNSPEC, found, 8), -CORAIL_E_DNS_BADNAME);
	CHECK_EQ(cr_dns_lookup("localhost", AF_UNSPEC, found, 0), -EINVAL);
	CHECK_EQ(cr_dns_lookup("localhost", AF_UNIX, found, 8), -EAFNOSUPPORT);
	CHECK_EQ(cr_dns_host_set("a b", "10.0.0.1"), -CORAIL_E_DNS_BADNAME);
	return 0;
}

static int cancelled(int *unused)
{
	cr_dns_address found[8];

	(void)unused;
	CORAIL_SCOPE(scope);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_dns_lookup("localhost", AF_UNSPEC, found, 8), -ECANCELED);
	return 0;
}

static int refused_in_sim(int *unused)
{
	cr_dns_address found[8];

	(void)unused;
	CHECK_EQ(cr_dns_lookup("www.example", AF_UNSPEC, found, 8), -EOPNOTSUPP);
	return 0;
}

int main(void)
{
	CHECK_EQ(cr_dns_host_set("a", "10.0.0.1"), -ESRCH);
	CHECK_EQ(cr_dns_servers_set(NULL), -ESRCH);
	CHECK_EQ(cr_dns_retry_set(0, 0), -ESRCH);
	cr_dns_cache_clear();
	RUN_TASK(direct);
	RUN_TASK(table);
	RUN_TASK(bad);
	RUN_TASK(cancelled);
	if (on_sim())
		RUN_TASK(refused_in_sim);
	return test_done();
}
