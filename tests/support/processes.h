/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_PROCESSES_H
#define CORAIL_TESTS_SUPPORT_PROCESSES_H

/* What the tests of child processes share. */

#include "on_sim.h"
#include "test.h"

#include <corail/corail.h>
#include <corail/process.h>

#include <signal.h>
#include <sys/wait.h>

#define SH(script) CORAIL_ARGV("/bin/sh", "-c", (script))

/* A process that must start. */
static inline cr_process *open_with(const char *const *argv, const cr_process_options *options)
{
	cr_process *process = NULL;

	CHECK_EQ(cr_process_open(argv, options, &process), 0);
	return process;
}

/* That this process has no child, running or dead: none was left behind. */
static inline int no_child_left(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

/* Real programs do not run in the simulator; it must say so. */
static inline int refused(int *unused)
{
	cr_process *process;

	(void)unused;
	CHECK_EQ(cr_process_open(CORAIL_ARGV("true"), NULL, &process), -EOPNOTSUPP);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("true"), NULL, NULL, NULL, NULL), -EOPNOTSUPP);
	return 0;
}

static inline void need_processes(void)
{
	int unused = 0;

	if (!on_sim())
		return;
	CHECK_EQ(cr_run(refused, &unused), 0);
	SKIP("the simulator runs no programs");
}

#endif
