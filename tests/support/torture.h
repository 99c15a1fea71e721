/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_TORTURE_H
#define CORAIL_TESTS_SUPPORT_TORTURE_H

/*
 * Torture: a scenario is run once to count the points at which a task suspends, then once per
 * point with something terrible delivered exactly there:
 *
 *	cancel     its scope is cancelled while the task is about to suspend
 *	late       its scope is cancelled in the next turn, after what completed in that turn
 *	reset      (sim) every simulated connection is reset
 *	memory     from the nth allocation on, there is none
 *	once       the nth allocation fails, the others do not
 *
 * and each time it must end, by itself and soon, with every task, timer, descriptor and simulated
 * descriptor gone (and, in the sanitizers' builds, every byte). A scenario is an ordinary task
 * function that gives back what it takes on every path; what it returns does not matter, what it
 * checks does.
 *
 *	static int sleeps(struct torture *t) { return cr_sleep(cr_millis(1)); }
 *	int main(void) { TORTURE(sleeps); return test_done(); }
 *
 * TEST_ONLY=name, TEST_MODE=cancel, TEST_POINT=7 and TEST_SEED=2 run one of them alone.
 */

#include "support/on_sim.h"
#include "support/test.h"

#include "base/alloc.h"
#include "ctx/sanitize.h"
#include "task/sched.h"

#include <corail/debug.h>
#include <corail/loop.h>
#include <corail/sim.h>
#include <corail/task.h>

#include <signal.h>
#include <stdbool.h>

enum torture_mode {
	TORTURE_COUNT, /* nothing is delivered */
	TORTURE_CANCEL,
	TORTURE_LATE,
	TORTURE_RESET,
	TORTURE_MEMORY,
	TORTURE_ONCE,
	TORTURE_MODES,
};

static const char *const torture_mode_names[] = {"count", "cancel", "late",
                                                 "reset", "memory", "once"};

enum {
	/* Races are between threads, and in the simulator there is one; it takes a minute there. */
	TORTURE_SEEDS = CR__TSAN        ? 1
	                : CR__SANITIZED ? 2
	                                : 3,
	TORTURE_POINTS_MAX = 600,
	TORTURE_SECONDS = 60, /* for one run: it hangs */
	TORTURE_PATIENCE_MS = 200,
};

struct torture {
	const char *name;
	int (*scenario)(struct torture *t);
	enum torture_mode mode;
	uint64_t seed, point, points; /* where to strike; how many went by */
	cr_scope *victim; /* the scope that is cancelled: at first around the scenario */
	cr_task spared;   /* the harness's own task */
	int delivered;
	int result;           /* of the scenario */
	uint64_t allocations; /* that it asked for, between its marks */
};

static struct torture *torture_here;

/* Who lets allocations fail: the library's seam, or what the program puts in its place. */
static struct torture_memory {
	void (*fail_at)(uint64_t nth), (*fail_once)(uint64_t nth);
	uint64_t (*count)(void);
} torture_memory = {cr__alloc_fail_at, cr__alloc_fail_once, cr__alloc_count};

static int torture_marked;          /* nothing is delivered before torture_begin() */
static uint64_t torture_stride = 1; /* from one point to the next */

/* For scenarios that check what is left after a cancellation: this scope is cancelled instead. */
static inline void torture_victim(struct torture *t, cr_scope *scope)
{
	t->victim = scope;
}

/* Whether it is memory that fails: a peer, or a task of the scenario's own, may then be missing. */
static inline int torture_short_of_memory(const struct torture *t)
{
	return t->mode == TORTURE_MEMORY || t->mode == TORTURE_ONCE;
}

/* Whether connections, too, may fail or be missing. */
static inline int torture_excused(const struct torture *t)
{
	return t->mode == TORTURE_RESET || torture_short_of_memory(t);
}

/*
 * Whether it has happened: what comes now is clean-up, or life after it. On a machine that stalls
 * for longer than the harness is patient, it is the harness that cancels.
 */
static inline int torture_delivered(const struct torture *t)
{
	if (torture_short_of_memory(t))
		return t->delivered || torture_memory.count() >= t->point || cr_cancelled();
	return t->delivered || (t->mode == TORTURE_RESET && cr_cancelled());
}

static inline void torture_describe(const struct torture *t, const char *what)
{
	char text[200];
	int size = snprintf(text, sizeof text,
	                    "%s: TEST_ONLY=%s TEST_MODE=%s TEST_POINT=%ju TEST_SEED=%ju\n", what,
	                    t->name, torture_mode_names[t->mode], (uintmax_t)t->point,
	                    (uintmax_t)t->seed);

	if (write(STDERR_FILENO, text, (size_t)size) < 0)
		_exit(TEST_FAIL);
}

static inline void torture_hung(int number)
{
	(void)number;
	torture_describe(torture_here, "hung");
	cr_debug_dump(STDERR_FILENO);
	_exit(TEST_FAIL);
}

static inline void torture_check(const struct torture *t, const char *file, int line,
                                 const char *text, intmax_t left, intmax_t right)
{
	if (left == right)
		return;
	torture_describe(t, "failed");
	test_compare(file, line, TEST_EQ, text, left, right);
}

