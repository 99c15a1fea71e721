/* SPDX-License-Identifier: MIT */
#include "task/debug.h"

#include "base/alloc.h"
#include "base/environment.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Turning it on, and what is looked at when a task suspends. */

static const cr_nsec blocked_default = 100 * INT64_C(1000000);
static const cr_nsec ignored_default = INT64_C(1000000000);
static const cr_nsec idle_default = INT64_C(1000000000);

/* So often may a task hear of its cancellation and ask again. */
enum { REFUSED_TOO_OFTEN = 1000 };

/* What cr_debug_enable() said, for all loops of the process. */
static pthread_mutex_t choice_lock = PTHREAD_MUTEX_INITIALIZER;
static enum { ASK_ENVIRONMENT, ON, OFF } choice;
static cr_debug_options chosen;

/* ----------------------------------------------------------------------------- the options --- */

static bool environment_wants_it(void)
{
	const char *text = getenv("CORAIL_DEBUG");

	return text && *text && strcmp(text, "0") != 0;
}

/* What the caller said, else the environment, in milliseconds, else the default. */
static cr_nsec duration(cr_nsec said, const char *name, cr_nsec otherwise)
{
	uint64_t count;

	if (said != 0)
		return said;
	if (cr__environment_number(name, &count) <= 0)
		return otherwise;
	return count > 0 ? cr_millis((int64_t)count) : -1;
}

static void options_fill(cr_debug_options *options)
{
	uint64_t fd = STDERR_FILENO;

	if (options->fd <= 0) {
		cr__environment_number("CORAIL_DEBUG_FD", &fd);
		options->fd = (int)fd;
	}
	options->blocked = duration(options->blocked, "CORAIL_DEBUG_BLOCKED_MS", blocked_default);
	options->ignored = duration(options->ignored, "CORAIL_DEBUG_IGNORED_MS", ignored_default);
	options->idle = duration(options->idle, "CORAIL_DEBUG_IDLE_MS", idle_default);
}

static bool options_take(bool asked, cr_debug_options *ret_options)
{
	bool on;

	pthread_mutex_lock(&choice_lock);
	on = asked || choice == ON || (choice == ASK_ENVIRONMENT && environment_wants_it());
	*ret_options = chosen;
	pthread_mutex_unlock(&choice_lock);
	if (on)
		options_fill(ret_options);
	return on;
}

void cr_debug_enable(const cr_debug_options *options)
{
	static const cr_debug_options defaults;

	pthread_mutex_lock(&choice_lock);
	choice = ON;
	chosen = options ? *options : defaults;
	pthread_mutex_unlock(&choice_lock);
}

void cr_debug_disable(void)
{
	pthread_mutex_lock(&choice_lock);
	choice = OFF;
	pthread_mutex_unlock(&choice_lock);
}

int cr_debug_enabled(void)
{
	struct cr__sched *s = cr__sched_self();

	return s && s->debug;
}

/* ------------------------------------------------------------------------------------ life --- */

static struct cr__debug *debug_of_watch(struct cr__watch *watch)
{
	return CR__CONTAINER(watch, struct cr__debug, watch);
}

static void on_opened(struct cr__watch *watch, int fd)
{
	cr__debug_opened(debug_of_watch(watch), fd);
}

static void on_closed(struct cr__watch *watch, int fd)
{
	cr__debug_closed(debug_of_watch(watch), fd);
}

int cr__debug_open(struct cr__sched *s, const cr_options *options)
{
	cr_debug_options wanted;
	struct cr__debug *debug;
	void *frame;

	if (!options_take(options->debug, &wanted))
		return 0;
	debug = cr__alloc_zero(1, sizeof *debug);
	if (!debug)
		return -ENOMEM;
	debug->sched = s;
	debug->options = wanted;
	debug->watch.opened = on_opened;
	debug->watch.closed = on_closed;
	*(void **)&debug->locks = dlsym(RTLD_DEFAULT, CR__LOCKS_FUNCTION);
	/* Loads what unwinding needs: later it must neither allocate nor lock. */
	cr__frames_here(&frame, 1);
	s->debug = debug;
	s->loop.watch = &debug->watch;
	s->special |= CR__DEBUGGED;
	/* Without the thread (a limit of them, say) the other reports are there all the same. */
	if (cr__watchdog_hooks.start(debug) < 0)
		debug->watchdog = NULL;
	return 0;
}

