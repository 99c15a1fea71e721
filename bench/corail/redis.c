/* SPDX-License-Identifier: MIT */
/*
 * SET or GET against a Redis server, as redis-benchmark does it: so many connections, and on each
 * so many commands in flight; here each of them by a task of its own.
 */
#include "../c/bench.h"

#include <corail/corail.h>
#include <corail/redis.h>

#include <string.h>

struct work {
	const char *name, *url, *verb;
	long count, connections, depth;
};

struct asker {
	cr_redis *db;
	long count;
	int set;
};

static int ask(struct asker *asker)
{
	for (long i = 0; i < asker->count; i++) {
		cr_redis_reply reply;
		int r = asker->set
		                ? cr_redis_command(asker->db,
		                                   CORAIL_REDIS("SET", "key:__rand_int__", "xxx"),
		                                   &reply)
		                : cr_redis_command(asker->db,
		                                   CORAIL_REDIS("GET", "key:__rand_int__"), &reply);

		if (r < 0)
			return r;
		cr_redis_reply_free(&reply);
	}
	return 0;
}

static int run(struct work *work)
{
	long askers = work->connections * work->depth;
	struct asker *asker = calloc((size_t)askers, sizeof *asker);
	cr_redis **clients = calloc((size_t)work->connections, sizeof *clients);
	int64_t start;
	int r = 0;

	for (long i = 0; r == 0 && i < work->connections; i++) {
		r = cr_redis_open(work->url, NULL, &clients[i]);
		if (r == 0)
			r = cr_redis_command(clients[i], CORAIL_REDIS("PING"), NULL);
	}
	for (long i = 0; r == 0 && i < askers; i++)
		asker[i] = (struct asker){
			.db = clients[i % work->connections],
			.count = work->count / askers,
			.set = strcmp(work->verb, "set") == 0,
		};
	start = bench_now();
	if (r == 0)
		r = cr_gather(ask, asker, (size_t)askers);
	if (r == 0)
		bench_print(work->name, (double)(work->count / askers * askers) /
		                                ((double)(bench_now() - start) / 1e9));
	else
		fprintf(stderr, "%s\n", cr_strerror(r));
	for (long i = 0; i < work->connections; i++)
		cr_redis_close(clients[i]);
	free(clients);
	free(asker);
	return r;
}

/* NAME COUNT set|get URL CONNECTIONS DEPTH */
int main(int argc, char **argv)
{
	struct work work = {.count = bench_argument(argc, argv, 2)};

	if (argc < 7)
		return 2;
	work.name = argv[1];
	work.verb = argv[3];
	work.url = argv[4];
	work.connections = bench_argument(argc, argv, 5);
	work.depth = bench_argument(argc, argv, 6);
	return cr_run(run, &work) < 0;
}
