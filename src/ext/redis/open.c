/* SPDX-License-Identifier: MIT */
/* A client: opening, closing, figures. */

#include "client.h"

#include <corail/loop.h>

#include <stdlib.h>

#include "../common/options.h"

static void set_defaults(cr_redis_options *options)
{
	cr__default_size(&options->in_flight_max, 1024);
	cr__default_size(&options->unsent_size_max, (size_t)1 << 20);
	cr__default_size(&options->reply_size_max, (size_t)256 << 20);
	cr__default_size(&options->conn_count_max, 10);
	cr__default_size(&options->conn_count_idle_max, options->conn_count_max);
	cr__default_size(&options->message_count_max, 1024);
	cr__default_size(&options->attempt_max, 3);
	cr__default_time(&options->idle_max, cr_seconds(600));
	cr__default_time(&options->connect_max, cr_seconds(10));
	cr__default_time(&options->pause_min, cr_millis(50));
	cr__default_time(&options->pause_max, cr_seconds(5));
	cr__default_time(&options->cancel_grace, cr_millis(500));
	cr__default_time(&options->keepalive, cr_seconds(60));
}

/* Replaces a text of ours by a copy. Returns 0 or -ENOMEM. */
static int replace(const char *text, char **place)
{
	char *copy;

	if (!text)
		return 0;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*place);
	*place = copy;
	return 0;
}

static int set_up(cr_redis *redis, const char *url, const cr_redis_options *options)
{
	int r = cr__redis_target_parse(url, &redis->target);

	if (r < 0)
		return r;
	if (options)
		redis->options = *options;
	set_defaults(&redis->options);
	r = replace(redis->options.user, &redis->target.user);
	if (r == 0)
		r = replace(redis->options.password, &redis->target.password);
	if (r == 0)
		r = replace(redis->options.name ? redis->options.name : "corail", &redis->name);
	redis->options.user = redis->options.password = redis->options.name = NULL;
	if (r == 0 && redis->target.tls && !redis->options.tls)
		r = cr_tls_config_open(NULL, &redis->own_tls);
	cr__redis_pool_init(redis);
	redis->random = (uint64_t)cr_now() | 1;
	return r < 0 ? r : cr__redis_link_init(&redis->shared, redis, redis->options.in_flight_max);
}

static void client_free(cr_redis *redis)
{
	cr_tls_config_close(redis->own_tls);
	cr__redis_target_free(&redis->target);
	free(redis->name);
	free(redis);
}

int cr_redis_open(const char *url, const cr_redis_options *options, cr_redis **ret_redis)
{
	cr_redis *redis;
	int r;

	if (!cr_loop_backend())
		return -ESRCH;
#ifndef REDIS_REPLY_MAP
	if (options && options->resp3)
		return -EOPNOTSUPP;
#endif
	redis = calloc(1, sizeof *redis);
	if (!redis)
		return -ENOMEM;
	r = set_up(redis, url, options);
	if (r < 0) {
		client_free(redis);
		return r;
	}
	*ret_redis = redis;
	return 0;
}

void cr__redis_enter(cr_redis *redis)
{
	redis->users++;
	*redis->error = '\0';
}

int cr__redis_leave(cr_redis *redis, int result)
{
	if (--redis->users == 0)
		cr__turns_wake(&redis->left, 0);
	return result;
}

static int wait_for_users(cr_redis *redis)
{
	while (redis->users > 0)
		cr__turns_wait(&redis->left);
	return 0;
}

/*
 * The shared link goes last: a connection that is lent may need it to be unblocked.
 */
void cr_redis_close(cr_redis *redis)
{
	if (!redis)
		return;
	redis->closed = true;
	cr__redis_link_disown(&redis->shared, -ESHUTDOWN);
	cr__turns_wake(&redis->shared.waiting, -ESHUTDOWN);
	cr__turns_wake(&redis->shared.sent, 0);
	cr_semaphore_release(&redis->shared.permits, SIZE_MAX / 2);
	cr__redis_subs_stop(redis);
	cr__redis_pool_close(redis);
	cr_shield(CORAIL_NEVER, wait_for_users(redis));
	cr__redis_pool_close(redis);
	cr__redis_link_close(&redis->shared);
	client_free(redis);
}

void cr_redis_stats_get(const cr_redis *redis, cr_redis_stats *ret_stats)
{
	size_t in_flight = 0;

	for (uint64_t i = redis->shared.first; i != redis->shared.next; i++)
		in_flight += redis->shared.slots[i & redis->shared.slot_mask].missing;
	*ret_stats = (cr_redis_stats){
		.in_flight = in_flight,
		.conn_count = redis->idle.count + redis->lent_count,
		.conn_count_idle = redis->idle.count,
		.conn_count_lent = redis->lent_count,
		.commands = redis->commands,
		.dropped = redis->dropped,
		.opened = redis->opened,
		.broken = redis->broken,
	};
}

const char *cr_redis_error(const cr_redis *redis)
{
	return redis->error;
}
