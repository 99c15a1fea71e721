/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_NAMES_H
#define CR__NET_NAMES_H

/*
 * What the two halves of name resolution share: what is known without asking, and asking (c-ares).
 */

#include <corail/dns.h>

#include "net/addr.h"

/* The TTL of what never changes: numeric addresses, the caller's own table. */
#define CR__TTL_FOREVER UINT32_MAX

struct cr__loop;

/*
 * Answers from the cache, or asks the hosts file and the name servers. `name` is a valid name in
 * lower case. As cr_dns_lookup().
 */
int cr__dns_query(struct cr__loop *loop, const char *name, int family, cr_dns_address *addresses,
                  size_t count);

/* As the public functions of similar names. */
int cr__dns_servers_set(struct cr__loop *loop, const char *servers);
int cr__dns_retry_set(struct cr__loop *loop, cr_nsec timeout, int try_count);
void cr__dns_cache_clear(struct cr__loop *loop);

/* Whether an address may be given to a caller who asked for a family. */
static inline int cr__family_fits(int wanted, int family)
{
	return wanted == AF_UNSPEC || wanted == family;
}

#endif
