/* SPDX-License-Identifier: MIT */
/* ctest: timeout=60 needs=sqlite */
/* Files: how they are opened, what is wrong with them, how they are copied; much data. */
#include "fixture.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

static void file_write(const char *name, const void *data, size_t size)
{
	int fd = open(sqlite_path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK_GE(fd, 0);
	CHECK_EQ(write(fd, data, size), (ssize_t)size);
	close(fd);
}

static void refuses(const char *path, const cr_sqlite_options *options, int expected)
{
	cr_sql_error error = {0};
	cr_sqlite *db;

	CHECK_EQ(cr_sqlite_open(path, options, &db, &error), expected);
	CHECK_EQ(error.error, expected);
	CHECK(error.message[0] != '\0');
	CHECK_EQ(cr_sqlite_open(path, options, &db, NULL), expected);
}

static int what_cannot_be_opened(cr_sqlite *unused)
{
	static const cr_sqlite_options no_create = {.no_create = 1}, read_only = {.read_only = 1},
				       bad_word = {.journal_mode = "wal; drop table t"},
				       bad_mode = {.journal_mode = "walrus"},
				       bad_level = {.synchronous = "ful"},
				       bad_init = {.init = "selec 1"};

	(void)unused;
	refuses(sqlite_path("none/x.db"), NULL, -ENOENT);
	refuses(sqlite_path("none.db"), &no_create, -ENOENT);
	refuses(sqlite_path("none.db"), &read_only, -ENOENT);
	refuses(sqlite_folder, NULL, -EISDIR);
	refuses(sqlite_path("x.db"), &bad_word, -EINVAL);
	refuses(sqlite_path("x.db"), &bad_mode, -EINVAL);
	refuses(sqlite_path("x.db"), &bad_level, -EINVAL);
	refuses(sqlite_path("x.db"), &bad_init, -CORAIL_E_SQL_SYNTAX);
	file_write("text.db", "No database, but a text that is long enough to be looked at.\n", 61);
	refuses(sqlite_path("text.db"), NULL, -CORAIL_E_SQL_CORRUPT);
	refuses(sqlite_path("text.db"), &read_only, -CORAIL_E_SQL_CORRUPT);
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		refuses(sqlite_path("x.db"), NULL, -ECANCELED);
	}
	return 0;
}