void cr__debug_close(struct cr__sched *s)
{
	struct cr__debug *debug = s->debug;

	if (!debug)
		return;
	s->loop.watch = NULL;
	s->special &= ~CR__DEBUGGED;
	cr__debug_leaks(debug);
	cr__watchdog_hooks.stop(debug);
	s->debug = NULL;
	cr__debug_origins_free(debug);
	cr__free(debug);
}

/* --------------------------------------------------------------------------------- reports --- */

struct cr__report *cr__debug_begin(struct cr__debug *debug)
{
	cr__report_clear(&debug->report);
	return &debug->report;
}

void cr__debug_send(struct cr__debug *debug, int fd, void *const *frames, size_t count)
{
	if (count)
		cr__watchdog_hooks.frames(debug, frames, count);
	cr__report_send(&debug->report, fd);
}

static void deliver(struct cr__debug *debug, void *const *frames, size_t count)
{
	cr__debug_send(debug, debug->options.fd, frames, count);
}

void cr__report_task(struct cr__report *report, struct cr__task *task)
{
	cr__report_add(report, "'%s' (%s)", cr__task_name(task), task->site);
}

/* The running task, for what concerns the whole loop if there is none. */
static void add_running(struct cr__debug *debug, struct cr__report *report)
{
	struct cr__task *self = cr__running(debug->sched);

	if (self) {
		cr__report_add(report, "task ");
		cr__report_task(report, self);
	} else {
		cr__report_add(report, "a callback of the loop");
	}
}

/* ------------------------------------------------------------------ locks over suspensions --- */

static bool lock_known(struct cr__debug *debug, void *caller)
{
	for (unsigned i = 0; i < debug->locks_known_count; i++)
		if (debug->locks_known[i] == caller)
			return true;
	if (debug->locks_known_count == CR__LOCKS_KNOWN)
		return true;
	debug->locks_known[debug->locks_known_count++] = caller;
	return false;
}

static __attribute__((noinline, cold)) void report_lock(struct cr__debug *debug,
                                                        struct cr__task *self,
                                                        const struct cr__lock_held *held)
{
	void *frames[CR__FRAMES_MAX];
	struct cr__report *report = cr__debug_begin(debug);
	size_t count;

	cr__report_add(report, "corail: task ");
	cr__report_task(report, self);
	cr__report_add(report, " suspends (%s) while it holds a lock of POSIX threads, %p.",
	               self->wait ? self->wait->reason : "yield", held->lock);
	cr__report_line(report);
	cr__report_add(report, "corail: the next task of this thread that wants it blocks the loop "
	                       "for ever: unlock it before, or use a cr_mutex.");
	cr__report_line(report);
	cr__report_add(report, "corail: where it was locked:");
	cr__report_line(report);
	cr__watchdog_hooks.frames(debug, &held->caller, 1);
	cr__report_add(report, "corail: where it suspends:");
	cr__report_line(report);
	count = cr__frames_here(frames, CR__FRAMES_MAX);
	deliver(debug, frames, count);
}

void cr__debug_suspend(struct cr__sched *s, struct cr__task *self)
{
	struct cr__debug *debug = s->debug;
	const struct cr__lock_held *held;
	size_t count;

	cr__watch_beat(&debug->watch);
	debug->cycle_reported = false;
	/* It has left what was cancelled. */
	if (!cr__node_cancelled(self->inner))
		debug->refusals[cr__task_index(self) % CR__REFUSALS].task = 0;
	if (!debug->locks)
		return;
	count = debug->locks(&held);
	for (size_t i = 0; i < count; i++)
		if (!lock_known(debug, held[i].caller))
			report_lock(debug, self, &held[i]);
}

