/* SPDX-License-Identifier: MIT */
/*
 * A pipeline: producers, a stage that may start only so many jobs per second, and consumers, joined
 * by bounded channels. Whoever is slow holds the others up, so that memory stays bounded whatever
 * the amount of work; closing a channel ends the stage behind it, and so the whole line, in order.
 *
 *	pipeline [JOBS [JOBS_PER_SECOND]]
 */

#include <corail/corail.h>

#include <stdio.h>
#include <stdlib.h>

enum { PRODUCERS = 3, CONSUMERS = 4 };

struct job {
	int number, producer;
};

typedef cr_chan_of(struct job) job_chan;

struct line {
	job_chan made, started;
	int jobs, next, done;
	int producers, consumers; /* how many have begun */
	cr_nsec interval;         /* from one job's start to the next one's */
};

/* Makes jobs until there are enough of them. */
static int produce(struct line *line)
{
	int producer = line->producers++, r = 0;

	while (r == 0 && line->next < line->jobs) {
		struct job job = {line->next++, producer};

		r = cr_sleep(cr_millis(1 + job.number % 3));
		if (r == 0)
			r = cr_chan_send(&line->made, job);
	}
	return r;
}

static int produce_all(struct line *line)
{
	int r;
	CORAIL_SCOPE(scope);

	for (int i = 0; i < PRODUCERS; i++)
		cr_spawn(&scope, produce, line);
	r = cr_scope_wait(&scope);
	cr_chan_close(&line->made); /* nothing more will come */
	return r;
}

/* Lets one job through per interval. Time that nobody used is not saved up. */
static int limit_rate(struct line *line)
{
	cr_nsec free_at = cr_now();
	struct job job;
	int r;

	while ((r = cr_chan_receive(&line->made, &job)) == 0) {
		if (free_at < cr_now())
			free_at = cr_now();
		r = cr_sleep_until(free_at);
		if (r == 0)
			r = cr_chan_send(&line->started, job);
		if (r < 0)
			break;
		free_at += line->interval;
	}
	cr_chan_close(&line->started);
	return r == -EPIPE ? 0 : r;
}

static int consume(struct line *line)
{
	int consumer = line->consumers++, r;
	struct job job;

	while ((r = cr_chan_receive(&line->started, &job)) == 0) {
		r = cr_sleep(cr_millis(20)); /* the work */
		if (r < 0)
			break;
		line->done++;
		printf("job %d of producer %d: done by consumer %d\n", job.number, job.producer,
		       consumer);
	}
	return r == -EPIPE ? 0 : r;
}

static int run(struct line *line)
{
	int r = cr_chan_open(&line->made, 8);

	if (r < 0)
		return r;
	r = cr_chan_open(&line->started, 2);
	if (r == 0) {
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, produce_all, line);
		cr_spawn(&scope, limit_rate, line);
		for (int i = 0; i < CONSUMERS; i++)
			cr_spawn(&scope, consume, line);
		r = cr_scope_wait(&scope);
		cr_chan_free(&line->started);
	}
	cr_chan_free(&line->made);
	printf("%d jobs done\n", line->done);
	return r;
}

int main(int argc, char **argv)
{
	struct line line = {.jobs = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 20};
	long rate = argc > 2 ? strtol(argv[2], NULL, 10) : 100;
	int r;

	if (line.jobs < 0 || rate < 1) {
		fprintf(stderr, "usage: pipeline [JOBS [JOBS_PER_SECOND]]\n");
		return 2;
	}
	line.interval = cr_seconds(1) / rate;
	r = cr_run(run, &line);
	if (r < 0)
		fprintf(stderr, "pipeline: %s\n", cr_strerror(r));
	return r < 0;
}
