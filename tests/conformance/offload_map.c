/* SPDX-License-Identifier: MIT */
/* An array on threads: results, bounds, failures, cancellation. */

#include <corail/exec.h>

#include "held_job.h"
#include "support/core.h"

#include <stdatomic.h>

struct square {
	int input, result, runs;
};

static int square(struct square *s)
{
	s->result = s->input * s->input;
	s->runs++;
	return s->input % 2;
}

TEST(all_elements_once)
{
	enum { COUNT = 10000 };
	static struct square squares[COUNT];

	memset(squares, 0, sizeof squares);
	for (int i = 0; i < COUNT; i++)
		squares[i].input = i;
	CHECK_EQ(cr_offload_map(square, squares, COUNT), 0);
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(squares[i].result, i * i);
		CHECK_EQ(squares[i].runs, 1);
	}
	CHECK_EQ(cr_offload_map(square, squares, 0), 0);
	CHECK_EQ(cr_offload_map(square, squares, 1), 0);
	CHECK_EQ(squares[0].runs, 2);
	CHECK_EQ(squares[1].runs, 1);
	return 0;
}

struct crowd {
	_Atomic int now, most;
};

struct visitor {
	struct crowd *crowd;
};

static int visit(struct visitor *v)
{
	struct crowd *crowd = v->crowd;
	int now = ++crowd->now, most = crowd->most;

	while (now > most && !atomic_compare_exchange_weak(&crowd->most, &most, now))
		;
	usleep(500); /* so that there would be room for more of them at once */
	crowd->now--;
	return 0;
}

TEST(never_more_than_the_limit)
{
	cr_threads_options wide = {.thread_count_max = 20};
	cr_offload_map_options options = {.limit = 3};
	struct crowd crowd = {.now = 0};
	struct visitor visitors[40];

	CHECK_EQ(cr_threads_open(&wide, &options.pool), 0);
	for (int i = 0; i < 40; i++)
		visitors[i].crowd = &crowd;
	CHECK_EQ(cr_offload_map_with(&options, visit, visitors, 40), 0);
	CHECK_LE(crowd.most, 3);
	/* More runners than the frame has room for. */
	options.limit = 0;
	CHECK_EQ(cr_offload_map_with(&options, visit, visitors, 40), 0);
	CHECK_LE(crowd.most, 20);
	cr_threads_close(options.pool);
	return 0;
}

struct item {
	int result, begun;
};

static int begin(struct item *item)
{
	item->begun = 1;
	return item->result;
}

TEST(first_failure_stops_the_rest)
{
	enum { COUNT = 1000, BAD = 10 };
	cr_threads_options one = {.thread_count_max = 1};
	cr_offload_map_options options = {0};
	static struct item items[COUNT];
	static int statuses[COUNT];

	memset(items, 0, sizeof items);
	items[BAD].result = -EIO;
	CHECK_EQ(cr_threads_open(&one, &options.pool), 0);
	options.statuses = statuses;
	CHECK_EQ(cr_offload_map_with(&options, begin, items, COUNT), -EIO);
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(items[i].begun, i <= BAD);
		CHECK_EQ(statuses[i], i < BAD ? 0 : i == BAD ? -EIO : -ECANCELED);
	}
	cr_threads_close(options.pool);
	return 0;
}

TEST(all_are_collected)
{
	enum { COUNT = 1000 };
	static int statuses[COUNT];
	static struct item items[COUNT];
	cr_offload_map_options options = {.statuses = statuses, .collect = 1};

	memset(items, 0, sizeof items);
	for (int i = 0; i < COUNT; i += 10)
		items[i].result = -ENOENT;
	items[1].result = 3;
	CHECK_EQ(cr_offload_map_with(&options, begin, items, COUNT), COUNT / 10);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(statuses[i], items[i].result);
	return 0;
}

/* ----------------------------------------------------------------------------- cancellation --- */

static int statuses_of_held[4];

static int hold_one(struct held **h)
{
	return hold(*h);
}

static int hold_four(struct held *h)
{
	cr_offload_map_options options = {.pool = h->pool, .statuses = statuses_of_held};
	struct held *four[] = {h, h, h, h};

	h->status = cr_offload_map_with(&options, hold_one, four, 4);
	return h->status;
}

TEST(cancelled_in_the_middle)
{
	cr_threads_options one = {.thread_count_max = 1};
	struct held h;
	cr_threads *pool;

	if (on_sim())
		return 0; /* a loop that holds still cannot open the gate */
	CHECK_EQ(cr_threads_open(&one, &pool), 0);
	held_init(&h, pool);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, hold_four, &h);
		CHECK_EQ(cr_event_wait(&h.begun), 0);
		cr_scope_cancel(&scope);
		for (int i = 0; i < 50; i++)
			CHECK_EQ(cr_shield(CORAIL_NEVER, cr_yield()), 0);
		CHECK_EQ(cr_scope_count(&scope), 1);
		sem_post(&h.open);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(h.status, -ECANCELED);
	CHECK_EQ(h.runs, 1);
	CHECK_EQ(h.saw_cancel, 1);
	CHECK_EQ(statuses_of_held[0], HELD_RESULT);
	CHECK_EQ(statuses_of_held[1], -ECANCELED);
	cr_threads_close(pool);
	return 0;
}

/* A map that takes its time lets others in between. */
struct slow {
	_Atomic int *done;
};

static int slow(struct slow *s)
{
	usleep(2000); /* more than a runner may take before it lets others in */
	++*s->done;
	return 0;
}

struct quick {
	cr_threads *pool;
	_Atomic int *done;
	int seen;
};

static int quick(struct quick *q)
{
	q->seen = *q->done;
	return 0;
}

static int quick_offloaded(struct quick *q)
{
	cr_offload_options options = {.pool = q->pool};

	return cr_offload_with(&options, quick, q);
}

TEST(others_get_their_turn)
{
	enum { COUNT = 50 };
	cr_threads_options one = {.thread_count_max = 1};
	cr_offload_map_options options = {0};
	_Atomic int done = 0;
	struct slow slows[COUNT];
	struct quick q = {.done = &done};
	CORAIL_SCOPE(scope);

	if (on_sim())
		return 0; /* there a map runs in one go */
	CHECK_EQ(cr_threads_open(&one, &options.pool), 0);
	q.pool = options.pool;
	for (int i = 0; i < COUNT; i++)
		slows[i].done = &done;
	cr_spawn(&scope, quick_offloaded, &q);
	CHECK_EQ(cr_offload_map_with(&options, slow, slows, COUNT), 0);
	CHECK_EQ(done, COUNT);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_LT(q.seen, COUNT);
	cr_threads_close(options.pool);
	return 0;
}

int main(void)
{
	RUN_TASK(all_elements_once);
	RUN_TASK(never_more_than_the_limit);
	RUN_TASK(first_failure_stops_the_rest);
	RUN_TASK(all_are_collected);
	RUN_TASK(cancelled_in_the_middle);
	RUN_TASK(others_get_their_turn);
	return test_done();
}