/* ------------------------------------------------------------ cancellation that is ignored --- */

static __attribute__((noinline, cold)) void report_refusal(struct cr__debug *debug,
                                                           struct cr__task *self,
                                                           const struct cr__refusal *refusal)
{
	void *frames[CR__FRAMES_MAX];
	struct cr__report *report = cr__debug_begin(debug);
	cr_nsec passed = cr__loop_now(&debug->sched->loop) - refusal->since;

	cr__report_add(report, "corail: task ");
	cr__report_task(report, self);
	cr__report_add(report,
	               " is cancelled and goes on: %u suspending calls have returned "
	               "-ECANCELED, in %.3f s.",
	               refusal->count, (double)passed / 1e9);
	cr__report_line(report);
	cr__report_add(report, "corail: it should return; clean-up that suspends belongs under "
	                       "cr_shield(). Its call now:");
	cr__report_line(report);
	deliver(debug, frames, cr__frames_here(frames, CR__FRAMES_MAX));
}

void cr__debug_refuse(struct cr__sched *s, struct cr__task *self)
{
	struct cr__debug *debug = s->debug;
	struct cr__refusal *refusal = &debug->refusals[cr__task_index(self) % CR__REFUSALS];
	int64_t task = self->handle.id;
	cr_nsec now = cr__loop_now(&s->loop);

	if (debug->options.ignored < 0)
		return;
	if (refusal->task != task)
		*refusal = (struct cr__refusal){.task = task, .since = now};
	refusal->count++;
	if (refusal->reported ||
	    (refusal->count < REFUSED_TOO_OFTEN && now - refusal->since < debug->options.ignored))
		return;
	refusal->reported = true;
	report_refusal(debug, self, refusal);
}

/* ------------------------------------------------------------------------- busy directions --- */

/* Appends who waits on a descriptor. Returns how many do. */
static unsigned add_waiters(struct cr__debug *debug, struct cr__report *report, int fd)
{
	struct cr__node *root = &debug->sched->loop_task.node;
	unsigned count = 0;

	for (struct cr__node *node = root; node; node = cr__node_walk(root, node, false)) {
		struct cr__task *task;

		if (node == root || (node->flags & CR__NODE_SCOPE))
			continue;
		task = cr__task_of_node(node);
		if (!task->wait || task->wait->fd != fd)
			continue;
		cr__report_add(report, "corail: held by task ");
		cr__report_task(report, task);
		cr__report_add(report, ", which waits: %s fd %d", task->wait->reason, fd);
		cr__report_line(report);
		count++;
	}
	return count;
}

void cr__debug_busy(const char *caller, int fd)
{
	struct cr__sched *s = cr__sched_self();
	void *frames[CR__FRAMES_MAX];
	struct cr__report *report;

	if (!s || !s->debug)
		return;
	report = cr__debug_begin(s->debug);
	cr__report_add(report, "corail: %s() returns -EBUSY to ", caller);
	add_running(s->debug, report);
	cr__report_add(report, ": that direction of descriptor %d is taken.", fd);
	cr__report_line(report);
	if (add_waiters(s->debug, report, fd) == 0) {
		cr__report_add(report, "corail: held by an operation that no task waits for (a "
		                       "poller's), or by a call of several steps");
		cr__report_line(report);
	}
	deliver(s->debug, frames, cr__frames_here(frames, CR__FRAMES_MAX));
}

/* --------------------------------------------------------------------- the watchdog's wish --- */

void cr__debug_turned(struct cr__sched *s)
{
	struct cr__debug *debug = s->debug;

	if (atomic_load_explicit(&debug->watch.look, memory_order_relaxed) &&
	    atomic_exchange(&debug->watch.look, false))
		cr__deadlock_look(debug);
}
