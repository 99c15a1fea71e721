/* SPDX-License-Identifier: MIT */
#include "net/dns_channel.h"
#include "net/names.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "io/poller.h"
#include "loop/attach.h"
#include "loop/loop.h"

#include <errno.h>
#include <string.h>

/*
 * Lookups. Tasks that ask for the same name share a flight. Starting one, ending one, and
 * everything that sockets and time bring, happens in tick(), on the loop's stack, which a timer
 * calls: at once when there is something to do, else when a query is late.
 */

struct resolver {
	struct cr__loop *loop;
	struct cr__timer timer;
	cr_nsec timer_when;
	cr_poller *poller;
	struct cr__dns_settings settings;
	struct cr__list
		channels; /* struct cr__dns_channel; the first one is in use unless retired */
	struct cr__list pending; /* struct flight: to be started */
	struct cr__list flights; /* struct flight: under way */
	struct cr__dns_cache cache;
};

struct flight {
	struct cr__list link;
	struct resolver *resolver;
	struct cr__dns_channel *channel; /* NULL while pending */
	struct cr__list waiters;         /* struct waiter */
	int family;
	char name[];
};

/* A task that waits for a flight, on its stack. */
struct waiter {
	struct cr__wait wait;
	struct cr__list link;
	struct flight *flight;
	cr_dns_address *addresses;
	size_t count;
};

static const char resolver_key;

/* ------------------------------------------------------------------------------------- time --- */

static void waiter_end(struct waiter *waiter, int status)
{
	cr__list_remove(&waiter->link);
	cr__unpark(waiter->wait.task, status);
}

static void flight_fail(struct flight *flight, int error)
{
	struct cr__list *node;

	if (flight->channel && !cr__list_empty(&flight->waiters))
		flight->channel->wanted_count--;
	while ((node = cr__list_first(&flight->waiters)))
		waiter_end(CR__CONTAINER(node, struct waiter, link), error);
}

/* Without memory for a timer nothing would move any more: everybody who waits is told. */
static void flights_fail(struct cr__list *flights, int error)
{
	for (struct cr__list *node = flights->next; node != flights; node = node->next)
		flight_fail(CR__CONTAINER(node, struct flight, link), error);
}

static int tick_at(struct resolver *resolver, cr_nsec when)
{
	int r;

	if (cr__timer_is_set(&resolver->timer)) {
		if (resolver->timer_when <= when)
			return 0;
		cr__timer_unset(&resolver->loop->timers, &resolver->timer);
	}
	resolver->timer_when = when;
	r = cr__timer_set(&resolver->loop->timers, &resolver->timer, when);
	if (r < 0) {
		flights_fail(&resolver->pending, r);
		flights_fail(&resolver->flights, r);
	}
	return r;
}

static int tick_now(struct resolver *resolver)
{
	return tick_at(resolver, cr__loop_now(resolver->loop));
}

static void sockets_ready(cr_poller *poller)
{
	tick_now(poller->notify_arg);
}

/* ---------------------------------------------------------------------------------- flights --- */

static void flight_free(struct flight *flight)
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
	struct flight *flight = arg;
	struct resolver *resolver = flight->resolver;
	struct cr__list *node;

	if (!flight->channel->retired)
		cr__dns_cache_put(&resolver->cache, flight->name, flight->family,
		                  cr__loop_now(resolver->loop), answer);
	flight->channel->flight_count--;
	flight->channel->wanted_count -= !cr__list_empty(&flight->waiters);
	while ((node = cr__list_first(&flight->waiters)))
		waiter_answer(CR__CONTAINER(node, struct waiter, link), answer);
	flight_free(flight);
}

/* The channel for new flights: the one in use, or a new one. */
static int channel_current(struct resolver *resolver, struct cr__dns_channel **ret_channel)
{
	struct cr__list *node = cr__list_first(&resolver->channels);
	int r;

	if (node && !CR__CONTAINER(node, struct cr__dns_channel, link)->retired) {
		*ret_channel = CR__CONTAINER(node, struct cr__dns_channel, link);
		return 0;
	}
	r = cr__dns_channel_open(&resolver->settings, resolver->poller, ret_channel);
	if (r == 0)
		cr__list_push_front(&resolver->channels, &(*ret_channel)->link);
	return r;
}