static int damage_is_noticed(cr_sqlite *db)
{
	static const char junk[4096] = {13, 0, 0, 17, 17, 17, 17};
	char path[PATH_MAX];
	cr_sqlite *copy;
	int fd;

	sqlite_do(db, "create table t as with recursive n(i) as (select 1 union all"
	              " select i + 1 from n where i < 5000) select i, hex(zeroblob(20)) from n");
	snprintf(path, sizeof path, "%s", sqlite_path("damaged.db"));
	CHECK_EQ(cr_sqlite_backup(db, path, NULL, NULL), 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK_GE(fd, 0);
	for (int page = 3; page < 40; page++)
		CHECK_EQ(pwrite(fd, junk, sizeof junk, page * 4096), (ssize_t)sizeof junk);
	close(fd);
	CHECK_EQ(cr_sqlite_open(path, NULL, &copy, NULL), 0);
	CHECK_EQ(cr_sqlite_query(copy, "select sum(i) from t", NULL, 0, NULL),
	         -CORAIL_E_SQL_CORRUPT);
	CHECK_EQ(sqlite_number(copy, "select 1"), 1);
	cr_sqlite_close(copy);
	return 0;
}

/* As somebody for whom permissions count. */
static int read_only_folders(cr_sqlite *db)
{
	bool root = geteuid() == 0;
	char path[PATH_MAX];
	cr_sqlite *other;

	sqlite_do(db, "create table t as select 5 as v");
	snprintf(path, sizeof path, "%s", sqlite_path("new.db"));
	CHECK_EQ(chmod(sqlite_folder, 0555), 0);
	if (root)
		CHECK_EQ(seteuid(65534), 0);
	refuses(path, NULL, -CORAIL_E_SQL_PERMISSION);
	CHECK_EQ(cr_sqlite_backup(db, path, NULL, NULL), -EACCES);
	if (root)
		CHECK_EQ(seteuid(0), 0);
	CHECK_EQ(chmod(sqlite_folder, 0755), 0);

	CHECK_EQ(cr_sqlite_backup(db, path, NULL, NULL), 0);
	CHECK_EQ(chmod(path, 0444), 0);
	CHECK_EQ(chmod(sqlite_folder, 0555), 0);
	if (root)
		CHECK_EQ(seteuid(65534), 0);
	/* Its journal was taken along: without a log it could not be read here. */
	CHECK_EQ(cr_sqlite_open(path, NULL, &other, NULL), -CORAIL_E_SQL_PERMISSION);
	if (root)
		CHECK_EQ(seteuid(0), 0);
	CHECK_EQ(chmod(sqlite_folder, 0755), 0);
	return 0;
}

static int only_reads(cr_sqlite *db)
{
	static const cr_sqlite_options read_only = {.read_only = 1};
	cr_sqlite *other;
	cr_sqlite_conn *conn;

	sqlite_do(db, "create table t as select 5 as v");
	CHECK_EQ(cr_sqlite_open(sqlite_path("test.db"), &read_only, &other, NULL), 0);
	CHECK_EQ(sqlite_number(other, "select v from t"), 5);
	CHECK_EQ(cr_sqlite_query(other, "update t set v = 6", NULL, 0, NULL),
	         -CORAIL_E_SQL_PERMISSION);
	sqlite_do(db, "update t set v = 7");
	CHECK_EQ(cr_sqlite_acquire(other, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "delete from t", NULL, 0, NULL),
	         -CORAIL_E_SQL_PERMISSION);
	cr_sqlite_release(conn);
	CHECK_EQ(sqlite_number(other, "select v from t"), 7);
	cr_sqlite_close(other);
	return 0;
}

static int settings_hold(cr_sqlite *db)
{
	static const cr_sqlite_options other = {
		.journal_mode = "truncate",
		.synchronous = "full",
		.init = "create temp table mine (v); insert into mine values (3); begin",
		.no_foreign_keys = 1,
	};
	cr_sqlite_rows *rows;
	cr_sqlite *second;

	CHECK_EQ(sqlite_number(db, "pragma foreign_keys"), 1);
	CHECK_EQ(sqlite_number(db, "pragma synchronous"), 1);
	CHECK_EQ(cr_sqlite_query(db, "pragma journal_mode", NULL, 0, &rows), 0);
	CHECK_STR(cr_sqlite_rows_text(rows, 0, 0), "wal");
	cr_sqlite_rows_free(rows);
	CHECK_EQ(cr_sqlite_open(sqlite_path("second.db"), &other, &second, NULL), 0);
	CHECK_EQ(sqlite_number(second, "pragma foreign_keys"), 0);
	CHECK_EQ(sqlite_number(second, "pragma synchronous"), 2);
	CHECK_EQ(sqlite_number(second, "select v from mine"), 3);
	CHECK_EQ(cr_sqlite_query(second, "pragma journal_mode", NULL, 0, &rows), 0);
	CHECK_STR(cr_sqlite_rows_text(rows, 0, 0), "truncate");
	cr_sqlite_rows_free(rows);
	sqlite_do(second, "create table t (v)");
	cr_sqlite_close(second);
	return 0;
}

static int in_memory(cr_sqlite *file)
{
	static const cr_sqlite_options read_only = {.read_only = 1};
	cr_sqlite_conn *conn, *reader;
	cr_sqlite_stats stats;
	cr_sqlite *db, *copy;

	(void)file;
	CHECK_EQ(cr_sqlite_open(":memory:", NULL, &db, NULL), 0);
	sqlite_do(db, "create table t as select 5 as v");
	CHECK_EQ(sqlite_number(db, "select v from t"), 5);
	CHECK_EQ(cr_sqlite_acquire_reader(db, &reader, NULL), 0);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_sqlite_acquire(db, &conn, NULL)), -ETIMEDOUT);
	cr_sqlite_release(reader);
	cr_sqlite_stats_get(db, &stats);
	CHECK_EQ(stats.conn_count, 1);
	CHECK_EQ(stats.conn_count_idle, 1);
	CHECK_EQ(cr_sqlite_backup(db, sqlite_path("copy.db"), NULL, NULL), 0);
	cr_sqlite_close(db);
	CHECK_EQ(cr_sqlite_open(sqlite_path("copy.db"), NULL, &copy, NULL), 0);
	CHECK_EQ(sqlite_number(copy, "select v from t"), 5);
	cr_sqlite_close(copy);
	CHECK_EQ(cr_sqlite_open(":memory:", &read_only, &db, NULL), 0);
	CHECK_EQ(sqlite_number(db, "select 1"), 1);
	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	cr_sqlite_release(conn);
	cr_sqlite_close(db);
	return 0;
}

