/* SPDX-License-Identifier: MIT */
#include "io/signal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

/*
 * The process's side of signals: one handler, for as long as anybody wants a signal, that writes a
 * record into the pipe of each loop that does. It may run on any thread and at any moment, and so
 * it does nothing else.
 *
 * Why not signalfd(2): it only sees signals that every thread of the process blocks, threads of
 * other libraries included; one that does not, and SIGTERM ends the program after all. And what is
 * blocked stays so in every program that anybody in the process starts.
 */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t receiver_count[CR__SIGNAL_MAX + 1]; /* in the whole process, by signal */
static struct sigaction before[CR__SIGNAL_MAX + 1]; /* the dispositions that were in force */

static _Atomic(struct cr__signal_hub *) hubs;
static _Atomic unsigned handlers; /* that run now, on whatever thread */
static _Atomic pid_t owner;       /* a child after fork(2) shares the pipes: they are not its own */

/* --------------------------------------------------------------------------------- handler --- */

static void hub_write(struct cr__signal_hub *hub, const struct cr__signal_record *record)
{
	ssize_t n = write(hub->fds[1], record, sizeof *record);

	if (n == (ssize_t)sizeof *record)
		return;
	/*
	 * The pipe is full. The loop looks here when it has emptied it; so that it surely comes,
	 * a second try, after the note was made.
	 */
	atomic_fetch_or(&hub->missed, cr__signal_bit(record->number));
	n = write(hub->fds[1], record, sizeof *record);
	(void)n;
}

/* What of it is meant depends on where the signal comes from: sigaction(2). */
static void fill(struct cr__signal_record *record, int number, const siginfo_t *info)
{
	memset(record, 0, sizeof *record);
	record->number = number;
	record->code = info->si_code;
	if (info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL ||
	    number == SIGCHLD) {
		record->pid = info->si_pid;
		record->uid = (int32_t)info->si_uid;
	}
	if (number == SIGCHLD && info->si_code > 0)
		record->status = info->si_status;
	if (info->si_code == SI_QUEUE || info->si_code == SI_TIMER || info->si_code == SI_MESGQ)
		record->value = (intptr_t)info->si_value.sival_ptr;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	struct cr__signal_record record;
	int saved = errno;

	(void)context;
	atomic_fetch_add(&handlers, 1);
	if (getpid() == atomic_load(&owner)) {
		fill(&record, number, info);
		for (struct cr__signal_hub *hub = atomic_load(&hubs); hub;
		     hub = atomic_load(&hub->next))
			if (atomic_load(&hub->wanted) & cr__signal_bit(number))
				hub_write(hub, &record);
	}
	atomic_fetch_sub(&handlers, 1);
	errno = saved;
}

/* ---------------------------------------------------------------------------- dispositions --- */

static void handler_install(int number)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};

	action.sa_sigaction = on_signal;
	sigfillset(&action.sa_mask);
	sigaction(number, &action, &before[number]);
}

/* Unless somebody has taken the signal over from us. */
static void handler_remove(int number)
{
	struct sigaction now;

	sigaction(number, NULL, &now);
	if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_signal)
		sigaction(number, &before[number], NULL);
}

static void process_take(int number)
{
	pthread_mutex_lock(&lock);
	if (receiver_count[number]++ == 0)
		handler_install(number);
	pthread_mutex_unlock(&lock);
}

static void process_give_back(int number)
{
	pthread_mutex_lock(&lock);
	if (--receiver_count[number] == 0)
		handler_remove(number);
	pthread_mutex_unlock(&lock);
}

static void mask_change(int how, int number, sigset_t *ret_old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(how, &set, ret_old);
}

void cr__signal_take(struct cr__signal_hub *hub, uint64_t set)
{
	sigset_t old;

	for (int number = 1; number <= CR__SIGNAL_MAX; number++) {
		if (!(set & cr__signal_bit(number)) || hub->uses[number]++ > 0)
			continue;
		atomic_fetch_or(&hub->wanted, cr__signal_bit(number));
		if (hub->fds[1] < 0)
			continue;
		process_take(number);
		/* The handler first: what was pending comes now. */
		mask_change(SIG_UNBLOCK, number, &old);
		if (sigismember(&old, number) > 0)
			hub->blocked |= cr__signal_bit(number);
	}
}

void cr__signal_give_back(struct cr__signal_hub *hub, uint64_t set)
{
	for (int number = 1; number <= CR__SIGNAL_MAX; number++) {
		if (!(set & cr__signal_bit(number)) || --hub->uses[number] > 0)
			continue;
		if (hub->blocked & cr__signal_bit(number)) {
			mask_change(SIG_BLOCK, number, NULL);
			hub->blocked &= ~cr__signal_bit(number);
		}
		atomic_fetch_and(&hub->wanted, ~cr__signal_bit(number));
		if (hub->fds[1] >= 0)
			process_give_back(number);
	}
}

/* ------------------------------------------------------------------------------------ hubs --- */

void cr__signal_hub_publish(struct cr__signal_hub *hub)
{
	pthread_mutex_lock(&lock);
	atomic_store(&owner, getpid());
	atomic_store(&hub->next, atomic_load(&hubs));
	atomic_store(&hubs, hub);
	pthread_mutex_unlock(&lock);
}

void cr__signal_hub_hide(struct cr__signal_hub *hub)
{
	_Atomic(struct cr__signal_hub *) *link = &hubs;

	pthread_mutex_lock(&lock);
	while (atomic_load(link) != hub)
		link = &atomic_load(link)->next;
	atomic_store(link, atomic_load(&hub->next));
	pthread_mutex_unlock(&lock);
	/* One may be in the middle of it, on another thread. */
	while (atomic_load(&handlers))
		sched_yield();
}
