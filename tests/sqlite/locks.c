/* SPDX-License-Identifier: MIT */
/* ctest: timeout=60 needs=sqlite */
/* Locks of other connections and of other processes: waited for, given up, shared. */
#include "fixture.h"

#include <sqlite3.h>
#include <sys/wait.h>

/* What another process would be. */
static sqlite3 *stranger_open(const char *sql)
{
	sqlite3 *stranger;

	CHECK_EQ(sqlite3_open(sqlite_path("test.db"), &stranger), SQLITE_OK);
	CHECK_EQ(sqlite3_exec(stranger, sql, NULL, NULL, NULL), SQLITE_OK);
	return stranger;
}

static void stranger_close(sqlite3 *stranger, const char *sql)
{
	CHECK_EQ(sqlite3_exec(stranger, sql, NULL, NULL, NULL), SQLITE_OK);
	CHECK_EQ(sqlite3_close(stranger), SQLITE_OK);
}

struct insert {
	cr_sqlite *db;
	int64_t value;
	int result;
};

static int insert(struct insert *i)
{
	i->result = cr_sqlite_query(i->db, "insert into t values (?)",
	                            CORAIL_SQL(cr_sql_int(i->value)), NULL);
	return i->result;
}

static int conn_insert(cr_sqlite_conn **conn)
{
	return cr_sqlite_conn_query(*conn, "insert into t values (1)", NULL, 0, NULL);
}

static uint64_t lock_waits(cr_sqlite *db)
{
	cr_sqlite_stats stats;

	cr_sqlite_stats_get(db, &stats);
	return stats.lock_waits;
}

static int locks_are_waited_for(cr_sqlite *db)
{
	struct insert late = {db, 2, 1};
	cr_sqlite_conn *conn;
	sqlite3 *stranger;
	uint64_t waits;

	sqlite_do(db, "create table t (v)");
	stranger = stranger_open("begin immediate; insert into t values (1)");
	CHECK_EQ(cr_timeout(cr_millis(40), insert(&late)), -ETIMEDOUT);
	waits = lock_waits(db);
	/* Readers are not held up. */
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 0);
	{
		CORAIL_SCOPE(scope);
		cr_task task;

		CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
		task = cr_spawn(&scope, conn_insert, &conn);
		while (lock_waits(db) == waits)
			CHECK_EQ(cr_sleep(cr_millis(1)), 0);
		/* One task at a time. */
		CHECK_EQ(cr_sqlite_conn_query(conn, "select 1", NULL, 0, NULL), -EBUSY);
		CHECK_EQ(cr_sqlite_conn_stream_end(conn), -EBUSY);
		stranger_close(stranger, "commit");
		CHECK_EQ(cr_await(task), 0);
		cr_sqlite_release(conn);
	}
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 2);
	return 0;
}

static int locks_may_be_given_up(cr_sqlite *db)
{
	struct insert one = {db, 1, 1};
	cr_sqlite_call call = {.sql = "insert into t values (2)"};
	cr_sqlite_conn *conn;
	sqlite3 *stranger;

	sqlite_do(db, "create table t (v)");
	stranger = stranger_open("begin immediate");
	CHECK_EQ(insert(&one), -CORAIL_E_SQL_LOCKED);
	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_pipeline(conn, &call, 1), -CORAIL_E_SQL_LOCKED);
	CHECK_EQ(call.status, -CORAIL_E_SQL_LOCKED);
	CHECK_EQ(cr_sqlite_conn_error(conn)->native_code, SQLITE_BUSY);
	stranger_close(stranger, "commit");
	CHECK_EQ(cr_sqlite_conn_pipeline(conn, &call, 1), 0);
	{
		/* What was read has changed since: waiting would not help. */
		CORAIL_SQLITE_TRANSACTION(tx);

		CHECK_EQ(cr_sqlite_tx_begin(&tx, conn, "deferred"), 0);
		CHECK_EQ(cr_sqlite_conn_query(conn, "select * from t", NULL, 0, NULL), 0);
		stranger = stranger_open("insert into t values (3)");
		stranger_close(stranger, "");
		CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (4)", NULL, 0, NULL),
		         -CORAIL_E_SQL_CONFLICT);
	}
	cr_sqlite_release(conn);
	return 0;
}

