/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_DNS_RESOLVER_H
#define CR__NET_DNS_RESOLVER_H

/*
 * A loop's resolver. Tasks that ask for the same name share a flight. Starting one, ending one, and
 * everything that sockets and time bring, happens in a tick, on the loop's stack, which a timer
 * calls: at once when there is something to do, else when a query is late.
 */

#include "net/dns_channel.h"

#include "loop/timers.h"

struct cr__loop;

struct cr__dns_resolver {
	struct cr__loop *loop;
	struct cr__timer timer;
	cr_nsec timer_when;
	cr_poller *poller;
	struct cr__dns_settings settings;
	struct cr__list channels; /* the first one is in use, unless retired */
	struct cr__list pending;  /* flights to be started */
	struct cr__list flights;  /* flights under way */
	struct cr__dns_cache cache;
};

struct cr__dns_flight {
	struct cr__list link;
	struct cr__dns_resolver *resolver;
	struct cr__dns_channel *channel; /* NULL while pending */
	struct cr__list waiters;         /* tasks */
	int family;
	char name[];
};

/* The loop's resolver, made on first use. Returns 0, or -ENOMEM. */
int cr__dns_resolver_get(struct cr__loop *loop, struct cr__dns_resolver **ret_resolver);

/* Has a tick come in this turn or the next. Returns 0; or -ENOMEM, and all flights have failed. */
int cr__dns_tick_now(struct cr__dns_resolver *resolver);

/* Asks for a pending flight's name, unless nobody waits for it any more. */
void cr__dns_flight_start(struct cr__dns_resolver *resolver, struct cr__dns_flight *flight);

/* Gives all who wait for a flight an error; the flight itself goes on. */
void cr__dns_flight_fail(struct cr__dns_flight *flight, int error);

void cr__dns_flight_free(struct cr__dns_flight *flight);

/* The channel for new flights: the one in use, or a new one. Returns 0, or its error. */
int cr__dns_channel_current(struct cr__dns_resolver *resolver,
                            struct cr__dns_channel **ret_channel);

#endif
