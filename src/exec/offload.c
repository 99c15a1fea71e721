/* SPDX-License-Identifier: MIT */
#include "exec/agent.h"

#include "base/alloc.h"
#include "task/local.h"
#include "task/park.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* cr_offload(): one function on a thread, one task that waits for it. */

/* A job with a copy of its arguments belongs to whoever of the two comes last. */
enum fate { ATTACHED, FINISHED, ABANDONED };

struct offload {
	struct cr__job job;
	struct cr__wait *wait; /* in the caller's frame */
	struct cr__locals *locals;
	_Atomic bool cancelled;
};

/* Not in the caller's frame. */
struct copied {
	struct offload offload;
	_Atomic uint32_t fate;
	void (*abandoned)(void *copy);
	_Alignas(max_align_t) char copy[];
};

/* The caller's frame. */
struct caller {
	struct cr__wait wait;
	struct offload *offload;
	struct copied *copied; /* NULL: it borrows; or it was abandoned */
};

static struct offload *offload_of(struct cr__job *job)
{
	return CR__CONTAINER(job, struct offload, job);
}

static bool job_cancelled(const struct cr__job *job)
{
	const struct offload *offload = (const struct offload *)(const void *)job;

	return atomic_load_explicit(&offload->cancelled, memory_order_relaxed);
}

_Static_assert(offsetof(struct offload, job) == 0, "job_cancelled() counts on it");

static enum cr__fate run_borrowed(struct cr__job *job)
{
	job->result = cr__fn_call(job->fn, job->arg);
	return CR__FATE_DONE;
}

static enum cr__fate run_with_locals(struct cr__job *job)
{
	enum cr__fate fate;

	cr__locals_install(offload_of(job)->locals);
	fate = run_borrowed(job);
	cr__locals_install(NULL);
	return fate;
}

static enum cr__fate run_copied(struct cr__job *job)
{
	struct offload *offload = offload_of(job);
	struct copied *copied = CR__CONTAINER(offload, struct copied, offload);
	uint32_t fate = ATTACHED;

	job->result = cr__fn_call(job->fn, job->arg);
	if (atomic_compare_exchange_strong(&copied->fate, &fate, FINISHED))
		return CR__FATE_DONE;
	if (copied->abandoned)
		copied->abandoned(copied->copy);
	cr__free(copied);
	return CR__FATE_GONE;
}

static void job_done(struct cr__job *job)
{
	cr__unpark(offload_of(job)->wait->task, 0);
}

static enum cr__abort offload_abort(struct cr__wait *wait)
{
	struct caller *caller = CR__CONTAINER(wait, struct caller, wait);
	struct offload *offload = caller->offload;
	struct cr__agent *agent = offload->job.agent;
	uint32_t fate = ATTACHED;

	if (cr__job_withdraw(&offload->job))
		return CR__ABORT_DONE;
	atomic_store_explicit(&offload->cancelled, true, memory_order_relaxed);
	/* The simulator knows of each job that has begun: there it is waited for. */
	if (!caller->copied || agent->sim ||
	    !atomic_compare_exchange_strong(&caller->copied->fate, &fate, ABANDONED))
		return CR__ABORT_LATER;
	caller->copied = NULL;
	agent->loop->owed--;
	return CR__ABORT_DONE;
}

/* Submits and waits. `offload` may be gone when this fails. */
static int offload_wait(struct caller *caller, const cr_offload_options *options)
{
	struct offload *offload = caller->offload;
	int r;

	offload->wait = &caller->wait;
	offload->job.done = job_done;
	offload->job.cancelled = job_cancelled;
	r = cr__job_submit(options->pool ? options->pool : cr_threads_default(), &offload->job,
	                   options->refuse_when_full);
	if (r == 0)
		r = cr__park(&caller->wait);
	if (r < 0)
		return r;
	return offload->job.result;
}

/* What the job wrote goes back; a job that only read may have read what nobody can write. */
static void copy_back(const struct copied *copied, const void *arg, size_t size)
{
	if (memcmp(copied->copy, arg, size) != 0)
		memcpy((void *)(uintptr_t)arg, copied->copy, size);
}

static int offload_copy(const cr_offload_options *options, cr__fn fn, const void *arg, size_t size,
                        cr__site site)
{
	struct copied *copied = cr__alloc(sizeof *copied + size);
	struct caller caller = {
		.wait = {.abort = offload_abort, .reason = "offload", .fd = -1},
	};
	int r;

	if (!copied)
		return -ENOMEM;
	memset(copied, 0, sizeof *copied);
	memcpy(copied->copy, arg, size);
	copied->abandoned = options->abandoned;
	copied->offload.job.run = run_copied;
	copied->offload.job.site = site;
	copied->offload.job.fn = fn;
	copied->offload.job.arg = copied->copy;
	caller.offload = &copied->offload;
	caller.copied = copied;
	r = offload_wait(&caller, options);
	if (!caller.copied)
		return r;
	if (copied->fate == FINISHED)
		copy_back(copied, arg, size);
	cr__free(copied);
	return r;
}

int cr__offload(const cr_offload_options *options, cr__fn fn, const void *arg, size_t copy_size,
                cr__site site)
{
	static const cr_offload_options defaults;
	/* Set field by field: clearing what nobody looks at takes as long as half of the rest. */
	_Alignas(64) struct offload offload;
	struct caller caller = {
		.wait = {.abort = offload_abort, .reason = "offload", .fd = -1},
		.offload = &offload,
	};
	int r = cr__park_check("cr_offload");

	if (r < 0)
		return r;
	if (copy_size)
		return offload_copy(options ? options : &defaults, fn, arg, copy_size, site);
	offload.locals = cr__locals_hold();
	atomic_init(&offload.cancelled, false);
	offload.job.run = offload.locals ? run_with_locals : run_borrowed;
	offload.job.fn = fn;
	offload.job.arg = arg;
	offload.job.site = site;
	r = offload_wait(&caller, options ? options : &defaults);
	cr__locals_drop(offload.locals);
	return r;
}

int cr_offload_cancelled(void)
{
	const struct cr__job *job;

	if (cr__task_loop())
		return cr_cancelled();
	job = cr__job_current();
	return job && job->cancelled && job->cancelled(job);
}
