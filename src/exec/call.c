/* SPDX-License-Identifier: MIT */
#include "exec/agent.h"
#include "exec/futex.h"

#include "base/alloc.h"
#include "base/panic.h"
#include "task/local.h"
#include "task/sched.h"

#include <errno.h>

/* Tasks on a loop that another thread asked for, and waits for. */

/* Who still needs the record: the task, the post that cancels it, whoever asked for it. */
enum { OWED_CALL = 1, OWED_CANCEL = 2, OWED_OWNER = 4 };

struct cr_remote {
	struct cr__post post, cancel_post;
	struct cr__list link; /* in its agent's list while the task lives */
	cr_loop loop;
	cr__fn fn;
	const void *arg;
	cr__site site;
	const struct cr__locals *locals; /* of the task that a waiting job works for; NULL: none */
	int result;
	_Atomic uint32_t owed;
	_Atomic bool cancel_asked;
	_Atomic(struct cr__agent *) waiter; /* simulator: of the job that waits for this */

	cr_task task; /* for the loop's thread only */
};

/*
 * Pays what is owed; the last one frees the record. Else it may be gone at once: waking somebody
 * who sleeps on an address where nothing is any more does no harm.
 */
static void pay(struct cr_remote *remote, uint32_t what)
{
	if (atomic_fetch_and(&remote->owed, ~what) == what)
		cr__free(remote);
	else
		cr__futex_wake(&remote->owed, INT32_MAX);
}

static void end(struct cr_remote *remote, int result)
{
	struct cr__agent *waiter = atomic_load(&remote->waiter);

	remote->result = result;
	if (waiter)
		cr__agent_resume(waiter);
	pay(remote, OWED_CALL);
	if (waiter)
		cr__agent_stand(waiter);
}

/* The task. What it returns is the other thread's to hear, no failure of the program. */
static int serve(struct cr_remote *remote)
{
	struct cr__locals *borrowed = NULL;
	int result = remote->locals ? cr__locals_borrow(remote->locals, &borrowed) : 0;

	if (result == 0)
		result = cr__fn_call(remote->fn, remote->arg);
	if (borrowed)
		cr__locals_give_back(borrowed);
	cr__list_remove(&remote->link);
	end(remote, result);
	return 0;
}

int cr__call_spawn(cr__fn fn, const void *arg, cr__site site, cr_task *ret_task)
{
	static const cr_spawn_options options = {.optional = 1};

	if (cr__sched_self()->program.state & CR__SCOPE_CLOSING)
		return -ESRCH;
	*ret_task = cr__spawn(cr_scope_program(), &options, fn, arg, 0, site);
	return cr_task_error(*ret_task);
}

static void begin(void *arg)
{
	struct cr_remote *remote = arg;
	struct cr__agent *agent = cr__agent_self();
	int r = -ENOMEM;

	if (agent)
		r = cr__call_spawn(CORAIL__FN(serve, remote), remote, remote->site, &remote->task);
	if (r < 0) {
		end(remote, r);
		return;
	}
	cr__list_push_back(&agent->calls, &remote->link);
}

static void begin_drop(void *arg)
{
	end(arg, -ESRCH);
}

static void cancel(void *arg)
{
	struct cr_remote *remote = arg;

	cr_task_cancel(remote->task);
	pay(remote, OWED_CANCEL);
}

static void cancel_drop(void *arg)
{
	pay(arg, OWED_CANCEL);
}

void cr__calls_fail(struct cr__agent *agent)
{
	struct cr__list *node;

	while ((node = cr__list_first(&agent->calls))) {
		struct cr_remote *remote = CR__CONTAINER(node, struct cr_remote, link);

		cr__list_remove(node);
		remote->result = -ESRCH;
		pay(remote, OWED_CALL);
	}
}

/* Hands the record to the loop. Returns 0, or -ESRCH. */
static int remote_start(struct cr_remote *remote, cr_loop loop, cr__fn fn, const void *arg,
                        cr__site site, const struct cr__locals *locals)
{
	*remote = (struct cr_remote){
		.post = {.fn = begin, .arg = remote, .drop = begin_drop},
		.cancel_post = {.fn = cancel, .arg = remote, .drop = cancel_drop},
		.loop = loop,
		.fn = fn,
		.arg = arg,
		.site = site,
		.locals = locals,
		.owed = OWED_CALL | OWED_OWNER,
	};
	return cr__loop_post_handle(loop, &remote->post);
}

static void outside_only(const char *caller)
{
	if (cr__loop_self())
		cr__panic("%s() blocks its thread, and a loop runs on it", caller);
}

static void wait_for(struct cr_remote *remote)
{
	struct cr__job *job = cr__job_current();
	uint32_t owed = atomic_load(&remote->owed);

	/* A simulated job waits for the loop that holds still for it. */
	if ((owed & OWED_CALL) && job && job->agent->sim &&
	    job->agent->loop->id == remote->loop.id) {
		atomic_store(&remote->waiter, job->agent);
		cr__agent_release(job->agent);
	}
	while ((owed = atomic_load(&remote->owed)) & OWED_CALL)
		cr__futex_wait(&remote->owed, owed, CORAIL_NEVER);
}

int cr__call_threadsafe(cr_loop loop, cr__fn fn, const void *arg, cr__site site)
{
	struct cr_remote remote;
	int r;

	outside_only("cr_call_threadsafe");
	r = remote_start(&remote, loop, fn, arg, site, cr__locals_seen());
	if (r < 0)
		return r;
	wait_for(&remote);
	return remote.result;
}

int cr__run_threadsafe(cr_loop loop, cr__fn fn, const void *arg, cr__site site,
                       cr_remote **ret_remote)
{
	struct cr_remote *remote = cr__alloc(sizeof *remote);
	int r;

	if (!remote)
		return -ENOMEM;
	r = remote_start(remote, loop, fn, arg, site, NULL);
	if (r < 0) {
		cr__free(remote);
		return r;
	}
	*ret_remote = remote;
	return 0;
}

int cr_remote_wait(cr_remote *remote)
{
	if (atomic_load(&remote->owed) & OWED_CALL) {
		outside_only("cr_remote_wait");
		wait_for(remote);
	}
	return remote->result;
}

int cr_remote_result(cr_remote *remote, int *ret_result)
{
	if (atomic_load(&remote->owed) & OWED_CALL)
		return -EINPROGRESS;
	*ret_result = remote->result;
	return 0;
}

void cr_remote_cancel(cr_remote *remote)
{
	if (atomic_exchange(&remote->cancel_asked, true) ||
	    !(atomic_load(&remote->owed) & OWED_CALL))
		return;
	atomic_fetch_or(&remote->owed, OWED_CANCEL);
	if (cr__loop_post_handle(remote->loop, &remote->cancel_post) < 0)
		pay(remote, OWED_CANCEL);
}

void cr_remote_close(cr_remote *remote)
{
	if (!remote)
		return;
	cr_remote_cancel(remote);
	cr_remote_wait(remote);
	pay(remote, OWED_OWNER);
}
