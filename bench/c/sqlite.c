/* SPDX-License-Identifier: MIT */
/* The limit: plain calls of SQLite, on the thread that wants the rows inserted.
 *
 *   sqlite alone|together|many NAME COUNT
 *
 * alone: each insert is a transaction; together, many: a thousand are one. The file is in a folder
 * that is removed again, with a write-ahead log and synchronous = normal.
 */
#include "bench.h"
#include "sqlite_folder.h"

#include <sqlite3.h>

static void check(sqlite3 *db, int code, int expected)
{
	if (code == expected)
		return;
	fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
	exit(1);
}

int main(int argc, char **argv)
{
	long count = bench_argument(argc, argv, 3);
	long each = strcmp(argv[1], "alone") == 0 ? 1 : 1000;
	char folder[64], path[96];
	sqlite3_stmt *insert;
	int64_t before;
	sqlite3 *db;

	sqlite_folder_make(folder, sizeof folder);
	snprintf(path, sizeof path, "%s/db", folder);
	check(NULL, sqlite3_open(path, &db), SQLITE_OK);
	check(db,
	      sqlite3_exec(db,
	                   "pragma journal_mode = wal; pragma synchronous = normal;"
	                   "create table pages (id integer primary key, url text, size int)",
	                   NULL, NULL, NULL),
	      SQLITE_OK);
	check(db,
	      sqlite3_prepare_v2(db, "insert into pages (url, size) values (?, ?)", -1, &insert,
	                         NULL),
	      SQLITE_OK);
	before = bench_now();
	for (long i = 0; i < count; i++) {
		char url[64];

		if (each > 1 && i % each == 0)
			check(db, sqlite3_exec(db, "begin immediate", NULL, NULL, NULL), SQLITE_OK);
		snprintf(url, sizeof url, "https://example.org/page/%ld", i);
		sqlite3_bind_text(insert, 1, url, -1, SQLITE_STATIC);
		sqlite3_bind_int64(insert, 2, i);
		check(db, sqlite3_step(insert), SQLITE_DONE);
		sqlite3_reset(insert);
		if (each > 1 && (i % each == each - 1 || i == count - 1))
			check(db, sqlite3_exec(db, "commit", NULL, NULL, NULL), SQLITE_OK);
	}
	bench_print(argv[2], (double)count * 1e9 / (double)(bench_now() - before));
	sqlite3_finalize(insert);
	sqlite3_close(db);
	sqlite_folder_remove(folder);
	return 0;
}
