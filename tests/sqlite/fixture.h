/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SQLITE_FIXTURE_H
#define CORAIL_TESTS_SQLITE_FIXTURE_H

/*
 * Tests on a database in a file of a folder of their own: int test(cr_sqlite *db), once on each
 * backend, with a check that no descriptor is left over.
 */

#include <corail/corail.h>
#include <corail/sqlite.h>

#include <limits.h>

#include "backends.h"

static char sqlite_folder[64];

/* A path in the test's folder. Static storage: copy what must last. */
__attribute__((unused)) static const char *sqlite_path(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", sqlite_folder, name);
	return path;
}

/* In memory where possible: what a disk is for is not tested here, and it may be slow. */
static void sqlite_folder_make(void)
{
	snprintf(sqlite_folder, sizeof sqlite_folder, "%s/corail-sqlite-XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(sqlite_folder) != NULL);
}

struct sqlite_test {
	int (*run)(cr_sqlite *db);
	const cr_sqlite_options *options;
};

static int sqlite_test_main(struct sqlite_test *test)
{
	cr_sqlite *db;

	CHECK_EQ(cr_sqlite_open(sqlite_path("test.db"), test->options, &db, NULL), 0);
	CHECK_EQ(test->run(db), 0);
	cr_sqlite_close(db);
	return 0;
}

static void sqlite_folder_remove(void)
{
	DIR *dir = opendir(sqlite_folder);
	struct dirent *entry;

	CHECK(dir != NULL);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			CHECK_EQ(unlink(sqlite_path(entry->d_name)), 0);
	closedir(dir);
	CHECK_EQ(rmdir(sqlite_folder), 0);
}

#define RUN_SQLITE(fn) RUN_SQLITE_WITH(fn, NULL)
#define RUN_SQLITE_WITH(fn, options) sqlite_run(#fn, fn, options)

static void sqlite_once(void *arg)
{
	struct sqlite_test *test = arg;

	sqlite_folder_make();
	CHECK_EQ(cr_run(sqlite_test_main, test), 0);
	sqlite_folder_remove();
}

static void sqlite_run(const char *name, int (*run)(cr_sqlite *db),
                       const cr_sqlite_options *options)
{
	static const char *const backends[] = {"uring", "epoll", "sim"};
	struct sqlite_test test = {run, options};

	backends_run(name, backends, 3, sqlite_once, &test);
}

/* Runs a statement that must succeed. */
__attribute__((unused)) static void sqlite_do(cr_sqlite *db, const char *sql)
{
	CHECK_EQ(cr_sqlite_query(db, sql, NULL, 0, NULL), 0);
}

/* Runs a statement that must succeed and give one value, a number. */
__attribute__((unused)) static int64_t sqlite_number(cr_sqlite *db, const char *sql)
{
	cr_sqlite_rows *rows;
	int64_t number;

	CHECK_EQ(cr_sqlite_query(db, sql, NULL, 0, &rows), 0);
	CHECK_EQ(cr_sqlite_rows_count(rows), 1);
	number = cr_sqlite_rows_int(rows, 0, 0);
	cr_sqlite_rows_free(rows);
	return number;
}

#endif
