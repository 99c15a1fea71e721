/* SPDX-License-Identifier: MIT */
/* A link's life: connecting with pauses, being up, breaking. */

#include "client.h"

#include <stdlib.h>

int cr__redis_link_init(struct link *link, cr_redis *redis, size_t in_flight_max)
{
	size_t slot_count = 1;

	while (slot_count < in_flight_max) {
		if (slot_count > SIZE_MAX / sizeof *link->slots / 2)
			return -ENOMEM;
		slot_count *= 2;
	}
	*link = (struct link){
		.redis = redis,
		.in_flight_max = in_flight_max,
		.permits = CORAIL_SEMAPHORE(in_flight_max),
		.slot_mask = slot_count - 1,
		.slots = calloc(slot_count, sizeof *link->slots),
	};
	return link->slots ? 0 : -ENOMEM;
}

void cr__redis_link_disown(struct link *link, int error)
{
	for (uint64_t i = link->first; i != link->next; i++) {
		struct slot *slot = &link->slots[i & link->slot_mask];
		struct batch *batch = slot->batch;

		slot->batch = NULL;
		if (!batch)
			continue;
		batch->error = error;
		cr_event_set(&batch->done);
	}
}

/* A shorter pause for some than for others, so that clients do not come back all at once. */
static cr_nsec jitter(cr_redis *redis, cr_nsec pause)
{
	/* xorshift64 (Marsaglia, 2003) */
	redis->random ^= redis->random << 13;
	redis->random ^= redis->random >> 7;
	redis->random ^= redis->random << 17;
	return pause / 2 + (cr_nsec)(redis->random % (uint64_t)(pause / 2 + 1));
}

/* Until something is answered, every attempt counts as a failed one. */
static void count_failure(struct link *link)
{
	const cr_redis_options *options = &link->redis->options;
	cr_nsec pause = options->pause_min;

	for (unsigned i = 0; i < link->failures && pause < options->pause_max; i++)
		pause = cr__time_after(pause, pause);
	if (pause > options->pause_max)
		pause = options->pause_max;
	link->failures++;
	link->next_attempt = cr__time_after(cr_now(), jitter(link->redis, pause));
}

/* Closes what is left of a connection, and fails those whose answers will not come. */
static void hang_up(struct link *link, int error)
{
	struct slot *first = &link->slots[link->first & link->slot_mask];

	link->up = false;
	/* What could not be read was the first one's answer. */
	if (link->first != link->next && first->batch &&
	    (error == -EMSGSIZE || error == -CORAIL_E_REDIS_PROTOCOL || error == -ENOMEM)) {
		first->batch->error = error;
		cr_event_set(&first->batch->done);
		first->batch = NULL;
	}
	cr__redis_link_disown(link, link->closed ? -ESHUTDOWN : -ECONNRESET);
	for (; link->first != link->next; link->first++)
		cr_semaphore_release(&link->permits,
		                     link->slots[link->first & link->slot_mask].weight);
	cr_buf_clear(&link->out);
	cr_buf_clear(&link->sending);
	cr__turns_wake(&link->sent, 0);
	if (link->reader)
		redisReaderFree(link->reader);
	link->reader = NULL;
	link->reply = (cr_redis_reply){0};
	link->reply_size = 0;
	link->refused = 0;
	if (link->conn)
		cr_conn_abort(link->conn);
	link->conn = NULL;
}

/* Nothing of an attempt is left when it has failed. */
static int attempt(struct link *link)
{
	int r = cr_sleep_until(link->failures > 0 ? link->next_attempt : 0);

	if (r < 0)
		return r;
	count_failure(link);
	*link->said = '\0';
	r = cr_timeout(link->redis->options.connect_max, cr__redis_login(link));
	/* Nobody's own deadline has passed. */
	if (r == -ETIMEDOUT)
		r = -EHOSTUNREACH;
	if (r < 0)
		hang_up(link, r);
	return r;
}

/* Whether trying again would not help: what is wrong is on our side, or in the certificates. */
static bool final(int error)
{
	return error == -ECANCELED || error == -CORAIL_E_REDIS_LOGIN ||
	       (error <= -CORAIL_E_TLS_HANDSHAKE && error >= -CORAIL_E_TLS_NOT_TLS);
}

static int connect_link(struct link *link)
{
	size_t left = link->redis->options.attempt_max;
	int r;

	do {
		r = attempt(link);
		if (r == 0 || final(r))
			return r;
	} while (--left > 0);
	return r;
}

/* From the first byte to the last. Returns why it ended. */
static int live(struct link *link)
{
	int r = link->on_up ? link->on_up(link) : 0;

	link->redis->opened++;
	if (r == 0) {
		link->up = true;
		cr__turns_wake(&link->waiting, 0);
		r = cr__redis_converse(link);
	}
	hang_up(link, r);
	if (!link->closed)
		link->redis->broken++;
	return r;
}

static int drive(struct link **handle)
{
	struct link *link = *handle;
	int r = connect_link(link);

	while (r == 0) {
		r = live(link);
		if (cr_cancelled() || (!link->keep && !link->waiting.first))
			break;
		r = connect_link(link);
	}
	r = cr_cancelled() ? -ESHUTDOWN : r;
	link->driven = false;
	cr__turns_wake(&link->waiting, r);
	if (link->on_end)
		link->on_end(link, r);
	return 0;
}

int cr__redis_link_drive(struct link *link)
{
	/* Who waits for it hears if there is no memory: no reason to end the program. */
	static const cr_spawn_options optional = {.optional = 1};
	int r;

	if (link->driven)
		return 0;
	link->driver = cr_spawn_copy_with(&optional, cr_scope_program(), drive, &link);
	r = cr_task_error(link->driver);
	link->driven = r == 0;
	return r;
}

int cr__redis_link_need(struct link *link)
{
	int r;

	if (link->up)
		return 0;
	r = cr__redis_link_drive(link);
	if (r == 0)
		r = cr__turns_wait(&link->waiting);
	if (r < 0 && *link->said)
		memcpy(link->redis->error, link->said, sizeof link->redis->error);
	return r;
}

void cr__redis_link_break(struct link *link)
{
	link->up = false;
	if (link->driven)
		cr_task_cancel(link->driver);
}

void cr__redis_link_close(struct link *link)
{
	link->closed = true;
	cr__redis_link_break(link);
	if (link->driven)
		cr_shield(CORAIL_NEVER, cr_await(link->driver));
	cr_buf_free(&link->out);
	cr_buf_free(&link->sending);
	free(link->slots);
}
