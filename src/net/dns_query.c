/* SPDX-License-Identifier: MIT */
#include "net/dns_resolver.h"

#include "base/alloc.h"
#include "loop/loop.h"
#include "net/names.h"
#include "task/park.h"

#include <errno.h>
#include <string.h>

/* Flights, and the tasks that wait for them. */

/* On the task's stack. */
struct waiter {
	struct cr__wait wait;
	struct cr__list link;
	struct cr__dns_flight *flight;
	cr_dns_address *addresses;
	size_t count;
};

static void waiter_end(struct waiter *waiter, int status)
{
	cr__list_remove(&waiter->link);
	cr__unpark(waiter->wait.task, status);
}

void cr__dns_flight_fail(struct cr__dns_flight *flight, int error)
{
	struct cr__list *node;

	if (flight->channel && !cr__list_empty(&flight->waiters))
		flight->channel->wanted_count--;
	while ((node = cr__list_first(&flight->waiters)))
		waiter_end(CR__CONTAINER(node, struct waiter, link), error);
}

void cr__dns_flight_free(struct cr__dns_flight *flight)
{
	cr__list_remove(&flight->link);
	cr__free(flight);
}

static void waiter_answer(struct waiter *waiter, const struct cr__dns_answer *answer)
{
	int n = answer->status;

	if (n > 0 && (size_t)n > waiter->count)
		n = (int)waiter->count;
	if (n > 0)
		memcpy(waiter->addresses, answer->addresses, (size_t)n * sizeof *waiter->addresses);
	waiter_end(waiter, n);
}

static void flight_ended(void *arg, const struct cr__dns_answer *answer)
{
	struct cr__dns_flight *flight = arg;
	struct cr__dns_resolver *resolver = flight->resolver;
	struct cr__list *node;

	if (!flight->channel->retired)
		cr__dns_cache_put(&resolver->cache, flight->name, flight->family,
		                  cr__loop_now(resolver->loop), answer);
	flight->channel->flight_count--;
	flight->channel->wanted_count -= !cr__list_empty(&flight->waiters);
	while ((node = cr__list_first(&flight->waiters)))
		waiter_answer(CR__CONTAINER(node, struct waiter, link), answer);
	cr__dns_flight_free(flight);
}

void cr__dns_flight_start(struct cr__dns_resolver *resolver, struct cr__dns_flight *flight)
{
	struct cr__dns_channel *channel;
	int r = cr__list_empty(&flight->waiters) ? -ECANCELED
	                                         : cr__dns_channel_current(resolver, &channel);

	if (r < 0) {
		cr__dns_flight_fail(flight, r);
		cr__dns_flight_free(flight);
		return;
	}
	flight->channel = channel;
	channel->flight_count++;
	channel->wanted_count++;
	cr__list_remove(&flight->link);
	cr__list_push_back(&resolver->flights, &flight->link);
	cr__dns_channel_ask(channel, flight->name, flight->family, flight_ended, flight);
}

/* ---------------------------------------------------------------------------------- lookups --- */

static enum cr__abort waiter_abort(struct cr__wait *wait)
{
	struct waiter *waiter = CR__CONTAINER(wait, struct waiter, wait);
	struct cr__dns_flight *flight = waiter->flight;

	cr__list_remove(&waiter->link);
	if (cr__list_empty(&flight->waiters)) {
		if (flight->channel)
			flight->channel->wanted_count--;
		cr__dns_tick_now(flight->resolver);
	}
	return CR__ABORT_DONE;
}

static struct cr__dns_flight *flight_find(const struct cr__list *flights, const char *name,
                                          int family)
{
	for (struct cr__list *node = flights->next; node != flights; node = node->next) {
		struct cr__dns_flight *flight = CR__CONTAINER(node, struct cr__dns_flight, link);

		if (flight->family == family && strcmp(flight->name, name) == 0 &&
		    !(flight->channel && flight->channel->retired))
			return flight;
	}
	return NULL;
}

static struct cr__dns_flight *flight_new(struct cr__dns_resolver *resolver, const char *name,
                                         int family)
{
	struct cr__dns_flight *flight = cr__alloc(sizeof *flight + strlen(name) + 1);

	if (!flight)
		return NULL;
	flight->resolver = resolver;
	flight->channel = NULL;
	flight->family = family;
	memcpy(flight->name, name, strlen(name) + 1);
	cr__list_init(&flight->waiters);
	cr__list_push_back(&resolver->pending, &flight->link);
	return flight;
}

int cr__dns_query(struct cr__loop *loop, const char *name, int family, cr_dns_address *addresses,
                  size_t count)
{
	struct waiter waiter = {.wait = {.abort = waiter_abort, .reason = "dns", .fd = -1}};
	struct cr__dns_resolver *resolver;
	int r = cr__dns_resolver_get(loop, &resolver);

	if (r < 0)
		return r;
	r = cr__dns_cache_get(&resolver->cache, name, family, cr__loop_now(loop), addresses, count);
	if (r != 0)
		return r;
	waiter.flight = flight_find(&resolver->pending, name, family);
	if (!waiter.flight)
		waiter.flight = flight_find(&resolver->flights, name, family);
	if (!waiter.flight)
		waiter.flight = flight_new(resolver, name, family);
	r = waiter.flight ? cr__dns_tick_now(resolver) : -ENOMEM;
	if (r < 0)
		return r;
	if (waiter.flight->channel && cr__list_empty(&waiter.flight->waiters))
		waiter.flight->channel->wanted_count++;
	waiter.addresses = addresses;
	waiter.count = count;
	cr__list_push_back(&waiter.flight->waiters, &waiter.link);
	return cr__park(&waiter.wait);
}
