/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include "base/alloc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if __has_include(<execinfo.h>)
#include <execinfo.h>
#else
#define backtrace(frames, count) (0)
#define backtrace_symbols_fd(frames, count, fd) ((void)0)
#endif

/*
 * Stack overflows. The guard faults; the handler runs on a stack of its own, says which task it
 * was, where it was spawned and how it got so deep, and lets the fault happen again without us, so
 * that the process ends as it would have (a core file included). Faults elsewhere go to the handler
 * that was there before.
 */

enum { ALTERNATE_SIZE = 65536, FRAMES = 64 };

static void report(struct cr__task *task, int fd)
{
	void *frames[FRAMES];
	int count;

	dprintf(fd,
	        "corail: stack overflow in task '%s', spawned at %s: "
	        "its stack of %zu KiB is used up.\n"
	        "corail: give it a larger one: cr_spawn_options.stack_size_bytes, or "
	        "cr_options.stack_size_bytes for all.\n",
	        cr__task_name(task), task->site, cr__stack_size(task->stack.class) / 1024);
	count = backtrace(frames, FRAMES);
	backtrace_symbols_fd(frames, count, fd);
}

void cr__overflow_report(struct cr__sched *s, struct cr__task *task)
{
	(void)s;
	report(task, STDERR_FILENO);
	abort();
}

#if CR__SANITIZED

/* The sanitizers report overflows themselves, and their handlers must stay in place. */
int cr__overflow_arm(struct cr__sched *s)
{
	(void)s;
	return 0;
}

void cr__overflow_disarm(struct cr__sched *s)
{
	(void)s;
}

#else

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned armed;
static struct sigaction before_us;

static void on_fault(int number, siginfo_t *info, void *context)
{
	struct cr__sched *s = cr__sched_self();
	struct cr__task *task = s ? cr__running(s) : NULL;
	char *address = info->si_addr;

	if (task && task->stack.guard != CR__GUARD_CHECK && address >= task->stack.base &&
	    address < task->stack.base + CR__GUARD_SIZE) {
		report(task, STDERR_FILENO);
		signal(number, SIG_DFL);
		return; /* to the same instruction, which faults again */
	}
	if (before_us.sa_flags & SA_SIGINFO) {
		before_us.sa_sigaction(number, info, context);
	} else if (before_us.sa_handler == SIG_DFL || before_us.sa_handler == SIG_IGN) {
		signal(number, SIG_DFL);
	} else {
		before_us.sa_handler(number);
	}
}

/* One alternate stack for each thread that runs a loop, unless the program has set its own. */
static int alternate_arm(struct cr__sched *s)
{
	stack_t now, own = {.ss_size = ALTERNATE_SIZE};

	if (sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE))
		return 0;
	own.ss_sp = cr__alloc(ALTERNATE_SIZE);
	if (!own.ss_sp)
		return -ENOMEM;
	sigaltstack(&own, NULL);
	s->alternate_stack = own.ss_sp;
	return 0;
}

int cr__overflow_arm(struct cr__sched *s)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	void *frame;
	int r = alternate_arm(s);

	if (r < 0)
		return r;
	sigemptyset(&action.sa_mask);
	pthread_mutex_lock(&lock);
	if (armed++ == 0) {
		/* Loads what unwinding needs now: the handler must not allocate. */
		(void)backtrace(&frame, 1);
		sigaction(SIGSEGV, &action, &before_us);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

void cr__overflow_disarm(struct cr__sched *s)
{
	struct sigaction now;

	pthread_mutex_lock(&lock);
	if (--armed == 0 && sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_sigaction == on_fault)
		sigaction(SIGSEGV, &before_us, NULL);
	pthread_mutex_unlock(&lock);
	if (s->alternate_stack) {
		stack_t none = {.ss_flags = SS_DISABLE};

		sigaltstack(&none, NULL);
		cr__free(s->alternate_stack);
	}
}

#endif
