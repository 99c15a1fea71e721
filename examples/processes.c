/* SPDX-License-Identifier: MIT */

/*
 * Computing on all processors, in processes: counts the primes below a number.
 *
 *	processes [BELOW [PARTS]]      (1,000,000 in 8 parts)
 *
 * Python needs processes for this, because of its global lock; C has threads (cr_offload()). What
 * processes have for themselves is that each has a memory of its own: a job may crash, leak, or be
 * killed in the middle, and that is an error of its call and nothing else. The last job shows it.
 *
 * Meanwhile the loop is free: a task ticks along.
 */

#include <corail/corail.h>
#include <corail/processes.h>
#include <stdio.h>
#include <stdlib.h>

/* Copied to the process and back: no pointers. */
struct part {
	long from, below, primes;
};

struct count {
	long below, parts, ticks;
};

/* In another process. An ordinary function: it computes, it may block, it may even crash. */
static int count_primes(struct part *part)
{
	for (long n = part->from < 2 ? 2 : part->from; n < part->below; n++) {
		long d = 2;

		while (d * d <= n && n % d)
			d++;
		part->primes += d * d > n;
	}
	return 0;
}

static int crash(struct part *part)
{
	(void)part;
	abort();
}

static int tick(struct count *count)
{
	int r;

	while ((r = cr_sleep(cr_millis(5))) == 0)
		count->ticks++;
	return r;
}

/* One part is as large as another, and takes longer the larger its numbers are. */
static int count_all(cr_processes *pool, const struct count *count)
{
	struct part *parts = calloc((size_t)count->parts, sizeof *parts);
	cr_nsec began = cr_now();
	long primes = 0;
	int r = parts ? 0 : -ENOMEM;

	for (long i = 0; r == 0 && i < count->parts; i++) {
		parts[i].from = count->below / count->parts * i;
		parts[i].below = i + 1 == count->parts ? count->below
		                                       : count->below / count->parts * (i + 1);
	}
	if (r == 0)
		r = cr_processes_map(pool, count_primes, parts, (size_t)count->parts);
	for (long i = 0; r == 0 && i < count->parts; i++)
		primes += parts[i].primes;
	if (r == 0)
		printf("%ld primes below %ld, in %.2f s\n", primes, count->below,
		       (double)(cr_now() - began) / 1e9);
	free(parts);
	return r;
}

/* The error of one call; the pool has a new worker already. */
static int survive(cr_processes *pool)
{
	cr_processes_fault fault = {.signal = 0};
	cr_processes_call_options options = {.fault = &fault};
	struct part part = {.below = 100};
	int r = cr_processes_call_with(pool, &options, crash, &part);

	if (r != -CORAIL_E_PROCESSES_DIED)
		return r;
	printf("%s\n", fault.text);
	r = cr_processes_call(pool, count_primes, &part);
	if (r == 0)
		printf("%ld primes below 100, all the same\n", part.primes);
	return r;
}

static int run(struct count *count)
{
	cr_processes *pool;
	int r = cr_processes_open(NULL, &pool); /* as many as there are processors */

	if (r < 0)
		return r;
	{
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, tick, count);
		r = count_all(pool, count);
		if (r == 0)
			r = survive(pool);
	}
	cr_processes_close(pool);
	printf("the loop ticked %ld times meanwhile\n", count->ticks);
	return r;
}

int main(int argc, char **argv)
{
	struct count count = {
		.below = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000,
		.parts = argc > 2 ? strtol(argv[2], NULL, 10) : 8,
	};
	int r;

	if (count.below < 0 || count.parts < 1 || count.parts > 100000) {
		fprintf(stderr, "usage: processes [BELOW [PARTS]]\n");
		return 2;
	}
	r = cr_processes_prepare(); /* first, while there is one thread */
	if (r == 0)
		r = cr_run(run, &count);
	if (r < 0)
		fprintf(stderr, "processes: %s\n", cr_strerror(r));
	return r < 0;
}
