/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/* Calls from loop to loop: results, cancellation, loops that end, tasks without an answer. */

#include <corail/exec.h>
#include <corail/loops.h>

#include "meeting.h"
#include "question.h"
#include "support/core.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

enum { COUNT = 3, ROUNDS = 200 };

/* ------------------------------------------------------------------------------ other loops --- */

/* Each asks each, many at a time; nobody leaves before all have their answers. */
static int asks_one(struct question *q)
{
	cr_loop peer = cr_loops_at((size_t)(q->input % COUNT));
	int r;

	q->result = q->input;
	r = cr_call_loop(peer, answer, q);
	CHECK_EQ(q->loop, peer.id);
	CHECK_EQ(q->answer, 2 * q->input);
	return r == q->input ? 0 : -EPROTO;
}

static int asks_all(struct meeting *m)
{
	struct question questions[ROUNDS];

	memset(questions, 0, sizeof questions);
	for (int i = 0; i < ROUNDS; i++)
		questions[i].input = i;
	CHECK_EQ(cr_gather_limit(asks_one, questions, (size_t)core_many(ROUNDS), 10), 0);
	meet(m);
	return 0;
}

static void each_asks_each(void)
{
	struct meeting m = {0};

	CHECK_EQ(cr_loops(COUNT, asks_all, &m), 0);
}

/* A asks B, which asks A: all of them are tasks, so nobody blocks. */
static int there_and_back(struct question *q)
{
	size_t other = 1 - cr_loops_index();

	if (q->input == 0)
		return 0;
	q->input--;
	q->answer++;
	return cr_call_loop(cr_loops_at(other), there_and_back, q);
}

static int play_there_and_back(struct meeting *m)
{
	struct question q = {.input = 50};

	CHECK_EQ(cr_call_loop(cr_loops_at(1 - cr_loops_index()), there_and_back, &q), 0);
	CHECK_EQ(q.answer, 50);
	meet(m);
	return 0;
}

static void calls_in_calls(void)
{
	struct meeting m = {0};

	CHECK_EQ(cr_loops(2, play_there_and_back, &m), 0);
}

/* ----------------------------------------------------------------------- a loop to be asked --- */

/* A loop on a thread of its own, which lives until it is told to end. */
struct host {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool runs;
	cr_loop loop;
	cr_event *leave; /* its own */
	int result;
	cr_options options;
};

static int host_main(struct host *h)
{
	cr_event leave = {0};

	pthread_mutex_lock(&h->lock);
	h->loop = cr_loop_current();
	h->leave = &leave;
	h->runs = true;
	pthread_cond_signal(&h->told);
	pthread_mutex_unlock(&h->lock);
	return cr_event_wait(&leave);
}

static void *host_thread(void *arg)
{
	struct host *h = arg;

	h->result = cr_run_with(&h->options, host_main, h);
	return NULL;
}

