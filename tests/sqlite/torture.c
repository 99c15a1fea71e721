/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 needs=sqlite labels=notsan */
/*
 * SQLite, tortured: whatever is cancelled where, and whichever allocation fails, ours or SQLite's
 * own, nothing is left over, what was not refused was done, and the database lives on.
 */
#include <corail/corail.h>
#include <corail/sqlite.h>

#include <limits.h>

#include "scarce.h"

static char folder[64];

/* Lives on whatever happens: a writer and a reader, and as many rows as there should be. */
static int is_whole(cr_sqlite *db)
{
	cr_sqlite_stats stats;
	cr_sqlite_rows *rows;
	int r = cr_sqlite_query(db, "insert into t values (0)", NULL, 0, NULL);

	if (r == 0)
		r = cr_sqlite_query(db, "select 42 where exists (select * from t where v = 0)",
		                    NULL, 0, &rows);
	if (r < 0)
		return r;
	CHECK_EQ(cr_sqlite_rows_int(rows, 0, 0), 42);
	cr_sqlite_rows_free(rows);
	cr_sqlite_stats_get(db, &stats);
	CHECK_EQ(stats.conn_count, stats.conn_count_idle);
	CHECK_EQ(stats.waiting, 0);
	return 0;
}

static int open_and_make(const char *path, cr_sqlite **ret_db)
{
	const cr_sqlite_options options = {.reader_count_max = 1, .synchronous = "off"};
	cr_sqlite *db;
	int r = cr_sqlite_open(path, &options, &db, NULL);

	if (r < 0)
		return r;
	r = cr_sqlite_query(db, "create table if not exists t (v)", NULL, 0, NULL);
	if (r < 0)
		cr_sqlite_close(db);
	else
		*ret_db = db;
	return r;
}

static int on_path(struct torture *t, const char *path, int (*script)(cr_sqlite *db))
{
	cr_sqlite *db;
	int r = open_and_make(path, &db);

	/* On a machine that stalls the harness's patience may be over already. */
	if (r < 0)
		return r;
	torture_begin(t);
	r = script(db);
	torture_end(t);
	if (r < 0 && r != -ECANCELED && r != -ENOMEM && r != -EIO)
		TORTURE_CHECK(t, r, 0);
	TORTURE_CHECK(t, cr_shield(cr_seconds(60), is_whole(db)), 0);
	cr_sqlite_close(db);
	return r;
}

static const char *file(void)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/test.db", folder);
	return path;
}

/* Opening in a file, from the first call on. */
static int opens(struct torture *t)
{
	cr_sqlite *db;
	int r;

	torture_begin(t);
	r = open_and_make(file(), &db);
	torture_end(t);
	if (r == 0) {
		TORTURE_CHECK(t, cr_shield(cr_seconds(60), is_whole(db)), 0);
		cr_sqlite_close(db);
	}
	return r;
}

static int query_some(cr_sqlite *db)
{
	static char large[20000];
	cr_sqlite_rows *rows;
	int r = 0;

	for (int i = 0; r == 0 && i < 2; i++) {
		r = cr_sqlite_query(
			db,
			"with recursive n(i) as (select 1 union all select i + 1 from n"
			" where i < 4) select i, 'text', ?1, ?2 from n",
			CORAIL_SQL(cr_sql_text("abc"), cr_sql_blob(large, sizeof large)), &rows);
		if (r < 0)
			break;
		CHECK_EQ(cr_sqlite_rows_count(rows), 4);
		CHECK_STR(cr_sqlite_rows_text(rows, 3, 2), "abc");
		CHECK_EQ(cr_sqlite_rows_size(rows, 3, 3), sizeof large);
		/* Numbers become texts when they are asked for, which takes memory. */
		if (cr_sqlite_rows_text(rows, 3, 0))
			CHECK_STR(cr_sqlite_rows_text(rows, 3, 0), "4");
		cr_sqlite_rows_free(rows);
	}
	if (r == 0)
		r = cr_sqlite_query(db, "insert into t values (1)", NULL, 0, NULL);
	return r;
}

static int queries(struct torture *t)
{
	return on_path(t, file(), query_some);
}

static int in_memory(struct torture *t)
{
	return on_path(t, ":memory:", query_some);
}

static int transact_on(cr_sqlite_conn *conn)
{
	CORAIL_SQLITE_TRANSACTION(tx);
	int r = cr_sqlite_tx_begin(&tx, conn, NULL);

	if (r == 0)
		r = cr_sqlite_conn_script(conn, "insert into t values (2); select 1; ;");
	if (r == 0) {
		CORAIL_SQLITE_TRANSACTION(inner);

		r = cr_sqlite_tx_begin(&inner, conn, NULL);
		if (r == 0)
			r = cr_sqlite_conn_query(conn, "insert into t values (?)",
			                         CORAIL_SQL(cr_sql_int(3)), NULL);
		if (r == 0)
			r = cr_sqlite_tx_rollback(&inner);
	}
	return r < 0 ? r : cr_sqlite_tx_commit(&tx);
}

