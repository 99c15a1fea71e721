/* SPDX-License-Identifier: MIT */
/* From other threads to a loop: calls that wait for an answer, tasks in a foreign hand. */

#include <corail/exec.h>
#include <corail/local.h>

#include "support/child.h"
#include "support/core.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct question {
	cr_loop loop;
	int input, answer, on_loop;
};

/* A task on the loop: it may suspend. */
static int answer(struct question *q)
{
	int r = cr_sleep(cr_millis(1));

	q->answer = 2 * q->input;
	q->on_loop = cr_loop_current().id == q->loop.id;
	return r < 0 ? r : q->input + 1;
}

/* A job that needs its loop, several times. */
static int asks(struct question *q)
{
	for (int i = 0; i < 3; i++) {
		q->input = i;
		CHECK_EQ(cr_call_threadsafe(q->loop, answer, q), i + 1);
		CHECK_EQ(q->answer, 2 * i);
		CHECK_EQ(q->on_loop, 1);
	}
	return 0;
}

TEST(job_calls_back)
{
	struct question q = {.loop = cr_loop_current()};

	CHECK_EQ(cr_offload(asks, &q), 0);
	return 0;
}

static cr_local tag;

static int sees_tag(struct question *q)
{
	q->answer = cr_local_get(&tag) == q;
	return 0;
}

static int asks_about_tag(struct question *q)
{
	return cr_call_threadsafe(q->loop, sees_tag, q);
}

/* A job works for a task, and so does what it asks of the loop. */
TEST(job_calls_back_with_locals)
{
	struct question q = {.loop = cr_loop_current()};

	CHECK_EQ(cr_local_set(&tag, &q), 0);
	CHECK_EQ(cr_offload(asks_about_tag, &q), 0);
	CHECK_EQ(q.answer, 1);
	CHECK_EQ(cr_local_set(&tag, NULL), 0);
	CHECK_EQ(cr_offload(asks_about_tag, &q), 0);
	CHECK_EQ(q.answer, 0);
	return 0;
}

static int asks_offloaded(struct question *q)
{
	q->loop = cr_loop_current();
	return cr_offload(asks, q);
}

TEST(many_jobs_call_back)
{
	enum { COUNT = 20 };
	struct question questions[COUNT];

	memset(questions, 0, sizeof questions);
	CHECK_EQ(cr_gather(asks_offloaded, questions, COUNT), 0);
	return 0;
}

static int fails(struct question *q)
{
	(void)q;
	return -EPROTO;
}

static int asks_for_failure(struct question *q)
{
	return cr_call_threadsafe(q->loop, fails, q);
}

/* A failure is the caller's to hear, not the program's. */
TEST(failure_is_delivered)
{
	struct question q = {.loop = cr_loop_current()};

	CHECK_EQ(cr_offload(asks_for_failure, &q), -EPROTO);
	CHECK_EQ(cr_scope_cancelled(cr_scope_program()), 0);
	return 0;
}

/* -------------------------------------------------------------------------- foreign threads --- */

struct foreign {
	cr_loop loop;
	cr_event finished;
	struct question question;
	int result, result_again;
};

static void say_finished(void *arg)
{
	struct foreign *f = arg;

	cr_event_set(&f->finished);
}

static void *foreign_asks(void *arg)
{
	struct foreign *f = arg;
	cr_remote *remote;

	f->question.loop = f->loop;
	CHECK_EQ(asks(&f->question), 0);
	CHECK_EQ(cr_run_threadsafe(f->loop, answer, &f->question, &remote), 0);
	f->result = cr_remote_wait(remote);
	CHECK_EQ(cr_remote_result(remote, &f->result_again), 0);
	cr_remote_cancel(remote);
	cr_remote_close(remote);
	CHECK_EQ(cr_loop_post_threadsafe(f->loop, say_finished, f), 0);
	return NULL;
}

TEST(foreign_thread_asks)
{
	struct foreign f = {.loop = cr_loop_current()};
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, foreign_asks, &f), 0);
	CHECK_EQ(cr_event_wait(&f.finished), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(f.result, 3);
	CHECK_EQ(f.result_again, 3);
	return 0;
}

static int sleeps_for_ever(struct question *q)
{
	q->answer = cr_sleep(CORAIL_NEVER);
	return q->answer;
}

static void *foreign_cancels(void *arg)
{
	struct foreign *f = arg;
	cr_remote *remote;
	int result;

	CHECK_EQ(cr_run_threadsafe(f->loop, sleeps_for_ever, &f->question, &remote), 0);
	CHECK_EQ(cr_remote_result(remote, &result), -EINPROGRESS);
	cr_remote_cancel(remote);
	cr_remote_cancel(remote);
	f->result = cr_remote_wait(remote);
	cr_remote_close(remote);
	/* Closed while it runs: cancelled and waited for. */
	CHECK_EQ(cr_run_threadsafe(f->loop, sleeps_for_ever, &f->question, &remote), 0);
	f->question.answer = 0;
	cr_remote_close(remote);
	f->result_again = f->question.answer;
	cr_remote_close(NULL);
	CHECK_EQ(cr_loop_post_threadsafe(f->loop, say_finished, f), 0);
	return NULL;
}

