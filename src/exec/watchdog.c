/* SPDX-License-Identifier: MIT */
#include "exec/watchdog.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "exec/blocking.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const cr_nsec period_min = 1000000, period_max = 250000000;

/* --------------------------------------------------------------------------------- reports --- */

static void add_who(struct cr__report *report, const struct cr__sample *sample)
{
	if (sample->in_task)
		cr__report_add(report, "task '%s' (%s)", sample->name, sample->site);
	else
		cr__report_add(report, "a callback of the loop");
}

static void add_advice(struct cr__report *report, const struct cr__blocking *blocking, bool in_call)
{
	if (!blocking && !in_call)
		cr__report_add(report, "corail: computations belong on a thread: "
		                       "cr_offload(fn, &args); or let others run now and then: "
		                       "cr_yield().");
	else if (blocking && blocking->instead)
		cr__report_add(report,
		               "corail: in a task use %s, which suspends; or call it on a thread: "
		               "cr_offload(fn, &args).",
		               blocking->instead);
	else
		cr__report_add(report, "corail: call it on a thread: cr_offload(fn, &args).");
	cr__report_line(report);
}

static void report_blocked(struct cr__watchdog *w)
{
	struct cr__sample *sample = &w->sample;
	struct cr__report *report = &w->report;
	const struct cr__blocking *blocking;

	cr__symbols_find(sample->frames, sample->count, false, w->symbols);
	blocking = cr__blocking_find(w->symbols, sample->count);
	if (!blocking && sample->in_call)
		blocking = cr__blocking_call(sample->number);
	cr__report_clear(report);
	cr__report_add(report, "corail: ");
	add_who(report, sample);
	cr__report_add(report, " has not suspended for %.3f s: ", (double)w->still / 1e9);
	if (blocking)
		cr__report_add(report, "it blocks the whole loop in %s().", blocking->name);
	else if (sample->in_call)
		cr__report_add(report, "it blocks the whole loop in a system call, number %lu.",
		               sample->number);
	else
		cr__report_add(report, "it computes, and nobody else on its loop can run.");
	cr__report_line(report);
	add_advice(report, blocking, sample->in_call);
	cr__symbols_add(report, w->symbols, sample->count);
	cr__report_send(report, w->debug->options.fd);
}

static void report_unreachable(struct cr__watchdog *w)
{
	struct cr__report *report = &w->report;

	w->sample.in_task = false;
	cr__report_clear(report);
	cr__report_add(report,
	               "corail: the loop of thread %d has not moved for %.3f s, and the thread "
	               "takes no signals that would tell where it is.",
	               (int)w->loop_thread, (double)w->still / 1e9);
	cr__report_line(report);
	cr__report_send(report, w->debug->options.fd);
}

static void report_end(struct cr__watchdog *w)
{
	cr__report_clear(&w->report);
	cr__report_add(&w->report, "corail: ");
	add_who(&w->report, &w->sample);
	cr__report_add(&w->report, " suspends again: it blocked the loop for %.3f s.",
	               (double)w->still / 1e9);
	cr__report_line(&w->report);
	cr__report_send(&w->report, w->debug->options.fd);
}

/* --------------------------------------------------------------------------------- looking --- */

static void blocked(struct cr__watchdog *w)
{
	int r = -ETIMEDOUT;

	/* It stands still because somebody holds it, not because of what it does. */
	if (cr__thread_stopped(w->loop_thread)) {
		w->still = 0;
		return;
	}
	if (w->armed)
		r = cr__sample_take(w->debug, &w->sample, w->loop_thread, w->beats);
	if (r == -EAGAIN)
		return;
	w->reported = true;
	if (r == 0)
		report_blocked(w);
	else
		report_unreachable(w);
}

static void quiet(struct cr__watchdog *w)
{
	struct cr__loop *loop = &w->debug->sched->loop;

	w->asked_to_look = true;
	atomic_store(&w->debug->watch.look, true);
	loop->backend->wake(loop);
}

/*
 * Time is counted in looks, each for no more than twice what it should be: when the whole process
 * was stopped, or the machine was busy elsewhere, nobody here is to blame.
 */
