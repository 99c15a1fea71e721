/* SPDX-License-Identifier: MIT */
#include "exec/agent.h"
#include "exec/futex.h"
#include "exec/loops.h"

#include "base/alloc.h"
#include "task/local.h"
#include "task/sched.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/*
 * Calls between loops. A call's record lies in the frame of the task that waits, and so do the
 * posts that travel: nothing but the new task needs memory. The task and the post that cancels it
 * are each owed by the target's thread; whoever pays last sends the answer home.
 */

enum { OWED_TASK = 1, OWED_CANCEL = 2 };

enum { COPY_MAX = 16384 };

static void pay(struct cr__loop_call *call, uint32_t what)
{
	if (atomic_fetch_and(&call->owed, ~what) != what)
		return;
	if (cr__loop_post_handle(call->home, &call->ended) == 0)
		return;
	/* Its home has ended, and waits for this. A wake-up of what is gone does no harm. */
	atomic_store(&call->gone, 1);
	cr__futex_wake(&call->gone, 1);
}

static void finish(struct cr__loop_call *call, int result)
{
	call->result = result;
	pay(call, OWED_TASK);
}

void cr__loop_call_fail(struct cr__loop_call *call)
{
	finish(call, -ESRCH);
}

/* -------------------------------------------------------------------------- where it is run --- */

/* Whether this loop is about to end, and cancels its tasks. */
static bool ending(void)
{
	const struct cr__scope *program = &cr__sched_self()->program;

	return program->state & CR__SCOPE_CLOSING;
}

/* The task. Its failure is the caller's to hear. */
static int serve(struct cr__loop_call *call)
{
	struct cr__locals *borrowed = NULL;
	int result = call->locals ? cr__locals_borrow(call->locals, &borrowed) : 0;

	if (result == 0)
		result = cr__fn_call(call->fn, call->arg);
	if (borrowed)
		cr__locals_give_back(borrowed);
	if (result == -ECANCELED && !call->cancelled && ending())
		result = -ESRCH;
	cr__list_remove(&call->in);
	finish(call, result);
	return 0;
}

static void begin(void *arg)
{
	struct cr__loop_call *call = arg;
	struct cr__exchange *exchange = cr__exchange_self();
	int r = -ENOMEM;

	if (exchange)
		r = cr__call_spawn(CORAIL__FN(serve, call), call, call->site, &call->task);
	if (r < 0)
		finish(call, r);
	else
		cr__list_push_back(&exchange->calls_in, &call->in);
}

static void begin_drop(void *arg)
{
	finish(arg, -ESRCH);
}

static void cancel(void *arg)
{
	struct cr__loop_call *call = arg;

	call->cancelled = true;
	cr_task_cancel(call->task);
	pay(call, OWED_CANCEL);
}

static void cancel_drop(void *arg)
{
	pay(arg, OWED_CANCEL);
}

/* ----------------------------------------------------------------------- where it is waited --- */

static void ended(void *arg)
{
	struct cr__loop_call *call = arg;

	cr__list_remove(&call->out);
	cr__unpark(call->wait.task, 0);
}

/* The caller was abandoned: see exchange.c. */
static void ended_drop(void *arg)
{
	struct cr__loop_call *call = arg;

	atomic_store(&call->gone, 1);
}

/* The task may just be ending: then there is nothing to cancel, and its answer is on the way. */
void cr__loop_call_cancel(struct cr__loop_call *call)
{
	uint32_t owed = atomic_load(&call->owed);

	do {
		if (owed != OWED_TASK)
			return;
	} while (!atomic_compare_exchange_weak(&call->owed, &owed, OWED_TASK | OWED_CANCEL));
	if (cr__loop_post_handle(call->target, &call->cancel) < 0)
		pay(call, OWED_CANCEL);
}

void cr__loop_call_outlive(struct cr__loop_call *call)
{
	while (!atomic_load(&call->gone))
		cr__futex_wait(&call->gone, 0, CORAIL_NEVER);
}

static enum cr__abort call_abort(struct cr__wait *wait)
{
	cr__loop_call_cancel(CR__CONTAINER(wait, struct cr__loop_call, wait));
	return CR__ABORT_LATER;
}

/* The simulator's loops are each a world of their own. */
static bool out_of_this_world(cr_loop target)
{
	const struct cr__loop *loop = cr__loop_self();

	return loop && loop->backend == &cr__backend_sim && loop->id != target.id;
}

int cr__call_loop(cr_loop target, cr__fn fn, const void *arg, cr__site site)
{
	struct cr__loop_call call = {
		.wait = {.abort = call_abort, .reason = "call", .fd = -1},
		.begin = {.fn = begin, .arg = &call, .drop = begin_drop},
		.cancel = {.fn = cancel, .arg = &call, .drop = cancel_drop},
		.ended = {.fn = ended, .arg = &call, .drop = ended_drop},
		.target = target,
		.fn = fn,
		.arg = arg,
		.site = site,
		.owed = OWED_TASK,
	};
	struct cr__exchange *exchange;
	int r = cr__park_check("cr_call_loop");

	if (r < 0)
		return r;
	if (out_of_this_world(target))
		return -EOPNOTSUPP;
	exchange = cr__exchange_self();
	if (!exchange)
		return -ENOMEM;
	call.home = cr_loop_current();
	cr__list_init(&call.in);
	call.locals = cr__locals_hold();
	r = cr__loop_post_handle(target, &call.begin);
	if (r == 0) {
		cr__list_push_back(&exchange->calls_out, &call.out);
		cr__park(&call.wait);
		r = call.result;
	}
	cr__locals_drop(call.locals);
	return r;
}

/* -------------------------------------------------------------------------- without waiting --- */

struct letter {
	struct cr__post post;
	cr_spawn_loop_options options;
	cr__fn fn;
	cr__site site;
	size_t size;
	_Alignas(max_align_t) char copy[];
};

static void letter_drop(void *arg)
{
	struct letter *letter = arg;

	if (letter->options.dropped)
		letter->options.dropped(letter->copy);
	cr__free(letter);
}

static void letter_open(void *arg)
{
	struct letter *letter = arg;
	cr_task task;

	if (ending()) {
		letter_drop(letter);
		return;
	}
	/* Somebody hears of it. */
	if (letter->options.dropped)
		letter->options.spawn.optional = 1;
	task = cr__spawn(cr_scope_program(), &letter->options.spawn, letter->fn, letter->copy,
	                 letter->size, letter->site);
	if (cr_task_error(task) < 0)
		letter_drop(letter);
	else
		cr__free(letter);
}

int cr__spawn_loop(const cr_spawn_loop_options *options, cr_loop loop, cr__fn fn, const void *arg,
                   size_t copy_size, cr__site site)
{
	struct letter *letter;
	int r;

	if (copy_size > COPY_MAX)
		return -E2BIG;
	if (out_of_this_world(loop))
		return -EOPNOTSUPP;
	letter = cr__alloc(sizeof *letter + copy_size);
	if (!letter)
		return -ENOMEM;
	*letter = (struct letter){
		.post = {.fn = letter_open, .arg = letter, .drop = letter_drop},
		.fn = fn,
		.site = site,
		.size = copy_size,
	};
	if (options)
		letter->options = *options;
	memcpy(letter->copy, arg, copy_size);
	r = cr__loop_post_handle(loop, &letter->post);
	if (r < 0)
		cr__free(letter);
	return r;
}
