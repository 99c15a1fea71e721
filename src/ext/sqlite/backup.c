/* SPDX-License-Identifier: MIT */
/*
 * A copy of a whole database, a few pages at a time. The source is a connection of its own with a
 * read transaction open: so every step copies from the same state, and others may write meanwhile
 * without making the copy begin again (sqlite.org/backup.html).
 */

#include "client.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_PAGES = 256 };

struct backup {
	cr_sqlite_conn *conn;
	const char *path;
	char *temporary; /* the copy while it grows; NULL: there is none */
	sqlite3 *target;
	sqlite3_backup *backup;
	int step_page_count;
	bool done;
	size_t page_count, page_count_total;
};

static int fail_system(struct backup *b, int error)
{
	return cr__sqlite_fail_with(b->conn, -error, NULL);
}

/* A file beside the one that is wanted, as readable as the database's own. */
static int make_temporary(struct backup *b)
{
	const char *source = sqlite3_db_filename(b->conn->link, "main");
	struct stat st;
	int fd;

	if (asprintf(&b->temporary, "%s.XXXXXX", b->path) < 0) {
		b->temporary = NULL;
		return fail_system(b, ENOMEM);
	}
	fd = mkostemp(b->temporary, O_CLOEXEC);
	if (fd < 0) {
		int error = errno;

		free(b->temporary);
		b->temporary = NULL;
		return fail_system(b, error);
	}
	close(fd);
	if (source && *source && stat(source, &st) == 0 &&
	    chmod(b->temporary, st.st_mode & 0777) < 0)
		return fail_system(b, errno);
	return 0;
}

static int begin_work(void *arg)
{
	struct backup *b = arg;
	int code, r = cr__sqlite_simple(b->conn, "begin");

	/* A transaction begins in fact when it first reads. */
	if (r == 0)
		r = cr__sqlite_simple(b->conn, "select count(*) from sqlite_schema");
	if (r < 0 && !sqlite3_get_autocommit(b->conn->link)) {
		cr_sql_error why = b->conn->error;
		bool may_wait = b->conn->may_wait;

		cr__sqlite_simple_surely(b->conn, "rollback");
		b->conn->error = why;
		b->conn->may_wait = may_wait;
	}
	if (r == 0)
		r = make_temporary(b);
	if (r < 0)
		return r;
	code = sqlite3_open_v2(b->temporary, &b->target,
	                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK)
		return b->target ? cr__sqlite_fail_of(b->conn, b->target, code)
		                 : fail_system(b, ENOMEM);
	/* A copy that is broken off is thrown away: nothing of it need be undone. */
	sqlite3_exec(b->target, "pragma journal_mode = off", NULL, NULL, NULL);
	b->backup = sqlite3_backup_init(b->target, "main", b->conn->link, "main");
	return b->backup ? 0
	                 : cr__sqlite_fail_of(b->conn, b->target,
	                                      sqlite3_extended_errcode(b->target));
}

static int step_work(void *arg)
{
	struct backup *b = arg;
	int code = sqlite3_backup_step(b->backup, b->step_page_count);

	b->page_count_total = (size_t)sqlite3_backup_pagecount(b->backup);
	b->page_count = b->page_count_total - (size_t)sqlite3_backup_remaining(b->backup);
	b->done = code == SQLITE_DONE;
	if (code == SQLITE_OK || code == SQLITE_DONE)
		return 0;
	b->conn->may_wait = (code & 0xff) == SQLITE_BUSY;
	return cr__sqlite_fail_of(b->conn, b->target, code);
}

static void forget_target(struct backup *b)
{
	if (b->backup)
		sqlite3_backup_finish(b->backup);
	b->backup = NULL;
	sqlite3_close_v2(b->target);
	b->target = NULL;
}

/* Makes what a path names last through a power failure. */
static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC), r = fd < 0 ? errno : 0;

	if (fd >= 0 && fsync(fd) < 0)
		r = errno;
	if (fd >= 0)
		close(fd);
	return r;
}

static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int r = folder ? sync_path(folder, O_RDONLY | O_DIRECTORY) : ENOMEM;

	free(folder);
	return r;
}

static int finish_work(void *arg)
{
	struct backup *b = arg;
	int r;

	forget_target(b);
	r = sync_path(b->temporary, O_RDWR);
	if (r == 0 && rename(b->temporary, b->path) < 0)
		r = errno;
	if (r > 0)
		return fail_system(b, r);
	free(b->temporary);
	b->temporary = NULL;
	r = sync_folder(b->path);
	return r > 0 ? fail_system(b, r) : 0;
}

static int abandon_work(void *arg)
{
	struct backup *b = arg;

	forget_target(b);
	if (b->temporary)
		unlink(b->temporary);
	free(b->temporary);
	b->temporary = NULL;
	return 0;
}

static int copy(struct backup *b, const cr_sqlite_backup_options *options)
{
	int r = cr__sqlite_hop_patient(b->conn, begin_work, b);

	while (r == 0 && !b->done) {
		r = cr__sqlite_hop_patient(b->conn, step_work, b);
		if (r == 0 && options->progress)
			options->progress(options->progress_arg, b->page_count,
			                  b->page_count_total);
	}
	if (r == 0)
		r = cr__sqlite_hop(b->conn, finish_work, b);
	return r;
}

int cr_sqlite_backup(cr_sqlite *db, const char *path, const cr_sqlite_backup_options *options,
                     cr_sql_error *ret_error)
{
	static const cr_sqlite_backup_options defaults;
	struct backup b = {.path = path, .step_page_count = STEP_PAGES};
	int r = cr_sqlite_acquire_reader(db, &b.conn, ret_error);

	if (r < 0)
		return r;
	options = options ? options : &defaults;
	if (options->step_page_count > 0)
		b.step_page_count = options->step_page_count;
	r = copy(&b, options);
	if (r < 0) {
		if (ret_error)
			*ret_error = b.conn->error;
		if (cr_shield(CORAIL_NEVER, cr__sqlite_hop(b.conn, abandon_work, &b)) < 0)
			abandon_work(&b);
	}
	cr_sqlite_release(b.conn);
	return r;
}
