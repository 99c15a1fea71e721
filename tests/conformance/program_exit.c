/* SPDX-License-Identifier: MIT */
/* ctest: labels=noasan */
/*
 * How a run ends: main's result, leftovers that are cancelled and joined, and those that are late.
 */

#include "support/child.h"
#include "support/core.h"

#include "loop/attach.h"
#include "loop/loop.h"

#include <corail/sync.h>

struct program {
	int result;
	struct nap leftover;
	int seen;
};

static int return_it(struct program *p)
{
	return p->result;
}

static void run_returns_main_s_result(void)
{
	static const int results[] = {0, 1, 42, -1, -EPROTO, INT32_MAX, INT32_MIN};

	for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
		struct program p = {.result = results[i]};

		CHECK_EQ(cr_run(return_it, &p), results[i]);
	}
}

static int clean_up_slowly(struct nap *n)
{
	n->seen = cr_sleep(n->duration);
	n->result = cr_shield(cr_seconds(60), cr_sleep(cr_millis(5)));
	return n->seen;
}

static int leave_something_behind(struct program *p)
{
	cr_spawn(cr_scope_program(), clean_up_slowly, &p->leftover);
	CHECK_EQ(cr_scope_count(cr_scope_program()), 1);
	CHECK_EQ(cr_yield(), 0);
	return p->result;
}

static void leftovers_are_cancelled_and_joined(void)
{
	struct program p = {.result = 7, .leftover = {cr_seconds(100), 99, 99}};

	CHECK_EQ(cr_run(leave_something_behind, &p), 7);
	CHECK_EQ(p.leftover.seen, -ECANCELED);
	CHECK_EQ(p.leftover.result, 0);
}

static int fail_in_the_background(struct program *p)
{
	cr_spawn(cr_scope_program(), nap, &p->leftover);
	while (cr_scope_count(cr_scope_program()) > 0)
		CHECK_EQ(cr_sleep(cr_micros(100)), 0);
	return p->result;
}

static void a_failure_in_the_background_is_not_lost(void)
{
	struct program p = {.result = 3, .leftover = {cr_millis(1), -EPROTO, 9}};

	CHECK_EQ(cr_run(fail_in_the_background, &p), -EPROTO);
	/* Main's own error weighs more. */
	p.result = -EPIPE;
	CHECK_EQ(cr_run(fail_in_the_background, &p), -EPIPE);
}

static int spawn_too_late(struct program *p)
{
	int r = cr_sleep(cr_seconds(100));

	p->seen = cr_task_error(cr_spawn(cr_scope_program(), nap, &p->leftover));
	return r;
}

static int main_ends(struct program *p)
{
	cr_spawn(cr_scope_program(), spawn_too_late, p);
	return cr_yield();
}

static void leftovers_cannot_leave_more_behind(void)
{
	struct program p = {.leftover = {0, 0, 9}};

	CHECK_EQ(cr_run(main_ends, &p), -ESHUTDOWN);
	CHECK_EQ(p.seen, -ESHUTDOWN);
	CHECK_EQ(p.leftover.seen, 9);
}

static int never_end(cr_event *event)
{
	/*
	 * A clean-up that waits for what never comes, shielded for longer than the program is
	 * patient.
	 */
	return cr_shield(cr_seconds(1000), cr_event_wait(event));
}

static int ignore_it(cr_event *event)
{
	while (!cr_event_is_set(event))
		cr_sleep(cr_millis(1));
	return 0;
}

static int leave_late_ones(cr_event *event)
{
	cr_spawn_options named = {.name = "the stubborn one"};

	cr_spawn_with(&named, cr_scope_program(), never_end, event);
	cr_spawn(cr_scope_program(), ignore_it, event);
	CHECK_EQ(cr_sleep(cr_millis(5)), 0);
	return 12;
}

static int run_late_ones(void *unused)
{
	cr_options options = {.exit_grace = cr_millis(50)};
	cr_event event = {0};

	(void)unused;
	return cr_run_with(&options, leave_late_ones, &event);
}

/* Those that do not end in time are named, with where they came from and what they wait for. */
static void late_ones_are_reported_and_abandoned(void)
{
	struct child c;

	child_run(&c, run_late_ones, NULL);
	CHECK_EXITED(&c, 12);
	CHECK_SAYS(&c, "corail: 2 tasks did not end within 0.05 s");
	CHECK_SAYS(&c, "the stubborn one (");
	CHECK_SAYS(&c, "program_exit.c:");
	CHECK_SAYS(&c, "waiting: event");
	CHECK_SAYS(&c, "ignore_it");
}

