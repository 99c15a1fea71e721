/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 labels=noqemu */
/*
 * Files, tortured: whatever is cancelled or fails where, no descriptor and no temporary file is
 * left over, and a file that is replaced is the old or the new one, whole.
 */

#include "support/torture.h"

#include <corail/fs.h>

#include <ftw.h>

/*
 * In memory, where syncing costs nothing. What could not be removed for want of memory goes with
 * the program's folder.
 */
static char folder_of_all[] = "/dev/shm/corail-torture-XXXXXX";
static const char *base = "/tmp";

static int reads_and_writes(struct torture *t)
{
	char data[64] = {0};
	cr_file *file;
	ssize_t n;
	int r = cr_file_open_temp(base, &file);

	(void)t;
	if (r < 0)
		return r;
	n = cr_file_write(file, "0123456789", 10);
	if (n >= 0)
		n = cr_file_sync_data(file);
	if (n >= 0)
		n = cr_file_pread(file, data, sizeof data, 0);
	if (n >= 0)
		CHECK_EQ(n, 10);
	cr_file_close(file);
	return (int)n;
}

static int replace_in(struct torture *t, const char *folder)
{
	cr_buf path = {0}, text = {0};
	cr_dir_entry entry;
	cr_dir *dir;
	int r = cr_buf_printf(&path, "%s/file", folder), others = 0;

	if (r == 0)
		r = cr_fs_write_atomic(path.data, "old", 3, 0600);
	if (r == 0)
		r = cr_fs_write_atomic(path.data, "newer", 5, 0600);
	/* What it is now can be said only if there is memory to look. */
	if (!torture_short_of_memory(t)) {
		cr_shield(cr_seconds(30), ({
				  if (cr_fs_read_all(path.data, &text) == 0)
					  CHECK(text.size == 3 || text.size == 5);
				  CHECK_EQ(cr_dir_open(folder, &dir), 0);
				  while (cr_dir_next(dir, &entry) > 0)
					  others += strcmp(entry.name, "file") != 0;
				  cr_dir_close(dir);
				  0;
			  }));
		CHECK_EQ(others, 0);
	}
	cr_buf_free(&path);
	cr_buf_free(&text);
	return r;
}

static int replaces_a_file(struct torture *t)
{
	cr_buf folder = {0};
	int r = cr_fs_temp_dir(base, &folder);

	if (r == 0)
		r = replace_in(t, folder.data);
	if (folder.size > 0)
		cr_shield(cr_seconds(30), cr_fs_remove_all(folder.data));
	cr_buf_free(&folder);
	return r;
}

static int build_tree(const char *folder)
{
	cr_buf path = {0};
	int r = 0;

	for (int i = 0; i < 1 && r == 0; i++) {
		cr_buf_clear(&path);
		r = cr_buf_printf(&path, "%s/%d/below", folder, i);
		if (r == 0)
			r = cr_fs_mkdir_all(path.data, 0700);
		if (r == 0)
			r = cr_buf_printf(&path, "/link");
		if (r == 0)
			r = cr_fs_symlink("/", path.data);
	}
	cr_buf_free(&path);
	return r;
}

static int walk_tree(const char *folder)
{
	cr_walk_entry entry;
	cr_walk *walk;
	int r = cr_walk_open(folder, NULL, &walk);

	if (r < 0)
		return r;
	do
		r = cr_walk_next(walk, &entry);
	while (r > 0);
	cr_walk_close(walk);
	return r;
}

static int walks_and_removes(struct torture *t)
{
	cr_buf folder = {0};
	int r = cr_fs_temp_dir(base, &folder);

	(void)t;
	if (r == 0)
		r = build_tree(folder.data);
	if (r == 0)
		r = walk_tree(folder.data);
	if (r == 0)
		r = cr_fs_remove_all(folder.data);
	if (folder.size > 0)
		cr_shield(cr_seconds(30), cr_fs_remove_all(folder.data));
	cr_buf_free(&folder);
	return r;
}

static int copy_lines(const char *folder)
{
	cr_buf from = {0}, to = {0};
	cr_lines *lines = NULL;
	size_t size;
	char *line;
	int r = cr_buf_printf(&from, "%s/from", folder);

	if (r == 0)
		r = cr_buf_printf(&to, "%s/to", folder);
	if (r == 0)
		r = cr_fs_write_atomic(from.data, "1\n2\n3\n", 6, 0600);
	if (r == 0)
		r = cr_fs_copy(from.data, to.data);
	if (r == 0)
		r = cr_lines_open(to.data, 0, &lines);
	while (r == 0 && (r = cr_lines_next(lines, &line, &size)) > 0)
		r = 0;
	cr_lines_close(lines);
	cr_buf_free(&from);
	cr_buf_free(&to);
	return r;
}

static int copies_and_reads_lines(struct torture *t)
{
	cr_buf folder = {0};
	int r = cr_fs_temp_dir(base, &folder);

	(void)t;
	if (r == 0)
		r = copy_lines(folder.data);
	if (folder.size > 0)
		cr_shield(cr_seconds(30), cr_fs_remove_all(folder.data));
	cr_buf_free(&folder);
	return r;
}

static int lock_exclusively(cr_file *file)
{
	return cr_file_lock(file, CORAIL_LOCK_EXCLUSIVE);
}

static int waits_for_a_lock(struct torture *t)
{
	cr_file *file;
	int r = cr_file_open_temp(base, &file);

	(void)t;
	if (r < 0)
		return r;
	r = cr_file_lock(file, CORAIL_LOCK_SHARED);
	if (r == 0) {
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, lock_exclusively, file);
		r = cr_scope_wait(&scope);
	}
	cr_file_close(file);
	return r;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
	(void)info;
	(void)type;
	(void)where;
	return remove(path);
}

int main(void)
{
	if (!on_sim() && mkdtemp(folder_of_all))
		base = folder_of_all;
	TORTURE(reads_and_writes);
	TORTURE(replaces_a_file);
	TORTURE(walks_and_removes);
	TORTURE(copies_and_reads_lines);
	TORTURE(waits_for_a_lock);
	if (base == folder_of_all)
		nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return test_done();
}
