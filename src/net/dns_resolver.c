/* SPDX-License-Identifier: MIT */
#include "net/dns_resolver.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "io/poller.h"
#include "loop/attach.h"
#include "loop/loop.h"
#include "net/names.h"

#include <errno.h>

static const char resolver_key;

/* ------------------------------------------------------------------------------------- time --- */

/* Without memory for a timer nothing would move any more: everybody who waits is told. */
static void flights_fail(struct cr__list *flights, int error)
{
	for (struct cr__list *node = flights->next; node != flights; node = node->next)
		cr__dns_flight_fail(CR__CONTAINER(node, struct cr__dns_flight, link), error);
}

static int tick_at(struct cr__dns_resolver *resolver, cr_nsec when)
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

int cr__dns_tick_now(struct cr__dns_resolver *resolver)
{
	return tick_at(resolver, cr__loop_now(resolver->loop));
}

static void sockets_ready(cr_poller *poller)
{
	cr__dns_tick_now(poller->notify_arg);
}

/* ------------------------------------------------------------------------------------- tick --- */

static void sockets_process(struct cr__dns_resolver *resolver)
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
	struct cr__dns_resolver *resolver = CR__CONTAINER(timer, struct cr__dns_resolver, timer);
	struct cr__list *node, *next;
	cr_nsec timeout = CORAIL_NEVER;

	sockets_process(resolver);
	while ((node = cr__list_first(&resolver->pending)))
		cr__dns_flight_start(resolver, CR__CONTAINER(node, struct cr__dns_flight, link));
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

int cr__dns_channel_current(struct cr__dns_resolver *resolver, struct cr__dns_channel **ret_channel)
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

/* --------------------------------------------------------------------------------- resolver --- */

static void resolver_destroy(void *object)
{
	struct cr__dns_resolver *resolver = object;
	struct cr__list *node;

	cr__timer_unset(&resolver->loop->timers, &resolver->timer);
	while ((node = cr__list_first(&resolver->pending)))
		cr__dns_flight_free(CR__CONTAINER(node, struct cr__dns_flight, link));
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

static int resolver_new(struct cr__loop *loop, struct cr__dns_resolver **ret_resolver)
{
	struct cr__dns_resolver *resolver = cr__alloc_zero(1, sizeof *resolver);
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

int cr__dns_resolver_get(struct cr__loop *loop, struct cr__dns_resolver **ret_resolver)
{
	struct cr__dns_resolver *resolver = cr__loop_attached(loop, &resolver_key);

	if (!resolver)
		return resolver_new(loop, ret_resolver);
	*ret_resolver = resolver;
	return 0;
}

/* From now on new flights use new channels, with the new settings. */
static void settings_changed(struct cr__dns_resolver *resolver)
{
	for (struct cr__list *node = resolver->channels.next; node != &resolver->channels;
	     node = node->next)
		CR__CONTAINER(node, struct cr__dns_channel, link)->retired = true;
	cr__dns_cache_empty(&resolver->cache);
	cr__dns_tick_now(resolver);
}

int cr__dns_servers_set(struct cr__loop *loop, const char *servers)
{
	struct cr__dns_resolver *resolver;
	struct cr__dns_settings probe = {0};
	struct cr__dns_channel *channel;
	char *copy = NULL;
	int r = cr__dns_resolver_get(loop, &resolver);

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
	struct cr__dns_resolver *resolver;
	int r = cr__dns_resolver_get(loop, &resolver);

	if (r < 0)
		return r;
	resolver->settings.timeout = timeout;
	resolver->settings.try_count = try_count;
	settings_changed(resolver);
	return 0;
}

void cr__dns_cache_clear(struct cr__loop *loop)
{
	struct cr__dns_resolver *resolver = cr__loop_attached(loop, &resolver_key);

	if (resolver)
		cr__dns_cache_empty(&resolver->cache);
}
