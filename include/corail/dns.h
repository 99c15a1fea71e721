/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_DNS_H
#define CORAIL_DNS_H

/*
 * Names to addresses, without a thread: c-ares on the loop.
 *
 * Numeric addresses and "localhost" are answered directly (RFC 6761 section 6.3), then the names
 * that cr_dns_host_set() added, then /etc/hosts, then the cache, then the name servers of
 * /etc/resolv.conf. IPv4 and IPv6 are asked for together. The cache keeps what was found for the
 * time that the servers allow (TTL), and briefly that a name does not exist; it is bounded. Tasks
 * that ask for the same name at the same time share one query; each may be cancelled without harm
 * to the others, and when nobody waits for anything any more the queries end too.
 *
 * Deadlines are scopes, as everywhere: cr_timeout(cr_seconds(2), cr_dns_lookup(...)).
 *
 * Each loop has a resolver of its own, created by the first lookup and gone with the loop. In the
 * simulator there is no network: names that are not numeric, local or in the table of
 * cr_dns_host_set() give -EOPNOTSUPP.
 */

#include <corail/base.h>
#include <corail/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An address that a name stands for. */
typedef struct cr_dns_address {
	cr_addr addr;         /* its port is 0 */
	uint32_t ttl_seconds; /* how long it may be remembered, counted from the lookup's return */
} cr_dns_address;

/*
 * Looks a host name up, and writes up to `count` addresses, in the order in which they should be
 * tried (RFC 6724, as c-ares sorts them). `family` is AF_INET, AF_INET6, or AF_UNSPEC for both. A
 * host that ends in a dot is a whole name; another may be looked for in the search domains of
 * resolv.conf(5), too.
 * Returns how many were written, at least 1. Or:
 *
 *	-CORAIL_E_DNS_NOTFOUND   there is no such name
 *	-CORAIL_E_DNS_NODATA     the name exists, without an address of this family
 *	-CORAIL_E_DNS_TIMEOUT    no name server answered (a deadline gives -ECANCELED here)
 *	-CORAIL_E_DNS_REFUSED    all name servers refused, failed, or cannot be reached
 *	-CORAIL_E_DNS_SERVFAIL   the resolver failed in another way
 *	-CORAIL_E_DNS_BADREPLY   the answer makes no sense
 *	-CORAIL_E_DNS_BADNAME    not a valid host name (empty, a label over 63 bytes, all
 *	                         over 255)
 *	-ECANCELED, -ENOMEM, -EOPNOTSUPP (simulator), -EINVAL for count 0, -EAFNOSUPPORT
 */
CORAIL_API CORAIL_SUSPENDS int cr_dns_lookup(const char *host, int family,
                                             cr_dns_address *addresses, size_t count);

/*
 * Uses these name servers on this loop, instead of those of /etc/resolv.conf: numeric addresses
 * with an optional port, separated by commas: "127.0.0.1:5353,[::1]:5353". NULL goes back to the
 * system's. The text is copied, the cache is cleared. Applies to lookups that start from now on.
 * Returns 0, -EINVAL for a text that is not such a list, -ENOMEM, -ESRCH without a loop.
 */
CORAIL_API int cr_dns_servers_set(const char *servers);

/*
 * How long to wait for one server's answer, and how often all of them are asked before the lookup
 * gives up with -CORAIL_E_DNS_TIMEOUT. 0 for the defaults: 5 s (or as in resolv.conf) and 4 tries.
 * Returns 0, -ENOMEM, -ESRCH without a loop. Applies to lookups that start from now on.
 */
CORAIL_API int cr_dns_retry_set(cr_nsec timeout, int try_count);

/*
 * Adds an entry to this loop's own table, before all other sources: `addresses` are numeric,
 * separated by commas ("127.0.0.1,::1"). NULL takes the entry out. Both texts are copied. Returns
 * 0, -EINVAL, -CORAIL_E_DNS_BADNAME, -ENOMEM, -ESRCH without a loop.
 */
CORAIL_API int cr_dns_host_set(const char *host, const char *addresses);

/* Forgets what was looked up on this loop; the table of cr_dns_host_set() stays. */
CORAIL_API void cr_dns_cache_clear(void);

#ifdef __cplusplus
}
#endif
#endif
