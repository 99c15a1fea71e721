/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_DNS_CACHE_H
#define CR__NET_DNS_CACHE_H

/* What was looked up, for as long as it is valid: bounded, the least recently used goes first. */

#include <corail/dns.h>

#include "base/list.h"

enum { CR__DNS_ADDRS_MAX = 32 };

/* What a name stands for: addresses of the family asked for, or a (negative) error. */
struct cr__dns_answer {
	int status; /* how many addresses, or the error */
	cr_dns_address addresses[CR__DNS_ADDRS_MAX];
};

enum { CR__DNS_CACHE_BUCKETS = 256, CR__DNS_CACHE_MAX = 1024 };

struct cr__dns_cache {
	struct cr__list buckets[CR__DNS_CACHE_BUCKETS];
	struct cr__list recent; /* most recently used first */
	size_t count;
};

void cr__dns_cache_init(struct cr__dns_cache *cache);
void cr__dns_cache_empty(struct cr__dns_cache *cache);

/*
 * Writes up to `count` addresses. Returns how many, the remembered error, or 0 when nothing is
 * known.
 */
int cr__dns_cache_get(struct cr__dns_cache *cache, const char *name, int family, cr_nsec now,
                      cr_dns_address *addresses, size_t count);

/*
 * Remembers an answer, for the shortest TTL of its addresses and at most a day, or, for a name that
 * does not exist, for five seconds. Other errors are not remembered. Without memory it does
 * nothing.
 */
void cr__dns_cache_put(struct cr__dns_cache *cache, const char *name, int family, cr_nsec now,
                       const struct cr__dns_answer *answer);

#endif