TEST(foreign_thread_cancels)
{
	struct foreign f = {.loop = cr_loop_current()};
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, foreign_cancels, &f), 0);
	CHECK_EQ(cr_event_wait(&f.finished), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(f.result, -ECANCELED);
	CHECK_EQ(f.result_again, -ECANCELED);
	return 0;
}

/* From the loop's own thread a task may be asked for, and its result, but not waited for. */
TEST(from_the_loop_itself)
{
	struct question q = {.loop = cr_loop_current(), .input = 1};
	cr_remote *remote;
	int result;

	CHECK_EQ(cr_run_threadsafe(q.loop, answer, &q, &remote), 0);
	while (cr_remote_result(remote, &result) == -EINPROGRESS)
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	CHECK_EQ(result, 2);
	CHECK_EQ(cr_remote_wait(remote), 2);
	cr_remote_close(remote);
	CHECK_EQ(cr_run_threadsafe((cr_loop){-5}, answer, &q, &remote), -ESRCH);
	return 0;
}

/* ------------------------------------------------------------------------------ ended loops --- */

struct late {
	_Atomic int64_t loop_id;
	struct question question;
	_Atomic int asked;
	int result;
};

static int task_of_late(struct late *late)
{
	late->asked = 1;
	return cr_sleep(CORAIL_NEVER);
}

static void *asks_a_loop_that_ends(void *arg)
{
	struct late *late = arg;
	cr_loop loop;

	while (!late->loop_id)
		sched_yield();
	loop.id = late->loop_id;
	late->result = cr_call_threadsafe(loop, task_of_late, late);
	/* By now, or soon, nobody is there. */
	while (cr_call_threadsafe(loop, task_of_late, late) != -ESRCH)
		;
	return NULL;
}

static int ends_when_asked(struct late *late)
{
	late->loop_id = cr_loop_current().id;
	while (!late->asked)
		CHECK_EQ(cr_sleep(cr_micros(100)), 0);
	return 0;
}

/* The task that it waits for is cancelled with the program's leftovers. */
static void loop_ends_while_a_thread_waits(void)
{
	struct late late = {.result = 0};
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, asks_a_loop_that_ends, &late), 0);
	CHECK_EQ(cr_run(ends_when_asked, &late), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(late.result, -ECANCELED);
}

static int never_ends(struct late *late)
{
	late->asked = 1;
	return cr_shield(CORAIL_NEVER, cr_sleep(CORAIL_NEVER));
}

static void *asks_what_never_ends(void *arg)
{
	struct late *late = arg;

	while (!late->loop_id)
		sched_yield();
	late->result = cr_call_threadsafe((cr_loop){late->loop_id}, never_ends, late);
	return NULL;
}

static int abandons(void *unused)
{
	cr_options options = {.exit_grace = cr_millis(1)};
	struct late late = {.result = 0};
	pthread_t thread;

	(void)unused;
	CHECK_EQ(pthread_create(&thread, NULL, asks_what_never_ends, &late), 0);
	CHECK_EQ(cr_run_with(&options, ends_when_asked, &late), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(late.result, -ESRCH);
	return 0;
}

/* A task that does not end is abandoned, and reported; who waits for it is told. */
static void thread_waits_for_an_abandoned_task(void)
{
	struct child c;

	child_run(&c, abandons, NULL);
	CHECK_EQ(c.status, 0);
	CHECK_SAYS(&c, "abandoned");
}

static int call_on_own_thread(struct question *q)
{
	return cr_call_threadsafe(cr_loop_current(), answer, q);
}

static int blocks_its_loop(void *unused)
{
	struct question q = {.input = 0};

	(void)unused;
	return cr_run(call_on_own_thread, &q);
}

static void panics(void)
{
	struct child c;

	child_run(&c, blocks_its_loop, NULL);
	CHECK_DIED(&c, SIGABRT, "cr_call_threadsafe() blocks its thread");
}

int main(void)
{
	RUN(panics);
	RUN(thread_waits_for_an_abandoned_task);
	RUN(loop_ends_while_a_thread_waits);
	RUN_TASK(job_calls_back);
	RUN_TASK(job_calls_back_with_locals);
	RUN_TASK(many_jobs_call_back);
	RUN_TASK(failure_is_delivered);
	RUN_TASK(foreign_thread_asks);
	RUN_TASK(foreign_thread_cancels);
	RUN_TASK(from_the_loop_itself);
	return test_done();
}