#define TORTURE_CHECK(t, left, right)                                                              \
	torture_check(t, __FILE__, __LINE__, #left " == " #right, (left), (right))

static inline void torture_cancel(void *arg)
{
	struct torture *t = arg;

	/* Posted, it may come when the scenario is over. */
	if (t->victim)
		cr_scope_cancel(t->victim);
}

static inline void torture_strike(struct torture *t)
{
	t->delivered = 1;
	switch (t->mode) {
	case TORTURE_CANCEL:
		torture_cancel(t);
		break;
	case TORTURE_LATE:
		cr_loop_post(torture_cancel, t);
		break;
	case TORTURE_RESET:
		for (int fd = 1 << 20; fd < (1 << 20) + 64; fd++)
			cr_sim_reset(fd);
		break;
	default:
		break;
	}
}

static inline void torture_hook(struct cr__wait *wait)
{
	struct torture *t = torture_here;

	if (wait->task->handle.id == t->spared.id)
		return;
	if (++t->points == t->point)
		torture_strike(t);
}

/* From here on. Scenarios of a program that sets torture_marked call this, the others need not. */
static inline void torture_begin(struct torture *t)
{
	cr__park_hook_set(torture_hook);
	if (t->mode == TORTURE_MEMORY)
		torture_memory.fail_at(t->point);
	else if (t->mode == TORTURE_ONCE)
		torture_memory.fail_once(t->point);
}

/* From here on nothing more is delivered: the scenario looks at what is left. */
static inline void torture_end(struct torture *t)
{
	cr__park_hook_set(NULL);
	if (!torture_short_of_memory(t))
		return;
	t->allocations = torture_memory.count();
	t->delivered |= t->allocations >= t->point;
	torture_memory.fail_at(0);
}

static inline int torture_child(struct torture *t)
{
	if (!torture_marked)
		torture_begin(t);
	return t->scenario(t);
}

static inline int torture_main(struct torture *t)
{
	struct cr__sched *s = cr__sched_self();
	uint64_t alive = s->alive;
	uint32_t timers = s->loop.timers.count;
	int simulated = cr_sim_fd_count();
	cr_task task;

	t->spared = cr_task_self();
	/* Beyond the first seed, streams come in pieces. Refused where the network is real. */
	cr_sim_network_set(&(cr_sim_network){
		.latency = cr_micros(50), .jitter = cr_micros(50), .split = t->seed > 1});
	{
		CORAIL_SCOPE(scope);
		cr_scope_collect(&scope);
		t->victim = &scope;
		/* Whoever waits for somebody who has failed may wait for ever, and rightly so. */
		if (torture_excused(t))
			cr_scope_timeout_set(&scope, cr_millis(TORTURE_PATIENCE_MS));
		task = cr_spawn(&scope, torture_child, t);
		cr_scope_wait(&scope);
		cr__park_hook_set(NULL);
		t->victim = NULL;
		t->delivered = torture_delivered(t);
		torture_memory.fail_at(0);
		TORTURE_CHECK(t, cr_task_result(task, &t->result), 0);
	}
	TORTURE_CHECK(t, s->alive, alive);
	TORTURE_CHECK(t, s->loop.timers.count, timers);
	TORTURE_CHECK(t, cr_sim_fd_count(), simulated);
	return 0;
}

/* One run. Returns whether it came to the point. */
static inline int torture_once(struct torture *t)
{
	cr_options options = {.seed = t->seed};
	int r, open = test_open_fds();

	t->points = 0;
	t->delivered = 0;
	torture_here = t;
	alarm(TORTURE_SECONDS);
	r = cr_run_with(&options, torture_main, t);
	alarm(0);
	/* Nor does the program fail for the want of a background task. */
	TORTURE_CHECK(t, r, 0);
	TORTURE_CHECK(t, test_open_fds(), open);
	return t->delivered;
}

static inline void torture_mode(struct torture *t, enum torture_mode mode)
{
	const char *only = getenv("TEST_POINT");
	uint64_t runs = 0;

	t->mode = mode;
	t->point = only ? strtoull(only, NULL, 0) : 1;
	while (torture_once(t) && !only && t->point < TORTURE_POINTS_MAX) {
		t->point += torture_stride;
		runs++;
	}
	if (!only && t->seed == 1)
		printf("  %s: %ju\n", torture_mode_names[mode], (uintmax_t)runs);
	/*
	 * Between its marks it need not: a server may have answered before the answer is waited
	 * for.
	 */
	if (!only && !torture_marked && (mode == TORTURE_CANCEL || mode == TORTURE_LATE) &&
	    runs == 0)
		FAIL("the scenario never suspended");
}

static inline void torture_run(const char *name, int (*scenario)(struct torture *t))
{
	const char *only = getenv("TEST_ONLY"), *mode_only = getenv("TEST_MODE");
	const char *seed_only = getenv("TEST_SEED");
	bool sim = on_sim();
	struct torture t = {.name = name, .scenario = scenario};

	if (only && strcmp(name, only) != 0)
		return;
	signal(SIGALRM, torture_hung);
	printf("- %s\n", name);
	fflush(stdout);
	for (t.seed = 1; t.seed <= (sim ? TORTURE_SEEDS : 1); t.seed++) {
		if (seed_only && t.seed != strtoull(seed_only, NULL, 0))
			continue;
		t.mode = TORTURE_COUNT;
		t.point = 0;
		torture_once(&t);
		TORTURE_CHECK(&t, t.result < 0 ? t.result : 0, 0);
		for (enum torture_mode mode = TORTURE_CANCEL; mode < TORTURE_MODES; mode++) {
			if (mode_only && strcmp(mode_only, torture_mode_names[mode]) != 0)
				continue;
			if (mode != TORTURE_RESET || sim)
				torture_mode(&t, mode);
		}
	}
	test_count++;
}

#define TORTURE(scenario) torture_run(#scenario, scenario)

#endif