static int transact(cr_sqlite *db)
{
	cr_sqlite_conn *conn;
	int r = cr_sqlite_acquire(db, &conn, NULL);

	if (r < 0)
		return r;
	r = transact_on(conn);
	cr_sqlite_release(conn);
	return r;
}

static int transactions(struct torture *t)
{
	return on_path(t, file(), transact);
}

static int send_together(cr_sqlite *db)
{
	const cr_sql_value value = cr_sql_text("some");
	cr_sqlite_call calls[] = {{"insert into t values (?)", &value, 1, 0, NULL},
	                          {"select ?", &value, 1, 0, NULL},
	                          {"delete from t where v = ?", &value, 1, 0, NULL}};
	cr_sqlite_conn *conn;
	int r = cr_sqlite_acquire(db, &conn, NULL);

	if (r < 0)
		return r;
	r = cr_sqlite_conn_pipeline(conn, calls, 3);
	for (int i = 0; i < 3; i++) {
		CHECK(r == 0 ? calls[i].status == 0 : calls[i].status <= 0);
		cr_sqlite_rows_free(calls[i].rows);
	}
	cr_sqlite_release(conn);
	return r;
}

static int pipelines(struct torture *t)
{
	return on_path(t, file(), send_together);
}

static int insert_many(cr_sqlite *db)
{
	const cr_sql_value values[] = {cr_sql_int(5), cr_sql_text("six"), cr_sql_null()};
	uint64_t affected;
	int r = cr_sqlite_query_many(db, "insert into t values (?)", values, 1, 3, &affected);

	if (r == 0)
		CHECK_EQ(affected, 3);
	return r;
}

static int many_sets(struct torture *t)
{
	return on_path(t, file(), insert_many);
}

static int stream_on(cr_sqlite_conn *conn, int64_t count)
{
	const cr_sqlite_rows *row;
	int64_t expected = 1;
	int r = cr_sqlite_conn_stream(conn,
	                              "with recursive n(i) as (select 1 union all select i + 1"
	                              " from n where i < ?) select i, 'a text' from n",
	                              CORAIL_SQL(cr_sql_int(100)));

	while (r == 0 && expected <= count && (r = cr_sqlite_conn_next(conn, &row)) == 1) {
		CHECK_EQ(cr_sqlite_rows_int(row, 0, 0), expected++);
		r = 0;
	}
	if (r == 0)
		r = cr_sqlite_conn_stream_end(conn);
	return r;
}

static int stream(cr_sqlite *db)
{
	cr_sqlite_conn *conn;
	int r = cr_sqlite_acquire_reader(db, &conn, NULL);

	if (r < 0)
		return r;
	r = stream_on(conn, 101);
	if (r == 0)
		r = stream_on(conn, 3);
	cr_sqlite_release(conn);
	return r;
}

static int streams(struct torture *t)
{
	return on_path(t, file(), stream);
}

static int query_as_task(cr_sqlite **db)
{
	return cr_sqlite_query(*db, "insert into t values (7)", NULL, 0, NULL);
}

/* Three tasks and one writer. */
static int share(cr_sqlite *db)
{
	CORAIL_SCOPE(scope);

	for (int i = 0; i < 3; i++)
		cr_spawn(&scope, query_as_task, &db);
	return cr_scope_wait(&scope);
}

static int waits_for_the_writer(struct torture *t)
{
	return on_path(t, file(), share);
}

static int back_up(cr_sqlite *db)
{
	const cr_sqlite_backup_options options = {.step_page_count = 1};
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/copy.db", folder);
	return cr_sqlite_backup(db, path, &options, NULL);
}

static int backups(struct torture *t)
{
	return on_path(t, file(), back_up);
}

static void remove_all(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[PATH_MAX];

	CHECK(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		CHECK_EQ(unlink(path), 0);
	}
	closedir(dir);
}

static void both(const char *name, int (*scenario)(struct torture *t))
{
	scarce_torture(name, scenario, 1);
	scarce_libraries(name, scenario, 100);
	remove_all();
}

#define BOTH(scenario) both(#scenario, scenario)

int main(void)
{
	snprintf(folder, sizeof folder, "%s/corail-sqlite-XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(folder) != NULL);
	BOTH(opens);
	BOTH(queries);
	BOTH(in_memory);
	BOTH(transactions);
	BOTH(pipelines);
	BOTH(many_sets);
	BOTH(streams);
	BOTH(waits_for_the_writer);
	BOTH(backups);
	CHECK_EQ(rmdir(folder), 0);
	return test_done();
}
