/* SPDX-License-Identifier: MIT */
/* Inserts rows into SQLite.
 *
 *   sqlite alone|together|many NAME COUNT
 *
 * alone: one query each, each a transaction; together: a thousand in one pipeline, a transaction;
 * many: the same as a thousand sets of parameters to one statement.
 */
#include "../c/bench.h"
#include "../c/sqlite_folder.h"

#include <corail/corail.h>
#include <corail/sqlite.h>

enum { TOGETHER = 1000 };

struct bench {
	const char *what, *name;
	long count;
};

static const char insert[] = "insert into pages (url, size) values (?, ?)";

static int alone(cr_sqlite *db, long count)
{
	int r = 0;

	for (long i = 0; r == 0 && i < count; i++) {
		char url[64];

		snprintf(url, sizeof url, "https://example.org/page/%ld", i);
		r = cr_sqlite_query(db, insert, CORAIL_SQL(cr_sql_text(url), cr_sql_int(i)), NULL);
	}
	return r;
}

/* The next rows, TOGETHER at most, and from number `from` on. Returns how many. */
static long fill(cr_sql_value (*values)[2], long from, long count)
{
	static char urls[TOGETHER][64];
	long size = count - from < TOGETHER ? count - from : TOGETHER;

	for (long i = 0; i < size; i++) {
		snprintf(urls[i], sizeof urls[i], "https://example.org/page/%ld", from + i);
		values[i][0] = cr_sql_text(urls[i]);
		values[i][1] = cr_sql_int(from + i);
	}
	return size;
}

static int together(cr_sqlite *db, long count)
{
	static cr_sqlite_call calls[TOGETHER];
	static cr_sql_value values[TOGETHER][2];
	cr_sqlite_conn *conn;
	int r = cr_sqlite_acquire(db, &conn, NULL);

	if (r < 0)
		return r;
	for (long i = 0; r == 0 && i < count; i += TOGETHER) {
		long size = fill(values, i, count);

		for (long k = 0; k < size; k++)
			calls[k] = (cr_sqlite_call){insert, values[k], 2, 0, NULL};
		r = cr_sqlite_conn_pipeline(conn, calls, (size_t)size);
	}
	cr_sqlite_release(conn);
	return r;
}

static int many(cr_sqlite *db, long count)
{
	static cr_sql_value values[TOGETHER][2];
	int r = 0;

	for (long i = 0; r == 0 && i < count; i += TOGETHER) {
		long size = fill(values, i, count);

		r = cr_sqlite_query_many(db, insert, values[0], 2, (size_t)size, NULL);
	}
	return r;
}

static int insert_all(cr_sqlite *db, const struct bench *bench)
{
	switch (*bench->what) {
	case 'a':
		return alone(db, bench->count);
	case 't':
		return together(db, bench->count);
	default:
		return many(db, bench->count);
	}
}

static int run(struct bench *bench)
{
	char folder[64], path[96];
	cr_sqlite *db;
	int64_t before;
	int r;

	sqlite_folder_make(folder, sizeof folder);
	snprintf(path, sizeof path, "%s/db", folder);
	r = cr_sqlite_open(path, NULL, &db, NULL);
	if (r < 0)
		return r;
	r = cr_sqlite_query(db, "create table pages (id integer primary key, url text, size int)",
	                    NULL, 0, NULL);
	before = bench_now();
	if (r == 0)
		r = insert_all(db, bench);
	if (r == 0)
		bench_print(bench->name,
		            (double)bench->count * 1e9 / (double)(bench_now() - before));
	cr_sqlite_close(db);
	sqlite_folder_remove(folder);
	return r;
}

int main(int argc, char **argv)
{
	struct bench bench = {NULL, NULL, bench_argument(argc, argv, 3)};

	bench.what = argv[1];
	bench.name = argv[2];
	return cr_run(run, &bench) != 0;
}
