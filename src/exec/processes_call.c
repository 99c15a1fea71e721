/* SPDX-License-Identifier: MIT */
#include "exec/processes.h"

#include "base/alloc.h"
#include "base/panic.h"

#include <corail/exec.h>

#include <errno.h>
#include <string.h>

/* cr_processes_call(): one function in a process, one task that waits for it. */

struct caller {
	struct cr__wait wait;
	struct cr__errand errand;
};

static void errand_done(struct cr__errand *errand)
{
	cr__unpark(CR__CONTAINER(errand, struct caller, errand)->wait.task, 0);
}

static enum cr__abort call_abort(struct cr__wait *wait)
{
	struct caller *caller = CR__CONTAINER(wait, struct caller, wait);

	return cr__errand_cancel(&caller->errand) ? CR__ABORT_DONE : CR__ABORT_LATER;
}

/* In the simulator: a thread's job, on a copy, of which the loop waits for the end. */
static int call_inside(cr_processes *pool, cr__fn fn, const void *arg, size_t size, cr__site site)
{
	void *copy = cr__alloc(size);
	int r;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, arg, size);
	pool->sim_running++;
	r = cr__offload(NULL, fn, copy, 0, site);
	pool->sim_running--;
	pool->jobs++;
	if (memcmp(copy, arg, size) != 0)
		memcpy((void *)(uintptr_t)arg, copy, size);
	cr__free(copy);
	if (pool->closing && pool->closer_parked && !pool->sim_running) {
		pool->closer_parked = false;
		cr__unpark(pool->closer.task, 0);
	}
	return r;
}

int cr__processes_check(const cr_processes *pool, cr__fn fn, size_t size, const char *caller)
{
	int r = cr__park_check(caller);

	if (r < 0)
		return r;
	if (pool->loop != cr__loop_self())
		cr__panic("%s: the pool belongs to another loop", caller);
	if (size > CORAIL_PROCESSES_ARGUMENT_MAX)
		return -EMSGSIZE;
	if (pool->closing)
		return -ECANCELED;
	if (pool->lost)
		return -CORAIL_E_PROCESSES_LOST;
	return pool->sim || cr__text_known(fn) ? 0 : -CORAIL_E_PROCESSES_UNKNOWN;
}

int cr__processes_call(cr_processes *pool, const cr_processes_call_options *options, cr__fn fn,
                       const void *arg, size_t size, cr__site site)
{
	struct caller caller = {
		.wait = {.abort = call_abort, .reason = "process job", .fd = -1},
		.errand = {.fn = fn, .arg = arg, .size = size, .done = errand_done},
	};
	int r = cr__processes_check(pool, fn, size, "cr_processes_call");

	if (r < 0)
		return r;
	if (pool->sim)
		return call_inside(pool, fn, arg, size, site);
	if (options)
		caller.errand.fault = options->fault;
	r = cr__errand_submit(pool, &caller.errand, options && options->refuse_when_full);
	if (r < 0)
		return r;
	r = cr__park(&caller.wait);
	return r < 0 ? r : caller.errand.result;
}
