/* SPDX-License-Identifier: MIT */
/* A database: its options, its beginning and its end. */

#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../common/options.h"

/* What goes into a pragma, where SQLite takes a word that it does not know for another ("off"). */
static const char *const journal_modes[] = {"delete", "truncate", "persist",
                                            "memory", "wal",      "off"};
static const char *const levels[] = {"off", "normal", "full", "extra", "0", "1", "2", "3"};

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

static void db_free(cr_sqlite *db)
{
	free(db->path);
	free(db->init);
	free((char *)(uintptr_t)db->options.journal_mode);
	free((char *)(uintptr_t)db->options.synchronous);
	free(db);
}

static int options_copy(cr_sqlite *db, const char *path, const cr_sqlite_options *options)
{
	const char *journal_mode = options->journal_mode ? options->journal_mode : "wal";
	const char *synchronous = options->synchronous ? options->synchronous : "normal";

	db->options = *options;
	db->path = strdup(path);
	db->init = options->init ? strdup(options->init) : NULL;
	db->options.journal_mode = strdup(journal_mode);
	db->options.synchronous = strdup(synchronous);
	if (!db->path || (options->init && !db->init) || !db->options.journal_mode ||
	    !db->options.synchronous)
		return -ENOMEM;
	if (!is_one_of(journal_mode, journal_modes, sizeof journal_modes / sizeof *journal_modes) ||
	    !is_one_of(synchronous, levels, sizeof levels / sizeof *levels))
		return -EINVAL;
	cr__default_size(&db->options.reader_count_max, 4);
	cr__default_size(&db->options.statement_count_max, 256);
	cr__default_size(&db->options.result_size_max, (size_t)256 << 20);
	cr__default_time(&db->options.idle_max, cr_seconds(600));
	cr__sqlite_lane_init(&db->writer, 1);
	cr__sqlite_lane_init(&db->readers, db->options.reader_count_max);
	return 0;
}

/* Opens the first connection, which shows whether there is a file behind the database. */
static int open_first(cr_sqlite *db, cr_sql_error *ret_error)
{
	struct lane *lane = db->options.read_only ? &db->readers : &db->writer;
	cr_sqlite_conn *conn;
	const char *file;
	int r = cr__sqlite_acquire(db, lane, &conn, ret_error);

	if (r < 0)
		return r;
	file = sqlite3_db_filename(conn->link, "main");
	if (!file || !*file) {
		db->single = true;
		/* It is the only one, whichever lane it came from. */
		if (lane == &db->readers) {
			db->readers.count--;
			db->writer.count++;
			conn->lane = &db->writer;
		}
	}
	cr_sqlite_release(conn);
	return 0;
}

int cr_sqlite_open(const char *path, const cr_sqlite_options *options, cr_sqlite **ret_db,
                   cr_sql_error *ret_error)
{
	static const cr_sqlite_options defaults;
	cr_sqlite *db;
	int r = 0;

	if (!cr_loop_current().id)
		r = -ESRCH;
	db = r == 0 ? calloc(1, sizeof *db) : NULL;
	if (r == 0 && !db)
		r = -ENOMEM;
	if (r == 0)
		r = options_copy(db, path, options ? options : &defaults);
	if (r < 0 && ret_error)
		cr__sqlite_error_set(ret_error, r, NULL);
	if (r == 0)
		r = open_first(db, ret_error);
	if (r == 0)
		*ret_db = db;
	else if (db)
		db_free(db);
	return r;
}

void cr_sqlite_close(cr_sqlite *db)
{
	if (!db)
		return;
	cr__sqlite_pool_close(db);
	db_free(db);
}

void cr_sqlite_stats_get(const cr_sqlite *db, cr_sqlite_stats *ret_stats)
{
	*ret_stats = (cr_sqlite_stats){
		.conn_count = db->writer.count + db->readers.count,
		.conn_count_idle = db->writer.idle.count + db->readers.idle.count,
		.waiting = db->writer.turns.count + db->readers.turns.count,
		.opened = db->opened,
		.discarded = db->discarded,
		.interrupted = db->interrupted,
		.lock_waits = db->lock_waits,
	};
}
