/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include <corail/chan_threadsafe.h>
#include <corail/loops.h>
#include <corail/loops_net.h>
#include <corail/task.h>

#include "base/alloc.h"

#include <errno.h>
#include <stdatomic.h>

/*
 * One accepts, several loops serve. To each leads a lane: a channel of parcels, and a task here
 * that calls the server at its other end, so that cancellation reaches it, and its end is noticed.
 * What a dead lane still held goes to the others.
 */

enum { LANE_CAPACITY = 64, CONN_COUNT_MAX = 10000, LOOPS_MAX = 1024 };

struct lane {
	struct hub *hub;
	cr_loop loop;
	cr_chan_threadsafe_of(cr_parcel *) parcels;
	_Atomic size_t load; /* connections handed over and not yet closed */
	bool dead;
};

struct hub {
	cr_listener *listener;
	const cr_distribute_options *options;
	int (*handler)(cr_conn *conn, void *arg);
	void *arg;
	struct lane *lanes;
	size_t count, alive, next;
	int error;           /* why the last lane died */
	bool closed;         /* the listener has gone */
	cr_scope *accepting; /* cancelled with the last lane */
};

/* -------------------------------------------------------------------- where they are served --- */

struct client {
	struct lane *lane;
	cr_conn *conn;
};

static int client_run(struct client *client)
{
	struct hub *hub = client->lane->hub;

	hub->handler(client->conn, hub->arg);
	cr_conn_close(client->conn);
	atomic_fetch_sub(&client->lane->load, 1);
	return 0;
}

/* One that cannot be served is closed: it costs its client the connection, no more. */
static void client_begin(cr_scope *scope, struct lane *lane, cr_parcel *parcel)
{
	const cr_serve_options *serve = &lane->hub->options->serve;
	const cr_spawn_options spawn = {.name = serve->name ? serve->name : "serve",
	                                .stack_size_bytes = serve->stack_size_bytes,
	                                .optional = 1};
	struct client client = {.lane = lane};

	if (cr_conn_attach(parcel, &client.conn) < 0) {
		cr_parcel_discard(parcel);
		atomic_fetch_sub(&lane->load, 1);
		return;
	}
	if (cr_task_error(cr_spawn_copy_with(&spawn, scope, client_run, &client)) < 0) {
		cr_conn_close(client.conn);
		atomic_fetch_sub(&lane->load, 1);
	}
}

/* Runs on the loop that serves. */
static int lane_serve(struct lane *lane)
{
	size_t count_max = lane->hub->options->serve.conn_count_max;
	CORAIL_SCOPE(scope);
	int r = 0;

	cr_scope_collect(&scope);
	if (!count_max)
		count_max = CONN_COUNT_MAX;
	while (r == 0) {
		cr_parcel *parcel;
		cr_task task;

		while (r == 0 && cr_scope_count(&scope) >= count_max)
			r = cr_scope_next(&scope, &task);
		if (r == 0)
			r = cr_chan_receive_threadsafe(&lane->parcels, &parcel);
		if (r == 0)
			client_begin(&scope, lane, parcel);
	}
	/* Closed, and empty: those that are here may finish. */
	return r == -EPIPE ? cr_scope_wait(&scope) : r;
}

/* ------------------------------------------------------------------ where they are accepted --- */

static struct lane *lane_pick(struct hub *hub)
{
	struct lane *best = NULL;
	size_t best_load = 0;

	for (size_t i = 0; i < hub->count; i++) {
		struct lane *lane = &hub->lanes[(hub->next + i) % hub->count];
		size_t load = hub->options->least_loaded ? atomic_load(&lane->load) : 0;

		if (lane->dead || (best && load >= best_load))
			continue;
		best = lane;
		best_load = load;
	}
	if (best)
		hub->next = (size_t)(best - hub->lanes + 1) % hub->count;
	return best;
}

static int lane_put(struct lane *lane, cr_parcel *parcel, bool wait)
{
	int r;

	/* Before it is there, so that the count never falls below zero. */
	atomic_fetch_add(&lane->load, 1);
	r = wait ? cr_chan_send_threadsafe(&lane->parcels, parcel)
	         : cr_chan_try_send_threadsafe(&lane->parcels, parcel);
	if (r < 0)
		atomic_fetch_sub(&lane->load, 1);
	return r;
}