static void look(struct cr__watchdog *w)
{
	const cr_debug_options *options = &w->debug->options;
	struct cr__watch *watch = &w->debug->watch;
	uint64_t beats = atomic_load_explicit(&watch->beats, memory_order_acquire);
	bool polling = atomic_load_explicit(&watch->polling, memory_order_relaxed);
	cr_nsec now = cr__clock_monotonic(), passed = now - w->last_look;

	w->last_look = now;
	if (passed > 2 * w->period)
		passed = 2 * w->period;
	if (beats != w->beats) {
		if (w->reported)
			report_end(w);
		w->reported = w->asked_to_look = false;
		w->beats = beats;
		w->still = 0;
		return;
	}
	w->still += passed;
	if (polling) {
		if (options->idle >= 0 && w->still >= options->idle && !w->asked_to_look)
			quiet(w);
	} else if (options->blocked >= 0 && w->still >= options->blocked && !w->reported) {
		blocked(w);
	}
}

/* Until the next look; less when somebody wants something. */
static void rest(struct cr__watchdog *w)
{
	cr_nsec until = cr__clock_monotonic() + w->period;
	struct timespec time = {until / 1000000000, until % 1000000000};
	int r = 0;

	while (!w->stop && !w->frames && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&w->wake, &w->lock, &time);
}

static void serve(struct cr__watchdog *w)
{
	size_t count = w->frame_count < CR__FRAMES_MAX ? w->frame_count : CR__FRAMES_MAX;

	cr__symbols_find(w->frames, count, false, w->symbols);
	cr__symbols_add(&w->debug->report, w->symbols, count);
	w->frames = NULL;
	pthread_cond_signal(&w->served);
}

static void *run(void *arg)
{
	struct cr__watchdog *w = arg;

	pthread_setname_np(pthread_self(), "corail-watch");
	pthread_mutex_lock(&w->lock);
	w->last_look = cr__clock_monotonic();
	for (;;) {
		rest(w);
		if (w->frames)
			serve(w);
		if (w->stop)
			break;
		pthread_mutex_unlock(&w->lock);
		look(w);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	if (w->reported && atomic_load(&w->debug->watch.beats) != w->beats)
		report_end(w);
	return NULL;
}

/* ------------------------------------------------------------------------------------ life --- */

static cr_nsec period_for(const cr_debug_options *options)
{
	cr_nsec period = period_max;

	if (options->blocked >= 0 && options->blocked / 4 < period)
		period = options->blocked / 4;
	if (options->idle >= 0 && options->idle / 4 < period)
		period = options->idle / 4;
	return period < period_min ? period_min : period;
}

/* The program's signals are for the program's threads. */
static int thread_start(struct cr__watchdog *w)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

static void watchdog_free(struct cr__watchdog *w)
{
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->served);
	pthread_mutex_destroy(&w->lock);
	cr__free(w->symbols);
	cr__free(w);
}

static int watchdog_start(struct cr__debug *debug)
{
	struct cr__watchdog *w = cr__alloc_zero(1, sizeof *w);
	pthread_condattr_t attributes;
	int r;

	if (!w)
		return -ENOMEM;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, &attributes);
	pthread_cond_init(&w->served, &attributes);
	pthread_condattr_destroy(&attributes);
	w->debug = debug;
	w->process = getpid();
	w->loop_thread = gettid();
	w->period = period_for(&debug->options);
	w->symbols = cr__alloc(CR__FRAMES_MAX * sizeof *w->symbols);
	debug->watchdog = w;
	r = w->symbols ? 0 : -ENOMEM;
	if (r == 0) {
		w->armed = cr__sample_arm() == 0;
		r = thread_start(w);
		if (r < 0 && w->armed)
			cr__sample_disarm();
	}
	if (r < 0) {
		debug->watchdog = NULL;
		watchdog_free(w);
	}
	return r;
}

/* A child of fork(2) has the record, and no thread. */
static bool is_there(const struct cr__watchdog *w)
{
	return w && w->process == getpid();
}

static void watchdog_stop(struct cr__debug *debug)
{
	struct cr__watchdog *w = debug->watchdog;

	if (!is_there(w))
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	if (w->armed)
		cr__sample_disarm();
	debug->watchdog = NULL;
	watchdog_free(w);
}

static void watchdog_frames(struct cr__debug *debug, void *const *frames, size_t count)
{
	struct cr__watchdog *w = debug->watchdog;

	if (!is_there(w)) {
		for (size_t i = 0; i < count; i++) {
			struct cr__symbol symbol;

			cr__symbols_find(&frames[i], 1, true, &symbol);
			cr__symbols_add(&debug->report, &symbol, 1);
		}
		return;
	}
	pthread_mutex_lock(&w->lock);
	w->frames = frames;
	w->frame_count = count;
	pthread_cond_signal(&w->wake);
	while (w->frames)
		pthread_cond_wait(&w->served, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

const struct cr__watchdog_hooks cr__watchdog_hooks = {
	.start = watchdog_start,
	.frames = watchdog_frames,
	.stop = watchdog_stop,
};