/* Without a write-ahead log a reader keeps a commit back. */
static int readers_hold_up_commits(cr_sqlite *db)
{
	struct insert one = {db, 1, 1};
	sqlite3 *stranger;
	cr_sqlite_conn *conn;
	cr_sqlite_tx tx = {0};

	sqlite_do(db, "create table t (v)");
	stranger = stranger_open("begin; select * from t");
	CHECK_EQ(insert(&one), -CORAIL_E_SQL_LOCKED);
	CHECK_EQ(cr_sqlite_acquire(db, &conn, NULL), 0);
	CHECK_EQ(cr_sqlite_tx_begin(&tx, conn, NULL), 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (2)", NULL, 0, NULL), 0);
	CHECK_EQ(cr_sqlite_tx_commit(&tx), -CORAIL_E_SQL_LOCKED);
	CHECK_EQ(cr_sqlite_tx_rollback(&tx), -EINVAL);
	stranger_close(stranger, "commit");
	/* Two that have read and want to write: one of them has to give way. */
	CHECK_EQ(cr_sqlite_tx_begin(&tx, conn, "deferred"), 0);
	CHECK_EQ(cr_sqlite_conn_query(conn, "select * from t", NULL, 0, NULL), 0);
	stranger = stranger_open("begin immediate");
	CHECK_EQ(cr_sqlite_conn_query(conn, "insert into t values (3)", NULL, 0, NULL),
	         -CORAIL_E_SQL_CONFLICT);
	CHECK_EQ(cr_sqlite_tx_rollback(&tx), 0);
	stranger_close(stranger, "commit");
	cr_sqlite_release(conn);
	CHECK_EQ(sqlite_number(db, "select count(*) from t"), 0);
	return 0;
}

/* ---- two processes ---- */

enum { EACH = 40 };

static int write_many(int64_t *id)
{
	cr_sqlite_options options = {.synchronous = "off"};
	struct insert one = {NULL, *id, 1};

	CHECK_EQ(cr_sqlite_open(sqlite_path("test.db"), &options, &one.db, NULL), 0);
	sqlite_do(one.db, "create table if not exists t (v)");
	for (int i = 0; i < EACH; i++) {
		CHECK_EQ(insert(&one), 0);
		CHECK_EQ(one.result, 0);
	}
	cr_sqlite_close(one.db);
	return 0;
}

static int count_all(int64_t *count)
{
	cr_sqlite *db;

	CHECK_EQ(cr_sqlite_open(sqlite_path("test.db"), NULL, &db, NULL), 0);
	*count = sqlite_number(db, "select count(*) from t");
	cr_sqlite_close(db);
	return 0;
}

static void two_processes_write(void)
{
	static const char *const backends[] = {"uring", "epoll", "sim"};
	char why[256];

	for (size_t i = 0; i < 3; i++) {
		int64_t id = 2, count = 0;
		int status;
		pid_t child;

		if (cr_loop_probe(backends[i], why, sizeof why) < 0)
			continue;
		setenv("CORAIL_BACKEND", backends[i], 1);
		sqlite_folder_make();
		fflush(stdout);
		child = fork();
		CHECK_GE(child, 0);
		if (child == 0)
			_exit(execl("/proc/self/exe", "locks", sqlite_folder, (char *)NULL) < 0);
		CHECK_EQ(cr_run(write_many, &id), 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
		CHECK_EQ(cr_run(count_all, &count), 0);
		CHECK_EQ(count, 2 * EACH);
		sqlite_folder_remove();
	}
}

/* With the folder of another process's test: to write what it expects. */
int main(int argc, char **argv)
{
	static const cr_sqlite_options impatient = {.lock_max = 20000000};
	static const cr_sqlite_options rollback = {.lock_max = 20000000, .journal_mode = "delete"};

	if (argc == 2) {
		int64_t id = 1;

		snprintf(sqlite_folder, sizeof sqlite_folder, "%s", argv[1]);
		return cr_run(write_many, &id) != 0;
	}
	RUN(two_processes_write);
	RUN_SQLITE(locks_are_waited_for);
	RUN_SQLITE_WITH(locks_may_be_given_up, &impatient);
	RUN_SQLITE_WITH(readers_hold_up_commits, &rollback);
	return test_done();
}
