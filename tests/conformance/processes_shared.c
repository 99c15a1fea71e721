/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu (qemu-user has threads of its own before any of ours) */
/* Memory that a program shares with its workers, and what else of it they have. */

#include <corail/processes.h>

#include "in_task.h"

#include <signal.h>
#include <stdatomic.h>

struct fill {
	cr_shared shared;
	size_t size;
	unsigned char byte;
};

static int fill(struct fill *f)
{
	void *data;
	int r = cr_shared_map(f->shared, &data, &f->size);

	if (r == 0)
		memset(data, f->byte, f->size);
	return r;
}

static int both_sides_see_it(int *unused)
{
	enum { SIZE = 1 << 20 };
	cr_processes_options two = {.process_count_max = 2};
	cr_processes *pool;
	struct fill f = {.byte = 7};
	unsigned char *data;
	void *memory;
	size_t size = 0;

	(void)unused;
	CHECK_EQ(cr_processes_open(&two, &pool), 0);
	CHECK_EQ(cr_shared_open(SIZE, &f.shared), 0);
	CHECK_EQ(cr_shared_map(f.shared, &memory, &size), 0);
	CHECK_EQ(size, SIZE);
	data = memory;
	for (int round = 0; round < 3; round++) {
		f.byte = (unsigned char)(7 + round);
		CHECK_EQ(cr_processes_call(pool, fill, &f), 0);
		CHECK_EQ(f.size, SIZE);
		for (size_t i = 0; i < SIZE; i += 511)
			CHECK_EQ(data[i], 7 + round);
	}
	cr_shared_close(f.shared);
	cr_shared_close(f.shared);
	CHECK_EQ(cr_shared_map(f.shared, &memory, NULL), -ESRCH);
	cr_processes_close(pool);
	return 0;
}

/* A worker that still maps it is told, instead of dying by it. */
static int closed_since(int *unused)
{
	cr_processes_options one = {.process_count_max = 1};
	cr_processes *pool;
	struct fill f = {.byte = 7};

	(void)unused;
	CHECK_EQ(cr_processes_open(&one, &pool), 0);
	CHECK_EQ(cr_shared_open(4096, &f.shared), 0);
	CHECK_EQ(cr_processes_call(pool, fill, &f), 0);
	cr_shared_close(f.shared);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(cr_processes_call(pool, fill, &f), -ESRCH);
	cr_processes_close(pool);
	return 0;
}

/* More than a worker keeps mapped, one after the other and all at once. */
struct many {
	cr_shared shared[40];
	int sum;
};

static int sum_all(struct many *m)
{
	for (int i = 0; i < 40; i++) {
		void *data;
		int r = cr_shared_map(m->shared[i], &data, NULL);

		if (r < 0)
			return r;
		m->sum += *(const int *)data;
	}
	return 0;
}

static int many_buffers(int *unused)
{
	cr_processes_options one = {.process_count_max = 1};
	cr_processes *pool;
	struct many m = {.sum = 0};
	int expected = 0;

	(void)unused;
	CHECK_EQ(cr_processes_open(&one, &pool), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 40; i++) {
			void *data;

			CHECK_EQ(cr_shared_open(4096, &m.shared[i]), 0);
			CHECK_EQ(cr_shared_map(m.shared[i], &data, NULL), 0);
			*(int *)data = i;
			expected += i;
		}
		CHECK_EQ(cr_processes_call(pool, sum_all, &m), 0);
		CHECK_EQ(m.sum, expected);
		for (int i = 0; i < 40; i++)
			cr_shared_close(m.shared[i]);
	}
	cr_processes_close(pool);
	return 0;
}

static int open_one(cr_shared *shared)
{
	return cr_shared_open(4096, shared);
}

static int wrong_uses(int *unused)
{
	cr_processes *pool;
	struct fill f = {.shared = {0}};
	cr_shared shared = {0};

	(void)unused;
	CHECK_EQ(cr_shared_open(0, &shared), -EINVAL);
	CHECK_EQ(cr_shared_open(SIZE_MAX, &shared), -ENOMEM);
	cr_shared_close(shared);
	CHECK_EQ(cr_processes_open(NULL, &pool), 0);
	CHECK_EQ(cr_processes_call(pool, fill, &f), -ESRCH);
	if (!on_sim())
		CHECK_EQ(cr_processes_call(pool, open_one, &shared), -EPERM);
	cr_processes_close(pool);
	return 0;
}

/* ------------------------------------------------------------------------------ what they are - */

static int value = 1; /* changed after the zygote was made */

struct look {
	int value, open, handled, ignores_interrupts, input_end;
	int calls; /* a loop of its own */
};

static int sleep_a_little(int *calls)
{
	++*calls;
	return cr_sleep(cr_micros(10));
}

static int look(struct look *l)
{
	struct sigaction action;
	char byte;

	l->value = value;
	l->open = test_open_fds();
	sigaction(SIGUSR1, NULL, &action);
	l->handled = action.sa_handler != SIG_DFL;
	sigaction(SIGINT, NULL, &action);
	l->ignores_interrupts = action.sa_handler == SIG_IGN;
	l->input_end = (int)read(STDIN_FILENO, &byte, 1);
	return cr_run(sleep_a_little, &l->calls);
}

static void on_signal(int number)
{
	(void)number;
}

static int workers_are_as_the_program_was(int *unused)
{
	cr_processes *pool;
	struct look l = {.value = 0};

	(void)unused;
	if (on_sim())
		return 0;
	value = 2;
	signal(SIGUSR1, on_signal);
	CHECK_EQ(cr_processes_open(NULL, &pool), 0);
	CHECK_EQ(cr_processes_call(pool, look, &l), 0);
	CHECK_EQ(l.value, 1);
	CHECK_EQ(l.open, 5); /* three, what wakes the program, what brings shared memory */
	CHECK_EQ(l.handled, 0);
	CHECK_EQ(l.ignores_interrupts, 1);
	CHECK_EQ(l.input_end, 0);
	CHECK_EQ(l.calls, 1);
	cr_processes_close(pool);
	return 0;
}

int main(void)
{
	CHECK_EQ(cr_processes_prepare(), 0);
	RUN_TASK(both_sides_see_it);
	RUN_TASK(closed_since);
	RUN_TASK(many_buffers);
	RUN_TASK(wrong_uses);
	RUN_TASK(workers_are_as_the_program_was);
	return test_done();
}
