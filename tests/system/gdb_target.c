/* SPDX-License-Identifier: MIT */
/*
 * What gdb.sh looks into: tasks asleep at a known depth, one with a name of its own, one that is
 * ready to go on, then abort(3); or, with an argument, a SIGALRM while all are asleep.
 */
#include <corail/task.h>

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static int idle;

static int sink(int depth)
{
	int r = depth == 0 ? cr_sleep(cr_seconds(3600)) : sink(depth - 1);

	return r < 0 ? r : depth;
}

static int sleeper(const int *depth)
{
	return sink(*depth);
}

/* Runnable whenever another one runs. */
static int yielder(const int *count)
{
	int r = 0;

	for (int i = 0; r == 0 && i < *count; i++)
		r = cr_yield();
	return r;
}

static int target_main(const int *depth)
{
	static const int deeper = 3, for_ever = INT_MAX;
	CORAIL_SCOPE(scope);

	cr_spawn(&scope, sleeper, depth);
	cr_spawn_with(&(cr_spawn_options){.name = "the second one"}, &scope, sleeper, &deeper);
	if (idle) {
		alarm(1);
		return cr_sleep(cr_seconds(3600));
	}
	cr_spawn(&scope, yielder, &for_ever);
	cr_sleep(cr_millis(1));
	abort();
}

int main(int argc, char **argv)
{
	static const int depth = 2;

	(void)argv;
	idle = argc > 1;
	return cr_run(target_main, &depth) < 0;
}
