/* SPDX-License-Identifier: MIT */
#include "fs/walk.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

/* Whole trees: made and removed. */

/* Whether a folder is there already, in a file system that would rather complain first. */
static int folder_or(const char *path, int error)
{
	struct stat info;
	int r = cr_fs_stat(path, &info);

	if (r == -ECANCELED)
		return r;
	return r == 0 && S_ISDIR(info.st_mode) ? 0 : error;
}

/* From the end towards the start until a folder can be made, and back again. */
int cr_fs_mkdir_all(const char *path, mode_t mode)
{
	char *copy = cr__alloc_text(path);
	size_t size = strlen(path), end = size;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 || r == -ENOENT) {
		char saved = copy[end];

		copy[end] = '\0';
		r = cr_fs_mkdir(copy, mode);
		if (r < 0 && r != -ENOENT && r != -ECANCELED)
			r = folder_or(copy, r);
		copy[end] = saved;
		if (r == 0) {
			if (end == size)
				break;
			end += strcspn(copy + end + 1, "/") + 1;
		} else if (r == -ENOENT) {
			while (end > 0 && copy[end - 1] != '/')
				end--;
			while (end > 0 && copy[end - 1] == '/')
				end--;
			if (end == 0)
				break;
		}
	}
	cr__free(copy);
	return r;
}

static int gone_is_fine(int r)
{
	return r == -ENOENT ? 0 : r;
}

/*
 * Entries are removed relative to the open folder in which they were found, as deep as there are
 * descriptors.
 */
static int remove_below(const char *path)
{
	const cr_walk_options options = {.leaving = 1, .depth_max = INT_MAX};
	cr_walk_entry entry;
	cr_walk *walk;
	int r = cr_walk_open(path, &options, &walk);

	if (r < 0)
		return r;
	while ((r = cr_walk_next(walk, &entry)) > 0) {
		if (entry.type != DT_DIR) {
			r = cr__fs_unlink_at(cr__walk_folder(walk), entry.name, 0, false);
		} else if (entry.leaving) {
			r = cr__fs_unlink_at(cr__walk_folder(walk), entry.name, AT_REMOVEDIR,
			                     false);
		}
		r = gone_is_fine(r);
		if (r < 0)
			break;
	}
	cr_walk_close(walk);
	return r;
}

int cr_fs_remove_all(const char *path)
{
	int r = cr_fs_unlink(path);

	/* What unlink(2) says about a folder: EISDIR, or as POSIX has it EPERM. */
	if (r == -EISDIR || r == -EPERM) {
		int refused = r;

		r = remove_below(path);
		if (r == -ENOTDIR)
			return refused;
		if (r == 0)
			r = cr_fs_rmdir(path);
	}
	return gone_is_fine(r);
}

int cr_fs_temp_dir(const char *folder, cr_buf *path)
{
	const size_t before = path->size;
	int r;

	do {
		path->size = before;
		r = cr_buf_printf(path, "%s", folder ? folder : "/tmp");
		if (r == 0)
			r = cr__fs_name_random(path, "/corail-");
		if (r == 0)
			r = cr_fs_mkdir(path->data + before, 0700);
	} while (r == -EEXIST);
	if (r < 0 && path->data) {
		path->size = before;
		path->data[before] = '\0';
	}
	return r;
}
