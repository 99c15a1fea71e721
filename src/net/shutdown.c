/* SPDX-License-Identifier: MIT */
#include <corail/shutdown.h>

#include "task/sched.h"

#include <errno.h>
#include <unistd.h>

/* Phased shutdown of a scope. */

static const cr_nsec drain_default = INT64_C(10000000000), cleanup_default = INT64_C(5000000000);

static int visit_nothing(const cr_task_info *info, void *arg)
{
	(void)info;
	(void)arg;
	return 0;
}

static int visit_late(const cr_task_info *info, void *arg)
{
	const cr_shutdown_options *options = arg;

	options->late(info, options->arg);
	return 0;
}

static size_t count(struct cr__scope *scope)
{
	return cr__tasks_below(cr__sched_self(), &scope->node, visit_nothing, NULL);
}

static void stop_sources(const cr_shutdown_options *options)
{
	for (size_t i = 0; i < options->listener_count; i++)
		cr_listener_stop(options->listeners[i]);
	if (options->stop)
		options->stop(options->arg);
}

static void report_late(struct cr__scope *scope, const cr_shutdown_options *options)
{
	if (options->late)
		cr__tasks_below(cr__sched_self(), &scope->node, visit_late,
		                (void *)(uintptr_t)options);
	if (options->print)
		cr__dump_scope(cr__sched_self(), scope, STDERR_FILENO);
}

int cr_shutdown(cr_scope *opaque, const cr_shutdown_options *given, cr_shutdown_report *ret_report)
{
	static const cr_shutdown_options defaults;
	const cr_shutdown_options *options = given ? given : &defaults;
	const cr_nsec drain = options->drain ? options->drain : drain_default;
	const cr_nsec cleanup = options->cleanup > 0 ? options->cleanup : cleanup_default;
	struct cr__scope *scope = cr__scope_owned(opaque, __func__);
	cr_nsec began = cr_now();
	cr_shutdown_report report = {.running = count(scope)};

	stop_sources(options);
	/* However this ends, who is left then is cancelled. */
	if (drain > 0)
		cr_timeout(drain, cr__scope_drain(scope));
	report.cancelled = count(scope);
	if (report.cancelled) {
		cr_scope_cancel(opaque);
		cr_shield(cleanup, cr__scope_drain(scope));
	}
	report.late = count(scope);
	report.took = cr_now() - began;
	if (report.late)
		report_late(scope, options);
	if (ret_report)
		*ret_report = report;
	return report.late ? -ETIMEDOUT : 0;
}