/* Gives a parcel to a lane, or discards it. Returns 0, or why there is no use in going on. */
static int hand_over(struct hub *hub, cr_parcel *parcel)
{
	int r = -EPIPE;

	while (r == -EPIPE) {
		struct lane *lane = lane_pick(hub);

		if (!lane)
			break;
		r = lane_put(lane, parcel, false);
		for (size_t i = 0; r < 0 && i < hub->count; i++)
			if (!hub->lanes[i].dead)
				r = lane_put(&hub->lanes[i], parcel, false);
		if (r < 0)
			r = lane_put(lane, parcel, true);
	}
	if (r < 0)
		cr_parcel_discard(parcel);
	return r;
}

static int accept_all(struct hub *hub)
{
	for (;;) {
		cr_parcel *parcel;
		cr_conn *conn;
		int r = hub->closed ? -ECANCELED : cr_listener_accept(hub->listener, &conn);

		if (r == 0) {
			r = cr_conn_detach(conn, &parcel);
			if (r < 0)
				cr_conn_close(conn);
			else
				r = hand_over(hub, parcel);
		}
		if (r == -ENOMEM)
			r = cr_yield(); /* so that somebody may give some back, or cancel us */
		if (r < 0)
			return r;
	}
}

/* A task here for each lane, as long as that is served. */
static int lane_run(struct lane *lane)
{
	struct hub *hub = lane->hub;
	cr_parcel *parcel;
	int r = cr_call_loop(lane->loop, lane_serve, lane);

	lane->dead = true;
	hub->error = r;
	cr_chan_close_threadsafe(&lane->parcels);
	if (--hub->alive == 0 && hub->accepting)
		cr_scope_cancel(hub->accepting);
	while (cr_chan_try_receive_threadsafe(&lane->parcels, &parcel) == 0)
		hand_over(hub, parcel);
	return 0;
}

static int hub_run(struct hub *hub)
{
	int r;
	CORAIL_SCOPE(lanes);

	cr_scope_collect(&lanes);
	for (size_t i = 0; i < hub->count; i++) {
		r = cr_task_error(cr_spawn(&lanes, lane_run, &hub->lanes[i]));
		if (r < 0)
			return r;
		hub->alive++;
	}
	{
		CORAIL_SCOPE(accepting);
		hub->accepting = &accepting;
		r = accept_all(hub);
		hub->accepting = NULL;
	}
	if (cr_cancelled())
		return -ECANCELED;
	if (!hub->alive)
		return hub->error < 0 ? hub->error : -ESRCH;
	if (!hub->closed)
		return r;
	for (size_t i = 0; i < hub->count; i++)
		cr_chan_close_threadsafe(&hub->lanes[i].parcels);
	cr_scope_wait(&lanes);
	return cr_cancelled() ? -ECANCELED : 0;
}

/* Makes the lanes, and counts them in hub->count. */
static int lanes_open(struct hub *hub, size_t count)
{
	for (; hub->count < count; hub->count++) {
		struct lane *lane = &hub->lanes[hub->count];
		int r = cr_chan_open_threadsafe(&lane->parcels, LANE_CAPACITY);

		if (r < 0)
			return r;
		lane->hub = hub;
		lane->loop = hub->options->loops ? hub->options->loops[hub->count]
		                                 : cr_loops_at(hub->count);
	}
	return 0;
}

int cr_listener_distribute(cr_listener *listener, const cr_distribute_options *options,
                           int (*handler)(cr_conn *conn, void *arg), void *arg)
{
	static const cr_distribute_options defaults;
	struct hub hub = {.listener = listener, .handler = handler, .arg = arg};
	size_t count;
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	hub.options = options ? options : &defaults;
	count = hub.options->loops ? hub.options->loop_count : cr_loops_count();
	if (count == 0 || count > LOOPS_MAX)
		return -EINVAL;
	if (listener->server_closed)
		return -EBUSY;
	hub.lanes = cr__alloc_zero(count, sizeof *hub.lanes);
	if (!hub.lanes)
		return -ENOMEM;
	hub.closed = listener->closing;
	listener->server_closed = &hub.closed;
	r = lanes_open(&hub, count);
	if (r == 0)
		r = hub_run(&hub);
	if (!hub.closed)
		listener->server_closed = NULL;
	for (size_t i = 0; i < hub.count; i++)
		cr_chan_free_threadsafe(&hub.lanes[i].parcels);
	cr__free(hub.lanes);
	return r;
}
