/* SPDX-License-Identifier: MIT */
#include "task/block.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/environment.h"
#include "base/panic.h"
#include "loop/attach.h"
#include "task/debug.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cr_run(): a loop from its birth to its end. */

static const cr_nsec exit_grace_default = INT64_C(5000000000);

/*
 * How many hand-overs a loop lets pass before it polls: one that takes nanoseconds must not pay for
 * a poll each time, and tasks that compute must not put it off. So it follows what the last ones
 * took.
 */
enum { QUANTUM_MAX = 128 };
static const cr_nsec quantum_short = 20000, quantum_long = 100000;

/* SIGINT goes to the loop of the main thread; the handler may only count and wake. */
static _Atomic(struct cr__sched *) sigint_sched;
static _Atomic unsigned sigint_count;
static _Atomic unsigned sigint_handlers; /* that run now, on whatever thread */

static void on_sigint(int number)
{
	struct cr__sched *s;
	int saved = errno;

	atomic_fetch_add(&sigint_handlers, 1);
	s = atomic_load(&sigint_sched);
	if (atomic_fetch_add(&sigint_count, 1) > 0 || !s) {
		signal(number, SIG_DFL);
		raise(number); /* blocked while the handler runs: it ends the process on return */
	} else {
		s->loop.backend->wake(&s->loop);
	}
	atomic_fetch_sub(&sigint_handlers, 1);
	errno = saved;
}

/* Takes SIGINT over where nobody else wants it. Returns whether it did. */
static bool sigint_take(struct cr__sched *s, const cr_options *options, struct sigaction *ret_old)
{
	struct sigaction action = {.sa_handler = on_sigint, .sa_flags = SA_RESTART | SA_ONSTACK};
	struct cr__sched *nobody = NULL;

	if (options->keep_sigint || gettid() != getpid())
		return false;
	if (sigaction(SIGINT, NULL, ret_old) || ret_old->sa_handler != SIG_DFL)
		return false;
	if (!atomic_compare_exchange_strong(&sigint_sched, &nobody, s))
		return false;
	atomic_store(&sigint_count, 0);
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	return true;
}

static void sigint_give_back(const struct sigaction *old)
{
	struct sigaction now;

	/* A receiver on another thread's loop may have taken it over: see src/io/signal_action.c */
	if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == on_sigint)
		sigaction(SIGINT, old, NULL);
	atomic_store(&sigint_sched, NULL);
	/* One may still be in the middle of waking us, on another thread. */
	while (atomic_load(&sigint_handlers))
		sched_yield();
}

/*
 * Runs a batch: what is runnable now, or the quantum if that is more. Only a batch that used its
 * quantum up says anything about it: the others ended because all tasks wait.
 */
static void batch(struct cr__sched *s)
{
	int32_t runnable = (int32_t)cr__queue_count(s);
	cr_nsec began, took;

	if (s->loop.backend->shuffle) {
		cr__sched_shuffle(s);
		cr__sched_batch(s, runnable);
		return;
	}
	/* Callbacks wait for the next turn: what is runnable now, no more, comes before them. */
	if (runnable > s->quantum || s->loop.posts_head) {
		cr__sched_batch(s, runnable);
		return;
	}
	began = cr__loop_now(&s->loop);
	cr__sched_batch(s, s->quantum);
	if (s->loop.handed != s->loop.poll_at)
		return;
	took = cr__loop_now(&s->loop) - began;
	if (took > quantum_long && s->quantum > 1)
		s->quantum /= 2;
	else if (took < quantum_short && s->quantum < QUANTUM_MAX)
		s->quantum *= 2;
}

/*
 * A simulation in which nothing will ever happen again: says who waits for whom, and ends main, so
 * that the run ends with -EDEADLK instead of never.
 */
