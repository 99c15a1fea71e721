/* SPDX-License-Identifier: MIT */
/* Connections of one's own: lending, and what may be done with one. */

#include "client.h"

#include <stdlib.h>

static void conn_close(cr_redis_conn *conn)
{
	cr__redis_link_close(&conn->link);
	free(conn);
}

/* Those that broke meanwhile go as soon as anybody looks. */
static cr_nsec idle_time(const struct idle_node *node)
{
	const cr_redis_conn *conn = (const cr_redis_conn *)node;

	return conn->link.up ? cr__time_after(node->since, conn->redis->options.idle_max) : 0;
}

static void idle_end(struct idle_node *node)
{
	conn_close((cr_redis_conn *)node);
}

void cr__redis_pool_init(cr_redis *redis)
{
	redis->places = (cr_semaphore)CORAIL_SEMAPHORE(redis->options.conn_count_max);
	redis->idle = (struct idle_list){.time_of = idle_time, .end = idle_end};
}

void cr__redis_pool_close(cr_redis *redis)
{
	cr_semaphore_release(&redis->places, redis->options.conn_count_max);
	cr__idle_end(&redis->idle);
}

/* An idle connection that stands; NULL without one. Those that broke are closed. */
static cr_redis_conn *take_idle(cr_redis *redis)
{
	cr_redis_conn *conn;

	while ((conn = (cr_redis_conn *)cr__idle_take(&redis->idle)) != NULL && !conn->link.up)
		conn_close(conn);
	return conn;
}

static int conn_new(cr_redis *redis, cr_redis_conn **ret_conn)
{
	cr_redis_conn *conn = calloc(1, sizeof *conn);
	int r = conn ? cr__redis_link_init(&conn->link, redis, 1) : -ENOMEM;

	if (r < 0) {
		free(conn);
		return r;
	}
	conn->redis = redis;
	r = cr__redis_link_need(&conn->link);
	if (r < 0) {
		conn_close(conn);
		return r;
	}
	*ret_conn = conn;
	return 0;
}

int cr_redis_acquire(cr_redis *redis, cr_redis_conn **ret_conn)
{
	cr_redis_conn *conn;
	int r;

	cr__redis_enter(redis);
	r = redis->closed ? -ESHUTDOWN : cr_semaphore_acquire(&redis->places, 1);
	if (r < 0)
		return cr__redis_leave(redis, r);
	conn = redis->closed ? NULL : take_idle(redis);
	/* Closing idle ones may have taken a while. */
	if (redis->closed)
		r = -ESHUTDOWN;
	else if (!conn)
		r = conn_new(redis, &conn);
	if (r < 0) {
		if (conn)
			conn_close(conn);
		cr_semaphore_release(&redis->places, 1);
		return cr__redis_leave(redis, r);
	}
	redis->lent_count++;
	*ret_conn = conn;
	return 0;
}

/* Undoes what was begun. Returns 0 or a negative error. */
static int restore(cr_redis_conn *conn)
{
	int r = 0;

	if (conn->multi)
		r = cr_redis_conn_command(conn, CORAIL_REDIS("DISCARD"), NULL);
	else if (conn->watching)
		r = cr_redis_conn_command(conn, CORAIL_REDIS("UNWATCH"), NULL);
	return r;
}

void cr_redis_release(cr_redis_conn *conn)
{
	cr_redis *redis;
	cr_nsec grace;

	if (!conn)
		return;
	redis = conn->redis;
	grace = redis->options.cancel_grace;
	if (!conn->broken && cr_shield(grace, cr_timeout(grace, restore(conn))) < 0)
		conn->broken = true;
	redis->lent_count--;
	if (conn->broken || conn->changed || !conn->link.up || redis->closed ||
	    redis->idle.count >= redis->options.conn_count_idle_max) {
		conn_close(conn);
	} else {
		cr__idle_put(&redis->idle, &conn->idle);
	}
	cr_semaphore_release(&redis->places, 1);
	cr__redis_leave(redis, 0);
}

/*
 * Ends what blocks on the server, and waits for its answer. The two connections are not read in the
 * order in which we write: so it may take more than one request.
 */
static int unblock(cr_redis_conn *conn, struct batch *batch)
{
	const cr_redis_arg words[] = {cr_redis_text("CLIENT"), cr_redis_text("UNBLOCK"),
	                              cr_redis_int(conn->link.id)};
	cr_nsec pause = cr_millis(1);
	int r = 0;

	while (r == 0 && !cr_event_is_set(&batch->done)) {
		cr_redis_call call = {.args = words, .arg_count = 3};
		struct batch request = {.calls = &call, .count = 1, .internal = true};

		r = cr__redis_run(&conn->redis->shared, &request);
		cr_redis_reply_free(&call.reply);
		if (r < 0)
			break;
		r = cr_timeout(pause, cr_event_wait(&batch->done));
		if (r == -ETIMEDOUT)
			r = 0;
		pause *= 2;
	}
	return cr_event_wait(&batch->done);
}

