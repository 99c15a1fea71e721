/* SPDX-License-Identifier: MIT */
/* What the cache of names remembers, for how long, and how much of it. */
#include "test.h"

#include "net/dns_cache.h"

#include <netinet/in.h>

#if CORAIL_WITH_DNS

static struct cr__dns_cache cache;
static struct cr__dns_answer answer;

/* An answer of so many addresses with these lifetimes. */
static const struct cr__dns_answer *addresses(int count, const uint32_t *ttls)
{
	memset(&answer, 0, sizeof answer);
	answer.status = count;
	for (int i = 0; i < count; i++) {
		answer.addresses[i].ttl_seconds = ttls[i];
		answer.addresses[i].addr.length = (socklen_t)(i + 1);
	}
	return &answer;
}

static const struct cr__dns_answer *failure(int error)
{
	answer.status = error;
	return &answer;
}

static int get(const char *name, cr_nsec now)
{
	cr_dns_address found[4];

	return cr__dns_cache_get(&cache, name, AF_INET, now, found, 4);
}

/* The shortest lifetime of all addresses counts, and what is left of it is told. */
static void expires(void)
{
	const uint32_t ttls[] = {30, 10, 20};
	cr_dns_address found[4];

	cr__dns_cache_init(&cache);
	cr__dns_cache_put(&cache, "a", AF_INET, cr_seconds(100), addresses(3, ttls));
	CHECK_EQ(cr__dns_cache_get(&cache, "a", AF_INET, cr_seconds(104), found, 4), 3);
	CHECK_EQ(found[0].ttl_seconds, 6);
	CHECK_EQ(found[2].addr.length, 3);
	CHECK_EQ(cr__dns_cache_get(&cache, "a", AF_INET, cr_seconds(104), found, 2), 2);
	CHECK_EQ(cr__dns_cache_get(&cache, "a", AF_INET6, cr_seconds(104), found, 4), 0);
	CHECK_EQ(get("b", cr_seconds(104)), 0);
	CHECK_EQ(get("a", cr_seconds(110) - 1), 3);
	CHECK_EQ(get("a", cr_seconds(110)), 0);
	CHECK_EQ(cache.count, 0);
}

static void failures(void)
{
	const uint32_t zero[] = {0};

	cr__dns_cache_init(&cache);
	cr__dns_cache_put(&cache, "a", AF_INET, 0, failure(-CORAIL_E_DNS_NOTFOUND));
	cr__dns_cache_put(&cache, "b", AF_INET, 0, failure(-CORAIL_E_DNS_TIMEOUT));
	cr__dns_cache_put(&cache, "c", AF_INET, 0, failure(-ENOMEM));
	cr__dns_cache_put(&cache, "d", AF_INET, 0, addresses(1, zero));
	CHECK_EQ(cache.count, 1);
	CHECK_EQ(get("a", cr_seconds(4.9)), -CORAIL_E_DNS_NOTFOUND);
	CHECK_EQ(get("a", cr_seconds(5)), 0);
}

/* A later answer replaces the earlier one, also when it is not to be remembered. */
static void replaced(void)
{
	const uint32_t long_ttl[] = {1000000, 1000000}, zero[] = {0};

	cr__dns_cache_init(&cache);
	cr__dns_cache_put(&cache, "a", AF_INET, 0, addresses(1, long_ttl));
	cr__dns_cache_put(&cache, "a", AF_INET, 0, addresses(2, long_ttl));
	CHECK_EQ(cache.count, 1);
	CHECK_EQ(get("a", cr_seconds(24 * 60 * 60) - 1), 2);
	CHECK_EQ(get("a", cr_seconds(24 * 60 * 60)), 0);
	cr__dns_cache_put(&cache, "a", AF_INET, 0, addresses(2, long_ttl));
	cr__dns_cache_put(&cache, "a", AF_INET, 0, addresses(1, zero));
	CHECK_EQ(cache.count, 0);
}

/* It is bounded: who was not asked for the longest goes first. */
static void bounded(void)
{
	const uint32_t ttl[] = {1000};
	char name[16];

	cr__dns_cache_init(&cache);
	for (int i = 0; i < 3 * CR__DNS_CACHE_MAX; i++) {
		snprintf(name, sizeof name, "name%d", i);
		cr__dns_cache_put(&cache, name, AF_INET, 0, addresses(1, ttl));
		CHECK_EQ(get("name0", 1), 1);
	}
	CHECK_EQ(cache.count, CR__DNS_CACHE_MAX);
	CHECK_EQ(get("name1", 1), 0);
	CHECK_EQ(get(name, 1), 1);
	cr__dns_cache_empty(&cache);
	CHECK_EQ(cache.count, 0);
	CHECK_EQ(get("name0", 1), 0);
}

int main(void)
{
	RUN(expires);
	RUN(failures);
	RUN(replaced);
	RUN(bounded);
	return test_done();
}

#else

int main(void)
{
	SKIP("built without c-ares");
}

#endif