static void give_up(struct cr__sched *s, cr_task main_task)
{
	int fd = s->debug ? s->debug->options.fd : STDERR_FILENO;

	cr__deadlock_report(s, fd, "can run any more, and nothing is to come:");
	if (s->deadlocked || cr_task_cancel(main_task) < 0)
		cr__panic("a deadlock that cancellation does not end");
	s->deadlocked = true;
}

/* Turns the loop until a scope is empty, or `late` is set. `main_task` is what SIGINT cancels. */
static void drive(struct cr__sched *s, const struct cr__scope *scope, const bool *late,
                  cr_task main_task, bool sigint)
{
	while (scope->alive && !(late && *late)) {
		/* With nothing to run, memory is given back first: a little, then another look. */
		bool busy = !cr__queue_empty(s) || cr__stack_pool_rest(&s->stacks);
		int r;

		if (!busy && cr__deadlock_certain(s)) {
			give_up(s, main_task);
			continue;
		}
		r = cr__loop_turn(&s->loop, busy);
		if (r < 0)
			cr__panic("the %s loop failed: %s", s->loop.backend->name, cr_strerror(r));
		if (s->debug)
			cr__debug_turned(s);
		if (sigint && atomic_load_explicit(&sigint_count, memory_order_relaxed))
			cr_task_cancel(main_task);
		if (cr__queue_empty(s))
			continue;
		batch(s);
	}
}

struct grace {
	struct cr__timer timer;
	bool over;
};

static void grace_over(struct cr__timer *timer)
{
	CR__CONTAINER(timer, struct grace, timer)->over = true;
}

/* Joins what is left in a cancelled scope, for a while. Returns false when some would not end. */
static bool join_leftovers(struct cr__sched *s, struct cr__scope *scope, cr_nsec patience)
{
	struct grace grace = {.timer = {.fire = grace_over}};

	if (!scope->alive)
		return true;
	if (cr__timer_set(&s->loop.timers, &grace.timer,
	                  cr__nsec_add(cr__loop_now(&s->loop), patience)) < 0)
		return false;
	drive(s, scope, &grace.over, (cr_task){0}, false);
	cr__timer_unset(&s->loop.timers, &grace.timer);
	if (!scope->alive)
		return true;
	dprintf(STDERR_FILENO,
	        "corail: %u task%s did not end within %.3g s of being cancelled, "
	        "and %s abandoned:\n",
	        scope->alive, scope->alive == 1 ? "" : "s", (double)patience / 1e9,
	        scope->alive == 1 ? "is" : "are");
	cr__dump_scope(s, scope, STDERR_FILENO);
	return false;
}

static int destroy_attachments(struct cr__sched *s)
{
	while (cr__loop_detach_last(&s->loop))
		;
	return 0;
}

static void finish_loop(struct cr__sched *s, cr_nsec patience)
{
	struct cr__scope *program = &s->program;

	program->state |= CR__SCOPE_CLOSING;
	cr__node_cancel(s, &program->node);
	if (!join_leftovers(s, program, patience))
		return;
	if (s->loop.attachments) {
		cr_spawn((cr_scope *)(void *)&s->base, destroy_attachments, s);
		join_leftovers(s, &s->base, patience);
	}
}

static uint64_t seed_of(const cr_options *options)
{
	uint64_t seed = options->seed;

	if (!seed)
		cr__environment_number("CORAIL_SEED", &seed);
	return seed;
}

