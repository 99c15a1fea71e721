/* SPDX-License-Identifier: MIT */
#include "io/process.h"

#include <corail/io.h>
#include <corail/task.h>

#include "base/alloc.h"
#include "base/panic.h"
#include "loop/attach.h"
#include "loop/backend.h"
#include "loop/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

/*
 * A child's life after it was started. Its pidfd becomes readable when it has ended (pidfd_open(2))
 * and one poll operation for each child waits for that, on behalf of all tasks that do, from the
 * first one on. How it ended is asked for without waiting, each time anybody wants to know: so a
 * signal is never sent to a child that has ended and was not noticed yet.
 *
 * A child that leads a group is only looked at, and stays a zombie until it is closed: as long as
 * its number is taken, so is its group's, and signals to the group cannot reach anybody else's.
 */

static const cr_nsec grace_default = INT64_C(3000000000);
/* Between two looks at a child that has ended, but for its parent not yet: it is being traced. */
static const cr_nsec look_again = INT64_C(10000000);

/* A task that waits for a child. What it is to know is written here: the object may go first. */
struct waiter {
	struct cr__wait wait;
	struct cr__list link;
	cr_process_status status;
};

/* The loop's children: those that are open when it ends are killed. */
struct children {
	struct cr__list all;
};

static const char children_key;

/* ----------------------------------------------------------------------------------- ended --- */

/* Whether the child has ended. Never waits. */
static bool collect(cr_process *p)
{
	int r;

	if (p->ended)
		return true;
	r = cr__pidfd_status(p->pidfd, false, p->group, &p->status);
	if (r == 0)
		return false;
	p->error = r < 0 ? r : 0;
	p->zombie = r > 0 && p->group;
	p->ended = true;
	return true;
}

static void waiters_wake(cr_process *p, int result)
{
	struct cr__list *node;

	while ((node = cr__list_first(&p->waiters))) {
		struct waiter *waiter = CR__CONTAINER(node, struct waiter, link);

		cr__list_remove(node);
		waiter->status = p->status;
		cr__unpark(waiter->wait.task, result);
	}
}

/* Frees an object with no operation in flight. */
static void release(cr_process *p)
{
	cr_process_status unused;

	if (p->zombie)
		cr__pidfd_status(p->pidfd, false, false, &unused);
	cr__fd_close(p->loop, p->pidfd);
	cr__list_remove(&p->link);
	cr__free(p);
}

/* -------------------------------------------------------------------------------- watching --- */

static void watch_done(struct cr__op *op)
{
	cr_process *p = CR__CONTAINER(op, cr_process, op);

	p->watching = false;
	if (collect(p))
		waiters_wake(p, p->error);
	else
		waiters_wake(p, 1);
	if (p->closer_parked) {
		p->closer_parked = false;
		cr__unpark(p->closer.task, 0);
	} else if (p->detached && p->ended) {
		release(p);
	}
}

/* Returns 0 when watch_done() will come; 1 when the child seems to have ended; -ENOMEM. */
static int watch(cr_process *p)
{
	int r;

	if (p->watching)
		return 0;
	p->op = (struct cr__op){
		.done = watch_done, .code = CR__OP_POLL, .fd = p->pidfd, .flags = POLLIN};
	r = cr__op_start(p->loop, &p->op);
	p->watching = r == 0;
	return r;
}

/* Takes the poll operation back, and waits until the kernel has let go. */
static void unwatch(cr_process *p)
{
	if (!p->watching)
		return;
	if (cr__op_cancel(p->loop, &p->op)) {
		p->watching = false;
		return;
	}
	while (p->watching) {
		p->closer = (struct cr__wait){.reason = "close", .fd = p->pidfd};
		p->closer_parked = true;
		cr__park(&p->closer);
	}
}

static enum cr__abort waiter_abort(struct cr__wait *wait)
{
	cr__list_remove(&CR__CONTAINER(wait, struct waiter, wait)->link);
	return CR__ABORT_DONE;
}

/* One wait. Returns 0 or -ECHILD and the status; 1: look again, in a while; or an error. */
static int wait_once(cr_process *p, cr_process_status *ret_status)
{
	struct waiter waiter = {
		.wait = {.abort = waiter_abort, .reason = "process", .fd = p->pidfd}};
	int r;

	if (collect(p)) {
		*ret_status = p->status;
		cr__budget_spend();
		return p->error;
	}
	r = watch(p);
	if (r != 0)
		return r;
	cr__list_push_back(&p->waiters, &waiter.link);
	r = cr__park(&waiter.wait);
	*ret_status = waiter.status;
	return r;
}

int cr_process_wait(cr_process *process, cr_process_status *ret_status)
{
	cr_process_status status;
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (process->loop != cr__task_loop())
		cr__panic("%s: the process belongs to another loop", __func__);
	if (process->closing)
		return -ECANCELED;
	while ((r = wait_once(process, &status)) == 1) {
		/* Nearly always it has ended by now. */
		if (collect(process))
			continue;
		r = cr_sleep(look_again);
		if (r < 0)
			return r;
	}
	if (r == 0 && ret_status)
		*ret_status = status;
	return r;
}

int cr_process_poll(cr_process *process, cr_process_status *ret_status)
{
	if (!collect(process))
		return -EINPROGRESS;
	if (process->error == 0 && ret_status)
		*ret_status = process->status;
	return process->error;
}

