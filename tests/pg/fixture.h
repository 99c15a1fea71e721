/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_PG_FIXTURE_H
#define CORAIL_TESTS_PG_FIXTURE_H

/*
 * Tests against a real PostgreSQL server, which server.bash has started: int test(cr_pg *db), once
 * on each backend, with a check that no descriptor is left over.
 */

#include <corail/corail.h>
#include <corail/pg.h>

#include "backends.h"

struct pg_test {
	int (*run)(cr_pg *db);
	const cr_pg_options *options;
};

static int pg_test_main(struct pg_test *test)
{
	cr_pg *db;

	CHECK_EQ(cr_pg_open("", test->options, &db, NULL), 0);
	CHECK_EQ(test->run(db), 0);
	cr_pg_close(db);
	return 0;
}

/* A machine that stalls must not make a connection seem to be in doubt. */
#define PG_PATIENCE .cancel_grace = INT64_C(60000000000)

static const cr_pg_options pg_patient = {PG_PATIENCE};

#define RUN_PG(fn) RUN_PG_WITH(fn, &pg_patient)
#define RUN_PG_WITH(fn, options) pg_run(#fn, fn, options)

static void pg_once(void *arg)
{
	struct pg_test *test = arg;

	CHECK_EQ(cr_run(pg_test_main, test), 0);
}

static void pg_run(const char *name, int (*run)(cr_pg *db), const cr_pg_options *options)
{
	static const char *const backends[] = {"uring", "epoll"};
	struct pg_test test = {run, options};

	backends_run(name, backends, 2, pg_once, &test);
}

/* Runs a statement that must succeed and give one value, a number. */
__attribute__((unused)) static int64_t pg_number(cr_pg *db, const char *sql)
{
	cr_pg_rows *rows;
	int64_t number;

	CHECK_EQ(cr_pg_query(db, sql, NULL, 0, &rows), 0);
	CHECK_EQ(cr_pg_rows_count(rows), 1);
	number = cr_pg_rows_int(rows, 0, 0);
	cr_pg_rows_free(rows);
	return number;
}

#endif