static int sched_open(struct cr__sched *s, const cr_options *options)
{
	int class = options->stack_size_bytes ? cr__stack_class_for(options->stack_size_bytes)
	                                      : cr__stack_class_for(262144);
	int r;

	if (class < 0)
		return -EINVAL;
	r = cr__blocks_init(s, options->task_count_max);
	if (r < 0)
		return r;
	r = cr__loop_open_wanted(&s->loop, options->backend, seed_of(options));
	if (r < 0) {
		cr__blocks_destroy(s);
		return r;
	}
	r = cr__overflow_arm(s);
	if (r == 0) {
		r = cr__debug_open(s, options);
		if (r < 0)
			cr__overflow_disarm(s);
	}
	if (r < 0) {
		cr__loop_close(&s->loop);
		cr__blocks_destroy(s);
		return r;
	}
	cr__stack_pool_init(&s->stacks);
	s->stack_class_default = (unsigned)class;
	s->handle_bits = (uint32_t)(s->loop.id % (1 << CR__LOOP_BITS)) << CR__INDEX_BITS;
	s->errno_at = &errno;
	s->descriptor = &cr__debug_descriptor;
	if (cr__park_hook)
		s->special |= CR__HOOKED;
	s->quantum = 1;
	s->loop_task.inner = &s->loop_task.node;
	s->loop_task.site = "\0the loop";
#if CR__SANITIZED
	cr__fiber_init_thread(&s->loop_task.fiber);
#endif
	cr__panic_hook_set(cr__dump_on_panic);
	cr__loop_of_thread = &s->loop;
	cr__scope_enter_in(s, &s->base, &s->loop_task, &s->loop_task.node);
	cr__scope_enter_in(s, &s->program, &s->loop_task, &s->loop_task.node);
	s->base.state |= CR__SCOPE_COLLECT;
	return 0;
}

/*
 * The C++ runtime's function, where a program has one: this thread's exceptions. Itanium C++ ABI,
 * section 2.5.2.
 */
extern struct cr__exceptions *__cxa_get_globals(void) __attribute__((weak));

/* From now on the thread's exceptions are those of the running task; the caller's are put aside. */
static void exceptions_take(struct cr__sched *s)
{
	if (!__cxa_get_globals)
		return;
	s->exceptions = __cxa_get_globals();
	s->exceptions_outside = *s->exceptions;
	*s->exceptions = (struct cr__exceptions){0};
	s->special |= CR__EXCEPTIONS;
}

static void exceptions_give_back(struct cr__sched *s)
{
	if (s->exceptions)
		*s->exceptions = s->exceptions_outside;
}

static void sched_close(struct cr__sched *s)
{
	cr__debug_close(s);
	cr__loop_close(&s->loop);
	cr__loop_of_thread = NULL;
#if CR__TSAN
	if (s->dead_fiber)
		__tsan_destroy_fiber(s->dead_fiber);
#endif
	cr__free(s->base.failures);
	cr__free(s->program.failures);
	cr__overflow_disarm(s);
	cr__stack_pool_destroy(&s->stacks);
	cr__blocks_destroy(s);
	cr__free(s);
}

int cr__run(const cr_options *given, cr__fn fn, const void *arg, cr__site site)
{
	static const cr_options defaults;
	const cr_options *options = given ? given : &defaults;
	cr_spawn_options spawn_options = {.name = options->name};
	cr_nsec patience = options->exit_grace > 0 ? options->exit_grace : exit_grace_default;
	struct sigaction old;
	struct cr__sched *s;
	cr_task main_task;
	bool sigint;
	int r, result = 0;

	if (cr__loop_self())
		return -EBUSY;
	r = cr_environment_check(NULL, 0);
	if (r < 0)
		return r;
	s = cr__alloc_zero(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	r = sched_open(s, options);
	if (r < 0) {
		cr__free(s);
		return r;
	}
	exceptions_take(s);
	sigint = sigint_take(s, options, &old);
	main_task = cr__spawn((cr_scope *)(void *)&s->base, &spawn_options, fn, arg, 0, site);
	drive(s, &s->base, NULL, main_task, sigint);
	r = cr_task_result(main_task, &result);
	if (r == 0)
		r = result;
	finish_loop(s, patience);
	if (sigint) {
		sigint_give_back(&old);
		if (r == -ECANCELED && atomic_load(&sigint_count))
			r = -EINTR;
	}
	if (s->deadlocked)
		r = -EDEADLK;
	/* What failed in the background and nobody heard of: an error is never lost. */
	if (r >= 0 && s->program.failed)
		r = s->program.error;
	exceptions_give_back(s);
	sched_close(s);
	return r;
}