/* --------------------------------------------------------------------------------- signals --- */

int cr_process_signal(cr_process *process, int number)
{
	return collect(process) ? -ESRCH : cr__pidfd_signal(process->pidfd, number);
}

/* To the group, if the child leads one. */
static int signal_all(cr_process *p, int number)
{
	if (!p->group)
		return cr_process_signal(p, number);
	if (collect(p) && !p->zombie)
		return -ESRCH;
	return kill(-p->pid, number) < 0 ? -errno : 0;
}

int cr_process_terminate(cr_process *process)
{
	return signal_all(process, SIGTERM);
}

int cr_process_kill(cr_process *process)
{
	return signal_all(process, SIGKILL);
}

pid_t cr_process_pid(const cr_process *process)
{
	return process->pid;
}

/* ------------------------------------------------------------------------------------- end --- */

/* Waits for the end, unless the deadline around it comes first. Closing tells the other waiters. */
static int wait_end(cr_process *p)
{
	cr_process_status status;
	int r = cr__park_check("cr_process_close");

	while (r == 0 && (r = wait_once(p, &status)) == 1)
		r = collect(p) ? 0 : cr_sleep(look_again);
	return r;
}

/* Nothing cancels this. */
static void end_child(cr_process *p)
{
	cr_process_status unused;

	if (!collect(p) && p->grace >= 0) {
		signal_all(p, SIGTERM);
		/* One that is stopped could not hear it. */
		signal_all(p, SIGCONT);
		(void)cr_timeout(p->grace, wait_end(p));
	}
	if (!collect(p)) {
		signal_all(p, SIGKILL);
		wait_end(p);
		/* Without memory to wait with: it is a matter of moments. */
		if (!collect(p) && cr__pidfd_status(p->pidfd, true, true, &unused) != 0)
			collect(p);
	}
	if (p->zombie)
		kill(-p->pid, SIGKILL); /* what is left of the group */
}

static void ends_close(cr_process *p)
{
	for (int i = 0; i < CR__PROCESS_ENDS; i++) {
		int fd = p->ends[i];

		p->ends[i] = -1;
		if (fd >= 0)
			cr_fd_close(fd);
	}
}

/* Closing and detaching begin alike: nobody waits for the child or talks to it any more. */
static void part(cr_process *p, const char *function)
{
	cr__task_current(function);
	if (p->closing)
		cr__panic("%s: the process is being closed already", function);
	p->closing = true;
	waiters_wake(p, -ECANCELED);
	ends_close(p);
}

void cr_process_close(cr_process *process)
{
	if (!process)
		return;
	part(process, __func__);
	{
		CORAIL_SCOPE(scope);
		cr_scope_shield(&scope, CORAIL_NEVER);
		end_child(process);
	}
	unwatch(process);
	release(process);
}

void cr_process_detach(cr_process *process)
{
	if (!process)
		return;
	part(process, __func__);
	if (collect(process)) {
		unwatch(process);
		release(process);
		return;
	}
	process->detached = true;
	/* Without memory to watch it, it is reaped when the loop ends. */
	if (watch(process) == 1 && collect(process))
		release(process);
}

/* The loop has ended: who is still here was left open, or detached. */
static void children_end(void *object)
{
	struct children *children = object;
	struct cr__list *node;

	while ((node = cr__list_first(&children->all))) {
		cr_process *p = CR__CONTAINER(node, cr_process, link);

		if (p->detached) {
			unwatch(p);
			collect(p);
			release(p);
		} else {
			p->grace = -1;
			cr_process_close(p);
		}
	}
	cr__free(children);
}

/* ----------------------------------------------------------------------------------- start --- */

static int children_of(struct cr__loop *loop, struct children **ret_children)
{
	struct children *children = cr__loop_attached(loop, &children_key);
	int r;

	if (!children) {
		children = cr__alloc(sizeof *children);
		if (!children)
			return -ENOMEM;
		cr__list_init(&children->all);
		r = cr__loop_attach(loop, &children_key, children, children_end);
		if (r < 0) {
			cr__free(children);
			return r;
		}
	}
	*ret_children = children;
	return 0;
}

int cr_process_open(const char *const *argv, const cr_process_options *options,
                    cr_process **ret_process)
{
	static const cr_process_options defaults;
	struct cr__loop *loop = cr__loop_self();
	struct children *children;
	cr_process *p;
	int r;

	if (!loop)
		return -ESRCH;
	if (loop->backend == &cr__backend_sim)
		return -EOPNOTSUPP;
	if (!argv || !argv[0])
		return -EINVAL;
	if (!options)
		options = &defaults;
	r = children_of(loop, &children);
	if (r < 0)
		return r;
	p = cr__alloc_zero(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->loop = loop;
	p->grace = options->grace ? options->grace : grace_default;
	p->drain = options->drain;
	for (int i = 0; i < CR__PROCESS_ENDS; i++)
		p->ends[i] = -1;
	r = cr__process_spawn(p, argv, options);
	if (r < 0) {
		cr__free(p);
		return r;
	}
	cr__list_init(&p->waiters);
	cr__list_push_back(&children->all, &p->link);
	*ret_process = p;
	return 0;
}
