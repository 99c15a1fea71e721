/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu (qemu-user has threads of its own before any of ours) */
/* Workers that die: by a crash, a limit, old age, with the zygote, or with the program. */

#include <corail/processes.h>

#include "ctx/sanitize.h"
#include "in_task.h"
#include "support/child.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum ending { FINE, BY_SIGNAL, BY_EXIT, BY_TERM };

struct job {
	enum ending ending;
	int value, result;
	pid_t pid, parent;
};

static int work(struct job *job)
{
	job->pid = getpid();
	job->parent = getppid();
	switch (job->ending) {
	case BY_SIGNAL:
		kill(getpid(), SIGSEGV);
		/* The sanitizers' handlers report it first, if they are there. */
		pause();
		break;
	case BY_EXIT:
		_exit(3);
	case BY_TERM:
		raise(SIGTERM);
		break;
	case FINE:
		break;
	}
	job->result = job->value * 2;
	return 0;
}

static cr_processes *open_pool(const cr_processes_options *options)
{
	cr_processes *pool;

	CHECK_EQ(cr_processes_open(options, &pool), 0);
	return pool;
}

static int crashes_are_errors_of_their_calls(int *unused)
{
	cr_processes *pool = open_pool(NULL);
	cr_processes_fault fault = {0};
	cr_processes_call_options options = {.fault = &fault};
	struct job job = {.ending = BY_SIGNAL, .value = 21};
	char text[100];

	(void)unused;
	CHECK_EQ(cr_processes_call_with(pool, &options, work, &job), -CORAIL_E_PROCESSES_DIED);
	CHECK_EQ(fault.signal, SIGSEGV);
	CHECK_EQ(fault.code, -1);
	snprintf(text, sizeof text, "worker %d was killed by SIGSEGV (Segmentation fault)",
	         fault.pid);
	CHECK_STR(fault.text, text);
	CHECK_EQ(job.pid, 0); /* as it was */

	job.ending = BY_EXIT;
	CHECK_EQ(cr_processes_call_with(pool, &options, work, &job), -CORAIL_E_PROCESSES_DIED);
	CHECK_EQ(fault.signal, 0);
	CHECK_EQ(fault.code, 3);
	snprintf(text, sizeof text, "worker %d exited with status 3", fault.pid);
	CHECK_STR(fault.text, text);

	/* Its handlers are the default ones, whatever the program has. */
	job.ending = BY_TERM;
	CHECK_EQ(cr_processes_call_with(pool, &options, work, &job), -CORAIL_E_PROCESSES_DIED);
	CHECK_EQ(fault.signal, SIGTERM);

	job.ending = FINE;
	CHECK_EQ(cr_processes_call(pool, work, &job), 0);
	CHECK_EQ(job.result, 42);
	CHECK_NE(job.pid, getpid());
	cr_processes_close(pool);
	return 0;
}

static int no_other_job_is_lost(int *unused)
{
	enum { COUNT = 60 };
	cr_processes_options two = {.process_count_max = 2};
	cr_processes *pool = open_pool(&two);
	struct job jobs[COUNT];
	int statuses[COUNT];
	cr_processes_map_options options = {.statuses = statuses, .collect = 1};
	cr_processes_stats stats;

	(void)unused;
	for (int i = 0; i < COUNT; i++)
		jobs[i] = (struct job){.value = i, .ending = i % 10 == 7 ? BY_EXIT : FINE};
	CHECK_EQ(cr_processes_map_with(pool, &options, work, jobs, COUNT), COUNT / 10);
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(statuses[i], i % 10 == 7 ? -CORAIL_E_PROCESSES_DIED : 0);
		CHECK_EQ(jobs[i].result, i % 10 == 7 ? 0 : i * 2);
	}
	cr_processes_stats_get(pool, &stats);
	CHECK_EQ(stats.jobs, COUNT);
	CHECK_EQ(stats.deaths, COUNT / 10);
	cr_processes_close(pool);
	return 0;
}

