/* SPDX-License-Identifier: MIT */
#include "exec/bind.h"
#include "exec/pool.h"

#include <pthread.h>
#include <sched.h>

/* A thread inherits its creator's affinity (pthread_create(3)), and so would a pool's worker. */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static cpu_set_t allowed;
static _Atomic bool prepared;

static void prepare(void)
{
	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
		return;
	cr__pool_width(cr_threads_default());
	atomic_store(&prepared, true);
}

void cr__bind_prepare(void)
{
	pthread_once(&once, prepare);
}

void cr__bind_self(size_t index)
{
	size_t count = atomic_load(&prepared) ? (size_t)CPU_COUNT(&allowed) : 0;
	cpu_set_t one;

	if (!count)
		return;
	CPU_ZERO(&one);
	index %= count;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || index--)
			continue;
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof one, &one);
		return;
	}
}

void cr__bind_release(void)
{
	if (atomic_load(&prepared))
		sched_setaffinity(0, sizeof allowed, &allowed);
}