static void flight_start(struct resolver *resolver, struct flight *flight)
{
	struct cr__dns_channel *channel;
	int r = cr__list_empty(&flight->waiters) ? -ECANCELED : channel_current(resolver, &channel);

	if (r < 0) {
		flight_fail(flight, r);
		flight_free(flight);
		return;
	}
	flight->channel = channel;
	channel->flight_count++;
	channel->wanted_count++;
	cr__list_remove(&flight->link);
	cr__list_push_back(&resolver->flights, &flight->link);
	cr__dns_channel_ask(channel, flight->name, flight->family, flight_ended, flight);
}

/* ------------------------------------------------------------------------------------- tick --- */

static void sockets_process(struct resolver *resolver)
{
	cr_poller_event events[16];
	int count;

	while ((count = cr__poller_take(resolver->poller, events, 16)) > 0)
		for (int i = 0; i < count; i++)
			cr__dns_channel_process(events[i].data, events[i].fd, events[i].events);
}

/* Lateness, the end of what nobody waits for, and of channels that are no longer used. */
static cr_nsec channel_process(struct cr__dns_channel *channel)
{
	cr_nsec timeout;

	if (channel->flight_count > 0)
		cr__dns_channel_process(channel, -1, 0);
	if (channel->flight_count > 0 && channel->wanted_count == 0)
		cr__dns_channel_cancel(channel);
	timeout = channel->flight_count > 0 ? cr__dns_channel_timeout(channel) : CORAIL_NEVER;
	if (channel->retired && channel->flight_count == 0) {
		cr__list_remove(&channel->link);
		cr__dns_channel_close(channel);
	}
	return timeout;
}

static void tick(struct cr__timer *timer)
{
	struct resolver *resolver = CR__CONTAINER(timer, struct resolver, timer);
	struct cr__list *node, *next;
	cr_nsec timeout = CORAIL_NEVER;

	sockets_process(resolver);
	while ((node = cr__list_first(&resolver->pending)))
		flight_start(resolver, CR__CONTAINER(node, struct flight, link));
	for (node = resolver->channels.next; node != &resolver->channels; node = next) {
		cr_nsec one;

		next = node->next;
		one = channel_process(CR__CONTAINER(node, struct cr__dns_channel, link));
		timeout = one < timeout ? one : timeout;
	}
	if (cr__poller_arm(resolver->poller) < 0)
		timeout = timeout < cr_millis(10) ? timeout : cr_millis(10);
	if (timeout != CORAIL_NEVER)
		tick_at(resolver, cr__nsec_add(cr__loop_now(resolver->loop), timeout));
}

/* --------------------------------------------------------------------------------- resolver --- */

static void resolver_destroy(void *object)
{
	struct resolver *resolver = object;
	struct cr__list *node;

	cr__timer_unset(&resolver->loop->timers, &resolver->timer);
	while ((node = cr__list_first(&resolver->pending)))
		flight_free(CR__CONTAINER(node, struct flight, link));
	while ((node = cr__list_first(&resolver->channels))) {
		cr__list_remove(node);
		cr__dns_channel_close(CR__CONTAINER(node, struct cr__dns_channel, link));
	}
	resolver->poller->notify = NULL;
	cr_poller_close(resolver->poller);
	cr__dns_cache_empty(&resolver->cache);
	cr__free(resolver->settings.servers);
	cr__free(resolver);
}

static int resolver_new(struct cr__loop *loop, struct resolver **ret_resolver)
{
	struct resolver *resolver = cr__alloc_zero(1, sizeof *resolver);
	int r;

	if (!resolver)
		return -ENOMEM;
	resolver->loop = loop;
	resolver->timer.fire = tick;
	cr__list_init(&resolver->channels);
	cr__list_init(&resolver->pending);
	cr__list_init(&resolver->flights);
	cr__dns_cache_init(&resolver->cache);
	r = cr_poller_open(&resolver->poller);
	if (r == 0) {
		resolver->poller->notify = sockets_ready;
		resolver->poller->notify_arg = resolver;
		r = cr__loop_attach(loop, &resolver_key, resolver, resolver_destroy);
		if (r < 0)
			cr__poller_free(resolver->poller);
	}
	if (r < 0) {
		cr__free(resolver);
		return r;
	}
	*ret_resolver = resolver;
	return 0;
}