static void host_open(struct host *h)
{
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->told, NULL);
	CHECK_EQ(pthread_create(&h->thread, NULL, host_thread, h), 0);
	pthread_mutex_lock(&h->lock);
	while (!h->runs)
		pthread_cond_wait(&h->told, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

static void leave(void *arg)
{
	cr_event_set(((struct host *)arg)->leave);
}

static void host_join(struct host *h)
{
	pthread_join(h->thread, NULL);
	pthread_cond_destroy(&h->told);
	pthread_mutex_destroy(&h->lock);
}

static void host_close(struct host *h)
{
	CHECK_EQ(cr_loop_post_threadsafe(h->loop, leave, h), 0);
	host_join(h);
}

struct remote_wait {
	struct host *host;
	cr_loop home;
	cr_event begun; /* of the caller's loop */
	_Atomic int seen;
};

static void tell_begun(void *arg)
{
	cr_event_set(&((struct remote_wait *)arg)->begun);
}

static int waits_there(struct remote_wait *w)
{
	CHECK_EQ(cr_loop_post_threadsafe(w->home, tell_begun, w), 0);
	w->seen = cr_sleep(CORAIL_NEVER);
	CHECK_EQ(cr_shield(cr_seconds(20), cr_sleep(cr_micros(10))), 0);
	return w->seen;
}

static int calls_there(struct remote_wait *w)
{
	return cr_call_loop(w->host->loop, waits_there, w);
}

/* The task at the other end is cancelled, cleans up, and only then does the call return. */
TEST(cancellation_reaches_the_other_loop)
{
	struct host host = {.runs = false};
	struct remote_wait w = {.host = &host, .home = cr_loop_current()};
	cr_task task;
	CORAIL_SCOPE(scope);

	host_open(&host);
	task = cr_spawn(&scope, calls_there, &w);
	CHECK_EQ(cr_event_wait(&w.begun), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_await(task), -ECANCELED);
	CHECK_EQ(w.seen, -ECANCELED);
	host_close(&host);
	CHECK_EQ(host.result, 0);
	CHECK_EQ(cr_call_loop(host.loop, waits_there, &w), -ESRCH);
	return 0;
}

/* At any moment, from before the post on: it ends, and it ends once. */
TEST(cancellation_at_any_time)
{
	struct host host = {.runs = false};
	struct remote_wait w = {.host = &host, .home = cr_loop_current()};

	host_open(&host);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(cr_timeout(cr_micros(2 * i), calls_there(&w)), -ETIMEDOUT);
	host_close(&host);
	return 0;
}

/* That loop ends: it cancels the task, and the caller hears why. */
TEST(the_other_loop_ends)
{
	struct host host = {.runs = false};
	struct remote_wait w = {.host = &host, .home = cr_loop_current()};
	cr_task task;
	CORAIL_SCOPE(scope);

	host_open(&host);
	task = cr_spawn(&scope, calls_there, &w);
	CHECK_EQ(cr_event_wait(&w.begun), 0);
	CHECK_EQ(cr_loop_post_threadsafe(host.loop, leave, &host), 0);
	CHECK_EQ(cr_await(task), -ESRCH);
	CHECK_EQ(w.seen, -ECANCELED);
	host_join(&host);
	return 0;
}

/* Calls and letters race with the end of their loop: each is done, or refused, or dropped. */
struct race {
	struct host *host;
	_Atomic int begun, dropped, accepted;
};

struct letter {
	struct race *race;
};

static int open_letter(struct letter *letter)
{
	atomic_fetch_add(&letter->race->begun, 1);
	return 0;
}

static void drop_letter(void *copy)
{
	atomic_fetch_add(&((struct letter *)copy)->race->dropped, 1);
}

static int sends_letters(struct race *race)
{
	cr_spawn_loop_options options = {.dropped = drop_letter};
	struct letter letter = {race};
	struct question q = {.input = 1};
	int r;

	for (;;) {
		r = cr_spawn_loop_with(&options, race->host->loop, open_letter, &letter);
		if (r < 0)
			break;
		atomic_fetch_add(&race->accepted, 1);
		r = cr_call_loop(race->host->loop, answer, &q);
		CHECK(r == 0 || r == -ESRCH);
	}
	return r == -ESRCH ? 0 : r;
}

TEST(races_with_the_end)
{
	for (int i = 0; i < (CR__TSAN ? 5 : 30); i++) {
		struct host host = {.runs = false};
		struct race race = {.host = &host};
		cr_task task;
		CORAIL_SCOPE(scope);

		host_open(&host);
		task = cr_spawn(&scope, sends_letters, &race);
		while (race.begun <= i)
			CHECK_EQ(cr_yield(), 0);
		host_close(&host);
		CHECK_EQ(cr_await(task), 0);
		CHECK_EQ(race.begun + race.dropped, race.accepted);
	}
	return 0;
}

/* --------------------------------------------------------------------------- abandoned ones --- */

/* Does not end, cancelled or not, until it is told to, which is never. */
static int stubborn(struct remote_wait *w)
{
	CHECK_EQ(cr_loop_post_threadsafe(w->home, tell_begun, w), 0);
	while (cr_shield(cr_seconds(60), cr_sleep(cr_seconds(60))) != 1)
		;
	return 0;
}

static int calls_stubborn(struct remote_wait *w)
{
	return cr_call_loop(w->host->loop, stubborn, w);
}

static int quiet;

static void quiet_begin(void)
{
	int null = open("/dev/null", O_WRONLY);

	fflush(stderr);
	quiet = dup(STDERR_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

static void quiet_end(void)
{
	dup2(quiet, STDERR_FILENO);
	close(quiet);
}

/* A loop that had to abandon its task answers all the same. */
TEST(the_callee_is_abandoned)
{
	struct host host = {.options = {.exit_grace = cr_millis(20)}};
	struct remote_wait w = {.host = &host, .home = cr_loop_current()};
	cr_task task;
	CORAIL_SCOPE(scope);

	quiet_begin();
	host_open(&host);
	task = cr_spawn(&scope, calls_stubborn, &w);
	CHECK_EQ(cr_event_wait(&w.begun), 0);
	CHECK_EQ(cr_loop_post_threadsafe(host.loop, leave, &host), 0);
	CHECK_EQ(cr_await(task), -ESRCH);
	host_join(&host);
	quiet_end();
	return 0;
}

struct abandoned {
	struct host host;
	_Atomic int running, ended;
};

static int cleans_up_for_long(struct abandoned *a)
{
	atomic_store(&a->running, 1);
	cr_sleep(CORAIL_NEVER);
	cr_shield(cr_seconds(20), cr_sleep(cr_millis(100)));
	atomic_fetch_add(&a->ended, 1);
	return 0;
}

static int calls_long_one(struct abandoned *a)
{
	return cr_call_loop(a->host.loop, cleans_up_for_long, a);
}

static int loops_long_one(struct abandoned *a)
{
	return cr_loops(2, cleans_up_for_long, a);
}

static int leaves_call_behind(struct abandoned *a)
{
	cr_spawn(cr_scope_program(), calls_long_one, a);
	while (!atomic_load(&a->running))
		CHECK_EQ(cr_sleep(cr_micros(100)), 0);
	return 0;
}

static int leaves_loops_behind(struct abandoned *a)
{
	cr_spawn(cr_scope_program(), loops_long_one, a);
	while (!atomic_load(&a->running))
		CHECK_EQ(cr_sleep(cr_micros(100)), 0);
	return 0;
}

/* What uses a caller's memory has ended before that goes, whatever happens. */
static void the_caller_is_abandoned(void)
{
	struct abandoned a = {.running = 0};
	cr_options options = {.exit_grace = cr_millis(1)};

	quiet_begin();
	host_open(&a.host);
	CHECK_EQ(cr_run_with(&options, leaves_call_behind, &a), 0);
	CHECK_EQ(a.ended, 1);
	host_close(&a.host);
	a.running = 0;
	CHECK_EQ(cr_run_with(&options, leaves_loops_behind, &a), 0);
	CHECK_EQ(a.ended, 3);
	quiet_end();
}

int main(void)
{
	if (on_sim())
		SKIP("the simulator has one loop");
	RUN(each_asks_each);
	RUN(calls_in_calls);
	RUN_TASK(cancellation_reaches_the_other_loop);
	RUN_TASK(cancellation_at_any_time);
	RUN_TASK(the_other_loop_ends);
	RUN_TASK(races_with_the_end);
	RUN_TASK(the_callee_is_abandoned);
	RUN(the_caller_is_abandoned);
	return test_done();
}
