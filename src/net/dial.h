/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_DIAL_H
#define CR__NET_DIAL_H

/* The order of several attempts to connect. */

#include <corail/net.h>

/*
 * Reorders addresses so that the families alternate, beginning with that of the first (RFC 8305,
 * 4).
 */
void cr__dial_interleave(cr_addr *addrs, size_t count);

#endif