static int workers_grow_old(int *unused)
{
	enum { COUNT = 20 };
	cr_processes_options options = {.process_count_max = 1, .jobs_max = 4};
	cr_processes *pool = open_pool(&options);
	struct job jobs[COUNT];

	(void)unused;
	for (int i = 0; i < COUNT; i++)
		jobs[i] = (struct job){.value = i};
	CHECK_EQ(cr_processes_map(pool, work, jobs, COUNT), 0);
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(jobs[i].result, 2 * i);
		CHECK_EQ(jobs[i].pid, jobs[i - i % 4].pid);
		if (i >= 4)
			CHECK_NE(jobs[i].pid, jobs[i - 4].pid);
	}
	cr_processes_close(pool);
	return 0;
}

/* ---------------------------------------------------------------------------------- limits --- */

struct want {
	size_t size;
	int got;
};

static int allocate(struct want *want)
{
	void *memory = mmap(NULL, want->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	                    -1, 0);

	want->got = memory != MAP_FAILED;
	if (want->got)
		munmap(memory, want->size);
	return 0;
}

static int spin(struct want *want)
{
	for (;;)
		*(volatile int *)&want->got += 1;
	return 0;
}

static int memory_is_limited(int *unused)
{
	cr_processes_options options = {.process_count_max = 1, .memory_limit_bytes = 64 << 20};
	cr_processes *pool = open_pool(&options);
	struct want some = {.size = 16 << 20}, more = {.size = 128 << 20};

	(void)unused;
	CHECK_EQ(cr_processes_call(pool, allocate, &some), 0);
	CHECK_EQ(cr_processes_call(pool, allocate, &more), 0);
	CHECK_EQ(some.got, 1);
	CHECK_EQ(more.got, 0);
	cr_processes_close(pool);
	return 0;
}

static int processor_time_is_limited(int *unused)
{
	cr_processes_options options = {.process_count_max = 1, .cpu_limit_seconds = 1, .nice = 1};
	cr_processes *pool = open_pool(&options);
	cr_processes_fault fault = {0};
	cr_processes_call_options with = {.fault = &fault};
	struct want want = {0};

	(void)unused;
	CHECK_EQ(cr_processes_call_with(pool, &with, spin, &want), -CORAIL_E_PROCESSES_DIED);
	CHECK_EQ(fault.signal, SIGXCPU);
	cr_processes_close(pool);
	return 0;
}

/* ---------------------------------------------------------------------------- the zygote dies - */

static int the_zygote_is_killed(int *unused)
{
	cr_processes *pool = open_pool(NULL);
	struct job job = {.value = 1};
	int r;

	(void)unused;
	CHECK_EQ(cr_processes_call(pool, work, &job), 0);
	kill(job.parent, SIGKILL);
	while ((r = cr_processes_call(pool, work, &job)) == 0)
		;
	CHECK(r == -CORAIL_E_PROCESSES_LOST || r == -CORAIL_E_PROCESSES_DIED);
	while ((r = cr_processes_call(pool, work, &job)) == -CORAIL_E_PROCESSES_DIED)
		;
	CHECK_EQ(r, -CORAIL_E_PROCESSES_LOST);
	cr_processes_close(pool);
	return 0;
}

/* Another one is made, here inside a task. */
static void zygotes_are_replaced(void)
{
	int unused = 0, fds = test_open_fds();

	CHECK_EQ(cr_run(the_zygote_is_killed, &unused), 0);
	CHECK_EQ(cr_run(crashes_are_errors_of_their_calls, &unused), 0);
	CHECK_EQ(test_open_fds(), fds);
}

/* --------------------------------------------------------------------------- the program dies - */

struct report {
	pid_t zygote, workers[3];
};

static struct report report;
static int report_fd;

static int work_for_ever(int *unused)
{
	for (;;)
		++*(volatile int *)unused;
	return 0;
}