/* The caller was cancelled. Returns 0 when the answers came all the same, and none is empty. */
static int settle(cr_redis_conn *conn, struct batch *batch, bool blocks)
{
	cr_nsec grace = conn->redis->options.cancel_grace;

	if (blocks && conn->link.id != 0)
		cr_shield(grace, cr_timeout(grace, unblock(conn, batch)));
	else if (!blocks)
		cr_shield(grace, cr_timeout(grace, cr_event_wait(&batch->done)));
	if (!cr_event_is_set(&batch->done)) {
		cr__redis_abandon(&conn->link, batch);
		cr__redis_link_break(&conn->link);
		conn->broken = true;
		return -ECANCELED;
	}
	for (size_t i = 0; i < batch->answered; i++)
		if (batch->calls[i].reply.kind != CORAIL_REDIS_NIL &&
		    batch->calls[i].reply.kind != CORAIL_REDIS_ERROR)
			return 0;
	batch->error = -ECANCELED;
	return -ECANCELED;
}

/* What the commands do to the connection, once they are sent. */
static void follow(cr_redis_conn *conn, unsigned class)
{
	if (class & WORDS_CHANGE)
		conn->changed = true;
	if (class & WORDS_MULTI)
		conn->multi = true;
	if (class & WORDS_WATCH)
		conn->watching = true;
	if (class & WORDS_END)
		conn->multi = conn->watching = false;
}

static int run_own(void *arg, struct batch *batch)
{
	cr_redis_conn *conn = arg;
	bool blocks = false;
	int r;

	batch->internal = true;
	r = conn->link.up ? cr__redis_send(&conn->link, batch) : -ECONNRESET;
	if (r < 0) {
		batch->error = r;
		return cr__redis_batch_finish(batch);
	}
	for (size_t i = 0; i < batch->count; i++) {
		unsigned class = cr__redis_words_class(batch->calls[i].args,
		                                       batch->calls[i].arg_count);

		follow(conn, class);
		blocks |= (class & WORDS_BLOCK) != 0;
	}
	cr_event_wait(&batch->done);
	if (!cr_event_is_set(&batch->done))
		settle(conn, batch, blocks);
	return cr__redis_batch_finish(batch);
}

/* Begins a call: -EBUSY, -ECANCELED, -EINVAL, -ECONNRESET. */
static int begin(cr_redis_conn *conn, const cr_redis_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (cr__redis_words_class(calls[i].args, calls[i].arg_count) & WORDS_NEVER)
			return -EINVAL;
	if (conn->busy)
		return -EBUSY;
	if (cr_cancelled())
		return -ECANCELED;
	if (conn->broken || !conn->link.up)
		return -ECONNRESET;
	*conn->redis->error = '\0';
	conn->busy = true;
	return 0;
}

int cr_redis_conn_command(cr_redis_conn *conn, const cr_redis_arg *args, size_t count,
                          cr_redis_reply *ret_reply)
{
	cr_redis_call call = {.args = args, .arg_count = count};
	struct batch batch = {.calls = &call, .count = 1};
	int r = begin(conn, &call, 1);

	if (r < 0)
		return r;
	r = cr__redis_result(conn->redis, &call, run_own(conn, &batch), ret_reply);
	conn->busy = false;
	return r;
}

static int run_calls(cr_redis_conn *conn, cr_redis_call *calls, size_t count, bool transaction)
{
	struct batch batch = {.calls = calls, .count = count};
	int r = begin(conn, calls, count);

	for (size_t i = 0; i < count; i++) {
		calls[i].status = r;
		calls[i].reply = (cr_redis_reply){.kind = CORAIL_REDIS_NIL};
	}
	if (r < 0)
		return r;
	if (transaction)
		r = cr__redis_transact(calls, count, run_own, conn);
	else if (count > 0)
		r = run_own(conn, &batch);
	cr__redis_note(conn->redis, calls, count);
	conn->busy = false;
	return r;
}

int cr_redis_conn_pipeline(cr_redis_conn *conn, cr_redis_call *calls, size_t count)
{
	return run_calls(conn, calls, count, false);
}

int cr_redis_conn_transaction(cr_redis_conn *conn, cr_redis_call *calls, size_t count)
{
	return run_calls(conn, calls, count, true);
}
