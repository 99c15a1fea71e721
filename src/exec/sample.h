/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_SAMPLE_H
#define CR__EXEC_SAMPLE_H

/*
 * What a thread is doing right now, asked from another one: a signal goes to it, and its handler
 * notes the task and the backtrace of what it interrupted.
 *
 * A signal ends a sleep or a poll with EINTR, whatever SA_RESTART says (signal(7)). So what the
 * thread is blocked in is read from proc(5) before, and if the handler finds itself in that very
 * call, ended with EINTR, it lets the call begin again: it takes a little longer than it would have
 * taken, and that is all.
 */

#include "base/report.h"
#include "task/debug.h"

#include <signal.h>

struct cr__sample {
	_Atomic int state;
	/* By the asker: which moment is meant, and the system call (proc(5)), if it is in one. */
	uint64_t beats;
	bool in_call;
	unsigned long number, arguments[6];
	uintptr_t pc;
	/* By the handler. */
	bool in_task;
	char name[64];
	cr__site site;
	size_t count;
	void *frames[CR__FRAMES_MAX];
};

/* For the process: takes the signal's handler over. Counted. Returns 0, -EBUSY if it is in use. */
int cr__sample_arm(void);
void cr__sample_disarm(void);

/*
 * Asks the loop's thread. Returns 0 with the sample filled in; -EAGAIN when the thread has gone on
 * since; -ETIMEDOUT when it takes no signals.
 */
int cr__sample_take(struct cr__debug *debug, struct cr__sample *sample, pid_t thread,
                    uint64_t beats);

/* Whether a debugger, or a signal, has stopped that thread. */
bool cr__thread_stopped(pid_t thread);

#endif
