/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_SIGNAL_H
#define CORAIL_SIGNAL_H

/*
 * Signals as values: a task waits for SIGTERM as it waits for a message.
 *
 *	cr_signal *signals;
 *	cr_signal_info info;
 *	int r = cr_signal_open(CORAIL_SIGNALS(SIGINT, SIGTERM, SIGHUP), &signals);
 *	if (r < 0)
 *		return r;
 *	while ((r = cr_signal_wait(signals, &info)) == 0 && info.number == SIGHUP)
 *		reload();
 *	cr_signal_close(signals);
 *
 * While at least one receiver for a signal is open, anywhere in the process, the signal no longer
 * has its usual effect: SIGTERM does not end the program, SIGINT does not cancel main. Each
 * receiver for it, on whatever loop and thread, gets its own copy. When the last one is closed, the
 * disposition that the signal had before is in force again.
 *
 * Threads. No thread needs to block anything: whichever thread the kernel picks, the receivers get
 * the signal. Only a signal that all threads block reaches nobody; so opening a receiver unblocks
 * its signals in the calling thread, and the thread's mask is restored when its last receiver for
 * them is closed. Programs that block signals in all other threads, as some do, may go on doing so.
 *
 * What may be lost. Standard signals that come again while an earlier one has not been taken yet
 * are one, as everywhere (signal(7)), and `count` says how many came, as far as the kernel told.
 * Real-time signals are queued, each with its value; a receiver keeps up to 96, and more are
 * dropped.
 *
 * The simulator gets no signals from the operating system; cr_signal_simulate() stands in for it.
 */

#include <corail/base.h>

#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A receiver of some signals. */
typedef struct cr_signal cr_signal;

/* A signal that came; see sigaction(2), siginfo_t. */
typedef struct cr_signal_info {
	int number;     /* SIGINT, ... */
	int code;       /* SI_USER, SI_QUEUE, SI_KERNEL, CLD_EXITED, ... */
	pid_t pid;      /* who sent it; SIGCHLD: whose it is. 0 when the kernel did not say */
	uid_t uid;      /* of the sender */
	int status;     /* SIGCHLD: exit code or signal */
	intptr_t value; /* of sigqueue(3), as a number */
	unsigned count; /* how many came since the last one that was taken; at least 1 */
} cr_signal_info;

#ifndef __cplusplus
/* A list of signals for cr_signal_open(): CORAIL_SIGNALS(SIGINT, SIGTERM). */
#define CORAIL_SIGNALS(...) ((const int[]){__VA_ARGS__, 0})
#endif

/*
 * Opens a receiver for a list of signals that ends with 0, on the calling thread's loop. What comes
 * from now on is kept for it until it asks. Returns 0; -EINVAL for an empty list or for what cannot
 * be received: SIGKILL, SIGSTOP, the faults of a thread's own doing (SIGSEGV, SIGBUS, SIGILL,
 * SIGFPE, SIGTRAP, SIGABRT), and numbers that are none; -ENOMEM, -EMFILE, -ENFILE; -ESRCH when no
 * loop runs on this thread.
 */
CORAIL_API int cr_signal_open(const int *numbers, cr_signal **ret_receiver);

/*
 * Waits for the next signal, in the order in which they came. One that has come already is returned
 * without suspending. Returns 0; -ECANCELED (nothing is lost: it stays for the next call); -EBUSY
 * when another task waits with this receiver: open one for each.
 */
CORAIL_API CORAIL_SUSPENDS int cr_signal_wait(cr_signal *receiver, cr_signal_info *ret_info);

/* The same without waiting: -EAGAIN when none has come. */
CORAIL_API int cr_signal_poll(cr_signal *receiver, cr_signal_info *ret_info);

/*
 * Closes a receiver: a task that waits with it gets -ECANCELED, what it had not taken is dropped,
 * and where it was the last one for a signal, disposition and mask are restored. Does not suspend.
 * Those that are open when their loop ends are closed then. Accepts NULL.
 */
CORAIL_API void cr_signal_close(cr_signal *receiver);

/*
 * Hands a signal to the receivers for it on the calling thread's loop, as if it had come, without
 * the operating system: for tests, and for the simulator. Does not suspend. Returns how many
 * receivers got it; -ESRCH when no loop runs on this thread.
 */
CORAIL_API int cr_signal_simulate(int number);

#ifdef __cplusplus
}
#endif
#endif