static int resolver_get(struct cr__loop *loop, struct resolver **ret_resolver)
{
	struct resolver *resolver = cr__loop_attached(loop, &resolver_key);

	if (!resolver)
		return resolver_new(loop, ret_resolver);
	*ret_resolver = resolver;
	return 0;
}

/* From now on new flights use new channels, with the new settings. */
static void settings_changed(struct resolver *resolver)
{
	for (struct cr__list *node = resolver->channels.next; node != &resolver->channels;
	     node = node->next)
		CR__CONTAINER(node, struct cr__dns_channel, link)->retired = true;
	cr__dns_cache_empty(&resolver->cache);
	tick_now(resolver);
}

int cr__dns_servers_set(struct cr__loop *loop, const char *servers)
{
	struct resolver *resolver;
	struct cr__dns_settings probe = {0};
	struct cr__dns_channel *channel;
	char *copy = NULL;
	int r = resolver_get(loop, &resolver);

	if (r < 0)
		return r;
	if (servers) {
		copy = cr__alloc_text(servers);
		if (!copy)
			return -ENOMEM;
		probe.servers = copy;
		r = cr__dns_channel_open(&probe, resolver->poller, &channel);
		if (r < 0) {
			cr__free(copy);
			return r;
		}
		cr__dns_channel_close(channel);
	}
	cr__free(resolver->settings.servers);
	resolver->settings.servers = copy;
	settings_changed(resolver);
	return 0;
}

int cr__dns_retry_set(struct cr__loop *loop, cr_nsec timeout, int try_count)
{
	struct resolver *resolver;
	int r = resolver_get(loop, &resolver);

	if (r < 0)
		return r;
	resolver->settings.timeout = timeout;
	resolver->settings.try_count = try_count;
	settings_changed(resolver);
	return 0;
}

void cr__dns_cache_clear(struct cr__loop *loop)
{
	struct resolver *resolver = cr__loop_attached(loop, &resolver_key);

	if (resolver)
		cr__dns_cache_empty(&resolver->cache);
}

/* ---------------------------------------------------------------------------------- lookups --- */

static enum cr__abort waiter_abort(struct cr__wait *wait)
{
	struct waiter *waiter = CR__CONTAINER(wait, struct waiter, wait);
	struct flight *flight = waiter->flight;

	cr__list_remove(&waiter->link);
	if (cr__list_empty(&flight->waiters)) {
		if (flight->channel)
			flight->channel->wanted_count--;
		tick_now(flight->resolver);
	}
	return CR__ABORT_DONE;
}

static struct flight *flight_find(const struct cr__list *flights, const char *name, int family)
{
	for (struct cr__list *node = flights->next; node != flights; node = node->next) {
		struct flight *flight = CR__CONTAINER(node, struct flight, link);

		if (flight->family == family && strcmp(flight->name, name) == 0 &&
		    !(flight->channel && flight->channel->retired))
			return flight;
	}
	return NULL;
}

static struct flight *flight_new(struct resolver *resolver, const char *name, int family)
{
	struct flight *flight = cr__alloc(sizeof *flight + strlen(name) + 1);

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
	struct resolver *resolver;
	int r = resolver_get(loop, &resolver);

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
	r = waiter.flight ? tick_now(resolver) : -ENOMEM;
	if (r < 0)
		return r;
	if (waiter.flight->channel && cr__list_empty(&waiter.flight->waiters))
		waiter.flight->channel->wanted_count++;
	waiter.addresses = addresses;
	waiter.count = count;
	cr__list_push_back(&waiter.flight->waiters, &waiter.link);
	return cr__park(&waiter.wait);
}
