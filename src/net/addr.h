/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_ADDR_H
#define CR__NET_ADDR_H

/* Pieces of addresses, for those who take targets apart. */

#include <corail/net.h>

/* A host name (253 bytes, RFC 1035), a trailing dot, a zone, the zero. */
enum { CR__HOST_SIZE = 288 };

/* A numeric IPv4 or IPv6 address without brackets. Returns 0 or -EINVAL. */
int cr__addr_parse_ip(const char *host, int port, cr_addr *ret_addr);

/* Takes "host:port" or "[host]:port" apart. Returns the port, or -EINVAL. The host may be empty. */
int cr__target_split(const char *target, char host[CR__HOST_SIZE]);

/*
 * An address to bind to: "host:port", ":port", "unix:...". Returns 0, -EINVAL, or as
 * cr_dns_lookup(). Suspends to look a name up.
 */
int cr__target_resolve(const char *target, cr_addr *ret_addr);

/* A duration in whole seconds, rounded up, as far as TCP's options go. */
int cr__whole_seconds(cr_nsec duration);

#endif