static int run_again_after_late_ones(void *unused)
{
	struct program p = {.result = 0};
	int fds = test_open_fds();

	CHECK_EQ(run_late_ones(unused), 12);
	CHECK_EQ(test_open_fds(), fds);
	return cr_run(return_it, &p);
}

static void a_run_after_abandoned_tasks_is_clean(void)
{
	struct child c;

	child_run(&c, run_again_after_late_ones, NULL);
	CHECK_EXITED(&c, 0);
}

static int nested(struct program *p)
{
	struct program inner = {.result = 5};

	CHECK_EQ(cr_run(return_it, &inner), -EBUSY);
	CHECK_EQ(cr_yield(), 0);
	return p->result;
}

static void a_loop_inside_a_loop_is_refused(void)
{
	struct program p = {.result = 6};

	CHECK_EQ(cr_run(nested, &p), 6);
}

static void destroy_first(void *object)
{
	CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	note("%s", (const char *)object);
}

static int attach_two(int *key)
{
	struct cr__loop *loop = cr__loop_self();
	static char one[] = "one", two[] = "two";

	CHECK(cr__loop_attached(loop, key) == NULL);
	CHECK_EQ(cr__loop_attach(loop, key, one, destroy_first), 0);
	CHECK_EQ(cr__loop_attach(loop, key + 1, two, destroy_first), 0);
	CHECK(cr__loop_attached(loop, key) == (void *)one);
	CHECK(cr__loop_attached(loop, key + 1) == (void *)two);
	return 0;
}

/* What lives as long as the loop goes last attached first, in a task that may suspend. */
static void attachments_are_destroyed_in_reverse(void)
{
	int keys[2] = {0, 0};

	core_log_clear();
	CHECK_EQ(cr_run(attach_two, keys), 0);
	CHECK_STR(core_log, "two one");
}

static void unknown_options_are_refused(void)
{
	struct program p = {.result = 0};
	cr_options huge = {.stack_size_bytes = (64 << 20) + 1}, odd = {.backend = 77};
	const char *backend = getenv("CORAIL_BACKEND");
	char saved[32];

	CHECK_EQ(cr_run_with(&huge, return_it, &p), -EINVAL);
	CHECK_EQ(cr_run_with(&odd, return_it, &p), -EINVAL);
	snprintf(saved, sizeof saved, "%s", backend ? backend : "");
	setenv("CORAIL_BACKEND", "nonsense", 1);
	CHECK_EQ(cr_run(return_it, &p), -EINVAL);
	setenv("CORAIL_BACKEND", "", 1);
	CHECK_EQ(cr_run(return_it, &p), 0);
	setenv("CORAIL_BACKEND", saved, 1);
	if (!backend)
		unsetenv("CORAIL_BACKEND");
}

static int tell_backend(struct program *p)
{
	(void)p;
	note("%s", cr_loop_backend());
	return 0;
}

static void the_environment_decides_the_backend_unless_the_program_does(void)
{
	struct program p = {.result = 0};
	cr_options sim = {.backend = CORAIL_BACKEND_SIM};
	const char *backend = getenv("CORAIL_BACKEND");

	core_log_clear();
	CHECK_EQ(cr_run(tell_backend, &p), 0);
	if (backend)
		CHECK_STR(core_log, backend);
	core_log_clear();
	CHECK_EQ(cr_run_with(&sim, tell_backend, &p), 0);
	CHECK_STR(core_log, "sim");
}

int main(void)
{
	RUN(run_returns_main_s_result);
	RUN(leftovers_are_cancelled_and_joined);
	RUN(a_failure_in_the_background_is_not_lost);
	RUN(leftovers_cannot_leave_more_behind);
	RUN(late_ones_are_reported_and_abandoned);
	RUN(a_run_after_abandoned_tasks_is_clean);
	RUN(a_loop_inside_a_loop_is_refused);
	RUN(attachments_are_destroyed_in_reverse);
	RUN(unknown_options_are_refused);
	RUN(the_environment_decides_the_backend_unless_the_program_does);
	return test_done();
}