static int one_for_ever(cr_processes *pool)
{
	int unused = 0;

	return cr_processes_call(pool, work_for_ever, &unused);
}

static int report_and_work(int *unused)
{
	cr_processes_options three = {.process_count_max = 3};
	cr_processes *pool = open_pool(&three);
	struct job job = {.value = 1};
	CORAIL_SCOPE(scope);

	(void)unused;
	CHECK_EQ(cr_processes_call(pool, work, &job), 0);
	report.zygote = job.parent;
	/* One works and another one rests when the end comes. */
	for (int i = 0; i < 2; i++)
		cr_spawn(&scope, one_for_ever, pool);
	while (cr_processes_pids(pool, report.workers, 3) < 2)
		CHECK_EQ(cr_sleep(cr_micros(200)), 0);
	CHECK_EQ(write(report_fd, &report, sizeof report), sizeof report);
	return cr_sleep(cr_seconds(1000));
}

static int program(void)
{
	int unused = 0;

	CHECK_EQ(cr_processes_prepare(), 0);
	return cr_run(report_and_work, &unused) < 0;
}

/* Waits until a process has ended, whoever will reap it. */
static void check_gone(pid_t pid)
{
	struct pollfd ended = {.events = POLLIN};

	ended.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ended.fd < 0) {
		CHECK_EQ(errno, ESRCH);
		return;
	}
	CHECK_EQ(poll(&ended, 1, 20000), 1);
	close(ended.fd);
}

static void dies_by(int number, int zygote_too)
{
	int fds[2], status;
	pid_t pid;

	CHECK_EQ(pipe(fds), 0);
	fflush(stdout);
	pid = fork();
	CHECK_GE(pid, 0);
	if (pid == 0) {
		report_fd = fds[1];
		test_exit(program());
	}
	close(fds[1]);
	CHECK_EQ(read(fds[0], &report, sizeof report), sizeof report);
	close(fds[0]);
	if (zygote_too)
		kill(report.zygote, SIGSTOP); /* so that the kernel alone must do it */
	kill(pid, number);
	if (zygote_too)
		kill(report.zygote, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	check_gone(report.zygote);
	for (int i = 0; i < 3; i++)
		if (report.workers[i])
			check_gone(report.workers[i]);
}

static void nobody_outlives_the_program(void)
{
	dies_by(SIGKILL, 0);
	dies_by(SIGTERM, 0);
	dies_by(SIGKILL, 1);
}

/* ------------------------------------------------------------------------------------- late --- */

static void *rest(void *arg)
{
	(void)arg;
	pause();
	return NULL;
}

static int late_in_task(int *unused)
{
	cr_processes *pool;

	(void)unused;
	CHECK_EQ(cr_processes_open(NULL, &pool), -CORAIL_E_PROCESSES_LATE);
	return 0;
}

static int late(void *unused)
{
	pthread_t threads[2];
	int none = 0;

	(void)unused;
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, rest, NULL), 0);
	CHECK_EQ(cr_processes_prepare(), -CORAIL_E_PROCESSES_LATE);
	return cr_run(late_in_task, &none);
}

static void too_late_with_threads(void)
{
	struct child c;

	child_run(&c, late, NULL);
	CHECK_EQ(c.status, 0);
}

int main(void)
{
	if (on_sim())
		SKIP("in the simulator there are no workers");
	RUN(nobody_outlives_the_program);
	RUN(too_late_with_threads);
	CHECK_EQ(cr_processes_prepare(), 0);
	RUN_TASK(crashes_are_errors_of_their_calls);
	RUN_TASK(no_other_job_is_lost);
	RUN_TASK(workers_grow_old);
	if (!CR__SANITIZED)
		RUN_TASK(memory_is_limited);
	RUN_TASK(processor_time_is_limited);
	/* The new one's connection stays open: not RUN_TASK(). */
	RUN(zygotes_are_replaced);
	return test_done();
}
