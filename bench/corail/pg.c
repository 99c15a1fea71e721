/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL: single-row selects over so many connections from one thread, as `pgbench -S -M
 * prepared` does them; or a table copied into the server.
 */
#include "../c/bench.h"

#include <corail/corail.h>
#include <corail/pg.h>

#include <string.h>

struct work {
	const char *name, *target;
	long count, connections;
};

struct asker {
	cr_pg *db;
	long count;
	unsigned seed;
};

static int ask(struct asker *asker)
{
	cr_pg_conn *conn;
	int r = cr_pg_acquire(asker->db, &conn, NULL);

	if (r < 0)
		return r;
	for (long i = 0; r == 0 && i < asker->count; i++) {
		cr_pg_rows *rows;

		r = cr_pg_conn_query(conn, "select abalance from pgbench_accounts where aid = $1",
		                     CORAIL_SQL(cr_sql_int(1 + rand_r(&asker->seed) % 100000)),
		                     &rows);
		if (r == 0)
			cr_pg_rows_free(rows);
	}
	cr_pg_release(conn);
	return r;
}

static int run_select(const struct work *work, cr_pg *db)
{
	struct asker *askers = calloc((size_t)work->connections, sizeof *askers);
	int64_t start;
	int r;

	/* Each connection stands, and has its statement prepared, before the clock starts. */
	for (long i = 0; i < work->connections; i++)
		askers[i] = (struct asker){db, 2, (unsigned)i + 1};
	r = cr_gather(ask, askers, (size_t)work->connections);
	for (long i = 0; i < work->connections; i++)
		askers[i].count = work->count / work->connections;
	start = bench_now();
	if (r == 0)
		r = cr_gather(ask, askers, (size_t)work->connections);
	if (r == 0)
		bench_print(work->name,
		            (double)(work->count / work->connections * work->connections) /
		                    ((double)(bench_now() - start) / 1e9));
	free(askers);
	return r;
}

/* Rows of some hundred bytes: MB/s. */
static int run_copy(const struct work *work, cr_pg *db)
{
	char row[128];
	int size = snprintf(row, sizeof row, "1234567\t%0100d\n", 7);
	cr_buf rows = {0};
	cr_pg_conn *conn;
	int64_t start;
	int r = cr_pg_acquire(db, &conn, NULL);

	if (r < 0)
		return r;
	for (int i = 0; r == 0 && i < 512; i++)
		r = cr_buf_append(&rows, row, (size_t)size);
	if (r == 0)
		r = cr_pg_conn_script(conn, "create temp table copied(a int, b text)");
	start = bench_now();
	if (r == 0)
		r = cr_pg_conn_copy_in(conn, "copy copied from stdin");
	for (long i = 0; r == 0 && i < work->count / 512; i++)
		r = cr_pg_conn_copy_write(conn, rows.data, rows.size);
	if (r == 0)
		r = cr_pg_conn_copy_end(conn, NULL, NULL);
	if (r == 0)
		bench_print(work->name, (double)(work->count / 512) * (double)rows.size / 1e6 /
		                                ((double)(bench_now() - start) / 1e9));
	cr_pg_release(conn);
	cr_buf_free(&rows);
	return r;
}

static int run(struct work *work)
{
	cr_pg_options options = {.conn_count_max = (size_t)work->connections};
	cr_pg *db;
	int r = cr_pg_open(work->target, &options, &db, NULL);

	if (r < 0)
		return r;
	r = strcmp(work->name, "pg-copy") == 0 ? run_copy(work, db) : run_select(work, db);
	if (r < 0)
		fprintf(stderr, "%s\n", cr_strerror(r));
	cr_pg_close(db);
	return r;
}

/* NAME COUNT TARGET CONNECTIONS */
int main(int argc, char **argv)
{
	struct work work = {.count = bench_argument(argc, argv, 2)};

	if (argc < 5)
		return 2;
	work.name = argv[1];
	work.target = argv[3];
	work.connections = bench_argument(argc, argv, 4);
	return cr_run(run, &work) < 0;
}