static int a_full_disk(cr_sqlite *db)
{
	cr_sqlite_conn *conn;

	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_script(conn, "create table t (v); pragma max_page_count = 20"), 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (zeroblob(1000000))", NULL, 0,
	                              NULL),
	         -CORAIL_E_SQL_LIMIT);
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (1)", NULL, 0, NULL), 0);
	cr_sqlite_release(conn);
	return 0;
}

static int large_blobs(cr_sqlite *db)
{
	enum { SIZE = 4 << 20 };
	const cr_sqlite_rows *row;
	cr_sqlite_rows *rows;
	cr_sqlite_conn *conn;
	char *blob = malloc(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		blob[i] = (char)(i * 2654435761u >> 13);
	sqlite_do(db, "create table t (v)");
	CHECK_EQ(cr_sqlite_query(db, "insert into t values (?)",
	                         CORAIL_SQL(cr_sql_blob(blob, SIZE)), NULL),
	         0);
	CHECK_EQ(cr_sqlite_query(db, "select v from t", NULL, 0, &rows), 0);
	CHECK_EQ(cr_sqlite_rows_size(rows, 0, 0), SIZE);
	CHECK_MEM(cr_sqlite_rows_text(rows, 0, 0), blob, SIZE);
	cr_sqlite_rows_free(rows);
	CHECK_EQ(cr_sqlite_acquire_reader(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_stream(conn, "select v from t", NULL, 0), 0);
	CHECK_EQ(cr_sqlite_conn_next(conn, &row), 1);
	CHECK_EQ(cr_sqlite_rows_size(row, 0, 0), SIZE);
	cr_sqlite_release(conn);
	free(blob);
	return 0;
}

/* The sanitizers make each dear. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { COUNT = 20000 };
#else
enum { COUNT = 100000 };
#endif

static int many_inserts(cr_sqlite *db)
{
	enum { TOGETHER = 1000, ALONE = 200 };
	static cr_sqlite_call calls[TOGETHER];
	static cr_sql_value values[TOGETHER];
	CORAIL_SQLITE_TRANSACTION(tx);
	cr_sqlite_conn *conn;

	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_script(conn, "create table t (v)"), 0);
	CHECK_EQ(cr_sqlite_tx_begin(&tx, conn, NULL), 0);
	for (int i = 0; i < ALONE; i++)
		CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (?)",
		                              CORAIL_SQL(cr_sql_int(0)), NULL),
		         0);
	for (int i = 0; i < COUNT; i += TOGETHER) {
		for (int k = 0; k < TOGETHER; k++) {
			values[k] = cr_sql_int(i + k);
			calls[k] = (cr_sqlite_call){"insert into t values (?)", &values[k], 1, 0,
			                            NULL};
		}
		CHECK_EQ(cr_sqlite_conn_pipeline(conn, calls, TOGETHER), 0);
	}
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 0);
	CHECK_EQ(cr_sqlite_tx_commit(&tx), 0);
	cr_sqlite_release(conn);
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), COUNT + ALONE);
	CHECK_EQ(sqlite_number(db, "select sum(v) from t"), (int64_t)COUNT * (COUNT - 1) / 2);
	return 0;
}

struct watch {
	cr_sqlite *db;
	size_t calls, done, total;
	cr_scope *cancel;
};

/* Called between the steps of a backup: writes to what is being copied. */
static void watch_backup(void *arg, size_t done, size_t total)
{
	struct watch *watch = arg;

	CHECK_GE(done, watch->done);
	CHECK_LE(done, total);
	watch->done = done;
	watch->total = total;
	watch->calls++;
	if (watch->cancel && watch->calls == 3)
		cr_scope_cancel(watch->cancel);
	else if (!watch->cancel)
		sqlite_do(watch->db, "insert into t values (1, zeroblob(5000))");
}

static int backup_while_writing(cr_sqlite *db)
{
	struct watch watch = {.db = db};
	cr_sqlite_backup_options options = {7, watch_backup, &watch};
	char path[PATH_MAX];
	cr_sqlite_stats stats;
	cr_sqlite *copy;
	struct stat st;

	snprintf(path, sizeof path, "%s", sqlite_path("copy.db"));
	sqlite_do(db, "create table t as with recursive n(i) as (select 1 union all"
	              " select i + 1 from n where i < 200) select i, zeroblob(3000) from n");
	CHECK_EQ(cr_sqlite_backup(db, path, &options, NULL), 0);
	CHECK_GE(watch.calls, 10);
	CHECK_EQ(watch.done, watch.total);
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 200 + (int64_t)watch.calls);
	CHECK_EQ(cr_sqlite_open(path, NULL, &copy, NULL), 0);
	CHECK_EQ(sqlite_number(copy, "select count(*) from t"), 200);
	CHECK_EQ(sqlite_number(copy, "select count(*) from pragma_integrity_check"
	                             " where integrity_check = 'ok'"),
	         1);
	cr_sqlite_close(copy);
	{
		/* Broken off, it leaves what was there. */
		CORAIL_SCOPE(scope);
		struct stat after;

		CHECK_EQ(stat(path, &st), 0);
		watch = (struct watch){.db = db, .cancel = &scope};
		CHECK_EQ(cr_sqlite_backup(db, path, &options, NULL), -ECANCELED);
		CHECK_EQ(watch.calls, 3);
		CHECK_EQ(stat(path, &after), 0);
		CHECK_EQ(after.st_ino, st.st_ino);
	}
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(cr_sqlite_backup(db, sqlite_path("none/copy.db"), NULL, NULL), -ENOENT);
	cr_sqlite_stats_get(db, &stats);
	CHECK_EQ(stats.conn_count, stats.conn_count_idle);
	return 0;
}

/* A log of a closed database is in its file: nothing lies beside it. */
static int nothing_is_left_beside(cr_sqlite *unused)
{
	cr_sqlite *db;
	struct stat st;

	(void)unused;
	CHECK_EQ(cr_sqlite_open(sqlite_path("alone.db"), NULL, &db, NULL), 0);
	sqlite_do(db, "create table t as select 1");
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 1);
	CHECK_EQ(stat(sqlite_path("alone.db-wal"), &st), 0);
	cr_sqlite_close(db);
	CHECK_LT(stat(sqlite_path("alone.db-wal"), &st), 0);
	CHECK_EQ(stat(sqlite_path("alone.db"), &st), 0);
	return 0;
}

int main(void)
{
	static const cr_sqlite_options quick = {.synchronous = "off"};
	cr_sqlite *db;

	CHECK_EQ(cr_sqlite_open(":memory:", NULL, &db, NULL), -ESRCH);
	RUN_SQLITE_WITH(what_cannot_be_opened, &quick);
	RUN_SQLITE_WITH(damage_is_noticed, &quick);
	RUN_SQLITE_WITH(read_only_folders, &quick);
	RUN_SQLITE_WITH(only_reads, &quick);
	RUN_SQLITE(settings_hold);
	RUN_SQLITE_WITH(in_memory, &quick);
	RUN_SQLITE_WITH(a_full_disk, &quick);
	RUN_SQLITE_WITH(large_blobs, &quick);
	RUN_SQLITE_WITH(many_inserts, &quick);
	RUN_SQLITE_WITH(backup_while_writing, &quick);
	RUN_SQLITE(nothing_is_left_beside);
	return test_done();
}
